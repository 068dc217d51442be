/* SPDX-License-Identifier: MIT */
/* Positions that no terminal has, long writes, and who waits for how much. */
#include "contract.h"
#include <termios.h>

static int open_pair(int *slave)
{
	int master = OK(posix_openpt(O_RDWR | O_NOCTTY));

	OK(grantpt(master));
	OK(unlockpt(master));
	*slave = OK(open(ptsname(master), O_RDWR | O_NOCTTY));
	return master;
}

TEST(positions_beyond_all_terminals_are_the_end)
{
	static const off_t at[] = {0x80000003ll, 0xffffffffll, 0x100000002ll, 1ll << 62};
	int slave, master = open_pair(&slave), dir = OK(open("/dev/pts", O_RDONLY | O_DIRECTORY));
	char buf[4096];

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		if (lseek(dir, at[i], SEEK_SET) < 0)
			continue; /* some kernels refuse it */
		CHECK_EQ(syscall(SYS_getdents64, dir, buf, sizeof(buf)), 0);
	}
	close(dir);
	close(slave);
	close(master);
}

/* Nobody reads, and a line without an end takes all there is. */
TEST(a_long_write_to_a_master_can_be_killed)
{
	int slave, master = open_pair(&slave);
	struct termios t;
	pid_t pid;

	OK(tcgetattr(slave, &t));
	t.c_lflag = ICANON;
	OK(tcsetattr(slave, TCSANOW, &t));
	pid = FORK();
	if (!pid) {
		size_t len = 1ul << 31;
		char *zeros = mmap(
			NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		CHECK(zeros != MAP_FAILED);
		write(master, zeros, len);
		pause();
	}
	sleep_ns(50 * MSEC);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	close(slave);
	close(master);
}

static void raw_mode(int slave, int vmin)
{
	struct termios t;

	OK(tcgetattr(slave, &t));
	cfmakeraw(&t);
	t.c_cc[VMIN] = (cc_t)vmin;
	t.c_cc[VTIME] = 0;
	OK(tcsetattr(slave, TCSANOW, &t));
}

TEST(a_read_that_has_some_bytes_waits_for_the_rest_of_VMIN_only)
{
	int slave, master = open_pair(&slave);
	char buf[100];
	pid_t pid;

	raw_mode(slave, 5);
	CHECK_EQ(write(master, "abc", 3), 3);
	pid = FORK();
	if (!pid) {
		CHECK_EQ(read(slave, buf, sizeof(buf)), 5);
		_exit(0);
	}
	await_sleep(pid);
	CHECK_EQ(write(master, "de", 2), 2);
	expect_exit(pid, 0);
	close(slave);
	close(master);
}

TEST(a_read_of_fewer_than_VMIN_bytes_waits_for_those_only)
{
	int slave, master = open_pair(&slave);
	char buf[4];
	pid_t pid;

	raw_mode(slave, 10);
	pid = FORK();
	if (!pid) {
		CHECK_EQ(read(slave, buf, sizeof(buf)), 4);
		_exit(0);
	}
	await_sleep(pid);
	CHECK_EQ(write(master, "abcd", 4), 4);
	expect_exit(pid, 0);
	close(slave);
	close(master);
}

#define ENDS 6000 /* more than the input holds */

TEST(ends_of_file_make_room_for_the_masters_writer)
{
	int slave, master = open_pair(&slave);
	char buf[ENDS];
	pid_t writer;

	writer = FORK();
	if (!writer) {
		memset(buf, 4, sizeof(buf));
		CHECK_EQ(write(master, buf, sizeof(buf)), ENDS);
		_exit(0);
	}
	for (int i = 0; i < ENDS; i++)
		CHECK_EQ(read(slave, buf, 10), 0);
	expect_exit(writer, 0);
	close(slave);
	close(master);
}

TEST(a_flush_of_the_masters_input_wakes_the_slaves_writer)
{
	int slave, master = open_pair(&slave);
	static char buf[1 << 16];
	pid_t writer;

	raw_mode(slave, 1);
	writer = FORK();
	if (!writer) {
		CHECK_EQ(write(slave, buf, sizeof(buf)), (ssize_t)sizeof(buf));
		_exit(0);
	}
	await_sleep(writer);
	int status;
	while (OK(waitpid(writer, &status, WNOHANG)) == 0) {
		OK(ioctl(master, TCFLSH, TCIFLUSH));
		sleep_ns(MSEC);
	}
	CHECK_EQ(status, 0);
	close(slave);
	close(master);
}
