/*
 * The clock (TSC scaled to ns) and each CPU's one-shot timer: TSC deadline where the CPU has it,
 * else the LAPIC's counter.
 */
#include "tsc.h"
#include "x86.h"
#include <core/log.h>

struct x86_clock x86_clock; /* set once at boot; zero until then, which makes the time 0 */
u64 x86_tsc_hz = 1000000000;
static u64 g_ns_to_tsc;   /* 32.32 TSC ticks per ns */
static u64 g_ns_to_lapic; /* 32.32 LAPIC timer ticks per ns; 0: deadline mode */

/* (a << 32) / b */
u64 x86_div_shifted(u64 a, u64 b)
{
	u64 q, rest;

	__asm__("divq %4" : "=a"(q), "=d"(rest) : "a"(a << 32), "d"(a >> 32), "r"(b) : "cc");
	return q;
}

static inline u64 mul_shift32(u64 a, u64 b)
{
	return (u64)(((unsigned __int128)a * b) >> 32);
}

u64 arch_clock_ns(void)
{
	return mul_shift32(arch_cycles() - x86_clock.base, x86_clock.mult);
}

void arch_timer_arm(s64 deadline_ns)
{
	u64 now, ticks;

	if (!g_ns_to_lapic) {
		if (deadline_ns == TIME_NEVER) {
			wrmsr(MSR_TSC_DEADLINE, 0);
			return;
		}
		ticks = x86_clock.base + mul_shift32((u64)max(deadline_ns, 0ll), g_ns_to_tsc);
		wrmsr(MSR_TSC_DEADLINE, max(ticks, 1ull)); /* a past one fires at once */
		return;
	}
	if (deadline_ns == TIME_NEVER) {
		x86_lapic_timer_count(0);
		return;
	}
	now = arch_clock_ns();
	ticks = deadline_ns > (s64)now ? mul_shift32((u64)deadline_ns - now, g_ns_to_lapic) + 1 : 1;
	/* Beyond the counter it fires early; the timer code arms again. */
	x86_lapic_timer_count((u32)min(ticks, (u64)U32_MAX));
}

void x86_delay_us(u32 us)
{
	u64 end = arch_cycles() + x86_tsc_hz / 1000000 * us;

	while ((s64)(end - arch_cycles()) > 0)
		cpu_relax();
}

void x86_clock_init_cpu(void)
{
	x86_lapic_timer_setup(!g_ns_to_lapic);
	if (g_ns_to_lapic)
		x86_lapic_timer_count(0);
}

void x86_clock_init(void)
{
	const char *how;
	u64 lapic_hz = 0;

	x86_tsc_hz = x86_calibrate_tsc(&how);
	if (!g_x86.tsc_deadline) {
		lapic_hz = x86_calibrate_lapic();
		g_ns_to_lapic = x86_div_shifted(lapic_hz, NS_PER_SEC);
	}
	g_ns_to_tsc = x86_div_shifted(x86_tsc_hz, NS_PER_SEC);
	x86_clock.mult = x86_div_shifted(NS_PER_SEC, x86_tsc_hz);
	x86_clock.base = arch_cycles();
	x86_clock_init_cpu();
	log_info("clock: TSC %llu.%03llu MHz (%s), timer: %s", x86_tsc_hz / 1000000,
		x86_tsc_hz / 1000 % 1000, how, lapic_hz ? "local APIC" : "TSC deadline");
}
