/* The ioctls of interfaces: netdevice(7). */
#include "dev.h"
#include <core/init.h>
#include <cred/cred.h>
#include <lib/err.h>
#include <lib/string.h>
#include <linux/sockios.h>
#include <socket/socket.h>

static int (*g_ifconf)(struct netif *n, char __user *buf, int room); /* set at start-up */

void netdev_set_ifconf(int (*fill)(struct netif *n, char __user *buf, int room))
{
	g_ifconf = fill;
}

static int ifconf_locked(struct net *net, struct ifconf *c)
{
	char __user *buf = (char __user *)c->ifc_buf;
	struct netif *n;
	int total = 0;

	for (int i = 0; g_ifconf && (n = netif_next(net, i)); i = n->ifindex) {
		int done = g_ifconf(n, buf ? buf + total : NULL, buf ? c->ifc_len - total : 0);

		if (done < 0)
			return done;
		total += done;
	}
	c->ifc_len = total;
	return 0;
}

static int ifconf(struct net *net, void __user *arg)
{
	struct ifconf c;
	int err = copy_from_user(&c, arg, sizeof(c));

	if (err)
		return err;
	mutex_lock(&net->config_lock);
	err = ifconf_locked(net, &c);
	mutex_unlock(&net->config_lock);
	return err ? err : copy_to_user(arg, &c, sizeof(c));
}

static int get_name(struct net *net, struct ifreq *r)
{
	struct netif *n = netif_by_index(net, r->ifr_ifindex);

	if (!n)
		return -ENODEV;
	memcpy(r->ifr_name, n->name, IFNAMSIZ);
	return 0;
}

static int get(struct netif *n, u32 cmd, struct ifreq *r)
{
	switch (cmd) {
	case SIOCGIFFLAGS:
		r->ifr_flags = (short)netif_user_flags(n);
		return 0;
	case SIOCGIFMETRIC:
		r->ifr_metric = 0;
		return 0;
	case SIOCGIFMTU:
		r->ifr_mtu = (int)n->mtu;
		return 0;
	case SIOCGIFHWADDR:
		memset(r->ifr_hwaddr.sa_data, 0, sizeof(r->ifr_hwaddr.sa_data));
		memcpy(r->ifr_hwaddr.sa_data, n->addr,
			min_t(size_t, n->addr_len, sizeof(r->ifr_hwaddr.sa_data)));
		r->ifr_hwaddr.sa_family = n->type;
		return 0;
	case SIOCGIFMAP:
		memset(&r->ifr_map, 0, sizeof(r->ifr_map));
		return 0;
	case SIOCGIFINDEX:
		r->ifr_ifindex = n->ifindex;
		return 0;
	default: /* SIOCGIFTXQLEN */
		r->ifr_qlen = (int)n->tx_queue_len;
		return 0;
	}
}

/* A socket address with a hardware address of the interface's type. */
static int check_hwaddr(const struct netif *n, const struct ifreq *r)
{
	return r->ifr_hwaddr.sa_family == n->type ? 0 : -EINVAL;
}

static int multicast(struct netif *n, const struct ifreq *r, bool add)
{
	const u8 *addr = (const u8 *)r->ifr_hwaddr.sa_data;

	if (r->ifr_hwaddr.sa_family != AF_UNSPEC)
		return -EINVAL;
	if (add)
		return netif_filter_add(n, addr, true);
	netif_filter_remove(n, addr, true);
	return 0;
}

/* The flags that an ifreq has room for; the rest stays. */
static int set_flags(struct netif *n, const struct ifreq *r)
{
	return netif_set_flags(n, (u16)r->ifr_flags, 0xffff);
}

static int set(struct netif *n, u32 cmd, struct ifreq *r)
{
	char name[IFNAMSIZ];
	int err;

	switch (cmd) {
	case SIOCSIFFLAGS:
		return set_flags(n, r);
	case SIOCSIFMETRIC:
		return -EOPNOTSUPP;
	case SIOCSIFMTU:
		return r->ifr_mtu < 0 ? -EINVAL : netif_set_mtu(n, (u32)r->ifr_mtu);
	case SIOCSIFHWADDR:
		err = check_hwaddr(n, r);
		return err ? err : netif_set_address(n, (const u8 *)r->ifr_hwaddr.sa_data);
	case SIOCSIFHWBROADCAST:
		err = check_hwaddr(n, r);
		if (!err)
			memcpy(n->broadcast, r->ifr_hwaddr.sa_data,
				min_t(size_t, n->addr_len, sizeof(r->ifr_hwaddr.sa_data)));
		return err;
	case SIOCSIFTXQLEN:
		if (r->ifr_qlen < 0)
			return -EINVAL;
		WRITE_ONCE(n->tx_queue_len, (u32)r->ifr_qlen);
		return 0;
	case SIOCSIFNAME:
		memcpy(name, r->ifr_newname, IFNAMSIZ);
		name[IFNAMSIZ - 1] = 0;
		return netif_set_name(n, name);
	case SIOCSIFMAP:
		return -EOPNOTSUPP;
	default:
		return multicast(n, r, cmd == SIOCADDMULTI);
	}
}

/* What an ioctl does to an ifreq. */
enum kind { UNKNOWN, GET, SET, ETHTOOL };

static enum kind kind_of(u32 cmd)
{
	switch (cmd) {
	case SIOCGIFFLAGS:
	case SIOCGIFMETRIC:
	case SIOCGIFMTU:
	case SIOCGIFHWADDR:
	case SIOCGIFMAP:
	case SIOCGIFINDEX:
	case SIOCGIFTXQLEN:
		return GET;
	case SIOCSIFFLAGS:
	case SIOCSIFMETRIC:
	case SIOCSIFMTU:
	case SIOCSIFHWADDR:
	case SIOCSIFHWBROADCAST:
	case SIOCSIFTXQLEN:
	case SIOCSIFNAME:
	case SIOCSIFMAP:
	case SIOCADDMULTI:
	case SIOCDELMULTI:
		return SET;
	case SIOCETHTOOL:
		return ETHTOOL;
	default:
		return UNKNOWN;
	}
}

static int run(struct net *net, u32 cmd, enum kind kind, struct ifreq *r)
{
	struct netif *n;
	char *colon;
	int err;

	r->ifr_name[IFNAMSIZ - 1] = 0;
	colon = strchr(r->ifr_name, ':'); /* a label of an address */
	if (colon)
		*colon = 0;
	if (kind == SET && !capable(CAP_NET_ADMIN))
		return -EPERM;
	mutex_lock(&net->config_lock);
	n = netif_by_name(net, r->ifr_name);
	if (colon)
		*colon = ':';
	if (!n)
		err = -ENODEV;
	else if (kind == GET)
		err = get(n, cmd, r);
	else if (kind == SET)
		err = set(n, cmd, r);
	else
		err = ethtool_call(n, (void __user *)r->ifr_data);
	mutex_unlock(&net->config_lock);
	return err;
}

static long netdev_ioctl(struct sock *sk, u32 cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	enum kind kind = kind_of(cmd);
	struct ifreq r;
	int err;

	if (cmd == SIOCGIFCONF)
		return ifconf(sk->net, user);
	if (kind == UNKNOWN && cmd != SIOCGIFNAME)
		return -ENOIOCTLCMD;
	err = copy_from_user(&r, user, sizeof(r));
	if (err)
		return err;
	if (cmd == SIOCGIFNAME) {
		rcu_read_lock();
		err = get_name(sk->net, &r);
		rcu_read_unlock();
	} else {
		err = run(sk->net, cmd, kind, &r);
	}
	if (!err && kind != SET)
		err = copy_to_user(user, &r, sizeof(r));
	return err;
}

static int netdev_init(void)
{
	sock_set_ioctl_hook(netdev_ioctl);
	return 0;
}
INIT_HOOK(INIT_CORE, netdev_init);
