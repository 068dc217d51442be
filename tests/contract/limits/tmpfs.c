/* SPDX-License-Identifier: MIT */
/* What counts against the size of a tmpfs. tmpfs(5). */
#include "contract.h"
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#define BLOCKS 64

static void mount_small(void)
{
	OK(mkdir("m", 0755));
	OK(mount("none", "m", "tmpfs", 0, "nr_blocks=64,nr_inodes=1000"));
	OK(chdir("m"));
}

static void done(void)
{
	OK(chdir(".."));
	OK(umount("m"));
}

static long free_blocks(void)
{
	struct statfs st;

	OK(statfs(".", &st));
	return (long)st.f_bfree;
}

static long free_inodes(void)
{
	struct statfs st;

	OK(statfs(".", &st));
	return (long)st.f_ffree;
}

static const char *target(size_t len)
{
	static char text[PATH_MAX];

	memset(text, 'a', len);
	text[len] = 0;
	return text;
}

TEST(long_symlinks_count_as_a_block_of_a_tmpfs)
{
	struct stat st;
	char back[PATH_MAX];

	mount_small();
	CHECK_EQ(free_blocks(), BLOCKS);
	OK(symlink(target(127), "short"));
	CHECK_EQ(free_blocks(), BLOCKS);
	OK(symlink(target(128), "long"));
	OK(symlink(target(4095), "longest"));
	CHECK_EQ(free_blocks(), BLOCKS - 2);
	OK(lstat("short", &st));
	CHECK_EQ(st.st_blocks, 0);
	OK(lstat("long", &st));
	CHECK_EQ(st.st_blocks, page_size() / 512);
	CHECK_EQ(st.st_size, 128);
	CHECK_EQ(readlink("longest", back, sizeof(back)), 4095);
	OK(unlink("long"));
	OK(rename("short", "longest"));
	CHECK_EQ(free_blocks(), BLOCKS);
	done();
}

TEST(a_tmpfs_full_of_symlinks_is_ENOSPC)
{
	char name[16];
	int fd;

	mount_small();
	for (int n = 0; n < BLOCKS; n++) {
		snprintf(name, sizeof(name), "%d", n);
		OK(symlink(target(4000), name));
	}
	CHECK_ERR(symlink(target(4000), "more"), ENOSPC);
	OK(symlink("short", "s"));
	fd = new_file("f", O_RDWR, 0600);
	CHECK_ERR(write(fd, "x", 1), ENOSPC);
	OK(unlink("0"));
	CHECK_EQ(write(fd, "x", 1), 1);
	OK(close(fd));
	done();
}

TEST(names_count_as_inodes_of_a_tmpfs_and_small_attributes_do_not)
{
	long before;

	mount_small();
	before = free_inodes();
	OK(close(new_file("f", O_RDWR, 0600)));
	OK(link("f", "g"));
	CHECK_EQ(free_inodes(), before - 2);
	OK(setxattr("f", "trusted.a", "value", 5, 0));
	CHECK_EQ(free_inodes(), before - 2);
	OK(removexattr("g", "trusted.a"));
	OK(unlink("f"));
	CHECK_EQ(free_inodes(), before - 1);
	OK(unlink("g"));
	CHECK_EQ(free_inodes(), before);
	done();
}

TEST(pages_allocated_beyond_the_end_go_with_a_truncate_that_does_not_grow)
{
	struct stat st;
	int fd;

	mount_small();
	fd = new_file("f", O_RDWR, 0600);
	for (long size = 0; size <= 10000; size += 5000) {
		OK(ftruncate(fd, size));
		CHECK_EQ(free_blocks(), BLOCKS);
		OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 16384, 10 * page_size()));
		CHECK_EQ(free_blocks(), BLOCKS - 10);
		OK(ftruncate(fd, size + 1));
		CHECK_EQ(free_blocks(), BLOCKS - 10);
		OK(ftruncate(fd, size + 1));
		CHECK_EQ(free_blocks(), BLOCKS);
		OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 16384, 10 * page_size()));
		OK(ftruncate(fd, size));
		OK(fstat(fd, &st));
		CHECK_EQ(st.st_blocks, 0);
		CHECK_EQ(st.st_size, size);
		CHECK_EQ(free_blocks(), BLOCKS);
	}
	OK(close(fd));
	done();
}
