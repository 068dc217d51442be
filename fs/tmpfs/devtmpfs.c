/* devtmpfs: one tmpfs in which device nodes appear and disappear by themselves. */
#include <core/init.h>
#include <core/log.h>
#include <device/device.h>
#include <lib/string.h>
#include <vfs/rootfs.h>
#include "tmpfs.h"

static struct mount *g_mount; /* immutable after start-up; nodes are made through it */
static struct fs_context *g_fs;

static struct super *devtmpfs_mount(
	const struct fs_type *t, const char *source, u32 flags, const char *data)
{
	struct super *s;

	if (!g_mount)
		return tmpfs_make(t, flags, data, 0755, half_of_memory(), half_of_memory());
	s = g_mount->super; /* every mount shows the same tree */
	ref_get(&s->refs);
	return s;
}

static struct fs_type g_devtmpfs_type = {.name = "devtmpfs", .mount = devtmpfs_mount};

static int add_node(const struct device_node *n)
{
	struct vfs_env env = {.cred = &g_init_cred, .fs = g_fs};
	struct path root = {g_mount, g_mount->root};
	const char *slash = strchr(n->name, '/');
	int err;

	if (slash) {
		char dir[32];

		memcpy(dir, n->name, min_t(size_t, (size_t)(slash - n->name), sizeof(dir) - 1));
		dir[min_t(size_t, (size_t)(slash - n->name), sizeof(dir) - 1)] = 0;
		err = vfs_mkdir(&env, &root, dir, 0755);
		if (err && err != -EEXIST)
			return err;
	}
	return vfs_mknod(&env, &root, n->name, n->mode, n->dev);
}

static void remove_node(const char *name)
{
	struct vfs_env env = {.cred = &g_init_cred, .fs = g_fs};
	struct path root = {g_mount, g_mount->root};
	int err = vfs_unlink(&env, &root, name);

	if (err && err != -ENOENT)
		log_warn("devtmpfs: %s stays: error %s", name, errno_name(err));
}

static int devtmpfs_start(void)
{
	int err = fs_type_register(&g_devtmpfs_type);
	struct mount *m;

	if (err)
		return err;
	m = vfs_kern_mount("devtmpfs", "devtmpfs", NULL);
	if (is_err(m))
		return ptr_err(m);
	g_mount = m;
	g_fs = fs_context_copy(g_init_fs); /* nodes are made with a umask of nobody's */
	if (!g_fs)
		return -ENOMEM;
	g_fs->umask = 0;
	device_nodes_subscribe(add_node, remove_node);
	return 0;
}
INIT_HOOK(INIT_DEVICE, devtmpfs_start);
