/* The ioctls of addresses, routes and ARP entries: netdevice(7), route(8) of net-tools, arp(7). */
#include "inet.h"
#include <linux/if_addr.h>
#include <linux/ipv6.h>
#include <linux/ipv6_route.h>
#include <linux/neighbour.h>
#include <linux/route.h>
#include <netdev/netdev.h>

/* ---- addresses ----------------------------------------------------------------------------------
 */

static u32 mask_of(u8 prefix)
{
	return prefix ? htonl(U32_MAX << (32 - prefix)) : 0;
}

static void put_sockaddr(struct ifreq *r, u32 be)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = be};

	memcpy(&r->ifr_addr, &in, sizeof(in));
}
static u32 get_sockaddr(const struct ifreq *r)
{
	struct sockaddr_in in;

	memcpy(&in, &r->ifr_addr, sizeof(in));
	return in.sin_addr.s_addr;
}

/* The address that a label names ("eth0" or "eth0:1"); NULL. */
static struct ifaddr *by_label(struct inet_dev *d, const char *label)
{
	struct ifaddr *ia;

	list_for_each_entry(ia, &d->addrs[0], link)
		if (!strcmp(ia->label, label))
			return ia;
	return NULL;
}

static u8 class_prefix(u32 be)
{
	u8 first = (u8)be;

	return first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : 32;
}

/* Take the address off and put it in again with other facts. Config lock. */
static int replace(struct inet_dev *d, struct ifaddr *old, const char *label, struct inet_addr addr,
	struct inet_addr peer, struct inet_addr broadcast, u8 prefix)
{
	struct ifaddr *ia = ifaddr_new(d, &addr, prefix);

	if (!ia)
		return -ENOBUFS;
	ia->peer = peer;
	ia->broadcast = broadcast;
	ia->flags = IFA_F_PERMANENT;
	memcpy(ia->label, label, IFNAMSIZ);
	if (old)
		ifaddr_remove(old);
	return addr_is_any(&addr) ? (put_ifaddr(ia), 0) : ifaddr_add(ia);
}

static int set_addr(struct inet_dev *d, struct ifaddr *ia, struct ifreq *r, u32 cmd)
{
	u32 be = get_sockaddr(r);
	struct inet_addr a = addr_v4(be), none = addr_v4(0);
	u8 prefix;

	if (cmd != SIOCSIFADDR && !ia)
		return -EADDRNOTAVAIL;
	switch (cmd) {
	case SIOCSIFADDR:
		prefix = d->dev->flags & IFF_POINTOPOINT ? 32 : class_prefix(be);
		return replace(d, ia, r->ifr_name, a, a,
			d->dev->flags & IFF_BROADCAST && prefix < 31
				? addr_v4(be | ~mask_of(prefix))
				: none,
			prefix);
	case SIOCSIFBRDADDR:
		return replace(d, ia, r->ifr_name, ia->addr, ia->peer, a, ia->prefix);
	case SIOCSIFDSTADDR:
		return replace(d, ia, r->ifr_name, ia->addr, a, ia->broadcast, ia->prefix);
	default: /* SIOCSIFNETMASK */
		prefix = (u8)__builtin_popcount(be);
		if (be != mask_of(prefix))
			return -EINVAL;
		return replace(d, ia, r->ifr_name, ia->addr, ia->peer,
			d->dev->flags & IFF_BROADCAST && prefix < 31
				? addr_v4(ia->addr.w[3] | ~mask_of(prefix))
				: none,
			prefix);
	}
}

static int get_addr(struct ifaddr *ia, struct ifreq *r, u32 cmd)
{
	if (!ia)
		return -EADDRNOTAVAIL;
	put_sockaddr(r,
		cmd == SIOCGIFADDR              ? ia->addr.w[3]
			: cmd == SIOCGIFBRDADDR ? ia->broadcast.w[3]
			: cmd == SIOCGIFDSTADDR ? ia->peer.w[3]
						: mask_of(ia->prefix));
	return 0;
}

static long addr_ioctl(struct net *net, u32 cmd, void __user *user)
{
	bool get = cmd == SIOCGIFADDR || cmd == SIOCGIFBRDADDR || cmd == SIOCGIFDSTADDR ||
		cmd == SIOCGIFNETMASK;
	struct inet_dev *d;
	struct netif *n;
	struct ifreq r;
	char *colon;
	int err;

	if (copy_from_user(&r, user, sizeof(r)))
		return -EFAULT;
	if (!get && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (!get && r.ifr_addr.sa_family != AF_INET)
		return -EINVAL;
	r.ifr_name[IFNAMSIZ - 1] = 0;
	colon = strchr(r.ifr_name, ':');
	if (colon)
		*colon = 0;
	mutex_lock(&net->config_lock);
	n = netif_by_name(net, r.ifr_name);
	d = n ? inet_dev(n) : NULL;
	if (colon)
		*colon = ':';
	err = !d      ? -ENODEV
		: get ? get_addr(by_label(d, r.ifr_name), &r, cmd)
		      : set_addr(d, by_label(d, r.ifr_name), &r, cmd);
	mutex_unlock(&net->config_lock);
	if (!err && get && copy_to_user(user, &r, sizeof(r)))
		err = -EFAULT;
	return err;
}

/* Entries of SIOCGIFCONF: see <netdev/netdev.h>. */
static int ifconf(struct netif *n, char __user *buf, int room)
{
	struct inet_dev *d = inet_dev(n);
	struct ifaddr *ia;
	int done = 0;

	if (!d)
		return 0;
	list_for_each_entry(ia, &d->addrs[0], link) {
		struct ifreq r = {.ifr_flags = 0};

		if (!buf) {
			done += (int)sizeof(r);
			continue;
		}
		if (room - done < (int)sizeof(r))
			break;
		memcpy(r.ifr_name, ia->label[0] ? ia->label : n->name, IFNAMSIZ);
		put_sockaddr(&r, ia->addr.w[3]);
		if (copy_to_user(buf + done, &r, sizeof(r)))
			return -EFAULT;
		done += (int)sizeof(r);
	}
	return done;
}

static long addr6_ioctl(struct net *net, u32 cmd, void __user *user)
{
	struct in6_ifreq r;
	struct inet_addr a;
	struct ifaddr *ia;
	struct netif *n;
	int err = -ENODEV;

	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	if (copy_from_user(&r, user, sizeof(r)))
		return -EFAULT;
	if (r.ifr6_prefixlen > 128)
		return -EINVAL;
	a = addr_v6(&r.ifr6_addr);
	mutex_lock(&net->config_lock);
	n = netif_by_index(net, r.ifr6_ifindex);
	if (n && inet_dev(n) && cmd == SIOCSIFADDR) {
		ia = ifaddr_new(inet_dev(n), &a, (u8)r.ifr6_prefixlen);
		err = -ENOBUFS;
		if (ia) {
			ia->flags = IFA_F_PERMANENT;
			err = ifaddr_add(ia);
		}
	} else if (n) {
		ia = ifaddr_find(inet_net(net), &a, n->ifindex);
		err = ia ? 0 : -EADDRNOTAVAIL;
		if (ia)
			ifaddr_remove(ia);
	}
	mutex_unlock(&net->config_lock);
	return err;
}

/* ---- routes -------------------------------------------------------------------------------------
 */

static int route_spec(struct net *net, const struct rtentry *r, struct fib_spec *s)
{
	const struct sockaddr_in *dst = (const void *)&r->rt_dst,
				 *mask = (const void *)&r->rt_genmask,
				 *gw = (const void *)&r->rt_gateway;
	u32 m = r->rt_flags & RTF_HOST ? U32_MAX : mask->sin_addr.s_addr;
	char name[IFNAMSIZ] = "";
	struct netif *n;

	if (dst->sin_family != AF_INET)
		return -EAFNOSUPPORT;
	if (!(r->rt_flags & RTF_HOST) && mask->sin_family != AF_INET &&
		(m || mask->sin_family != AF_UNSPEC))
		return -EAFNOSUPPORT;
	fib_spec_init(s, AF_INET);
	s->len = (u8)__builtin_popcount(m);
	if (m != mask_of(s->len))
		return -EINVAL;
	s->dst = addr_v4(dst->sin_addr.s_addr);
	if (r->rt_metric) {
		s->priority = (u32)(r->rt_metric - 1);
		s->has_priority = s->priority != 0;
	}
	if (r->rt_flags & RTF_REJECT) {
		s->scope = RT_SCOPE_HOST;
		s->type = RTN_UNREACHABLE;
		return 0;
	}
	s->nr_hops = 1;
	s->hops[0].gateway = addr_v4(0);
	s->scope = RT_SCOPE_LINK;
	if (r->rt_dev) {
		if (copy_from_user(name, (const void __user *)r->rt_dev, IFNAMSIZ - 1))
			return -EFAULT;
		name[strcspn(name, ":")] = 0;
		n = netif_by_name(net, name);
		if (!n)
			return -ENODEV;
		s->hops[0].ifindex = n->ifindex;
	}
	if (r->rt_flags & RTF_GATEWAY && gw->sin_family == AF_INET && gw->sin_addr.s_addr) {
		s->hops[0].gateway = addr_v4(gw->sin_addr.s_addr);
		s->scope = RT_SCOPE_UNIVERSE;
	}
	if (r->rt_flags & RTF_MTU)
		s->metrics[RTAX_MTU] = (u32)r->rt_mtu;
	if (r->rt_flags & RTF_WINDOW)
		s->metrics[RTAX_WINDOW] = (u32)r->rt_window;
	return 0;
}

static long route_ioctl(struct net *net, u32 cmd, void __user *user)
{
	struct rtentry r;
	struct fib_spec *s;
	int err;

	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	if (copy_from_user(&r, user, sizeof(r)))
		return -EFAULT;
	s = kmalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	mutex_lock(&net->config_lock);
	err = route_spec(net, &r, s);
	if (!err && cmd == SIOCADDRT)
		err = fib_add(inet_net(net), s, NLM_F_CREATE | NLM_F_APPEND);
	else if (!err) {
		s->proto = 0;
		s->scope = RT_SCOPE_NOWHERE;
		if (!r.rt_dev && addr_is_any(&s->hops[0].gateway))
			s->nr_hops = 0;
		err = fib_delete(inet_net(net), s);
	}
	mutex_unlock(&net->config_lock);
	kfree(s);
	return err;
}

static long route6_ioctl(struct net *net, u32 cmd, void __user *user)
{
	struct in6_rtmsg r;
	struct fib_spec *s;
	int err;

	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	if (copy_from_user(&r, user, sizeof(r)))
		return -EFAULT;
	s = kmalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	fib_spec_init(s, AF_INET6);
	s->dst = addr_v6(&r.rtmsg_dst);
	s->len = (u8)min(r.rtmsg_dst_len, (u16)129);
	s->priority = r.rtmsg_metric;
	s->has_priority = s->priority != 0;
	s->nr_hops = 1;
	s->hops[0].ifindex = r.rtmsg_ifindex;
	s->hops[0].gateway = r.rtmsg_flags & RTF_GATEWAY ? addr_v6(&r.rtmsg_gateway)
							 : addr_any(AF_INET6);
	if (r.rtmsg_flags & RTF_REJECT) {
		s->type = RTN_UNREACHABLE;
		s->nr_hops = 0;
	}
	mutex_lock(&net->config_lock);
	if (cmd == SIOCADDRT) {
		err = fib_add(inet_net(net), s, NLM_F_CREATE);
	} else {
		s->proto = 0;
		s->scope = RT_SCOPE_NOWHERE;
		err = fib_delete(inet_net(net), s);
	}
	mutex_unlock(&net->config_lock);
	kfree(s);
	return err;
}

/* ---- ARP ----------------------------------------------------------------------------------------
 */

static int arp_get(struct net *net, struct netif *n, const struct inet_addr *a, struct arpreq *r)
{
	u8 hw[NETIF_ADDR_MAX];
	struct neigh *e;
	int err = -ENXIO;

	rcu_read_lock();
	e = neigh_lookup(inet_net(net), n, a, false);
	if (e && neigh_hw(e, hw)) {
		memset(&r->arp_ha, 0, sizeof(r->arp_ha));
		memcpy(r->arp_ha.sa_data, hw, min((u32)n->addr_len, 14u));
		r->arp_ha.sa_family = n->type;
		r->arp_flags = ATF_COM | (e->state & NUD_PERMANENT ? ATF_PERM : 0);
		memset(r->arp_dev, 0, sizeof(r->arp_dev));
		memcpy(r->arp_dev, n->name, sizeof(r->arp_dev) - 1);
		err = 0;
	}
	rcu_read_unlock();
	return err;
}

static struct netif *arp_device(struct net *net, const struct arpreq *r, const struct inet_addr *a)
{
	struct flow f = {.remote = *a, .local = addr_v4(0)};
	struct ip_path path;
	struct netif *n;

	if (r->arp_dev[0]) {
		char name[IFNAMSIZ] = "";

		memcpy(name, r->arp_dev, sizeof(r->arp_dev) - 1);
		return netif_by_name(net, name);
	}
	rcu_read_lock();
	n = route_lookup(net, &f, &path) || path.type != RTN_UNICAST ? NULL : path.rt->dev;
	rcu_read_unlock();
	return n;
}

static long arp_ioctl(struct net *net, u32 cmd, void __user *user)
{
	const struct sockaddr_in *in;
	struct inet_addr a;
	struct arpreq r;
	struct netif *n;
	int err;

	if (cmd != SIOCGARP && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (copy_from_user(&r, user, sizeof(r)))
		return -EFAULT;
	in = (const void *)&r.arp_pa;
	if (in->sin_family != AF_INET)
		return -EPFNOSUPPORT;
	if (r.arp_flags & ATF_PUBL)
		return -EOPNOTSUPP; /* proxy ARP */
	a = addr_v4(in->sin_addr.s_addr);
	mutex_lock(&net->config_lock);
	n = arp_device(net, &r, &a);
	if (!n || !inet_dev(n))
		err = r.arp_dev[0] ? -ENODEV : -EINVAL;
	else if (cmd == SIOCGARP)
		err = arp_get(net, n, &a, &r);
	else if (cmd == SIOCDARP)
		err = neigh_admin_del(inet_net(net), n, &a) ? -ENXIO : 0;
	else if (r.arp_ha.sa_family != n->type)
		err = -EINVAL;
	else
		err = neigh_admin_add(inet_net(net), n, &a,
			r.arp_flags & ATF_COM ? (const u8 *)r.arp_ha.sa_data : NULL,
			r.arp_flags & ATF_PERM ? NUD_PERMANENT : NUD_STALE, 0,
			NLM_F_CREATE | NLM_F_REPLACE);
	mutex_unlock(&net->config_lock);
	if (!err && cmd == SIOCGARP && copy_to_user(user, &r, sizeof(r)))
		err = -EFAULT;
	return err;
}

/* ---- the entry ----------------------------------------------------------------------------------
 */

long inet_ioctl(struct sock *sk, u32 cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	bool v6 = sk->family == AF_INET6;

	switch (cmd) {
	case SIOCADDRT:
	case SIOCDELRT:
		return v6 ? route6_ioctl(sk->net, cmd, user) : route_ioctl(sk->net, cmd, user);
	case SIOCSIFADDR:
	case SIOCDIFADDR:
		if (v6)
			return addr6_ioctl(sk->net, cmd, user);
		if (cmd == SIOCDIFADDR)
			return -ENOIOCTLCMD;
		fallthrough;
	case SIOCGIFADDR:
	case SIOCGIFBRDADDR:
	case SIOCSIFBRDADDR:
	case SIOCGIFDSTADDR:
	case SIOCSIFDSTADDR:
	case SIOCGIFNETMASK:
	case SIOCSIFNETMASK:
		return v6 && cmd != SIOCSIFADDR ? -ENOIOCTLCMD : addr_ioctl(sk->net, cmd, user);
	case SIOCGARP:
	case SIOCSARP:
	case SIOCDARP:
		return v6 ? -ENOIOCTLCMD : arp_ioctl(sk->net, cmd, user);
	default:
		return -ENOIOCTLCMD;
	}
}

int inet_ioctl_init(void)
{
	netdev_set_ifconf(ifconf);
	return 0;
}
