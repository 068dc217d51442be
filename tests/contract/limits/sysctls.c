/* SPDX-License-Identifier: MIT */
/* Settings in /proc/sys that are limits: what is written there is what happens. */
#include "setting.h"
#include <sys/inotify.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- processes ---- */

static void fork_many(void)
{
	pid_t pids[40];
	int n = 0, err = 0;

	for (; n < 40; n++) {
		pids[n] = fork();
		if (pids[n] < 0) {
			err = errno;
			break;
		}
		if (!pids[n])
			for (;;)
				pause();
	}
	for (int i = 0; i < n; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	CHECK(n < 40);
	CHECK_EQ(err, EAGAIN);
}

TEST(threads_max_limits_threads)
{
	pid_t pid = FORK(); /* with() would not get its child */

	if (!pid) {
		char was[32];

		snprintf(was, sizeof(was), "%s", read_text("/proc/sys/kernel/threads-max"));
		write_file("/proc/sys/kernel/threads-max", "20");
		fork_many();
		write_file("/proc/sys/kernel/threads-max", was);
		_exit(0);
	}
	expect_exit(pid, 0);
}

/* ---- inotify ---- */

static void four_instances(void)
{
	become_user(1000, 1000);
	for (int i = 0; i < 3; i++)
		OK(inotify_init1(0));
	CHECK_ERR(inotify_init1(0), EMFILE);
}

TEST(max_user_instances_limits_inotify)
{
	with("fs/inotify/max_user_instances", "3", four_instances);
}

static void four_watches(void)
{
	char name[16];
	int fd;

	become_user(1000, 1000);
	fd = OK(inotify_init1(0));
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		if (i < 3)
			OK(inotify_add_watch(fd, name, IN_MODIFY));
		else
			CHECK_ERR(inotify_add_watch(fd, name, IN_MODIFY), ENOSPC);
	}
}

TEST(max_user_watches_limits_inotify)
{
	for (int i = 0; i < 4; i++) {
		char name[16];

		snprintf(name, sizeof(name), "w%d", i);
		close(new_file(name, O_RDWR, 0666));
	}
	with("fs/inotify/max_user_watches", "3", four_watches);
}

static void many_events(void)
{
	int fd = OK(inotify_init1(IN_NONBLOCK)), events = 0, overflows = 0;
	char buf[4096], name[16];
	ssize_t n;

	OK(inotify_add_watch(fd, ".", IN_CREATE));
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "e%d", i);
		close(new_file(name, O_RDWR, 0600));
	}
	n = OK(read(fd, buf, sizeof(buf)));
	for (char *p = buf; p < buf + n;) {
		struct inotify_event e;

		memcpy(&e, p, sizeof(e));
		p += sizeof(e) + e.len;
		events++;
		overflows += !!(e.mask & IN_Q_OVERFLOW);
	}
	CHECK_EQ(overflows, 1);
	CHECK(events <= 6);
}

TEST(max_queued_events_limits_inotify)
{
	with("fs/inotify/max_queued_events", "4", many_events);
}

/* ---- pipes ---- */

static int pipes_until_error(int max)
{
	int p[2], n = 0;

	while (n < max && pipe(p) == 0)
		n++;
	return n;
}

static void pipes_hard(void)
{
	int n, err;

	become_user(1000, 1000);
	errno = 0;
	n = pipes_until_error(20);
	err = errno;
	CHECK_EQ(err, ENFILE);
	CHECK(n >= 1 && n <= 4);
}

static void pipes_soft(void)
{
	int p[2];

	become_user(1000, 1000);
	CHECK_EQ(pipes_until_error(10), 10);
	OK(pipe(p));
	CHECK(OK(fcntl(p[0], F_GETPIPE_SZ)) <= 8192);
	CHECK_ERR(fcntl(p[0], F_SETPIPE_SZ, 65536), EPERM);
}

TEST(pipe_user_pages_hard_limits_pipes)
{
	with("fs/pipe-user-pages-hard", "40", pipes_hard);
}

TEST(pipe_user_pages_soft_makes_pipes_small)
{
	with("fs/pipe-user-pages-soft", "40", pipes_soft);
}

static void large_pipe(void)
{
	int p[2];

	become_user(1000, 1000);
	OK(pipe(p));
	CHECK_ERR(fcntl(p[0], F_SETPIPE_SZ, 262144), EPERM);
	CHECK_EQ(OK(fcntl(p[0], F_SETPIPE_SZ, 131072)), 131072);
}

TEST(pipe_max_size_limits_users)
{
	with("fs/pipe-max-size", "131072", large_pipe);
}

/* ---- sticky directories ---- */

static void sticky(void)
{
	OK(mkdir("sticky", 01777));
	OK(chmod("sticky", 01777));
	close(new_file("target", O_RDWR, 0666));
	close(new_file("sticky/file", O_RDWR, 0666));
	OK(chmod("sticky/file", 0666));
	OK(mkfifo("sticky/fifo", 0666));
	OK(chmod("sticky/fifo", 0666));
	OK(symlink("../target", "sticky/link"));
	OK(lchown("sticky/file", 2000, 2000));
	OK(lchown("sticky/fifo", 2000, 2000));
	OK(lchown("sticky/link", 2000, 2000));
}

static void others_regular_refused(void)
{
	become_user(1000, 1000);
	CHECK_ERR(open("sticky/file", O_RDWR | O_CREAT, 0600), EACCES);
	OK(open("sticky/file", O_RDWR));
}

static void others_regular_allowed(void)
{
	become_user(1000, 1000);
	OK(open("sticky/file", O_RDWR | O_CREAT, 0600));
}

TEST(protected_regular_refuses_others_files_in_sticky_directories)
{
	sticky();
	with("fs/protected_regular", "1", others_regular_refused);
	with("fs/protected_regular", "0", others_regular_allowed);
}

static void others_fifo_refused(void)
{
	become_user(1000, 1000);
	CHECK_ERR(open("sticky/fifo", O_RDWR | O_CREAT, 0600), EACCES);
}

static void others_fifo_allowed(void)
{
	become_user(1000, 1000);
	OK(open("sticky/fifo", O_RDWR | O_CREAT, 0600));
}

TEST(protected_fifos_refuses_others_fifos_in_sticky_directories)
{
	sticky();
	with("fs/protected_fifos", "1", others_fifo_refused);
	with("fs/protected_fifos", "0", others_fifo_allowed);
}

static void others_link_refused(void)
{
	become_user(1000, 1000);
	CHECK_ERR(open("sticky/link", O_RDONLY), EACCES);
}

static void others_link_allowed(void)
{
	become_user(1000, 1000);
	OK(open("sticky/link", O_RDONLY));
}

TEST(protected_symlinks_refuses_others_links_in_sticky_directories)
{
	sticky();
	with("fs/protected_symlinks", "1", others_link_refused);
	with("fs/protected_symlinks", "0", others_link_allowed);
}

/* ---- memory ---- */

static void map_writable(size_t mib, bool fits)
{
	void *p = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	int err = errno;

	CHECK_EQ(p != MAP_FAILED, fits);
	if (!fits)
		CHECK_EQ(err, ENOMEM);
}

static void much_fits(void)
{
	map_writable(64 << 10, true);
}

static void much_does_not_fit(void)
{
	map_writable(64 << 10, false);
}

static void most_fits(void)
{
	map_writable(300, true);
}

static void most_does_not_fit(void)
{
	map_writable(300, false);
}

static void strict(void)
{
	with("vm/overcommit_memory", "2", much_does_not_fit);
	with("vm/overcommit_memory", "2", most_fits);
}

static void strict_tight(void)
{
	with("vm/overcommit_memory", "2", most_does_not_fit);
}

/* The machine has 512 MiB. */
TEST(overcommit_memory_and_ratio_decide_what_may_be_promised)
{
	with("vm/overcommit_memory", "0", much_does_not_fit);
	with("vm/overcommit_memory", "1", much_fits);
	with("vm/overcommit_ratio", "100", strict);
	with("vm/overcommit_ratio", "20", strict_tight);
}

TEST(mmap_min_addr_keeps_users_from_page_0)
{
	become_user(1000, 1000);
	CHECK_ERR(
		mmap(NULL, page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		EPERM);
}

TEST(THP_DISABLE_is_kept_over_fork_and_shown)
{
	OK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	pid_t pid = FORK();
	if (!pid)
		_exit(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1 ? 0 : 1);
	expect_exit(pid, 0);
}

/* ---- sockets ---- */

static void many_connections(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "sock"};
	int l = OK(socket(AF_UNIX, SOCK_STREAM, 0)), n = 0, err = 0;

	OK(bind(l, (struct sockaddr *)&a, sizeof(a)));
	OK(listen(l, 100));
	for (; n < 20; n++) {
		int c = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));

		if (connect(c, (struct sockaddr *)&a, sizeof(a))) {
			err = errno;
			break;
		}
	}
	CHECK_EQ(err, EAGAIN);
	CHECK_EQ(n, 4); /* one more than the limit */
}

TEST(somaxconn_limits_the_backlog)
{
	with("net/core/somaxconn", "3", many_connections);
}

static void many_datagrams(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "queue"};
	int to = OK(socket(AF_UNIX, SOCK_DGRAM, 0)), n = 0, err;
	int s = OK(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));

	OK(bind(to, (struct sockaddr *)&a, sizeof(a)));
	while (n < 50 && sendto(s, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)) == 1)
		n++;
	err = errno;
	CHECK_EQ(err, EAGAIN);
	CHECK_EQ(n, 4); /* one more than the limit */
}

TEST(max_dgram_qlen_limits_the_queue)
{
	with("net/unix/max_dgram_qlen", "3", many_datagrams);
}

static void large_buffers(void)
{
	int s = OK(socket(AF_UNIX, SOCK_STREAM, 0)), v = 1 << 20;
	socklen_t len = sizeof(v);

	OK(setsockopt(s, SOL_SOCKET, SO_SNDBUF, &v, len));
	OK(getsockopt(s, SOL_SOCKET, SO_SNDBUF, &v, &len));
	CHECK_EQ(v, 100000);
}

TEST(wmem_max_limits_SO_SNDBUF)
{
	with("net/core/wmem_max", "50000", large_buffers);
}

static void default_buffers(void)
{
	int s = OK(socket(AF_UNIX, SOCK_STREAM, 0)), v;
	socklen_t len = sizeof(v);

	OK(getsockopt(s, SOL_SOCKET, SO_RCVBUF, &v, &len));
	CHECK_EQ(v, 60000);
}

TEST(rmem_default_is_what_sockets_start_with)
{
	with("net/core/rmem_default", "60000", default_buffers);
}

static void large_control(void)
{
	char control[400] = {0}, byte = 0;
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control};
	int s[2];

	OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	m.msg_controllen = sizeof(control);
	CHECK_ERR(sendmsg(s[0], &m, 0), ENOBUFS);
}

TEST(optmem_max_limits_control_data)
{
	with("net/core/optmem_max", "100", large_control);
}

/* ---- others ---- */

static void log_refused(void)
{
	char buf[128];

	become_user(1000, 1000);
	CHECK_ERR(klogctl(3, buf, sizeof(buf)), EPERM);
}

static void log_allowed(void)
{
	char buf[128];

	become_user(1000, 1000);
	OK(klogctl(3, buf, sizeof(buf)));
}

TEST(dmesg_restrict_keeps_the_log_from_users)
{
	with("kernel/dmesg_restrict", "1", log_refused);
	with("kernel/dmesg_restrict", "0", log_allowed);
}

static void dumpable_is_2(void)
{
	become_user(1000, 1000);
	CHECK_EQ(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 2);
}

static void dumpable_is_0(void)
{
	become_user(1000, 1000);
	CHECK_EQ(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
}

TEST(suid_dumpable_decides_what_leaving_root_leaves)
{
	with("fs/suid_dumpable", "2", dumpable_is_2);
	with("fs/suid_dumpable", "0", dumpable_is_0);
}
