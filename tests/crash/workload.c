/*
 * The operations, the model, and the promises.
 *
 * The model keeps the name space after each operation, and for each file the content after each
 * operation that changed it. What a recovered file system may look like:
 * - names, types and hard links are exactly those after some operation between the last completed
 *   one that promised durability and the last one started (a journal keeps the order of changes);
 * - a file's bytes are those that it had at or after its last completed fsync, fdatasync or sync;
 *   where it had none then, zero. Anything else is stale data of somebody else's.
 */
#include "crash.h"
#include <lib/string.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <vfs/rootfs.h>
#include "../../fs/ext4/ext4.h"

#define MAX_FILES 24

enum call {
	CREATE,
	WRITE,
	OVERWRITE,
	APPEND,
	TRUNCATE,
	RENAME,
	LINK,
	UNLINK,
	MKDIR,
	RMDIR,
	FALLOCATE,
	MOVE, /* e4defrag's: to the blocks of a file without a name */
	FSYNC,
	FDATASYNC,
	SYNC,
	FREEZE, /* and thaw */
};

struct op {
	enum call call;
	const char *a, *b;
	u32 n; /* size, or mode of fallocate */
	const char *text;
};

#define FOO "/mnt/A/foo"
#define BAR "/mnt/B/bar"

static const struct op g_ops[] = {
	{CREATE, FOO, NULL, 0, "create A/foo"},
	{CREATE, BAR, NULL, 0, "create B/bar"},
	{WRITE, FOO, NULL, 5000, "write A/foo"},
	{WRITE, BAR, NULL, 9000, "write B/bar"},
	{OVERWRITE, FOO, NULL, 1000, "overwrite A/foo"},
	{OVERWRITE, BAR, NULL, 1000, "overwrite B/bar"},
	{APPEND, FOO, NULL, 3000, "append A/foo"},
	{APPEND, BAR, NULL, 3000, "append B/bar"},
	{TRUNCATE, FOO, NULL, 700, "truncate A/foo to 700"},
	{TRUNCATE, FOO, NULL, 12000, "truncate A/foo to 12000"},
	{TRUNCATE, BAR, NULL, 0, "truncate B/bar to 0"},
	{RENAME, FOO, BAR, 0, "rename A/foo B/bar"},
	{RENAME, BAR, FOO, 0, "rename B/bar A/foo"},
	{RENAME, FOO, "/mnt/A/baz", 0, "rename A/foo A/baz"},
	{RENAME, "/mnt/A", "/mnt/B/A", 0, "rename A B/A"},
	{LINK, FOO, BAR, 0, "link A/foo B/bar"},
	{LINK, FOO, "/mnt/A/link", 0, "link A/foo A/link"},
	{UNLINK, FOO, NULL, 0, "unlink A/foo"},
	{UNLINK, BAR, NULL, 0, "unlink B/bar"},
	{MKDIR, "/mnt/A/d", NULL, 0, "mkdir A/d"},
	{MKDIR, "/mnt/C", NULL, 0, "mkdir C"},
	{RMDIR, "/mnt/A/d", NULL, 0, "rmdir A/d"},
	{RMDIR, "/mnt/B", NULL, 0, "rmdir B"},
	{FALLOCATE, FOO, NULL, 0, "fallocate A/foo"},
	{FALLOCATE, FOO, NULL, FALLOC_FL_KEEP_SIZE, "fallocate -n A/foo"},
	{FALLOCATE, FOO, NULL, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, "punch A/foo"},
	{FSYNC, FOO, NULL, 0, "fsync A/foo"},
	{FSYNC, BAR, NULL, 0, "fsync B/bar"},
	{FSYNC, "/mnt/A", NULL, 0, "fsync A"},
	{FSYNC, "/mnt/B", NULL, 0, "fsync B"},
	{FDATASYNC, FOO, NULL, 0, "fdatasync A/foo"},
	{FDATASYNC, BAR, NULL, 0, "fdatasync B/bar"},
	{SYNC, NULL, NULL, 0, "sync"},
	/* in random workloads only */
	{MOVE, FOO, NULL, 0, "move A/foo"},
	{MOVE, BAR, NULL, 0, "move B/bar"},
	{FREEZE, NULL, NULL, 0, "freeze and thaw"},
};
#define RANDOM_ONLY 3

u32 ops_count(void)
{
	return ARRAY_SIZE(g_ops);
}

u32 ops_enumerated(void)
{
	return ARRAY_SIZE(g_ops) - RANDOM_ONLY;
}

const char *op_name(u32 op)
{
	return g_ops[op].text;
}

bool op_persists(u32 op)
{
	return g_ops[op].call >= FSYNC;
}

/* ---- the model -------------------------------------------------------------------------------- */

struct snapshot {              /* a file's content from operation `since` on */
	struct snapshot *next; /* older */
	u32 since;
	u32 size;
	u8 data[MAX_SIZE];
};
struct mfile {
	bool dir;
	struct snapshot *last;
};
struct mname {
	char path[48]; /* under /mnt; "" free */
	u32 file;
};
struct mstate {
	struct mname names[MAX_NAMES];
};

static struct mfile g_files[MAX_FILES];
static u32 g_nr_files;
static struct mstate g_states[MAX_OPS + 1]; /* [i]: after operation i - 1 */

static struct mname *find(struct mstate *s, const char *path)
{
	for (u32 i = 0; i < MAX_NAMES; i++)
		if (s->names[i].path[0] && !strcmp(s->names[i].path, path))
			return &s->names[i];
	return NULL;
}

static struct mname *add(struct mstate *s, const char *path, u32 file)
{
	for (u32 i = 0; i < MAX_NAMES; i++)
		if (!s->names[i].path[0]) {
			(void)str_copy(s->names[i].path, path, sizeof(s->names[i].path));
			s->names[i].file = file;
			return &s->names[i];
		}
	os_say("the model has no room for %s\n", path);
	os_quit(2);
}

static u32 new_file(bool dir)
{
	if (g_nr_files == MAX_FILES) {
		os_say("the model has too few files\n");
		os_quit(2);
	}
	g_files[g_nr_files] = (struct mfile){.dir = dir};
	return g_nr_files++;
}

/* The content as it is, to be changed by the operation that leads to state at. */
static struct snapshot *change(u32 file, u32 at)
{
	struct snapshot *s = os_alloc(sizeof(*s));

	if (g_files[file].last)
		*s = *g_files[file].last;
	s->next = g_files[file].last;
	s->since = at;
	g_files[file].last = s;
	return s;
}

void workload_forget(void)
{
	for (u32 i = 0; i < g_nr_files; i++)
		for (struct snapshot *s = g_files[i].last, *next; s; s = next) {
			next = s->next;
			os_free(s);
		}
	g_nr_files = 0;
	memset(g_states, 0, sizeof(g_states));
}

/* Every byte tells which operation wrote it: none is zero, none is what the disk was filled with. */
static void fill(u8 *p, u32 offset, u32 n, u32 op)
{
	for (u32 i = 0; i < n; i++)
		p[i] = (u8)(1 + (op * 37 + (offset + i) / 64) % 127);
}

static void model(u32 op, u32 at)
{
	const struct op *o = &g_ops[op];
	struct mstate *s = &g_states[at];
	struct mname *a, *b;
	struct snapshot *c;
	u32 size, len;

	*s = g_states[at - 1];
	a = o->a ? find(s, o->a) : NULL;
	b = o->b ? find(s, o->b) : NULL;
	switch (o->call) {
	case CREATE:
		if (!a)
			(void)change(add(s, o->a, new_file(false))->file, at);
		break;
	case WRITE:
	case OVERWRITE:
	case APPEND:
		c = change(a->file, at);
		size = o->call == APPEND ? c->size : o->call == OVERWRITE ? 100 : 0;
		fill(c->data + size, size, o->n, at);
		c->size = max(c->size, size + o->n);
		break;
	case TRUNCATE:
		c = change(a->file, at);
		if (o->n < c->size)
			memset(c->data + o->n, 0, c->size - o->n);
		c->size = o->n;
		break;
	case RENAME:
		if (b && b->file == a->file)
			break; /* two names of one file: nothing happens */
		if (b)
			b->path[0] = 0;
		len = (u32)strlen(o->a);
		for (u32 i = 0; i < MAX_NAMES; i++) { /* what is below moves along */
			char *p = s->names[i].path, rest[48];

			if (strncmp(p, o->a, len) || (p[len] && p[len] != '/'))
				continue;
			(void)str_copy(rest, p + len, sizeof(rest));
			os_format(p, sizeof(s->names[i].path), "%s%s", o->b, rest);
		}
		break;
	case LINK:
		add(s, o->b, a->file);
		break;
	case UNLINK:
	case RMDIR:
		a->path[0] = 0;
		break;
	case MKDIR:
		add(s, o->a, new_file(true));
		break;
	case FALLOCATE:
		c = change(a->file, at);
		if (o->n & FALLOC_FL_PUNCH_HOLE)
			memset(c->data + 500, 0, 4000);
		else if (!(o->n & FALLOC_FL_KEEP_SIZE))
			c->size = max(c->size, 14000u);
		break;
	default:
		break;
	}
}

/* May the operation have worked at all, in this state? */
static bool could_work(const struct op *o, struct mstate *s)
{
	bool a = o->a && find(s, o->a), b = o->b && find(s, o->b);

	if (o->call == CREATE || o->call == MKDIR)
		return !a;
	return a && (o->call != LINK || !b);
}

/* ---- running ------------------------------------------------------------------------------------
 */

static struct vfs_env env(void)
{
	return (struct vfs_env){.cred = &g_init_cred, .fs = g_init_fs};
}

static int move(struct file *f)
{
	struct vfs_env e = env();
	struct file *donor = vfs_open(&e, NULL, "/mnt", O_TMPFILE | O_RDWR, 0600, 0);
	u64 moved = 0;
	int err;

	if (is_err(donor))
		return (int)ptr_err(donor);
	err = vfs_fallocate(donor, 0, 0, MAX_SIZE);
	if (!err)
		err = ext4_move_extents(f, donor, 0, 0, MAX_SIZE / 1024 + 1, &moved);
	put_file(donor);
	return err == -ENODATA ? 0 : err; /* it has no blocks */
}

/* sync and syncfs(2): the former alone can't tell of data that was lost before. */
static int sync_all(void)
{
	struct vfs_env e = env();
	struct file *f = vfs_open(&e, NULL, "/mnt", O_RDONLY | O_DIRECTORY, 0, 0);
	int err = vfs_sync_all(true), e2;

	if (is_err(f))
		return ptr_err(f);
	e2 = vfs_syncfs(f);
	put_file(f);
	return err ? err : e2;
}

static int freeze(void)
{
	struct vfs_env e = env();
	struct path p;
	int err = vfs_lookup(&e, NULL, "/mnt", 0, &p);

	if (err)
		return err;
	err = super_freeze(p.mnt->super);
	if (!err)
		err = super_thaw(p.mnt->super);
	put_path(&p);
	return err ? err : sync_all();
}

static int with_file(const struct op *o, u32 flags, u32 at)
{
	struct vfs_env e = env();
	struct file *f = vfs_open(&e, NULL, o->a, flags, 0644, 0);
	static u8 data[MAX_SIZE];
	off64_t pos = 0;
	ssize_t n = 0;

	if (is_err(f))
		return (int)ptr_err(f);
	switch (o->call) {
	case APPEND:
		pos = (off64_t)f->inode->object.size;
		fallthrough;
	case WRITE:
	case OVERWRITE:
		if (o->call == OVERWRITE)
			pos = 100;
		if ((u64)pos + o->n > MAX_SIZE) { /* more than the model has room for */
			n = -EFBIG;
			break;
		}
		fill(data, (u32)pos, o->n, at);
		n = kernel_write(f, data, o->n, &pos);
		n = n == (ssize_t)o->n ? 0 : n < 0 ? n : -EIO;
		break;
	case TRUNCATE:
		n = vfs_ftruncate(f, o->n);
		break;
	case FALLOCATE:
		n = o->n & FALLOC_FL_PUNCH_HOLE ? vfs_fallocate(f, (int)o->n, 500, 4000)
						: vfs_fallocate(f, (int)o->n, 0, 14000);
		break;
	case MOVE:
		n = move(f);
		break;
	case FSYNC:
	case FDATASYNC:
		n = vfs_fsync(f, 0, S64_MAX, o->call == FDATASYNC);
		break;
	default:
		break;
	}
	put_file(f);
	return (int)n;
}

static int run_op(const struct op *o, u32 at)
{
	struct vfs_env e = env();

	switch (o->call) {
	case CREATE:
		return with_file(o, O_CREAT | O_EXCL | O_WRONLY, at);
	case WRITE:
	case OVERWRITE:
	case APPEND:
	case TRUNCATE:
	case FALLOCATE:
		return with_file(o, O_WRONLY, at);
	case MOVE:
		return with_file(o, O_RDWR, at);
	case FREEZE:
		return freeze();
	case RENAME:
		return vfs_rename(&e, NULL, o->a, NULL, o->b, 0);
	case LINK:
		return vfs_link(&e, NULL, o->a, NULL, o->b, 0);
	case UNLINK:
		return vfs_unlink(&e, NULL, o->a);
	case MKDIR:
		return vfs_mkdir(&e, NULL, o->a, 0755);
	case RMDIR:
		return vfs_rmdir(&e, NULL, o->a);
	case FSYNC:
	case FDATASYNC:
		return with_file(o, O_RDONLY, at);
	case SYNC:
		return sync_all();
	}
	return -ENOSYS;
}

/* The image has A with foo (2000 bytes of 0x7e... see rules.mk) and an empty B. */
static void model_start(void)
{
	struct mstate *s = &g_states[0];
	struct snapshot *c;
	u32 foo;

	workload_forget();
	add(s, "/mnt/A", new_file(true));
	add(s, "/mnt/B", new_file(true));
	foo = new_file(false);
	add(s, FOO, foo);
	c = change(foo, 0);
	c->size = 6000;
	memset(c->data, 0xf0, c->size);
}

int workload_run(struct workload *w, const struct crash_disk *d, enum stop stop)
{
	int first = 0;

	model_start();
	for (u32 i = 0; i < w->n; i++) {
		int err;

		w->started[i] = d->nr_log;
		err = run_op(&g_ops[w->ops[i]], i + 1);
		w->done[i] = d->nr_log;
		w->failed[i] = err != 0;
		if (err) {
			g_states[i + 1] = g_states[i];
			first = first ? first : err;
			/* An error of the machine's leaves open what has happened. */
			if (crash_disk_failed(d) && could_work(&g_ops[w->ops[i]], &g_states[i]))
				model(w->ops[i], i + 1);
			if (stop == STOP_AT_ERROR ||
				(stop == STOP_AT_FAULT && crash_disk_failed(d))) {
				w->n = i + 1;
				break;
			}
		} else {
			model(w->ops[i], i + 1);
		}
	}
	return first;
}

/* ---- checking
 * ------------------------------------------------------------------------------------ */

static bool concerns(const char *name, const char *path)
{
	size_t n = strlen(path);

	return name && !strncmp(name, path, n) && (!name[n] || name[n] == '/');
}

/* A rename between two names of one file does nothing: who syncs it commits nothing for that. */
static bool did_nothing(const struct op *o, u32 i)
{
	return o->call == RENAME && !memcmp(&g_states[i], &g_states[i + 1], sizeof(g_states[0]));
}

/* The state after the last operation before the i-th that changed path, or something below it. */
static u32 last_change(const struct workload *w, u32 i, const char *path)
{
	while (i--) {
		const struct op *o = &g_ops[w->ops[i]];

		if (!w->failed[i] && o->call < FSYNC && !did_nothing(o, i) &&
			(concerns(o->a, path) || concerns(o->b, path)))
			return i + 1;
	}
	return 0;
}

/* State from which on names are durable when the log was so long; and of one file's data. */
static u32 durable_from(const struct workload *w, u32 entries, u32 file)
{
	u32 from = 0;

	for (u32 i = 0; i < w->n; i++) {
		const struct op *o = &g_ops[w->ops[i]];
		const struct mname *a;

		if (!op_persists(w->ops[i]) || w->failed[i] || w->done[i] > entries)
			continue;
		if (o->call == SYNC || o->call == FREEZE) {
			from = i + 1;
			continue;
		}
		a = find(&g_states[i + 1], o->a);
		/* fdatasync may leave names to a later commit; fsync commits what concerns its
		 * file. */
		if (file == U32_MAX && o->call == FSYNC)
			from = max(from, last_change(w, i, o->a));
		else if (file != U32_MAX && a && a->file == file)
			from = i + 1;
	}
	return from;
}

static u32 last_started(const struct workload *w, u32 entries)
{
	u32 to = 0;

	for (u32 i = 0; i < w->n; i++)
		if (w->started[i] <= entries)
			to = i + 1;
	return to;
}

static bool same_names(const struct observation *seen, struct mstate *s)
{
	u32 n = 0;

	for (u32 i = 0; i < MAX_NAMES; i++)
		n += s->names[i].path[0] != 0;
	if (n != seen->n)
		return false;
	for (u32 i = 0; i < seen->n; i++) {
		struct mname *m = find(s, seen->names[i].path);
		u32 links = 0;

		if (!m || g_files[m->file].dir != seen->names[i].dir)
			return false;
		for (u32 k = 0; k < MAX_NAMES; k++)
			links += s->names[k].path[0] && s->names[k].file == m->file;
		if (!g_files[m->file].dir && links != seen->names[i].nlink)
			return false;
	}
	return true;
}

/* May byte at of a file have this value, when its states from `from` to `to` are possible? */
static bool byte_ok(const struct mfile *f, u32 at, u8 value, u32 from, u32 to)
{
	for (const struct snapshot *s = f->last; s; s = s->next) {
		if (s->since > to)
			continue;
		if (at >= s->size ? value == 0 : s->data[at] == value)
			return true;
		if (s->since <= from)
			return false; /* that one is durable: older ones are gone */
	}
	return false;
}

/* A size that it had, or one at a block's end on the way from one to the other. */
static bool size_ok(const struct mfile *f, u64 size, u32 from, u32 to)
{
	u64 low = U64_MAX, high = 0;

	for (const struct snapshot *s = f->last; s; s = s->next) {
		if (s->since > to)
			continue;
		if (s->size == size)
			return true;
		low = min(low, (u64)s->size);
		high = max(high, (u64)s->size);
		if (s->since <= from)
			break;
	}
	return size > low && size < high && size % 1024 == 0;
}

static bool check_file(
	const struct observed *f, const struct mfile *m, u32 from, u32 to, char *text, u64 room)
{
	if (!size_ok(m, f->size, from, to)) {
		os_format(text, room, "%s has %u bytes (promised from state %u on)", f->path,
			f->size, from);
		return false;
	}
	for (u32 i = 0; i < f->size; i++)
		if (!byte_ok(m, i, f->data[i], from, to)) {
			os_format(text, room,
				"%s: byte %u of %u is %#x, which it never was (state %u on)",
				f->path, i, f->size, f->data[i], from);
			return false;
		}
	return true;
}

bool workload_check(
	const struct workload *w, u32 entries, const struct observation *seen, char *text, u64 room)
{
	u32 from = durable_from(w, entries, U32_MAX), to = last_started(w, entries);
	char *end = text + room;
	int at;

	text[0] = 0;
	if (seen->err) {
		os_format(text, room, "the tree cannot be read: %d", seen->err);
		return false;
	}
	for (u32 s = from; s <= to; s++) {
		bool ok = true;

		if (!same_names(seen, &g_states[s]))
			continue;
		/* Several states may have the same names: one must fit with its contents. */
		for (u32 i = 0; ok && i < seen->n; i++) {
			struct mname *m = find(&g_states[s], seen->names[i].path);

			if (!g_files[m->file].dir)
				ok = check_file(&seen->names[i], &g_files[m->file],
					durable_from(w, entries, m->file), to, text, room);
		}
		if (ok)
			return true;
		if (s == to)
			return false;
	}
	if (text[0])
		return false;
	at = os_format(text, room, "the names are those of no state from %u to %u:", from, to);
	for (u32 i = 0; i < seen->n && text + at < end; i++)
		at += os_format(text + at, (u64)(end - text - at), " %s%s(%u)",
			seen->names[i].path + 4, seen->names[i].dir ? "/" : "",
			seen->names[i].nlink);
	return false;
}
