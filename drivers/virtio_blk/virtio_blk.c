/* virtio block devices: virtio 1.2, 5.2. */
#include <arch/mmu.h>
#include <block/block.h>
#include <core/init.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/virtio_blk.h>
#include <sched/timer.h>
#include <sched/work.h>
#include <vfs/file.h>
#include <vfs/vfs.h>
#include <virtio/virtio.h>

#define QUEUE_DEPTH   128
#define SMALL_TABLE   8 /* descriptors inside a request: header, status, a few segments */
#define MAX_SEGS      254
#define MINORS        16
#define MAJOR_VIRTBLK 254

struct vblk {
	struct disk disk;
	struct virtio_device *dev;
	struct work resize;
};

/* Behind each request. */
struct vblk_request {
	struct virtio_blk_outhdr head;
	struct virtio_blk_discard_write_zeroes range;
	u8 status;
	struct vring_desc *table; /* small, or kmalloc'ed */
	struct vring_desc small[SMALL_TABLE];
};

static u32 g_next_disk; /* under the virtio core's lock */

static int to_errno(u8 status)
{
	return status == VIRTIO_BLK_S_OK ? 0 : status == VIRTIO_BLK_S_UNSUPP ? -EOPNOTSUPP : -EIO;
}

static void completed(struct virtqueue *q)
{
	struct request *rq;
	unsigned long flags;
	u32 len;

	flags = spin_lock_irqsave(&q->lock);
	do {
		vq_interrupts_off(q);
		while ((rq = vq_take(q, &len))) {
			struct vblk_request *r = rq->driver;

			if (r->table != r->small)
				kfree(r->table);
			r->table = NULL;
			spin_unlock_irqrestore(&q->lock, flags);
			request_done(rq, to_errno(READ_ONCE(r->status)));
			flags = spin_lock_irqsave(&q->lock);
		}
	} while (!vq_interrupts_on(q));
	spin_unlock_irqrestore(&q->lock, flags);
}

static bool set_head(struct vblk_request *r, const struct request *rq)
{
	r->head.ioprio = 0;
	r->head.sector = 0;
	r->range = (struct virtio_blk_discard_write_zeroes){
		.sector = rq->sector, .num_sectors = (u32)rq->nr_sectors};
	switch (rq->op) {
	case BIO_READ:
		r->head.type = VIRTIO_BLK_T_IN;
		r->head.sector = rq->sector;
		return true;
	case BIO_WRITE:
		r->head.type = VIRTIO_BLK_T_OUT;
		r->head.sector = rq->sector;
		return true;
	case BIO_FLUSH:
		r->head.type = VIRTIO_BLK_T_FLUSH;
		return true;
	case BIO_DISCARD:
		r->head.type = VIRTIO_BLK_T_DISCARD;
		return true;
	case BIO_WRITE_ZEROES:
		r->head.type = VIRTIO_BLK_T_WRITE_ZEROES;
		if (!(rq->flags & BIO_NOUNMAP))
			r->range.flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
		return true;
	default:
		return false;
	}
}

/* Parts that are neighbours in memory are one segment to the device, unless it limits their size. */
static u16 count_segs(const struct request *rq)
{
	bool join = !rq->disk->limits.max_seg_bytes;
	u64 end = 0;
	u16 n = 0;

	request_for_each_vec(rq, b, v)
	{
		u64 at = page_to_phys(v->page) + v->offset;

		n += at != end || !join;
		end = at + v->len;
	}
	return n;
}

static void add_segs(struct vq_chain *c, const struct request *rq)
{
	bool join = !rq->disk->limits.max_seg_bytes;
	u64 start = 0, end = 0;

	request_for_each_vec(rq, b, v)
	{
		u64 at = page_to_phys(v->page) + v->offset;

		if (at != end || !join) {
			if (end)
				vq_add(c, start, (u32)(end - start), rq->op == BIO_READ);
			start = at;
		}
		end = at + v->len;
	}
	if (end)
		vq_add(c, start, (u32)(end - start), rq->op == BIO_READ);
}

/* The device learns of what is in the ring, if it does not look by itself. */
static void kick(struct virtqueue *q)
{
	unsigned long flags = spin_lock_irqsave(&q->lock);
	bool tell = vq_should_notify(q);

	spin_unlock_irqrestore(&q->lock, flags);
	if (tell)
		vq_notify(q);
}

/* Not taken: those that went before must not wait for this one. */
static int refuse(struct virtqueue *q, int err)
{
	kick(q);
	return err;
}

static int vblk_queue(struct disk *d, struct request *rq, bool last)
{
	struct vblk *b = d->driver;
	struct virtqueue *q = b->dev->queues[rq->queue];
	struct vblk_request *r = rq->driver;
	bool ranged = rq->op == BIO_DISCARD || rq->op == BIO_WRITE_ZEROES, tell;
	struct vq_chain c;
	unsigned long flags;
	u16 n;

	if (!set_head(r, rq))
		return refuse(q, -EOPNOTSUPP);
	n = (u16)(2 + (ranged ? 1 : count_segs(rq)));
	r->status = 0xff;
	r->table = r->small;
	if (n > SMALL_TABLE && virtio_has(b->dev, VIRTIO_RING_F_INDIRECT_DESC))
		r->table = kmalloc(n * sizeof(*r->table), GFP_ATOMIC);
	else if (n > SMALL_TABLE)
		r->table = NULL;
	flags = spin_lock_irqsave(&q->lock);
	if (!vq_begin(q, &c, n, r->table)) {
		spin_unlock_irqrestore(&q->lock, flags);
		if (r->table != r->small)
			kfree(r->table);
		return refuse(q, -EBUSY);
	}
	vq_add(&c, virt_to_phys(&r->head), sizeof(r->head), false);
	if (ranged)
		vq_add(&c, virt_to_phys(&r->range), sizeof(r->range), false);
	else
		add_segs(&c, rq);
	vq_add(&c, virt_to_phys(&r->status), 1, true);
	vq_end(&c, rq);
	tell = last && vq_should_notify(q);
	spin_unlock_irqrestore(&q->lock, flags);
	if (tell)
		vq_notify(q);
	return 0;
}

/* Nothing can be taken back from the device. But a notification or an interrupt may have been lost:
 * look, and tell it again. */
static void vblk_timeout(struct disk *d, struct request *rq)
{
	struct virtqueue *q = ((struct vblk *)d->driver)->dev->queues[rq->queue];
	unsigned long flags = irq_save();

	completed(q);
	vq_notify(q);
	irq_restore(flags);
}

static const struct disk_ops g_vblk_ops = {.queue = vblk_queue, .timeout = vblk_timeout};

/* ---- configuration ---------------------------------------------------------------------------- */

#define config_field(v, field, to) \
	virtio_config_read(v, offsetof(struct virtio_blk_config, field), &(to), sizeof(to))

static void resize_work(struct work *w)
{
	struct vblk *b = container_of(w, struct vblk, resize);
	u64 capacity;

	config_field(b->dev, capacity, capacity);
	if (capacity != b->disk.sectors) {
		log_info("%s: %llu sectors, was %llu", b->disk.name, (unsigned long long)capacity,
			(unsigned long long)b->disk.sectors);
		disk_resize(&b->disk, capacity);
	}
}

static void config_changed(struct virtio_device *v)
{
	struct vblk *b = v->driver_data;

	if (b)
		work_queue(&b->resize);
}

static void read_limits(struct virtio_device *v, struct disk *d)
{
	struct disk_limits *l = &d->limits;
	u32 n = 0;
	u8 exp = 0;

	l->logical_block = l->physical_block = 512;
	if (virtio_has(v, VIRTIO_BLK_F_BLK_SIZE)) {
		config_field(v, blk_size, n);
		if (n >= 512 && n <= 4096 && !(n & (n - 1)))
			l->logical_block = l->physical_block = n;
	}
	if (virtio_has(v, VIRTIO_BLK_F_TOPOLOGY)) {
		config_field(v, physical_block_exp, exp);
		if (exp < 8)
			l->physical_block = l->logical_block << exp;
	}
	l->max_segs = MAX_SEGS;
	if (virtio_has(v, VIRTIO_BLK_F_SEG_MAX)) {
		config_field(v, seg_max, n);
		l->max_segs = n ? min(n, l->max_segs) : 1;
	}
	if (virtio_has(v, VIRTIO_BLK_F_SIZE_MAX)) {
		config_field(v, size_max, n);
		l->max_seg_bytes = max(n, 4096u);
	}
	l->max_sectors = 2048;
	l->write_cache = virtio_has(v, VIRTIO_BLK_F_FLUSH);
	if (virtio_has(v, VIRTIO_BLK_F_DISCARD)) {
		config_field(v, max_discard_sectors, n);
		l->max_discard_sectors = n;
		config_field(v, discard_sector_alignment, n);
		l->discard_granularity = n && n < 1u << 20 ? n << 9 : l->logical_block;
	}
	if (virtio_has(v, VIRTIO_BLK_F_WRITE_ZEROES)) {
		config_field(v, max_write_zeroes_sectors, n);
		l->max_zeroes_sectors = n;
	}
}

/* "vda", ..., "vdz", "vdaa", ... */
static void name_disk(char *name, u32 index)
{
	char text[8];
	int n = sizeof(text);

	text[--n] = 0;
	for (index++; index; index = (index - 1) / 26)
		text[--n] = (char)('a' + (index - 1) % 26);
	memcpy(name, "vd", 2);
	memcpy(name + 2, text + n, sizeof(text) - (size_t)n);
}

/* The serial number is asked for by a request; polled, once, before the queues are in use. */
static void read_serial(struct vblk *b)
{
	struct virtqueue *q = b->dev->queues[0];
	struct {
		struct virtio_blk_outhdr head;
		char id[VIRTIO_BLK_ID_BYTES];
		u8 status;
	} *r = kzalloc(sizeof(*r), GFP_KERNEL);
	struct vq_chain c;
	unsigned long flags;
	void *token = NULL;
	s64 limit;
	u32 len;

	if (!r)
		return;
	r->head.type = VIRTIO_BLK_T_GET_ID;
	r->status = 0xff;
	flags = spin_lock_irqsave(&q->lock);
	if (vq_begin(q, &c, 3, NULL)) {
		vq_add(&c, virt_to_phys(&r->head), sizeof(r->head), false);
		vq_add(&c, virt_to_phys(r->id), sizeof(r->id), true);
		vq_add(&c, virt_to_phys(&r->status), 1, true);
		vq_end(&c, r);
		(void)!vq_should_notify(q);
		vq_notify(q);
		limit = deadline_after(NS_PER_SEC);
		while (!token && clock_mono_ns() < limit) {
			cpu_relax();
			token = vq_take(q, &len);
		}
		/* Taken without its interrupt: the next one must come whether or not this does. */
		(void)!vq_interrupts_on(q);
	}
	spin_unlock_irqrestore(&q->lock, flags);
	if (!token)
		return; /* the device may still write to it: leaked on purpose, once */
	if (r->status == VIRTIO_BLK_S_OK)
		memcpy(b->disk.serial, r->id, VIRTIO_BLK_ID_BYTES);
	kfree(r);
}

static void queue_name(const struct virtqueue *q, char out[16])
{
	ksnprintf(out, 16, "req.%u", q->index);
}

static int make_queues(struct virtio_device *v, struct disk *d)
{
	void (*callbacks[MAX_CPUS])(struct virtqueue *);
	u16 n = 1;

	if (virtio_has(v, VIRTIO_BLK_F_MQ))
		config_field(v, num_queues, n);
	n = (u16)clamp((int)n, 1, g_nr_cpus);
	for (u16 i = 0; i < n; i++)
		callbacks[i] = completed;
	d->nr_queues = n;
	return virtio_make_queues(v, n, 1, callbacks, QUEUE_DEPTH);
}

static int vblk_probe(struct virtio_device *v)
{
	struct vblk *b = kzalloc(sizeof(*b), GFP_KERNEL);
	struct disk *d;
	int err;

	if (!b)
		return -ENOMEM;
	d = &b->disk;
	b->dev = v;
	work_init(&b->resize, resize_work);
	read_limits(v, d);
	config_field(v, capacity, d->sectors);
	err = make_queues(v, d);
	if (!err)
		err = virtio_ready(v);
	if (err)
		return err; /* b stays: the queues may have been shown to the device */
	read_serial(b);
	d->limits.max_segs = min(d->limits.max_segs,
		virtio_has(v, VIRTIO_RING_F_INDIRECT_DESC) ? (u32)MAX_SEGS
							   : v->queues[0]->size - 2u);
	d->depth = v->queues[0]->size;
	d->ops = &g_vblk_ops;
	d->driver = b;
	d->request_size = sizeof(struct vblk_request);
	d->read_only = virtio_has(v, VIRTIO_BLK_F_RO);
	d->major = MAJOR_VIRTBLK;
	d->first_dev = dev_make(MAJOR_VIRTBLK, g_next_disk * MINORS);
	name_disk(d->name, g_next_disk++);
	v->driver_data = b;
	return disk_add(d);
}

static struct virtio_driver g_driver = {
	.name = "virtio_blk",
	.id = VIRTIO_ID_BLOCK,
	.features = 1ull << VIRTIO_BLK_F_SIZE_MAX | 1ull << VIRTIO_BLK_F_SEG_MAX |
		1ull << VIRTIO_BLK_F_RO | 1ull << VIRTIO_BLK_F_BLK_SIZE |
		1ull << VIRTIO_BLK_F_FLUSH | 1ull << VIRTIO_BLK_F_TOPOLOGY |
		1ull << VIRTIO_BLK_F_MQ | 1ull << VIRTIO_BLK_F_DISCARD |
		1ull << VIRTIO_BLK_F_WRITE_ZEROES,
	.probe = vblk_probe,
	.queue_name = queue_name,
	.config_changed = config_changed,
};

static int vblk_init(void)
{
	block_major_add(MAJOR_VIRTBLK, "virtblk");
	virtio_driver_register(&g_driver);
	return 0;
}
INIT_HOOK(INIT_DEVICE, vblk_init);
