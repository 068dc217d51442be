/*
 * What the internet protocols keep for each interface, and what they do when one comes, goes up or
 * down, or changes. All under the config lock.
 */
#include "inet.h"

void get_inet_dev(struct inet_dev *d)
{
	ref_get(&d->refs);
}

static void dev_free(struct rcu_head *head)
{
	struct inet_dev *d = container_of(head, struct inet_dev, rcu);

	mc_dev_free(d);
	kfree(d);
}

void put_inet_dev(struct inet_dev *d)
{
	if (ref_put(&d->refs))
		rcu_call(&d->rcu, dev_free);
}

static void dev_come(struct netif *n)
{
	struct inet_net *in = inet_net(n->net);
	struct inet_dev *d;

	if (!in)
		return;
	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d || mc_dev_init(d)) {
		log_warn("inet: no memory for interface %s: no addresses on it", n->name);
		kfree(d);
		return;
	}
	ref_init(&d->refs, 1);
	d->dev = n;
	d->in = in;
	list_init(&d->addrs[0]);
	list_init(&d->addrs[1]);
	d->conf = in->conf_default;
	d->neigh[0] = in->neigh_default[0];
	d->neigh[1] = in->neigh_default[1];
	d->onlink = route_new(n, RTN_UNICAST, 0);
	if (!d->onlink) {
		log_warn("inet: no memory for interface %s: no addresses on it", n->name);
		mc_dev_free(d);
		kfree(d);
		return;
	}
	d->onlink->scope = RT_SCOPE_LINK;
	if (n->flags & IFF_LOOPBACK)
		in->local_route = route_new(n, RTN_LOCAL, 0);
	if (n->flags & IFF_LOOPBACK && !in->local_route)
		init_failed("the loopback route", -ENOMEM);
	addrconf_init_dev(d);
	rcu_publish(n->proto[NETIF_IPV6], d);
	rcu_publish(n->proto[NETIF_IPV4], d);
}

static void add_loopback(struct inet_dev *d, const struct inet_addr *a, u8 prefix)
{
	struct ifaddr *ia;

	if (ifaddr_find(d->in, a, d->dev->ifindex))
		return;
	ia = ifaddr_new(d, a, prefix);
	if (!ia ||
		(ia->flags |= IFA_F_PERMANENT,
			str_copy(ia->label, d->dev->name, IFNAMSIZ) < 0 || ifaddr_add(ia)))
		log_warn("inet: no loopback address");
}

static void dev_up(struct inet_dev *d)
{
	struct netif *n = d->dev;
	struct inet_addr v4 = addr_v4(htonl(INADDR_LOOPBACK)), v6 = {.b = {[15] = 1}};
	struct inet_addr groups = {.b = {0xff}};
	struct ifaddr *ia;

	mc_dev_up(d);
	fib_dev_up(d->in, n);
	list_for_each_entry(ia, &d->addrs[0], link)
		ifaddr_routes(ia);
	if (n->flags & IFF_LOOPBACK)
		add_loopback(d, &v4, 8);
	if (inet_dev_v6(d)) {
		if (n->flags & IFF_LOOPBACK)
			add_loopback(d, &v6, 128);
		else if (n->flags & IFF_MULTICAST)
			fib_add_kernel(d->in, RT_TABLE_LOCAL, RTN_MULTICAST, &groups, 8, n->ifindex,
				NULL, 256, 0);
		addrconf_up(d);
	}
	route_gen_bump(n->net);
}

static void drop_addresses(struct inet_dev *d, int f, bool all)
{
	struct ifaddr *ia;
	struct list_head *pos = d->addrs[f].next;

	while (pos != &d->addrs[f]) {
		ia = list_entry(pos, struct ifaddr, link);
		pos = pos->next;
		if (all || !(ia->flags & IFA_F_PERMANENT) || !d->conf.keep_addr_on_down ||
			addr_is_v6_link_local(&ia->addr)) {
			/* Secondaries may go with it. */
			ifaddr_remove(ia);
			if (!f)
				pos = d->addrs[f].next;
		}
	}
}

static void dev_down(struct inet_dev *d, bool gone)
{
	addrconf_down(d);
	neigh_dev_down(d->in, d->dev, !gone);
	fib_dev_down(d->in, d->dev, 3, gone);
	mc_dev_down(d);
	drop_addresses(d, 1, gone);
}

static void dev_gone(struct inet_dev *d)
{
	struct netif *n = d->dev;

	d->dead = true;
	dev_down(d, true);
	drop_addresses(d, 0, true);
	fib_dev_down(d->in, n, 3, true);
	rcu_publish(n->proto[NETIF_IPV4], NULL);
	rcu_publish(n->proto[NETIF_IPV6], NULL);
	addrconf_stop(d);
	rcu_synchronize();
	if (n->flags & IFF_LOOPBACK) {
		put_route(d->in->local_route);
		d->in->local_route = NULL;
	}
	put_route(d->onlink);
	d->onlink = NULL;
	put_inet_dev(d);
}

void inet_dev_v6_changed(struct inet_dev *d)
{
	if (!inet_dev_v6(d) && !list_empty(&d->addrs[1])) {
		addrconf_down(d);
		drop_addresses(d, 1, true);
		fib_dev_down(d->in, d->dev, 2, false);
	} else if (netif_running(d->dev) && inet_dev_v6(d) && list_empty(&d->addrs[1])) {
		dev_up(d);
	}
}

static void mtu_changed(struct inet_dev *d)
{
	route_gen_bump(d->in->net);
	d->conf.mtu6 = (s32)d->dev->mtu;
	inet_dev_v6_changed(d);
}

static void event(struct netif *n, enum netif_event e)
{
	struct inet_dev *d;

	if (e == NETIF_REGISTERED && !n->proto[NETIF_IPV4])
		dev_come(n);
	d = n->proto[NETIF_IPV4];
	if (!d)
		return;
	switch (e) {
	case NETIF_REGISTERED:
		d->conf.mtu6 = (s32)n->mtu;
		if (netif_running(n))
			dev_up(d);
		break;
	case NETIF_UP:
		dev_up(d);
		break;
	case NETIF_DOWN:
		dev_down(d, false);
		break;
	case NETIF_CHANGED:
		if (netif_running(n) && inet_dev_v6(d))
			addrconf_up(d);
		route_gen_bump(n->net);
		break;
	case NETIF_MTU:
		mtu_changed(d);
		break;
	case NETIF_ADDRESS:
		neigh_dev_down(d->in, n, true);
		break;
	case NETIF_GONE:
		dev_gone(d);
		break;
	}
}

int inet_dev_init(void)
{
	static struct netif_listener listener = {.fn = event};

	netif_listen(&listener);
	return 0;
}
