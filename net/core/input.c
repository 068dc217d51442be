/*
 * What comes in: from devices (net_receive) and from this machine itself (the backlog). Taps see it
 * first; then small segments of one flow are merged (GRO), and the protocol gets it.
 */
#include "core.h"
#include <core/log.h>
#include <sched/timer.h>
#include <lib/string.h>
#include <linux/if_packet.h>

#define MAX_PROTOCOLS 16
#define MAX_HELD      8 /* flows that are merged at a time */

static const struct net_protocol *g_protocols[MAX_PROTOCOLS]; /* set at start-up */
static int g_nr_protocols;

struct held { /* own CPU, packet context */
	struct packet_queue queue;
	bool ready;
};
static DEFINE_PER_CPU(struct held, g_held);

void net_protocol_register(const struct net_protocol *proto)
{
	BUG_ON(g_nr_protocols == MAX_PROTOCOLS);
	g_protocols[g_nr_protocols++] = proto;
}

static const struct net_protocol *protocol_of(const struct packet *p)
{
	u16 type = __builtin_bswap16(p->protocol);

	for (int i = 0; i < g_nr_protocols; i++)
		if (g_protocols[i]->type == type)
			return g_protocols[i];
	return NULL;
}

static void deliver(struct packet *p, const struct net_protocol *proto)
{
	if (likely(proto)) {
		proto->input(p);
		return;
	}
	if (p->pkt_type != PACKET_OTHERHOST)
		p->dev->cpu_stats[cpu_id()].rx_nohandler++;
	packet_free(p);
}

static u32 g_stamps_wanted; /* atomic: how many sockets */

void net_want_stamps(bool on)
{
	__atomic_fetch_add(&g_stamps_wanted, on ? 1u : -1u, __ATOMIC_RELAXED);
}

static void stamp(struct packet *p)
{
	if (unlikely(READ_ONCE(g_stamps_wanted)) && !p->stamp_ns)
		p->stamp_ns = (u64)clock_real_ns();
}

static void count_in(struct netif *n, const struct packet *p, u32 len)
{
	struct netif_cpu_stats *s = &n->cpu_stats[cpu_id()];

	s->rx_packets += p->gso_segs ? p->gso_segs : 1;
	s->rx_bytes += len;
	if (p->pkt_type == PACKET_MULTICAST)
		s->multicast++;
}

/* The link header is looked at and behind. False: no frame. */
static bool parse_link(struct netif *n, struct packet *p)
{
	p->ifindex = (u32)n->ifindex;
	if (n->type == ARPHRD_ETHER || n->type == ARPHRD_LOOPBACK)
		return ether_input(n, p);
	p->mac_off = p->net_off = p->data;
	p->pkt_type = PACKET_HOST;
	return true;
}

void input_frame(struct packet *p)
{
	struct netif *n = p->dev;
	u32 len = p->len;

	if (unlikely(!netif_running(n)) || !parse_link(n, p)) {
		n->cpu_stats[cpu_id()].rx_dropped++;
		packet_free(p);
		return;
	}
	count_in(n, p, len);
	stamp(p);
	tap_show(n, p, false);
	deliver(p, protocol_of(p));
}

/* ---- merging ---- */

static struct held *held_here(void)
{
	struct held *h = this_cpu_ptr(&g_held);

	if (unlikely(!h->ready)) {
		packet_queue_init(&h->queue);
		h->ready = true;
	}
	return h;
}

static void hold(struct packet *p, const struct net_protocol *proto)
{
	struct held *h = held_here();
	struct list_head *at;

	/* The newest first: a flow's segments follow each other. */
	for (at = h->queue.list.prev; at != &h->queue.list; at = at->prev) {
		struct packet *first = container_of(at, struct packet, link);
		u32 before = first->len;

		if (first->protocol == p->protocol && first->dev == p->dev &&
			proto->gro(first, p)) {
			h->queue.bytes += first->len - before;
			return;
		}
	}
	if (h->queue.count == MAX_HELD) {
		struct packet *oldest = packet_queue_take(&h->queue);

		deliver(oldest, protocol_of(oldest));
	}
	packet_queue_add(&h->queue, p);
}

void input_flush(void)
{
	struct held *h = this_cpu_ptr(&g_held);
	struct packet *p;

	if (!h->ready)
		return;
	while ((p = packet_queue_take(&h->queue)))
		deliver(p, protocol_of(p));
}

void net_receive(struct packet *p)
{
	struct netif *n = p->dev;
	const struct net_protocol *proto;
	u32 len = p->len;

	if (unlikely(!netif_running(n)) || !parse_link(n, p)) {
		n->cpu_stats[cpu_id()].rx_dropped++;
		packet_free(p);
		return;
	}
	count_in(n, p, len);
	stamp(p);
	tap_show(n, p, false);
	proto = protocol_of(p);
	if (proto && proto->gro && n->features & NETIF_F_GRO && p->gso == GSO_NONE &&
		p->pkt_type == PACKET_HOST)
		hold(p, proto);
	else
		deliver(p, proto);
}
