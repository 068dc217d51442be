/* Links as rtnetlink shows them: RTM_GETLINK, and the events of RTNLGRP_LINK. */
#include "nl.h"
#include <core/init.h>
#include <lib/err.h>
#include <lib/string.h>
#include <net/netif.h>

#define GSO_SEGS 65535u

static LIST_HEAD(g_afs); /* set at start-up */

const struct nl_policy g_link_policy[IFLA_MAX + 1] = {
	[IFLA_ADDRESS] = {NL_BINARY, NETIF_ADDR_MAX},
	[IFLA_BROADCAST] = {NL_BINARY, NETIF_ADDR_MAX},
	[IFLA_IFNAME] = {NL_STRING, IFNAMSIZ - 1},
	[IFLA_MTU] = {NL_U32},
	[IFLA_TXQLEN] = {NL_U32},
	[IFLA_MASTER] = {NL_U32},
	[IFLA_LINK] = {NL_U32},
	[IFLA_OPERSTATE] = {NL_U8},
	[IFLA_LINKMODE] = {NL_U8},
	[IFLA_LINKINFO] = {NL_NESTED},
	[IFLA_NET_NS_PID] = {NL_U32},
	[IFLA_NET_NS_FD] = {NL_U32},
	[IFLA_IFALIAS] = {NL_STRING, IFALIASZ - 1},
	[IFLA_AF_SPEC] = {NL_NESTED},
	[IFLA_EXT_MASK] = {NL_U32},
	[IFLA_PROMISCUITY] = {NL_U32},
	[IFLA_NUM_TX_QUEUES] = {NL_U32},
	[IFLA_NUM_RX_QUEUES] = {NL_U32},
	[IFLA_GROUP] = {NL_U32},
	[IFLA_CARRIER] = {NL_U8},
	[IFLA_ALT_IFNAME] = {NL_STRING, ALTIFNAMSIZ - 1},
	[IFLA_TARGET_NETNSID] = {NL_U32},
};

void rtnl_link_af_register(struct rtnl_link_af *af)
{
	list_add_tail(&af->link, &g_afs);
}

bool link_fill_af(struct nl_buf *b, const struct netif *n, u32 mask)
{
	u32 spec = nl_nest_begin(b, IFLA_AF_SPEC);
	struct rtnl_link_af *af;

	if (!spec)
		return false;
	list_for_each_entry(af, &g_afs, link) {
		u32 nest = nl_nest_begin(b, (u16)af->family);

		if (!nest || !af->fill(b, n, mask))
			return false;
		nl_nest_end(b, nest);
	}
	nl_nest_end(b, spec);
	return true;
}

int link_set_af(struct netif *n, const struct nlattr *spec, struct nl_ext_ack *ack)
{
	const struct nlattr *tb[AF_MAX + 1];
	struct rtnl_link_af *af;
	int err = nl_parse_nested(tb, AF_MAX, spec, NULL, false, ack);

	list_for_each_entry(af, &g_afs, link)
		if (!err && tb[af->family])
			err = af->set ? af->set(n, tb[af->family], ack) : -EOPNOTSUPP;
	return err;
}

static void stats32(struct rtnl_link_stats *to, const struct rtnl_link_stats64 *s)
{
	const u64 *from = (const u64 *)s;
	u32 *out = (u32 *)to;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*out); i++)
		out[i] = (u32)from[i];
}

static bool fill_stats(struct nl_buf *b, struct netif *n)
{
	struct rtnl_link_stats64 s;
	struct rtnl_link_stats s32;

	netif_get_stats(n, &s);
	stats32(&s32, &s);
	return nl_put_aligned(b, IFLA_STATS64, &s, sizeof(s), IFLA_PAD) &&
		nl_put(b, IFLA_STATS, &s32, sizeof(s32));
}

static bool fill_limits(struct nl_buf *b, const struct netif *n)
{
	return nl_put_u32(b, IFLA_GROUP, n->group) &&
		nl_put_u32(b, IFLA_PROMISCUITY, n->promiscuity) &&
		nl_put_u32(b, IFLA_NUM_TX_QUEUES, max(n->nr_queues, 1u)) &&
		nl_put_u32(b, IFLA_GSO_MAX_SEGS, GSO_SEGS) &&
		nl_put_u32(b, IFLA_GSO_MAX_SIZE, PACKET_MAX_LEN + 1) &&
		nl_put_u32(b, IFLA_NUM_RX_QUEUES, n->num_rx_queues);
}

static bool fill_carrier(struct nl_buf *b, const struct netif *n)
{
	u32 changes = READ_ONCE(n->carrier_changes);
	bool up = READ_ONCE(n->carrier);

	/* It began with a carrier: each second change brings it back. */
	return nl_put_u8(b, IFLA_CARRIER, up) && nl_put_u32(b, IFLA_CARRIER_CHANGES, changes) &&
		nl_put_u32(b, IFLA_CARRIER_UP_COUNT, changes / 2) &&
		nl_put_u32(b, IFLA_CARRIER_DOWN_COUNT, changes - changes / 2) &&
		nl_put_u8(b, IFLA_PROTO_DOWN, 0);
}

static bool fill_addresses(struct nl_buf *b, const struct netif *n)
{
	if (!n->addr_len)
		return true;
	return nl_put(b, IFLA_ADDRESS, n->addr, n->addr_len) &&
		nl_put(b, IFLA_BROADCAST, n->broadcast, n->addr_len);
}

static const char *queueing(const struct netif *n)
{
	if (!(n->flags & IFF_UP) && !n->operstate)
		return "noop";
	return n->nr_queues ? "pfifo" : "noqueue";
}

static bool fill_rest(struct nl_buf *b, struct netif *n, u32 mask)
{
	static const u8 zero[NETIF_ADDR_MAX];
	struct rtnl_link_ifmap map = {0};

	if (!nl_put_aligned(b, IFLA_MAP, &map, sizeof(map), IFLA_PAD) || !fill_addresses(b, n))
		return false;
	if (!(mask & RTEXT_FILTER_SKIP_STATS) && !fill_stats(b, n))
		return false;
	if (!nl_put_string(b, IFLA_QDISC, queueing(n)))
		return false;
	if (n->alias[0] && !nl_put_string(b, IFLA_IFALIAS, n->alias))
		return false;
	if (memcmp(n->perm_addr, zero, sizeof(zero)) &&
		!nl_put(b, IFLA_PERM_ADDRESS, n->perm_addr, n->addr_len))
		return false;
	return link_fill_af(b, n, mask);
}

bool link_fill(struct nl_buf *b, struct netif *n, u16 type, u32 portid, u32 seq, u16 flags,
	u32 change, u32 mask)
{
	struct nlmsghdr *h = nl_begin(b, portid, seq, type, flags, sizeof(struct ifinfomsg));
	struct ifinfomsg *ifi;

	if (!h)
		return false;
	ifi = nl_data(h);
	*ifi = (struct ifinfomsg){.ifi_family = AF_UNSPEC,
		.ifi_type = n->type,
		.ifi_index = n->ifindex,
		.ifi_flags = netif_user_flags(n),
		.ifi_change = change};
	if (nl_put_string(b, IFLA_IFNAME, n->name) && nl_put_u32(b, IFLA_TXQLEN, n->tx_queue_len) &&
		nl_put_u8(b, IFLA_OPERSTATE, netif_operstate(n)) &&
		nl_put_u8(b, IFLA_LINKMODE, 0) && nl_put_u32(b, IFLA_MTU, n->mtu) &&
		nl_put_u32(b, IFLA_MIN_MTU, n->min_mtu) &&
		nl_put_u32(b, IFLA_MAX_MTU, n->max_mtu == U32_MAX ? 0 : n->max_mtu) &&
		fill_limits(b, n) && fill_carrier(b, n) && fill_rest(b, n, mask)) {
		nl_end(b, h);
		return true;
	}
	nl_cancel(b, h);
	return false;
}

/* ---- requests ---- */

static u32 ext_mask(const struct nlattr **tb)
{
	return tb[IFLA_EXT_MASK] ? nla_u32(tb[IFLA_EXT_MASK]) : 0;
}

struct netif *link_named(
	struct nl_request *rq, const struct ifinfomsg *ifi, const struct nlattr **tb, int *err)
{
	char name[ALTIFNAMSIZ];
	struct netif *n;

	*err = -EINVAL;
	if (ifi->ifi_index > 0) {
		n = netif_by_index(rq->net, ifi->ifi_index);
	} else if (tb[IFLA_IFNAME] || tb[IFLA_ALT_IFNAME]) {
		nla_string(tb[IFLA_IFNAME] ? tb[IFLA_IFNAME] : tb[IFLA_ALT_IFNAME], name,
			sizeof(name));
		n = netif_by_name(rq->net, name);
	} else {
		return NULL;
	}
	*err = n ? 0 : -ENODEV;
	return n;
}

static int get_link(struct nl_request *rq)
{
	const struct ifinfomsg *ifi = (const void *)((const u8 *)rq->h + NLMSG_HDRLEN);
	const struct nlattr *tb[IFLA_MAX + 1];
	struct netif *n;
	struct nl_buf b;
	int err = nl_parse_message(
		tb, IFLA_MAX, rq->h, sizeof(*ifi), g_link_policy, rq->strict, rq->ack);

	if (err)
		return err;
	if (rq->strict && (ifi->__ifi_pad || ifi->ifi_type || ifi->ifi_flags || ifi->ifi_change))
		return nl_error(rq->ack, -EINVAL, "Invalid values in header for get link request");
	if (tb[IFLA_TARGET_NETNSID])
		return -EINVAL; /* there is no other namespace */
	n = link_named(rq, ifi, tb, &err);
	if (err)
		return err;
	b = nl_alloc(LINK_BUF_SIZE, GFP_KERNEL);
	if (!b.data)
		return -ENOBUFS;
	if (!link_fill(&b, n, RTM_NEWLINK, rq->portid, rq->h->nlmsg_seq, 0, 0, ext_mask(tb))) {
		nl_free(&b);
		return -EMSGSIZE;
	}
	return nl_reply(rq, &b);
}

enum { AT_INDEX, EXT_MASK, MASTER, KIND }; /* cursors */

static int start_links(struct nl_dump *d)
{
	const struct ifinfomsg *ifi = (const void *)((const u8 *)d->h + NLMSG_HDRLEN);
	const struct nlattr *tb[IFLA_MAX + 1];
	int err;

	/* Old programs send a struct rtgenmsg only. */
	if (!d->strict && d->h->nlmsg_len < NLMSG_HDRLEN + sizeof(*ifi))
		return 0;
	err = nl_parse_message(tb, IFLA_MAX, d->h, sizeof(*ifi), g_link_policy, d->strict, d->ack);
	if (err)
		return d->strict ? err : 0;
	if (d->strict && (ifi->__ifi_pad || ifi->ifi_type || ifi->ifi_flags || ifi->ifi_change))
		return nl_error(d->ack, -EINVAL, "Invalid values in header for link dump request");
	if (d->strict && ifi->ifi_index)
		return nl_error(
			d->ack, -EINVAL, "Filter by device index not supported for link dumps");
	if (tb[IFLA_TARGET_NETNSID])
		return -EINVAL;
	d->cursor[EXT_MASK] = ext_mask(tb);
	d->cursor[MASTER] = tb[IFLA_MASTER] ? nla_u32(tb[IFLA_MASTER]) : 0;
	d->cursor[KIND] = tb[IFLA_LINKINFO] && nla_len(tb[IFLA_LINKINFO]);
	d->filtered = d->cursor[MASTER] || d->cursor[KIND];
	return 0;
}

static int dump_links(struct nl_dump *d)
{
	u16 flags = NLM_F_MULTI | (d->filtered ? NLM_F_DUMP_FILTERED : 0);
	struct netif *n;

	if (d->filtered)
		return 0; /* nothing here has a master or a kind */
	while ((n = netif_next(d->net, (int)d->cursor[AT_INDEX]))) {
		if (!link_fill(d->out, n, RTM_NEWLINK, d->portid, d->h->nlmsg_seq, flags, 0,
			    (u32)d->cursor[EXT_MASK]))
			return NL_DUMP_MORE;
		d->cursor[AT_INDEX] = (u64)n->ifindex;
	}
	return 0;
}

/* ---- events ---- */

static void tell(struct netif *n, enum netif_event e)
{
	u16 type = e == NETIF_GONE ? RTM_DELLINK : RTM_NEWLINK;
	u32 change = e == NETIF_CHANGED                    ? n->flags ^ n->told_flags
		: e == NETIF_REGISTERED || e == NETIF_GONE ? U32_MAX
							   : 0;
	struct nl_buf b;

	if (e == NETIF_UP || e == NETIF_DOWN) /* NETIF_CHANGED follows */
		return;
	n->told_flags = n->flags;
	if (!nl_has_listeners(n->net, NETLINK_ROUTE, RTNLGRP_LINK))
		return;
	b = nl_alloc(LINK_BUF_SIZE, GFP_KERNEL);
	if (b.data && !link_fill(&b, n, type, 0, 0, 0, change, 0)) {
		nl_free(&b);
		return;
	}
	nl_multicast(n->net, NETLINK_ROUTE, RTNLGRP_LINK, &b, 0);
}

static int link_init(void)
{
	static const struct nl_handler table[] = {
		{RTM_GETLINK, get_link, start_links, dump_links},
		{RTM_NEWLINK, link_new},
		{RTM_SETLINK, link_set},
		{RTM_DELLINK, link_del},
	};
	static struct netif_listener listener = {.fn = tell};

	rtnl_register(AF_UNSPEC, table, ARRAY_SIZE(table));
	netif_listen(&listener);
	return 0;
}
INIT_HOOK(INIT_CORE, link_init);
