/* SPDX-License-Identifier: MIT */
/* Pipes: ends, capacity, atomicity, and moving data between them. */
#include "contract.h"

static void set_nonblock(int fd)
{
	OK(fcntl(fd, F_SETFL, O_NONBLOCK));
}

static void fill(int fd)
{
	char page[4096] = {0};

	set_nonblock(fd);
	while (write(fd, page, sizeof(page)) > 0)
		continue;
	while (write(fd, page, 1) > 0)
		continue;
	CHECK_ERR(write(fd, page, 1), EAGAIN);
	OK(fcntl(fd, F_SETFL, 0));
}

TEST(data_comes_out_in_order)
{
	int p[2];
	char buf[16];

	OK(pipe(p));
	CHECK_EQ(write(p[1], "abc", 3), 3);
	CHECK_EQ(write(p[1], "def", 3), 3);
	CHECK_EQ(read(p[0], buf, 4), 4);
	CHECK(!memcmp(buf, "abcd", 4));
	CHECK_EQ(read(p[0], buf, sizeof(buf)), 2);
	CHECK(!memcmp(buf, "ef", 2));
}

TEST(end_of_file_after_the_last_writer)
{
	int p[2], second;
	char c;

	OK(pipe(p));
	second = OK(dup(p[1]));
	OK(close(p[1]));
	set_nonblock(p[0]);
	CHECK_ERR(read(p[0], &c, 1), EAGAIN);
	OK(close(second));
	CHECK_EQ(read(p[0], &c, 1), 0);
}

TEST(write_without_readers_is_SIGPIPE_and_EPIPE)
{
	int p[2];

	OK(pipe(p));
	OK(close(p[0]));
	pid_t pid = FORK();
	if (!pid) {
		ssize_t n = write(p[1], "x", 1);

		(void)n;
		_exit(0);
	}
	expect_signal(pid, SIGPIPE);
	on_signal(SIGPIPE, SIG_IGN, 0);
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
}

TEST(ends_have_one_direction)
{
	int p[2];
	char c;

	OK(pipe(p));
	CHECK_ERR(read(p[1], &c, 1), EBADF);
	CHECK_ERR(write(p[0], &c, 1), EBADF);
	CHECK_ERR(lseek(p[0], 0, SEEK_SET), ESPIPE);
	CHECK_ERR(pread(p[0], &c, 1, 0), ESPIPE);
	CHECK_ERR(pwrite(p[1], &c, 1, 0), ESPIPE);
}

TEST(pipe2_flags)
{
	int p[2];

	OK(pipe2(p, O_CLOEXEC | O_NONBLOCK));
	CHECK_EQ(fcntl(p[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(p[1], F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_WRONLY | O_NONBLOCK);
	CHECK_ERR(pipe2(p, O_APPEND), EINVAL);
	CHECK_ERR(pipe2(BAD_PTR, 0), EFAULT);
}

TEST(default_capacity_is_64_KiB)
{
	int p[2], n;

	OK(pipe(p));
	CHECK_EQ(fcntl(p[1], F_GETPIPE_SZ), 65536);
	fill(p[1]);
	OK(ioctl(p[0], FIONREAD, &n));
	CHECK_EQ(n, 65536);
}

TEST(set_capacity_rounds_up_and_refuses_to_shrink_below_content)
{
	int p[2];

	OK(pipe(p));
	CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 5000), 8192);
	CHECK_EQ(fcntl(p[0], F_GETPIPE_SZ), 8192);
	CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 1), 4096);
	CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 16384), 16384);
	fill(p[1]);
	CHECK_ERR(fcntl(p[1], F_SETPIPE_SZ, 4096), EBUSY);
}

TEST(nonblocking_write_up_to_PIPE_BUF_is_all_or_nothing)
{
	int p[2];
	static char buf[65536];

	OK(pipe(p));
	fill(p[1]);
	CHECK_EQ(read(p[0], buf, 4096), 4096);
	set_nonblock(p[1]);
	CHECK_EQ(write(p[1], buf, 100), 100);
	CHECK_ERR(write(p[1], buf, 4096), EAGAIN);
}

TEST(nonblocking_big_write_is_partial)
{
	int p[2];
	static char buf[200000];

	OK(pipe(p));
	set_nonblock(p[1]);
	CHECK_EQ(write(p[1], buf, sizeof(buf)), 65536);
	CHECK_ERR(write(p[1], buf, sizeof(buf)), EAGAIN);
}

TEST(blocking_big_write_completes)
{
	int p[2];
	static char buf[300000];
	size_t total = 0;
	ssize_t n;

	OK(pipe(p));
	pid_t pid = FORK();
	if (!pid) {
		OK(close(p[0]));
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = i % 251;
		CHECK_EQ(write(p[1], buf, sizeof(buf)), sizeof(buf));
		_exit(0);
	}
	OK(close(p[1]));
	while ((n = read(p[0], buf, 7000)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			CHECK_EQ((unsigned char)buf[i], (total + i) % 251);
		total += n;
	}
	CHECK_EQ(total, sizeof(buf));
	expect_exit(pid, 0);
}

TEST(concurrent_writes_of_PIPE_BUF_do_not_interleave)
{
	int p[2];
	char buf[PIPE_BUF];
	int count[4] = {0};

	OK(pipe(p));
	for (int w = 0; w < 4; w++) {
		if (FORK())
			continue;
		memset(buf, 'a' + w, sizeof(buf));
		for (int i = 0; i < 50; i++)
			CHECK_EQ(write(p[1], buf, sizeof(buf)), sizeof(buf));
		_exit(0);
	}
	OK(close(p[1]));
	for (;;) {
		size_t got = 0;
		ssize_t n = 1;

		while (got < sizeof(buf) && (n = read(p[0], buf + got, sizeof(buf) - got)) > 0)
			got += n;
		if (!got)
			break;
		CHECK_EQ(got, sizeof(buf));
		for (size_t i = 1; i < sizeof(buf); i++)
			if (buf[i] != buf[0])
				FAIL("byte %zu: expected %c, got %c", i, buf[0], buf[i]);
		count[buf[0] - 'a']++;
	}
	for (int w = 0; w < 4; w++)
		CHECK_EQ(count[w], 50);
}

TEST(zero_byte_io_does_nothing)
{
	int p[2];
	char c;

	OK(pipe(p));
	CHECK_EQ(read(p[0], &c, 0), 0);
	CHECK_EQ(write(p[1], &c, 0), 0);
	set_nonblock(p[0]);
	CHECK_ERR(read(p[0], &c, 1), EAGAIN);
}

TEST(fault_in_the_middle_gives_a_short_count)
{
	int p[2], n;
	char *page = guarded_page();

	OK(pipe(p));
	memset(page, 'x', 4096);
	CHECK_ERR(write(p[1], BAD_PTR, 4), EFAULT);
	OK(ioctl(p[0], FIONREAD, &n));
	CHECK_EQ(n, 0);
	CHECK_EQ(write(p[1], "abcdef", 6), 6);
	CHECK_ERR(read(p[0], BAD_PTR, 6), EFAULT);
	OK(ioctl(p[0], FIONREAD, &n));
	CHECK_EQ(n, 6);
}

TEST(reader_wakes_when_data_arrives)
{
	int p[2];
	char c = 0;
	pid_t parent = getpid();

	OK(pipe(p));
	if (!FORK()) {
		await_sleep(parent);
		CHECK_EQ(write(p[1], "z", 1), 1);
		_exit(0);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(c, 'z');
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(signal_interrupts_read_and_restarts_with_SA_RESTART)
{
	int p[2];
	char c;
	pid_t parent = getpid();

	OK(pipe(p));
	on_signal(SIGUSR1, nothing, 0);
	if (!FORK()) {
		await_sleep(parent);
		OK(kill(parent, SIGUSR1));
		_exit(0);
	}
	CHECK_ERR(read(p[0], &c, 1), EINTR);
	OK(wait(NULL));
	on_signal(SIGUSR1, nothing, SA_RESTART);
	if (!FORK()) {
		await_sleep(parent);
		OK(kill(parent, SIGUSR1));
		await_sleep(parent);
		CHECK_EQ(write(p[1], "r", 1), 1);
		_exit(0);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
}

TEST(signal_after_a_partial_write_returns_the_count)
{
	int p[2];
	static char buf[100000];
	pid_t parent = getpid();

	OK(pipe(p));
	on_signal(SIGUSR1, nothing, 0);
	if (!FORK()) {
		await_sleep(parent);
		OK(kill(parent, SIGUSR1));
		_exit(0);
	}
	CHECK_EQ(write(p[1], buf, sizeof(buf)), 65536);
}

TEST(poll_of_both_ends)
{
	int p[2];

	OK(pipe(p));
	struct pollfd r = {.fd = p[0], .events = POLLIN}, w = {.fd = p[1], .events = POLLOUT};

	CHECK_EQ(poll(&r, 1, 0), 0);
	CHECK_EQ(poll(&w, 1, 0), 1);
	CHECK_EQ(w.revents, POLLOUT);
	fill(p[1]);
	CHECK_EQ(poll(&r, 1, 0), 1);
	CHECK_EQ(r.revents, POLLIN);
	CHECK_EQ(poll(&w, 1, 0), 0);
	OK(close(p[0]));
	CHECK_EQ(poll(&w, 1, 0), 1);
	CHECK(w.revents & POLLERR);
	OK(pipe(p));
	OK(close(p[1]));
	r.fd = p[0];
	CHECK_EQ(poll(&r, 1, 0), 1);
	CHECK_EQ(r.revents, POLLHUP);
}

TEST(tee_duplicates_without_consuming)
{
	int a[2], b[2];
	char buf[8];

	OK(pipe(a));
	OK(pipe(b));
	CHECK_EQ(write(a[1], "hello", 5), 5);
	CHECK_EQ(tee(a[0], b[1], 100, 0), 5);
	CHECK_EQ(read(a[0], buf, 8), 5);
	CHECK_EQ(read(b[0], buf, 8), 5);
	CHECK(!memcmp(buf, "hello", 5));
	CHECK_ERR(tee(a[0], b[1], 10, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERR(tee(a[0], a[1], 10, 0), EINVAL);
}

TEST(splice_moves_between_pipe_and_file)
{
	int p[2], fd = new_file("f", O_RDWR, 0600);
	char buf[16] = "";
	loff_t off = 6;

	CHECK_EQ(write(fd, "hello world", 11), 11);
	OK(pipe(p));
	CHECK_EQ(splice(fd, &off, p[1], NULL, 100, 0), 5);
	CHECK_EQ(off, 11);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 11);
	off = 0;
	CHECK_EQ(splice(p[0], NULL, fd, &off, 100, 0), 5);
	CHECK_EQ(pread(fd, buf, 16, 0), 11);
	CHECK_STR(buf, "world world");
	CHECK_ERR(splice(fd, NULL, fd, NULL, 1, 0), EINVAL);
	CHECK_ERR(splice(p[0], &off, fd, NULL, 1, 0), ESPIPE);
	CHECK_ERR(splice(p[0], NULL, fd, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
}

TEST(vmsplice_puts_user_memory_into_a_pipe)
{
	int p[2];
	char text[] = "from memory", buf[16];
	struct iovec iov[2] = {{text, 4}, {text + 4, 7}};

	OK(pipe(p));
	CHECK_EQ(vmsplice(p[1], iov, 2, 0), 11);
	CHECK_EQ(read(p[0], buf, 16), 11);
	CHECK(!memcmp(buf, text, 11));
	CHECK_ERR(vmsplice(0, iov, 1, 0), EBADF);
}

TEST(packet_mode_keeps_message_borders)
{
	int p[2];
	char buf[16];

	OK(pipe2(p, O_DIRECT));
	CHECK_EQ(write(p[1], "one", 3), 3);
	CHECK_EQ(write(p[1], "second", 6), 6);
	CHECK_EQ(read(p[0], buf, 16), 3);
	CHECK_EQ(read(p[0], buf, 2), 2);
	set_nonblock(p[0]);
	CHECK_ERR(read(p[0], buf, 16), EAGAIN);
}

TEST(fstat_of_a_pipe_says_fifo)
{
	int p[2];
	struct stat st;

	OK(pipe(p));
	OK(fstat(p[0], &st));
	CHECK(S_ISFIFO(st.st_mode));
	CHECK_EQ(st.st_mode & 0777, 0600);
	CHECK_EQ(st.st_size, 0);
	CHECK_EQ(st.st_blksize, 4096);
}

TEST(a_read_into_a_buffer_that_ends_early_takes_nothing)
{
	char data[4096], *page = guarded_page();
	int p[2], left;

	memset(data, 'y', sizeof(data));
	OK(pipe(p));
	CHECK_EQ(write(p[1], data, sizeof(data)), sizeof(data));
	CHECK_ERR(read(p[0], page + page_size() - 100, sizeof(data)), EFAULT);
	OK(ioctl(p[0], FIONREAD, &left));
	CHECK_EQ(left, sizeof(data));
	CHECK_EQ(read(p[0], page, sizeof(data)), sizeof(data));
}
