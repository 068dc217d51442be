/*
 * Sending. No interrupt tells of sent frames: they are taken back when the next one is sent, or by
 * a timer. Only a queue that is full asks for one. virtio 1.2, 5.1.6.1 and 5.1.6.2.
 */
#include "vnet.h"
#include <kmem/page.h>
#include <lib/string.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#define REAP_NS  (2 * NS_PER_MS)
#define MAX_DESC (PACKET_MAX_FRAGS + 2) /* header, linear area, fragments */
#define HDR      ((u32)sizeof(struct virtio_net_hdr_v1))

/* Ring's lock. What was sent, as a list; it is freed without the lock. */
static void take_sent(struct virtqueue *q, struct packet_queue *out)
{
	struct packet *p;
	u32 len;

	while ((p = vq_take(q, &len)))
		packet_queue_add(out, p);
}

static void fill_header(struct virtio_net_hdr_v1 *h, struct packet *p)
{
	memset(h, 0, sizeof(*h));
	if (p->csum_state == CSUM_PARTIAL) {
		h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h->csum_start = (u16)(p->csum_start - p->data);
		h->csum_offset = p->csum_offset;
	}
	if (p->gso == GSO_TCP4 || p->gso == GSO_TCP6) {
		const struct tcphdr *th = (const void *)(p->linear + p->trans_off);

		h->gso_type = p->gso == GSO_TCP4 ? VIRTIO_NET_HDR_GSO_TCPV4
						 : VIRTIO_NET_HDR_GSO_TCPV6;
		if (th->cwr)
			h->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
		h->gso_size = p->gso_size;
		h->hdr_len = (u16)(p->trans_off - p->data + th->doff * 4u);
	}
}

/* Ring's lock. */
static bool give(struct virtqueue *q, struct packet *p)
{
	bool in_front = packet_headroom(p) >= HDR;
	struct virtio_net_hdr_v1 *h = in_front ? (void *)(p->linear + p->data - HDR)
					       : (void *)p->cb;
	struct vq_chain c;

	if (!vq_begin(q, &c, (u16)(p->nr_frags + (in_front ? 1 : 2)), NULL))
		return false;
	fill_header(h, p);
	if (!in_front)
		vq_add(&c, virt_to_phys(h), HDR, false);
	vq_add(&c, virt_to_phys(in_front ? (void *)h : packet_data(p)),
		p->linear_len + (in_front ? HDR : 0), false);
	for (u32 i = 0; i < p->nr_frags; i++)
		vq_add(&c, page_to_phys(p->frags[i].page) + p->frags[i].offset, p->frags[i].len,
			false);
	vq_end(&c, p);
	return true;
}

/* Full: ask for an interrupt. False: there is room again already. Ring's lock. */
static bool stop(struct vnet_tx *tx, struct packet_queue *sent)
{
	netif_stop_queue(tx->dev->netif, (u32)(tx - tx->dev->tx));
	if (vq_interrupts_on(tx->q))
		return true;
	take_sent(tx->q, sent);
	return false;
}

bool vnet_xmit(struct netif *n, struct packet *p, u32 queue, bool more)
{
	struct vnet *v = n->priv;
	struct vnet_tx *tx = &v->tx[queue];
	struct packet_queue sent;
	bool tell = false, ok, wake = false;
	unsigned long flags;

	packet_queue_init(&sent);
	flags = spin_lock_irqsave(&tx->q->lock);
	take_sent(tx->q, &sent);
	ok = give(tx->q, p);
	if (!ok || tx->q->nr_free < MAX_DESC) {
		wake = !stop(tx, &sent);
		more = false;
	}
	if (!more)
		tell = vq_should_notify(tx->q);
	spin_unlock_irqrestore(&tx->q->lock, flags);
	if (tell)
		vq_notify(tx->q);
	if (wake)
		netif_wake_queue(n, queue);
	packet_queue_purge(&sent);
	if (ok && !tx->reap.armed)
		(void)!net_timer_arm(&tx->reap, deadline_after(REAP_NS));
	return ok;
}

static void reap(struct vnet_tx *tx)
{
	struct packet_queue sent;
	unsigned long flags;
	bool room, left;

	packet_queue_init(&sent);
	flags = spin_lock_irqsave(&tx->q->lock);
	take_sent(tx->q, &sent);
	room = tx->q->nr_free >= MAX_DESC;
	left = tx->q->nr_free < tx->q->size;
	spin_unlock_irqrestore(&tx->q->lock, flags);
	packet_queue_purge(&sent);
	if (room)
		netif_wake_queue(tx->dev->netif, (u32)(tx - tx->dev->tx));
	if (left)
		(void)!net_timer_arm(&tx->reap, deadline_after(REAP_NS));
}

static void reap_timer(struct net_timer *t)
{
	reap(container_of(t, struct vnet_tx, reap));
}

/* Only a full queue asks for it: the packet context sends on, and takes back as it does. */
void vnet_tx_interrupt(struct virtqueue *q)
{
	struct vnet_tx *tx = q->priv;

	spin_lock(&q->lock);
	vq_interrupts_off(q);
	spin_unlock(&q->lock);
	if (tx)
		netif_wake_queue(tx->dev->netif, (u32)(tx - tx->dev->tx));
}

void vnet_tx_init(struct vnet_tx *tx, struct vnet *v, u32 i)
{
	unsigned long flags;

	tx->dev = v;
	tx->q = v->dev->queues[2 * i + 1];
	tx->q->priv = tx;
	net_timer_init(&tx->reap, reap_timer);
	flags = spin_lock_irqsave(&tx->q->lock);
	vq_interrupts_off(tx->q);
	spin_unlock_irqrestore(&tx->q->lock, flags);
}
