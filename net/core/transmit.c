/* Sending: queues, and doing by software what a device can't. See <net/netif.h>. */
#include "core.h"
#include <lib/err.h>
#include <lib/hash.h>

static u32 gso_feature(const struct packet *p)
{
	switch (p->gso) {
	case GSO_TCP4:
		return NETIF_F_TSO4;
	case GSO_TCP6:
		return NETIF_F_TSO6;
	default:
		return NETIF_F_USO;
	}
}

/* The same flow takes the same queue, so its packets stay in order. */
static u32 pick_queue(const struct netif *n, const struct packet *p)
{
	if (n->nr_queues == 1)
		return 0;
	if (p->hash)
		return (u32)((u64)p->hash * n->nr_queues >> 32);
	return (u32)cpu_id() % n->nr_queues;
}

/* Queue lock. False: no room in the device. */
static bool give(struct netif *n, struct netif_queue *q, struct packet *p, bool more)
{
	u32 len = p->len, segs = p->gso_segs ? p->gso_segs : 1;

	if (!n->ops->xmit(n, p, (u32)(q - n->queues), more))
		return false;
	q->packets += segs;
	q->bytes += len;
	return true;
}

/* Queue lock. What waits goes first. */
static void send_fifo(struct netif *n, struct netif_queue *q)
{
	struct packet *p;

	while (!READ_ONCE(q->stopped) && (p = packet_queue_take(&q->fifo))) {
		if (!give(n, q, p, q->fifo.count)) {
			list_add(&p->link, &q->fifo.list);
			q->fifo.count++;
			q->fifo.bytes += p->len;
			return;
		}
	}
}

/* Queue lock. Consumes p. */
static int enqueue(struct netif *n, struct netif_queue *q, struct packet *p, bool more)
{
	if (!q->fifo.count && !READ_ONCE(q->stopped) && give(n, q, p, more))
		return 0;
	if (q->fifo.count >= max(n->tx_queue_len, 1u)) {
		q->dropped++;
		packet_free(p);
		return -ENOBUFS;
	}
	packet_queue_add(&q->fifo, p);
	send_fifo(n, q);
	return 0;
}

static int send_list(struct netif *n, struct netif_queue *q, struct list_head *list)
{
	int err = 0;

	spin_lock(&q->lock);
	while (!list_empty(list)) {
		struct packet *p = list_first_entry(list, struct packet, link);
		int e;

		list_del(&p->link);
		if (!(n->features & NETIF_F_CSUM))
			packet_csum_finish(p);
		e = enqueue(n, q, p, !list_empty(list));
		if (e)
			err = e;
	}
	spin_unlock(&q->lock);
	return err;
}

static int send_queued(struct netif *n, struct packet *p)
{
	struct netif_queue *q = &n->queues[pick_queue(n, p)];
	struct list_head list;
	int err;

	if (p->gso != GSO_NONE && !(n->features & gso_feature(p))) {
		if (packet_segment(p, &list))
			return send_list(n, q, &list);
		spin_lock(&q->lock);
		q->dropped++;
		spin_unlock(&q->lock);
		return -ENOBUFS;
	}
	if (p->csum_state == CSUM_PARTIAL && !(n->features & NETIF_F_CSUM))
		packet_csum_finish(p);
	spin_lock(&q->lock);
	err = enqueue(n, q, p, false);
	spin_unlock(&q->lock);
	return err;
}

int netif_send(struct packet *p)
{
	struct netif *n = p->dev;
	int err = 0;

	rcu_read_lock();
	if (unlikely(!netif_running(n))) {
		packet_free(p);
		err = -ENETDOWN;
	} else {
		p->mac_off = p->data;
		tap_show(n, p, true);
		if (n->nr_queues)
			err = send_queued(n, p);
		else
			(void)n->ops->xmit(n, p, 0, false);
	}
	rcu_read_unlock();
	return err;
}

int netif_send_to(struct packet *p, u16 protocol, const u8 *dst)
{
	struct netif *n = p->dev;
	int err;

	p->protocol = __builtin_bswap16(protocol);
	if (n->ops->header) {
		err = n->ops->header(n, p, protocol, dst, NULL);
		if (err) {
			packet_free(p);
			return err;
		}
	}
	return netif_send(p);
}

/* Packet context: the queue has room again. */
static void wake_task(struct net_task *t)
{
	struct netif_queue *q = container_of(t, struct netif_queue, wake);

	spin_lock(&q->lock);
	send_fifo(q->netif, q);
	spin_unlock(&q->lock);
}

void netif_stop_queue(struct netif *n, u32 q)
{
	__atomic_store_n(&n->queues[q].stopped, true, __ATOMIC_SEQ_CST);
}

void netif_wake_queue(struct netif *n, u32 q)
{
	if (__atomic_exchange_n(&n->queues[q].stopped, false, __ATOMIC_SEQ_CST))
		net_task_queue(&n->queues[q].wake);
}

void transmit_init(struct netif *n)
{
	for (u32 i = 0; i < n->nr_queues; i++) {
		struct netif_queue *q = &n->queues[i];

		spin_init(&q->lock, RANK_NETIF_QUEUE);
		packet_queue_init(&q->fifo);
		q->netif = n;
		net_task_init(&q->wake, wake_task);
	}
}

void transmit_purge(struct netif *n)
{
	for (u32 i = 0; i < n->nr_queues; i++) {
		struct netif_queue *q = &n->queues[i];
		struct packet_queue drop;
		struct packet *p;

		packet_queue_init(&drop);
		spin_lock(&q->lock);
		while ((p = packet_queue_take(&q->fifo)))
			packet_queue_add(&drop, p);
		q->dropped += drop.count;
		spin_unlock(&q->lock);
		packet_queue_purge(&drop);
	}
}
