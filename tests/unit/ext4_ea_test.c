/* Values of attributes in inodes of their own: e2fsck finds each of them, and what they cost. */
#include <vfs/quota.h>
#include <vfs/xattr.h>
#include "ext4_fixture.h"

static u8 g_value[65536], g_back[65536];

static int set(struct fixture *x, const char *file, const char *name, size_t n, int seed)
{
	struct vfs_env e = env_of();
	struct path base = root_of(x), p;
	int err = vfs_lookup(&e, &base, file, 0, &p);

	if (err)
		return err;
	for (size_t k = 0; k < n; k++)
		g_value[k] = (u8)(k * 5 + k / 277 + (size_t)seed);
	err = n ? vfs_setxattr(&e, &p, name, g_value, n, 0) : vfs_removexattr(&e, &p, name);
	put_path(&p);
	return err;
}

static bool has(struct fixture *x, const char *file, const char *name, size_t n, int seed)
{
	struct vfs_env e = env_of();
	struct path base = root_of(x), p;
	ssize_t r = vfs_lookup(&e, &base, file, 0, &p);

	if (r)
		return false;
	r = vfs_getxattr(&e, &p, name, g_back, sizeof(g_back));
	put_path(&p);
	for (size_t k = 0; k < n && r == (ssize_t)n; k++)
		if (g_back[k] != (u8)(k * 5 + k / 277 + (size_t)seed))
			return false;
	return r == (ssize_t)n;
}

static void make(struct fixture *x, const char *file)
{
	struct file *f = open_at(x, file, O_RDWR | O_CREAT);

	if (f)
		put_file(f);
}

static void again(struct fixture *x)
{
	detach(x);
	(void)!attach(x, NULL);
}

static void values_live_and_die(const char *options)
{
	struct vfs_env e = env_of();
	struct fixture x;
	struct path base;

	if (!start(&x, options, 16, NULL))
		return;
	make(&x, "a");
	make(&x, "b");
	EXPECT_EQ(set(&x, "a", "user.small", 20, 1), 0);
	EXPECT_EQ(set(&x, "a", "user.one", 5000, 2), 0);
	EXPECT_EQ(set(&x, "a", "user.two", 65536, 3), 0);
	EXPECT_EQ(set(&x, "b", "user.one", 30000, 4), 0);
	EXPECT(has(&x, "a", "user.two", 65536, 3));
	again(&x);
	EXPECT(has(&x, "a", "user.small", 20, 1));
	EXPECT(has(&x, "a", "user.one", 5000, 2));
	EXPECT(has(&x, "a", "user.two", 65536, 3));
	EXPECT(has(&x, "b", "user.one", 30000, 4));
	EXPECT_EQ(set(&x, "a", "user.one", 9000, 5), 0); /* another value */
	EXPECT_EQ(set(&x, "a", "user.two", 7, 6), 0);    /* goes back into the inode */
	EXPECT_EQ(set(&x, "b", "user.one", 0, 0), 0);
	for (int k = 0; k < 30; k++) { /* more than an inode has room for */
		char name[20];

		unit_snprintf(name, sizeof(name), "user.many%d", k);
		EXPECT_EQ(set(&x, "b", name, 5000 + (size_t)k, k), 0);
	}
	again(&x);
	EXPECT(has(&x, "a", "user.one", 9000, 5));
	EXPECT(has(&x, "a", "user.two", 7, 6));
	EXPECT(has(&x, "b", "user.many17", 5017, 17));
	base = root_of(&x);
	EXPECT_EQ(vfs_unlink(&e, &base, "b"), 0);
	again(&x);
	base = root_of(&x);
	EXPECT_EQ(vfs_unlink(&e, &base, "a"), 0);
	EXPECT_EQ(((struct ext4 *)x.mnt->super->priv)->free_inodes,
		((struct ext4 *)x.mnt->super->priv)->inodes_count - 11);
	finish(&x);
}

UNIT(values_with_checksums)
{
	values_live_and_die("-t ext4 -b 1024 -O ea_inode");
}

UNIT(values_in_large_blocks)
{
	values_live_and_die("-t ext4 -b 4096 -O ea_inode,^metadata_csum");
}

UNIT(values_without_a_journal)
{
	values_live_and_die("-t ext4 -b 1024 -O ea_inode,^has_journal");
}

UNIT(values_are_charged)
{
	struct vfs_env e = env_of();
	struct quota_values v = {};
	struct fixture x;
	struct path base, p;
	struct iattr a = {.valid = ATTR_UID, .uid = 1000};

	if (!start(&x, "-t ext4 -b 1024 -O ea_inode,quota", 16, NULL))
		return;
	base = root_of(&x);
	make(&x, "a");
	EXPECT_EQ(set(&x, "a", "user.one", 5000, 2), 0);
	EXPECT_EQ(vfs_lookup(&e, &base, "a", 0, &p), 0);
	EXPECT_EQ(vfs_setattr(&e, &p, &a), 0);
	put_path(&p);
	EXPECT_EQ(quota_get_values(x.mnt->super->quota, QUOTA_USER, 1000, &v), 0);
	EXPECT_EQ(v.inodes, 2);
	EXPECT_EQ(set(&x, "a", "user.two", 30000, 2), 0);
	again(&x);
	base = root_of(&x);
	EXPECT_EQ(set(&x, "a", "user.one", 0, 0), 0);
	again(&x);
	base = root_of(&x);
	EXPECT_EQ(vfs_unlink(&e, &base, "a"), 0);
	finish(&x);
}
