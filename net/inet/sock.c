/* Internet sockets: kinds, life, names. What is the same for UDP, TCP, raw and ping sockets. */
#include "inet.h"
#include <inet/ports.h>

/* ---- kinds --------------------------------------------------------------------------------------
 */

static struct list_head g_kinds = LIST_INIT(g_kinds); /* set at start-up */

void inet_kind_register(struct inet_kind *k)
{
	list_add_tail(&k->link, &g_kinds);
}

static struct sock *create(int family, int type, int protocol)
{
	bool type_known = false;
	struct inet_kind *k;

	if (protocol < 0 || protocol >= 256 + 7) /* IPPROTO_MPTCP and its like */
		return err_ptr(-EINVAL);
	list_for_each_entry(k, &g_kinds, link) {
		if (k->type != type || !(family == AF_INET ? k->v4 : k->v6))
			continue;
		type_known = true;
		if (k->protocol == IPPROTO_IP) { /* raw: any but 0 */
			if (protocol)
				return k->create(family, type, protocol);
		} else if (!protocol || protocol == k->protocol) {
			return k->create(family, type, k->protocol);
		}
	}
	return err_ptr(type_known ? -EPROTONOSUPPORT : -ESOCKTNOSUPPORT);
}
static struct sock *create4(int type, int protocol)
{
	return create(AF_INET, type, protocol);
}
static struct sock *create6(int type, int protocol)
{
	return create(AF_INET6, type, protocol);
}

int inet_family_init(void)
{
	static const struct net_family v4 = {AF_INET, create4}, v6 = {AF_INET6, create6};

	net_family_register(&v4);
	net_family_register(&v6);
	return 0;
}

/* ---- life ---------------------------------------------------------------------------------------
 */

void inet_sock_init(struct inet_sock *s, const struct sock_ops *ops, const struct inet_ops *iops,
	int family, int type, int protocol)
{
	sock_init(&s->sk, ops, family, type, protocol);
	s->iops = iops;
	s->local = s->source = s->remote = addr_any(family);
	s->ttl = s->hoplimit = s->mc_ttl = s->mc_hops = -1;
	s->pmtudisc = inet_net(s->sk.net)->limits.no_pmtu_disc ? IP_PMTUDISC_DONT
							       : IP_PMTUDISC_WANT;
	s->pmtudisc6 = IPV6_PMTUDISC_WANT;
	s->flags = 1ull << INF_MC_LOOP | 1ull << INF_MC_ALL | 1ull << INF_MC_LOOP6 |
		1ull << INF_MC_ALL6;
	inet_flag_set(s, INF_V6ONLY, inet_net(s->sk.net)->limits.bindv6only);
	packet_queue_init(&s->errors);
}

void inet_sock_inherit(struct inet_sock *c, struct inet_sock *l)
{
	c->flags = l->flags & ~(1ull << INF_BOUND_ADDR | 1ull << INF_BOUND_PORT);
	c->ttl = l->ttl;
	c->hoplimit = l->hoplimit;
	c->mc_ttl = l->mc_ttl;
	c->mc_hops = l->mc_hops;
	c->tos = l->tos;
	c->tclass = l->tclass;
	c->pmtudisc = l->pmtudisc;
	c->pmtudisc6 = l->pmtudisc6;
	c->min_ttl = l->min_ttl;
	c->min_hops = l->min_hops;
	c->srcprefs = l->srcprefs;
	c->unicast_if = l->unicast_if;
	c->unicast_if6 = l->unicast_if6;
	c->mtu6 = l->mtu6;
	/* Options and extension headers belong to the listener; a copy, if there is memory. */
	if (l->opt)
		c->opt = kmemdup(l->opt, sizeof(*l->opt), GFP_ATOMIC);
	if (l->ext)
		c->ext = kmemdup(l->ext, kmalloc_usable(l->ext), GFP_ATOMIC);
}

void inet_sock_close(struct inet_sock *s)
{
	mc_sock_leave_all(s);
}

void inet_sock_destroy(struct inet_sock *s)
{
	packet_queue_purge(&s->errors);
	put_route(s->path.rt);
	s->path.rt = NULL;
	kfree(s->opt);
	kfree(s->ext);
	sock_deinit(&s->sk);
}

/* ---- names --------------------------------------------------------------------------------------
 */

static int name_in4(const struct __kernel_sockaddr_storage *a, u32 len, struct inet_name *out)
{
	const struct sockaddr_in *in = (const void *)a;

	if (len < sizeof(*in))
		return -EINVAL;
	out->addr = addr_v4(in->sin_addr.s_addr);
	out->port = in->sin_port;
	return 0;
}

int inet_name_in(const struct inet_sock *s, const struct __kernel_sockaddr_storage *a, u32 len,
	bool to_peer, struct inet_name *out)
{
	const struct sockaddr_in6 *in6 = (const void *)a;
	int err;

	memset(out, 0, sizeof(*out));
	if (len < sizeof(a->ss_family))
		return -EINVAL;
	if (s->sk.family == AF_INET) {
		if (len < sizeof(struct sockaddr_in))
			return -EINVAL;
		/* AF_UNSPEC was never refused here, and programs rely on it. */
		if (a->ss_family != AF_INET &&
			!(a->ss_family == AF_UNSPEC &&
				(to_peer || !((const struct sockaddr_in *)a)->sin_addr.s_addr)))
			return -EAFNOSUPPORT;
		err = name_in4(a, len, out);
	} else if (a->ss_family == AF_INET && to_peer) {
		if (inet_flag(s, INF_V6ONLY))
			return -ENETUNREACH;
		err = name_in4(a, len, out);
	} else {
		if (len < 24) /* without sin6_scope_id: RFC 2133 */
			return -EINVAL;
		if (a->ss_family != AF_INET6)
			return to_peer ? -EINVAL : -EAFNOSUPPORT;
		out->addr = addr_v6(&in6->sin6_addr);
		out->port = in6->sin6_port;
		out->flowinfo = in6->sin6_flowinfo;
		if (len >= sizeof(*in6) && addr_needs_scope(&out->addr))
			out->scope = (s32)in6->sin6_scope_id;
		if (addr_is_v4(&out->addr) && inet_flag(s, INF_V6ONLY))
			return to_peer ? -ENETUNREACH : -EINVAL;
		err = 0;
	}
	if (!err && to_peer && addr_is_any(&out->addr)) {
		bool v4 = addr_is_v4(&out->addr) || (addr_is_v4(&s->local));

		if (!addr_is_any(&s->source) && addr_is_v4(&s->source) == v4)
			out->addr = s->source;
		else if (v4)
			out->addr = addr_v4(htonl(INADDR_LOOPBACK));
		else
			out->addr.b[15] = 1;
	}
	return err;
}

u32 inet_name_out(int family, const struct inet_name *n, struct __kernel_sockaddr_storage *a)
{
	if (family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)a;

		memset(in, 0, sizeof(*in));
		in->sin_family = AF_INET;
		in->sin_port = n->port;
		in->sin_addr.s_addr = n->addr.w[3];
		return sizeof(*in);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)a;

		memset(in6, 0, sizeof(*in6));
		in6->sin6_family = AF_INET6;
		in6->sin6_port = n->port;
		in6->sin6_flowinfo = n->flowinfo;
		memcpy(&in6->sin6_addr, &n->addr, 16);
		if (addr_needs_scope(&n->addr))
			in6->sin6_scope_id = (u32)n->scope;
		return sizeof(*in6);
	}
}

/* May the socket bind to the address? Fills in the device of a link-local one. sk.lock, RCU. */
static int check_bind_addr(struct inet_sock *s, struct inet_name *n)
{
	struct inet_net *in = inet_net(s->sk.net);
	bool v4 = addr_is_v4(&n->addr);
	bool free_bind = inet_flag(s, INF_FREEBIND) || inet_flag(s, INF_TRANSPARENT) ||
		(v4 ? READ_ONCE(in->limits.nonlocal_bind) : READ_ONCE(in->limits.nonlocal_bind6));
	struct ifaddr *ia;

	if (addr_is_any(&n->addr))
		return 0;
	if (v4) {
		if (!free_bind && addr_type(s->sk.net, &n->addr, s->sk.bound_dev) == RTN_UNICAST &&
			addr_type(s->sk.net, &n->addr, 0) == RTN_UNICAST)
			return -EADDRNOTAVAIL;
		return 0;
	}
	if (addr_needs_scope(&n->addr)) {
		if (n->scope) {
			if (s->sk.bound_dev && s->sk.bound_dev != n->scope)
				return -EINVAL;
			if (!netif_by_index(s->sk.net, n->scope))
				return -ENODEV;
			s->sk.bound_dev = n->scope;
		}
		if (!s->sk.bound_dev)
			return -EINVAL;
	}
	if (addr_is_multicast(&n->addr) || free_bind)
		return 0;
	ia = ifaddr_find(in, &n->addr, s->sk.bound_dev);
	if (ia)
		return ia->flags & IFA_F_TENTATIVE && !(ia->flags & IFA_F_OPTIMISTIC)
			? -EADDRNOTAVAIL
			: 0;
	return addr_type(s->sk.net, &n->addr, s->sk.bound_dev) == RTN_LOCAL ? 0 : -EADDRNOTAVAIL;
}

static int bind_locked(struct inet_sock *s, struct inet_name *n)
{
	u16 port = ntohs(n->port);
	u8 type;
	int err;

	if (s->lport || inet_flag(s, INF_BOUND_ADDR))
		return -EINVAL;
	err = check_bind_addr(s, n);
	if (err)
		return err;
	s->local = s->source = n->addr;
	type = addr_type(s->sk.net, &n->addr, 0);
	if (!addr_is_any(&n->addr) && (type == RTN_MULTICAST || type == RTN_BROADCAST))
		s->source = addr_any(addr_family(&n->addr)); /* no packet comes from there */
	if (s->iops->get_port && (port || !inet_flag(s, INF_BIND_NO_PORT))) {
		err = s->iops->get_port(s, port);
		if (err) {
			s->local = s->source = addr_any(s->sk.family);
			return err;
		}
		if (port)
			inet_flag_set(s, INF_BOUND_PORT, true);
	}
	if (!addr_is_any(&n->addr))
		inet_flag_set(s, INF_BOUND_ADDR, true);
	s->remote = addr_any(addr_family(&n->addr));
	return 0;
}

int inet_bind(struct sock *sk, struct __kernel_sockaddr_storage *addr, u32 len)
{
	struct inet_sock *s = inet_sk(sk);
	struct inet_limits *l = inet_limits(sk->net);
	struct inet_name n;
	int err = inet_name_in(s, addr, len, false, &n);

	if (err)
		return err;
	if (s->iops->get_port && n.port && ntohs(n.port) < READ_ONCE(l->unprivileged_port) &&
		!capable(CAP_NET_BIND_SERVICE))
		return -EACCES;
	rcu_read_lock();
	spin_lock(&sk->lock);
	err = bind_locked(s, &n);
	spin_unlock(&sk->lock);
	rcu_read_unlock();
	return err;
}

int inet_autobind(struct inet_sock *s)
{
	int err;

	spin_assert_held(&s->sk.lock);
	if (s->lport || !s->iops->get_port)
		return 0;
	err = s->iops->get_port(s, 0);
	return err == -EADDRINUSE ? -EAGAIN : err;
}

int inet_getname(struct sock *sk, struct __kernel_sockaddr_storage *addr, bool peer)
{
	struct inet_sock *s = inet_sk(sk);
	struct inet_name n = {.scope = 0};
	int err = 0;

	spin_lock(&sk->lock);
	if (peer) {
		n.addr = s->remote;
		n.port = s->rport;
		n.scope = s->remote_scope ? s->remote_scope : sk->bound_dev;
		if (inet_flag(s, INF_FLOWINFO_SEND))
			n.flowinfo = s->flowlabel;
		if (!s->rport)
			err = -ENOTCONN;
	} else {
		n.addr = addr_is_any(&s->local) ? s->source : s->local;
		n.port = s->lport;
		n.scope = sk->bound_dev ? sk->bound_dev : s->remote_scope;
		/* The wildcard of a dual-stack socket is :: whatever it has talked to. */
		if (sk->family == AF_INET6 && addr_is_v4(&n.addr) && addr_is_any(&n.addr) &&
			!inet_flag(s, INF_BOUND_ADDR))
			n.addr = addr_any(AF_INET6);
	}
	spin_unlock(&sk->lock);
	return err ? err : (int)inet_name_out(sk->family, &n, addr);
}

/* ---- the peer -----------------------------------------------------------------------------------
 */

int inet_set_peer(struct inet_sock *s, const struct inet_name *n)
{
	struct inet_addr any = addr_any(addr_family(&n->addr));
	struct ip_path path;
	struct flow f;
	int err;

	spin_assert_held(&s->sk.lock);
	if (addr_needs_scope(&n->addr) && !s->sk.bound_dev && !n->scope &&
		!(addr_is_multicast(&n->addr) && s->mc_if6))
		return -EINVAL;
	if (n->scope && s->sk.bound_dev && s->sk.bound_dev != n->scope)
		return -EINVAL;
	if (!addr_is_any(&s->source) && addr_is_v4(&s->source) != addr_is_v4(&n->addr))
		return addr_is_v4(&n->addr) ? -ENETUNREACH : -EINVAL;
	inet_flow(s, &n->addr, n->port, &f);
	if (n->scope)
		f.oif = n->scope;
	err = route_lookup(s->sk.net, &f, &path);
	if (err) {
		if (err == -ENETUNREACH)
			mib_inc(inet_net(s->sk.net), MIB_IP_OUTNOROUTES);
		return err;
	}
	if (path.type == RTN_BROADCAST && !sock_opt(&s->sk, SKO_BROADCAST))
		return -EACCES;
	inet_sock_path_reset(s);
	get_route(path.rt);
	s->path = path;
	s->remote = n->addr;
	s->rport = n->port;
	s->remote_scope = n->scope ? n->scope : addr_needs_scope(&n->addr) ? f.oif : 0;
	if (n->scope && addr_needs_scope(&n->addr) && !s->sk.bound_dev)
		s->sk.bound_dev = n->scope;
	if (inet_flag(s, INF_FLOWINFO_SEND))
		s->flowlabel = n->flowinfo & htonl(0xfffff);
	if (addr_is_any(&s->source))
		s->source = path.source;
	if (addr_is_any(&s->local)) {
		s->local = addr_is_any(&path.source) ? any : path.source;
		if (s->iops->rehash)
			s->iops->rehash(s);
	}
	return 0;
}

void inet_forget_peer(struct inet_sock *s)
{
	spin_assert_held(&s->sk.lock);
	inet_sock_path_reset(s);
	s->remote = addr_any(s->sk.family);
	s->rport = 0;
	s->remote_scope = 0;
	if (!inet_flag(s, INF_BOUND_ADDR)) {
		s->local = s->source = addr_any(s->sk.family);
		if (s->iops->rehash)
			s->iops->rehash(s);
	}
}

/* ---- filters ------------------------------------------------------------------------------------
 */

static bool load_bytes(const void *pkt, u32 off, void *to, u32 n)
{
	const struct packet *p = pkt;
	s64 at = (s32)off;

	if (at < 0) { /* headers that are behind us in the linear area */
		if (at + p->data < 0 || at + n > p->linear_len)
			return false;
		memcpy(to, p->linear + p->data + at, n);
		return true;
	}
	if (at + n > p->len)
		return false;
	packet_copy_out(p, (u32)at, to, n);
	return true;
}

bool inet_filter(struct sock *sk, struct packet *p)
{
	struct sock_filter_prog *prog = rcu_load(sk->filter);
	struct filter_input in = {.pkt = p,
		.len = p->len,
		.load = load_bytes,
		.protocol = ntohs(p->protocol),
		.pkt_type = p->pkt_type,
		.ifindex = p->ifindex,
		.mark = p->mark,
		.queue = p->queue,
		.hatype = p->dev ? p->dev->type : 0,
		.hash = p->hash,
		.cpu = (u32)cpu_id(),
		.net_off = (u32)p->net_off - p->data};
	u32 keep;

	if (likely(!prog))
		return true;
	keep = filter_run(prog, &in);
	if (!keep)
		return false;
	if (keep < p->len) {
		packet_trim(p, keep);
		if (p->csum_state == CSUM_COMPLETE)
			p->csum_state = CSUM_NONE;
	}
	return true;
}

/* ---- ping sockets -------------------------------------------------------------------------------
 */

bool inet_ping_allowed(struct net *net)
{
	struct inet_net *in = inet_net(net);
	u32 lo = (u32)READ_ONCE(in->ping_lo), hi = (u32)READ_ONCE(in->ping_hi);
	const struct cred *c = current_cred();

	if (c->egid >= lo && c->egid <= hi)
		return true;
	for (int i = 0; c->groups && i < c->groups->count; i++)
		if (c->groups->gid[i] >= lo && c->groups->gid[i] <= hi)
			return true;
	return false;
}
