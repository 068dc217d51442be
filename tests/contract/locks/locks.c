/* SPDX-License-Identifier: MIT */
/* flock, POSIX record locks and open-file-description locks. */
#include "contract.h"
#include <sys/file.h>

static int set_lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock fl = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	return fcntl(fd, cmd, &fl);
}

/* A child that holds a POSIX lock until `release` opens. */
static pid_t holder(int type, off_t start, off_t len, struct gate *release)
{
	struct gate ready = gate_make();

	*release = gate_make();
	pid_t pid = FORK();
	if (!pid) {
		int fd = OK(open("f", O_RDWR));

		OK(set_lock(fd, F_SETLK, type, start, len));
		gate_open(ready);
		gate_wait(*release);
		_exit(0);
	}
	gate_wait(ready);
	return pid;
}

TEST(flock_excludes_and_shares)
{
	int a = new_file("f", O_RDWR, 0600), b = OK(open("f", O_RDONLY));

	OK(flock(a, LOCK_SH));
	OK(flock(b, LOCK_SH | LOCK_NB));
	CHECK_ERR(flock(b, LOCK_EX | LOCK_NB), EAGAIN);
	OK(flock(a, LOCK_UN));
	OK(flock(b, LOCK_EX | LOCK_NB));
	CHECK_ERR(flock(a, LOCK_SH | LOCK_NB), EAGAIN);
	CHECK_ERR(flock(a, 0), EINVAL);
	CHECK_ERR(flock(99, LOCK_SH), EBADF);
}

TEST(flock_belongs_to_the_open_file)
{
	int a = new_file("f", O_RDWR, 0600), b = OK(open("f", O_RDONLY)), d = OK(dup(a));

	OK(flock(a, LOCK_EX));
	OK(flock(d, LOCK_EX | LOCK_NB));
	OK(close(a));
	CHECK_ERR(flock(b, LOCK_SH | LOCK_NB), EAGAIN);
	OK(close(d));
	OK(flock(b, LOCK_SH | LOCK_NB));
}

TEST(flock_is_kept_by_a_forked_copy)
{
	int a = new_file("f", O_RDWR, 0600), b = OK(open("f", O_RDONLY));
	struct gate g = gate_make();

	OK(flock(a, LOCK_EX));
	pid_t pid = FORK();
	if (!pid) {
		gate_wait(g);
		_exit(0);
	}
	OK(close(a));
	CHECK_ERR(flock(b, LOCK_SH | LOCK_NB), EAGAIN);
	gate_open(g);
	expect_exit(pid, 0);
	OK(flock(b, LOCK_SH | LOCK_NB));
}

TEST(flock_waits_until_released)
{
	int a = new_file("f", O_RDWR, 0600);

	OK(flock(a, LOCK_EX));
	pid_t pid = FORK();
	if (!pid) {
		int b = OK(open("f", O_RDWR));

		OK(flock(b, LOCK_EX));
		_exit(0);
	}
	await_sleep(pid);
	OK(flock(a, LOCK_UN));
	expect_exit(pid, 0);
}

TEST(posix_lock_conflicts_between_processes)
{
	int fd = new_file("f", O_RDWR, 0600);
	struct gate g;
	pid_t pid = holder(F_WRLCK, 10, 10, &g);

	CHECK_ERR(set_lock(fd, F_SETLK, F_RDLCK, 15, 1), EAGAIN);
	OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 10));
	OK(set_lock(fd, F_SETLK, F_WRLCK, 20, 0));
	gate_open(g);
	expect_exit(pid, 0);
	OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 0));
}

TEST(F_GETLK_describes_the_first_conflict)
{
	int fd = new_file("f", O_RDWR, 0600);
	struct gate g;
	pid_t pid = holder(F_RDLCK, 100, 50, &g);
	struct flock fl = {.l_type = F_WRLCK};

	OK(fcntl(fd, F_GETLK, &fl));
	CHECK_EQ(fl.l_type, F_RDLCK);
	CHECK_EQ(fl.l_start, 100);
	CHECK_EQ(fl.l_len, 50);
	CHECK_EQ(fl.l_pid, pid);
	fl = (struct flock){.l_type = F_RDLCK};
	OK(fcntl(fd, F_GETLK, &fl));
	CHECK_EQ(fl.l_type, F_UNLCK);
}

TEST(posix_locks_merge_and_split)
{
	int fd = new_file("f", O_RDWR, 0600);

	OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 10));
	OK(set_lock(fd, F_SETLK, F_WRLCK, 10, 10));
	OK(set_lock(fd, F_SETLK, F_UNLCK, 5, 5));
	pid_t pid = FORK();
	if (!pid) {
		struct flock fl = {.l_type = F_WRLCK};

		OK(fcntl(fd, F_GETLK, &fl));
		CHECK_EQ(fl.l_start, 0);
		CHECK_EQ(fl.l_len, 5);
		fl = (struct flock){.l_type = F_WRLCK, .l_start = 5};
		OK(fcntl(fd, F_GETLK, &fl));
		CHECK_EQ(fl.l_start, 10);
		CHECK_EQ(fl.l_len, 10);
		OK(set_lock(fd, F_SETLK, F_WRLCK, 5, 5));
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(posix_locks_go_with_any_close_of_the_file)
{
	int fd = new_file("f", O_RDWR, 0600);

	OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 0));
	OK(close(OK(open("f", O_RDONLY))));
	pid_t pid = FORK();
	if (!pid) {
		OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 0));
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(posix_locks_are_not_inherited_by_fork)
{
	int fd = new_file("f", O_RDWR, 0600);

	OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 0));
	pid_t pid = FORK();
	if (!pid) {
		CHECK_ERR(set_lock(fd, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
		OK(set_lock(fd, F_SETLK, F_UNLCK, 0, 0));
		CHECK_ERR(set_lock(fd, F_SETLK, F_RDLCK, 0, 0), EAGAIN);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(F_SETLKW_waits_and_detects_deadlock)
{
	int fd = new_file("f", O_RDWR, 0600);
	struct gate ready = gate_make();

	OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 1));
	pid_t pid = FORK();
	if (!pid) {
		OK(set_lock(fd, F_SETLK, F_WRLCK, 1, 1));
		gate_open(ready);
		OK(set_lock(fd, F_SETLKW, F_WRLCK, 0, 1));
		_exit(0);
	}
	gate_wait(ready);
	await_sleep(pid);
	CHECK_ERR(set_lock(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
	OK(set_lock(fd, F_SETLK, F_UNLCK, 0, 1));
	expect_exit(pid, 0);
}

static int g_closed_fd;
static struct gate g_closed;

/* Closes what the process's first thread waits for a lock of, and is gone. */
static void *close_for_the_waiter(void *arg)
{
	await_sleep(getpid());
	OK(close(g_closed_fd));
	gate_open(g_closed);
	return arg;
}

static void await_single_thread(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	while (!strstr(read_text(path), "\nThreads:\t1\n"))
		sched_yield();
}

TEST(a_lock_granted_on_a_closed_descriptor_is_EBADF_and_given_back)
{
	int fd = new_file("f", O_RDWR, 0600);

	g_closed = gate_make();
	OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 0));
	pid_t pid = FORK();
	if (!pid) {
		pthread_t t;

		g_closed_fd = OK(open("f", O_RDWR));
		CHECK_PT(pthread_create(&t, NULL, close_for_the_waiter, NULL));
		CHECK_ERR(set_lock(g_closed_fd, F_SETLKW, F_WRLCK, 0, 0), EBADF);
		_exit(0);
	}
	gate_wait(g_closed);
	await_single_thread(pid);
	OK(set_lock(fd, F_SETLK, F_UNLCK, 0, 0));
	expect_exit(pid, 0);
	OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 0));
}

TEST(lock_type_needs_the_access_mode)
{
	write_file("f", "");
	int r = OK(open("f", O_RDONLY)), w = OK(open("f", O_WRONLY)), p[2];

	CHECK_ERR(set_lock(r, F_SETLK, F_WRLCK, 0, 0), EBADF);
	CHECK_ERR(set_lock(w, F_SETLK, F_RDLCK, 0, 0), EBADF);
	CHECK_ERR(set_lock(r, F_SETLK, 77, 0, 0), EINVAL);
	CHECK_ERR(set_lock(r, F_SETLK, F_RDLCK, -1, 0), EINVAL);
	CHECK_ERR(set_lock(r, F_SETLK, F_RDLCK, 0, -1), EINVAL);
	OK(pipe(p));
	CHECK_ERR(fcntl(r, F_SETLK, BAD_PTR), EFAULT);
}

TEST(negative_length_locks_backwards)
{
	int fd = new_file("f", O_RDWR, 0600);

	OK(set_lock(fd, F_SETLK, F_WRLCK, 10, -5));
	pid_t pid = FORK();
	if (!pid) {
		struct flock fl = {.l_type = F_WRLCK};

		OK(fcntl(fd, F_GETLK, &fl));
		CHECK_EQ(fl.l_start, 5);
		CHECK_EQ(fl.l_len, 5);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(ofd_locks_belong_to_the_open_file)
{
	int a = new_file("f", O_RDWR, 0600), b = OK(open("f", O_RDWR)), d = OK(dup(a));

	OK(set_lock(a, F_OFD_SETLK, F_WRLCK, 0, 10));
	OK(set_lock(d, F_OFD_SETLK, F_WRLCK, 0, 10));
	CHECK_ERR(set_lock(b, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN);
	struct flock fl = {.l_type = F_WRLCK};
	OK(fcntl(b, F_OFD_GETLK, &fl));
	CHECK_EQ(fl.l_type, F_WRLCK);
	CHECK_EQ(fl.l_pid, -1);
	OK(close(d));
	CHECK_ERR(set_lock(b, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN);
	OK(close(a));
	OK(set_lock(b, F_OFD_SETLK, F_WRLCK, 5, 1));
	fl = (struct flock){.l_type = F_WRLCK, .l_pid = 1};
	CHECK_ERR(fcntl(b, F_OFD_SETLK, &fl), EINVAL);
}

TEST(ofd_and_posix_locks_conflict)
{
	int a = new_file("f", O_RDWR, 0600), b = OK(open("f", O_RDWR));

	OK(set_lock(a, F_OFD_SETLK, F_WRLCK, 0, 0));
	CHECK_ERR(set_lock(b, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
}

TEST(ofd_wait_ends_when_released)
{
	int a = new_file("f", O_RDWR, 0600);

	OK(set_lock(a, F_OFD_SETLK, F_WRLCK, 0, 0));
	pid_t pid = FORK();
	if (!pid) {
		int b = OK(open("f", O_RDWR));

		OK(set_lock(b, F_OFD_SETLKW, F_RDLCK, 0, 0));
		_exit(0);
	}
	await_sleep(pid);
	OK(set_lock(a, F_OFD_SETLK, F_UNLCK, 0, 0));
	expect_exit(pid, 0);
}

TEST(locks_of_a_killed_process_are_released)
{
	int fd = new_file("f", O_RDWR, 0600);
	struct gate g;
	pid_t pid = holder(F_WRLCK, 0, 0, &g);

	OK(kill(pid, SIGKILL));
	OK(set_lock(fd, F_SETLKW, F_WRLCK, 0, 0));
	expect_signal(pid, SIGKILL);
}

TEST(proc_locks_lists_them)
{
	int fd = new_file("f", O_RDWR, 0600);
	char want[64];

	OK(flock(fd, LOCK_EX));
	snprintf(want, sizeof(want), "FLOCK  ADVISORY  WRITE %d ", getpid());
	CHECK(strstr(read_text("/proc/locks"), want));
}

/* How often needle stands in the text. */
static int count_in(const char *text, const char *needle)
{
	int n = 0;

	for (; (text = strstr(text, needle)); text++)
		n++;
	return n;
}

TEST(fdinfo_shows_all_locks_that_came_by_the_descriptor)
{
	int f = new_file("f", O_RDWR, 0600), g = OK(open("f", O_RDWR));
	struct gate release;
	char path[64];
	pid_t pid = holder(F_WRLCK, 1000, 10, &release);
	const char *text;

	for (int i = 0; i < 9; i++)
		OK(set_lock(f, F_SETLK, F_WRLCK, i * 20, 10));
	OK(set_lock(f, F_OFD_SETLK, F_RDLCK, 500, 1));
	OK(flock(f, LOCK_SH));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", f);
	text = read_text(path);
	CHECK_EQ(count_in(text, "lock:\t"), 11);
	CHECK_EQ(count_in(text, ": POSIX  ADVISORY  WRITE"), 9);
	CHECK_EQ(count_in(text, ": OFDLCK ADVISORY  READ"), 1);
	CHECK_EQ(count_in(text, ": FLOCK  ADVISORY  READ"), 1);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", g);
	CHECK_EQ(count_in(read_text(path), "lock:\t"), 0);
	OK(set_lock(g, F_SETLK, F_RDLCK, 2000, 1));
	CHECK_EQ(count_in(read_text(path), ": POSIX  ADVISORY  READ"), 1);
	gate_open(release);
	expect_exit(pid, 0);
}

/* The number of the line in /proc/locks that has text in it. */
static int line_number(const char *text)
{
	const char *all = read_text("/proc/locks"), *at = strstr(all, text);
	int nr = -1;

	if (!at)
		FAIL("/proc/locks lacks \"%s\":\n%s", text, all);
	while (at > all && at[-1] != '\n')
		at--;
	sscanf(at, "%d", &nr);
	return nr;
}

TEST(proc_locks_shows_who_waits_under_the_number_of_the_lock_in_the_way)
{
	int f = new_file("f", O_RDWR, 0600);
	char waits[64], holds[64];
	pid_t pid;

	OK(set_lock(f, F_SETLK, F_WRLCK, 0, 10));
	pid = FORK();
	if (!pid) {
		set_lock(f, F_SETLKW, F_RDLCK, 5, 7);
		_exit(0);
	}
	await_sleep(pid);
	snprintf(waits, sizeof(waits), ": -> POSIX  ADVISORY  READ %d ", pid);
	snprintf(holds, sizeof(holds), ": POSIX  ADVISORY  WRITE %d ", getpid());
	CHECK_EQ(line_number(waits), line_number(holds));
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	CHECK(!strstr(read_text("/proc/locks"), "->"));
	(void)line_number(holds);
}
