/* UDP packets that come in: checks, look-up, copies for groups, errors about ours, merging. */
#include "udp.h"
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <lib/checksum.h>
#include <linux/if_packet.h>

static bool is_v4(struct packet *p)
{
	return addr_is_v4(&ip_rx(p)->dst);
}

static void drop(struct packet *p, u16 protocol, enum inet_udp_count why)
{
	inet_count_udp(p->dev->net, protocol, is_v4(p), why);
	if (why != UDP_IN_ERRORS && why != UDP_NO_PORTS)
		inet_count_udp(p->dev->net, protocol, is_v4(p), UDP_IN_ERRORS);
	packet_free(p);
}

/* ---- UDP-Lite (RFC 3828) ------------------------------------------------------------------------
 */

/* Bytes that the checksum covers, data being at the header: the length is IP's. 0: not legal. */
static u32 coverage(struct packet *p)
{
	const struct udphdr *h = (const struct udphdr *)packet_data(p);
	u32 cov = ntohs(h->len);

	if (!cov)
		return p->len;
	return cov < UDPLITE_COV_MIN || cov > p->len ? 0 : cov;
}

/* Does the user want one that is covered no further? */
static bool covered_enough(const struct udp_sock *u, struct packet *p)
{
	u32 cov, want = READ_ONCE(u->recv_cov);

	if (likely(!READ_ONCE(u->recv_cov_set)))
		return true;
	cov = coverage(p);
	return cov == p->len || (want && cov >= want);
}

static bool lite_sum_ok(struct packet *p, u32 cov)
{
	const struct udphdr *h = (const struct udphdr *)packet_data(p);
	struct ip_rx *rx = ip_rx(p);
	u64 pseudo = ip_pseudo_sum(&rx->src, &rx->dst, IPPROTO_UDPLITE, p->len);

	if (!h->check) /* never without one */
		return false;
	if (cov == p->len)
		return packet_csum_ok(p, pseudo);
	return p->csum_state == CSUM_GOOD || !checksum_fold(packet_checksum(p, 0, cov, pseudo));
}

/* One datagram into the socket's queue: data at the UDP header. Consumes p. */
static void enqueue(struct udp_sock *u, struct packet *p)
{
	struct sock *sk = &u->inet.sk;
	bool full, over;

	if ((udp_is_lite(u) && !covered_enough(u, p)) || !inet_filter(sk, p) || p->len < 8) {
		drop(p, sk->protocol, UDP_IN_ERRORS);
		return;
	}
	packet_pull(p, 8);
	spin_lock(&sk->lock);
	full = u->rx_truesize > (u32)READ_ONCE(sk->rcvbuf) || sock_opt(sk, SKO_DEAD) ||
		sk->shutdown & SHUTDOWN_RCV;
	over = unlikely(inet_mem_level(INET_MEM_UDP) == INET_MEM_OVER) &&
		u->rx_truesize + p->truesize > UDP_RMEM_MIN;
	if (full || over) {
		u->drops++;
		spin_unlock(&sk->lock);
		drop(p, sk->protocol, full ? UDP_RCVBUF_ERRORS : UDP_MEM_ERRORS);
		return;
	}
	inet_count_udp(sk->net, sk->protocol, is_v4(p), UDP_IN);
	packet_queue_add(&u->rx, p);
	u->rx_truesize += p->truesize;
	inet_mem_add(INET_MEM_UDP, p->truesize);
	sock_wake(sk, EPOLLIN | EPOLLRDNORM | EPOLLRDBAND);
	spin_unlock(&sk->lock);
	sock_signal(sk, POLL_IN);
}

/* A merged packet for a socket that doesn't want it so: segments. Consumes p. */
static void enqueue_segments(struct udp_sock *u, struct packet *p)
{
	struct ip_rx rx = *ip_rx(p);
	u16 back = (u16)(p->trans_off - p->net_off);
	struct netif *dev = p->dev;
	u32 ifindex = p->ifindex;
	u8 net_len = p->net_len, pkt_type = p->pkt_type;
	struct list_head list;

	packet_push(p, p->data - p->net_off);
	if (!packet_segment(p, &list))
		return;
	while (!list_empty(&list)) {
		struct packet *seg = list_first_entry(&list, struct packet, link);

		list_del(&seg->link);
		seg->net_off = seg->data;
		packet_pull(seg, back);
		seg->trans_off = seg->data;
		seg->dev = dev;
		seg->ifindex = ifindex;
		seg->net_len = net_len;
		seg->pkt_type = pkt_type;
		memcpy(seg->cb, &rx, sizeof(rx));
		enqueue(u, seg);
	}
}

static void deliver(struct udp_sock *u, struct packet *p)
{
	u8 least = is_v4(p) ? u->inet.min_ttl : u->inet.min_hops;

	if (ip_rx(p)->ttl < least) {
		drop(p, u->inet.sk.protocol, UDP_IN_ERRORS);
		return;
	}
	if (unlikely(p->gso != GSO_NONE && !READ_ONCE(u->gro)))
		enqueue_segments(u, p);
	else
		enqueue(u, p);
}

/* ---- groups -------------------------------------------------------------------------------------
 */

struct group {
	struct packet *p;
	struct udp_sock *last; /* gets p itself */
	struct inet_lookup l;
	bool dual_only, multicast;
};

static bool copy_to(struct inet_sock *s, void *arg)
{
	struct group *g = arg;
	struct packet *copy;

	if (!inet_dev_ok(s, g->p->ifindex) || (g->dual_only && inet_flag(s, INF_V6ONLY)))
		return true;
	if (g->multicast && !inet_mc_allowed(s, &g->l.local, &g->l.remote, g->p->ifindex))
		return true;
	if (g->last) {
		copy = packet_clone(g->p, GFP_ATOMIC);
		if (copy) {
			copy->dev = g->p->dev;
			copy->ifindex = g->p->ifindex;
			memcpy(copy->cb, g->p->cb, sizeof(copy->cb));
			deliver(g->last, copy);
		}
	}
	g->last = udp_sk(&s->sk);
	return true;
}

/* To every socket that is bound to the port and the group, the broadcast address or the wildcard. */
static void deliver_group(
	struct udp_tables *un, struct packet *p, u16 protocol, const struct inet_lookup *l)
{
	struct group g = {.p = p, .l = *l, .multicast = ip_rx(p)->flags & IP_RX_MULTICAST};
	struct inet_addr any4 = addr_any(AF_INET), any6 = addr_any(AF_INET6);
	struct inet_sock *connected = inet_table_connected(un->table, l);

	if (connected)
		copy_to(connected, &g);
	inet_table_each_port(un->table, &l->local, l->lport, copy_to, &g);
	if (is_v4(p)) {
		inet_table_each_port(un->table, &any4, l->lport, copy_to, &g);
		g.dual_only = true;
	}
	inet_table_each_port(un->table, &any6, l->lport, copy_to, &g);
	if (g.last)
		deliver(g.last, p);
	else
		drop(p, protocol, UDP_MULTI);
}

/* ---- input --------------------------------------------------------------------------------------
 */

static bool sum_ok(struct packet *p, struct udphdr *h, const struct inet_sock *s)
{
	struct ip_rx *rx = ip_rx(p);

	if (!h->check) /* none: not in IPv6, unless the socket says so (RFC 6935) */
		return is_v4(p) || (s && udp_sk((struct sock *)&s->sk)->no_check6_rx);
	return packet_csum_ok(p, ip_pseudo_sum(&rx->src, &rx->dst, IPPROTO_UDP, p->len));
}

/* Whose is it? p has its header at data and its length is the datagram's. Consumes p. */
static void look_up(struct packet *p, u16 protocol)
{
	struct udp_tables *un = udp_tables(p->dev->net, protocol);
	struct udphdr *h = (struct udphdr *)packet_data(p);
	struct ip_rx *rx = ip_rx(p);
	struct inet_lookup l = {rx->dst, rx->src, h->dest, h->source, p->ifindex};
	bool lite = protocol == IPPROTO_UDPLITE;
	bool group = rx->flags & (IP_RX_BROADCAST | IP_RX_MULTICAST);
	struct inet_sock *s = NULL;

	if (likely(!group)) {
		s = inet_table_connected(un->table, &l);
		if (!s)
			s = inet_table_bound(un->table, &l);
	}
	if (!(lite ? lite_sum_ok(p, coverage(p)) : sum_ok(p, h, s))) {
		drop(p, protocol, UDP_CSUM_ERRORS);
	} else if (unlikely(group)) {
		deliver_group(un, p, protocol, &l);
	} else if (likely(s)) {
		deliver(udp_sk(&s->sk), p);
	} else {
		icmp_port_unreachable(p);
		drop(p, protocol, UDP_NO_PORTS);
	}
}

void udp_input(struct packet *p)
{
	struct udphdr *h;
	u32 len;

	if (!packet_need(p, 8)) {
		drop(p, IPPROTO_UDP, UDP_IN_ERRORS);
		return;
	}
	h = (struct udphdr *)packet_data(p);
	len = ntohs(h->len);
	if (len < 8 || (len > p->len)) {
		drop(p, IPPROTO_UDP, UDP_IN_ERRORS);
		return;
	}
	if (p->len > len && p->gso == GSO_NONE) {
		packet_trim(p, len);
		if (p->csum_state == CSUM_COMPLETE)
			p->csum_state = CSUM_NONE;
	}
	look_up(p, IPPROTO_UDP);
}

void udplite_input(struct packet *p)
{
	if (!packet_need(p, 8) || !coverage(p))
		drop(p, IPPROTO_UDPLITE, UDP_IN_ERRORS);
	else
		look_up(p, IPPROTO_UDPLITE);
}

/* ---- errors about what we sent ------------------------------------------------------------------
 */

static void error(struct net *net, struct udp_tables *un, const struct icmp_event *e)
{
	const struct udphdr *h = (const struct udphdr *)packet_data(e->p);
	struct inet_lookup l = {e->local, e->remote, h->source, h->dest, (u32)e->ifindex};
	struct inet_sock *s = inet_table_connected(un->table, &l);
	bool v4 = addr_is_v4(&e->remote), hard = e->hard;
	u8 mode;

	if (!s)
		s = inet_table_bound(un->table, &l);
	if (!s)
		return;
	mode = v4 ? s->pmtudisc : s->pmtudisc6;
	if (e->err == EMSGSIZE) { /* the packet was too long for a link on the way */
		if (mode != IP_PMTUDISC_INTERFACE && mode != IP_PMTUDISC_OMIT)
			route_set_pmtu(net, &e->remote, s->sk.bound_dev, e->info);
		if (mode == IP_PMTUDISC_DONT && !v4)
			return;
		hard = mode != IP_PMTUDISC_DONT && v4;
	}
	if (inet_wants_errors(s, v4))
		inet_error_icmp(s, e, h->dest, 8);
	else if (!hard || !s->rport)
		return;
	sock_set_error(&s->sk, e->err);
	sock_wake_all(&s->sk, EPOLLERR | EPOLLIN | EPOLLOUT);
	sock_signal(&s->sk, POLL_IN);
}

void udp_error(struct net *net, const struct icmp_event *e)
{
	error(net, udp_tables(net, IPPROTO_UDP), e);
}

void udplite_error(struct net *net, const struct icmp_event *e)
{
	error(net, udp_tables(net, IPPROTO_UDPLITE), e);
}

/* ---- merging ------------------------------------------------------------------------------------
 */

/* Datagrams of one flow and size, for sockets that asked for it (UDP_GRO). */
bool udp_gro(struct packet *held, struct packet *p)
{
	struct udphdr *a, *b;
	u32 head, payload, have;
	struct inet_sock *s;
	struct inet_lookup l;
	bool v4 = held->protocol == htons(ETH_P_IP);

	if (likely(!READ_ONCE(g_udp_gro_users)))
		return false;
	head = (u32)p->trans_off - p->data + 8;
	if (!packet_need(p, head) || !packet_need(held, head))
		return false;
	a = (struct udphdr *)(held->linear + held->trans_off);
	b = (struct udphdr *)(p->linear + p->trans_off);
	if (*(u32 *)a != *(u32 *)b || !a->check || !b->check || ntohs(b->len) != p->len - head + 8)
		return false;
	payload = p->len - head;
	have = held->len - head;
	if (held->gso == GSO_NONE) { /* look once: who is it for? */
		const u8 *h = p->linear + p->net_off;

		l.remote = v4 ? addr_v4(htonl(get_be32(h + 12))) : addr_v6(h + 8);
		l.local = v4 ? addr_v4(htonl(get_be32(h + 16))) : addr_v6(h + 24);
		l.lport = b->dest;
		l.rport = b->source;
		l.ifindex = p->ifindex;
		s = inet_table_connected(udp_tables(p->dev->net, IPPROTO_UDP)->table, &l);
		if (!s)
			s = inet_table_bound(udp_tables(p->dev->net, IPPROTO_UDP)->table, &l);
		if (!s || !READ_ONCE(udp_sk(&s->sk)->gro) ||
			!packet_csum_ok(
				held, ip_pseudo_sum(&l.remote, &l.local, IPPROTO_UDP, have + 8)))
			return false;
	}
	if (!payload || payload > (held->gso ? held->gso_size : have) ||
		(held->gso && have % held->gso_size) || held->gso_segs >= UDP_MAX_SEGMENTS)
		return false;
	{
		const u8 *h = p->linear + p->net_off;
		struct inet_addr src = v4 ? addr_v4(htonl(get_be32(h + 12))) : addr_v6(h + 8);
		struct inet_addr dst = v4 ? addr_v4(htonl(get_be32(h + 16))) : addr_v6(h + 24);

		if (!packet_csum_ok(p, ip_pseudo_sum(&src, &dst, IPPROTO_UDP, payload + 8)))
			return false;
	}
	packet_drop_front(p, head);
	if (!packet_join(held, p)) {
		packet_push(p, head); /* dropped bytes of the linear area are still there */
		return false;
	}
	if (held->gso == GSO_NONE) {
		held->gso = v4 ? GSO_UDP4 : GSO_UDP6;
		held->gso_size = (u16)have;
		held->gso_segs = 1;
	}
	held->gso_segs++;
	a->len = htons(held->len - head + 8);
	return true;
}
