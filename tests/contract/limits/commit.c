/* SPDX-License-Identifier: MIT */
/*
 * What counts as promised memory: Committed_AS in /proc/meminfo, and vm.overcommit_memory. Shared
 * anonymous memory is promised when it is mapped, pages of memfd and tmpfs when they come.
 * mm/overcommit-accounting. The machine has 512 MiB.
 */
#include "setting.h"
#include <sys/mman.h>
#include <sys/shm.h>

#define MIB   (1l << 20)
#define SLACK (6 * MIB) /* of everything else that goes on */

static long committed(void)
{
	const char *row = strstr(read_text("/proc/meminfo"), "Committed_AS:");

	CHECK(row != NULL);
	return atol(row + strlen("Committed_AS:")) << 10;
}

static void expect_committed(long before, long mib)
{
	long more = committed() - before;

	if (labs(more - mib * MIB) > SLACK)
		FAIL("Committed_AS: expected %ld MiB more, got %ld", mib, more / MIB);
}

static char *map_shared(long mib, int flags)
{
	return mmap(NULL, (size_t)(mib * MIB), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | flags, -1, 0);
}

TEST(shared_anonymous_memory_is_promised_when_it_is_mapped)
{
	long before = committed();
	char *p = OK(map_shared(64, 0));

	expect_committed(before, 64);
	memset(p, 1, 32 * MIB);
	expect_committed(before, 64);
	pid_t pid = FORK();
	if (!pid) {
		expect_committed(before, 64);
		_exit(0);
	}
	expect_exit(pid, 0);
	/* The memory stays until the last part of the mapping is gone. */
	OK(munmap(p, 48 * MIB));
	expect_committed(before, 64);
	OK(munmap(p + 48 * MIB, 16 * MIB));
	expect_committed(before, 0);
}

TEST(shared_mapping_of_dev_zero_is_promised_too)
{
	int fd = OK(open("/dev/zero", O_RDWR));
	long before = committed();
	void *p = OK(mmap(NULL, 64 * MIB, PROT_READ, MAP_SHARED, fd, 0));

	expect_committed(before, 64);
	OK(munmap(p, 64 * MIB));
	expect_committed(before, 0);
}

TEST(shared_memory_with_NORESERVE_is_promised_page_by_page)
{
	long before = committed();
	char *p = OK(map_shared(64, MAP_NORESERVE));

	expect_committed(before, 0);
	memset(p, 1, 32 * MIB);
	expect_committed(before, 32);
	OK(munmap(p, 64 * MIB));
	expect_committed(before, 0);
}

TEST(shared_memory_segments_are_promised_when_they_are_made)
{
	long before = committed();
	int id = OK(shmget(IPC_PRIVATE, 64 * MIB, IPC_CREAT | 0600));
	char *p = OK(shmat(id, NULL, 0));

	expect_committed(before, 64);
	memset(p, 1, 32 * MIB);
	expect_committed(before, 64);
	OK(shmctl(id, IPC_RMID, NULL));
	expect_committed(before, 64);
	OK(shmdt(p));
	expect_committed(before, 0);
}

static void fill(int fd, long mib)
{
	static char block[1 << 20];

	for (long i = 0; i < mib; i++)
		CHECK_EQ(write(fd, block, sizeof(block)), sizeof(block));
}

static void expect_pages_promised(int fd)
{
	long before = committed();
	char *p;

	OK(ftruncate(fd, 64 * MIB));
	expect_committed(before, 0);
	fill(fd, 32);
	expect_committed(before, 32);
	p = OK(mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	expect_committed(before, 32);
	memset(p + 32 * MIB, 1, 16 * MIB);
	expect_committed(before, 48);
	OK(munmap(p, 64 * MIB));
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 16 * MIB));
	expect_committed(before, 32);
	OK(fallocate(fd, 0, 0, 16 * MIB));
	expect_committed(before, 48);
	OK(close(fd));
	expect_committed(before, 0);
}

TEST(pages_of_a_memfd_are_promised_as_they_come)
{
	expect_pages_promised(OK(memfd_create("m", 0)));
}

TEST(pages_of_a_tmpfs_are_promised_as_they_come)
{
	int fd = new_file("f", O_RDWR, 0600);

	OK(unlink("f"));
	expect_pages_promised(fd);
}

TEST(shared_memory_that_nobody_could_have_is_ENOMEM)
{
	CHECK_ERR(map_shared(64 << 10, 0), ENOMEM);
	OK(munmap(OK(map_shared(64 << 10, MAP_NORESERVE)), (64l << 10) * MIB));
}

/* ---- strict mode ---- */

static void refuse_shared(void)
{
	CHECK_ERR(map_shared(300, 0), ENOMEM);
	CHECK_ERR(map_shared(300, MAP_NORESERVE), ENOMEM);
	OK(munmap(OK(map_shared(8, 0)), 8 * MIB));
}

static void fill_memfd(void)
{
	static char block[1 << 20];
	int fd = OK(memfd_create("m", 0)), err;
	struct gate full = gate_make();
	long got = 0, n;
	char *p;
	pid_t pid;

	OK(ftruncate(fd, 300 * MIB)); /* promises nothing */
	p = OK(mmap(NULL, 300 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	CHECK_ERR(fallocate(fd, 0, 0, 300 * MIB), ENOSPC);
	pid = FORK(); /* later there is no memory for it */
	if (!pid) {
		gate_wait(full);
		p[299 * MIB] = 1;
		_exit(0);
	}
	while ((n = write(fd, block, sizeof(block))) > 0)
		got += n;
	err = errno;
	gate_open(full);
	expect_signal(pid, SIGBUS);
	CHECK_EQ(n, -1);
	CHECK_EQ(err, ENOSPC);
	CHECK(got > 20 * MIB);
	CHECK(got < 120 * MIB);
}

static void strict_refuses_shared(void)
{
	with("vm/overcommit_memory", "2", refuse_shared);
}

static void strict_fills_memfd(void)
{
	with("vm/overcommit_memory", "2", fill_memfd);
}

TEST(strict_mode_counts_shared_memory)
{
	with("vm/overcommit_ratio", "20", strict_refuses_shared);
}

TEST(strict_mode_counts_pages_of_a_memfd)
{
	with("vm/overcommit_ratio", "20", strict_fills_memfd);
}
