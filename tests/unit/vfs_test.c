/* Paths, tmpfs against a model, renames under several threads, the dentry cache, record locks. */
#include <core/counters.h>
#include <kmem/page.h>
#include <kmem/slab.h>
#include <lib/seq_buf.h>
#include <lib/string.h>
#include <linux/fs.h>
#include <sched/timer.h>
#include <vfs/file.h>
#include <vfs/rootfs.h>
#include "unit.h"

static struct vfs_env env(void)
{
	return (struct vfs_env){.cred = &g_init_cred, .fs = g_init_fs};
}

static int make_dir(const char *name)
{
	struct vfs_env e = env();

	return vfs_mkdir(&e, NULL, name, 0755);
}

static int make_file(const char *name)
{
	struct vfs_env e = env();
	struct file *f = vfs_open(&e, NULL, name, O_CREAT | O_EXCL | O_WRONLY, 0644, 0);

	if (is_err(f))
		return ptr_err(f);
	put_file(f);
	return 0;
}

/* Inode number, or a negative error. */
static s64 find(const char *name, u32 flags)
{
	struct vfs_env e = env();
	struct path p;
	s64 r = vfs_lookup(&e, NULL, name, flags, &p);

	if (r)
		return r;
	r = (s64)p.dentry->inode->ino;
	put_path(&p);
	return r;
}

static int rename_to(const char *from, const char *to, u32 flags)
{
	struct vfs_env e = env();

	return vfs_rename(&e, NULL, from, NULL, to, flags);
}

static int remove(const char *name, bool dir)
{
	struct vfs_env e = env();

	return dir ? vfs_rmdir(&e, NULL, name) : vfs_unlink(&e, NULL, name);
}

UNIT(paths_resolve_as_path_resolution_says)
{
	struct vfs_env e = env();

	EXPECT_EQ(make_dir("/w"), 0);
	EXPECT_EQ(make_dir("/w/dir"), 0);
	EXPECT_EQ(make_file("/w/dir/f"), 0);
	EXPECT_EQ(vfs_symlink(&e, NULL, "/w/link", "dir/../dir"), 0);
	EXPECT_EQ(vfs_symlink(&e, NULL, "/w/loop", "loop"), 0);
	EXPECT(find("/w/dir/f", 0) > 0);
	EXPECT_EQ(find("//w/.//link/./f", 0), find("/w/dir/f", 0));
	EXPECT_EQ(find("/w/dir/../../../w", 0), find("/w", 0));
	EXPECT_EQ(find("/w/link/", 0), find("/w/dir", 0));
	EXPECT(find("/w/link", 0) != find("/w/link", LOOKUP_FOLLOW));
	EXPECT_EQ(find("/w/loop", LOOKUP_FOLLOW), -ELOOP);
	EXPECT_EQ(find("/w/dir/f/", 0), -ENOTDIR);
	EXPECT_EQ(find("/w/dir/f/x", 0), -ENOTDIR);
	EXPECT_EQ(find("/w/dir/f/..", 0), -ENOTDIR);
	EXPECT_EQ(find("/w/none/x", 0), -ENOENT);
	EXPECT_EQ(find("", 0), -ENOENT);
	EXPECT_EQ(find("/w/link", LOOKUP_FOLLOW | LOOKUP_NO_SYMLINKS), -ELOOP);
	EXPECT_EQ(find("/w", LOOKUP_BENEATH), -EXDEV);
	EXPECT_EQ(remove("/w/dir", true), -ENOTEMPTY);
	EXPECT_EQ(remove("/w/dir/f", true), -ENOTDIR);
	EXPECT_EQ(remove("/w/dir", false), -EISDIR);
	EXPECT_EQ(remove("/w/dir/.", true), -EINVAL);
	EXPECT_EQ(rename_to("/w/dir", "/w/dir/sub", 0), -EINVAL);
	EXPECT_EQ(remove("/w/dir/f", false), 0);
	EXPECT_EQ(remove("/w/dir", true), 0);
	EXPECT_EQ(remove("/w/link", false), 0);
	EXPECT_EQ(remove("/w/loop", false), 0);
	EXPECT_EQ(remove("/w", true), 0);
}

/* ---- tmpfs against a model: names in a few directories, each free, a directory or a file ---- */

#define DIRS  4
#define NAMES 6
enum kind { FREE, A_FILE, A_DIR };
static enum kind g_model[DIRS][NAMES];

static const char *name_of(u64 dir, u64 n, char *buf)
{
	unit_snprintf(buf, 32, "/m/%llu/%llu", (unsigned long long)dir, (unsigned long long)n);
	return buf;
}

static int model_rename(enum kind *from, enum kind *to)
{
	if (*from == FREE)
		return -ENOENT;
	if (from == to)
		return 0;
	if (*to != FREE && *from == A_DIR && *to != A_DIR)
		return -ENOTDIR;
	if (*to == A_DIR && *from != A_DIR)
		return -EISDIR;
	*to = *from;
	*from = FREE;
	return 0;
}

static void random_step(void)
{
	u64 d = unit_random_below(DIRS), n = unit_random_below(NAMES);
	u64 d2 = unit_random_below(DIRS), n2 = unit_random_below(NAMES);
	enum kind *at = &g_model[d][n], *to = &g_model[d2][n2];
	char a[32], b[32];
	int want;

	name_of(d, n, a);
	name_of(d2, n2, b);
	switch (unit_random_below(5)) {
	case 0:
		EXPECT_EQ(make_file(a), *at == FREE ? 0 : -EEXIST);
		*at = *at == FREE ? A_FILE : *at;
		break;
	case 1:
		EXPECT_EQ(make_dir(a), *at == FREE ? 0 : -EEXIST);
		*at = *at == FREE ? A_DIR : *at;
		break;
	case 2:
		EXPECT_EQ(remove(a, false), *at == FREE ? -ENOENT : *at == A_DIR ? -EISDIR : 0);
		*at = *at == A_FILE ? FREE : *at;
		break;
	case 3:
		EXPECT_EQ(remove(a, true), *at == FREE ? -ENOENT : *at == A_FILE ? -ENOTDIR : 0);
		*at = *at == A_DIR ? FREE : *at;
		break;
	default:
		want = model_rename(at, to);
		EXPECT_EQ(rename_to(a, b, 0), want);
	}
}

struct listing {
	struct dir_context ctx;
	int dir, seen;
};

static bool take(struct dir_context *ctx, const char *name, size_t len, u64 ino, u8 type)
{
	struct listing *l = container_of(ctx, struct listing, ctx);

	if (name[0] == '.')
		return true;
	EXPECT(g_model[l->dir][name[0] - '0'] == (type == 4 ? A_DIR : A_FILE));
	l->seen++;
	return true;
}

static void compare(void)
{
	struct vfs_env e = env();

	for (int d = 0; d < DIRS; d++) {
		struct listing l = {.ctx.emit = take, .dir = d};
		char name[32];
		struct file *f;
		int want = 0;

		unit_snprintf(name, sizeof(name), "/m/%d", d);
		f = vfs_open(&e, NULL, name, O_RDONLY | O_DIRECTORY, 0, 0);
		EXPECT_EQ(vfs_iterate(f, &l.ctx), 0);
		put_file(f);
		for (u64 n = 0; n < NAMES; n++) {
			want += g_model[d][n] != FREE;
			EXPECT_EQ(find(name_of((u64)d, n, name), 0) > 0, g_model[d][n] != FREE);
		}
		EXPECT_EQ(l.seen, want);
	}
}

UNIT(random_operations_do_what_the_model_does)
{
	char name[32];

	EXPECT_EQ(make_dir("/m"), 0);
	for (u64 d = 0; d < DIRS; d++) {
		unit_snprintf(name, sizeof(name), "/m/%llu", (unsigned long long)d);
		EXPECT_EQ(make_dir(name), 0);
	}
	for (int i = 0; i < 20000; i++) {
		random_step();
		if (i % 500 == 0)
			compare();
	}
	compare();
}

/* ---- renames by several threads: every file stays, once ---- */

#define MOVERS 4
static u32 g_moving;

static void mover(void *arg)
{
	for (int i = 0; i < 300; i++) {
		char a[32], b[32];

		unit_snprintf(a, sizeof(a), "/r/%d/%d", (int)unit_random_below(3),
			(int)unit_random_below(8));
		unit_snprintf(b, sizeof(b), "/r/%d/%d", (int)unit_random_below(3),
			(int)unit_random_below(8));
		(void)!rename_to(a, b, find(b, 0) > 0 ? RENAME_EXCHANGE : RENAME_NOREPLACE);
		sched_yield_now();
	}
	__atomic_fetch_sub(&g_moving, 1, __ATOMIC_SEQ_CST);
}

UNIT(renames_by_several_threads_lose_nothing)
{
	char name[32];
	int found = 0;

	EXPECT_EQ(make_dir("/r"), 0);
	for (int d = 0; d < 3; d++) {
		unit_snprintf(name, sizeof(name), "/r/%d", d);
		EXPECT_EQ(make_dir(name), 0);
		for (int n = 0; n < 4; n++) {
			unit_snprintf(name, sizeof(name), "/r/%d/%d", d, n);
			EXPECT_EQ(make_file(name), 0);
		}
	}
	g_moving = MOVERS;
	for (int i = 0; i < MOVERS; i++)
		EXPECT(!is_err(kthread_run(mover, NULL, "mover%d", i)));
	while (__atomic_load_n(&g_moving, __ATOMIC_SEQ_CST))
		sleep_ns(NS_PER_MS);
	for (int d = 0; d < 3; d++)
		for (int n = 0; n < 8; n++) {
			unit_snprintf(name, sizeof(name), "/r/%d/%d", d, n);
			found += find(name, 0) > 0;
		}
	EXPECT_EQ(found, 12);
}

/* ---- the dentry cache under pressure ---- */

#define ABSENT 2000

static long dentries(void)
{
	static char text[8192];
	struct seq_buf out = {.buf = text, .size = sizeof(text) - 1};
	const char *at;
	u64 n = 0;

	counters_quiesce();
	slab_counters(&out);
	text[out.len] = 0;
	at = strstr(text, "slab.dentry ");
	EXPECT(at);
	for (at = at ? at + strlen("slab.dentry ") : ""; *at >= '0' && *at <= '9'; at++)
		n = n * 10 + (u64)(*at - '0');
	return (long)n;
}

UNIT(the_dentry_cache_shrinks_to_what_is_in_use)
{
	char name[32];
	long before = dentries();

	EXPECT_EQ(make_dir("/cache"), 0);
	EXPECT_EQ(make_file("/cache/kept"), 0);
	for (int i = 0; i < ABSENT; i++) { /* negative entries */
		unit_snprintf(name, sizeof(name), "/cache/absent%d", i);
		EXPECT_EQ(find(name, 0), -ENOENT);
	}
	EXPECT(dentries() >= before + ABSENT);
	mem_drop_caches(2);
	EXPECT(dentries() <= before + 16);
	EXPECT(find("/cache/kept", 0) > 0);
	EXPECT_EQ(find("/cache/absent7", 0), -ENOENT);
	EXPECT_EQ(make_file("/cache/absent7"), 0);
	EXPECT(find("/cache/absent7", 0) > 0);
}

/* ---- record locks against an array of owners ---- */

#define BYTES  40
#define OWNERS 3

static int set_range(struct file *f, int owner, int type, u64 start, u64 len)
{
	static char owners[OWNERS];
	struct flock fl = {.l_type = (short)type, .l_start = (off64_t)start, .l_len = (off64_t)len};

	return lock_posix(f, F_SETLK, &fl, &owners[owner], owner + 1);
}

UNIT(record_locks_do_what_an_array_does)
{
	static u8 held[OWNERS][BYTES]; /* 0 none, 1 read, 2 write */
	struct vfs_env e = env();
	struct file *f = vfs_open(&e, NULL, "/locked", O_CREAT | O_RDWR, 0600, 0);

	EXPECT(!is_err(f));
	for (int i = 0; i < 20000; i++) {
		int who = (int)unit_random_below(OWNERS), want = 0;
		int type = (int)unit_random_below(3); /* F_RDLCK, F_WRLCK, F_UNLCK */
		u64 start = unit_random_below(BYTES), len = 1 + unit_random_below(BYTES - start);

		for (int o = 0; o < OWNERS && type != F_UNLCK; o++)
			for (u64 b = start; b < start + len && o != who; b++)
				if (held[o][b] == 2 || (held[o][b] && type == F_WRLCK))
					want = -EAGAIN;
		EXPECT_EQ(set_range(f, who, type, start, len), want);
		for (u64 b = start; b < start + len && !want; b++)
			held[who][b] = type == F_UNLCK ? 0 : type == F_WRLCK ? 2 : 1;
	}
	for (int o = 0; o < OWNERS; o++)
		EXPECT_EQ(set_range(f, o, F_UNLCK, 0, 0), 0);
	put_file(f);
}
