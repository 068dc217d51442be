/* SPDX-License-Identifier: MIT */
/* Block devices as files and their ioctls, on loop devices over files. */
#include "contract.h"
#include <linux/blkpg.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/hdreg.h>
#include <linux/loop.h>
#include <sys/sysmacros.h>

#define MIB (1 << 20)

struct dev {
	int control, number, fd, file;
	char path[32];
};

/* Tests run at the same time as other areas' on no machine, but a device may be taken meanwhile. */
static struct dev attach(off_t size, uint32_t flags, uint32_t block_size)
{
	struct dev d = {.control = OK(open("/dev/loop-control", O_RDWR))};
	struct loop_config c = {.block_size = block_size, .info.lo_flags = flags};

	d.file = OK(open("image", O_RDWR | O_CREAT, 0600));
	CHECK_EQ(ftruncate(d.file, size), 0);
	c.fd = d.file;
	d.number = OK(ioctl(d.control, LOOP_CTL_GET_FREE));
	snprintf(d.path, sizeof(d.path), "/dev/loop%d", d.number);
	d.fd = OK(open(d.path, O_RDWR));
	CHECK_EQ(ioctl(d.fd, LOOP_CONFIGURE, &c), 0);
	return d;
}

static void detach(struct dev *d)
{
	CHECK_EQ(ioctl(d->fd, LOOP_CLR_FD), 0);
	close(d->fd);
	for (int n = 0; n < 100 && ioctl(d->control, LOOP_CTL_REMOVE, d->number); n++)
		usleep(20000);
	close(d->file);
	close(d->control);
}

TEST(sizes_are_told)
{
	struct dev d = attach(MIB + 1234, 0, 0);
	unsigned long sectors = 0;
	uint64_t bytes = 0;
	int n = 0;
	unsigned u = 0;
	struct stat st;

	CHECK_EQ(ioctl(d.fd, BLKGETSIZE64, &bytes), 0);
	CHECK_EQ(bytes, MIB + 1024);
	CHECK_EQ(ioctl(d.fd, BLKGETSIZE, &sectors), 0);
	CHECK_EQ(sectors, MIB / 512 + 2);
	CHECK_EQ(ioctl(d.fd, BLKSSZGET, &n), 0);
	CHECK_EQ(n, 512);
	CHECK_EQ(ioctl(d.fd, BLKPBSZGET, &u), 0);
	CHECK_EQ(u, 512);
	CHECK_EQ(ioctl(d.fd, BLKIOMIN, &u), 0);
	CHECK_EQ(u, 512);
	CHECK_EQ(ioctl(d.fd, BLKALIGNOFF, &n), 0);
	CHECK_EQ(n, 0);
	CHECK_EQ(ioctl(d.fd, BLKROGET, &n), 0);
	CHECK_EQ(n, 0);
	CHECK_EQ(lseek(d.fd, 0, SEEK_END), MIB + 1024);
	CHECK_EQ(fstat(d.fd, &st), 0);
	CHECK_EQ(S_ISBLK(st.st_mode), 1);
	CHECK_EQ(major(st.st_rdev), 7);
	CHECK_EQ(st.st_size, 0);
	CHECK_ERR(ioctl(d.fd, 0x1299, 0), EINVAL); /* a loop device's answer */
	detach(&d);
}

TEST(reads_and_writes_end_at_the_end_of_the_device)
{
	struct dev d = attach(64 * 1024, 0, 0);
	char buf[1024] = "data", back[1024];

	CHECK_EQ(pwrite(d.fd, buf, 1024, 64 * 1024 - 512), 512);
	CHECK_ERR(pwrite(d.fd, buf, 1, 64 * 1024), ENOSPC);
	CHECK_EQ(pread(d.fd, back, 1024, 64 * 1024 - 512), 512);
	CHECK_EQ(memcmp(buf, back, 512), 0);
	CHECK_EQ(pread(d.fd, back, 1, 64 * 1024), 0);
	CHECK_ERR(lseek(d.fd, 64 * 1024 + 1, SEEK_SET), EINVAL);
	CHECK_ERR(ftruncate(d.fd, 0), EINVAL);
	detach(&d);
}

TEST(fsync_brings_data_into_the_file)
{
	struct dev d = attach(64 * 1024, 0, 0);
	char back[5] = "";

	CHECK_EQ(pwrite(d.fd, "hello", 5, 5000), 5);
	CHECK_EQ(fsync(d.fd), 0);
	CHECK_EQ(pread(d.file, back, 5, 5000), 5);
	CHECK_EQ(memcmp(back, "hello", 5), 0);
	detach(&d);
}

TEST(a_shared_mapping_is_the_devices_content)
{
	struct dev d = attach(64 * 1024, 0, 0);
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, d.fd, 4096), back[4];

	CHECK(p != MAP_FAILED);
	CHECK_EQ(pwrite(d.fd, "abc", 3, 4100), 3);
	CHECK_EQ(memcmp(p + 4, "abc", 3), 0);
	memcpy(p + 4096, "xyz", 3);
	CHECK_EQ(pread(d.fd, back, 3, 8192), 3);
	CHECK_EQ(memcmp(back, "xyz", 3), 0);
	CHECK_EQ(msync(p, 8192, MS_SYNC), 0);
	CHECK_EQ(pread(d.file, back, 3, 8192), 3);
	CHECK_EQ(memcmp(back, "xyz", 3), 0);
	munmap(p, 8192);
	detach(&d);
}

TEST(direct_transfers_need_aligned_memory_and_see_cached_data)
{
	struct dev d = attach(64 * 1024, 0, 0);
	char *buf = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = OK(open(d.path, O_RDWR | O_DIRECT));

	CHECK_EQ(pwrite(d.fd, "cached", 6, 1024), 6);
	CHECK_EQ(pread(fd, buf, 512, 1024), 512);
	CHECK_EQ(memcmp(buf, "cached", 6), 0);
	CHECK_ERR(pread(fd, buf, 100, 0), EINVAL);
	CHECK_ERR(pread(fd, buf + 1, 512, 0), EINVAL);
	CHECK_ERR(pread(fd, buf, 512, 100), EINVAL);
	memcpy(buf, "direct", 6);
	CHECK_EQ(pwrite(fd, buf, 4096, 1024), 4096);
	CHECK_EQ(pread(d.fd, buf + 4096, 6, 1024), 6);
	CHECK_EQ(memcmp(buf + 4096, "direct", 6), 0);
	close(fd);
	detach(&d);
}

TEST(an_exclusive_open_excludes_others)
{
	struct dev d = attach(64 * 1024, 0, 0);
	int fd = OK(open(d.path, O_RDONLY | O_EXCL)), other;

	CHECK_ERR(open(d.path, O_RDONLY | O_EXCL), EBUSY);
	other = OK(open(d.path, O_RDONLY));
	close(other);
	close(fd);
	fd = OK(open(d.path, O_RDONLY | O_EXCL));
	close(fd);
	detach(&d);
}

TEST(a_read_only_device_refuses_writes)
{
	struct dev d = attach(64 * 1024, LO_FLAGS_READ_ONLY, 0);
	int n = 0, fd;
	uint64_t range[2] = {0, 4096};

	CHECK_EQ(ioctl(d.fd, BLKROGET, &n), 0);
	CHECK_EQ(n, 1);
	CHECK_ERR(write(d.fd, "x", 1), EPERM);
	CHECK_ERR(ioctl(d.fd, BLKZEROOUT, range), EPERM);
	detach(&d);
	d = attach(64 * 1024, 0, 0);
	n = 1;
	CHECK_EQ(ioctl(d.fd, BLKROSET, &n), 0);
	CHECK_ERR(write(d.fd, "x", 1), EPERM);
	n = 0;
	CHECK_EQ(ioctl(d.fd, BLKROSET, &n), 0);
	CHECK_EQ(write(d.fd, "x", 1), 1);
	fd = OK(open(d.path, O_RDONLY));
	CHECK_ERR(ioctl(fd, BLKZEROOUT, range), EBADF);
	close(fd);
	detach(&d);
}

TEST(zeroing_and_discarding_clear_ranges)
{
	struct dev d = attach(64 * 1024, 0, 0);
	uint64_t range[2] = {4096, 8192};
	char buf[16384], back[16384];

	memset(buf, 'x', sizeof(buf));
	CHECK_EQ(pwrite(d.fd, buf, sizeof(buf), 0), (ssize_t)sizeof(buf));
	CHECK_EQ(ioctl(d.fd, BLKZEROOUT, range), 0);
	CHECK_EQ(pread(d.fd, back, sizeof(back), 0), (ssize_t)sizeof(back));
	CHECK_EQ(back[4095], 'x');
	CHECK_EQ(back[4096], 0);
	CHECK_EQ(back[12287], 0);
	CHECK_EQ(back[12288], 'x');
	range[0] = 12288;
	range[1] = 4096;
	CHECK_EQ(ioctl(d.fd, BLKDISCARD, range), 0);
	CHECK_EQ(pread(d.fd, back, 1, 12288), 1);
	CHECK_EQ(back[0], 0);
	range[0] = 100;
	CHECK_ERR(ioctl(d.fd, BLKDISCARD, range), EINVAL);
	range[0] = 65536;
	CHECK_ERR(ioctl(d.fd, BLKZEROOUT, range), EINVAL);
	CHECK_ERR(ioctl(d.fd, BLKZEROOUT, BAD_PTR), EFAULT);
	CHECK_EQ(fallocate(d.fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
	CHECK_EQ(pread(d.fd, back, 1, 0), 1);
	CHECK_EQ(back[0], 0);
	CHECK_ERR(fallocate(d.fd, 0, 0, 4096), EOPNOTSUPP);
	detach(&d);
}

TEST(soft_block_size_and_readahead_can_be_set)
{
	struct dev d = attach(64 * 1024, 0, 0);
	int n = 1024;
	long ra = 0;

	CHECK_EQ(ioctl(d.fd, BLKBSZSET, &n), 0);
	n = 0;
	CHECK_EQ(ioctl(d.fd, BLKBSZGET, &n), 0);
	CHECK_EQ(n, 1024);
	n = 100;
	CHECK_ERR(ioctl(d.fd, BLKBSZSET, &n), EINVAL);
	n = 8192;
	CHECK_ERR(ioctl(d.fd, BLKBSZSET, &n), EINVAL);
	CHECK_EQ(ioctl(d.fd, BLKRASET, 64), 0);
	CHECK_EQ(ioctl(d.fd, BLKRAGET, &ra), 0);
	CHECK_EQ(ra, 64);
	CHECK_EQ(ioctl(d.fd, BLKFLSBUF, 0), 0);
	detach(&d);
}

TEST(partitions_can_be_added_resized_and_removed)
{
	struct dev d = attach(MIB, LO_FLAGS_PARTSCAN, 0);
	struct blkpg_partition p = {.start = 65536, .length = 131072, .pno = 1};
	struct blkpg_ioctl_arg a = {.op = BLKPG_ADD_PARTITION, .datalen = sizeof(p), .data = &p};
	char path[64], back[4];
	uint64_t bytes = 0;
	int fd;

	snprintf(path, sizeof(path), "%sp1", d.path);
	CHECK_EQ(ioctl(d.fd, BLKPG, &a), 0);
	fd = OK(open(path, O_RDWR));
	CHECK_EQ(ioctl(fd, BLKGETSIZE64, &bytes), 0);
	CHECK_EQ(bytes, 131072);
	CHECK_EQ(pwrite(fd, "part", 4, 0), 4);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(pread(d.file, back, 4, 65536), 4);
	CHECK_EQ(memcmp(back, "part", 4), 0);
	p.pno = 2;
	CHECK_ERR(ioctl(d.fd, BLKPG, &a), EBUSY);
	p.pno = 1;
	a.op = BLKPG_DEL_PARTITION;
	CHECK_ERR(ioctl(d.fd, BLKPG, &a), EBUSY);
	CHECK_ERR(ioctl(d.fd, BLKRRPART, 0), EBUSY);
	a.op = BLKPG_RESIZE_PARTITION;
	p.length = 262144;
	CHECK_EQ(ioctl(d.fd, BLKPG, &a), 0);
	CHECK_EQ(ioctl(fd, BLKGETSIZE64, &bytes), 0);
	CHECK_EQ(bytes, 262144);
	close(fd);
	a.op = BLKPG_DEL_PARTITION;
	CHECK_EQ(ioctl(d.fd, BLKPG, &a), 0);
	CHECK_ERR(ioctl(d.fd, BLKPG, &a), ENXIO);
	detach(&d);
}

TEST(a_partition_table_is_read_again)
{
	struct dev d = attach(MIB, LO_FLAGS_PARTSCAN, 0);
	unsigned char mbr[512] = {0};
	char path[64];
	uint64_t bytes = 0;
	int fd;

	mbr[450] = 0x83;
	mbr[454] = 8;   /* first sector */
	mbr[458] = 100; /* sectors */
	mbr[510] = 0x55;
	mbr[511] = 0xaa;
	CHECK_EQ(pwrite(d.fd, mbr, 512, 0), 512);
	CHECK_EQ(ioctl(d.fd, BLKRRPART, 0), 0);
	snprintf(path, sizeof(path), "%sp1", d.path);
	fd = OK(open(path, O_RDONLY));
	CHECK_EQ(ioctl(fd, BLKGETSIZE64, &bytes), 0);
	CHECK_EQ(bytes, 100 * 512);
	close(fd);
	memset(mbr, 0, sizeof(mbr));
	CHECK_EQ(pwrite(d.fd, mbr, 512, 0), 512);
	CHECK_EQ(ioctl(d.fd, BLKRRPART, 0), 0);
	CHECK_ERR(open(path, O_RDONLY), ENOENT);
	detach(&d);
}

TEST(a_device_without_driver_cannot_be_opened)
{
	CHECK_EQ(mknod("node", S_IFBLK | 0600, makedev(240, 77)), 0);
	CHECK_ERR(open("node", O_RDONLY), ENXIO);
}
