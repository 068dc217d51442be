/* ext4: file data that goes through the journal, and freed metadata that must not come back. */
#include "ext4_fixture.h"

#define FILE_MAX (2 * MIB)

static void set_logged(struct file *f, bool on)
{
	int flags;

	EXPECT_EQ(ext4_ioctl(f, FS_IOC_GETFLAGS, (unsigned long)&flags), 0);
	flags = on ? flags | EXT4_JOURNAL_DATA_FL : flags & ~EXT4_JOURNAL_DATA_FL;
	EXPECT_EQ(ext4_ioctl(f, FS_IOC_SETFLAGS, (unsigned long)&flags), 0);
	EXPECT_EQ(ext4_ioctl(f, FS_IOC_GETFLAGS, (unsigned long)&flags), 0);
	EXPECT_EQ((flags & EXT4_JOURNAL_DATA_FL) != 0, on);
}

static void forget_pages(struct file *f)
{
	object_drop_clean(&f->inode->object, 0, U64_MAX >> PAGE_SHIFT);
}

static void expect_content(struct file *f, const u8 *want, size_t n)
{
	u8 *got = unit_alloc(n + 1);

	EXPECT_EQ(get(f, 0, got, n + 1), n);
	EXPECT_MEM(got, want, n);
	unit_free(got);
}

/* After a cut now, recovered by us and by e2fsck, the file named f holds this. */
static void expect_after_cut(const struct fixture *x, const char *data, const u8 *want, size_t n)
{
	struct fixture copy;
	struct file *f;
	u8 *image;
	size_t bytes;

	if (crash_copy(x, &copy, data)) {
		f = open_at(&copy, "f", O_RDONLY);
		if (f) {
			expect_content(f, want, n);
			put_file(f);
		}
		finish(&copy);
	}
	image = unit_filter(
		"{ f=$(mktemp); cat >$f; e2fsck -fy $f >/dev/null 2>&1; cat $f; rm $f; }", x->image,
		x->bytes, &bytes);
	if (EXPECT_EQ(bytes, x->bytes) && attach_image(&copy, image, bytes, data)) {
		f = open_at(&copy, "f", O_RDONLY);
		if (f) {
			expect_content(f, want, n);
			put_file(f);
		}
		finish(&copy);
	}
}

static void logged_data_survives(const char *options, const char *data, bool chattr)
{
	u8 *want = unit_alloc(FILE_MAX);
	struct fixture x;
	struct file *f;

	if (!start(&x, options, 32, data))
		return;
	f = open_at(&x, "f", O_RDWR | O_CREAT);
	if (chattr)
		set_logged(f, true);
	unit_random_bytes(want, FILE_MAX);
	memcpy(want + 5000, "\300\073\071\230", 4); /* begins like a block of the log, perhaps */
	memcpy(want + 8192, "\300\073\071\230", 4);
	EXPECT_EQ(put(f, 0, want, FILE_MAX), FILE_MAX);
	EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, true), 0);
	EXPECT(ext4_info(f->inode)->data_logged);
	expect_after_cut(&x, data, want, FILE_MAX);
	for (u32 round = 0; round < 8; round++) {
		u64 at = unit_random_below(FILE_MAX - 50000), n = unit_random_below(50000) + 1;

		unit_random_bytes(want + at, n);
		EXPECT_EQ(put(f, at, want + at, n), n);
		EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, round & 1), 0);
		forget_pages(f); /* read again: some of it is in the log only */
		expect_content(f, want, FILE_MAX);
	}
	expect_after_cut(&x, data, want, FILE_MAX);
	put_file(f);
	finish(&x);
	unit_free(want);
}

UNIT(data_journal_keeps_what_was_synced)
{
	logged_data_survives("-t ext4 -b 1024 -J size=8", "data=journal", false);
	logged_data_survives("-t ext4 -b 4096 -J size=8", "data=journal", false);
	logged_data_survives("-t ext3 -b 1024 -J size=8", "data=journal", false);
}

UNIT(files_with_the_attribute_j_keep_what_was_synced)
{
	logged_data_survives("-t ext4 -b 1024 -J size=8", NULL, true);
	logged_data_survives("-t ext4 -b 4096 -J size=4", "data=writeback", true);
}

UNIT(the_attribute_j_comes_and_goes_with_the_content_whole)
{
	u8 *want = unit_alloc(FILE_MAX);
	bool on = false;
	struct fixture x;
	struct file *f, *direct;

	if (!start(&x, "-t ext4 -b 1024 -J size=8", 32, NULL))
		return;
	f = open_at(&x, "f", O_RDWR | O_CREAT);
	direct = open_at(&x, "f", O_RDWR | O_DIRECT);
	EXPECT_EQ(put(f, 0, want, FILE_MAX), FILE_MAX);
	for (u32 round = 0; round < 60; round++) {
		u64 at = round_down(unit_random_below(FILE_MAX - 70000), 4096);
		u64 n = (unit_random_below(8) + 1) * 4096;

		unit_random_bytes(want + at, n);
		EXPECT_EQ(put(round % 3 ? f : direct, at, want + at, n), n);
		if (round % 5 == 0) {
			on = !on;
			set_logged(f, on);
		}
		if (round % 4 == 0)
			EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, false), 0);
		if (round % 7 == 0)
			forget_pages(f);
		expect_content(round % 2 ? f : direct, want, FILE_MAX);
	}
	EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, false), 0);
	expect_after_cut(&x, NULL, want, FILE_MAX);
	put_file(direct);
	put_file(f);
	finish(&x);
	unit_free(want);
}

/* What is in the log of an owner that is gone must not land on the next owner's data: neither by a
 * checkpoint nor by a replay. */
static void blocks_change_owner(const char *options, const char *data, bool dir)
{
	struct vfs_env e = env_of();
	u8 *want = unit_alloc(FILE_MAX), *buf = unit_alloc(FILE_MAX);
	struct fixture x;
	struct path base;
	struct file *f;
	u64 size = 0;

	if (!start(&x, options, 4, data))
		return;
	base = root_of(&x);
	if (dir) {
		EXPECT_EQ(vfs_mkdir(&e, &base, "d", 0755), 0);
		for (u32 k = 0; k < 200; k++) {
			char name[100];

			unit_snprintf(
				name, sizeof(name), "d/a-long-name-for-large-directories-%u", k);
			f = open_at(&x, name, O_RDWR | O_CREAT);
			put_file(f);
		}
		EXPECT_EQ(ext4_sync(x.mnt->super, true), 0);
		for (u32 k = 0; k < 200; k++) {
			char name[100];

			unit_snprintf(
				name, sizeof(name), "d/a-long-name-for-large-directories-%u", k);
			EXPECT_EQ(vfs_unlink(&e, &base, name), 0);
		}
		EXPECT_EQ(vfs_rmdir(&e, &base, "d"), 0);
	} else {
		f = open_at(&x, "old", O_RDWR | O_CREAT);
		unit_random_bytes(buf, FILE_MAX);
		for (u32 k = 0; k < 3; k++) { /* as much as fits */
			(void)put(f, 0, buf, FILE_MAX / 2);
			EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, false), 0);
		}
		put_file(f);
		EXPECT_EQ(vfs_unlink(&e, &base, "old"), 0);
	}
	EXPECT_EQ(ext4_sync(x.mnt->super, true), 0);
	f = open_at(&x, "f", O_RDWR | O_CREAT);
	if (data) /* this one's goes the direct way */
		EXPECT_EQ(vfs_ftruncate(f, 0), 0);
	while (size + 1024 <= FILE_MAX) {
		memset(want + size, 0x5a, 1024);
		if (put(f, size, want + size, 1024) != 1024)
			break;
		size += 1024;
	}
	EXPECT(size > MIB / 2);
	EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, false), 0);
	expect_after_cut(&x, data, want, size);
	EXPECT_EQ(journal_flush(ext4_of(f->inode)->journal), 0);
	forget_pages(f);
	expect_content(f, want, size);
	put_file(f);
	finish(&x);
	unit_free(want);
	unit_free(buf);
}

UNIT(blocks_of_a_removed_directory_take_data_that_stays)
{
	blocks_change_owner("-t ext4 -b 1024 -J size=1", NULL, true);
	blocks_change_owner("-t ext3 -b 1024 -J size=1", NULL, true);
}

UNIT(blocks_of_removed_logged_data_take_data_that_stays)
{
	blocks_change_owner("-t ext4 -b 1024 -J size=1", "data=journal", false);
	blocks_change_owner("-t ext3 -b 1024 -J size=1", "data=journal", false);
}

UNIT(a_data_mode_needs_a_journal)
{
	size_t n;
	u8 *image = script_image("truncate -s 8M i; mke2fs -q -F -t ext4 -O ^has_journal i", &n);
	struct simdisk *d = simdisk_create(&(struct simdisk_config){.bytes = n, .memory = image});
	static const char *const bad[] = {"data=journal", "data=writeback", "commit=3"};

	for (u32 k = 0; k < ARRAY_SIZE(bad); k++)
		EXPECT_EQ(ptr_err(vfs_kern_mount("ext4", simdisk_bdev(d)->name, bad[k])), -EINVAL);
	simdisk_destroy(d);
	unit_free(image);
}
