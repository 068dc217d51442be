/* Control messages of internet sockets, both ways: ip(7), ipv6(7), udp(7), RFC 3542. */
#include "inet.h"
#include <linux/ipv6.h>
#include <linux/udp.h>

/* ---- receiving ----------------------------------------------------------------------------------
 */

static void pktinfo4(struct inet_sock *s, struct sock_msg *m, struct packet *p)
{
	struct ip_rx *rx = ip_rx(p);
	struct in_pktinfo info = {.ipi_ifindex = (int)p->ifindex, .ipi_addr.s_addr = rx->dst.w[3]};
	struct inet_addr spec = rx->dst;

	if (rx->flags & (IP_RX_BROADCAST | IP_RX_MULTICAST)) {
		struct netif *n;

		rcu_read_lock();
		n = netif_by_index(s->sk.net, (int)p->ifindex);
		if (!n || !ifaddr_source4(inet_net(s->sk.net), n, &rx->src, RT_SCOPE_LINK, &spec))
			spec = addr_v4(0);
		rcu_read_unlock();
	}
	info.ipi_spec_dst.s_addr = spec.w[3];
	cmsg_put(m, SOL_IP, IP_PKTINFO, &info, sizeof(info));
}

static void options4(struct sock_msg *m, struct packet *p, bool reversed)
{
	u32 len = p->net_len - 20u;
	u8 o[40];

	if (p->net_len <= 20)
		return;
	memcpy(o, p->linear + p->net_off + 20, len);
	cmsg_put(m, SOL_IP, reversed ? IP_RETOPTS : IP_RECVOPTS, o, len);
}

static void recv4(struct inet_sock *s, struct sock_msg *m, struct packet *p)
{
	struct ip_rx *rx = ip_rx(p);

	if (inet_flag(s, INF_PKTINFO))
		pktinfo4(s, m, p);
	if (inet_flag(s, INF_RECVTTL)) {
		s32 ttl = rx->ttl;

		cmsg_put(m, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	}
	if (inet_flag(s, INF_RECVTOS))
		cmsg_put(m, SOL_IP, IP_TOS, &rx->tos, 1);
	if (inet_flag(s, INF_RECVOPTS))
		options4(m, p, false);
	if (inet_flag(s, INF_RETOPTS))
		options4(m, p, true);
	if (inet_flag(s, INF_RECVORIGDSTADDR)) {
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = rx->dst.w[3]};

		memcpy(&a.sin_port, p->linear + p->trans_off + 2, 2);
		cmsg_put(m, SOL_IP, IP_ORIGDSTADDR, &a, sizeof(a));
	}
}

static void recv6(struct inet_sock *s, struct sock_msg *m, struct packet *p)
{
	struct ip_rx *rx = ip_rx(p);
	bool v4 = addr_is_v4(&rx->dst);
	struct in6_pktinfo info;

	if (inet_flag(s, INF_RECVPKTINFO6) || inet_flag(s, INF_2292PKTINFO)) {
		memcpy(&info.ipi6_addr, &rx->dst, 16);
		info.ipi6_ifindex = (int)p->ifindex;
		if (inet_flag(s, INF_RECVPKTINFO6))
			cmsg_put(m, SOL_IPV6, IPV6_PKTINFO, &info, sizeof(info));
		if (inet_flag(s, INF_2292PKTINFO))
			cmsg_put(m, SOL_IPV6, IPV6_2292PKTINFO, &info, sizeof(info));
	}
	if (v4)
		return;
	if (inet_flag(s, INF_RECVHOPLIMIT)) {
		s32 v = rx->ttl;

		cmsg_put(m, SOL_IPV6, IPV6_HOPLIMIT, &v, sizeof(v));
	}
	if (inet_flag(s, INF_RECVTCLASS)) {
		s32 v = rx->tos;

		cmsg_put(m, SOL_IPV6, IPV6_TCLASS, &v, sizeof(v));
	}
	if (inet_flag(s, INF_FLOWINFO) && rx->flowinfo & htonl(0x0fffffff)) {
		u32 v = rx->flowinfo & htonl(0x0fffffff);

		cmsg_put(m, SOL_IPV6, IPV6_FLOWINFO, &v, sizeof(v));
	}
	if (inet_flag(s, INF_2292HOPLIMIT)) {
		s32 v = rx->ttl;

		cmsg_put(m, SOL_IPV6, IPV6_2292HOPLIMIT, &v, sizeof(v));
	}
	if (inet_flag(s, INF_RECVORIGDSTADDR6)) {
		struct sockaddr_in6 a = {.sin6_family = AF_INET6};

		memcpy(&a.sin6_addr, &rx->dst, 16);
		memcpy(&a.sin6_port, p->linear + p->trans_off + 2, 2);
		if (addr_needs_scope(&rx->dst))
			a.sin6_scope_id = p->ifindex;
		cmsg_put(m, SOL_IPV6, IPV6_ORIGDSTADDR, &a, sizeof(a));
	}
}

/* Extension headers of the packet, as they came. */
static void recv6_headers(struct inet_sock *s, struct sock_msg *m, struct packet *p)
{
	const u8 *h = p->linear + p->net_off;
	u32 at = 40, end = p->net_len;
	u8 next = h[6];
	bool hop = inet_flag(s, INF_RECVHOPOPTS), dst = inet_flag(s, INF_RECVDSTOPTS),
	     rt = inet_flag(s, INF_RECVRTHDR);

	while (at + 8 <= end) {
		u32 len = next == IPPROTO_FRAGMENT ? 8 : (h[at + 1] + 1u) * 8;

		if (at + len > end)
			return;
		if (next == IPPROTO_HOPOPTS && hop)
			cmsg_put(m, SOL_IPV6, IPV6_HOPOPTS, h + at, len);
		else if (next == IPPROTO_DSTOPTS && dst)
			cmsg_put(m, SOL_IPV6, IPV6_DSTOPTS, h + at, len);
		else if (next == IPPROTO_ROUTING && rt)
			cmsg_put(m, SOL_IPV6, IPV6_RTHDR, h + at, len);
		next = h[at];
		at += len;
	}
}

void inet_cmsg_recv(struct inet_sock *s, struct sock_msg *m, struct packet *p)
{
	bool v4 = addr_is_v4(&ip_rx(p)->dst);

	if (!s->flags)
		return;
	if (s->sk.family == AF_INET6) {
		recv6(s, m, p);
		if (!v4 && ip_rx(p)->flags & IP_RX_OPTIONS)
			recv6_headers(s, m, p);
	}
	if (v4)
		recv4(s, m, p);
}

/* ---- sending ------------------------------------------------------------------------------------
 */

static int int_of(const struct cmsghdr *c, s32 *v)
{
	if (cmsg_data_len(c) != sizeof(*v))
		return -EINVAL;
	memcpy(v, cmsg_data(c), sizeof(*v));
	return 0;
}

/* A source address that a message asks for must be ours, unless the socket may use any. */
static int source_allowed(struct inet_sock *s, const struct inet_addr *a, int ifindex)
{
	if (addr_is_any(a) || inet_flag(s, INF_FREEBIND) || inet_flag(s, INF_TRANSPARENT))
		return 0;
	return addr_is_ours(s->sk.net, a, addr_is_v6_link_local(a) ? ifindex : 0) ? 0 : -EINVAL;
}

static int parse4(struct inet_sock *s, const struct cmsghdr *c, struct inet_send *out)
{
	s32 v;
	int err;

	switch (c->cmsg_type) {
	case IP_PKTINFO: {
		struct in_pktinfo info;

		if (cmsg_data_len(c) != sizeof(info))
			return -EINVAL;
		memcpy(&info, cmsg_data(c), sizeof(info));
		if (info.ipi_ifindex)
			out->oif = info.ipi_ifindex;
		out->source = addr_v4(info.ipi_spec_dst.s_addr);
		return 0;
	}
	case IP_TTL:
		err = int_of(c, &v);
		if (err || v < 1 || v > 255)
			return -EINVAL;
		out->ttl = v;
		return 0;
	case IP_TOS:
		if (cmsg_data_len(c) == 1)
			v = *(const u8 *)cmsg_data(c);
		else if (int_of(c, &v))
			return -EINVAL;
		if (v < 0 || v > 255)
			return -EINVAL;
		out->tos = v;
		return 0;
	case IP_RETOPTS: {
		u32 len = (u32)min_t(size_t, cmsg_data_len(c), 40);

		kfree(out->opt);
		out->opt = kzalloc(sizeof(*out->opt), GFP_KERNEL);
		if (!out->opt)
			return -ENOMEM;
		return ip_options_fill(out->opt, cmsg_data(c), len);
	}
	default:
		return -EINVAL;
	}
}

static int parse6(struct inet_sock *s, const struct cmsghdr *c, struct inet_send *out)
{
	s32 v;
	int err;

	switch (c->cmsg_type) {
	case IPV6_PKTINFO:
	case IPV6_2292PKTINFO: {
		struct in6_pktinfo info;
		struct inet_addr a;

		if (cmsg_data_len(c) < sizeof(info))
			return -EINVAL;
		memcpy(&info, cmsg_data(c), sizeof(info));
		if (info.ipi6_ifindex) {
			if (s->sk.bound_dev && s->sk.bound_dev != info.ipi6_ifindex)
				return -EINVAL;
			out->oif = info.ipi6_ifindex;
		}
		a = addr_v6(&info.ipi6_addr);
		err = source_allowed(s, &a, info.ipi6_ifindex);
		if (!addr_is_any(&a))
			out->source = a;
		return err;
	}
	case IPV6_HOPLIMIT:
	case IPV6_2292HOPLIMIT:
		err = int_of(c, &v);
		if (err || v < -1 || v > 255)
			return -EINVAL;
		out->ttl = v;
		return 0;
	case IPV6_TCLASS:
		err = int_of(c, &v);
		if (err || v < -1 || v > 255)
			return -EINVAL;
		out->tos = v;
		return 0;
	case IPV6_DONTFRAG:
		err = int_of(c, &v);
		if (err || v < 0 || v > 1)
			return -EINVAL;
		out->dontfrag = v;
		return 0;
	case IPV6_FLOWINFO:
		if (cmsg_data_len(c) < 4)
			return -EINVAL;
		memcpy(&out->flowlabel, cmsg_data(c), 4);
		out->flowlabel &= htonl(0xfffff);
		return 0;
	case IPV6_HOPOPTS:
	case IPV6_2292HOPOPTS:
	case IPV6_DSTOPTS:
	case IPV6_2292DSTOPTS:
	case IPV6_RTHDRDSTOPTS:
		if (!capable(CAP_NET_RAW))
			return -EPERM;
		return ip6_headers_set(
			&out->ext, s->ext, c->cmsg_type, cmsg_data(c), (u32)cmsg_data_len(c));
	default:
		return -EINVAL;
	}
}

static int parse_socket(struct inet_sock *s, const struct cmsghdr *c, struct inet_send *out)
{
	switch (c->cmsg_type) {
	case SO_MARK:
		if (!capable(CAP_NET_ADMIN) && !capable(CAP_NET_RAW))
			return -EPERM;
		if (cmsg_data_len(c) != sizeof(u32))
			return -EINVAL;
		memcpy(&out->mark, cmsg_data(c), sizeof(u32));
		out->has_mark = true;
		return 0;
	case SCM_RIGHTS:
	case SCM_CREDENTIALS:
		return 0; /* of AF_UNIX: passed over */
	default:
		return -EINVAL;
	}
}

int inet_send_parse(struct inet_sock *s, const struct sock_msg *m, bool v4, struct inet_send *out)
{
	const struct cmsghdr *c;
	int err = 0;

	*out = (struct inet_send){
		.source = addr_any(v4 ? AF_INET : AF_INET6), .ttl = -1, .tos = -1, .dontfrag = -1};
	if (likely(!m->control_len))
		return 0;
	for (c = cmsg_first(m); c && !is_err(c) && !err; c = cmsg_next(m, c)) {
		if (c->cmsg_level == SOL_SOCKET)
			err = parse_socket(s, c, out);
		else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_SEGMENT &&
			s->sk.protocol == IPPROTO_UDP) {
			if (cmsg_data_len(c) != sizeof(u16))
				err = -EINVAL;
			else
				memcpy(&out->gso_size, cmsg_data(c), sizeof(u16));
		} else if (c->cmsg_level == SOL_IP && v4)
			err = parse4(s, c, out);
		else if (c->cmsg_level == SOL_IPV6 && s->sk.family == AF_INET6 && v4 &&
			c->cmsg_type == IPV6_PKTINFO) {
			/* A mapped source for an IPv4 message. */
			struct inet_send tmp = *out;

			err = parse6(s, c, &tmp);
			if (!err && !addr_is_any(&tmp.source) && !addr_is_v4(&tmp.source))
				err = -EINVAL;
			if (!err) {
				out->source = addr_is_v4(&tmp.source) ? tmp.source : out->source;
				out->oif = tmp.oif;
			}
		} else if (c->cmsg_level == SOL_IPV6 && !v4)
			err = parse6(s, c, out);
	}
	if (!err && is_err(c))
		err = ptr_err(c);
	if (err)
		inet_send_done(out);
	return err;
}

void inet_send_done(struct inet_send *c)
{
	kfree(c->opt);
	kfree(c->ext);
	c->opt = NULL;
	c->ext = NULL;
}
