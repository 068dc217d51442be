/* Numbers of processes, groups and sessions. */
#include <process/jobs.h>
#include <syscall/syscall.h>

long sys_getpid(void)
{
	return process_pid(current_process());
}

long sys_gettid(void)
{
	return task_tid(current_task());
}

long sys_getppid(void)
{
	struct process *parent;
	long nr;

	rcu_read_lock();
	parent = rcu_load(current_process()->parent);
	nr = parent ? process_pid(parent) : 0;
	rcu_read_unlock();
	return nr;
}

long sys_getpgrp(void)
{
	return process_getpgid(0);
}

long sys_getpgid(int pid)
{
	return process_getpgid(pid);
}

long sys_getsid(int pid)
{
	return process_getsid(pid);
}

long sys_setsid(void)
{
	return process_setsid();
}

long sys_setpgid(int pid, int pgid)
{
	return process_setpgid(pid, pgid);
}
