/* rtnetlink: policy rules (RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE). linux/fib_rules.h. */
#include "inet.h"
#include <linux/fib_rules.h>
#include <netlink/netlink.h>

static u32 flags_of(struct inet_net *in, const struct fib_rule *r)
{
	u32 f = r->flags;

	if (r->action == FR_ACT_GOTO && !r->resolved)
		f |= FIB_RULE_UNRESOLVED;
	if (r->iif[0] && !netif_by_name(in->net, r->iif))
		f |= FIB_RULE_IIF_DETACHED;
	if (r->oif[0] && !netif_by_name(in->net, r->oif))
		f |= FIB_RULE_OIF_DETACHED;
	return f;
}

static bool fill(struct inet_net *in, struct nl_buf *b, struct nlmsghdr *h, int family,
	const struct fib_rule *r)
{
	struct fib_rule_hdr *m = nl_data(h);
	u8 base = family == AF_INET ? 96 : 0;
	struct fib_rule_uid_range uid = {r->uid_lo, r->uid_hi};
	struct fib_rule_port_range sport = {r->sport_lo, r->sport_hi},
				   dport = {r->dport_lo, r->dport_hi};

	m->family = (u8)family;
	m->dst_len = (u8)(r->dst_len - base);
	m->src_len = (u8)(r->src_len - base);
	m->tos = r->tos;
	m->table = r->table < 256 ? (u8)r->table : RT_TABLE_COMPAT;
	m->action = r->action;
	m->flags = flags_of(in, r);
	return nl_put_u32(b, FRA_TABLE, r->table) &&
		nl_put_u32(b, FRA_SUPPRESS_PREFIXLEN, (u32)r->suppress_prefixlen) &&
		(!r->priority || nl_put_u32(b, FRA_PRIORITY, r->priority)) &&
		(!r->iif[0] || nl_put_string(b, FRA_IIFNAME, r->iif)) &&
		(!r->oif[0] || nl_put_string(b, FRA_OIFNAME, r->oif)) &&
		(!r->mark_mask ||
			(nl_put_u32(b, FRA_FWMARK, r->mark) &&
				nl_put_u32(b, FRA_FWMASK, r->mark_mask))) &&
		(!r->target || nl_put_u32(b, FRA_GOTO, r->target)) &&
		(!r->has_uid || nl_put(b, FRA_UID_RANGE, &uid, sizeof(uid))) &&
		nl_put_u8(b, FRA_PROTOCOL, r->origin) &&
		(!r->proto || nl_put_u8(b, FRA_IP_PROTO, r->proto)) &&
		(!r->sport_hi || nl_put(b, FRA_SPORT_RANGE, &sport, sizeof(sport))) &&
		(!r->dport_hi || nl_put(b, FRA_DPORT_RANGE, &dport, sizeof(dport))) &&
		(r->dst_len == base || nl_put_addr(b, FRA_DST, &r->dst)) &&
		(r->src_len == base || nl_put_addr(b, FRA_SRC, &r->src));
}

static void notify(struct inet_net *in, int family, const struct fib_rule *r, bool del)
{
	struct nl_buf b = nl_alloc(512, GFP_KERNEL);
	struct nlmsghdr *h = b.data
		? nl_begin(&b, rtnl_portid(g_rtnl_request), rtnl_seq(g_rtnl_request),
			  del ? RTM_DELRULE : RTM_NEWRULE, 0, sizeof(struct fib_rule_hdr))
		: NULL;

	if (!h || !fill(in, &b, h, family, r)) {
		nl_free(&b);
		return;
	}
	nl_end(&b, h);
	rtnl_notify(in->net, family == AF_INET ? RTNLGRP_IPV4_RULE : RTNLGRP_IPV6_RULE, &b,
		g_rtnl_request);
}

static int dump_family(struct nl_dump *d, int family)
{
	struct inet_net *in = inet_net(d->net);
	struct fib_rule *r;
	u64 i = 0;

	list_for_each_entry(r, &in->fib->rules[family == AF_INET6], link) {
		struct nlmsghdr *h;

		if (i++ < d->cursor[0])
			continue;
		h = nl_dump_begin(d, RTM_NEWRULE, sizeof(struct fib_rule_hdr));
		if (!h)
			return NL_DUMP_MORE;
		if (!fill(in, d->out, h, family, r)) {
			nl_cancel(d->out, h);
			return NL_DUMP_MORE;
		}
		nl_end(d->out, h);
		d->cursor[0] = i;
	}
	return 0;
}
static int dump4(struct nl_dump *d)
{
	return dump_family(d, AF_INET);
}
static int dump6(struct nl_dump *d)
{
	return dump_family(d, AF_INET6);
}

static const struct nl_policy g_policy[FRA_MAX + 1] = {
	[FRA_DST] = {NL_ANY, 4},
	[FRA_SRC] = {NL_ANY, 4},
	[FRA_IIFNAME] = {NL_STRING, IFNAMSIZ - 1},
	[FRA_OIFNAME] = {NL_STRING, IFNAMSIZ - 1},
	[FRA_PRIORITY] = {NL_U32, 0},
	[FRA_FWMARK] = {NL_U32, 0},
	[FRA_FWMASK] = {NL_U32, 0},
	[FRA_TABLE] = {NL_U32, 0},
	[FRA_GOTO] = {NL_U32, 0},
	[FRA_SUPPRESS_PREFIXLEN] = {NL_U32, 0},
	[FRA_UID_RANGE] = {NL_ANY, sizeof(struct fib_rule_uid_range)},
	[FRA_PROTOCOL] = {NL_U8, 0},
	[FRA_IP_PROTO] = {NL_U8, 0},
	[FRA_SPORT_RANGE] = {NL_ANY, sizeof(struct fib_rule_port_range)},
	[FRA_DPORT_RANGE] = {NL_ANY, sizeof(struct fib_rule_port_range)},
};

static int take_addr(int family, const struct nlattr *a, u8 len, struct inet_addr *out, u8 *out_len)
{
	u8 base = family == AF_INET ? 96 : 0;
	u32 be;

	if (len > (family == AF_INET ? 32 : 128) || (len && !a) ||
		(a && nla_len(a) < (family == AF_INET ? 4u : 16u)))
		return -EINVAL;
	*out_len = (u8)(base + len);
	if (a && family == AF_INET) {
		memcpy(&be, nla_data(a), 4);
		*out = addr_mask(&(struct inet_addr){.w = {0, 0, ADDR_V4_WORD, be}}, *out_len);
	} else if (a) {
		struct inet_addr v6 = addr_v6(nla_data(a));

		*out = addr_mask(&v6, *out_len);
	} else {
		*out = addr_any(family);
	}
	return 0;
}

static bool take_ports(const struct nlattr *a, u16 *lo, u16 *hi)
{
	struct fib_rule_port_range p;

	if (!a)
		return true;
	memcpy(&p, nla_data(a), sizeof(p));
	*lo = p.start;
	*hi = p.end;
	return p.start && p.start <= p.end && p.end < 0xffff;
}

static bool take_uids(const struct nlattr *a, struct fib_rule *r)
{
	struct fib_rule_uid_range u;

	if (!a)
		return true;
	memcpy(&u, nla_data(a), sizeof(u));
	r->has_uid = true;
	r->uid_lo = u.start;
	r->uid_hi = u.end;
	return u.start <= u.end && u.end != U32_MAX;
}

static int take_rule(struct nl_request *rq, struct fib_rule *r)
{
	const struct nlattr *tb[FRA_MAX + 1];
	int err = nl_parse_message(
		tb, FRA_MAX, rq->h, sizeof(struct fib_rule_hdr), g_policy, false, rq->ack);
	const struct fib_rule_hdr *m = NLMSG_DATA(rq->h);

	if (err)
		return err;
	if (tb[FRA_TUN_ID] || tb[FRA_L3MDEV] || tb[FRA_FLOW] || tb[FRA_SUPPRESS_IFGROUP])
		return nl_error(rq->ack, -EOPNOTSUPP, "Not supported by this kernel");
	if (take_addr(m->family, tb[FRA_SRC], m->src_len, &r->src, &r->src_len))
		return nl_error(rq->ack, -EINVAL, "Invalid source address");
	if (take_addr(m->family, tb[FRA_DST], m->dst_len, &r->dst, &r->dst_len))
		return nl_error(rq->ack, -EINVAL, "Invalid destination address");
	if (m->tos & ~(m->family == AF_INET ? IPTOS_RT_MASK : 0xfc))
		return nl_error(rq->ack, -EINVAL, "Invalid TOS");
	r->table = tb[FRA_TABLE] ? nla_u32(tb[FRA_TABLE]) : m->table;
	r->action = m->action;
	r->tos = m->tos;
	r->flags = m->flags & FIB_RULE_INVERT;
	r->priority = tb[FRA_PRIORITY] ? nla_u32(tb[FRA_PRIORITY]) : U32_MAX;
	if (tb[FRA_IIFNAME])
		nla_string(tb[FRA_IIFNAME], r->iif, IFNAMSIZ);
	if (tb[FRA_OIFNAME])
		nla_string(tb[FRA_OIFNAME], r->oif, IFNAMSIZ);
	if (tb[FRA_FWMARK]) {
		r->mark = nla_u32(tb[FRA_FWMARK]);
		r->mark_mask = U32_MAX;
	}
	if (tb[FRA_FWMASK])
		r->mark_mask = nla_u32(tb[FRA_FWMASK]);
	if (tb[FRA_GOTO])
		r->target = nla_u32(tb[FRA_GOTO]);
	r->suppress_prefixlen = tb[FRA_SUPPRESS_PREFIXLEN]
		? (s32)nla_u32(tb[FRA_SUPPRESS_PREFIXLEN])
		: -1;
	if (tb[FRA_IP_PROTO])
		r->proto = nla_u8(tb[FRA_IP_PROTO]);
	if (tb[FRA_PROTOCOL])
		r->origin = nla_u8(tb[FRA_PROTOCOL]);
	if (!take_uids(tb[FRA_UID_RANGE], r))
		return nl_error(rq->ack, -EINVAL, "Invalid uid range");
	if (!take_ports(tb[FRA_SPORT_RANGE], &r->sport_lo, &r->sport_hi))
		return nl_error(rq->ack, -EINVAL, "Invalid sport range");
	if (!take_ports(tb[FRA_DPORT_RANGE], &r->dport_lo, &r->dport_hi))
		return nl_error(rq->ack, -EINVAL, "Invalid dport range");
	return 0;
}

/* Without a priority: just before the second rule, as Linux. */
static u32 default_priority(struct inet_net *in, int family)
{
	struct list_head *rules = &in->fib->rules[family == AF_INET6];
	struct fib_rule *second;

	if (list_empty(rules) || list_is_last(rules->next, rules))
		return 0;
	second = list_entry(rules->next->next, struct fib_rule, link);
	return second->priority ? second->priority - 1 : 0;
}

static int do_new(struct nl_request *rq)
{
	const struct fib_rule_hdr *m = NLMSG_DATA(rq->h);
	struct inet_net *in = inet_net(rq->net);
	struct fib_rule *r = kzalloc(sizeof(*r), GFP_KERNEL);
	int err = r ? take_rule(rq, r) : -ENOMEM;

	if (!err && (r->action == FR_ACT_UNSPEC || r->action > FR_ACT_MAX))
		err = nl_error(rq->ack, -EINVAL, "Invalid action");
	if (!err && r->priority == U32_MAX)
		r->priority = default_priority(in, m->family);
	if (!err && r->action == FR_ACT_GOTO && r->target <= r->priority)
		err = nl_error(rq->ack, -EINVAL, "Backward goto not supported");
	if (!err && r->action == FR_ACT_TO_TBL && !r->table)
		err = nl_error(rq->ack, -EINVAL, "Invalid table");
	if (!err) {
		g_rtnl_request = rq;
		err = fib_rule_add(in, m->family, r, rq->h->nlmsg_flags & NLM_F_EXCL);
		g_rtnl_request = NULL;
	}
	if (err)
		kfree(r);
	return err;
}

static int do_del(struct nl_request *rq)
{
	const struct fib_rule_hdr *m = NLMSG_DATA(rq->h);
	struct inet_net *in = inet_net(rq->net);
	struct fib_rule *want = kzalloc(sizeof(*want), GFP_KERNEL), *r;
	int err = want ? take_rule(rq, want) : -ENOMEM;

	if (!err) {
		r = fib_rule_find(in, m->family, want);
		if (!r) {
			err = -ENOENT;
		} else {
			g_rtnl_request = rq;
			fib_rule_remove(in, m->family, r);
			g_rtnl_request = NULL;
		}
	}
	kfree(want);
	return err;
}

void nl_rule_init(void)
{
	static const struct nl_handler v4[] = {{.type = RTM_NEWRULE, .doit = do_new},
		{.type = RTM_DELRULE, .doit = do_del}, {.type = RTM_GETRULE, .dump = dump4}};
	static const struct nl_handler v6[] = {{.type = RTM_NEWRULE, .doit = do_new},
		{.type = RTM_DELRULE, .doit = do_del}, {.type = RTM_GETRULE, .dump = dump6}};

	rtnl_register(AF_INET, v4, ARRAY_SIZE(v4));
	rtnl_register(AF_INET6, v6, ARRAY_SIZE(v6));
	g_route_events.rule = notify;
}
