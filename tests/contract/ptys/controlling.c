/* SPDX-License-Identifier: MIT */
/* The controlling terminal belongs to a process: it is inherited, and can be given up alone. */
#include "contract.h"
#include <sys/ioctl.h>

static char g_name[64];

/* In a child with a session of its own and a new terminal, whose name is in g_name. */
static int new_session(bool take)
{
	int m = OK(posix_openpt(O_RDWR | O_NOCTTY)), s;

	OK(grantpt(m));
	OK(unlockpt(m));
	strcpy(g_name, ptsname(m));
	OK(setsid());
	s = OK(open(g_name, O_RDWR | O_NOCTTY));
	if (take)
		OK(ioctl(s, TIOCSCTTY, 0));
	return s;
}

static int tty_opens(void)
{
	int fd = open("/dev/tty", O_RDWR);

	if (fd < 0)
		return errno;
	OK(close(fd));
	return 0;
}

/* The terminal's number in /proc/self/stat: field 7. */
static int stat_tty(void)
{
	char *p = strrchr(read_text("/proc/self/stat"), ')');
	int ppid, pgrp, sid, tty;
	char state;

	CHECK_EQ(sscanf(p, ") %c %d %d %d %d", &state, &ppid, &pgrp, &sid, &tty), 5);
	return tty;
}

static void in_child(void (*fn)(void))
{
	pid_t pid = FORK();

	if (!pid) {
		fn();
		_exit(0);
	}
	expect_exit(pid, 0);
}

static void give_up_alone(void)
{
	int s = new_session(true);
	pid_t pid = FORK();

	if (!pid) {
		pid_t grandchild;

		CHECK_EQ(tty_opens(), 0);
		CHECK(stat_tty() != 0);
		OK(ioctl(s, TIOCNOTTY));
		CHECK_EQ(tty_opens(), ENXIO);
		CHECK_EQ(stat_tty(), 0);
		CHECK_ERR(ioctl(s, TIOCNOTTY), ENOTTY);
		CHECK_ERR(tcgetpgrp(s), ENOTTY);
		CHECK_ERR(ioctl(s, TIOCSCTTY, 0), EPERM);
		grandchild = FORK();
		if (!grandchild)
			_exit(tty_opens());
		expect_exit(grandchild, ENXIO);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(tty_opens(), 0);
	CHECK_EQ(OK(tcgetpgrp(s)), getpgrp());
}

TEST(a_process_gives_up_its_terminal_alone)
{
	in_child(give_up_alone);
}

static void taken_later(void)
{
	int s = new_session(false);
	struct gate taken = gate_make();
	pid_t before = FORK(), after;

	if (!before) {
		gate_wait(taken);
		_exit(tty_opens());
	}
	OK(ioctl(s, TIOCSCTTY, 0));
	CHECK_EQ(tty_opens(), 0);
	gate_open(taken);
	expect_exit(before, ENXIO);
	after = FORK();
	if (!after)
		_exit(tty_opens());
	expect_exit(after, 0);
}

TEST(a_terminal_taken_later_is_not_that_of_earlier_children)
{
	in_child(taken_later);
}

static void leader_gives_up(void)
{
	int s = new_session(true);
	struct gate given_up = gate_make(), again = gate_make(), told = gate_make();
	pid_t pid = FORK();

	on_signal(SIGHUP, SIG_IGN, 0);
	if (!pid) {
		on_signal(SIGHUP, SIG_IGN, 0);
		gate_open(told);
		gate_wait(given_up);
		CHECK_EQ(tty_opens(), ENXIO);
		gate_open(told);
		gate_wait(again);
		_exit(tty_opens());
	}
	gate_wait(told);
	OK(ioctl(s, TIOCNOTTY));
	CHECK_EQ(tty_opens(), ENXIO);
	gate_open(given_up);
	gate_wait(told);
	OK(ioctl(s, TIOCSCTTY, 0));
	CHECK_EQ(tty_opens(), 0);
	gate_open(again);
	expect_exit(pid, ENXIO);
}

TEST(the_leader_gives_up_the_terminal_for_all)
{
	in_child(leader_gives_up);
}

static int g_master, g_slave;

static void *read_slave(void *arg)
{
	char c;

	(void)arg;
	return (void *)(intptr_t)(read(g_slave, &c, 1) < 0 ? errno : 0);
}

TEST(a_reader_of_the_slave_learns_that_the_master_was_closed)
{
	char name[64];
	pthread_t t;
	void *result;
	char c;

	g_master = OK(posix_openpt(O_RDWR | O_NOCTTY));
	OK(grantpt(g_master));
	OK(unlockpt(g_master));
	CHECK(!ptsname_r(g_master, name, sizeof(name)));
	g_slave = OK(open(name, O_RDWR | O_NOCTTY));
	CHECK_PT(pthread_create(&t, NULL, read_slave, NULL));
	sleep_ns(100000000); /* until it waits: otherwise it finds the end of the file */
	OK(close(g_master));
	CHECK_PT(pthread_join(t, &result));
	CHECK_EQ((intptr_t)result, EIO);
	CHECK_EQ(read(g_slave, &c, 1), 0);
	OK(close(g_slave));
}
