/* The C library's side of crash.h. */
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef uint64_t u64;
typedef uint32_t u32;

void *os_load(const char *path, u64 *size);
void *os_file_memory(const char *path, u64 size);
int os_run(const char *const argv[], char *output, u64 size);
void *os_alloc(u64 n);
void os_free(void *p);
void os_say(const char *format, ...);
int os_format(char *buf, u64 size, const char *format, ...);
u64 os_now_ms(void);
void os_quit(int status);
void os_watchdog(u32 seconds);
u64 os_setting(const char *name, u64 otherwise);
const char *os_setting_text(const char *name, const char *otherwise);

void *os_alloc(u64 n)
{
	void *p = calloc(1, n ? n : 1);

	if (!p) {
		fprintf(stderr, "out of memory\n");
		exit(2);
	}
	return p;
}

void os_free(void *p)
{
	free(p);
}

void *os_load(const char *path, u64 *size)
{
	FILE *f = fopen(path, "rb");
	void *p;

	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	*size = (u64)ftell(f);
	rewind(f);
	p = os_alloc(*size);
	if (fread(p, 1, *size, f) != *size) {
		free(p);
		p = NULL;
	}
	fclose(f);
	return p;
}

static void give_up(const char *what)
{
	perror(what);
	exit(2);
}

void *os_file_memory(const char *path, u64 size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	void *p;

	if (fd < 0 || ftruncate(fd, (off_t)size))
		give_up(path);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		give_up(path);
	close(fd);
	return p;
}

static void read_all(int fd, char *output, u64 size)
{
	char spill[4096];
	u64 n = 0;

	for (;;) {
		u64 room = size - 1 - n;
		ssize_t got = room ? read(fd, output + n, room) : read(fd, spill, sizeof(spill));

		if (got <= 0)
			break;
		n += room ? (u64)got : 0;
	}
	output[n] = 0;
}

int os_run(const char *const argv[], char *output, u64 size)
{
	posix_spawn_file_actions_t actions;
	int ends[2], status, err;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
	err = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (!err)
		read_all(ends[0], output, size);
	close(ends[0]);
	if (err || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void os_say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	fflush(stdout);
}

int os_format(char *buf, u64 size, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(buf, size, format, ap);
	va_end(ap);
	return n;
}

u64 os_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

void os_quit(int status)
{
	fflush(NULL);
	_exit(status);
}

void os_watchdog(u32 seconds)
{
	alarm(seconds); /* SIGALRM ends the program: the shell tells */
}

u64 os_setting(const char *name, u64 otherwise)
{
	const char *s = getenv(name);

	return s && *s ? strtoull(s, NULL, 0) : otherwise;
}

const char *os_setting_text(const char *name, const char *otherwise)
{
	const char *s = getenv(name);

	return s && *s ? s : otherwise;
}
