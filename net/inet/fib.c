/*
 * Routing tables: by number, each with a trie per family; a prefix has its routes in order of TOS
 * and metric. Written under the config lock, read under RCU. A route and its hops are immutable
 * once in a table but for the flags of hops (dead, link down).
 *
 * IPv4 prefixes are kept as 96 + n bits of the mapped address.
 */
#include "inet.h"

struct route_events g_route_events;

static u8 key_len(const struct inet_addr *a, u8 len)
{
	return addr_is_v4(a) ? (u8)(96 + len) : len;
}

struct fib_table *fib_table_get(struct inet_net *in, u32 id)
{
	struct fib_table *t;

	hlist_for_each_entry(t, &in->fib->tables[id % TABLE_HASH], hash)
		if (t->id == id)
			return t;
	return NULL;
}

struct fib_table *fib_table_make(struct inet_net *in, u32 id)
{
	struct fib_table *t = fib_table_get(in, id);

	if (t)
		return t;
	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return NULL;
	t->id = id;
	hlist_add_head(&t->hash, &in->fib->tables[id % TABLE_HASH]);
	if (id == RT_TABLE_DEFAULT) /* fib_lookup's short cut leaves it out */
		in->fib->usual_rules[0] = in->fib->usual_rules[1] = false;
	return t;
}

int fib_net_init(struct inet_net *in)
{
	in->fib = kzalloc(sizeof(*in->fib), GFP_KERNEL);
	if (!in->fib)
		return -ENOMEM;
	in->fib->local = fib_table_make(in, RT_TABLE_LOCAL);
	in->fib->main = fib_table_make(in, RT_TABLE_MAIN);
	if (!in->fib->local || !in->fib->main)
		return -ENOMEM;
	return fib_rules_init(in);
}

/* ---- looking up -------------------------------------------------------------------------------- */

static bool hop_usable(const struct fib_hop *h, const struct flow *f)
{
	if (READ_ONCE(h->flags) & RTNH_F_DEAD)
		return false;
	if (f->oif && h->rt->dev && h->rt->dev->ifindex != f->oif)
		return false;
	if ((f->flags & FLOW_DONTROUTE) && !addr_is_any(&h->rt->gateway))
		return false;
	return true;
}

/* One of the usable hops: by the flow's hash and the weights. NULL: none. */
static const struct fib_hop *choose_hop(const struct fib_route *r, const struct flow *f)
{
	u32 total = 0, point;

	if (likely(r->nr_hops == 1))
		return hop_usable(&r->hops[0], f) ? &r->hops[0] : NULL;
	for (u32 i = 0; i < r->nr_hops; i++)
		if (hop_usable(&r->hops[i], f))
			total += r->hops[i].weight;
	if (!total)
		return NULL;
	point = (u32)((hash_u64(f->local.q[0] ^ f->local.q[1] * 3 ^ f->remote.q[0] * 5) ^
			      hash_u64(f->remote.q[1])) >>
		32);
	point = (u32)(((u64)point * total) >> 32);
	for (u32 i = 0; i < r->nr_hops; i++) {
		if (!hop_usable(&r->hops[i], f))
			continue;
		if (point < r->hops[i].weight)
			return &r->hops[i];
		point -= r->hops[i].weight;
	}
	return NULL;
}

static bool route_fits(const struct fib_route *r, const struct flow *f)
{
	if (r->tos && r->tos != (f->tos & IPTOS_RT_MASK))
		return false;
	return r->expires_ns == TIME_NEVER || r->expires_ns > clock_coarse_mono_ns();
}

static bool suppressed(const struct fib_route *r, const struct fib_rule *rule)
{
	return rule && rule->suppress_prefixlen >= 0 && r->len <= rule->suppress_prefixlen;
}

int fib_table_lookup(struct fib_table *t, const struct flow *f, const struct fib_rule *rule,
	struct fib_result *out)
{
	const struct trie *trie = &t->trie[fam(&f->remote)];
	int limit = 128;
	struct trie_node *n;

	while ((n = trie_match(trie, &f->remote, limit))) {
		const struct fib_route *r;

		list_for_each_entry_rcu(r, &n->routes, link) {
			if (!route_fits(r, f))
				continue;
			out->hop = choose_hop(r, f);
			if (!out->hop)
				continue;
			if (r->type == RTN_THROW)
				return -EAGAIN;
			if (suppressed(r, rule))
				return -EAGAIN;
			out->route = r;
			return out->hop->rt->err;
		}
		limit = n->len - 1;
		if (limit < 0)
			break;
	}
	return -EAGAIN;
}

int fib_lookup(struct inet_net *in, const struct flow *f, struct fib_result *out)
{
	struct fib_net *fib = in->fib;
	int err;

	if (unlikely(!READ_ONCE(fib->usual_rules[fam(&f->remote)])))
		return fib_rule_lookup(in, f, out);
	err = fib_table_lookup(fib->local, f, NULL, out);
	if (err == -EAGAIN)
		err = fib_table_lookup(fib->main, f, NULL, out);
	return err == -EAGAIN ? -ENETUNREACH : err;
}

/* ---- making and removing ------------------------------------------------------------------------
 */

struct route *route_new(struct netif *dev, u8 type, int err)
{
	struct route *rt = kzalloc(sizeof(*rt), GFP_KERNEL);

	if (!rt)
		return NULL;
	ref_init(&rt->refs, 1);
	rt->dev = dev;
	if (dev)
		get_netif(dev);
	rt->type = type;
	rt->err = err;
	rt->gateway = rt->source = addr_any(AF_INET6);
	return rt;
}

static void route_free(struct rcu_head *head)
{
	struct route *rt = container_of(head, struct route, rcu);

	if (rt->dev)
		put_netif(rt->dev);
	kfree(rt);
}

void put_route(struct route *rt)
{
	if (rt && ref_put(&rt->refs))
		rcu_call(&rt->rcu, route_free);
}

static void fib_route_free(struct fib_route *r)
{
	for (u32 i = 0; i < r->nr_hops; i++)
		put_route(r->hops[i].rt);
	kfree(r);
}

/* Readers may stand on it: its memory waits for them, its hops have a wait of their own. */
struct deferred {
	struct rcu_head rcu;
	struct fib_route *r;
};
static void deferred_free(struct rcu_head *head)
{
	struct deferred *d = container_of(head, struct deferred, rcu);

	fib_route_free(d->r);
	kfree(d);
}
static void fib_route_retire(struct fib_route *r)
{
	struct deferred *d = kmalloc(sizeof(*d), GFP_KERNEL);

	if (!d) { /* wait here instead */
		rcu_synchronize();
		fib_route_free(r);
		return;
	}
	d->r = r;
	rcu_call(&d->rcu, deferred_free);
}

static int type_error(u8 type)
{
	switch (type) {
	case RTN_BLACKHOLE:
		return -EINVAL;
	case RTN_UNREACHABLE:
		return -EHOSTUNREACH;
	case RTN_PROHIBIT:
		return -EACCES;
	case RTN_THROW:
		return 0;
	default:
		return 0;
	}
}
static bool type_has_device(u8 type)
{
	return type == RTN_UNICAST || type == RTN_LOCAL || type == RTN_BROADCAST ||
		type == RTN_MULTICAST || type == RTN_ANYCAST;
}

void fib_spec_init(struct fib_spec *s, int family)
{
	memset(s, 0, sizeof(*s));
	s->dst = s->prefsrc = addr_any(family);
	s->type = RTN_UNICAST;
	s->table = RT_TABLE_MAIN;
	s->proto = RTPROT_BOOT;
	s->scope = RT_SCOPE_UNIVERSE;
	s->expires_ns = TIME_NEVER;
}

static int bad(struct fib_spec *s, int err, const char *why)
{
	s->why = why;
	return err;
}

/* The interface of a gateway that came without one, and is it on the link? */
static int check_gateway(struct inet_net *in, struct fib_spec *s, struct fib_hop_spec *h)
{
	struct flow f = {.remote = h->gateway, .oif = h->ifindex};
	struct fib_result res;
	int err;

	if (h->flags & RTNH_F_ONLINK)
		return h->ifindex ? 0 : bad(s, -ENODEV, "Device is required with onlink");
	if (addr_is_v6_link_local(&h->gateway))
		return h->ifindex ? 0
				  : bad(s, -EINVAL, "Device is required with a link-local gateway");
	f.local = addr_any(addr_family(&h->gateway));
	rcu_read_lock();
	err = fib_lookup(in, &f, &res);
	if (!err && (res.route->type == RTN_LOCAL || res.route->type == RTN_BROADCAST))
		err = bad(s, -EINVAL, "Nexthop has invalid gateway");
	else if (err || res.route->type != RTN_UNICAST || !addr_is_any(&res.hop->rt->gateway))
		err = bad(s, addr_is_v4(&h->gateway) ? -ENETUNREACH : -EHOSTUNREACH,
			"Nexthop has invalid gateway");
	else if (!h->ifindex)
		h->ifindex = res.hop->rt->dev->ifindex;
	rcu_read_unlock();
	return err;
}

static int make_hop(
	struct inet_net *in, struct fib_spec *s, struct fib_hop_spec *h, struct fib_hop *out)
{
	struct netif *dev = NULL;
	struct route *rt;
	int err;

	if (type_has_device(s->type)) {
		if (!addr_is_any(&h->gateway)) {
			err = check_gateway(in, s, h);
			if (err)
				return err;
		}
		dev = netif_by_index(in->net, h->ifindex);
		if (!dev)
			return bad(s, -ENODEV, h->ifindex ? "Device does not exist" : "No device");
		if (!netif_running(dev) && s->type != RTN_LOCAL)
			return bad(s, -ENETDOWN, "Device is down");
	} else {
		dev = NULL;
	}
	rt = route_new(dev, s->type, type_error(s->type));
	if (!rt)
		return -ENOMEM;
	rt->gateway = h->gateway;
	rt->source = s->prefsrc;
	rt->scope = addr_is_any(&h->gateway) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	rt->onlink = h->flags & RTNH_F_ONLINK;
	rt->mtu = s->metrics[RTAX_MTU];
	rt->mtu_locked = s->metrics[RTAX_LOCK] >> RTAX_MTU & 1;
	rt->advmss = s->metrics[RTAX_ADVMSS];
	rt->hoplimit = s->metrics[RTAX_HOPLIMIT];
	rt->window = s->metrics[RTAX_WINDOW];
	rt->initcwnd = s->metrics[RTAX_INITCWND];
	rt->initrwnd = s->metrics[RTAX_INITRWND];
	rt->rto_min_ms = s->metrics[RTAX_RTO_MIN];
	rt->quickack = s->metrics[RTAX_QUICKACK];
	rt->features = s->metrics[RTAX_FEATURES];
	out->rt = rt;
	out->weight = h->weight ? h->weight : 1;
	out->flags = (u8)(h->flags & RTNH_F_ONLINK);
	if (dev && !READ_ONCE(dev->carrier))
		out->flags |= RTNH_F_LINKDOWN;
	return 0;
}

static struct fib_route *make_route(struct inet_net *in, struct fib_spec *s)
{
	u32 nr = max(s->nr_hops, 1u);
	struct fib_route *r = kzalloc(sizeof(*r) + nr * sizeof(r->hops[0]), GFP_KERNEL);
	struct fib_hop_spec none = {.gateway = addr_any(AF_INET6)};
	int err;

	if (!r)
		return err_ptr(-ENOMEM);
	r->dst = s->dst;
	r->len = s->len;
	r->tos = s->tos;
	r->type = s->type;
	r->proto = s->proto;
	r->scope = s->scope;
	r->priority = s->priority;
	r->table = s->table;
	r->prefsrc = s->prefsrc;
	r->expires_ns = s->expires_ns;
	r->pref = s->pref;
	memcpy(r->metrics, s->metrics, sizeof(r->metrics));
	for (u32 i = 0; i < nr; i++) {
		err = make_hop(in, s, s->nr_hops ? &s->hops[i] : &none, &r->hops[i]);
		if (err) {
			fib_route_free(r);
			return err_ptr(err);
		}
		r->nr_hops++;
	}
	return r;
}

static bool same_hops(const struct fib_route *a, const struct fib_route *b)
{
	if (a->nr_hops != b->nr_hops)
		return false;
	for (u32 i = 0; i < a->nr_hops; i++)
		if (a->hops[i].rt->dev != b->hops[i].rt->dev ||
			!addr_eq(&a->hops[i].rt->gateway, &b->hops[i].rt->gateway) ||
			a->hops[i].weight != b->hops[i].weight)
			return false;
	return true;
}

static void tell(struct inet_net *in, const struct fib_route *r, bool del)
{
	route_gen_bump(in->net);
	if (g_route_events.route)
		g_route_events.route(in, r, del);
}

static void link_route(struct inet_net *in, struct fib_table *t, struct trie_node *n,
	struct fib_route *r, struct list_head *before)
{
	r->node = n;
	r->order = ++in->fib->order;
	list_add_tail(&r->link, before);
	t->count[fam(&r->dst)]++;
	if (r->expires_ns != TIME_NEVER)
		in->fib->nr_expiring++;
}

static void unlink_route(struct inet_net *in, struct fib_table *t, struct fib_route *r)
{
	struct trie_node *n = r->node;

	list_del_rcu(&r->link);
	t->count[fam(&r->dst)]--;
	if (r->expires_ns != TIME_NEVER)
		in->fib->nr_expiring--;
	if (list_empty(&n->routes))
		trie_remove(&t->trie[fam(&r->dst)], n);
	tell(in, r, true);
	fib_route_retire(r);
}

static int check_spec(struct inet_net *in, struct fib_spec *s)
{
	bool v4 = addr_is_v4(&s->dst);
	struct inet_addr masked = addr_mask(&s->dst, key_len(&s->dst, s->len));

	if (s->len > (v4 ? 32 : 128))
		return bad(s, -EINVAL, "Invalid prefix length");
	if (!addr_eq(&masked, &s->dst)) {
		if (v4)
			return bad(s, -EINVAL, "Invalid prefix for given prefix length");
		s->dst = masked;
	}
	if (s->type > RTN_MAX || s->type == RTN_UNSPEC || s->type == RTN_NAT ||
		s->type == RTN_XRESOLVE)
		return bad(s, -EINVAL, "Invalid route type");
	if (!addr_is_any(&s->prefsrc) && s->proto != RTPROT_KERNEL &&
		!addr_is_ours(in->net, &s->prefsrc, 0))
		return bad(s, -EINVAL, v4 ? "Invalid prefsrc address" : "Invalid source address");
	if (!v4 && !s->priority && s->proto != RTPROT_KERNEL)
		s->priority = 1024; /* IP6_RT_PRIO_USER */
	for (u32 i = 0; i < s->nr_hops; i++)
		if (!addr_is_any(&s->hops[i].gateway) && v4 && s->scope >= RT_SCOPE_LINK)
			return bad(s, -EINVAL, "Scope mismatch with nexthop");
	return 0;
}

/* IPv6: one more hop for a route that is there (NLM_F_APPEND, or multipath by single routes). */
static struct fib_route *with_hop(const struct fib_route *old, const struct fib_route *add)
{
	u32 nr = old->nr_hops + add->nr_hops;
	struct fib_route *r;

	if (nr > FIB_MAX_HOPS)
		return NULL;
	r = kmalloc(sizeof(*r) + nr * sizeof(r->hops[0]), GFP_KERNEL);
	if (!r)
		return NULL;
	memcpy(r, old, sizeof(*old) + old->nr_hops * sizeof(old->hops[0]));
	memcpy(r->hops + old->nr_hops, add->hops, add->nr_hops * sizeof(add->hops[0]));
	r->nr_hops = nr;
	for (u32 i = 0; i < nr; i++)
		get_route(r->hops[i].rt);
	return r;
}

int fib_add(struct inet_net *in, struct fib_spec *s, u16 nlflags)
{
	struct fib_table *t;
	struct fib_route *r, *old, *same = NULL;
	struct list_head *before;
	struct trie_node *n;
	bool v4 = addr_is_v4(&s->dst);
	int err = check_spec(in, s);

	if (err)
		return err;
	t = fib_table_make(in, s->table);
	if (!t)
		return -ENOMEM;
	n = trie_find(&t->trie[fam(&s->dst)], &s->dst, key_len(&s->dst, s->len));
	if (!(nlflags & NLM_F_CREATE) && !n)
		return -ENOENT;
	r = make_route(in, s);
	if (is_err(r))
		return ptr_err(r);
	n = trie_insert(&t->trie[fam(&s->dst)], &s->dst, key_len(&s->dst, s->len));
	if (!n) {
		fib_route_free(r);
		return -ENOMEM;
	}
	before = &n->routes;
	list_for_each_entry(old, &n->routes, link) {
		if (old->tos < r->tos || (old->tos == r->tos && old->priority < r->priority))
			continue;
		before = &old->link;
		if (old->tos == r->tos && old->priority == r->priority)
			same = old;
		break;
	}
	err = 0;
	if (same) {
		struct fib_route *e = same;

		if (nlflags & NLM_F_EXCL)
			err = -EEXIST;
		/* An exact copy is refused even with append. */
		list_for_each_entry(e, &n->routes, link)
			if (!err && !(nlflags & NLM_F_REPLACE) && e->tos == r->tos &&
				e->priority == r->priority && e->type == r->type && same_hops(e, r))
				err = -EEXIST;
		if (!err && !(nlflags & NLM_F_REPLACE) && !v4 && r->type == RTN_UNICAST &&
			same->type == RTN_UNICAST) {
			struct fib_route *joined = with_hop(same, r);

			if (!joined) {
				err = -ENOMEM;
			} else {
				fib_route_free(r);
				link_route(in, t, n, joined, &same->link);
				list_del_rcu(&same->link);
				t->count[fam(&s->dst)]--;
				if (same->expires_ns != TIME_NEVER)
					in->fib->nr_expiring--;
				fib_route_retire(same);
				tell(in, joined, false);
				return 0;
			}
		}
		if (!err && (nlflags & (NLM_F_APPEND | NLM_F_REPLACE)) == NLM_F_APPEND) {
			while (before != &n->routes) { /* behind its equals */
				old = list_entry(before, struct fib_route, link);
				if (old->tos != r->tos || old->priority != r->priority)
					break;
				before = before->next;
			}
		} else if (!err && !(nlflags & (NLM_F_APPEND | NLM_F_REPLACE | NLM_F_CREATE))) {
			err = -ENOENT;
		}
	} else if (!(nlflags & NLM_F_CREATE)) {
		err = -ENOENT;
	}
	if (err) {
		if (list_empty(&n->routes))
			trie_remove(&t->trie[fam(&s->dst)], n);
		fib_route_free(r);
		return err;
	}
	link_route(in, t, n, r, before);
	tell(in, r, false);
	if (same && (nlflags & NLM_F_REPLACE))
		unlink_route(in, t, same);
	return 0;
}

static bool spec_matches(const struct fib_spec *s, const struct fib_route *r)
{
	if (s->tos && s->tos != r->tos)
		return false;
	if (s->type && s->type != r->type)
		return false;
	if (s->has_priority && s->priority != r->priority)
		return false;
	if (s->proto && s->proto != r->proto)
		return false;
	if (s->scope != RT_SCOPE_NOWHERE && s->scope != r->scope)
		return false;
	if (!addr_is_any(&s->prefsrc) && !addr_eq(&s->prefsrc, &r->prefsrc))
		return false;
	if (!s->nr_hops)
		return true;
	if (s->nr_hops > 1 && s->nr_hops != r->nr_hops)
		return false;
	for (u32 i = 0; i < s->nr_hops; i++) {
		const struct fib_hop_spec *h = &s->hops[i];
		bool found = false;

		for (u32 j = 0; j < r->nr_hops; j++) {
			const struct route *rt = r->hops[j].rt;

			found |= (!h->ifindex || (rt->dev && rt->dev->ifindex == h->ifindex)) &&
				(addr_is_any(&h->gateway) || addr_eq(&h->gateway, &rt->gateway));
		}
		if (!found)
			return false;
	}
	return true;
}

/* IPv6: drop the hops of a route that the spec names, when others stay. */
static bool drop_hop(
	struct inet_net *in, struct fib_table *t, struct fib_route *r, const struct fib_spec *s)
{
	struct fib_route *left;

	if (addr_is_v4(&r->dst) || s->nr_hops != 1 || r->nr_hops < 2)
		return false;
	left = kmalloc(sizeof(*r) + r->nr_hops * sizeof(r->hops[0]), GFP_KERNEL);
	if (!left)
		return false;
	memcpy(left, r, sizeof(*r));
	left->nr_hops = 0;
	for (u32 i = 0; i < r->nr_hops; i++) {
		const struct route *rt = r->hops[i].rt;

		if (rt->dev->ifindex == s->hops[0].ifindex &&
			addr_eq(&rt->gateway, &s->hops[0].gateway))
			continue;
		left->hops[left->nr_hops++] = r->hops[i];
		get_route(r->hops[i].rt);
	}
	if (!left->nr_hops) {
		kfree(left);
		return false;
	}
	link_route(in, t, r->node, left, &r->link);
	list_del_rcu(&r->link);
	t->count[1]--;
	if (r->expires_ns != TIME_NEVER)
		in->fib->nr_expiring--;
	tell(in, r, true);
	fib_route_retire(r);
	tell(in, left, false);
	return true;
}

int fib_delete(struct inet_net *in, struct fib_spec *s)
{
	struct fib_table *t = fib_table_get(in, s->table);
	struct inet_addr masked = addr_mask(&s->dst, key_len(&s->dst, s->len));
	struct trie_node *n;
	struct fib_route *r;

	if (s->len > (addr_is_v4(&s->dst) ? 32 : 128))
		return bad(s, -EINVAL, "Invalid prefix length");
	if (!addr_eq(&masked, &s->dst)) {
		if (addr_is_v4(&s->dst))
			return bad(s, -EINVAL, "Invalid prefix for given prefix length");
		s->dst = masked;
	}
	n = t ? trie_find(&t->trie[fam(&s->dst)], &s->dst, key_len(&s->dst, s->len)) : NULL;
	if (!n)
		return bad(s, -ESRCH, t ? NULL : "FIB table does not exist");
	list_for_each_entry(r, &n->routes, link)
		if (spec_matches(s, r)) {
			if (!drop_hop(in, t, r, s))
				unlink_route(in, t, r);
			return 0;
		}
	return -ESRCH;
}

/* ---- what comes with addresses and interfaces ---------------------------------------------------
 */

void fib_add_kernel(struct inet_net *in, u32 table, u8 type, const struct inet_addr *dst, u8 len,
	int ifindex, const struct inet_addr *prefsrc, u32 priority, u8 scope)
{
	struct fib_spec *s = kmalloc(sizeof(*s), GFP_KERNEL);
	int err = -ENOMEM;

	if (s) {
		fib_spec_init(s, addr_family(dst));
		s->dst = addr_mask(dst, key_len(dst, len));
		s->len = len;
		s->type = type;
		s->table = table;
		s->proto = RTPROT_KERNEL;
		s->scope = scope;
		s->priority = priority;
		s->nr_hops = 1;
		s->hops[0].ifindex = ifindex;
		s->hops[0].gateway = addr_any(addr_family(dst));
		if (prefsrc)
			s->prefsrc = *prefsrc;
		err = fib_add(in, s, NLM_F_CREATE | NLM_F_APPEND);
		kfree(s);
	}
	if (err && err != -EEXIST)
		log_warn("inet: no route for an address of interface %d: %d", ifindex, err);
}

void fib_del_kernel(struct inet_net *in, u32 table, u8 type, const struct inet_addr *dst, u8 len,
	int ifindex, u32 priority)
{
	struct fib_table *t = fib_table_get(in, table);
	struct inet_addr key = addr_mask(dst, key_len(dst, len));
	struct trie_node *n = t ? trie_find(&t->trie[fam(dst)], &key, key_len(dst, len)) : NULL;
	struct fib_route *r;

	if (!n)
		return;
	list_for_each_entry(r, &n->routes, link)
		if (r->type == type && r->proto == RTPROT_KERNEL &&
			(!priority || r->priority == priority) && r->hops[0].rt->dev &&
			r->hops[0].rt->dev->ifindex == ifindex) {
			unlink_route(in, t, r);
			return;
		}
}

/* Remove the routes for which what says so. */
static void sweep(struct inet_net *in, int families,
	bool (*what)(struct inet_net *in, struct fib_route *r, const void *arg), const void *arg)
{
	for (u32 i = 0; i < TABLE_HASH; i++) {
		struct fib_table *t;

		hlist_for_each_entry(t, &in->fib->tables[i], hash)
			for (int f = 0; f < 2; f++) {
				struct trie_node *n = families >> f & 1
					? trie_next(&t->trie[f], NULL, 0)
					: NULL;

				while (n) {
					struct inet_addr key = n->key;
					u8 len = n->len;
					struct fib_route *r, *next;
					bool last = false;

					list_for_each_entry_safe(r, next, &n->routes, link) {
						last = &next->link == &n->routes;
						if (what(in, r, arg))
							unlink_route(in, t, r);
						if (last)
							break; /* n may be gone */
					}
					n = trie_next(&t->trie[f], &key, len);
				}
			}
	}
}

struct dev_down {
	struct netif *dev;
	bool gone;
};
static bool of_dead_dev(struct inet_net *in, struct fib_route *r, const void *arg)
{
	const struct dev_down *d = arg;
	bool alive = false, hit = false;

	/* What stands in the local table for an IPv4 address holds while the interface is there. */
	if (!d->gone && addr_is_v4(&r->dst) && r->type == RTN_LOCAL)
		return false;
	for (u32 i = 0; i < r->nr_hops; i++) {
		struct fib_hop *h = &r->hops[i];

		if (h->rt->dev == d->dev) {
			hit = true;
			WRITE_ONCE(h->flags, h->flags | RTNH_F_DEAD);
		} else if (!(h->flags & RTNH_F_DEAD)) {
			alive = true;
		}
	}
	return hit && !alive;
}
void fib_dev_down(struct inet_net *in, struct netif *dev, int families, bool gone)
{
	struct dev_down d = {dev, gone};

	sweep(in, families, of_dead_dev, &d);
	route_gen_bump(in->net);
}

static bool revive(struct inet_net *in, struct fib_route *r, const void *dev)
{
	for (u32 i = 0; i < r->nr_hops; i++)
		if (r->hops[i].rt->dev == dev)
			WRITE_ONCE(r->hops[i].flags, r->hops[i].flags & ~RTNH_F_DEAD);
	return false;
}
void fib_dev_up(struct inet_net *in, const struct netif *dev)
{
	sweep(in, 3, revive, dev);
}

static bool has_source(struct inet_net *in, struct fib_route *r, const void *arg)
{
	return addr_eq(&r->prefsrc, arg);
}
void fib_source_gone(struct inet_net *in, const struct inet_addr *a)
{
	sweep(in, addr_is_v4(a) ? 1 : 2, has_source, a);
}

static bool is_expired(struct inet_net *in, struct fib_route *r, const void *arg)
{
	return r->expires_ns <= *(const s64 *)arg;
}
void fib_expire(struct inet_net *in, s64 now)
{
	if (in->fib->nr_expiring)
		sweep(in, 2, is_expired, &now);
}

void fib_each(struct fib_table *t, int f, bool (*fn)(struct fib_route *r, void *arg), void *arg)
{
	for (struct trie_node *n = trie_next(&t->trie[f], NULL, 0); n;
		n = trie_next(&t->trie[f], &n->key, n->len)) {
		struct fib_route *r;

		list_for_each_entry(r, &n->routes, link)
			if (!fn(r, arg))
				return;
	}
}

static bool any_route(struct inet_net *in, struct fib_route *r, const void *arg)
{
	return true;
}
void fib_net_exit(struct inet_net *in)
{
	struct fib_rule *r, *next;

	sweep(in, 3, any_route, NULL);
	for (u32 i = 0; i < TABLE_HASH; i++)
		while (in->fib->tables[i].first) {
			struct fib_table *t = container_of(
				in->fib->tables[i].first, struct fib_table, hash);

			hlist_del(&t->hash);
			kfree(t);
		}
	for (int f = 0; f < 2; f++)
		list_for_each_entry_safe(r, next, &in->fib->rules[f], link)
			kfree(r);
}
