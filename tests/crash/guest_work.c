/*
 * Runs in a guest that is going to be killed. "work DIR SEED": writes files as a build does, says
 * "done N" after file N was promised to be durable. "check DIR N SEED": everything that was
 * promised is there.
 *
 * File N: written under another name, fsync'ed, renamed, its directory fsync'ed. Between them there
 * is work that promises nothing: objects written and removed, files appended to, directories made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRS 13

static uint64_t g_random;

static uint64_t next_random(void)
{
	uint64_t z = g_random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	return z ^ z >> 27;
}

static void die(const char *what)
{
	printf("failed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static size_t content(uint64_t seed, unsigned n, char **out)
{
	static char buf[300000];
	size_t size;

	g_random = seed * 1000003 + n;
	size = next_random() % (n % 10 ? 20000 : sizeof(buf));
	for (size_t i = 0; i < size; i += 8) {
		uint64_t v = next_random();

		memcpy(buf + i, &v, size - i < 8 ? size - i : 8);
	}
	*out = buf;
	return size;
}

static void write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t got = write(fd, p, n);

		if (got <= 0)
			die("write");
		p += got;
		n -= got;
	}
}

static void noise(unsigned n)
{
	char name[64];
	int fd;

	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "obj%u/%d.o", n % 5, i);
		if (i == 0) {
			char dir[32];

			snprintf(dir, sizeof(dir), "obj%u", n % 5);
			mkdir(dir, 0755);
		}
		fd = open(name, O_CREAT | O_WRONLY | (n & 1 ? O_TRUNC : O_APPEND), 0644);
		if (fd < 0)
			die(name);
		write_all(fd, "some object code that nobody promised anything about", 52);
		close(fd);
		if ((n + i) % 3 == 0 && unlink(name))
			die(name);
	}
	fd = open("log", O_CREAT | O_WRONLY | O_APPEND, 0644);
	if (fd < 0)
		die("log");
	write_all(fd, "another line of the log\n", 24);
	close(fd);
}

static void work(uint64_t seed, unsigned first)
{
	char temporary[64], name[64], dir[32];

	for (unsigned n = first;; n++) {
		char *data;
		size_t size = content(seed, n, &data);
		int fd;

		snprintf(dir, sizeof(dir), "d%u", n % DIRS);
		mkdir(dir, 0755);
		snprintf(temporary, sizeof(temporary), "%s/.new", dir);
		snprintf(name, sizeof(name), "%s/f%u", dir, n % 390);
		fd = open(temporary, O_CREAT | O_WRONLY | O_TRUNC, 0644);
		if (fd < 0)
			die(temporary);
		write_all(fd, data, size);
		if (fsync(fd) || close(fd) || rename(temporary, name))
			die(name);
		fd = open(dir, O_RDONLY | O_DIRECTORY);
		if (fd < 0 || fsync(fd) || close(fd))
			die(dir);
		printf("done %u\n", n);
		fflush(stdout);
		noise(n);
	}
}

/* Names are used again every 390 files: of each the newest, or (not yet promised) its successor. */
static int check(uint64_t seed, unsigned last)
{
	static char buf[300001];
	unsigned bad = 0, checked = 0;

	for (unsigned n = last >= 390 ? last - 389 : 0; n <= last; n++) {
		char name[64], *data;
		size_t size;
		ssize_t got;
		int fd;

		snprintf(name, sizeof(name), "d%u/f%u", n % DIRS, n % 390);
		fd = open(name, O_RDONLY);
		if (fd < 0) {
			printf("missing: %s (file %u of %u): %s\n", name, n, last, strerror(errno));
			bad++;
			continue;
		}
		got = 0;
		for (ssize_t r; (r = read(fd, buf + got, sizeof(buf) - got)) > 0;)
			got += r;
		close(fd);
		size = content(seed, n, &data);
		checked++;
		if ((size_t)got == size && !memcmp(buf, data, size))
			continue;
		size = content(seed, n + 390, &data);
		if (n + 390 == last + 1 && (size_t)got == size && !memcmp(buf, data, size))
			continue;
		printf("wrong: %s (file %u of %u) has %zd bytes\n", name, n, last, got);
		bad++;
	}
	printf("checked %u bad %u\n", checked, bad);
	return bad ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	mkdir(argv[2], 0755);
	if (chdir(argv[2]))
		die(argv[2]);
	if (!strcmp(argv[1], "work"))
		work(strtoull(argv[3], NULL, 0), strtoul(argv[4], NULL, 0));
	return check(strtoull(argv[3], NULL, 0), strtoul(argv[4], NULL, 0));
}
