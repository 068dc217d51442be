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
