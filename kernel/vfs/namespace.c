/*
 * Mounts: which file system is seen where.
 *
 * A mount is attached when its parent is set: it is then in the (parent, mountpoint) hash, in its
 * namespace's list, and holds references on parent and mountpoint; being attached is one reference.
 * All changes hold g_namespace_lock, and those of the hash are made inside a write section of
 * g_rename_seq (tree_write_begin): a walk that found nothing mounted, or changed its mind half-way,
 * sees that the count has moved and starts again. The hash itself is read under RCU.
 *
 * A busy mount is one that has more references than its attachment. Unmounting freezes the count:
 * one compare-exchange takes it from the known references to 0, or fails because somebody uses the
 * mount. It stays in the hash all the time. A walk that comes to a frozen mount can't get a
 * reference and waits for g_namespace_lock to see how it ended (mount_lookup), so it never passes
 * below a mount whose umount is then refused.
 */
#include <core/init.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/hash.h>
#include <lib/printf.h>
#include <lib/seq_buf.h>
#include <lib/string.h>
#include "internal.h"

struct rwsem g_namespace_lock;
struct mount_ns *g_init_mount_ns;

int g_mount_max = 100000; /* fs.mount-max */
#define TABLE_SIZE 1024
static struct hlist_head g_table[TABLE_SIZE]; /* lock for writers, RCU for readers */
static struct wait_queue g_change_wait = WAIT_QUEUE_INIT(g_change_wait);
static u32 g_next_id = 20; /* lock */

#define ATIME_FLAGS (MS_NOATIME | MS_NODIRATIME | MS_RELATIME)

static bool is_removed(const struct dentry *d)
{
	return (d->flags & DENTRY_UNHASHED) && d != d->parent;
}

static struct hlist_head *bucket(const struct mount *parent, const struct dentry *at)
{
	return &g_table[hash_u64((u64)(uintptr_t)parent ^ hash_ptr(at)) % TABLE_SIZE];
}

void get_mount(struct mount *m)
{
	ref_get(&m->refs);
}

static void free_mount_rcu(struct rcu_head *head)
{
	kfree(container_of(head, struct mount, rcu));
}

/* Nobody has a reference, nobody can get one. */
static void release_mount(struct mount *m)
{
	spin_lock(&m->super->mounts_lock);
	list_del(&m->super_link);
	spin_unlock(&m->super->mounts_lock);
	put_dentry(m->root);
	put_super(m->super);
	kfree(m->source);
	rcu_call(&m->rcu, free_mount_rcu);
}

/* For umount, which is no use of the mount. */
static void put_unused_mount(struct mount *m)
{
	if (ref_put(&m->refs))
		release_mount(m);
}

void put_mount(struct mount *m)
{
	if (unlikely(READ_ONCE(m->expired)))
		WRITE_ONCE(m->expired, false);
	put_unused_mount(m);
}

int mount_get_writer(struct mount *m)
{
	__atomic_fetch_add(&m->writers, 1, __ATOMIC_SEQ_CST); /* pairs with remount_flags */
	if ((READ_ONCE(m->flags) | READ_ONCE(m->super->flags)) & MS_RDONLY) {
		mount_put_writer(m);
		return -EROFS;
	}
	return 0;
}

void mount_put_writer(struct mount *m)
{
	__atomic_fetch_sub(&m->writers, 1, __ATOMIC_RELEASE);
}

int mount_want_write(struct mount *m)
{
	int err;

	super_begin(m->super, FREEZE_WRITES);
	err = mount_get_writer(m);
	if (err)
		super_end(m->super, FREEZE_WRITES);
	return err;
}

void mount_end_write(struct mount *m)
{
	mount_put_writer(m);
	super_end(m->super, FREEZE_WRITES);
}

struct mount *mount_find_rcu(struct mount *parent, struct dentry *at)
{
	struct mount *m;

	hlist_for_each_entry(m, bucket(parent, at), hash)
		if (m->parent == parent && m->mountpoint == at)
			return m;
	return NULL;
}

struct mount *mount_lookup(struct mount *parent, struct dentry *at)
{
	for (;;) {
		u32 seq = seq_read_begin(&g_rename_seq);
		struct mount *m;
		bool got;

		rcu_read_lock();
		m = mount_find_rcu(parent, at);
		got = m && ref_get_unless_zero(&m->refs);
		rcu_read_unlock();
		if (got)
			return m;
		if (m) { /* frozen: wait until the umount is decided */
			rwsem_read_lock(&g_namespace_lock);
			rwsem_read_unlock(&g_namespace_lock);
		} else if (!seq_read_retry(&g_rename_seq, seq)) {
			return NULL;
		}
	}
}

static struct mount *mount_alloc(
	struct super *s, struct dentry *root, const char *source, u32 flags)
{
	struct mount *m = kzalloc(sizeof(*m), GFP_KERNEL);

	if (!m)
		return NULL;
	m->source = kstrdup(source && *source ? source : "none", GFP_KERNEL);
	if (!m->source) {
		kfree(m);
		return NULL;
	}
	ref_init(&m->refs, 1);
	ref_get(&s->refs);
	m->super = s;
	get_dentry(root);
	m->root = root;
	m->flags = flags & MOUNT_FLAGS;
	m->id = __atomic_fetch_add(&g_next_id, 1, __ATOMIC_RELAXED);
	list_init(&m->children);
	list_init(&m->child_link);
	list_init(&m->ns_link);
	spin_lock(&s->mounts_lock);
	list_add_tail(&m->super_link, &s->mounts);
	spin_unlock(&s->mounts_lock);
	return m;
}

/* ---- attaching ----------------------------------------------------------------------------------
 */

void mount_ns_changed(struct mount_ns *ns)
{
	ns->event++;
	poll_wake(&g_change_wait, EPOLLERR | EPOLLPRI);
}

/* m appears at p, whose references become m's. In the tree's write section. */
static void link_mount(struct mount *m, const struct path *p)
{
	struct mount_ns *ns = g_init_mount_ns;

	m->mountpoint = p->dentry;
	m->parent = p->mnt;
	m->ns = ns;
	list_add_tail(&m->child_link, &p->mnt->children);
	list_add_tail(&m->ns_link, &ns->mounts);
	ns->count++;
	spin_lock(&p->dentry->lock);
	p->dentry->flags |= DENTRY_MOUNTED;
	spin_unlock(&p->dentry->lock);
	hlist_add_head(&m->hash, bucket(m->parent, m->mountpoint));
}

/* Take m out of the tree. Parent, mountpoint and their references stay with it until left() or
 * link_mount. In the tree's write section. */
static struct path unlink_mount(struct mount *m)
{
	hlist_del(&m->hash);
	list_del(&m->child_link);
	list_del(&m->ns_link);
	m->ns->count--;
	m->ns = NULL;
	return (struct path){m->parent, m->mountpoint};
}

static bool is_mountpoint(const struct dentry *d)
{
	struct mount *m;

	list_for_each_entry(m, &g_init_mount_ns->mounts, ns_link)
		if (m->mountpoint == d)
			return true;
	return false;
}

/* A mount has left the place at, whose references the caller has no more. */
static void left(const struct path *at)
{
	if (!is_mountpoint(at->dentry)) {
		spin_lock(&at->dentry->lock);
		at->dentry->flags &= ~DENTRY_MOUNTED;
		spin_unlock(&at->dentry->lock);
	}
	put_path(at);
	mount_ns_changed(g_init_mount_ns);
}

void mount_attach(struct mount *m, const struct path *p)
{
	struct path old = {NULL, NULL};

	get_path(p);
	tree_write_begin();
	if (m->parent) /* it moves: no walk sees it nowhere */
		old = unlink_mount(m);
	link_mount(m, p);
	tree_write_end();
	if (old.mnt)
		left(&old);
	else
		mount_ns_changed(m->ns);
}

bool dentry_is_mountpoint(struct dentry *d)
{
	return (READ_ONCE(d->flags) & DENTRY_MOUNTED) != 0;
}

void mount_unlink(struct mount *m, struct list_head *gone)
{
	mount_leave_groups(m);
	unlink_mount(m);
	list_add_tail(&m->ns_link, gone);
}

static LIST_HEAD(
	g_dropped); /* g_namespace_lock: mounts that have left, with the references to be put */

/* Mounts that were unlinked give up their places. What ends with them, perhaps a whole file system
 * that has to be written out, ends in namespace_unlock(). */
static void all_left(struct list_head *gone)
{
	struct mount *m;

	list_for_each_entry(m, gone, ns_link) {
		struct path at = {m->parent, m->mountpoint};

		tree_write_begin();
		WRITE_ONCE(m->parent, NULL);
		WRITE_ONCE(m->mountpoint, NULL);
		tree_write_end();
		left(&at);
	}
	list_splice_tail(gone, &g_dropped);
}

/* Gives up g_namespace_lock, held for writing. */
void namespace_unlock(void)
{
	LIST_HEAD(gone);

	list_splice_tail(&g_dropped, &gone);
	rwsem_write_unlock(&g_namespace_lock);
	while (!list_empty(&gone)) {
		struct mount *m = list_first_entry(&gone, struct mount, ns_link);

		list_del(&m->ns_link);
		if (ref_read(&m->refs))
			put_mount(m);
		else /* frozen: it was idle */
			release_mount(m);
	}
}

/* No walk sees half of the tree gone. Walks elsewhere wait for the write section, so what looks
 * through all mounts comes before. */
static void detach_tree(struct mount *top, bool copies)
{
	struct mount *first = mount_collect_tree(top, copies), *m;
	LIST_HEAD(gone);

	for (m = first; m; m = m->next_leaving)
		mount_leave_groups(m);
	tree_write_begin();
	for (m = first; m; m = m->next_leaving) {
		unlink_mount(m);
		list_add_tail(&m->ns_link, &gone);
		m->leaving = false;
	}
	tree_write_end();
	all_left(&gone);
}

void mount_detach_tree(struct mount *top)
{
	detach_tree(top, false);
}

void detach_mounts_on(struct dentry *d)
{
	struct mount *m;

	rwsem_write_lock(&g_namespace_lock);
again:
	list_for_each_entry(m, &g_init_mount_ns->mounts, ns_link)
		if (m->mountpoint == d) {
			mount_detach_tree(m);
			goto again;
		}
	namespace_unlock();
}

struct mount *kern_mount(const struct fs_type *t, const char *source, const char *data)
{
	struct super *s = t->mount(t, source, 0, data);
	struct mount *m;

	if (is_err(s))
		return err_ptr(ptr_err(s));
	m = mount_alloc(s, s->root, source ? source : t->name, MS_RELATIME);
	put_super(s);
	return m ? m : err_ptr(-ENOMEM);
}

struct mount *vfs_kern_mount(const char *type, const char *source, const char *data)
{
	const struct fs_type *t = fs_type_find(type);

	return t ? kern_mount(t, source, data) : err_ptr(-ENODEV);
}

/* ---- mount(2)
 * ------------------------------------------------------------------------------------- */

static int attach_at(struct mount *m, struct path *p)
{
	int err = path_follow_mounts(p, 0); /* on top of what is there */

	if (err)
		return err;
	if (p->mnt->super == m->super && p->mnt->root == p->dentry)
		return -EBUSY; /* the same file system on itself */
	if (S_ISDIR(p->dentry->inode->mode) != S_ISDIR(m->root->inode->mode))
		return -ENOTDIR;
	if (is_removed(p->dentry))
		return -ENOENT;
	if (!p->mnt->ns)
		return -EINVAL;
	if (p->mnt->ns->count >= (u32)READ_ONCE(g_mount_max))
		return -ENOSPC;
	return mount_attach_shared(m, p);
}

/* The number of the block device that source leads to, as text for file system types. */
static int find_device(const struct vfs_env *env, const char *source, char *number, size_t size)
{
	struct path p;
	int err;

	if (!source || !*source)
		return -EINVAL;
	err = vfs_lookup(env, NULL, source, LOOKUP_FOLLOW, &p);
	if (err)
		return err;
	if (!S_ISBLK(p.dentry->inode->mode))
		err = -ENOTBLK;
	else if (p.mnt->flags & MS_NODEV)
		err = -EACCES;
	else
		(void)ksnprintf(number, size, "%u:%u", dev_major(p.dentry->inode->rdev),
			dev_minor(p.dentry->inode->rdev));
	put_path(&p);
	return err;
}

static int new_mount(const struct vfs_env *env, struct path *at, const char *source,
	const char *type, u32 flags, const char *data)
{
	char device[24];
	struct fs_type *t;
	struct super *s;
	struct mount *m;
	int err;

	if (!type)
		return -EINVAL;
	t = fs_type_find(type);
	if (!t)
		return -ENODEV;
	if (t->flags & FS_REQUIRES_DEV) {
		err = find_device(env, source, device, sizeof(device));
		if (err)
			return err;
	}
	s = t->mount(t, t->flags & FS_REQUIRES_DEV ? device : source,
		flags & (MS_RDONLY | MS_SYNCHRONOUS | MS_DIRSYNC | MS_LAZYTIME), data);
	if (is_err(s))
		return ptr_err(s);
	m = mount_alloc(s, s->root, source, flags);
	put_super(s);
	if (!m)
		return -ENOMEM;
	rwsem_write_lock(&g_namespace_lock);
	err = attach_at(m, at);
	namespace_unlock();
	if (err)
		put_mount(m);
	return err;
}

/* ---- copies of mounts
 * ----------------------------------------------------------------------------- */

static struct mount *clone_one(struct mount *old, struct dentry *root, enum clone_mode mode)
{
	struct mount *m = mount_alloc(old->super, root, old->source, old->flags);

	if (!m)
		return NULL;
	if (mode == CLONE_PEER) {
		m->peer_group = old->peer_group;
		m->master_group = old->master_group;
	} else {
		m->master_group = old->peer_group ? old->peer_group : old->master_group;
		m->peer_group = mode == CLONE_SLAVE_SHARED ? mount_new_group() : 0;
	}
	return m;
}

struct mount *mount_next_in_tree(struct mount *m, const struct mount *top)
{
	if (!list_empty(&m->children))
		return list_first_entry(&m->children, struct mount, child_link);
	for (; m != top; m = m->parent)
		if (!list_is_last(&m->child_link, &m->parent->children))
			return list_next_entry(m, child_link);
	return NULL;
}

void mount_free_clone(struct mount *m)
{
	while (!list_empty(&m->children))
		mount_detach_tree(list_first_entry(&m->children, struct mount, child_link));
	mount_leave_groups(m);
	put_mount(m);
}

struct mount *mount_clone(struct mount *old, struct dentry *root, enum clone_mode mode, bool whole)
{
	struct mount *copy = clone_one(old, root, mode), *c;

	old->cloned = copy;
	if (!copy || !whole)
		return copy;
	/* Parents come before their children; what hangs on something left out is left out, too. */
	for (c = mount_next_in_tree(old, old); c; c = mount_next_in_tree(c, old)) {
		struct path at = {c->parent->cloned, c->mountpoint};

		c->cloned = NULL;
		if (!at.mnt || c->unbindable || c == copy)
			continue;
		if (c->parent == old && !dentry_is_ancestor(root, c->mountpoint))
			continue;
		c->cloned = clone_one(c, c->root, mode);
		if (!c->cloned) {
			mount_free_clone(copy);
			return NULL;
		}
		mount_attach(c->cloned, &at);
	}
	return copy;
}

static int bind_mount(
	const struct vfs_env *env, struct path *at, const char *source, bool recursive)
{
	struct path from;
	struct mount *m;
	int err;

	if (!source || !*source)
		return -EINVAL;
	err = vfs_lookup(env, NULL, source, LOOKUP_FOLLOW, &from);
	if (err)
		return err;
	rwsem_write_lock(&g_namespace_lock);
	err = -EINVAL;
	if (!from.mnt->ns || from.mnt->unbindable)
		goto out;
	err = path_follow_mounts(at, 0);
	if (err)
		goto out;
	err = -EINVAL;
	if (!at->mnt->ns)
		goto out;
	err = -ENOTDIR;
	if (S_ISDIR(at->dentry->inode->mode) != S_ISDIR(from.dentry->inode->mode))
		goto out;
	err = -ENOENT;
	if (is_removed(at->dentry))
		goto out;
	err = -ENOSPC;
	if (g_init_mount_ns->count >= (u32)READ_ONCE(g_mount_max))
		goto out;
	/* Copied before the copy is attached, or it would contain itself. */
	err = -ENOMEM;
	m = mount_clone(from.mnt, from.dentry, CLONE_PEER, recursive);
	if (!m)
		goto out;
	err = mount_attach_shared(m, at);
	if (err)
		mount_free_clone(m);
out:
	namespace_unlock();
	put_path(&from);
	return err;
}

static bool contains_unbindable(struct mount *top)
{
	struct mount *m;

	for (m = top; m; m = mount_next_in_tree(m, top))
		if (m->unbindable)
			return true;
	return false;
}

static int move_mount(const struct vfs_env *env, struct path *at, const char *source)
{
	struct path from;
	struct mount *up;
	int err;

	if (!source || !*source)
		return -EINVAL;
	err = vfs_lookup(env, NULL, source, LOOKUP_FOLLOW, &from);
	if (err)
		return err;
	rwsem_write_lock(&g_namespace_lock);
	err = -EINVAL;
	if (from.dentry != from.mnt->root || !from.mnt->parent || !at->mnt->ns)
		goto out;
	if (from.mnt->parent->peer_group || (at->mnt->peer_group && contains_unbindable(from.mnt)))
		goto out;
	if (S_ISDIR(at->dentry->inode->mode) != S_ISDIR(from.dentry->inode->mode))
		goto out;
	err = -ENOENT;
	if (is_removed(at->dentry))
		goto out;
	err = -ELOOP;
	for (up = at->mnt; up; up = up->parent)
		if (up == from.mnt)
			goto out;
	err = mount_attach_shared(from.mnt, at);
out:
	namespace_unlock();
	put_path(&from);
	return err;
}

static int change_propagation(struct path *at, unsigned long flags)
{
	unsigned long type = flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE);
	struct mount *m;

	if (!is_power_of_2(type) || (flags & ~(type | MS_REC | MS_SILENT)))
		return -EINVAL;
	if (at->dentry != at->mnt->root)
		return -EINVAL;
	rwsem_write_lock(&g_namespace_lock);
	for (m = at->mnt; m; m = flags & MS_REC ? mount_next_in_tree(m, at->mnt) : NULL)
		mount_set_propagation(m, type);
	mount_ns_changed(g_init_mount_ns);
	namespace_unlock();
	return 0;
}

int vfs_mount(const struct vfs_env *env, const char *source, const char *target, const char *type,
	unsigned long flags, const char *data)
{
	struct path at;
	int err;

	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~(unsigned long)MS_MGC_MSK;
	err = vfs_lookup(env, NULL, target, LOOKUP_FOLLOW, &at);
	if (err)
		return err;
	if ((flags & MS_REMOUNT) && !(flags & (ATIME_FLAGS | MS_STRICTATIME)))
		flags |= at.mnt->flags & ATIME_FLAGS; /* mount(2): they stay */
	else if (!(flags & MS_NOATIME))
		flags |= MS_RELATIME;
	if (flags & MS_STRICTATIME)
		flags &= ~(unsigned long)(MS_RELATIME | MS_NOATIME);
	if (flags & MS_REMOUNT)
		err = mount_remount(&at, (u32)flags, data, (flags & MS_BIND) != 0);
	else if (flags & MS_BIND)
		err = bind_mount(env, &at, source, (flags & MS_REC) != 0);
	else if (flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE))
		err = change_propagation(&at, flags & ~(unsigned long)MS_RELATIME);
	else if (flags & MS_MOVE)
		err = move_mount(env, &at, source);
	else
		err = new_mount(env, &at, source, type, (u32)flags, data);
	put_path(&at);
	return err;
}

/* ---- umount(2), pivot_root(2)
 * -------------------------------------------------------------------- */

/* Freeze m and what would go with it elsewhere; the caller has the one reference on m besides its
 * attachment's. -EBUSY: somebody uses one of them, nothing is frozen. */
static int umount_freeze(struct mount *m, struct mount **copies)
{
	if (!list_empty(&m->children) || !ref_freeze(&m->refs, 2))
		return -EBUSY;
	if (mount_freeze_copies(m, copies))
		return 0;
	ref_unfreeze(&m->refs, 2);
	return -EBUSY;
}

static void umount_frozen(struct mount *m, struct mount *copies)
{
	LIST_HEAD(gone);

	tree_write_begin();
	for (struct mount *r = copies; r; r = r->prop_next)
		if (r->prop_copy)
			mount_unlink(r->prop_copy, &gone);
	mount_unlink(m, &gone);
	tree_write_end();
	all_left(&gone);
}

/* umount of an idle mount. 1: m is gone, the caller's reference, too. */
static int umount_idle(struct mount *m, bool expire)
{
	struct mount *copies;
	int err = umount_freeze(m, &copies);

	if (err)
		return err;
	if (!expire || m->expired) {
		umount_frozen(m, copies);
		return 1;
	}
	WRITE_ONCE(m->expired, true); /* the second call without use in between unmounts */
	mount_unfreeze_copies(copies);
	ref_unfreeze(&m->refs, 2);
	return -EAGAIN;
}

int vfs_umount(const struct vfs_env *env, const char *target, int flags)
{
	u32 lookup = flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct path p;
	struct mount *m;
	int err;

	if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
		return -EINVAL;
	err = vfs_lookup(env, NULL, target, lookup, &p);
	if (err)
		return err;
	m = p.mnt;
	err = -EINVAL;
	if (p.dentry != m->root) {
		put_path(&p);
		return err;
	}
	if (m == env->fs->root.mnt && m->parent && !(flags & (MNT_DETACH | MNT_EXPIRE))) {
		/* The caller's root stays, and becomes read-only, as shutdown scripts expect. */
		err = super_make_read_only(m->super);
		put_path(&p);
		return err;
	}
	put_dentry(p.dentry); /* keep only the mount's reference */
	rwsem_write_lock(&g_namespace_lock);
	if (!m->ns || !m->parent)
		goto out;
	if ((flags & MNT_EXPIRE) && (m == env->fs->root.mnt || (flags & (MNT_FORCE | MNT_DETACH))))
		goto out;
	err = 0;
	if (flags & MNT_DETACH)
		detach_tree(m, true);
	else
		err = umount_idle(m, (flags & MNT_EXPIRE) != 0);
out:
	namespace_unlock();
	if (err == 1)
		return 0;
	put_unused_mount(m);
	return err;
}

int vfs_pivot_root(const struct vfs_env *env, const char *new_root, const char *put_old)
{
	struct path new, old, root, at_new, at_root;
	struct mount *up;
	int err = vfs_lookup(env, NULL, new_root, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &new);

	if (err)
		return err;
	err = vfs_lookup(env, NULL, put_old, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &old);
	if (err) {
		put_path(&new);
		return err;
	}
	spin_lock(&env->fs->lock);
	root = env->fs->root;
	get_path(&root);
	spin_unlock(&env->fs->lock);
	rwsem_write_lock(&g_namespace_lock);
	err = -EBUSY;
	if (new.mnt == root.mnt || old.mnt == root.mnt)
		goto out;
	err = -EINVAL;
	if (new.dentry != new.mnt->root || !new.mnt->parent || root.dentry != root.mnt->root ||
		!root.mnt->parent)
		goto out; /* the initramfs root has no parent: it can't be moved */
	if (new.mnt->parent->peer_group || root.mnt->parent->peer_group || old.mnt->peer_group)
		goto out;
	for (up = old.mnt; up && up != new.mnt; up = up->parent)
		;
	if (!up || (old.mnt == new.mnt && !dentry_is_ancestor(new.dentry, old.dentry)))
		goto out;
	get_path(&old);
	tree_write_begin();
	at_new = unlink_mount(new.mnt);
	at_root = unlink_mount(root.mnt);
	link_mount(root.mnt, &old);
	link_mount(new.mnt, &at_root); /* with root's references */
	tree_write_end();
	left(&at_new);
	fs_contexts_pivot(&root, &new);
	err = 0;
out:
	namespace_unlock();
	put_path(&root);
	put_path(&old);
	put_path(&new);
	return err;
}

struct wait_queue *mount_ns_wait(struct mount_ns *ns)
{
	return &g_change_wait;
}

/* ---- file system types, start
 * ---------------------------------------------------------------------- */

static LIST_HEAD(g_types); /* added at start-up only */

int fs_type_register(struct fs_type *t)
{
	if (fs_type_find(t->name))
		return -EBUSY;
	list_add_tail(&t->link, &g_types);
	return 0;
}

struct fs_type *fs_type_find(const char *name)
{
	struct fs_type *t;

	list_for_each_entry(t, &g_types, link)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

const struct fs_type *fs_type_at(int index)
{
	struct fs_type *t;

	list_for_each_entry(t, &g_types, link)
		if (index-- == 0)
			return t;
	return NULL;
}

void fs_types_show(struct seq_buf *s)
{
	struct fs_type *t;

	list_for_each_entry(t, &g_types, link)
		seq_printf(s, "%s\t%s\n", t->flags & FS_REQUIRES_DEV ? "" : "nodev", t->name);
}

/* The first mount of all: m becomes the root of the namespace. Consumes the reference. */
int namespace_set_root(struct mount *m)
{
	struct mount_ns *ns = kzalloc(sizeof(*ns), GFP_KERNEL);

	if (!ns)
		return -ENOMEM;
	ref_init(&ns->refs, 1);
	list_init(&ns->mounts);
	ns->root = m;
	m->ns = ns;
	list_add_tail(&m->ns_link, &ns->mounts);
	ns->count = 1;
	g_init_mount_ns = ns;
	return 0;
}

static int namespace_init(void)
{
	rwsem_init(&g_namespace_lock, RANK_NAMESPACE);
	return 0;
}
INIT_HOOK(INIT_MEMORY, namespace_init);
