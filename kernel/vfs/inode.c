/*
 * Inodes and super blocks: allocation, life, permission, attributes.
 */
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <sched/timer.h>
#include <vfs/inotify.h>
#include "internal.h"

static SLAB_CACHE(g_inode_cache, struct inode);
static DEFINE_SPINLOCK(g_supers_lock, RANK_MOUNT);
static LIST_HEAD(g_supers);
static u32 g_next_anon_minor; /* atomic */

/* ---- super blocks -------------------------------------------------------------------------------
 */

struct super *super_alloc(const struct fs_type *t, const struct super_ops *ops)
{
	struct super *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	s->type = t;
	s->ops = ops;
	ref_init(&s->refs, 1);
	s->dev = dev_make(0, __atomic_add_fetch(&g_next_anon_minor, 1, __ATOMIC_RELAXED));
	s->max_size = S64_MAX;
	s->blksize = PAGE_SIZE;
	s->time_gran_ns = 1;
	s->time_min = S64_MIN;
	s->time_max = S64_MAX;
	mutex_init(&s->rename_lock, RANK_SUPER);
	mutex_init(&s->remount_lock, RANK_SUPER);
	spin_init(&s->inodes_lock, RANK_INODE_SPIN);
	list_init(&s->inodes);
	spin_init(&s->mounts_lock, RANK_MOUNT);
	list_init(&s->mounts);
	super_lazy_init(s);
	if (super_freeze_init(s)) {
		kfree(s);
		return NULL;
	}
	spin_lock(&g_supers_lock);
	list_add_tail(&s->link, &g_supers);
	spin_unlock(&g_supers_lock);
	return s;
}

bool super_is_written(struct super *s)
{
	bool writers = false;
	struct mount *m;
	struct inode *i;

	spin_lock(&s->mounts_lock);
	list_for_each_entry(m, &s->mounts, super_link)
		writers |= __atomic_load_n(&m->writers, __ATOMIC_SEQ_CST) > 0;
	spin_unlock(&s->mounts_lock);
	if (writers)
		return true;
	spin_lock(&s->inodes_lock);
	list_for_each_entry(i, &s->inodes, super_link)
		writers |= READ_ONCE(i->nlink) == 0;
	spin_unlock(&s->inodes_lock);
	return writers;
}

/* ---- users without a reference: sync, quotactl, reclaim ---- */

static struct wait_queue g_unpinned = WAIT_QUEUE_INIT(g_unpinned); /* outlives the super blocks */

void super_pin(struct super *s)
{
	__atomic_fetch_add(&s->pins, 1, __ATOMIC_SEQ_CST);
}

/* s may be gone when this returns. */
void super_unpin(struct super *s)
{
	if (__atomic_sub_fetch(&s->pins, 1, __ATOMIC_SEQ_CST) == 0)
		wake_up_all(&g_unpinned);
}

/* Pin s unless it is ending: it sees the pin, or we see that it has no references. g_supers_lock
 * held. */
static bool pin_live(struct super *s)
{
	super_pin(s);
	if (__atomic_load_n(&s->refs.n, __ATOMIC_SEQ_CST))
		return true;
	super_unpin(s);
	return false;
}

static void wait_unpinned(struct super *s)
{
	wait_event(&g_unpinned, __atomic_load_n(&s->pins, __ATOMIC_SEQ_CST) == 0);
}

struct super *super_find(kdev_t dev)
{
	struct super *s, *found = NULL;

	spin_lock(&g_supers_lock);
	list_for_each_entry(s, &g_supers, link)
		if (s->dev == dev && s->root && pin_live(s)) {
			found = s;
			break;
		}
	spin_unlock(&g_supers_lock);
	return found;
}

void put_super(struct super *s)
{
	if (!ref_put(&s->refs))
		return;
	smp_mb(); /* pairs with pin_live() */
	wait_unpinned(s);
	spin_lock(&g_supers_lock);
	list_del(&s->link);
	spin_unlock(&g_supers_lock);
	notify_unmount(s);
	if (s->root) {
		if (s->ops->empty)
			s->ops->empty(s);
		dentry_invalidate_tree(s->root);
		wait_unpinned(s); /* reclaim has dentries that the tree doesn't know any more */
		put_dentry(s->root);
	}
	super_lazy_stop(s);
	if (s->ops->put_super)
		s->ops->put_super(s);
	if (!list_empty(&s->inodes))
		log_warn("%s: inodes in use after unmount", s->type->name);
	kfree(s->writers);
	kfree(s);
}

static void (*g_sync_devices)(void); /* set once, at start */

void vfs_set_device_sync(void (*fn)(void))
{
	store_release(&g_sync_devices, fn);
}

int vfs_sync_all(bool wait)
{
	void (*devices)(void) = load_acquire(&g_sync_devices);
	struct super *s, *prev = NULL;
	int err = 0;

	spin_lock(&g_supers_lock);
	list_for_each_entry(s, &g_supers, link) {
		int e = 0;

		if (!load_acquire(&s->root)) /* it is just being set up */
			continue;
		if (!pin_live(s))
			continue;
		spin_unlock(&g_supers_lock);
		if (prev)
			super_unpin(prev);
		prev = s;
		if (s->ops->sync)
			e = s->ops->sync(s, wait);
		err = err ? err : e;
		spin_lock(&g_supers_lock);
	}
	spin_unlock(&g_supers_lock);
	if (prev)
		super_unpin(prev);
	if (wait && devices)
		devices();
	return err;
}

void supers_for_each(void (*fn)(struct super *s))
{
	struct super *s, *prev = NULL;

	spin_lock(&g_supers_lock);
	list_for_each_entry(s, &g_supers, link) {
		if (!ref_get_unless_zero(&s->refs))
			continue;
		spin_unlock(&g_supers_lock);
		if (prev)
			put_super(prev);
		prev = s;
		fn(s);
		spin_lock(&g_supers_lock);
	}
	spin_unlock(&g_supers_lock);
	if (prev)
		put_super(prev);
}

/* ---- life
 * ---------------------------------------------------------------------------------------- */

struct inode *inode_alloc(struct super *s)
{
	static u64 next_ino;
	struct inode *i = slab_alloc(&g_inode_cache, GFP_KERNEL | GFP_ZERO);

	if (!i)
		return NULL;
	ref_init(&i->refs, 1);
	i->super = s;
	i->ino = __atomic_add_fetch(&next_ino, 1, __ATOMIC_RELAXED);
	i->nlink = 1;
	rwsem_init(&i->rwsem, RANK_INODE);
	spin_init(&i->spin, RANK_INODE_SPIN);
	list_init(&i->dentries);
	list_init(&i->lazy_link);
	object_init(&i->object, NULL, i);
	if (s) {
		spin_lock_nested(&s->inodes_lock); /* leaf */
		list_add_tail(&i->super_link, &s->inodes);
		spin_unlock(&s->inodes_lock);
	} else {
		list_init(&i->super_link);
	}
	return i;
}

u64 inodes_allocated(void)
{
	return slab_in_use(&g_inode_cache);
}

static void free_inode_rcu(struct rcu_head *head)
{
	slab_free(&g_inode_cache, container_of(head, struct inode, rcu));
}

void put_inode(struct inode *i)
{
	struct super *s = i->super;

	if (!ref_put(&i->refs))
		return;
	if (!list_empty(&i->lazy_link)) {
		if (i->nlink)
			inode_store_times(i);
		inode_times_stored(i);
	}
	if (s && s->ops && s->ops->evict_inode)
		s->ops->evict_inode(i);
	inode_cache_remove(i);
	object_destroy(&i->object);
	inode_locks_free(i);
	inode_watches_free(i);
	if (s) {
		spin_lock(&s->inodes_lock);
		list_del(&i->super_link);
		spin_unlock(&s->inodes_lock);
	}
	if (s && s->ops && s->ops->free_inode)
		s->ops->free_inode(i);
	rcu_call(&i->rcu, free_inode_rcu);
}

void inode_init_owner(struct inode *i, const struct inode *dir, kmode_t mode, const struct cred *c)
{
	i->uid = c->fsuid;
	i->gid = c->fsgid;
	if (dir && (dir->mode & S_ISGID)) {
		i->gid = dir->gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
		else if ((mode & (S_ISGID | 010)) == (S_ISGID | 010) &&
			!cred_in_group(c, dir->gid) && !cred_capable(c, CAP_FSETID))
			mode &= ~S_ISGID;
	}
	i->mode = mode;
	__atomic_fetch_or(&i->flags, INODE_NO_CAPS, __ATOMIC_RELAXED); /* it is new */
	inode_init_times(i, inode_now(i));
	if (S_ISDIR(mode))
		rwsem_init(&i->rwsem, RANK_INODE_DIR);
}

/* ---- permission
 * ------------------------------------------------------------------------------------ */

bool inode_owner_or_capable(const struct inode *i, const struct cred *c)
{
	return c->fsuid == i->uid || cred_capable(c, CAP_FOWNER);
}

static int check_mode(struct inode *i, int mask, const struct cred *c)
{
	kmode_t mode = i->mode;

	if (c->fsuid == i->uid)
		mode >>= 6;
	else if (((mode >> 3) & 7 & (kmode_t)mask) != (mode & 7 & (kmode_t)mask) &&
		cred_in_group(c, i->gid))
		mode >>= 3;
	if (((kmode_t)mask & 7 & ~mode) == 0)
		return 0;
	if (S_ISDIR(i->mode)) {
		if (!(mask & MAY_WRITE) && cred_capable(c, CAP_DAC_READ_SEARCH))
			return 0;
		return cred_capable(c, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
	}
	if ((mask & 7) == MAY_READ && cred_capable(c, CAP_DAC_READ_SEARCH))
		return 0;
	if (!(mask & MAY_EXEC) || (i->mode & 0111))
		return cred_capable(c, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
	return -EACCES;
}

int inode_permission(struct inode *i, int mask, const struct cred *c)
{
	if (mask & MAY_WRITE) {
		if ((i->super->flags & MS_RDONLY) &&
			(S_ISREG(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode)))
			return -EROFS;
		if (i->flags & INODE_IMMUTABLE)
			return -EPERM;
	}
	if (i->ops && i->ops->permission && !(READ_ONCE(i->flags) & INODE_NO_ACL))
		return i->ops->permission(i, mask, c);
	return check_mode(i, mask, c);
}

int inode_generic_permission(struct inode *i, int mask, const struct cred *c)
{
	return check_mode(i, mask, c);
}

int inode_want_write(struct inode *i)
{
	s32 old = __atomic_load_n(&i->write_count, __ATOMIC_RELAXED);

	do {
		if (old < 0)
			return -ETXTBSY;
	} while (!try_cmpxchg(&i->write_count, &old, old + 1));
	return 0;
}

void inode_end_write(struct inode *i)
{
	__atomic_fetch_sub(&i->write_count, 1, __ATOMIC_RELEASE);
}

int inode_deny_write(struct inode *i)
{
	s32 old = __atomic_load_n(&i->write_count, __ATOMIC_RELAXED);

	do {
		if (old > 0)
			return -ETXTBSY;
	} while (!try_cmpxchg(&i->write_count, &old, old - 1));
	return 0;
}

void inode_allow_write(struct inode *i)
{
	__atomic_fetch_add(&i->write_count, 1, __ATOMIC_RELEASE);
}

/* ---- attributes
 * ------------------------------------------------------------------------------------ */

struct vfs_time vfs_time_from_ns(s64 ns)
{
	s64 sec = ns / NS_PER_SEC, rest = ns % NS_PER_SEC;

	return rest < 0 ? (struct vfs_time){sec - 1, (u32)(rest + NS_PER_SEC)}
			: (struct vfs_time){sec, (u32)rest};
}

struct vfs_time vfs_time_fit(const struct super *s, struct vfs_time t)
{
	if (t.sec <= s->time_min)
		return (struct vfs_time){s->time_min, 0};
	if (t.sec >= s->time_max)
		return (struct vfs_time){s->time_max, 0};
	if (s->time_gran_ns > 1)
		t.nsec -= t.nsec % s->time_gran_ns;
	return t;
}

struct vfs_time inode_now(const struct inode *i)
{
	return vfs_time_fit(i->super, vfs_time_from_ns(clock_coarse_real_ns()));
}

void inode_init_times(struct inode *i, struct vfs_time t)
{
	i->times = (struct inode_times){t, t, t};
	i->btime = t;
}

void inode_get_times(const struct inode *i, struct inode_times *out)
{
	u32 v;

	do {
		v = seq_read_begin(&i->times_seq);
		*out = i->times;
	} while (seq_read_retry(&i->times_seq, v));
}

/* spin held. */
static void set_times_locked(struct inode *i, const struct inode_times *t, u32 bits)
{
	seq_write_begin(&i->times_seq);
	if (bits & ATTR_ATIME)
		i->times.atime = t->atime;
	if (bits & ATTR_MTIME)
		i->times.mtime = t->mtime;
	if (bits & ATTR_CTIME)
		i->times.ctime = t->ctime;
	seq_write_end(&i->times_seq);
}

void inode_set_times(struct inode *i, const struct inode_times *t, u32 bits)
{
	spin_lock(&i->spin);
	set_times_locked(i, t, bits);
	spin_unlock(&i->spin);
}

void inode_touch(struct inode *i, u32 bits)
{
	struct vfs_time now = inode_now(i);

	inode_set_times(i, &(struct inode_times){now, now, now}, bits);
}

#define RELATIME_SECONDS 86400

/* relatime: the access time is younger than the last change and than a day. */
static bool is_recent(const struct inode *i)
{
	const struct inode_times *t = &i->times;
	bool newer;
	s64 sec;
	u32 v;

	do {
		v = seq_read_begin(&i->times_seq);
		sec = t->atime.sec;
		newer = vfs_time_before(t->mtime, t->atime) && vfs_time_before(t->ctime, t->atime);
	} while (seq_read_retry(&i->times_seq, v));
	return newer && clock_coarse_real_ns() / NS_PER_SEC - sec < RELATIME_SECONDS;
}

void path_accessed(const struct path *p)
{
	struct inode *i = p->dentry->inode;
	u32 flags = p->mnt->flags, no = MS_NOATIME | MS_RDONLY;
	struct inode_times t;
	struct vfs_time now;

	if (S_ISDIR(i->mode))
		no |= MS_NODIRATIME;
	if (((flags | i->super->flags) & no) || (i->flags & INODE_NOATIME))
		return;
	if ((flags & MS_RELATIME) && is_recent(i))
		return;
	inode_get_times(i, &t);
	now = inode_now(i);
	if (vfs_time_equal(now, t.atime))
		return;
	if (!super_try_begin(i->super, FREEZE_WRITES))
		return;
	t.atime = now;
	inode_set_times(i, &t, ATTR_ATIME);
	inode_times_changed(i);
	super_end(i->super, FREEZE_WRITES);
}

int inode_apply_attr(struct inode *i, const struct iattr *a)
{
	if (a->valid & ATTR_SIZE)
		object_truncate(&i->object, a->size);
	spin_lock(&i->spin);
	if (a->valid & ATTR_UID)
		i->uid = a->uid;
	if (a->valid & ATTR_GID)
		i->gid = a->gid;
	if (a->valid & ATTR_MODE)
		i->mode = (i->mode & S_IFMT) | (a->mode & 07777);
	set_times_locked(i, &a->times, a->valid);
	spin_unlock(&i->spin);
	return 0;
}

void inode_fill_stat(struct inode *i, struct kstat *st)
{
	st->ino = i->ino;
	st->nlink = i->nlink;
	st->size = READ_ONCE(i->object.size);
	st->blocks = i->blocks;
	st->dev = i->super->dev;
	st->rdev = i->rdev;
	st->mode = i->mode;
	st->uid = i->uid;
	st->gid = i->gid;
	st->blksize = i->super->blksize;
	inode_get_times(i, &st->times);
	st->btime = i->btime;
	st->result_mask = STATX_BASIC_STATS;
	if (i->btime.sec || i->btime.nsec)
		st->result_mask |= STATX_BTIME;
	if (i->flags & INODE_IMMUTABLE)
		st->attributes |= STATX_ATTR_IMMUTABLE;
	if (i->flags & INODE_APPEND)
		st->attributes |= STATX_ATTR_APPEND;
	st->attributes_mask |= STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND;
}
