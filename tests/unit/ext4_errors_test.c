/* A disk that fails under ext4: who is told, and what state the file system is in afterwards. */
#include "../../kernel/vfs/internal.h"
#include "ext4_fixture.h"

static void fail_writes(struct fixture *x, u64 nth, u64 period)
{
	simdisk_set_fault(x->disk,
		&(struct simdisk_fault){.ops = 1 << BIO_WRITE, .nth = nth, .period = period});
}

/* syncfs(2): each open file is told once of data that was lost, whoever wrote it out. */
UNIT(syncfs_tells_of_data_that_was_lost_in_the_background)
{
	static u8 chunk[4096];
	struct file *before, *f, *after;
	struct fixture x;

	if (!start(&x, "-t ext4", 16, NULL))
		return;
	before = open_at(&x, ".", O_RDONLY | O_DIRECTORY);
	f = open_at(&x, "f", O_RDWR | O_CREAT);
	if (!before || !f)
		return;
	EXPECT_EQ(vfs_syncfs(before), 0);
	EXPECT_EQ(put(f, 0, chunk, sizeof(chunk)), sizeof(chunk));
	fail_writes(&x, 1, 0);
	(void)!object_write_range(&f->inode->object, 0, U64_MAX, false);
	EXPECT_EQ(object_wait_range(&f->inode->object, 0, U64_MAX), 0);
	fail_writes(&x, 0, 0);
	EXPECT_EQ(vfs_syncfs(before), -EIO);
	EXPECT_EQ(vfs_syncfs(before), 0);
	EXPECT_EQ(vfs_syncfs(f), -EIO); /* it was open, and hasn't been told */
	EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, false), -EIO);
	EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, false), 0);
	after = open_at(&x, ".", O_RDONLY | O_DIRECTORY);
	if (after) {
		EXPECT_EQ(vfs_syncfs(after), 0);
		put_file(after);
	}
	put_file(f);
	put_file(before);
	finish(&x);
}

/* Thawing writes the super block. Without that a crash would lose what is committed. */
UNIT(a_file_system_that_cannot_be_marked_when_thawed_goes_on_read_only)
{
	struct fixture x;
	struct file *f;

	if (!start(&x, "-t ext4", 16, NULL))
		return;
	f = open_at(&x, "f", O_RDWR | O_CREAT);
	if (!f)
		return;
	EXPECT_EQ(put(f, 0, "x", 1), 1);
	EXPECT_EQ(super_freeze(x.mnt->super), 0);
	fail_writes(&x, 1, 0);
	EXPECT_EQ(super_thaw(x.mnt->super), 0);
	fail_writes(&x, 0, 0);
	EXPECT(!super_is_frozen(x.mnt->super));
	EXPECT(x.mnt->super->flags & MS_RDONLY);
	EXPECT_EQ(put(f, 1, "y", 1), -EROFS);
	put_file(f);
	put_mount(x.mnt);
	simdisk_destroy(x.disk); /* nobody has it */
	unit_free(x.image);
}

/* Does a power cut now leave a file of that name with that byte? */
static bool survives(const struct fixture *x, const char *name, char byte)
{
	struct fixture copy;
	char seen = 0;
	struct file *f;
	off64_t at = 0;
	bool same;

	if (!crash_copy(x, &copy, NULL))
		return false;
	f = open_at(&copy, name, O_RDONLY);
	same = f && kernel_read(f, &seen, 1, &at) == 1 && seen == byte;
	if (f)
		put_file(f);
	finish(&copy);
	return same;
}

static bool make_file(struct fixture *x, const char *name, char byte, bool sync)
{
	struct file *f = open_at(x, name, O_RDWR | O_CREAT);
	bool ok;

	if (!f)
		return false;
	ok = EXPECT_EQ(put(f, 0, &byte, 1), 1) &&
		(!sync || EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, false), 0));
	put_file(f);
	return ok;
}

/* Has an error ended all writing? The journal's thread tells the file system. */
static bool has_stopped(struct fixture *x)
{
	const struct ext4 *fs = x->mnt->super->priv;

	sleep_ns(NS_PER_SEC);
	return READ_ONCE(fs->aborted);
}

/* Either it goes on as before, and what is committed later outlives a power cut; or it is
 * read-only. */
static void check_after_failed_remount(struct fixture *x)
{
	struct vfs_env e = env_of();
	struct path base = root_of(x);
	struct file *f;

	if (has_stopped(x)) {
		EXPECT(x->mnt->super->flags & MS_RDONLY); /* as /proc/mounts tells */
		f = vfs_open(&e, &base, "later", O_RDWR | O_CREAT | O_LARGEFILE, 0644, 0);
		EXPECT_EQ(is_err(f) ? ptr_err(f) : 0, -EROFS);
		return;
	}
	if (make_file(x, "later", 'l', true))
		EXPECT(survives(x, "later", 'l'));
	EXPECT_EQ(super_make_read_only(x->mnt->super), 0);
	EXPECT_EQ(fsck(x->image, x->bytes), 0);
}

/* The nth write fails while ext4 is remounted read-only. False: there are fewer. */
static bool fail_remount_at(const char *options, u64 nth)
{
	struct fixture x;
	bool hit;
	int err;

	if (!start(&x, options, 8, NULL) || !make_file(&x, "synced", 's', true) ||
		!make_file(&x, "dirty", 'd', false))
		return false;
	fail_writes(&x, nth, 0);
	err = super_make_read_only(x.mnt->super);
	hit = simdisk_requests(x.disk) >= nth;
	fail_writes(&x, 0, 0);
	EXPECT(!err || hit); /* lost data is told by fsync, not here */
	if (err)
		check_after_failed_remount(&x);
	EXPECT(survives(&x, "synced", 's'));
	put_mount(x.mnt);
	simdisk_destroy(x.disk);
	unit_free(x.image);
	return hit;
}

UNIT(a_remount_read_only_that_fails_at_any_write_loses_nothing)
{
	static const char *const options[] = {"-t ext4", "-t ext4 -O ^has_journal", "-t ext3"};

	for (u32 i = 0; i < ARRAY_SIZE(options); i++) {
		u64 nth = 1;

		while (nth < 100 && fail_remount_at(options[i], nth))
			nth++;
		EXPECT(nth > 3 && nth < 100); /* it did write, and it ended */
	}
}
