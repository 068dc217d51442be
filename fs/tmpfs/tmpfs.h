/* Private structures of tmpfs. */
#ifndef FS_TMPFS_H
#define FS_TMPFS_H

#include <lib/rbtree.h>
#include <vfs/file.h>

struct tmpfs { /* super->priv */
	struct super *super;
	u64 max_pages, max_inodes;   /* 0: no limit */
	s64 used_pages, used_inodes; /* atomic; what counts as one: README.md */
	kmode_t mode;
	kuid_t uid;
	kgid_t gid;
};

struct tmpfs_entry {
	struct rb_node node; /* directory's entries, by cookie */
	u64 cookie;
	struct dentry *dentry; /* referenced: the entry keeps it */
};

struct tmpfs_xattr {
	struct list_head link;
	char *name;
	void *value;
	size_t len;
};

struct tmpfs_node {             /* inode->priv */
	struct rb_root entries; /* directory; i_rwsem */
	u64 next_cookie;
	char *target;               /* symlink; immutable; charged as a page when it is long */
	struct list_head xattrs;    /* changed under i_rwsem and xattr_lock */
	struct spinlock xattr_lock; /* RANK_INODE_SPIN */
	u64 xattr_bytes;            /* memory in xattrs; i_rwsem */
	u32 seals;                  /* memfd: F_SEAL_*; i_rwsem to change */
	/* So many pages from the start on were promised (vm_commit_pages) when the file was made;
	 * each other one is as it comes. Immutable. */
	u64 promised;
};

static inline struct tmpfs *tmpfs_of(const struct inode *i)
{
	return i->super->priv;
}
static inline struct tmpfs_node *node_of(const struct inode *i)
{
	return i->priv;
}

/* New inode with its operations set by mode; charged. Error pointer -ENOSPC -ENOMEM. */
struct inode *tmpfs_inode(struct super *s, struct inode *dir, kmode_t mode, kdev_t rdev,
	const struct cred *c) must_check;
void tmpfs_free_target(struct inode *i);
extern const struct inode_ops g_tmpfs_dir_ops, g_tmpfs_file_ops, g_tmpfs_link_ops,
	g_tmpfs_special_ops;
extern const struct file_ops g_tmpfs_dir_fops, g_tmpfs_file_fops;
extern const struct vm_object_ops g_tmpfs_object_ops;
extern const struct super_ops g_tmpfs_super_ops;
u64 half_of_memory(void); /* pages: what a tmpfs may hold if nothing else is said */
/* A super block with parsed options and its root. Error pointer. */
struct super *tmpfs_make(const struct fs_type *t, u32 flags, const char *data, kmode_t root_mode,
	u64 max_pages, u64 max_inodes) must_check;
int tmpfs_charge_inodes(struct tmpfs *t, s64 n) must_check; /* -ENOSPC */
void tmpfs_uncharge_inodes(struct tmpfs *t, s64 n);
/* A page of i counts against the file system's size and as promised memory. -ENOSPC: neither. */
int tmpfs_charge_page(struct inode *i, u64 index) must_check;
void tmpfs_uncharge_page(struct inode *i, u64 index);

ssize_t tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int tmpfs_setxattr(struct inode *i, const char *name, const void *val, size_t len, int flags);
int tmpfs_removexattr(struct inode *i, const char *name);
ssize_t tmpfs_listxattr(struct inode *i, char *buf, size_t size);
void tmpfs_free_xattrs(struct inode *i); /* and gives their share back to the account */
/* A new inode in dir (NULL: nowhere): default ACL applied to its mode, ACLs set. -ENOMEM -ENOSPC. */
int tmpfs_init_acl(struct inode *i, struct inode *dir) must_check;
int tmpfs_acl_chmod(struct inode *i) must_check; /* mode has changed */
int tmpfs_setattr(struct inode *i, const struct iattr *a);
int tmpfs_getattr(struct inode *i, struct kstat *st);

#endif
