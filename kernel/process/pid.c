/*
 * Process numbers: a three-level table from number to struct pid. Numbers are given out cyclically,
 * so that a freed one is not reused soon. Readers use RCU only; g_pid_lock (RANK_PID, interrupts
 * off) guards the table's shape.
 */
#include "process.h"
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/string.h>

#define LEAF_SLOTS       512
#define MID_SLOTS        64
#define TOP_SLOTS        (PROC_NR_MAX_LIMIT / (LEAF_SLOTS * MID_SLOTS))
#define FIRST_AFTER_WRAP 300 /* low numbers stay free for daemons that start at boot */

struct pid_leaf {
	struct rcu_head rcu;
	u32 used_slots;
	struct pid *slot[LEAF_SLOTS];
};
struct pid_mid {
	struct pid_leaf *leaf[MID_SLOTS];
};

static DEFINE_SPINLOCK(g_pid_lock, RANK_PID);
static struct pid_mid *g_pid_top[TOP_SLOTS]; /* never freed once there */
static SLAB_CACHE(g_pid_cache, struct pid);

s32 g_pid_max = PROC_NR_MAX_DEFAULT; /* atomic */
s32 g_last_pid;                      /* g_pid_lock */

static struct pid_leaf *leaf_of(s32 nr)
{
	struct pid_mid *m = rcu_load(g_pid_top[nr / (LEAF_SLOTS * MID_SLOTS)]);

	return m ? rcu_load(m->leaf[nr / LEAF_SLOTS % MID_SLOTS]) : NULL;
}

struct pid *pid_find(s32 nr)
{
	struct pid_leaf *l;

	if (nr <= 0 || nr >= PROC_NR_MAX_LIMIT)
		return NULL;
	l = leaf_of(nr);
	return l ? rcu_load(l->slot[nr % LEAF_SLOTS]) : NULL;
}

struct pid *pid_get(s32 nr)
{
	struct pid *p;

	rcu_read_lock();
	p = pid_find(nr);
	if (p && !ref_get_unless_zero(&p->refs))
		p = NULL;
	rcu_read_unlock();
	return p;
}

struct pid *pid_find_next(s32 after)
{
	for (s32 nr = min(after, PROC_NR_MAX_LIMIT) + 1; nr < PROC_NR_MAX_LIMIT;) {
		struct pid_leaf *l = leaf_of(nr);

		if (!l) {
			nr = round_down(nr, LEAF_SLOTS) + LEAF_SLOTS;
			continue;
		}
		for (; nr < PROC_NR_MAX_LIMIT; nr++) {
			struct pid *p = rcu_load(l->slot[nr % LEAF_SLOTS]);

			if (p)
				return p;
			if (nr % LEAF_SLOTS == LEAF_SLOTS - 1) {
				nr++;
				break;
			}
		}
	}
	return NULL;
}

static void pid_free_rcu(struct rcu_head *h)
{
	slab_free(&g_pid_cache, container_of(h, struct pid, rcu));
}

void put_pid(struct pid *p)
{
	if (p && ref_put(&p->refs))
		rcu_call(&p->rcu, pid_free_rcu);
}

void pid_set_last(s32 nr)
{
	spin_lock_irq(&g_pid_lock);
	g_last_pid = nr;
	spin_unlock_irq(&g_pid_lock);
}

static bool nr_is_free(s32 nr)
{
	struct pid_leaf *l = leaf_of(nr);

	return !l || !l->slot[nr % LEAF_SLOTS];
}

/* First free number of [from, to), or 0. Full leaves are skipped as a whole. */
static s32 find_free(s32 from, s32 to)
{
	for (s32 nr = from; nr < to; nr++) {
		struct pid_leaf *l = leaf_of(nr);

		if (!l || !l->slot[nr % LEAF_SLOTS])
			return nr;
		if (l->used_slots == LEAF_SLOTS)
			nr = round_down(nr, LEAF_SLOTS) + LEAF_SLOTS - 1;
	}
	return 0;
}

static s32 choose_nr(s32 want)
{
	s32 limit = READ_ONCE(g_pid_max), nr;

	if (want)
		return nr_is_free(want) ? want : 0;
	nr = find_free(g_last_pid + 1, limit);
	return nr ? nr : find_free(FIRST_AFTER_WRAP, limit);
}

/* Install p under number nr. False: a table page is missing (which says level). */
static bool install(struct pid *p, s32 nr, struct pid_mid **mid, struct pid_leaf **leaf)
{
	struct pid_mid **m = &g_pid_top[nr / (LEAF_SLOTS * MID_SLOTS)];
	struct pid_leaf **l;

	if (!*m) {
		if (!*mid)
			return false;
		rcu_publish(*m, *mid);
		*mid = NULL;
	}
	l = &(*m)->leaf[nr / LEAF_SLOTS % MID_SLOTS];
	if (!*l) {
		if (!*leaf)
			return false;
		rcu_publish(*l, *leaf);
		*leaf = NULL;
	}
	(*l)->used_slots++;
	p->nr = nr;
	rcu_publish((*l)->slot[nr % LEAF_SLOTS], p);
	return true;
}

struct pid *pid_alloc(s32 want)
{
	struct pid *p = slab_alloc(&g_pid_cache, GFP_KERNEL | GFP_ZERO);
	struct pid_mid *mid = NULL;
	struct pid_leaf *leaf = NULL;
	int err = 0;

	if (!p)
		return err_ptr(-ENOMEM);
	ref_init(&p->refs, 1); /* the table's */
	list_init(&p->group_members);
	list_init(&p->session_members);
	wait_queue_init(&p->exit_wait);
	for (;;) {
		s32 nr;
		bool done = false;

		spin_lock_irq(&g_pid_lock);
		nr = choose_nr(want);
		if (nr) {
			done = install(p, nr, &mid, &leaf);
			if (done && !want)
				g_last_pid = nr;
		} else {
			err = want ? -EEXIST : -EAGAIN;
		}
		spin_unlock_irq(&g_pid_lock);
		if (done || err)
			break;
		if (!mid)
			mid = kzalloc(sizeof(*mid), GFP_KERNEL);
		if (!leaf)
			leaf = kzalloc(sizeof(*leaf), GFP_KERNEL);
		if (!mid || !leaf) {
			err = -ENOMEM;
			break;
		}
	}
	kfree(mid);
	kfree(leaf);
	if (err) {
		slab_free(&g_pid_cache, p);
		return err_ptr(err);
	}
	return p;
}

void pid_release_number(struct pid *p)
{
	unsigned long flags = spin_lock_irqsave(&g_pid_lock);
	struct pid_mid *m = g_pid_top[p->nr / (LEAF_SLOTS * MID_SLOTS)];
	struct pid_leaf **lp = &m->leaf[p->nr / LEAF_SLOTS % MID_SLOTS], *l = *lp;

	rcu_publish(l->slot[p->nr % LEAF_SLOTS], NULL);
	if (--l->used_slots == 0 && p->nr >= LEAF_SLOTS)
		rcu_publish(*lp, NULL);
	else
		l = NULL;
	spin_unlock_irqrestore(&g_pid_lock, flags);
	if (l)
		rcu_kfree(l, rcu);
	put_pid(p);
}

void pid_attach(struct pid *p)
{
	spin_assert_held(&g_tasklist_lock);
	p->uses++;
}

void pid_detach(struct pid *p)
{
	spin_assert_held(&g_tasklist_lock);
	if (--p->uses == 0)
		pid_release_number(p);
}
