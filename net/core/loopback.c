/* The interface that leads back: what is sent on it comes in again, without a copy. */
#include "core.h"
#include <lib/err.h>
#include <lib/string.h>

#define LOOPBACK_MTU 65536u

static bool loopback_xmit(struct netif *n, struct packet *p, u32 queue, bool more)
{
	struct netif_cpu_stats *s = &n->cpu_stats[cpu_id()];

	packet_orphan(p); /* the receiver is charged from here on */
	packet_drop_route(p);
	p->flags |= PKT_LOOPED;
	s->tx_packets++;
	s->tx_bytes += p->len;
	if (!net_loop(p))
		s->rx_dropped++;
	return true;
}

static int loopback_set_address(struct netif *n, const u8 *addr)
{
	return ether_check_address(addr);
}

static const struct netif_ops g_loopback_ops = {
	.xmit = loopback_xmit,
	.set_address = loopback_set_address,
	.header = ether_header,
};

int loopback_create(struct net *net)
{
	struct netif *n = netif_alloc(&g_loopback_ops, "lo", 0);
	int err;

	if (!n)
		return -ENOMEM;
	n->type = ARPHRD_LOOPBACK;
	n->flags = IFF_LOOPBACK;
	n->header_len = ETH_HLEN;
	n->addr_len = ETH_ALEN;
	n->mtu = LOOPBACK_MTU;
	n->min_mtu = 0;
	n->max_mtu = U32_MAX;
	n->tx_queue_len = 1000;
	n->carrier = true;
	n->features = n->hw_features = NETIF_F_SG | NETIF_F_CSUM | NETIF_F_TSO4 | NETIF_F_TSO6 |
		NETIF_F_TSO_ECN | NETIF_F_USO | NETIF_F_RXCSUM;
	err = netif_register(net, n);
	if (err) {
		put_netif(n);
		return err;
	}
	net->loopback = n;
	return 0;
}
