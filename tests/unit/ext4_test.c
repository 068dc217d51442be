/*
 * ext4 over the simulated disk: images made by mke2fs are read and changed, and e2fsck judges what
 * is left. UNIT_SHOW=1 in the environment prints its words.
 */
#include <block/simdisk.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <vfs/file.h>
#include <vfs/rootfs.h>
#include <vm/writeback.h>
#include "unit.h"

#define MIB (1ul << 20)

struct fixture {
	struct simdisk *disk;
	struct mount *mnt;
	u8 *image;
	size_t bytes;
};

/* An image with what mke2fs options say, holding: small ("hello"), lines (seq 1 100000), sparse
 * (4 MiB hole, "end"), empty, dir/file. */
static u8 *make_image(const char *options, u32 mib, size_t *bytes)
{
	char command[480];

	unit_snprintf(command, sizeof(command),
		"{ d=$(mktemp -d); mkdir -p $d/t/dir; cd $d/t; printf hello >small; seq 1 100000 "
		">lines; truncate -s 4M sparse; printf end >>sparse; >empty; printf x >dir/file; "
		"cd /; truncate -s %uM $d/i; mke2fs -q -F %s -d $d/t $d/i >&2; cat $d/i; rm -r $d; }",
		mib, options);
	return unit_filter(command, "", 0, bytes);
}

static bool attach(struct fixture *x, const char *type, const char *data)
{
	x->mnt = vfs_kern_mount(type, simdisk_bdev(x->disk)->name, data);
	return EXPECT_EQ(is_err(x->mnt) ? ptr_err(x->mnt) : 0, 0);
}

static bool start(
	struct fixture *x, const char *options, u32 mib, const char *type, const char *data)
{
	x->image = make_image(options, mib, &x->bytes);
	if (!EXPECT_EQ(x->bytes, mib * MIB))
		return false;
	x->disk = simdisk_create(
		&(struct simdisk_config){.bytes = x->bytes, .memory = x->image, .discard = true});
	return EXPECT(x->disk != NULL) && attach(x, type, data);
}

/* 0: clean. */
static int fsck(const u8 *image, size_t bytes)
{
	size_t n;
	u8 *out = unit_filter("{ f=$(mktemp); cat >$f; e2fsck -fn $f >$f.log 2>&1; s=$?; "
			      "[ $s = 0 ] || cat $f.log >&2; rm $f $f.log; echo $s; }",
		image, bytes, &n);
	int r = n ? out[0] - '0' : -1;

	unit_free(out);
	return r;
}

static void finish(struct fixture *x)
{
	put_mount(x->mnt);
	EXPECT_EQ(fsck(x->image, x->bytes), 0);
	simdisk_destroy(x->disk);
	unit_free(x->image);
}

static struct file *open_at(struct fixture *x, const char *name, u32 flags)
{
	struct vfs_env e = {.cred = &g_init_cred, .fs = g_init_fs};
	struct path base = {x->mnt, x->mnt->root};
	struct file *f = vfs_open(&e, &base, name, flags | O_LARGEFILE, 0644, 0);

	EXPECT_EQ(is_err(f) ? ptr_err(f) : 0, 0);
	return is_err(f) ? NULL : f;
}

static ssize_t put(struct file *f, u64 pos, const void *data, size_t n)
{
	off64_t at = (off64_t)pos;

	return kernel_write(f, data, n, &at);
}

static ssize_t get(struct file *f, u64 pos, void *data, size_t n)
{
	off64_t at = (off64_t)pos;

	return kernel_read(f, data, n, &at);
}

/* ---- reading ----------------------------------------------------------------------------------- */

static void check_content(struct fixture *x)
{
	struct file *f = open_at(x, "small", O_RDONLY);
	char buf[64];
	u64 sum = 0, lines = 0;

	if (f) {
		EXPECT_EQ(get(f, 0, buf, sizeof(buf)), 5);
		EXPECT_MEM(buf, "hello", 5);
		put_file(f);
	}
	f = open_at(x, "lines", O_RDONLY);
	for (off64_t pos = 0; f;) {
		static char chunk[5000];
		ssize_t n = kernel_read(f, chunk, sizeof(chunk), &pos);

		if (n <= 0)
			break;
		for (ssize_t k = 0; k < n; k++) {
			sum += (u8)chunk[k];
			lines += chunk[k] == '\n';
		}
	}
	EXPECT_EQ(lines, 100000);
	EXPECT_EQ(sum, 26716961); /* of seq 1 100000 */
	if (f)
		put_file(f);
	f = open_at(x, "sparse", O_RDONLY);
	if (f) {
		EXPECT_EQ(get(f, 4 * MIB - 2, buf, sizeof(buf)), 5);
		EXPECT_MEM(buf, "\0\0end", 5);
		put_file(f);
	}
	f = open_at(x, "dir/file", O_RDONLY);
	if (f) {
		EXPECT_EQ(get(f, 0, buf, sizeof(buf)), 1);
		put_file(f);
	}
}

static const struct {
	const char *options, *type;
} kinds[] = {
	{"-t ext4", "ext4"},
	{"-t ext4 -b 1024", "ext4"},
	{"-t ext4 -b 2048 -I 128", "ext4"},
	{"-t ext4 -O ^has_journal", "ext4"},
	{"-t ext4 -b 4096 -O ^metadata_csum,uninit_bg", "ext4"},
	{"-t ext4 -b 1024 -O ^64bit,^flex_bg,meta_bg,^resize_inode", "ext4"},
	{"-t ext3 -b 1024", "ext3"},
	{"-t ext3 -b 4096", "ext4"},
	{"-t ext2 -b 1024", "ext2"},
	{"-t ext2 -b 4096", "ext2"},
};

UNIT(images_of_all_kinds_are_read)
{
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct fixture x;

		if (!start(&x, kinds[k].options, 32, kinds[k].type, NULL))
			continue;
		check_content(&x);
		finish(&x);
	}
}

/* ---- writing ----------------------------------------------------------------------------------- */

static void model_write(struct file *f, u8 *model, u64 *size, u64 pos, u32 n, u8 *scratch)
{
	unit_random_bytes(scratch, n);
	EXPECT_EQ(put(f, pos, scratch, n), n);
	memcpy(model + pos, scratch, n);
	*size = max(*size, pos + n);
}

static void compare(struct file *f, const u8 *model, u64 size, u8 *scratch)
{
	EXPECT_EQ(f->inode->object.size, size);
	EXPECT_EQ(get(f, 0, scratch, size + 1), size);
	EXPECT_MEM(scratch, model, size);
}

#define MODEL_MAX (3 * MIB)

static void random_step(struct file *f, u8 *model, u64 *size, u8 *scratch, bool extents)
{
	u64 pos = unit_random_below(*size + 20000), n = unit_random_below(60000) + 1;
	u64 bs = f->inode->super->blksize, end;

	pos = min(pos, MODEL_MAX - 70000);
	switch (unit_random_below(extents ? 12 : 6)) {
	default:
		model_write(f, model, size, pos, (u32)n, scratch);
		break;
	case 2:
		EXPECT_EQ(vfs_ftruncate(f, pos), 0);
		if (pos < *size)
			memset(model + pos, 0, *size - pos);
		*size = pos;
		break;
	case 3:
		EXPECT_EQ(vfs_fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos, n), 0);
		if (pos < *size)
			memset(model + pos, 0, min(n, *size - pos));
		break;
	case 4:
		EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, true), 0);
		break;
	case 5:
		EXPECT_EQ(object_write_range(&f->inode->object, pos, pos + n, false), 0);
		break;
	case 6:
		EXPECT_EQ(vfs_fallocate(f, 0, pos, n), 0);
		*size = max(*size, pos + n);
		break;
	case 7:
		EXPECT_EQ(vfs_fallocate(f, FALLOC_FL_KEEP_SIZE, pos, n), 0);
		break;
	case 8:
		EXPECT_EQ(vfs_fallocate(f, FALLOC_FL_ZERO_RANGE, pos, n), 0);
		memset(model + pos, 0, n);
		*size = max(*size, pos + n);
		break;
	case 9:
		pos = round_down(pos, bs);
		end = pos + round_up(n, bs);
		if (end >= *size)
			break;
		EXPECT_EQ(vfs_fallocate(f, FALLOC_FL_COLLAPSE_RANGE, pos, end - pos), 0);
		memmove(model + pos, model + end, *size - end);
		memset(model + *size - (end - pos), 0, end - pos);
		*size -= end - pos;
		break;
	case 10:
		pos = round_down(pos, bs);
		n = round_up(n, bs);
		if (pos >= *size || *size + n > MODEL_MAX)
			break;
		EXPECT_EQ(vfs_fallocate(f, FALLOC_FL_INSERT_RANGE, pos, n), 0);
		memmove(model + pos + n, model + pos, *size - pos);
		memset(model + pos, 0, n);
		*size += n;
		break;
	case 11:
		object_drop_clean(&f->inode->object, 0, U64_MAX >> PAGE_SHIFT);
		break;
	}
}

static void random_run(const char *options, const char *type, const char *data, u32 steps)
{
	u8 *model = unit_alloc(MODEL_MAX + 1), *scratch = unit_alloc(MODEL_MAX + 1);
	u64 size = 0;
	struct fixture x;
	struct file *f;

	if (!start(&x, options, 32, type, data))
		return;
	f = open_at(&x, "empty", O_RDWR);
	for (u32 k = 0; f && k < steps; k++) {
		random_step(f, model, &size, scratch, strstr(options, "ext4") != NULL);
		if (k % 16 == 0)
			compare(f, model, size, scratch);
	}
	if (f) {
		compare(f, model, size, scratch);
		put_file(f);
	}
	/* Again from the disk. */
	put_mount(x.mnt);
	EXPECT_EQ(fsck(x.image, x.bytes), 0);
	if (attach(&x, type, data)) {
		f = open_at(&x, "empty", O_RDONLY);
		if (f) {
			compare(f, model, size, scratch);
			put_file(f);
		}
		finish(&x);
	}
	unit_free(model);
	unit_free(scratch);
}

UNIT(random_changes_of_a_file_agree_with_a_model)
{
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++)
		random_run(kinds[k].options, kinds[k].type, NULL, 300);
	random_run("-t ext4 -b 1024", "ext4", "data=writeback", 300);
	random_run("-t ext4 -b 1024", "ext4", "data=journal", 1000);
	random_run("-t ext4 -b 4096", "ext4", "data=journal", 300);
	random_run("-t ext3 -b 1024", "ext3", "data=journal", 300);
}

static u64 cached_pages(void)
{
	struct mem_stats m;

	mem_get_stats(&m);
	return m.cached;
}

UNIT(what_is_cached_of_closed_files_goes_little_by_little)
{
	static u8 chunk[65536];
	struct page *list = NULL, *p;
	struct fixture x;
	u64 before;

	if (!start(&x, "-t ext4", 32, "ext4", NULL))
		return;
	for (int i = 0; i < 4; i++) {
		static const char *const names[] = {"a", "b", "c", "d"};
		struct file *f = open_at(&x, names[i], O_RDWR | O_CREAT);

		for (u32 k = 0; f && k < 64; k++)
			EXPECT_EQ(put(f, k * sizeof(chunk), chunk, sizeof(chunk)), sizeof(chunk));
		if (f) {
			EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, false), 0);
			put_file(f);
		}
	}
	before = cached_pages();
	EXPECT(before >= 16 * MIB / PAGE_SIZE);
	while (cached_pages() >= before && (p = page_alloc(GFP_KERNEL | GFP_NORETRY))) {
		p->index = (u64)list;
		list = p;
	}
	EXPECT(cached_pages() < before);
	EXPECT(cached_pages() > before - 2 * MIB / PAGE_SIZE); /* not a whole file */
	while (list) {
		p = list;
		list = (struct page *)p->index;
		p->index = 0;
		put_page(p);
	}
	finish(&x);
}

UNIT(a_full_disk_says_so_and_stays_whole)
{
	static u8 chunk[65536];
	struct fixture x;
	struct file *f;
	ssize_t n = 0;
	u64 pos = 0;

	if (!start(&x, "-t ext4", 16, "ext4", NULL))
		return;
	f = open_at(&x, "empty", O_RDWR);
	while (f && pos < 64 * MIB && (n = put(f, pos, chunk, sizeof(chunk))) > 0)
		pos += (u64)n;
	EXPECT_EQ(n, -ENOSPC);
	EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, false), 0);
	EXPECT_EQ(vfs_ftruncate(f, 0), 0);
	EXPECT_EQ(put(f, 0, chunk, sizeof(chunk)), sizeof(chunk));
	put_file(f);
	finish(&x);
}

/* ---- hostile images ---------------------------------------------------------------------------- */

static void touch_everything(struct fixture *x)
{
	static const char *const names[] = {"small", "lines", "sparse", "empty", "dir/file"};
	static u8 buf[20000];
	struct vfs_env e = {.cred = &g_init_cred, .fs = g_init_fs};
	struct path base = {x->mnt, x->mnt->root};

	for (u32 k = 0; k < ARRAY_SIZE(names); k++) {
		struct file *f = vfs_open(&e, &base, names[k], O_RDWR | O_LARGEFILE, 0644, 0);

		if (is_err(f))
			continue;
		(void)get(f, unit_random_below(600000), buf, sizeof(buf));
		(void)put(f, unit_random_below(600000), buf, unit_random_below(sizeof(buf)) + 1);
		(void)!vfs_fallocate(f, 0, unit_random_below(600000), 5000);
		(void)!vfs_fsync(f, 0, S64_MAX, false);
		(void)!vfs_ftruncate(f, unit_random_below(700000));
		put_file(f);
	}
}

UNIT(damaged_images_end_in_errors)
{
	static const char *const options[] = {"-t ext4 -b 1024 -O ^metadata_csum,^has_journal",
		"-t ext4 -O ^metadata_csum", "-t ext2 -b 1024", "-t ext3 -b 1024"};

	for (u32 k = 0; k < ARRAY_SIZE(options); k++) {
		struct fixture x = {};
		u8 *good = make_image(options[k], 8, &x.bytes), *bad = unit_alloc(8 * MIB);

		for (u32 round = 0; round < 100 && x.bytes == 8 * MIB; round++) {
			memcpy(bad, good, x.bytes);
			for (u64 n = unit_random_below(40) + 1; n; n--) {
				u64 at = unit_random_below(unit_random_below(4) ? 400000 : 1100);

				bad[at < 1024 ? at + 1024 : at] = (u8)unit_random();
			}
			x.disk = simdisk_create(
				&(struct simdisk_config){.bytes = x.bytes, .memory = bad});
			x.mnt = vfs_kern_mount("ext4", simdisk_bdev(x.disk)->name, NULL);
			if (!is_err(x.mnt)) {
				touch_everything(&x);
				put_mount(x.mnt);
			}
			simdisk_destroy(x.disk);
		}
		unit_free(good);
		unit_free(bad);
	}
}
