/* The C library's side of unit.h: built with the system's headers. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef uint64_t u64;
typedef uint8_t u8;

struct unit_test {
	const char *name;
	void (*run)(void);
	struct unit_test *next;
};

static struct unit_test *g_first, **g_last = &g_first;
static const char *g_running;
static unsigned g_failed_checks, g_printed;
static u64 g_random;

void unit_register(struct unit_test *t);
bool unit_expect(bool ok, const char *what, const char *file, int line);
bool unit_expect_eq(u64 got, u64 want, const char *what, const char *file, int line);
bool unit_expect_str(
	const char *got, const char *want, const char *what, const char *file, int line);
bool unit_expect_mem(
	const void *got, const void *want, size_t n, const char *what, const char *file, int line);
u64 unit_random(void);
void unit_random_bytes(void *p, size_t n);
void *unit_alloc(size_t n);
void unit_free(void *p);
int unit_snprintf(char *buf, size_t size, const char *fmt, ...);
u8 *unit_filter(const char *command, const void *data, size_t n, size_t *out_n);

void unit_register(struct unit_test *t)
{
	*g_last = t;
	g_last = &t->next;
}

/* Is this failure to be printed? A broken invariant in a long loop would print thousands. */
static bool report(const char *file, int line)
{
	g_failed_checks++;
	if (++g_printed > 10)
		return false;
	fprintf(stderr, "%s:%d: %s: ", file, line, g_running);
	return true;
}

bool unit_expect(bool ok, const char *what, const char *file, int line)
{
	if (!ok && report(file, line))
		fprintf(stderr, "%s does not hold\n", what);
	return ok;
}

bool unit_expect_eq(u64 got, u64 want, const char *what, const char *file, int line)
{
	if (got != want && report(file, line))
		fprintf(stderr, "%s is %lld (%#llx), expected %lld (%#llx)\n", what, (long long)got,
			(unsigned long long)got, (long long)want, (unsigned long long)want);
	return got == want;
}

bool unit_expect_str(
	const char *got, const char *want, const char *what, const char *file, int line)
{
	bool ok = got && strcmp(got, want) == 0;

	if (!ok && report(file, line))
		fprintf(stderr, "%s is \"%s\", expected \"%s\"\n", what, got ? got : "(null)",
			want);
	return ok;
}

bool unit_expect_mem(
	const void *got, const void *want, size_t n, const char *what, const char *file, int line)
{
	const u8 *g = got, *w = want;
	size_t at = 0;

	while (at < n && g[at] == w[at])
		at++;
	if (at < n && report(file, line))
		fprintf(stderr, "%s differs at byte %zu of %zu: %02x, expected %02x\n", what, at, n,
			g[at], w[at]);
	return at == n;
}

u64 unit_random(void)
{
	u64 z = g_random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

void unit_random_bytes(void *p, size_t n)
{
	u8 *b = p;

	while (n--)
		*b++ = (u8)unit_random();
}

void *unit_alloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (!p) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	return p;
}

void unit_free(void *p)
{
	free(p);
}

int unit_snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

u8 *unit_filter(const char *command, const void *data, size_t n, size_t *out_n)
{
	char from[] = "/tmp/aramid-unit-XXXXXX", line[512];
	int fd = mkstemp(from);
	size_t room = 65536, have = 0, got;
	u8 *out = unit_alloc(room);
	FILE *f;

	*out_n = 0;
	if (fd < 0 || write(fd, data, n) != (ssize_t)n || close(fd) != 0)
		return out;
	snprintf(line, sizeof(line), "%s <%s", command, from);
	f = popen(line, "r");
	while (f && (got = fread(out + have, 1, room - have, f)) > 0) {
		have += got;
		if (have == room && !(out = realloc(out, room *= 2)))
			exit(1);
	}
	if (f && pclose(f) == 0)
		*out_n = have;
	unlink(from);
	return out;
}

/* Of the kernel as a host library (arch/host.h); absent in tests of lib. */
struct host_config {
	u64 ram, seed;
	const char *cmdline;
	bool verbose;
};
int host_run(const struct host_config *config, int (*fn)(void *arg), void *arg)
	__attribute__((weak));

/* A test file may define how much RAM its kernel has. */
extern const u64 unit_ram __attribute__((weak));

static int g_argc;

static int run_all(void *arg)
{
	char **argv = arg;
	int argc = g_argc;
	const char *seed = getenv("UNIT_SEED"), *name = strrchr(argv[0], '/');
	unsigned ran = 0, failed = 0;

	name = name ? name + 1 : argv[0];
	for (struct unit_test *t = g_first; t; t = t->next) {
		if (argc > 1 && strcmp(argv[1], t->name) != 0)
			continue;
		g_random = seed ? strtoull(seed, NULL, 0) : 1;
		g_running = t->name;
		g_failed_checks = 0;
		g_printed = 0;
		t->run();
		ran++;
		if (g_failed_checks) {
			fprintf(stderr, "  FAILED  %s: %u expectations\n", t->name,
				g_failed_checks);
			failed++;
		}
	}
	printf("  %-7s %s: %u tests%s\n", failed ? "NOT OK" : "ok", name, ran,
		ran ? "" : " (none of that name)");
	return failed || !ran;
}

/* Tests that are linked with the kernel run in one of its threads. */
int main(int argc, char **argv)
{
	const char *seed = getenv("UNIT_SEED");
	struct host_config config = {
		.ram = &unit_ram ? unit_ram : 0,
		.seed = seed ? strtoull(seed, NULL, 0) : 1,
		.verbose = getenv("UNIT_VERBOSE") != NULL,
	};

	g_argc = argc;
	return host_run ? host_run(&config, run_all, argv) : run_all(argv);
}
