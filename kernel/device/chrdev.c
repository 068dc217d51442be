/* Character devices by number, and device nodes by name. */
#include <core/log.h>
#include <device/device.h>
#include <kmem/slab.h>
#include <lib/seq_buf.h>
#include <lib/string.h>
#include <vfs/file.h>

struct range {
	struct range *next; /* published; never removed */
	u32 major, minor, count;
	const char *name;
	const struct file_ops *fops;
};

#define NR_MAJORS 512
static struct range *g_majors[NR_MAJORS]; /* RCU lists, by order of coming; g_lock for writers */
static DEFINE_SPINLOCK(g_lock, RANK_DEVICE);

static struct mutex g_nodes_lock = MUTEX_INIT(g_nodes_lock, RANK_CGROUP);
static LIST_HEAD(g_nodes); /* g_nodes_lock */
static int (*g_add)(const struct device_node *n);
static void (*g_remove)(const char *name);

int chrdev_register(u32 major, u32 minor, u32 count, const char *name, const struct file_ops *fops)
{
	struct range *r = kmalloc(sizeof(*r), GFP_KERNEL), *o, **to;

	if (!r)
		return -ENOMEM;
	*r = (struct range){NULL, major, minor, count, name, fops};
	spin_lock(&g_lock);
	for (o = g_majors[major % NR_MAJORS]; o; o = o->next)
		if (o->major == major && minor < o->minor + o->count && o->minor < minor + count) {
			spin_unlock(&g_lock);
			kfree(r);
			return -EBUSY;
		}
	for (to = &g_majors[major % NR_MAJORS]; *to; to = &(*to)->next)
		;
	rcu_publish(*to, r);
	spin_unlock(&g_lock);
	return 0;
}

const struct file_ops *chrdev_find(kdev_t dev)
{
	struct range *r;

	for (r = rcu_load(g_majors[dev_major(dev) % NR_MAJORS]); r; r = r->next)
		if (r->major == dev_major(dev) && dev_minor(dev) - r->minor < r->count)
			return r->fops;
	return NULL;
}

#define BLOCK_MAJORS 16
static struct {
	u32 major;
	const char *name;
} g_block_majors[BLOCK_MAJORS]; /* by number; written at start-up only */

void block_major_add(u32 major, const char *name)
{
	u32 n = 0;

	while (n < BLOCK_MAJORS && g_block_majors[n].name && g_block_majors[n].major < major)
		n++;
	if (n == BLOCK_MAJORS || (g_block_majors[n].name && g_block_majors[n].major == major))
		return;
	for (u32 i = BLOCK_MAJORS - 1; i > n; i--)
		g_block_majors[i] = g_block_majors[i - 1];
	g_block_majors[n].major = major;
	g_block_majors[n].name = name;
}

void devices_show(struct seq_buf *s)
{
	seq_puts(s, "Character devices:\n");
	for (u32 m = 0; m < NR_MAJORS; m++) {
		struct range *r, *seen;

		for (r = rcu_load(g_majors[m]); r; r = r->next) {
			for (seen = rcu_load(g_majors[m]); seen != r; seen = seen->next)
				if (strcmp(seen->name, r->name) == 0)
					break;
			if (seen == r)
				seq_printf(s, "%3u %s\n", r->major, r->name);
		}
	}
	seq_puts(s, "\nBlock devices:\n");
	for (u32 n = 0; n < BLOCK_MAJORS && g_block_majors[n].name; n++)
		seq_printf(s, "%3u %s\n", g_block_majors[n].major, g_block_majors[n].name);
}

/* ---- nodes
 * ------------------------------------------------------------------------------------------- */

int devtmpfs_add(const char *name, kmode_t mode, kdev_t dev)
{
	struct device_node *n = kzalloc(sizeof(*n), GFP_KERNEL);
	int err = 0;

	if (n)
		n->name = kstrdup(name, GFP_KERNEL);
	if (!n || !n->name) {
		kfree(n);
		return -ENOMEM;
	}
	n->mode = mode;
	n->dev = dev;
	mutex_lock(&g_nodes_lock);
	list_add_tail(&n->link, &g_nodes);
	if (g_add)
		err = g_add(n);
	mutex_unlock(&g_nodes_lock);
	return err;
}

void devtmpfs_remove(const char *name)
{
	struct device_node *n;

	mutex_lock(&g_nodes_lock);
	list_for_each_entry(n, &g_nodes, link)
		if (strcmp(n->name, name) == 0) {
			list_del(&n->link);
			if (g_remove)
				g_remove(name);
			kfree(n->name);
			kfree(n);
			break;
		}
	mutex_unlock(&g_nodes_lock);
}

void device_nodes_subscribe(
	int (*add)(const struct device_node *n), void (*remove)(const char *name))
{
	struct device_node *n;

	mutex_lock(&g_nodes_lock);
	g_add = add;
	g_remove = remove;
	list_for_each_entry(n, &g_nodes, link) {
		int err = add(n);

		if (err)
			log_err("devtmpfs: no node %s: error %s", n->name, errno_name(err));
	}
	mutex_unlock(&g_nodes_lock);
}
