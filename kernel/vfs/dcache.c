/*
 * The dentry cache: names to inodes, negative entries included.
 *
 * A dentry is in a global hash table keyed by parent and name. Lookups are lock-free under RCU: the
 * name is compared between two reads of dentry->seq, the reference is taken by compare-exchange, or
 * under dentry->lock when the count is zero (cached, nobody uses it). A dentry holds a reference on
 * its parent. At zero it stays on the LRU list unless it is unhashed or marked NOCACHE.
 *
 * Locks: parent's lock before child's; then a hash bucket's, then the LRU's. g_rename_seq is
 * written under g_rename_lock when a name, a parent or a mount changes, for walkers.
 */
#include <core/init.h>
#include <core/log.h>
#include <core/trace.h>
#include <kmem/slab.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <vfs/inotify.h>
#include <vm/writeback.h>
#include "internal.h"
#include "name_hash.h"

static SLAB_CACHE_FLAGS(g_dentry_cache, struct dentry, SLAB_RECLAIMABLE);

#define NR_BUCKET_LOCKS 256
static struct hlist_head *g_table; /* immutable pointer after start-up */
static u64 g_table_mask;
u64 g_name_seed;
static struct spinlock g_bucket_locks[NR_BUCKET_LOCKS];
static DEFINE_SPINLOCK(g_lru_lock, RANK_LRU);
static LIST_HEAD(g_lru);
static u64 g_nr_lru, g_nr_negative; /* g_lru_lock; negative: of those on the list */
int g_vfs_cache_pressure = 100;
static DEFINE_SPINLOCK(g_rename_lock, RANK_MOUNT);
struct seqcount g_rename_seq;

void tree_write_begin(void)
{
	spin_lock(&g_rename_lock);
	seq_write_begin(&g_rename_seq);
}

void tree_write_end(void)
{
	seq_write_end(&g_rename_seq);
	spin_unlock(&g_rename_lock);
}

static u64 bucket_of(const struct dentry *parent, u32 hash)
{
	return hash_u64((u64)(uintptr_t)parent ^ hash) & g_table_mask;
}

/* ---- references
 * ------------------------------------------------------------------------------------ */

void get_dentry(struct dentry *d)
{
	ref_get(&d->refs);
}

/* Reference to a dentry found under RCU; false when it is dead. */
bool dentry_get_live(struct dentry *d)
{
	u32 old = ref_read(&d->refs);

	while (old > 0)
		if (try_cmpxchg(&d->refs.n, &old, old + 1))
			return true;
	spin_lock(&d->lock);
	if (d->flags & DENTRY_DEAD) {
		spin_unlock(&d->lock);
		return false;
	}
	__atomic_fetch_add(&d->refs.n, 1, __ATOMIC_RELAXED); /* 0 -> 1 is legal under the lock */
	spin_unlock(&d->lock);
	return true;
}

static void unhash_locked(struct dentry *d)
{
	u64 b;

	if (d->flags & DENTRY_UNHASHED)
		return;
	d->flags |= DENTRY_UNHASHED;
	b = bucket_of(d->parent, d->name.hash);
	spin_lock(&g_bucket_locks[b % NR_BUCKET_LOCKS]);
	hlist_del(&d->hash);
	spin_unlock(&g_bucket_locks[b % NR_BUCKET_LOCKS]);
}

/* g_lru_lock held; d is on the list. */
static void lru_take(struct dentry *d)
{
	d->on_lru = false;
	list_del(&d->lru);
	g_nr_lru--;
	g_nr_negative -= d->lru_negative;
}

static void lru_remove(struct dentry *d)
{
	if (!READ_ONCE(d->on_lru))
		return; /* d->lock is held: nobody puts it there now */
	spin_lock(&g_lru_lock);
	if (d->on_lru)
		lru_take(d);
	spin_unlock(&g_lru_lock);
}

static void free_dentry_rcu(struct rcu_head *head)
{
	struct dentry *d = container_of(head, struct dentry, rcu);

	if (d->name.name != d->inline_name)
		kfree(d->name.name);
	slab_free(&g_dentry_cache, d);
}

/*
 * Kill d, found under RCU with a count of zero, unless somebody uses it by now. Gives up the RCU
 * read section: letting go of the inode sleeps. Returns the parent whose reference is to be put, or
 * NULL.
 */
static struct dentry *kill_unlock_rcu(struct dentry *d)
{
	struct dentry *parent = READ_ONCE(d->parent);
	struct inode *inode;
	bool last = false;

	if (parent != d)
		spin_lock(&parent->lock);
	spin_lock_nested(&d->lock); /* a child, after its parent */
	/* A rename may have moved it between reading the parent and locking it. */
	if (ref_read(&d->refs) != 0 || (d->flags & DENTRY_DEAD) || d->parent != parent) {
		spin_unlock(&d->lock);
		if (parent != d)
			spin_unlock(&parent->lock);
		rcu_read_unlock();
		return NULL;
	}
	d->flags |= DENTRY_DEAD;
	unhash_locked(d);
	lru_remove(d);
	inode = d->inode;
	store_release(&d->inode, NULL); /* pairs with rcu_lookup's barrier */
	if (parent != d)
		list_del(&d->sibling);
	spin_unlock(&d->lock);
	if (parent != d)
		spin_unlock(&parent->lock);
	rcu_read_unlock();
	if (inode) {
		spin_lock(&inode->spin);
		list_del(&d->alias);
		last = list_empty(&inode->dentries);
		spin_unlock(&inode->spin);
		if (last && unlikely(inode->watches) && inode->nlink == 0)
			notify_inode_deleted(inode);
		put_inode(inode);
	}
	rcu_call(&d->rcu, free_dentry_rcu);
	return parent != d ? parent : NULL;
}

void put_dentry(struct dentry *d)
{
	while (d) {
		u32 old = ref_read(&d->refs);
		bool kill;

		while (old > 1)
			if (try_cmpxchg(&d->refs.n, &old, old - 1))
				return;
		spin_lock(&d->lock);
		if (!ref_put(&d->refs)) {
			spin_unlock(&d->lock);
			return;
		}
		kill = (d->flags & (DENTRY_UNHASHED | DENTRY_NOCACHE)) != 0;
		if (!kill && !d->on_lru) {
			spin_lock(&g_lru_lock);
			d->on_lru = true;
			list_add(&d->lru, &g_lru);
			g_nr_lru++;
			d->lru_negative = !d->inode;
			g_nr_negative += d->lru_negative;
			spin_unlock(&g_lru_lock);
		}
		/* A concurrent shrinker may free it as soon as the lock is gone: RCU keeps it. */
		rcu_read_lock();
		spin_unlock(&d->lock);
		if (!kill) {
			rcu_read_unlock();
			return;
		}
		d = kill_unlock_rcu(d);
	}
}

/* ---- making and finding
 * ---------------------------------------------------------------------------- */

struct dentry *dentry_alloc(struct dentry *parent, const struct qstr *name)
{
	struct dentry *d = slab_alloc(&g_dentry_cache, GFP_KERNEL | GFP_ZERO);
	char *text;

	if (!d)
		return NULL;
	text = d->inline_name;
	if (name->len >= sizeof(d->inline_name)) {
		text = kmalloc(name->len + 1, GFP_KERNEL);
		if (!text) {
			slab_free(&g_dentry_cache, d);
			return NULL;
		}
	}
	memcpy(text, name->name, name->len);
	text[name->len] = 0;
	d->name = (struct qstr){name->hash, name->len, text};
	ref_init(&d->refs, 1);
	spin_init(&d->lock, RANK_DCACHE);
	d->flags = DENTRY_UNHASHED;
	list_init(&d->children);
	list_init(&d->sibling);
	list_init(&d->lru);
	list_init(&d->alias);
	d->parent = d;
	if (parent) {
		get_dentry(parent);
		d->parent = parent;
		d->super = parent->super;
		spin_lock(&parent->lock);
		list_add_tail(&d->sibling, &parent->children);
		spin_unlock(&parent->lock);
	}
	return d;
}

struct dentry *dentry_make_root(struct inode *i)
{
	static const struct qstr name = {0, 1, "/"};
	struct dentry *d = dentry_alloc(NULL, &name);

	if (!d) {
		put_inode(i);
		return NULL;
	}
	d->super = i->super;
	dentry_instantiate(d, i);
	return d;
}

void dentry_instantiate(struct dentry *d, struct inode *i)
{
	if (!i)
		return;
	spin_lock(&d->lock);
	seq_write_begin(&d->seq);
	rcu_publish(d->inode, i);
	seq_write_end(&d->seq);
	if (unlikely(d->lru_negative)) {
		spin_lock(&g_lru_lock);
		g_nr_negative -= d->on_lru && d->lru_negative;
		d->lru_negative = false;
		spin_unlock(&g_lru_lock);
	}
	spin_unlock(&d->lock);
	spin_lock(&i->spin);
	list_add_tail(&d->alias, &i->dentries);
	spin_unlock(&i->spin);
}

void dcache_insert(struct dentry *d)
{
	u64 b = bucket_of(d->parent, d->name.hash);

	spin_lock(&d->lock);
	spin_lock(&g_bucket_locks[b % NR_BUCKET_LOCKS]);
	hlist_add_head(&d->hash, &g_table[b]);
	spin_unlock(&g_bucket_locks[b % NR_BUCKET_LOCKS]);
	d->flags &= ~DENTRY_UNHASHED;
	spin_unlock(&d->lock);
}

void dentry_publish(struct dentry *d)
{
	dcache_insert(d);
}

/* Is d the child "name" of parent right now? Bounded reads even while it is renamed. */
static bool matches(struct dentry *d, struct dentry *parent, u32 hash, const char *name, size_t len)
{
	const char *text;
	bool same;
	u32 seq;

	if (READ_ONCE(d->name.hash) != hash || READ_ONCE(d->parent) != parent)
		return false;
	do {
		seq = seq_read_begin(&d->seq);
		text = READ_ONCE(d->name.name);
		same = READ_ONCE(d->name.len) == len && READ_ONCE(d->parent) == parent;
		if (seq_read_retry(&d->seq, seq))
			continue;
		same = same && name_equal(text, name, len);
	} while (seq_read_retry(&d->seq, seq));
	return same;
}

static struct dentry *find_in_bucket(
	struct hlist_head *b, struct dentry *parent, u32 hash, const char *name, size_t len)
{
	struct dentry *d;

	hlist_for_each_entry(d, b, hash)
		if (matches(d, parent, hash, name, len) && dentry_get_live(d))
			return d;
	return NULL;
}

struct dentry *dcache_find_rcu(struct dentry *parent, const char *name, size_t len, u32 hash)
{
	struct dentry *d;

	hlist_for_each_entry(d, &g_table[bucket_of(parent, hash)], hash)
		if (matches(d, parent, hash, name, len))
			return d;
	return NULL;
}

struct dentry *dcache_find(struct dentry *parent, const char *name, size_t len)
{
	u32 hash = name_hash(name, len), seq;
	struct hlist_head *b = &g_table[bucket_of(parent, hash)];
	struct dentry *d;

	rcu_read_lock();
	do {
		/* A dentry that is renamed while we stand on it leads into another bucket: what we
		 * didn't see is only missing if nothing was renamed meanwhile. */
		seq = seq_read_begin(&g_rename_seq);
		d = find_in_bucket(b, parent, hash, name, len);
	} while (!d && seq_read_retry(&g_rename_seq, seq));
	rcu_read_unlock();
	return d;
}

struct dentry *dentry_lookup(struct dentry *parent, const char *name, size_t len)
{
	struct inode *dir = parent->inode;
	struct dentry *d;
	struct qstr q = {0, (u32)len, name};
	int err;

	if (len > NAME_MAX)
		return err_ptr(-ENAMETOOLONG);
	for (;;) {
		const struct inode_ops *ops;

		d = dcache_find(parent, name, len);
		if (!d)
			break;
		ops = d->inode ? d->inode->ops : dir->ops;
		if (!ops || !ops->revalidate || ops->revalidate(d))
			return d;
		dentry_drop(d);
		put_dentry(d);
	}
	if (dir->flags & INODE_DELETED)
		return err_ptr(-ENOENT);
	q.hash = name_hash(name, len);
	d = dentry_alloc(parent, &q);
	if (!d)
		return err_ptr(-ENOMEM);
	err = dir->ops->lookup(dir, d);
	if (err) {
		put_dentry(d);
		return err_ptr(err);
	}
	dcache_insert(d);
	return d;
}

/* ---- changes
 * ---------------------------------------------------------------------------------------- */

void dentry_drop(struct dentry *d)
{
	spin_lock(&d->lock);
	unhash_locked(d);
	spin_unlock(&d->lock);
}

void dentry_delete(struct dentry *d)
{
	dentry_drop(d); /* whoever has it open sees a deleted name */
}

static void swap_names(struct dentry *a, struct dentry *b)
{
	bool ai = a->name.name == a->inline_name, bi = b->name.name == b->inline_name;
	struct qstr an = a->name, bn = b->name;
	struct dentry *ap = a->parent, *bp = b->parent;
	char tmp[sizeof(a->inline_name)];

	seq_write_begin(&a->seq);
	seq_write_begin(&b->seq);
	memcpy(tmp, a->inline_name, sizeof(tmp));
	memcpy(a->inline_name, b->inline_name, sizeof(tmp));
	memcpy(b->inline_name, tmp, sizeof(tmp));
	WRITE_ONCE(a->parent, bp);
	WRITE_ONCE(b->parent, ap);
	a->name = (struct qstr){bn.hash, bn.len, bi ? a->inline_name : bn.name};
	b->name = (struct qstr){an.hash, an.len, ai ? b->inline_name : an.name};
	seq_write_end(&b->seq);
	seq_write_end(&a->seq);
}

/*
 * d takes target's place in the tree (its name and parent); without exchange the target becomes an
 * unhashed dentry under d's old name. Both directories are locked by the caller.
 */
void dentry_move(struct dentry *d, struct dentry *target, bool exchange)
{
	struct dentry *op = d->parent, *np = target->parent;
	bool target_hashed;

	tree_write_begin();
	spin_lock(&d->lock);
	unhash_locked(d);
	spin_unlock(&d->lock);
	spin_lock(&target->lock);
	target_hashed = !(target->flags & DENTRY_UNHASHED);
	unhash_locked(target);
	spin_unlock(&target->lock);
	swap_names(d, target);
	if (op != np) {
		spin_lock(&op->lock);
		list_del(&d->sibling);
		spin_unlock(&op->lock);
		spin_lock(&np->lock);
		list_del(&target->sibling);
		list_add_tail(&d->sibling, &np->children);
		spin_unlock(&np->lock);
		spin_lock(&op->lock);
		list_add_tail(&target->sibling, &op->children);
		spin_unlock(&op->lock);
		/* Each holds one reference on its new parent; the counts just change places. */
	}
	tree_write_end();
	dcache_insert(d);
	if (exchange && target_hashed)
		dcache_insert(target);
}

bool dentry_empty(struct dentry *dir)
{
	struct dentry *c;
	bool empty = true;

	spin_lock(&dir->lock);
	list_for_each_entry(c, &dir->children, sibling)
		if (c->inode && !(c->flags & DENTRY_UNHASHED)) {
			empty = false;
			break;
		}
	spin_unlock(&dir->lock);
	return empty;
}

bool dentry_is_ancestor(const struct dentry *a, const struct dentry *d)
{
	bool found;
	u32 seq;

	rcu_read_lock();
	do {
		const struct dentry *p = d;

		seq = seq_read_begin(&g_rename_seq);
		while (p != a && p != READ_ONCE(p->parent))
			p = READ_ONCE(p->parent);
		found = p == a;
	} while (seq_read_retry(&g_rename_seq, seq));
	rcu_read_unlock();
	return found;
}

#define BUSY_CHILDREN 256 /* children in use that are passed under the lock at a time */

/*
 * Unhash d's children behind "from" (NULL: all) up to the first that there is something to do
 * about, because it has children or because nobody uses it: that one, referenced. Each child is
 * looked at once.
 */
static struct dentry *next_child(struct dentry *d, struct dentry *from)
{
	struct list_head *at;
	struct dentry *found = NULL;
	u32 passed = 0;

	spin_lock(&d->lock);
	for (at = from ? from->sibling.next : d->children.next; at != &d->children && !found;
		at = at->next) {
		struct dentry *c = list_entry(at, struct dentry, sibling);

		spin_lock_nested(&c->lock); /* a child, after its parent */
		unhash_locked(c);
		if (ref_read(&c->refs) == 0 || !list_empty(&c->children) ||
			++passed == BUSY_CHILDREN) {
			/* 0 -> 1 is legal under the lock: a dead one has left the list. */
			__atomic_fetch_add(&c->refs.n, 1, __ATOMIC_RELAXED);
			found = c;
		}
		spin_unlock(&c->lock);
	}
	spin_unlock(&d->lock);
	return found;
}

/* Unhash everything cached below top and free what nobody uses (unmount, rmdir, a process's /proc
 * folder). Depth first without recursion: every dentry from top down to d is referenced, and so is
 * the child "from", which keeps the place in d's list. */
void dentry_invalidate_tree(struct dentry *top)
{
	struct dentry *d = top, *from = NULL, *next;

	for (;;) {
		next = next_child(d, from);
		if (from)
			put_dentry(from); /* unhashed: goes unless it is in use */
		cond_resched();
		if (next) {
			from = NULL;
			d = next;
			continue;
		}
		if (d == top)
			return;
		from = d;
		d = d->parent;
	}
}

/* ---- text
 * -------------------------------------------------------------------------------------------- */

static bool prepend(char **at, char *buf, const char *text, size_t len)
{
	if ((size_t)(*at - buf) < len)
		return false;
	*at -= len;
	memcpy(*at, text, len);
	return true;
}

char *path_format(const struct path *p, const struct path *root, char *buf, size_t size)
{
	char *at;
	bool ok, reached;
	u32 seq;

	rcu_read_lock();
	do {
		const struct dentry *d = p->dentry;
		const struct mount *m = p->mnt;

		at = buf + size - 1;
		*at = 0;
		ok = true;
		seq = seq_read_begin(&g_rename_seq);
		if ((d->flags & DENTRY_UNHASHED) && d != READ_ONCE(d->parent))
			ok = prepend(&at, buf, " (deleted)", 10);
		reached = true;
		while (ok && !(root && d == root->dentry && m == root->mnt)) {
			if (d == m->root || d == READ_ONCE(d->parent)) {
				const struct mount *up = READ_ONCE(m->parent);
				const struct dentry *at_up = READ_ONCE(m->mountpoint);

				if (d != m->root || !up || up == m || !at_up) {
					reached = root == NULL || (d == m->root && !root->dentry);
					break;
				}
				d = at_up;
				m = up;
				continue;
			}
			ok = prepend(&at, buf, d->name.name,
				     min_t(size_t, READ_ONCE(d->name.len), NAME_MAX)) &&
				prepend(&at, buf, "/", 1);
			d = READ_ONCE(d->parent);
		}
	} while (seq_read_retry(&g_rename_seq, seq));
	rcu_read_unlock();
	if (!ok)
		return err_ptr(-ENAMETOOLONG);
	if (*at == 0 || *at == ' ')
		if (!prepend(&at, buf, "/", 1))
			return err_ptr(-ENAMETOOLONG);
	if (!reached && !prepend(&at, buf, "(unreachable)", 13))
		return err_ptr(-ENAMETOOLONG);
	return at;
}

char *dentry_format(struct dentry *d, char *buf, size_t size)
{
	char *at;
	bool ok;
	u32 seq;

	rcu_read_lock();
	do {
		const struct dentry *p = d;

		at = buf + size - 1;
		*at = 0;
		ok = true;
		seq = seq_read_begin(&g_rename_seq);
		for (; ok && p != READ_ONCE(p->parent); p = READ_ONCE(p->parent))
			ok = prepend(&at, buf, p->name.name,
				     min_t(size_t, READ_ONCE(p->name.len), NAME_MAX)) &&
				prepend(&at, buf, "/", 1);
	} while (seq_read_retry(&g_rename_seq, seq));
	rcu_read_unlock();
	if (ok && *at == 0)
		ok = prepend(&at, buf, "/", 1);
	return ok ? at : err_ptr(-ENAMETOOLONG);
}

/* ---- memory pressure
 * ---------------------------------------------------------------------------------- */

static unsigned long dcache_count(void)
{
	return READ_ONCE(g_nr_lru) * (u64)READ_ONCE(g_vfs_cache_pressure) / 100;
}

void dcache_get_stats(u64 *all, u64 *unused, u64 *negative)
{
	*all = slab_in_use(&g_dentry_cache);
	*unused = READ_ONCE(g_nr_lru);
	*negative = READ_ONCE(g_nr_negative);
}

/* d's content has still to be written, which its flusher does better than whoever needs memory.
 * g_lru_lock held, d is on the list. */
static bool dirty_inode(const struct dentry *d)
{
	const struct inode *i = READ_ONCE(d->inode);

	if (!i || !i->object.wb || !object_is_dirty(&i->object))
		return false;
	writeback_start(i->object.wb);
	return true;
}

/* The same. */
static bool has_cached_pages(const struct dentry *d)
{
	const struct inode *i = READ_ONCE(d->inode);

	return i && READ_ONCE(i->object.nr_pages) > 0;
}

/* The dentry that was let go of longest ago, off the list, its super block pinned; NULL: none, or
 * one to pass over: what is dirty is the flusher's, and with a file's dentry would go all that is
 * cached of it, which has a list of its own to be reclaimed by. */
static struct dentry *next_victim(bool with_pages, bool *end)
{
	struct dentry *d = NULL;

	spin_lock(&g_lru_lock);
	*end = list_empty(&g_lru);
	if (!*end) {
		d = list_last_entry(&g_lru, struct dentry, lru);
		if (dirty_inode(d) || (!with_pages && has_cached_pages(d))) {
			list_move(&d->lru, &g_lru);
			d = NULL;
		} else {
			super_pin(d->super); /* not gone: its end takes d from the list first */
			lru_take(d);
		}
	}
	spin_unlock(&g_lru_lock);
	return d;
}

static unsigned long dcache_scan(unsigned long nr, u32 gfp)
{
	bool all = nr >= dcache_count(), end = false;
	unsigned long freed = 0;

	if (gfp & (GFP_NOFS | GFP_ATOMIC))
		return 0;
	while (nr-- && !end) {
		struct super *s;
		struct dentry *d;

		rcu_read_lock();
		d = next_victim(all, &end);
		s = d ? d->super : NULL;
		if (d && ref_read(&d->refs) == 0) {
			put_dentry(kill_unlock_rcu(d));
			freed++;
		} else {
			rcu_read_unlock();
		}
		if (s)
			super_unpin(s);
	}
	return freed / 8; /* dentries with their inodes, about eight to a page */
}

static struct shrinker g_dcache_shrinker = {
	.name = "dcache", .count = dcache_count, .scan = dcache_scan};

static int dcache_init(void)
{
	u64 buckets = clamp(g_nr_frames / 16, 1024ul, 1ul << 20);

	buckets = 1ull << ilog2(buckets);
	g_table = vmalloc(buckets * sizeof(*g_table), GFP_KERNEL | GFP_ZERO);
	if (!g_table)
		return -ENOMEM;
	g_table_mask = buckets - 1;
	random_bytes(&g_name_seed, sizeof(g_name_seed));
	for (int i = 0; i < NR_BUCKET_LOCKS; i++)
		spin_init(&g_bucket_locks[i], RANK_INODE_SPIN);
	shrinker_register(&g_dcache_shrinker);
	return 0;
}
INIT_HOOK(INIT_MEMORY, dcache_init);
