/* The first root file system. */
#include <core/log.h>
#include <vfs/rootfs.h>
#include "internal.h"

int rootfs_mount(void)
{
	struct mount *m = vfs_kern_mount("rootfs", "rootfs", NULL);
	struct vfs_env env;
	int err;

	if (is_err(m))
		return ptr_err(m);
	err = namespace_set_root(m);
	if (err)
		return err;
	g_init_fs = fs_context_copy(NULL);
	if (!g_init_fs)
		return -ENOMEM;
	env = (struct vfs_env){.cred = &g_init_cred, .fs = g_init_fs};
	err = vfs_mkdir(&env, NULL, "/dev", 0755);
	err = err ?: vfs_mknod(&env, NULL, "/dev/console", S_IFCHR | 0600, dev_make(5, 1));
	return err ?: vfs_mkdir(&env, NULL, "/root", 0700);
}
