/*
 * ext4's names over the simulated disk: hashes as debugfs computes them, large directories in small
 * and large blocks, names against a model, and e2fsck's judgement of what is left.
 */
#include <block/simdisk.h>
#include <lib/string.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <vfs/file.h>
#include <vfs/rootfs.h>
#include <vfs/xattr.h>
#include "../../fs/ext4/names.h"
#include "unit.h"

#define MIB (1ul << 20)

struct fixture {
	struct simdisk *disk;
	struct mount *mnt;
	u8 *image;
	size_t bytes;
};

static struct vfs_env env(void)
{
	return (struct vfs_env){.cred = &g_init_cred, .fs = g_init_fs};
}
static struct path base(const struct fixture *x)
{
	return (struct path){x->mnt, x->mnt->root};
}

static bool attach(struct fixture *x)
{
	x->mnt = vfs_kern_mount("ext4", simdisk_bdev(x->disk)->name, NULL);
	return EXPECT_EQ(is_err(x->mnt) ? ptr_err(x->mnt) : 0, 0);
}

/* An image made with mke2fs options and, in the root, what the shell commands make. */
static bool start(struct fixture *x, const char *options, u32 mib, const char *commands)
{
	char line[480];

	unit_snprintf(line, sizeof(line),
		"{ d=$(mktemp -d); mkdir $d/t; cd $d/t; %s; cd /; truncate -s %uM $d/i; "
		"mke2fs -q -F %s -d $d/t $d/i >&2; cat $d/i; rm -r $d; }",
		commands, mib, options);
	x->image = unit_filter(line, "", 0, &x->bytes);
	if (!EXPECT_EQ(x->bytes, mib * MIB))
		return false;
	x->disk = simdisk_create(&(struct simdisk_config){.bytes = x->bytes, .memory = x->image});
	return EXPECT(x->disk != NULL) && attach(x);
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

static void finish(struct fixture *x)
{
	put_mount(x->mnt);
	EXPECT_EQ(fsck(x->image, x->bytes), 0);
	simdisk_destroy(x->disk);
	unit_free(x->image);
}

/* What debugfs prints for a request; unit_alloc'ed, ends with 0. */
static char *debugfs(const struct fixture *x, const char *request)
{
	char line[400];
	size_t n;
	u8 *out;

	unit_snprintf(line, sizeof(line),
		"{ f=$(mktemp); cat >$f; debugfs -R '%s' $f 2>/dev/null; printf '\\0'; rm $f; }",
		request);
	out = unit_filter(line, x->image, x->bytes, &n);
	return (char *)out;
}

/* ---- calls ------------------------------------------------------------------------------------- */

static int make_file(struct fixture *x, const char *name)
{
	struct vfs_env e = env();
	struct path b = base(x);
	struct file *f = vfs_open(&e, &b, name, O_CREAT | O_EXCL | O_WRONLY, 0644, 0);

	if (is_err(f))
		return ptr_err(f);
	put_file(f);
	return 0;
}
static int make_dir(struct fixture *x, const char *name)
{
	struct vfs_env e = env();
	struct path b = base(x);

	return vfs_mkdir(&e, &b, name, 0755);
}
static int remove_name(struct fixture *x, const char *name, bool dir)
{
	struct vfs_env e = env();
	struct path b = base(x);

	return dir ? vfs_rmdir(&e, &b, name) : vfs_unlink(&e, &b, name);
}
static int rename_to(struct fixture *x, const char *from, const char *to, u32 flags)
{
	struct vfs_env e = env();
	struct path b = base(x);

	return vfs_rename(&e, &b, from, &b, to, flags);
}
/* Inode number or error; links and type when asked for. */
static s64 find(struct fixture *x, const char *name, struct kstat *st)
{
	struct vfs_env e = env();
	struct path b = base(x), p;
	struct kstat own;
	s64 r = vfs_lookup(&e, &b, name, 0, &p);

	if (r)
		return r;
	r = vfs_getattr(&p, st ? st : &own);
	put_path(&p);
	return r ? r : (s64)(st ? st : &own)->ino;
}

/* ---- hashes ------------------------------------------------------------------------------------ */

static void check_hash(u8 version, const char *kind, const u32 *seed, const char *name)
{
	struct ext4 *fs = unit_alloc(sizeof(*fs));
	char line[500], want[80];
	u32 major, minor;
	size_t n;
	u8 *out;

	memcpy(fs->hash_seed, seed, sizeof(fs->hash_seed));
	EXPECT_EQ(ext4_dir_hash(fs, version, name, strlen(name), &major, &minor), 0);
	unit_snprintf(line, sizeof(line),
		"debugfs -R 'dx_hash -h %s -s 03020100-0706-0504-0b0a-09080f0e0d0c %s' 2>/dev/null | "
		"sed 's/.*is //'; :",
		kind, name);
	out = unit_filter(line, "", 0, &n);
	unit_snprintf(want, sizeof(want), "0x%x (minor 0x%x)\n", major, minor);
	out[min(n, 79ul)] = 0;
	EXPECT_STR((char *)out, want);
	unit_free(out);
	unit_free(fs);
}

UNIT(hashes_are_those_of_debugfs)
{
	static const struct {
		u8 version;
		const char *name;
	} kinds[] = {{EXT4_HASH_LEGACY, "legacy"}, {EXT4_HASH_HALF_MD4, "half_md4"},
		{EXT4_HASH_TEA, "tea"}};
	static const char *const names[] = {"a", "file", "sixteen_bytes_xx", "17_bytes_long_xxx",
		"a_name_that_is_longer_than_thirty_two_bytes.txt", "\xc3\xa4\xc3\xb6\xc3\xbc",
		("the_longest_of_them_all_with_more_than_sixty_four_bytes_in_its_name_so_that_"
		 "three_rounds_are_needed")};
	u32 seed[4];

	for (u32 k = 0; k < 16; k++)
		((u8 *)seed)[k] =
			(u8)((const u8[]){3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12})[k];
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++)
		for (u32 n = 0; n < ARRAY_SIZE(names); n++)
			check_hash(kinds[k].version, kinds[k].name, seed, names[n]);
}

/* ---- names ------------------------------------------------------------------------------------- */

UNIT(names_made_by_mke2fs_are_found)
{
	struct fixture x;
	char name[40];

	if (!start(&x, "-t ext4 -b 1024", 32,
		    "for n in $(seq 3000); do echo file_number_$n; done | xargs touch; mkdir sub; "
		    "ln -s target link; ln file_number_1 hard; mkfifo pipe"))
		return;
	for (u32 n = 1; n <= 3000; n++) {
		unit_snprintf(name, sizeof(name), "file_number_%u", n);
		EXPECT(find(&x, name, NULL) > 0);
	}
	EXPECT_EQ(find(&x, "file_number_3001", NULL), -ENOENT);
	EXPECT_EQ(find(&x, "hard", NULL), find(&x, "file_number_1", NULL));
	finish(&x);
}

UNIT(debugfs_finds_our_names)
{
	struct vfs_env e = env();
	struct fixture x;
	struct path b;
	char *out;

	if (!start(&x, "-t ext4", 16, ":"))
		return;
	b = base(&x);
	EXPECT_EQ(make_dir(&x, "d"), 0);
	EXPECT_EQ(make_file(&x, "d/f"), 0);
	EXPECT_EQ(vfs_symlink(&e, &b, "short", "over/there"), 0);
	EXPECT_EQ(vfs_symlink(&e, &b, "long",
			  "0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/x"),
		0);
	EXPECT_EQ(vfs_mknod(&e, &b, "old", S_IFCHR | 0600, dev_make(4, 64)), 0);
	EXPECT_EQ(vfs_mknod(&e, &b, "new", S_IFBLK | 0600, dev_make(259, 70000)), 0);
	EXPECT_EQ(vfs_mknod(&e, &b, "pipe", S_IFIFO | 0600, 0), 0);
	put_mount(x.mnt);
	out = debugfs(&x, "stat d/f");
	EXPECT(strstr(out, "Type: regular") && strstr(out, "Links: 1"));
	unit_free(out);
	out = debugfs(&x, "stat short");
	EXPECT(strstr(out, "Fast link dest: \"over/there\"") != NULL);
	unit_free(out);
	out = debugfs(&x, "cat long");
	EXPECT_STR(out, "0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/x");
	unit_free(out);
	out = debugfs(&x, "stat old");
	EXPECT(strstr(out, "number: 04:64") != NULL);
	unit_free(out);
	out = debugfs(&x, "stat new");
	EXPECT(strstr(out, "number: 259:70000") != NULL);
	unit_free(out);
	EXPECT(attach(&x));
	finish(&x);
}

/* ---- large directories ------------------------------------------------------------------------- */

struct reader {
	struct dir_context ctx;
	u8 *seen; /* count by number in the name */
	u32 limit, n, left;
};

static bool take(struct dir_context *ctx, const char *name, size_t len, u64 ino, u8 type)
{
	struct reader *r = container_of(ctx, struct reader, ctx);
	u32 nr = 0;

	if (!r->left)
		return false;
	r->left--;
	if (name[0] != 'n')
		return true;
	for (size_t k = 1; k < len && name[k] >= '0' && name[k] <= '9'; k++)
		nr = nr * 10 + (u32)(name[k] - '0');
	if (nr < r->limit)
		r->seen[nr]++;
	r->n++;
	return true;
}

/* All entries of a directory, in pieces of a few; each number once. */
static u32 read_all(struct fixture *x, const char *name, u32 limit, u8 *seen, u32 piece)
{
	struct vfs_env e = env();
	struct path b = base(x);
	struct file *f = vfs_open(&e, &b, name, O_RDONLY | O_DIRECTORY, 0, 0);
	struct reader r = {.ctx.emit = take, .seen = seen, .limit = limit};
	off64_t before;

	if (!EXPECT(!is_err(f)))
		return 0;
	do {
		before = r.ctx.pos;
		r.left = piece;
		EXPECT_EQ(vfs_iterate(f, &r.ctx), 0);
	} while (!r.left || r.ctx.pos != before);
	put_file(f);
	return r.n;
}

static void numbered(char *buf, size_t size, u32 n)
{
	unit_snprintf(buf, size, "d/n%u%.*s", n, (int)(n % 60),
		"_and_a_tail_of_some_length_so_that_entries_differ_in_size___");
}

static void large_directory(const char *options, u32 count, u32 mib)
{
	struct fixture x;
	u8 *seen = unit_alloc(count);
	char name[100];
	u32 bad = 0;

	if (!start(&x, options, mib, ":"))
		return;
	EXPECT_EQ(make_dir(&x, "d"), 0);
	for (u32 n = 0; n < count; n++) {
		numbered(name, sizeof(name), n);
		if (!EXPECT_EQ(make_file(&x, name), 0))
			break;
	}
	put_mount(x.mnt);
	EXPECT_EQ(fsck(x.image, x.bytes), 0);
	EXPECT(attach(&x));
	for (u32 n = 0; n < count; n += 7) {
		numbered(name, sizeof(name), n);
		EXPECT(find(&x, name, NULL) > 0);
	}
	EXPECT_EQ(read_all(&x, "d", count, seen, 13), count);
	for (u32 n = 0; n < count; n++)
		bad += seen[n] != 1;
	EXPECT_EQ(bad, 0);
	EXPECT_EQ(remove_name(&x, "d", true), -ENOTEMPTY);
	for (u32 n = 0; n < count; n++) {
		numbered(name, sizeof(name), n);
		if (n % 3)
			EXPECT_EQ(remove_name(&x, name, false), 0);
	}
	EXPECT_EQ(read_all(&x, "d", 0, NULL, 1000), (count + 2) / 3);
	finish(&x);
	unit_free(seen);
}

UNIT(a_directory_of_20000_in_4k_blocks)
{
	large_directory("-t ext4 -b 4096 -N 24000", 20000, 64);
}

UNIT(a_directory_of_20000_in_1k_blocks)
{
	large_directory("-t ext4 -b 1024 -N 24000", 20000, 64);
}

UNIT(a_directory_without_checksums)
{
	large_directory("-t ext3 -b 1024 -N 8000", 6000, 32);
}

/* ---- renames ----------------------------------------------------------------------------------- */

UNIT(renames_do_what_they_say)
{
	struct fixture x;
	struct kstat st;
	s64 a, b;

	if (!start(&x, "-t ext4 -b 1024", 16, ":"))
		return;
	EXPECT_EQ(make_dir(&x, "a"), 0);
	EXPECT_EQ(make_dir(&x, "b"), 0);
	EXPECT_EQ(make_dir(&x, "a/sub"), 0);
	EXPECT_EQ(make_file(&x, "a/f"), 0);
	EXPECT_EQ(make_file(&x, "b/g"), 0);
	EXPECT(find(&x, "a", &st) > 0);
	EXPECT_EQ(st.nlink, 3);
	a = find(&x, "a/sub", NULL);
	EXPECT_EQ(rename_to(&x, "a/sub", "b/moved", 0), 0);
	EXPECT_EQ(find(&x, "b/moved", NULL), a);
	EXPECT(find(&x, "a", &st) > 0);
	EXPECT_EQ(st.nlink, 2);
	EXPECT(find(&x, "b", &st) > 0);
	EXPECT_EQ(st.nlink, 3);
	EXPECT_EQ(find(&x, "b/moved/..", NULL), find(&x, "b", NULL));
	EXPECT_EQ(rename_to(&x, "a/f", "b/g", RENAME_NOREPLACE), -EEXIST);
	a = find(&x, "a/f", NULL);
	b = find(&x, "b/moved", NULL);
	EXPECT_EQ(rename_to(&x, "a/f", "b/moved", RENAME_EXCHANGE), 0);
	EXPECT_EQ(find(&x, "a/f", NULL), b);
	EXPECT_EQ(find(&x, "b/moved", NULL), a);
	EXPECT_EQ(find(&x, "a/f/..", NULL), find(&x, "a", NULL));
	EXPECT_EQ(rename_to(&x, "b/moved", "b/g", RENAME_WHITEOUT), 0);
	EXPECT_EQ(find(&x, "b/g", NULL), a);
	EXPECT(find(&x, "b/moved", &st) > 0);
	EXPECT_EQ(st.mode & S_IFMT, S_IFCHR);
	EXPECT_EQ(st.rdev, 0);
	EXPECT_EQ(make_dir(&x, "full"), 0);
	EXPECT_EQ(make_file(&x, "full/x"), 0);
	EXPECT_EQ(rename_to(&x, "a/f", "full", 0), -ENOTEMPTY);
	EXPECT_EQ(remove_name(&x, "full/x", false), 0);
	EXPECT_EQ(rename_to(&x, "a/f", "full", 0), 0);
	EXPECT_EQ(find(&x, "full", NULL), b);
	finish(&x);
}

/* A random stream of operations on names; the model knows what each name is. */
#define MODEL_NAMES 400
#define MODEL_DIRS  5

static void model_name(char *buf, size_t size, u32 n)
{
	unit_snprintf(buf, size, "d%u/n%u%.*s", n % MODEL_DIRS, n, (int)(n * 7 % 100),
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
		"234567890123456789");
}

static void model_step(struct fixture *x, s64 *model, u8 *is_dir)
{
	u32 a = (u32)unit_random_below(MODEL_NAMES), b = (u32)unit_random_below(MODEL_NAMES);
	char an[200], bn[200];
	int err;

	model_name(an, sizeof(an), a);
	model_name(bn, sizeof(bn), b);
	switch (unit_random_below(6)) {
	case 0:
	case 1:
		is_dir[a] = model[a] ? is_dir[a] : unit_random_below(4) == 0;
		err = is_dir[a] ? make_dir(x, an) : make_file(x, an);
		EXPECT_EQ(err, model[a] ? -EEXIST : 0);
		break;
	case 2:
		EXPECT_EQ(remove_name(x, an, is_dir[a]), model[a] ? 0 : -ENOENT);
		model[a] = 0;
		return;
	case 3:
		err = rename_to(x, an, bn, RENAME_EXCHANGE);
		EXPECT_EQ(err, model[a] && model[b] ? 0 : -ENOENT);
		if (!err) {
			swap(model[a], model[b]);
			swap(is_dir[a], is_dir[b]);
		}
		break;
	default:
		err = rename_to(x, an, bn, 0);
		if (!model[a]) {
			EXPECT_EQ(err, -ENOENT);
		} else if (a == b) {
			EXPECT_EQ(err, 0);
		} else if (model[b] && is_dir[a] != is_dir[b]) {
			EXPECT_EQ(err, is_dir[a] ? -ENOTDIR : -EISDIR);
		} else if (EXPECT_EQ(err, 0)) {
			model[b] = model[a];
			is_dir[b] = is_dir[a];
			model[a] = 0;
		}
		break;
	}
	if (!model[a] && find(x, an, NULL) > 0)
		model[a] = find(x, an, NULL);
}

static void random_names(const char *options)
{
	static s64 model[MODEL_NAMES];
	static u8 is_dir[MODEL_NAMES];
	struct fixture x;
	char name[200];
	u32 bad = 0;

	memset(model, 0, sizeof(model));
	if (!start(&x, options, 16, "mkdir d0 d1 d2 d3 d4"))
		return;
	for (u32 round = 0; round < 4; round++) {
		for (u32 k = 0; k < 3000; k++)
			model_step(&x, model, is_dir);
		put_mount(x.mnt);
		EXPECT_EQ(fsck(x.image, x.bytes), 0);
		if (!attach(&x))
			return;
		for (u32 n = 0; n < MODEL_NAMES; n++) {
			model_name(name, sizeof(name), n);
			bad += find(&x, name, NULL) != (model[n] ? model[n] : -ENOENT);
		}
		EXPECT_EQ(bad, 0);
	}
	finish(&x);
}

UNIT(random_names_in_1k_blocks)
{
	random_names("-t ext4 -b 1024");
}

UNIT(random_names_without_checksums)
{
	random_names("-t ext4 -b 1024 -O ^metadata_csum,^has_journal");
}

UNIT(a_file_without_a_name_gets_one)
{
	struct vfs_env e = env();
	struct fixture x;
	struct path b;
	struct file *f;

	if (!start(&x, "-t ext4", 16, ":"))
		return;
	b = base(&x);
	f = vfs_open(&e, &b, ".", O_TMPFILE | O_RDWR, 0600, 0);
	EXPECT(!is_err(f));
	EXPECT_EQ(vfs_link(&e, &f->path, "", &b, "named", AT_EMPTY_PATH), 0);
	EXPECT_EQ(find(&x, "named", NULL), f->inode->ino);
	put_file(f);
	f = vfs_open(&e, &b, ".", O_TMPFILE | O_RDWR, 0600, 0);
	EXPECT(!is_err(f));
	put_file(f);
	finish(&x);
}

UNIT(a_directory_without_index)
{
	large_directory("-t ext2 -b 1024 -O ^dir_index -N 3000", 1500, 16);
}

UNIT(random_names_without_index)
{
	random_names("-t ext2 -b 1024 -O ^dir_index");
}

/* ---- attributes -------------------------------------------------------------------------------- */

static int set_xattr(struct fixture *x, const char *file, const char *name, const void *v, size_t n)
{
	struct vfs_env e = env();
	struct path b = base(x), p;
	int err = vfs_lookup(&e, &b, file, 0, &p);

	if (err)
		return err;
	err = v ? vfs_setxattr(&e, &p, name, v, n, 0) : vfs_removexattr(&e, &p, name);
	put_path(&p);
	return err;
}

static ssize_t get_xattr(struct fixture *x, const char *file, const char *name, void *v, size_t n)
{
	struct vfs_env e = env();
	struct path b = base(x), p;
	ssize_t r = vfs_lookup(&e, &b, file, 0, &p);

	if (r)
		return r;
	r = vfs_getxattr(&e, &p, name, v, n);
	put_path(&p);
	return r;
}

static void attributes(const char *options)
{
	struct fixture x;
	u8 model[8][900], got[900];
	u32 len[8];
	char name[40], *out;

	memset(len, 0xff, sizeof(len));
	if (!start(&x, options, 16, ":"))
		return;
	EXPECT_EQ(make_file(&x, "f"), 0);
	EXPECT_EQ(set_xattr(&x, "f", "user.greeting", "hello", 5), 0);
	for (u32 step = 0; step < 500; step++) {
		u32 k = (u32)unit_random_below(8);
		u32 n = (u32)unit_random_below(unit_random_below(4) ? 60 : 900);
		int err;

		unit_snprintf(name, sizeof(name), "%s.n%u", k & 1 ? "trusted" : "user", k);
		if (unit_random_below(4) == 0) {
			EXPECT_EQ(set_xattr(&x, "f", name, NULL, 0), len[k] == ~0u ? -ENODATA : 0);
			len[k] = ~0u;
			continue;
		}
		unit_random_bytes(got, n);
		err = set_xattr(&x, "f", name, got, n);
		EXPECT(err == 0 || err == -ENOSPC);
		if (!err) {
			memcpy(model[k], got, n);
			len[k] = n;
		}
	}
	for (u32 turn = 0; turn < 2; turn++) {
		for (u32 k = 0; k < 8; k++) {
			unit_snprintf(name, sizeof(name), "%s.n%u", k & 1 ? "trusted" : "user", k);
			EXPECT_EQ(get_xattr(&x, "f", name, got, sizeof(got)),
				len[k] == ~0u ? -ENODATA : (s64)len[k]);
			if (len[k] != ~0u)
				EXPECT_MEM(got, model[k], len[k]);
		}
		put_mount(x.mnt);
		EXPECT_EQ(fsck(x.image, x.bytes), 0);
		EXPECT(attach(&x));
	}
	EXPECT_EQ(get_xattr(&x, "f", "user.greeting", got, 3), -ERANGE);
	put_mount(x.mnt);
	out = debugfs(&x, "ea_get f user.greeting");
	EXPECT(strstr(out, "hello") != NULL);
	unit_free(out);
	EXPECT(attach(&x));
	EXPECT_EQ(remove_name(&x, "f", false), 0);
	finish(&x);
}

UNIT(attributes_in_the_inode_and_in_a_block)
{
	attributes("-t ext4 -b 1024");
	attributes("-t ext4 -b 4096");
	attributes("-t ext2 -b 1024 -I 128");
}

UNIT(default_acls_are_inherited)
{
	static const struct {
		u32 version;
		struct {
			u16 tag, perm;
			u32 id;
		} e[5];
	} acl = {2, {{1, 7, ~0u}, {2, 5, 1000}, {4, 5, ~0u}, {0x10, 5, ~0u}, {0x20, 0, ~0u}}};
	struct vfs_env e = env();
	struct fixture x;
	struct path b;
	u8 got[100];
	struct kstat st;

	if (!start(&x, "-t ext4", 16, ":"))
		return;
	b = base(&x);
	EXPECT_EQ(make_dir(&x, "d"), 0);
	EXPECT_EQ(set_xattr(&x, "d", "system.posix_acl_default", &acl, sizeof(acl)), 0);
	EXPECT_EQ(get_xattr(&x, "d", "system.posix_acl_default", got, sizeof(got)), sizeof(acl));
	EXPECT_MEM(got, &acl, sizeof(acl));
	EXPECT_EQ(vfs_mkdir(&e, &b, "d/sub", 0777), 0);
	EXPECT_EQ(make_file(&x, "d/f"), 0);
	EXPECT(find(&x, "d/f", &st) > 0);
	EXPECT_EQ(st.mode & 0777, 0640);
	EXPECT_EQ(
		get_xattr(&x, "d/sub", "system.posix_acl_default", got, sizeof(got)), sizeof(acl));
	EXPECT_EQ(get_xattr(&x, "d/f", "system.posix_acl_access", got, sizeof(got)), sizeof(acl));
	EXPECT_EQ(set_xattr(&x, "d/f", "system.posix_acl_default", &acl, sizeof(acl)), -EACCES);
	EXPECT_EQ(set_xattr(&x, "d/f", "system.posix_acl_access", &acl, sizeof(acl) - 8), -EINVAL);
	EXPECT_EQ(set_xattr(&x, "d/f", "system.posix_acl_access", NULL, 0), 0);
	EXPECT_EQ(get_xattr(&x, "d/f", "system.posix_acl_access", got, 0), -ENODATA);
	finish(&x);
}

/* ---- ioctls ------------------------------------------------------------------------------------ */

UNIT(flags_are_kept_and_enforced)
{
	struct vfs_env e = env();
	struct fixture x;
	struct path b;
	struct file *f;
	char *out;
	char label[FSLABEL_MAX] = "a label";
	int flags = 0;

	if (!start(&x, "-t ext4", 16, ":"))
		return;
	b = base(&x);
	EXPECT_EQ(make_file(&x, "f"), 0);
	f = vfs_open(&e, &b, "f", O_RDONLY, 0, 0);
	EXPECT_EQ(ext4_ioctl(f, FS_IOC_GETFLAGS, (unsigned long)&flags), 0);
	EXPECT_EQ(flags, FS_EXTENT_FL);
	flags |= FS_IMMUTABLE_FL | FS_NODUMP_FL;
	EXPECT_EQ(ext4_ioctl(f, FS_IOC_SETFLAGS, (unsigned long)&flags), 0);
	EXPECT_EQ(remove_name(&x, "f", false), -EPERM);
	EXPECT_EQ(rename_to(&x, "f", "g", 0), -EPERM);
	flags = FS_EXTENT_FL | FS_DIRSYNC_FL;
	EXPECT_EQ(ext4_ioctl(f, FS_IOC_SETFLAGS, (unsigned long)&flags), -EOPNOTSUPP);
	flags = FS_NODUMP_FL;
	EXPECT_EQ(ext4_ioctl(f, FS_IOC_SETFLAGS, (unsigned long)&flags), -EOPNOTSUPP);
	EXPECT_EQ(ext4_ioctl(f, FS_IOC_SETFSLABEL, (unsigned long)label), 0);
	put_file(f);
	put_mount(x.mnt);
	out = debugfs(&x, "stat f");
	EXPECT(strstr(out, "Flags: 0x80050") != NULL);
	unit_free(out);
	out = debugfs(&x, "stats -h");
	EXPECT(strstr(out, "a label") != NULL);
	unit_free(out);
	EXPECT(attach(&x));
	finish(&x);
}
