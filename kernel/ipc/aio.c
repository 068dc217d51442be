/*
 * Contexts of io_submit(2): see <ipc/aio.h>.
 *
 * A context belongs to the address space that it was made in and lives in the region that maps its
 * ring: it is found by the region, goes with the last one (munmap, exec, exit), and moves with it.
 * A child's copy of the region keeps the ring's memory, but is no context.
 *
 * The kernel moves the tail and never reads it back. The head may be moved by the program, too, so
 * whatever stands there is taken modulo the size. Before its request is started each event has a
 * slot: reserved + waiting events < slots, so that completion cannot fail.
 */
#include <core/refcount.h>
#include <ipc/aio.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <sched/mutex.h>
#include <sched/timer.h>
#include <sched/wait.h>
#include <vm/mm.h>

#define RING_MAGIC    0xa10a10a1u /* programs look for it before they look at the ring */
#define RING_COMPAT   1u
#define MAX_EVENTS    (0x10000000u / sizeof(struct io_event)) /* of one io_setup, as on Linux */
#define LEAST_EVENTS  8u
#define EVENTS_A_PAGE (PAGE_SIZE / sizeof(struct io_event))

/* The head of the ring's first page, as large as an event; the events follow. */
struct ring_header {
	u32 id, nr;
	u32 head, tail; /* head: atomic, the program's and the kernel's */
	u32 magic, compat, incompat, header_len;
};
static_assert(
	sizeof(struct ring_header) == sizeof(struct io_event), "the header is as long as an event");

struct aio_context {
	struct refcount refs; /* regions, calls under way */
	struct mm *mm;        /* whose it is; compared only; immutable */
	u32 nr;               /* slots, one of which stays empty; immutable */
	u32 asked;            /* of fs.aio-nr; immutable */
	u32 nr_pages;         /* immutable */
	u32 owned;            /* regions in mm; atomic */
	bool dead;            /* atomic, set once: no new calls, waiters leave */
	u32 tail, reserved;   /* wait.lock */
	struct wait_queue wait;
	struct mutex reader; /* RANK_AIO: who takes events */
	struct page *pages[];
};

u64 g_aio_max_nr = 65536;
static atomic64_t g_aio_nr;

u64 aio_nr(void)
{
	return (u64)atomic_read(&g_aio_nr);
}

/* ---- life ----------------------------------------------------------------------------------- */

void aio_put(struct aio_context *c)
{
	if (!ref_put(&c->refs))
		return;
	for (u32 i = 0; i < c->nr_pages; i++)
		put_page(c->pages[i]);
	kvfree(c);
}

/* True: it was alive until now. */
static bool kill_context(struct aio_context *c)
{
	if (__atomic_exchange_n(&c->dead, true, __ATOMIC_ACQ_REL))
		return false;
	(void)atomic_add_return(&g_aio_nr, -(s64)c->asked);
	wake_up_all(&c->wait);
	return true;
}

static void ring_open(struct region *r)
{
	struct aio_context *c = r->priv;

	ref_get(&c->refs);
	if (r->mm == c->mm)
		__atomic_fetch_add(&c->owned, 1, __ATOMIC_RELAXED);
}

static void ring_close(struct region *r)
{
	struct aio_context *c = r->priv;

	if (r->mm == c->mm && __atomic_sub_fetch(&c->owned, 1, __ATOMIC_ACQ_REL) == 0)
		kill_context(c);
	aio_put(c);
}

static int ring_fault(struct region *r, struct vm_fault *f)
{
	struct aio_context *c = r->priv;

	if (f->index >= c->nr_pages)
		return -EFAULT;
	f->result = pte_leaf(page_to_phys(c->pages[f->index]),
		MMU_READ | MMU_WRITE | MMU_DIRTY | MMU_USER | MMU_SPECIAL);
	return 0;
}

static const char *ring_name(struct region *r)
{
	return "/[aio] (deleted)";
}

static const struct region_ops g_ring_ops = {
	.fault = ring_fault, .open = ring_open, .close = ring_close, .name = ring_name};

static struct ring_header *header(const struct aio_context *c)
{
	return page_address(c->pages[0]);
}

static struct io_event *event_at(const struct aio_context *c, u32 i)
{
	i++; /* the header */
	return (struct io_event *)page_address(c->pages[i / EVENTS_A_PAGE]) + i % EVENTS_A_PAGE;
}

static struct aio_context *context_alloc(u32 asked, u32 slots)
{
	u32 pages = (u32)div_round_up(slots + 1ul, EVENTS_A_PAGE);
	struct aio_context *c = kvmalloc(
		sizeof(*c) + pages * sizeof(c->pages[0]), GFP_KERNEL | GFP_ZERO);

	if (!c)
		return NULL;
	ref_init(&c->refs, 1);
	wait_queue_init(&c->wait);
	mutex_init(&c->reader, RANK_AIO);
	c->mm = current_mm();
	c->asked = asked;
	c->nr = pages * (u32)EVENTS_A_PAGE - 1;
	c->owned = 1;
	for (; c->nr_pages < pages; c->nr_pages++) {
		c->pages[c->nr_pages] = page_alloc(GFP_KERNEL | GFP_ZERO);
		if (!c->pages[c->nr_pages]) {
			aio_put(c);
			return NULL;
		}
	}
	*header(c) = (struct ring_header){.nr = c->nr,
		.magic = RING_MAGIC,
		.compat = RING_COMPAT,
		.header_len = sizeof(struct ring_header)};
	return c;
}

int aio_setup(u32 nr_events, unsigned long *id)
{
	struct map_request rq = {
		.flags = REG_READ | REG_WRITE | REG_MAYREAD | REG_MAYWRITE | REG_SHARED |
			REG_SPECIAL | REG_DONTEXPAND,
		.ops = &g_ring_ops,
	};
	/* Room for events of requests that are under way while others wait to be taken. */
	u32 slots = max(nr_events, LEAST_EVENTS) * 2 + 2;
	struct aio_context *c;
	long at;

	if (!nr_events || nr_events > MAX_EVENTS || slots > MAX_EVENTS)
		return -EINVAL;
	if ((u64)atomic_add_return(&g_aio_nr, nr_events) > READ_ONCE(g_aio_max_nr)) {
		(void)atomic_add_return(&g_aio_nr, -(s64)nr_events);
		return -EAGAIN;
	}
	c = context_alloc(nr_events, slots);
	if (!c) {
		(void)atomic_add_return(&g_aio_nr, -(s64)nr_events);
		return -ENOMEM;
	}
	rq.priv = c;
	rq.len = (size_t)c->nr_pages << PAGE_SHIFT;
	at = mm_map(c->mm, &rq); /* with our reference */
	if (at < 0) {
		kill_context(c);
		aio_put(c);
		return (int)at;
	}
	*id = (unsigned long)at;
	return 0;
}

struct aio_context *aio_get(unsigned long id)
{
	struct mm *mm = current_mm();
	struct aio_context *c = NULL;
	struct region *r;

	rwsem_read_lock(&mm->map_lock);
	r = mm_find_region(mm, id);
	if (r && r->start == id && r->ops == &g_ring_ops && !r->pgoff) {
		c = r->priv;
		if (c->mm == mm && !__atomic_load_n(&c->dead, __ATOMIC_ACQUIRE))
			ref_get(&c->refs);
		else
			c = NULL;
	}
	rwsem_read_unlock(&mm->map_lock);
	return c;
}

int aio_destroy(unsigned long id)
{
	struct aio_context *c = aio_get(id);
	int err = -EINVAL;

	if (!c)
		return -EINVAL;
	if (kill_context(c))
		err = mm_unmap(c->mm, id, (size_t)c->nr_pages << PAGE_SHIFT);
	aio_put(c);
	return err;
}

u32 aio_size(const struct aio_context *c)
{
	return c->nr;
}

/* ---- events --------------------------------------------------------------------------------- */

static u32 ring_head(const struct aio_context *c)
{
	return READ_ONCE(header(c)->head) % c->nr;
}

static u32 waiting(const struct aio_context *c)
{
	return (__atomic_load_n(&c->tail, __ATOMIC_ACQUIRE) + c->nr - ring_head(c)) % c->nr;
}

int aio_reserve(struct aio_context *c)
{
	int err = 0;

	spin_lock_irq(&c->wait.lock);
	if (waiting(c) + c->reserved + 1 < c->nr)
		c->reserved++;
	else
		err = -EAGAIN;
	spin_unlock_irq(&c->wait.lock);
	return err;
}

void aio_unreserve(struct aio_context *c)
{
	spin_lock_irq(&c->wait.lock);
	c->reserved--;
	spin_unlock_irq(&c->wait.lock);
}

void aio_complete(struct aio_context *c, const struct io_event *e)
{
	u32 next;

	spin_lock_irq(&c->wait.lock);
	*event_at(c, c->tail) = *e;
	next = (c->tail + 1) % c->nr;
	/* After the event; a reader's load of the tail, here and in programs, is the other side. */
	__atomic_store_n(&c->tail, next, __ATOMIC_RELEASE);
	__atomic_store_n(&header(c)->tail, next, __ATOMIC_RELEASE);
	c->reserved--;
	spin_unlock_irq(&c->wait.lock);
	wake_up_all(&c->wait);
}

/* What is there now, up to nr. An event that could not be copied stays. */
static long take_events(struct aio_context *c, long nr, struct io_event __user *to)
{
	long got = 0;
	u32 head, tail;

	mutex_lock(&c->reader);
	head = ring_head(c);
	tail = __atomic_load_n(&c->tail, __ATOMIC_ACQUIRE);
	while (got < nr && head != tail) {
		u32 end = head < tail ? tail : c->nr;
		u32 n = (u32)min((size_t)(end - head), EVENTS_A_PAGE - (head + 1) % EVENTS_A_PAGE);

		n = (u32)min((long)n, nr - got);
		if (copy_to_user(to + got, event_at(c, head), n * sizeof(*to))) {
			mutex_unlock(&c->reader);
			return -EFAULT;
		}
		got += n;
		head = (head + n) % c->nr;
	}
	if (got) /* after the events were read: their slots are free now */
		__atomic_store_n(&header(c)->head, head, __ATOMIC_RELEASE);
	mutex_unlock(&c->reader);
	return got;
}

long aio_get_events(
	struct aio_context *c, long min, long nr, struct io_event __user *to, s64 deadline)
{
	long got = 0;

	for (;;) {
		long n = take_events(c, nr - got, to + got);
		int err;

		if (n < 0)
			return got ? got : n;
		got += n;
		if (got >= min || deadline == 0)
			return got;
		err = wait_event_deadline(&c->wait,
			waiting(c) || __atomic_load_n(&c->dead, __ATOMIC_ACQUIRE), deadline);
		if (!err && !waiting(c))
			err = -EINVAL; /* dead, and nothing more will come */
		if (err == -ETIMEDOUT)
			return got;
		if (err)
			return got ? got : err == -ERESTARTSYS ? -EINTR : err;
	}
}
