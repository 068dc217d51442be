/* SPDX-License-Identifier: MIT */
/* Writers of a terminal take turns, and who waits for room can be interrupted. */
#include "contract.h"
#include <termios.h>

#define WRITE_SIZE 1000
#define WRITES     100

static void open_pty(int *master, int *slave)
{
	struct termios t;

	*master = OK(posix_openpt(O_RDWR | O_NOCTTY));
	OK(grantpt(*master));
	OK(unlockpt(*master));
	*slave = OK(open(ptsname(*master), O_RDWR | O_NOCTTY));
	OK(tcgetattr(*slave, &t));
	cfmakeraw(&t);
	OK(tcsetattr(*slave, TCSANOW, &t));
}

static void start_writers(int fd)
{
	for (int w = 0; w < 2; w++) {
		char b[WRITE_SIZE];

		if (FORK())
			continue;
		memset(b, 'a' + w, sizeof(b));
		for (int i = 0; i < WRITES; i++)
			CHECK_EQ(write(fd, b, sizeof(b)), (ssize_t)sizeof(b));
		_exit(0);
	}
}

static void expect_whole_writes(int fd)
{
	long total = 0, run = 0;
	char b[4096], last = 0;

	while (total < 2l * WRITES * WRITE_SIZE) {
		ssize_t n = OK(read(fd, b, sizeof(b)));

		for (ssize_t i = 0; i < n; i++) {
			if (b[i] != last) {
				if (run % WRITE_SIZE)
					FAIL("expected whole writes of %d bytes, got a run of %ld",
						WRITE_SIZE, run);
				run = 0;
			}
			last = b[i];
			run++;
		}
		total += n;
	}
	for (int w = 0; w < 2; w++) {
		int status;

		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
	}
}

TEST(writes_to_a_terminal_do_not_interleave)
{
	int m, s;

	open_pty(&m, &s);
	start_writers(s);
	expect_whole_writes(m);
	OK(close(s));
	OK(close(m));
}

TEST(writes_to_a_master_do_not_interleave)
{
	int m, s;

	open_pty(&m, &s);
	start_writers(m);
	expect_whole_writes(s);
	OK(close(s));
	OK(close(m));
}

static void fill(int fd)
{
	static char b[1 << 20];

	(void)write(fd, b, sizeof(b));
	_exit(0);
}

/* Another call is writing: not even one byte can be written now. */
TEST(nonblocking_write_fails_while_another_writes)
{
	int m, s, s2;
	pid_t pid;

	open_pty(&m, &s);
	s2 = OK(open(ptsname(m), O_WRONLY | O_NOCTTY | O_NONBLOCK));
	pid = FORK();
	if (!pid)
		fill(s);
	await_sleep(pid);
	CHECK_ERR(write(s2, "x", 1), EAGAIN);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	OK(close(s2));
	OK(close(s));
	OK(close(m));
}

static void nothing(int sig)
{
	(void)sig;
}

/* Who waits for its turn, and who waits for room, can be interrupted and killed. */
TEST(waiting_writers_can_be_interrupted)
{
	int m, s;
	pid_t first, second;

	open_pty(&m, &s);
	first = FORK();
	if (!first)
		fill(s);
	await_sleep(first);
	second = FORK();
	if (!second) {
		on_signal(SIGUSR1, nothing, 0);
		CHECK_ERR(write(s, "x", 1), EINTR);
		_exit(0);
	}
	await_sleep(second);
	OK(kill(second, SIGUSR1));
	expect_exit(second, 0);
	OK(kill(first, SIGKILL));
	expect_signal(first, SIGKILL);
	OK(close(s));
	OK(close(m));
}

/* Lines that nobody reads: the writer of the master side sleeps, and dies when killed. */
static void check_full_input(bool raw)
{
	struct termios t;
	int m, s;
	pid_t pid;

	open_pty(&m, &s);
	if (!raw) {
		OK(tcgetattr(s, &t));
		t.c_lflag |= ICANON;
		OK(tcsetattr(s, TCSANOW, &t));
	}
	CHECK_EQ(write(m, "line\n", 5), 5);
	pid = FORK();
	if (!pid)
		fill(m);
	await_sleep(pid);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	OK(close(s));
	OK(close(m));
}

TEST(master_write_sleeps_when_raw_input_is_full)
{
	check_full_input(true);
}

TEST(master_write_sleeps_when_a_line_waits_and_input_is_full)
{
	check_full_input(false);
}
