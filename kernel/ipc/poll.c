/*
 * poll(2) and select(2): queue on every file's wait queues once, then look again after each
 * wake-up. A wake-up between the look and the sleep is kept in "triggered".
 */
#include <ipc/ipc.h>
#include <kmem/slab.h>
#include <linux/poll.h>
#include <process/signal.h>

struct poll_entry {
	struct waiter w;
	struct poll_set *set;
	struct file *file; /* referenced while queued */
	u32 events;
};

#define INLINE_ENTRIES 6
#define CHUNK_ENTRIES  ((PAGE_SIZE - 16) / sizeof(struct poll_entry))

struct poll_chunk {
	struct poll_chunk *next;
	u32 used;
	struct poll_entry entry[];
};

struct poll_set {
	struct poll_table pt; /* first */
	struct thread *thread;
	bool triggered;
	int err; /* -ENOMEM: a queue could not be watched */
	u32 used;
	struct poll_chunk *chunks;
	struct poll_entry first[INLINE_ENTRIES];
};

static bool poll_woken(struct waiter *w, unsigned long key)
{
	struct poll_entry *e = container_of(w, struct poll_entry, w);

	if (key && !(key & e->events))
		return false;
	WRITE_ONCE(e->set->triggered, true);
	return thread_wake(e->set->thread);
}

static struct poll_entry *new_entry(struct poll_set *s)
{
	struct poll_chunk *c = s->chunks;

	if (s->used < INLINE_ENTRIES)
		return &s->first[s->used++];
	if (!c || c->used == CHUNK_ENTRIES) {
		c = kmalloc(PAGE_SIZE, GFP_KERNEL);
		if (!c)
			return NULL;
		c->used = 0;
		c->next = s->chunks;
		s->chunks = c;
	}
	return &c->entry[c->used++];
}

static void poll_queue(struct poll_table *pt, struct file *f, struct wait_queue *q)
{
	struct poll_set *s = container_of(pt, struct poll_set, pt);
	struct poll_entry *e = new_entry(s);

	if (!e) {
		s->err = -ENOMEM;
		return;
	}
	waiter_init(&e->w);
	e->w.fn = poll_woken;
	e->set = s;
	e->events = pt->events;
	get_file(f);
	e->file = f;
	wait_add(q, &e->w);
}

static void set_init(struct poll_set *s)
{
	s->pt.queue = poll_queue;
	s->thread = current_thread();
	s->triggered = false;
	s->err = 0;
	s->used = 0;
	s->chunks = NULL;
}

static void drop_entry(struct poll_entry *e)
{
	wait_remove(&e->w);
	put_file(e->file);
}

static void set_done(struct poll_set *s)
{
	struct poll_chunk *c, *next;

	for (u32 i = 0; i < s->used; i++)
		drop_entry(&s->first[i]);
	for (c = s->chunks; c; c = next) {
		next = c->next;
		for (u32 i = 0; i < c->used; i++)
			drop_entry(&c->entry[i]);
		kfree(c);
	}
}

/* Sleep until something was announced: 0 look again, 1 time is up, -ERESTARTSYS. */
static int set_sleep(struct poll_set *s, s64 deadline)
{
	bool late = false;

	/* The state first: a signal that comes after the look finds somebody to wake. */
	thread_set_state(THREAD_INTERRUPTIBLE);
	if (signal_interrupts(current_thread(), THREAD_INTERRUPTIBLE)) {
		thread_set_state(THREAD_RUNNING);
		return -ERESTARTSYS;
	}
	if (!READ_ONCE(s->triggered))
		late = sched_block_until(deadline);
	thread_set_state(THREAD_RUNNING);
	WRITE_ONCE(s->triggered, false);
	smp_mb(); /* before the next look: what comes after that sets it again */
	return late;
}

static u32 poll_one(struct fd_table *t, struct pollfd *p, struct poll_set *s, bool queue)
{
	u32 wanted = (u16)p->events | EPOLLERR | EPOLLHUP, mask;
	bool need_put;
	struct file *f;

	if (p->fd < 0)
		return 0;
	f = fd_get_light(t, p->fd, &need_put);
	if (!f)
		return POLLNVAL;
	s->pt.events = wanted;
	mask = vfs_poll(f, queue ? &s->pt : NULL) & wanted;
	fd_put_light(f, need_put);
	return mask;
}

int poll_fds(struct fd_table *t, struct pollfd *fds, u32 n, s64 deadline)
{
	struct poll_set s;
	bool queue = deadline != 0, late = deadline == 0;
	int count, r;

	set_init(&s);
	for (;;) {
		count = 0;
		for (u32 i = 0; i < n; i++) {
			u32 mask = poll_one(t, &fds[i], &s, queue);

			fds[i].revents = (short)mask;
			if (mask) {
				count++;
				queue = false; /* the answer is known: no more waiting */
			}
		}
		queue = false;
		if (count || late)
			break;
		if (s.err) {
			count = s.err;
			break;
		}
		r = set_sleep(&s, deadline);
		if (r < 0) {
			count = r;
			break;
		}
		late = r != 0;
	}
	set_done(&s);
	return count;
}

#define SELECT_IN  (EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR)
#define SELECT_OUT (EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR)
#define SELECT_EX  EPOLLPRI
static const u32 g_select_masks[3] = {SELECT_IN, SELECT_OUT, SELECT_EX};

static bool bit_of(const unsigned long *map, int i)
{
	return map[i / 64] >> (i % 64) & 1;
}

/*
 * One look at descriptor fd: bits found (per set), or at the first look -EBADF. Later the
 * descriptor may be closed, and to use it doesn't block: it is ready, as on Linux.
 */
static int select_one(struct fd_table *t, int fd, unsigned long *const in[3],
	unsigned long *const out[3], struct poll_set *s, bool first, bool queue)
{
	u32 wanted = 0, mask;
	bool need_put;
	struct file *f;
	int found = 0;

	for (int k = 0; k < 3; k++)
		if (bit_of(in[k], fd))
			wanted |= g_select_masks[k];
	if (!wanted)
		return 0;
	f = fd_get_light(t, fd, &need_put);
	if (f) {
		s->pt.events = wanted;
		mask = vfs_poll(f, queue ? &s->pt : NULL);
		fd_put_light(f, need_put);
	} else if (first) {
		return -EBADF;
	} else {
		mask = wanted;
	}
	for (int k = 0; k < 3; k++)
		if (bit_of(in[k], fd) && (mask & g_select_masks[k])) {
			out[k][fd / 64] |= 1ul << (fd % 64);
			found++;
		}
	return found;
}

int select_fds(struct fd_table *t, int n, unsigned long *const in[3], unsigned long *const out[3],
	s64 deadline)
{
	struct poll_set s;
	bool first = true, queue = deadline != 0, late = deadline == 0;
	int count, r;

	set_init(&s);
	for (;;) {
		count = 0;
		for (int fd = 0; fd < n; fd++) {
			r = select_one(t, fd, in, out, &s, first, queue);
			if (r < 0) {
				count = r;
				goto out;
			}
			count += r;
			if (r)
				queue = false;
		}
		first = queue = false;
		if (count || late)
			break;
		r = s.err ? s.err : set_sleep(&s, deadline);
		if (r < 0) {
			count = r;
			break;
		}
		late = r != 0;
	}
out:
	set_done(&s);
	return count;
}
