/* SPDX-License-Identifier: MIT */
/* madvise(MADV_REMOVE) is a hole in the file, not only in memory. */
#include "fixture.h"
#include <sys/mman.h>

#define BYTES 32768

TEST(madvise_remove_makes_a_hole_on_disk)
{
	struct volume v;
	struct stat before, after;
	char got[2];
	char *map;
	int fd;

	volume_mount(&v, "plain", 0, NULL);
	fd = OK(open("mnt/f", O_RDWR | O_CREAT, 0600));
	map = malloc(BYTES);
	memset(map, 'A', BYTES);
	CHECK_EQ(write(fd, map, BYTES), BYTES);
	free(map);
	OK(fsync(fd));
	OK(fstat(fd, &before));
	map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	map[0] = 'B';
	sleep_ns(20000000); /* a tick of file times */
	OK(madvise(map, BYTES / 2, MADV_REMOVE));
	CHECK_EQ(pread(fd, got, 1, 0), 1);
	CHECK_EQ(got[0], 0);
	CHECK_EQ(map[0], 0);
	CHECK_EQ(map[BYTES / 2], 'A');
	OK(fstat(fd, &after));
	CHECK_EQ(before.st_blocks - after.st_blocks, BYTES / 2 / 512);
	CHECK(after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
		after.st_mtim.tv_nsec != before.st_mtim.tv_nsec);
	OK(munmap(map, BYTES));
	CHECK((map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0)) != MAP_FAILED);
	CHECK_ERR(madvise(map, BYTES, MADV_REMOVE), EACCES);
	OK(munmap(map, BYTES));
	close(fd);
	volume_unmount(&v, "mnt");
}

TEST(madvise_remove_respects_seals)
{
	int fd = OK(memfd_create("m", MFD_ALLOW_SEALING));
	char *map;

	OK(ftruncate(fd, BYTES));
	map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	memset(map, 'A', BYTES);
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	CHECK_ERR(madvise(map, 4096, MADV_REMOVE), EPERM);
	CHECK_EQ(map[0], 'A');
	OK(munmap(map, BYTES));
	close(fd);
}

TEST(the_source_of_a_mount_is_a_block_device_wherever_its_node_is)
{
	struct volume v;
	struct stat st;

	volume_mount(&v, "plain", 0, NULL);
	OK(umount("mnt"));
	OK(stat(v.device, &st));
	OK(mknod("node", S_IFBLK | 0600, st.st_rdev));
	OK(symlink("node", "link"));
	OK(mount("link", "mnt", "ext4", 0, NULL));
	OK(umount("mnt"));
	CHECK_ERR(mount("/dev/null", "mnt", "ext4", 0, NULL), ENOTBLK);
	CHECK_ERR(mount("mnt", "mnt", "ext4", 0, NULL), ENOTBLK);
	CHECK_ERR(mount("missing", "mnt", "ext4", 0, NULL), ENOENT);
	OK(mkdir("nodev", 0700));
	OK(mount("none", "nodev", "tmpfs", MS_NODEV, NULL));
	OK(mknod("nodev/node", S_IFBLK | 0600, st.st_rdev));
	CHECK_ERR(mount("nodev/node", "mnt", "ext4", 0, NULL), EACCES);
	OK(umount("nodev"));
	OK(mount(v.device, "mnt", "ext4", 0, NULL));
	volume_unmount(&v, "mnt");
}
