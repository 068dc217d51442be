/* Network interfaces in sysfs: linux-doc ABI/testing/sysfs-class-net. */
#include "procfs.h"
#include <lib/printf.h>
#include <lib/string.h>
#include <net/netif.h>

/* What a figure is made of; entry->data says which. */
enum figure {
	ADDRESS,
	BROADCAST,
	IFALIAS,
	OPERSTATE,
	DUPLEX,
	UEVENT,
	FLAGS,
	DEV_ID,
	CARRIER,
	SPEED,
	ADDR_LEN,
	ADDR_ASSIGN,
	CHANGES,
	UPS,
	DOWNS,
	IFINDEX,
	MTU,
	GROUP,
	QLEN,
	TYPE,
	NAME_ASSIGN,
	ZERO,
};

static void show_address(struct seq_buf *s, const struct netif *n, const u8 *addr)
{
	for (u32 i = 0; i < n->addr_len; i++)
		seq_printf(s, i ? ":%02x" : "%02x", addr[i]);
	seq_putc(s, '\n');
}

static s64 number(const struct netif *n, enum figure what)
{
	u32 changes = READ_ONCE(n->carrier_changes);

	switch (what) {
	case ADDR_LEN:
		return n->addr_len;
	case CHANGES:
		return changes;
	case UPS:
		return changes / 2;
	case DOWNS:
		return changes - changes / 2;
	case IFINDEX:
		return n->ifindex;
	case MTU:
		return n->mtu;
	case GROUP:
		return n->group;
	case QLEN:
		return n->tx_queue_len;
	case TYPE:
		return n->type;
	default:
		return 0;
	}
}

/* These two are only known while the interface is up. */
static int show_running(struct seq_buf *s, const struct netif *n, enum figure what)
{
	if (!netif_running(n))
		return -EINVAL;
	if (what == CARRIER)
		seq_printf(s, "%d\n", READ_ONCE(n->carrier));
	else if (n->type != ARPHRD_ETHER)
		return -EINVAL;
	else if (what == SPEED)
		seq_printf(s, "%d\n", (int)n->speed_mbps);
	else
		seq_puts(s, n->duplex == 1 ? "full\n" : n->duplex ? "unknown\n" : "half\n");
	return 0;
}

static const char *state_name(const struct netif *n)
{
	static const char *const names[] = {
		"unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"};

	return names[netif_operstate(n) % ARRAY_SIZE(names)];
}

static int show_of(struct seq_buf *s, struct netif *n, enum figure what)
{
	switch (what) {
	case ADDRESS:
		show_address(s, n, n->addr);
		return 0;
	case BROADCAST:
		show_address(s, n, n->broadcast);
		return 0;
	case IFALIAS:
		if (n->alias[0])
			seq_printf(s, "%s\n", n->alias);
		return 0;
	case OPERSTATE:
		seq_printf(s, "%s\n", state_name(n));
		return 0;
	case CARRIER:
	case SPEED:
	case DUPLEX:
		return show_running(s, n, what);
	case UEVENT:
		seq_printf(s, "INTERFACE=%s\nIFINDEX=%d\n", n->name, n->ifindex);
		return 0;
	case FLAGS:
		seq_printf(s, "0x%x\n", n->flags);
		return 0;
	case DEV_ID:
		seq_puts(s, "0x0\n");
		return 0;
	default:
		seq_printf(s, "%lld\n", (long long)number(n, what));
		return 0;
	}
}

static struct netif *netif_of(const struct proc_node *node)
{
	struct netif *n;

	rcu_read_lock();
	n = netif_by_index(&g_init_net, (int)node->key);
	if (n)
		get_netif(n);
	rcu_read_unlock();
	return n;
}

static int show(struct seq_buf *s, struct proc_node *node)
{
	struct netif *n = netif_of(node);
	int err;

	if (!n)
		return -ENODEV;
	err = show_of(s, n, (enum figure)(uintptr_t)node->entry->data);
	put_netif(n);
	return err;
}

static int show_statistic(struct seq_buf *s, struct proc_node *node)
{
	struct netif *n = netif_of(node);
	struct rtnl_link_stats64 t;

	if (!n)
		return -ENODEV;
	netif_get_stats(n, &t);
	put_netif(n);
	seq_printf(s, "%llu\n", *(u64 *)((u8 *)&t + (uintptr_t)node->entry->data));
	return 0;
}

static int subsystem_text(struct proc_node *n, char *buf, size_t size)
{
	ksnprintf(buf, size, "../../../../class/net");
	return 0;
}

#define FILE(name_, what)                                                                   \
	{                                                                                   \
		.name = name_, .mode = S_IFREG | 0444, .show = show, .data = (void *)(what) \
	}
#define STAT(field)                                                             \
	{                                                                       \
		.name = #field, .mode = S_IFREG | 0444, .show = show_statistic, \
		.data = (void *)offsetof(struct rtnl_link_stats64, field)       \
	}

static const struct proc_entry g_statistics[] = {STAT(collisions), STAT(multicast), STAT(rx_bytes),
	STAT(rx_compressed), STAT(rx_crc_errors), STAT(rx_dropped), STAT(rx_errors),
	STAT(rx_fifo_errors), STAT(rx_frame_errors), STAT(rx_length_errors), STAT(rx_missed_errors),
	STAT(rx_nohandler), STAT(rx_over_errors), STAT(rx_packets), STAT(tx_aborted_errors),
	STAT(tx_bytes), STAT(tx_carrier_errors), STAT(tx_compressed), STAT(tx_dropped),
	STAT(tx_errors), STAT(tx_fifo_errors), STAT(tx_heartbeat_errors), STAT(tx_packets),
	STAT(tx_window_errors), {0}};

static const struct proc_entry g_files[] = {
	FILE("addr_assign_type", ADDR_ASSIGN),
	FILE("addr_len", ADDR_LEN),
	FILE("address", ADDRESS),
	FILE("broadcast", BROADCAST),
	FILE("carrier", CARRIER),
	FILE("carrier_changes", CHANGES),
	FILE("carrier_down_count", DOWNS),
	FILE("carrier_up_count", UPS),
	FILE("dev_id", DEV_ID),
	FILE("dev_port", ZERO),
	FILE("dormant", ZERO),
	FILE("duplex", DUPLEX),
	FILE("flags", FLAGS),
	FILE("ifalias", IFALIAS),
	FILE("ifindex", IFINDEX),
	FILE("iflink", IFINDEX),
	FILE("link_mode", ZERO),
	FILE("mtu", MTU),
	FILE("name_assign_type", NAME_ASSIGN),
	FILE("netdev_group", GROUP),
	FILE("operstate", OPERSTATE),
	FILE("proto_down", ZERO),
	FILE("speed", SPEED),
	{.name = "statistics", .mode = S_IFDIR | 0755, .children = g_statistics},
	{.name = "subsystem", .mode = S_IFLNK | 0777, .text = subsystem_text},
	FILE("tx_queue_len", QLEN),
	FILE("type", TYPE),
	FILE("uevent", UEVENT),
	{0},
};
static const struct proc_entry g_netif_entry = {.mode = S_IFDIR | 0755, .children = g_files};

static int link_text(struct proc_node *node, char *buf, size_t size)
{
	struct netif *n = netif_of(node);

	if (!n)
		return -ENOENT;
	ksnprintf(buf, size, "../../devices/virtual/net/%s", n->name);
	put_netif(n);
	return 0;
}
static const struct proc_entry g_link_entry = {.mode = S_IFLNK | 0777, .text = link_text};

static int find(const char *name, size_t len, const struct proc_entry *e, struct proc_node *out)
{
	char text[IFNAMSIZ];
	struct netif *n;

	if (len >= sizeof(text))
		return -ENOENT;
	memcpy(text, name, len);
	text[len] = 0;
	rcu_read_lock();
	n = netif_by_name(&g_init_net, text);
	if (n)
		*out = (struct proc_node){.entry = e, .key = (u64)n->ifindex};
	rcu_read_unlock();
	return n ? 0 : -ENOENT;
}

static int find_netif(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	return find(name, len, &g_netif_entry, out);
}

static int find_link(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	return find(name, len, &g_link_entry, out);
}

static int next(u64 *cookie, char *name, size_t size)
{
	struct netif *n;
	int len = 0;

	rcu_read_lock();
	n = netif_next(&g_init_net, (int)*cookie);
	if (n) {
		*cookie = (u64)n->ifindex - 1; /* the caller goes on behind it */
		len = ksnprintf(name, size, "%s", n->name);
	}
	rcu_read_unlock();
	return len;
}

static int next_netif(struct proc_node *dir, u64 *cookie, char *name, size_t size, u8 *type)
{
	*type = S_IFDIR >> 12;
	return next(cookie, name, size);
}

static int next_link(struct proc_node *dir, u64 *cookie, char *name, size_t size, u8 *type)
{
	*type = S_IFLNK >> 12;
	return next(cookie, name, size);
}

const struct proc_dir_ops g_netifs_dir = {.find = find_netif, .next = next_netif};
const struct proc_dir_ops g_class_net_links = {.find = find_link, .next = next_link};
