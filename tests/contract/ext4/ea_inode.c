/* SPDX-License-Identifier: MIT */
/* Values of attributes that have inodes of their own (feature ea_inode). */
#include "fixture.h"
#include <sys/xattr.h>

#define MAX_VALUE 65536

static unsigned char g_value[MAX_VALUE], g_back[MAX_VALUE];

static void fill(size_t n, int seed)
{
	for (size_t i = 0; i < n; i++)
		g_value[i] = (unsigned char)(seed + i * 7 + i / 300);
}

static void set(const char *path, const char *name, size_t n, int seed)
{
	fill(n, seed);
	CHECK_EQ(setxattr(path, name, g_value, n, 0), 0);
}

static void expect_value(const char *path, const char *name, size_t n, int seed)
{
	fill(n, seed);
	CHECK_EQ(getxattr(path, name, NULL, 0), n);
	memset(g_back, 0, sizeof(g_back));
	CHECK_EQ(getxattr(path, name, g_back, sizeof(g_back)), n);
	CHECK(!memcmp(g_back, g_value, n));
}

static long inodes_free(void)
{
	struct statfs s;

	OK(statfs("mnt", &s));
	return (long)s.f_ffree;
}

static long blocks_free(void)
{
	struct statfs s;

	OK(statfs("mnt", &s));
	return (long)s.f_bfree;
}

static void mount_again(struct volume *v)
{
	CHECK_EQ(umount("mnt"), 0);
	CHECK_EQ(mount(v->device, "mnt", "ext4", 0, NULL), 0);
}

TEST(ea_inode_values_come_back)
{
	static const size_t sizes[] = {4097, 5000, 20000, 65535, 65536};
	struct volume v;
	char name[32];

	volume_mount(&v, "ea", 0, NULL);
	write_file("mnt/file", "x");
	OK(mkdir("mnt/dir", 0755));
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 5; i++) {
			snprintf(name, sizeof(name), "user.value%d", i);
			if (!round) {
				set("mnt/file", name, sizes[i], i);
				set("mnt/dir", name, sizes[i], i + 50);
			}
			expect_value("mnt/file", name, sizes[i], i);
			expect_value("mnt/dir", name, sizes[i], i + 50);
		}
		mount_again(&v);
	}
	CHECK_ERR(getxattr("mnt/file", "user.value2", g_back, 100), ERANGE);
	volume_unmount(&v, "mnt");
}

TEST(ea_inode_is_given_back)
{
	struct volume v;
	long inodes, blocks;

	volume_mount(&v, "ea", 0, NULL);
	write_file("mnt/file", "x");
	set("mnt/file", "user.small", 10, 1);
	sync();
	inodes = inodes_free();
	blocks = blocks_free();
	set("mnt/file", "user.big", 20000, 2);
	CHECK_EQ(inodes_free(), inodes - 1);
	set("mnt/file", "user.big", 30000, 3); /* replaced */
	CHECK_EQ(inodes_free(), inodes - 1);
	expect_value("mnt/file", "user.big", 30000, 3);
	set("mnt/file", "user.big", 20, 4); /* small */
	CHECK_EQ(inodes_free(), inodes);
	expect_value("mnt/file", "user.big", 20, 4);
	set("mnt/file", "user.big", 20000, 5);
	CHECK_EQ(removexattr("mnt/file", "user.big"), 0);
	CHECK_EQ(inodes_free(), inodes);
	CHECK_ERR(getxattr("mnt/file", "user.big", NULL, 0), ENODATA);
	expect_value("mnt/file", "user.small", 10, 1);
	sync();
	CHECK_EQ(blocks_free(), blocks);
	volume_unmount(&v, "mnt");
}

TEST(ea_inode_goes_with_its_file)
{
	struct volume v;
	long inodes;
	char name[32];

	volume_mount(&v, "ea", 0, NULL);
	inodes = inodes_free();
	write_file("mnt/file", "x");
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "user.value%d", i);
		set("mnt/file", name, 5000, i);
	}
	CHECK_EQ(inodes_free(), inodes - 21);
	OK(unlink("mnt/file"));
	CHECK_EQ(inodes_free(), inodes);
	volume_unmount(&v, "mnt");
}

TEST(ea_inode_flags_and_errors)
{
	struct volume v;
	char list[200];

	volume_mount(&v, "ea", 0, NULL);
	write_file("mnt/file", "x");
	fill(10000, 1);
	CHECK_ERR(setxattr("mnt/file", "user.big", g_value, 10000, XATTR_REPLACE), ENODATA);
	CHECK_EQ(setxattr("mnt/file", "user.big", g_value, 10000, XATTR_CREATE), 0);
	CHECK_ERR(setxattr("mnt/file", "user.big", g_value, 10000, XATTR_CREATE), EEXIST);
	fill(9000, 2);
	CHECK_EQ(setxattr("mnt/file", "user.big", g_value, 9000, XATTR_REPLACE), 0);
	expect_value("mnt/file", "user.big", 9000, 2);
	CHECK_EQ(listxattr("mnt/file", list, sizeof(list)), 9);
	CHECK_STR(list, "user.big");
	CHECK_ERR(setxattr("mnt/file", "user.big", g_value, MAX_VALUE + 1, 0), E2BIG);
	volume_unmount(&v, "mnt");
}

TEST(ea_inode_needs_the_feature)
{
	struct volume v;

	volume_mount(&v, "plain", 0, NULL);
	write_file("mnt/file", "x");
	fill(5000, 1);
	CHECK_ERR(setxattr("mnt/file", "user.big", g_value, 5000, 0), ENOSPC);
	volume_unmount(&v, "mnt");
}

TEST(ea_inode_fills_the_disk)
{
	struct volume v;
	long inodes;
	char name[32];
	int n = 0, error = 0;

	volume_mount(&v, "ea", 0, NULL);
	write_file("mnt/file", "x");
	inodes = inodes_free();
	for (;; n++) {
		snprintf(name, sizeof(name), "user.value%d", n);
		fill(60000, n); /* equal ones may share an inode */
		if (setxattr("mnt/file", name, g_value, 60000, 0) < 0) {
			error = errno;
			break;
		}
	}
	CHECK_EQ(error, ENOSPC);
	CHECK(n > 20);
	CHECK_EQ(inodes_free(), inodes - n);
	expect_value("mnt/file", "user.value7", 60000, 7);
	OK(unlink("mnt/file"));
	CHECK_EQ(inodes_free(), inodes + 1);
	volume_unmount(&v, "mnt");
}
