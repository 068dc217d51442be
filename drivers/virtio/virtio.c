/* Devices meet drivers. Start-up order: virtio 1.2, 3.1.1. */
#include <core/init.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <sched/mutex.h>
#include <virtio/virtio.h>

static struct mutex g_lock = MUTEX_INIT(g_lock, RANK_DRIVER_LIST);
static LIST_HEAD(g_devices); /* g_lock */
static LIST_HEAD(g_drivers); /* g_lock */
static u32 g_nr_devices;     /* g_lock */

#define COMMON_FEATURES                                                     \
	(1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_INDIRECT_DESC | \
		1ull << VIRTIO_RING_F_EVENT_IDX)

static void add_status(struct virtio_device *v, u8 bit)
{
	v->transport->set_status(v, v->transport->status(v) | bit);
}

static int negotiate(struct virtio_device *v, const struct virtio_driver *d)
{
	u64 offered;

	v->transport->set_status(v, 0);
	add_status(v, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	add_status(v, VIRTIO_CONFIG_S_DRIVER);
	offered = v->transport->features(v);
	v->features = offered & (d->features | COMMON_FEATURES);
	if (d->choose)
		v->features = d->choose(v->features);
	if (!virtio_has(v, VIRTIO_F_VERSION_1))
		return -EOPNOTSUPP;
	v->transport->set_features(v, v->features);
	add_status(v, VIRTIO_CONFIG_S_FEATURES_OK);
	return v->transport->status(v) & VIRTIO_CONFIG_S_FEATURES_OK ? 0 : -EIO;
}

static void try_driver(struct virtio_device *v, struct virtio_driver *d)
{
	int err;

	if (v->driver || v->id != d->id)
		return;
	v->driver = d;
	err = negotiate(v, d);
	if (!err)
		err = d->probe(v);
	if (!err)
		return;
	log_warn("%s: %s failed: %d", v->name, d->name, err);
	add_status(v, VIRTIO_CONFIG_S_FAILED);
	v->transport->set_status(v, 0);
	v->transport->stop(v);
	v->driver = NULL;
}

void virtio_driver_register(struct virtio_driver *d)
{
	struct virtio_device *v;

	mutex_lock(&g_lock);
	list_add_tail(&d->link, &g_drivers);
	list_for_each_entry(v, &g_devices, link)
		try_driver(v, d);
	mutex_unlock(&g_lock);
}

int virtio_device_add(struct virtio_device *v)
{
	struct virtio_driver *d;

	mutex_lock_nested(&g_lock); /* a bus's own list comes before ours */
	v->nr = g_nr_devices++;
	list_add_tail(&v->link, &g_devices);
	list_for_each_entry(d, &g_drivers, link)
		try_driver(v, d);
	mutex_unlock(&g_lock);
	return 0;
}

int virtio_ready(struct virtio_device *v)
{
	int err = v->transport->start(v);

	if (!err)
		add_status(v, VIRTIO_CONFIG_S_DRIVER_OK);
	return err;
}

void virtio_config_read(struct virtio_device *v, u32 offset, void *buf, u32 len)
{
	u32 before, after;

	/* Fields of several words may change while they are read. A device that never settles is
	 * broken; its last answer is as good as any. */
	for (int i = 0; i < 100; i++) {
		before = v->transport->generation(v);
		v->transport->config(v, offset, buf, len);
		after = v->transport->generation(v);
		if (before == after)
			return;
	}
}
