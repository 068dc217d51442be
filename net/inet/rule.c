/*
 * Policy rules: which table to ask, by addresses, marks, interfaces, users, ports. In the beginning
 * local (0), main (32766) and, for IPv4, default (32767); while nothing was changed look-ups skip
 * the rules. Config lock to write, RCU to read. linux/fib_rules.h, ip-rule(8).
 */
#include "inet.h"
#include <linux/fib_rules.h>

static bool name_is(const char *name, struct inet_net *in, int ifindex)
{
	struct netif *n = ifindex ? netif_by_index(in->net, ifindex) : NULL;

	return n && !strcmp(n->name, name);
}

static bool port_in(u16 be, u16 lo, u16 hi)
{
	return !hi || (ntohs(be) >= lo && ntohs(be) <= hi);
}

/* IPv4 looks at four bits of the TOS only, IPv6 at all but ECN's. */
static bool tos_matches(const struct fib_rule *r, const struct flow *f)
{
	return !r->tos || r->tos == (f->tos & (addr_is_v4(&f->remote) ? IPTOS_RT_MASK : 0xfc));
}

static bool rule_matches(struct inet_net *in, const struct fib_rule *r, const struct flow *f)
{
	bool hit = addr_prefix_eq(&r->src, &f->local, r->src_len) &&
		addr_prefix_eq(&r->dst, &f->remote, r->dst_len) &&
		(!r->iif[0] || name_is(r->iif, in, f->iif ? f->iif : in->net->loopback->ifindex)) &&
		(!r->oif[0] || name_is(r->oif, in, f->oif)) &&
		((f->mark ^ r->mark) & r->mark_mask) == 0 && tos_matches(r, f) &&
		(!r->proto || r->proto == f->proto) &&
		(!r->has_uid || (f->uid >= r->uid_lo && f->uid <= r->uid_hi)) &&
		port_in(f->lport, r->sport_lo, r->sport_hi) &&
		port_in(f->rport, r->dport_lo, r->dport_hi);

	return hit != !!(r->flags & FIB_RULE_INVERT);
}

int fib_rule_lookup(struct inet_net *in, const struct flow *f, struct fib_result *out)
{
	u32 skip_to = 0;
	struct fib_rule *r;

	list_for_each_entry_rcu(r, &in->fib->rules[fam(&f->remote)], link) {
		struct fib_table *t;
		int err = -EAGAIN;

		if (r->priority < skip_to || !rule_matches(in, r, f))
			continue;
		switch (r->action) {
		case FR_ACT_GOTO:
			if (READ_ONCE(r->resolved))
				skip_to = r->target;
			continue;
		case FR_ACT_NOP:
			continue;
		case FR_ACT_UNREACHABLE:
			return -ENETUNREACH;
		case FR_ACT_PROHIBIT:
			return -EACCES;
		case FR_ACT_TO_TBL:
			break;
		default:
			return -EINVAL; /* FR_ACT_BLACKHOLE, and what isn't known */
		}
		t = fib_table_get(in, r->table);
		if (t)
			err = fib_table_lookup(t, f, r, out);
		if (err != -EAGAIN)
			return err;
	}
	return -ENETUNREACH;
}

/* A rule that says nothing but its table. */
static bool is_plain(const struct fib_rule *r, u32 priority, u32 table)
{
	return r->priority == priority && r->table == table && r->action == FR_ACT_TO_TBL &&
		r->src_len == (addr_is_v4(&r->src) ? 96 : 0) && r->dst_len == r->src_len &&
		!r->iif[0] && !r->oif[0] && !r->mark_mask && !r->tos && !r->proto && !r->has_uid &&
		!r->sport_hi && !r->dport_hi && !r->flags && r->suppress_prefixlen < 0;
}

static void look_at_rules(struct inet_net *in, int fi)
{
	static const u32 prio[] = {0, 32766, 32767};
	static const u32 table[] = {RT_TABLE_LOCAL, RT_TABLE_MAIN, RT_TABLE_DEFAULT};
	struct fib_rule *r;
	u32 i = 0;
	bool usual = !fib_table_get(in, RT_TABLE_DEFAULT), ports = false;

	list_for_each_entry(r, &in->fib->rules[fi], link) {
		usual = usual && i < 3 && is_plain(r, prio[i], table[i]);
		ports = ports || r->proto || r->sport_hi || r->dport_hi;
		i++;
	}
	WRITE_ONCE(in->fib->port_rules[fi], ports);
	WRITE_ONCE(in->fib->usual_rules[fi], usual && i >= 2);
	route_gen_bump(in->net);
}

static bool has_priority(struct list_head *rules, u32 priority)
{
	struct fib_rule *r;

	list_for_each_entry(r, rules, link)
		if (r->priority >= priority)
			return r->priority == priority;
	return false;
}

/* A rule of this priority has come or gone: who jumps there? */
static void resolve(struct list_head *rules, u32 priority)
{
	bool there = has_priority(rules, priority);
	struct fib_rule *r;

	list_for_each_entry(r, rules, link)
		if (r->action == FR_ACT_GOTO && r->target == priority)
			WRITE_ONCE(r->resolved, there);
}

static void tell(struct inet_net *in, int fi, const struct fib_rule *r, bool del)
{
	look_at_rules(in, fi);
	if (g_route_events.rule)
		g_route_events.rule(in, fi ? AF_INET6 : AF_INET, r, del);
}

static bool same_rule(const struct fib_rule *a, const struct fib_rule *b)
{
	return a->priority == b->priority && a->table == b->table && a->target == b->target &&
		a->action == b->action && a->tos == b->tos && a->proto == b->proto &&
		a->origin == b->origin && a->src_len == b->src_len && a->dst_len == b->dst_len &&
		addr_eq(&a->src, &b->src) && addr_eq(&a->dst, &b->dst) && !strcmp(a->iif, b->iif) &&
		!strcmp(a->oif, b->oif) && a->mark == b->mark && a->mark_mask == b->mark_mask &&
		a->flags == b->flags && a->has_uid == b->has_uid &&
		(!a->has_uid || (a->uid_lo == b->uid_lo && a->uid_hi == b->uid_hi)) &&
		a->suppress_prefixlen == b->suppress_prefixlen && a->sport_lo == b->sport_lo &&
		a->sport_hi == b->sport_hi && a->dport_lo == b->dport_lo &&
		a->dport_hi == b->dport_hi;
}

int fib_rule_add(struct inet_net *in, int family, struct fib_rule *r, bool excl)
{
	int fi = family == AF_INET6;
	struct list_head *rules = &in->fib->rules[fi], *before = rules;
	struct fib_rule *e;

	if (excl)
		list_for_each_entry(e, rules, link)
			if (same_rule(e, r))
				return -EEXIST;
	list_for_each_entry(e, rules, link)
		if (e->priority > r->priority) {
			before = &e->link;
			break;
		}
	r->resolved = r->action == FR_ACT_GOTO && has_priority(rules, r->target);
	list_add_tail(&r->link, before);
	resolve(rules, r->priority);
	tell(in, fi, r, false);
	return 0;
}

/* Nothing was said of it, or just this. */
static bool prefix_wanted(
	u8 want_len, const struct inet_addr *want, u8 len, const struct inet_addr *addr, int family)
{
	return want_len == (family == AF_INET ? 96 : 0) || (want_len == len && addr_eq(want, addr));
}

struct fib_rule *fib_rule_find(struct inet_net *in, int family, const struct fib_rule *want)
{
	struct fib_rule *r;

	list_for_each_entry(r, &in->fib->rules[family == AF_INET6], link) {
		if (want->priority != U32_MAX && want->priority != r->priority)
			continue;
		if (want->table && want->table != r->table)
			continue;
		if (want->action && want->action != r->action)
			continue;
		if (want->tos && want->tos != r->tos)
			continue;
		if (want->proto && want->proto != r->proto)
			continue;
		if (want->origin && want->origin != r->origin)
			continue;
		if (!prefix_wanted(want->src_len, &want->src, r->src_len, &r->src, family) ||
			!prefix_wanted(want->dst_len, &want->dst, r->dst_len, &r->dst, family))
			continue;
		if (want->mark && want->mark != r->mark)
			continue;
		if (want->mark_mask && want->mark_mask != r->mark_mask)
			continue;
		if ((want->iif[0] && strcmp(want->iif, r->iif)) ||
			(want->oif[0] && strcmp(want->oif, r->oif)))
			continue;
		if (want->has_uid &&
			(!r->has_uid || want->uid_lo != r->uid_lo || want->uid_hi != r->uid_hi))
			continue;
		if (want->sport_hi &&
			(want->sport_lo != r->sport_lo || want->sport_hi != r->sport_hi))
			continue;
		if (want->dport_hi &&
			(want->dport_lo != r->dport_lo || want->dport_hi != r->dport_hi))
			continue;
		return r;
	}
	return NULL;
}

void fib_rule_remove(struct inet_net *in, int family, struct fib_rule *r)
{
	list_del_rcu(&r->link);
	resolve(&in->fib->rules[family == AF_INET6], r->priority);
	tell(in, family == AF_INET6, r, true);
	rcu_kfree(r, rcu);
}

int fib_rules_init(struct inet_net *in)
{
	static const struct {
		u32 priority, table;
	} usual[] = {{0, RT_TABLE_LOCAL}, {32766, RT_TABLE_MAIN}, {32767, RT_TABLE_DEFAULT}};

	list_init(&in->fib->rules[0]);
	list_init(&in->fib->rules[1]);
	for (int fi = 0; fi < 2; fi++)
		for (u32 i = 0; i < (fi ? 2 : 3); i++) {
			struct fib_rule *r = kzalloc(sizeof(*r), GFP_KERNEL);

			if (!r)
				return -ENOMEM;
			r->priority = usual[i].priority;
			r->table = usual[i].table;
			r->action = FR_ACT_TO_TBL;
			r->origin = RTPROT_KERNEL;
			r->suppress_prefixlen = -1;
			r->src = r->dst = addr_any(fi ? AF_INET6 : AF_INET);
			r->src_len = r->dst_len = fi ? 0 : 96;
			list_add_tail(&r->link, &in->fib->rules[fi]);
		}
	look_at_rules(in, 0);
	look_at_rules(in, 1);
	return 0;
}
