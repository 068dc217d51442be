/* SPDX-License-Identifier: MIT */
/* Mappings: placing, protecting, moving and removing them. */
#include "contract.h"
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#include <setjmp.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define PAGE 4096ul

static sigjmp_buf g_jump;
static siginfo_t g_info;

static void jump_out(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	g_info = *si;
	siglongjmp(g_jump, 1);
}

static void catch_faults(void)
{
	struct sigaction sa = {.sa_sigaction = jump_out, .sa_flags = SA_SIGINFO};

	OK(sigaction(SIGSEGV, &sa, NULL));
	OK(sigaction(SIGBUS, &sa, NULL));
}

/* Signal that touching the byte gives, or 0. */
static int touch(volatile char *p, bool write)
{
	memset(&g_info, 0, sizeof(g_info));
	if (sigsetjmp(g_jump, 1))
		return g_info.si_signo;
	if (write)
		*p = 1;
	else
		(void)*p;
	return 0;
}

static char *map(size_t pages, int prot, int flags)
{
	return OK(mmap(NULL, pages * PAGE, prot, flags | MAP_ANONYMOUS, -1, 0));
}

#define RW (PROT_READ | PROT_WRITE)

TEST(anonymous_memory_is_zero_and_writable)
{
	char *p = map(4, RW, MAP_PRIVATE);

	for (size_t i = 0; i < 4 * PAGE; i += 512)
		CHECK_EQ(p[i], 0);
	memset(p, 7, 4 * PAGE);
	CHECK_EQ(p[4 * PAGE - 1], 7);
}

TEST(mmap_32bit_ignores_a_hint_that_wraps)
{
	char *p = OK(mmap((void *)0xfffffffffff00000, 0x101000, RW,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));

	CHECK((uintptr_t)p + 0x101000 <= 0x80000000);
	p[0x100fff] = 1;
	OK(munmap(p, 0x101000));
}

TEST(mmap_rejects_bad_arguments)
{
	int fd = new_file("f", O_RDWR, 0600), ro = OK(open("f", O_RDONLY)),
	    wo = OK(open("f", O_WRONLY));

	OK(ftruncate(fd, PAGE));
	CHECK_ERR(mmap(NULL, 0, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERR(syscall(SYS_mmap, NULL, PAGE, RW, MAP_PRIVATE, fd, 100), EINVAL);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, 99, 0), EBADF);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, ro, 0), EACCES);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, wo, 0), EACCES);
	OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, ro, 0));
	CHECK_ERR(
		mmap((void *)1, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERR(mmap(NULL, 1ul << 62, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK_ERR(mmap((void *)(1ul << 56), 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			  -1, 0),
		ENOMEM);
	int p[2];
	OK(pipe(p));
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, p[0], 0), ENODEV);
	int dir = OK(open(".", O_RDONLY));
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0), ENODEV);
}

TEST(hint_is_used_when_free_and_rounded)
{
	char *p = map(4, RW, MAP_PRIVATE);

	OK(munmap(p, 4 * PAGE));
	CHECK(mmap(p + 100, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == p);
	char *q = OK(mmap(p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK(q != p);
}

TEST(MAP_FIXED_replaces_what_was_there)
{
	char *p = map(3, RW, MAP_PRIVATE);

	memset(p, 1, 3 * PAGE);
	CHECK(mmap(p + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + PAGE);
	CHECK_EQ(p[0], 1);
	CHECK_EQ(p[PAGE], 0);
	CHECK_EQ(p[2 * PAGE], 1);
}

TEST(MAP_FIXED_NOREPLACE_is_EEXIST_on_overlap)
{
	char *p = map(2, RW, MAP_PRIVATE);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

	CHECK_ERR(mmap(p + PAGE, PAGE, RW, flags, -1, 0), EEXIST);
	OK(munmap(p + PAGE, PAGE));
	CHECK(mmap(p + PAGE, PAGE, RW, flags, -1, 0) == p + PAGE);
}

TEST(munmap_in_the_middle_splits)
{
	char *p = map(3, RW, MAP_PRIVATE);

	catch_faults();
	memset(p, 1, 3 * PAGE);
	OK(munmap(p + PAGE, PAGE));
	CHECK_EQ(touch(p, true), 0);
	CHECK_EQ(touch(p + PAGE, false), SIGSEGV);
	CHECK_EQ(g_info.si_code, SEGV_MAPERR);
	CHECK_EQ(touch(p + 2 * PAGE, true), 0);
	OK(munmap(p, 3 * PAGE));
	OK(munmap(p, 3 * PAGE));
	CHECK_ERR(munmap(p + 1, PAGE), EINVAL);
	CHECK_ERR(munmap(p, 0), EINVAL);
}

TEST(mprotect_changes_access)
{
	char *p = map(3, RW, MAP_PRIVATE);

	catch_faults();
	memset(p, 5, 3 * PAGE);
	OK(mprotect(p + PAGE, PAGE, PROT_READ));
	CHECK_EQ(touch(p + PAGE, true), SIGSEGV);
	CHECK_EQ(g_info.si_code, SEGV_ACCERR);
	CHECK_EQ(touch(p + PAGE, false), 0);
	OK(mprotect(p + PAGE, PAGE, PROT_NONE));
	CHECK_EQ(touch(p + PAGE + 9, false), SIGSEGV);
	CHECK_EQ(g_info.si_code, SEGV_ACCERR);
	CHECK(g_info.si_addr == p + PAGE + 9);
	OK(mprotect(p, 3 * PAGE, RW));
	CHECK_EQ(p[PAGE], 5);
	CHECK_EQ(touch(p + PAGE, true), 0);
}

TEST(mprotect_errors)
{
	char *p = map(3, RW, MAP_PRIVATE);
	int fd = new_file("f", O_RDWR, 0600), ro = OK(open("f", O_RDONLY));

	CHECK_ERR(syscall(SYS_mprotect, p + 1, PAGE, PROT_READ), EINVAL);
	OK(mprotect(p, 0, PROT_READ));
	OK(munmap(p + PAGE, PAGE));
	CHECK_ERR(mprotect(p, 3 * PAGE, PROT_READ), ENOMEM);
	CHECK_ERR(mprotect(p, PAGE, 0x1000), EINVAL);
	OK(ftruncate(fd, PAGE));
	char *q = OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0));
	CHECK_ERR(mprotect(q, PAGE, RW), EACCES);
}

TEST(code_page_needs_PROT_EXEC)
{
	char *p = map(1, RW, MAP_PRIVATE);

	catch_faults();
	p[0] = (char)0xc3; /* ret */
	if (!sigsetjmp(g_jump, 1))
		((void (*)(void))p)();
	CHECK_EQ(g_info.si_signo, SIGSEGV);
	CHECK_EQ(g_info.si_code, SEGV_ACCERR);
	OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	((void (*)(void))p)();
}

TEST(private_file_mapping_is_copy_on_write)
{
	int fd = new_file("f", O_RDWR, 0600);
	char c;

	CHECK_EQ(write(fd, "original", 8), 8);
	char *p = OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0));
	p[0] = 'X';
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'o');
	CHECK_EQ(p[1], 'r');
	CHECK_EQ(p[8], 0);
}

TEST(shared_file_mapping_is_the_file)
{
	int fd = new_file("f", O_RDWR, 0600);
	char buf[8] = "";

	OK(ftruncate(fd, PAGE));
	char *p = OK(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
	OK(close(fd));
	strcpy(p, "mapped");
	fd = OK(open("f", O_RDWR));
	CHECK_EQ(read(fd, buf, 6), 6);
	CHECK_STR(buf, "mapped");
	CHECK_EQ(pwrite(fd, "M", 1, 0), 1);
	CHECK_EQ(p[0], 'M');
	OK(msync(p, PAGE, MS_SYNC));
}

TEST(access_past_the_end_of_file_is_SIGBUS)
{
	int fd = new_file("f", O_RDWR, 0600);

	catch_faults();
	CHECK_EQ(write(fd, "abc", 3), 3);
	char *p = OK(mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0));
	CHECK_EQ(touch(p + 100, false), 0);
	CHECK_EQ(touch(p + PAGE, false), SIGBUS);
	CHECK_EQ(g_info.si_code, BUS_ADRERR);
	CHECK(g_info.si_addr == p + PAGE);
	OK(ftruncate(fd, 2 * PAGE));
	CHECK_EQ(touch(p + PAGE, true), 0);
	OK(ftruncate(fd, 0));
	CHECK_EQ(touch(p, false), SIGBUS);
}

TEST(truncate_clears_the_tail_of_a_mapped_page)
{
	int fd = new_file("f", O_RDWR, 0600);

	OK(ftruncate(fd, PAGE));
	char *p = OK(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
	memset(p, 'x', PAGE);
	OK(ftruncate(fd, 10));
	OK(ftruncate(fd, PAGE));
	CHECK_EQ(p[9], 'x');
	CHECK_EQ(p[10], 0);
	CHECK_EQ(p[PAGE - 1], 0);
}

TEST(shared_anonymous_memory_crosses_fork)
{
	volatile int *p = (void *)map(1, RW, MAP_SHARED);
	pid_t pid = FORK();

	if (!pid) {
		*p = 12;
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(*p, 12);
}

TEST(fork_copies_private_memory_both_ways)
{
	volatile char *p = map(16, RW, MAP_PRIVATE);
	struct gate go = gate_make(), done = gate_make();

	memset((char *)p, 1, 16 * PAGE);
	pid_t pid = FORK();
	if (!pid) {
		gate_wait(go);
		for (int i = 0; i < 16; i++)
			CHECK_EQ(p[i * PAGE], 1);
		memset((char *)p, 3, 16 * PAGE);
		gate_open(done);
		_exit(0);
	}
	memset((char *)p, 2, 16 * PAGE);
	gate_open(go);
	gate_wait(done);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(p[i * PAGE], 2);
	expect_exit(pid, 0);
}

TEST(system_call_into_copy_on_write_memory_copies)
{
	char *p = map(1, RW, MAP_PRIVATE);
	int pp[2];

	OK(pipe(pp));
	strcpy(p, "parent");
	pid_t pid = FORK();
	if (!pid) {
		CHECK_EQ(write(pp[1], "child", 6), 6);
		CHECK_EQ(read(pp[0], p, 6), 6);
		CHECK_STR(p, "child");
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_STR(p, "parent");
}

TEST(mremap_grows_shrinks_and_moves)
{
	char *p = map(2, RW, MAP_PRIVATE), *q;

	catch_faults();
	memset(p, 4, 2 * PAGE);
	q = OK(mremap(p, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE));
	CHECK_EQ(q[2 * PAGE - 1], 4);
	CHECK_EQ(q[2 * PAGE], 0);
	CHECK(mremap(q, 64 * PAGE, PAGE, 0) == q);
	CHECK_EQ(touch(q + PAGE, false), SIGSEGV);
	char *target = map(4, RW, MAP_PRIVATE);
	CHECK(mremap(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + PAGE) == target + PAGE);
	CHECK_EQ(target[PAGE], 4);
	CHECK_EQ(touch(q, false), SIGSEGV);
}

TEST(mremap_errors)
{
	char *p = map(4, RW, MAP_PRIVATE);

	CHECK_ERR(mremap(p, PAGE, 8 * PAGE, 0), ENOMEM);
	CHECK_ERR(mremap(p + 1, PAGE, PAGE, 0), EINVAL);
	CHECK_ERR(mremap(p, PAGE, 0, 0), EINVAL);
	CHECK_ERR(mremap(p, PAGE, PAGE, 0x100), EINVAL);
	CHECK_ERR(mremap(p, PAGE, PAGE, MREMAP_FIXED, p + PAGE), EINVAL);
	CHECK_ERR(mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE), EINVAL);
	OK(munmap(p, 4 * PAGE));
	CHECK_ERR(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
}

TEST(mremap_of_size_0_duplicates_a_shared_mapping)
{
	char *p = map(1, RW, MAP_SHARED);
	char *q = OK(mremap(p, 0, PAGE, MREMAP_MAYMOVE));

	CHECK(p != q);
	p[3] = 9;
	CHECK_EQ(q[3], 9);
	char *r = map(1, RW, MAP_PRIVATE);
	CHECK_ERR(mremap(r, 0, PAGE, MREMAP_MAYMOVE), EINVAL);
}

TEST(mremap_DONTUNMAP_leaves_an_empty_mapping)
{
	char *p = map(1, RW, MAP_PRIVATE);

	p[0] = 6;
	char *q = OK(mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | 4 /* MREMAP_DONTUNMAP */, NULL));
	CHECK_EQ(q[0], 6);
	CHECK_EQ(p[0], 0);
}

TEST(brk_grows_and_shrinks)
{
	char *start = (void *)syscall(SYS_brk, 0);

	catch_faults();
	CHECK((char *)syscall(SYS_brk, start + 3 * PAGE) == start + 3 * PAGE);
	memset(start, 1, 3 * PAGE);
	CHECK((char *)syscall(SYS_brk, start + 10) == start + 10);
	char *page = (char *)(((uintptr_t)start + 10 + PAGE - 1) & -PAGE);
	CHECK_EQ(touch(page + PAGE, false), SIGSEGV);
	CHECK((char *)syscall(SYS_brk, start + 3 * PAGE) == start + 3 * PAGE);
	CHECK_EQ(page[PAGE], 0);
	CHECK((char *)syscall(SYS_brk, 1) == start + 3 * PAGE);
}

TEST(madvise_DONTNEED_gives_zeroes_again)
{
	char *p = map(2, RW, MAP_PRIVATE);

	memset(p, 1, 2 * PAGE);
	OK(madvise(p, PAGE, MADV_DONTNEED));
	CHECK_EQ(p[0], 0);
	CHECK_EQ(p[PAGE], 1);
	CHECK_ERR(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_ERR(madvise(p, PAGE, 9999), EINVAL);
	OK(munmap(p + PAGE, PAGE));
	CHECK_ERR(madvise(p, 2 * PAGE, MADV_DONTNEED), ENOMEM);
}

TEST(madvise_DONTFORK_and_WIPEONFORK)
{
	char *p = map(2, RW, MAP_PRIVATE);

	memset(p, 8, 2 * PAGE);
	OK(madvise(p, PAGE, MADV_DONTFORK));
	OK(madvise(p + PAGE, PAGE, MADV_WIPEONFORK));
	pid_t pid = FORK();
	if (!pid) {
		catch_faults();
		CHECK_EQ(touch(p, false), SIGSEGV);
		CHECK_EQ(p[PAGE], 0);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(p[PAGE], 8);
}

TEST(madvise_REMOVE_punches_a_hole_in_shared_memory)
{
	char *p = map(2, RW, MAP_SHARED);

	memset(p, 8, 2 * PAGE);
	OK(madvise(p, PAGE, MADV_REMOVE));
	CHECK_EQ(p[0], 0);
	CHECK_EQ(p[PAGE], 8);
}

TEST(mincore_shows_touched_pages)
{
	char *p = map(3, RW, MAP_PRIVATE);
	unsigned char vec[3];

	p[PAGE] = 1;
	OK(mincore(p, 3 * PAGE, vec));
	CHECK_EQ(vec[0] & 1, 0);
	CHECK_EQ(vec[1] & 1, 1);
	CHECK_EQ(vec[2] & 1, 0);
	CHECK_ERR(mincore(p + 1, PAGE, vec), EINVAL);
	CHECK_ERR(mincore(p, PAGE, BAD_PTR), EFAULT);
	OK(munmap(p, 3 * PAGE));
	CHECK_ERR(mincore(p, PAGE, vec), ENOMEM);
}

TEST(MAP_POPULATE_and_mlock_make_pages_resident)
{
	unsigned char vec[2];
	char *p = map(2, RW, MAP_PRIVATE | MAP_POPULATE), *q = map(2, RW, MAP_PRIVATE);

	OK(mincore(p, 2 * PAGE, vec));
	CHECK_EQ(vec[0] & vec[1] & 1, 1);
	OK(mlock(q, 2 * PAGE));
	OK(mincore(q, 2 * PAGE, vec));
	CHECK_EQ(vec[0] & vec[1] & 1, 1);
	OK(munlock(q, 2 * PAGE));
	OK(munmap(q, PAGE));
	CHECK_ERR(mlock(q, 2 * PAGE), ENOMEM);
}

TEST(mlock_limit_applies_to_users)
{
	pid_t pid = FORK();

	if (!pid) {
		struct rlimit rl = {2 * PAGE, 2 * PAGE};
		char *p = map(4, RW, MAP_PRIVATE);

		OK(setrlimit(RLIMIT_MEMLOCK, &rl));
		become_user(1000, 1000);
		OK(mlock(p, 2 * PAGE));
		CHECK_ERR(mlock(p, 4 * PAGE), ENOMEM);
		rl.rlim_cur = 0;
		OK(setrlimit(RLIMIT_MEMLOCK, &rl));
		CHECK_ERR(mlock(p, PAGE), EPERM);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(msync_errors)
{
	char *p = map(2, RW, MAP_PRIVATE);

	CHECK_ERR(msync(p + 1, PAGE, MS_SYNC), EINVAL);
	CHECK_ERR(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERR(msync(p, PAGE, 0x80), EINVAL);
	OK(munmap(p + PAGE, PAGE));
	CHECK_ERR(msync(p, 2 * PAGE, MS_SYNC), ENOMEM);
}

static void __attribute__((noinline)) use_stack(size_t left)
{
	volatile char frame[4096];

	frame[0] = 1;
	if (left > sizeof(frame))
		use_stack(left - sizeof(frame));
	frame[1] = 0;
}

TEST(stack_grows_on_demand_up_to_the_limit)
{
	use_stack(4 << 20);
}

TEST(MAP_GROWSDOWN_grows_on_a_fault_below)
{
	/* Room below, then a one-page mapping that may grow into it. */
	char *room = map(300, PROT_NONE, MAP_PRIVATE);
	OK(munmap(room, 300 * PAGE));
	char *p = OK(mmap(room + 299 * PAGE, PAGE, RW,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0));
	catch_faults();
	CHECK_EQ(touch(p - 100, true), 0);
	CHECK_EQ(p[-100], 1);
}

TEST(process_vm_readv_needs_PROT_READ_and_a_page_of_the_file)
{
	static const int prots[] = {PROT_NONE, PROT_WRITE, PROT_EXEC, PROT_WRITE | PROT_EXEC};
	char buf[64];
	struct iovec local = {buf, sizeof(buf)}, remote = {NULL, sizeof(buf)};
	int fd = OK(memfd_create("short", 0));

	for (size_t i = 0; i < sizeof(prots) / sizeof(prots[0]); i++) {
		remote.iov_base = map(1, prots[i], MAP_PRIVATE);
		CHECK_ERR(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), EFAULT);
		CHECK_ERR(madvise(remote.iov_base, PAGE, MADV_POPULATE_READ), EINVAL);
		OK(munmap(remote.iov_base, PAGE));
	}
	OK(ftruncate(fd, 100));
	char *p = OK(mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0));
	remote.iov_base = p + PAGE;
	CHECK_ERR(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), EFAULT);
	CHECK_ERR(process_vm_writev(getpid(), &local, 1, &remote, 1, 0), EFAULT);
	OK(close(fd));
}

TEST(process_vm_readv_and_writev)
{
	char *p = map(1, RW, MAP_PRIVATE);
	struct gate go = gate_make();
	char buf[8] = "";

	strcpy(p, "childs");
	pid_t pid = FORK();
	if (!pid) {
		gate_wait(go);
		_exit(p[0] == 'X' ? 0 : 1);
	}
	strcpy(p, "mine");
	struct iovec local = {buf, 6}, remote = {p, 6};
	CHECK_EQ(process_vm_readv(pid, &local, 1, &remote, 1, 0), 6);
	CHECK_STR(buf, "childs");
	buf[0] = 'X';
	CHECK_EQ(process_vm_writev(pid, &local, 1, &remote, 1, 0), 6);
	remote.iov_base = BAD_PTR;
	CHECK_ERR(process_vm_readv(pid, &local, 1, &remote, 1, 0), EFAULT);
	gate_open(go);
	expect_exit(pid, 0);
}

TEST(large_sparse_mapping_costs_nothing)
{
	size_t size = 1ul << 36;
	char *p = OK(mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));

	p[0] = 1;
	p[size / 2] = 2;
	p[size - 1] = 3;
	CHECK_EQ(p[size / 2], 2);
	OK(munmap(p, size));
}

TEST(many_small_mappings)
{
	char *base = map(2000, RW, MAP_PRIVATE);

	for (int i = 0; i < 2000; i += 2)
		OK(mprotect(base + i * PAGE, PAGE, PROT_READ));
	for (int i = 1; i < 2000; i += 2)
		base[i * PAGE] = 1;
	OK(munmap(base, 2000 * PAGE));
}

static volatile bool g_stop;

static void *reader(void *arg)
{
	volatile char *p = arg;

	while (!g_stop)
		for (int i = 0; i < 16; i++)
			CHECK(p[i * PAGE] != 9);
	return NULL;
}

TEST(threads_see_remaps_at_once)
{
	char *p = map(16, RW, MAP_PRIVATE);
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_create(&t[i], NULL, reader, p));
	for (int i = 0; i < 200; i++)
		CHECK(mmap(p, 16 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
	g_stop = true;
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_join(t[i], NULL));
}

/* Regions that become one while advice goes over them are no holes. */
TEST(madvise_joins_regions_on_its_way)
{
	const size_t page = 4096;
	char *p = OK(
		mmap(NULL, 8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	OK(madvise(p + 4 * page, 2 * page, MADV_DONTFORK));
	OK(madvise(p, 8 * page, MADV_DONTFORK));
	OK(madvise(p + 2 * page, page, MADV_DOFORK));
	OK(madvise(p, 5 * page, MADV_DOFORK));
	OK(madvise(p, 8 * page, MADV_DOFORK));
	OK(munmap(p, 8 * page));
}
