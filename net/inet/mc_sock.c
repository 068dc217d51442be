/*
 * Multicast memberships of sockets: ip(7), ipv6(7), RFC 3678 (source filters). A membership is
 * immutable: a change puts a new one in its place. Config lock, then sk.lock; readers use RCU.
 */
#include "inet.h"

struct mc_member {
	struct mc_member *next; /* RCU */
	struct inet_addr group;
	int ifindex;
	u32 mode, nr; /* MCAST_*; sources */
	struct rcu_head rcu;
	struct inet_addr sources[];
};

static struct mc_member *member_new(const struct inet_addr *group, int ifindex, u32 mode, u32 nr)
{
	struct mc_member *m = kzalloc(sizeof(*m) + nr * sizeof(m->sources[0]), GFP_KERNEL);

	if (m) {
		m->group = *group;
		m->ifindex = ifindex;
		m->mode = mode;
		m->nr = nr;
	}
	return m;
}

bool inet_mc_allowed(const struct inet_sock *s, const struct inet_addr *group,
	const struct inet_addr *src, u32 ifindex)
{
	struct mc_member *m;

	for (m = rcu_load(s->members); m; m = rcu_load(m->next)) {
		bool listed = false;

		if (!addr_eq(&m->group, group) || (u32)m->ifindex != ifindex)
			continue;
		for (u32 i = 0; i < m->nr && !listed; i++)
			listed = addr_eq(&m->sources[i], src);
		return listed == (m->mode == MCAST_INCLUDE);
	}
	return inet_flag(s, addr_is_v4(group) ? INF_MC_ALL : INF_MC_ALL6);
}

/* The interface of a request: by number, else by the route to the group. Config lock. */
static struct inet_dev *find_dev(struct inet_sock *s, struct mc_request *r, int *err)
{
	struct net *net = s->sk.net;
	struct netif *n = NULL;
	struct ip_path path;
	struct flow f = {.remote = r->group, .local = addr_any(addr_family(&r->group))};

	*err = -ENODEV;
	rcu_read_lock();
	if (r->ifindex)
		n = netif_by_index(net, r->ifindex);
	else if (!route_lookup(net, &f, &path))
		n = path.rt->dev;
	else if (!addr_is_v4(&r->group)) /* Linux takes any for IPv6 */
		for (n = netif_next(net, 0); n; n = netif_next(net, n->ifindex))
			if (netif_running(n) && n->flags & IFF_MULTICAST)
				break;
	rcu_read_unlock();
	if (!n || !inet_dev(n))
		return NULL;
	r->ifindex = n->ifindex;
	return inet_dev(n);
}

static struct mc_member **find_member(struct inet_sock *s, const struct mc_request *r, bool any_dev)
{
	struct mc_member **link = &s->members;

	while (*link &&
		!(addr_eq(&(*link)->group, &r->group) &&
			(any_dev || (*link)->ifindex == r->ifindex)))
		link = &(*link)->next;
	return link;
}

/* new (or nothing) in the place of *link. */
static void put_in(struct inet_sock *s, struct mc_member **link, struct mc_member *new)
{
	struct mc_member *old = *link;

	spin_lock(&s->sk.lock);
	if (new)
		new->next = old ? old->next : NULL;
	rcu_publish(*link, new ? new : old->next);
	spin_unlock(&s->sk.lock);
	if (old)
		rcu_kfree(old, rcu);
}

/* Make the membership at link what new says, on the interface too. Consumes new. */
static int change(
	struct inet_sock *s, struct inet_dev *d, struct mc_member **link, struct mc_member *new)
{
	struct mc_member *old = *link;
	int err = new ? mc_dev_add(d, &new->group, new->mode, new->nr, new->sources) : 0;

	if (err) {
		kfree(new);
		return err;
	}
	if (old && d)
		mc_dev_remove(d, &old->group, old->mode, old->nr, old->sources);
	put_in(s, link, new);
	return 0;
}

static u32 count_members(const struct inet_sock *s)
{
	u32 n = 0;

	for (struct mc_member *m = s->members; m; m = m->next)
		n++;
	return n;
}

static u32 max_sources(struct inet_net *in, bool v4)
{
	return (u32)(v4 ? in->igmp_max_msf : in->mld_max_msf);
}

static int join(struct inet_sock *s, struct inet_dev *d, struct mc_request *r)
{
	struct inet_net *in = d->in;
	struct mc_member **link = find_member(s, r, false);
	struct mc_member *m;

	if (*link)
		return -EADDRINUSE;
	if (addr_is_v4(&r->group) && count_members(s) >= (u32)in->igmp_max_memberships)
		return -ENOBUFS;
	m = member_new(&r->group, r->ifindex, MCAST_EXCLUDE, 0);
	return m ? change(s, d, link, m) : -ENOMEM;
}

/* A source more or less: RFC 3678's rules of what may follow what. */
static int change_source(
	struct inet_sock *s, struct inet_dev *d, enum mc_op op, struct mc_request *r)
{
	struct mc_member **link = find_member(s, r, false), *old = *link, *m;
	u32 mode = op == MC_JOIN_SOURCE || op == MC_LEAVE_SOURCE ? MCAST_INCLUDE : MCAST_EXCLUDE;
	bool add = op == MC_JOIN_SOURCE || op == MC_BLOCK;
	u32 at, nr = old ? old->nr : 0;

	if (!old && op != MC_JOIN_SOURCE)
		return -EINVAL;
	if (old && old->mode != mode) {
		/* Joining a source on top of an any-source membership without sources narrows it. */
		if (op == MC_JOIN_SOURCE && !old->nr)
			nr = 0;
		else
			return -EINVAL;
	}
	for (at = 0; at < nr && !addr_eq(&old->sources[at], &r->source); at++)
		;
	if (add && at < nr)
		return -EADDRNOTAVAIL;
	if (!add && at == nr)
		return -EADDRNOTAVAIL;
	if (!old && count_members(s) >= (u32)d->in->igmp_max_memberships && addr_is_v4(&r->group))
		return -ENOBUFS;
	if (add && nr >= max_sources(d->in, addr_is_v4(&r->group)))
		return -ENOBUFS;
	if (!add && nr == 1 && mode == MCAST_INCLUDE)
		return change(s, d, link, NULL); /* the last one: nothing left to receive */
	m = member_new(&r->group, r->ifindex, mode, add ? nr + 1 : nr - 1);
	if (!m)
		return -ENOMEM;
	for (u32 i = 0, to = 0; i < nr; i++)
		if (add || i != at)
			m->sources[to++] = old->sources[i];
	if (add)
		m->sources[nr] = r->source;
	return change(s, d, link, m);
}

static int leave(struct inet_sock *s, struct mc_request *r)
{
	struct mc_member **link = find_member(s, r, r->ifindex == 0);
	struct netif *n;

	if (!*link)
		return -EADDRNOTAVAIL;
	n = netif_by_index(s->sk.net, (*link)->ifindex);
	return change(s, n ? inet_dev(n) : NULL, link, NULL);
}

int mc_sock_change(struct inet_sock *s, enum mc_op op, struct mc_request *r)
{
	struct net *net = s->sk.net;
	struct inet_dev *d;
	int err;

	if (!addr_is_multicast(&r->group))
		return -EINVAL;
	mutex_lock(&net->config_lock);
	if (op == MC_LEAVE) {
		err = leave(s, r);
	} else {
		d = find_dev(s, r, &err);
		if (d)
			err = op == MC_JOIN ? join(s, d, r) : change_source(s, d, op, r);
	}
	mutex_unlock(&net->config_lock);
	return err;
}

int mc_sock_set_filter(struct inet_sock *s, struct mc_request *r, u32 mode, u32 count,
	const struct inet_addr *sources)
{
	struct net *net = s->sk.net;
	struct mc_member **link, *m;
	struct inet_dev *d;
	int err;

	if (!addr_is_multicast(&r->group) || (mode != MCAST_INCLUDE && mode != MCAST_EXCLUDE))
		return -EINVAL;
	if (count > max_sources(inet_net(net), addr_is_v4(&r->group)))
		return -ENOBUFS;
	mutex_lock(&net->config_lock);
	d = find_dev(s, r, &err);
	if (!d)
		goto out;
	link = find_member(s, r, false);
	err = -EINVAL;
	if (!*link)
		goto out;
	if (mode == MCAST_INCLUDE && !count) {
		err = change(s, d, link, NULL);
		goto out;
	}
	m = member_new(&r->group, r->ifindex, mode, count);
	err = -ENOBUFS;
	if (!m)
		goto out;
	memcpy(m->sources, sources, count * sizeof(*sources));
	err = change(s, d, link, m);
out:
	mutex_unlock(&net->config_lock);
	return err;
}

int mc_sock_get_filter(
	struct inet_sock *s, struct mc_request *r, u32 *mode, u32 *count, struct inet_addr *sources)
{
	struct net *net = s->sk.net;
	struct mc_member *m;
	int err;

	if (!addr_is_multicast(&r->group))
		return -EINVAL;
	mutex_lock(&net->config_lock);
	if (!find_dev(s, r, &err))
		goto out;
	m = *find_member(s, r, false);
	err = -EADDRNOTAVAIL;
	if (!m)
		goto out;
	*mode = m->mode;
	memcpy(sources, m->sources, min(*count, m->nr) * sizeof(*sources));
	*count = m->nr;
	err = 0;
out:
	mutex_unlock(&net->config_lock);
	return err;
}

void mc_sock_leave_all(struct inet_sock *s)
{
	struct net *net = s->sk.net;

	if (!s->members)
		return;
	mutex_lock(&net->config_lock);
	while (s->members) {
		struct netif *n = netif_by_index(net, s->members->ifindex);

		(void)change(s, n ? inet_dev(n) : NULL, &s->members, NULL); /* can't fail */
	}
	mutex_unlock(&net->config_lock);
}
