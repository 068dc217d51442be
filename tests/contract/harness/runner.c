/* SPDX-License-Identifier: MIT */
/*
 * Runs the tests of one area and prints KTAP.
 *
 *   AREA              run all        AREA --list        print the names
 *   AREA --only NAME  run one        AREA --timeout S   seconds for each test (default 10)
 *
 * Each test is `self --run NAME` in a session of its own. The runner is a subreaper: whatever a
 * test leaves behind becomes its child, is killed and reaped before the next test starts.
 */
#include "contract.h"
#include <dirent.h>
#include <ftw.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include "runner.h"

#ifndef AREA
#error "AREA must name the area"
#endif

#define SETTLE_ROUNDS 50 /* of 10 ms */
static struct test_case *g_tests, **g_tests_end = &g_tests;
static struct helper_case *g_helpers;
static int g_timeout_s = 10;
static char g_work[64] = "/tmp/contract";
static bool g_mounted;

void test_register(struct test_case *t)
{
	*g_tests_end = t;
	g_tests_end = &t->next;
}

void helper_register(struct helper_case *h)
{
	h->next = g_helpers;
	g_helpers = h;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

/* Unmounts what a test left mounted in its directory, the last first. */
static void unmount_below(const char *dir)
{
	static char text[64 * 1024];
	char prefix[128], *last;

	snprintf(prefix, sizeof(prefix), " %s", dir);
	for (int i = 0; i < 100; i++) {
		int fd = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
		ssize_t n, len = 0;

		if (fd < 0)
			return;
		while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
			len += n;
		close(fd);
		text[len] = 0;
		last = NULL;
		for (char *at = text; (at = strstr(at, prefix)); at++)
			last = at + 1;
		if (!last)
			return;
		last[strcspn(last, " ")] = 0;
		for (char *escape; (escape = strstr(last, "\\040"));) {
			*escape = ' ';
			memmove(escape + 1, escape + 4, strlen(escape + 4) + 1);
		}
		if (umount2(last, MNT_DETACH))
			return;
	}
}

/* Kills and reaps every child, also those that a test's process left to us. */
static void reap_strays(pid_t session)
{
	int status;

	kill(-session, SIGKILL);
	for (int i = 0; i < 1000; i++) {
		pid_t pid = waitpid(-1, &status, WNOHANG | __WALL);

		if (pid < 0 && errno == ECHILD)
			return;
		if (pid > 0)
			continue;
		DIR *dir = opendir("/proc");
		struct dirent *de;

		while (dir && (de = readdir(dir))) {
			char path[300], text[512];
			int fd, parent = 0;
			ssize_t n;

			if (de->d_name[0] < '1' || de->d_name[0] > '9')
				continue;
			snprintf(path, sizeof(path), "/proc/%s/stat", de->d_name);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
			if (fd >= 0)
				close(fd);
			if (n <= 0)
				continue;
			text[n] = 0;
			char *paren = strrchr(text, ')');
			if (paren && sscanf(paren + 2, "%*c %d", &parent) == 1 &&
				parent == getpid())
				kill(atoi(de->d_name), SIGKILL);
		}
		if (dir)
			closedir(dir);
		sleep_ns(MSEC);
	}
}

/* Runs one test; returns 0 passed, 1 failed, 2 skipped, with a line of explanation. */
static int run_once(struct test_case *t, char *why, size_t len)
{
	char dir[sizeof(g_work) + 16];
	int report[2], status = 0;
	long long deadline, pause = MSEC / 4;
	bool done = false;
	pid_t pid;

	why[0] = 0;
	snprintf(dir, sizeof(dir), "%s/test", g_work);
	if (mkdir(dir, 0755) || chmod(dir, 0755) || pipe2(report, O_CLOEXEC | O_NONBLOCK)) {
		snprintf(why, len, "runner: cannot prepare %s: %s", dir, errno_name(errno));
		return 1;
	}
	fflush(stdout);
	pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		setsid();
		if (chdir(dir) || dup2(report[1], REPORT_FD) < 0 || dup2(null, 0) < 0)
			_exit(EXIT_CHECK_FAILED);
		close(null);
		execl(self_path, self_path, "--run", t->name, NULL);
		_exit(EXIT_CHECK_FAILED);
	}
	close(report[1]);
	deadline = now_ns(CLOCK_MONOTONIC) + g_timeout_s * SEC;
	while (!(done = waitpid(pid, &status, WNOHANG) == pid)) {
		if (now_ns(CLOCK_MONOTONIC) > deadline)
			break;
		sleep_ns(pause);
		if (pause < 4 * MSEC)
			pause += pause / 2;
	}
	reap_strays(pid);
	ssize_t n = read(report[0], why, len - 1);
	close(report[0]);
	why[n > 0 ? n : 0] = 0;
	why[strcspn(why, "\n")] = 0;
	unmount_below(dir);
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);

	if (done && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP)
		return 2;
	if (why[0])
		return 1;
	if (!done)
		snprintf(why, len, "expected an end within %d s, got none", g_timeout_s);
	else if (WIFSIGNALED(status))
		snprintf(why, len, "expected exit 0, got signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		snprintf(why, len, "expected exit 0, got exit %d", WEXITSTATUS(status));
	return why[0] != 0;
}

/* Frees that wait for a grace period take their time: what is still missing after it is lost. */
static int lost(const struct counters *before, char *why, size_t len)
{
	static struct counters after;

	for (int i = 0; i < SETTLE_ROUNDS; i++) {
		if (!counters_read(&after) || !counters_leak(before, &after, why, len))
			return 0;
		sleep_ns(10 * MSEC);
	}
	return 1;
}

/*
 * With leak accounting. The first run may make what stays (a thread of the kernel's own, a table
 * that grows); when it seems to, two more must lose nothing.
 */
static int run_test(struct test_case *t, char *why, size_t len)
{
	static struct counters before;
	bool repeat = false;

	for (int round = 0; round < 3; round++) {
		bool counted = counters_read(&before);
		int result = run_once(t, why, len);

		if (result || !counted)
			return result;
		if (lost(&before, why, len)) {
			if (round || counters_warned(&before))
				return 1;
			repeat = true;
		} else if (!repeat) {
			return 0;
		}
	}
	return 0;
}

static void prepare_work(void)
{
	mkdir("/tmp", 01777);
	snprintf(g_work, sizeof(g_work), "/tmp/contract.%d", getpid());
	if (mkdir(g_work, 0755)) {
		printf("Bail out! cannot make %s: %s\n", g_work, errno_name(errno));
		exit(1);
	}
	g_mounted = !mount("contract", g_work, "tmpfs", 0, "mode=755");
}

static void remove_work(void)
{
	if (g_mounted)
		umount2(g_work, MNT_DETACH);
	rmdir(g_work);
}

static int run_all(const char *only)
{
	char why[1024];
	int nr = 0, failed = 0, number = 0;

	for (struct test_case *t = g_tests; t; t = t->next)
		nr += !only || !strcmp(only, t->name);
	if (!nr) {
		printf("Bail out! no such test\n");
		return 1;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prepare_work();
	printf("KTAP version 1\n1..%d\n", nr);
	for (struct test_case *t = g_tests; t; t = t->next) {
		if (only && strcmp(only, t->name))
			continue;
		int result = run_test(t, why, sizeof(why));

		number++;
		failed += result == 1;
		printf("%s %d %s.%s", result == 1 ? "not ok" : "ok", number, AREA, t->name);
		if (result)
			printf(" # %s", why);
		printf("\n");
		fflush(stdout);
	}
	remove_work();
	return failed != 0;
}

int main(int argc, char **argv)
{
	const char *only = NULL;

	if (!realpath(argv[0], self_path))
		snprintf(self_path, sizeof(self_path), "%s", argv[0]);
	if (argc > 2 && !strcmp(argv[1], "--run")) {
		for (struct test_case *t = g_tests; t; t = t->next) {
			if (!strcmp(t->name, argv[2])) {
				t->run();
				return 0;
			}
		}
		return EXIT_CHECK_FAILED;
	}
	if (argc > 2 && !strcmp(argv[1], "--helper")) {
		for (struct helper_case *h = g_helpers; h; h = h->next)
			if (!strcmp(h->name, argv[2]))
				return h->run(argc - 3, argv + 3);
		return EXIT_CHECK_FAILED;
	}
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--list")) {
			for (struct test_case *t = g_tests; t; t = t->next)
				printf("%s.%s\n", AREA, t->name);
			return 0;
		}
		if (!strcmp(argv[i], "--only") && i + 1 < argc) {
			only = argv[++i];
			if (!strncmp(only, AREA ".", sizeof(AREA)))
				only += sizeof(AREA);
		} else if (!strcmp(argv[i], "--timeout") && i + 1 < argc) {
			g_timeout_s = atoi(argv[++i]);
		} else {
			fprintf(stderr, "usage: %s [--list] [--only NAME] [--timeout SECONDS]\n",
				argv[0]);
			return 2;
		}
	}
	return run_all(only);
}
