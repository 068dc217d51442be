/* SIOCETHTOOL: what can be said of every interface, and of drivers that have an info slot. */
#include "dev.h"
#include <cred/cred.h>
#include <lib/err.h>
#include <lib/string.h>
#include <linux/ethtool.h>
#include <arch/uaccess.h>

static int driver_info(struct netif *n, void __user *data)
{
	struct ethtool_drvinfo d = {.cmd = ETHTOOL_GDRVINFO};

	if (!n->ops->info)
		return -EOPNOTSUPP;
	n->ops->info(n, d.driver, d.version, d.bus_info);
	return copy_to_user(data, &d, sizeof(d));
}

static int put_value(void __user *data, u32 cmd, u32 v)
{
	struct ethtool_value e = {cmd, v};

	return copy_to_user(data, &e, sizeof(e));
}

/* Speed and so on without the masks of link modes, of which there are none. */
static int link_settings(struct netif *n, void __user *data)
{
	struct ethtool_link_settings s;
	int err = copy_from_user(&s, data, sizeof(s));

	if (err)
		return err;
	if (n->type != ARPHRD_ETHER)
		return -EOPNOTSUPP;
	if (s.link_mode_masks_nwords != 3) { /* the first call asks how many there are */
		memset(&s, 0, sizeof(s));
		s.cmd = ETHTOOL_GLINKSETTINGS;
		s.link_mode_masks_nwords = -3;
		return copy_to_user(data, &s, sizeof(s));
	}
	memset(&s, 0, sizeof(s));
	s.cmd = ETHTOOL_GLINKSETTINGS;
	s.link_mode_masks_nwords = 3;
	s.speed = n->speed_mbps;
	s.duplex = n->duplex;
	s.port = PORT_OTHER;
	err = copy_to_user(data, &s, sizeof(s));
	return err ? err : clear_user((u8 __user *)data + sizeof(s), 3 * 3 * sizeof(u32));
}

static int permanent_address(struct netif *n, void __user *data)
{
	struct ethtool_perm_addr a;
	int err = copy_from_user(&a, data, sizeof(a));

	if (err)
		return err;
	if (a.size < n->addr_len)
		return -EINVAL;
	a.size = n->addr_len;
	err = copy_to_user(data, &a, sizeof(a));
	return err ? err : copy_to_user((u8 __user *)data + sizeof(a), n->perm_addr, n->addr_len);
}

static int channels(struct netif *n, void __user *data)
{
	struct ethtool_channels c = {.cmd = ETHTOOL_GCHANNELS,
		.max_combined = n->num_rx_queues,
		.combined_count = n->num_rx_queues};

	return n->nr_queues ? copy_to_user(data, &c, sizeof(c)) : -EOPNOTSUPP;
}

int ethtool_call(struct netif *n, void __user *data)
{
	u32 cmd, f = n->features;
	int err = copy_from_user(&cmd, data, sizeof(cmd));

	if (err)
		return err;
	switch (cmd) {
	case ETHTOOL_GDRVINFO:
		return driver_info(n, data);
	case ETHTOOL_GLINK:
		return put_value(data, cmd, netif_running(n) && READ_ONCE(n->carrier));
	case ETHTOOL_GLINKSETTINGS:
		return link_settings(n, data);
	case ETHTOOL_GPERMADDR:
		return permanent_address(n, data);
	case ETHTOOL_GCHANNELS:
		return channels(n, data);
	case ETHTOOL_GRXCSUM:
		return put_value(data, cmd, (f & NETIF_F_RXCSUM) != 0);
	case ETHTOOL_GTXCSUM:
		return put_value(data, cmd, (f & NETIF_F_CSUM) != 0);
	case ETHTOOL_GSG:
		return put_value(data, cmd, (f & NETIF_F_SG) != 0);
	case ETHTOOL_GTSO:
		return put_value(data, cmd, (f & (NETIF_F_TSO4 | NETIF_F_TSO6)) != 0);
	case ETHTOOL_GGSO:
		return put_value(data, cmd, 1); /* by software where the device can't */
	case ETHTOOL_GGRO:
		return put_value(data, cmd, (f & NETIF_F_GRO) != 0);
	case ETHTOOL_GFLAGS:
		return put_value(data, cmd, f & NETIF_F_LRO ? ETH_FLAG_LRO : 0);
	default:
		return capable(CAP_NET_ADMIN) ? -EOPNOTSUPP : -EPERM;
	}
}
