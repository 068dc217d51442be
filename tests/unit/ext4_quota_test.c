/* ext4 keeps quotas: after all kinds of changes e2fsck counts the same. */
#include <linux/falloc.h>
#include <vfs/quota.h>
#include "ext4_fixture.h"

#define OPTIONS "-t ext4 -b 1024 -I 256 -O quota,project -E quotatype=usrquota:grpquota:prjquota"

static struct quota_values values(struct fixture *x, u32 type, u32 id)
{
	struct quota_values v = {};

	EXPECT_EQ(quota_get_values(x->mnt->super->quota, type, id, &v), 0);
	return v;
}

static void own(struct fixture *x, const char *name, u32 uid, u32 gid)
{
	struct vfs_env e = env_of();
	struct path base = root_of(x), p;
	struct iattr a = {.valid = ATTR_UID | ATTR_GID, .uid = uid, .gid = gid};

	EXPECT_EQ(vfs_lookup(&e, &base, name, 0, &p), 0);
	EXPECT_EQ(vfs_setattr(&e, &p, &a), 0);
	put_path(&p);
}

static void set_project(struct file *f, u32 projid, bool inherit)
{
	struct fsxattr a;

	EXPECT_EQ(ext4_ioctl(f, FS_IOC_FSGETXATTR, (unsigned long)&a), 0);
	a.fsx_projid = projid;
	a.fsx_xflags |= inherit ? FS_XFLAG_PROJINHERIT : 0;
	EXPECT_EQ(ext4_ioctl(f, FS_IOC_FSSETXATTR, (unsigned long)&a), 0);
}

UNIT(usage_follows_each_change)
{
	static u8 chunk[100 * 1024];
	struct vfs_env e = env_of();
	struct fixture x;
	struct path base;
	struct file *f;

	if (!start(&x, OPTIONS, 16, NULL))
		return;
	base = root_of(&x);
	f = open_at(&x, "a", O_RDWR | O_CREAT);
	own(&x, "a", 1000, 100000);
	EXPECT_EQ(values(&x, QUOTA_USER, 1000).inodes, 1);
	EXPECT_EQ(put(f, 0, chunk, sizeof(chunk)), sizeof(chunk));
	EXPECT_EQ(values(&x, QUOTA_USER, 1000).space, sizeof(chunk)); /* promised */
	own(&x, "a", 1001, 70000);                                    /* with its promises */
	EXPECT_EQ(values(&x, QUOTA_USER, 1000).space, 0);
	EXPECT_EQ(values(&x, QUOTA_USER, 1000).inodes, 0);
	EXPECT_EQ(values(&x, QUOTA_USER, 1001).space, sizeof(chunk));
	EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, false), 0);
	EXPECT_EQ(values(&x, QUOTA_GROUP, 70000).space, sizeof(chunk));
	EXPECT_EQ(values(&x, QUOTA_GROUP, 100000).space, 0);
	EXPECT_EQ(vfs_ftruncate(f, 10 * 1024), 0);
	EXPECT_EQ(values(&x, QUOTA_USER, 1001).space, 10 * 1024);
	EXPECT_EQ(vfs_fallocate(f, 0, 0, 50 * 1024), 0);
	EXPECT_EQ(values(&x, QUOTA_USER, 1001).space, 50 * 1024);
	EXPECT_EQ(vfs_fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 20 * 1024), 0);
	EXPECT_EQ(values(&x, QUOTA_USER, 1001).space, 30 * 1024);
	set_project(f, 7, false);
	EXPECT_EQ(values(&x, QUOTA_PROJECT, 7).space, 30 * 1024);
	EXPECT_EQ(values(&x, QUOTA_PROJECT, 7).inodes, 1);
	put_file(f);
	EXPECT_EQ(vfs_unlink(&e, &base, "a"), 0);
	EXPECT_EQ(values(&x, QUOTA_USER, 1001).space, 0);
	EXPECT_EQ(values(&x, QUOTA_USER, 1001).inodes, 0);
	EXPECT_EQ(values(&x, QUOTA_PROJECT, 7).inodes, 0);
	finish(&x);
}

UNIT(a_project_is_inherited)
{
	struct vfs_env e = env_of();
	struct quota_values limit = {.space_hard = 1 << 20, .inodes_hard = 50};
	struct fixture x;
	struct kstatfs st;
	struct path base, p;
	struct file *f;

	if (!start(&x, OPTIONS, 16, "prjquota"))
		return;
	base = root_of(&x);
	EXPECT_EQ(vfs_mkdir(&e, &base, "d", 0755), 0);
	f = open_at(&x, "d", O_RDONLY | O_DIRECTORY);
	set_project(f, 42, true);
	put_file(f);
	f = open_at(&x, "d/a", O_RDWR | O_CREAT);
	EXPECT_EQ(values(&x, QUOTA_PROJECT, 42).inodes, 2);
	put_file(f);
	EXPECT_EQ(vfs_link(&e, &base, "d/a", &base, "outside", 0), 0); /* out is fine, */
	EXPECT_EQ(vfs_unlink(&e, &base, "outside"), 0);
	f = open_at(&x, "b", O_RDWR | O_CREAT);
	put_file(f);
	EXPECT_EQ(vfs_link(&e, &base, "b", &base, "d/b", 0), -EXDEV); /* in isn't */
	EXPECT_EQ(quota_set_values(x.mnt->super->quota, QUOTA_PROJECT, 42, &limit,
			  QUOTA_SET_SPACE_LIMITS | QUOTA_SET_INODE_LIMITS),
		0);
	EXPECT_EQ(vfs_lookup(&e, &base, "d", 0, &p), 0);
	EXPECT_EQ(vfs_statfs(&p, &st), 0);
	EXPECT_EQ(st.blocks, 1024);
	EXPECT_EQ(st.bfree, 1024 - 1);
	EXPECT_EQ(st.files, 50);
	EXPECT_EQ(st.ffree, 48);
	put_path(&p);
	finish(&x);
}

/* Many ids, so that the tree grows in all its parts; kept over a mount. */
UNIT(many_ids_have_entries)
{
	struct fixture x;
	struct quota_values v;
	struct file *f;
	u32 id = 0, seen = 0;

	if (!start(&x, "-t ext4 -b 4096 -O quota", 16, NULL))
		return;
	f = open_at(&x, "a", O_RDWR | O_CREAT);
	EXPECT_EQ(put(f, 0, "x", 1), 1);
	for (u32 k = 0; k < 500; k++)
		own(&x, "a", k * 7919 * 7919, k);
	put_file(f);
	detach(&x);
	if (!attach(&x, NULL))
		return;
	while (!quota_get_next(x.mnt->super->quota, QUOTA_GROUP, &id, &v)) {
		EXPECT_EQ(id, seen);
		EXPECT_EQ(v.inodes, id == 499 ? 1 : id ? 0 : v.inodes);
		seen++;
		id++;
	}
	EXPECT_EQ(seen, 500);
	EXPECT_EQ(values(&x, QUOTA_GROUP, 499).space, 4096);
	finish(&x);
}

UNIT(random_changes_are_counted)
{
	static u8 chunk[60000];
	struct vfs_env e = env_of();
	struct fixture x, copy;
	struct path base;

	if (!start(&x, OPTIONS " -J size=1", 16, NULL))
		return;
	base = root_of(&x);
	for (u32 k = 0; k < 600; k++) {
		char name[30], other[30];
		struct file *f;

		unit_snprintf(name, sizeof(name), "f%u", (u32)unit_random_below(20));
		unit_snprintf(other, sizeof(other), "f%u", (u32)unit_random_below(20));
		f = open_at(&x, name, O_RDWR | O_CREAT);
		switch (unit_random_below(9)) {
		case 0:
			(void)!vfs_unlink(&e, &base, name);
			break;
		case 1:
			own(&x, name, (u32)unit_random_below(5), (u32)unit_random_below(5) + 1000);
			break;
		case 2:
			EXPECT_EQ(vfs_ftruncate(f, unit_random_below(60000)), 0);
			break;
		case 3:
			EXPECT_EQ(vfs_rename(&e, &base, name, &base, other, 0), 0);
			break;
		case 4:
			set_project(f, (u32)unit_random_below(4), false);
			break;
		case 5:
			EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, false), 0);
			break;
		default:
			(void)put(f, unit_random_below(100000), chunk, unit_random_below(60000));
		}
		put_file(f);
		if (k % 150 == 149 && crash_copy(&x, &copy, NULL))
			finish(&copy); /* what the log has agrees, too */
	}
	finish(&x);
}
