/* Frames as programs make them. */
#include "pkt.h"
#include <lib/err.h>
#include <lib/string.h>
#include <linux/if_ether.h>

#define VLAN_HLEN 4

static void sent(struct packet *p)
{
	struct pkt_sock *s = pkt_of(p->sk);

	__atomic_fetch_sub(&s->sent_bytes, p->truesize, __ATOMIC_RELAXED);
	sock_wake(&s->sk, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	put_sock(&s->sk);
}

/* The interface that the message, or else the socket, names; referenced. Error pointer. */
static struct netif *route(struct pkt_sock *s, const struct sockaddr_ll *ll)
{
	int ifindex = ll ? ll->sll_ifindex : READ_ONCE(s->ifindex);
	struct netif *n;

	rcu_read_lock();
	n = netif_by_index(s->sk.net, ifindex);
	if (n)
		get_netif(n);
	rcu_read_unlock();
	return n ? n : err_ptr(-ENXIO);
}

static int check(
	const struct pkt_sock *s, const struct netif *n, const struct sockaddr_ll *ll, size_t len)
{
	size_t head = s->sk.type == SOCK_RAW ? n->header_len : 0;

	if (!netif_running(n))
		return -ENETDOWN;
	if (ll && s->sk.type == SOCK_DGRAM && ll->sll_halen < n->addr_len)
		return -EINVAL;
	if (len > n->mtu + head + (head ? VLAN_HLEN : 0))
		return -EMSGSIZE;
	return len < head ? -EINVAL : 0;
}

static bool may_send(const struct pkt_sock *s)
{
	return READ_ONCE(s->sent_bytes) < (u32)max(s->sk.sndbuf, 0);
}

/* The header that the program wrote, or the device's. Data ends at the link header. */
static int add_header(struct pkt_sock *s, struct packet *p, struct netif *n,
	const struct sockaddr_ll *ll, u16 proto)
{
	int err = 0;

	if (s->sk.type == SOCK_DGRAM) {
		p->net_off = p->data;
		p->protocol = __builtin_bswap16(proto);
		if (n->ops->header)
			err = n->ops->header(n, p, proto, ll ? ll->sll_addr : NULL, NULL);
		return err;
	}
	if (!packet_need(p, n->header_len))
		return -EINVAL;
	p->net_off = (u16)(p->data + n->header_len);
	p->protocol = __builtin_bswap16(proto);
	if (n->header_len == ETH_HLEN && !proto)
		p->protocol = ((struct ethhdr *)packet_data(p))->h_proto;
	return 0;
}

static int send_on(struct pkt_sock *s, struct netif *n, const struct sockaddr_ll *ll, u16 proto,
	struct sock_msg *m)
{
	size_t len = m->iter.count;
	/* The network header aligned to 4 behind 14 bytes. */
	u32 room = s->sk.type == SOCK_RAW ? PACKET_HEADROOM - ETH_HLEN : PACKET_HEADROOM;
	struct packet *p = packet_alloc(room, GFP_KERNEL);
	int err;

	if (!p)
		return -ENOBUFS;
	err = packet_from_iter(p, &m->iter, len);
	if (!err)
		err = add_header(s, p, n, ll, proto);
	if (err) {
		packet_free(p);
		return err;
	}
	p->dev = n;
	p->mark = s->sk.mark;
	p->priority = s->sk.priority;
	p->sk = &s->sk;
	p->released = sent;
	get_sock(&s->sk);
	__atomic_fetch_add(&s->sent_bytes, p->truesize, __ATOMIC_RELAXED);
	return netif_send(p);
}

ssize_t pkt_sendmsg(struct sock *sk, struct sock_msg *m)
{
	const struct sockaddr_ll *ll = m->name && m->name_len ? (const void *)m->name : NULL;
	struct pkt_sock *s = pkt_of(sk);
	size_t len = m->iter.count;
	struct netif *n;
	int err;

	if (ll &&
		(m->name_len < offsetof(struct sockaddr_ll, sll_addr) ||
			m->name_len < offsetof(struct sockaddr_ll, sll_addr) + ll->sll_halen))
		return -EINVAL;
	n = route(s, ll);
	if (is_err(n))
		return ptr_err(n);
	err = check(s, n, ll, len);
	if (!err && !may_send(s))
		err = sock_wait(sk, may_send(s), sock_snd_deadline(sk, m->flags));
	if (!err)
		err = send_on(s, n, ll, ll ? __builtin_bswap16(ll->sll_protocol) : s->proto, m);
	put_netif(n);
	return err ? err : (ssize_t)len;
}
