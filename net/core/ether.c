/* Ethernet's link header, and what it says of a received frame. */
#include "core.h"
#include <lib/err.h>
#include <lib/string.h>
#include <linux/if_packet.h>

#define ETH_MIN_TYPE 0x600 /* smaller values are lengths (802.3) */

int ether_header(struct netif *n, struct packet *p, u16 protocol, const u8 *dst, const u8 *src)
{
	struct ethhdr *h;

	if (packet_headroom(p) < ETH_HLEN)
		return -ENOBUFS;
	h = (struct ethhdr *)packet_push(p, ETH_HLEN);
	memcpy(h->h_dest, dst ? dst : n->broadcast, ETH_ALEN);
	memcpy(h->h_source, src ? src : n->addr, ETH_ALEN);
	h->h_proto = __builtin_bswap16(protocol);
	p->protocol = h->h_proto;
	return 0;
}

static u8 kind_of(const struct netif *n, const u8 *dst)
{
	if (dst[0] & 1)
		return memcmp(dst, n->broadcast, ETH_ALEN) ? PACKET_MULTICAST : PACKET_BROADCAST;
	return memcmp(dst, n->addr, ETH_ALEN) ? PACKET_OTHERHOST : PACKET_HOST;
}

bool ether_input(struct netif *n, struct packet *p)
{
	const struct ethhdr *h;
	u16 type;

	if (!packet_need(p, ETH_HLEN))
		return false;
	h = (const struct ethhdr *)packet_data(p);
	p->mac_off = p->data;
	p->pkt_type = kind_of(n, h->h_dest);
	type = __builtin_bswap16(h->h_proto);
	p->protocol = type >= ETH_MIN_TYPE ? h->h_proto : __builtin_bswap16(ETH_P_802_2);
	packet_pull(p, ETH_HLEN);
	p->net_off = p->data;
	return true;
}

void netif_setup_ether(struct netif *n, const u8 addr[6])
{
	n->type = ARPHRD_ETHER;
	n->header_len = ETH_HLEN;
	n->addr_len = ETH_ALEN;
	n->flags = IFF_BROADCAST | IFF_MULTICAST;
	n->mtu = ETH_DATA_LEN;
	n->min_mtu = ETH_MIN_MTU;
	n->max_mtu = ETH_MAX_MTU;
	n->tx_queue_len = 1000;
	memset(n->broadcast, 0xff, ETH_ALEN);
	if (addr) {
		memcpy(n->addr, addr, ETH_ALEN);
		memcpy(n->perm_addr, addr, ETH_ALEN);
	}
}

int ether_check_address(const u8 *addr)
{
	static const u8 zero[ETH_ALEN];

	return addr[0] & 1 || !memcmp(addr, zero, ETH_ALEN) ? -EADDRNOTAVAIL : 0;
}
