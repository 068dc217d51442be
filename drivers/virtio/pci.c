/* virtio over PCI: virtio 1.2, 4.1. */
#include <core/init.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <pci/pci.h>
#include <sched/timer.h>
#include <virtio/virtio.h>

#define VENDOR_VIRTIO 0x1af4
#define CONFIG_VECTOR 0 /* queue i has vector i + 1, as far as there are that many */

struct virtio_pci {
	struct virtio_device v;
	struct pci_device *pci;
	volatile struct virtio_pci_common_cfg *common;
	volatile u8 *device_cfg; /* NULL: none */
	u32 device_len;
	volatile u8 *bells;
	u32 bell_step, bell_len;
	u32 vectors; /* in use */
};

static struct virtio_pci *of(struct virtio_device *v)
{
	return container_of(v, struct virtio_pci, v);
}

static u64 pci_features(struct virtio_device *v)
{
	volatile struct virtio_pci_common_cfg *c = of(v)->common;
	u64 f;

	c->device_feature_select = 1;
	f = (u64)c->device_feature << 32;
	c->device_feature_select = 0;
	return f | c->device_feature;
}

static void pci_set_features(struct virtio_device *v, u64 f)
{
	volatile struct virtio_pci_common_cfg *c = of(v)->common;

	c->guest_feature_select = 0;
	c->guest_feature = (u32)f;
	c->guest_feature_select = 1;
	c->guest_feature = (u32)(f >> 32);
}

static u8 pci_status(struct virtio_device *v)
{
	return of(v)->common->device_status;
}

static void pci_set_status(struct virtio_device *v, u8 status)
{
	volatile struct virtio_pci_common_cfg *c = of(v)->common;

	c->device_status = status;
	if (status)
		return;
	for (int i = 0; i < 1000 && c->device_status; i++)
		sleep_ns(1000000);
}

static u32 pci_generation(struct virtio_device *v)
{
	return of(v)->common->config_generation;
}

static void pci_config(struct virtio_device *v, u32 offset, void *buf, u32 len)
{
	struct virtio_pci *p = of(v);
	u8 *to = buf;

	memset(buf, 0, len);
	while (len && p->device_cfg && offset < p->device_len) {
		u32 n = !(offset & 3) && len >= 4 && offset + 4 <= p->device_len ? 4 : 1;

		if (n == 4) {
			u32 word = *(volatile u32 *)(p->device_cfg + offset);

			memcpy(to, &word, 4);
		} else {
			*to = p->device_cfg[offset];
		}
		to += n;
		offset += n;
		len -= n;
	}
}

static u16 pci_queue_size(struct virtio_device *v, u16 index)
{
	volatile struct virtio_pci_common_cfg *c = of(v)->common;

	if (index >= c->num_queues)
		return 0;
	c->queue_select = index;
	return c->queue_size;
}

static bool queue_interrupt(int irq, void *arg)
{
	vq_interrupt(arg);
	return true;
}

static bool config_interrupt(int irq, void *arg)
{
	struct virtio_device *v = arg;

	if (v->driver && v->driver->config_changed)
		v->driver->config_changed(v);
	return true;
}

/* One vector for all queues, when the device or the CPUs have too few. */
static bool shared_interrupt(int irq, void *arg)
{
	struct virtio_device *v = arg;

	for (u32 i = 0; i < v->nr_queues; i++)
		vq_interrupt(v->queues[i]);
	return true;
}

static int request_vector(struct virtio_device *v, struct virtqueue *q, int cpu)
{
	struct virtio_pci *p = of(v);
	u32 vector = q->index + 1u;
	int err;

	if (p->vectors < p->pci->msix_count) {
		err = pci_msix_request(p->pci, vector, cpu, queue_interrupt, q, q->name);
		if (!err) {
			p->vectors++;
			q->vector = vector;
			return 0;
		}
		if (err != -ENOSPC && err != -ENOMEM)
			return err;
	}
	if (q->index == 0)
		return -ENOSPC;
	/* Behind the first queue's: make that one look at all queues. */
	if (v->queues[0]->vector != ~0u) {
		pci_msix_release(p->pci, v->queues[0]->vector, v->queues[0]);
		ksnprintf(q->name, sizeof(q->name), "virtio%u-virtqueues", v->nr);
		err = pci_msix_request(p->pci, 1, 0, shared_interrupt, v, q->name);
		if (err)
			return err;
		v->queues[0]->vector = ~0u;
	}
	q->vector = 1;
	return 0;
}

static int pci_start_queue(struct virtio_device *v, struct virtqueue *q, int cpu)
{
	struct virtio_pci *p = of(v);
	volatile struct virtio_pci_common_cfg *c = p->common;
	u64 bell;
	int err;

	if (!p->vectors) {
		ksnprintf(v->irq_name, sizeof(v->irq_name), "virtio%u-config", v->nr);
		err = pci_msix_request(p->pci, CONFIG_VECTOR, 0, config_interrupt, v, v->irq_name);
		if (err)
			return err;
		p->vectors = 1;
		pci_msix_enable(p->pci);
		c->msix_config = CONFIG_VECTOR;
		if (c->msix_config != CONFIG_VECTOR)
			return -EIO;
	}
	err = request_vector(v, q, cpu);
	if (err)
		return err;
	c->queue_select = q->index;
	bell = (u64)c->queue_notify_off * p->bell_step;
	if (bell + 2 > p->bell_len)
		return -EINVAL;
	q->bell = p->bells + bell;
	c->queue_size = q->size;
	c->queue_msix_vector = (u16)q->vector;
	if (c->queue_msix_vector != (u16)q->vector)
		return -EIO;
	c->queue_desc_lo = (u32)q->phys[0];
	c->queue_desc_hi = (u32)(q->phys[0] >> 32);
	c->queue_avail_lo = (u32)q->phys[1];
	c->queue_avail_hi = (u32)(q->phys[1] >> 32);
	c->queue_used_lo = (u32)q->phys[2];
	c->queue_used_hi = (u32)(q->phys[2] >> 32);
	c->queue_enable = 1;
	return 0;
}

static void pci_notify(struct virtqueue *q)
{
	*(volatile u16 *)q->bell = q->index;
}

static int pci_start(struct virtio_device *v)
{
	return 0;
}

static void pci_stop(struct virtio_device *v)
{
	struct virtio_pci *p = of(v);

	for (u32 i = 0; i < v->nr_queues; i++) {
		struct virtqueue *q = v->queues[i];

		if (q->vector == ~0u)
			pci_msix_release(p->pci, 1, v);
		else if (q->vector == q->index + 1u)
			pci_msix_release(p->pci, q->vector, q);
	}
	if (p->vectors)
		pci_msix_release(p->pci, CONFIG_VECTOR, v);
	p->vectors = 0;
}

static const struct virtio_transport g_pci_transport = {
	.features = pci_features,
	.set_features = pci_set_features,
	.status = pci_status,
	.set_status = pci_set_status,
	.generation = pci_generation,
	.config = pci_config,
	.queue_size = pci_queue_size,
	.start_queue = pci_start_queue,
	.notify = pci_notify,
	.start = pci_start,
	.stop = pci_stop,
};

/* The window of one kind of registers; NULL: the device has none. Error pointer. */
static void *map_part(struct virtio_pci *p, u8 type, u32 least, u32 *len, u32 *cap_at)
{
	for (u32 at = pci_capability(p->pci, PCI_CAP_ID_VNDR, 0); at;
		at = pci_capability(p->pci, PCI_CAP_ID_VNDR, at)) {
		u32 head = pci_read32(p->pci, at);

		if (head >> 24 != type || (head >> 16 & 0xff) < sizeof(struct virtio_pci_cap))
			continue;
		*len = pci_read32(p->pci, at + offsetof(struct virtio_pci_cap, length));
		if (*len < least)
			return err_ptr(-EINVAL);
		if (cap_at)
			*cap_at = at;
		return pci_map_bar(p->pci,
			pci_read8(p->pci, at + offsetof(struct virtio_pci_cap, bar)),
			pci_read32(p->pci, at + offsetof(struct virtio_pci_cap, offset)), *len);
	}
	return NULL;
}

static int map_parts(struct virtio_pci *p)
{
	u32 len, at = 0;
	void *m;

	m = map_part(p, VIRTIO_PCI_CAP_COMMON_CFG, sizeof(*p->common), &len, NULL);
	if (!m || is_err(m))
		return m ? (int)ptr_err(m) : -ENODEV;
	p->common = m;
	m = map_part(p, VIRTIO_PCI_CAP_NOTIFY_CFG, 2, &p->bell_len, &at);
	if (!m || is_err(m))
		return m ? (int)ptr_err(m) : -ENODEV;
	p->bells = m;
	p->bell_step = pci_read32(p->pci, at + sizeof(struct virtio_pci_cap));
	m = map_part(p, VIRTIO_PCI_CAP_DEVICE_CFG, 1, &p->device_len, NULL);
	if (is_err(m))
		return (int)ptr_err(m);
	p->device_cfg = m;
	return 0;
}

static int pci_probe(struct pci_device *pci)
{
	struct virtio_pci *p = kzalloc(sizeof(*p), GFP_KERNEL);
	int err;

	if (!p)
		return -ENOMEM;
	p->pci = pci;
	pci_enable(pci);
	err = map_parts(p);
	if (err) {
		kfree(p);
		return err;
	}
	pci->driver_data = p;
	p->v.transport = &g_pci_transport;
	/* Transitional devices (0x1000..0x103f) have the type in the subsystem id. */
	p->v.id = pci->device >= 0x1040 ? pci->device - 0x1040u : pci->subsys;
	ksnprintf(p->v.name, sizeof(p->v.name), "virtio %02x:%02x.%x", pci->bus, pci->dev, pci->fn);
	return virtio_device_add(&p->v);
}

static const struct pci_id g_ids[] = {{VENDOR_VIRTIO, 0x1000}, {VENDOR_VIRTIO, 0x1001},
	{VENDOR_VIRTIO, 0x1002}, {VENDOR_VIRTIO, 0x1003}, {VENDOR_VIRTIO, 0x1004},
	{VENDOR_VIRTIO, 0x1005}, {VENDOR_VIRTIO, 0x1041}, {VENDOR_VIRTIO, 0x1042},
	{VENDOR_VIRTIO, 0x1043}, {VENDOR_VIRTIO, 0x1044}, {VENDOR_VIRTIO, 0x1045},
	{VENDOR_VIRTIO, 0x1048}, {}};
static struct pci_driver g_driver = {.name = "virtio-pci", .ids = g_ids, .probe = pci_probe};

static int virtio_pci_init(void)
{
	pci_driver_register(&g_driver);
	return 0;
}
INIT_HOOK(INIT_DEVICE, virtio_pci_init);
