/* Sending and receiving messages. */
#include "msg.h"
#include <arch/uaccess.h>
#include <kmem/slab.h>
#include <sched/wait.h>

/* ---- messages ---- */

void put_message(struct message *m)
{
	if (ref_put(&m->refs))
		kvfree(m);
}

/* Error pointer -ENOMEM -EFAULT. */
static struct message *make_message(s64 type, const void __user *text, size_t size)
{
	struct message *m = kvmalloc(sizeof(*m) + size, GFP_KERNEL);

	if (!m)
		return err_ptr(-ENOMEM);
	ref_init(&m->refs, 1);
	m->type = type;
	m->size = size;
	if (!copy_from_user(m->text, text, size))
		return m;
	kvfree(m);
	return err_ptr(-EFAULT);
}

static bool comes_before(const struct message *a, const struct message *b)
{
	return a->type != b->type ? a->type < b->type : a->arrival < b->arrival;
}

static void enqueue(struct msg_queue *q, struct message *m)
{
	struct rb_node **link = &q->by_type.node, *parent = NULL;

	m->arrival = q->arrivals++;
	while (*link) {
		parent = *link;
		link = comes_before(m, rb_entry(parent, struct message, node)) ? &parent->left
									       : &parent->right;
	}
	rb_insert(&q->by_type, &m->node, parent, link);
	list_add_tail(&m->link, &q->messages);
	q->bytes += m->size;
	q->count++;
}

static void dequeue(struct msg_queue *q, struct message *m)
{
	rb_erase(&q->by_type, &m->node);
	list_del(&m->link);
	q->bytes -= m->size;
	q->count--;
}

/* The first of the type, NULL: there is none. */
static struct message *find_type(struct msg_queue *q, s64 type)
{
	struct rb_node *n = q->by_type.node;
	struct message *found = NULL;

	while (n) {
		struct message *m = rb_entry(n, struct message, node);

		if (m->type == type)
			found = m;
		n = m->type >= type ? n->left : n->right;
	}
	return found;
}

/* The first of the lowest type. */
static struct message *find_lowest(struct msg_queue *q)
{
	struct rb_node *n = rb_first(&q->by_type);

	return n ? rb_entry(n, struct message, node) : NULL;
}

static struct message *find_except(struct msg_queue *q, s64 type)
{
	struct message *m;

	list_for_each_entry(m, &q->messages, link)
		if (m->type != type)
			return m;
	return NULL;
}

/* MSG_COPY: the one at this place. */
static struct message *find_nth(struct msg_queue *q, s64 place)
{
	struct message *m;

	list_for_each_entry(m, &q->messages, link)
		if (!place--)
			return m;
	return NULL;
}

/* wanted < 0: a type up to this. The lowest number's magnitude isn't a number: any type then. */
static s64 highest_wanted(s64 wanted)
{
	return wanted == S64_MIN ? S64_MAX : -wanted;
}

static struct message *find(struct msg_queue *q, s64 wanted, int flags)
{
	struct message *m;

	if (flags & MSG_COPY)
		return find_nth(q, wanted);
	if (!wanted)
		return list_first_entry_or_null(&q->messages, struct message, link);
	if (wanted > 0)
		return flags & MSG_EXCEPT ? find_except(q, wanted) : find_type(q, wanted);
	m = find_lowest(q);
	return m && m->type <= highest_wanted(wanted) ? m : NULL;
}

static bool matches(const struct message *m, s64 wanted, int flags)
{
	if (!wanted)
		return true;
	if (wanted > 0)
		return (m->type == wanted) != !!(flags & MSG_EXCEPT);
	return m->type <= highest_wanted(wanted);
}

/* ---- waiting ---- */

/* Lock held. The waiter may be gone as soon as the lock is given up. */
static void finish(struct msg_waiter *w, int result)
{
	list_del(&w->link);
	w->result = result;
	w->waiting = false;
	thread_wake(w->thread);
}

/* Stand in the list until finished or interrupted. Lock held on entry and on return. */
static void wait_locked(struct msg_queue *q, struct msg_waiter *w, struct list_head *list)
{
	w->waiting = true;
	list_add_tail(&w->link, list);
	while (w->waiting) {
		bool interrupted;

		thread_set_state(THREAD_INTERRUPTIBLE);
		spin_unlock(&q->ipc.lock);
		interrupted = signal_interrupts(current_thread(), THREAD_INTERRUPTIBLE);
		if (!interrupted)
			sched_block();
		thread_set_state(THREAD_RUNNING);
		spin_lock(&q->ipc.lock);
		if (w->waiting && interrupted) {
			list_del(&w->link);
			w->waiting = false;
			w->result = -ERESTARTNOHAND;
		}
	}
}

void msg_wake_all(struct msg_queue *q, int err)
{
	struct msg_waiter *w, *n;

	list_for_each_entry_safe(w, n, &q->receivers, link)
		finish(w, err);
	list_for_each_entry_safe(w, n, &q->senders, link)
		finish(w, err);
}

static bool fits(const struct msg_queue *q, size_t size)
{
	return q->bytes + size <= q->max_bytes && q->count + 1 <= q->max_bytes;
}

void msg_wake_senders(struct msg_queue *q)
{
	struct msg_waiter *w, *n;

	list_for_each_entry_safe(w, n, &q->senders, link)
		if (fits(q, w->size))
			finish(w, 0);
}

/* ---- msgsnd ---- */

/* Give m to who waits for it. A receiver whose buffer is too small gets an error instead. */
static bool hand_over(struct msg_queue *q, struct message *m)
{
	struct msg_waiter *w, *n;

	list_for_each_entry_safe(w, n, &q->receivers, link) {
		if (!matches(m, w->wanted, w->flags))
			continue;
		if (w->size < m->size && !(w->flags & MSG_NOERROR)) {
			finish(w, -E2BIG);
			continue;
		}
		w->message = m;
		q->lrpid = w->pid;
		q->rtime = ipc_now();
		finish(w, 0);
		return true;
	}
	return false;
}

/* Wait for room. Lock held, and the caller has a reference. */
static int wait_for_room(struct msg_queue *q, size_t size, int flags)
{
	struct msg_waiter w = {.thread = current_thread(), .size = size};

	while (!w.result && !fits(q, size)) {
		if (flags & IPC_NOWAIT)
			return -EAGAIN;
		wait_locked(q, &w, &q->senders);
		/* Woken for room, but removed before the lock was had again. */
		if (!w.result && q->ipc.removed)
			return -EIDRM;
	}
	return w.result;
}

long msg_send(s32 id, s64 type, const void __user *text, size_t size, int flags)
{
	struct ipc_object *o;
	struct msg_queue *q;
	struct message *m;
	int err;

	if (id < 0 || size > (size_t)READ_ONCE(g_msg_max) || type < 1)
		return -EINVAL;
	m = make_message(type, text, size);
	if (is_err(m))
		return ptr_err(m);
	o = ipc_lock(&g_msg_table, id);
	err = is_err(o) ? ptr_err(o) : 0;
	if (err)
		goto fail;
	q = msg_of(o);
	get_ipc(o);
	err = ipc_permits(o, IPC_WRITE) ? wait_for_room(q, size, flags) : -EACCES;
	if (!err) {
		q->lspid = ipc_current_pid();
		q->stime = ipc_now();
		if (!hand_over(q, m))
			enqueue(q, m);
	}
	spin_unlock(&o->lock);
	put_ipc(&g_msg_table, o);
	if (!err)
		return 0;
fail:
	put_message(m);
	return err;
}

/* ---- msgrcv ---- */

/* Take the message, or with MSG_COPY a reference to it; wait for one. Lock held on entry, and
 * given up. Error pointer. */
static struct message *receive_locked(struct msg_queue *q, size_t size, s64 wanted, int flags)
{
	struct msg_waiter w = {
		.thread = current_thread(),
		.pid = ipc_current_pid(),
		.size = size,
		.wanted = wanted,
		.flags = flags,
	};
	struct message *m = find(q, wanted, flags);

	if (m && m->size > size && !(flags & MSG_NOERROR)) {
		m = err_ptr(-E2BIG);
	} else if (m && (flags & MSG_COPY)) {
		ref_get(&m->refs);
	} else if (m) {
		dequeue(q, m);
		q->lrpid = w.pid;
		q->rtime = ipc_now();
		msg_wake_senders(q);
	} else if (flags & IPC_NOWAIT) {
		m = err_ptr(-ENOMSG);
	} else {
		get_ipc(&q->ipc);
		wait_locked(q, &w, &q->receivers);
		m = w.result ? err_ptr(w.result) : w.message;
		spin_unlock(&q->ipc.lock);
		put_ipc(&g_msg_table, &q->ipc);
		return m;
	}
	spin_unlock(&q->ipc.lock);
	return m;
}

long msg_receive(s32 id, s64 *type, void __user *text, size_t size, s64 wanted, int flags)
{
	struct ipc_object *o;
	struct message *m;
	long r;

	if (id < 0 || (ssize_t)size < 0)
		return -EINVAL;
	if ((flags & MSG_COPY) && ((flags & MSG_EXCEPT) || !(flags & IPC_NOWAIT)))
		return -EINVAL;
	o = ipc_lock(&g_msg_table, id);
	if (is_err(o))
		return ptr_err(o);
	if (!ipc_permits(o, IPC_READ)) {
		spin_unlock(&o->lock);
		return -EACCES;
	}
	m = receive_locked(msg_of(o), size, wanted, flags);
	if (is_err(m))
		return ptr_err(m);
	*type = m->type;
	size = min(size, m->size);
	r = copy_to_user(text, m->text, size) ? -EFAULT : (long)size;
	put_message(m);
	return r;
}
