/* SPDX-License-Identifier: MIT */
/* eventfd, timerfd and signalfd. */
#include "contract.h"
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

static int readable(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	return OK(poll(&pfd, 1, 0));
}

TEST(eventfd_adds_and_read_takes_all)
{
	int fd = OK(eventfd(3, EFD_NONBLOCK));
	uint64_t v = 4;

	CHECK_EQ(write(fd, &v, 8), 8);
	CHECK_EQ(readable(fd), 1);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 7);
	CHECK_EQ(readable(fd), 0);
	CHECK_ERR(read(fd, &v, 8), EAGAIN);
}

TEST(eventfd_semaphore_takes_one)
{
	int fd = OK(eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE));
	uint64_t v;

	for (int i = 0; i < 2; i++) {
		CHECK_EQ(read(fd, &v, 8), 8);
		CHECK_EQ(v, 1);
	}
	CHECK_ERR(read(fd, &v, 8), EAGAIN);
}

TEST(eventfd_limits)
{
	int fd = OK(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	uint64_t v = ~0ull;

	CHECK_ERR(write(fd, &v, 8), EINVAL);
	v--;
	CHECK_EQ(write(fd, &v, 8), 8);
	v = 1;
	CHECK_ERR(write(fd, &v, 8), EAGAIN);
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};
	CHECK_EQ(poll(&pfd, 1, 0), 0);
	CHECK_ERR(read(fd, &v, 4), EINVAL);
	CHECK_ERR(write(fd, &v, 4), EINVAL);
	CHECK_ERR(eventfd(0, 0x10), EINVAL);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST(eventfd_takes_each_part_of_a_vector_as_a_write)
{
	int fd = OK(eventfd(0, EFD_NONBLOCK));
	uint64_t v[2] = {1, 2};
	struct iovec whole[2] = {{&v[0], 8}, {&v[1], 8}}, parts[2] = {{v, 4}, {(char *)v + 4, 4}};
	struct iovec long_one[2] = {{v, 16}, {v, 8}};

	CHECK_EQ(writev(fd, whole, 2), 16);
	CHECK_EQ(read(fd, v, 8), 8);
	CHECK_EQ(v[0], 3);
	CHECK_ERR(writev(fd, parts, 2), EINVAL);
	CHECK_EQ(writev(fd, long_one, 2), 8);
	CHECK_EQ(read(fd, v, 8), 8);
	CHECK_EQ(v[0], 3);
}

TEST(eventfd_read_blocks_until_written)
{
	int fd = OK(eventfd(0, 0));
	uint64_t v = 9;
	pid_t parent = getpid();

	if (!FORK()) {
		await_sleep(parent);
		CHECK_EQ(write(fd, &v, 8), 8);
		_exit(0);
	}
	v = 0;
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 9);
}

static void arm(int fd, int flags, long long first, long long interval)
{
	struct itimerspec its = {ts_of(interval), ts_of(first)};

	OK(timerfd_settime(fd, flags, &its, NULL));
}

TEST(timerfd_one_shot_expires_once)
{
	int fd = OK(timerfd_create(CLOCK_MONOTONIC, 0));
	uint64_t n = 0;
	long long start = now_ns(CLOCK_MONOTONIC);

	arm(fd, 0, 20 * MSEC, 0);
	CHECK_EQ(readable(fd), 0);
	CHECK_EQ(read(fd, &n, 8), 8);
	CHECK_EQ(n, 1);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20 * MSEC);
	OK(fcntl(fd, F_SETFL, O_NONBLOCK));
	CHECK_ERR(read(fd, &n, 8), EAGAIN);
	struct itimerspec its;
	OK(timerfd_gettime(fd, &its));
	CHECK_EQ(its.it_value.tv_nsec + its.it_value.tv_sec, 0);
}

TEST(timerfd_counts_missed_expirations)
{
	int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	uint64_t n;

	arm(fd, 0, 5 * MSEC, 5 * MSEC);
	sleep_ns(60 * MSEC);
	CHECK_EQ(read(fd, &n, 8), 8);
	CHECK(n >= 11);
}

TEST(timerfd_absolute_in_the_past_fires_at_once)
{
	int fd = OK(timerfd_create(CLOCK_REALTIME, 0));
	uint64_t n;

	arm(fd, TFD_TIMER_ABSTIME, 1, 0);
	CHECK_EQ(read(fd, &n, 8), 8);
	CHECK_EQ(n, 1);
}

TEST(timerfd_settime_returns_the_old_and_0_disarms)
{
	int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	struct itimerspec its = {0}, old;

	arm(fd, 0, 100 * SEC, 7 * SEC);
	OK(timerfd_settime(fd, 0, &its, &old));
	CHECK(old.it_value.tv_sec >= 90 && old.it_value.tv_sec <= 100);
	CHECK_EQ(old.it_interval.tv_sec, 7);
	OK(timerfd_gettime(fd, &its));
	CHECK_EQ(its.it_value.tv_sec, 0);
}

TEST(timerfd_errors)
{
	int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)), p[2];
	struct itimerspec its = {.it_value = {0, SEC}};
	uint32_t small;

	CHECK_ERR(timerfd_settime(fd, 0, &its, NULL), EINVAL);
	its.it_value.tv_nsec = 1;
	CHECK_ERR(timerfd_settime(fd, 0x100, &its, NULL), EINVAL);
	CHECK_ERR(read(fd, &small, 4), EINVAL);
	CHECK_ERR(timerfd_create(99, 0), EINVAL);
	CHECK_ERR(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
	OK(pipe(p));
	CHECK_ERR(timerfd_gettime(p[0], &its), EINVAL);
	CHECK_ERR(timerfd_gettime(150, &its), EBADF);
	CHECK_ERR(write(fd, &its, 8), EINVAL);
}

static int make_signalfd(int sig, int flags)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	return OK(signalfd(-1, &set, flags));
}

TEST(signalfd_reads_pending_signals)
{
	int fd = make_signalfd(SIGUSR1, SFD_NONBLOCK);
	struct signalfd_siginfo si[2];

	CHECK_ERR(read(fd, si, sizeof(si)), EAGAIN);
	OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(readable(fd), 1);
	CHECK_EQ(read(fd, si, sizeof(si)), sizeof(si[0]));
	CHECK_EQ(si[0].ssi_signo, SIGUSR1);
	CHECK_EQ(si[0].ssi_pid, getpid());
	CHECK_EQ(si[0].ssi_code, SI_USER);
	CHECK_EQ(readable(fd), 0);
	CHECK_ERR(read(fd, si, 100), EINVAL);
}

TEST(signalfd_carries_values_of_realtime_signals)
{
	int fd = make_signalfd(SIGRTMIN, 0);
	struct signalfd_siginfo si[3];

	for (int i = 1; i <= 2; i++)
		OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}));
	CHECK_EQ(read(fd, si, sizeof(si)), 2 * sizeof(si[0]));
	CHECK_EQ(si[0].ssi_int, 1);
	CHECK_EQ(si[1].ssi_int, 2);
}

TEST(signalfd_mask_can_change_and_blocking_read_wakes)
{
	int fd = make_signalfd(SIGUSR1, 0);
	struct signalfd_siginfo si;
	sigset_t set;
	pid_t parent = getpid();

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_EQ(signalfd(fd, &set, 0), fd);
	if (!FORK()) {
		await_sleep(parent);
		OK(kill(parent, SIGUSR1));
		OK(kill(parent, SIGUSR2));
		_exit(0);
	}
	CHECK_EQ(read(fd, &si, sizeof(si)), sizeof(si));
	CHECK_EQ(si.ssi_signo, SIGUSR2);
	CHECK_ERR(signalfd(0, &set, 0), EINVAL);
	CHECK_ERR(signalfd(150, &set, 0), EBADF);
	CHECK_ERR(signalfd(-1, &set, 1), EINVAL);
}

TEST(signalfd_reports_child_exit)
{
	int fd = make_signalfd(SIGCHLD, 0);
	struct signalfd_siginfo si;
	pid_t pid = FORK();

	if (!pid)
		_exit(5);
	CHECK_EQ(read(fd, &si, sizeof(si)), sizeof(si));
	CHECK_EQ(si.ssi_pid, pid);
	CHECK_EQ(si.ssi_status, 5);
	CHECK_EQ(si.ssi_code, CLD_EXITED);
}

TEST(fdinfo_shows_counters)
{
	char path[64];
	int fd = OK(eventfd(5, 0));

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(strstr(read_text(path), "eventfd-count:                5\n"));
	fd = OK(timerfd_create(CLOCK_MONOTONIC, 0));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(strstr(read_text(path), "clockid: 1\n"));
}

TEST(a_timer_of_a_nanosecond_leaves_the_machine_usable)
{
	int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	struct itimerspec its = {{0, 1}, {0, 1}};
	uint64_t first, second;

	OK(timerfd_settime(fd, 0, &its, NULL));
	usleep(20000);
	CHECK_EQ(read(fd, &first, 8), 8);
	usleep(20000);
	CHECK_EQ(read(fd, &second, 8), 8);
	CHECK(first >= 10000000 && second >= 10000000);
	OK(close(fd));
}
