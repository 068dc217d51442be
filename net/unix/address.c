/*
 * Names: a path is a socket inode in the file system, found by its inode; an abstract name is found
 * by its bytes. Both live in one hash table; a bucket's lock guards its list.
 */
#include <core/init.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/hash.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/stat.h>
#include "unix.h"

#define NAME_BUCKETS 1024u
#define PATH_OFFSET  offsetof(struct sockaddr_un, sun_path)

static struct name_bucket {
	struct spinlock lock; /* RANK_SOCKET_LEAF */
	struct hlist_head list;
} g_names[NAME_BUCKETS];

int unix_check_addr(struct sockaddr_un *name, u32 *len)
{
	if (*len <= PATH_OFFSET || *len > sizeof(*name) || name->sun_family != AF_UNIX)
		return -EINVAL;
	if (name->sun_path[0]) { /* a path: to its NUL, which may be missing */
		u32 n = (u32)strnlen(name->sun_path, *len - PATH_OFFSET);

		*len = (u32)PATH_OFFSET + n + 1;
	}
	return 0;
}

void put_unix_addr(struct unix_addr *a)
{
	if (a && ref_put(&a->refs))
		kfree(a);
}

static struct name_bucket *abstract_bucket(const struct sockaddr_un *name, u32 len, int type)
{
	return &g_names[hash_name(name->sun_path, len - PATH_OFFSET, (u64)type) % NAME_BUCKETS];
}

static struct name_bucket *inode_bucket(const struct inode *i)
{
	return &g_names[hash_ptr(i) % NAME_BUCKETS];
}

static struct usock *search_abstract(
	struct name_bucket *b, const struct sockaddr_un *name, u32 len, int type)
{
	struct usock *u;

	hlist_for_each_entry(u, &b->list, name_link)
		if (!u->inode && u->sk.type == type && u->addr->len == len &&
			memcmp(&u->addr->name, name, len) == 0)
			return u;
	return NULL;
}

static struct unix_addr *make_addr(const struct sockaddr_un *name, u32 len)
{
	struct unix_addr *a = kzalloc(sizeof(*a), GFP_KERNEL);

	if (!a)
		return NULL;
	ref_init(&a->refs, 1);
	a->len = len;
	memcpy(&a->name, name, len);
	return a;
}

/* Give u the abstract name; -EADDRINUSE. bind_lock held. */
static int take_abstract(struct usock *u, struct unix_addr *a)
{
	struct name_bucket *b = abstract_bucket(&a->name, a->len, u->sk.type);
	int err = 0;

	spin_lock(&u->sk.lock);
	spin_lock(&b->lock);
	if (search_abstract(b, &a->name, a->len, u->sk.type)) {
		err = -EADDRINUSE;
	} else {
		rcu_publish(u->addr, a);
		hlist_add_head(&u->name_link, &b->list);
	}
	spin_unlock(&b->lock);
	spin_unlock(&u->sk.lock);
	return err;
}

int unix_autobind(struct usock *u)
{
	static u32 next;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	u32 len = PATH_OFFSET + 1 + 5;
	struct unix_addr *a;
	int err = 0;

	mutex_lock(&u->bind_lock);
	if (u->addr)
		goto out;
	a = make_addr(&name, len);
	err = -ENOMEM;
	if (!a)
		goto out;
	for (u32 i = 0; i <= 0xfffff; i++) { /* every name of five hex digits */
		char text[8];

		ksnprintf(text, sizeof(text), "%05x",
			__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) & 0xfffff);
		memcpy(a->name.sun_path + 1, text, 5);
		err = take_abstract(u, a);
		if (err != -EADDRINUSE)
			break;
		err = -ENOSPC;
		cond_resched();
	}
	if (err)
		put_unix_addr(a);
out:
	mutex_unlock(&u->bind_lock);
	return err;
}

static int bind_path(struct usock *u, struct unix_addr *a)
{
	struct vfs_env env = current_env();
	struct name_bucket *b;
	struct path path;
	int err = vfs_mknod(&env, NULL, a->name.sun_path,
		S_IFSOCK | (READ_ONCE(u->sk.file) ? u->sk.file->inode->mode & 0777 : 0777), 0);

	if (err)
		return err == -EEXIST ? -EADDRINUSE : err;
	err = vfs_lookup(&env, NULL, a->name.sun_path, 0, &path);
	if (err)
		return err;
	if (!S_ISSOCK(path.dentry->inode->mode)) { /* somebody put another thing there */
		put_path(&path);
		return -EADDRINUSE;
	}
	b = inode_bucket(path.dentry->inode);
	spin_lock(&u->sk.lock);
	spin_lock(&b->lock);
	u->path = path;
	u->inode = path.dentry->inode;
	rcu_publish(u->addr, a);
	hlist_add_head(&u->name_link, &b->list);
	spin_unlock(&b->lock);
	spin_unlock(&u->sk.lock);
	return 0;
}

int unix_bind(struct sock *sk, struct __kernel_sockaddr_storage *addr, u32 len)
{
	struct usock *u = usock_of(sk);
	struct sockaddr_un name;
	struct unix_addr *a;
	int err;

	if (len == sizeof(name.sun_family) && addr->ss_family == AF_UNIX)
		return unix_autobind(u);
	if (len > sizeof(name))
		return -EINVAL;
	memset(&name, 0, sizeof(name));
	memcpy(&name, addr, len);
	err = unix_check_addr(&name, &len);
	if (err)
		return err;
	if (name.sun_path[0] && len > sizeof(name)) /* 108 bytes without a NUL: one longer */
		len = sizeof(name) + 1;
	a = kzalloc(sizeof(*a) + 1, GFP_KERNEL);
	if (!a)
		return -ENOMEM;
	ref_init(&a->refs, 1);
	a->len = len;
	memcpy(&a->name, &name, min_t(u32, len, sizeof(name)));
	mutex_lock(&u->bind_lock);
	if (u->addr)
		err = -EINVAL;
	else
		err = name.sun_path[0] ? bind_path(u, a) : take_abstract(u, a);
	mutex_unlock(&u->bind_lock);
	if (err)
		put_unix_addr(a);
	return err;
}

void unix_unbind(struct usock *u)
{
	struct name_bucket *b;

	if (!u->addr || hlist_unhashed(&u->name_link))
		return;
	b = u->inode ? inode_bucket(u->inode)
		     : abstract_bucket(&u->addr->name, u->addr->len, u->sk.type);
	spin_lock(&b->lock);
	hlist_del(&u->name_link);
	spin_unlock(&b->lock);
	if (u->inode)
		put_path(&u->path);
}

static struct usock *find_path(const char *text, int type)
{
	struct vfs_env env = current_env();
	struct name_bucket *b;
	struct usock *u, *found = NULL;
	struct inode *i;
	struct path path;
	int err = vfs_lookup(&env, NULL, text, LOOKUP_FOLLOW, &path);

	if (err)
		return err_ptr(err);
	i = path.dentry->inode;
	err = inode_permission(i, MAY_WRITE, env.cred);
	if (!err && !S_ISSOCK(i->mode))
		err = -ECONNREFUSED;
	if (err) {
		put_path(&path);
		return err_ptr(err);
	}
	b = inode_bucket(i);
	spin_lock(&b->lock);
	hlist_for_each_entry(u, &b->list, name_link)
		if (u->inode == i) {
			found = u;
			get_sock(&u->sk);
			break;
		}
	spin_unlock(&b->lock);
	if (found && found->sk.type == type)
		inode_touch(i, ATTR_ATIME);
	put_path(&path);
	if (!found)
		return err_ptr(-ECONNREFUSED);
	if (found->sk.type != type) {
		put_sock(&found->sk);
		return err_ptr(-EPROTOTYPE);
	}
	return found;
}

struct usock *unix_find(struct sockaddr_un *name, u32 len, int type)
{
	struct name_bucket *b;
	struct usock *u;

	if (name->sun_path[0]) {
		char text[UNIX_PATH_MAX + 1];

		memcpy(text, name->sun_path, UNIX_PATH_MAX);
		text[min_t(u32, len - PATH_OFFSET, UNIX_PATH_MAX)] = 0;
		return find_path(text, type);
	}
	b = abstract_bucket(name, len, type);
	spin_lock(&b->lock);
	u = search_abstract(b, name, len, type);
	if (u)
		get_sock(&u->sk);
	spin_unlock(&b->lock);
	return u ? u : err_ptr(-ECONNREFUSED);
}

static int address_init(void)
{
	for (u32 i = 0; i < NAME_BUCKETS; i++)
		spin_init(&g_names[i].lock, RANK_SOCKET_LEAF);
	return 0;
}
INIT_HOOK(INIT_CORE, address_init);
