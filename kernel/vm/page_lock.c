/* The page lock: a bit, and hashed queues for the few that have to wait. */
#include <core/init.h>
#include <sched/wait.h>
#include "vm.h"

#define QUEUE_BITS 6 /* 64 queues: collisions only cost a needless wake-up */
static struct wait_queue g_queues[1 << QUEUE_BITS];

static int page_lock_init(void)
{
	for (int i = 0; i < 1 << QUEUE_BITS; i++)
		wait_queue_init(&g_queues[i]);
	return 0;
}
INIT_HOOK(INIT_MEMORY, page_lock_init);

static struct wait_queue *queue_of(const struct page *p)
{
	u64 n = (uintptr_t)p / sizeof(*p);

	return &g_queues[(n * 0x9e3779b97f4a7c15ull) >> (64 - QUEUE_BITS)];
}

bool page_trylock(struct page *p)
{
	return !atomic_test_and_set_bit(PG_LOCKED, &p->flags);
}

/* Clear a bit and wake those who wait for it (or for another bit of the same page). */
static void clear_and_wake(struct page *p, enum page_flag_bits b)
{
	unsigned long old = __atomic_fetch_and(&p->flags, ~(1ul << b), __ATOMIC_SEQ_CST);

	if (unlikely((old >> PG_WAITERS) & 1)) {
		/* A waiter sets PG_WAITERS again before it looks at the bit again. */
		page_clear(p, PG_WAITERS);
		wake_up_all(queue_of(p));
	}
}

static void wait_bit(struct page *p, enum page_flag_bits b, bool take)
{
	struct wait_queue *q = queue_of(p);
	int cpu = io_wait_begin();
	struct waiter w;

	waiter_init(&w);
	for (;;) {
		wait_prepare(q, &w, THREAD_SLEEPING);
		__atomic_fetch_or(&p->flags, 1ul << PG_WAITERS, __ATOMIC_SEQ_CST);
		if (take ? page_trylock(p) : !page_test(p, b))
			break;
		sched_block();
	}
	wait_finish(&w);
	io_wait_end(cpu);
}

void page_lock(struct page *p)
{
	might_sleep();
	cond_resched();
	if (unlikely(!page_trylock(p)))
		wait_bit(p, PG_LOCKED, true);
}

void page_unlock(struct page *p)
{
	clear_and_wake(p, PG_LOCKED);
}

void page_wait_unlocked(struct page *p)
{
	if (page_test(p, PG_LOCKED))
		wait_bit(p, PG_LOCKED, false);
}

void page_wait_writeback(struct page *p)
{
	if (unlikely(page_test(p, PG_WRITEBACK)))
		wait_bit(p, PG_WRITEBACK, false);
}

void page_end_read(struct page *p, bool ok)
{
	if (ok)
		page_set(p, PG_UPTODATE);
	page_unlock(p);
	put_page(p);
}

void page_end_writeback(struct page *p)
{
	/* remove_page waits for the bit: the object is there until it is cleared. */
	mem_count(MEM_WRITEBACK, -1);
	__atomic_fetch_sub(&p->object->nr_writeback, 1, __ATOMIC_RELAXED);
	clear_and_wake(p, PG_WRITEBACK);
}
