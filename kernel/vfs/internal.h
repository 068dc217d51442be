/* Interfaces between the files of kernel/vfs. */
#ifndef VFS_INTERNAL_H
#define VFS_INTERNAL_H

#include <lib/hash.h>
#include <vfs/file.h>
#include <vfs/vfs.h>

/* ---- dcache.c ---- */
/* Cached child, referenced; NULL: not cached. Lock-free. */
struct dentry *dcache_find(struct dentry *parent, const char *name, size_t len);
/* The same without the reference: RCU is held, the caller checks g_rename_seq. */
struct dentry *dcache_find_rcu(struct dentry *parent, const char *name, size_t len, u32 hash);
bool dentry_get_live(struct dentry *d); /* a reference to one found under RCU; false: it is dead */
void dcache_insert(struct dentry *d);
bool dentry_is_ancestor(const struct dentry *a, const struct dentry *d); /* a above or equal d */
extern struct seqcount g_rename_seq; /* names, parents and mounts change under it */
void tree_write_begin(void);         /* a write section of it; nothing in it sleeps */
void tree_write_end(void);

/* ---- namei.c ---- */
enum last_type { LAST_NORM, LAST_DOT, LAST_DOTDOT, LAST_ROOT };

struct walk {
	const struct vfs_env *env;
	struct path path; /* where we are, referenced */
	struct path root; /* of the walk, referenced */
	u32 flags;        /* LOOKUP_* */
	int links;        /* symlinks followed so far */
	struct path base; /* start of a LOOKUP_BENEATH walk; referenced */
	u32 tree_seq;     /* LOOKUP_SCOPED: of g_rename_seq when the walk began */
	const char *rest; /* what is still to resolve */
	char *buffer;     /* kmalloc'ed expansion that rest points into, or NULL */
	const char *last; /* final component */
	size_t last_len;
	enum last_type last_type;
	bool slash; /* it was followed by a slash */
};
/* Resolve up to the directory of the final component. On success walk_end must follow. */
int walk_begin(struct walk *w, const struct vfs_env *env, const struct path *base, const char *name,
	u32 flags) must_check;
/* Look the final component up: referenced dentry and mount in *out, not followed. */
int walk_last(struct walk *w, struct path *out) must_check;
/* Final component was a symlink (link: its path, consumed): go on with its target up to the next
 * final component. 0, or 1 when a magic link led to *out directly. */
int walk_follow(struct walk *w, struct path *link, struct path *out) must_check;
void walk_end(struct walk *w);
/* namei_rcu.c: the same for names that are cached, -EAGAIN for all others. */
int rcu_walk_begin(struct walk *w, const struct vfs_env *env, const struct path *base,
	const char *name) must_check;
int rcu_lookup(const struct vfs_env *env, const struct path *base, const char *name, u32 flags,
	struct path *out) must_check;
/* Step over mounts on top of p. p's references are replaced. */
int path_follow_mounts(struct path *p, u32 flags) must_check;

/* ---- namespace.c ---- */
/* What is mounted there, referenced, or NULL. Sleeps while an umount of it is decided. */
struct mount *mount_lookup(struct mount *parent, struct dentry *at);
/* The same without the reference: RCU is held, the caller checks g_rename_seq. */
void supers_for_each(void (*fn)(struct super *s)); /* referenced; sleeps */
struct mount *mount_find_rcu(struct mount *parent, struct dentry *at);
extern struct rwsem g_namespace_lock;
bool dentry_is_mountpoint(struct dentry *d);
/* As vfs_kern_mount, of a type that need not be registered. */
struct mount *kern_mount(const struct fs_type *t, const char *source, const char *data) must_check;
/* All of these: g_namespace_lock held for writing. */
enum clone_mode { CLONE_PEER, CLONE_SLAVE, CLONE_SLAVE_SHARED };
/* A detached copy of old and of the mounts below it, showing from root on. NULL: no memory.
 * whole: with its children, unbindable ones left out. */
struct mount *mount_clone(
	struct mount *old, struct dentry *root, enum clone_mode mode, bool whole) must_check;
void mount_free_clone(struct mount *m); /* one that was never attached */
/* m (one reference: the attachment's) appears at p; from where it was, if it was attached. */
void mount_attach(struct mount *m, const struct path *p);
void mount_detach_tree(struct mount *top);
/* m, without children, leaves its groups and the tree and goes to the list; its references on
 * parent and mountpoint stay with it. In the tree's write section. */
void mount_unlink(struct mount *m, struct list_head *gone);
struct mount *mount_next_in_tree(
	struct mount *m, const struct mount *top); /* parents first; NULL */

/* /proc/PID/mounts and its readers see a change. */
void mount_ns_changed(struct mount_ns *ns);
/* g_namespace_lock, held for writing; what is gone is freed. Sleeps. */
void namespace_unlock(void);

/* ---- remount.c ---- */
#define MOUNT_FLAGS \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME)
/* mount(2) with MS_REMOUNT; only_mount: MS_BIND, too. Sleeps. */
int mount_remount(struct path *at, u32 flags, const char *data, bool only_mount) must_check;
/* -EBUSY: files are open for writing, or it is frozen. */
int super_make_read_only(struct super *s) must_check;

/* ---- propagation.c: shared subtrees. g_namespace_lock held for writing. ---- */
u32 mount_new_group(void);
void mount_leave_groups(struct mount *m);
void mount_set_propagation(struct mount *m, unsigned long type); /* MS_SHARED ... */
/* Attach m at p, with copies wherever p's mount propagates to. -ENOMEM: nothing was attached. */
int mount_attach_shared(struct mount *m, const struct path *p) must_check;
/*
 * Freeze what m's unmounting takes along: *copies is a chain by prop_next, each prop_copy that is
 * set is frozen. False: one is in use, nothing is frozen.
 */
bool mount_freeze_copies(struct mount *m, struct mount **copies) must_check;
void mount_unfreeze_copies(struct mount *copies);
/* The tree at top, leaves first, chained by next_leaving; copies: with those of each that were
 * propagated elsewhere, whoever uses them. */
struct mount *mount_collect_tree(struct mount *top, bool copies);
/* The entry goes away: mounts on it (elsewhere) are detached. */
void detach_mounts_on(struct dentry *d);

/* ---- inode.c, file.c ---- */
struct file *file_alloc(u32 flags) must_check; /* error pointer -ENFILE (fs.file-max) -ENOMEM */
void file_discard(struct file *f); /* from file_alloc, with nothing filled in and never shown */
extern const struct file_ops g_path_fops;
extern const struct file_ops *g_fifo_open_ops;  /* set by ipc at start-up */
extern const struct file_ops *g_block_open_ops; /* set by the block layer at start-up */
int file_finish_open(struct file *f, const struct path *p, const struct cred *c) must_check;
bool path_noexec(const struct path *p);
/* Write access counting for ETXTBSY. */
int inode_want_write(struct inode *i) must_check; /* -ETXTBSY */
/* Is s being written through any mount, or is a removed file open? MS_RDONLY is set: no more come. */
bool super_is_written(struct super *s);
void inode_end_write(struct inode *i);
int super_freeze_init(struct super *s) must_check; /* freeze.c; -ENOMEM */
/* For a remount: false while s is frozen; else super_end(FREEZE_WRITES) must follow. */
bool super_may_remount(struct super *s) must_check;
void super_lazy_init(struct super *s); /* lazytime.c */
void super_lazy_stop(struct super *s);
int may_delete(const struct vfs_env *env, struct inode *dir, struct dentry *victim,
	bool is_dir) must_check;
/* umask is applied, unless dir has a default ACL. dir's i_rwsem is held. */
kmode_t creation_mode(const struct vfs_env *env, struct inode *dir, kmode_t mode);
int may_create(const struct vfs_env *env, struct inode *dir) must_check;
/* "/"-path inside its file system, without mounts. */
char *dentry_format(struct dentry *d, char *buf, size_t size) must_check;
/* Every context whose root or cwd is "from" moves to "to" (pivot_root). */
void fs_contexts_pivot(const struct path *from, const struct path *to);
/* Text of a magic link's target: path, or the name of an anonymous file. */
char *link_text(const struct path *p, const struct path *root, char *buf, size_t size) must_check;
int inode_truncate(struct inode *i, struct dentry *d, const struct cred *c, u64 size,
	u32 extra_valid) must_check;
kmode_t mode_without_set_ids(kmode_t mode);        /* privileges.c */
int inode_remove_caps(struct inode *i) must_check; /* i->rwsem held for writing */
extern struct vfs_limits g_vfs_limits;
/* RLIMIT_FSIZE: what is left of a write at pos; nothing: SIGXFSZ and -EFBIG. */
int file_limit_size(struct iter *from, off64_t pos) must_check;
void inode_locks_free(struct inode *i);
void inode_watches_free(struct inode *i);

#endif
