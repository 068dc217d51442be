/* rtnetlink: addresses (RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR). rtnetlink(7), linux/if_addr.h. */
#include "inet.h"
#include <linux/if_addr.h>
#include <netlink/netlink.h>

static struct inet_addr addr_of(int family, const struct nlattr *a)
{
	u32 be;

	if (family == AF_INET6)
		return addr_v6(nla_data(a));
	memcpy(&be, nla_data(a), 4);
	return addr_v4(be);
}

bool nl_put_addr(struct nl_buf *b, u16 type, const struct inet_addr *a)
{
	return addr_is_v4(a) ? nl_put(b, type, &a->w[3], 4) : nl_put(b, type, a, 16);
}

/* ---- showing ------------------------------------------------------------------------------------
 */

static u32 seconds_left(s64 end, s64 now)
{
	return end == TIME_NEVER ? U32_MAX : end <= now ? 0 : (u32)((end - now) / NS_PER_SEC);
}
/* Hundredths of a second since boot. */
static u32 stamp(s64 ns)
{
	return (u32)(ns / (NS_PER_SEC / 100));
}

static bool fill(struct nl_buf *b, struct nlmsghdr *h, const struct ifaddr *ia)
{
	struct ifaddrmsg *m = nl_data(h);
	bool v4 = addr_is_v4(&ia->addr), ok;
	s64 now = clock_mono_ns();
	u32 flags = READ_ONCE(ia->flags);
	struct ifa_cacheinfo ci = {.ifa_prefered = seconds_left(ia->preferred_ns, now),
		.ifa_valid = seconds_left(ia->valid_ns, now),
		.cstamp = stamp(ia->created_ns),
		.tstamp = stamp(ia->updated_ns)};

	m->ifa_family = v4 ? AF_INET : AF_INET6;
	m->ifa_prefixlen = ia->prefix;
	m->ifa_flags = (u8)flags;
	m->ifa_scope = ia->scope;
	m->ifa_index = (u32)ia->dev->dev->ifindex;
	if (v4) {
		ok = nl_put_addr(b, IFA_ADDRESS, &ia->peer) &&
			nl_put_addr(b, IFA_LOCAL, &ia->addr) &&
			(addr_is_any(&ia->broadcast) ||
				nl_put_addr(b, IFA_BROADCAST, &ia->broadcast)) &&
			(!ia->label[0] || nl_put_string(b, IFA_LABEL, ia->label)) &&
			(!ia->proto || nl_put_u8(b, IFA_PROTO, ia->proto)) &&
			nl_put_u32(b, IFA_FLAGS, flags) &&
			(!ia->metric || nl_put_u32(b, IFA_RT_PRIORITY, ia->metric)) &&
			nl_put(b, IFA_CACHEINFO, &ci, sizeof(ci));
	} else {
		bool peer = !addr_eq(&ia->peer, &ia->addr);

		ok = (!peer || nl_put_addr(b, IFA_LOCAL, &ia->addr)) &&
			nl_put_addr(b, IFA_ADDRESS, &ia->peer) &&
			(!ia->metric || nl_put_u32(b, IFA_RT_PRIORITY, ia->metric)) &&
			nl_put(b, IFA_CACHEINFO, &ci, sizeof(ci)) &&
			nl_put_u32(b, IFA_FLAGS, flags) &&
			(!ia->proto || nl_put_u8(b, IFA_PROTO, ia->proto));
	}
	return ok;
}

static void notify(struct ifaddr *ia, bool del)
{
	struct net *net = ia->dev->in->net;
	struct nl_buf b = nl_alloc(512, GFP_KERNEL);
	struct nlmsghdr *h = b.data
		? nl_begin(&b, rtnl_portid(g_rtnl_request), rtnl_seq(g_rtnl_request),
			  del ? RTM_DELADDR : RTM_NEWADDR, 0, sizeof(struct ifaddrmsg))
		: NULL;

	if (!h || !fill(&b, h, ia)) {
		nl_free(&b);
		return;
	}
	nl_end(&b, h);
	rtnl_notify(net, addr_is_v4(&ia->addr) ? RTNLGRP_IPV4_IFADDR : RTNLGRP_IPV6_IFADDR, &b,
		g_rtnl_request);
}

/* The cursor: interface, then how many of its addresses were put. */
static int dump_family(struct nl_dump *d, int f)
{
	const struct ifaddrmsg *q = NLMSG_DATA(d->h);
	u32 only = d->strict && d->h->nlmsg_len >= NLMSG_HDRLEN + sizeof(*q) ? q->ifa_index : 0;
	struct netif *n = netif_next(d->net, (int)d->cursor[0]);

	for (; n; n = netif_next(d->net, n->ifindex)) {
		struct inet_dev *dev = inet_dev(n);
		struct ifaddr *ia;
		u64 i = 0;

		if (!dev || (only && (u32)n->ifindex != only))
			continue;
		list_for_each_entry(ia, &dev->addrs[f], link) {
			struct nlmsghdr *h;

			if (i++ < d->cursor[1])
				continue;
			h = nl_dump_begin(d, RTM_NEWADDR, sizeof(struct ifaddrmsg));
			if (!h)
				return NL_DUMP_MORE;
			if (!fill(d->out, h, ia)) {
				nl_cancel(d->out, h);
				return NL_DUMP_MORE;
			}
			nl_end(d->out, h);
			d->cursor[1] = i;
		}
		d->cursor[0] = (u64)n->ifindex;
		d->cursor[1] = 0;
	}
	return 0;
}
static int dump4(struct nl_dump *d)
{
	return dump_family(d, 0);
}
static int dump6(struct nl_dump *d)
{
	return dump_family(d, 1);
}

/* ---- changing -----------------------------------------------------------------------------------
 */

static const struct nl_policy g_policy[IFA_MAX + 1] = {
	[IFA_ADDRESS] = {NL_ANY, 4},
	[IFA_LOCAL] = {NL_ANY, 4},
	[IFA_BROADCAST] = {NL_ANY, 4},
	[IFA_LABEL] = {NL_STRING, IFNAMSIZ - 1},
	[IFA_CACHEINFO] = {NL_ANY, sizeof(struct ifa_cacheinfo)},
	[IFA_FLAGS] = {NL_U32, 0},
	[IFA_RT_PRIORITY] = {NL_U32, 0},
	[IFA_PROTO] = {NL_U8, 0},
};

struct request {
	const struct nlattr *tb[IFA_MAX + 1];
	const struct ifaddrmsg *m;
	int family;
	struct inet_dev *dev;
	struct inet_addr local, peer;
};

static int parse(struct nl_request *rq, struct request *r, bool del)
{
	int err = nl_parse_message(r->tb, IFA_MAX, rq->h, sizeof(*r->m), g_policy, false, rq->ack);
	const struct nlattr *local, *peer;
	struct netif *n;
	u32 len;

	if (err)
		return err;
	r->m = NLMSG_DATA(rq->h);
	r->family = r->m->ifa_family;
	len = r->family == AF_INET6 ? 16 : 4;
	local = r->tb[IFA_LOCAL];
	peer = r->tb[IFA_ADDRESS];
	if ((local && nla_len(local) < len) || (peer && nla_len(peer) < len))
		return -EINVAL;
	if (!local && !peer && !del)
		return nl_error(rq->ack, -EINVAL, "ipv4: Local address is not supplied");
	if (r->m->ifa_prefixlen > len * 8)
		return nl_error(rq->ack, -EINVAL, "Invalid prefix length");
	n = netif_by_index(rq->net, (int)r->m->ifa_index);
	r->dev = n ? inet_dev(n) : NULL;
	if (!r->dev)
		return nl_error(rq->ack, -ENODEV, "Unable to find the interface");
	if (local || peer) {
		r->local = addr_of(r->family, local ? local : peer);
		r->peer = addr_of(r->family, peer ? peer : local);
	}
	return 0;
}

static int lifetimes(struct nl_request *rq, struct request *r, struct ifaddr *ia)
{
	const struct ifa_cacheinfo *ci;

	if (!r->tb[IFA_CACHEINFO])
		return 0;
	ci = nla_data(r->tb[IFA_CACHEINFO]);
	if (!ci->ifa_valid || ci->ifa_prefered > ci->ifa_valid)
		return nl_error(rq->ack, -EINVAL, "Invalid lifetimes");
	ia->valid_ns = ci->ifa_valid == U32_MAX ? TIME_NEVER
						: deadline_after(ci->ifa_valid * NS_PER_SEC);
	ia->preferred_ns = ci->ifa_prefered == U32_MAX
		? TIME_NEVER
		: deadline_after(ci->ifa_prefered * NS_PER_SEC);
	ia->flags &= ~(u32)(IFA_F_PERMANENT | IFA_F_DEPRECATED);
	if (ia->valid_ns == TIME_NEVER)
		ia->flags |= IFA_F_PERMANENT;
	if (!ci->ifa_prefered)
		ia->flags |= IFA_F_DEPRECATED;
	return 0;
}

#define USER_FLAGS                                                                   \
	(IFA_F_NODAD | IFA_F_OPTIMISTIC | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | \
		IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN)

static int new_addr(struct nl_request *rq, struct request *r)
{
	u32 flags = r->tb[IFA_FLAGS] ? nla_u32(r->tb[IFA_FLAGS]) : r->m->ifa_flags;
	struct ifaddr *ia, *old;
	int err;

	if (r->family == AF_INET6 && !inet_dev_v6(r->dev))
		return nl_error(rq->ack, -EACCES, "IPv6 is disabled on this device");
	if (flags & (IFA_F_MANAGETEMPADDR | IFA_F_MCAUTOJOIN))
		return nl_error(rq->ack, -EOPNOTSUPP, "Not supported");
	old = ifaddr_find(rq->net ? inet_net(rq->net) : NULL, &r->local, r->dev->dev->ifindex);
	if (old && (r->family == AF_INET6 || old->prefix == r->m->ifa_prefixlen)) {
		if (rq->h->nlmsg_flags & NLM_F_EXCL || !(rq->h->nlmsg_flags & NLM_F_REPLACE))
			return -EEXIST;
		err = lifetimes(rq, r, old);
		if (!err) {
			old->updated_ns = clock_mono_ns();
			ifaddr_changed(old);
		}
		return err;
	}
	ia = ifaddr_new(r->dev, &r->local, r->m->ifa_prefixlen);
	if (!ia)
		return -ENOBUFS;
	ia->peer = r->peer;
	ia->flags = (flags & USER_FLAGS) | IFA_F_PERMANENT;
	err = lifetimes(rq, r, ia);
	if (err) {
		put_ifaddr(ia);
		return err;
	}
	if (r->family == AF_INET) {
		ia->scope = r->m->ifa_scope;
		if (r->tb[IFA_BROADCAST])
			ia->broadcast = addr_of(AF_INET, r->tb[IFA_BROADCAST]);
		if (r->tb[IFA_LABEL])
			nla_string(r->tb[IFA_LABEL], ia->label, IFNAMSIZ);
		else
			memcpy(ia->label, r->dev->dev->name, IFNAMSIZ);
	}
	if (r->tb[IFA_RT_PRIORITY])
		ia->metric = nla_u32(r->tb[IFA_RT_PRIORITY]);
	if (r->tb[IFA_PROTO])
		ia->proto = nla_u8(r->tb[IFA_PROTO]);
	return ifaddr_add(ia);
}

static int do_new(struct nl_request *rq)
{
	struct request r = {.m = NULL};
	int err = parse(rq, &r, false);

	if (err)
		return err;
	g_rtnl_request = rq;
	err = new_addr(rq, &r);
	g_rtnl_request = NULL;
	return err;
}

static int do_del(struct nl_request *rq)
{
	struct request r = {.m = NULL};
	int err = parse(rq, &r, true);
	struct ifaddr *ia;

	if (err)
		return err;
	list_for_each_entry(ia, &r.dev->addrs[r.family == AF_INET6], link) {
		if ((r.tb[IFA_LOCAL] || r.family == AF_INET6) && !addr_eq(&ia->addr, &r.local))
			continue;
		if (r.tb[IFA_LABEL] && r.family == AF_INET) {
			char label[IFNAMSIZ];

			nla_string(r.tb[IFA_LABEL], label, sizeof(label));
			if (strcmp(label, ia->label))
				continue;
		}
		if (r.family == AF_INET && r.tb[IFA_ADDRESS] &&
			(r.m->ifa_prefixlen != ia->prefix ||
				!addr_prefix_eq(&ia->peer, &r.peer, 96u + ia->prefix)))
			continue;
		if (r.family == AF_INET6 && r.m->ifa_prefixlen && r.m->ifa_prefixlen != ia->prefix)
			continue;
		g_rtnl_request = rq;
		ifaddr_remove(ia);
		g_rtnl_request = NULL;
		return 0;
	}
	return nl_error(rq->ack, -EADDRNOTAVAIL, "address not found");
}

static int do_get(struct nl_request *rq)
{
	struct request r = {.m = NULL};
	int err = parse(rq, &r, true);
	struct ifaddr *ia;
	struct nlmsghdr *h;
	struct nl_buf b;

	if (err)
		return err;
	ia = ifaddr_find(inet_net(rq->net), &r.local, r.dev->dev->ifindex);
	if (!ia)
		return -EADDRNOTAVAIL;
	b = nl_alloc(512, GFP_KERNEL);
	h = b.data ? nl_begin(&b, rq->portid, rq->h->nlmsg_seq, RTM_NEWADDR, 0,
			     sizeof(struct ifaddrmsg))
		   : NULL;
	if (!h || !fill(&b, h, ia)) {
		nl_free(&b);
		return -ENOBUFS;
	}
	nl_end(&b, h);
	return nl_reply(rq, &b);
}

void nl_addr_init(void)
{
	static const struct nl_handler v4[] = {{.type = RTM_NEWADDR, .doit = do_new},
		{.type = RTM_DELADDR, .doit = do_del}, {.type = RTM_GETADDR, .dump = dump4}};
	static const struct nl_handler v6[] = {{.type = RTM_NEWADDR, .doit = do_new},
		{.type = RTM_DELADDR, .doit = do_del},
		{.type = RTM_GETADDR, .doit = do_get, .dump = dump6}};

	rtnl_register(AF_INET, v4, ARRAY_SIZE(v4));
	rtnl_register(AF_INET6, v6, ARRAY_SIZE(v6));
	g_route_events.addr = notify;
}
