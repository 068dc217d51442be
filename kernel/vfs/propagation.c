/*
 * Shared subtrees: what is mounted below one mount appears below its peers and slaves.
 *
 * Every mount may be a member of one peer group (shared) and a slave of one other. A mount or
 * unmount below a shared mount P happens at the same place in every receiver: P's peers, the slaves
 * of that group, their peers, and so on. A copy stands to what was mounted as its receiver stands
 * to P. The last peer that leaves a group hands its slaves to the group's own master.
 *
 * All of it runs under g_namespace_lock held for writing. Receivers are chained by prop_next.
 */
#include "internal.h"

static u32 g_next_group; /* namespace lock */

u32 mount_new_group(void)
{
	return ++g_next_group;
}

static bool has_other_peer(const struct mount *m)
{
	struct mount *x;

	list_for_each_entry(x, &g_init_mount_ns->mounts, ns_link)
		if (x != m && x->peer_group == m->peer_group)
			return true;
	return false;
}

/* Nobody propagates to the group's slaves any more but the group's master. */
static void hand_slaves_over(u32 group, u32 master)
{
	struct mount *x;

	list_for_each_entry(x, &g_init_mount_ns->mounts, ns_link)
		if (x->master_group == group)
			x->master_group = master;
}

void mount_leave_groups(struct mount *m)
{
	if (m->peer_group && !has_other_peer(m))
		hand_slaves_over(m->peer_group, m->master_group);
	m->peer_group = 0;
	m->master_group = 0;
}

static void become_slave(struct mount *m)
{
	u32 group = m->peer_group;

	if (!group)
		return; /* a slave already, or private: nothing to follow */
	if (has_other_peer(m))
		m->master_group = group;
	else
		hand_slaves_over(group, m->master_group);
	m->peer_group = 0;
}

void mount_set_propagation(struct mount *m, unsigned long type)
{
	m->unbindable = type == MS_UNBINDABLE;
	if (type == MS_SLAVE)
		become_slave(m);
	else if (type != MS_SHARED)
		mount_leave_groups(m);
	else if (!m->peer_group)
		m->peer_group = mount_new_group();
}

/* ---- receivers --------------------------------------------------------------------------------- */

static bool is_below(const struct mount *m, const struct mount *top)
{
	while (m && m != top)
		m = m->parent;
	return m == top;
}

static bool chained(const struct mount *first, const struct mount *m)
{
	while (first && first != m)
		first = first->prop_next;
	return first == m;
}

/* The first receiver in the chain that is a member of group. */
static struct mount *member(struct mount *first, u32 group)
{
	while (first && first->peer_group != group)
		first = first->prop_next;
	return first;
}

/* Where changes below p go besides p itself, masters before their slaves. skip: what is being
 * mounted is no receiver of itself. */
static struct mount *receivers(const struct mount *p, const struct mount *skip)
{
	struct mount *first = NULL, **end = &first, *m;
	bool more = p->peer_group != 0;

	while (more) {
		more = false;
		list_for_each_entry(m, &g_init_mount_ns->mounts, ns_link) {
			bool peer = m->peer_group &&
				(m->peer_group == p->peer_group || member(first, m->peer_group));
			bool slave = m->master_group &&
				(m->master_group == p->peer_group ||
					member(first, m->master_group));

			if ((!peer && !slave) || m == p || chained(first, m) ||
				(skip && is_below(m, skip)))
				continue;
			m->prop_next = NULL;
			m->prop_copy = NULL;
			*end = m;
			end = &m->prop_next;
			more = true;
		}
	}
	return first;
}

/* ---- mounting
 * ------------------------------------------------------------------------------------- */

/* The copy of m for receiver r; first is the chain up to it. */
static struct mount *copy_for(
	struct mount *m, const struct mount *p, struct mount *first, struct mount *r)
{
	enum clone_mode slave = r->peer_group ? CLONE_SLAVE_SHARED : CLONE_SLAVE;
	struct mount *x;

	if (r->peer_group == p->peer_group)
		return mount_clone(m, m->root, CLONE_PEER, true);
	for (x = first; x != r; x = x->prop_next)
		if (x->prop_copy && r->peer_group && x->peer_group == r->peer_group)
			return mount_clone(x->prop_copy, m->root, CLONE_PEER, true);
	for (x = first; x != r; x = x->prop_next)
		if (x->prop_copy && x->peer_group && x->peer_group == r->master_group)
			return mount_clone(x->prop_copy, m->root, slave, true);
	return mount_clone(m, m->root, slave, true);
}

int mount_attach_shared(struct mount *m, const struct path *p)
{
	struct mount *first, *r, *x;

	if (!p->mnt->peer_group) {
		mount_attach(m, p);
		return 0;
	}
	for (x = m; x; x = mount_next_in_tree(x, m))
		if (!x->peer_group)
			x->peer_group = mount_new_group();
	first = receivers(p->mnt, m);
	for (r = first; r; r = r->prop_next) {
		if (!dentry_is_ancestor(r->root, p->dentry))
			continue; /* a bind mount that doesn't show this place */
		r->prop_copy = copy_for(m, p->mnt, first, r);
		if (!r->prop_copy)
			goto fail;
	}
	mount_attach(m, p);
	for (r = first; r; r = r->prop_next) {
		struct path at = {r, p->dentry};

		if (r->prop_copy)
			mount_attach(r->prop_copy, &at);
	}
	return 0;
fail:
	for (r = first; r; r = r->prop_next)
		if (r->prop_copy)
			mount_free_clone(r->prop_copy);
	return -ENOMEM;
}

/* ---- unmounting
 * ----------------------------------------------------------------------------------- */

static struct mount *mounted_at(struct mount *parent, struct dentry *at)
{
	struct mount *c;

	rcu_read_lock();
	c = mount_find_rcu(parent, at);
	rcu_read_unlock();
	return c;
}

void mount_unfreeze_copies(struct mount *copies)
{
	for (struct mount *r = copies; r; r = r->prop_next)
		if (r->prop_copy)
			ref_unfreeze(&r->prop_copy->refs, 1);
}

bool mount_freeze_copies(struct mount *m, struct mount **copies)
{
	struct mount *r;

	*copies = receivers(m->parent, NULL);
	for (r = *copies; r; r = r->prop_next) {
		struct mount *c = mounted_at(r, m->mountpoint);

		if (!c || c == m || !list_empty(&c->children))
			continue; /* one with mounts on it stays anyway */
		if (!ref_freeze(&c->refs, 1)) {
			mount_unfreeze_copies(*copies);
			return false;
		}
		r->prop_copy = c;
	}
	return true;
}

/* Will everything mounted on c have left? */
static bool will_be_leaf(const struct mount *c)
{
	const struct mount *x;

	list_for_each_entry(x, &c->children, child_link)
		if (!x->leaving)
			return false;
	return true;
}

static void add_leaving(struct mount *m, struct mount ***end)
{
	m->leaving = true;
	m->next_leaving = NULL;
	**end = m;
	*end = &m->next_leaving;
}

/* What m's unmounting takes along, whoever uses it. */
static void collect_copies(struct mount *m, struct mount ***end)
{
	struct mount *r, *c;

	for (r = receivers(m->parent, NULL); r; r = r->prop_next) {
		c = mounted_at(r, m->mountpoint);
		if (c && c != m && !c->leaving && will_be_leaf(c))
			add_leaving(c, end);
	}
}

static struct mount *last_leaf(struct mount *m)
{
	while (!list_empty(&m->children))
		m = list_last_entry(&m->children, struct mount, child_link);
	return m;
}

struct mount *mount_collect_tree(struct mount *top, bool copies)
{
	struct mount *first = NULL, **end = &first, *m = last_leaf(top);

	for (;;) {
		if (!m->leaving) {
			if (copies)
				collect_copies(m, &end);
			add_leaving(m, &end);
		}
		if (m == top)
			return first;
		if (m->child_link.prev == &m->parent->children)
			m = m->parent;
		else
			m = last_leaf(list_prev_entry(m, child_link));
	}
}
