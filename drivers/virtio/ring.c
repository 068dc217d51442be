/* Split virtqueues: virtio 1.2, 2.7. */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <core/log.h>
#include <kmem/page.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <virtio/virtio.h>

/* used_event and avail_event stand behind the rings. */
static volatile u16 *used_event(struct virtqueue *q)
{
	return &q->avail->ring[q->size];
}

static volatile u16 *avail_event(struct virtqueue *q)
{
	return (volatile u16 *)&q->used->ring[q->size];
}

static struct virtqueue *make_queue(struct virtio_device *v, u16 index, u16 size)
{
	size_t desc = 16ul * size, avail = 6 + 2ul * size, used = 6 + 8ul * size;
	size_t bytes = round_up(desc + avail, 4) + used;
	struct virtqueue *q = kzalloc(sizeof(*q), GFP_KERNEL);
	struct page *pages;
	int order = 0;
	char *mem;

	while ((PAGE_SIZE << order) < bytes)
		order++;
	pages = pages_alloc(order, GFP_KERNEL | GFP_ZERO);
	if (q)
		q->slots = kcalloc(size, sizeof(*q->slots), GFP_KERNEL);
	if (!q || !pages || !q->slots) {
		if (pages)
			pages_free(pages, order);
		if (q)
			kfree(q->slots);
		kfree(q);
		return NULL;
	}
	mem = page_address(pages);
	spin_init(&q->lock, RANK_VIRTQUEUE);
	q->dev = v;
	q->index = index;
	q->size = size;
	q->desc = (void *)mem;
	q->avail = (void *)(mem + desc);
	q->used = (void *)(mem + round_up(desc + avail, 4));
	q->phys[0] = virt_to_phys(q->desc);
	q->phys[1] = virt_to_phys(q->avail);
	q->phys[2] = virt_to_phys(q->used);
	q->nr_free = size;
	for (u16 i = 0; i < size; i++)
		q->slots[i].next = (u16)(i + 1);
	return q;
}

int virtio_make_queues(struct virtio_device *v, u32 n, u32 group,
	void (*const *callbacks)(struct virtqueue *), u16 max_size)
{
	v->queues = kcalloc(n, sizeof(*v->queues), GFP_KERNEL);
	if (!v->queues)
		return -ENOMEM;
	for (u32 i = 0; i < n; i++) {
		u16 size = v->transport->queue_size(v, (u16)i);
		struct virtqueue *q;
		char name[16];
		int err;

		if (size < 2 || (size & (size - 1)))
			return -ENODEV;
		q = make_queue(v, (u16)i, min(size, max_size));
		if (!q)
			return -ENOMEM;
		q->callback = callbacks[i];
		v->driver->queue_name(q, name);
		ksnprintf(q->name, sizeof(q->name), "virtio%u-%s", v->nr, name);
		v->queues[i] = q;
		v->nr_queues = i + 1;
		err = v->transport->start_queue(v, q, (int)(i / group % (u32)g_nr_cpus));
		if (err)
			return err;
	}
	return 0;
}

bool vq_begin(struct virtqueue *q, struct vq_chain *c, u16 n, struct vring_desc *table)
{
	spin_assert_held(&q->lock);
	*c = (struct vq_chain){.q = q, .head = q->free_head, .at = q->free_head};
	c->indirect = table && n > 1 && virtio_has(q->dev, VIRTIO_RING_F_INDIRECT_DESC);
	if (q->nr_free < (c->indirect ? 1 : n))
		return false;
	c->table = c->indirect ? table : q->desc;
	return true;
}

void vq_add(struct vq_chain *c, u64 phys, u32 len, bool device_writes)
{
	u16 at = c->indirect ? c->n : c->at;
	u16 next = c->indirect ? (u16)(c->n + 1) : c->q->slots[c->at].next;

	c->table[at] = (struct vring_desc){.addr = phys,
		.len = len,
		.flags = device_writes ? VRING_DESC_F_WRITE : 0,
		.next = next};
	c->n++;
	if (!c->indirect)
		c->at = next;
}

void vq_end(struct vq_chain *c, void *token)
{
	struct virtqueue *q = c->q;
	u16 at = c->head;

	if (c->indirect) {
		for (u16 i = 0; i + 1 < c->n; i++)
			c->table[i].flags |= VRING_DESC_F_NEXT;
		q->desc[at] = (struct vring_desc){.addr = virt_to_phys(c->table),
			.len = c->n * (u32)sizeof(struct vring_desc),
			.flags = VRING_DESC_F_INDIRECT};
		q->free_head = q->slots[at].next;
		q->nr_free--;
	} else {
		for (u16 i = 0; i + 1 < c->n; i++) {
			q->desc[at].flags |= VRING_DESC_F_NEXT;
			at = q->slots[at].next;
		}
		q->free_head = q->slots[at].next;
		q->nr_free -= c->n;
	}
	/* The chain's last slot ends it; the length is found by following next that often. */
	q->slots[c->head].token = token;
	q->slots[at].next = q->size;
	q->avail->ring[q->avail_index & (q->size - 1)] = c->head;
	q->avail_index++;
	smp_wmb();
	WRITE_ONCE(q->avail->idx, q->avail_index);
}

bool vq_should_notify(struct virtqueue *q)
{
	u16 old = q->kicked, new = q->avail_index;

	spin_assert_held(&q->lock);
	io_mb(); /* our index before its wish */
	q->kicked = new;
	if (virtio_has(q->dev, VIRTIO_RING_F_EVENT_IDX))
		return vring_need_event(*avail_event(q), new, old);
	return new != old && !(READ_ONCE(q->used->flags) & VRING_USED_F_NO_NOTIFY);
}

void vq_notify(struct virtqueue *q)
{
	q->dev->transport->notify(q);
}

void *vq_take(struct virtqueue *q, u32 *len)
{
	const volatile struct vring_used_elem *e;
	void *token;
	u16 at;
	u32 id;

	spin_assert_held(&q->lock);
	if (q->used_index == READ_ONCE(q->used->idx))
		return NULL;
	smp_rmb();
	e = &q->used->ring[q->used_index & (q->size - 1)];
	id = e->id;
	*len = e->len;
	q->used_index++;
	if (id >= q->size || !q->slots[id].token) {
		log_warn("%s: queue %u: the device used a buffer %u that it hasn't got",
			q->dev->name, q->index, id);
		return NULL;
	}
	token = q->slots[id].token;
	q->slots[id].token = NULL;
	for (at = (u16)id, q->nr_free++; q->slots[at].next != q->size; at = q->slots[at].next)
		q->nr_free++;
	q->slots[at].next = q->free_head;
	q->free_head = (u16)id;
	return token;
}

void vq_interrupts_off(struct virtqueue *q)
{
	/* With event indexes the device asks for no interrupt until used_event moves on. */
	if (!virtio_has(q->dev, VIRTIO_RING_F_EVENT_IDX))
		WRITE_ONCE(q->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
}

bool vq_interrupts_on(struct virtqueue *q)
{
	if (virtio_has(q->dev, VIRTIO_RING_F_EVENT_IDX))
		*used_event(q) = q->used_index;
	else
		WRITE_ONCE(q->avail->flags, 0);
	io_mb(); /* our wish before its index */
	return q->used_index == READ_ONCE(q->used->idx);
}

void vq_interrupt(struct virtqueue *q)
{
	if (q->callback)
		q->callback(q);
}
