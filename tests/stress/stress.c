// SPDX-License-Identifier: MIT
/*
 * Several hundred processes that fork, exec, signal each other, map memory, start threads, use
 * pipes and files, stop and continue, and end, for a given time. Then everything that was taken
 * must be back: free memory, open files, processes.
 *
 * usage: stress SECONDS WORKERS
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_WORKERS 1000
#define FOLDER      "/dev/shm/stress"
#define CHILD       "/bin/true-asm"
#define MAX_TOLD    20

/* What may differ afterwards: per-CPU lists and caches that fill once. */
#define SLACK_KB    4096
#define SLACK_FILES 32

static struct shared {
	pid_t workers[MAX_WORKERS];
	long done;   /* operations, all workers; atomic */
	long failed; /* operations that found something wrong; atomic */
	int go;      /* set when all workers have been started */
} * g;

static int g_nr_workers;
static volatile sig_atomic_t g_signals;

/* Counts it; the first few are also told. */
static void wrong(const char *what)
{
	int err = errno;

	if (__atomic_add_fetch(&g->failed, 1, __ATOMIC_RELAXED) <= MAX_TOLD)
		dprintf(2, "stress: %s: %s\n", what, strerror(err));
}

/* A whole machine full of processes may be short of something: that is no mistake. */
static int is_shortage(int err)
{
	return err == EAGAIN || err == ENOMEM || err == EMFILE || err == ENFILE;
}

static void wait_for(pid_t pid, int expected)
{
	int status;
	pid_t got;

	do {
		got = waitpid(pid, &status, 0);
	} while (got < 0 && errno == EINTR);
	if (got != pid || status != expected) {
		char what[100];

		snprintf(what, sizeof(what), "waitpid(%d) gave %d, status 0x%x, expected 0x%x",
			(int)pid, (int)got, status, expected);
		wrong(what);
	}
}

static void fork_and_exit(unsigned int r)
{
	int code = r % 100;
	pid_t pid = fork();

	if (pid == 0)
		_exit(code);
	if (pid > 0)
		wait_for(pid, code << 8);
	else if (!is_shortage(errno))
		wrong("fork");
}

static void fork_and_exec(unsigned int r)
{
	pid_t pid = r & 1 ? fork() : vfork();

	if (pid == 0) {
		execl(CHILD, CHILD, NULL);
		_exit(99);
	}
	if (pid > 0)
		wait_for(pid, 0);
	else if (!is_shortage(errno))
		wrong("vfork");
}

static void map_and_check(unsigned int r)
{
	size_t pages = 1 + r % 200, len = pages * 4096;
	unsigned char *p = mmap(
		NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		if (!is_shortage(errno))
			wrong("mmap");
		return;
	}
	for (size_t i = 0; i < pages; i++) {
		if (p[i * 4096])
			wrong("a new page is not zero");
		p[i * 4096] = (unsigned char)(r + i);
	}
	if (pages > 2 && munmap(p + 4096, 4096) != 0)
		wrong("munmap");
	mprotect(p, 4096, PROT_READ);
	if (p[0] != (unsigned char)r || p[(pages - 1) * 4096] != (unsigned char)(r + pages - 1))
		wrong("a page has lost its content");
	munmap(p, len);
}

/* The child changes memory that it shares with its parent until then. */
static void copy_on_write(unsigned int r)
{
	static unsigned char area[16 * 4096];
	pid_t pid;

	memset(area, (int)r, sizeof(area));
	pid = fork();
	if (pid == 0) {
		for (size_t i = 0; i < sizeof(area); i += 4096)
			if (area[i] != (unsigned char)r)
				_exit(1);
		memset(area, (int)~r, sizeof(area));
		_exit(0);
	}
	if (pid > 0)
		wait_for(pid, 0);
	for (size_t i = 0; i < sizeof(area); i += 4096)
		if (area[i] != (unsigned char)r)
			wrong("a child's write shows in its parent");
}

static void signal_someone(unsigned int r)
{
	pid_t pid = __atomic_load_n(&g->workers[r % g_nr_workers], __ATOMIC_RELAXED);

	if (kill(pid, SIGUSR1) != 0 && errno != ESRCH)
		wrong("kill");
}

static void stop_and_kill(unsigned int r)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		for (;;)
			pause();
	if (pid < 0)
		return;
	kill(pid, SIGSTOP);
	while (waitpid(pid, &status, WUNTRACED) < 0 && errno == EINTR)
		;
	if (!WIFSTOPPED(status))
		wrong("a child was not stopped");
	if (r & 1)
		kill(pid, SIGCONT);
	kill(pid, SIGKILL);
	wait_for(pid, SIGKILL);
}

static void pipe_bytes(unsigned int r)
{
	unsigned char out[3000], in[3000];
	int fds[2];
	size_t got = 0;
	pid_t pid;

	if (pipe(fds) != 0)
		return;
	memset(out, (int)r, sizeof(out));
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		for (int i = 0; i < 3; i++)
			if (write(fds[1], out + i * 1000, 1000) != 1000)
				_exit(1);
		_exit(0);
	}
	close(fds[1]);
	while (pid > 0 && got < sizeof(in)) {
		ssize_t n = read(fds[0], in + got, sizeof(in) - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += n;
	}
	if (pid > 0 && (got != sizeof(in) || memcmp(in, out, sizeof(in)) != 0))
		wrong("a pipe has lost bytes");
	close(fds[0]);
	if (pid > 0)
		wait_for(pid, 0);
}

static void *count_up(void *counter)
{
	for (int i = 0; i < 100; i++)
		__atomic_add_fetch((long *)counter, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void run_threads(unsigned int r)
{
	pthread_t threads[4];
	long counter = 0;
	int nr = 1 + r % 4, started = 0;

	while (started < nr && pthread_create(&threads[started], NULL, count_up, &counter) == 0)
		started++;
	for (int i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (counter != started * 100L)
		wrong("threads have lost counts");
}

static void make_files(unsigned int r)
{
	char name[64], other[64], text[32];
	int fd;

	snprintf(name, sizeof(name), FOLDER "/%d.%u", (int)getpid(), r % 8);
	snprintf(other, sizeof(other), FOLDER "/%d.moved", (int)getpid());
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0) {
		if (!is_shortage(errno))
			wrong("open");
		return;
	}
	if (write(fd, name, sizeof(text)) != sizeof(text) || lseek(fd, 0, SEEK_SET) != 0 ||
		read(fd, text, sizeof(text)) != sizeof(text) ||
		memcmp(text, name, sizeof(text)) != 0)
		wrong("a file has lost its content");
	if (rename(name, other) != 0 || unlink(other) != 0)
		wrong("rename");
	close(fd);
}

static void on_signal(int sig)
{
	(void)sig;
	g_signals++;
}

static void work(long seconds, unsigned int seed)
{
	static void (*const jobs[])(unsigned int) = {fork_and_exit, fork_and_exec, map_and_check,
		copy_on_write, signal_someone, signal_someone, stop_and_kill, pipe_bytes,
		run_threads, make_files};
	struct timespec now, end;

	while (!__atomic_load_n(&g->go, __ATOMIC_ACQUIRE))
		usleep(20000);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	do {
		unsigned int r = (unsigned int)rand_r(&seed);

		jobs[r % (sizeof(jobs) / sizeof(jobs[0]))](r >> 8);
		__atomic_add_fetch(&g->done, 1, __ATOMIC_RELAXED);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec);
}

/* ---- what is in use --------------------------------------------------------------------- */

struct usage {
	long available_kb, files, processes;
};

static struct usage usage_now(void)
{
	struct usage u = {-1, -1, 0};
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");
	DIR *d;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %ld", &u.available_kb) == 1)
			break;
	if (f)
		fclose(f);
	f = fopen("/proc/sys/fs/file-nr", "r");
	if (f) {
		if (fscanf(f, "%ld", &u.files) != 1)
			u.files = -1;
		fclose(f);
	}
	d = opendir("/proc");
	for (struct dirent *e; d && (e = readdir(d));)
		u.processes += e->d_name[0] >= '1' && e->d_name[0] <= '9';
	if (d)
		closedir(d);
	return u;
}

static int compare(const struct usage *before, const struct usage *after)
{
	int leaks = 0;

	if (before->available_kb - after->available_kb > SLACK_KB)
		leaks += printf("leak: %ld KB available before, %ld after\n", before->available_kb,
			after->available_kb);
	if (after->files - before->files > SLACK_FILES)
		leaks += printf(
			"leak: %ld files open before, %ld after\n", before->files, after->files);
	if (after->processes > before->processes + 2)
		leaks += printf("leak: %ld processes before, %ld after\n", before->processes,
			after->processes);
	return leaks;
}

static void run_workers(long seconds)
{
	int failures = 0;

	__atomic_store_n(&g->go, 0, __ATOMIC_RELEASE);
	for (int i = 0; i < g_nr_workers; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			work(seconds, (unsigned int)i * 7919 + 1);
			_exit(0);
		}
		if (pid < 0) {
			wrong("cannot start a worker");
			continue;
		}
		__atomic_store_n(&g->workers[i], pid, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&g->go, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < g_nr_workers; i++) {
		int status;
		pid_t pid;

		do {
			pid = waitpid(-1, &status, 0);
		} while (pid < 0 && errno == EINTR);
		if (pid > 0 && status != 0 && failures++ < 10)
			printf("a worker ended with wait status 0x%x\n", status);
	}
	if (failures)
		__atomic_add_fetch(&g->failed, failures, __ATOMIC_RELAXED);
}

int main(int argc, char **argv)
{
	long seconds = argc > 1 ? atol(argv[1]) : 10;
	struct usage before, after;
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	g_nr_workers = argc > 2 ? atoi(argv[2]) : 200;
	if (g_nr_workers < 1 || g_nr_workers > MAX_WORKERS)
		g_nr_workers = 200;
	g = mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g == MAP_FAILED)
		return 1;
	for (int i = 0; i < MAX_WORKERS; i++)
		g->workers[i] = getpid();
	sigaction(SIGUSR1, &sa, NULL);
	mkdir(FOLDER, 0755);
	/* A short round fills what fills only once: per-CPU lists, slabs, the dentry cache. */
	run_workers(seconds > 20 ? 5 : 2);
	sleep(1);
	before = usage_now();
	run_workers(seconds);
	sleep(2);
	after = usage_now();
	printf("%ld operations, %ld wrong; available %ld -> %ld KB, files %ld -> %ld, "
	       "processes %ld -> %ld\n",
		g->done, g->failed, before.available_kb, after.available_kb, before.files,
		after.files, before.processes, after.processes);
	return compare(&before, &after) || g->failed ? 1 : 0;
}
