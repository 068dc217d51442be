/*
 * Multicast groups of an interface: who wants which, from which sources, and when to tell routers.
 * What sockets want is counted per group and per source; the sum is in EXCLUDE mode when anybody is
 * (RFC 3376 3.2). Changes are told twice (robustness 2) with the whole new state, as TO_IN or TO_EX
 * records; queries are answered after a random time. One timer per family.
 */
#include "inet.h"
#include <core/trace.h>

#define ROBUSTNESS     2
#define UNSOLICITED_NS (10 * NS_PER_SEC) /* IGMPv2 and MLDv1 */
#define CHANGE_NS      NS_PER_SEC        /* IGMPv3 and MLDv2 */

static struct hlist_head *bucket(struct mc_dev *mc, const struct inet_addr *g)
{
	return &mc->f[fam(g)].groups[addr_hash(g) % MC_HASH];
}

struct mc_group *mc_find(struct mc_dev *mc, const struct inet_addr *group)
{
	struct mc_group *g;

	hlist_for_each_entry(g, bucket(mc, group), hash)
		if (addr_eq(&g->addr, group))
			return g;
	return NULL;
}

bool mc_is_member(struct inet_dev *d, const struct inet_addr *group)
{
	return mc_find(d->mc, group) != NULL;
}

bool mc_reported(const struct inet_addr *g)
{
	if (addr_is_v4(g))
		return ntohl(g->w[3]) != 0xe0000001;
	/* ff02::1, and scopes 0 and 1 (RFC 3810 6) */
	return (g->b[1] & 0xf) > 1 &&
		!(g->b[1] == 2 && g->w[1] == 0 && g->w[2] == 0 && g->w[3] == htonl(1));
}

u32 mc_effective(const struct mc_group *g, struct inet_addr *sources, u32 *nr)
{
	u32 room = *nr;

	*nr = 0;
	for (const struct mc_source *s = g->sources; s; s = s->next) {
		bool in = g->exclude_users ? s->exclude == g->exclude_users && !s->include
					   : s->include > 0;

		if (in && *nr < room)
			sources[(*nr)++] = s->addr;
	}
	return g->exclude_users ? MCAST_EXCLUDE : MCAST_INCLUDE;
}

/* The version that routers on this link speak: IGMP 1..3; MLD 1..2. mc->lock or racy. */
static u32 version(struct inet_dev *d, int f)
{
	struct mc_family *m = &d->mc->f[f];
	s64 now = clock_coarse_mono_ns();
	s32 forced = f ? max(d->conf.force_mld_version, d->in->conf_all.force_mld_version)
		       : max(d->conf.force_igmp_version, d->in->conf_all.force_igmp_version);

	if (forced)
		return (u32)forced;
	if (m->old_until[0] > now)
		return 1;
	if (!f && m->old_until[1] > now)
		return 2;
	return f ? 2 : 3;
}

static void report(struct inet_dev *d, int f, const struct mc_record *r)
{
	rcu_read_lock();
	if (f)
		mld_report(d, r, version(d, f));
	else
		igmp_report(d, r, version(d, f));
	rcu_read_unlock();
}

/* ---- the timer: what is due ---------------------------------------------------------------------
 */

/* mc->lock. The time of the next report of the family. */
static void arm(struct mc_dev *mc, int f)
{
	struct mc_family *m = &mc->f[f];
	s64 next = m->general_ns;

	for (u32 b = 0; b < MC_HASH; b++) {
		struct mc_group *g;

		hlist_for_each_entry(g, &m->groups[b], hash)
			next = min(next, g->report_ns);
	}
	if (next != TIME_NEVER && mc->up && net_timer_arm(&m->timer, next))
		get_inet_dev(mc->d);
}

static void fill(struct mc_record *r, struct mc_group *g, bool change)
{
	r->group = g->addr;
	r->change = change;
	r->leave = false;
	r->nr = ARRAY_SIZE(r->sources);
	r->mode = mc_effective(g, r->sources, &r->nr);
}

/* One report that is due; false: none left. r is not on the stack: it is large. */
static bool take_due(struct mc_dev *mc, int f, s64 now, struct mc_record *r)
{
	struct mc_family *m = &mc->f[f];

	for (u32 b = 0; b < MC_HASH; b++) {
		struct mc_group *g;

		hlist_for_each_entry(g, &m->groups[b], hash) {
			if (g->report_ns > now)
				continue;
			fill(r, g, g->changes > 0);
			g->reporter = true;
			g->report_ns = TIME_NEVER;
			if (g->changes && --g->changes)
				g->report_ns = now + (s64)(random_u64() % (u64)CHANGE_NS);
			return true;
		}
	}
	return false;
}

static void timer_fired(struct net_timer *t, int f)
{
	struct mc_dev *mc = (struct mc_dev *)((char *)t - offsetof(struct mc_dev, f[0].timer) -
		(size_t)f * sizeof(struct mc_family));
	struct mc_record *r = kmalloc(sizeof(*r), GFP_ATOMIC);
	struct inet_dev *d = mc->d;
	struct mc_family *m = &mc->f[f];
	s64 now = clock_mono_ns();
	bool more = r && mc->up;

	spin_lock(&mc->lock);
	if (m->general_ns <= now) { /* about all of them */
		m->general_ns = TIME_NEVER;
		for (u32 b = 0; b < MC_HASH; b++) {
			struct mc_group *g;

			hlist_for_each_entry(g, &m->groups[b], hash)
				if (mc_reported(&g->addr))
					g->report_ns = min(g->report_ns, now);
		}
	}
	spin_unlock(&mc->lock);
	while (more) {
		spin_lock(&mc->lock);
		more = take_due(mc, f, now, r);
		spin_unlock(&mc->lock);
		if (more)
			report(d, f, r);
	}
	kfree(r);
	spin_lock(&mc->lock);
	arm(mc, f);
	spin_unlock(&mc->lock);
	put_inet_dev(d);
}
static void timer4(struct net_timer *t)
{
	timer_fired(t, 0);
}
static void timer6(struct net_timer *t)
{
	timer_fired(t, 1);
}

void mc_query(struct inet_dev *d, int f, const struct inet_addr *group, s64 max_ns)
{
	struct mc_dev *mc = d->mc;
	s64 at = clock_mono_ns() + (s64)(random_u64() % (u64)max(max_ns, 1ll));

	spin_lock(&mc->lock);
	if (!group) {
		mc->f[f].general_ns = min(mc->f[f].general_ns, at);
	} else {
		struct mc_group *g = mc_find(mc, group);

		if (g && mc_reported(group))
			g->report_ns = min(g->report_ns, at);
	}
	arm(mc, f);
	spin_unlock(&mc->lock);
}

void mc_heard_report(struct inet_dev *d, int f, const struct inet_addr *group)
{
	struct mc_group *g;

	if (version(d, f) == (f ? 2u : 3u))
		return; /* everybody reports for himself */
	spin_lock(&d->mc->lock);
	g = mc_find(d->mc, group);
	if (g && !g->changes) {
		g->report_ns = TIME_NEVER;
		g->reporter = false;
	}
	spin_unlock(&d->mc->lock);
}

/* ---- changes ------------------------------------------------------------------------------------
 */

static void set_link_filter(struct inet_dev *d, const struct inet_addr *group, bool on)
{
	u8 hw[NETIF_ADDR_MAX];

	if (d->dev->type != ARPHRD_ETHER)
		return;
	mc_link_addr(d->dev, group, hw);
	if (!on)
		netif_filter_remove(d->dev, hw, true);
	else if (netif_filter_add(d->dev, hw, true))
		log_warn("inet: %s: no memory for a multicast filter", d->dev->name);
}

/* The group's state has changed: reports from now on. mc->lock. */
static void changed(struct mc_dev *mc, struct mc_group *g)
{
	int f = fam(&g->addr);

	if (!mc->up || !mc_reported(&g->addr))
		return;
	g->changes = ROBUSTNESS;
	g->report_ns = clock_mono_ns();
	arm(mc, f);
}

static void free_group(struct mc_group *g)
{
	struct mc_source *s = g->sources, *next;

	for (; s; s = next) {
		next = s->next;
		kfree(s);
	}
	rcu_kfree(g, rcu);
}

/* Nobody wants it any more: out of the table; the leave is told at once. Config lock. */
static void drop_group(struct inet_dev *d, struct mc_group *g)
{
	struct mc_record *r;
	int f = fam(&g->addr);

	spin_lock(&d->mc->lock);
	hlist_del(&g->hash);
	d->mc->f[f].count--;
	spin_unlock(&d->mc->lock);
	set_link_filter(d, &g->addr, false);
	r = d->mc->up && mc_reported(&g->addr) ? kmalloc(sizeof(*r), GFP_KERNEL) : NULL;
	if (r) {
		r->group = g->addr;
		r->mode = MCAST_INCLUDE;
		r->nr = 0;
		r->change = true;
		r->leave = g->reporter;
		report(d, f, r);
		if (version(d, f) == (f ? 2u : 3u))
			report(d, f, r);
		kfree(r);
	}
	free_group(g);
}

static struct mc_source *source_of(struct mc_group *g, const struct inet_addr *a)
{
	struct mc_source *s;

	for (s = g->sources; s; s = s->next)
		if (addr_eq(&s->addr, a))
			return s;
	return NULL;
}

/* Sources that are not there yet, before anything is counted. */
static int add_sources(
	struct mc_dev *mc, struct mc_group *g, u32 nr, const struct inet_addr *sources)
{
	for (u32 i = 0; i < nr; i++) {
		struct mc_source *s;

		if (source_of(g, &sources[i]))
			continue;
		s = kzalloc(sizeof(*s), GFP_KERNEL);
		if (!s)
			return -ENOBUFS;
		s->addr = sources[i];
		spin_lock(&mc->lock);
		s->next = g->sources;
		g->sources = s;
		spin_unlock(&mc->lock);
	}
	return 0;
}

static void prune_sources(struct mc_group *g)
{
	struct mc_source **link = &g->sources, *s;

	while ((s = *link)) {
		if (s->include || s->exclude) {
			link = &s->next;
			continue;
		}
		*link = s->next;
		kfree(s);
	}
}

int mc_dev_add(struct inet_dev *d, const struct inet_addr *group, u32 mode, u32 nr,
	const struct inet_addr *sources)
{
	struct mc_dev *mc = d->mc;
	struct mc_group *g = mc_find(mc, group);
	bool fresh = !g;
	int err;

	if (fresh) {
		g = kzalloc(sizeof(*g), GFP_KERNEL);
		if (!g)
			return -ENOBUFS;
		g->addr = *group;
		g->report_ns = TIME_NEVER;
	}
	err = add_sources(mc, g, nr, sources);
	if (err) {
		if (fresh) {
			free_group(g);
		} else {
			spin_lock(&mc->lock);
			prune_sources(g);
			spin_unlock(&mc->lock);
		}
		return err;
	}
	spin_lock(&mc->lock);
	if (mode == MCAST_EXCLUDE)
		g->exclude_users++;
	else
		g->include_users++;
	for (u32 i = 0; i < nr; i++) {
		struct mc_source *s = source_of(g, &sources[i]);

		if (mode == MCAST_EXCLUDE)
			s->exclude++;
		else
			s->include++;
	}
	if (fresh) {
		hlist_add_head(&g->hash, bucket(mc, group));
		mc->f[fam(group)].count++;
	}
	if (fresh || nr || (mode == MCAST_EXCLUDE && g->exclude_users == 1))
		changed(mc, g);
	spin_unlock(&mc->lock);
	if (fresh)
		set_link_filter(d, group, true);
	return 0;
}

void mc_dev_remove(struct inet_dev *d, const struct inet_addr *group, u32 mode, u32 nr,
	const struct inet_addr *sources)
{
	struct mc_dev *mc = d->mc;
	struct mc_group *g = mc_find(mc, group);
	bool last;

	if (!g)
		return;
	spin_lock(&mc->lock);
	if (mode == MCAST_EXCLUDE)
		g->exclude_users--;
	else
		g->include_users--;
	for (u32 i = 0; i < nr; i++) {
		struct mc_source *s = source_of(g, &sources[i]);

		if (s && mode == MCAST_EXCLUDE)
			s->exclude--;
		else if (s)
			s->include--;
	}
	prune_sources(g);
	last = !g->exclude_users && !g->include_users;
	if (!last && (nr || (mode == MCAST_EXCLUDE && !g->exclude_users)))
		changed(mc, g);
	spin_unlock(&mc->lock);
	if (last)
		drop_group(d, g);
}

int mc_join_dev(struct inet_dev *d, const struct inet_addr *group)
{
	return mc_dev_add(d, group, MCAST_EXCLUDE, 0, NULL);
}

void mc_leave_dev(struct inet_dev *d, const struct inet_addr *group)
{
	mc_dev_remove(d, group, MCAST_EXCLUDE, 0, NULL);
}

/* ---- the interface ------------------------------------------------------------------------------
 */

static const struct inet_addr g_all_hosts = {.w = {0, 0, ADDR_V4_WORD, 0x010000e0}};
static const struct inet_addr g_all_nodes = {.b = {0xff, 2, [15] = 1}};

int mc_dev_init(struct inet_dev *d)
{
	struct mc_dev *mc = kzalloc(sizeof(*mc), GFP_KERNEL);

	if (!mc)
		return -ENOMEM;
	mc->d = d;
	spin_init(&mc->lock, RANK_SOCKET_LEAF);
	for (int f = 0; f < 2; f++) {
		net_timer_init(&mc->f[f].timer, f ? timer6 : timer4);
		mc->f[f].general_ns = TIME_NEVER;
	}
	d->mc = mc;
	return 0;
}

void mc_dev_free(struct inet_dev *d)
{
	for (int f = 0; f < 2; f++)
		for (u32 b = 0; b < MC_HASH; b++)
			while (d->mc->f[f].groups[b].first) {
				struct mc_group *g = container_of(
					d->mc->f[f].groups[b].first, struct mc_group, hash);

				hlist_del(&g->hash);
				free_group(g);
			}
	kfree(d->mc);
}

static void join_own(struct inet_dev *d, const struct inet_addr *group)
{
	if (!mc_find(d->mc, group) && mc_join_dev(d, group))
		log_warn("inet: %s: can't join the group of all hosts", d->dev->name);
}

void mc_dev_up(struct inet_dev *d)
{
	d->mc->up = true;
	if (d->dev->flags & (IFF_MULTICAST | IFF_LOOPBACK)) {
		join_own(d, &g_all_hosts);
		if (inet_dev_v6(d))
			join_own(d, &g_all_nodes);
	}
	mc_dev_announce(d);
}

/* Tell of all groups (again). */
void mc_dev_announce(struct inet_dev *d)
{
	spin_lock(&d->mc->lock);
	for (int f = 0; f < 2; f++)
		for (u32 b = 0; b < MC_HASH; b++) {
			struct mc_group *g;

			hlist_for_each_entry(g, &d->mc->f[f].groups[b], hash)
				if (mc_reported(&g->addr)) {
					g->changes = ROBUSTNESS;
					g->report_ns = clock_mono_ns();
				}
		}
	arm(d->mc, 0);
	arm(d->mc, 1);
	spin_unlock(&d->mc->lock);
}

void mc_dev_down(struct inet_dev *d)
{
	struct mc_dev *mc = d->mc;
	u32 put = 0;

	mc_leave_dev(d, &g_all_hosts);
	mc_leave_dev(d, &g_all_nodes);
	spin_lock(&mc->lock);
	mc->up = false;
	for (int f = 0; f < 2; f++) {
		mc->f[f].general_ns = TIME_NEVER;
		mc->f[f].old_until[0] = mc->f[f].old_until[1] = 0;
		put += net_timer_cancel(&mc->f[f].timer);
	}
	spin_unlock(&mc->lock);
	while (put--)
		put_inet_dev(d);
}
