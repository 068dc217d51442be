/* SPDX-License-Identifier: MIT */
/* Signals: generation, masks, order, nesting, and the queue. */
#include "contract.h"

static volatile sig_atomic_t g_count, g_order[64], g_nr;
static siginfo_t g_info;

static void count(int sig)
{
	(void)sig;
	g_count++;
}

static void record(int sig)
{
	g_order[g_nr++] = sig;
}

static void record_info(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	g_order[g_nr++] = sig;
	g_info = *si;
}

static void on_info(int sig, int flags)
{
	struct sigaction sa = {.sa_sigaction = record_info, .sa_flags = SA_SIGINFO | flags};

	OK(sigaction(sig, &sa, NULL));
}

static sigset_t set_of(int a, int b)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, a);
	if (b)
		sigaddset(&set, b);
	return set;
}

static void block(int a, int b)
{
	sigset_t set = set_of(a, b);

	OK(sigprocmask(SIG_BLOCK, &set, NULL));
}

static void unblock_all(void)
{
	sigset_t set;

	sigemptyset(&set);
	OK(sigprocmask(SIG_SETMASK, &set, NULL));
}

TEST(kill_self_is_delivered_before_kill_returns)
{
	on_signal(SIGUSR1, count, 0);
	OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(g_count, 1);
}

TEST(standard_signals_do_not_queue)
{
	on_signal(SIGUSR1, count, 0);
	block(SIGUSR1, 0);
	for (int i = 0; i < 3; i++)
		OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(g_count, 0);
	unblock_all();
	CHECK_EQ(g_count, 1);
}

TEST(realtime_signals_queue_with_values_in_order)
{
	sigset_t set = set_of(SIGRTMIN, 0);
	siginfo_t si;

	block(SIGRTMIN, 0);
	for (int i = 0; i < 5; i++)
		OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i * 10}));
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(sigwaitinfo(&set, &si), SIGRTMIN);
		CHECK_EQ(si.si_value.sival_int, i * 10);
		CHECK_EQ(si.si_code, SI_QUEUE);
		CHECK_EQ(si.si_pid, getpid());
	}
}

TEST(lower_realtime_signal_comes_first)
{
	sigset_t set;

	sigemptyset(&set);
	for (int i = 0; i < 4; i++)
		sigaddset(&set, SIGRTMIN + i);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	for (int i = 3; i >= 0; i--)
		OK(kill(getpid(), SIGRTMIN + i));
	for (int i = 0; i < 4; i++)
		CHECK_EQ(sigwaitinfo(&set, NULL), SIGRTMIN + i);
}

TEST(handlers_of_pending_signals_nest_lowest_on_the_inside)
{
	on_signal(SIGUSR1, record, 0);
	on_signal(SIGUSR2, record, 0);
	on_signal(SIGRTMIN + 1, record, 0);
	block(SIGUSR1, SIGUSR2);
	block(SIGRTMIN + 1, 0);
	OK(raise(SIGRTMIN + 1));
	OK(raise(SIGUSR2));
	OK(raise(SIGUSR1));
	unblock_all();
	CHECK_EQ(g_nr, 3);
	CHECK_EQ(g_order[0], SIGRTMIN + 1);
	CHECK_EQ(g_order[1], SIGUSR2);
	CHECK_EQ(g_order[2], SIGUSR1);
}

static volatile sig_atomic_t g_depth, g_max_depth;

static void reenter(int sig)
{
	if (++g_depth > g_max_depth)
		g_max_depth = g_depth;
	if (++g_count == 1)
		raise(sig);
	g_depth--;
}

TEST(signal_is_blocked_in_its_own_handler)
{
	on_signal(SIGUSR1, reenter, 0);
	OK(raise(SIGUSR1));
	CHECK_EQ(g_count, 2);
	CHECK_EQ(g_max_depth, 1);
}

TEST(SA_NODEFER_lets_it_nest)
{
	on_signal(SIGUSR1, reenter, SA_NODEFER);
	OK(raise(SIGUSR1));
	CHECK_EQ(g_count, 2);
	CHECK_EQ(g_max_depth, 2);
}

static void raise_usr2(int sig)
{
	(void)sig;
	raise(SIGUSR2);
	g_order[g_nr++] = SIGUSR1;
}

TEST(sa_mask_blocks_during_the_handler)
{
	struct sigaction sa = {.sa_handler = raise_usr2};

	sigaddset(&sa.sa_mask, SIGUSR2);
	OK(sigaction(SIGUSR1, &sa, NULL));
	on_signal(SIGUSR2, record, 0);
	OK(raise(SIGUSR1));
	CHECK_EQ(g_nr, 2);
	CHECK_EQ(g_order[0], SIGUSR1);
	CHECK_EQ(g_order[1], SIGUSR2);
}

TEST(mask_is_restored_after_the_handler)
{
	sigset_t set;

	on_signal(SIGUSR1, count, 0);
	OK(raise(SIGUSR1));
	OK(sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK_EQ(sigismember(&set, SIGUSR1), 0);
}

TEST(SA_RESETHAND_resets_to_default)
{
	struct sigaction sa;

	on_signal(SIGUSR1, count, SA_RESETHAND);
	OK(raise(SIGUSR1));
	OK(sigaction(SIGUSR1, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
}

TEST(siginfo_of_kill_and_tgkill)
{
	on_info(SIGUSR1, 0);
	OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(g_info.si_code, SI_USER);
	CHECK_EQ(g_info.si_pid, getpid());
	CHECK_EQ(g_info.si_uid, 0);
	OK(syscall(SYS_tgkill, getpid(), gettid_raw(), SIGUSR1));
	CHECK_EQ(g_info.si_code, SI_TKILL);
	CHECK_EQ(g_info.si_signo, SIGUSR1);
}

TEST(ignored_signal_is_discarded_even_when_blocked_later)
{
	sigset_t pending;

	on_signal(SIGUSR1, SIG_IGN, 0);
	OK(raise(SIGUSR1));
	on_signal(SIGUSR1, count, 0);
	CHECK_EQ(g_count, 0);
	block(SIGUSR1, 0);
	OK(raise(SIGUSR1));
	on_signal(SIGUSR1, SIG_IGN, 0);
	OK(sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
}

TEST(default_ignored_signals_do_nothing)
{
	OK(raise(SIGCHLD));
	OK(raise(SIGURG));
	OK(raise(SIGWINCH));
	OK(raise(SIGCONT));
}

TEST(default_fatal_signals_kill)
{
	static const int fatal[] = {SIGHUP, SIGINT, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGUSR2,
		SIGSTKFLT, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGKILL};

	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		pid_t pid = FORK();

		if (!pid) {
			syscall(SYS_kill, getpid(), fatal[i]);
			_exit(0);
		}
		expect_signal(pid, fatal[i]);
	}
}

TEST(KILL_and_STOP_cannot_be_caught_ignored_or_blocked)
{
	struct sigaction sa = {.sa_handler = count};
	sigset_t set;

	CHECK_ERR(sigaction(SIGKILL, &sa, NULL), EINVAL);
	sa.sa_handler = SIG_IGN;
	CHECK_ERR(sigaction(SIGSTOP, &sa, NULL), EINVAL);
	OK(sigaction(SIGKILL, NULL, &sa));
	set = set_of(SIGKILL, SIGSTOP);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	OK(sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK_EQ(sigismember(&set, SIGKILL), 0);
	CHECK_EQ(sigismember(&set, SIGSTOP), 0);
}

TEST(bad_arguments)
{
	CHECK_ERR(kill(getpid(), 65), EINVAL);
	CHECK_ERR(kill(getpid(), -1), EINVAL);
	CHECK_ERR(kill(0x3fffffff, 0), ESRCH);
	CHECK_ERR(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 16), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, 7, &g_info, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, NULL, 4), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, BAD_PTR, NULL, 8), EFAULT);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), 0, SIGUSR1), EINVAL);
	CHECK_ERR(syscall(SYS_tgkill, 1, gettid_raw(), 0), ESRCH);
}

TEST(unprivileged_kill_of_another_user_is_EPERM)
{
	pid_t parent = getpid(), pid = FORK();

	if (!pid) {
		become_user(1000, 1000);
		CHECK_ERR(kill(parent, SIGTERM), EPERM);
		CHECK_ERR(kill(parent, 0), EPERM);
		OK(kill(getpid(), 0));
		_exit(0);
	}
	expect_exit(pid, 0);
}

static void *wait_in_sigwait(void *arg)
{
	sigset_t set;
	pid_t tid = gettid_raw();

	CHECK_EQ(write(*(int *)arg, &tid, sizeof(tid)), sizeof(tid));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(sigwaitinfo(&set, NULL), SIGUSR1);
	return NULL;
}

TEST(sigqueue_takes_the_number_of_any_thread)
{
	siginfo_t si = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
	sigset_t set;
	pthread_t t;
	pid_t tid;
	int p[2];

	OK(pipe(p));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_PT(pthread_sigmask(SIG_BLOCK, &set, NULL));
	CHECK_PT(pthread_create(&t, NULL, wait_in_sigwait, &p[1]));
	CHECK_EQ(read(p[0], &tid, sizeof(tid)), sizeof(tid));
	await_sleep(tid);
	OK(syscall(SYS_rt_sigqueueinfo, tid, SIGUSR1, &si));
	CHECK_PT(pthread_join(t, NULL));
}

TEST(sigqueue_cannot_fake_kernel_codes)
{
	siginfo_t si = {.si_signo = SIGUSR1, .si_code = SI_USER};
	pid_t pid = FORK();

	if (!pid)
		for (;;)
			pause();
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &si), EPERM);
	si.si_code = SI_KERNEL;
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &si), EPERM);
	si.si_code = SI_QUEUE;
	OK(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &si));
	expect_signal(pid, SIGUSR1);
}

TEST(sigtimedwait_times_out_with_EAGAIN)
{
	sigset_t set = set_of(SIGUSR1, 0);
	struct timespec ts = ts_of(30 * MSEC), bad = {0, SEC};
	long long start = now_ns(CLOCK_MONOTONIC);

	CHECK_ERR(sigtimedwait(&set, NULL, &ts), EAGAIN);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 30 * MSEC);
	CHECK_ERR(sigtimedwait(&set, NULL, &bad), EINVAL);
}

TEST(sigwaitinfo_takes_an_unblocked_signal_too)
{
	sigset_t set = set_of(SIGUSR1, 0);
	siginfo_t si;
	pid_t parent = getpid();

	on_signal(SIGUSR1, count, 0);
	if (!FORK()) {
		await_sleep(parent);
		OK(kill(parent, SIGUSR1));
		_exit(0);
	}
	CHECK_EQ(sigwaitinfo(&set, &si), SIGUSR1);
	CHECK_EQ(si.si_code, SI_USER);
	CHECK_EQ(g_count, 0);
}

TEST(sigwaitinfo_interrupted_by_another_handler_is_EINTR)
{
	sigset_t set = set_of(SIGUSR1, 0);
	pid_t parent = getpid();

	block(SIGUSR1, 0);
	on_signal(SIGUSR2, count, SA_RESTART);
	if (!FORK()) {
		await_sleep(parent);
		OK(kill(parent, SIGUSR2));
		_exit(0);
	}
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, 8), EINTR);
	CHECK_EQ(g_count, 1);
}

TEST(sigsuspend_swaps_the_mask_and_returns_EINTR)
{
	sigset_t none, set;

	on_signal(SIGUSR1, count, 0);
	block(SIGUSR1, 0);
	OK(raise(SIGUSR1));
	sigemptyset(&none);
	CHECK_ERR(sigsuspend(&none), EINTR);
	CHECK_EQ(g_count, 1);
	OK(sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK_EQ(sigismember(&set, SIGUSR1), 1);
}

static struct gate g_gate;
static volatile pid_t g_tid;

static void take_tid(int sig)
{
	(void)sig;
	g_tid = gettid_raw();
}

static void *unblocked_thread(void *arg)
{
	unblock_all();
	*(volatile pid_t *)arg = gettid_raw();
	gate_open(g_gate);
	while (!g_tid)
		sched_yield();
	return NULL;
}

TEST(process_signal_goes_to_a_thread_that_does_not_block_it)
{
	volatile pid_t tid;
	pthread_t t;

	g_gate = gate_make();
	on_signal(SIGUSR1, take_tid, 0);
	block(SIGUSR1, 0);
	CHECK_PT(pthread_create(&t, NULL, unblocked_thread, (void *)&tid));
	gate_wait(g_gate);
	OK(kill(getpid(), SIGUSR1));
	CHECK_PT(pthread_join(t, NULL));
	CHECK_EQ(g_tid, tid);
}

TEST(tgkill_goes_to_that_thread_only)
{
	on_signal(SIGUSR1, take_tid, 0);
	OK(syscall(SYS_tgkill, getpid(), gettid_raw(), SIGUSR1));
	CHECK_EQ(g_tid, gettid_raw());
}

static void *sleeping_thread(void *arg)
{
	(void)arg;
	gate_open(g_gate);
	for (;;)
		pause();
	return NULL;
}

TEST(fatal_signal_ends_all_threads)
{
	pid_t pid = FORK();

	if (!pid) {
		pthread_t t;

		g_gate = gate_make();
		for (int i = 0; i < 3; i++) {
			CHECK_PT(pthread_create(&t, NULL, sleeping_thread, NULL));
			gate_wait(g_gate);
		}
		kill(getpid(), SIGTERM);
		for (;;)
			pause();
	}
	expect_signal(pid, SIGTERM);
}

TEST(pending_limit_applies_to_realtime_signals)
{
	struct rlimit rl = {3, 3};
	pid_t pid = FORK();

	if (!pid) {
		become_user(4242, 4242);
		OK(setrlimit(RLIMIT_SIGPENDING, &rl));
		block(SIGRTMIN, SIGUSR1);
		union sigval v = {0};
		for (int i = 0; i < 3; i++)
			OK(sigqueue(getpid(), SIGRTMIN, v));
		CHECK_ERR(sigqueue(getpid(), SIGRTMIN, v), EAGAIN);
		OK(kill(getpid(), SIGUSR1));
		sigset_t pending;
		OK(sigpending(&pending));
		CHECK_EQ(sigismember(&pending, SIGUSR1), 1);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(stop_cancels_pending_cont_and_the_reverse)
{
	sigset_t pending;

	on_signal(SIGCONT, count, 0);
	block(SIGTSTP, SIGCONT);
	OK(raise(SIGTSTP));
	OK(raise(SIGCONT));
	OK(sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGTSTP), 0);
	CHECK_EQ(sigismember(&pending, SIGCONT), 1);
	OK(raise(SIGTSTP));
	OK(sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGTSTP), 1);
	CHECK_EQ(sigismember(&pending, SIGCONT), 0);
}

TEST(kill_reaches_a_stopped_process)
{
	pid_t pid = FORK();
	siginfo_t si;

	if (!pid) {
		raise(SIGSTOP);
		_exit(0);
	}
	OK(waitid(P_PID, pid, &si, WSTOPPED));
	OK(kill(pid, SIGTERM));
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
}

TEST(kill_minus_one_from_a_user_reaches_only_his_processes)
{
	pid_t other = FORK();

	if (!other)
		for (;;)
			pause();
	pid_t pid = FORK();
	if (!pid) {
		become_user(54321, 1000);
		pid_t victim = FORK();
		if (!victim)
			for (;;)
				pause();
		OK(kill(-1, SIGKILL));
		expect_signal(victim, SIGKILL);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(waitpid(other, NULL, WNOHANG), 0);
}

static void *claim_codes_of_others(void *unused)
{
	siginfo_t si = {.si_code = SI_USER};
	pid_t self = gettid_raw();

	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGURG, &si), EPERM);
	si.si_code = SI_TKILL;
	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGURG, &si), EPERM);
	OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), self, SIGURG, &si));
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, getpid(), SIGURG, &si), EPERM);
	OK(syscall(SYS_rt_sigqueueinfo, self, SIGURG, &si));
	return unused;
}

/* Not even as a thread of the same process. */
TEST(only_the_receiver_itself_may_claim_that_the_kernel_sent_it)
{
	pthread_t t;

	CHECK_PT(pthread_create(&t, NULL, claim_codes_of_others, NULL));
	CHECK_PT(pthread_join(t, NULL));
}
