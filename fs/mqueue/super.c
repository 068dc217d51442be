/*
 * The file system: one directory, whose files are queues. There is one instance, which each mount
 * of type mqueue shows, and which the system calls use whether it is mounted or not.
 */
#include "mq.h"
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <linux/magic.h>
#include <process/task.h>

#define MQUEUE_MAGIC 0x19800202 /* statfs(2) */
#define FILE_SIZE    80         /* st_size of a queue, as Linux says */
#define DIR_SIZE     40         /* the directory's without any */
#define ENTRY_SIZE   20         /* what one adds to it */
/* What RLIMIT_MSGQUEUE counts for a message besides its text, and for a priority (getrlimit(2)). */
#define MESSAGE_COST  48
#define PRIORITY_COST 48

int g_mq_msg_max = 10, g_mq_msg_default = 10, g_mq_size_max = 8192, g_mq_size_default = 8192;
int g_mq_queues_max = 256;

static struct mount *g_mount; /* immutable after start-up */
static s32 g_nr_queues;       /* atomic */

struct mq_entry {
	struct rb_node node; /* directory's entries, by cookie */
	u64 cookie;
	struct dentry *dentry; /* referenced: the entry keeps it */
};
static struct rb_root g_entries; /* the root's i_rwsem */
static u64 g_next_cookie = 2;

static const struct inode_ops g_dir_ops, g_file_ops;
static const struct file_ops g_dir_fops;

/* ---- a queue's life ---- */

static int check_attr(const struct mq_attr *a)
{
	bool mighty = capable(CAP_SYS_RESOURCE);

	if (a->mq_maxmsg <= 0 || a->mq_msgsize <= 0)
		return -EINVAL;
	if (a->mq_maxmsg > (mighty ? MQ_HARD_MSG_MAX : READ_ONCE(g_mq_msg_max)) ||
		a->mq_msgsize > (mighty ? MQ_HARD_SIZE_MAX : READ_ONCE(g_mq_size_max)))
		return -EINVAL;
	return 0;
}

/* Bytes that count against RLIMIT_MSGQUEUE. */
static u64 cost_of(const struct mq_attr *a)
{
	u64 n = (u64)a->mq_maxmsg;

	return n * MESSAGE_COST + min(n, (u64)MQ_PRIO_MAX) * PRIORITY_COST + n * (u64)a->mq_msgsize;
}

static struct mqueue *make_queue(const struct mq_attr *given)
{
	struct user_account *u = current_cred()->user;
	struct mq_attr a = {
		.mq_maxmsg = min(READ_ONCE(g_mq_msg_max), READ_ONCE(g_mq_msg_default)),
		.mq_msgsize = min(READ_ONCE(g_mq_size_max), READ_ONCE(g_mq_size_default)),
	};
	struct mqueue *q;
	u64 cost;
	int err;

	if (given) {
		a = *given;
		err = check_attr(&a);
		if (err)
			return err_ptr(err);
	}
	cost = cost_of(&a);
	if (__atomic_add_fetch(&u->mq_bytes, cost, __ATOMIC_RELAXED) > rlimit(RLIMIT_MSGQUEUE)) {
		__atomic_fetch_sub(&u->mq_bytes, cost, __ATOMIC_RELAXED);
		return err_ptr(-EMFILE);
	}
	q = kzalloc(sizeof(*q), GFP_KERNEL);
	if (!q) {
		__atomic_fetch_sub(&u->mq_bytes, cost, __ATOMIC_RELAXED);
		return err_ptr(-ENOMEM);
	}
	spin_init(&q->lock, RANK_IPC);
	q->max_messages = (u64)a.mq_maxmsg;
	q->max_len = (u64)a.mq_msgsize;
	list_init(&q->receivers);
	list_init(&q->senders);
	wait_queue_init(&q->poll);
	get_user_account(u);
	q->user = u;
	q->charged = cost;
	return q;
}

static void free_queue(struct mqueue *q)
{
	struct rb_node *n;

	while ((n = rb_first(&q->messages))) {
		rb_erase(&q->messages, n);
		kvfree(rb_entry(n, struct mq_message, node));
	}
	mq_notify_end(&q->notify);
	__atomic_fetch_sub(&q->user->mq_bytes, q->charged, __ATOMIC_RELAXED);
	put_user_account(q->user);
	wait_queue_retire(&q->poll);
	kfree(q);
}

static void mq_evict(struct inode *i)
{
	if (!i->priv)
		return;
	free_queue(mq_of_inode(i));
	i->priv = NULL;
	__atomic_fetch_sub(&g_nr_queues, 1, __ATOMIC_RELAXED);
}

static struct inode *make_inode(struct super *s, struct inode *dir, kmode_t mode)
{
	struct inode *i = inode_alloc(s);

	if (!i)
		return NULL;
	inode_init_owner(i, dir, mode, current_cred());
	i->ops = S_ISDIR(mode) ? &g_dir_ops : &g_file_ops;
	i->fops = S_ISDIR(mode) ? &g_dir_fops : &g_mq_fops;
	i->nlink = S_ISDIR(mode) ? 2 : 1;
	i->object.size = S_ISDIR(mode) ? DIR_SIZE : FILE_SIZE;
	return i;
}

/* ---- the directory; its i_rwsem is held for writing ---- */

static int add_entry(struct inode *dir, struct dentry *d)
{
	struct mq_entry *e = kmalloc(sizeof(*e), GFP_KERNEL);
	struct rb_node **link = &g_entries.node, *parent = NULL;

	if (!e)
		return -ENOMEM;
	e->cookie = g_next_cookie++;
	e->dentry = d;
	get_dentry(d);
	d->priv = e;
	while (*link) { /* cookies grow: the last place */
		parent = *link;
		link = &parent->right;
	}
	rb_insert(&g_entries, &e->node, parent, link);
	dir->object.size += ENTRY_SIZE;
	return 0;
}

static int create_queue(
	struct inode *dir, struct dentry *d, kmode_t mode, const struct mq_attr *attr)
{
	struct mqueue *q;
	struct inode *i;
	int err;

	if (__atomic_add_fetch(&g_nr_queues, 1, __ATOMIC_RELAXED) > READ_ONCE(g_mq_queues_max) &&
		!capable(CAP_SYS_RESOURCE)) {
		err = -ENOSPC;
		goto uncount;
	}
	q = make_queue(attr);
	err = is_err(q) ? ptr_err(q) : 0;
	if (err)
		goto uncount;
	i = make_inode(dir->super, dir, mode);
	if (!i) {
		free_queue(q);
		err = -ENOMEM;
		goto uncount;
	}
	i->priv = q;
	err = add_entry(dir, d);
	if (err) {
		put_inode(i); /* with the queue */
		return err;
	}
	dentry_instantiate(d, i);
	inode_touch(dir, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	return 0;
uncount:
	__atomic_fetch_sub(&g_nr_queues, 1, __ATOMIC_RELAXED);
	return err;
}

static int mq_create(struct inode *dir, struct dentry *d, kmode_t mode, const struct cred *c)
{
	return create_queue(dir, d, mode, NULL);
}

static int mq_unlink(struct inode *dir, struct dentry *d)
{
	struct mq_entry *e = d->priv;
	struct inode *i = d->inode;

	rb_erase(&g_entries, &e->node);
	d->priv = NULL;
	kfree(e);
	dir->object.size -= ENTRY_SIZE;
	spin_lock(&i->spin);
	i->nlink--;
	spin_unlock(&i->spin);
	inode_touch(dir, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	put_dentry(d); /* never the last: the caller holds one */
	return 0;
}

/* What is there is in the dentry cache: entries pin their dentries. */
static int mq_lookup(struct inode *dir, struct dentry *d)
{
	return 0;
}

static struct mq_entry *entry_from(u64 cookie)
{
	struct rb_node *n = g_entries.node;
	struct mq_entry *found = NULL;

	while (n) {
		struct mq_entry *e = rb_entry(n, struct mq_entry, node);

		if (e->cookie >= cookie)
			found = e;
		n = e->cookie >= cookie ? n->left : n->right;
	}
	return found;
}

static int mq_iterate(struct file *f, struct dir_context *ctx)
{
	struct mq_entry *e;

	if (ctx->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, f->inode->ino, S_IFDIR >> 12))
			return 0;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		if (!ctx->emit(ctx, "..", 2, f->path.dentry->parent->inode->ino, S_IFDIR >> 12))
			return 0;
		ctx->pos = 2;
	}
	for (e = entry_from((u64)ctx->pos); e;) {
		struct rb_node *next = rb_next(&e->node);
		struct dentry *d = e->dentry;

		if (!ctx->emit(ctx, d->name.name, d->name.len, d->inode->ino, S_IFREG >> 12))
			return 0;
		ctx->pos = (off64_t)e->cookie + 1;
		e = next ? rb_entry(next, struct mq_entry, node) : NULL;
	}
	return 0;
}

/* There is no disk below. */
static int mq_dir_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	return 0;
}

static const struct inode_ops g_dir_ops = {
	.lookup = mq_lookup,
	.create = mq_create,
	.unlink = mq_unlink,
};
static const struct inode_ops g_file_ops = {0};
static const struct file_ops g_dir_fops = {
	.iterate = mq_iterate,
	.seek = file_generic_seek,
	.fsync = mq_dir_fsync,
};

/* ---- mq_open, mq_unlink ---- */

static int check_name(const char *name)
{
	if (!*name)
		return -ENOENT;
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EACCES;
	return 0;
}

/* The name's dentry, referenced, with a queue; *created: made just now. */
static struct dentry *find_or_create(
	const char *name, int o_flags, kmode_t mode, const struct mq_attr *attr, bool *created)
{
	struct dentry *root = g_mount->super->root, *d;
	struct inode *dir = root->inode;
	int err = 0;

	*created = false;
	rwsem_write_lock(&dir->rwsem);
	d = dentry_lookup(root, name, strlen(name));
	if (is_err(d))
		err = ptr_err(d);
	else if (d->inode)
		err = (o_flags & O_CREAT) && (o_flags & O_EXCL) ? -EEXIST : 0;
	else if (!(o_flags & O_CREAT))
		err = -ENOENT;
	else
		err = inode_permission(dir, MAY_WRITE | MAY_EXEC, current_cred());
	if (!err && !d->inode) {
		mode &= ~READ_ONCE(current_task()->fs->umask);
		err = create_queue(dir, d, S_IFREG | (mode & 07777), attr);
		*created = !err;
	}
	rwsem_write_unlock(&dir->rwsem);
	if (err && !is_err(d))
		put_dentry(d);
	return err ? err_ptr(err) : d;
}

struct file *mq_open_file(const char *name, int o_flags, kmode_t mode, const struct mq_attr *attr)
{
	struct vfs_env env = current_env();
	struct path p = {.mnt = g_mount};
	int err = check_name(name);
	struct file *f;
	bool created;

	if (err)
		return err_ptr(err);
	p.dentry = find_or_create(name, o_flags, mode, attr, &created);
	if (is_err(p.dentry))
		return err_ptr(ptr_err(p.dentry));
	if (!created && (o_flags & O_ACCMODE) == O_ACCMODE) {
		put_dentry(p.dentry);
		return err_ptr(-EINVAL);
	}
	o_flags &= ~(O_CREAT | O_EXCL | O_TRUNC);
	f = created ? vfs_open_created(&env, &p, (u32)o_flags)
		    : vfs_open_path(&env, &p, (u32)o_flags);
	put_dentry(p.dentry);
	return f;
}

int mq_unlink_name(const char *name)
{
	struct vfs_env env = current_env();
	const struct path root = {g_mount, g_mount->super->root};
	int err = check_name(name);

	return err ? err : vfs_unlink(&env, &root, name);
}

/* ---- mounting ---- */

static int mq_statfs(struct super *s, struct kstatfs *st)
{
	st->type = MQUEUE_MAGIC;
	st->bsize = st->frsize = PAGE_SIZE;
	st->namelen = NAME_MAX;
	return 0;
}

static const struct super_ops g_super_ops = {
	.evict_inode = mq_evict,
	.statfs = mq_statfs,
};

static struct super *mq_make(const struct fs_type *t)
{
	struct super *s = super_alloc(t, &g_super_ops);
	struct inode *root = s ? make_inode(s, NULL, S_IFDIR | S_ISVTX | 0777) : NULL;

	if (root)
		s->root = dentry_make_root(root);
	if (!s || !s->root) {
		if (s)
			put_super(s);
		return err_ptr(-ENOMEM);
	}
	s->magic = MQUEUE_MAGIC;
	return s;
}

static struct super *mq_mount(
	const struct fs_type *t, const char *source, u32 flags, const char *data)
{
	if (!g_mount)
		return mq_make(t);
	ref_get(&g_mount->super->refs);
	return g_mount->super;
}

static struct fs_type g_type = {.name = "mqueue", .mount = mq_mount};

static int mq_init(void)
{
	int err = fs_type_register(&g_type);
	struct mount *m;

	if (err)
		return err;
	m = vfs_kern_mount("mqueue", "mqueue", NULL);
	if (is_err(m))
		return ptr_err(m);
	g_mount = m;
	return 0;
}
INIT_HOOK(INIT_FS, mq_init);
