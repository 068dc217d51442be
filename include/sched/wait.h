/*
 * Wait queues. A waiter may be a sleeping thread or a callback (epoll). Wake-ups run callbacks with
 * the queue's lock held and interrupts off.
 *
 * wait_event(q, cond)                     sleeps until cond; not interruptible
 * wait_event_interruptible(q, cond)       0, or -ERESTARTSYS when a signal is pending
 * wait_event_killable(q, cond)            0, or -ERESTARTSYS when a fatal signal is pending
 * wait_event_deadline(q, cond, deadline)  interruptible with absolute monotonic ns deadline:
 *                                         0, -ERESTARTSYS, -ETIMEDOUT
 * The condition is evaluated with no lock held, after the thread is queued: a wake-up that comes
 * after the change cannot be lost. All macros check cond once before queueing.
 */
#ifndef SCHED_WAIT_H
#define SCHED_WAIT_H

#include <sched/thread.h>

struct wait_queue {
	struct spinlock lock;
	struct list_head waiters;
};

struct waiter {
	struct list_head link; /* queue's lock */
	struct thread *thread;
	/* Called with the queue's lock; key says what happened (poll mask, or NULL-like 0). Returns
	 * true when it consumed an exclusive wake-up. Default: wakes thread, dequeues. */
	bool (*fn)(struct waiter *w, unsigned long key);
	bool exclusive;
	struct wait_queue *queue; /* NULL when not queued; queue's lock */
};

#define WAIT_QUEUE_INIT(q)                                                               \
	{                                                                                \
		.lock = SPINLOCK_INIT(RANK_WAITQUEUE), .waiters = LIST_INIT((q).waiters) \
	}
void wait_queue_init(struct wait_queue *q);
static inline bool wait_queue_active(const struct wait_queue *q)
{
	smp_mb(); /* pairs with the barrier in thread_set_state: condition was changed before */
	return !list_empty(&q->waiters);
}
/* Wake all shared and up to nr exclusive waiters; key is passed to callbacks. Any context. */
void wake_up_key(struct wait_queue *q, int nr_exclusive, unsigned long key);
/* From a callback that runs under another queue's lock; the caller's comment names the order. */
void wake_up_key_nested(struct wait_queue *q, int nr_exclusive, unsigned long key);
static inline void wake_up(struct wait_queue *q)
{
	if (wait_queue_active(q))
		wake_up_key(q, 1, 0);
}
static inline void wake_up_all(struct wait_queue *q)
{
	if (wait_queue_active(q))
		wake_up_key(q, INT_MAX, 0);
}

/* Low-level: queue w and set the current thread's state; dequeue and set RUNNING. */
void waiter_init(struct waiter *w); /* current thread, default fn */
void wait_prepare(struct wait_queue *q, struct waiter *w, u32 state);
void wait_prepare_exclusive(struct wait_queue *q, struct waiter *w, u32 state);
void wait_finish(struct waiter *w);
/* For callbacks: queue without touching thread state; dequeue. A queue whose memory goes while
 * callbacks may still be on it takes them off first (any context) and stays for a grace period. */
void wait_queue_retire(struct wait_queue *q);
void wait_add(struct wait_queue *q, struct waiter *w);
void wait_remove(struct waiter *w);

/* Is there a reason for an interruptible (or killable) sleep to end? */
bool signal_interrupts(const struct thread *t, u32 state);
/* Set once by process: tells for a fatal signal pending. */
void sched_set_fatal_hook(bool (*fn)(const struct thread *t));

#define wait_event_full(q, cond, state, deadline, prepare)                          \
	({                                                                          \
		int _r = 0;                                                         \
		if (!(cond)) {                                                      \
			struct waiter _w;                                           \
			waiter_init(&_w);                                           \
			for (;;) {                                                  \
				prepare((q), &_w, (state));                         \
				if (cond)                                           \
					break;                                      \
				if (signal_interrupts(current_thread(), (state))) { \
					_r = -ERESTARTSYS;                          \
					break;                                      \
				}                                                   \
				if (sched_block_until(deadline)) {                  \
					if (!(cond))                                \
						_r = -ETIMEDOUT;                    \
					break;                                      \
				}                                                   \
			}                                                           \
			wait_finish(&_w);                                           \
		}                                                                   \
		_r;                                                                 \
	})
#define wait_event(q, cond) \
	((void)wait_event_full(q, cond, THREAD_SLEEPING, TIME_NEVER, wait_prepare))
#define wait_event_interruptible(q, cond) \
	wait_event_full(q, cond, THREAD_INTERRUPTIBLE, TIME_NEVER, wait_prepare)
#define wait_event_interruptible_exclusive(q, cond) \
	wait_event_full(q, cond, THREAD_INTERRUPTIBLE, TIME_NEVER, wait_prepare_exclusive)
#define wait_event_killable(q, cond) \
	wait_event_full(q, cond, THREAD_KILLABLE, TIME_NEVER, wait_prepare)
#define wait_event_deadline(q, cond, deadline) \
	wait_event_full(q, cond, THREAD_INTERRUPTIBLE, deadline, wait_prepare)

/* Around a sleep that waits for storage: the CPU's idle time meanwhile is shown as iowait. */
int io_wait_begin(void) must_check; /* what io_wait_end takes */
void io_wait_end(int cpu);

/* One-shot event. */
struct completion {
	u32 done;
	struct wait_queue wait;
};
void completion_init(struct completion *c);
void complete(struct completion *c);
void complete_all(struct completion *c);
void wait_for_completion(struct completion *c);
int wait_for_completion_killable(struct completion *c) must_check;

#endif
