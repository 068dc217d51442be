/* SPDX-License-Identifier: MIT */
/* Programs with more rights than who runs them: what the others may not do to them. */
#include "contract.h"
#include <sys/prctl.h>
#include <sys/xattr.h>

#define CAPS "security.capability"

static void copy_self(const char *to, mode_t mode)
{
	int in = OK(open(self_path, O_RDONLY)), out = new_file(to, O_WRONLY, 0755);
	char buf[16384];
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		CHECK_EQ(write(out, buf, n), n);
	close(in);
	OK(fchmod(out, mode));
	OK(close(out));
}

static void on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	OK(sched_setaffinity(0, sizeof(set), &set));
}

/* ---- looking into a program that is being started ---- */

static volatile char g_secret[16];

HELPER(keep_a_secret)
{
	CHECK_EQ(geteuid(), 0);
	memcpy((char *)g_secret, "root's", 7);
	usleep(4000);
	return 0;
}

struct race {
	volatile int pid, ready, stop, opened, seen;
};

/* Opens /proc/PID/mem of the racer until that is refused; later looks through the last ones. */
static void spy(struct race *r)
{
	int last = 0, open_at[8];

	on_cpu(1);
	while (!r->stop) {
		int pid = r->pid, n = 0;
		char path[64], b[16];

		if (!pid || pid == last)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/mem", pid);
		memset(open_at, -1, sizeof(open_at));
		r->ready = pid;
		for (;; n++) {
			int fd = open(path, O_RDWR);

			if (fd < 0)
				break;
			if (open_at[n & 7] >= 0)
				close(open_at[n & 7]);
			open_at[n & 7] = fd;
		}
		last = pid;
		r->opened += n > 0;
		usleep(1500);
		for (int i = 0; i < 8; i++) {
			if (open_at[i] < 0)
				continue;
			if (pread(open_at[i], b, 7, (off_t)(uintptr_t)g_secret) == 7 &&
				!memcmp(b, "root's", 7))
				r->seen++;
			close(open_at[i]);
		}
	}
	_exit(0);
}

TEST(memory_of_a_setuid_program_is_closed_to_who_could_read_the_one_before)
{
	struct race *r = OK(
		mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	long long end = now_ns(CLOCK_MONOTONIC) + 4 * SEC;
	pid_t watcher;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip_test("a race of two processors");
	copy_self("prog", 04755);
	become_user(1000, 1000);
	OK(prctl(PR_SET_DUMPABLE, 1));
	watcher = FORK();
	if (!watcher)
		spy(r);
	on_cpu(0);
	for (int i = 0; now_ns(CLOCK_MONOTONIC) < end; i++) {
		pid_t pid = FORK();

		if (!pid) {
			r->pid = getpid();
			while (r->ready != getpid())
				continue;
			for (volatile int k = i * 389 % 4000; k; k--)
				continue;
			execl("./prog", "prog", "--helper", "keep_a_secret", NULL);
			_exit(99);
		}
		expect_exit(pid, 0);
		r->pid = 0;
	}
	r->stop = 1;
	expect_exit(watcher, 0);
	CHECK(r->opened > 0);
	CHECK_EQ(r->seen, 0);
}

/* The window of a process that gives up its rights: not to be looked into at any moment. */
TEST(memory_of_a_process_that_gave_up_root_is_closed_to_the_user)
{
	struct race *r = OK(
		mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	long long end = now_ns(CLOCK_MONOTONIC) + 2 * SEC;
	pid_t watcher;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip_test("a race of two processors");
	watcher = FORK();
	if (!watcher) {
		become_user(1000, 1000);
		on_cpu(1);
		while (!r->stop) {
			int pid = r->pid, fd;
			char path[64];

			if (!pid)
				continue;
			snprintf(path, sizeof(path), "/proc/%d/mem", pid);
			fd = open(path, O_RDONLY);
			r->opened++;
			if (fd >= 0) {
				r->seen++;
				close(fd);
			}
		}
		_exit(0);
	}
	on_cpu(0);
	while (now_ns(CLOCK_MONOTONIC) < end) {
		pid_t pid = FORK();

		if (!pid) {
			int before = r->opened;

			r->pid = getpid();
			while (r->opened < before + 2)
				continue;
			become_user(1000, 1000);
			before = r->opened;
			while (r->opened < before + 2)
				continue;
			r->pid = 0;
			before = r->opened;
			_exit(0);
		}
		expect_exit(pid, 0);
	}
	r->stop = 1;
	expect_exit(watcher, 0);
	CHECK(r->opened > 0);
	CHECK_EQ(r->seen, 0);
}

/* ---- PR_SET_PDEATHSIG is the parent's signal ---- */

/* argv: all ids root's?, descriptors of two gates. */
HELPER(outlive_the_parent)
{
	struct gate ready = {-1, atoi(argv[1])}, alive = {-1, atoi(argv[2])};
	pid_t parent = getppid();

	CHECK_EQ(geteuid(), 0);
	if (atoi(argv[0]))
		OK(setresuid(0, 0, 0));
	OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
	gate_open(ready);
	while (getppid() == parent)
		usleep(1000);
	kill(-getpgrp(), 0); /* behind who gave us another parent */
	gate_open(alive);
	return 0;
}

static bool outlives_the_parent(char *all_ids)
{
	struct gate ready = gate_make(), alive = gate_make();
	char fds[2][16], b;
	pid_t pid = FORK();

	if (!pid) {
		become_user(1000, 1000);
		snprintf(fds[0], 16, "%d", ready.w);
		snprintf(fds[1], 16, "%d", alive.w);
		OK(fcntl(ready.w, F_SETFD, 0));
		OK(fcntl(alive.w, F_SETFD, 0));
		if (!FORK()) {
			execl("./prog", "prog", "--helper", "outlive_the_parent", all_ids, fds[0],
				fds[1], NULL);
			_exit(99);
		}
		gate_wait(ready);
		_exit(0);
	}
	expect_exit(pid, 0);
	OK(close(alive.w));
	return OK(read(alive.r, &b, 1)) == 1;
}

TEST(pdeath_signal_needs_the_parent_s_permission)
{
	copy_self("prog", 04755);
	CHECK_EQ(outlives_the_parent("0"), false);
	CHECK_EQ(outlives_the_parent("1"), true);
}

/* ---- set-user-ID and a shared root or working directory ---- */

HELPER(euid)
{
	return geteuid() == (uid_t)atoi(argv[0]) ? 0 : 1;
}

static char g_stack[65536] __attribute__((aligned(16)));

static int hold_context(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return 0;
}

static void *own_context(void *arg)
{
	OK(unshare(CLONE_FS));
	gate_open(*(struct gate *)arg);
	for (;;)
		pause();
	return NULL;
}

static void exec_sharing(bool with_process, int threads, char *euid)
{
	pid_t pid = FORK();

	if (!pid) {
		struct gate ready = gate_make();
		pthread_t t;

		become_user(1000, 1000);
		if (with_process)
			OK(clone(
				hold_context, g_stack + sizeof(g_stack), CLONE_FS | SIGCHLD, NULL));
		for (int i = 0; i < threads; i++) {
			CHECK_PT(pthread_create(&t, NULL, own_context, &ready));
			gate_wait(ready);
		}
		execl("./prog", "prog", "--helper", "euid", euid, NULL);
		_exit(99);
	}
	expect_exit(pid, 0);
}

TEST(setuid_gains_nothing_while_another_process_shares_the_directories)
{
	copy_self("prog", 04755);
	exec_sharing(false, 0, "0");
	exec_sharing(false, 3, "0");
	exec_sharing(true, 0, "1000");
	exec_sharing(true, 3, "1000");
}

static volatile int g_stop_looking;

static void *look_at_cwd(void *arg)
{
	char path[64], buf[256];

	snprintf(path, sizeof(path), "/proc/%d/cwd", *(int *)arg);
	while (!g_stop_looking)
		(void)!readlink(path, buf, sizeof(buf));
	return NULL;
}

/* Reading /proc/PID/cwd is no sharing. */
TEST(setuid_works_while_somebody_reads_the_working_directory)
{
	static int racer;
	pthread_t t;

	copy_self("prog", 04755);
	for (int i = 0; i < 30; i++) {
		struct gate go = gate_make();

		racer = FORK();
		if (!racer) {
			gate_wait(go);
			become_user(1000, 1000);
			execl("./prog", "prog", "--helper", "euid", "0", NULL);
			_exit(99);
		}
		g_stop_looking = 0;
		CHECK_PT(pthread_create(&t, NULL, look_at_cwd, &racer));
		gate_open(go);
		expect_exit(racer, 0);
		g_stop_looking = 1;
		CHECK_PT(pthread_join(t, NULL));
		close(go.r);
		close(go.w);
	}
}

/* ---- file capabilities ---- */

static const uint32_t g_all_caps[5] = {0x02000001, 0xffffffff, 0, 0x1ff, 0};

static int capable_file(void)
{
	int fd = new_file("caps", O_RDWR, 0777);

	OK(fchmod(fd, 0777));
	CHECK_EQ(write(fd, "x", 1), 1);
	OK(fsetxattr(fd, CAPS, g_all_caps, sizeof(g_all_caps), 0));
	CHECK_EQ(getxattr("caps", CAPS, NULL, 0), sizeof(g_all_caps));
	return fd;
}

static void gone(const char *how)
{
	char b[32];

	if (getxattr("caps", CAPS, b, sizeof(b)) != -1 || errno != ENODATA)
		FAIL("%s: file capabilities expected to go, still there", how);
	OK(unlink("caps"));
}

TEST(file_capabilities_go_when_the_content_changes)
{
	int fd = capable_file();

	CHECK_EQ(write(fd, "evil", 4), 4); /* root, too */
	gone("write");
	close(fd);
	fd = capable_file();
	OK(ftruncate(fd, 0));
	gone("ftruncate");
	close(fd);
	fd = capable_file();
	OK(close(OK(open("caps", O_WRONLY | O_TRUNC))));
	gone("O_TRUNC");
	close(fd);
	close(capable_file());
	pid_t pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		fd = OK(open("caps", O_WRONLY));
		CHECK_EQ(write(fd, "evil", 4), 4);
		_exit(0);
	}
	expect_exit(pid, 0);
	gone("write by a user");
}

TEST(file_capabilities_go_with_a_change_of_owner_and_stay_with_one_of_mode)
{
	int fd = capable_file();

	OK(chmod("caps", 0755));
	OK(rename("caps", "other"));
	OK(rename("other", "caps"));
	CHECK_EQ(getxattr("caps", CAPS, NULL, 0), sizeof(g_all_caps));
	OK(chown("caps", 1000, 1000));
	gone("chown");
	close(fd);
}

TEST(set_id_bits_go_when_a_user_changes_the_content)
{
	struct stat st;

	for (int how = 0; how < 3; how++) {
		close(new_file("bits", O_RDWR, 0777));
		OK(chmod("bits", 06777));
		pid_t pid = FORK();
		if (!pid) {
			become_user(1000, 1000);
			int fd = OK(open("bits", O_WRONLY));
			if (how == 0)
				CHECK_EQ(write(fd, "x", 1), 1);
			else if (how == 1)
				OK(ftruncate(fd, 10));
			else
				OK(truncate("bits", 10));
			_exit(0);
		}
		expect_exit(pid, 0);
		OK(stat("bits", &st));
		CHECK_EQ(st.st_mode & 07777, 0777);
		OK(unlink("bits"));
	}
}

/* Who opened the file doesn't matter. */
TEST(a_truncation_by_a_user_takes_the_set_user_ID_bit_away)
{
	int fd = OK(open("f", O_RDWR | O_CREAT, 0755));
	struct stat st;
	pid_t pid;

	OK(write(fd, "hello", 5));
	OK(fchmod(fd, 04755));
	pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		OK(ftruncate(fd, 3));
		_exit(0);
	}
	expect_exit(pid, 0);
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_mode & 07777, 0755);
	close(fd);
}
