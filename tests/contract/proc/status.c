/* SPDX-License-Identifier: MIT */
/* The figures of /proc/PID/status. */
#include "contract.h"

/* The value behind "Name:\t" in /proc/self/status. */
static long status_value(const char *name, int base)
{
	char *text = read_text("/proc/self/status"), key[64];

	snprintf(key, sizeof(key), "%s:", name);
	for (char *line = text; line && *line; line = strchr(line, '\n') + 1) {
		if (!strncmp(line, key, strlen(key)))
			return strtol(line + strlen(key), NULL, base);
		if (!strchr(line, '\n'))
			break;
	}
	FAIL("status: expected a line %s, got none", key);
}

TEST(VmPeak_is_the_most_that_VmSize_was)
{
	size_t len = 64 << 20;
	long before = status_value("VmPeak", 10);
	char *p = OK(mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	CHECK_EQ(status_value("VmPeak", 10), status_value("VmSize", 10));
	p = OK(mremap(p, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
		OK(mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))));
	OK(munmap(p, len));
	if (status_value("VmSize", 10) > before)
		FAIL("VmSize: expected at most %ld kB, got %ld", before,
			status_value("VmSize", 10));
	if (status_value("VmPeak", 10) < before + 2 * 65536 - 8192 ||
		status_value("VmPeak", 10) > before + 2 * 65536 + 8192)
		FAIL("VmPeak: expected about 128 MiB more than %ld kB, got %ld", before,
			status_value("VmPeak", 10));
}

TEST(status_follows_the_process)
{
	sigset_t set;

	umask(0137);
	CHECK_EQ(status_value("Umask", 8), 0137);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_EQ(status_value("SigBlk", 16), 1l << (SIGUSR1 - 1));
	on_signal(SIGUSR2, SIG_IGN, 0);
	CHECK(status_value("SigIgn", 16) & 1l << (SIGUSR2 - 1));
	OK(raise(SIGUSR1));
	CHECK(status_value("SigPnd", 16) & 1l << (SIGUSR1 - 1));
	CHECK_EQ(status_value("Pid", 10), getpid());
}

TEST(VmRSS_grows_with_touched_memory)
{
	long before = status_value("VmRSS", 10);
	size_t size = 8 << 20;
	char *p = OK(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	long mapped = status_value("VmSize", 10);
	memset(p, 1, size);
	long after = status_value("VmRSS", 10);
	CHECK(after - before >= 7 << 10);
	OK(munmap(p, size));
	CHECK_EQ(mapped - status_value("VmSize", 10), 8 << 10);
}
