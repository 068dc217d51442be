/*
 * Descriptors of AF_UNIX sockets that only lie in each other's queues: nobody can ever receive
 * them, and without help they would stay for ever. A socket's file whose references all come from
 * messages is a candidate. What messages of candidates hold is taken off; a candidate with some
 * left is reachable from outside, and all that it holds, too. The messages of the rest are freed.
 *
 * g_gc_lock guards the counts. A descriptor counts from before its message is queued until after it
 * was taken out, so a socket on its way is never taken for garbage.
 */
#include <core/init.h>
#include <kmem/slab.h>
#include <sched/work.h>
#include "unix.h"

#define INFLIGHT_WAIT 16000 /* in flight, all users: senders wait for a collection */

static struct spinlock g_gc_lock = SPINLOCK_INIT(RANK_SOCKET_GC);
static LIST_HEAD(g_inflight); /* usock.inflight_link with inflight > 0 */
static s64 g_nr_inflight;     /* of AF_UNIX sockets; g_gc_lock to change */
static struct work g_gc_work;

static struct usock *file_usock(struct file *f)
{
	struct sock *sk = file_sock(f);

	return sk && sk->family == AF_UNIX ? usock_of(sk) : NULL;
}

int unix_inflight(struct scm_fds *fds)
{
	s64 limit = (s64)process_limit(current_process(), RLIMIT_NOFILE);

	if (__atomic_load_n(&fds->user->unix_inflight, __ATOMIC_RELAXED) > limit &&
		!capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN))
		return -ETOOMANYREFS;
	if (READ_ONCE(g_nr_inflight) > INFLIGHT_WAIT) {
		unix_collect_soon();
		work_flush(&g_gc_work);
	}
	spin_lock(&g_gc_lock);
	for (u32 i = 0; i < fds->nr; i++) {
		struct usock *u = file_usock(fds->file[i]);

		if (!u)
			continue;
		if (u->inflight++ == 0)
			list_add_tail(&u->inflight_link, &g_inflight);
		g_nr_inflight++;
	}
	spin_unlock(&g_gc_lock);
	__atomic_fetch_add(&fds->user->unix_inflight, (s64)fds->nr, __ATOMIC_RELAXED);
	return 0;
}

void unix_not_inflight(struct scm_fds *fds)
{
	spin_lock(&g_gc_lock);
	for (u32 i = 0; i < fds->nr; i++) {
		struct usock *u = file_usock(fds->file[i]);

		if (!u)
			continue;
		if (--u->inflight == 0)
			list_del(&u->inflight_link);
		g_nr_inflight--;
	}
	spin_unlock(&g_gc_lock);
	__atomic_fetch_sub(&fds->user->unix_inflight, (s64)fds->nr, __ATOMIC_RELAXED);
}

void unix_ref_fds(struct scm_fds *fds)
{
	spin_lock(&g_gc_lock);
	for (u32 i = 0; i < fds->nr; i++)
		get_file(fds->file[i]);
	spin_unlock(&g_gc_lock);
}

/* Each AF_UNIX socket in the messages of u, and of connections that wait for accept. */
static void scan_queue(struct usock *u, void (*fn)(struct usock *in))
{
	struct umsg *msg;

	list_for_each_entry(msg, &u->queue, link)
		for (u32 i = 0; msg->fds && i < msg->fds->nr; i++) {
			struct usock *in = file_usock(msg->fds->file[i]);

			if (in && in->gc_candidate)
				fn(in);
		}
}

static void scan(struct usock *u, void (*fn)(struct usock *in))
{
	struct usock *c;

	spin_lock(&u->sk.lock);
	scan_queue(u, fn);
	list_for_each_entry(c, &u->accepts, accept_link) {
		spin_lock_nested(&c->sk.lock); /* a listener before its connections */
		scan_queue(c, fn);
		spin_unlock(&c->sk.lock);
	}
	spin_unlock(&u->sk.lock);
}

static void take_off(struct usock *in)
{
	in->gc_count--;
}

static LIST_HEAD(g_reached); /* usock.inflight_link, while a collection runs; g_gc_lock */

static void reach(struct usock *in)
{
	if (in->gc_reachable)
		return;
	in->gc_reachable = true;
	list_move_tail(&in->inflight_link, &g_reached);
}

/* Move the messages with descriptors of u to out. */
static void take_messages(struct usock *u, struct list_head *out)
{
	struct umsg *msg, *next;

	list_for_each_entry_safe(msg, next, &u->queue, link)
		if (msg->fds) {
			if (u->oob == msg)
				u->oob = NULL;
			u->queued--;
			u->queued_bytes -= msg->len - msg->off;
			list_move_tail(&msg->link, out);
		}
}

static void collect(struct work *w)
{
	struct umsg *msg, *next;
	LIST_HEAD(garbage);
	struct usock *u, *c;

	spin_lock(&g_gc_lock);
	list_for_each_entry(u, &g_inflight, inflight_link) {
		struct file *f = READ_ONCE(u->sk.file);

		u->gc_candidate = f && ref_read(&f->refs) == (u32)u->inflight;
		u->gc_reachable = false;
		u->gc_count = u->inflight;
	}
	list_for_each_entry(u, &g_inflight, inflight_link)
		if (u->gc_candidate)
			scan(u, take_off);
	list_for_each_entry_safe(u, c, &g_inflight, inflight_link)
		if (u->gc_candidate && u->gc_count > 0)
			reach(u);
	list_for_each_entry(u, &g_reached, inflight_link) /* grows at its end meanwhile */
		scan(u, reach);
	list_for_each_entry(u, &g_inflight, inflight_link) {
		if (!u->gc_candidate)
			continue;
		spin_lock(&u->sk.lock);
		take_messages(u, &garbage);
		list_for_each_entry(c, &u->accepts, accept_link) {
			spin_lock_nested(&c->sk.lock);
			take_messages(c, &garbage);
			spin_unlock(&c->sk.lock);
		}
		spin_unlock(&u->sk.lock);
	}
	list_splice_tail(&g_reached, &g_inflight);
	spin_unlock(&g_gc_lock);
	list_for_each_entry_safe(msg, next, &garbage, link)
		umsg_free(msg);
}

void unix_collect_soon(void)
{
	if (READ_ONCE(g_nr_inflight))
		work_queue(&g_gc_work);
}

static int collect_init(void)
{
	work_init(&g_gc_work, collect);
	return 0;
}
INIT_HOOK(INIT_CORE, collect_init);
