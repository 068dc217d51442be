/* The socket calls: addresses, vectors and control messages come in and go out here. */
#include <abi/socket.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <process/task.h>
#include <sched/timer.h>
#include <net/context.h>
#include <socket/socket.h>
#include <syscall/syscall.h>

#define TYPE_FLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK)
#define FAST_IOV   8
#define MMSG_MAX   1024 /* messages in one sendmmsg or recvmmsg */

/* The socket behind a descriptor; put with fd_put_light(*f, *need_put). */
static struct sock *sock_get(int fd, struct file **f, bool *need_put, int *err)
{
	struct sock *sk;

	*f = fd_get_light(current_task()->files, fd, need_put);
	*err = -EBADF;
	if (!*f)
		return NULL;
	sk = file_sock(*f);
	if (!sk) {
		*err = -ENOTSOCK;
		fd_put_light(*f, *need_put);
	}
	return sk;
}

static int addr_in(struct __kernel_sockaddr_storage *to, const void __user *from, int len)
{
	if (len < 0 || len > (int)sizeof(*to))
		return -EINVAL;
	memset(to, 0, sizeof(*to));
	return len && copy_from_user(to, from, (size_t)len) ? -EFAULT : 0;
}

/* An address to the user: cut to the room, the true length is stored. */
static int addr_out(
	const struct __kernel_sockaddr_storage *from, u32 len, void __user *to, int __user *ulen)
{
	int room;

	if (get_user(room, ulen))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	room = min(room, (int)min_t(u32, len, sizeof(*from)));
	if (room && copy_to_user(to, from, (size_t)room))
		return -EFAULT;
	return put_user((int)len, ulen);
}

static u32 file_flags(const struct file *f)
{
	return READ_ONCE(f->flags) & O_NONBLOCK ? MSG_DONTWAIT : 0;
}

/* ---- making and naming ------------------------------------------------------------------------- */

static int check_type(int type)
{
	static_assert(SOCK_NONBLOCK == O_NONBLOCK && SOCK_CLOEXEC == O_CLOEXEC, "flags differ");
	return type & ~SOCK_TYPE_MASK & ~TYPE_FLAGS ? -EINVAL : 0;
}

long sys_socket(int family, int type, int protocol)
{
	struct sock *sk;
	struct file *f;
	int err = check_type(type);

	if (err)
		return err;
	sk = sock_create(family, type & SOCK_TYPE_MASK, protocol);
	if (is_err(sk)) {
		if (ptr_err(sk) == -EAFNOSUPPORT)
			syscall_log_unknown("address family", (unsigned long)family);
		return ptr_err(sk);
	}
	f = sock_file(sk, (u32)type & O_NONBLOCK);
	if (is_err(f))
		return ptr_err(f);
	return fd_open(current_task()->files, f, (type & SOCK_CLOEXEC) != 0);
}

long sys_socketpair(int family, int type, int protocol, int __user *fds)
{
	struct fd_table *t = current_task()->files;
	struct sock *a, *b;
	struct file *fa, *fb;
	bool cloexec = (type & SOCK_CLOEXEC) != 0;
	int err = check_type(type), fd[2];

	if (err)
		return err;
	a = sock_create(family, type & SOCK_TYPE_MASK, protocol);
	if (is_err(a))
		return ptr_err(a);
	b = sock_create(family, type & SOCK_TYPE_MASK, protocol);
	if (is_err(b)) {
		err = ptr_err(b);
		b = NULL;
	} else {
		err = a->ops->pair ? a->ops->pair(a, b) : -EOPNOTSUPP;
	}
	if (err) {
		if (b)
			put_sock(b);
		put_sock(a);
		return err;
	}
	fa = sock_file(a, (u32)type & O_NONBLOCK);
	fb = sock_file(b, (u32)type & O_NONBLOCK);
	if (is_err(fa) || is_err(fb)) {
		err = is_err(fa) ? ptr_err(fa) : ptr_err(fb);
		goto out_files;
	}
	err = fd[0] = fd_reserve(t, 0, cloexec);
	if (err < 0)
		goto out_files;
	err = fd[1] = fd_reserve(t, 0, cloexec);
	if (err < 0)
		goto out_first;
	err = -EFAULT;
	if (copy_to_user(fds, fd, sizeof(fd)))
		goto out_second;
	fd_install(t, fd[0], fa);
	fd_install(t, fd[1], fb);
	return 0;
out_second:
	fd_unreserve(t, fd[1]);
out_first:
	fd_unreserve(t, fd[0]);
out_files:
	if (!is_err(fa))
		put_file(fa);
	if (!is_err(fb))
		put_file(fb);
	return err;
}

long sys_bind(int fd, const void __user *addr, int len)
{
	struct __kernel_sockaddr_storage a;
	struct file *f;
	bool need_put;
	int err;
	struct sock *sk = sock_get(fd, &f, &need_put, &err);

	if (!sk)
		return err;
	err = addr_in(&a, addr, len);
	if (!err)
		err = sk->ops->bind ? sk->ops->bind(sk, &a, (u32)len) : -EOPNOTSUPP;
	fd_put_light(f, need_put);
	return err;
}

long sys_connect(int fd, const void __user *addr, int len)
{
	struct __kernel_sockaddr_storage a;
	struct file *f;
	bool need_put;
	int err;
	struct sock *sk = sock_get(fd, &f, &need_put, &err);

	if (!sk)
		return err;
	err = addr_in(&a, addr, len);
	if (!err)
		err = sk->ops->connect ? sk->ops->connect(sk, &a, (u32)len, READ_ONCE(f->flags))
				       : -EOPNOTSUPP;
	net_run();
	fd_put_light(f, need_put);
	return err;
}

long sys_listen(int fd, int backlog)
{
	struct file *f;
	bool need_put;
	int err;
	struct sock *sk = sock_get(fd, &f, &need_put, &err);

	if (!sk)
		return err;
	if ((u32)backlog > (u32)g_net_core.somaxconn)
		backlog = g_net_core.somaxconn;
	err = sk->ops->listen ? sk->ops->listen(sk, backlog) : -EOPNOTSUPP;
	fd_put_light(f, need_put);
	return err;
}

long sys_accept4(int fd, void __user *addr, int __user *len, int flags)
{
	struct fd_table *t = current_task()->files;
	struct sock *sk, *new;
	struct file *f, *nf;
	bool need_put;
	int err, nfd;

	sk = sock_get(fd, &f, &need_put, &err);
	if (flags & ~TYPE_FLAGS) { /* after a bad descriptor, before one that isn't a socket */
		if (sk)
			fd_put_light(f, need_put);
		return sk || err == -ENOTSOCK ? -EINVAL : err;
	}
	if (!sk)
		return err;
	err = nfd = fd_reserve(t, 0, (flags & SOCK_CLOEXEC) != 0);
	if (nfd < 0)
		goto out;
	new = sk->ops->accept ? sk->ops->accept(sk, READ_ONCE(f->flags)) : err_ptr(-EOPNOTSUPP);
	if (is_err(new)) {
		err = ptr_err(new);
		goto out_fd;
	}
	nf = sock_file(new, (u32)flags & O_NONBLOCK);
	if (is_err(nf)) {
		err = ptr_err(nf);
		goto out_fd;
	}
	if (addr) {
		struct __kernel_sockaddr_storage a;

		memset(&a, 0, sizeof(a));
		err = new->ops->getname(new, &a, true);
		if (err < 0)
			err = -ECONNABORTED;
		else
			err = addr_out(&a, (u32)err, addr, len);
		if (err) {
			put_file(nf);
			goto out_fd;
		}
	}
	fd_install(t, nfd, nf);
	fd_put_light(f, need_put);
	return nfd;
out_fd:
	fd_unreserve(t, nfd);
out:
	fd_put_light(f, need_put);
	return err;
}

long sys_accept(int fd, void __user *addr, int __user *len)
{
	return sys_accept4(fd, addr, len, 0);
}

static long get_name(int fd, void __user *addr, int __user *len, bool peer)
{
	struct __kernel_sockaddr_storage a;
	struct file *f;
	bool need_put;
	int err;
	struct sock *sk = sock_get(fd, &f, &need_put, &err);

	if (!sk)
		return err;
	memset(&a, 0, sizeof(a));
	err = sk->ops->getname ? sk->ops->getname(sk, &a, peer) : -EOPNOTSUPP;
	if (err >= 0)
		err = addr_out(&a, (u32)err, addr, len);
	fd_put_light(f, need_put);
	return err;
}

long sys_getsockname(int fd, void __user *addr, int __user *len)
{
	return get_name(fd, addr, len, false);
}

long sys_getpeername(int fd, void __user *addr, int __user *len)
{
	return get_name(fd, addr, len, true);
}

long sys_shutdown(int fd, int how)
{
	struct file *f;
	bool need_put;
	int err;
	struct sock *sk = sock_get(fd, &f, &need_put, &err);

	if (!sk)
		return err;
	err = sock_shutdown(sk, how);
	fd_put_light(f, need_put);
	return err;
}

long sys_setsockopt(int fd, int level, int name, const void __user *val, int len)
{
	struct file *f;
	bool need_put;
	int err;
	struct sock *sk = sock_get(fd, &f, &need_put, &err);

	if (!sk)
		return err;
	err = sock_setsockopt(sk, level, name, val, len);
	if (err == -ENOPROTOOPT)
		syscall_log_unknown("socket option", (unsigned long)level << 16 | (u32)name);
	fd_put_light(f, need_put);
	return err;
}

long sys_getsockopt(int fd, int level, int name, void __user *val, int __user *len)
{
	struct file *f;
	bool need_put;
	int err;
	struct sock *sk = sock_get(fd, &f, &need_put, &err);

	if (!sk)
		return err;
	err = sock_getsockopt(sk, level, name, val, len);
	fd_put_light(f, need_put);
	return err;
}

/* ---- messages ---------------------------------------------------------------------------------- */

long sys_sendto(int fd, const void __user *buf, size_t len, int flags, const void __user *addr,
	int addr_len)
{
	struct __kernel_sockaddr_storage a;
	struct sock_msg m = {.iter = iter_user((void __user *)buf, min(len, MAX_RW_COUNT))};
	struct file *f;
	bool need_put;
	int err;
	struct sock *sk;
	long r;

	if (!user_range_ok((unsigned long)buf, m.iter.count))
		return -EFAULT;
	sk = sock_get(fd, &f, &need_put, &err);
	if (!sk)
		return err;
	if (addr) {
		err = addr_in(&a, addr, addr_len);
		if (err) {
			fd_put_light(f, need_put);
			return err;
		}
		m.name = &a;
		m.name_len = (u32)addr_len;
	}
	m.flags = (u32)flags | file_flags(f);
	r = sock_sendmsg(sk, &m);
	fd_put_light(f, need_put);
	return r;
}

long sys_recvfrom(
	int fd, void __user *buf, size_t len, int flags, void __user *addr, int __user *addr_len)
{
	struct __kernel_sockaddr_storage a;
	struct sock_msg m = {.iter = iter_user(buf, min(len, MAX_RW_COUNT))};
	struct file *f;
	bool need_put;
	int err;
	struct sock *sk;
	long r;

	if (!user_range_ok((unsigned long)buf, m.iter.count))
		return -EFAULT;
	sk = sock_get(fd, &f, &need_put, &err);
	if (!sk)
		return err;
	m.name = addr ? &a : NULL;
	m.flags = (u32)flags | file_flags(f);
	r = sock_recvmsg(sk, &m);
	if (r >= 0 && addr) {
		err = addr_out(&a, m.name_len, addr, addr_len);
		if (err)
			r = err;
	}
	fd_put_light(f, need_put);
	return r;
}

struct message {
	struct user_msghdr h;
	struct __kernel_sockaddr_storage addr;
	struct iovec fast[FAST_IOV], *vec;
	struct sock_msg m;
	void *control;
};

static int vectors_in(struct message *msg)
{
	ssize_t n;

	if (msg->h.msg_iovlen > 1024)
		return -EMSGSIZE;
	n = iter_import(
		&msg->m.iter, msg->h.msg_iov, msg->h.msg_iovlen, msg->fast, FAST_IOV, &msg->vec);
	return n < 0 ? (int)n : 0;
}

static int message_in(struct message *msg, const struct user_msghdr __user *u, bool send)
{
	int err;

	memset(&msg->m, 0, sizeof(msg->m));
	msg->vec = msg->fast;
	msg->control = NULL;
	if (copy_from_user(&msg->h, u, sizeof(msg->h)))
		return -EFAULT;
	if (msg->h.msg_name == NULL)
		msg->h.msg_namelen = 0;
	if (msg->h.msg_namelen < 0)
		return -EINVAL;
	if (send && msg->h.msg_namelen) {
		err = addr_in(&msg->addr, msg->h.msg_name,
			min(msg->h.msg_namelen, (s32)sizeof(msg->addr)));
		if (err)
			return err;
		msg->m.name = &msg->addr;
		msg->m.name_len = (u32)min(msg->h.msg_namelen, (s32)sizeof(msg->addr));
	} else if (!send && msg->h.msg_name) {
		msg->m.name = &msg->addr;
	}
	err = vectors_in(msg);
	if (err)
		return err;
	if (send && msg->h.msg_control && msg->h.msg_controllen) {
		err = -ENOBUFS;
		if (msg->h.msg_controllen > (u64)g_net_core.optmem_max)
			goto fail;
		err = -ENOMEM;
		msg->control = kmalloc(msg->h.msg_controllen, GFP_KERNEL);
		if (!msg->control)
			goto fail;
		err = -EFAULT;
		if (copy_from_user(msg->control, msg->h.msg_control, msg->h.msg_controllen))
			goto fail;
		msg->m.control = msg->control;
		msg->m.control_len = msg->h.msg_controllen;
	} else if (!send) {
		msg->m.out_control = msg->h.msg_control;
		msg->m.out_room = msg->h.msg_control ? msg->h.msg_controllen : 0;
	}
	return 0;
fail:
	kfree(msg->control);
	iov_free(msg->vec, msg->fast);
	return err;
}

static void message_done(struct message *msg)
{
	kfree(msg->control);
	iov_free(msg->vec, msg->fast);
}

static ssize_t send_one(
	struct sock *sk, struct message *msg, const struct user_msghdr __user *u, u32 flags)
{
	ssize_t r = message_in(msg, u, true);

	if (r)
		return r;
	msg->m.flags = flags;
	r = sock_sendmsg(sk, &msg->m);
	message_done(msg);
	return r;
}

static int message_out(struct message *msg, struct user_msghdr __user *u, u32 flags)
{
	u32 out = msg->m.out_flags | (flags & MSG_CMSG_CLOEXEC);

	if (msg->h.msg_name) {
		u32 n = min_t(u32, msg->m.name_len, (u32)msg->h.msg_namelen);

		if (n &&
			copy_to_user(msg->h.msg_name, &msg->addr, min_t(u32, n, sizeof(msg->addr))))
			return -EFAULT;
		if (put_user((s32)msg->m.name_len, &u->msg_namelen))
			return -EFAULT;
	}
	if (put_user(out, &u->msg_flags) || put_user((u64)msg->m.out_used, &u->msg_controllen))
		return -EFAULT;
	return 0;
}

static ssize_t recv_one(
	struct sock *sk, struct message *msg, struct user_msghdr __user *u, u32 flags)
{
	ssize_t r = message_in(msg, u, false);

	if (r)
		return r;
	msg->m.flags = flags;
	r = sock_recvmsg(sk, &msg->m);
	if (r >= 0) {
		int err = message_out(msg, u, flags);

		if (err)
			r = err;
	}
	message_done(msg);
	return r;
}

long sys_sendmsg(int fd, const struct user_msghdr __user *u, int flags)
{
	struct message msg;
	struct file *f;
	bool need_put;
	int err;
	struct sock *sk = sock_get(fd, &f, &need_put, &err);
	long r;

	if (!sk)
		return err;
	r = send_one(sk, &msg, u, (u32)flags | file_flags(f));
	fd_put_light(f, need_put);
	return r;
}

long sys_recvmsg(int fd, struct user_msghdr __user *u, int flags)
{
	struct message msg;
	struct file *f;
	bool need_put;
	int err;
	struct sock *sk = sock_get(fd, &f, &need_put, &err);
	long r;

	if (!sk)
		return err;
	r = recv_one(sk, &msg, u, (u32)flags | file_flags(f));
	fd_put_light(f, need_put);
	return r;
}

long sys_sendmmsg(int fd, struct user_mmsghdr __user *vec, u32 n, int flags)
{
	struct message msg;
	struct file *f;
	bool need_put;
	int err;
	struct sock *sk = sock_get(fd, &f, &need_put, &err);
	u32 done = 0;

	if (!sk)
		return err;
	n = min_t(u32, n, MMSG_MAX);
	err = 0;
	while (done < n) {
		ssize_t r = send_one(sk, &msg, &vec[done].msg_hdr,
			(u32)flags | file_flags(f) | (done + 1 < n ? MSG_BATCH : 0));

		if (r >= 0 && put_user((u32)r, &vec[done].msg_len))
			r = -EFAULT;
		if (r < 0) {
			err = (int)r;
			break;
		}
		done++;
		if (signal_interrupts(current_thread(), THREAD_INTERRUPTIBLE))
			break;
		cond_resched();
	}
	fd_put_light(f, need_put);
	return done ? (long)done : err;
}

static long recv_many(int fd, struct user_mmsghdr __user *vec, u32 n, u32 flags, s64 deadline)
{
	struct message msg;
	struct file *f;
	bool need_put;
	int err;
	struct sock *sk = sock_get(fd, &f, &need_put, &err);
	u32 done = 0;

	if (!sk)
		return err;
	err = sock_take_error(sk);
	while (!err && done < n) {
		ssize_t r = recv_one(
			sk, &msg, &vec[done].msg_hdr, (flags & ~MSG_WAITFORONE) | file_flags(f));

		if (r >= 0 && put_user((u32)r, &vec[done].msg_len))
			r = -EFAULT;
		if (r < 0) {
			err = (int)r;
			break;
		}
		done++;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (msg.m.out_flags & MSG_OOB || clock_mono_ns() >= deadline)
			break;
		cond_resched();
	}
	/* An error after the first message is the next call's, as recvmmsg(2) says. */
	if (done && err && err != -EAGAIN && err != -ERESTARTSYS && err != -EINTR)
		sock_set_error(sk, -err);
	fd_put_light(f, need_put);
	return done ? (long)done : err;
}

long sys_recvmmsg(int fd, struct user_mmsghdr __user *vec, u32 n, int flags,
	struct __kernel_timespec __user *timeout)
{
	struct __kernel_timespec ts;
	s64 deadline = TIME_NEVER, ns;
	long r;

	if (timeout) {
		if (copy_from_user(&ts, timeout, sizeof(ts)))
			return -EFAULT;
		if (ns_from_timespec(&ts, &ns))
			return -EINVAL;
		deadline = deadline_after(ns);
	}
	r = recv_many(fd, vec, n, (u32)flags, deadline);
	if (timeout && r > 0) {
		ts = ns_to_timespec(max(deadline - clock_mono_ns(), (s64)0));
		if (copy_to_user(timeout, &ts, sizeof(ts)))
			return -EFAULT;
	}
	return r;
}
