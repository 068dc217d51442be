/* SPDX-License-Identifier: MIT */
/* pidfds: polling, waiting, signalling and taking descriptors. */
#include "contract.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int pidfd_open_raw(pid_t pid, unsigned flags)
{
	return syscall(SYS_pidfd_open, pid, flags);
}

static int pidfd_signal(int fd, int sig, siginfo_t *si, unsigned flags)
{
	return syscall(SYS_pidfd_send_signal, fd, sig, si, flags);
}

static pid_t sleeper(void)
{
	pid_t pid = FORK();

	if (!pid)
		for (;;)
			pause();
	return pid;
}

TEST(pidfd_becomes_readable_when_the_process_ends)
{
	pid_t pid = sleeper();
	int fd = OK(pidfd_open_raw(pid, 0));
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	CHECK_EQ(poll(&pfd, 1, 0), 0);
	OK(kill(pid, SIGKILL));
	CHECK_EQ(poll(&pfd, 1, 5000), 1);
	CHECK(pfd.revents & POLLIN);
	expect_signal(pid, SIGKILL);
	CHECK_EQ(poll(&pfd, 1, 0), 1);
}

TEST(pidfd_is_close_on_exec)
{
	int fd = OK(pidfd_open_raw(getpid(), 0));

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST(pidfd_open_errors)
{
	CHECK_ERR(pidfd_open_raw(0, 0), EINVAL);
	CHECK_ERR(pidfd_open_raw(-1, 0), EINVAL);
	CHECK_ERR(pidfd_open_raw(getpid(), 1), EINVAL);
	pid_t pid = FORK();
	if (!pid)
		_exit(0);
	expect_exit(pid, 0);
	CHECK_ERR(pidfd_open_raw(pid, 0), ESRCH);
}

TEST(waitid_by_pidfd)
{
	pid_t pid = FORK();
	siginfo_t si;

	if (!pid)
		_exit(12);
	int fd = OK(pidfd_open_raw(pid, 0));
	OK(waitid(P_PIDFD, fd, &si, WEXITED));
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(si.si_status, 12);
	CHECK_ERR(waitid(P_PIDFD, fd, &si, WEXITED), ECHILD);
	CHECK_ERR(waitid(P_PIDFD, 99, &si, WEXITED), EBADF);
}

TEST(waitid_on_nonblocking_pidfd_is_EAGAIN)
{
	pid_t pid = sleeper();
	siginfo_t si;
	int fd = OK(pidfd_open_raw(pid, O_NONBLOCK));

	CHECK_ERR(waitid(P_PIDFD, fd, &si, WEXITED), EAGAIN);
}

TEST(pidfd_send_signal_kills)
{
	pid_t pid = sleeper();
	int fd = OK(pidfd_open_raw(pid, 0));

	OK(pidfd_signal(fd, 0, NULL, 0));
	CHECK_ERR(pidfd_signal(fd, SIGTERM, NULL, 0x80000000u), EINVAL);
	CHECK_ERR(pidfd_signal(fd, 65, NULL, 0), EINVAL);
	OK(pidfd_signal(fd, SIGTERM, NULL, 0));
	expect_signal(pid, SIGTERM);
	CHECK_ERR(pidfd_signal(fd, 0, NULL, 0), ESRCH);
	CHECK_ERR(pidfd_signal(0, 0, NULL, 0), EBADF);
}

TEST(pidfd_getfd_shares_the_open_file)
{
	int file = new_file("f", O_RDWR, 0600);

	OK(ftruncate(file, 100));
	pid_t pid = sleeper();
	int pfd = OK(pidfd_open_raw(pid, 0));
	int fd = OK(syscall(SYS_pidfd_getfd, pfd, file, 0));
	CHECK(fd != file);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	OK(lseek(file, 42, SEEK_SET));
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 42);
	CHECK_ERR(syscall(SYS_pidfd_getfd, pfd, 150, 0), EBADF);
	CHECK_ERR(syscall(SYS_pidfd_getfd, pfd, file, 1), EINVAL);
}

TEST(fdinfo_of_pidfd_names_the_pid)
{
	pid_t pid = sleeper();
	int fd = OK(pidfd_open_raw(pid, 0));
	char path[64], want[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	snprintf(want, sizeof(want), "Pid:\t%d\n", pid);
	CHECK(strstr(read_text(path), want));
}
