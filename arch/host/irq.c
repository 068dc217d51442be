/* Interrupts, clock and idling. */
#include "host.h"
#include <arch/host.h>
#include <arch/platform.h>
#include <core/log.h>
#include <lib/err.h>

#define LOOK_NS 20 /* that much time passes at each look at the clock */

int g_nr_cpus = 1;
u64 g_cpus_online_mask = 1;
bool host_irqs_on;
bool host_irq_pending;
bool host_done;

static u64 g_now = NS_PER_MS;       /* virtual */
static s64 g_timer_ns = TIME_NEVER; /* what arch_timer_arm said */
static u64 g_raised[NR_IRQS / 64];
static u64 g_random;

void host_seed(u64 seed)
{
	g_random = seed;
}

static u64 next_random(void) /* splitmix64 */
{
	u64 z = g_random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

u64 arch_random_seed(u64 *ok)
{
	*ok = 1;
	return next_random();
}

static void look(void)
{
	if ((s64)g_now >= g_timer_ns)
		host_irq_pending = true;
}

u64 arch_clock_ns(void)
{
	g_now += LOOK_NS;
	look();
	return g_now;
}

u64 arch_cycles(void)
{
	return arch_clock_ns();
}

void host_time_pass(u64 ns)
{
	g_now += ns;
	look();
	if (host_irqs_on && host_irq_pending)
		host_irq_deliver();
}

void arch_timer_arm(s64 deadline)
{
	g_timer_ns = deadline;
	look();
}

void host_irq_raise(int irq)
{
	g_raised[irq / 64] |= 1ull << (irq % 64);
	host_irq_pending = true;
	if (host_irqs_on)
		host_irq_deliver();
}

static u32 g_depth;

u32 arch_irq_depth(void)
{
	return g_depth;
}

void host_irq_deliver(void)
{
	host_irqs_on = false;
	g_depth++;
	while (host_irq_pending) {
		host_irq_pending = false;
		if ((s64)g_now >= g_timer_ns) {
			g_timer_ns = TIME_NEVER;
			arch_upcalls.timer();
		}
		for (int i = 0; i < NR_IRQS / 64; i++) {
			while (g_raised[i]) {
				int bit = __builtin_ctzll(g_raised[i]);

				g_raised[i] &= g_raised[i] - 1;
				arch_upcalls.irq(i * 64 + bit);
			}
		}
		arch_upcalls.irq_exit();
	}
	g_depth--;
	host_irqs_on = true;
}

void cpu_relax(void)
{
	host_time_pass(LOOK_NS);
}

/* Nothing to run: the next timer's time comes at once. */
void cpu_idle(void)
{
	if (host_done)
		host_return_to_main();
	if (!host_irq_pending) {
		if (g_timer_ns == TIME_NEVER)
			panic("host: deadlock: every thread sleeps and no timer is set");
		g_now = max(g_now, (u64)g_timer_ns);
		host_irq_pending = true;
	}
	host_irq_deliver();
}

int arch_irq_enable(int irq, bool level, bool active_low)
{
	return irq < 0 || irq >= NR_IRQS ? -EINVAL : 0;
}

void arch_irq_disable(int irq)
{
}

int arch_cpus_start(void (*prepare)(int cpu))
{
	return 1;
}

void arch_ipi_send(int cpu, enum ipi_kind kind)
{
	panic("host: IPI to CPU %d", cpu);
}

s64 arch_rtc_seconds(void)
{
	return 1577836800; /* 2020-01-01 */
}

void arch_rtc_set(s64 seconds)
{
	panic("host: the clock can't be set");
}

void arch_early_putc(char c)
{
	if (host_verbose)
		os_write(&c, 1);
}

bool arch_symbol(
	unsigned long addr, char *name, size_t size, unsigned long *offset, unsigned long *length)
{
	return false;
}

noreturn void arch_halt(void)
{
	os_abort();
}

noreturn void arch_poweroff(void)
{
	os_exit(0);
}

noreturn void arch_reboot(void)
{
	os_exit(0);
}

noreturn void arch_panic_exit(void)
{
	os_abort();
}
