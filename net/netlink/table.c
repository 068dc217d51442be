/* Addresses and groups of sockets. */
#include "nl.h"
#include <core/init.h>
#include <core/trace.h>
#include <lib/err.h>
#include <lib/xarray.h>
#include <kmem/slab.h>

#define AUTO_TRIES 1000

static struct mutex g_lock = MUTEX_INIT(g_lock, RANK_MUTEX_LEAF);

struct ports {                              /* of a namespace */
	struct xarray by_portid[MAX_LINKS]; /* RCU; g_lock */
};
static int g_slot;

struct nl_protocol g_nl_protocols[MAX_LINKS] = {
	[NETLINK_ROUTE] = {.exists = true, .any_may_listen = true, .request = rtnl_request},
	[NETLINK_USERSOCK] = {.exists = true, .any_may_send = true},
	[NETLINK_SOCK_DIAG] = {.exists = true, .any_may_listen = true, .request = diag_request},
	[NETLINK_KOBJECT_UEVENT] = {.exists = true, .any_may_listen = true},
	[NETLINK_GENERIC] = {.exists = true, .any_may_listen = true, .request = genl_request},
};

static struct xarray *ports_of(struct net *net, int protocol)
{
	return &((struct ports *)net->slots[g_slot])->by_portid[protocol];
}

struct nl_sock *nl_find(struct net *net, int protocol, u32 portid)
{
	struct nl_sock *s;

	rcu_read_lock();
	s = xa_load(ports_of(net, protocol), portid);
	if (s && !ref_get_unless_zero(&s->sk.refs))
		s = NULL;
	rcu_read_unlock();
	return s;
}

void nl_each(struct net *net, int protocol, void (*fn)(struct nl_sock *s, void *arg), void *arg)
{
	struct nl_sock *s;
	u64 portid;

	mutex_lock(&g_lock);
	xa_for_each(ports_of(net, protocol), portid, s)
		fn(s, arg);
	mutex_unlock(&g_lock);
}

static int bind_locked(struct nl_sock *s, u32 portid)
{
	struct xarray *xa = ports_of(s->sk.net, s->sk.protocol);
	int err;

	if (s->portid)
		return s->portid == portid ? 0 : -EINVAL;
	if (xa_load(xa, portid))
		return -EADDRINUSE;
	err = xa_store(xa, portid, s, GFP_KERNEL);
	if (!err)
		WRITE_ONCE(s->portid, portid);
	return err;
}

int nl_bind(struct nl_sock *s, u32 portid)
{
	int err;

	mutex_lock(&g_lock);
	err = bind_locked(s, portid);
	mutex_unlock(&g_lock);
	return err;
}

int nl_autobind(struct nl_sock *s)
{
	u32 portid = nl_self();
	int err = 0;

	if (READ_ONCE(s->portid))
		return 0;
	mutex_lock(&g_lock);
	for (int i = 0; i < AUTO_TRIES && !s->portid; i++) {
		err = bind_locked(s, portid);
		if (err != -EADDRINUSE)
			break;
		portid = (u32)(-4096 - (s32)(random_u64() % 0x7ffff000u)); /* never a process */
	}
	mutex_unlock(&g_lock);
	return err;
}

static void list_or_unlist(struct nl_sock *s)
{
	bool any = false;

	for (u32 i = 0; i < ARRAY_SIZE(s->groups); i++)
		any |= s->groups[i] != 0;
	if (any == s->listening)
		return;
	s->listening = any;
	if (any) {
		list_add_tail(&s->listen, &g_nl_protocols[s->sk.protocol].listeners);
	} else {
		list_del_rcu(&s->listen);
		rcu_synchronize(); /* it may be listed again */
	}
}

void nl_set_groups32(struct nl_sock *s, u32 mask)
{
	mutex_lock(&g_lock);
	WRITE_ONCE(s->groups[0], (s->groups[0] & ~0xffffffffull) | mask);
	list_or_unlist(s);
	mutex_unlock(&g_lock);
}

int nl_set_group(struct nl_sock *s, u32 group, bool on)
{
	u64 bit = 1ull << (group - 1) % 64, *word;

	if (!group || group > NL_GROUPS)
		return -EINVAL;
	word = &s->groups[(group - 1) / 64];
	mutex_lock(&g_lock);
	WRITE_ONCE(*word, on ? *word | bit : *word & ~bit);
	list_or_unlist(s);
	mutex_unlock(&g_lock);
	return 0;
}

void nl_unbind(struct nl_sock *s)
{
	mutex_lock(&g_lock);
	if (s->portid)
		xa_erase(ports_of(s->sk.net, s->sk.protocol), s->portid);
	if (s->listening)
		list_del_rcu(&s->listen);
	s->listening = false;
	mutex_unlock(&g_lock);
}

static int ports_init(struct net *net, int slot)
{
	struct ports *p = kzalloc(sizeof(*p), GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	net->slots[slot] = p;
	return 0;
}

static void ports_exit(struct net *net, int slot)
{
	kfree(net->slots[slot]);
}

static int table_init(void)
{
	static const struct net_module module = {
		.name = "netlink", .init = ports_init, .exit = ports_exit};

	for (int i = 0; i < MAX_LINKS; i++)
		list_init(&g_nl_protocols[i].listeners);
	g_slot = net_module_register(&module);
	return 0;
}
INIT_HOOK(INIT_CORE, table_init);
