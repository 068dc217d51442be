/*
 * The code of the vDSO: runs in user mode in every program. Position-independent, no relocations,
 * no data of its own, no library.
 */
#define VDSO_USER
#include "../data.h"
#include <linux/time.h>
#include <linux/time_types.h>
#include <asm/unistd.h>

#define NS 1000000000u

struct user_timeval {
	long tv_sec, tv_usec;
};

long __vdso_clock_gettime(int clock, struct __kernel_timespec *ts);
long __vdso_gettimeofday(struct user_timeval *tv, struct timezone *tz);
long __vdso_time(long *t);
long __vdso_clock_getres(int clock, struct __kernel_timespec *ts);
long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused);

static inline long ask_kernel(long nr, long a, void *b)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "0"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
	return ret;
}

/* LFENCE: no earlier than the sequence counter's read. */
static inline u64 read_tsc(void)
{
	u32 lo, hi;

	__asm__ volatile("lfence\n\trdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

/* Monotonic ns, and the wall clock's offset that belongs to it. */
static inline u64 monotonic_ns(s64 *real_offset)
{
	const volatile struct vdso_data *d = &vdso_data;
	u64 ns;
	u32 seq;

	do {
		seq = __atomic_load_n(&d->seq, __ATOMIC_ACQUIRE);
		ns = (u64)(((unsigned __int128)(read_tsc() - d->tsc_base) * d->tsc_mult) >> 32);
		*real_offset = d->real_offset_ns;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (unlikely(seq & 1) || unlikely(seq != d->seq));
	return ns;
}

#define ON_WALL (1u << CLOCK_REALTIME | 1u << CLOCK_REALTIME_COARSE | 1u << CLOCK_TAI)
#define COARSE  (1u << CLOCK_REALTIME_COARSE | 1u << CLOCK_MONOTONIC_COARSE)
#define ON_BOOT                                                                             \
	(1u << CLOCK_MONOTONIC | 1u << CLOCK_MONOTONIC_RAW | 1u << CLOCK_MONOTONIC_COARSE | \
		1u << CLOCK_BOOTTIME)

static inline u32 clock_bit(int clock)
{
	return (u32)clock < 32 ? 1u << clock : 0;
}

long __vdso_clock_gettime(int clock, struct __kernel_timespec *ts)
{
	u32 bit = clock_bit(clock);
	s64 offset;
	u64 ns;

	if (unlikely(!(bit & (ON_WALL | ON_BOOT))))
		return ask_kernel(__NR_clock_gettime, clock, ts);
	ns = monotonic_ns(&offset);
	if (bit & COARSE)
		ns -= ns % vdso_data.coarse_tick_ns;
	if (bit & ON_WALL)
		ns += (u64)offset;
	ts->tv_sec = (s64)(ns / NS);
	ts->tv_nsec = (s64)(ns % NS);
	return 0;
}

long __vdso_gettimeofday(struct user_timeval *tv, struct timezone *tz)
{
	s64 offset;
	u64 ns;

	if (tz)
		return ask_kernel(__NR_gettimeofday, (long)tv, tz);
	if (tv) {
		ns = monotonic_ns(&offset);
		ns += (u64)offset;
		tv->tv_sec = (long)(ns / NS);
		tv->tv_usec = (long)(ns % NS / 1000);
	}
	return 0;
}

long __vdso_time(long *t)
{
	s64 offset;
	u64 ns = monotonic_ns(&offset);
	long sec = (long)((ns + (u64)offset) / NS);

	if (t)
		*t = sec;
	return sec;
}

long __vdso_clock_getres(int clock, struct __kernel_timespec *ts)
{
	u32 bit = clock_bit(clock);

	if (!(bit & (ON_WALL | ON_BOOT)))
		return ask_kernel(__NR_clock_getres, clock, ts);
	if (ts) {
		ts->tv_sec = 0;
		ts->tv_nsec = bit & COARSE ? vdso_data.coarse_tick_ns : 1;
	}
	return 0;
}

long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	u32 n;

	__asm__("lsl %1, %0" : "=r"(n) : "r"(VDSO_CPU_SELECTOR) : "cc");
	if (cpu)
		*cpu = n;
	if (node)
		*node = 0;
	return 0;
}

/* The names without a prefix are weak: a program's own win. */
#define ALIAS(name, type_args) long name type_args __weak __attribute__((alias("__vdso_" #name)))
ALIAS(clock_gettime, (int clock, struct __kernel_timespec *ts));
ALIAS(gettimeofday, (struct user_timeval * tv, struct timezone *tz));
ALIAS(time, (long *t));
ALIAS(clock_getres, (int clock, struct __kernel_timespec *ts));
ALIAS(getcpu, (unsigned *cpu, unsigned *node, void *unused));

/* glibc compares the kernel version of this note with what it was built for: 6.1.0. */
__asm__(".pushsection .note.linux, \"a\", @note\n\t"
	".balign 4\n\t.long 6, 4, 0\n\t.asciz \"Linux\"\n\t.balign 4\n\t.long 0x060100\n\t"
	".popsection");
