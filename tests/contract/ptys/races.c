/* SPDX-License-Identifier: MIT */
/* Terminals whose settings, readers and queues are used by several threads at once. */
#include "contract.h"
#include <termios.h>

#define RACE (3 * SEC)

static int g_master, g_slave;
static bool g_stop;                  /* atomic */
static long g_typed, g_read, g_ends; /* atomic */

static void open_pty(int flags)
{
	g_master = OK(posix_openpt(O_RDWR | O_NOCTTY | flags));
	OK(grantpt(g_master));
	OK(unlockpt(g_master));
	g_slave = OK(open(ptsname(g_master), O_RDWR | O_NOCTTY | flags));
}

static void set_local(tcflag_t local, cc_t vmin)
{
	struct termios t;

	OK(tcgetattr(g_slave, &t));
	t.c_lflag = local;
	t.c_iflag = t.c_oflag = 0;
	t.c_cc[VMIN] = vmin;
	t.c_cc[VTIME] = 0;
	OK(tcsetattr(g_slave, TCSANOW, &t));
}

static bool stopped(void)
{
	return __atomic_load_n(&g_stop, __ATOMIC_RELAXED);
}

static void count(long *counter, long n)
{
	__atomic_add_fetch(counter, n, __ATOMIC_SEQ_CST);
}

static void *switch_modes(void *arg)
{
	while (!stopped()) {
		set_local(0, 0);
		set_local(ICANON, 0);
	}
	return arg;
}

static void *read_slave(void *arg)
{
	char b[256];

	while (!stopped()) {
		ssize_t n = read(g_slave, b, sizeof(b));

		if (n > 0)
			count(&g_read, n);
	}
	return arg;
}

static void *flush_slave(void *arg)
{
	while (!stopped())
		OK(tcflush(g_slave, TCIFLUSH));
	return arg;
}

/* arg: the text. */
static void *type_text(void *arg)
{
	const char *text = arg;

	while (!stopped()) {
		ssize_t n = write(g_master, text, strlen(text));

		if (n > 0)
			count(&g_typed, n);
		else
			sched_yield();
	}
	return NULL;
}

static void expect_sane_queue(void)
{
	int n = 0;

	OK(ioctl(g_slave, FIONREAD, &n));
	if (n < 0 || n > 4096)
		FAIL("bytes in the input queue: expected 0 to 4096, got %d", n);
}

static void race(void *(*a)(void *), void *(*b)(void *), const char *text)
{
	long long end = now_ns(CLOCK_MONOTONIC) + RACE;
	pthread_t t[3];

	CHECK_PT(pthread_create(&t[0], NULL, a, NULL));
	CHECK_PT(pthread_create(&t[1], NULL, b, NULL));
	CHECK_PT(pthread_create(&t[2], NULL, type_text, (void *)text));
	while (now_ns(CLOCK_MONOTONIC) < end)
		expect_sane_queue();
	__atomic_store_n(&g_stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		CHECK_PT(pthread_join(t[i], NULL));
	/* What is left, byte by byte. */
	set_local(0, 0);
	expect_sane_queue();
	for (char c; read(g_slave, &c, 1) == 1;)
		if (++g_read > g_typed)
			break;
	if (g_read > g_typed)
		FAIL("bytes read: expected at most the %ld that were typed, got %ld", g_typed,
			g_read);
}

TEST(switching_ICANON_while_others_read_and_type_invents_no_input)
{
	open_pty(O_NONBLOCK);
	set_local(0, 0);
	race(switch_modes, read_slave, "abc\n");
}

TEST(flushing_while_a_line_is_edited_invents_no_input)
{
	open_pty(O_NONBLOCK);
	set_local(ICANON, 0);
	race(flush_slave, flush_slave, "ab\177\177\177cd\177\177");
}

static void *read_master(void *arg)
{
	char c;

	for (;;) {
		ssize_t n = read(g_master, &c, 1);

		if (n >= 0)
			count(n ? &g_read : &g_ends, 1);
		else if (errno != EAGAIN)
			break; /* EIO: the slave was closed */
	}
	return arg;
}

TEST(readers_of_a_master_that_compete_see_no_end_of_file)
{
	long long end = now_ns(CLOCK_MONOTONIC) + RACE;
	pthread_t t[4];
	long n = 0;

	open_pty(O_NONBLOCK);
	set_local(0, 1);
	for (int i = 0; i < 4; i++)
		CHECK_PT(pthread_create(&t[i], NULL, read_master, NULL));
	while (now_ns(CLOCK_MONOTONIC) < end)
		if (write(g_slave, "x", 1) == 1)
			n++;
	while (__atomic_load_n(&g_read, __ATOMIC_SEQ_CST) < n)
		sched_yield();
	OK(close(g_slave));
	for (int i = 0; i < 4; i++)
		CHECK_PT(pthread_join(t[i], NULL));
	CHECK_EQ(g_read, n);
	CHECK_EQ(g_ends, 0);
}

static bool writable(void)
{
	struct pollfd p = {.fd = g_slave, .events = POLLOUT};

	return OK(poll(&p, 1, 0)) == 1 && (p.revents & POLLOUT);
}

TEST(poll_promises_no_room_that_a_write_does_not_find)
{
	char text[64], b[4096];
	int refused = 0;

	open_pty(O_NONBLOCK);
	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 100000 && writable(); i++)
		if (write(g_slave, text, 1 + (size_t)i % sizeof(text)) < 0) {
			if (errno != EAGAIN || ++refused == 3)
				FAIL("poll: expected POLLOUT only when a write takes a byte");
		}
	CHECK(!writable());
	while (read(g_master, b, sizeof(b)) > 0)
		;
	CHECK(writable());
	CHECK_EQ(write(g_slave, "x", 1), 1);
}
