/*
 * Sockets before there is a network: no address family is configured, and that is what Linux says
 * then. Programs know this answer (musl's initgroups, for one) and go on without; ENOSYS is an
 * error to them.
 */
#include <lib/err.h>
#include <linux/net.h>
#include <syscall/syscall.h>

#define TYPE_MASK   0xf
#define TYPE_FLAGS  0x80800 /* SOCK_CLOEXEC | SOCK_NONBLOCK: O_CLOEXEC | O_NONBLOCK */
#define NR_TYPES    11
#define NR_FAMILIES 46

static long no_family(int family, int type)
{
	if (type & ~TYPE_MASK & ~TYPE_FLAGS)
		return -EINVAL;
	if (family < 0 || family >= NR_FAMILIES)
		return -EAFNOSUPPORT;
	if ((type & TYPE_MASK) >= NR_TYPES)
		return -EINVAL;
	return -EAFNOSUPPORT;
}

long sys_socket(int family, int type, int protocol)
{
	return no_family(family, type);
}

long sys_socketpair(int family, int type, int protocol, int __user *fds)
{
	return no_family(family, type);
}
