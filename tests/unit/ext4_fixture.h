/* Tests of ext4 over the simulated disk: an image by mke2fs, mounted, changed, and judged by
 * e2fsck. */
#ifndef TESTS_EXT4_FIXTURE_H
#define TESTS_EXT4_FIXTURE_H

#include <block/simdisk.h>
#include <lib/string.h>
#include <linux/fs.h>
#include <vfs/file.h>
#include <vfs/rootfs.h>
#include "../../fs/ext4/ext4.h"
#include "unit.h"

#define MIB (1ul << 20)

struct fixture {
	struct simdisk *disk;
	struct mount *mnt;
	u8 *image;
	size_t bytes;
};

/* Whatever script leaves as the file i. NULL: failed. */
static u8 *script_image(const char *script, size_t *bytes)
{
	char command[4000];

	unit_snprintf(command, sizeof(command),
		"{ d=$(mktemp -d); cd $d; ( %s ) >log 2>&1 || cat log >&2; cat i; rm -r $d; }",
		script);
	return unit_filter(command, "", 0, bytes);
}

static inline bool attach(struct fixture *x, const char *data)
{
	x->mnt = vfs_kern_mount("ext4", simdisk_bdev(x->disk)->name, data);
	return EXPECT_EQ(is_err(x->mnt) ? ptr_err(x->mnt) : 0, 0);
}

/* Takes the image over. */
static inline bool attach_image(struct fixture *x, u8 *image, size_t bytes, const char *data)
{
	x->image = image;
	x->bytes = bytes;
	x->disk = simdisk_create(&(struct simdisk_config){.bytes = bytes, .memory = image});
	return EXPECT(x->disk != NULL) && attach(x, data);
}

static inline bool start(struct fixture *x, const char *options, u32 mib, const char *data)
{
	char script[300];
	size_t n;
	u8 *image;

	unit_snprintf(script, sizeof(script), "truncate -s %uM i; mke2fs -q -F %s i", mib, options);
	image = script_image(script, &n);
	return EXPECT_EQ(n, mib * MIB) && attach_image(x, image, n, data);
}

/* The exit status of e2fsck (0: clean); what it says goes to standard error unless it is 0. */
static inline int fsck(const u8 *image, size_t bytes)
{
	size_t n;
	u8 *out = unit_filter("{ f=$(mktemp); cat >$f; e2fsck -fn $f >$f.log 2>&1; s=$?; "
			      "[ $s = 0 ] || head -40 $f.log >&2; rm $f $f.log; echo $s; }",
		image, bytes, &n);
	int r = n ? out[0] - '0' : -1;

	unit_free(out);
	return r;
}

static inline void detach(struct fixture *x)
{
	put_mount(x->mnt);
	EXPECT_EQ(fsck(x->image, x->bytes), 0);
}

static inline void finish(struct fixture *x)
{
	detach(x);
	simdisk_destroy(x->disk);
	unit_free(x->image);
}

/* What the disk holds now, as after a power cut that lost nothing, mounted on a disk of its own. */
static inline bool crash_copy(const struct fixture *x, struct fixture *copy, const char *data)
{
	u8 *image = unit_alloc(x->bytes);

	memcpy(image, x->image, x->bytes);
	return attach_image(copy, image, x->bytes, data);
}

static inline struct vfs_env env_of(void)
{
	return (struct vfs_env){.cred = &g_init_cred, .fs = g_init_fs};
}

static inline struct path root_of(const struct fixture *x)
{
	return (struct path){x->mnt, x->mnt->root};
}

static inline struct file *open_at(struct fixture *x, const char *name, u32 flags)
{
	struct vfs_env e = env_of();
	struct path base = root_of(x);
	struct file *f = vfs_open(&e, &base, name, flags | O_LARGEFILE, 0644, 0);

	EXPECT_EQ(is_err(f) ? ptr_err(f) : 0, 0);
	return is_err(f) ? NULL : f;
}

static inline ssize_t put(struct file *f, u64 pos, const void *data, size_t n)
{
	off64_t at = (off64_t)pos;

	return kernel_write(f, data, n, &at);
}

static inline ssize_t get(struct file *f, u64 pos, void *data, size_t n)
{
	off64_t at = (off64_t)pos;

	return kernel_read(f, data, n, &at);
}

#endif
