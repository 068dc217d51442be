/* Quotas: dquots in memory, limits and graces; see vfs/quota.h. */
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <sched/timer.h>
#include <vfs/quota.h>

static SLAB_CACHE(g_dquots, struct dquot);

struct quota_stats g_quota_stats;

static void count(u64 *v, s64 n)
{
	__atomic_fetch_add(v, n, __ATOMIC_RELAXED);
}

void quota_init(struct quota *q, struct super *s, const struct quota_ops *ops)
{
	q->super = s;
	q->ops = ops;
	mutex_init(&q->lock, RANK_FS_QUOTA);
	spin_init(&q->ids_lock, RANK_INODE_SPIN);
	for (u32 t = 0; t < NR_QUOTAS; t++)
		xa_init(&q->kinds[t].ids);
}

void quota_destroy(struct quota *q)
{
	for (u32 t = 0; t < NR_QUOTAS; t++)
		xa_destroy(&q->kinds[t].ids);
}

/* ---- dquots ------------------------------------------------------------------------------------ */

static struct dquot *find(struct quota *q, u32 type, u32 id)
{
	struct dquot *d;

	spin_lock(&q->ids_lock);
	d = xa_load(&q->kinds[type].ids, id);
	if (d)
		d->refs++;
	spin_unlock(&q->ids_lock);
	return d;
}

/* q->lock held; in a transaction. */
static struct dquot *bring_in(struct quota *q, u32 type, u32 id)
{
	struct dquot *d = find(q, type, id);
	int err;

	if (d)
		return d;
	d = slab_alloc(&g_dquots, GFP_NOFS | GFP_ZERO);
	if (!d)
		return err_ptr(-ENOMEM);
	d->quota = q;
	d->type = type;
	d->id = id;
	d->refs = 1;
	spin_init(&d->lock, RANK_INODE_SPIN);
	err = q->ops->read(d);
	if (!err) {
		spin_lock(&q->ids_lock);
		err = xa_store(&q->kinds[type].ids, id, d, GFP_ATOMIC);
		spin_unlock(&q->ids_lock);
	}
	if (!err) {
		count(&g_quota_stats.reads, 1);
		count(&g_quota_stats.allocated, 1);
		return d;
	}
	slab_free(&g_dquots, d);
	return err_ptr(err);
}

struct dquot *dquot_get(struct quota *q, u32 type, u32 id)
{
	struct dquot *d;
	int err;

	if (!q->kinds[type].on)
		return err_ptr(-ESRCH);
	count(&g_quota_stats.lookups, 1);
	d = find(q, type, id);
	if (d) {
		count(&g_quota_stats.cache_hits, 1);
		return d;
	}
	err = q->ops->begin(q);
	if (err)
		return err_ptr(err);
	mutex_lock(&q->lock);
	d = bring_in(q, type, id);
	mutex_unlock(&q->lock);
	err = q->ops->end(q, 0);
	if (err && !is_err(d)) {
		dquot_put(d);
		return err_ptr(err);
	}
	return d;
}

void dquot_put(struct dquot *d)
{
	struct quota *q = d->quota;
	bool last;

	/* Every change has been written when it was made. */
	spin_lock(&q->ids_lock);
	last = !--d->refs;
	if (last)
		xa_erase(&q->kinds[d->type].ids, d->id);
	spin_unlock(&q->ids_lock);
	count(&g_quota_stats.drops, 1);
	if (!last)
		return;
	count(&g_quota_stats.allocated, -1);
	slab_free(&g_dquots, d);
}

/* ---- limits ------------------------------------------------------------------------------------ */

static s64 now(void)
{
	return clock_real_ns() / NS_PER_SEC;
}

struct limit {
	u64 soft, hard, grace;
	s64 *time;
};

/* May usage become `want`? Begins the grace when it passes the soft limit. */
static bool within(const struct limit *l, u64 want)
{
	if (l->hard && want > l->hard)
		return false;
	if (l->soft && want > l->soft) {
		if (*l->time && now() >= *l->time)
			return false;
		if (!*l->time)
			*l->time = now() + (s64)l->grace;
	}
	return true;
}

static struct limit space_limit(struct dquot *d)
{
	return (struct limit){d->v.space_soft, d->v.space_hard,
		d->quota->kinds[d->type].space_grace, &d->v.space_time};
}

static struct limit inode_limit(struct dquot *d)
{
	return (struct limit){d->v.inodes_soft, d->v.inodes_hard,
		d->quota->kinds[d->type].inodes_grace, &d->v.inodes_time};
}

static void add(u64 *v, s64 n)
{
	*v = n < 0 && *v < (u64)-n ? 0 : *v + (u64)n;
}

/* d->lock held. What is back below its soft limit has no grace. */
static void calm(struct dquot *d)
{
	if (!d->v.space_soft || d->v.space + d->reserved <= d->v.space_soft)
		d->v.space_time = 0;
	if (!d->v.inodes_soft || d->v.inodes <= d->v.inodes_soft)
		d->v.inodes_time = 0;
}

static int charge_one(struct dquot *d, s64 space, s64 inodes, u32 flags)
{
	bool judge = READ_ONCE(d->quota->kinds[d->type].enforced) && !(flags & QUOTA_FORCE) &&
		!capable(CAP_SYS_RESOURCE);
	struct limit s, i;
	int err = 0;

	spin_lock(&d->lock);
	s = space_limit(d);
	i = inode_limit(d);
	if (judge &&
		((space > 0 && !within(&s, d->v.space + d->reserved + (u64)space)) ||
			(inodes > 0 && !within(&i, d->v.inodes + (u64)inodes)))) {
		err = -EDQUOT;
	} else {
		add(flags & QUOTA_PROMISE ? &d->reserved : &d->v.space, space);
		add(&d->v.inodes, inodes);
		if (space < 0 || inodes < 0)
			calm(d);
	}
	spin_unlock(&d->lock);
	return err;
}

static int write_all(struct dquot *const d[NR_QUOTAS])
{
	int err = 0, e;

	for (u32 t = 0; t < NR_QUOTAS; t++)
		if (d[t]) {
			count(&g_quota_stats.writes, 1);
			e = d[t]->quota->ops->write(d[t]);
			err = err ? err : e;
		}
	return err;
}

int quota_charge(struct dquot *const d[NR_QUOTAS], s64 space, s64 inodes, u32 flags)
{
	for (u32 t = 0; t < NR_QUOTAS; t++) {
		int err = d[t] ? charge_one(d[t], space, inodes, flags) : 0;

		if (!err)
			continue;
		while (t-- > 0)
			if (d[t] && charge_one(d[t], -space, -inodes, flags))
				WARN_ON(true); /* less is never refused */
		return err;
	}
	return flags & QUOTA_PROMISE ? 0 : write_all(d);
}

int quota_claim(struct dquot *const d[NR_QUOTAS], u64 space)
{
	for (u32 t = 0; t < NR_QUOTAS; t++)
		if (d[t]) {
			spin_lock(&d[t]->lock);
			add(&d[t]->reserved, -(s64)space);
			d[t]->v.space += space;
			spin_unlock(&d[t]->lock);
		}
	return write_all(d);
}

int quota_transfer(struct dquot *const old[NR_QUOTAS], struct dquot *const new[NR_QUOTAS],
	u64 space, u64 promised, u64 inodes)
{
	struct dquot *from[NR_QUOTAS] = {}, *to[NR_QUOTAS] = {};
	int err, e;

	for (u32 t = 0; t < NR_QUOTAS; t++)
		if (old[t] != new[t]) {
			from[t] = old[t];
			to[t] = new[t];
		}
	err = quota_charge(to, (s64)promised, 0, QUOTA_PROMISE);
	if (err)
		return err;
	err = quota_charge(to, (s64)space, (s64)inodes, 0);
	if (err) {
		e = quota_charge(to, -(s64)promised, 0, QUOTA_PROMISE);
		return err ? err : e;
	}
	err = quota_charge(from, -(s64)promised, 0, QUOTA_PROMISE);
	e = quota_charge(from, -(s64)space, -(s64)inodes, QUOTA_FORCE);
	return err ? err : e;
}

/* ---- quotactl(2) ------------------------------------------------------------------------------- */

int quota_get_values(struct quota *q, u32 type, u32 id, struct quota_values *out)
{
	struct dquot *d = dquot_get(q, type, id);

	if (is_err(d))
		return ptr_err(d);
	spin_lock(&d->lock);
	*out = d->v;
	out->space += d->reserved;
	spin_unlock(&d->lock);
	dquot_put(d);
	return 0;
}

int quota_get_next(struct quota *q, u32 type, u32 *id, struct quota_values *out)
{
	int err;

	if (!q->kinds[type].on)
		return -ESRCH;
	mutex_lock(&q->lock);
	err = q->ops->next(q, type, id);
	mutex_unlock(&q->lock);
	return err ? err : quota_get_values(q, type, *id, out);
}

static void set_limits(struct dquot *d, const struct quota_values *v, u32 what)
{
	struct limit s, i;

	if (what & QUOTA_SET_SPACE)
		d->v.space = v->space > d->reserved ? v->space - d->reserved : 0;
	if (what & QUOTA_SET_INODES)
		d->v.inodes = v->inodes;
	if (what & QUOTA_SET_SPACE_LIMITS) {
		d->v.space_soft = v->space_soft;
		d->v.space_hard = v->space_hard;
	}
	if (what & QUOTA_SET_INODE_LIMITS) {
		d->v.inodes_soft = v->inodes_soft;
		d->v.inodes_hard = v->inodes_hard;
	}
	if (what & QUOTA_SET_SPACE_TIME)
		d->v.space_time = v->space_time;
	if (what & QUOTA_SET_INODE_TIME)
		d->v.inodes_time = v->inodes_time;
	calm(d);
	s = space_limit(d);
	i = inode_limit(d);
	s.hard = i.hard = 0; /* what is above a new soft limit gets its grace */
	(void)!within(&s, d->v.space + d->reserved);
	(void)!within(&i, d->v.inodes);
}

int quota_set_values(struct quota *q, u32 type, u32 id, const struct quota_values *v, u32 what)
{
	struct dquot *d;
	int err = q->ops->begin(q);

	if (err)
		return err;
	d = dquot_get(q, type, id);
	if (is_err(d))
		return q->ops->end(q, ptr_err(d));
	spin_lock(&d->lock);
	set_limits(d, v, what);
	spin_unlock(&d->lock);
	err = q->ops->write(d);
	dquot_put(d);
	return q->ops->end(q, err);
}

int quota_set_graces(struct quota *q, u32 type, const u64 *space, const u64 *inodes)
{
	int err = q->kinds[type].on ? q->ops->begin(q) : -ESRCH;

	if (err)
		return err;
	mutex_lock(&q->lock);
	if (space)
		q->kinds[type].space_grace = *space;
	if (inodes)
		q->kinds[type].inodes_grace = *inodes;
	err = q->ops->write_info(q, type);
	mutex_unlock(&q->lock);
	return q->ops->end(q, err);
}
