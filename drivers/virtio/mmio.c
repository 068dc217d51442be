/* virtio over MMIO, version 2: virtio 1.2, 4.2. */
#include <arch/mmu.h>
#include <arch/platform.h>
#include <core/init.h>
#include <core/irq.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/virtio_mmio.h>
#include <virtio/virtio.h>

#define MAGIC    0x74726976 /* "virt" */
#define WINDOW   0x200
#define MAX_LIST 32

struct virtio_mmio {
	struct virtio_device v;
	volatile u8 *regs;
	struct arch_mmio_device where;
	bool requested;
};

static struct arch_mmio_device g_listed[MAX_LIST]; /* command line; start-up only */
static int g_nr_listed;

static const char *parse_number(const char *s, u64 *out)
{
	u32 base = s[0] == '0' && s[1] == 'x' ? 16 : 10;

	*out = 0;
	for (s += base == 16 ? 2 : 0;; s++) {
		u32 digit = *s >= '0' && *s <= '9' ? (u32)(*s - '0')
			: *s >= 'a' && *s <= 'f'   ? (u32)(*s - 'a' + 10)
						   : 99;

		if (digit >= base)
			return s;
		*out = *out * base + digit;
	}
}

static u32 get(struct virtio_device *v, u32 reg)
{
	return *(volatile u32 *)(container_of(v, struct virtio_mmio, v)->regs + reg);
}

static void set(struct virtio_device *v, u32 reg, u32 value)
{
	*(volatile u32 *)(container_of(v, struct virtio_mmio, v)->regs + reg) = value;
}

static u64 mmio_features(struct virtio_device *v)
{
	u64 f;

	set(v, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	f = (u64)get(v, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
	set(v, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	return f | get(v, VIRTIO_MMIO_DEVICE_FEATURES);
}

static void mmio_set_features(struct virtio_device *v, u64 f)
{
	set(v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	set(v, VIRTIO_MMIO_DRIVER_FEATURES, (u32)(f >> 32));
	set(v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	set(v, VIRTIO_MMIO_DRIVER_FEATURES, (u32)f);
}

static u8 mmio_status(struct virtio_device *v)
{
	return (u8)get(v, VIRTIO_MMIO_STATUS);
}

static void mmio_set_status(struct virtio_device *v, u8 status)
{
	set(v, VIRTIO_MMIO_STATUS, status);
}

static u32 mmio_generation(struct virtio_device *v)
{
	return get(v, VIRTIO_MMIO_CONFIG_GENERATION);
}

static void mmio_config(struct virtio_device *v, u32 offset, void *buf, u32 len)
{
	volatile u8 *regs = container_of(v, struct virtio_mmio, v)->regs + VIRTIO_MMIO_CONFIG;

	memset(buf, 0, len);
	for (u32 i = 0; i < len && offset + i < WINDOW - VIRTIO_MMIO_CONFIG; i++)
		((u8 *)buf)[i] = regs[offset + i];
}

static u16 mmio_queue_size(struct virtio_device *v, u16 index)
{
	u32 n;

	set(v, VIRTIO_MMIO_QUEUE_SEL, index);
	n = get(v, VIRTIO_MMIO_QUEUE_NUM_MAX);
	return n > 32768 ? 32768 : (u16)n;
}

static bool mmio_interrupt(int irq, void *arg)
{
	struct virtio_device *v = arg;
	u32 why = get(v, VIRTIO_MMIO_INTERRUPT_STATUS);

	if (!why)
		return false;
	set(v, VIRTIO_MMIO_INTERRUPT_ACK, why);
	if ((why & VIRTIO_MMIO_INT_CONFIG) && v->driver && v->driver->config_changed)
		v->driver->config_changed(v);
	if (why & VIRTIO_MMIO_INT_VRING)
		for (u32 i = 0; i < v->nr_queues; i++)
			vq_interrupt(v->queues[i]);
	return true;
}

static int mmio_start_queue(struct virtio_device *v, struct virtqueue *q, int cpu)
{
	set(v, VIRTIO_MMIO_QUEUE_SEL, q->index);
	if (get(v, VIRTIO_MMIO_QUEUE_READY))
		return -EBUSY;
	set(v, VIRTIO_MMIO_QUEUE_NUM, q->size);
	set(v, VIRTIO_MMIO_QUEUE_DESC_LOW, (u32)q->phys[0]);
	set(v, VIRTIO_MMIO_QUEUE_DESC_HIGH, (u32)(q->phys[0] >> 32));
	set(v, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (u32)q->phys[1]);
	set(v, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, (u32)(q->phys[1] >> 32));
	set(v, VIRTIO_MMIO_QUEUE_USED_LOW, (u32)q->phys[2]);
	set(v, VIRTIO_MMIO_QUEUE_USED_HIGH, (u32)(q->phys[2] >> 32));
	set(v, VIRTIO_MMIO_QUEUE_READY, 1);
	return 0;
}

static void mmio_notify(struct virtqueue *q)
{
	set(q->dev, VIRTIO_MMIO_QUEUE_NOTIFY, q->index);
}

static int mmio_start(struct virtio_device *v)
{
	struct virtio_mmio *m = container_of(v, struct virtio_mmio, v);
	int err;

	ksnprintf(v->irq_name, sizeof(v->irq_name), "virtio%u", v->nr);
	err = irq_request(
		m->where.irq, mmio_interrupt, v, v->irq_name, m->where.level, m->where.low);
	m->requested = !err;
	return err;
}

static void mmio_stop(struct virtio_device *v)
{
	struct virtio_mmio *m = container_of(v, struct virtio_mmio, v);

	if (m->requested)
		irq_release(m->where.irq, v);
	m->requested = false;
}

static const struct virtio_transport g_mmio_transport = {
	.features = mmio_features,
	.set_features = mmio_set_features,
	.status = mmio_status,
	.set_status = mmio_set_status,
	.generation = mmio_generation,
	.config = mmio_config,
	.queue_size = mmio_queue_size,
	.start_queue = mmio_start_queue,
	.notify = mmio_notify,
	.start = mmio_start,
	.stop = mmio_stop,
};

static void probe(const struct arch_mmio_device *d)
{
	volatile u8 *regs = arch_ioremap(d->base, WINDOW);
	struct virtio_mmio *m;
	u32 version;

	if (is_err((void *)regs) || *(volatile u32 *)(regs + VIRTIO_MMIO_MAGIC_VALUE) != MAGIC ||
		!*(volatile u32 *)(regs + VIRTIO_MMIO_DEVICE_ID))
		return; /* an empty slot */
	version = *(volatile u32 *)(regs + VIRTIO_MMIO_VERSION);
	if (version != 2) {
		log_warn("virtio-mmio at %llx: version %u is not known (QEMU: -global "
			 "virtio-mmio.force-legacy=false)",
			(unsigned long long)d->base, version);
		return;
	}
	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		return;
	m->regs = regs;
	m->where = *d;
	m->v.transport = &g_mmio_transport;
	m->v.id = get(&m->v, VIRTIO_MMIO_DEVICE_ID);
	ksnprintf(m->v.name, sizeof(m->v.name), "virtio %llx", (unsigned long long)d->base);
	(void)!virtio_device_add(&m->v);
}

/* virtio_mmio.device=SIZE@BASE:IRQ[:ID], as the kernel documentation's parameter list has it. */
static int option_device(const char *value)
{
	struct arch_mmio_device d = {};
	u64 size = 0, irq = 0;
	const char *at;

	at = parse_number(value, &size);
	if (*at == 'K')
		at++;
	if (*at++ != '@')
		return -EINVAL;
	at = parse_number(at, &d.base);
	if (*at++ != ':')
		return -EINVAL;
	at = parse_number(at, &irq);
	if ((*at && *at != ':') || g_nr_listed == MAX_LIST || irq >= NR_IRQS)
		return -EINVAL;
	d.irq = (int)irq;
	g_listed[g_nr_listed++] = d;
	return 0;
}
INIT_OPTION("virtio_mmio.device", option_device);

static int virtio_mmio_init(void)
{
	const struct arch_mmio_device *told;
	int n;

	for (int i = 0; i < g_nr_listed; i++) {
		struct arch_mmio_device d = g_listed[i];

		if (d.irq < 16) /* an ISA number */
			d.irq = arch_isa_irq(d.irq, &d.level, &d.low);
		probe(&d);
	}
	told = arch_virtio_mmio(&n);
	for (int i = 0; i < n; i++)
		probe(&told[i]);
	return 0;
}
INIT_HOOK(INIT_DEVICE, virtio_mmio_init);
