/* rtnetlink: routes (RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE). rtnetlink(7). */
#include "inet.h"
#include <linux/in_route.h>
#include <netlink/netlink.h>

const struct nl_request *g_rtnl_request; /* config lock: whose change is being made */

static struct inet_addr addr_of(int family, const struct nlattr *a)
{
	u32 be;

	if (family == AF_INET6)
		return addr_v6(nla_data(a));
	memcpy(&be, nla_data(a), 4);
	return addr_v4(be);
}

/* ---- showing ------------------------------------------------------------------------------------
 */

static bool put_metrics(struct nl_buf *b, const u32 *metrics)
{
	u32 nest = 0;

	for (u32 i = 1; i <= RTAX_MAX; i++) {
		if (!metrics[i])
			continue;
		if (!nest)
			nest = nl_nest_begin(b, RTA_METRICS);
		if (!nest || !nl_put_u32(b, (u16)i, metrics[i]))
			return false;
	}
	if (nest)
		nl_nest_end(b, nest);
	return true;
}

static u8 hop_flags(const struct fib_hop *h)
{
	u8 flags = READ_ONCE(h->flags);

	if (h->rt->dev && !READ_ONCE(h->rt->dev->carrier))
		flags |= RTNH_F_LINKDOWN;
	return flags;
}

static bool put_hop(struct nl_buf *b, const struct fib_hop *h)
{
	return (addr_is_any(&h->rt->gateway) || nl_put_addr(b, RTA_GATEWAY, &h->rt->gateway)) &&
		(!h->rt->dev || nl_put_u32(b, RTA_OIF, (u32)h->rt->dev->ifindex));
}

/* struct rtnexthop is a header like an attribute's, whose length covers what follows. */
static bool put_multipath(struct nl_buf *b, const struct fib_route *r)
{
	u32 nest = nl_nest_begin(b, RTA_MULTIPATH);

	if (!nest)
		return false;
	for (u32 i = 0; i < r->nr_hops; i++) {
		const struct fib_hop *h = &r->hops[i];
		u32 at = b->len;
		struct rtnexthop *nh = (struct rtnexthop *)(b->data + at);

		if (b->size - b->len < sizeof(*nh))
			return false;
		b->len += sizeof(*nh);
		nh->rtnh_flags = hop_flags(h);
		nh->rtnh_hops = (u8)(h->weight - 1);
		nh->rtnh_ifindex = h->rt->dev ? h->rt->dev->ifindex : 0;
		if (!addr_is_any(&h->rt->gateway) && !nl_put_addr(b, RTA_GATEWAY, &h->rt->gateway))
			return false;
		nh->rtnh_len = (u16)(b->len - at);
	}
	nl_nest_end(b, nest);
	return true;
}

static bool fill(struct nl_buf *b, struct nlmsghdr *h, const struct fib_route *r)
{
	struct rtmsg *m = nl_data(h);
	bool v4 = addr_is_v4(&r->dst), ok;

	m->rtm_family = v4 ? AF_INET : AF_INET6;
	m->rtm_dst_len = r->len;
	m->rtm_tos = r->tos;
	m->rtm_table = r->table < 256 ? (u8)r->table : RT_TABLE_COMPAT;
	m->rtm_protocol = r->proto;
	m->rtm_scope = r->scope;
	m->rtm_type = r->type;
	m->rtm_flags = r->nr_hops == 1 ? hop_flags(&r->hops[0]) : 0;
	ok = nl_put_u32(b, RTA_TABLE, r->table) && (!r->len || nl_put_addr(b, RTA_DST, &r->dst)) &&
		((v4 && !r->priority) || nl_put_u32(b, RTA_PRIORITY, r->priority)) &&
		put_metrics(b, r->metrics) &&
		(addr_is_any(&r->prefsrc) || nl_put_addr(b, RTA_PREFSRC, &r->prefsrc)) &&
		(r->nr_hops == 1 ? put_hop(b, &r->hops[0]) : put_multipath(b, r));
	if (ok && !v4) {
		struct rta_cacheinfo ci = {.rta_error = (u32)r->hops[0].rt->err};

		if (r->expires_ns != TIME_NEVER)
			ci.rta_expires =
				(s32)((r->expires_ns - clock_mono_ns()) / (NS_PER_SEC / 100));
		ok = nl_put(b, RTA_CACHEINFO, &ci, sizeof(ci)) && nl_put_u8(b, RTA_PREF, r->pref);
	}
	return ok;
}

static void notify(struct inet_net *in, const struct fib_route *r, bool del)
{
	struct nl_buf b;
	struct nlmsghdr *h;

	if (r->type == RTN_BROADCAST && addr_is_v4(&r->dst) && !g_rtnl_request &&
		!nl_has_listeners(in->net, NETLINK_ROUTE, RTNLGRP_IPV4_ROUTE))
		return;
	b = nl_alloc(512 + r->nr_hops * 48, GFP_KERNEL);
	h = b.data ? nl_begin(&b, rtnl_portid(g_rtnl_request), rtnl_seq(g_rtnl_request),
			     del ? RTM_DELROUTE : RTM_NEWROUTE, 0, sizeof(struct rtmsg))
		   : NULL;
	if (!h || !fill(&b, h, r)) {
		nl_free(&b);
		return;
	}
	nl_end(&b, h);
	rtnl_notify(in->net, addr_is_v4(&r->dst) ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV6_ROUTE, &b,
		g_rtnl_request);
}

/* Cursor: bucket of tables, table within, whether one was put, its prefix (2), length and order. */
struct dump {
	struct nl_dump *d;
	u64 seen;
	bool full;
};

static bool wanted(const struct nl_dump *d, const struct fib_route *r)
{
	const struct rtmsg *q = NLMSG_DATA(d->h);

	if (!d->strict || d->h->nlmsg_len < NLMSG_HDRLEN + sizeof(*q))
		return true;
	if (q->rtm_protocol && q->rtm_protocol != r->proto)
		return false;
	return !q->rtm_type || q->rtm_type == r->type;
}

static bool dump_one(struct fib_route *r, void *arg)
{
	struct dump *x = arg;
	struct nlmsghdr *h;

	if (x->seen++ < x->d->cursor[2] || !wanted(x->d, r))
		return true;
	h = nl_dump_begin(x->d, RTM_NEWROUTE, sizeof(struct rtmsg));
	if (h && fill(x->d->out, h, r)) {
		nl_end(x->d->out, h);
		x->d->cursor[2] = x->seen;
		return true;
	}
	if (h)
		nl_cancel(x->d->out, h);
	x->seen--;
	x->full = true;
	return false;
}

static u32 table_wanted(const struct nl_dump *d)
{
	const struct rtmsg *q = NLMSG_DATA(d->h);
	const struct nlattr *tb[RTA_MAX + 1];

	if (!d->strict || nl_parse_message(tb, RTA_MAX, d->h, sizeof(*q), NULL, false, NULL))
		return 0;
	return tb[RTA_TABLE] ? nla_u32(tb[RTA_TABLE]) : q->rtm_table;
}

/* Cursor: [0] bucket of tables, [1] tables done there, [2] routes done of the table. */
static int dump_family(struct nl_dump *d, int f)
{
	struct inet_net *in = inet_net(d->net);
	const struct rtmsg *q = NLMSG_DATA(d->h);
	u32 only = table_wanted(d);

	if (d->h->nlmsg_len >= NLMSG_HDRLEN + sizeof(*q) && q->rtm_flags & RTM_F_CLONED)
		return 0; /* cached routes: there are none */
	d->generation = in->gen ? in->gen : 1;
	for (; d->cursor[0] < TABLE_HASH; d->cursor[0]++, d->cursor[1] = 0) {
		struct fib_table *t;
		u64 nr = 0;

		hlist_for_each_entry(t, &in->fib->tables[d->cursor[0]], hash) {
			struct dump x = {.d = d};

			if (nr++ < d->cursor[1])
				continue;
			if (!only || only == t->id)
				fib_each(t, f, dump_one, &x);
			if (x.full)
				return NL_DUMP_MORE;
			d->cursor[1] = nr;
			d->cursor[2] = 0;
		}
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

static const struct nl_policy g_policy[RTA_MAX + 1] = {
	[RTA_DST] = {NL_ANY, 4},
	[RTA_OIF] = {NL_U32, 0},
	[RTA_GATEWAY] = {NL_ANY, 4},
	[RTA_PRIORITY] = {NL_U32, 0},
	[RTA_PREFSRC] = {NL_ANY, 4},
	[RTA_METRICS] = {NL_NESTED, 0},
	[RTA_TABLE] = {NL_U32, 0},
	[RTA_EXPIRES] = {NL_U32, 0},
	[RTA_PREF] = {NL_U8, 0},
};

static int take_metrics(struct nl_request *rq, const struct nlattr *nest, struct fib_spec *s)
{
	const struct nlattr *tb[RTAX_MAX + 1];
	int err = nl_parse_nested(tb, RTAX_MAX, nest, NULL, false, rq->ack);

	if (err)
		return err;
	for (u32 i = 1; i <= RTAX_MAX; i++) {
		if (!tb[i])
			continue;
		if (i == RTAX_CC_ALGO)
			return nl_error(rq->ack, -EINVAL, "Unknown congestion control algorithm");
		if (nla_len(tb[i]) < 4)
			return nl_error(rq->ack, -EINVAL, "Invalid attribute in metrics");
		s->metrics[i] = nla_u32(tb[i]);
		if (i == RTAX_HOPLIMIT)
			s->metrics[i] = min(s->metrics[i], 255u);
	}
	return 0;
}

static int take_multipath(
	struct nl_request *rq, const struct nlattr *a, int family, struct fib_spec *s)
{
	const u8 *at = nla_data(a);
	u32 left = nla_len(a);

	while (left >= sizeof(struct rtnexthop)) {
		const struct rtnexthop *nh = (const void *)at;
		const struct nlattr *tb[RTA_MAX + 1];
		struct fib_hop_spec *h = &s->hops[s->nr_hops];
		int err;

		if (nh->rtnh_len < sizeof(*nh) || nh->rtnh_len > left)
			return nl_error(rq->ack, -EINVAL, "Invalid nexthop configuration");
		if (s->nr_hops == FIB_MAX_HOPS)
			return nl_error(rq->ack, -EINVAL, "Too many nexthops");
		err = nl_parse(
			tb, RTA_MAX, nh + 1, nh->rtnh_len - sizeof(*nh), NULL, false, rq->ack);
		if (err)
			return err;
		h->ifindex = nh->rtnh_ifindex;
		h->weight = (u16)(nh->rtnh_hops + 1);
		h->flags = (u8)(nh->rtnh_flags & RTNH_F_ONLINK);
		h->gateway = addr_any(family);
		if (tb[RTA_GATEWAY]) {
			if (nla_len(tb[RTA_GATEWAY]) < (family == AF_INET6 ? 16u : 4u))
				return -EINVAL;
			h->gateway = addr_of(family, tb[RTA_GATEWAY]);
		}
		s->nr_hops++;
		at += round_up(nh->rtnh_len, 4u);
		left -= min(left, round_up((u32)nh->rtnh_len, 4u));
	}
	return s->nr_hops ? 0 : nl_error(rq->ack, -EINVAL, "Invalid nexthop configuration");
}

static int take_route(struct nl_request *rq, struct fib_spec *s, bool del)
{
	const struct nlattr *tb[RTA_MAX + 1];
	int err = nl_parse_message(
		tb, RTA_MAX, rq->h, sizeof(struct rtmsg), g_policy, false, rq->ack);
	const struct rtmsg *m = NLMSG_DATA(rq->h);
	int family = m->rtm_family;
	u32 len = family == AF_INET6 ? 16 : 4;

	if (err)
		return err;
	if ((tb[RTA_DST] && nla_len(tb[RTA_DST]) < len) ||
		(tb[RTA_GATEWAY] && nla_len(tb[RTA_GATEWAY]) < len) ||
		(tb[RTA_PREFSRC] && nla_len(tb[RTA_PREFSRC]) < len))
		return nl_error(rq->ack, -EINVAL, "Invalid address length");
	if (tb[RTA_NH_ID] || tb[RTA_ENCAP] || tb[RTA_ENCAP_TYPE] || tb[RTA_VIA] || m->rtm_src_len)
		return nl_error(rq->ack, -EOPNOTSUPP, "Not supported by this kernel");
	fib_spec_init(s, family);
	s->len = m->rtm_dst_len;
	s->tos = m->rtm_tos;
	s->type = m->rtm_type;
	s->proto = m->rtm_protocol;
	s->scope = m->rtm_scope;
	s->table = tb[RTA_TABLE] ? nla_u32(tb[RTA_TABLE]) : m->rtm_table;
	if (!s->table)
		s->table = RT_TABLE_MAIN;
	if (!del && s->type == RTN_UNSPEC)
		s->type = RTN_UNICAST;
	if (tb[RTA_DST])
		s->dst = addr_of(family, tb[RTA_DST]);
	if (tb[RTA_PREFSRC])
		s->prefsrc = addr_of(family, tb[RTA_PREFSRC]);
	if (tb[RTA_PRIORITY]) {
		s->priority = nla_u32(tb[RTA_PRIORITY]);
		s->has_priority = s->priority != 0;
	}
	if (tb[RTA_EXPIRES] && nla_u32(tb[RTA_EXPIRES]))
		s->expires_ns = deadline_after(nla_u32(tb[RTA_EXPIRES]) * NS_PER_SEC);
	if (tb[RTA_PREF])
		s->pref = nla_u8(tb[RTA_PREF]);
	if (family == AF_INET6 && del)
		s->scope = RT_SCOPE_NOWHERE;
	if (tb[RTA_METRICS]) {
		err = take_metrics(rq, tb[RTA_METRICS], s);
		if (err)
			return err;
	}
	if (tb[RTA_MULTIPATH])
		return take_multipath(rq, tb[RTA_MULTIPATH], family, s);
	if (tb[RTA_OIF] || tb[RTA_GATEWAY] || !del) {
		struct fib_hop_spec *h = &s->hops[0];

		s->nr_hops = 1;
		h->ifindex = tb[RTA_OIF] ? (int)nla_u32(tb[RTA_OIF]) : 0;
		h->gateway = tb[RTA_GATEWAY] ? addr_of(family, tb[RTA_GATEWAY]) : addr_any(family);
		h->flags = (u8)(m->rtm_flags & RTNH_F_ONLINK);
	}
	return 0;
}

static int change(struct nl_request *rq, bool del)
{
	struct inet_net *in = inet_net(rq->net);
	struct fib_spec *s = kmalloc(sizeof(*s), GFP_KERNEL);
	int err;

	if (!s)
		return -ENOMEM;
	err = take_route(rq, s, del);
	if (!err) {
		g_rtnl_request = rq;
		err = del ? fib_delete(in, s) : fib_add(in, s, rq->h->nlmsg_flags);
		g_rtnl_request = NULL;
		if (err && s->why)
			err = nl_error(rq->ack, err, s->why);
	}
	kfree(s);
	return err;
}
static int do_new(struct nl_request *rq)
{
	return change(rq, false);
}
static int do_del(struct nl_request *rq)
{
	return change(rq, true);
}

/* ip route get. */
static int do_get(struct nl_request *rq)
{
	const struct nlattr *tb[RTA_MAX + 1];
	int err = nl_parse_message(tb, RTA_MAX, rq->h, sizeof(struct rtmsg), NULL, false, rq->ack);
	const struct rtmsg *m = NLMSG_DATA(rq->h);
	int family = m->rtm_family;
	u32 len = family == AF_INET6 ? 16 : 4;
	struct flow f = {.tos = m->rtm_tos, .local = addr_any(family), .remote = addr_any(family)};
	struct ip_path path;
	struct nlmsghdr *h;
	struct rtmsg *a;
	struct nl_buf b;
	bool ok;

	if (err)
		return err;
	if ((tb[RTA_DST] && nla_len(tb[RTA_DST]) < len) ||
		(tb[RTA_SRC] && nla_len(tb[RTA_SRC]) < len))
		return -EINVAL;
	if (tb[RTA_DST])
		f.remote = addr_of(family, tb[RTA_DST]);
	if (tb[RTA_SRC])
		f.local = addr_of(family, tb[RTA_SRC]);
	if (tb[RTA_OIF])
		f.oif = (int)nla_u32(tb[RTA_OIF]);
	if (tb[RTA_IIF])
		f.iif = (int)nla_u32(tb[RTA_IIF]);
	if (tb[RTA_MARK])
		f.mark = nla_u32(tb[RTA_MARK]);
	if (tb[RTA_UID])
		f.uid = nla_u32(tb[RTA_UID]);
	b = nl_alloc(512, GFP_KERNEL);
	h = b.data ? nl_begin(&b, rq->portid, rq->h->nlmsg_seq, RTM_NEWROUTE, 0, sizeof(*a)) : NULL;
	if (!h) {
		nl_free(&b);
		return -ENOBUFS;
	}
	rcu_read_lock();
	err = route_lookup(rq->net, &f, &path);
	ok = !err;
	if (ok) {
		struct rta_cacheinfo ci = {.rta_error = 0};

		a = nl_data(h);
		a->rtm_family = (u8)family;
		a->rtm_dst_len = (u8)(len * 8);
		a->rtm_table = path.type == RTN_LOCAL && family == AF_INET6 ? RT_TABLE_LOCAL
									    : RT_TABLE_MAIN;
		a->rtm_type = path.type;
		if (family == AF_INET)
			a->rtm_flags = RTM_F_CLONED | (path.type == RTN_LOCAL ? RTCF_LOCAL : 0);
		ok = nl_put_u32(&b, RTA_TABLE, a->rtm_table) &&
			nl_put_addr(&b, RTA_DST, &f.remote) &&
			(!tb[RTA_SRC] || nl_put_addr(&b, RTA_SRC, &f.local)) &&
			nl_put_u32(&b, RTA_OIF, (u32)path.rt->dev->ifindex) &&
			nl_put_addr(&b, RTA_PREFSRC, &path.source) &&
			(addr_is_any(&path.rt->gateway) ||
				nl_put_addr(&b, RTA_GATEWAY, &path.rt->gateway)) &&
			(family == AF_INET6 || nl_put_u32(&b, RTA_UID, f.uid)) &&
			nl_put(&b, RTA_CACHEINFO, &ci, sizeof(ci));
	}
	rcu_read_unlock();
	if (!ok) {
		nl_free(&b);
		return err ? err : -EMSGSIZE;
	}
	nl_end(&b, h);
	return nl_reply(rq, &b);
}

static int init(void)
{
	static const struct nl_handler v4[] = {{.type = RTM_NEWROUTE, .doit = do_new},
		{.type = RTM_DELROUTE, .doit = do_del},
		{.type = RTM_GETROUTE, .doit = do_get, .dump = dump4}};
	static const struct nl_handler v6[] = {{.type = RTM_NEWROUTE, .doit = do_new},
		{.type = RTM_DELROUTE, .doit = do_del},
		{.type = RTM_GETROUTE, .doit = do_get, .dump = dump6}};

	rtnl_register(AF_INET, v4, ARRAY_SIZE(v4));
	rtnl_register(AF_INET6, v6, ARRAY_SIZE(v6));
	g_route_events.route = notify;
	nl_addr_init();
	nl_neigh_init();
	nl_rule_init();
	return 0;
}
INIT_HOOK(INIT_FS, init);
