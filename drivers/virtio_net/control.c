/* The control queue: one command at a time, under the config lock. virtio 1.2, 5.1.6.5. */
#include "vnet.h"
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>

#define ANSWER_NS (5 * NS_PER_SEC)
#define MAX_MACS  64 /* more than that: promiscuous, or all multicasts */

struct command {
	struct virtio_net_ctrl_hdr head;
	u8 ack;
	bool done; /* ring's lock */
	u8 data[] __aligned(4);
};

void vnet_control_interrupt(struct virtqueue *q)
{
	struct vnet *v = q->priv;
	struct command *c;
	unsigned long flags;
	u32 len;

	if (!v)
		return;
	flags = spin_lock_irqsave(&q->lock);
	do {
		vq_interrupts_off(q);
		while ((c = vq_take(q, &len)))
			WRITE_ONCE(c->done, true);
	} while (!vq_interrupts_on(q));
	spin_unlock_irqrestore(&q->lock, flags);
	wake_up_all(&v->control_done);
}

static struct command *command_alloc(u8 class, u8 cmd, u32 len)
{
	struct command *c = kzalloc(sizeof(*c) + len, GFP_KERNEL);

	if (c) {
		c->head.class = class;
		c->head.cmd = cmd;
		c->ack = VIRTIO_NET_ERR;
	}
	return c;
}

/* Consumes c. The data is in one or two parts. */
static int command_run(struct vnet *v, struct command *c, u32 first, u32 second)
{
	struct virtqueue *q = v->control;
	struct vq_chain chain;
	unsigned long flags;
	bool ok, tell;
	int err;

	flags = spin_lock_irqsave(&q->lock);
	ok = vq_begin(q, &chain, second ? 4 : 3, NULL);
	if (ok) {
		vq_add(&chain, virt_to_phys(&c->head), sizeof(c->head), false);
		vq_add(&chain, virt_to_phys(c->data), first, false);
		if (second)
			vq_add(&chain, virt_to_phys(c->data + first), second, false);
		vq_add(&chain, virt_to_phys(&c->ack), 1, true);
		vq_end(&chain, c);
	}
	tell = vq_should_notify(q);
	spin_unlock_irqrestore(&q->lock, flags);
	if (tell)
		vq_notify(q);
	if (!ok) {
		kfree(c);
		return -EIO;
	}
	(void)wait_event_full(&v->control_done, READ_ONCE(c->done), THREAD_SLEEPING,
		deadline_after(ANSWER_NS), wait_prepare);
	if (!READ_ONCE(c->done))
		return -EIO; /* the device may still write to it: leaked on purpose */
	err = c->ack == VIRTIO_NET_OK ? 0 : -EIO;
	kfree(c);
	return err;
}

int vnet_set_pairs(struct vnet *v, u16 pairs)
{
	struct command *c = command_alloc(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 2);

	if (!c)
		return -ENOMEM;
	memcpy(c->data, &pairs, 2);
	return command_run(v, c, 2, 0);
}

int vnet_set_address(struct netif *n, const u8 *addr)
{
	struct vnet *v = n->priv;
	struct command *c;

	int err = ether_check_address(addr);

	if (err)
		return err;
	if (!v->control || !virtio_has(v->dev, VIRTIO_NET_F_CTRL_MAC_ADDR))
		return -EOPNOTSUPP;
	c = command_alloc(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, ETH_ALEN);
	if (!c)
		return -ENOMEM;
	memcpy(c->data, addr, ETH_ALEN);
	return command_run(v, c, ETH_ALEN, 0) ? -EINVAL : 0;
}

static int set_mode(struct vnet *v, u8 cmd, bool on)
{
	struct command *c = command_alloc(VIRTIO_NET_CTRL_RX, cmd, 1);

	if (!c)
		return -ENOMEM;
	c->data[0] = on;
	return command_run(v, c, 1, 0);
}

static u8 *put_list(u8 *at, const struct list_head *list, u32 n)
{
	const struct hw_addr *a;

	memcpy(at, &n, 4);
	at += 4;
	if (!n)
		return at;
	list_for_each_entry(a, list, link) {
		memcpy(at, a->addr, ETH_ALEN);
		at += ETH_ALEN;
	}
	return at;
}

void vnet_set_rx_mode(struct netif *n)
{
	struct vnet *v = n->priv;
	u32 uni = n->nr_unicast > MAX_MACS ? 0 : n->nr_unicast;
	u32 multi = n->nr_multicast > MAX_MACS ? 0 : n->nr_multicast;
	bool promisc = n->flags & IFF_PROMISC || n->nr_unicast > MAX_MACS;
	bool allmulti = n->flags & IFF_ALLMULTI || n->nr_multicast > MAX_MACS;
	struct command *c;
	u8 *second;
	int err;

	if (!v->control || !virtio_has(v->dev, VIRTIO_NET_F_CTRL_RX))
		return; /* such a device passes everything */
	err = set_mode(v, VIRTIO_NET_CTRL_RX_PROMISC, promisc);
	if (!err)
		err = set_mode(v, VIRTIO_NET_CTRL_RX_ALLMULTI, allmulti);
	c = command_alloc(
		VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, 8 + (uni + multi) * ETH_ALEN);
	if (!c || err) {
		kfree(c);
		log_warn("%s: the receive filter could not be set", n->name);
		return;
	}
	second = put_list(c->data, &n->unicast, uni);
	put_list(second, &n->multicast, multi);
	if (command_run(v, c, 4 + uni * ETH_ALEN, 4 + multi * ETH_ALEN))
		log_warn("%s: the device refused the receive filter", n->name);
}
