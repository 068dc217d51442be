/* DEBUG: order of sleeping locks, and whether this is a place where sleeping is allowed. */
#include "sched.h"

#if DEBUG
void rank_acquire(u16 rank, bool nested)
{
	struct thread *t = current_thread();

	if (rank == RANK_NONE)
		return;
	for (u32 i = 0; i < t->locks_held; i++)
		if (nested ? t->lock_ranks[i] > rank : t->lock_ranks[i] >= rank)
			panic("sleeping lock of rank %d taken while holding rank %d", rank,
				t->lock_ranks[i]);
	if (t->locks_held == ARRAY_SIZE(t->lock_ranks))
		panic("thread holds more than %u sleeping locks", t->locks_held);
	t->lock_ranks[t->locks_held++] = rank;
}

void rank_release(u16 rank)
{
	struct thread *t = current_thread();
	u32 i = t->locks_held;

	if (rank == RANK_NONE)
		return;
	while (i && t->lock_ranks[i - 1] != rank)
		i--;
	if (!i)
		panic("sleeping lock of rank %d released by a thread that does not hold it", rank);
	for (; i < t->locks_held; i++)
		t->lock_ranks[i - 1] = t->lock_ranks[i];
	t->locks_held--;
}

void might_sleep_at(const char *file, int line)
{
	if (!irqs_enabled() || spin_debug_held() || this_cpu_read(g_rcu_nesting))
		panic("%s:%d: sleeping with interrupts %s, %d spinlocks held, RCU depth %d", file,
			line, irqs_enabled() ? "on" : "off", spin_debug_held(),
			this_cpu_read(g_rcu_nesting));
}
#endif

bool sched_can_sleep(void)
{
#if DEBUG
	if (spin_debug_held() || this_cpu_read(g_rcu_nesting))
		return false;
#endif
	return irqs_enabled() && current_thread() && current_thread() != this_rq()->idle;
}
