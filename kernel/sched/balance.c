/*
 * Balance: threads that wait move to CPUs that have less to do. A CPU that would go idle takes one
 * at once; a tick calls an idle CPU when somebody waits that may run there; and now and then each
 * busy CPU compares its load with the others' and takes from a heavier one.
 *
 * A queue's waiting threads that may run elsewhere are in its list "movable". A search looks at
 * SCAN_MAX of them and puts those that don't fit at the end, so the next search sees others: pinned
 * threads and narrow masks cost a bounded number of steps under the locks.
 */
#include "sched.h"
#include <lib/atomic.h>

#define SCAN_MAX   16
#define BALANCE_NS (8 * TICK_NS)
#define RT_LOAD    (16ull * NICE_0_LOAD) /* of a real-time thread: next to it others get little */
/* Rounds that a CPU sees one thread too many elsewhere, a difference that no move removes, until
 * the thread moves all the same: so each gets the smaller and the larger share in turn. */
#define TURN_ROUNDS 8

/* A thread that waits at from and may run on one of cpus, of a weight below the limit; NULL. */
static struct thread *movable_to(struct run_queue *from, u64 cpus, u64 below)
{
	struct thread *first = NULL;

	for (int i = 0; i < SCAN_MAX && !list_empty(&from->movable); i++) {
		struct thread *t = list_first_entry(&from->movable, struct thread, se.movable_link);

		if ((t->affinity & cpus) && t->se.weight < below)
			return t;
		if (t == first)
			break;
		if (!first)
			first = t;
		list_move_tail(&t->se.movable_link, &from->movable);
	}
	return NULL;
}

/* Without the queue's lock: may something be had there? */
static bool has_movable(const struct run_queue *rq)
{
	return READ_ONCE(rq->nr_running) > 1 && READ_ONCE(rq->movable.next) != &rq->movable;
}

/* One thread leaves from for rq, whose lock is held; it is on neither then. Two queues' locks: the
 * second is only tried, so order does not matter. */
static struct thread *take(struct run_queue *rq, struct run_queue *from, u64 below)
{
	struct thread *t;

	if (!spin_trylock(&from->lock))
		return NULL;
	t = movable_to(from, 1ull << rq->cpu, below);
	if (t) {
		update_curr(from);
		dequeue(from, t);
		t->cpu = rq->cpu;
		WRITE_ONCE(t->rq, rq);
		/* The averages know it at once, lest another one follows. */
		WRITE_ONCE(from->load, from->load - min(from->load, (u64)t->se.weight));
		WRITE_ONCE(rq->load, rq->load + t->se.weight);
	}
	spin_unlock(&from->lock);
	return t;
}

bool steal_one(struct run_queue *rq)
{
	u64 left = READ_ONCE(g_cpus_online_mask) & ~(1ull << rq->cpu);

	spin_assert_held(&rq->lock);
	while (left) {
		struct run_queue *from = NULL;
		struct thread *t;

		for (u64 m = left; m; m &= m - 1) {
			struct run_queue *x = cpu_rq(__builtin_ctzll(m));

			if (!has_movable(x))
				left &= ~(1ull << x->cpu);
			else if (!from || READ_ONCE(x->nr_running) > READ_ONCE(from->nr_running))
				from = x;
		}
		if (!from)
			return false;
		t = take(rq, from, ~0ull);
		if (t) {
			arrive(rq, t, false);
			return true;
		}
		left &= ~(1ull << from->cpu);
	}
	return false;
}

int idle_cpu_for_waiting(struct run_queue *rq)
{
	struct thread *t;
	u64 idle = 0;

	if (list_empty(&rq->movable))
		return -1;
	for_each_online_cpu(cpu)
		if (!READ_ONCE(cpu_rq(cpu)->nr_running))
			idle |= 1ull << cpu;
	t = idle ? movable_to(rq, idle, ~0ull) : NULL;
	return t ? __builtin_ctzll(t->affinity & idle) : -1;
}

static struct run_queue *heaviest(u64 cpus)
{
	struct run_queue *from = NULL;

	for (; cpus; cpus &= cpus - 1) {
		struct run_queue *x = cpu_rq(__builtin_ctzll(cpus));

		if (has_movable(x) && (!from || READ_ONCE(x->load) > READ_ONCE(from->load)))
			from = x;
	}
	return from;
}

static void pull(struct run_queue *rq)
{
	u64 left = READ_ONCE(g_cpus_online_mask) & ~(1ull << rq->cpu);
	bool turn = rq->uneven_rounds >= TURN_ROUNDS, uneven = false;
	struct run_queue *from;

	while ((from = heaviest(left))) {
		u64 load = READ_ONCE(from->load), diff = load - rq->load;
		struct thread *t;

		/* A weight below the difference moved leaves less of it; an eighth is noise. */
		if (load <= rq->load || diff < rq->load / 16)
			break;
		t = take(rq, from, turn ? diff + diff / 8 : diff - diff / 8);
		if (t) {
			rq->uneven_rounds = 0;
			enqueue(rq, t, false);
			return;
		}
		uneven = true;
		left &= ~(1ull << from->cpu);
	}
	rq->uneven_rounds = uneven ? min(rq->uneven_rounds + 1u, (u32)TURN_ROUNDS) : 0;
}

void balance_tick(struct run_queue *rq, s64 now)
{
	const struct thread *t = rq->curr;
	u64 load = rq->fair.weight + (rq->nr_rt + rq->nr_rt_kernel) * RT_LOAD +
		(is_rt(t) ? RT_LOAD : t->se.weight);

	spin_assert_held(&rq->lock);
	WRITE_ONCE(rq->load, (3 * rq->load + load) / 4);
	if (now < rq->balance_ns)
		return;
	rq->balance_ns = now + BALANCE_NS;
	pull(rq);
}
