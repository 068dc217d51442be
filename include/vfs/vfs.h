/*
 * The virtual file system's objects: super blocks, inodes, dentries, mounts, paths.
 *
 * The VFS does not know processes: callers pass credentials, root, working directory and descriptor
 * table. Lifetime: an inode lives while a dentry or an internal reference holds it; a dentry while
 * referenced or cached; a mount while referenced or attached.
 *
 * Locks: inode->rwsem (RANK_INODE_DIR for directories, RANK_INODE otherwise; directories parent
 * before child, two unrelated ones under super->rename_lock in address order) for content and
 * entries; dentry->lock for its name, parent and inode pointers; readers of the tree walk under RCU
 * with the dentry's seqcount and fall back to references.
 */
#ifndef VFS_VFS_H
#define VFS_VFS_H

#include <lib/list.h>
#include <core/refcount.h>
#include <core/rcu.h>
#include <core/spinlock.h>
#include <sched/mutex.h>
#include <sched/timer.h>
#include <sched/wait.h>
#include <sched/work.h>
#include <cred/cred.h>
#include <vm/object.h>
#include <linux/stat.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

struct inode;
struct dentry;
struct mount;
struct super;
struct file;
struct file_ops;
struct seq_buf;
struct region;
struct poll_table;
struct inode_locks;
struct inode_watches;
struct path;
struct kstatfs;

#define NAME_MAX          255
#define PATH_MAX          4096
#define SYMLINK_MAX_DEPTH 40

/* access(2) bits for permission checks */
#define MAY_EXEC   1
#define MAY_WRITE  2
#define MAY_READ   4
#define MAY_APPEND 8

/* A moment of CLOCK_REALTIME: whole seconds since 1970, rounded down, and 0 to 999999999 ns. */
struct vfs_time {
	s64 sec;
	u32 nsec;
};
struct inode_times {
	struct vfs_time atime, mtime, ctime;
};
struct vfs_time vfs_time_from_ns(s64 ns);
static inline bool vfs_time_equal(struct vfs_time a, struct vfs_time b)
{
	return a.sec == b.sec && a.nsec == b.nsec;
}
static inline bool vfs_time_before(struct vfs_time a, struct vfs_time b)
{
	return a.sec < b.sec || (a.sec == b.sec && a.nsec < b.nsec);
}

struct iattr { /* a change of attributes; valid says which (ATTR_*) */
	u32 valid;
	kmode_t mode;
	kuid_t uid;
	kgid_t gid;
	u64 size;
	struct inode_times times;
};
#define ATTR_MODE      1u
#define ATTR_UID       2u
#define ATTR_GID       4u
#define ATTR_SIZE      8u
#define ATTR_ATIME     16u
#define ATTR_MTIME     32u
#define ATTR_CTIME     64u
#define ATTR_ATIME_SET 128u /* to a given time, not "now": owner only */
#define ATTR_MTIME_SET 256u
#define ATTR_KILL_SUID 512u
#define ATTR_KILL_SGID 1024u
#define ATTR_OPEN      2048u /* O_TRUNC */

struct kstat {
	u64 ino, nlink, size, blocks; /* blocks of 512 bytes */
	kdev_t dev, rdev;
	kmode_t mode;
	kuid_t uid;
	kgid_t gid;
	u32 blksize;
	struct inode_times times;
	struct vfs_time btime;
	u32 result_mask; /* STATX_* that are valid */
	u64 attributes, attributes_mask, mnt_id;
};

struct fs_type {
	const char *name;
	u32 flags; /* FS_* */
	/* Parse options, make or find the super block (with its root dentry), referenced. source is
	 * the mount(2) source string or NULL; data the option string or NULL. Error pointer. */
	struct super *(*mount)(
		const struct fs_type *t, const char *source, u32 sb_flags, const char *data);
	struct list_head link;
};
#define FS_REQUIRES_DEV 1u
int fs_type_register(struct fs_type *t) must_check;
void fs_types_show(struct seq_buf *s); /* /proc/filesystems */
struct fs_type *fs_type_find(const char *name);
const struct fs_type *fs_type_at(int index); /* sysfs(2); NULL at the end */
int vfs_sync_all(bool wait);                 /* sync(2) */
/* In emergencies: file systems of devices become read-only, those that are frozen go on. The log
 * names the ones that are written to, and stay as they are. Sleep. */
void vfs_remount_all_read_only(void);
void vfs_thaw_all(void);
void vfs_set_device_sync(void (*fn)(void)); /* its part for pages of block devices; may sleep */
/* Start-up: m becomes the first root; consumes the reference. */
int namespace_set_root(struct mount *m) must_check;

struct quota;

struct super_ops {
	void (*evict_inode)(struct inode
			*inode); /* last reference gone; nlink 0: delete storage. NULL: nothing */
	void (*free_inode)(struct inode *inode); /* release memory (after RCU). NULL: generic */
	/* Times or mode of the inode were changed by the VFS (reads, writes): bring them to storage
	 * sooner or later. i_rwsem may be held. Sleeps. NULL: nothing to bring. */
	void (*dirty_inode)(struct inode *inode);
	int (*statfs)(struct super *s, struct kstatfs *st); /* NULL: -ENOSYS */
	/* What a directory's own limits make of it, after statfs. NULL: nothing. */
	void (*statfs_dir)(struct inode *i, struct kstatfs *st);
	int (*sync)(struct super *s, bool wait); /* NULL: nothing to write */
	int (*remount)(struct super *s, u32 sb_flags, const char *data); /* NULL: flags only */
	/* FIFREEZE: all writers are stopped, what was dirty has been synced. The device must be as
	 * after an unmount, and stay so until thaw, which can't fail: it may make the file system
	 * read-only. NULL (both): it can't be frozen. */
	int (*freeze)(struct super *s);
	void (*thaw)(struct super *s);
	void (*show_options)(struct seq_buf *out, struct super *s); /* ",size=1k"; NULL: none */
	void (*empty)(struct super *s); /* unmount begins: let go of pinned dentries. NULL: none */
	void (*put_super)(struct super *s); /* unmount; NULL: nothing */
};

struct kstatfs {
	u64 type, bsize, blocks, bfree, bavail, files, ffree, namelen, frsize, flags;
	u64 fsid;
};

struct super {
	const struct fs_type *type;
	const struct super_ops *ops;
	struct refcount refs;
	struct dentry *root;
	kdev_t dev;
	u32 flags;           /* SB_RDONLY == MS_RDONLY, MS_SYNCHRONOUS, MS_LAZYTIME...; atomic */
	u64 magic, max_size; /* largest file, bytes */
	u32 blksize;
	u32 wb_err;               /* errseq: data or metadata that didn't reach the disk */
	u32 time_gran_ns;         /* times are multiples of it: 1 to 10^9 */
	s64 time_min, time_max;   /* seconds that an inode's times can hold */
	struct mutex rename_lock; /* RANK_SUPER: cross-directory renames */
	struct spinlock inodes_lock;
	struct list_head inodes, lazy; /* inodes_lock; lazy: see lazytime.c */
	struct timer lazy_timer;
	struct work lazy_work;
	struct super_writers *writers; /* freeze.c; NULL: can't be frozen; immutable */
	u32 stopped, freeze_state;     /* atomic; stopped: FREEZE_* up to which one has to wait */
	struct wait_queue freeze_wait;
	struct spinlock mounts_lock; /* RANK_MOUNT */
	struct list_head mounts;     /* all, also the detached; mounts_lock */
	void *priv;
	struct quota *quota; /* vfs/quota.h; NULL: none; immutable while mounted */
	char id[32];         /* source string for mounts */
	struct list_head link;
	u32 pins; /* atomic: who works on it without a reference; its end, in its unmounter, waits
		     for them */
	struct mutex remount_lock; /* RANK_SUPER: flags change */
};
/* New super block with an anonymous device number. NULL: no memory. */
struct super *super_alloc(const struct fs_type *t, const struct super_ops *ops) must_check;
void put_super(struct super *s);
/*
 * Changes of s between begin and end; begin waits while s is frozen (not interruptible, as on
 * Linux), try_begin gives up. Kinds nest in this order only, and none in itself:
 */
#define FREEZE_WRITES  1u /* calls that change something: mount_want_write does it */
#define FREEZE_STORES  2u /* write faults of shared mappings; no page lock held */
#define FREEZE_CHANGES 3u /* the file system's own, which the others cause, too */
void super_begin(struct super *s, u32 level);
bool super_try_begin(struct super *s, u32 level) must_check;
void super_end(struct super *s, u32 level);
bool super_is_frozen(const struct super *s); /* nothing is dirty and nothing may become so */
/* FIFREEZE, FITHAW: -EOPNOTSUPP, -EBUSY (it is), -EINVAL (it isn't); freezing: errors of the file
 * system, which isn't frozen then. */
int super_freeze(struct super *s) must_check;
int super_thaw(struct super *s) must_check;
/* Times in memory only (lazytime) go to the file system. Sleeps. */
void super_store_times(struct super *s);
/* Of the file system on a device: pinned, or NULL. Whoever unmounts it waits until it is unpinned. */
struct super *super_find(kdev_t dev) must_check;
void super_pin(struct super *s); /* it hasn't ended yet for another reason */
void super_unpin(struct super *s);

/*
 * Operations of an inode. A NULL slot means what the comment says. dir is locked (rwsem write) for
 * all that change entries; dentry arguments are negative for creations, positive for removals.
 */
struct inode_ops {
	/* Find name in dir: 0 and d_instantiate'd dentry (or left negative). NULL: not a directory.
	 */
	int (*lookup)(struct inode *dir, struct dentry *d);
	int (*create)(struct inode *dir, struct dentry *d, kmode_t mode,
		const struct cred *c); /* NULL: -EACCES */
	int (*mkdir)(struct inode *dir, struct dentry *d, kmode_t mode,
		const struct cred *c); /* NULL: -EPERM */
	int (*mknod)(struct inode *dir, struct dentry *d, kmode_t mode, kdev_t rdev,
		const struct cred *c); /* -EPERM */
	int (*symlink)(struct inode *dir, struct dentry *d, const char *target,
		const struct cred *c);                                          /* -EPERM */
	int (*link)(struct inode *dir, struct dentry *d, struct inode *target); /* -EPERM */
	int (*unlink)(struct inode *dir, struct dentry *d);                     /* -EPERM */
	int (*rmdir)(
		struct inode *dir, struct dentry *d); /* -EPERM; checks emptiness: -ENOTEMPTY */
	/* flags: RENAME_NOREPLACE (checked by VFS already), EXCHANGE, WHITEOUT. */
	int (*rename)(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
		u32 flags, const struct cred *c); /* -EPERM */
	int (*tmpfile)(struct inode *dir, struct inode **out, kmode_t mode,
		const struct cred *c); /* -EOPNOTSUPP */
	/* Target of a symlink: pointer valid while the inode is referenced, or kmalloc'ed with
	 * *free set. */
	const char *(*get_link)(struct inode *inode, bool *free);
	/* A magic link (/proc/PID/fd/N): jump to a path (referenced); c: NULL: only to name it.
	 * NULL: ordinary link. */
	int (*jump)(struct inode *inode, const struct cred *c, struct path *out);
	int (*permission)(
		struct inode *inode, int mask, const struct cred *c); /* NULL: mode bits and ACL */
	int (*setattr)(struct inode *inode, const struct iattr *a);   /* NULL: inode_apply_attr */
	int (*getattr)(struct inode *inode, struct kstat *st);        /* NULL: inode_fill_stat */
	ssize_t (*getxattr)(
		struct inode *inode, const char *name, void *buf, size_t size); /* -EOPNOTSUPP */
	int (*setxattr)(
		struct inode *inode, const char *name, const void *val, size_t len, int flags);
	int (*removexattr)(struct inode *inode, const char *name);
	ssize_t (*listxattr)(struct inode *inode, char *buf, size_t size);
	/* Revalidate a cached dentry (procfs: the task may be gone). NULL: always valid. */
	bool (*revalidate)(struct dentry *d);
};

struct inode {
	struct refcount refs;
	kmode_t mode; /* rwsem */
	kuid_t uid;
	kgid_t gid;
	u32 nlink;
	kdev_t rdev;
	u64 ino; /* immutable */
	const struct inode_ops *ops;
	const struct file_ops *fops; /* for open; device nodes: resolved by device registry */
	struct super *super;         /* immutable */
	struct rwsem rwsem;
	struct vm_object object;   /* content; object.size is the file's size */
	struct seqcount times_seq; /* writers hold spin */
	struct inode_times times;  /* times_seq: inode_get_times, inode_set_times */
	struct vfs_time btime;     /* immutable */
	u64 blocks;                /* 512-byte units; spin */
	u32 flags;                 /* INODE_*; atomic */
	u64 version;
	struct spinlock spin;          /* RANK_INODE_SPIN */
	struct list_head super_link;   /* super->inodes_lock */
	struct inode_locks *locks;     /* flock, POSIX, OFD, leases; set once, or NULL */
	struct inode_watches *watches; /* inotify; set once, or NULL */
	s32 write_count;               /* atomic: >0 open for write, <0 executing (ETXTBSY) */
	void *pipe;                    /* FIFO: struct pipe * (ipc); spin */
	void *priv;                    /* file system's */
	struct rcu_head rcu;
	struct list_head dentries;    /* aliases; spin */
	struct list_head lazy_link;   /* times not stored yet; super->inodes_lock */
	struct hlist_node cache_node; /* table of inodes by number (icache.c); its bucket's lock */
	u8 cache_state;               /* INODE_CACHE_*; atomic */
	u8 write_hint;                /* RWH_WRITE_LIFE_*: kept for F_GET_RW_HINT only; atomic */
};
#define INODE_IMMUTABLE 1u
#define INODE_APPEND    2u
#define INODE_NOATIME   4u
#define INODE_DELETED   8u
#define INODE_UNHASHED  16u /* unlinked or never linked (tmpfile): no reclaim of the name */
#define INODE_NO_ACL    32u /* known to have no ACL: ops->permission isn't asked */
#define INODE_NO_CAPS   64u /* known to have no file capabilities; rwsem held to clear */

struct inode *inode_alloc(
	struct super *s) must_check; /* refs 1, zeroed, ino unique; NULL: no memory */
static inline void get_inode(struct inode *i)
{
	ref_get(&i->refs);
}
void put_inode(struct inode *i); /* sleeps when last */
/* Mode and ids of one moment. */
void inode_get_owner(struct inode *i, kmode_t *mode, kuid_t *uid, kgid_t *gid);
/*
 * Before the content is changed for c: set-ID bits go unless c has CAP_FSETID, file capabilities in
 * any case. The first leaves the bits to the caller, in a, the second takes them away at once.
 * i->rwsem held for writing. Sleep; errors of the file system: then nothing may be changed.
 */
int inode_shed_privileges(struct inode *i, const struct cred *c, struct iattr *a) must_check;
int inode_shed_privileges_now(struct inode *i, const struct cred *c) must_check;
/*
 * Inodes by number, for file systems on storage: one in memory for each. Referenced; *is_new: the
 * caller has to fill it and call _ready, or _fail, which puts it; others that want it wait for
 * that, and for one that is being evicted to be gone (don't call while holding what evict_inode
 * waits for). Error pointer -ENOMEM. Sleeps.
 */
enum { INODE_CACHE_NONE, INODE_CACHE_NEW, INODE_CACHE_READY, INODE_CACHE_BAD };
struct inode *inode_cache_get(struct super *s, u64 ino, bool *is_new) must_check;
void inode_cache_ready(struct inode *i);
void inode_cache_fail(struct inode *i);
/* From evict_inode, before its number may be given to a new file; else done after it. */
void inode_cache_remove(struct inode *i);
/* Owner, group (setgid directory rule), mode after rules; times now. */
void inode_init_owner(struct inode *i, const struct inode *dir, kmode_t mode, const struct cred *c);
int inode_permission(
	struct inode *i, int mask, const struct cred *c) must_check; /* -EACCES -EROFS -EPERM */
/* Mode bits and capabilities only: for ops->permission that add a rule of their own. */
int inode_generic_permission(struct inode *i, int mask, const struct cred *c) must_check;
/* exec: nobody may open i for writing until inode_allow_write. -ETXTBSY: somebody has. */
int inode_deny_write(struct inode *i) must_check;
void inode_allow_write(struct inode *i);
int inode_apply_attr(
	struct inode *i, const struct iattr *a); /* copies fields, truncates the object */
void inode_fill_stat(struct inode *i, struct kstat *st);
/* Times: attr_bits of ATTR_ATIME|MTIME|CTIME. i->spin not held. */
void inode_get_times(const struct inode *i, struct inode_times *out);
void inode_set_times(struct inode *i, const struct inode_times *t, u32 attr_bits);
void inode_touch(struct inode *i, u32 attr_bits); /* to now; relatime is the caller's */
/* After reads and writes changed times: the file system stores them now or, lazytime, later. */
void inode_times_changed(struct inode *i);
void inode_store_times(struct inode *i);  /* those that were left for later; sleeps */
void inode_times_stored(struct inode *i); /* the file system has written all of the inode */
/* The tick's time as the file system can keep it. */
struct vfs_time inode_now(const struct inode *i);
/* For who fills a new inode that nobody else sees: all four are t. */
void inode_init_times(struct inode *i, struct vfs_time t);
/* t as the file system can keep it: limited, cut to its granularity. */
struct vfs_time vfs_time_fit(const struct super *s, struct vfs_time t);
bool inode_owner_or_capable(const struct inode *i, const struct cred *c);

struct qstr {
	u32 hash, len;
	const char *name;
};

struct dentry {
	struct hlist_node hash; /* global table, bucket lock; RCU readers */
	struct seqcount seq;    /* name, parent, inode change under it */
	struct dentry *parent;  /* root: itself */
	struct qstr name;
	struct inode *inode; /* NULL: negative */
	struct spinlock lock;
	struct refcount refs; /* 0 and hashed: cached, on the LRU */
	u32 flags;            /* DENTRY_* ; lock */
	struct super *super;
	struct list_head children, sibling; /* parent's lock */
	struct list_head lru, alias;
	bool on_lru, lru_negative; /* the LRU list's lock */
	struct rcu_head rcu;
	void *priv;
	char inline_name[40];
};
#define DENTRY_MOUNTED  1u /* something is mounted here in some tree */
#define DENTRY_UNHASHED 2u
#define DENTRY_DEAD     8u
#define DENTRY_NOCACHE  16u /* drop when the last reference goes (procfs tasks) */
#define DENTRY_PINNED   32u /* tmpfs: the dentry is the directory entry; holds one reference */

struct dentry *dentry_alloc(struct dentry *parent, const struct qstr *name) must_check; /* NULL */
struct dentry *dentry_make_root(struct inode *i) must_check; /* consumes the reference; NULL */
/* For /proc/sys/fs. negative: of the unused ones. */
void dcache_get_stats(u64 *all, u64 *unused, u64 *negative);
extern int g_vfs_cache_pressure; /* vm.vfs_cache_pressure: percent; atomic */
extern int g_mount_max;          /* fs.mount-max; atomic */
u64 inodes_allocated(void);
void dentry_instantiate(
	struct dentry *d, struct inode *i); /* consumes the inode reference; NULL stays negative */
void get_dentry(struct dentry *d);
void put_dentry(struct dentry *d);
/* Cached or looked-up child of a locked directory, referenced. Error pointer. */
struct dentry *dentry_lookup(struct dentry *parent, const char *name, size_t len) must_check;
/* Hash a dentry that a file system made itself (whiteouts): lookups find it from now on. */
void dentry_publish(struct dentry *d);
void dentry_drop(struct dentry *d);   /* unhash: new lookups don't find it */
void dentry_delete(struct dentry *d); /* after unlink/rmdir: turn negative or unhash */
void dentry_move(struct dentry *d, struct dentry *target, bool exchange);
void dentry_invalidate_tree(struct dentry *d); /* procfs: task died */
/* Lock order helpers for file systems that keep their tree in the dcache (tmpfs, devtmpfs, proc). */
bool dentry_empty(struct dentry *dir);

struct path {
	struct mount *mnt;
	struct dentry *dentry;
};
void get_path(const struct path *p);
void put_path(const struct path *p);
/* What is at p was read: its access time becomes now, as the mount's and the inode's flags want it.
 * No other lock of the inode than rwsem held. Sleeps. */
void path_accessed(const struct path *p);
static inline bool path_equal(const struct path *a, const struct path *b)
{
	return a->mnt == b->mnt && a->dentry == b->dentry;
}

struct mount_ns;
struct mount {
	struct refcount refs; /* users: paths, files */
	struct super *super;
	struct dentry *root;       /* of this mount; a subtree for bind mounts */
	struct mount *parent;      /* mount tree lock below */
	struct dentry *mountpoint; /* in parent */
	u32 flags;                 /* MNT_RDONLY...; atomic */
	u32 id;
	u32 peer_group;   /* shared: mounts below it appear on all peers; 0: not; namespace lock */
	u32 master_group; /* slave: mounts below those peers appear here, too; 0: not */
	bool unbindable;
	bool expired; /* MNT_EXPIRE was asked for once; set under namespace lock, cleared by use */
	/* Only while one change is made under the namespace lock: next receiver of propagation, its
	 * copy of what is mounted; the copy of this mount in a tree that is copied. */
	struct mount *prop_next, *prop_copy, *cloned;
	struct mount *next_leaving; /* the same: chain of mounts to be unlinked together */
	bool leaving;               /* in it */
	struct list_head children, child_link, ns_link;
	struct list_head super_link; /* super->mounts_lock */
	struct hlist_node hash;      /* (parent, mountpoint) -> mount; RCU */
	struct mount_ns *ns;         /* NULL: detached */
	s32 writers;                 /* atomic: open writes, guards remount ro */
	char *source;                /* "tmpfs" in /proc/mounts */
	struct rcu_head rcu;
};
/* mount->flags equal the MS_* bits MS_RDONLY, NOSUID, NODEV, NOEXEC, NOATIME, NODIRATIME, RELATIME */

void get_mount(struct mount *m);
void put_mount(struct mount *m);
/* To change something now: -EROFS; waits while the file system is frozen. Doesn't nest. */
int mount_want_write(struct mount *m) must_check; /* pairs with mount_end_write */
void mount_end_write(struct mount *m);
/* To be able to: for who has a file open for writing. -EROFS. */
int mount_get_writer(struct mount *m) must_check;
void mount_put_writer(struct mount *m);

struct mount_ns {
	struct refcount refs;
	struct mount *root;
	struct list_head mounts; /* in mount order; namespace lock */
	u64 event;               /* changes, for poll on /proc/mounts */
	u32 count;
};
extern struct mount_ns *g_init_mount_ns;

/* What path resolution needs of its caller. Pointers stay valid during the call. */
struct fs_context { /* "fs_struct": shared by CLONE_FS; process owns the sharing */
	struct refcount refs;
	struct spinlock lock; /* RANK_FS: root, cwd, umask, users, execs */
	s32 users;            /* tasks whose context it is; others only hold references */
	s32 execs;            /* of these, how many are in execve: no new users meanwhile */
	struct path root, cwd;
	kmode_t umask;
	struct mount_ns *ns;
	struct list_head link; /* all contexts, for pivot_root */
};
struct fs_context *fs_context_copy(
	struct fs_context *old) must_check; /* NULL: no memory; old NULL: the first */
void fs_context_set_root(struct fs_context *fs, struct path p); /* takes the reference over */
void fs_context_set_cwd(struct fs_context *fs, struct path p);
void put_fs_context(struct fs_context *fs);
/* A task more shares it; -EAGAIN: an execve counts on knowing them all. Takes a reference. */
int fs_context_join(struct fs_context *fs) must_check;

struct vfs_env {
	const struct cred *cred;
	struct fs_context *fs;
	void *task; /* for magic links: opaque */
};

/* Lookup flags */
#define LOOKUP_FOLLOW      0x01u /* follow a final symlink */
#define LOOKUP_DIRECTORY   0x02u /* must be a directory: -ENOTDIR */
#define LOOKUP_EMPTY       0x04u /* "" means base (AT_EMPTY_PATH) */
#define LOOKUP_NO_SYMLINKS 0x10u /* openat2 RESOLVE_*: */
#define LOOKUP_NO_MAGIC    0x20u
#define LOOKUP_NO_XDEV     0x40u
#define LOOKUP_BENEATH     0x80u
#define LOOKUP_IN_ROOT     0x100u
#define LOOKUP_SCOPED      (LOOKUP_BENEATH | LOOKUP_IN_ROOT) /* ".." must not lead out */
#define LOOKUP_CACHED      0x200u
#define LOOKUP_NO_MOUNT    0x400u /* don't cross a mount on the last component (umount) */

/*
 * Resolve a kernel-space path. base NULL: the working directory (relative names). On success *out
 * is referenced. -ENOENT -ENOTDIR -ELOOP -EACCES -ENAMETOOLONG -EXDEV -EAGAIN -ENOMEM. Sleeps.
 */
int vfs_lookup(const struct vfs_env *env, const struct path *base, const char *name, u32 flags,
	struct path *out) must_check;

/* Whole operations with all checks (permission, mount flags, limits), as the system calls do them.
 * name is a kernel string; base as in vfs_lookup. */
int vfs_mkdir(const struct vfs_env *env, const struct path *base, const char *name,
	kmode_t mode) must_check;
int vfs_mknod_check(kmode_t mode) must_check; /* what is wrong whatever the name is */
int vfs_rename_check(u32 flags) must_check;   /* the same */
int vfs_mknod(const struct vfs_env *env, const struct path *base, const char *name, kmode_t mode,
	kdev_t dev) must_check;
int vfs_symlink(const struct vfs_env *env, const struct path *base, const char *name,
	const char *target) must_check;
int vfs_link(const struct vfs_env *env, const struct path *obase, const char *oname,
	const struct path *nbase, const char *nname, int at_flags) must_check;
int vfs_unlink(const struct vfs_env *env, const struct path *base, const char *name) must_check;
int vfs_rmdir(const struct vfs_env *env, const struct path *base, const char *name) must_check;
int vfs_rename(const struct vfs_env *env, const struct path *obase, const char *oname,
	const struct path *nbase, const char *nname, u32 flags) must_check;
ssize_t vfs_readlink(
	const struct vfs_env *env, const struct path *p, char *buf, size_t size) must_check;
int vfs_setattr(const struct vfs_env *env, const struct path *p,
	struct iattr *a) must_check; /* full permission rules */
int vfs_getattr(const struct path *p, struct kstat *st) must_check;
int vfs_truncate(const struct vfs_env *env, const struct path *p, u64 size) must_check;
int vfs_access(const struct vfs_env *env, const struct path *p, int mask) must_check;
int vfs_statfs(const struct path *p, struct kstatfs *st) must_check;
/* Path as text relative to root (getcwd, /proc links): start of the string inside buf, or error
 * pointer -ENAMETOOLONG. "(unreachable)" and " (deleted)" as Linux. */
char *path_format(const struct path *p, const struct path *root, char *buf, size_t size) must_check;

/* renameat2(2), umount2(2): values of the man pages; the ABI headers lack some of them. */
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE  2
#define RENAME_WHITEOUT  4
#endif
#ifndef MNT_FORCE
#define MNT_FORCE       1
#define MNT_DETACH      2
#define MNT_EXPIRE      4
#define UMOUNT_NOFOLLOW 8
#endif

/* fs.protected_*: rules against tricks in shared directories (proc(5)); atomic */
extern int g_protected_hardlinks, g_protected_symlinks, g_protected_fifos, g_protected_regular;

/* mount(2) family; the caller checked CAP_SYS_ADMIN. */
int vfs_mount(const struct vfs_env *env, const char *source, const char *target, const char *type,
	unsigned long flags, const char *data) must_check;
int vfs_umount(const struct vfs_env *env, const char *target, int flags) must_check;
int vfs_pivot_root(const struct vfs_env *env, const char *new_root, const char *put_old) must_check;
/* Internal mount of a type without attaching it. Error pointer. */
struct mount *vfs_kern_mount(const char *type, const char *source, const char *data) must_check;
void mounts_show(struct seq_buf *s, struct mount_ns *ns, const struct path *root,
	int style); /* 0 mounts, 1 mountinfo, 2 mountstats */
struct wait_queue *mount_ns_wait(struct mount_ns *ns);

/* Device numbers as Linux encodes them in stat (new encoding) */
static inline kdev_t dev_make(u32 major, u32 minor)
{
	return (minor & 0xff) | ((u64)(major & 0xfff) << 8) | ((u64)(minor & ~0xffu) << 12) |
		((u64)(major & ~0xfffu) << 32);
}
static inline u32 dev_major(kdev_t d)
{
	return ((d >> 8) & 0xfff) | ((u32)(d >> 32) & ~0xfffu);
}
static inline u32 dev_minor(kdev_t d)
{
	return (d & 0xff) | ((u32)(d >> 12) & ~0xffu);
}

#endif
