/* Changing links: RTM_SETLINK, RTM_NEWLINK of one that is there, RTM_DELLINK. Config lock held. */
#include "nl.h"
#include <lib/err.h>
#include <lib/string.h>
#include <net/netif.h>

static int set_address(struct netif *n, const struct nlattr *a, struct nl_ext_ack *ack)
{
	if (nla_len(a) < n->addr_len)
		return nl_error_attr(ack, -EINVAL, a, NULL);
	return netif_set_address(n, nla_data(a));
}

static int set_alias(struct netif *n, const struct nlattr *a)
{
	nla_string(a, n->alias, sizeof(n->alias));
	return 0;
}

static int set_name(struct netif *n, const struct nlattr *a)
{
	char name[IFNAMSIZ];

	nla_string(a, name, sizeof(name));
	return name[0] && strcmp(name, n->name) ? netif_set_name(n, name) : 0;
}

/* In Linux's order; what succeeded before an error stays done. */
static int set_attributes(struct nl_request *rq, struct netif *n, const struct nlattr **tb)
{
	int err = 0;

	if (tb[IFLA_NET_NS_PID] || tb[IFLA_NET_NS_FD] || tb[IFLA_TARGET_NETNSID])
		return -EINVAL; /* there is no other namespace */
	if (tb[IFLA_MASTER] && nla_u32(tb[IFLA_MASTER]))
		return netif_by_index(rq->net, (int)nla_u32(tb[IFLA_MASTER])) ? -EOPNOTSUPP
									      : -EINVAL;
	if (tb[IFLA_ADDRESS])
		err = set_address(n, tb[IFLA_ADDRESS], rq->ack);
	if (!err && tb[IFLA_MTU])
		err = netif_set_mtu(n, nla_u32(tb[IFLA_MTU]));
	if (!err && tb[IFLA_GROUP])
		n->group = nla_u32(tb[IFLA_GROUP]);
	if (!err && tb[IFLA_IFNAME])
		err = set_name(n, tb[IFLA_IFNAME]);
	if (!err && tb[IFLA_IFALIAS])
		err = set_alias(n, tb[IFLA_IFALIAS]);
	if (!err && tb[IFLA_BROADCAST] && nla_len(tb[IFLA_BROADCAST]) >= n->addr_len)
		memcpy(n->broadcast, nla_data(tb[IFLA_BROADCAST]), n->addr_len);
	if (!err && tb[IFLA_TXQLEN])
		WRITE_ONCE(n->tx_queue_len, nla_u32(tb[IFLA_TXQLEN]));
	if (!err && (tb[IFLA_CARRIER] || tb[IFLA_LINKMODE] || tb[IFLA_OPERSTATE]))
		err = -EOPNOTSUPP;
	if (!err && tb[IFLA_AF_SPEC])
		err = link_set_af(n, tb[IFLA_AF_SPEC], rq->ack);
	return err;
}

static int set(struct nl_request *rq, struct netif *n, const struct ifinfomsg *ifi,
	const struct nlattr **tb)
{
	u32 change = ifi->ifi_change ? ifi->ifi_change : U32_MAX;
	int err = set_attributes(rq, n, tb);

	if (!err && (ifi->ifi_flags || ifi->ifi_change))
		err = netif_set_flags(n, ifi->ifi_flags, change);
	return err;
}

static int parse(struct nl_request *rq, const struct nlattr **tb, const struct ifinfomsg **ifi)
{
	*ifi = (const void *)((const u8 *)rq->h + NLMSG_HDRLEN);
	return nl_parse_message(tb, IFLA_MAX, rq->h, sizeof(**ifi), g_link_policy, false, rq->ack);
}

int link_set(struct nl_request *rq)
{
	const struct nlattr *tb[IFLA_MAX + 1];
	const struct ifinfomsg *ifi;
	struct netif *n;
	int err = parse(rq, tb, &ifi);

	if (err)
		return err;
	n = link_named(rq, ifi, tb, &err);
	return err ? err : set(rq, n, ifi, tb);
}

/* All interfaces of a group. */
static int set_group(struct nl_request *rq, const struct ifinfomsg *ifi, const struct nlattr **tb)
{
	u32 group = nla_u32(tb[IFLA_GROUP]);
	struct netif *n;
	int err = 0;

	for (int i = 0; !err && (n = netif_next(rq->net, i)); i = n->ifindex)
		if (n->group == group)
			err = set(rq, n, ifi, tb);
	return err;
}

int link_new(struct nl_request *rq)
{
	const struct nlattr *tb[IFLA_MAX + 1];
	const struct ifinfomsg *ifi;
	u16 flags = rq->h->nlmsg_flags;
	struct netif *n;
	int err = parse(rq, tb, &ifi);

	if (err)
		return err;
	n = link_named(rq, ifi, tb, &err);
	if (n) {
		if (flags & NLM_F_EXCL)
			return -EEXIST;
		if (flags & NLM_F_REPLACE)
			return -EOPNOTSUPP;
		return set(rq, n, ifi, tb);
	}
	if (!(flags & NLM_F_CREATE))
		return !ifi->ifi_index && tb[IFLA_GROUP] ? set_group(rq, ifi, tb) : -ENODEV;
	return nl_error(rq->ack, -EOPNOTSUPP, "Unknown device type");
}

int link_del(struct nl_request *rq)
{
	const struct nlattr *tb[IFLA_MAX + 1];
	const struct ifinfomsg *ifi;
	int err = parse(rq, tb, &ifi);

	if (err)
		return err;
	(void)link_named(rq, ifi, tb, &err);
	return err ? err : -EOPNOTSUPP; /* all that are here are hardware, or lo */
}
