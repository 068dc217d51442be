/*
 * inotify: watches on inodes, events into an instance's queue.
 *
 * A watch is on its inode's list (for events), in its instance's tree by descriptor (for removal),
 * and holds a reference on the inode. It ends when the user removes it, after one event with
 * IN_ONESHOT, when the inode is deleted or unmounted, or with the instance; whoever takes it off
 * the inode's list frees it.
 *
 * Locks: inode_watches->lock, then inotify->lock (both RANK_INOTIFY). Events are allocated without
 * sleeping: an event that finds no memory, or a full queue, becomes IN_Q_OVERFLOW.
 */
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/seq_buf.h>
#include <lib/string.h>
#include <lib/xarray.h>
#include <asm/ioctls.h>
#include <vfs/inotify.h>
#include <asm/siginfo.h>
#include <sched/work.h>
#include "internal.h"

int g_inotify_max_instances = 128;
int g_inotify_max_watches = 8192; /* by memory size at start-up */
int g_inotify_max_events = 16384;

struct inode_watches {
	struct spinlock lock;     /* RANK_INOTIFY */
	struct list_head watches; /* lock */
	u32 mask;                 /* union of theirs; lock, read without */
};

struct inotify {
	struct spinlock lock; /* RANK_INOTIFY, inside inode_watches->lock */
	struct wait_queue wait;
	struct fasync_list async;
	struct work async_work;  /* events come under spinlocks: signals are sent later */
	struct list_head events; /* lock */
	u32 nr_events;
	u64 bytes;                 /* what reading all of them gives; lock */
	bool overflowed;           /* an IN_Q_OVERFLOW is queued; lock */
	struct xarray watches;     /* wd -> watch; lock */
	u32 next_wd;               /* changes */
	struct refcount refs;      /* the file, each watch */
	struct user_account *user; /* charged */
	struct mutex changes;      /* RANK_MUTEX_LEAF: one add or remove at a time */
};

struct watch {
	struct refcount refs;     /* being on the inode's list, and in-flight users */
	struct list_head link;    /* inode_watches->watches, or a list of ended ones */
	bool live;                /* on its inode's list; inode_watches->lock */
	struct inode *inode;      /* referenced; immutable */
	struct inotify *instance; /* immutable */
	int wd;
	u32 mask; /* inode_watches->lock */
};

struct event {
	struct list_head link;
	int wd;
	u32 mask, cookie;
	u16 name_len; /* without NUL; 0: no name */
	char name[];
};

static SLAB_CACHE(g_watch_cache, struct watch);
static u32 g_cookie; /* atomic */

u32 notify_cookie(void)
{
	u32 c;

	do
		c = __atomic_add_fetch(&g_cookie, 1, __ATOMIC_RELAXED);
	while (!c);
	return c;
}

/* ---- the queue
 * ------------------------------------------------------------------------------------ */

/* Bytes of the name as the reader gets it: NUL-padded to whole headers. */
static size_t padded_name(const struct event *e)
{
	return e->name_len ? round_up((size_t)e->name_len + 1, sizeof(struct inotify_event)) : 0;
}

static size_t event_bytes(const struct event *e)
{
	return sizeof(struct inotify_event) + padded_name(e);
}

static bool same_event(
	const struct event *e, int wd, u32 mask, u32 cookie, const char *name, size_t len)
{
	return e->wd == wd && e->mask == mask && e->cookie == cookie && e->name_len == len &&
		memcmp(e->name, name, len) == 0;
}

static void append_locked(struct inotify *in, struct event *e)
{
	list_add_tail(&e->link, &in->events);
	in->nr_events++;
	in->bytes += event_bytes(e);
}

static void overflow_locked(struct inotify *in)
{
	struct event *e;

	if (in->overflowed)
		return;
	e = kmalloc(sizeof(*e), GFP_ATOMIC);
	if (!e)
		return;
	*e = (struct event){.wd = -1, .mask = IN_Q_OVERFLOW};
	append_locked(in, e);
	in->overflowed = true;
}

static void put_instance(struct inotify *in);

static void announce(struct work *w)
{
	struct inotify *in = container_of(w, struct inotify, async_work);

	fasync_notify(&in->async, POLL_IN);
	put_instance(in);
}

static void announce_later(struct inotify *in)
{
	ref_get(&in->refs);
	if (!work_queue(&in->async_work))
		put_instance(in);
}

static void queue_event(
	struct inotify *in, int wd, u32 mask, u32 cookie, const char *name, size_t len)
{
	struct event *e;

	spin_lock_nested(&in->lock); /* inside the inode's watches */
	if (!list_empty(&in->events) && !(mask & IN_IGNORED)) {
		e = list_last_entry(&in->events, struct event, link);
		if (same_event(e, wd, mask, cookie, name, len)) {
			spin_unlock(&in->lock);
			return;
		}
	}
	e = NULL;
	if (in->nr_events < (u32)READ_ONCE(g_inotify_max_events))
		e = kmalloc(sizeof(*e) + len + 1, GFP_ATOMIC);
	if (e) {
		*e = (struct event){.wd = wd, .mask = mask, .cookie = cookie, .name_len = (u16)len};
		memcpy(e->name, name, len);
		e->name[len] = 0;
		append_locked(in, e);
	} else {
		overflow_locked(in);
	}
	spin_unlock(&in->lock);
	poll_wake(&in->wait, EPOLLIN | EPOLLRDNORM);
	if (unlikely(!list_empty(&in->async.files)))
		announce_later(in);
}

/* ---- watches
 * --------------------------------------------------------------------------------------- */

static void put_instance(struct inotify *in)
{
	struct event *e, *next;

	if (!ref_put(&in->refs))
		return;
	list_for_each_entry_safe(e, next, &in->events, link)
		kfree(e);
	xa_destroy(&in->watches);
	__atomic_fetch_sub(&in->user->inotify_instances, 1, __ATOMIC_RELAXED);
	put_user_account(in->user);
	kfree(in);
}

static void put_watch(struct watch *w)
{
	if (!ref_put(&w->refs))
		return;
	put_inode(w->inode);
	put_instance(w->instance);
	slab_free(&g_watch_cache, w);
}

static void remask_locked(struct inode_watches *iw)
{
	struct watch *w;
	u32 mask = 0;

	list_for_each_entry(w, &iw->watches, link)
		mask |= w->mask;
	WRITE_ONCE(iw->mask, mask);
}

/* Off the inode's list; with tell, the instance reads IN_IGNORED. The caller got the list's
 * reference and puts it without locks. */
static void end_locked(struct inode_watches *iw, struct watch *w, bool tell)
{
	struct inotify *in = w->instance;

	list_del(&w->link);
	w->live = false;
	remask_locked(iw);
	spin_lock_nested(&in->lock); /* inside the inode's watches */
	if (xa_erase(&in->watches, (u64)w->wd))
		__atomic_fetch_sub(&in->user->inotify_watches, 1, __ATOMIC_RELAXED);
	spin_unlock(&in->lock);
	if (tell)
		queue_event(in, w->wd, IN_IGNORED, 0, "", 0);
}

/* End w if it hasn't ended yet; consumes one reference of the caller. False: it had. */
static bool end_watch(struct watch *w, bool tell)
{
	struct inode_watches *iw = w->inode->watches;
	bool live;

	spin_lock(&iw->lock);
	live = w->live;
	if (live)
		end_locked(iw, w, tell);
	spin_unlock(&iw->lock);
	if (live)
		put_watch(w);
	put_watch(w);
	return live;
}

static struct inode_watches *watches_make(struct inode *i)
{
	struct inode_watches *iw = rcu_load(i->watches), *old = NULL;

	if (iw)
		return iw;
	iw = kzalloc(sizeof(*iw), GFP_KERNEL);
	if (!iw)
		return NULL;
	spin_init(&iw->lock, RANK_INOTIFY);
	list_init(&iw->watches);
	if (!try_cmpxchg(&i->watches, &old, iw)) {
		kfree(iw);
		iw = old;
	}
	return iw;
}

void inode_watches_free(struct inode *i)
{
	kfree(i->watches); /* watches hold references: there is none left */
	i->watches = NULL;
}

/* ---- events from the VFS
 * ----------------------------------------------------------------------------- */

/* Deliver to every watch on i that wants it. unlinked: the child's name is gone already. */
static noinline void deliver(
	struct inode *i, u32 mask, u32 cookie, const char *name, size_t len, bool unlinked)
{
	struct inode_watches *iw = rcu_load(i->watches);
	struct watch *w, *next;
	LIST_HEAD(ended);

	if (!(READ_ONCE(iw->mask) & mask & IN_ALL_EVENTS))
		return;
	spin_lock(&iw->lock);
	list_for_each_entry_safe(w, next, &iw->watches, link) {
		if (!(w->mask & mask & IN_ALL_EVENTS) || (unlinked && (w->mask & IN_EXCL_UNLINK)))
			continue;
		queue_event(w->instance, w->wd, mask, cookie, name, len);
		if (w->mask & IN_ONESHOT) {
			end_locked(iw, w, true);
			list_add(&w->link, &ended); /* ours now; nobody else finds it */
		}
	}
	spin_unlock(&iw->lock);
	list_for_each_entry_safe(w, next, &ended, link)
		put_watch(w);
}

void notify_inode(struct inode *i, u32 mask)
{
	if (likely(!READ_ONCE(i->watches)))
		return;
	deliver(i,
		mask |
			(S_ISDIR(i->mode) && !(mask & (IN_DELETE_SELF | IN_MOVE_SELF)) ? IN_ISDIR
										       : 0),
		0, "", 0, false);
}

/* Events that only the directory reports: the child has none of its own. */
#define DIR_EVENTS (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)

static noinline void deliver_to_parent(struct dentry *d, u32 mask, u32 cookie)
{
	char name[NAME_MAX + 1];
	struct inode *dir;
	bool unlinked;
	size_t len;
	u32 seq;

	/* The name and the parent belong together: neither changes between two equal counts. */
	rcu_read_lock();
	do {
		const char *text;

		seq = seq_read_begin(&d->seq);
		dir = READ_ONCE(d->parent)->inode;
		text = READ_ONCE(d->name.name);
		len = min_t(size_t, READ_ONCE(d->name.len), NAME_MAX);
		if (seq_read_retry(&d->seq, seq))
			continue;
		memcpy(name, text, len);
	} while (seq_read_retry(&d->seq, seq));
	if (dir && !ref_get_unless_zero(&dir->refs))
		dir = NULL;
	rcu_read_unlock();
	if (!dir)
		return;
	unlinked = (READ_ONCE(d->flags) & DENTRY_UNHASHED) != 0 && !(mask & DIR_EVENTS);
	if (READ_ONCE(dir->watches))
		deliver(dir, mask, cookie, name, len, unlinked);
	put_inode(dir);
}

void notify_directory(struct dentry *d, u32 mask, u32 cookie)
{
	struct dentry *parent;
	struct inode *dir;

	rcu_read_lock(); /* only to look: a rename may replace the parent */
	parent = READ_ONCE(d->parent);
	dir = READ_ONCE(parent->inode);
	if (likely(parent == d || !dir || !READ_ONCE(dir->watches)))
		dir = NULL;
	rcu_read_unlock();
	if (unlikely(dir))
		deliver_to_parent(d, mask, cookie);
}

void notify_child(struct dentry *d, u32 mask, u32 cookie)
{
	struct inode *i = READ_ONCE(d->inode);

	notify_directory(d, mask | (i && S_ISDIR(i->mode) ? IN_ISDIR : 0), cookie);
	if (i && !(mask & DIR_EVENTS))
		notify_inode(i, mask);
}

/* Every watch on i reports mask and ends. */
static void end_all(struct inode *i, u32 mask, u32 isdir)
{
	struct inode_watches *iw = rcu_load(i->watches);
	struct watch *w, *next;
	LIST_HEAD(ended);

	spin_lock(&iw->lock);
	list_for_each_entry_safe(w, next, &iw->watches, link) {
		if (mask == IN_UNMOUNT || (w->mask & mask))
			queue_event(w->instance, w->wd, mask | isdir, 0, "", 0);
		end_locked(iw, w, true);
		list_add(&w->link, &ended);
	}
	spin_unlock(&iw->lock);
	list_for_each_entry_safe(w, next, &ended, link)
		put_watch(w);
}

void notify_inode_deleted(struct inode *i)
{
	if (i->watches)
		end_all(i, IN_DELETE_SELF, 0);
}

void notify_unmount(struct super *s)
{
	struct inode *i, *held = NULL;

	/* A held inode stays on the list, so the walk can go on from it. */
	spin_lock(&s->inodes_lock);
	list_for_each_entry(i, &s->inodes, super_link) {
		if (!READ_ONCE(i->watches) || !ref_get_unless_zero(&i->refs))
			continue;
		spin_unlock(&s->inodes_lock);
		if (held)
			put_inode(held);
		held = i;
		end_all(i, IN_UNMOUNT, S_ISDIR(i->mode) ? IN_ISDIR : 0);
		spin_lock(&s->inodes_lock);
	}
	spin_unlock(&s->inodes_lock);
	if (held)
		put_inode(held);
}

/* ---- the file
 * ------------------------------------------------------------------------------------------ */

static ssize_t put_event(struct iter *to, const struct event *e)
{
	struct inotify_event head = {
		.wd = e->wd, .mask = e->mask, .cookie = e->cookie, .len = (u32)padded_name(e)};

	if (iter_put(to, &head, sizeof(head)) < sizeof(head))
		return -EFAULT;
	if (head.len &&
		(iter_put(to, e->name, e->name_len) < e->name_len ||
			iter_zero(to, head.len - e->name_len) < head.len - e->name_len))
		return -EFAULT;
	return (ssize_t)event_bytes(e);
}

/* The first event if it fits into room bytes: taken off the queue. NULL: none. */
static struct event *take_event(struct inotify *in, size_t room)
{
	struct event *e;

	spin_lock(&in->lock);
	e = list_first_entry_or_null(&in->events, struct event, link);
	if (e && event_bytes(e) > room) {
		e = err_ptr(-EINVAL);
	} else if (e) {
		list_del(&e->link);
		in->nr_events--;
		in->bytes -= event_bytes(e);
		if (e->mask & IN_Q_OVERFLOW)
			in->overflowed = false;
	}
	spin_unlock(&in->lock);
	return e;
}

static ssize_t inotify_read(struct file *f, struct iter *to, off64_t *pos)
{
	struct inotify *in = f->priv;
	ssize_t done = 0, n;

	for (;;) {
		struct event *e = take_event(in, to->count);

		if (is_err(e))
			return done ? done : ptr_err(e);
		if (!e) {
			if (done)
				return done;
			if (f->flags & O_NONBLOCK)
				return -EAGAIN;
			n = wait_event_interruptible(&in->wait, !list_empty(&in->events));
			if (n)
				return n;
			continue;
		}
		n = put_event(to, e);
		kfree(e);
		if (n < 0)
			return n; /* whatever came before it, as on Linux */
		done += n;
	}
}

static u32 inotify_poll(struct file *f, struct poll_table *pt)
{
	struct inotify *in = f->priv;

	poll_wait(f, &in->wait, pt);
	return list_empty(&in->events) ? 0 : EPOLLIN | EPOLLRDNORM;
}

static long inotify_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	struct inotify *in = f->priv;
	int bytes;

	if (cmd != FIONREAD)
		return -ENOTTY;
	spin_lock(&in->lock);
	bytes = (int)in->bytes;
	spin_unlock(&in->lock);
	return put_user(bytes, (int __user *)arg);
}

/* Any watch with descriptor >= *wd, referenced. */
static struct watch *next_watch(struct inotify *in, u64 *wd)
{
	struct watch *w;

	spin_lock(&in->lock);
	w = xa_find(&in->watches, wd, U32_MAX);
	if (w)
		ref_get(&w->refs);
	spin_unlock(&in->lock);
	return w;
}

static void inotify_release(struct file *f)
{
	struct inotify *in = f->priv;
	struct watch *w;
	u64 wd = 0;

	while ((w = next_watch(in, &wd)) != NULL)
		(void)end_watch(w, false);
	put_instance(in);
}

static void inotify_fdinfo(struct file *f, struct seq_buf *s)
{
	struct inotify *in = f->priv;
	struct watch *w;

	for (u64 wd = 0; (w = next_watch(in, &wd)) != NULL; wd++) {
		kdev_t dev = w->inode->super ? w->inode->super->dev : 0;

		seq_printf(s, "inotify wd:%x ino:%llx sdev:%llx mask:%x ignored_mask:0\n", w->wd,
			(unsigned long long)w->inode->ino, (unsigned long long)dev,
			w->mask & IN_ALL_EVENTS);
		put_watch(w);
	}
}

static int inotify_fasync(struct file *f, struct fasync_list **l)
{
	*l = &((struct inotify *)f->priv)->async;
	return 0;
}

static const struct file_ops g_inotify_fops = {
	.seek = file_noop_seek,
	.fasync = inotify_fasync,
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.release = inotify_release,
	.show_fdinfo = inotify_fdinfo,
};

bool inotify_is(struct file *f)
{
	return f->ops == &g_inotify_fops;
}

/* Charge one to an account's counter, up to max. */
static bool charge(s32 *counter, int max)
{
	if (__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED) < max)
		return true;
	__atomic_fetch_sub(counter, 1, __ATOMIC_RELAXED);
	return false;
}

struct file *inotify_create(u32 o_flags)
{
	struct user_account *user = current_cred()->user;
	struct inotify *in = kzalloc(sizeof(*in), GFP_KERNEL);
	struct file *f;

	if (!in)
		return err_ptr(-ENOMEM);
	if (!charge(&user->inotify_instances, READ_ONCE(g_inotify_max_instances))) {
		kfree(in);
		return err_ptr(-EMFILE);
	}
	get_user_account(user);
	in->user = user;
	ref_init(&in->refs, 1);
	fasync_list_init(&in->async);
	work_init(&in->async_work, announce);
	spin_init(&in->lock, RANK_INOTIFY);
	wait_queue_init(&in->wait);
	list_init(&in->events);
	xa_init(&in->watches);
	mutex_init(&in->changes, RANK_MUTEX_LEAF);
	in->next_wd = 1;
	f = file_anon("inotify", &g_inotify_fops, in, O_RDONLY | o_flags);
	if (is_err(f))
		put_instance(in);
	return f;
}

static struct watch *find_watch_locked(struct inode_watches *iw, const struct inotify *in)
{
	struct watch *w;

	list_for_each_entry(w, &iw->watches, link)
		if (w->instance == in)
			return w;
	return NULL;
}

/* Change the watch that the instance has on the inode: its wd, or 0 when there is none. */
static int change_watch(struct inode_watches *iw, struct inotify *in, u32 mask)
{
	struct watch *w;
	int r = 0;

	spin_lock(&iw->lock);
	w = find_watch_locked(iw, in);
	if (w && (mask & IN_MASK_CREATE)) {
		r = -EEXIST;
	} else if (w) {
		u32 keep = mask & IN_MASK_ADD ? w->mask : 0;

		w->mask = keep | (mask & (IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT));
		remask_locked(iw);
		r = w->wd;
	}
	spin_unlock(&iw->lock);
	return r;
}

/* A free descriptor for w, counting up; in->changes is held, so nobody else takes it. */
static int give_wd(struct inotify *in, struct watch *w)
{
	int err = -ENOSPC;

	for (u32 tries = 0; tries < (u32)INT_MAX; tries++) {
		void *used;

		w->wd = (int)in->next_wd;
		in->next_wd = in->next_wd == (u32)INT_MAX ? 1 : in->next_wd + 1;
		spin_lock(&in->lock);
		used = xa_load(&in->watches, (u64)w->wd);
		err = used ? -EBUSY : xa_store(&in->watches, (u64)w->wd, w, GFP_ATOMIC);
		spin_unlock(&in->lock);
		if (err != -EBUSY)
			break;
	}
	return err;
}

static int add_watch(struct inode_watches *iw, struct inotify *in, struct inode *inode, u32 mask)
{
	struct watch *w;
	int err;

	if (!charge(&in->user->inotify_watches, READ_ONCE(g_inotify_max_watches)))
		return -ENOSPC;
	w = slab_alloc(&g_watch_cache, GFP_KERNEL);
	if (!w) {
		__atomic_fetch_sub(&in->user->inotify_watches, 1, __ATOMIC_RELAXED);
		return -ENOMEM;
	}
	*w = (struct watch){.inode = inode,
		.instance = in,
		.mask = mask & (IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT)};
	list_init(&w->link);
	ref_init(&w->refs, 1);
	err = give_wd(in, w);
	if (err) {
		__atomic_fetch_sub(&in->user->inotify_watches, 1, __ATOMIC_RELAXED);
		slab_free(&g_watch_cache, w);
		return err;
	}
	err = w->wd;
	get_inode(inode);
	ref_get(&in->refs);
	spin_lock(&iw->lock);
	list_add_tail(&w->link, &iw->watches);
	w->live = true;
	remask_locked(iw);
	spin_unlock(&iw->lock);
	return err;
}

int inotify_watch(struct file *f, struct inode *inode, u32 mask)
{
	struct inotify *in = f->priv;
	struct inode_watches *iw;
	int r;

	if (!inotify_is(f))
		return -EINVAL;
	iw = watches_make(inode);
	if (!iw)
		return -ENOMEM;
	mutex_lock(&in->changes);
	r = change_watch(iw, in, mask);
	if (r == 0)
		r = add_watch(iw, in, inode, mask);
	mutex_unlock(&in->changes);
	return r;
}

int inotify_unwatch(struct file *f, int wd)
{
	struct inotify *in = f->priv;
	struct watch *w;
	bool ended;

	if (!inotify_is(f) || wd <= 0)
		return -EINVAL;
	/* Under the mutex a watch that has a descriptor is also on its inode's list. */
	mutex_lock(&in->changes);
	spin_lock(&in->lock);
	w = xa_load(&in->watches, (u64)wd);
	if (w)
		ref_get(&w->refs);
	spin_unlock(&in->lock);
	ended = w && end_watch(w, true);
	mutex_unlock(&in->changes);
	return ended ? 0 : -EINVAL;
}

/* As Linux: the watches of a user may take about 1% of memory, an inode included. */
static int inotify_init(void)
{
	u64 per_watch = sizeof(struct watch) + 2 * sizeof(struct inode);

	g_inotify_max_watches = (int)clamp(
		(u64)g_nr_frames * PAGE_SIZE / 100 / per_watch, 8192ul, 1048576ul);
	return 0;
}
INIT_HOOK(INIT_CORE, inotify_init);
