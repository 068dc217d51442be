/*
 * mq_notify(2): a process is told when a message comes into the empty queue and nobody waits for it.
 * It is told once, by a signal or by a message on a netlink socket, which the C library listens on.
 */
#include "mq.h"
#include <lib/string.h>
#include <netlink/netlink.h>
#include <process/signal.h>

static void drop(struct mq_notification *n)
{
	if (n->owner)
		put_pid(n->owner);
	if (n->socket)
		put_file(n->socket);
	*n = (struct mq_notification){0};
}

void mq_notify_take(struct mqueue *q, struct mq_notification *out)
{
	*out = q->notify;
	q->notify = (struct mq_notification){0};
}

static void tell_by_socket(struct mq_notification *n, u8 what)
{
	n->cookie[NOTIFY_COOKIE_LEN - 1] = what;
	netlink_send_to_file(n->socket, n->cookie, sizeof(n->cookie));
}

/* 0: nothing is sent, as by kill(2). */
static void tell_by_signal(struct mq_notification *n)
{
	siginfo_t info = {.si_signo = n->sig, .si_code = SI_MESGQ};
	struct process *p;

	info.si_value = n->value;
	info.si_pid = process_pid(current_process());
	info.si_uid = current_cred()->uid;
	p = process_find(n->owner->nr);
	if (!p)
		return;
	if (n->sig && p->pid == n->owner && READ_ONCE(p->exec_id) == n->exec_id)
		(void)signal_send_process(p, n->sig, &info);
	put_process(p);
}

void mq_notify_tell(struct mq_notification *n)
{
	if (!n->owner)
		return;
	if (n->kind == SIGEV_SIGNAL)
		tell_by_signal(n);
	else if (n->kind == SIGEV_THREAD)
		tell_by_socket(n, NOTIFY_WOKENUP);
	drop(n);
}

void mq_notify_end(struct mq_notification *n)
{
	if (n->owner && n->kind == SIGEV_THREAD)
		tell_by_socket(n, NOTIFY_REMOVED);
	drop(n);
}

int mq_notify_set(struct file *f, const struct sigevent *ev, struct file *socket, const u8 *cookie)
{
	struct mqueue *q = mq_of(f);
	struct process *self = current_process();
	struct pid *me = self->pid;
	int err = 0;

	if (!q)
		return -EBADF;
	spin_lock(&q->lock);
	if (q->notify.owner) {
		err = -EBUSY;
	} else {
		get_pid(me);
		q->notify = (struct mq_notification){
			.owner = me,
			.exec_id = self->exec_id, /* only we change it */
			.kind = ev->sigev_notify,
			.sig = ev->sigev_signo,
			.value = ev->sigev_value,
			.socket = socket,
		};
		if (socket)
			memcpy(q->notify.cookie, cookie, NOTIFY_COOKIE_LEN);
	}
	spin_unlock(&q->lock);
	if (!err)
		inode_touch(f->inode, ATTR_ATIME | ATTR_CTIME);
	return err;
}

/* End the current process's registration, if that is it. */
static void clear_own(struct mqueue *q)
{
	struct mq_notification n = {0};

	spin_lock(&q->lock);
	if (q->notify.owner && q->notify.owner == current_process()->pid)
		mq_notify_take(q, &n);
	spin_unlock(&q->lock);
	mq_notify_end(&n);
}

int mq_notify_clear(struct file *f)
{
	struct mqueue *q = mq_of(f);

	if (!q)
		return -EBADF;
	clear_own(q);
	inode_touch(f->inode, ATTR_ATIME | ATTR_CTIME);
	return 0;
}

int mq_flush(struct file *f)
{
	clear_own(mq_of(f));
	return 0;
}
