/* SPDX-License-Identifier: MIT */
/* Changes of mappings beside accesses: what is lost shows in the counters, what is freed twice
 * stops the machine. A bounded number of rounds each. */
#include <sys/uio.h>

#include "contract.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#define PAGE       4096ul
#define HUGE       (2ul << 20)
#define RW         (PROT_READ | PROT_WRITE)
#define FILE_PAGES 16
#define ROUNDS     500
#define FORKS      50

static int g_stop, g_fd;
static char *g_map;

static void *populate(void *arg)
{
	while (!__atomic_load_n(&g_stop, __ATOMIC_ACQUIRE))
		madvise(g_map, FILE_PAGES * PAGE, MADV_POPULATE_READ); /* EFAULT beyond the end */
	return arg;
}

TEST(pages_can_be_mapped_while_their_file_is_truncated)
{
	static char data[FILE_PAGES * PAGE];
	pthread_t t[2];

	g_fd = OK(memfd_create("truncated", 0));
	g_map = OK(mmap(NULL, sizeof(data), PROT_READ, MAP_SHARED, g_fd, 0));
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_create(&t[i], NULL, populate, NULL));
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_EQ(pwrite(g_fd, data, sizeof(data), 0), sizeof(data));
		OK(ftruncate(g_fd, 0));
	}
	__atomic_store_n(&g_stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_join(t[i], NULL));
	OK(close(g_fd));
}

/* read() into memory that comes and goes: EFAULT or a byte. */
static void *read_zero(void *arg)
{
	while (!__atomic_load_n(&g_stop, __ATOMIC_ACQUIRE))
		CHECK(read(g_fd, g_map, 1) == 1 || errno == EFAULT);
	return arg;
}

TEST(memory_moves_while_its_new_place_is_used)
{
	char *area = OK(mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	char *there = area + 32 * PAGE;
	int fd = OK(memfd_create("moved", 0));
	pthread_t t;

	OK(munmap(area, 64 * PAGE));
	OK(ftruncate(fd, PAGE));
	OK(mmap(area, PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0));
	*area = 1;
	g_fd = OK(open("/dev/zero", O_RDONLY));
	g_map = there;
	CHECK_PT(pthread_create(&t, NULL, read_zero, NULL));
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(mremap(area, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, there) == there);
		CHECK(mremap(there, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area) == area);
	}
	__atomic_store_n(&g_stop, 1, __ATOMIC_RELEASE);
	CHECK_PT(pthread_join(t, NULL));
	OK(close(fd));
	OK(close(g_fd));
}

static void *spy(void *arg)
{
	static char copy[16 * PAGE];
	struct iovec to = {copy, sizeof(copy)}, from = {g_map, sizeof(copy)};
	pid_t me = getpid();

	while (!__atomic_load_n(&g_stop, __ATOMIC_ACQUIRE)) {
		CHECK_EQ(process_vm_readv(me, &to, 1, &from, 1, 0), sizeof(copy));
		CHECK(copy[0] == 1 || copy[0] == 2);
		CHECK_EQ(copy[15 * PAGE], 1);
	}
	return arg;
}

TEST(big_pages_are_read_from_outside_while_they_are_copied)
{
	for (int round = 0; round < 20; round++) {
		char *m = OK(mmap(NULL, 2 * HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		pthread_t t;

		g_stop = 0;
		g_map = (char *)(((uintptr_t)m + HUGE - 1) & ~(HUGE - 1));
		madvise(g_map, HUGE, MADV_HUGEPAGE); /* EINVAL where there are none */
		for (int i = 0; i < 16; i++)
			g_map[i * PAGE] = 1;
		pid_t child = FORK();
		if (!child) {
			pause();
			_exit(0);
		}
		CHECK_PT(pthread_create(&t, NULL, spy, NULL));
		g_map[0] = 2; /* the copy */
		sched_yield();
		OK(kill(child, SIGKILL));
		wait_status(child);
		__atomic_store_n(&g_stop, 1, __ATOMIC_RELEASE);
		CHECK_PT(pthread_join(t, NULL));
		OK(munmap(m, 2 * HUGE));
	}
}

static int g_go, g_ack;

static void *write_copies(void *arg)
{
	for (int seen = 0; seen < 300;) {
		while (__atomic_load_n(&g_go, __ATOMIC_ACQUIRE) == seen)
			sched_yield();
		seen++;
		for (int k = 0; k < FILE_PAGES; k++)
			if (read(g_fd, g_map + k * PAGE, 1) != 1)
				break; /* the file is shorter now */
		__atomic_store_n(&g_ack, seen, __ATOMIC_RELEASE);
	}
	return arg;
}

TEST(private_copies_beyond_the_end_of_a_file_go)
{
	static char data[FILE_PAGES * PAGE];
	int fd = OK(memfd_create("shrinks", 0)), p[2];
	pthread_t t;

	OK(pipe(p));
	g_fd = OK(open("/dev/zero", O_RDONLY));
	OK(ftruncate(fd, sizeof(data)));
	g_map = OK(mmap(NULL, sizeof(data), RW, MAP_PRIVATE, fd, 0));
	CHECK_PT(pthread_create(&t, NULL, write_copies, NULL));
	for (int i = 1; i <= 300; i++) {
		CHECK_EQ(pwrite(fd, data, sizeof(data), 0), sizeof(data));
		__atomic_store_n(&g_go, i, __ATOMIC_RELEASE);
		for (int spin = i * 37 % 400; spin > 0; spin--)
			__asm__ volatile("pause");
		OK(ftruncate(fd, 0));
		while (__atomic_load_n(&g_ack, __ATOMIC_ACQUIRE) != i)
			sched_yield();
		for (int k = 0; k < FILE_PAGES; k++)
			CHECK_ERR(write(p[1], g_map + k * PAGE, 1), EFAULT);
	}
	CHECK_PT(pthread_join(t, NULL));
	OK(close(fd));
	OK(close(g_fd));
}

static void *clear_references(void *arg)
{
	int fd = OK(open("/proc/self/clear_refs", O_WRONLY));

	while (!__atomic_load_n(&g_stop, __ATOMIC_ACQUIRE))
		CHECK_EQ(write(fd, "1", 1), 1);
	OK(close(fd));
	return arg;
}

/* Copies a page that is being copied on write meanwhile; also from inside the kernel. */
static void *store(void *arg)
{
	while (!__atomic_load_n(&g_stop, __ATOMIC_ACQUIRE))
		for (int i = 0; i < FILE_PAGES; i++)
			if (arg)
				CHECK_EQ(pread(g_fd, g_map + i * PAGE, 64, 0), 64);
			else
				__atomic_store_n(g_map + i * PAGE + 64, 1, __ATOMIC_RELAXED);
	return arg;
}

TEST(references_are_cleared_beside_copies_on_write)
{
	pthread_t t[3];
	char zero[64] = {0};

	g_fd = OK(memfd_create("source", 0));
	CHECK_EQ(pwrite(g_fd, zero, sizeof(zero), 0), sizeof(zero));
	g_map = OK(mmap(NULL, FILE_PAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK_PT(pthread_create(&t[0], NULL, clear_references, NULL));
	CHECK_PT(pthread_create(&t[1], NULL, store, NULL));
	CHECK_PT(pthread_create(&t[2], NULL, store, g_map));
	for (int i = 0; i < FORKS; i++) {
		pid_t pid = FORK();

		if (!pid)
			_exit(0);
		expect_exit(pid, 0);
	}
	__atomic_store_n(&g_stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 3; i++)
		CHECK_PT(pthread_join(t[i], NULL));
	OK(close(g_fd));
}
