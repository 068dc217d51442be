/* SPDX-License-Identifier: MIT */
/* futex: every operation without priority inheritance. */
#include "contract.h"
#include <linux/futex.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

static int *g_shared; /* a page shared with children */

static long futex(int *word, int op, int val, void *timeout, int *word2, int val3)
{
	return syscall(SYS_futex, word, op, val, timeout, word2, val3);
}

static int *shared_page(void)
{
	return OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

/* A child that waits once on `word` and exits with 0 when woken, 1 on another result. */
static pid_t waiter(int *word, int op, int val, int val3)
{
	pid_t pid = FORK();

	if (!pid)
		_exit(futex(word, op, val, NULL, NULL, val3) ? 1 : 0);
	await_sleep(pid);
	return pid;
}

TEST(wait_with_another_value_is_EAGAIN)
{
	int word = 5;

	CHECK_ERR(futex(&word, FUTEX_WAIT, 4, NULL, NULL, 0), EAGAIN);
	CHECK_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 4, NULL, NULL, 0), EAGAIN);
}

TEST(wake_without_waiters_is_0)
{
	int word = 0;

	CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
}

TEST(wake_counts_the_woken_up_to_the_limit)
{
	pid_t pid[3];

	g_shared = shared_page();
	for (int i = 0; i < 3; i++)
		pid[i] = waiter(g_shared, FUTEX_WAIT, 0, 0);
	CHECK_EQ(futex(g_shared, FUTEX_WAKE, 2, NULL, NULL, 0), 2);
	CHECK_EQ(futex(g_shared, FUTEX_WAKE, 2, NULL, NULL, 0), 1);
	for (int i = 0; i < 3; i++)
		expect_exit(pid[i], 0);
}

TEST(wake_of_none_or_fewer_wakes_one)
{
	static const int counts[] = {0, -1};
	int other = 0;
	pid_t pid;

	g_shared = shared_page();
	for (int i = 0; i < 2; i++) {
		pid = waiter(g_shared, FUTEX_WAIT, 0, 0);
		CHECK_EQ(futex(g_shared, FUTEX_WAKE, counts[i], NULL, NULL, 0), 1);
		expect_exit(pid, 0);
	}
	pid = waiter(g_shared, FUTEX_WAIT, 0, 0);
	CHECK_EQ(futex(g_shared, FUTEX_WAKE_OP, 0, NULL, &other,
			 FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 5)),
		1);
	expect_exit(pid, 0);
}

TEST(relative_timeout)
{
	int word = 0;
	struct timespec ts = ts_of(20 * MSEC), bad = {-1, 0};
	long long start = now_ns(CLOCK_MONOTONIC);

	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, &ts, NULL, 0), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20 * MSEC);
	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
}

TEST(bitset_wait_takes_an_absolute_timeout)
{
	int word = 0;
	struct timespec ts = ts_of(now_ns(CLOCK_MONOTONIC) + 20 * MSEC), past = {0, 1};

	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 0, &ts, NULL, -1), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) >= ts.tv_sec * SEC + ts.tv_nsec);
	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 0, &past, NULL, -1), ETIMEDOUT);
	ts = ts_of(now_ns(CLOCK_REALTIME) + 20 * MSEC);
	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &ts, NULL, -1),
		ETIMEDOUT);
	CHECK(now_ns(CLOCK_REALTIME) >= ts.tv_sec * SEC + ts.tv_nsec);
}

TEST(bitset_wakes_only_matching_waiters)
{
	g_shared = shared_page();
	pid_t a = waiter(g_shared, FUTEX_WAIT_BITSET, 0, 1);
	pid_t b = waiter(g_shared, FUTEX_WAIT_BITSET, 0, 2);

	CHECK_EQ(futex(g_shared, FUTEX_WAKE_BITSET, 9, NULL, NULL, 4), 0);
	CHECK_EQ(futex(g_shared, FUTEX_WAKE_BITSET, 9, NULL, NULL, 2), 1);
	expect_exit(b, 0);
	CHECK_EQ(futex(g_shared, FUTEX_WAKE, 9, NULL, NULL, 0), 1);
	expect_exit(a, 0);
	CHECK_ERR(futex(g_shared, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(g_shared, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
}

TEST(requeue_moves_waiters_to_the_second_word)
{
	g_shared = shared_page();
	for (int i = 0; i < 4; i++)
		waiter(g_shared, FUTEX_WAIT, 0, 0);
	CHECK_EQ(futex(g_shared, FUTEX_REQUEUE, 1, (void *)2l, g_shared + 1, 0), 3);
	CHECK_EQ(futex(g_shared, FUTEX_WAKE, 9, NULL, NULL, 0), 1);
	CHECK_EQ(futex(g_shared + 1, FUTEX_WAKE, 9, NULL, NULL, 0), 2);
}

TEST(cmp_requeue_checks_the_value)
{
	g_shared = shared_page();
	g_shared[0] = 7;
	pid_t a = waiter(g_shared, FUTEX_WAIT, 7, 0), b = waiter(g_shared, FUTEX_WAIT, 7, 0);

	CHECK_ERR(futex(g_shared, FUTEX_CMP_REQUEUE, 1, (void *)1l, g_shared + 1, 8), EAGAIN);
	CHECK_EQ(futex(g_shared, FUTEX_CMP_REQUEUE, 1, (void *)1l, g_shared + 1, 7), 2);
	CHECK_EQ(futex(g_shared + 1, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	expect_exit(a, 0);
	expect_exit(b, 0);
}

TEST(wake_op_modifies_compares_and_wakes_both)
{
	g_shared = shared_page();
	g_shared[1] = 5;
	pid_t a = waiter(g_shared, FUTEX_WAIT, 0, 0), b = waiter(g_shared + 1, FUTEX_WAIT, 5, 0);

	/* word2 += 3; wake word2 too because it was 5 */
	CHECK_EQ(futex(g_shared, FUTEX_WAKE_OP, 1, (void *)1l, g_shared + 1,
			 FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)),
		2);
	CHECK_EQ(g_shared[1], 8);
	expect_exit(a, 0);
	expect_exit(b, 0);
	CHECK_EQ(futex(g_shared, FUTEX_WAKE_OP, 1, (void *)1l, g_shared + 1,
			 FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_LT, 0)),
		0);
	CHECK_EQ(g_shared[1], 1);
	futex(g_shared, FUTEX_WAKE_OP, 1, (void *)1l, g_shared + 1,
		FUTEX_OP(FUTEX_OP_OR, 6, FUTEX_OP_CMP_EQ, 0));
	CHECK_EQ(g_shared[1], 7);
	futex(g_shared, FUTEX_WAKE_OP, 1, (void *)1l, g_shared + 1,
		FUTEX_OP(FUTEX_OP_ANDN, 2, FUTEX_OP_CMP_EQ, 0));
	CHECK_EQ(g_shared[1], 5);
	futex(g_shared, FUTEX_WAKE_OP, 1, (void *)1l, g_shared + 1,
		FUTEX_OP(FUTEX_OP_XOR, 15, FUTEX_OP_CMP_EQ, 0));
	CHECK_EQ(g_shared[1], 10);
}

TEST(shared_futex_in_a_file_mapping_is_found_by_the_file)
{
	int fd = new_file("f", O_RDWR, 0600);

	OK(ftruncate(fd, 8192));
	int *a = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	int *b = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096));
	pid_t pid = waiter(a + 1024, FUTEX_WAIT, 0, 0);
	CHECK_EQ(futex(b, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	expect_exit(pid, 0);
}

TEST(private_futex_is_not_shared_after_fork)
{
	int *word = shared_page();
	pid_t pid = waiter(word, FUTEX_WAIT_PRIVATE, 0, 0);

	CHECK_EQ(futex(word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
}

TEST(bad_arguments)
{
	int word[2] = {0, 0};

	CHECK_ERR(futex((int *)((char *)word + 1), FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex((int *)((char *)word + 2), FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(NULL, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERR(futex((int *)0x1000, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERR(futex((int *)0x1000, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	CHECK_EQ(futex((int *)0x1000, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
	CHECK_ERR(futex(KERNEL_PTR, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERR(futex(word, 99, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(futex(word, FUTEX_WAIT, 0, BAD_PTR, NULL, 0), EFAULT);
	CHECK_ERR(futex(word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
}

/* Nobody can change such a word: not found between processes, but by its address within one. */
TEST(shared_operations_on_read_only_anonymous_memory_are_EFAULT)
{
	int *page = OK(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	int *untouched = OK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	int *ro[] = {page, untouched}, word = 0;

	*page = 0;
	OK(mprotect(page, 4096, PROT_READ));
	for (int i = 0; i < 2; i++) {
		struct timespec ts = ts_of(MSEC);

		CHECK_ERR(futex(ro[i], FUTEX_WAIT, 0, &ts, NULL, 0), EFAULT);
		CHECK_ERR(futex(ro[i], FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
		CHECK_ERR(futex(ro[i], FUTEX_REQUEUE, 1, (void *)1, &word, 0), EFAULT);
		CHECK_ERR(futex(&word, FUTEX_REQUEUE, 1, (void *)1, ro[i], 0), EFAULT);
		CHECK_ERR(futex(ro[i], FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0), ETIMEDOUT);
		CHECK_EQ(futex(ro[i], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
	}
}

TEST(a_read_only_private_file_mapping_is_found_by_the_file)
{
	int fd = new_file("f", O_RDWR, 0600);

	OK(ftruncate(fd, 4096));
	int *shared = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	int *private = OK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
	pid_t pid = waiter(private, FUTEX_WAIT, 0, 0);
	CHECK_EQ(futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	expect_exit(pid, 0);
}

TEST(waitv_waits_for_any_of_several)
{
	struct futex_waitv w[2] = {0};
	pid_t parent = getpid();

	g_shared = shared_page();
	for (int i = 0; i < 2; i++) {
		w[i].uaddr = (uintptr_t)(g_shared + i);
		w[i].flags = FUTEX_32;
	}
	if (!FORK()) {
		await_sleep(parent);
		CHECK_EQ(futex(g_shared + 1, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
		_exit(0);
	}
	CHECK_EQ(syscall(SYS_futex_waitv, w, 2, 0, NULL, 0), 1);
	w[0].val = 9;
	CHECK_ERR(syscall(SYS_futex_waitv, w, 2, 0, NULL, 0), EAGAIN);
	CHECK_ERR(syscall(SYS_futex_waitv, w, 0, 0, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_futex_waitv, w, 2, 1, NULL, 0), EINVAL);
}

static volatile int g_word;

static void *bump(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2000; i++) {
		__atomic_fetch_add(&g_word, 1, __ATOMIC_SEQ_CST);
		futex((int *)&g_word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	}
	return NULL;
}

TEST(no_wake_is_lost_between_threads)
{
	pthread_t t[3];
	int seen;

	for (int i = 0; i < 3; i++)
		CHECK_PT(pthread_create(&t[i], NULL, bump, NULL));
	while ((seen = __atomic_load_n(&g_word, __ATOMIC_SEQ_CST)) < 6000)
		futex((int *)&g_word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
	for (int i = 0; i < 3; i++)
		CHECK_PT(pthread_join(t[i], NULL));
}

static uint32_t g_two_ways;

static void *wait_shortly(void *op)
{
	struct timespec ts = {0, 300000000};

	return (void *)(syscall(SYS_futex, &g_two_ways, (int)(intptr_t)op, 0, &ts) ? (intptr_t)errno
										   : 0);
}

TEST(shared_and_private_operations_dont_meet)
{
	int ops[][2] = {{FUTEX_WAIT, FUTEX_WAKE_PRIVATE}, {FUTEX_WAIT_PRIVATE, FUTEX_WAKE}};
	pthread_t t;
	void *result;

	for (int i = 0; i < 2; i++) {
		CHECK_PT(pthread_create(&t, NULL, wait_shortly, (void *)(intptr_t)ops[i][0]));
		sleep_ns(100000000);
		CHECK_EQ(syscall(SYS_futex, &g_two_ways, ops[i][1], 1), 0);
		CHECK_PT(pthread_join(t, &result));
		CHECK_EQ((intptr_t)result, ETIMEDOUT);
	}
}
