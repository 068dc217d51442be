/* SPDX-License-Identifier: MIT */
/* openat2(2): RESOLVE_BENEATH and RESOLVE_IN_ROOT while the tree is being changed. */
#include "contract.h"
#include <linux/openat2.h>

#define RACE (4 * SEC)

static bool g_stop; /* atomic */

/* The directory that walks pass through leaves "base" and comes back, for ever. */
static void *move_out_and_back(void *arg)
{
	while (!__atomic_load_n(&g_stop, __ATOMIC_RELAXED)) {
		OK(rename("base/a", "out/a"));
		OK(rename("out/a", "base/a"));
	}
	return arg;
}

static void make_tree(void)
{
	OK(mkdir("base", 0755));
	OK(mkdir("base/a", 0755));
	OK(mkdir("base/a/b", 0755));
	OK(mkdir("out", 0755));
	write_file("secret", "s");
}

/* Down to a, a while in it, and up as far as "ups" says, to "name". */
static char *long_way(int ups, const char *name)
{
	static char path[512];
	char *at = path;

	at += sprintf(at, "a");
	for (int i = 0; i < 20; i++)
		at += sprintf(at, "/b/..");
	while (ups--)
		at += sprintf(at, "/..");
	sprintf(at, "/%s", name);
	return path;
}

static void expect_no_way_out(unsigned long long resolve)
{
	struct open_how how = {.flags = O_RDONLY, .resolve = resolve};
	long long end = now_ns(CLOCK_MONOTONIC) + RACE;
	pthread_t t;
	int base;

	make_tree();
	base = OK(open("base", O_PATH | O_DIRECTORY));
	CHECK_PT(pthread_create(&t, NULL, move_out_and_back, NULL));
	while (now_ns(CLOCK_MONOTONIC) < end) {
		int fd = (int)syscall(SYS_openat2, base, long_way(2, "secret"), &how, sizeof(how));

		if (fd >= 0)
			FAIL("openat2: expected an error, got a file outside the directory");
		if (errno != ENOENT && errno != EXDEV && errno != EAGAIN)
			FAIL("openat2: expected ENOENT, EXDEV or EAGAIN, got %s",
				errno_name(errno));
	}
	__atomic_store_n(&g_stop, true, __ATOMIC_RELAXED);
	CHECK_PT(pthread_join(t, NULL));
	/* At rest the way up and down again is free. */
	write_file("base/inside", "i");
	OK(close(OK(syscall(SYS_openat2, base, long_way(1, "inside"), &how, sizeof(how)))));
}

TEST(RESOLVE_BENEATH_holds_while_directories_are_renamed)
{
	expect_no_way_out(RESOLVE_BENEATH);
}

TEST(RESOLVE_IN_ROOT_holds_while_directories_are_renamed)
{
	expect_no_way_out(RESOLVE_IN_ROOT);
}
