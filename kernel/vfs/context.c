/* A task's place in the tree: root, working directory, umask. */
#include <core/log.h>
#include <kmem/slab.h>
#include "internal.h"

static SLAB_CACHE(g_context_cache, struct fs_context);
struct fs_context *g_init_fs;
static LIST_HEAD(g_contexts); /* g_contexts_lock */
static DEFINE_SPINLOCK(g_contexts_lock, RANK_FDTABLE);

struct fs_context *fs_context_copy(struct fs_context *old)
{
	struct fs_context *fs = slab_alloc(&g_context_cache, GFP_KERNEL);

	if (!fs)
		return NULL;
	ref_init(&fs->refs, 1);
	spin_init(&fs->lock, RANK_FS);
	fs->users = 1;
	fs->execs = 0;
	spin_lock(&g_contexts_lock);
	if (old) {
		spin_lock(&old->lock);
		fs->root = old->root;
		fs->cwd = old->cwd;
		fs->umask = old->umask;
		fs->ns = old->ns;
		get_path(&fs->root);
		get_path(&fs->cwd);
		spin_unlock(&old->lock);
	} else {
		fs->root = fs->cwd = (struct path){
			g_init_mount_ns->root, g_init_mount_ns->root->root};
		fs->umask = 022;
		fs->ns = g_init_mount_ns;
		get_path(&fs->root);
		get_path(&fs->cwd);
	}
	list_add_tail(&fs->link, &g_contexts);
	spin_unlock(&g_contexts_lock);
	return fs;
}

int fs_context_join(struct fs_context *fs)
{
	int err = 0;

	spin_lock(&fs->lock);
	if (fs->execs)
		err = -EAGAIN;
	else
		fs->users++;
	spin_unlock(&fs->lock);
	if (!err)
		ref_get(&fs->refs);
	return err;
}

void put_fs_context(struct fs_context *fs)
{
	if (!ref_put(&fs->refs))
		return;
	spin_lock(&g_contexts_lock);
	list_del(&fs->link);
	spin_unlock(&g_contexts_lock);
	put_path(&fs->root);
	put_path(&fs->cwd);
	slab_free(&g_context_cache, fs);
}

/* Set root or cwd; the reference is handed over. */
void fs_context_set_root(struct fs_context *fs, struct path p)
{
	spin_lock(&fs->lock);
	swap(fs->root, p);
	spin_unlock(&fs->lock);
	put_path(&p);
}

void fs_context_set_cwd(struct fs_context *fs, struct path p)
{
	spin_lock(&fs->lock);
	swap(fs->cwd, p);
	spin_unlock(&fs->lock);
	put_path(&p);
}

void fs_contexts_pivot(const struct path *from, const struct path *to)
{
	struct fs_context *fs;
	u32 dropped = 0;

	spin_lock(&g_contexts_lock);
	list_for_each_entry(fs, &g_contexts, link) {
		struct path *both[] = {&fs->root, &fs->cwd};

		spin_lock(&fs->lock);
		for (int i = 0; i < 2; i++)
			if (path_equal(both[i], from)) {
				get_path(to);
				*both[i] = *to;
				dropped++;
			}
		spin_unlock(&fs->lock);
	}
	spin_unlock(&g_contexts_lock);
	while (dropped--)
		put_path(from); /* the caller holds one of its own */
}
