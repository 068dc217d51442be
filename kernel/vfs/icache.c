/*
 * Inodes by number, for file systems that read them from storage: each is in memory once.
 *
 * States: new (its reader fills it; others wait), ready, bad (reading failed: the next one tries
 * anew), dying (no references; evict_inode runs, then it leaves the table and who waits for it
 * reads it again).
 */
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/hash.h>
#include <sched/wait.h>
#include "internal.h"

#define BUCKET_BITS 13
#define QUEUES      64

struct bucket {
	struct spinlock lock;
	struct hlist_head inodes; /* lock */
};
static struct bucket *g_buckets;
static struct wait_queue g_waits[QUEUES]; /* by bucket: an inode became ready or left */

static u32 bucket_of(const struct super *s, u64 ino)
{
	u64 x = ((uintptr_t)s >> 6 ^ ino) * 0x9e3779b97f4a7c15ull;

	return (u32)(x >> (64 - BUCKET_BITS));
}

/* bucket lock held */
static struct inode *find(struct bucket *b, const struct super *s, u64 ino)
{
	struct inode *i;

	for (struct hlist_node *n = b->inodes.first; n; n = n->next) {
		i = container_of(n, struct inode, cache_node);
		if (i->ino == ino && i->super == s)
			return i;
	}
	return NULL;
}

static bool is_dying(struct bucket *b, const struct super *s, u64 ino)
{
	struct inode *i;
	bool r;

	spin_lock(&b->lock);
	i = find(b, s, ino);
	r = i && !ref_read(&i->refs);
	spin_unlock(&b->lock);
	return r;
}

struct inode *inode_cache_get(struct super *s, u64 ino, bool *is_new)
{
	u32 nr = bucket_of(s, ino);
	struct bucket *b = &g_buckets[nr];
	struct wait_queue *q = &g_waits[nr % QUEUES];
	struct inode *fresh = NULL, *i;

	*is_new = false;
	for (;;) {
		spin_lock(&b->lock);
		i = find(b, s, ino);
		if (!i && fresh) {
			hlist_add_head(&fresh->cache_node, &b->inodes);
			spin_unlock(&b->lock);
			*is_new = true;
			return fresh;
		}
		if (i && !ref_get_unless_zero(&i->refs)) {
			spin_unlock(&b->lock);
			wait_event(q, !is_dying(b, s, ino));
			continue;
		}
		spin_unlock(&b->lock);
		if (!i) {
			fresh = inode_alloc(s);
			if (!fresh)
				return err_ptr(-ENOMEM);
			fresh->ino = ino;
			fresh->cache_state = INODE_CACHE_NEW;
			continue;
		}
		wait_event(q, load_acquire(&i->cache_state) != INODE_CACHE_NEW);
		if (i->cache_state == INODE_CACHE_READY)
			break;
		put_inode(i);
	}
	if (fresh) {
		fresh->cache_state = INODE_CACHE_BAD;
		put_inode(fresh);
	}
	return i;
}

static void set_state(struct inode *i, u8 state)
{
	store_release(&i->cache_state, state);
	wake_up_all(&g_waits[bucket_of(i->super, i->ino) % QUEUES]);
}

void inode_cache_ready(struct inode *i)
{
	set_state(i, INODE_CACHE_READY);
}

void inode_cache_fail(struct inode *i)
{
	inode_cache_remove(i);
	set_state(i, INODE_CACHE_BAD);
	put_inode(i);
}

void inode_cache_remove(struct inode *i)
{
	u32 nr;
	struct bucket *b;

	if (i->cache_state == INODE_CACHE_NONE)
		return;
	nr = bucket_of(i->super, i->ino);
	b = &g_buckets[nr];
	spin_lock(&b->lock);
	if (!hlist_unhashed(&i->cache_node))
		hlist_del(&i->cache_node);
	spin_unlock(&b->lock);
	wake_up_all(&g_waits[nr % QUEUES]);
}

static int icache_init(void)
{
	g_buckets = kvmalloc(sizeof(*g_buckets) << BUCKET_BITS, GFP_KERNEL | GFP_ZERO);
	if (!g_buckets)
		return -ENOMEM;
	for (u32 n = 0; n < 1u << BUCKET_BITS; n++)
		spin_init(&g_buckets[n].lock, RANK_DCACHE);
	for (u32 n = 0; n < QUEUES; n++)
		wait_queue_init(&g_waits[n]);
	return 0;
}
INIT_HOOK(INIT_SCHED, icache_init);
