/*
 * ext4 grows while it is mounted, over the simulated disk: each kind of layout, in one step and in
 * several; files stay, new room is used, and e2fsck has nothing to say.
 */
#include <block/simdisk.h>
#include <lib/string.h>
#include <linux/fs.h>
#include <vfs/file.h>
#include <vfs/rootfs.h>
#include "../../fs/ext4/resize.h"
#include "unit.h"

#define MIB (1ul << 20)

struct fixture {
	struct simdisk *disk;
	struct mount *mnt;
	u8 *image;
	size_t bytes; /* of the disk */
};

static struct ext4 *fs_of(struct fixture *x)
{
	return x->mnt->super->priv;
}

static int fsck(const u8 *image, size_t bytes)
{
	size_t n;
	u8 *out = unit_filter("{ f=$(mktemp); cat >$f; e2fsck -fn $f >$f.log 2>&1; s=$?; "
			      "[ $s = 0 ] || head -40 $f.log >&2; rm $f $f.log; echo $s; }",
		image, bytes, &n);
	int r = n ? out[0] - '0' : -1;

	unit_free(out);
	return r;
}

/* A file system of small MiB on a disk of big MiB, with the files a and d/b. */
static bool start(struct fixture *x, const char *options, u32 small, u32 big)
{
	char line[400];
	size_t n;
	u8 *made;

	unit_snprintf(line, sizeof(line),
		"{ d=$(mktemp -d); mkdir -p $d/t/d; seq 1 50000 >$d/t/a; seq 1 50000 >$d/t/d/b; "
		"truncate -s %uM $d/i; mke2fs -q -F %s -d $d/t $d/i >&2; cat $d/i; rm -r $d; }",
		small, options);
	made = unit_filter(line, "", 0, &n);
	if (!EXPECT_EQ(n, small * MIB))
		return false;
	x->bytes = big * MIB;
	x->image = unit_alloc(x->bytes);
	memset(x->image + n, 0xa5, x->bytes - n); /* what was there before */
	memcpy(x->image, made, n);
	unit_free(made);
	x->disk = simdisk_create(&(struct simdisk_config){
		.bytes = x->bytes, .memory = x->image, .alloc = unit_alloc, .free = unit_free});
	x->mnt = vfs_kern_mount("ext4", simdisk_bdev(x->disk)->name, NULL);
	return EXPECT_EQ(is_err(x->mnt) ? ptr_err(x->mnt) : 0, 0);
}

static void finish(struct fixture *x)
{
	put_mount(x->mnt);
	EXPECT_EQ(fsck(x->image, x->bytes), 0);
	simdisk_destroy(x->disk);
	unit_free(x->image);
}

static int resize(struct fixture *x, u64 blocks)
{
	int err = ext4_resize_begin(fs_of(x));

	if (err)
		return err;
	err = ext4_resize(fs_of(x), blocks);
	ext4_resize_end(fs_of(x));
	return err;
}

static struct file *open_at(struct fixture *x, const char *name, u32 flags)
{
	struct vfs_env e = {.cred = &g_init_cred, .fs = g_init_fs};
	struct path base = {x->mnt, x->mnt->root};
	struct file *f = vfs_open(&e, &base, name, flags | O_LARGEFILE, 0644, 0);

	EXPECT_EQ(is_err(f) ? ptr_err(f) : 0, 0);
	return is_err(f) ? NULL : f;
}

static void fill(struct fixture *x, const char *name, u64 bytes)
{
	struct file *f = open_at(x, name, O_CREAT | O_WRONLY);
	static u8 chunk[65536];
	off64_t pos = 0;

	memset(chunk, name[0], sizeof(chunk));
	while (f && (u64)pos < bytes) {
		if (!EXPECT_EQ(kernel_write(f, chunk, sizeof(chunk), &pos), sizeof(chunk)))
			break;
		if (pos % (4 * MIB) == 0) { /* the library's memory is small */
			EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, false), 0);
			object_drop_clean(&f->inode->object, 0, U64_MAX >> PAGE_SHIFT);
		}
	}
	if (f) {
		EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, false), 0);
		put_file(f);
	}
}

static void check_old(struct fixture *x)
{
	struct file *f = open_at(x, "d/b", O_RDONLY);
	char buf[8];
	off64_t pos = 288888;

	EXPECT_EQ(f ? (s64)f->inode->object.size : 0, 288894);
	if (f) {
		EXPECT_EQ(kernel_read(f, buf, 6, &pos), 6);
		EXPECT_MEM(buf, "50000\n", 6);
		put_file(f);
	}
}

static const struct {
	const char *options;
	u32 small, mid, big; /* MiB */
} kinds[] = {
	{"-t ext4", 16, 40, 64},
	{"-t ext4", 140, 300, 700},
	{"-t ext4 -b 1024", 20, 50, 96},
	{"-t ext4 -b 1024 -E resize=40000", 16, 40, 150},
	{"-t ext4 -b 1024 -O ^64bit,^metadata_csum,uninit_bg", 20, 90, 160},
	{"-t ext4 -b 2048 -O ^flex_bg", 30, 70, 120},
	{"-t ext4 -b 1024 -O meta_bg,^resize_inode", 20, 60, 300},
	{"-t ext4 -b 1024 -O ^resize_inode", 20, 60, 300},
	{"-t ext4 -b 1024 -O ^has_journal", 20, 50, 96},
	{"-t ext4 -b 1024 -G 4", 20, 50, 200},
	{"-t ext3 -b 1024", 20, 60, 100},
	{"-t ext2 -b 1024", 20, 60, 100},
	{"-t ext2 -b 1024 -O ^sparse_super,^resize_inode -g 4096", 20, 24, 60},
};

UNIT(file_systems_of_all_kinds_grow)
{
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct fixture x;
		struct ext4 *fs;
		u64 per_mib, was, overhead;

		if (!start(&x, kinds[k].options, kinds[k].small, kinds[k].big))
			continue;
		fs = fs_of(&x);
		per_mib = MIB >> fs->block_bits;
		fill(&x, "before", 3 * MIB);
		was = fs->blocks_count;
		EXPECT_EQ(resize(&x, was - 1), -EINVAL);
		EXPECT_EQ(resize(&x, kinds[k].big * per_mib + 1), -ENOSPC);
		EXPECT_EQ(resize(&x, was), 0);
		EXPECT_EQ(resize(&x, kinds[k].mid * per_mib), 0);
		EXPECT(fs->blocks_count > was && fs->blocks_count <= kinds[k].mid * per_mib);
		fill(&x, "between", (kinds[k].mid - kinds[k].small) / 3 * MIB);
		EXPECT_EQ(resize(&x, kinds[k].big * per_mib), 0);
		EXPECT(fs->blocks_count > (kinds[k].big - 9) * per_mib);
		fill(&x, "after", (kinds[k].big - kinds[k].mid) / 2 * MIB);
		check_old(&x);
		overhead = fs->overhead;
		put_mount(x.mnt);
		EXPECT_EQ(fsck(x.image, x.bytes), 0);
		x.mnt = vfs_kern_mount("ext4", simdisk_bdev(x.disk)->name, NULL);
		if (!EXPECT(!is_err(x.mnt)))
			continue;
		EXPECT_EQ(fs_of(&x)->overhead, overhead);
		check_old(&x);
		finish(&x);
	}
}

/* ---- power cuts -------------------------------------------------------------------------------- */

/* What a power cut left is mounted, looked at, and judged. */
static void recover(u8 *image, size_t bytes)
{
	struct fixture x = {.image = image, .bytes = bytes};

	x.disk = simdisk_create(&(struct simdisk_config){.bytes = bytes, .memory = image});
	x.mnt = vfs_kern_mount("ext4", simdisk_bdev(x.disk)->name, NULL);
	if (EXPECT_EQ(is_err(x.mnt) ? ptr_err(x.mnt) : 0, 0)) {
		check_old(&x);
		put_mount(x.mnt);
	}
	EXPECT_EQ(fsck(image, bytes), 0);
	simdisk_destroy(x.disk);
}

static void cut_power(const char *options, u32 small, u32 big)
{
	struct fixture x;
	u8 *image;
	u32 count;

	if (!start(&x, options, small, big))
		return;
	image = unit_alloc(x.bytes);
	EXPECT_EQ(simdisk_log_start(x.disk), 0);
	fill(&x, "before", MIB);
	EXPECT_EQ(resize(&x, x.bytes >> fs_of(&x)->block_bits), 0);
	fill(&x, "after", MIB);
	count = simdisk_log_count(x.disk);
	for (u32 k = 0; k < 16; k++) {
		struct simdisk_crash c = {.loss = k % 4, .seed = unit_random()};
		u32 point = (u32)unit_random_below(count + 1);
		u8 super[1024];

		/* The super block's two sectors stay together, as in tests/crash. */
		simdisk_crash_image(
			x.disk, point, &(struct simdisk_crash){.loss = SIM_LOSE_NONE}, image);
		memcpy(super, image + 1024, sizeof(super));
		simdisk_crash_image(x.disk, point, &c, image);
		if (c.loss == SIM_LOSE_SOME)
			memcpy(image + 1024, super, sizeof(super));
		recover(image, x.bytes);
	}
	simdisk_log_stop(x.disk);
	unit_free(image);
	finish(&x);
}

UNIT(power_cuts_while_it_grows_leave_it_whole)
{
	cut_power("-t ext4 -b 1024", 20, 60);
	cut_power("-t ext4 -b 1024 -E resize=20000 -G 4", 8, 60);
	cut_power("-t ext4", 16, 160);
	cut_power("-t ext3 -b 1024", 20, 60);
}
