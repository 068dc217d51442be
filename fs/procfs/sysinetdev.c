/* /proc/sys/net/ipv[46]/conf and neigh: a directory for each interface, for all and the default. */
#include "procfs.h"
#include <inet/inet.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <net/netif.h>

/* The key of a node: whose the variables are, and a variable's number above that. */
static int whose(const struct proc_node *n)
{
	return (int)(u32)n->key;
}

static u32 number(const struct proc_node *n)
{
	return (u32)(n->key >> 32);
}

static enum inet_dev_group group(const struct proc_node *n)
{
	return (enum inet_dev_group)(uintptr_t)n->entry->data;
}

/* ---- variables ---- */

static int show_variable(struct seq_buf *s, struct proc_node *n)
{
	s32 value;
	int err = inet_dev_sysctl_get(&g_init_net, group(n), whose(n), number(n), &value);

	if (!err)
		seq_printf(s, "%d\n", value);
	return err;
}

static int store_variable(struct proc_node *n, char *text, size_t len)
{
	s64 v;
	int used = proc_one_within(text, len, INT_MIN, INT_MAX, &v), err;

	if (used <= 0)
		return used;
	err = inet_dev_sysctl_set(&g_init_net, group(n), whose(n), number(n), (s32)v);
	return err ? err : used;
}

#define VARIABLE(group_)                    \
	[group_] = {.mode = S_IFREG | 0644, \
		.show = show_variable,      \
		.store = store_variable,    \
		.data = (void *)(uintptr_t)(group_)}
static const struct proc_entry g_variables[] = {
	VARIABLE(INET_CONF4), VARIABLE(INET_CONF6), VARIABLE(INET_NEIGH4), VARIABLE(INET_NEIGH6)};

static int find_variable(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	const char *is;

	for (u32 i = 0; (is = inet_dev_variable(group(dir), whose(dir), i)); i++)
		if (strlen(is) == len && memcmp(is, name, len) == 0) {
			*out = (struct proc_node){.entry = &g_variables[group(dir)],
				.key = (u32)dir->key | (u64)i << 32};
			return 0;
		}
	return -ENOENT;
}

static int next_variable(struct proc_node *dir, u64 *cookie, char *name, size_t size, u8 *type)
{
	const char *is = inet_dev_variable(group(dir), whose(dir), (u32)*cookie);

	*type = S_IFREG >> 12;
	return is ? ksnprintf(name, size, "%s", is) : 0;
}

/* ---- directories ---- */

static const struct proc_dir_ops g_variables_dir = {.find = find_variable, .next = next_variable};
#define DEVICE(group_)                      \
	[group_] = {.mode = S_IFDIR | 0555, \
		.dir = &g_variables_dir,    \
		.data = (void *)(uintptr_t)(group_)}
static const struct proc_entry g_devices[] = {
	DEVICE(INET_CONF4), DEVICE(INET_CONF6), DEVICE(INET_NEIGH4), DEVICE(INET_NEIGH6)};

/* Names that are no interfaces, in the order of their cookies. */
static const struct {
	const char *name;
	int whose;
} g_sets[] = {{"default", INET_CONF_DEFAULT}, {"all", INET_CONF_ALL}};

static u32 nr_sets(const struct proc_node *dir)
{
	return group(dir) == INET_CONF4 || group(dir) == INET_CONF6 ? 2 : 1;
}

static int find_device(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	char text[IFNAMSIZ];
	struct netif *n;
	int found = -2;

	if (len >= sizeof(text))
		return -ENOENT;
	memcpy(text, name, len);
	text[len] = 0;
	for (u32 i = 0; i < nr_sets(dir); i++)
		if (strcmp(text, g_sets[i].name) == 0)
			found = g_sets[i].whose;
	if (found == -2) {
		rcu_read_lock();
		n = netif_by_name(&g_init_net, text);
		if (n)
			found = n->ifindex;
		rcu_read_unlock();
	}
	*out = (struct proc_node){.entry = &g_devices[group(dir)], .key = (u32)found};
	return found == -2 ? -ENOENT : 0;
}

static int next_device(struct proc_node *dir, u64 *cookie, char *name, size_t size, u8 *type)
{
	u32 sets = nr_sets(dir);
	struct netif *n;
	int len = 0;

	*type = S_IFDIR >> 12;
	if (*cookie < sets)
		return ksnprintf(name, size, "%s", g_sets[*cookie].name);
	rcu_read_lock();
	n = netif_next(&g_init_net, (int)(*cookie - sets));
	if (n) {
		*cookie = (u64)n->ifindex - 1 + sets; /* the caller goes on behind it */
		len = ksnprintf(name, size, "%s", n->name);
	}
	rcu_read_unlock();
	return len;
}

const struct proc_dir_ops g_inet_devs_dir = {.find = find_device, .next = next_device};
