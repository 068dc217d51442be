/* SPDX-License-Identifier: MIT */
/*
 * exhaust MODE [UID]: a program takes all there is of something. It must be refused or killed; who
 * watches (this program's first process) must live on and be able to start programs afterwards.
 *
 * Prints "MODE: OUTCOME" and ends with 0 when the machine is usable again.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BOMB_SECONDS  4  /* how long a fork bomb may rage */
#define AFTER_SECONDS 30 /* for all of it to be gone */

static uid_t g_uid;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void become_user(void)
{
	if (g_uid && (setgroups(0, NULL) || setgid(g_uid) || setuid(g_uid)))
		_exit(99);
}

/* ---- what takes: each runs in a process of its own, which ends with 0 when it was refused ---- */

static void take_memory(void)
{
	for (;;) {
		char *p = mmap(
			NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			_exit(0);
		for (int i = 0; i < 1 << 20; i += 4096)
			p[i] = 1;
	}
}

/* The kernel's memory: page tables and regions. */
static void take_maps(void)
{
	size_t stride = 4ul << 20;

	for (unsigned long n = 0;; n++) {
		char *p = mmap(NULL, stride, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED)
			_exit(0);
		if (mprotect(p, 4096, PROT_READ) && errno == ENOMEM)
			_exit(0);
		(void)*(volatile char *)p;
		p[stride / 2] = 1;
	}
}

static void fill(int fd)
{
	static char buf[1 << 16];

	for (;;) {
		ssize_t n = write(fd, buf, sizeof(buf));

		if (n < 0)
			_exit(errno == ENOSPC || errno == ENOMEM || errno == EDQUOT ||
						errno == EFBIG
					? 0
					: errno);
	}
}

static void take_files(void)
{
	int fd = open("/tmp/exhaust", O_CREAT | O_RDWR | O_TRUNC | O_EXCL, 0600);

	if (fd < 0)
		_exit(98);
	fill(fd);
}

static void take_inodes(void)
{
	char name[64];

	for (unsigned long i = 0;; i++) {
		int fd;

		snprintf(name, sizeof(name), "/tmp/inodes/%lu", i);
		fd = open(name, O_CREAT | O_WRONLY | O_EXCL, 0600);
		if (fd < 0)
			_exit(errno == ENOSPC || errno == ENOMEM ? 0 : errno);
		close(fd);
	}
}

static void all_descriptors(void)
{
	struct rlimit l;

	getrlimit(RLIMIT_NOFILE, &l);
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

static void take_descriptors(void)
{
	int fd;

	all_descriptors();
	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0);
	_exit(errno == EMFILE || errno == ENFILE || errno == ENOMEM ? 0 : errno);
}

/* Kernel memory behind descriptors. */
static void take_pipes(void)
{
	static char buf[1 << 16];

	all_descriptors();
	for (;;) {
		int fd[2];

		if (pipe2(fd, O_NONBLOCK))
			_exit(errno == EMFILE || errno == ENFILE || errno == ENOMEM ? 0 : errno);
		while (write(fd[1], buf, sizeof(buf)) > 0)
			;
	}
}

static void bomb(void)
{
	for (;;)
		(void)!fork();
}

/* Each with something in its memory, as a shell's are. */
static void fat_bomb(void)
{
	for (;;) {
		char *p = mmap(
			NULL, 1 << 18, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p != MAP_FAILED)
			memset(p, 1, 1 << 18);
		(void)!fork();
	}
}

static const struct mode {
	const char *name;
	void (*take)(void);
	bool bomb;
} g_modes[] = {
	{"memory", take_memory, false},
	{"maps", take_maps, false},
	{"files", take_files, false},
	{"inodes", take_inodes, false},
	{"descriptors", take_descriptors, false},
	{"pipes", take_pipes, false},
	{"bomb", bomb, true},
	{"fat-bomb", fat_bomb, true},
};

/* ---- who watches ---- */

static int fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	return 1;
}

/* Programs can be started again. */
static int usable(void)
{
	double end = now() + AFTER_SECONDS;

	while (now() < end) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			execl("/bin/true-asm", "true-asm", NULL);
			_exit(1);
		}
		if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0)
			return 0;
		usleep(100000);
	}
	return fail("no program can be started");
}

/* The whole group, until nobody of it is left. */
/* How many processes there are, by state, and one of each in full. */
static void tell_states(void)
{
	DIR *d = opendir("/proc");
	unsigned counts[128] = {0};

	for (struct dirent *e; d && (e = readdir(d));) {
		char path[300], text[400] = "", *at;
		int fd;

		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		fd = e->d_name[0] >= '0' && e->d_name[0] <= '9' ? open(path, O_RDONLY) : -1;
		if (fd < 0)
			continue;
		(void)!read(fd, text, sizeof(text) - 1);
		close(fd);
		at = strrchr(text, ')');
		if (at && at[2] > 0 && counts[(unsigned char)at[2] & 127]++ < 2)
			printf("%.100s\n", text);
	}
	static const char *const files[] = {"/proc/1/wchan", "/proc/1/status"};
	for (int i = 0; i < 2; i++) {
		char text[3000] = "";
		int fd = open(files[i], O_RDONLY);

		(void)!read(fd, text, sizeof(text) - 1);
		close(fd);
		printf("%s\n", text);
	}
	for (int i = 0; i < 128; i++)
		if (counts[i])
			printf("%c: %u\n", i, counts[i]);
}

static int end_group(pid_t group)
{
	double end = now() + AFTER_SECONDS;

	while (kill(-group, SIGKILL) == 0 || errno != ESRCH) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (now() > end) {
			tell_states();
			return fail("the bomb lives on");
		}
		usleep(10000);
	}
	return 0;
}

static int watch(const struct mode *m)
{
	double start = now();
	pid_t pid = fork();
	int status = 0;

	if (pid < 0)
		return fail("%s: fork: %s", m->name, strerror(errno));
	if (pid == 0) {
		setpgid(0, 0);
		become_user();
		m->take();
	}
	setpgid(pid, pid);
	if (m->bomb) {
		while (now() < start + BOMB_SECONDS)
			usleep(100000);
		if (end_group(pid))
			return 1;
		printf("%s: ended", m->name);
	} else {
		if (waitpid(pid, &status, 0) != pid)
			return fail("%s: wait: %s", m->name, strerror(errno));
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
			printf("%s: killed", m->name);
		else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			printf("%s: refused", m->name);
		else
			return fail("%s: ended with %#x", m->name, status);
	}
	unlink("/tmp/exhaust");
	if (usable())
		return 1;
	printf(" after %.1f s\n", now() - start);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	g_uid = argc > 2 ? (uid_t)atoi(argv[2]) : 0;
	mkdir("/tmp/inodes", 0777);
	chmod("/tmp/inodes", 0777);
	for (size_t i = 0; i < sizeof(g_modes) / sizeof(g_modes[0]); i++)
		if (argc > 1 && !strcmp(argv[1], g_modes[i].name))
			return watch(&g_modes[i]);
	fprintf(stderr, "usage: exhaust MODE [UID]\n");
	return 2;
}
