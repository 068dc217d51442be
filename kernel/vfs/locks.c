/*
 * File locks: flock(2), POSIX record locks and open-file-description locks (fcntl(2)).
 *
 * An inode that was ever locked has two sets: "records" (POSIX and OFD, which exclude each other)
 * and "flocks" (whole files). A lock covers [start, last] for one owner: the descriptor table for
 * POSIX, the open file for OFD and flock. In a set every lock is in the tree of its type, where
 * conflicts are found, and in the tree of its owner, whose locks never overlap each other. So a
 * request costs O(log n) for each lock that it conflicts with or replaces, whatever others hold.
 *
 * Who has to wait queues on the lock in the way and is woken when that lock shrinks or goes; then
 * it tries again. Waits between POSIX owners are followed for a cycle first (EDEADLK).
 *
 * Locks: inode_locks->lock (RANK_FLOCK) guards both sets and their waiters. Inside it:
 * g_waits_lock (the waits-for graph). g_inodes_lock guards the list of inodes with locks and is
 * taken before an inode's.
 */
#include <kmem/slab.h>
#include <lib/itree.h>
#include <lib/seq_buf.h>
#include <lib/string.h>
#include <linux/fs.h>
#include "internal.h"

#define OFFSET_LAST ((u64)S64_MAX)

enum lock_kind { LOCK_KIND_POSIX, LOCK_KIND_OFD, LOCK_KIND_FLOCK };

struct lock_owner {          /* in lock_set.owners while it holds anything */
	struct rb_node node; /* by key */
	void *key;
	struct itree_root locks;
};

struct file_lock {
	struct itree_node in_type;  /* set->of_type[write] */
	struct itree_node in_owner; /* owner->locks */
	struct lock_owner *owner;
	bool write;
	u8 kind;
	s32 pid;                  /* for F_GETLK and /proc/locks */
	const struct file *file;  /* by which it was set; only compared */
	struct list_head waiters; /* lock_waiter.link */
};

struct lock_set {
	struct rb_root owners;
	struct itree_root of_type[2]; /* reads, writes */
};

struct inode_locks {
	struct spinlock lock;
	struct inode *inode;
	struct lock_set records, flocks;
	struct list_head link; /* g_inodes */
	u32 nr_locks;          /* lock */
	u32 nr_waiters;        /* lock */
};

struct lock_waiter {
	struct list_head link;
	struct wait_queue wake;
	struct file_lock *blocker; /* NULL: try again; inode_locks->lock */
	const struct lock_request *rq;
	/* for the waits-for graph; g_waits_lock */
	void *owner, *blocked_by;
	struct hlist_node wait_link;
};

struct lock_request {
	struct lock_set *set;
	void *key;
	u64 start, last;
	bool write, unlock;
	u8 kind;
	s32 pid;
	const struct file *file;
};

/* What a change may need: made before the spinlock is taken, leftovers and losers freed after. */
struct lock_spares {
	struct file_lock *lock[2];
	struct lock_owner *owner;
	struct list_head gone; /* file_lock.waiters reused as link */
	struct lock_owner *owner_gone;
};

static SLAB_CACHE(g_lock_cache, struct file_lock);
static SLAB_CACHE(g_owner_cache, struct lock_owner);
static DEFINE_SPINLOCK(g_inodes_lock, RANK_FLOCK);
static LIST_HEAD(g_inodes);

#define WAIT_BUCKETS   64
#define WAIT_MAX_CHAIN 1000 /* owners followed in search of a cycle */
static DEFINE_SPINLOCK(g_waits_lock, RANK_FLOCK);
static struct hlist_head g_waits[WAIT_BUCKETS]; /* by owner */

/* ---- the inode's state ------------------------------------------------------------------------ */

static struct inode_locks *locks_of(struct inode *inode)
{
	return rcu_load(inode->locks);
}

static struct inode_locks *locks_make(struct inode *inode)
{
	struct inode_locks *il = locks_of(inode), *old = NULL;

	if (il)
		return il;
	il = kzalloc(sizeof(*il), GFP_KERNEL);
	if (!il)
		return NULL;
	spin_init(&il->lock, RANK_FLOCK);
	il->inode = inode;
	spin_lock(&g_inodes_lock);
	if (!try_cmpxchg(&inode->locks, &old, il)) {
		spin_unlock(&g_inodes_lock);
		kfree(il);
		return old;
	}
	list_add_tail(&il->link, &g_inodes);
	spin_unlock(&g_inodes_lock);
	return il;
}

void inode_locks_free(struct inode *inode)
{
	struct inode_locks *il = inode->locks;

	if (likely(!il))
		return;
	spin_lock(&g_inodes_lock);
	list_del(&il->link);
	spin_unlock(&g_inodes_lock);
	inode->locks = NULL;
	kfree(il);
}

/* ---- owners and locks in their trees ------------------------------------------------------------
 */

static struct lock_owner *owner_find(const struct lock_set *set, const void *key)
{
	struct rb_node *n = set->owners.node;

	while (n) {
		struct lock_owner *o = rb_entry(n, struct lock_owner, node);

		if (o->key == key)
			return o;
		n = (uintptr_t)key < (uintptr_t)o->key ? n->left : n->right;
	}
	return NULL;
}

static struct lock_owner *owner_get(struct lock_set *set, void *key, struct lock_spares *sp)
{
	struct rb_node **at = &set->owners.node, *parent = NULL;
	struct lock_owner *o;

	while (*at) {
		parent = *at;
		o = rb_entry(parent, struct lock_owner, node);
		if (o->key == key)
			return o;
		at = (uintptr_t)key < (uintptr_t)o->key ? &parent->left : &parent->right;
	}
	o = sp->owner;
	sp->owner = NULL;
	*o = (struct lock_owner){.key = key};
	rb_insert(&set->owners, &o->node, parent, at);
	return o;
}

static u64 lock_start(const struct file_lock *l)
{
	return l->in_owner.start;
}

static u64 lock_last(const struct file_lock *l)
{
	return l->in_owner.last;
}

static void lock_link(struct lock_set *set, struct file_lock *l, u64 start, u64 last)
{
	l->in_type.start = l->in_owner.start = start;
	l->in_type.last = l->in_owner.last = last;
	itree_insert(&set->of_type[l->write], &l->in_type);
	itree_insert(&l->owner->locks, &l->in_owner);
}

static void lock_unlink(struct lock_set *set, struct file_lock *l)
{
	itree_remove(&set->of_type[l->write], &l->in_type);
	itree_remove(&l->owner->locks, &l->in_owner);
}

static void wake_waiters(struct inode_locks *il, struct file_lock *l)
{
	struct lock_waiter *w, *next;

	list_for_each_entry_safe(w, next, &l->waiters, link) {
		list_del(&w->link);
		il->nr_waiters--;
		WRITE_ONCE(w->blocker, NULL);
		wake_up_all(&w->wake);
	}
}

static void lock_remove(
	struct inode_locks *il, struct lock_set *set, struct file_lock *l, struct lock_spares *sp)
{
	lock_unlink(set, l);
	wake_waiters(il, l);
	il->nr_locks--;
	list_add(&l->waiters, &sp->gone);
}

static void lock_resize(
	struct inode_locks *il, struct lock_set *set, struct file_lock *l, u64 start, u64 last)
{
	lock_unlink(set, l);
	lock_link(set, l, start, last);
	wake_waiters(il, l);
}

static void lock_add(struct inode_locks *il, const struct lock_request *rq, struct lock_owner *o,
	bool write, u64 start, u64 last, struct lock_spares *sp)
{
	int slot = sp->lock[0] ? 0 : 1;
	struct file_lock *l = sp->lock[slot];

	sp->lock[slot] = NULL;
	*l = (struct file_lock){
		.owner = o, .write = write, .kind = rq->kind, .pid = rq->pid, .file = rq->file};
	list_init(&l->waiters);
	lock_link(rq->set, l, start, last);
	il->nr_locks++;
}

static void owner_drop_if_empty(struct lock_set *set, struct lock_owner *o, struct lock_spares *sp)
{
	if (o && itree_empty(&o->locks)) {
		rb_erase(&set->owners, &o->node);
		sp->owner_gone = o;
	}
}

static int spares_make(struct lock_spares *sp)
{
	*sp = (struct lock_spares){0};
	list_init(&sp->gone);
	sp->lock[0] = slab_alloc(&g_lock_cache, GFP_KERNEL);
	sp->lock[1] = slab_alloc(&g_lock_cache, GFP_KERNEL);
	sp->owner = slab_alloc(&g_owner_cache, GFP_KERNEL);
	return sp->lock[0] && sp->lock[1] && sp->owner ? 0 : -ENOLCK;
}

static void spares_free(struct lock_spares *sp)
{
	struct file_lock *l, *next;

	list_for_each_entry_safe(l, next, &sp->gone, waiters)
		slab_free(&g_lock_cache, l);
	slab_free(&g_lock_cache, sp->lock[0]);
	slab_free(&g_lock_cache, sp->lock[1]);
	slab_free(&g_owner_cache, sp->owner);
	slab_free(&g_owner_cache, sp->owner_gone);
}

/* ---- conflicts and changes
 * ----------------------------------------------------------------------- */

static struct file_lock *conflict_in(const struct lock_request *rq, bool write)
{
	struct itree_node *n = itree_first(&rq->set->of_type[write], rq->start, rq->last);

	for (; n; n = itree_next(n, rq->start, rq->last)) {
		struct file_lock *l = container_of(n, struct file_lock, in_type);

		if (l->owner->key != rq->key)
			return l;
	}
	return NULL;
}

/* The conflicting lock with the lowest start, or NULL. */
static struct file_lock *find_conflict(const struct lock_request *rq)
{
	struct file_lock *w = conflict_in(rq, true), *r = rq->write ? conflict_in(rq, false) : NULL;

	if (!w || !r)
		return w ? w : r;
	return lock_start(r) < lock_start(w) ? r : w;
}

/*
 * Give the owner exactly the requested type on the range (or nothing there). Locks of the same type
 * that touch the range are merged into one; others keep what lies outside. At most two new locks:
 * the range itself and the tail of one that is split.
 */
static void apply(struct inode_locks *il, const struct lock_request *rq, struct lock_spares *sp)
{
	struct lock_owner *o = rq->unlock ? owner_find(rq->set, rq->key)
					  : owner_get(rq->set, rq->key, sp);
	u64 start = rq->start, last = rq->last, from, to;
	struct itree_node *n, *next;

	if (!o)
		return;
	from = start ? start - 1 : 0;
	to = last < OFFSET_LAST ? last + 1 : last;
	for (n = itree_first(&o->locks, from, to); n; n = next) {
		struct file_lock *l = container_of(n, struct file_lock, in_owner);
		u64 ls = lock_start(l), ll = lock_last(l);

		next = itree_next(n, from, to);
		if (!rq->unlock && l->write == rq->write) {
			if (ls <= rq->start && ll >= rq->last)
				return; /* covered already */
			start = min(start, ls);
			last = max(last, ll);
			lock_remove(il, rq->set, l, sp);
			continue;
		}
		if (ll < rq->start || ls > rq->last)
			continue; /* only adjacent */
		if (ls < rq->start && ll > rq->last) {
			lock_add(il, rq, o, l->write, rq->last + 1, ll, sp);
			lock_resize(il, rq->set, l, ls, rq->start - 1);
			break; /* it surrounded the range: nothing else of ours there */
		}
		if (ls < rq->start)
			lock_resize(il, rq->set, l, ls, rq->start - 1);
		else if (ll > rq->last)
			lock_resize(il, rq->set, l, rq->last + 1, ll);
		else
			lock_remove(il, rq->set, l, sp);
	}
	if (!rq->unlock)
		lock_add(il, rq, o, rq->write, start, last, sp);
	owner_drop_if_empty(rq->set, o, sp);
}

static struct hlist_head *wait_bucket(const void *owner)
{
	return &g_waits[hash_ptr(owner) % WAIT_BUCKETS];
}

/* Would owner waiting for blocker close a cycle? Then false, else w is in the graph. */
static bool wait_enter(struct lock_waiter *w, void *owner, void *blocker)
{
	void *at = blocker;
	bool cycle = false;

	spin_lock_nested(&g_waits_lock); /* inside the inode's lock, leaf */
	for (int i = 0; at && i < WAIT_MAX_CHAIN && !cycle; i++) {
		struct lock_waiter *x;
		void *next = NULL;

		cycle = at == owner;
		hlist_for_each_entry(x, wait_bucket(at), wait_link)
			if (x->owner == at) {
				next = x->blocked_by;
				break;
			}
		at = next;
	}
	if (!cycle) {
		w->owner = owner;
		w->blocked_by = blocker;
		hlist_add_head(&w->wait_link, wait_bucket(owner));
	}
	spin_unlock(&g_waits_lock);
	return !cycle;
}

static void wait_leave(struct lock_waiter *w)
{
	spin_lock(&g_waits_lock);
	hlist_del(&w->wait_link);
	spin_unlock(&g_waits_lock);
}

/* Wait for the lock in the way to change. il->lock is held and given up. */
static int wait_for(
	struct inode_locks *il, const struct lock_request *rq, struct file_lock *blocker)
{
	struct lock_waiter w = {.blocker = blocker, .rq = rq};
	bool posix = rq->kind == LOCK_KIND_POSIX;
	int err;

	/* OFD and flock owners are files, not someone who waits: no deadlock can be told. */
	if (posix && !wait_enter(&w, rq->key, blocker->owner->key)) {
		spin_unlock(&il->lock);
		return -EDEADLK;
	}
	wait_queue_init(&w.wake);
	list_add_tail(&w.link, &blocker->waiters);
	il->nr_waiters++;
	spin_unlock(&il->lock);
	err = wait_event_interruptible(&w.wake, !READ_ONCE(w.blocker));
	spin_lock(&il->lock); /* also: whoever woke us is done with w */
	if (w.blocker) {
		list_del(&w.link);
		il->nr_waiters--;
	}
	spin_unlock(&il->lock);
	if (posix)
		wait_leave(&w);
	return err;
}

/* 0, -EAGAIN, -EDEADLK, -ENOLCK, -ERESTARTSYS. convert: give up what the owner has first (flock). */
static int lock_set_range(
	struct inode_locks *il, const struct lock_request *rq, bool wait, bool convert)
{
	for (;;) {
		struct lock_spares sp;
		struct file_lock *in_way = NULL;
		int err = spares_make(&sp);

		if (err) {
			spares_free(&sp);
			return err;
		}
		spin_lock(&il->lock);
		if (!rq->unlock)
			in_way = find_conflict(rq);
		if (in_way && convert) {
			struct lock_request drop = *rq;

			drop.unlock = true;
			apply(il, &drop, &sp);
		}
		if (!in_way) {
			apply(il, rq, &sp);
			spin_unlock(&il->lock);
			spares_free(&sp);
			return 0;
		}
		if (!wait) {
			spin_unlock(&il->lock);
			spares_free(&sp);
			return -EAGAIN;
		}
		err = wait_for(il, rq, in_way);
		spares_free(&sp);
		if (err)
			return err;
	}
}

/* ---- fcntl: POSIX and OFD
 * -------------------------------------------------------------------------- */

/* The range that l_whence, l_start and l_len name. */
static int flock_range(struct file *f, const struct flock *fl, u64 *start, u64 *last)
{
	s64 base, from, end;

	switch (fl->l_whence) {
	case SEEK_SET:
		base = 0;
		break;
	case SEEK_CUR:
		base = READ_ONCE(f->pos);
		break;
	case SEEK_END:
		base = (s64)READ_ONCE(f->inode->object.size);
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, fl->l_start, &from))
		return -EOVERFLOW;
	if (from < 0)
		return -EINVAL;
	if (fl->l_len > 0) {
		if (__builtin_add_overflow(from, fl->l_len - 1, &end))
			return -EOVERFLOW;
	} else if (fl->l_len < 0) {
		if (from + fl->l_len < 0)
			return -EINVAL;
		end = from - 1;
		from += fl->l_len;
	} else {
		end = S64_MAX;
	}
	*start = (u64)from;
	*last = (u64)end;
	return 0;
}

static void describe(struct flock *fl, const struct file_lock *l)
{
	if (!l) {
		fl->l_type = F_UNLCK;
		return;
	}
	fl->l_type = l->write ? F_WRLCK : F_RDLCK;
	fl->l_whence = SEEK_SET;
	fl->l_start = (s64)lock_start(l);
	fl->l_len = lock_last(l) == OFFSET_LAST ? 0 : (s64)(lock_last(l) - lock_start(l) + 1);
	fl->l_pid = l->kind == LOCK_KIND_OFD ? -1 : l->pid;
}

static int lock_test(struct inode_locks *il, const struct lock_request *rq, struct flock *fl)
{
	if (!il) {
		describe(fl, NULL);
		return 0;
	}
	spin_lock(&il->lock);
	describe(fl, find_conflict(rq));
	spin_unlock(&il->lock);
	return 0;
}

int lock_posix(struct file *f, int cmd, struct flock *fl, void *owner, s32 pid)
{
	bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
	bool test = cmd == F_GETLK || cmd == F_OFD_GETLK;
	struct lock_request rq = {.key = owner,
		.file = f,
		.pid = ofd ? -1 : pid,
		.kind = ofd ? LOCK_KIND_OFD : LOCK_KIND_POSIX,
		.write = fl->l_type == F_WRLCK,
		.unlock = fl->l_type == F_UNLCK};
	struct inode_locks *il;
	int err;

	if (test && fl->l_type != F_RDLCK && fl->l_type != F_WRLCK)
		return -EINVAL;
	err = flock_range(f, fl, &rq.start, &rq.last);
	if (err)
		return err;
	if (ofd && fl->l_pid != 0)
		return -EINVAL;
	if (fl->l_type != F_RDLCK && fl->l_type != F_WRLCK && fl->l_type != F_UNLCK)
		return -EINVAL;
	if (!test && fl->l_type == F_RDLCK && !(f->mode & FMODE_READ))
		return -EBADF;
	if (!test && fl->l_type == F_WRLCK && !(f->mode & FMODE_WRITE))
		return -EBADF;
	il = test || rq.unlock ? locks_of(f->inode) : locks_make(f->inode);
	if (il)
		rq.set = &il->records;
	if (test)
		return lock_test(il, &rq, fl);
	if (!il)
		return rq.unlock ? 0 : -ENOLCK;
	return lock_set_range(il, &rq, cmd == F_SETLKW || cmd == F_OFD_SETLKW, false);
}

int lock_flock(struct file *f, int op, s32 pid)
{
	struct lock_request rq = {
		.key = f, .file = f, .last = OFFSET_LAST, .kind = LOCK_KIND_FLOCK, .pid = pid};
	struct inode_locks *il;

	if (op & LOCK_MAND)
		return 0; /* Linux gave them up and lets such calls pass */
	switch (op & ~LOCK_NB) {
	case LOCK_SH:
		break;
	case LOCK_EX:
		rq.write = true;
		break;
	case LOCK_UN:
		rq.unlock = true;
		break;
	default:
		return -EINVAL;
	}
	il = rq.unlock ? locks_of(f->inode) : locks_make(f->inode);
	if (!il)
		return rq.unlock ? 0 : -ENOLCK;
	rq.set = &il->flocks;
	return lock_set_range(il, &rq, !(op & LOCK_NB), true);
}

/* ---- release
 * ----------------------------------------------------------------------------------------- */

static void release_owner(struct inode_locks *il, struct lock_set *set, void *key)
{
	struct lock_spares sp = {0};
	struct lock_owner *o;
	struct itree_node *n;

	list_init(&sp.gone);
	spin_lock(&il->lock);
	o = owner_find(set, key);
	while (o && (n = itree_first(&o->locks, 0, OFFSET_LAST)) != NULL)
		lock_remove(il, set, container_of(n, struct file_lock, in_owner), &sp);
	owner_drop_if_empty(set, o, &sp);
	spin_unlock(&il->lock);
	spares_free(&sp);
}

void locks_release_posix(struct file *f, void *owner)
{
	struct inode_locks *il = locks_of(f->inode);

	/* A lock of ours that another thread is just setting: fcntl looks again whether the
	 * descriptor is still open. */
	if (il && READ_ONCE(il->records.owners.node))
		release_owner(il, &il->records, owner);
}

void locks_release_file(struct file *f)
{
	struct inode_locks *il = locks_of(f->inode);

	if (!il)
		return;
	release_owner(il, &il->records, f);
	release_owner(il, &il->flocks, f);
}

/* ---- /proc/locks
 * ---------------------------------------------------------------------------------------- */

struct lock_info {
	u8 kind;
	bool write, waits;
	s32 pid;
	kdev_t dev;
	u64 ino, start, last;
};

static void show_one(struct seq_buf *s, const char *prefix, u32 nr, const struct lock_info *i)
{
	static const char *const kinds[] = {
		[LOCK_KIND_POSIX] = "POSIX ", [LOCK_KIND_OFD] = "OFDLCK", [LOCK_KIND_FLOCK] = "FLOCK "};

	seq_printf(s, "%s%u: %s%s ADVISORY  %s %d %02x:%02x:%llu %llu ", prefix, nr,
		i->waits ? "-> " : "", kinds[i->kind], i->write ? "WRITE" : "READ", i->pid,
		dev_major(i->dev), dev_minor(i->dev), (unsigned long long)i->ino,
		(unsigned long long)i->start);
	if (i->last == OFFSET_LAST)
		seq_puts(s, "EOF\n");
	else
		seq_printf(s, "%llu\n", (unsigned long long)i->last);
}

/* What is to be shown: copied under the locks, made text of outside, as growing a buffer sleeps. */
struct lock_infos {
	struct lock_info *info;
	u32 n, max;
};

static void add_info(struct lock_infos *to, const struct inode_locks *il, const struct lock_info *i)
{
	if (to->n == to->max)
		return;
	to->info[to->n] = *i;
	to->info[to->n].dev = il->inode->super ? il->inode->super->dev : 0;
	to->info[to->n++].ino = il->inode->ino;
}

static void add_lock(struct lock_infos *to, const struct inode_locks *il, const struct file_lock *l)
{
	add_info(to, il,
		&(struct lock_info){.kind = l->kind,
			.write = l->write,
			.pid = l->pid,
			.start = lock_start(l),
			.last = lock_last(l)});
}

static void add_waiters(
	struct lock_infos *to, const struct inode_locks *il, const struct file_lock *l)
{
	const struct lock_waiter *w;

	list_for_each_entry(w, &l->waiters, link)
		add_info(to, il,
			&(struct lock_info){.kind = w->rq->kind,
				.write = w->rq->write,
				.waits = true,
				.pid = w->rq->pid,
				.start = w->rq->start,
				.last = w->rq->last});
}

/* All locks of a set, each with who waits for it. */
static void collect(struct lock_infos *to, const struct inode_locks *il, const struct lock_set *set)
{
	for (int write = 0; write < 2; write++) {
		struct itree_node *t = itree_first(&set->of_type[write], 0, OFFSET_LAST);

		for (; t && to->n < to->max; t = itree_next(t, 0, OFFSET_LAST)) {
			const struct file_lock *l = container_of(t, struct file_lock, in_type);

			add_lock(to, il, l);
			add_waiters(to, il, l);
		}
	}
}

/* Those of one owner that came by the file. */
static void collect_owned(struct lock_infos *to, const struct inode_locks *il,
	const struct lock_set *set, const void *key, const struct file *f)
{
	const struct lock_owner *o = owner_find(set, key);
	struct itree_node *t = o ? itree_first(&o->locks, 0, OFFSET_LAST) : NULL;

	for (; t; t = itree_next(t, 0, OFFSET_LAST)) {
		const struct file_lock *l = container_of(t, struct file_lock, in_owner);

		if (l->file == f)
			add_lock(to, il, l);
	}
}

/* Room for count and some that may come meanwhile; false: none. */
static bool infos_make(struct lock_infos *to, u32 count)
{
	to->n = 0;
	to->max = count + 16;
	to->info = kvmalloc(to->max * sizeof(*to->info), GFP_KERNEL);
	return to->info != NULL;
}

/* Who waits has the number of the lock in the way. */
static void infos_show(struct lock_infos *all, const char *prefix, struct seq_buf *s)
{
	u32 nr = 0;

	for (u32 i = 0; i < all->n; i++) {
		if (!all->info[i].waits)
			nr++;
		show_one(s, prefix, nr, &all->info[i]);
	}
	kvfree(all->info);
}

void locks_show(struct seq_buf *s)
{
	struct lock_infos all;
	struct inode_locks *il;
	u32 count = 0;

	spin_lock(&g_inodes_lock);
	list_for_each_entry(il, &g_inodes, link)
		count += READ_ONCE(il->nr_locks) + READ_ONCE(il->nr_waiters);
	spin_unlock(&g_inodes_lock);
	if (!count)
		return;
	if (!infos_make(&all, count)) {
		s->overflow = true;
		return;
	}
	spin_lock(&g_inodes_lock);
	list_for_each_entry(il, &g_inodes, link) {
		spin_lock_nested(&il->lock); /* after g_inodes_lock */
		collect(&all, il, &il->records);
		collect(&all, il, &il->flocks);
		spin_unlock(&il->lock);
	}
	spin_unlock(&g_inodes_lock);
	infos_show(&all, "", s);
}

void locks_show_fdinfo(struct file *f, void *files, struct seq_buf *s)
{
	struct inode_locks *il = f->inode ? locks_of(f->inode) : NULL;
	struct lock_infos all;

	if (!il || !READ_ONCE(il->nr_locks))
		return;
	if (!infos_make(&all, READ_ONCE(il->nr_locks))) {
		s->overflow = true;
		return;
	}
	spin_lock(&il->lock);
	collect_owned(&all, il, &il->records, files, f);
	collect_owned(&all, il, &il->records, f, f);
	collect_owned(&all, il, &il->flocks, f, f);
	spin_unlock(&il->lock);
	infos_show(&all, "lock:\t", s);
}
