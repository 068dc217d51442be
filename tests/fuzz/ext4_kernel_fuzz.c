/*
 * Mutated ext2, ext3 and ext4 images: mount, walk, read, write, unmount. An error is fine; a crash,
 * a sanitizer's report or a hang is not.
 *
 * The input is not an image but a list of changes to one of several valid images: byte 0 chooses
 * the image, byte 1 the checksums' fate, then records of 4 + n bytes: where (24 bits, an index into
 * the bytes of metadata, which are the image's bytes that aren't the filler), n, new bytes.
 */
#include "../crash/crash.h"
#include <arch/host.h>
#include <lib/string.h>
#include <vfs/rootfs.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*fn)(const u8 *data, size_t size));

#define MAX_IMAGES 8
#define FILLER     0xa5
/* How many images mount tells what a number of runs is worth: those that don't are cheap. */
#define REPORT_RUNS 10000

static struct image {
	u8 *pristine;
	struct media *media;
	u32 *meta; /* offsets of bytes that mke2fs wrote */
	u32 nr_meta;
} g_images[MAX_IMAGES];
static u32 g_nr_images;
static u64 g_runs, g_mounted;
static int g_argc;
static char **g_argv;

static struct vfs_env env(void)
{
	return (struct vfs_env){.cred = &g_init_cred, .fs = g_init_fs};
}

static void load_images(void)
{
	static const char *const names[] = {"small", "4k", "ext3", "ext2", "ext4big"};
	char path[64];

	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		struct image *im = &g_images[g_nr_images];
		u64 n = 0, size;

		os_format(path, sizeof(path), "build/crash/%s.img", names[i]);
		im->pristine = os_load(path, &size);
		if (!im->pristine)
			continue;
		im->media = media_create(im->pristine, size, NULL);
		im->media->unhashed = true;
		im->meta = os_alloc(size * sizeof(u32));
		/* Whole blocks of zeroes are tables that say nothing: every 64th byte of them. */
		for (u64 at = 0; at < size; at++)
			if (im->pristine[at] != FILLER && (im->pristine[at] || at % 64 == 0))
				im->meta[n++] = (u32)at;
		im->nr_meta = (u32)n;
		g_nr_images++;
	}
	if (!g_nr_images) {
		os_say("no images in build/crash\n");
		os_quit(2);
	}
}

struct walk {
	struct dir_context ctx;
	char names[16][64];
	u32 n;
};

static bool emit(struct dir_context *ctx, const char *name, size_t len, u64 ino, u8 type)
{
	struct walk *w = container_of(ctx, struct walk, ctx);

	if (w->n == ARRAY_SIZE(w->names))
		return false;
	if (len < sizeof(w->names[0]) && !(name[0] == '.' && len <= 2)) {
		memcpy(w->names[w->n], name, len);
		w->names[w->n++][len] = 0;
	}
	return true;
}

static void visit(const char *path, int depth);

static void visit_dir(const char *path, int depth)
{
	struct walk *w = os_alloc(sizeof(*w));
	struct vfs_env e = env();
	struct file *f = vfs_open(&e, NULL, path, O_RDONLY | O_DIRECTORY, 0, 0);
	char child[512];

	w->ctx.emit = emit;
	if (!is_err(f)) {
		(void)!vfs_iterate(f, &w->ctx);
		put_file(f);
	}
	for (u32 i = 0; i < w->n && depth < 4; i++) {
		os_format(child, sizeof(child), "%s/%s", path, w->names[i]);
		visit(child, depth + 1);
	}
	os_free(w);
}

static void visit(const char *path, int depth)
{
	struct vfs_env e = env();
	static u8 data[16384];
	struct kstat st;
	struct path p;
	off64_t pos = 0;
	struct file *f;

	if (vfs_lookup(&e, NULL, path, 0, &p))
		return;
	if (!vfs_getattr(&p, &st)) {
		(void)!vfs_readlink(&e, &p, (char *)data, sizeof(data));
		if (S_ISDIR(st.mode)) {
			put_path(&p);
			visit_dir(path, depth);
			return;
		}
	}
	put_path(&p);
	if (!S_ISREG(st.mode))
		return;
	f = vfs_open(&e, NULL, path, O_RDWR, 0, 0);
	if (is_err(f))
		return;
	(void)!kernel_read(f, data, sizeof(data), &pos);
	pos = (off64_t)st.size / 2;
	(void)!kernel_read(f, data, 4096, &pos);
	pos = 1000;
	(void)!kernel_write(f, data, 5000, &pos);
	(void)!vfs_ftruncate(f, 300);
	(void)!vfs_fsync(f, 0, S64_MAX, false);
	put_file(f);
}

static void use(void)
{
	struct vfs_env e = env();
	struct file *f;
	off64_t pos = 0;

	visit_dir("/mnt", 0);
	(void)!vfs_mkdir(&e, NULL, "/mnt/new", 0755);
	f = vfs_open(&e, NULL, "/mnt/new/file", O_CREAT | O_WRONLY, 0644, 0);
	if (!is_err(f)) {
		(void)!kernel_write(f, "hello", 5, &pos);
		put_file(f);
	}
	(void)!vfs_rename(&e, NULL, "/mnt/A/foo", NULL, "/mnt/new/foo", 0);
	(void)!vfs_link(&e, NULL, "/mnt/new/foo", NULL, "/mnt/A/again", 0);
	(void)!vfs_unlink(&e, NULL, "/mnt/new/foo");
	(void)!vfs_unlink(&e, NULL, "/mnt/A/again");
	(void)!vfs_symlink(&e, NULL, "/mnt/l", "A/foo");
	(void)!vfs_rmdir(&e, NULL, "/mnt/B");
}

static int one(const u8 *data, size_t size)
{
	static const char *const types[] = {"ext4", "ext4", "ext3", "ext2", "ext4"};
	static const u8 unchanged[2];
	struct vfs_env e = env();
	struct crash_disk *d;
	struct image *im;

	if (size < 2) { /* an image as it is: where an empty corpus begins */
		data = unchanged;
		size = sizeof(unchanged);
	}
	im = &g_images[data[0] % g_nr_images];
	media_reset(im->media);
	if (data[1] & 1) { /* without metadata_csum changes get further */
		u32 ro;

		memcpy(&ro, im->pristine + 1024 + 0x64, 4);
		ro &= ~0x400u;
		media_poke(im->media, 1024 + 0x64, &ro, 4);
	}
	for (size_t at = 2; at + 4 < size;) {
		u32 where = data[at] | (u32)data[at + 1] << 8 | (u32)data[at + 2] << 16;
		u32 n = min((u32)data[at + 3] % 16 + 1, (u32)(size - at - 4));
		u64 to = im->meta[where % im->nr_meta];

		n = (u32)min((u64)n, im->media->size - to);
		media_poke(im->media, to, data + at + 4, n);
		at += 4 + n;
	}
	d = crash_disk_create("fuzz", im->media);
	if (!d)
		return 0;
	if (!vfs_mount(&e, "/dev/fuzz", "/mnt", types[data[0] % g_nr_images], 0, "")) {
		g_mounted++;
		use();
		if (vfs_umount(&e, "/mnt", 0))
			(void)!vfs_umount(&e, "/mnt", MNT_DETACH);
	}
	crash_disk_destroy(d);
	if (++g_runs % REPORT_RUNS == 0)
		os_say("%llu runs, %llu of them mounted\n", (unsigned long long)g_runs,
			(unsigned long long)g_mounted);
	return 0;
}

static int run(void *arg)
{
	struct vfs_env e = env();
	int err;

	load_images();
	err = vfs_mkdir(&e, NULL, "/mnt", 0755)
		?: vfs_mount(&e, "none", "/dev", "devtmpfs", 0, NULL);
	if (err) {
		os_say("no /mnt and /dev: error %d\n", -err);
		return 2;
	}
	return LLVMFuzzerRunDriver(&g_argc, &g_argv, one);
}

int main(int argc, char **argv)
{
	struct host_config config = {.ram = MiB(128), .seed = 1};

	g_argc = argc;
	g_argv = argv;
	return host_run(&config, run, NULL);
}
