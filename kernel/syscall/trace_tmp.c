#include <syscall/syscall.h>
void syscall_trace_enter(const struct pt_regs *regs)
{
}
void syscall_trace_exit(const struct pt_regs *regs, long nr, long ret)
{
}
long sys_chmod(const char __user *n, kmode_t m)
{
	return 0;
}
