/* SPDX-License-Identifier: MIT */
/* One wake-up for several that wait at a pipe: who leaves something for others passes it on. */
#include "contract.h"

#define RING 65536

static int g_pipe[2], g_other[2];

static void fill(int fd)
{
	static char data[RING];

	CHECK_EQ(write(fd, data, RING), RING);
}

static void drain(int fd)
{
	static char data[RING];

	CHECK_EQ(read(fd, data, RING), RING);
}

/* A child that makes one call, which waits. */
static pid_t start(void (*call)(void))
{
	pid_t pid = FORK();

	if (!pid) {
		call();
		_exit(0);
	}
	await_sleep(pid);
	return pid;
}

static void read_one(void)
{
	char c;

	CHECK_EQ(read(g_pipe[0], &c, 1), 1);
}

static void write_page(void)
{
	static char data[4096];

	CHECK_EQ(write(g_pipe[1], data, sizeof(data)), sizeof(data));
}

static void tee_all(void)
{
	CHECK(tee(g_pipe[0], g_other[1], RING, 0) >= 1);
}

static void splice_file(void)
{
	int fd = OK(open("f", O_RDONLY));

	CHECK_EQ(splice(fd, NULL, g_pipe[1], NULL, 4096, 0), 4096);
}

static void splice_pipe(void)
{
	CHECK_EQ(splice(g_other[0], NULL, g_pipe[1], NULL, 1, 0), 1);
}

static void splice_one_out(void)
{
	int fd = new_file("out", O_WRONLY, 0600);

	CHECK_EQ(splice(g_pipe[0], NULL, fd, NULL, 1, 0), 1);
}

static void setup(void)
{
	char page[4096] = "";
	int fd = new_file("f", O_RDWR, 0600);

	CHECK_EQ(write(fd, page, sizeof(page)), sizeof(page));
	OK(pipe(g_pipe));
	OK(pipe(g_other));
}

TEST(what_tee_leaves_wakes_the_next_reader)
{
	setup();
	pid_t first = start(tee_all), second = start(read_one);
	CHECK_EQ(write(g_pipe[1], "xy", 2), 2); /* whoever is first leaves one */
	expect_exit(first, 0);
	expect_exit(second, 0);
}

TEST(what_a_splice_leaves_wakes_the_next_reader)
{
	setup();
	pid_t first = start(splice_one_out), second = start(read_one);
	CHECK_EQ(write(g_pipe[1], "xy", 2), 2);
	expect_exit(first, 0);
	expect_exit(second, 0);
}

TEST(room_that_a_splice_from_a_file_leaves_wakes_the_next_writer)
{
	setup();
	fill(g_pipe[1]);
	pid_t first = start(splice_file), second = start(write_page);
	drain(g_pipe[0]);
	expect_exit(first, 0);
	expect_exit(second, 0);
}

TEST(room_that_a_splice_from_a_pipe_leaves_wakes_the_next_writer)
{
	setup();
	fill(g_pipe[1]);
	CHECK_EQ(write(g_other[1], "x", 1), 1);
	pid_t first = start(splice_pipe), second = start(write_page);
	drain(g_pipe[0]);
	expect_exit(first, 0);
	expect_exit(second, 0);
}
