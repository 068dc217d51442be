/* SPDX-License-Identifier: MIT */
/* Leak accounting by /proc/aramid/counters, which only our kernel has. */
#include "contract.h"
#include "runner.h"

/*
 * Free pages that may be gone after a test without being a leak: partly filled slabs, page tables
 * of the runner itself, what it has read. Pages that are none of what the kernel counts by kind
 * (mem.other) all come back.
 */
#define FREE_PAGES_TOLERANCE 64

/* Caches of names and inodes don't hide what is lost. */
static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "2", 1);
	close(fd);
}

int counters_read(struct counters *c)
{
	static char text[32 * 1024];
	int fd = open("/proc/aramid/counters", O_RDONLY | O_CLOEXEC);
	ssize_t n, len = 0;

	c->nr = 0;
	if (fd < 0)
		return 0;
	drop_caches();
	while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += n;
	close(fd);
	text[len] = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (c->nr == COUNTERS_MAX) {
			printf("Bail out! more than %d counters\n", COUNTERS_MAX);
			exit(1);
		}
		if (sscanf(line, "%47s %ld", c->entry[c->nr].name, &c->entry[c->nr].value) == 2)
			c->nr++;
	}
	return c->nr > 0;
}

/* Connections in TIME_WAIT outlive their test by a minute, with the ports that they hold. */
static bool may_stay(const char *name)
{
	return !strcmp(name, "slab.tcp_wait") || !strcmp(name, "slab.port_use");
}

/* How much a counter may have moved towards "more in use". The table of process numbers grows by a
 * page for each 512 numbers, and is counted with the others. */
static long tolerance(const char *name)
{
	if (!strcmp(name, "mem.other"))
		return 8;
	return strcmp(name, "mem.free") ? 0 : FREE_PAGES_TOLERANCE;
}

/* Must be the same after a test, to the digit. */
static bool is_exact(const char *name)
{
	static const char *const names[] = {
		"threads", "files", "processes", "warnings", "mem.other"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* What name's counter says: 0 where there is none, as a slab cache has none before its first use.
 * New ones come in front of others: what is at index i now was there or before. */
static long value_of(const struct counters *c, const char *name, int i)
{
	if (i >= c->nr)
		i = c->nr - 1;
	for (int k = 0; k < c->nr; k++, i = i ? i - 1 : c->nr - 1)
		if (!strcmp(c->entry[i].name, name))
			return c->entry[i].value;
	return 0;
}

int counters_leak(
	const struct counters *before, const struct counters *after, char *text, size_t len)
{
	size_t at = 0;

	for (int i = 0; i < after->nr; i++) {
		const char *name = after->entry[i].name;
		long was = value_of(before, name, i), used = after->entry[i].value - was;

		if (!strcmp(name, "mem.free"))
			used = -used;
		else if (may_stay(name) || (!is_exact(name) && strncmp(name, "slab.", 5)))
			continue;
		if (used > tolerance(name) && at < len)
			at += snprintf(text + at, len - at, "%s%s: expected %ld, got %ld",
				at ? "; " : "leak: ", name, was, after->entry[i].value);
	}
	return at > 0;
}

int counters_warned(const struct counters *before)
{
	static struct counters now;

	if (!counters_read(&now))
		return 0;
	return value_of(&now, "warnings", now.nr) > value_of(before, "warnings", before->nr);
}
