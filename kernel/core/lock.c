/* Spinlocks: the contended path, and DEBUG's checks of rank, recursion and owner. */
#include <core/log.h>
#include <core/spinlock.h>
#include <lib/seq_buf.h>

#define BACKOFF_MAX 64 /* rounds of cpu_relax between two looks */

void spin_wait(struct spinlock *l)
{
	unsigned int backoff = 1;

	for (;;) {
		u32 free = 0;

		for (unsigned int i = backoff; i; i--)
			cpu_relax();
		if (!__atomic_load_n(&l->word, __ATOMIC_RELAXED) &&
			__atomic_compare_exchange_n(
				&l->word, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return;
		backoff = min(backoff * 2, (unsigned int)BACKOFF_MAX);
	}
}

#if DEBUG
#define MAX_HELD 24

struct held_locks { /* own CPU, interrupts off to change */
	int nr;
	struct spinlock *lock[MAX_HELD];
	u8 depth[MAX_HELD]; /* of interrupts, when it was taken */
};
static DEFINE_PER_CPU(struct held_locks, g_held);

struct rank_stats {
	u64 taken, contended;
	const char *name; /* of a lock of this rank */
};
static struct rank_stats g_stats[RANK_LAST]; /* atomic */

static const char *lock_name(const struct spinlock *l)
{
	return l->name ? l->name : "?";
}

/* A lock that interrupts take, too, is never held with interrupts on: its holder would be
 * interrupted and waited for by the same CPU. */
#define USED_IN_IRQ    1u
#define USED_WITH_IRQS 2u

static void check_usage(struct spinlock *l, bool irqs_were_on)
{
	u8 use = arch_irq_depth() ? USED_IN_IRQ : irqs_were_on ? USED_WITH_IRQS : 0;

	if (!use || (READ_ONCE(l->usage) & use))
		return;
	if (__atomic_or_fetch(&l->usage, use, __ATOMIC_RELAXED) == (USED_IN_IRQ | USED_WITH_IRQS))
		panic("spinlock %s (%p) is taken in interrupts and with interrupts on",
			lock_name(l), l);
}

void spin_debug_before(struct spinlock *l, bool nested)
{
	const struct held_locks *h;
	bool irqs_were_on = irqs_enabled();
	unsigned long flags = irq_save();
	u32 depth = arch_irq_depth();

	h = this_cpu_ptr(&g_held);
	check_usage(l, irqs_were_on);
	if (spin_is_locked(l)) {
		if (l->owner_cpu == cpu_id())
			panic("spinlock %s (%p) taken twice", lock_name(l), l);
		__atomic_fetch_add(&g_stats[l->rank].contended, 1, __ATOMIC_RELAXED);
	}
	for (int i = 0; i < h->nr; i++) {
		const struct spinlock *o = h->lock[i];

		if (o == l)
			panic("spinlock %s (%p) taken twice", lock_name(l), l);
		/* What interrupted code holds may be of any rank, as long as check_usage's rule is
		 * kept. */
		if (h->depth[i] == depth && l->rank != RANK_NONE &&
			(nested ? o->rank > l->rank : o->rank >= l->rank))
			panic("spinlock %s (rank %d) taken while holding %s (rank %d)",
				lock_name(l), l->rank, lock_name(o), o->rank);
	}
	irq_restore(flags);
}

void spin_debug_locked(struct spinlock *l)
{
	unsigned long flags = irq_save();
	struct held_locks *h = this_cpu_ptr(&g_held);

	if (h->nr == MAX_HELD)
		panic("more than %d spinlocks held", MAX_HELD);
	h->depth[h->nr] = (u8)arch_irq_depth();
	h->lock[h->nr++] = l;
	l->owner_cpu = (s16)cpu_id();
	__atomic_fetch_add(&g_stats[l->rank].taken, 1, __ATOMIC_RELAXED);
	if (unlikely(!g_stats[l->rank].name))
		WRITE_ONCE(g_stats[l->rank].name, l->name);
	irq_restore(flags);
}

void spin_debug_unlock(struct spinlock *l)
{
	unsigned long flags = irq_save();
	struct held_locks *h = this_cpu_ptr(&g_held);
	int i = h->nr;

	while (i && h->lock[i - 1] != l)
		i--;
	if (!i)
		panic("spinlock %s (%p) unlocked by a CPU that does not hold it", lock_name(l), l);
	for (; i < h->nr; i++) {
		h->lock[i - 1] = h->lock[i];
		h->depth[i - 1] = h->depth[i];
	}
	h->nr--;
	l->owner_cpu = -1;
	irq_restore(flags);
}

int spin_debug_held(void)
{
	unsigned long flags = irq_save();
	int nr = this_cpu_ptr(&g_held)->nr;

	irq_restore(flags);
	return nr;
}

void spin_debug_not_held(const struct spinlock *l)
{
	panic("spinlock %s (%p) should be held here", lock_name(l), l);
}
#endif

void lock_stats_show(struct seq_buf *s)
{
#if DEBUG
	for (int i = 0; i < RANK_LAST; i++)
		if (g_stats[i].taken)
			seq_printf(s, "%3d %-20s taken %12llu contended %10llu\n", i,
				READ_ONCE(g_stats[i].name) ?: "-", READ_ONCE(g_stats[i].taken),
				READ_ONCE(g_stats[i].contended));
#endif
}
