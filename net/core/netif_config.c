/* Changing interfaces: up and down, MTU, name, address, filters, carrier. Config lock held. */
#include "core.h"
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>

/* What programs may change besides IFF_UP, IFF_PROMISC and IFF_ALLMULTI, which have a meaning here.
 */
#define PLAIN_FLAGS                                                                           \
	(IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_DYNAMIC | IFF_MULTICAST | IFF_PORTSEL | \
		IFF_AUTOMEDIA)

static void assert_config(const struct netif *n)
{
	ASSERT(!n->net || mutex_is_mine(&n->net->config_lock));
}

static void set_rx_mode(struct netif *n)
{
	if (n->flags & IFF_UP && n->ops->set_rx_mode)
		n->ops->set_rx_mode(n);
}

int netif_open(struct netif *n)
{
	int err = n->ops->open ? n->ops->open(n) : 0;

	if (err)
		return err;
	WRITE_ONCE(n->flags, n->flags | IFF_UP);
	set_rx_mode(n);
	netif_tell(n, NETIF_UP);
	return 0;
}

void netif_close(struct netif *n)
{
	netif_tell(n, NETIF_DOWN);
	WRITE_ONCE(n->flags, n->flags & ~(u32)IFF_UP);
	net_synchronize(); /* nobody is in xmit who saw it up */
	if (n->ops->stop)
		n->ops->stop(n);
	transmit_purge(n);
}

static void user_mode(
	struct netif *n, u32 flags, u32 mask, u32 bit, void (*count)(struct netif *, int))
{
	if (!(mask & bit) || !((n->user_flags ^ flags) & bit))
		return;
	n->user_flags ^= bit;
	count(n, flags & bit ? 1 : -1);
}

int netif_set_flags(struct netif *n, u32 flags, u32 mask)
{
	u32 old = netif_user_flags(n), plain = mask & PLAIN_FLAGS;
	int err = 0;

	assert_config(n);
	WRITE_ONCE(n->flags, (n->flags & ~plain) | (flags & plain));
	if (mask & IFF_UP && (flags ^ n->flags) & IFF_UP) {
		if (flags & IFF_UP)
			err = netif_open(n);
		else
			netif_close(n);
	}
	if (!err) {
		user_mode(n, flags, mask, IFF_PROMISC, netif_set_promiscuity);
		user_mode(n, flags, mask, IFF_ALLMULTI, netif_set_allmulti);
	}
	if (netif_user_flags(n) != old)
		netif_tell(n, NETIF_CHANGED);
	return err;
}

u8 netif_operstate(const struct netif *n)
{
	return netif_running(n) ? READ_ONCE(n->operstate) : IF_OPER_DOWN;
}

u32 netif_user_flags(const struct netif *n)
{
	u32 f = READ_ONCE(n->flags) &
		~(u32)(IFF_PROMISC | IFF_ALLMULTI | IFF_RUNNING | IFF_LOWER_UP);
	u8 state = READ_ONCE(n->operstate);

	f |= n->user_flags;
	if (f & IFF_UP) {
		if (state == IF_OPER_UP || state == IF_OPER_UNKNOWN)
			f |= IFF_RUNNING;
		if (READ_ONCE(n->carrier))
			f |= IFF_LOWER_UP;
	}
	return f;
}

int netif_set_mtu(struct netif *n, u32 mtu)
{
	int err = 0;

	assert_config(n);
	if (mtu == n->mtu)
		return 0;
	if (mtu < n->min_mtu || mtu > (n->max_mtu ? n->max_mtu : INT_MAX))
		return -EINVAL;
	if (n->ops->set_mtu)
		err = n->ops->set_mtu(n, mtu);
	if (err)
		return err;
	WRITE_ONCE(n->mtu, mtu);
	netif_tell(n, NETIF_MTU);
	return 0;
}

int netif_set_name(struct netif *n, const char *name)
{
	char picked[IFNAMSIZ];
	int err;

	assert_config(n);
	if (n->flags & IFF_UP)
		return -EBUSY;
	if (strncmp(n->name, name, IFNAMSIZ) == 0)
		return 0;
	if (strlen(name) >= IFNAMSIZ)
		return -EINVAL;
	str_copy(picked, name, sizeof(picked));
	err = netif_pick_name(n->net, picked);
	if (err)
		return err;
	netif_unhash_name(n);
	net_synchronize();
	str_copy(n->name, picked, sizeof(n->name));
	netif_hash_name(n);
	netif_tell(n, NETIF_CHANGED);
	return 0;
}

int netif_set_address(struct netif *n, const u8 *addr)
{
	int err;

	assert_config(n);
	if (!n->ops->set_address)
		return -EOPNOTSUPP;
	err = n->ops->set_address(n, addr);
	if (err)
		return err;
	memcpy(n->addr, addr, n->addr_len);
	netif_tell(n, NETIF_ADDRESS);
	return 0;
}

static void count_mode(struct netif *n, u32 *users, int change, u32 flag)
{
	u32 before = n->flags;

	assert_config(n);
	*users += (u32)change;
	WRITE_ONCE(n->flags, *users ? n->flags | flag : n->flags & ~flag);
	if (n->flags != before)
		set_rx_mode(n);
}

void netif_set_promiscuity(struct netif *n, int change)
{
	count_mode(n, &n->promiscuity, change, IFF_PROMISC);
}

void netif_set_allmulti(struct netif *n, int change)
{
	count_mode(n, &n->allmulti, change, IFF_ALLMULTI);
}

static struct hw_addr *filter_find(struct netif *n, const u8 *addr, struct list_head *list)
{
	struct hw_addr *a;

	list_for_each_entry(a, list, link)
		if (memcmp(a->addr, addr, n->addr_len) == 0)
			return a;
	return NULL;
}

int netif_filter_add(struct netif *n, const u8 *addr, bool multicast)
{
	struct list_head *list = multicast ? &n->multicast : &n->unicast;
	struct hw_addr *a = filter_find(n, addr, list);

	assert_config(n);
	if (a) {
		a->users++;
		return 0;
	}
	a = kzalloc(sizeof(*a), GFP_KERNEL);
	if (!a)
		return -ENOMEM;
	memcpy(a->addr, addr, n->addr_len);
	a->users = 1;
	list_add_tail(&a->link, list);
	*(multicast ? &n->nr_multicast : &n->nr_unicast) += 1;
	set_rx_mode(n);
	return 0;
}

void netif_filter_remove(struct netif *n, const u8 *addr, bool multicast)
{
	struct hw_addr *a = filter_find(n, addr, multicast ? &n->multicast : &n->unicast);

	assert_config(n);
	if (!a || --a->users)
		return;
	list_del(&a->link);
	kfree(a);
	*(multicast ? &n->nr_multicast : &n->nr_unicast) -= 1;
	set_rx_mode(n);
}

void netif_free_filters(struct netif *n)
{
	struct hw_addr *a, *next;

	list_splice_tail(&n->multicast, &n->unicast);
	list_for_each_entry_safe(a, next, &n->unicast, link)
		kfree(a);
}

/* ---- carrier ---- */

static void link_changed(struct work *w)
{
	struct netif *n = container_of(w, struct netif, link_work);

	mutex_lock(&n->net->config_lock);
	if (n->listed) {
		n->operstate = READ_ONCE(n->carrier) ? IF_OPER_UP : IF_OPER_DOWN;
		netif_tell(n, NETIF_CHANGED);
	}
	mutex_unlock(&n->net->config_lock);
}

void netif_link_init(struct netif *n)
{
	work_init(&n->link_work, link_changed);
}

void netif_carrier(struct netif *n, bool on)
{
	if (__atomic_exchange_n(&n->carrier, on, __ATOMIC_SEQ_CST) == on)
		return;
	__atomic_fetch_add(&n->carrier_changes, 1, __ATOMIC_RELAXED);
	if (n->net)
		work_queue(&n->link_work);
}
