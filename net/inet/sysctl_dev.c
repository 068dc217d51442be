/*
 * Variables of /proc/sys/net/ipv[46]/conf/DEV and neigh/DEV, and what follows a change: linux-doc
 * networking/ip-sysctl.
 *
 * A change of IPv4's default, and of that of neighbours, reaches each interface where the variable
 * has never been set and that has never had an IPv4 address; IPv6's default is for interfaces to
 * come. Only forwarding and disable_ipv6 for all change each interface's own; others are looked at
 * beside it.
 */
#include "inet.h"

struct variable {
	const char *name;
	enum {
		IN_CONF,
		IN_NEIGH,
		IN_TABLE,
		OFF
	} home; /* OFF: not done here, nor to be switched on */
	u16 offset;
	u16 unit; /* what is shown is the member divided by it */
	s32 min, max;
};

#define CONF(name, member, min, max)                                           \
	{                                                                      \
		name, IN_CONF, offsetof(struct inet_conf, member), 1, min, max \
	}
#define ANY(member) CONF(#member, member, INT_MIN, INT_MAX)
#define NEIGH(name, member, unit)                                                              \
	{                                                                                      \
		name, IN_NEIGH, offsetof(struct neigh_conf, member), unit, 0, INT_MAX / (unit) \
	}
#define TABLE(name, member)                                                          \
	{                                                                            \
		name, IN_TABLE, offsetof(struct neigh_counts, member), 1, 0, INT_MAX \
	}

static const struct variable g_conf4[] = {
	ANY(accept_local),
	{"accept_redirects", OFF},
	{"accept_source_route", OFF},
	ANY(arp_announce),
	ANY(arp_ignore),
	ANY(arp_notify),
	ANY(force_igmp_version),
	ANY(forwarding),
	{"log_martians", OFF},
	ANY(promote_secondaries),
	{"proxy_arp", OFF},
	ANY(route_localnet),
	ANY(rp_filter),
	{"send_redirects", OFF},
	{NULL},
};

static const struct variable g_conf6[] = {
	ANY(accept_dad),
	ANY(accept_ra),
	ANY(accept_ra_defrtr),
	ANY(accept_ra_mtu),
	ANY(accept_ra_pinfo),
	{"accept_redirects", OFF},
	{"accept_source_route", OFF},
	ANY(autoconf),
	ANY(dad_transmits),
	CONF("disable_ipv6", disable6, INT_MIN, INT_MAX),
	ANY(force_mld_version),
	CONF("forwarding", forwarding6, INT_MIN, INT_MAX),
	CONF("hop_limit", hop_limit, 1, 255),
	ANY(keep_addr_on_down),
	ANY(max_addresses),
	CONF("mtu", mtu6, 1280, INT_MAX),
	{"proxy_ndp", OFF},
	CONF("router_solicitation_delay", router_solicitation_delay_s, 0, INT_MAX),
	CONF("router_solicitation_interval", router_solicitation_interval_s, 0, INT_MAX),
	CONF("router_solicitations", router_solicitations, -1, INT_MAX),
	{"use_tempaddr", OFF},
	{NULL},
};

/* Those of the whole table stand last: only the default has them. */
static const struct variable g_neigh[] = {
	NEIGH("base_reachable_time", base_reachable_ms, 1000),
	NEIGH("base_reachable_time_ms", base_reachable_ms, 1),
	NEIGH("delay_first_probe_time", delay_first_probe_s, 1),
	NEIGH("gc_stale_time", gc_stale_s, 1),
	NEIGH("mcast_solicit", mcast_solicit, 1),
	NEIGH("retrans_time_ms", retrans_ms, 1),
	NEIGH("ucast_solicit", ucast_solicit, 1),
	NEIGH("unres_qlen_bytes", unres_qlen_bytes, 1),
	TABLE("gc_interval", gc_interval_s),
	TABLE("gc_thresh1", gc_thresh1),
	TABLE("gc_thresh2", gc_thresh2),
	TABLE("gc_thresh3", gc_thresh3),
	{NULL},
};

static const struct variable *const g_groups[] = {
	[INET_CONF4] = g_conf4,
	[INET_CONF6] = g_conf6,
	[INET_NEIGH4] = g_neigh,
	[INET_NEIGH6] = g_neigh,
};
static_assert(ARRAY_SIZE(g_conf6) <= 64, "bits of own");

const char *inet_dev_variable(enum inet_dev_group g, int whose, u32 nr)
{
	const struct variable *v = &g_groups[g][nr];

	return v->home == IN_TABLE && whose != INET_CONF_DEFAULT ? NULL : v->name;
}

/* The variable, or NULL: the interface is gone. Config lock. */
static s32 *place(struct inet_net *in, enum inet_dev_group g, struct inet_dev *d, int whose,
	const struct variable *v)
{
	bool v6 = g == INET_NEIGH6;
	void *base;

	if (whose > 0 && !d)
		return NULL;
	if (v->home == IN_TABLE)
		base = neigh_counts(in, v6);
	else if (v->home == IN_NEIGH)
		base = d ? &d->neigh[v6] : &in->neigh_default[v6];
	else
		base = d ? &d->conf : whose == INET_CONF_ALL ? &in->conf_all : &in->conf_default;
	return (s32 *)((u8 *)base + v->offset);
}

static struct inet_dev *dev_by_index(struct inet_net *in, int ifindex)
{
	struct netif *n = ifindex > 0 ? netif_by_index(in->net, ifindex) : NULL;

	return n ? n->proto[NETIF_IPV4] : NULL;
}

static bool is(enum inet_dev_group g, const struct variable *v, enum inet_dev_group of, u16 offset)
{
	return g == of && v->home == IN_CONF && v->offset == offset;
}

static bool is_forwarding(enum inet_dev_group g, const struct variable *v)
{
	return is(g, v, INET_CONF4, offsetof(struct inet_conf, forwarding)) ||
		is(g, v, INET_CONF6, offsetof(struct inet_conf, forwarding6));
}

static bool is_disable6(enum inet_dev_group g, const struct variable *v)
{
	return is(g, v, INET_CONF6, offsetof(struct inet_conf, disable6));
}

/* Store it for each interface, or for those where it was never set. Config lock. */
static void spread(struct inet_net *in, enum inet_dev_group g, u32 nr, s32 value, bool everywhere)
{
	const struct variable *v = &g_groups[g][nr];

	for (struct netif *n = netif_next(in->net, 0); n; n = netif_next(in->net, n->ifindex)) {
		struct inet_dev *d = n->proto[NETIF_IPV4];

		if (!d || (!everywhere && d->own[g] >> nr & 1))
			continue;
		WRITE_ONCE(*place(in, g, d, n->ifindex, v), value);
		if (is_disable6(g, v))
			inet_dev_v6_changed(d);
	}
}

/* What a new value brings with it beyond itself. Config lock. */
static void follow_up(struct inet_net *in, enum inet_dev_group g, struct inet_dev *d, int whose,
	u32 nr, s32 value)
{
	const struct variable *v = &g_groups[g][nr];

	if (d) {
		d->own[g] |= 1ull << nr;
		if (is_disable6(g, v))
			inet_dev_v6_changed(d);
	} else if (is_forwarding(g, v) || is_disable6(g, v)) {
		if (whose != INET_CONF_ALL)
			return;
		WRITE_ONCE(*place(in, g, NULL, INET_CONF_DEFAULT, v), value);
		spread(in, g, nr, value, true);
	} else if (whose == INET_CONF_DEFAULT && g != INET_CONF6 && v->home != IN_TABLE) {
		spread(in, g, nr, value, false);
	}
}

void inet_ip_forward_changed(struct inet_net *in)
{
	u32 nr = 0;

	while (!is_forwarding(INET_CONF4, &g_conf4[nr]))
		nr++;
	mutex_lock(&in->net->config_lock);
	follow_up(in, INET_CONF4, NULL, INET_CONF_ALL, nr, in->conf_all.forwarding);
	mutex_unlock(&in->net->config_lock);
}

int inet_dev_sysctl_get(struct net *net, enum inet_dev_group g, int whose, u32 nr, s32 *value)
{
	struct inet_net *in = inet_net(net);
	const struct variable *v = &g_groups[g][nr];
	s32 *at;

	mutex_lock(&net->config_lock);
	at = place(in, g, dev_by_index(in, whose), whose, v);
	if (at)
		*value = v->home == OFF ? 0 : READ_ONCE(*at) / v->unit;
	mutex_unlock(&net->config_lock);
	return at ? 0 : -ENODEV;
}

int inet_dev_sysctl_set(struct net *net, enum inet_dev_group g, int whose, u32 nr, s32 value)
{
	struct inet_net *in = inet_net(net);
	const struct variable *v = &g_groups[g][nr];
	struct inet_dev *d;
	s32 *at;
	int err = 0;

	if (value < v->min || value > v->max)
		return -EINVAL;
	mutex_lock(&net->config_lock);
	d = dev_by_index(in, whose);
	at = place(in, g, d, whose, v);
	if (!at)
		err = -ENODEV;
	else if (is(g, v, INET_CONF6, offsetof(struct inet_conf, mtu6)) && d &&
		value > (s32)d->dev->mtu)
		err = -EINVAL;
	if (!err && v->home != OFF) {
		WRITE_ONCE(*at, value * v->unit);
		follow_up(in, g, d, whose, nr, value * v->unit);
		route_gen_bump(net);
	}
	mutex_unlock(&net->config_lock);
	return err;
}
