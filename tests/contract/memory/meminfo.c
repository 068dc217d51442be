/* SPDX-License-Identifier: MIT */
/* Rows of /proc/meminfo about locked memory and 2 MiB pages. Linux counts them per CPU and sums
 * now and then, so what is tested is large and compared roughly. */
#include "contract.h"
#include <sys/prctl.h>

#define KIB   1024l
#define MIB   (1024 * KIB)
#define SIZE  (8 * MIB)
#define SLACK (1536 * KIB)
#define HUGE  (2 * MIB)

static long row_of(const char *path, const char *name)
{
	const char *text = read_text(path), *at = text;
	size_t len = strlen(name);
	long sum = -1;

	while (at) {
		if (!strncmp(at, name, len) && at[len] == ':')
			sum = (sum < 0 ? 0 : sum) + atol(at + len + 1) * KIB;
		at = strchr(at, '\n');
		if (at)
			at++;
	}
	if (sum < 0)
		FAIL("%s: expected a row %s, got none", path, name);
	return sum;
}

static long meminfo(const char *name)
{
	return row_of("/proc/meminfo", name);
}

#define CHECK_NEAR(got, expected)                                                                  \
	do {                                                                                       \
		long got_ = (got), exp_ = (expected);                                              \
		if (labs(got_ - exp_) > SLACK)                                                     \
			FAIL("%s: expected about %ld KiB, got %ld", #got, exp_ / KIB, got_ / KIB); \
	} while (0)

static char *anon(int share)
{
	return OK(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, share | MAP_ANONYMOUS, -1, 0));
}

TEST(mlock_shows_in_meminfo)
{
	long mlocked = meminfo("Mlocked"), unevictable = meminfo("Unevictable");
	char *p = anon(MAP_PRIVATE);

	OK(mlock(p, SIZE));
	CHECK_NEAR(meminfo("Mlocked") - mlocked, SIZE);
	CHECK_NEAR(meminfo("Unevictable") - unevictable, SIZE);
	OK(munlock(p, SIZE / 2));
	CHECK_NEAR(meminfo("Mlocked") - mlocked, SIZE / 2);
	OK(munmap(p, SIZE));
	CHECK_NEAR(meminfo("Mlocked") - mlocked, 0);
	CHECK_NEAR(meminfo("Unevictable") - unevictable, 0);
}

TEST(memory_locked_on_fault_counts_when_it_is_touched)
{
	long before = meminfo("Mlocked");
	char *p = anon(MAP_PRIVATE);

	OK(syscall(SYS_mlock2, p, SIZE, 1 /* MLOCK_ONFAULT */));
	CHECK_NEAR(meminfo("Mlocked") - before, 0);
	memset(p, 1, SIZE);
	CHECK_NEAR(meminfo("Mlocked") - before, SIZE);
	OK(munlock(p, SIZE));
	CHECK_NEAR(meminfo("Mlocked") - before, 0);
}

TEST(a_page_that_two_processes_lock_is_one_page)
{
	long before = meminfo("Mlocked");
	char *p = anon(MAP_SHARED);
	struct gate locked = gate_make(), done = gate_make();
	pid_t pid;

	OK(mlock(p, SIZE));
	pid = FORK();
	if (!pid) {
		OK(mlock(p, SIZE));
		gate_open(locked);
		gate_wait(done);
		_exit(0);
	}
	gate_wait(locked);
	CHECK_NEAR(meminfo("Mlocked") - before, SIZE);
	OK(munlock(p, SIZE));
	CHECK_NEAR(meminfo("Mlocked") - before, SIZE);
	gate_open(done);
	expect_exit(pid, 0);
	CHECK_NEAR(meminfo("Mlocked") - before, 0);
}

TEST(copies_of_locked_memory_are_locked_in_the_parent_only)
{
	long before = meminfo("Mlocked");
	char *p = anon(MAP_PRIVATE);
	pid_t pid;

	OK(mlock(p, SIZE));
	pid = FORK();
	if (!pid) {
		memset(p, 1, SIZE);
		CHECK_NEAR(meminfo("Mlocked") - before, SIZE);
		_exit(0);
	}
	memset(p, 2, SIZE);
	expect_exit(pid, 0);
	CHECK_NEAR(meminfo("Mlocked") - before, SIZE);
	OK(munmap(p, SIZE));
	CHECK_NEAR(meminfo("Mlocked") - before, 0);
}

TEST(truncation_takes_locked_pages_out_of_the_count)
{
	long before = meminfo("Mlocked");
	int fd = new_file("f", O_RDWR | O_CREAT, 0600);
	char *p;

	OK(ftruncate(fd, SIZE));
	p = OK(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	OK(mlock(p, SIZE));
	CHECK_NEAR(meminfo("Mlocked") - before, SIZE);
	OK(ftruncate(fd, 0));
	CHECK_NEAR(meminfo("Mlocked") - before, 0);
	OK(munmap(p, SIZE));
	CHECK_NEAR(meminfo("Mlocked") - before, 0);
}

TEST(an_exit_gives_locked_memory_back)
{
	long before = meminfo("Mlocked");
	pid_t pid = FORK();

	if (!pid) {
		char *p;

		anon(MAP_PRIVATE);
		OK(mlockall(MCL_CURRENT | MCL_FUTURE));
		p = anon(MAP_PRIVATE);
		CHECK(meminfo("Mlocked") - before > 2 * SIZE - SLACK);
		CHECK(mremap(p, SIZE, 2 * SIZE, MREMAP_MAYMOVE) != MAP_FAILED);
		CHECK(meminfo("Mlocked") - before > 3 * SIZE - SLACK);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_NEAR(meminfo("Mlocked") - before, 0);
}

/* ---- 2 MiB pages: small machines have none unless they are told to ---- */

#define POLICY "/sys/kernel/mm/transparent_hugepage/enabled"

static void with_huge_pages(void (*fn)(char *p))
{
	char was[16] = "never", *text = read_text(POLICY);
	pid_t pid;
	int st;

	CHECK_EQ(sscanf(strchr(text, '['), "[%15[^]]", was), 1);
	write_file(POLICY, "madvise");
	pid = FORK();
	if (!pid) {
		char *p = OK(mmap(NULL, 2 * SIZE + HUGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

		p = (char *)(((uintptr_t)p + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
		OK(madvise(p, 2 * SIZE, MADV_HUGEPAGE));
		fn(p);
		_exit(0);
	}
	st = wait_status(pid);
	write_file(POLICY, was);
	CHECK_EQ(st, 0);
}

static void show_in_meminfo(char *p)
{
	long before = meminfo("AnonHugePages");
	pid_t pid;

	memset(p, 1, 2 * SIZE);
	CHECK_NEAR(row_of("/proc/self/smaps", "AnonHugePages"), 2 * SIZE);
	CHECK_NEAR(meminfo("AnonHugePages") - before, 2 * SIZE);
	pid = FORK();
	if (!pid) {
		CHECK_NEAR(meminfo("AnonHugePages") - before, 2 * SIZE);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_NEAR(meminfo("AnonHugePages") - before, 2 * SIZE);
	/* Four of them get parts with rights of their own. */
	for (int i = 0; i < 4; i++)
		OK(mprotect(p + i * HUGE, page_size(), PROT_READ));
	CHECK_NEAR(meminfo("AnonHugePages") - before, 2 * SIZE - 4 * HUGE);
	OK(munmap(p, 2 * SIZE));
	CHECK_NEAR(meminfo("AnonHugePages") - before, 0);
}

TEST(two_mib_pages_show_in_meminfo)
{
	with_huge_pages(show_in_meminfo);
}

static void are_many(char *p)
{
	long before = meminfo("Mlocked");
	pid_t pid;

	memset(p, 1, 2 * SIZE);
	OK(mlock(p, 2 * SIZE));
	CHECK_NEAR(meminfo("Mlocked") - before, 2 * SIZE);
	OK(munlock(p, SIZE));
	CHECK_NEAR(meminfo("Mlocked") - before, SIZE);
	pid = FORK();
	if (!pid) {
		memset(p + SIZE, 2, SIZE);
		_exit(0);
	}
	expect_exit(pid, 0);
	memset(p + SIZE, 3, SIZE);
	CHECK_NEAR(meminfo("Mlocked") - before, SIZE);
	OK(munmap(p, 2 * SIZE));
	CHECK_NEAR(meminfo("Mlocked") - before, 0);
}

TEST(locked_two_mib_pages_are_512_locked_pages)
{
	with_huge_pages(are_many);
}

static void locked_before(char *p)
{
	long before = meminfo("Mlocked");

	OK(mlock(p, 2 * SIZE));
	CHECK_NEAR(meminfo("Mlocked") - before, 2 * SIZE);
	CHECK_NEAR(row_of("/proc/self/smaps", "AnonHugePages"), 2 * SIZE);
}

TEST(two_mib_pages_that_come_into_locked_memory_are_locked)
{
	long before = meminfo("Mlocked");

	with_huge_pages(locked_before);
	CHECK_NEAR(meminfo("Mlocked") - before, 0);
}

TEST(the_direct_map_covers_memory)
{
	CHECK(meminfo("DirectMap4k") + meminfo("DirectMap2M") > meminfo("MemTotal") / 2);
}

TEST(vmstat_has_the_rows_that_procps_reads)
{
	const char *text = read_text("/proc/vmstat");
	static const char *const rows[] = {"nr_mlock ", "nr_unevictable ", "pgpgin ", "pgpgout ",
		"pswpin ", "pswpout ", "nr_anon_transparent_hugepages "};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strstr(text, rows[i]))
			FAIL("/proc/vmstat: expected a row %s, got none", rows[i]);
}
