/* What the files of this driver share. */
#ifndef VIRTIO_NET_PRIVATE_H
#define VIRTIO_NET_PRIVATE_H

#include <linux/virtio_net.h>
#include <net/context.h>
#include <net/netif.h>
#include <sched/mutex.h>
#include <sched/work.h>
#include <virtio/virtio.h>

struct vnet_rx { /* of one receive queue; its packet context, where not said otherwise */
	struct net_poll poll;
	struct vnet *dev;    /* immutable */
	struct virtqueue *q; /* immutable */
	struct frag_source source;
	struct packet *partial; /* a frame of several buffers, some of which are still to come */
	u32 left;               /* how many */
	u32 posted, wanted;     /* buffers with the device */
	struct net_timer retry; /* no memory for buffers: try again */
	u64 errors;             /* frames that made no sense */
};
struct vnet_tx {               /* of one transmit queue */
	struct vnet *dev;      /* immutable */
	struct virtqueue *q;   /* immutable */
	struct net_timer reap; /* takes back what was sent when nothing more is sent; queue's lock */
	bool stopped;          /* netif_queue.lock */
};
struct vnet {
	struct netif *netif;
	struct virtio_device *dev;
	u32 pairs; /* in use; immutable after probe */
	struct vnet_rx *rx;
	struct vnet_tx *tx;
	struct virtqueue *control; /* NULL: none */
	struct wait_queue control_done;
	struct work config;
};

/* rx.c */
int vnet_rx_init(struct vnet_rx *rx, struct vnet *v, u32 i);
void vnet_rx_open(struct vnet_rx *rx);
void vnet_rx_interrupt(struct virtqueue *q);
/* tx.c */
void vnet_tx_init(struct vnet_tx *tx, struct vnet *v, u32 i);
bool vnet_xmit(struct netif *n, struct packet *p, u32 queue, bool more);
void vnet_tx_interrupt(struct virtqueue *q);
/* control.c: sleep; -EIO: the device refused or didn't answer. Config lock held. */
void vnet_control_interrupt(struct virtqueue *q);
int vnet_set_pairs(struct vnet *v, u16 pairs) must_check;
int vnet_set_address(struct netif *n, const u8 *addr) must_check;
void vnet_set_rx_mode(struct netif *n);

#endif
