/* SPDX-License-Identifier: MIT */
/* Page faults that had to read from a disk count as major. */
#include "contract.h"
#include <linux/loop.h>

static int loop_device(off_t size)
{
	int ctl = OK(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
	int file = OK(open("disk", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	char name[32];

	OK(ftruncate(file, size));
	snprintf(name, sizeof(name), "/dev/loop%d", OK(ioctl(ctl, LOOP_CTL_GET_FREE)));
	int fd = OK(open(name, O_RDWR | O_CLOEXEC));
	OK(ioctl(fd, LOOP_SET_FD, file));
	OK(close(file));
	OK(close(ctl));
	return fd;
}

TEST(faults_that_read_the_disk_are_major)
{
	struct rusage before, after;
	long pages = 512, sum = 0;
	int fd = loop_device(pages * 4096);

	volatile char *m = OK(mmap(NULL, pages * 4096, PROT_READ, MAP_SHARED, fd, 0));
	OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	write_file("/proc/sys/vm/drop_caches", "1");
	OK(madvise((void *)m, pages * 4096, MADV_RANDOM));
	OK(getrusage(RUSAGE_SELF, &before));
	for (long i = 0; i < pages; i += 64)
		sum += m[i * 4096];
	OK(getrusage(RUSAGE_SELF, &after));
	CHECK(after.ru_majflt > before.ru_majflt);
	long major = after.ru_majflt;
	OK(munmap((void *)m, pages * 4096));
	m = OK(mmap(NULL, pages * 4096, PROT_READ, MAP_SHARED, fd, 0));
	for (long i = 0; i < pages; i += 64)
		sum += m[i * 4096]; /* cached now */
	OK(getrusage(RUSAGE_SELF, &after));
	CHECK_EQ(after.ru_majflt, major);
	OK(munmap((void *)m, pages * 4096));
	OK(ioctl(fd, LOOP_CLR_FD, 0));
	(void)sum;
}
