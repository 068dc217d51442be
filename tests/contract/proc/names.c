/* SPDX-License-Identifier: MIT */
/* Which characters of names are written as octal numbers, and where. */
#include "contract.h"
#include <sys/prctl.h>

TEST(maps_escapes_newlines_only)
{
	int fd = OK(open("a b\tc\\d\ne", O_RDWR | O_CREAT, 0600));
	char *text;

	OK(ftruncate(fd, 4096));
	OK((long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
	text = read_text("/proc/self/maps");
	CHECK(strstr(text, "/a b\tc\\d\\012e\n"));
	OK(unlink("a b\tc\\d\ne"));
	text = read_text("/proc/self/maps");
	CHECK(strstr(text, "/a b\tc\\d\\012e (deleted)\n"));
}

TEST(status_escapes_newlines_and_backslashes_in_the_name)
{
	OK(prctl(PR_SET_NAME, "a b\tc\\d\ne"));
	CHECK(strstr(read_text("/proc/self/status"), "Name:\ta b\tc\\\\d\\ne\n"));
}

static char *g_title;

static void set_title(const char *text, size_t len)
{
	memset(g_title, 'x', len);
	memcpy(g_title, text, strlen(text));
	g_title[len] = 0;
}

/* As sshd and PostgreSQL say what they do: over the arguments, and on into the environment. */
TEST(cmdline_shows_a_title_written_over_the_arguments)
{
	char line[512];
	unsigned long start, end;
	int fd = OK(open("/proc/self/stat", O_RDONLY));
	ssize_t n = OK(read(fd, line, sizeof(line) - 1));
	char *at;

	close(fd);
	line[n] = 0;
	at = strrchr(line, ')');
	for (int field = 2; field < 48; field++)
		at = strchr(at + 1, ' ');
	CHECK_EQ(sscanf(at, " %lu %lu", &start, &end), 2);
	CHECK(end > start);
	g_title = (char *)start;
	set_title("title", end - start + 8);
	fd = OK(open("/proc/self/cmdline", O_RDONLY));
	n = OK(read(fd, line, sizeof(line)));
	CHECK_EQ(n, end - start + 9);
	CHECK(!memcmp(line, "titlexxx", 8));
	CHECK_EQ(line[n - 1], 0);
	close(fd);
}
