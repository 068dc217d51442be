/* What a socket's packets are sent along and with: flow, cached path, header fields. */
#include "inet.h"

void inet_flow(const struct inet_sock *s, const struct inet_addr *dst, u16 rport, struct flow *f)
{
	bool v4 = addr_is_v4(dst);

	memset(f, 0, sizeof(*f));
	f->remote = *dst;
	f->local = addr_is_v4(&s->source) == v4 ? s->source : addr_any(addr_family(dst));
	f->oif = READ_ONCE(s->sk.bound_dev);
	if (!f->oif && !v4 && s->remote_scope)
		f->oif = s->remote_scope;
	if (!f->oif && addr_is_multicast(dst)) {
		f->oif = v4 ? s->mc_if : s->mc_if6;
		if (v4 && addr_is_any(&f->local) && s->mc_source)
			f->local = addr_v4(s->mc_source);
	} else if (!f->oif) {
		f->oif = v4 ? s->unicast_if : s->unicast_if6;
	}
	f->mark = s->sk.mark;
	f->uid = s->sk.uid;
	f->lport = s->lport;
	f->rport = rport;
	f->proto = (u8)s->sk.protocol;
	f->tos = v4 ? s->tos : s->tclass;
	if (inet_flag(s, INF_TRANSPARENT) || inet_flag(s, INF_FREEBIND) ||
		inet_flag(s, INF_HDRINCL))
		f->flags |= FLOW_FREE_SOURCE;
	if (sock_opt(&s->sk, SKO_DONTROUTE))
		f->flags |= FLOW_DONTROUTE;
}

void inet_sock_path_reset(struct inet_sock *s)
{
	spin_assert_held(&s->sk.lock);
	put_route(s->path.rt);
	s->path.rt = NULL;
}

int inet_sock_path(struct inet_sock *s, struct ip_path **out)
{
	struct ip_path path;
	struct flow f;
	int err;

	spin_assert_held(&s->sk.lock);
	*out = &s->path;
	if (likely(ip_path_good(s->sk.net, &s->path)))
		return 0;
	inet_sock_path_reset(s);
	inet_flow(s, &s->remote, s->rport, &f);
	err = route_lookup(s->sk.net, &f, &path);
	if (err)
		return err;
	get_route(path.rt);
	s->path = path;
	return 0;
}

static u8 hop_limit(const struct inet_sock *s, const struct ip_path *path, bool v4, bool group)
{
	struct inet_net *in = inet_net(s->sk.net);
	s32 own = group ? (v4 ? s->mc_ttl : s->mc_hops) : v4 ? s->ttl : s->hoplimit;
	struct inet_dev *d;

	if (own >= 0)
		return (u8)own;
	if (group)
		return 1;
	if (path->rt->hoplimit)
		return (u8)path->rt->hoplimit;
	if (v4)
		return (u8)in->limits.default_ttl;
	d = inet_dev(path->rt->dev);
	return (u8)(d ? d->conf.hop_limit : in->conf_default.hop_limit);
}

static u32 auto_label(const struct inet_sock *s, const struct inet_addr *dst)
{
	struct {
		struct inet_addr a, b;
		u64 ports;
	} key = {s->source, *dst, (u64)s->lport << 32 | (u64)s->rport << 16 | s->sk.protocol};

	return htonl((u32)siphash(&key, sizeof(key), &g_net_secret) & 0xfffff);
}

static void pmtu_rules(
	const struct inet_sock *s, const struct ip_path *path, bool v4, struct ip_tx *tx)
{
	u8 mode = v4 ? s->pmtudisc : s->pmtudisc6;

	static_assert(IP_PMTUDISC_DO == IPV6_PMTUDISC_DO && IP_PMTUDISC_OMIT == IPV6_PMTUDISC_OMIT,
		"one switch for both");
	switch (mode) {
	case IP_PMTUDISC_DO:
		tx->df = true;
		tx->local_frag = false;
		break;
	case IP_PMTUDISC_PROBE:
		tx->df = true;
		tx->local_frag = false;
		tx->mtu = path->rt->dev->mtu;
		break;
	case IP_PMTUDISC_WANT:
		tx->df = !path->rt->mtu_locked;
		tx->local_frag = true;
		break;
	case IP_PMTUDISC_INTERFACE:
		tx->local_frag = !v4 ? false : true;
		tx->mtu = path->rt->dev->mtu;
		break;
	case IP_PMTUDISC_OMIT:
		tx->local_frag = true;
		tx->mtu = path->rt->dev->mtu;
		break;
	default:
		tx->local_frag = true;
	}
	if (!v4) {
		if (inet_flag(s, INF_DONTFRAG))
			tx->local_frag = false;
		if (s->mtu6)
			tx->mtu = min(tx->mtu ? tx->mtu : path->mtu, s->mtu6);
	}
}

void inet_tx_init(struct inet_sock *s, const struct ip_path *path, const struct inet_addr *dst,
	struct ip_tx *tx)
{
	bool v4 = addr_is_v4(dst), group = path->type == RTN_MULTICAST;

	memset(tx, 0, sizeof(*tx));
	tx->src = path->source;
	tx->dst = *dst;
	tx->proto = (u8)s->sk.protocol;
	tx->ttl = hop_limit(s, path, v4, group);
	tx->tos = v4 ? s->tos : s->tclass;
	tx->mc_loop = group && inet_flag(s, v4 ? INF_MC_LOOP : INF_MC_LOOP6);
	pmtu_rules(s, path, v4, tx);
	if (v4) {
		tx->opt = rcu_load(s->opt);
	} else {
		tx->ext = rcu_load(s->ext);
		tx->flowlabel = s->flowlabel;
		if (!tx->flowlabel &&
			(inet_flag(s, INF_AUTOFLOWLABEL_SET)
					? inet_flag(s, INF_AUTOFLOWLABEL)
					: READ_ONCE(inet_net(s->sk.net)->limits.auto_flowlabels)))
			tx->flowlabel = auto_label(s, dst);
	}
}

int inet_sock_send(struct inet_sock *s, struct packet *p)
{
	struct ip_path *path;
	struct ip_tx tx;
	int err = inet_sock_path(s, &path);

	if (err) {
		packet_free(p);
		return err;
	}
	inet_tx_init(s, path, &s->remote, &tx);
	return ip_send(s->sk.net, path, &tx, p);
}

u32 inet_sock_room(struct inet_sock *s)
{
	struct ip_path *path;
	struct ip_tx tx;
	u32 header;

	if (inet_sock_path(s, &path))
		return inet_is_v4(s) ? 536 : 1220;
	inet_tx_init(s, path, &s->remote, &tx);
	header = ip_header_len(&tx);
	return (tx.mtu ? min(tx.mtu, path->rt->dev->mtu) : path->mtu) - header;
}

void inet_send_flow(const struct inet_sock *s, const struct inet_send *c,
	const struct inet_addr *dst, u16 rport, s32 scope, struct flow *f)
{
	inet_flow(s, dst, rport, f);
	if (!addr_is_any(&c->source))
		f->local = c->source;
	if (c->oif)
		f->oif = c->oif;
	else if (scope)
		f->oif = scope;
	if (c->has_mark)
		f->mark = c->mark;
	if (c->tos >= 0)
		f->tos = (u8)c->tos;
}

void inet_send_tx(struct inet_sock *s, const struct inet_send *c, const struct ip_path *path,
	const struct inet_addr *dst, struct ip_tx *tx)
{
	inet_tx_init(s, path, dst, tx);
	if (c->ttl >= 0)
		tx->ttl = (u8)c->ttl;
	if (c->tos >= 0)
		tx->tos = (u8)c->tos;
	if (c->dontfrag >= 0)
		tx->local_frag = !c->dontfrag;
	if (c->opt)
		tx->opt = c->opt;
	if (c->ext)
		tx->ext = c->ext;
	if (c->flowlabel)
		tx->flowlabel = c->flowlabel;
}
