/*
 * Segments that follow each other are made one packet before they go up: one look-up, one pass of
 * the machine and one ACK for many. Only for connections of this machine, so nothing that is
 * forwarded changes, and only where nothing is lost by it: same ACK, window, flags and options.
 */
#include "sock.h"
#include <linux/tcp.h>

/* Flags and window, but for PSH: what two segments must share. */
static u32 fixed_word(const struct tcphdr *h)
{
	return ((const u32 *)h)[3] & ~htonl((u32)TCPF_PSH << 16);
}

static bool only_data(const struct tcphdr *h)
{
	return (ntohl(((const u32 *)h)[3]) >> 16 & 0xff & ~TCPF_PSH) == TCPF_ACK;
}

static void names_of(const struct packet *p, const struct tcphdr *h, struct inet_lookup *l)
{
	const u8 *ip = p->linear + p->net_off;
	bool v4 = p->protocol == htons(ETH_P_IP);

	l->remote = v4 ? addr_v4(htonl(get_be32(ip + 12))) : addr_v6(ip + 8);
	l->local = v4 ? addr_v4(htonl(get_be32(ip + 16))) : addr_v6(ip + 24);
	l->lport = h->dest;
	l->rport = h->source;
	l->ifindex = p->ifindex;
}

bool tcp_gro(struct packet *held, struct packet *p)
{
	u32 net_len = (u32)p->trans_off - p->data, head, have, add, size;
	struct inet_lookup l;
	struct tcphdr *a, *b;
	u64 pseudo;

	if (!packet_need(p, net_len + TCP_HEADER_LEN) ||
		!packet_need(held, net_len + TCP_HEADER_LEN))
		return false;
	a = (struct tcphdr *)(held->linear + held->trans_off);
	b = (struct tcphdr *)(p->linear + p->trans_off);
	head = net_len + b->doff * 4u;
	if (*(u32 *)a != *(u32 *)b || a->ack_seq != b->ack_seq || fixed_word(a) != fixed_word(b) ||
		!only_data(b) || a->psh || b->doff < 5 || !packet_need(p, head) ||
		!packet_need(held, head))
		return false;
	have = held->len - head;
	add = p->len - head;
	size = held->gso != GSO_NONE ? held->gso_size : have;
	/* A shorter one is the last. */
	if (!add || !have || add > size || have % size || ntohl(b->seq) != ntohl(a->seq) + have ||
		memcmp(a + 1, b + 1, b->doff * 4u - TCP_HEADER_LEN))
		return false;
	names_of(p, b, &l);
	pseudo = ip_pseudo_sum(&l.remote, &l.local, IPPROTO_TCP, p->len - net_len);
	if (held->gso == GSO_NONE &&
		(!inet_table_connected(tcp_net(p->dev->net)->table, &l) ||
			!packet_csum_ok(held,
				ip_pseudo_sum(
					&l.remote, &l.local, IPPROTO_TCP, held->len - net_len))))
		return false;
	if (!packet_csum_ok(p, pseudo))
		return false;
	a->psh = b->psh; /* b goes with p */
	packet_drop_front(p, head);
	if (!packet_join(held, p)) {
		packet_push(p, head); /* the bytes are still there */
		a->psh = 0;
		return false;
	}
	if (held->gso == GSO_NONE) {
		held->gso = held->protocol == htons(ETH_P_IP) ? GSO_TCP4 : GSO_TCP6;
		held->gso_size = (u16)size;
		held->gso_segs = 1;
	}
	held->gso_segs++;
	return true;
}
