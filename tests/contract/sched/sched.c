/* SPDX-License-Identifier: MIT */
/* Affinity, priorities, policies, yielding. */
#include "contract.h"
#include <sys/resource.h>
#include <sys/sysinfo.h>

static int online(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

TEST(affinity_moves_the_thread)
{
	cpu_set_t set, got;

	for (int cpu = 0; cpu < online(); cpu++) {
		unsigned now;

		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		OK(sched_setaffinity(0, sizeof(set), &set));
		OK(syscall(SYS_getcpu, &now, NULL, NULL));
		CHECK_EQ(now, cpu);
		CHECK_EQ(sched_getcpu(), cpu);
		OK(sched_getaffinity(0, sizeof(got), &got));
		CHECK(CPU_EQUAL(&set, &got));
	}
}

TEST(affinity_is_inherited_by_fork)
{
	cpu_set_t set, got;

	CPU_ZERO(&set);
	CPU_SET(online() - 1, &set);
	OK(sched_setaffinity(0, sizeof(set), &set));
	pid_t pid = FORK();
	if (!pid) {
		OK(sched_getaffinity(0, sizeof(got), &got));
		CHECK(CPU_EQUAL(&set, &got));
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(affinity_errors_and_sizes)
{
	cpu_set_t set;
	unsigned char byte;

	CPU_ZERO(&set);
	CHECK_ERR(sched_setaffinity(0, sizeof(set), &set), EINVAL);
	CPU_SET(1000, &set);
	CHECK_ERR(sched_setaffinity(0, sizeof(set), &set), EINVAL);
	CHECK_ERR(sched_getaffinity(0x3ffffff, sizeof(set), &set), ESRCH);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 1, &byte), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 128, BAD_PTR), EFAULT);
	CPU_ZERO(&set);
	CHECK(OK(syscall(SYS_sched_getaffinity, 0, sizeof(set), &set)) % 8 == 0);
	CHECK_EQ(CPU_COUNT(&set), online());
}

TEST(affinity_of_another_process_moves_it)
{
	pid_t pid = FORK();
	cpu_set_t set;

	if (!pid)
		for (;;)
			continue;
	CPU_ZERO(&set);
	CPU_SET(online() - 1, &set);
	OK(sched_setaffinity(pid, sizeof(set), &set));
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	OK(sched_setaffinity(pid, sizeof(set), &set));
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
}

TEST(nice_values_are_kept_clamped_and_inherited)
{
	OK(setpriority(PRIO_PROCESS, 0, 7));
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 7);
	CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 13);
	OK(setpriority(PRIO_PROCESS, 0, 100));
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
	pid_t pid = FORK();
	if (!pid) {
		CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
		OK(setpriority(PRIO_PROCESS, 0, -100));
		CHECK_EQ(getpriority(PRIO_PROCESS, 0), -20);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_ERR(setpriority(9, 0, 0), EINVAL);
	CHECK_ERR(setpriority(PRIO_PROCESS, 0x3ffffff, 0), ESRCH);
}

TEST(priority_of_a_group_and_a_user)
{
	pid_t pid = FORK();

	if (!pid)
		for (;;)
			pause();
	OK(setpgid(pid, pid));
	OK(setpriority(PRIO_PGRP, pid, 5));
	CHECK_EQ(getpriority(PRIO_PROCESS, pid), 5);
	CHECK_EQ(getpriority(PRIO_PGRP, pid), 5);
	CHECK_ERR(getpriority(PRIO_USER, 54545), ESRCH);
}

TEST(users_cannot_lower_their_nice_value)
{
	become_user(1000, 1000);
	OK(setpriority(PRIO_PROCESS, 0, 5));
	CHECK_ERR(setpriority(PRIO_PROCESS, 0, 4), EACCES);
}

TEST(policies_set_and_get)
{
	struct sched_param sp = {.sched_priority = 10};

	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
	OK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &sp));
	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_FIFO);
	sp.sched_priority = 0;
	OK(syscall(SYS_sched_getparam, 0, &sp));
	CHECK_EQ(sp.sched_priority, 10);
	OK(syscall(SYS_sched_setscheduler, 0, SCHED_RR | 0x40000000, &sp));
	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_RR | 0x40000000);
	struct timespec ts;
	OK(syscall(SYS_sched_rr_get_interval, 0, &ts));
	CHECK(ts.tv_nsec > 0);
	pid_t pid = FORK();
	if (!pid) {
		CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
		_exit(0);
	}
	expect_exit(pid, 0);
	sp.sched_priority = 0;
	OK(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &sp));
	OK(syscall(SYS_sched_setscheduler, 0, SCHED_IDLE, &sp));
}

TEST(policy_errors)
{
	struct sched_param sp = {.sched_priority = 0};

	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &sp), EINVAL);
	sp.sched_priority = 100;
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &sp), EINVAL);
	sp.sched_priority = 1;
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &sp), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, 77, &sp), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0x3ffffff, SCHED_FIFO, &sp), ESRCH);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, NULL), EINVAL);
	CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
	CHECK_EQ(sched_get_priority_min(SCHED_RR), 1);
	CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
	CHECK_ERR(sched_get_priority_max(77), EINVAL);
	become_user(1000, 1000);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &sp), EPERM);
}

TEST(sched_attr_round_trip)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
		uint32_t util_min, util_max;
	} attr = {.size = 48, .policy = SCHED_OTHER, .nice = 3};

	OK(syscall(SYS_sched_setattr, 0, &attr, 0));
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 3);
	memset(&attr, 0, sizeof(attr));
	OK(syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0));
	CHECK_EQ(attr.nice, 3);
	CHECK_EQ(attr.policy, SCHED_OTHER);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, &attr, 8, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &attr, 1), EINVAL);
}

TEST(realtime_preempts_normal_on_one_cpu)
{
	cpu_set_t set;
	struct sched_param sp = {.sched_priority = 1};
	static volatile int *order;

	order = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	OK(sched_setaffinity(0, sizeof(set), &set));
	OK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &sp));
	pid_t pid = FORK();
	if (!pid) {
		*order = 1;
		_exit(0);
	}
	/* Same priority, first in first out: the child runs only when this thread gives way. */
	for (volatile int i = 0; i < 1000000; i++)
		continue;
	CHECK_EQ(*order, 0);
	expect_exit(pid, 0);
	CHECK_EQ(*order, 1);
}

TEST(nice_shares_favour_the_less_nice)
{
	volatile long *work = OK(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	OK(sched_setaffinity(0, sizeof(set), &set));
	for (int i = 0; i < 2; i++) {
		if (FORK())
			continue;
		OK(setpriority(PRIO_PROCESS, 0, i ? 19 : 0));
		for (;;)
			work[i * 64]++;
	}
	sleep_ns(1500 * MSEC);
	CHECK(work[0] > 5 * work[64]);
	CHECK(work[64] > 0);
}

TEST(busy_threads_do_not_starve_a_sleeper)
{
	for (int i = 0; i < 2 * online(); i++)
		if (!FORK())
			for (;;)
				continue;
	for (int i = 0; i < 10; i++) {
		long long start = now_ns(CLOCK_MONOTONIC);

		sleep_ns(5 * MSEC);
		CHECK(now_ns(CLOCK_MONOTONIC) - start < SEC);
	}
}

TEST(yield_lets_the_other_run)
{
	volatile int *flag = OK(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	OK(sched_setaffinity(0, sizeof(set), &set));
	pid_t pid = FORK();
	if (!pid) {
		for (int i = 0; i < 100; i++) {
			while (*flag % 2 == 0)
				sched_yield();
			++*flag;
		}
		_exit(0);
	}
	for (int i = 0; i < 100; i++) {
		while (*flag % 2 == 1)
			sched_yield();
		++*flag;
	}
	expect_exit(pid, 0);
}

static unsigned selectors(void)
{
	unsigned ds, es, gs;

	__asm__ volatile("mov %%ds, %0\n\tmov %%es, %1\n\tmov %%gs, %2"
			 : "=r"(ds), "=r"(es), "=r"(gs));
	return ds | es << 8 | gs << 16;
}

static unsigned long read_gs(void)
{
	unsigned long v;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(v));
	return v;
}

#define BUSY 3

static struct turn {
	unsigned seen;  /* bits of CPUs it ran on */
	long put_aside; /* how often another thread got the CPU from it */
} g_turns[BUSY];
static bool g_turns_end;

static void *take_turns(void *arg)
{
	struct turn *t = arg;
	struct rusage ru;

	while (!__atomic_load_n(&g_turns_end, __ATOMIC_RELAXED)) {
		int cpu = sched_getcpu();

		__atomic_fetch_or(&t->seen, 1u << cpu, __ATOMIC_RELAXED);
		OK(getrusage(RUSAGE_THREAD, &ru));
		__atomic_store_n(&t->put_aside, ru.ru_nivcsw, __ATOMIC_RELAXED);
	}
	return NULL;
}

static bool all_had_turns(void)
{
	for (int i = 0; i < BUSY; i++)
		if (__atomic_load_n(&g_turns[i].seen, __ATOMIC_RELAXED) != 3 ||
			__atomic_load_n(&g_turns[i].put_aside, __ATOMIC_RELAXED) < 3)
			return false;
	return true;
}

/* Counted in events, not in time, so that a busy host only makes it longer: none has a CPU for
 * itself for ever. */
TEST(three_busy_threads_take_turns_on_two_processors)
{
	pthread_t t[BUSY];

	if (online() != 2)
		skip_test("needs a machine of two CPUs");
	for (int i = 0; i < BUSY; i++)
		CHECK_PT(pthread_create(&t[i], NULL, take_turns, &g_turns[i]));
	while (!all_had_turns())
		sleep_ns(20 * MSEC);
	__atomic_store_n(&g_turns_end, true, __ATOMIC_RELAXED);
	for (int i = 0; i < BUSY; i++)
		CHECK_PT(pthread_join(t[i], NULL));
}

/* Two processes take turns on one CPU: each keeps the data segments and the base that it set. */
TEST(segments_stay_with_their_thread)
{
	static unsigned long mark = 0x1234567;
	volatile int *flag = OK(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	cpu_set_t set;
	unsigned long base;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	OK(sched_setaffinity(0, sizeof(set), &set));
	pid_t pid = FORK();
	if (!pid) {
		OK(syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, &mark));
		for (int i = 0; i < 20; i++) {
			while (*flag % 2 == 0)
				sched_yield();
			CHECK_EQ(selectors(), 0);
			CHECK_EQ(read_gs(), mark);
			++*flag;
		}
		_exit(0);
	}
	__asm__ volatile("mov %0, %%ds\n\tmov %0, %%es\n\tmov %0, %%gs" : : "r"(0x2b));
	for (int i = 0; i < 20; i++) {
		++*flag;
		while (*flag % 2 == 1)
			sched_yield();
		CHECK_EQ(selectors(), 0x2b2b2b);
		OK(syscall(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, &base));
		CHECK_EQ(base, 0);
	}
	pid_t heir = FORK();
	if (!heir) {
		CHECK_EQ(selectors(), 0x2b2b2b);
		_exit(0);
	}
	expect_exit(heir, 0);
	expect_exit(pid, 0);
}

TEST(a_new_base_clears_the_selector)
{
	unsigned long base;

	__asm__ volatile("mov %0, %%gs" : : "r"(0x2b));
	OK(syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, 0x5000));
	CHECK_EQ(selectors() & 0xff, 0);
	OK(syscall(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, &base));
	CHECK_EQ(base, 0x5000);
}

TEST(processors_are_counted_alike)
{
	CHECK_EQ(get_nprocs(), online());
	CHECK_EQ(sysconf(_SC_NPROCESSORS_CONF), online());
}

static void allow(pid_t pid, int first, int last)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int cpu = first; cpu <= last; cpu++)
		CPU_SET(cpu, &set);
	OK(sched_setaffinity(pid, sizeof(set), &set));
}

static pid_t hog_on(int cpu)
{
	pid_t pid = FORK();

	if (pid)
		return pid;
	allow(0, cpu, cpu);
	for (;;)
		continue;
}

/* Kill the hog; the CPU time that it has used, in ms. */
static long used_ms(pid_t pid)
{
	struct rusage r;
	int status;

	OK(kill(pid, SIGKILL));
	CHECK_EQ(OK(wait4(pid, &status, 0, &r)), pid);
	return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000 +
		(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1000;
}

TEST(busy_cpus_share_the_load)
{
	long ms[4], sum = 0;
	pid_t pid[4];

	if (online() < 2)
		skip_test("needs 2 CPUs");
	for (int i = 0; i < 4; i++)
		pid[i] = hog_on(i == 3);
	sleep_ns(200 * MSEC);
	for (int i = 0; i < 4; i++)
		allow(pid[i], 0, 1);
	sleep_ns(3 * SEC);
	for (int i = 0; i < 4; i++)
		sum += ms[i] = used_ms(pid[i]);
	for (int i = 0; i < 4; i++)
		CHECK(ms[i] < sum * 2 / 5); /* a quarter; the lone one had half of it */
}

TEST(pinned_threads_do_not_hide_others_from_an_idle_cpu)
{
	pid_t pinned[6], free[3];
	long ms = 0;

	if (online() < 3)
		skip_test("needs 3 CPUs");
	for (int i = 0; i < 6; i++)
		pinned[i] = hog_on(0);
	for (int i = 0; i < 3; i++)
		free[i] = hog_on(1);
	sleep_ns(100 * MSEC);
	for (int i = 0; i < 3; i++)
		allow(free[i], 1, 2);
	sleep_ns(2 * SEC);
	for (int i = 0; i < 3; i++)
		ms += used_ms(free[i]);
	CHECK(ms > 3000);
	for (int i = 0; i < 6; i++)
		used_ms(pinned[i]);
}

static void *wait_for_the_end(void *gate)
{
	gate_wait(*(struct gate *)gate);
	return NULL;
}

/* Nanoseconds that getpriority(PRIO_PGRP) takes in a group of this process with n more threads. */
static long long cost_with_threads(int n)
{
	struct gate gate = gate_make(), report = gate_make();
	long long best = 0;
	pid_t pid = FORK();

	if (!pid) {
		pthread_attr_t small;
		pthread_t t;

		OK(setpgid(0, 0));
		CHECK_PT(pthread_attr_init(&small));
		CHECK_PT(pthread_attr_setstacksize(&small, 32768));
		for (int i = 0; i < n; i++)
			CHECK_PT(pthread_create(&t, &small, wait_for_the_end, &gate));
		for (int i = 0; i < 20; i++) {
			long long start = now_ns(CLOCK_MONOTONIC), took;

			OK(getpriority(PRIO_PGRP, 0));
			took = now_ns(CLOCK_MONOTONIC) - start;
			best = !best || took < best ? took : best;
		}
		CHECK_EQ(write(report.w, &best, sizeof(best)), sizeof(best));
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(read(report.r, &best, sizeof(best)), sizeof(best));
	return best;
}

TEST(priorities_of_a_group_cost_no_square_of_its_threads)
{
	long long few = cost_with_threads(100), many = cost_with_threads(1600);

	if (many > few * 160) /* a square would be 256 */
		FAIL("expected 16 times as long for 16 times as many threads, got %lld ns after %lld ns",
			many, few);
}
