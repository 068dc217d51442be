/* Sending and receiving. */
#include "mq.h"
#include <arch/uaccess.h>
#include <kmem/slab.h>
#include <lib/seq_buf.h>
#include <process/task.h>
#include <sched/wait.h>

/* ---- messages; lock held ---- */

static bool comes_before(const struct mq_message *a, const struct mq_message *b)
{
	return a->priority != b->priority ? a->priority > b->priority : a->arrival < b->arrival;
}

static void enqueue(struct mqueue *q, struct mq_message *m)
{
	struct rb_node **link = &q->messages.node, *parent = NULL;

	m->arrival = q->arrivals++;
	while (*link) {
		parent = *link;
		link = comes_before(m, rb_entry(parent, struct mq_message, node)) ? &parent->left
										  : &parent->right;
	}
	rb_insert(&q->messages, &m->node, parent, link);
	q->count++;
	q->bytes += m->len;
}

static struct mq_message *dequeue(struct mqueue *q)
{
	struct mq_message *m = rb_entry(rb_first(&q->messages), struct mq_message, node);

	rb_erase(&q->messages, &m->node);
	q->count--;
	q->bytes -= m->len;
	return m;
}

/* ---- waiting ---- */

static void stand_in(struct list_head *list, struct mq_waiter *w)
{
	struct mq_waiter *i;

	list_for_each_entry(i, list, link)
		if (i->priority < w->priority)
			break;
	list_add_tail(&w->link, &i->link); /* before i, or at the end */
}

static struct mq_waiter *take_first(struct list_head *list)
{
	struct mq_waiter *w = list_first_entry_or_null(list, struct mq_waiter, link);

	if (w)
		list_del(&w->link);
	return w;
}

/* Lock held; w may be gone as soon as it is given up. */
static void finish(struct mq_waiter *w)
{
	w->waiting = false;
	thread_wake(w->thread);
}

/* Until finished: 0, -ERESTARTSYS, -ETIMEDOUT. Lock held on entry and on return. */
static int wait_locked(
	struct mqueue *q, struct list_head *list, struct mq_waiter *w, struct deadline d)
{
	int err = 0;

	w->thread = current_thread();
	w->priority = w->thread->eff_priority;
	w->waiting = true;
	stand_in(list, w);
	while (w->waiting && !err) {
		thread_set_state(THREAD_INTERRUPTIBLE);
		spin_unlock(&q->lock);
		if (signal_interrupts(current_thread(), THREAD_INTERRUPTIBLE))
			err = -ERESTARTSYS;
		else if (sched_block_until_deadline(d))
			err = -ETIMEDOUT;
		thread_set_state(THREAD_RUNNING);
		spin_lock(&q->lock);
	}
	if (!w->waiting)
		return 0;
	list_del(&w->link);
	return err;
}

/* ---- sending ---- */

static struct mq_message *make_message(const void __user *text, size_t len, u32 priority)
{
	struct mq_message *m = kvmalloc(sizeof(*m) + len, GFP_KERNEL);

	if (!m)
		return err_ptr(-ENOMEM);
	m->priority = priority;
	m->len = len;
	if (!copy_from_user(m->text, text, len))
		return m;
	kvfree(m);
	return err_ptr(-EFAULT);
}

/* Into the queue, or to who waits; there is room. */
static void deliver(struct mqueue *q, struct mq_message *m, struct mq_notification *n)
{
	struct mq_waiter *w = take_first(&q->receivers);

	if (w) {
		w->message = m;
		finish(w);
		return;
	}
	enqueue(q, m);
	if (q->count == 1)
		mq_notify_take(q, n);
}

int mq_send(struct file *f, const void __user *text, size_t len, u32 priority, struct deadline d)
{
	struct mqueue *q = mq_of(f);
	struct mq_notification n = {0};
	struct mq_waiter w = {0};
	bool readable;
	int err = 0;

	if (!q || !(f->mode & FMODE_WRITE))
		return -EBADF;
	if (len > q->max_len)
		return -EMSGSIZE;
	w.message = make_message(text, len, priority);
	if (is_err(w.message))
		return ptr_err(w.message);
	spin_lock(&q->lock);
	if (q->count < q->max_messages)
		deliver(q, w.message, &n);
	else if (f->flags & O_NONBLOCK)
		err = -EAGAIN;
	else
		err = wait_locked(q, &q->senders, &w, d);
	readable = q->count > 0;
	spin_unlock(&q->lock);
	if (err) {
		kvfree(w.message);
		return err;
	}
	mq_notify_tell(&n);
	if (readable)
		poll_wake(&q->poll, EPOLLIN | EPOLLRDNORM);
	inode_touch(f->inode, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	return 0;
}

/* ---- receiving ---- */

/* The first message; who waits to send gets its place. */
static struct mq_message *take(struct mqueue *q)
{
	struct mq_message *m = dequeue(q);
	struct mq_waiter *w = take_first(&q->senders);

	if (w) {
		enqueue(q, w->message);
		finish(w);
	}
	return m;
}

ssize_t mq_receive(struct file *f, void __user *text, size_t len, u32 *priority, struct deadline d)
{
	struct mqueue *q = mq_of(f);
	struct mq_waiter w = {0};
	bool writable;
	ssize_t r = 0;

	if (!q || !(f->mode & FMODE_READ))
		return -EBADF;
	if (len < q->max_len)
		return -EMSGSIZE;
	spin_lock(&q->lock);
	if (q->count)
		w.message = take(q);
	else if (f->flags & O_NONBLOCK)
		r = -EAGAIN;
	else
		r = wait_locked(q, &q->receivers, &w, d);
	writable = q->count < q->max_messages;
	spin_unlock(&q->lock);
	if (r)
		return r;
	if (writable)
		poll_wake(&q->poll, EPOLLOUT | EPOLLWRNORM);
	inode_touch(f->inode, ATTR_ATIME | ATTR_CTIME);
	*priority = w.message->priority;
	r = copy_to_user(text, w.message->text, w.message->len) ? -EFAULT : (ssize_t)w.message->len;
	kvfree(w.message);
	return r;
}

/* ---- the file ---- */

static ssize_t mq_read(struct file *f, struct iter *to, off64_t *pos)
{
	struct mqueue *q = mq_of(f);
	struct seq_buf s = {0};
	char text[80];
	size_t left, n;

	s.buf = text;
	s.size = sizeof(text);
	spin_lock(&q->lock);
	seq_printf(&s, "QSIZE:%-10llu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
		(unsigned long long)q->bytes, q->notify.owner ? q->notify.kind : 0,
		q->notify.owner && q->notify.kind == SIGEV_SIGNAL ? q->notify.sig : 0,
		q->notify.owner ? q->notify.owner->nr : 0);
	spin_unlock(&q->lock);
	if (*pos < 0 || (size_t)*pos >= s.len)
		return 0;
	left = min(s.len - (size_t)*pos, to->count);
	n = iter_put(to, text + *pos, left);
	if (!n && left)
		return -EFAULT;
	*pos += (off64_t)n;
	inode_touch(f->inode, ATTR_ATIME | ATTR_CTIME);
	return (ssize_t)n;
}

static u32 mq_poll(struct file *f, struct poll_table *pt)
{
	struct mqueue *q = mq_of(f);
	u32 mask = 0;

	poll_wait(f, &q->poll, pt);
	spin_lock(&q->lock);
	if (q->count)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (q->count < q->max_messages)
		mask |= EPOLLOUT | EPOLLWRNORM;
	spin_unlock(&q->lock);
	return mask;
}

int mq_attr(struct file *f, const struct mq_attr *new_attr, struct mq_attr *old)
{
	struct mqueue *q = mq_of(f);

	if (!q)
		return -EBADF;
	if (old) {
		*old = (struct mq_attr){
			.mq_flags = f->flags & O_NONBLOCK,
			.mq_maxmsg = (long)q->max_messages,
			.mq_msgsize = (long)q->max_len,
		};
		spin_lock(&q->lock);
		old->mq_curmsgs = (long)q->count;
		spin_unlock(&q->lock);
	}
	if (new_attr) {
		spin_lock_irq(&f->lock);
		f->flags = (f->flags & ~(u32)O_NONBLOCK) | (u32)new_attr->mq_flags;
		spin_unlock_irq(&f->lock);
		inode_touch(f->inode, ATTR_ATIME | ATTR_CTIME);
	}
	return 0;
}

const struct file_ops g_mq_fops = {
	.read = mq_read,
	.seek = file_generic_seek,
	.poll = mq_poll,
	.flush = mq_flush,
};
