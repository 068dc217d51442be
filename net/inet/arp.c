/* ARP: RFC 826, address conflict probes of RFC 5227; arp(7). */
#include "inet.h"
#include <linux/if_packet.h>

struct arp_eth { /* Ethernet and IPv4, the only pair here */
	u16 hw_type, proto;
	u8 hw_len, proto_len;
	u16 op;
	u8 sender_hw[6];
	u8 sender[4];
	u8 target_hw[6];
	u8 target[4];
} __packed;
static_assert(sizeof(struct arp_eth) == 28, "ARP for Ethernet");

static void arp_xmit(
	struct netif *dev, u16 op, u32 sender, u32 target, const u8 *target_hw, const u8 *to)
{
	struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	struct arp_eth *a;

	if (!p)
		return;
	a = (struct arp_eth *)packet_put(p, sizeof(*a));
	a->hw_type = htons(ARPHRD_ETHER);
	a->proto = htons(ETH_P_IP);
	a->hw_len = 6;
	a->proto_len = 4;
	a->op = htons(op);
	memcpy(a->sender_hw, dev->addr, 6);
	memcpy(a->sender, &sender, 4);
	if (target_hw)
		memcpy(a->target_hw, target_hw, 6);
	else
		memset(a->target_hw, 0, 6);
	memcpy(a->target, &target, 4);
	p->dev = dev;
	p->net_off = p->data;
	p->protocol = htons(ETH_P_ARP);
	(void)netif_send_to(p, ETH_P_ARP, to); /* lost ones are asked again */
}

static bool dev_does_arp(const struct netif *n)
{
	return n->type == ARPHRD_ETHER && !(n->flags & (IFF_NOARP | IFF_LOOPBACK));
}

/* Which of our addresses asks: arp_announce of ip-sysctl. */
static u32 asking_address(struct inet_net *in, struct neigh *n, const struct inet_addr *src)
{
	struct inet_dev *d = inet_dev(n->dev);
	s32 mode = d ? max(d->conf.arp_announce, in->conf_all.arp_announce) : 0;
	struct inet_addr best;

	if (src && mode == 0 && addr_is_ours(n->dev->net, src, 0))
		return src->w[3];
	if (src && mode == 1 && d) {
		struct ifaddr *ia;

		list_for_each_entry_rcu(ia, &d->addrs[0], link)
			if (addr_prefix_eq(&ia->peer, &n->addr, 96u + ia->prefix) &&
				addr_is_ours(n->dev->net, src, 0))
				return src->w[3];
	}
	return ifaddr_source4(in, n->dev, &n->addr, RT_SCOPE_LINK, &best) ? best.w[3] : 0;
}

void arp_solicit(struct neigh *n, bool unicast, const u8 *hw, const struct inet_addr *src)
{
	struct inet_net *in = inet_net(n->dev->net);

	if (dev_does_arp(n->dev))
		arp_xmit(n->dev, ARPOP_REQUEST, asking_address(in, n, src), n->addr.w[3], NULL,
			unicast ? hw : NULL);
}

void arp_announce(struct inet_dev *d, const struct inet_addr *a)
{
	if (dev_does_arp(d->dev))
		arp_xmit(d->dev, ARPOP_REQUEST, a->w[3], a->w[3], NULL, NULL);
}

/* Do we answer for target here? arp_ignore of ip-sysctl. */
static bool answers(struct inet_net *in, struct inet_dev *d, const struct inet_addr *target,
	const struct inet_addr *sender)
{
	s32 ignore = max(d->conf.arp_ignore, in->conf_all.arp_ignore);
	struct ifaddr *ia = ifaddr_find(in, target, ignore >= 1 ? d->dev->ifindex : 0);

	if (!ia) /* other addresses that are local by route */
		return ignore == 0 && !addr_is_loopback(target) &&
			addr_type(in->net, target, 0) == RTN_LOCAL;
	if (ignore == 2 && !addr_prefix_eq(&ia->peer, sender, 96u + ia->prefix) &&
		!addr_is_any(sender))
		return false;
	if (ignore == 3 && ia->scope == RT_SCOPE_HOST)
		return false;
	return ignore != 8 && !addr_is_loopback(target);
}

static void learn(struct inet_net *in, struct packet *p, const struct arp_eth *a,
	const struct inet_addr *sender, bool for_us)
{
	struct neigh *n;
	bool reply = a->op == htons(ARPOP_REPLY);

	n = neigh_lookup(in, p->dev, sender, for_us && !reply);
	if (!n)
		return; /* nobody asked (arp_accept is off) */
	neigh_update(n, a->sender_hw,
		reply && p->pkt_type == PACKET_HOST && for_us ? NUD_REACHABLE : NUD_STALE,
		NEIGH_OVERRIDE);
}

static void handle(struct inet_net *in, struct packet *p, const struct arp_eth *a)
{
	struct inet_dev *d = inet_dev(p->dev);
	u32 s, t;
	struct inet_addr sender, target;
	bool for_us;

	memcpy(&s, a->sender, 4);
	memcpy(&t, a->target, 4);
	sender = addr_v4(s);
	target = addr_v4(t);
	if (addr_is_multicast(&target) || addr_is_loopback(&target) || addr_is_multicast(&sender) ||
		addr_is_limited_broadcast(&sender))
		return;
	if (addr_is_any(&sender)) { /* a probe: is the address taken? */
		if (a->op == htons(ARPOP_REQUEST) && answers(in, d, &target, &sender))
			arp_xmit(p->dev, ARPOP_REPLY, t, 0, a->sender_hw, a->sender_hw);
		return;
	}
	if (addr_is_ours(in->net, &sender, 0))
		return; /* our own, or a conflict: nothing to learn */
	for_us = answers(in, d, &target, &sender);
	if (a->op == htons(ARPOP_REQUEST) && for_us) {
		learn(in, p, a, &sender, true);
		arp_xmit(p->dev, ARPOP_REPLY, t, s, a->sender_hw, a->sender_hw);
	} else {
		learn(in, p, a, &sender, for_us);
	}
}

static void arp_input(struct packet *p)
{
	struct arp_eth a;

	if (p->pkt_type != PACKET_OTHERHOST && p->pkt_type != PACKET_LOOPBACK &&
		dev_does_arp(p->dev) && inet_dev(p->dev) && packet_need(p, sizeof(a))) {
		memcpy(&a, packet_data(p), sizeof(a));
		if (a.hw_type == htons(ARPHRD_ETHER) && a.proto == htons(ETH_P_IP) &&
			a.hw_len == 6 && a.proto_len == 4 && !(a.sender_hw[0] & 1) &&
			(a.op == htons(ARPOP_REQUEST) || a.op == htons(ARPOP_REPLY)))
			handle(inet_net(p->dev->net), p, &a);
	}
	packet_free(p);
}

int arp_init(void)
{
	static const struct net_protocol proto = {.type = ETH_P_ARP, .input = arp_input};

	net_protocol_register(&proto);
	return 0;
}
