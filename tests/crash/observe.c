/* The tree under /mnt, with all contents. */
#include "crash.h"
#include <lib/string.h>
#include <vfs/rootfs.h>

struct list_context {
	struct dir_context ctx;
	struct observation *seen;
	const char *where;
	bool overflow;
};

static struct vfs_env env(void)
{
	return (struct vfs_env){.cred = &g_init_cred, .fs = g_init_fs};
}

static bool emit(struct dir_context *ctx, const char *name, size_t len, u64 ino, u8 type)
{
	struct list_context *l = container_of(ctx, struct list_context, ctx);
	struct observation *o = l->seen;

	if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.') ||
		(len == 10 && !memcmp(name, "lost+found", 10)))
		return true;
	if (o->n == ARRAY_SIZE(o->names)) {
		l->overflow = true;
		return false;
	}
	os_format(o->names[o->n++].path, MAX_PATH, "%s/%.*s", l->where, (int)len, name);
	return true;
}

static int list_dir(struct observation *o, const char *path)
{
	struct list_context l = {.ctx = {.emit = emit}, .seen = o, .where = path};
	struct vfs_env e = env();
	struct file *f = vfs_open(&e, NULL, path, O_RDONLY | O_DIRECTORY, 0, 0);
	u32 before;
	int err;

	if (is_err(f))
		return (int)ptr_err(f);
	do {
		before = o->n;
		err = vfs_iterate(f, &l.ctx);
	} while (!err && o->n != before && !l.overflow);
	put_file(f);
	return err ? err : l.overflow ? -E2BIG : 0;
}

static int read_file(struct observed *f)
{
	struct vfs_env e = env();
	struct file *file = vfs_open(&e, NULL, f->path, O_RDONLY, 0, 0);
	static u8 data[MAX_SIZE + 1];
	off64_t pos = 0;
	ssize_t n;

	if (is_err(file))
		return (int)ptr_err(file);
	n = kernel_read(file, data, sizeof(data), &pos);
	put_file(file);
	if (n < 0)
		return (int)n;
	f->size = (u32)n;
	f->data = os_alloc(f->size);
	memcpy(f->data, data, f->size);
	return 0;
}

static int look_at(struct observation *o, struct observed *f)
{
	struct vfs_env e = env();
	struct kstat st;
	struct path p;
	int err = vfs_lookup(&e, NULL, f->path, 0, &p);

	if (err)
		return err;
	err = vfs_getattr(&p, &st);
	put_path(&p);
	if (err)
		return err;
	f->nlink = (u32)st.nlink;
	f->dir = S_ISDIR(st.mode);
	return f->dir ? list_dir(o, f->path) : read_file(f);
}

struct observation *observe(void)
{
	struct observation *o = os_alloc(sizeof(*o));

	o->err = list_dir(o, "/mnt");
	for (u32 i = 0; i < o->n && !o->err; i++) /* n grows */
		o->err = look_at(o, &o->names[i]);
	return o;
}

void observation_free(struct observation *o)
{
	for (u32 i = 0; i < o->n; i++)
		os_free(o->names[i].data);
	os_free(o);
}

static const struct observed *named(const struct observation *o, const char *path)
{
	for (u32 i = 0; i < o->n; i++)
		if (!strcmp(o->names[i].path, path))
			return &o->names[i];
	return NULL;
}

bool observation_same(const struct observation *a, const struct observation *b)
{
	if (a->err != b->err || a->n != b->n)
		return false;
	for (u32 i = 0; i < a->n; i++) {
		const struct observed *x = &a->names[i], *y = named(b, x->path);

		if (!y || x->dir != y->dir || x->nlink != y->nlink || x->size != y->size ||
			memcmp(x->data, y->data, x->size))
			return false;
	}
	return true;
}
