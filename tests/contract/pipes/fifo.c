/* SPDX-License-Identifier: MIT */
/* FIFOs: who waits for whom in open. */
#include "contract.h"

TEST(open_for_reading_waits_for_a_writer)
{
	pid_t parent = getpid();

	OK(mkfifo("fifo", 0600));
	if (!FORK()) {
		await_sleep(parent);
		int w = OK(open("fifo", O_WRONLY));

		CHECK_EQ(write(w, "x", 1), 1);
		_exit(0);
	}
	int r = OK(open("fifo", O_RDONLY));
	char c;
	CHECK_EQ(read(r, &c, 1), 1);
	CHECK_EQ(read(r, &c, 1), 0);
}

TEST(nonblocking_reader_opens_and_writer_is_ENXIO)
{
	OK(mkfifo("fifo", 0600));
	CHECK_ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	int r = OK(open("fifo", O_RDONLY | O_NONBLOCK));
	char c;
	CHECK_EQ(read(r, &c, 1), 0);
	int w = OK(open("fifo", O_WRONLY | O_NONBLOCK));
	CHECK_ERR(read(r, &c, 1), EAGAIN);
	CHECK_EQ(write(w, "a", 1), 1);
	CHECK_EQ(read(r, &c, 1), 1);
}

TEST(read_write_open_does_not_wait)
{
	OK(mkfifo("fifo", 0600));
	int fd = OK(open("fifo", O_RDWR));
	char c = 0;
	CHECK_EQ(write(fd, "q", 1), 1);
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, 'q');
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(waiting_open_is_interrupted_by_a_signal)
{
	pid_t parent = getpid();

	OK(mkfifo("fifo", 0600));
	on_signal(SIGUSR1, nothing, 0);
	if (!FORK()) {
		await_sleep(parent);
		OK(kill(parent, SIGUSR1));
		_exit(0);
	}
	CHECK_ERR(open("fifo", O_WRONLY), EINTR);
}

TEST(content_is_gone_after_the_last_close)
{
	char c;

	OK(mkfifo("fifo", 0600));
	int fd = OK(open("fifo", O_RDWR));
	CHECK_EQ(write(fd, "old", 3), 3);
	OK(close(fd));
	fd = OK(open("fifo", O_RDONLY | O_NONBLOCK));
	CHECK_EQ(read(fd, &c, 1), 0);
}

TEST(reopening_a_pipe_through_proc)
{
	int p[2];
	char path[64], c;

	OK(pipe(p));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	int w = OK(open(path, O_WRONLY));
	CHECK_EQ(write(w, "k", 1), 1);
	CHECK_EQ(read(p[0], &c, 1), 1);
}
