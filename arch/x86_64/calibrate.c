/*
 * How fast does the TSC run? Asked first, measured only where nothing tells, and every measurement
 * ends: loops are bounded by rounds, not by the reference moving.
 *
 * A reading of the reference is bracketed by two of the TSC, and of several such the tightest
 * counts; so an interrupted emulator spoils a sample but not the result.
 */
#include "tsc.h"
#include "x86.h"
#include <arch/mmu.h>
#include <core/log.h>

#define MEASURE_MS        5
#define BRACKETS          12
#define MAX_ROUNDS        4000000 /* of waiting; each is one read of the reference */
#define PM_TIMER_HZ       3579545u
#define PM_TIMER_MASK     0xffffffu
#define PIT_HZ            1193182u
#define EMULATED_LAPIC_HZ 1000000000u /* QEMU's, and KVM's default */
#define HZ_MIN            1000000u    /* a slower TSC is a mistake */
#define MSR_KVM_CLOCK     0x4b564d01

struct reference {
	const char *name;
	u64 hz;
	u64 mask;
	u64 (*read)(void); /* counts up */
};

static u64 read_lapic(void)
{
	return U32_MAX - x86_lapic_timer_now();
}

static u64 read_pm_timer(void)
{
	return inl(x86_pm_timer_port) & PM_TIMER_MASK;
}

static u64 read_pit(void)
{
	u8 lo, hi;

	outb(0x43, 0x80); /* latch channel 2 */
	lo = inb(0x42);
	hi = inb(0x42);
	return 0xffffu - (lo | (u32)hi << 8);
}

static void start_pit(void)
{
	outb(0x61, (inb(0x61) & ~2u) | 1); /* gate on, speaker off */
	outb(0x43, 0xb0);                  /* channel 2, both bytes, mode 0 */
	outb(0x42, 0xff);
	outb(0x42, 0xff);
}

struct sample {
	u64 tsc, ref;
};

static struct sample take_sample(const struct reference *r)
{
	struct sample best = {};
	u64 width = U64_MAX;

	for (int i = 0; i < BRACKETS; i++) {
		u64 t0 = arch_cycles(), v = r->read(), t1 = arch_cycles();

		if (t1 - t0 < width) {
			width = t1 - t0;
			best = (struct sample){t0 + (t1 - t0) / 2, v};
		}
	}
	return best;
}

/* TSC ticks per second by this reference, 0 when it doesn't move or gives nonsense. */
static u64 measure(const struct reference *r)
{
	struct sample a = take_sample(r), b;
	u64 want = r->hz / 1000 * MEASURE_MS, hz;
	int rounds = 0;

	while (((r->read() - a.ref) & r->mask) < want) {
		if (++rounds == MAX_ROUNDS)
			return 0;
		cpu_relax();
	}
	b = take_sample(r);
	hz = (b.tsc - a.tsc) * (r->hz / 1000) / ((b.ref - a.ref) & r->mask) * 1000;
	return hz >= HZ_MIN ? hz : 0;
}

static u64 cpuid_hz(const char **how)
{
	struct cpuid r;

	if (g_x86.max_hv_leaf >= 0x40000010) {
		r = cpuid(0x40000010, 0);
		*how = "hypervisor leaf";
		if (r.a)
			return (u64)r.a * 1000;
	}
	if (g_x86.max_leaf >= 0x15) {
		r = cpuid(0x15, 0);
		*how = "CPUID 15h";
		if (r.a && r.b && r.c)
			return (u64)r.c * r.b / r.a;
	}
	return 0;
}

struct pv_clock {
	u32 version, pad;
	u64 tsc, system_ns;
	u32 mult;
	s8 shift;
	u8 flags, pad2[2];
} __aligned(32);

static u64 kvm_clock_hz(void)
{
	static struct pv_clock g_clock;
	u64 hz;

	if (!g_x86.kvm || !(cpuid(0x40000001, 0).a & (1u << 3)))
		return 0;
	wrmsr(MSR_KVM_CLOCK, virt_to_phys(&g_clock) | 1);
	barrier();
	if (!READ_ONCE(g_clock.mult))
		return 0;
	hz = x86_div_shifted(NS_PER_SEC, g_clock.mult);
	hz = g_clock.shift < 0 ? hz << -g_clock.shift : hz >> g_clock.shift;
	wrmsr(MSR_KVM_CLOCK, 0);
	return hz;
}

u64 x86_calibrate_tsc(const char **how)
{
	u64 hz = cpuid_hz(how);

	if (hz)
		return hz;
	*how = "kvmclock";
	hz = kvm_clock_hz();
	if (hz)
		return hz;
	if (g_x86.tcg) {
		const struct reference lapic = {
			.hz = EMULATED_LAPIC_HZ, .mask = U32_MAX, .read = read_lapic};

		*how = "measured by the local APIC";
		x86_lapic_timer_setup(false);
		x86_lapic_timer_count(U32_MAX);
		hz = measure(&lapic);
		x86_lapic_timer_count(0);
		if (hz)
			return hz;
	}
	if (x86_pm_timer_port) {
		const struct reference pm = {
			.hz = PM_TIMER_HZ, .mask = PM_TIMER_MASK, .read = read_pm_timer};

		*how = "measured by the PM timer";
		hz = measure(&pm);
		if (hz)
			return hz;
	}
	*how = "measured by the PIT";
	start_pit();
	hz = measure(&(struct reference){.hz = PIT_HZ, .mask = 0xffff, .read = read_pit});
	if (hz)
		return hz;
	*how = "processor base frequency";
	if (g_x86.max_leaf >= 0x16 && cpuid(0x16, 0).a)
		return (u64)cpuid(0x16, 0).a * 1000000;
	log_warn("clock: no reference answers; times will be wrong");
	*how = "assumed";
	return 1000000000;
}

static u64 read_tsc(void)
{
	return arch_cycles();
}

u64 x86_calibrate_lapic(void)
{
	const struct reference tsc = {.hz = x86_tsc_hz, .mask = U64_MAX, .read = read_tsc};
	u64 t0, ticks;

	if (g_x86.tcg || g_x86.kvm)
		return EMULATED_LAPIC_HZ;
	x86_lapic_timer_setup(false);
	x86_lapic_timer_count(U32_MAX);
	t0 = tsc.read();
	x86_delay_us(MEASURE_MS * 1000);
	ticks = read_lapic();
	t0 = tsc.read() - t0;
	x86_lapic_timer_count(0);
	return ticks * (x86_tsc_hz / 1000) / max(t0 / 1000, 1ull);
}
