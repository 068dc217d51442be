/* SPDX-License-Identifier: MIT */
/* A directory's position is what its reader sets: any number gives entries, the end, or an error. */
#include "contract.h"

static const char *const places[] = {".", "/proc", "/proc/self", "/proc/self/fd",
	"/proc/self/fdinfo", "/proc/self/task", "/proc/self/map_files", "/proc/sys",
	"/proc/sys/kernel", "/proc/net", "/dev", "/dev/pts", "/sys", "/sys/class", "/sys/block"};

TEST(any_position_may_be_set)
{
	static const uint64_t edges[] = {0, 1, 2, 3, 255, 256, 65535, 0x7ffffff0, 0x80000000,
		0x80000200, 0xfffffff0, 0x100000000, 0x7fffffffffff0000};
	char buf[1024];

	for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++) {
		int fd = open(places[k], O_RDONLY | O_DIRECTORY);

		if (fd < 0)
			continue;
		for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
			for (int d = -3; d <= 3; d++) {
				long n;

				if (lseek(fd, (off_t)(edges[i] + (uint64_t)d), SEEK_SET) < 0)
					continue;
				n = syscall(SYS_getdents64, fd, buf, sizeof(buf));
				CHECK(n >= -1 && n <= (long)sizeof(buf));
			}
		close(fd);
	}
}

TEST(processes_end_before_the_largest_numbers)
{
	int fd = OK(open("/proc", O_RDONLY | O_DIRECTORY));
	char buf[1024];

	if (lseek(fd, 0x80000200ll, SEEK_SET) >= 0)
		CHECK_EQ(syscall(SYS_getdents64, fd, buf, sizeof(buf)), 0);
	close(fd);
}
