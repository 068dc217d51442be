/*
 * Read-copy-update by quiescent states.
 *
 * A grace period starts with a mask of the CPUs that are online and not idle; each of them reports
 * when it switches threads or is about to return to user mode with work to do; the CPU that clears
 * the last bit ends the grace period. A reader that was running when the grace period began cannot
 * have slept since, so its CPU has not reported before the reader ended.
 *
 * Callbacks move through three lists of their CPU: next (no grace period asked for yet), waiting
 * (for grace period wait_gp), done (run by rcu_work in the CPU's RCU thread).
 *
 * Idle CPUs: rcu_idle_exit sets g_rcu_idle = 0, then a full barrier, then reads protected data; a
 * starter publishes its change, then a full barrier, then reads g_rcu_idle. So a CPU seen idle will
 * see the change when it wakes up.
 */
#include <arch/platform.h>
#include <core/log.h>
#include <core/rcu.h>
#include <core/spinlock.h>
#include <lib/atomic.h>

struct rcu_list {
	struct rcu_head *first, **end;
};

struct rcu_cpu { /* own CPU, interrupts off */
	struct rcu_list next, waiting;
	u64 wait_gp; /* "waiting" may run when this one is completed */
	u32 nr_next;
	u64 nr_called, nr_run; /* read by others */
};

DEFINE_PER_CPU(u8, g_rcu_wanted);
DEFINE_PER_CPU(u8, g_rcu_idle);
#if DEBUG
DEFINE_PER_CPU(int, g_rcu_nesting);
#endif
static DEFINE_PER_CPU(struct rcu_cpu, g_cpu);

static DEFINE_SPINLOCK(g_lock, RANK_RCU);
static u64 g_started;               /* g_lock: grace periods begun; one at most is not completed */
static u64 g_completed;             /* g_lock to write */
static u64 g_requested;             /* g_lock: run until this one is completed */
static u64 g_holdouts;              /* g_lock: CPUs that have to report */
static u64 g_waiters;               /* g_lock: CPUs with callbacks waiting for a grace period */
static const struct rcu_ops *g_ops; /* immutable once set */
static void (*g_kfree)(const void *p); /* the same */

static void list_append(struct rcu_list *l, struct rcu_head *h)
{
	h->next = NULL;
	if (!l->first)
		l->end = &l->first;
	*l->end = h;
	l->end = &h->next;
}

/* Begin the next grace period; true when it is over at once because nobody has to report. */
static bool start_locked(void)
{
	u64 mask = READ_ONCE(g_cpus_online_mask), hold = 0;

	spin_assert_held(&g_lock);
	g_started++;
	smp_mb(); /* changes made before are visible to a CPU that we see idle here */
	for (; mask; mask &= mask - 1) {
		int cpu = __builtin_ctzll(mask);

		if (__atomic_load_n(per_cpu_ptr(&g_rcu_idle, cpu), __ATOMIC_RELAXED))
			continue;
		hold |= 1ull << cpu;
	}
	g_holdouts = hold;
	for (mask = hold; mask; mask &= mask - 1)
		__atomic_store_n(
			per_cpu_ptr(&g_rcu_wanted, __builtin_ctzll(mask)), 1, __ATOMIC_RELEASE);
	return !hold;
}

/* The running grace period has ended: begin the next if one was asked for. Returns the CPUs whose
 * threads have callbacks to run; the caller kicks them after unlocking. */
static u64 complete_locked(void)
{
	u64 kick;

	do {
		__atomic_store_n(&g_completed, g_started, __ATOMIC_RELEASE);
	} while (g_completed < g_requested && start_locked());
	kick = g_waiters;
	g_waiters = 0; /* who has to wait on asks again */
	return kick;
}

static void kick_mask(u64 mask)
{
	for (; mask; mask &= mask - 1)
		g_ops->kick(__builtin_ctzll(mask));
}

static u64 report_cpu_locked(int cpu)
{
	u64 bit = 1ull << cpu;

	if (!(g_holdouts & bit))
		return 0;
	g_holdouts &= ~bit;
	return g_holdouts ? 0 : complete_locked();
}

void rcu_report(void)
{
	unsigned long flags = spin_lock_irqsave(&g_lock);
	u64 kick;

#if DEBUG
	if (this_cpu_read(g_rcu_nesting))
		panic("RCU: sleeping or returning to user mode inside rcu_read_lock");
#endif
	this_cpu_write(g_rcu_wanted, 0);
	kick = report_cpu_locked(cpu_id());
	spin_unlock_irqrestore(&g_lock, flags);
	kick_mask(kick);
}

void rcu_idle_enter(void)
{
	rcu_quiescent();
	this_cpu_write(g_rcu_idle, 1);
	smp_mb();
	/* A grace period that began in between may not have seen us idle. */
	rcu_quiescent();
}

void rcu_idle_exit(void)
{
	this_cpu_write(g_rcu_idle, 0);
	smp_mb(); /* pairs with start_locked */
}

void rcu_set_ops(const struct rcu_ops *ops)
{
	unsigned long flags = irq_save();

	g_ops = ops;
	if (this_cpu_ptr(&g_cpu)->next.first)
		ops->defer();
	irq_restore(flags);
}

void rcu_call(struct rcu_head *head, void (*fn)(struct rcu_head *))
{
	unsigned long flags = irq_save();
	struct rcu_cpu *c = this_cpu_ptr(&g_cpu);
	bool full;

	head->fn = fn;
	list_append(&c->next, head);
	c->nr_called++;
	c->nr_next++;
	full = c->nr_next == RCU_BATCH;
	if (c->nr_next == 1 && g_ops)
		g_ops->defer();
	irq_restore(flags);
	if (unlikely(full) && g_ops)
		g_ops->kick(cpu_id());
}

void rcu_set_kfree(void (*fn)(const void *p))
{
	g_kfree = fn;
}

void rcu_kfree_offset(struct rcu_head *head, size_t offset)
{
	static_assert(PAGE_SIZE == 4096, "offsets below this are no function");
	BUG_ON(offset >= PAGE_SIZE);
	rcu_call(head, (void (*)(struct rcu_head *))offset);
}

static void run_list(struct rcu_head *h)
{
	struct rcu_cpu *c;
	unsigned long flags;
	u64 nr = 0;

	for (struct rcu_head *next; h; h = next, nr++) {
		unsigned long fn = (unsigned long)h->fn;

		next = h->next;
		if (fn < PAGE_SIZE)
			g_kfree((u8 *)h - fn);
		else
			h->fn(h);
	}
	flags = irq_save();
	c = this_cpu_ptr(&g_cpu);
	__atomic_store_n(&c->nr_run, c->nr_run + nr, __ATOMIC_RELEASE);
	irq_restore(flags);
}

/* Ask for a grace period that begins after now; returns its number. */
static u64 request_locked(u64 *kick)
{
	u64 gp = g_started + 1; /* one that runs already may have begun before our change */

	g_requested = max(g_requested, gp);
	g_waiters |= 1ull << cpu_id();
	if (g_completed == g_started && start_locked())
		*kick |= complete_locked();
	*kick |= report_cpu_locked(cpu_id()); /* the RCU thread itself is no reader */
	return gp;
}

bool rcu_work(void)
{
	struct rcu_cpu *c;
	struct rcu_head *done = NULL;
	u64 kick = 0;
	bool waiting;

	irq_disable();
	c = this_cpu_ptr(&g_cpu);
	if (c->waiting.first && __atomic_load_n(&g_completed, __ATOMIC_ACQUIRE) >= c->wait_gp) {
		done = c->waiting.first;
		c->waiting.first = NULL;
	}
	spin_lock(&g_lock);
	if (!c->waiting.first && c->next.first) {
		c->waiting = c->next;
		c->next.first = NULL;
		c->nr_next = 0;
		c->wait_gp = request_locked(&kick);
	} else if (c->waiting.first) {
		/* Kicked early, or for others' sake. */
		g_waiters |= 1ull << cpu_id();
	}
	if (c->waiting.first && g_completed >= c->wait_gp)
		kick |= 1ull << cpu_id();
	spin_unlock(&g_lock);
	waiting = c->waiting.first;
	irq_enable();
	kick_mask(kick);
	run_list(done);
	return waiting;
}

void rcu_hurry(void)
{
	unsigned long flags = spin_lock_irqsave(&g_lock);
	u64 mask = g_holdouts & ~(1ull << cpu_id());

	spin_unlock_irqrestore(&g_lock, flags);
	for (; mask; mask &= mask - 1)
		arch_ipi_send(__builtin_ctzll(mask), IPI_RESCHED);
}

void rcu_synchronize(void)
{
	g_ops->synchronize();
}

void rcu_barrier(void)
{
	g_ops->drain();
}

u64 rcu_pending_count(void)
{
	u64 n = 0;

	for_each_cpu(cpu) {
		struct rcu_cpu *c = per_cpu_ptr(&g_cpu, cpu);
		u64 run = __atomic_load_n(&c->nr_run, __ATOMIC_ACQUIRE);

		n += READ_ONCE(c->nr_called) - run;
	}
	return n;
}
