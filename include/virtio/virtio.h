/*
 * virtio 1.x: devices, transports (PCI and MMIO), split virtqueues with indirect descriptors and
 * event indexes. OASIS virtio 1.2.
 */
#ifndef VIRTIO_VIRTIO_H
#define VIRTIO_VIRTIO_H

#include <lib/list.h>
#include <core/spinlock.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <abi/virtio_ring.h>

struct virtio_device;
struct virtqueue;

/* How a device is reached. Sleeps where not said otherwise. */
struct virtio_transport {
	u64 (*features)(struct virtio_device *v);
	void (*set_features)(struct virtio_device *v, u64 features);
	u8 (*status)(struct virtio_device *v);
	void (*set_status)(struct virtio_device *v, u8 status); /* 0: reset, waits until done */
	u32 (*generation)(struct virtio_device *v);
	void (*config)(struct virtio_device *v, u32 offset, void *buf, u32 len);
	u16 (*queue_size)(struct virtio_device *v, u16 index); /* largest; 0: no such queue */
	/* Tell the device where q is; its interrupts go to cpu. */
	int (*start_queue)(struct virtio_device *v, struct virtqueue *q, int cpu);
	void (*notify)(struct virtqueue *q);   /* any context */
	int (*start)(struct virtio_device *v); /* all queues are set up: interrupts on */
	void (*stop)(struct virtio_device *v); /* after reset: interrupts given back */
};

struct virtio_device {
	const struct virtio_transport *transport;
	void *bus;    /* the transport's */
	u32 id;       /* VIRTIO_ID_* */
	u64 features; /* negotiated */
	const struct virtio_driver *driver;
	void *driver_data;
	struct virtqueue **queues; /* those started, for the transport's interrupts */
	u32 nr_queues;
	char name[24];     /* where it is */
	char irq_name[24]; /* of the vector that isn't a queue's */
	u32 nr;            /* in the order in which they were found */
	struct list_head link;
};

struct virtio_driver {
	const char *name;
	u32 id;
	u64 features; /* those it knows; VERSION_1, indirect and event index come on top */
	/* Which of the features that both know are taken; NULL: all. */
	u64 (*choose)(u64 features);
	int (*probe)(struct virtio_device *v);
	/* What /proc/interrupts calls a queue. */
	void (*queue_name)(const struct virtqueue *q, char out[16]);
	/* The configuration changed. Interrupts off. NULL: don't care. */
	void (*config_changed)(struct virtio_device *v);
	struct list_head link;
};
void virtio_driver_register(struct virtio_driver *d);
/* Transports: a device was found; name says where. */
int virtio_device_add(struct virtio_device *v) must_check;

static inline bool virtio_has(const struct virtio_device *v, u32 feature)
{
	return v->features >> feature & 1;
}
void virtio_config_read(struct virtio_device *v, u32 offset, void *buf, u32 len);
/* Ready: DRIVER_OK. Before it the queues are made. */
int virtio_ready(struct virtio_device *v) must_check;

/*
 * A queue. Everything on one queue under q->lock (interrupts off), which the caller takes.
 * Descriptors that the device may write are never read back: the free list is ours.
 */
struct virtqueue {
	struct spinlock lock;
	struct virtio_device *dev;
	u16 index, size;
	char name[32];           /* virtio0-input.0 */
	struct vring_desc *desc; /* shared with the device, as are the next two */
	struct vring_avail *avail;
	struct vring_used *used;
	u16 avail_index, used_index; /* ours */
	u16 kicked;                  /* avail_index at the last look for a notification */
	u16 free_head, nr_free;
	struct vq_slot {
		void *token;
		u16 next; /* free list, or chain */
	} * slots;
	/* Used buffers are there. Interrupts off, lock not held. */
	void (*callback)(struct virtqueue *q);
	void *priv;
	u32 vector;          /* transport's */
	volatile void *bell; /* transport's */
	u64 phys[3];         /* desc, avail, used */
};

/* Queues 0..n-1 with callbacks; interrupts of each group of queues in a row go to one CPU, in turn.
 * Sets v->queues. */
int virtio_make_queues(struct virtio_device *v, u32 n, u32 group,
	void (*const *callbacks)(struct virtqueue *), u16 max_size) must_check;

/* A buffer of several parts: first those that the device reads, then those that it writes. With
 * table (of at least n entries, in direct-mapped memory, the caller's until it is used) and
 * VIRTIO_RING_F_INDIRECT_DESC only one slot of the ring is taken. */
struct vq_chain {
	struct virtqueue *q;
	struct vring_desc *table;
	u16 head, at, n;
	bool indirect;
};
/* False: no room. */
bool vq_begin(struct virtqueue *q, struct vq_chain *c, u16 n, struct vring_desc *table) must_check;
void vq_add(struct vq_chain *c, u64 phys, u32 len, bool device_writes);
void vq_end(struct vq_chain *c, void *token); /* the device may see it from now on */
/* Must the device be told? Then unlock and vq_notify. */
bool vq_should_notify(struct virtqueue *q) must_check;
void vq_notify(struct virtqueue *q);
/* Next buffer that the device has used: its token, bytes written; NULL: none. */
void *vq_take(struct virtqueue *q, u32 *len);
/* No (or again) interrupts; vq_interrupts_on returns false when something was used meanwhile. */
void vq_interrupts_off(struct virtqueue *q);
bool vq_interrupts_on(struct virtqueue *q) must_check;
void vq_interrupt(struct virtqueue *q); /* transports: calls the callback */

#endif
