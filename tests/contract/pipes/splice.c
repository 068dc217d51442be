/* SPDX-License-Identifier: MIT */
/* splice under pressure: what one side has given is never lost. Pages of a user in pipes. */
#include "contract.h"
#include <sys/sendfile.h>
#include <sys/socket.h>

#define STREAM (1 << 20)
#define FILLER 255 /* what others write; the stream's bytes are 0..250 in turn */

static int g_sock[2], g_pipe[2];
static bool g_done; /* atomic */

static void *send_stream(void *fd)
{
	unsigned char buf[5000];
	unsigned next = 0;

	for (size_t sent = 0; sent < STREAM;) {
		size_t n = sent % 3 ? 700 : sizeof(buf);

		for (size_t i = 0; i < n; i++)
			buf[i] = next++ % 251;
		for (size_t at = 0; at < n;)
			at += OK(write(*(int *)fd, buf + at, n - at));
		sent += n;
	}
	OK(close(*(int *)fd));
	return NULL;
}

static void *write_filler(void *arg)
{
	unsigned char buf[64];

	memset(buf, FILLER, sizeof(buf));
	while (!__atomic_load_n(&g_done, __ATOMIC_ACQUIRE))
		OK(write(g_pipe[1], buf, sizeof(buf)));
	return arg;
}

static void nothing(int sig)
{
	(void)sig;
}

static void *splice_socket_to_pipe(void *arg)
{
	for (;;) {
		ssize_t n = splice(g_sock[0], NULL, g_pipe[1], NULL, 65536, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (OK(n) == 0)
			break;
	}
	__atomic_store_n(&g_done, true, __ATOMIC_RELEASE);
	return arg;
}

/* Reads a stream with filler in it to the end; every byte must be there, in order. */
static void read_stream(int fd)
{
	unsigned char buf[3000];
	unsigned next = 0;
	ssize_t n;

	while ((n = OK(read(fd, buf, sizeof(buf)))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] == FILLER)
				continue;
			CHECK_EQ(buf[i], next % 251);
			next++;
		}
	CHECK(next >= STREAM);
}

static void *interrupt(void *thread)
{
	while (!__atomic_load_n(&g_done, __ATOMIC_ACQUIRE)) {
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
		usleep(200);
	}
	return NULL;
}

TEST(splice_into_a_pipe_that_others_fill_loses_nothing)
{
	struct sigaction sa = {.sa_handler = nothing};
	pthread_t sender, filler, splicer, killer;

	OK(sigaction(SIGUSR1, &sa, NULL));
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, g_sock));
	OK(pipe(g_pipe));
	OK(fcntl(g_pipe[1], F_SETPIPE_SZ, 8192));
	pid_t reader = FORK();
	if (!reader) {
		close(g_pipe[1]);
		close(g_sock[0]);
		close(g_sock[1]);
		read_stream(g_pipe[0]);
		_exit(0);
	}
	CHECK_PT(pthread_create(&splicer, NULL, splice_socket_to_pipe, NULL));
	CHECK_PT(pthread_create(&filler, NULL, write_filler, NULL));
	CHECK_PT(pthread_create(&sender, NULL, send_stream, &g_sock[1]));
	CHECK_PT(pthread_create(&killer, NULL, interrupt, &splicer));
	CHECK_PT(pthread_join(sender, NULL));
	CHECK_PT(pthread_join(killer, NULL));
	CHECK_PT(pthread_join(splicer, NULL));
	CHECK_PT(pthread_join(filler, NULL));
	OK(close(g_pipe[1]));
	expect_exit(reader, 0);
}

static void *splice_pipe_to_socket(void *arg)
{
	for (;;) {
		ssize_t n = splice(g_pipe[0], NULL, g_sock[0], NULL, 65536, 0);
		struct pollfd p = {g_sock[0], POLLOUT, 0};

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			OK(poll(&p, 1, -1) < 0 && errno == EINTR ? 0 : 1);
			continue;
		}
		if (OK(n) == 0)
			break;
	}
	__atomic_store_n(&g_done, true, __ATOMIC_RELEASE);
	OK(shutdown(g_sock[0], SHUT_WR));
	return arg;
}

TEST(splice_from_a_full_pipe_to_a_full_socket_loses_nothing)
{
	struct sigaction sa = {.sa_handler = nothing};
	pthread_t sender, splicer, killer;
	int small = 4608;

	OK(sigaction(SIGUSR1, &sa, NULL));
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, g_sock));
	OK(setsockopt(g_sock[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)));
	OK(fcntl(g_sock[0], F_SETFL, O_NONBLOCK));
	OK(pipe(g_pipe));
	OK(fcntl(g_pipe[1], F_SETPIPE_SZ, 8192));
	CHECK_PT(pthread_create(&sender, NULL, send_stream, &g_pipe[1]));
	CHECK_PT(pthread_create(&splicer, NULL, splice_pipe_to_socket, NULL));
	CHECK_PT(pthread_create(&killer, NULL, interrupt, &splicer));
	read_stream(g_sock[1]);
	CHECK_PT(pthread_join(sender, NULL));
	CHECK_PT(pthread_join(splicer, NULL));
	CHECK_PT(pthread_join(killer, NULL));
}

TEST(sendfile_to_a_full_pipe_moves_the_offset_by_what_went)
{
	int fd = OK(open("f", O_CREAT | O_RDWR, 0600)), p[2];
	off_t off = 0;
	char c;

	OK(ftruncate(fd, 100000));
	OK(pipe2(p, O_NONBLOCK));
	OK(fcntl(p[1], F_SETPIPE_SZ, 8192));
	CHECK_EQ(sendfile(p[1], fd, &off, 100000), 8192);
	CHECK_EQ(off, 8192);
	CHECK_ERR(sendfile(p[1], fd, &off, 100000), EAGAIN);
	CHECK_EQ(off, 8192);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_EQ(read(p[0], &c, 1), 1);
}

static void set_limit(const char *name, const char *value)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/sys/fs/pipe-%s", name);
	write_file(path, value);
}

static void user_pipes(void)
{
	int p[2];

	become_user(1234, 1234);
	for (int i = 0; i < 4; i++) {
		OK(pipe(p));
		CHECK_EQ(fcntl(p[0], F_GETPIPE_SZ), 65536);
	}
	OK(pipe(p)); /* 64 pages are used: small ones from now on */
	CHECK_EQ(fcntl(p[0], F_GETPIPE_SZ), 8192);
	CHECK_EQ(fcntl(p[0], F_SETPIPE_SZ, 4096), 4096);
	CHECK_ERR(fcntl(p[0], F_SETPIPE_SZ, 8192), EPERM);
	OK(pipe(p));
	CHECK_EQ(fcntl(p[0], F_GETPIPE_SZ), 8192);
	OK(pipe(p)); /* 69 */
	CHECK_ERR(pipe(p), ENFILE);
	CHECK_ERR(pipe(p), ENFILE);
}

TEST(pages_in_pipes_are_limited_per_user)
{
	int p[2];

	set_limit("user-pages-soft", "64");
	set_limit("user-pages-hard", "70");
	pid_t pid = FORK();
	if (!pid) {
		user_pipes();
		_exit(0);
	}
	int status = wait_status(pid);
	pid = FORK(); /* what the first one had is given back */
	if (!pid) {
		user_pipes();
		_exit(0);
	}
	expect_exit(pid, 0);
	for (int i = 0; i < 6; i++) { /* root is not bound */
		OK(pipe(p));
		CHECK_EQ(fcntl(p[0], F_GETPIPE_SZ), 65536);
	}
	set_limit("user-pages-soft", "16384");
	set_limit("user-pages-hard", "0");
	CHECK_EQ(status, 0);
}

static void file_is(const char *path, const char *want)
{
	char buf[64] = "";
	int fd = OK(open(path, O_RDONLY));

	OK(read(fd, buf, sizeof(buf) - 1));
	CHECK_STR(buf, want);
	OK(close(fd));
}

TEST(pipe_max_size_bounds_users)
{
	const char *path = "/proc/sys/fs/pipe-max-size";
	int p[2];

	write_file(path, "9000");
	file_is(path, "16384\n");
	OK(pipe(p));
	CHECK_EQ(fcntl(p[0], F_SETPIPE_SZ, 131072), 131072);
	pid_t pid = FORK();
	if (!pid) {
		become_user(1234, 1234);
		CHECK_EQ(fcntl(p[0], F_SETPIPE_SZ, 65536), 65536);
		CHECK_ERR(fcntl(p[0], F_SETPIPE_SZ, 131072), EPERM);
		_exit(0);
	}
	int status = wait_status(pid);
	write_file(path, "1048576");
	file_is(path, "1048576\n");
	CHECK_EQ(status, 0);
}
