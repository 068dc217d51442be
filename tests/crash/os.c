/* The C library's side of crash.h. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef uint64_t u64;
typedef uint32_t u32;

void *os_load(const char *path, u64 *size);
int os_store(const char *path, const void *data, u64 size);
int os_run(const char *command, char *output, u64 size);
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

int os_store(const char *path, const void *data, u64 size)
{
	FILE *f = fopen(path, "wb");
	size_t n;

	if (!f)
		return -1;
	n = fwrite(data, 1, size, f);
	return fclose(f) == 0 && n == size ? 0 : -1;
}

int os_run(const char *command, char *output, u64 size)
{
	FILE *f = popen(command, "r");
	size_t n = 0, got;
	char spill[4096];
	int status;

	if (!f)
		return -1;
	while (n + 1 < size && (got = fread(output + n, 1, size - 1 - n, f)) > 0)
		n += got;
	if (size)
		output[n] = 0;
	while (fread(spill, 1, sizeof(spill), f) > 0)
		;
	status = pclose(f);
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
