/* A disk that fails under ext4: who is told, and what state the file system is in afterwards. */
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
