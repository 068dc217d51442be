/* execve, execveat, personality. */
#include <kmem/slab.h>
#include <linux/fcntl.h>
#include <process/task.h>
#include <syscall/syscall.h>

#define PERSONALITY_QUERY 0xffffffffu

static long exec_at(int dirfd, const char __user *uname, const char __user *const __user *argv,
	const char __user *const __user *envp, int flags)
{
	char *name;
	ssize_t n;
	long err;

	name = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!name)
		return -ENOMEM;
	n = strncpy_from_user(name, uname, PATH_MAX);
	if (n < 0)
		err = n;
	else if (n == PATH_MAX)
		err = -ENAMETOOLONG;
	else if (n == 0 && !(flags & AT_EMPTY_PATH))
		err = -ENOENT;
	else
		err = process_exec(dirfd, name, flags, argv, envp);
	kfree(name);
	return err;
}

long sys_execve(const char __user *name, const char __user *const __user *argv,
	const char __user *const __user *envp)
{
	return exec_at(AT_FDCWD, name, argv, envp, 0);
}

long sys_execveat(int dirfd, const char __user *name, const char __user *const __user *argv,
	const char __user *const __user *envp, int flags)
{
	return exec_at(dirfd, name, argv, envp, flags);
}

long sys_personality(unsigned int persona)
{
	struct task *t = current_task();
	u32 old = t->personality;

	if (persona != PERSONALITY_QUERY)
		WRITE_ONCE(t->personality, persona);
	return (long)old;
}
