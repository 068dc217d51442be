/* virtio network devices: features, queues, configuration. virtio 1.2, 5.1. */
#include "vnet.h"
#include <core/init.h>
#include <core/log.h>
#include <core/trace.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/printf.h>
#include <lib/string.h>

#define RING_SIZE 256
#define MAX_PAIRS 32

#define config_field(v, field, to) \
	virtio_config_read(v, offsetof(struct virtio_net_config, field), &(to), sizeof(to))

static bool link_is_up(struct vnet *v)
{
	u16 status = VIRTIO_NET_S_LINK_UP;

	if (virtio_has(v->dev, VIRTIO_NET_F_STATUS))
		config_field(v->dev, status, status);
	return status & VIRTIO_NET_S_LINK_UP;
}

static void read_speed(struct vnet *v)
{
	u32 speed = U32_MAX;
	u8 duplex = 0xff;

	if (virtio_has(v->dev, VIRTIO_NET_F_SPEED_DUPLEX)) {
		config_field(v->dev, speed, speed);
		config_field(v->dev, duplex, duplex);
	}
	if (speed <= INT_MAX)
		v->netif->speed_mbps = speed;
	if (duplex <= 1)
		v->netif->duplex = duplex;
}

static void config_work(struct work *w)
{
	struct vnet *v = container_of(w, struct vnet, config);

	read_speed(v);
	netif_carrier(v->netif, link_is_up(v));
}

static void config_changed(struct virtio_device *d)
{
	struct vnet *v = d->driver_data;

	if (v)
		work_queue(&v->config);
}

static int vnet_open(struct netif *n)
{
	struct vnet *v = n->priv;

	for (u32 i = 0; i < v->pairs; i++)
		vnet_rx_open(&v->rx[i]);
	if (virtio_has(v->dev, VIRTIO_NET_F_STATUS))
		work_queue(&v->config);
	else
		netif_carrier(n, true);
	return 0;
}

static int vnet_set_mtu(struct netif *n, u32 mtu)
{
	return 0; /* the buffers take any */
}

static void vnet_stats(struct netif *n, struct rtnl_link_stats64 *s)
{
	struct vnet *v = n->priv;

	for (u32 i = 0; i < v->pairs; i++)
		s->rx_errors += v->rx[i].errors;
}

static void vnet_info(struct netif *n, char driver[32], char version[32], char bus[32])
{
	struct vnet *v = n->priv;

	str_copy(driver, "virtio_net", 32);
	str_copy(version, "1.0.0", 32);
	str_copy(bus, v->dev->name, 32);
}

static const struct netif_ops g_vnet_ops = {
	.open = vnet_open,
	.set_mtu = vnet_set_mtu,
	.set_address = vnet_set_address,
	.set_rx_mode = vnet_set_rx_mode,
	.xmit = vnet_xmit,
	.header = ether_header,
	.stats = vnet_stats,
	.info = vnet_info,
};

static u32 features_of(const struct virtio_device *d)
{
	u32 f = NETIF_F_SG | NETIF_F_GRO;

	if (virtio_has(d, VIRTIO_NET_F_CSUM)) {
		f |= NETIF_F_CSUM;
		if (virtio_has(d, VIRTIO_NET_F_HOST_TSO4))
			f |= NETIF_F_TSO4;
		if (virtio_has(d, VIRTIO_NET_F_HOST_TSO6))
			f |= NETIF_F_TSO6;
		if (virtio_has(d, VIRTIO_NET_F_HOST_ECN))
			f |= NETIF_F_TSO_ECN;
	}
	if (virtio_has(d, VIRTIO_NET_F_GUEST_CSUM))
		f |= NETIF_F_RXCSUM;
	if (virtio_has(d, VIRTIO_NET_F_GUEST_TSO4))
		f |= NETIF_F_LRO;
	return f;
}

static void queue_name(const struct virtqueue *q, char out[16])
{
	if (q->callback == vnet_control_interrupt)
		str_copy(out, "control", 16);
	else
		ksnprintf(out, 16, "%s.%u", q->index % 2 ? "output" : "input", q->index / 2u);
}

/* Pairs that are used, and queues in all (the control queue is behind those that aren't used). */
static int make_queues(struct vnet *v)
{
	void (*callbacks[2 * MAX_PAIRS + 1])(struct virtqueue *);
	bool control = virtio_has(v->dev, VIRTIO_NET_F_CTRL_VQ);
	u16 max = 1;
	u32 n = 0;
	int err;

	if (control && virtio_has(v->dev, VIRTIO_NET_F_MQ))
		config_field(v->dev, max_virtqueue_pairs, max);
	if (max < 1 || max > MAX_PAIRS) {
		log_warn("%s: %u queue pairs: only one is used, without control queue",
			v->dev->name, max);
		max = 1;
		control = false;
	}
	v->pairs = min_t(u32, max, (u32)g_nr_cpus);
	for (u32 i = 0; i < max; i++) {
		callbacks[n++] = vnet_rx_interrupt;
		callbacks[n++] = vnet_tx_interrupt;
	}
	if (control)
		callbacks[n++] = vnet_control_interrupt;
	err = virtio_make_queues(v->dev, n, 2, callbacks, RING_SIZE);
	if (!err && control) {
		v->control = v->dev->queues[n - 1];
		v->control->priv = v;
	}
	return err;
}

static void read_address(struct vnet *v, u8 mac[ETH_ALEN])
{
	if (virtio_has(v->dev, VIRTIO_NET_F_MAC)) {
		virtio_config_read(v->dev, offsetof(struct virtio_net_config, mac), mac, ETH_ALEN);
		return;
	}
	random_bytes(mac, ETH_ALEN);
	mac[0] = (u8)((mac[0] & ~1u) | 2); /* local, for one */
}

static int set_up_queues(struct vnet *v)
{
	v->rx = kcalloc(v->pairs, sizeof(*v->rx), GFP_KERNEL | GFP_ZERO);
	v->tx = kcalloc(v->pairs, sizeof(*v->tx), GFP_KERNEL | GFP_ZERO);
	if (!v->rx || !v->tx)
		return -ENOMEM;
	for (u32 i = 0; i < v->pairs; i++) {
		int err = vnet_rx_init(&v->rx[i], v, i);

		if (err)
			return err;
		vnet_tx_init(&v->tx[i], v, i);
	}
	return 0;
}

static int vnet_probe(struct virtio_device *d)
{
	struct vnet *v = kzalloc(sizeof(*v), GFP_KERNEL);
	u8 mac[ETH_ALEN];
	u16 mtu = 0;
	int err;

	/* On failure all stays: the queues may have been shown to the device. */
	if (!v)
		return -ENOMEM;
	v->dev = d;
	wait_queue_init(&v->control_done);
	work_init(&v->config, config_work);
	err = make_queues(v);
	if (err)
		return err;
	v->netif = netif_alloc(&g_vnet_ops, "eth%d", v->pairs);
	if (!v->netif)
		return -ENOMEM;
	read_address(v, mac);
	netif_setup_ether(v->netif, mac);
	v->netif->priv = v;
	v->netif->num_rx_queues = v->pairs;
	v->netif->features = v->netif->hw_features = features_of(d);
	if (virtio_has(d, VIRTIO_NET_F_MTU)) {
		config_field(d, mtu, mtu);
		if (mtu >= ETH_MIN_MTU)
			v->netif->mtu = v->netif->max_mtu = mtu;
	}
	if (!virtio_has(d, VIRTIO_NET_F_MRG_RXBUF))
		v->netif->max_mtu = min_t(u32, v->netif->max_mtu, ETH_DATA_LEN);
	read_speed(v);
	err = set_up_queues(v);
	if (!err)
		err = virtio_ready(d);
	if (err)
		return err;
	if (v->pairs > 1 && vnet_set_pairs(v, (u16)v->pairs)) {
		log_warn("%s: the device refused %u queue pairs", d->name, v->pairs);
		v->pairs = v->netif->nr_queues = v->netif->num_rx_queues = 1;
	}
	if (virtio_has(d, VIRTIO_NET_F_STATUS)) {
		netif_carrier(v->netif, false); /* not known yet */
		netif_carrier(v->netif, link_is_up(v));
	}
	d->driver_data = v;
	return netif_register(&g_init_net, v->netif);
}

/* Large frames need buffers that can be merged; the rest is virtio 1.2, 5.1.3.1. */
static u64 choose(u64 f)
{
	u64 guest = 1ull << VIRTIO_NET_F_GUEST_TSO4 | 1ull << VIRTIO_NET_F_GUEST_TSO6 |
		1ull << VIRTIO_NET_F_GUEST_ECN;
	u64 host = 1ull << VIRTIO_NET_F_HOST_TSO4 | 1ull << VIRTIO_NET_F_HOST_TSO6 |
		1ull << VIRTIO_NET_F_HOST_ECN;
	u64 control = 1ull << VIRTIO_NET_F_CTRL_RX | 1ull << VIRTIO_NET_F_CTRL_MAC_ADDR |
		1ull << VIRTIO_NET_F_MQ;

	if (!(f >> VIRTIO_NET_F_MRG_RXBUF & 1) || !(f >> VIRTIO_NET_F_GUEST_CSUM & 1))
		f &= ~guest;
	if (!(f >> VIRTIO_NET_F_CSUM & 1))
		f &= ~host;
	if (!(f >> VIRTIO_NET_F_CTRL_VQ & 1))
		f &= ~control;
	return f;
}

static struct virtio_driver g_driver = {
	.name = "virtio_net",
	.id = VIRTIO_ID_NET,
	.features = 1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_GUEST_CSUM |
		1ull << VIRTIO_NET_F_MTU | 1ull << VIRTIO_NET_F_MAC |
		1ull << VIRTIO_NET_F_GUEST_TSO4 | 1ull << VIRTIO_NET_F_GUEST_TSO6 |
		1ull << VIRTIO_NET_F_GUEST_ECN | 1ull << VIRTIO_NET_F_HOST_TSO4 |
		1ull << VIRTIO_NET_F_HOST_TSO6 | 1ull << VIRTIO_NET_F_HOST_ECN |
		1ull << VIRTIO_NET_F_MRG_RXBUF | 1ull << VIRTIO_NET_F_STATUS |
		1ull << VIRTIO_NET_F_CTRL_VQ | 1ull << VIRTIO_NET_F_CTRL_RX |
		1ull << VIRTIO_NET_F_CTRL_MAC_ADDR | 1ull << VIRTIO_NET_F_MQ |
		1ull << VIRTIO_NET_F_SPEED_DUPLEX,
	.choose = choose,
	.probe = vnet_probe,
	.queue_name = queue_name,
	.config_changed = config_changed,
};

static int vnet_init(void)
{
	virtio_driver_register(&g_driver);
	return 0;
}
INIT_HOOK(INIT_DEVICE, vnet_init);
