/* Output: headers in front of transports' packets, copies to ourselves, the way to the neighbour. */
#include "inet.h"
#include <core/trace.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#define ID_COUNTERS 2048

/* Numbers of fragments: a counter for each of many hashes of addresses, so that strangers learn
 * little from them (RFC 7739 5.3). */
u16 ip4_next_id(const struct inet_addr *src, const struct inet_addr *dst, u8 proto)
{
	static u32 counters[ID_COUNTERS]; /* atomic */
	u32 key[3] = {src->w[3], dst->w[3], proto};
	u64 h = siphash(key, sizeof(key), &g_net_secret);

	return (u16)(__atomic_fetch_add(&counters[h % ID_COUNTERS], 1, __ATOMIC_RELAXED) +
		(h >> 32));
}

/* ---- on its way ---------------------------------------------------------------------------------
 */

/* A copy that comes in again by dev, as if it had been received. */
static void loop_back(struct netif *dev, struct packet *p)
{
	struct packet *copy = packet_clone(p, GFP_ATOMIC);

	if (!copy)
		return;
	copy->dev = dev;
	copy->flags |= PKT_LOOPED;
	copy->protocol = p->protocol;
	copy->csum_state = p->csum_state == CSUM_PARTIAL ? CSUM_PARTIAL : CSUM_GOOD;
	if (dev->ops->header && dev->ops->header(dev, copy, ntohs(copy->protocol), NULL, NULL)) {
		packet_free(copy);
		return;
	}
	(void)net_loop(copy); /* dropped ones are counted there */
}

static u8 ttl_of(struct packet *p)
{
	const u8 *h = packet_data(p);

	return p->protocol == htons(ETH_P_IP) ? h[8] : h[7];
}

static void count_out(struct inet_net *in, const struct ip_path *path, const struct packet *p)
{
	bool v4 = p->protocol == htons(ETH_P_IP);

	mib_add(in, v4 ? MIB_IPX_OUTOCTETS : MIB_IP6_OUTOCTETS, p->len);
	if (path->type == RTN_MULTICAST) {
		mib_inc2(in, MIB_IPX_OUTMCASTPKTS, v4, MIB_IP6_OUTMCASTPKTS);
		mib_add(in, v4 ? MIB_IPX_OUTMCASTOCTETS : MIB_IP6_OUTMCASTOCTETS, p->len);
	} else if (path->type == RTN_BROADCAST) {
		mib_inc(in, MIB_IPX_OUTBCASTPKTS);
		mib_add(in, MIB_IPX_OUTBCASTOCTETS, p->len);
	}
}

int ip_emit(struct inet_net *in, const struct ip_path *path, struct packet *p, bool loop)
{
	struct netif *dev = path->rt->dev;
	u8 hw[NETIF_ADDR_MAX];
	int err;

	p->dev = dev;
	count_out(in, path, p);
	if (likely(dev->flags & IFF_LOOPBACK)) {
		/* The ways to ourselves stay when it is down: what is sent then is lost. */
		err = netif_send_to(p, ntohs(p->protocol), dev->addr);
		return err == -ENETDOWN ? 0 : err;
	}
	if (path->type == RTN_UNICAST)
		return neigh_send(in, dev, &path->nexthop, p);
	if (loop)
		loop_back(dev, p);
	if (path->type == RTN_MULTICAST && ttl_of(p) == 0) {
		packet_free(p);
		return 0;
	}
	mc_link_addr(dev, &path->nexthop, hw);
	if (path->type == RTN_BROADCAST)
		memcpy(hw, dev->broadcast, NETIF_ADDR_MAX);
	return netif_send_to(p, ntohs(p->protocol), hw);
}

/* ---- headers ------------------------------------------------------------------------------------
 */

u32 ip_header_len(const struct ip_tx *tx)
{
	if (addr_is_v4(&tx->dst))
		return 20u + (tx->opt ? tx->opt->len : 0);
	return 40u +
		(tx->ext ? tx->ext->hop_len + tx->ext->dst0_len + tx->ext->rt_len + tx->ext->dst_len
			 : 0);
}

static void put_header4(struct packet *p, const struct ip_tx *tx, bool df)
{
	u32 opt = tx->opt ? tx->opt->len : 0;
	struct iphdr *h = (struct iphdr *)packet_push(p, 20 + opt);

	*(u16 *)h = htons((u16)((0x45 + opt / 4) << 8 | tx->tos));
	h->tot_len = htons(p->len);
	h->frag_off = df ? htons(0x4000) : 0;
	h->id = df && p->gso == GSO_NONE ? 0 : htons(ip4_next_id(&tx->src, &tx->dst, tx->proto));
	h->ttl = tx->ttl;
	h->protocol = tx->proto;
	h->check = 0;
	h->saddr = tx->src.w[3];
	h->daddr = tx->dst.w[3];
	if (unlikely(opt)) {
		memcpy(h + 1, tx->opt->data, opt);
		ip_options_record((u8 *)(h + 1), opt, h->saddr, false);
	}
	h->check = checksum_fold(checksum_add(0, h, 20 + opt));
	p->net_off = p->data;
	p->net_len = (u8)(20 + opt);
	p->protocol = htons(ETH_P_IP);
}

/* Extension headers, last one first, so that each knows what follows. Returns the first's number. */
static u8 put_ext(struct packet *p, const struct ip6_headers *e, u8 proto)
{
	static const u8 number[] = {
		IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_HOPOPTS};
	u16 len[] = {e->dst_len, e->rt_len, e->dst0_len, e->hop_len};
	u32 end = (u32)e->hop_len + e->dst0_len + e->rt_len + e->dst_len;

	for (u32 i = 0; i < 4; i++) {
		u8 *h;

		if (!len[i])
			continue;
		h = packet_push(p, len[i]);
		end -= len[i];
		memcpy(h, e->data + end, len[i]);
		h[0] = proto;
		proto = number[i];
	}
	return proto;
}

static void put_header6(struct packet *p, const struct ip_tx *tx)
{
	u8 next = tx->ext ? put_ext(p, tx->ext, tx->proto) : tx->proto;
	u32 len = p->len;
	struct ipv6hdr *h = (struct ipv6hdr *)packet_push(p, sizeof(*h));

	*(u32 *)h = htonl(6u << 28 | (u32)tx->tos << 20) | tx->flowlabel;
	h->payload_len = htons(len);
	h->nexthdr = next;
	h->hop_limit = tx->ttl;
	memcpy(&h->saddr, &tx->src, 16);
	memcpy(&h->daddr, &tx->dst, 16);
	p->net_off = p->data;
	p->net_len = (u8)min(ip_header_len(tx), 255u);
	p->protocol = htons(ETH_P_IPV6);
}

int ip_send(struct net *net, const struct ip_path *path, const struct ip_tx *tx, struct packet *p)
{
	struct inet_net *in = inet_net(net);
	bool v4 = addr_is_v4(&tx->dst), fits;
	u32 header = ip_header_len(tx), mtu = path->mtu;

	mib_inc2(in, MIB_IP_OUTREQUESTS, v4, MIB_IP6_OUTREQUESTS);
	if (unlikely(header + 16 > packet_headroom(p) ||
		    p->len + header > PACKET_MAX_LEN + (v4 ? 0 : 40))) {
		packet_free(p);
		return -EMSGSIZE;
	}
	if (tx->mtu)
		mtu = min(tx->mtu, path->rt->dev->mtu);
	fits = p->len + header <= mtu || p->gso != GSO_NONE;
	if (v4)
		put_header4(p, tx, tx->df && (fits || !tx->local_frag));
	else
		put_header6(p, tx);
	if (likely(fits))
		return ip_emit(in, path, p, tx->mc_loop || path->type == RTN_BROADCAST);
	if (!tx->local_frag) {
		mib_inc2(in, MIB_IP_FRAGFAILS, v4, MIB_IP6_FRAGFAILS);
		packet_free(p);
		return -EMSGSIZE;
	}
	return v4 ? ip4_fragment(in, path, p, mtu, tx->mc_loop || path->type == RTN_BROADCAST)
		  : ip6_fragment(in, path, p, mtu, tx->mc_loop);
}

int ip_send_raw(struct net *net, const struct ip_path *path, struct packet *p, bool mc_loop)
{
	struct inet_net *in = inet_net(net);

	mib_inc2(in, MIB_IP_OUTREQUESTS, p->protocol == htons(ETH_P_IP), MIB_IP6_OUTREQUESTS);
	return ip_emit(in, path, p, mc_loop || path->type == RTN_BROADCAST);
}
