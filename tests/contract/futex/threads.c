/* SPDX-License-Identifier: MIT */
/* Threads: joining, robust locks, thread-local state, rseq, membarrier. */
#include "contract.h"
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/rseq.h>
#include <asm/prctl.h>

static void *add_one(void *arg)
{
	__atomic_fetch_add((int *)arg, 1, __ATOMIC_SEQ_CST);
	return arg;
}

TEST(fifty_threads_start_and_join)
{
	pthread_t t[50];
	int n = 0;
	void *ret;

	for (int i = 0; i < 50; i++)
		CHECK_PT(pthread_create(&t[i], NULL, add_one, &n));
	for (int i = 0; i < 50; i++) {
		CHECK_PT(pthread_join(t[i], &ret));
		CHECK(ret == &n);
	}
	CHECK_EQ(n, 50);
}

static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_cond = PTHREAD_COND_INITIALIZER;
static long g_sum;

static void *locked_adds(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5000; i++) {
		pthread_mutex_lock(&g_mutex);
		g_sum++;
		pthread_mutex_unlock(&g_mutex);
	}
	return NULL;
}

TEST(mutex_excludes)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK_PT(pthread_create(&t[i], NULL, locked_adds, NULL));
	for (int i = 0; i < 4; i++)
		CHECK_PT(pthread_join(t[i], NULL));
	CHECK_EQ(g_sum, 20000);
}

static void *ping_pong(void *arg)
{
	long me = (long)arg;

	for (int i = 0; i < 300; i++) {
		pthread_mutex_lock(&g_mutex);
		while (g_sum % 2 != me)
			pthread_cond_wait(&g_cond, &g_mutex);
		g_sum++;
		pthread_cond_broadcast(&g_cond);
		pthread_mutex_unlock(&g_mutex);
	}
	return NULL;
}

TEST(condition_variables_alternate)
{
	pthread_t t;

	CHECK_PT(pthread_create(&t, NULL, ping_pong, (void *)1l));
	ping_pong((void *)0l);
	CHECK_PT(pthread_join(t, NULL));
	CHECK_EQ(g_sum, 600);
}

static void *exit_holding(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

TEST(robust_mutex_of_a_dead_thread_is_EOWNERDEAD)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t m;
	pthread_t t;

	CHECK_PT(pthread_mutexattr_init(&attr));
	CHECK_PT(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
	CHECK_PT(pthread_mutex_init(&m, &attr));
	CHECK_PT(pthread_create(&t, NULL, exit_holding, &m));
	CHECK_PT(pthread_join(t, NULL));
	CHECK_EQ(pthread_mutex_lock(&m), EOWNERDEAD);
	CHECK_PT(pthread_mutex_consistent(&m));
	CHECK_PT(pthread_mutex_unlock(&m));
	CHECK_PT(pthread_mutex_lock(&m));
}

TEST(robust_mutex_of_a_killed_process_is_EOWNERDEAD)
{
	pthread_mutexattr_t attr;
	struct gate g = gate_make();
	pthread_mutex_t *m = OK(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));

	CHECK_PT(pthread_mutexattr_init(&attr));
	CHECK_PT(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
	CHECK_PT(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED));
	CHECK_PT(pthread_mutex_init(m, &attr));
	pid_t pid = FORK();
	if (!pid) {
		pthread_mutex_lock(m);
		gate_open(g);
		for (;;)
			pause();
	}
	gate_wait(g);
	OK(kill(pid, SIGKILL));
	CHECK_EQ(pthread_mutex_lock(m), EOWNERDEAD);
}

TEST(raw_robust_list_sets_OWNER_DIED_and_wakes)
{
	struct node {
		struct robust_list_head head;
		struct robust_list entry;
		int word;
	} *n = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t pid = FORK();

	if (!pid) {
		n->head.list.next = &n->entry;
		n->entry.next = &n->head.list;
		n->head.futex_offset = (char *)&n->word - (char *)&n->entry;
		n->word = gettid_raw() | (int)FUTEX_WAITERS;
		OK(syscall(SYS_set_robust_list, &n->head, sizeof(n->head)));
		syscall(SYS_exit, 0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(n->word, (int)(FUTEX_OWNER_DIED | FUTEX_WAITERS));
	CHECK_ERR(syscall(SYS_set_robust_list, &n->head, 8), EINVAL);
}

TEST(get_robust_list_returns_what_was_set)
{
	struct robust_list_head head = {.list = {&head.list}}, *got;
	size_t len;

	OK(syscall(SYS_set_robust_list, &head, sizeof(head)));
	OK(syscall(SYS_get_robust_list, 0, &got, &len));
	CHECK(got == &head);
	CHECK_EQ(len, sizeof(head));
	CHECK_ERR(syscall(SYS_get_robust_list, 0x3ffffff, &got, &len), ESRCH);
}

TEST(set_tid_address_returns_the_tid)
{
	static int word;

	CHECK_EQ(syscall(SYS_set_tid_address, &word), gettid_raw());
}

TEST(tid_address_is_cleared_at_exit_and_woken)
{
	int *word = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));

	*word = 1;
	pid_t pid = FORK();
	if (!pid) {
		syscall(SYS_set_tid_address, word);
		_exit(0);
	}
	expect_exit(pid, 0);
	/* Only cleared when the memory is still shared by another thread: here it is not. */
	CHECK_EQ(*word, 1);
}

TEST(fs_and_gs_base_are_per_thread_and_survive_fork)
{
	unsigned long fs = 0, gs = 0;

	OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
	CHECK(fs != 0);
	OK(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x123456789000ul));
	pid_t pid = FORK();
	if (!pid) {
		OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
		CHECK_EQ(gs, 0x123456789000ul);
		_exit(0);
	}
	expect_exit(pid, 0);
	sched_yield();
	OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
	CHECK_EQ(gs, 0x123456789000ul);
	CHECK_ERR(syscall(SYS_arch_prctl, ARCH_SET_GS, 0xffff800000000000ul), EPERM);
	CHECK_ERR(syscall(SYS_arch_prctl, 0x9999, 0), EINVAL);
}

TEST(membarrier_private_expedited_needs_registration)
{
	long all = OK(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0));

	CHECK(all & MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
	OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	OK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	OK(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
	CHECK_ERR(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 1, 0), EINVAL);
}

static int g_stop; /* atomic */

static void *spin_until_stopped(void *arg)
{
	while (!__atomic_load_n(&g_stop, __ATOMIC_SEQ_CST))
		;
	return arg;
}

/* All expedited commands, also while other threads run on other CPUs. */
TEST(membarrier_carries_out_what_it_offers)
{
	static const struct {
		int reg, cmd;
	} cmds[] = {
		{MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, MEMBARRIER_CMD_GLOBAL_EXPEDITED},
		{MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED},
		{MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
			MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE},
		{MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ,
			MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ},
	};
	long all = OK(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0));
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		CHECK_PT(pthread_create(&t[i], NULL, spin_until_stopped, NULL));
	for (unsigned i = 0; i < sizeof(cmds) / sizeof(*cmds); i++) {
		if (!(all & cmds[i].cmd))
			FAIL("command %d: expected to be offered, got %#lx", cmds[i].cmd, all);
		OK(syscall(SYS_membarrier, cmds[i].reg, 0, 0));
		for (int n = 0; n < 50; n++)
			CHECK_EQ(syscall(SYS_membarrier, cmds[i].cmd, 0, 0), 0);
	}
	__atomic_store_n(&g_stop, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 3; i++)
		CHECK_PT(pthread_join(t[i], NULL));
}

static struct rseq g_rseq __attribute__((aligned(32)));

static void *use_rseq(void *arg)
{
	(void)arg;
	/* glibc may have registered its own area: then ours is refused with EINVAL. */
	if (syscall(SYS_rseq, &g_rseq, sizeof(g_rseq), 0, 0x53053053)) {
		CHECK(errno == EINVAL || errno == EBUSY || errno == 0);
		return NULL;
	}
	sched_yield();
	CHECK(g_rseq.cpu_id < 1024);
	CHECK_ERR(syscall(SYS_rseq, &g_rseq, sizeof(g_rseq), 0, 0x53053053), EBUSY);
	CHECK_ERR(syscall(SYS_rseq, &g_rseq, sizeof(g_rseq), 1, 0x1), EPERM);
	OK(syscall(SYS_rseq, &g_rseq, sizeof(g_rseq), 1, 0x53053053));
	CHECK_EQ((int)g_rseq.cpu_id, RSEQ_CPU_ID_UNINITIALIZED);
	return NULL;
}

TEST(rseq_registers_once_and_names_the_cpu)
{
	pthread_t t;

	CHECK_ERR(syscall(SYS_rseq, (char *)&g_rseq + 4, 32, 0, 1), EINVAL);
	CHECK_PT(pthread_create(&t, NULL, use_rseq, NULL));
	CHECK_PT(pthread_join(t, NULL));
}

static void *exit_status_thread(void *arg)
{
	(void)arg;
	syscall(SYS_exit_group, 33);
	return NULL;
}

TEST(exit_group_from_a_thread_ends_the_process)
{
	pid_t pid = FORK();

	if (!pid) {
		pthread_t t;

		CHECK_PT(pthread_create(&t, NULL, exit_status_thread, NULL));
		for (;;)
			pause();
	}
	expect_exit(pid, 33);
}

static void *survivor(void *arg)
{
	await_state(getpid(), 'Z');
	CHECK_EQ(getpid(), *(pid_t *)arg);
	_exit(21);
}

TEST(process_lives_on_when_the_main_thread_exits)
{
	pid_t pid = FORK();

	if (!pid) {
		static pid_t self;
		pthread_t t;

		self = getpid();
		CHECK_PT(pthread_create(&t, NULL, survivor, &self));
		syscall(SYS_exit, 3);
	}
	expect_exit(pid, 21);
}
