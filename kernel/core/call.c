/*
 * Calls on other CPUs. Each CPU has a lock-free stack of requests. The caller spins with interrupts
 * on until all have answered, so its one set of requests (per CPU) is free again when it returns.
 */
#include <arch/platform.h>
#include <core/irq.h>
#include <core/log.h>
#include <core/rcu.h>
#include <core/spinlock.h>
#include <lib/atomic.h>

struct call_request {
	struct call_request *next;
	void (*fn)(void *);
	void *arg;
	u32 *pending; /* atomic: the caller's count of CPUs that have not answered */
};

static DEFINE_PER_CPU(struct call_request *, g_inbox);          /* atomic */
static DEFINE_PER_CPU(struct call_request, g_outbox[MAX_CPUS]); /* own CPU's callers */

#if DEBUG
static DEFINE_PER_CPU(bool, g_in_call); /* own CPU, interrupts off */

void smp_assert_may_wait(void)
{
	if (*this_cpu_ptr(&g_in_call))
		panic("a call on CPU %d waits for other CPUs", cpu_id());
}
#endif

/* Interrupts off. */
static void run_call(void (*fn)(void *), void *arg)
{
#if DEBUG
	*this_cpu_ptr(&g_in_call) = true;
#endif
	fn(arg);
#if DEBUG
	*this_cpu_ptr(&g_in_call) = false;
#endif
}

void smp_call_mask(u64 cpus, void (*fn)(void *), void *arg)
{
	u64 others;
	u32 pending = 0;

	smp_assert_may_wait();
	cpus &= READ_ONCE(g_cpus_online_mask);
	others = cpus & ~(1ull << cpu_id());
#if DEBUG
	if (others && (!irqs_enabled() || spin_debug_held()))
		panic("smp_call_mask with interrupts off or a spinlock held");
#endif
	pending = (u32)__builtin_popcountll(others);
	for (u64 m = others; m; m &= m - 1) {
		int cpu = __builtin_ctzll(m);
		struct call_request *rq = &(*this_cpu_ptr(&g_outbox))[cpu];
		struct call_request **inbox = per_cpu_ptr(&g_inbox, cpu);
		struct call_request *head = READ_ONCE(*inbox);

		*rq = (struct call_request){.fn = fn, .arg = arg, .pending = &pending};
		do {
			rq->next = head;
		} while (!__atomic_compare_exchange_n(
			inbox, &head, rq, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
		if (!head)
			arch_ipi_send(cpu, IPI_CALL);
	}
	if (cpus & (1ull << cpu_id())) {
		unsigned long flags = irq_save();

		run_call(fn, arg);
		irq_restore(flags);
	}
	while (load_acquire(&pending))
		cpu_relax();
}

void smp_call_ipi(void)
{
	struct call_request *rq = xchg(this_cpu_ptr(&g_inbox), NULL);

	rcu_irq_enter();
	while (rq) {
		struct call_request *next = rq->next;
		u32 *pending = rq->pending;

		run_call(rq->fn, rq->arg);
		__atomic_fetch_sub(pending, 1, __ATOMIC_RELEASE); /* rq is the caller's again */
		rq = next;
	}
}
