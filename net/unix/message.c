/*
 * Messages in flight: the data, and what goes along with it (descriptors, credentials). A message
 * is charged to its sender until it is freed.
 */
#include <kmem/slab.h>
#include <lib/string.h>
#include <sched/timer.h>
#include "unix.h"

#define INLINE_MAX 3584u /* bytes that share the message's memory */

static void free_fds(struct scm_fds *fds)
{
	if (!fds)
		return;
	for (u32 i = 0; i < fds->nr; i++)
		put_file(fds->file[i]);
	put_user_account(fds->user);
	kfree(fds);
}

/* ---- what a sender passes ---------------------------------------------------------------------- */

static int take_rights(struct umsg *msg, const struct cmsghdr *c)
{
	const int *fd = cmsg_data(c);
	u32 n = (u32)(cmsg_data_len(c) / sizeof(int));
	struct scm_fds *fds = msg->fds;

	if (n == 0)
		return 0;
	if (n > UNIX_MAX_FDS || (fds && fds->nr + n > UNIX_MAX_FDS))
		return -EINVAL;
	if (!fds) {
		fds = kmalloc(sizeof(*fds) + UNIX_MAX_FDS * sizeof(fds->file[0]), GFP_KERNEL);
		if (!fds)
			return -ENOMEM;
		fds->nr = 0;
		fds->user = current_cred()->user;
		get_user_account(fds->user);
		msg->fds = fds;
	}
	for (u32 i = 0; i < n; i++) {
		struct file *f = fd_get_any(current_task()->files, fd[i]);

		if (!f)
			return -EBADF;
		fds->file[fds->nr++] = f;
	}
	return 0;
}

static int take_credentials(struct umsg *msg, const struct cmsghdr *c)
{
	const struct cred *cr = current_cred();
	struct ucred uc;
	struct pid *pid;

	if (c->cmsg_len != CMSG_LEN(sizeof(uc)))
		return -EINVAL;
	memcpy(&uc, cmsg_data(c), sizeof(uc));
	if ((s32)uc.pid != process_pid(current_process()) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (uc.uid != cr->uid && uc.uid != cr->euid && uc.uid != cr->suid && !capable(CAP_SETUID))
		return -EPERM;
	if (uc.gid != cr->gid && uc.gid != cr->egid && uc.gid != cr->sgid && !capable(CAP_SETGID))
		return -EPERM;
	pid = pid_get((s32)uc.pid);
	if (!pid)
		return -ESRCH;
	put_pid(msg->pid);
	msg->pid = pid;
	msg->uid = uc.uid;
	msg->gid = uc.gid;
	return 0;
}

static int take_control(struct umsg *msg, const struct sock_msg *m)
{
	for (const struct cmsghdr *c = cmsg_first(m); c; c = cmsg_next(m, c)) {
		int err;

		if (is_err(c))
			return ptr_err(c);
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS)
			err = take_rights(msg, c);
		else if (c->cmsg_type == SCM_CREDENTIALS)
			err = take_credentials(msg, c);
		else
			err = -EINVAL;
		if (err)
			return err;
	}
	return 0;
}

void umsg_add_cred(struct umsg *msg, struct usock *from, struct usock *to)
{
	const struct cred *c = current_cred();

	if (msg->pid ||
		(!sock_opt(&from->sk, SKO_PASSCRED) && !sock_opt(&to->sk, SKO_PASSCRED) &&
			READ_ONCE(to->sk.file)))
		return;
	msg->pid = current_process()->pid;
	get_pid(msg->pid);
	msg->uid = c->uid;
	msg->gid = c->gid;
}

struct umsg *umsg_make(struct usock *from, struct sock_msg *m, size_t n, bool with_control)
{
	size_t room = n <= INLINE_MAX ? n : 0;
	struct umsg *msg = kmalloc(sizeof(*msg) + room, GFP_KERNEL | GFP_USER);
	struct scm_fds *fds;
	int err = -ENOMEM;

	if (!msg)
		return err_ptr(-ENOMEM);
	memset(msg, 0, sizeof(*msg));
	list_init(&msg->link);
	msg->uid = msg->gid = (u32)-1;
	msg->len = (u32)n;
	msg->charge = (u32)(n + sizeof(*msg));
	msg->data = room == n ? msg->inline_data : kvmalloc(n, GFP_KERNEL | GFP_USER);
	if (!msg->data)
		goto fail;
	if (with_control) {
		err = take_control(msg, m);
		if (err)
			goto fail;
	}
	if (iter_get(&m->iter, msg->data, n) < n) {
		err = -EFAULT;
		goto fail;
	}
	if (msg->fds) {
		err = unix_inflight(msg->fds);
		if (err)
			goto fail;
	}
	get_sock(&from->sk);
	msg->from = from;
	msg->addr = rcu_load(from->addr);
	if (msg->addr)
		ref_get(&msg->addr->refs);
	__atomic_fetch_add(&from->wmem, (s32)msg->charge, __ATOMIC_RELAXED);
	return msg;
fail:
	fds = msg->fds; /* not in flight yet */
	msg->fds = NULL;
	free_fds(fds);
	umsg_free(msg);
	return err_ptr(err);
}

void umsg_free(struct umsg *msg)
{
	struct usock *from = msg->from;

	if (msg->fds) {
		unix_not_inflight(msg->fds);
		free_fds(msg->fds);
	}
	put_pid(msg->pid);
	put_unix_addr(msg->addr);
	if (msg->data != msg->inline_data)
		kvfree(msg->data);
	if (from) {
		__atomic_fetch_sub(&from->wmem, (s32)msg->charge, __ATOMIC_RELEASE);
		if (unix_writable(from)) {
			sock_wake(&from->sk, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
			sock_signal(&from->sk, POLL_OUT);
		}
		put_sock(&from->sk);
	}
	kfree(msg);
}

/* ---- what a receiver gets ---------------------------------------------------------------------- */

void umsg_copy_addr(const struct unix_addr *a, struct sock_msg *m)
{
	if (!m->name || !a)
		return;
	m->name_len = a->len;
	memcpy(m->name, &a->name, min_t(u32, a->len, sizeof(*m->name)));
}

static void deliver_fds(struct umsg *msg, struct sock_msg *m, bool peek)
{
	struct fd_table *t = current_task()->files;
	struct scm_fds *fds = msg->fds;
	bool cloexec = (m->flags & MSG_CMSG_CLOEXEC) != 0;
	u32 room = 0, n = 0;
	int __user *to = (int __user *)((char __user *)m->out_control + sizeof(struct cmsghdr));

	if (peek)
		unix_ref_fds(fds);
	else
		unix_not_inflight(fds);
	if (m->out_control && m->out_room > sizeof(struct cmsghdr))
		room = (u32)((m->out_room - sizeof(struct cmsghdr)) / sizeof(int));
	for (; n < fds->nr && n < room; n++) {
		int fd = fd_reserve(t, 0, cloexec);

		if (fd < 0)
			break;
		if (put_user(fd, to + n)) {
			fd_unreserve(t, fd);
			break;
		}
		get_file(fds->file[n]);
		fd_install(t, fd, fds->file[n]);
	}
	if (n) {
		struct cmsghdr h = {CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		size_t space = min_t(size_t, CMSG_SPACE(n * sizeof(int)), m->out_room);

		if (copy_to_user(m->out_control, &h, sizeof(h)) == 0) {
			m->out_control = (char __user *)m->out_control + space;
			m->out_room -= space;
			m->out_used += space;
		}
	}
	if (n < fds->nr)
		m->out_flags |= MSG_CTRUNC;
	for (u32 i = 0; i < fds->nr; i++)
		put_file(fds->file[i]); /* peek: the second reference; else the message's */
	if (!peek) {
		put_user_account(fds->user);
		kfree(fds);
		msg->fds = NULL;
	}
}

void umsg_deliver_control(struct usock *u, struct umsg *msg, struct sock_msg *m, bool peek)
{
	if (msg->real_ns)
		cmsg_put_timestamp(&u->sk, m, msg->real_ns);
	if (sock_opt(&u->sk, SKO_PASSCRED)) {
		struct ucred uc = {msg->pid ? (u32)msg->pid->nr : 0, msg->uid, msg->gid};

		if (uc.uid == (u32)-1)
			uc.uid = uc.gid = 65534; /* nobody, as Linux shows an unknown one */
		cmsg_put(m, SOL_SOCKET, SCM_CREDENTIALS, &uc, sizeof(uc));
	}
	if (msg->fds)
		deliver_fds(msg, m, peek);
}
