/* SPDX-License-Identifier: MIT */
/* What an address space may have, whose limits count, and what others may learn of it. */
#include "contract.h"
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_GET_SEALS 1034
#endif
#ifndef F_SEAL_WRITE
#define F_SEAL_WRITE 8
#endif
#ifndef MREMAP_MAYMOVE
#define MREMAP_MAYMOVE 1
#endif

static long regions(void)
{
	long n = 0;

	for (const char *s = read_text("/proc/self/maps"); *s; s++)
		n += *s == '\n';
	return n;
}

static char *reserve(long pages)
{
	return OK(mmap(NULL, pages * page_size(), PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
}

/* Every second page gets other rights until that is refused: how many. */
static long split_by_mprotect(char *p, long pages)
{
	for (long i = 0; i < pages; i += 2)
		if (mprotect(p + i * page_size(), page_size(), PROT_READ))
			return i / 2;
	return pages / 2;
}

static void set_max_map_count(long n)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", n);
	write_file("/proc/sys/vm/max_map_count", text);
}

TEST(max_map_count_limits_every_way_to_split)
{
	long was = atol(read_text("/proc/sys/vm/max_map_count")), n;
	char *p;

	set_max_map_count(1000);
	p = reserve(4000);
	n = split_by_mprotect(p, 4000);
	CHECK(n > 300 && n < 500);
	CHECK(regions() >= 990 && regions() <= 1010);
	CHECK_ERR(mprotect(p + 3001 * page_size(), page_size(), PROT_READ), ENOMEM);
	CHECK_ERR(madvise(p + 3001 * page_size(), page_size(), MADV_DONTFORK), EAGAIN);
	CHECK_ERR(mlock2(p + 3001 * page_size(), page_size(), MLOCK_ONFAULT), ENOMEM);
	CHECK_ERR(munmap(p + 3001 * page_size(), page_size()), ENOMEM);
	CHECK_ERR(mremap(p + 3001 * page_size(), page_size(), 2 * page_size(), MREMAP_MAYMOVE),
		ENOMEM);
	/* mmap may go one beyond, as it compares before it adds */
	for (n = 0; n < 10; n++)
		if (mmap(NULL, page_size(), n & 1 ? PROT_READ : PROT_NONE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
			break;
	CHECK(n < 10);
	/* Taking away from the end is always possible, and makes room. */
	OK(munmap(p, 200 * page_size()));
	OK(mprotect(p + 3001 * page_size(), page_size(), PROT_READ));
	set_max_map_count(was);
}

TEST(max_map_count_is_65530_unless_set)
{
	CHECK_STR(read_text("/proc/sys/vm/max_map_count"), "65530\n");
}

/* ---- limits are the caller's ---- */

static void *limit_after_leader(void *arg)
{
	struct rlimit small = {1 << 20, 1 << 20};

	await_state((pid_t)(intptr_t)arg, 'Z');
	OK(setrlimit(RLIMIT_AS, &small));
	if (mmap(NULL, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		_exit(1);
	_exit(0);
}

TEST(address_space_limit_counts_when_the_leader_has_gone)
{
	pid_t pid = FORK();

	if (!pid) {
		pthread_t t;

		CHECK_PT(pthread_create(&t, NULL, limit_after_leader, (void *)(intptr_t)getpid()));
		pthread_exit(NULL);
	}
	expect_exit(pid, 0);
}

TEST(limits_of_a_vfork_child_leave_the_parent_alone)
{
	pid_t pid = vfork();

	if (!pid) {
		struct rlimit small = {1 << 20, 1 << 20};

		setrlimit(RLIMIT_AS, &small);
		_exit(0);
	}
	expect_exit(pid, 0);
	OK(munmap(
		OK(mmap(NULL, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)), 64 << 20));
}

/* ---- mincore ---- */

TEST(mincore_tells_users_nothing_about_others_files)
{
	size_t len = 64 * page_size();
	unsigned char vec[64];
	int fd = new_file("big", O_RDWR, 0644);
	char *m;
	pid_t pid;

	OK(ftruncate(fd, len));
	close(fd);
	for (int user = 0; user < 2; user++) {
		int n = 0;

		pid = FORK();
		if (pid) {
			expect_exit(pid, 0);
			continue;
		}
		if (user)
			become_user(1000, 1000);
		fd = OK(open("big", O_RDONLY));
		m = OK(mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0));
		OK(mincore(m, len, vec));
		for (int i = 0; i < 64; i++)
			n += vec[i] & 1;
		CHECK_EQ(n, user ? 64 : 0);
		_exit(0);
	}
}

/* ---- F_SEAL_WRITE against mmap ---- */

static int seal_fd;
static volatile int g_go, g_done, g_sealed;

static void *seal(void *arg)
{
	(void)arg;
	for (int i = 1;; i++) {
		while (g_go != i)
			if (g_go < 0)
				return NULL;
		for (volatile int k = i * 31 % 400; k > 0; k--)
			continue;
		g_sealed = fcntl(seal_fd, F_ADD_SEALS, F_SEAL_WRITE) == 0;
		g_done = i;
	}
}

TEST(a_write_seal_and_a_writable_mapping_exclude_each_other)
{
	long long end = now_ns(CLOCK_MONOTONIC) + 4 * SEC;
	pthread_t t;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip_test("a race of two processors");
	CHECK_PT(pthread_create(&t, NULL, seal, NULL));
	for (int i = 1; now_ns(CLOCK_MONOTONIC) < end; i++) {
		char *m;

		seal_fd = OK(syscall(SYS_memfd_create, "s", MFD_ALLOW_SEALING));
		OK(ftruncate(seal_fd, page_size()));
		g_go = i;
		for (volatile int k = i * 17 % 400; k > 0; k--)
			continue;
		m = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, seal_fd, 0);
		while (g_done != i)
			continue;
		CHECK_EQ(m != MAP_FAILED, !g_sealed);
		CHECK_EQ(fcntl(seal_fd, F_GET_SEALS) & F_SEAL_WRITE, g_sealed ? F_SEAL_WRITE : 0);
		if (m != MAP_FAILED)
			munmap(m, page_size());
		close(seal_fd);
	}
	g_go = -1;
	CHECK_PT(pthread_join(t, NULL));
}

TEST(a_write_seal_waits_for_the_last_copy_of_a_writable_mapping)
{
	int fd = OK(syscall(SYS_memfd_create, "s", MFD_ALLOW_SEALING));
	size_t page = page_size();
	char *m;

	OK(ftruncate(fd, 4 * page));
	m = OK(mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	OK(mprotect(m + page, page, PROT_READ)); /* a part: still a writable mapping */
	OK(munmap(m, page));
	OK(munmap(m + 2 * page, 2 * page));
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	pid_t pid = FORK();
	if (!pid)
		for (;;)
			pause();
	OK(munmap(m + page, page));
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)); /* again is fine */
	CHECK_ERR(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
	m = OK(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	*m = 1;
	CHECK_ERR(write(fd, "x", 1), EPERM);
}

/* ---- others get the processor ---- */

struct shared {
	volatile long long worst, last;
	volatile int reset;
};

static void watch_gaps(struct shared *s)
{
	long long last = now_ns(CLOCK_MONOTONIC);

	for (;;) {
		long long now;

		sleep_ns(MSEC / 2);
		now = now_ns(CLOCK_MONOTONIC);
		if (s->reset) {
			s->worst = 0;
			s->reset = 0;
		} else if (now - last > s->worst) {
			s->worst = now - last;
		}
		last = now;
	}
}

/* One processor for both: the sleeper must not wait for the whole of a long operation. */
TEST(operations_on_much_memory_let_others_run)
{
	struct shared *s = OK(
		mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	size_t len = 160 << 20;
	cpu_set_t one;
	pid_t watcher;
	char *p;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	OK(sched_setaffinity(0, sizeof(one), &one));
	watcher = FORK();
	if (!watcher)
		watch_gaps(s);
	p = OK(mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	(void)!madvise(p, len, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < len; i += page_size())
		p[i] = 1;
	for (int what = 0; what < 3; what++) {
		long long start;
		pid_t pid = 0;

		s->reset = 1;
		while (s->reset)
			sleep_ns(MSEC);
		start = now_ns(CLOCK_MONOTONIC);
		if (what == 0)
			OK(mprotect(p, len, PROT_READ));
		else if (what == 1)
			pid = FORK();
		else
			OK(munmap(p, len));
		if (what == 1 && !pid)
			_exit(0);
		start = now_ns(CLOCK_MONOTONIC) - start;
		sleep_ns(10 * MSEC);
		/* A slow machine may take a tick or two; the operations take far longer there. */
		if (start > 100 * MSEC && s->worst > start / 2)
			FAIL("operation %d took %lld ms, the sleeper waited %lld ms of them", what,
				start / MSEC, s->worst / MSEC);
		if (pid)
			expect_exit(pid, 0);
	}
	OK(kill(watcher, SIGKILL));
	expect_signal(watcher, SIGKILL);
}
