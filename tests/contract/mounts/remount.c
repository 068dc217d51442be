/* SPDX-License-Identifier: MIT */
/* Remounting read-only concerns the whole file system, through whatever mount it is written. */
#include "contract.h"
#include <sys/mount.h>

static void mount_twice(void)
{
	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	OK(mount("t", "a", "tmpfs", 0, NULL));
	OK(mount("a", "b", NULL, MS_BIND, NULL));
}

static void unmount_both(void)
{
	OK(umount("b"));
	OK(umount("a"));
}

#define REMOUNT_RO(where) mount(NULL, where, NULL, MS_REMOUNT | MS_RDONLY, NULL)
#define REMOUNT_RW(where) mount(NULL, where, NULL, MS_REMOUNT, NULL)

TEST(remount_ro_fails_while_another_mount_has_a_writer)
{
	int fd;

	mount_twice();
	fd = new_file("b/f", O_RDWR, 0644);
	CHECK_ERR(REMOUNT_RO("a"), EBUSY);
	CHECK_EQ(write(fd, "x", 1), 1);
	OK(close(fd));
	OK(REMOUNT_RO("a"));
	CHECK_ERR(open("b/f", O_WRONLY), EROFS);
	CHECK_ERR(open("a/f", O_WRONLY), EROFS);
	unmount_both();
}

TEST(remount_ro_fails_while_a_detached_mount_has_a_writer)
{
	int fd;

	mount_twice();
	fd = new_file("b/f", O_RDWR, 0644);
	OK(umount2("b", MNT_DETACH));
	CHECK_ERR(REMOUNT_RO("a"), EBUSY);
	OK(close(fd));
	OK(REMOUNT_RO("a"));
	OK(umount("a"));
}

TEST(remount_ro_fails_while_a_removed_file_is_open)
{
	int fd;

	mount_twice();
	OK(close(new_file("b/f", O_RDWR, 0644)));
	fd = OK(open("b/f", O_RDONLY));
	OK(unlink("b/f"));
	CHECK_ERR(REMOUNT_RO("a"), EBUSY);
	OK(close(fd));
	OK(REMOUNT_RO("a"));
	unmount_both();
}

TEST(remount_ro_fails_while_a_shared_mapping_is_writable)
{
	void *p;
	int fd;

	mount_twice();
	fd = new_file("b/f", O_RDWR, 0644);
	OK(ftruncate(fd, 4096));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	OK(close(fd));
	CHECK_ERR(REMOUNT_RO("a"), EBUSY);
	OK(munmap(p, 4096));
	OK(REMOUNT_RO("a"));
	unmount_both();
}

TEST(bind_remount_ro_looks_at_its_own_mount_only)
{
	int fd;

	mount_twice();
	fd = new_file("b/f", O_RDWR, 0644);
	OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CHECK_ERR(open("a/f", O_WRONLY), EROFS);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_ERR(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EBUSY);
	OK(close(fd));
	unmount_both();
}

/* The mount that was named for the remount is read-only itself, too. */
TEST(remount_rw_through_another_mount_leaves_the_mount_flag)
{
	mount_twice();
	OK(close(new_file("a/f", O_RDWR, 0644)));
	OK(REMOUNT_RO("a"));
	OK(REMOUNT_RW("b"));
	OK(close(OK(open("b/f", O_WRONLY))));
	CHECK_ERR(open("a/f", O_WRONLY), EROFS);
	OK(REMOUNT_RW("a"));
	OK(close(OK(open("a/f", O_WRONLY))));
	unmount_both();
}
