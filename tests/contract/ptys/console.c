/* SPDX-License-Identifier: MIT */
/* /dev/console: the terminal behind it hangs up, its files stay. console(4). */
#include "contract.h"

/* A session that has the serial line, and ends: the line hangs up. */
static void hang_up_the_line(int line)
{
	pid_t pid = FORK();

	if (!pid) {
		signal(SIGHUP, SIG_IGN);
		OK(setsid());
		OK(ioctl(line, TIOCSCTTY, 1));
		_exit(0);
	}
	expect_exit(pid, 0);
}

static short events_of(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	OK(poll(&p, 1, 3000));
	return p.revents;
}

TEST(files_of_dev_console_outlive_a_hang_up_of_its_line)
{
	int console = open("/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK), line, other;

	if (console < 0)
		skip_test("no console");
	line = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (line < 0)
		skip_test("no serial line");
	hang_up_the_line(line);
	CHECK_ERR(write(line, "\n", 1), EIO);
	CHECK(events_of(line) & POLLHUP);
	CHECK_EQ(events_of(console), POLLOUT);
	CHECK_EQ(write(console, "\n", 1), 1);
	OK(close(line));
	/* The line can be used again, also when the console's files are closed. */
	other = OK(open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_NONBLOCK));
	OK(close(console));
	CHECK_EQ(events_of(other), POLLOUT);
	CHECK_EQ(write(other, "\n", 1), 1);
}
