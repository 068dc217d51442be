/* SPDX-License-Identifier: MIT */
/* Signals for the whole process that one thread leaves and another has to take. */
#include <sys/syscall.h>

#include "contract.h"

static int g_pipe[2];

static void tell(int sig)
{
	(void)sig;
	OK(write(g_pipe[1], "x", 1));
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

/* Was the handler run within ten seconds? */
static void expect_told(void)
{
	struct pollfd p = {g_pipe[0], POLLIN, 0};
	char c;

	CHECK_EQ(poll(&p, 1, 10000), 1);
	CHECK_EQ(read(g_pipe[0], &c, 1), 1);
}

static pid_t g_taker;

static void *take_usr2(void *unused)
{
	sigset_t set = set_of(SIGUSR1, 0);

	(void)unused;
	__atomic_store_n(&g_taker, gettid_raw(), __ATOMIC_RELEASE);
	CHECK_PT(pthread_sigmask(SIG_SETMASK, &set, NULL));
	for (;;)
		pause();
}

static void pin_to_cpu_0(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	OK(sched_setaffinity(0, sizeof(cpus), &cpus));
}

static void start_taker(void)
{
	sigset_t both = set_of(SIGUSR1, SIGUSR2);
	pthread_t t;

	OK(pipe(g_pipe));
	on_signal(SIGUSR2, tell, 0);
	pin_to_cpu_0();
	CHECK_PT(pthread_sigmask(SIG_BLOCK, &both, NULL));
	CHECK_PT(pthread_create(&t, NULL, take_usr2, NULL));
	while (!__atomic_load_n(&g_taker, __ATOMIC_ACQUIRE))
		sched_yield();
	await_sleep(g_taker);
}

/* The other process that sends before anybody else can run on the CPU. */
static pid_t send_both_when_asleep(pid_t sleeper, int first, int second)
{
	pid_t target = getpid(), pid = FORK();

	if (pid)
		return pid;
	await_sleep(sleeper);
	struct sched_param sp = {.sched_priority = 1};
	OK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &sp)); /* musl has none */
	OK(kill(target, first));
	OK(kill(target, second));
	_exit(0);
}

/* USR2 wakes the waiter, which then takes USR1, the lower number: USR2 is left for the other. */
TEST(what_sigtimedwait_leaves_another_thread_takes)
{
	sigset_t both = set_of(SIGUSR1, SIGUSR2);
	pid_t sender;

	start_taker();
	sender = send_both_when_asleep(gettid_raw(), SIGUSR2, SIGUSR1);
	CHECK_EQ(sigwaitinfo(&both, NULL), SIGUSR1);
	expect_told();
	expect_exit(sender, 0);
}

TEST(what_sigsuspend_leaves_another_thread_takes)
{
	sigset_t none, all;
	pid_t sender;

	start_taker();
	on_signal(SIGUSR1, tell, 0);
	sigfillset(&all);
	struct sigaction sa = {.sa_handler = tell, .sa_mask = all};
	OK(sigaction(SIGUSR1, &sa, NULL));
	sigemptyset(&none);
	sender = send_both_when_asleep(gettid_raw(), SIGUSR2, SIGUSR1);
	CHECK_ERR(sigsuspend(&none), EINTR);
	expect_told();
	expect_told();
	expect_exit(sender, 0);
}
