/* rtnetlink: neighbours (RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH). linux/neighbour.h. */
#include "inet.h"
#include <linux/neighbour.h>
#include <netlink/netlink.h>

#define NUD_VALID (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

static bool fill(struct nl_buf *b, struct nlmsghdr *h, struct neigh *n)
{
	struct ndmsg *m = nl_data(h);
	s64 now = clock_mono_ns();
	u8 state, hw[NETIF_ADDR_MAX];
	struct nda_cacheinfo ci;
	u32 probes;

	spin_lock(&n->lock);
	state = n->state;
	memcpy(hw, n->hw, sizeof(hw));
	ci.ndm_confirmed = (u32)((now - n->confirmed_ns) / (NS_PER_SEC / 100));
	ci.ndm_used = (u32)((now - n->used_ns) / (NS_PER_SEC / 100));
	ci.ndm_updated = (u32)((now - n->updated_ns) / (NS_PER_SEC / 100));
	ci.ndm_refcnt = ref_read(&n->refs) - 1;
	probes = n->probes;
	m->ndm_flags = (u8)(n->flags | (n->router ? NTF_ROUTER : 0));
	spin_unlock(&n->lock);
	m->ndm_family = addr_is_v4(&n->addr) ? AF_INET : AF_INET6;
	m->ndm_ifindex = n->dev->ifindex;
	m->ndm_state = state;
	m->ndm_type = addr_is_multicast(&n->addr) ? RTN_MULTICAST : RTN_UNICAST;
	return nl_put_addr(b, NDA_DST, &n->addr) &&
		(!(state & NUD_VALID) || nl_put(b, NDA_LLADDR, hw, n->dev->addr_len)) &&
		nl_put_u32(b, NDA_PROBES, probes) && nl_put(b, NDA_CACHEINFO, &ci, sizeof(ci));
}

/* Packet context or thread; no lock of the entry's or the table's. */
static void notify(struct net *net, struct neigh *n, bool del)
{
	struct nl_buf b;
	struct nlmsghdr *h;

	if (!nl_has_listeners(net, NETLINK_ROUTE, RTNLGRP_NEIGH))
		return;
	b = nl_alloc(256, GFP_ATOMIC);
	h = b.data ? nl_begin(&b, 0, 0, del ? RTM_DELNEIGH : RTM_NEWNEIGH, 0, sizeof(struct ndmsg))
		   : NULL;
	if (!h || !fill(&b, h, n)) {
		nl_free(&b);
		return;
	}
	nl_end(&b, h);
	nl_multicast(net, NETLINK_ROUTE, RTNLGRP_NEIGH, &b, 0);
}

struct dump {
	struct nl_dump *d;
	u64 seen;
	int only;
	bool full;
};

static bool dump_one(struct neigh *n, void *arg)
{
	struct dump *x = arg;
	struct nlmsghdr *h;

	if (x->seen++ < x->d->cursor[0])
		return true;
	if ((x->only && n->dev->ifindex != x->only) || READ_ONCE(n->state) == NUD_NONE ||
		(READ_ONCE(n->state) == NUD_NOARP && n->dev->flags & IFF_LOOPBACK))
		return true;
	h = nl_dump_begin(x->d, RTM_NEWNEIGH, sizeof(struct ndmsg));
	if (h && fill(x->d->out, h, n)) {
		nl_end(x->d->out, h);
		x->d->cursor[0] = x->seen;
		return true;
	}
	if (h)
		nl_cancel(x->d->out, h);
	x->full = true;
	return false;
}

static int dump_family(struct nl_dump *d, int f)
{
	const struct ndmsg *q = NLMSG_DATA(d->h);
	const struct nlattr *tb[NDA_MAX + 1];
	struct dump x = {.d = d};

	if (d->h->nlmsg_len >= NLMSG_HDRLEN + sizeof(*q)) {
		int err = nl_parse_message(tb, NDA_MAX, d->h, sizeof(*q), NULL, false, NULL);

		if (err)
			return err;
		if (tb[NDA_IFINDEX] && nla_len(tb[NDA_IFINDEX]) >= 4)
			x.only = (int)nla_u32(tb[NDA_IFINDEX]);
		if (q->ndm_flags & NTF_PROXY)
			return 0; /* there are none */
	}
	neigh_each(inet_net(d->net), f, dump_one, &x);
	return x.full ? NL_DUMP_MORE : 0;
}
static int dump4(struct nl_dump *d)
{
	return dump_family(d, 0);
}
static int dump6(struct nl_dump *d)
{
	return dump_family(d, 1);
}

struct request {
	const struct nlattr *tb[NDA_MAX + 1];
	const struct ndmsg *m;
	struct inet_addr addr;
	struct netif *dev;
};

static int parse(struct nl_request *rq, struct request *r)
{
	int err = nl_parse_message(r->tb, NDA_MAX, rq->h, sizeof(*r->m), NULL, false, rq->ack);
	const struct nlattr *a = r->tb[NDA_DST];
	u32 be;

	if (err)
		return err;
	r->m = NLMSG_DATA(rq->h);
	if (!a)
		return nl_error(rq->ack, -EINVAL, "Network address not specified");
	if (nla_len(a) < (r->m->ndm_family == AF_INET6 ? 16u : 4u))
		return nl_error(rq->ack, -EINVAL, "Invalid network address");
	if (r->m->ndm_family == AF_INET6) {
		r->addr = addr_v6(nla_data(a));
	} else {
		memcpy(&be, nla_data(a), 4);
		r->addr = addr_v4(be);
	}
	if (r->m->ndm_flags & NTF_PROXY)
		return nl_error(rq->ack, -EOPNOTSUPP, "Proxy entries are not supported");
	r->dev = netif_by_index(rq->net, r->m->ndm_ifindex);
	if (!r->dev || !inet_dev(r->dev))
		return nl_error(rq->ack, -ENODEV, "Device not specified");
	return 0;
}

static int do_new(struct nl_request *rq)
{
	struct request r = {.m = NULL};
	int err = parse(rq, &r);
	const struct nlattr *hw;

	if (err)
		return err;
	hw = r.tb[NDA_LLADDR];
	if (hw && nla_len(hw) < r.dev->addr_len)
		return nl_error(rq->ack, -EINVAL, "Invalid link address");
	return neigh_admin_add(inet_net(rq->net), r.dev, &r.addr, hw ? nla_data(hw) : NULL,
		r.m->ndm_state, r.m->ndm_flags, rq->h->nlmsg_flags);
}

static int do_del(struct nl_request *rq)
{
	struct request r = {.m = NULL};
	int err = parse(rq, &r);

	return err ? err : neigh_admin_del(inet_net(rq->net), r.dev, &r.addr);
}

static int do_get(struct nl_request *rq)
{
	struct request r = {.m = NULL};
	int err = parse(rq, &r);
	struct nl_buf b;
	struct nlmsghdr *h;
	struct neigh *n;

	if (err)
		return err;
	b = nl_alloc(256, GFP_KERNEL);
	h = b.data
		? nl_begin(&b, rq->portid, rq->h->nlmsg_seq, RTM_NEWNEIGH, 0, sizeof(struct ndmsg))
		: NULL;
	rcu_read_lock();
	n = neigh_lookup(inet_net(rq->net), r.dev, &r.addr, false);
	err = !n ? -ENOENT : h && fill(&b, h, n) ? 0 : -ENOBUFS;
	rcu_read_unlock();
	if (err) {
		nl_free(&b);
		return err;
	}
	nl_end(&b, h);
	return nl_reply(rq, &b);
}

void nl_neigh_init(void)
{
	static const struct nl_handler v4[] = {{.type = RTM_NEWNEIGH, .doit = do_new},
		{.type = RTM_DELNEIGH, .doit = do_del},
		{.type = RTM_GETNEIGH, .doit = do_get, .dump = dump4}};
	static const struct nl_handler v6[] = {{.type = RTM_NEWNEIGH, .doit = do_new},
		{.type = RTM_DELNEIGH, .doit = do_del},
		{.type = RTM_GETNEIGH, .doit = do_get, .dump = dump6}};

	rtnl_register(AF_INET, v4, ARRAY_SIZE(v4));
	rtnl_register(AF_INET6, v6, ARRAY_SIZE(v6));
	g_route_events.neigh = notify;
}
