/* Tables of objects: ids, keys, permissions. */
#include "table.h"
#include <kmem/slab.h>
#include <process/task.h>
#include <sched/timer.h>

#define INDEX_BITS 15
#define MIN_WINDOW 64 /* indexes that are used before the first one comes again */

static_assert(1 << INDEX_BITS == SYSV_IPC_MNI, "an index names one of SYSV_IPC_MNI objects");

s32 ipc_current_pid(void)
{
	return thread_is_task(current_thread()) ? process_pid(current_process()) : 0;
}

s64 ipc_now(void)
{
	return clock_real_ns() / NS_PER_SEC;
}

static u32 index_of(s32 id)
{
	return (u32)id & (SYSV_IPC_MNI - 1);
}

void ipc_table_init(struct ipc_table *t, const int *limit, void (*free)(struct ipc_object *o))
{
	rwsem_init(&t->lock, RANK_MUTEX_LEAF);
	t->limit = limit;
	t->free = free;
}

/* ---- permissions ---- */

bool ipc_permits(const struct ipc_object *o, int bits)
{
	const struct cred *c = current_cred();
	u32 wanted = (u32)(bits >> 6 | bits >> 3 | bits) & 7, granted = o->mode;

	if (c->euid == o->cuid || c->euid == o->uid)
		granted >>= 6;
	else if (cred_in_egroup(c, o->cgid) || cred_in_egroup(c, o->gid))
		granted >>= 3;
	return !(wanted & ~granted) || capable(CAP_IPC_OWNER);
}

bool ipc_is_owner(const struct ipc_object *o)
{
	const struct cred *c = current_cred();

	return c->euid == o->cuid || c->euid == o->uid || capable(CAP_SYS_ADMIN);
}

int ipc_change(struct ipc_object *o, const struct sysv_change *c)
{
	if (c->uid == (kuid_t)-1 || c->gid == (kgid_t)-1)
		return -EINVAL;
	o->uid = c->uid;
	o->gid = c->gid;
	o->mode = (o->mode & ~IPC_MODE) | (c->mode & IPC_MODE);
	return 0;
}

void ipc_fill_perm(const struct ipc_object *o, struct ipc64_perm *p)
{
	*p = (struct ipc64_perm){
		.key = o->key,
		.uid = o->uid,
		.gid = o->gid,
		.cuid = o->cuid,
		.cgid = o->cgid,
		.mode = o->mode,
		.seq = (u16)((u32)o->id >> INDEX_BITS),
	};
}

/* ---- looking up ---- */

static struct ipc_object *lock_index(struct ipc_table *t, u32 index)
{
	struct ipc_object *o;

	rcu_read_lock();
	o = xa_load(&t->objects, index);
	if (o)
		spin_lock(&o->lock);
	rcu_read_unlock();
	if (!o)
		return err_ptr(-EINVAL);
	if (o->removed) {
		spin_unlock(&o->lock);
		return err_ptr(-EIDRM);
	}
	return o;
}

struct ipc_object *ipc_lock(struct ipc_table *t, s32 id)
{
	struct ipc_object *o;

	if (id < 0)
		return err_ptr(-EINVAL);
	o = lock_index(t, index_of(id));
	if (!is_err(o) && o->id != id) {
		spin_unlock(&o->lock);
		return err_ptr(-EINVAL);
	}
	return o;
}

int ipc_relock(struct ipc_object *o)
{
	spin_lock(&o->lock);
	if (!o->removed)
		return 0;
	spin_unlock(&o->lock);
	return -EIDRM;
}

struct ipc_object *ipc_lock_stat(struct ipc_table *t, s32 id, enum sysv_by by)
{
	struct ipc_object *o;

	if (id < 0)
		return err_ptr(-EINVAL);
	o = by == SYSV_BY_ID ? ipc_lock(t, id) : lock_index(t, index_of(id));
	if (!is_err(o) && by != SYSV_BY_INDEX_ANY && !ipc_permits(o, IPC_READ)) {
		spin_unlock(&o->lock);
		return err_ptr(-EACCES);
	}
	return o;
}

struct ipc_object *ipc_lock_owned(struct ipc_table *t, s32 id)
{
	struct ipc_object *o = ipc_lock(t, id);

	if (!is_err(o) && !ipc_is_owner(o)) {
		spin_unlock(&o->lock);
		return err_ptr(-EPERM);
	}
	return o;
}

struct ipc_object *ipc_lock_next(struct ipc_table *t, u64 *index)
{
	for (;; (*index)++) {
		struct ipc_object *o;

		rcu_read_lock();
		o = xa_find(&t->objects, index, SYSV_IPC_MNI - 1);
		if (o)
			spin_lock(&o->lock);
		rcu_read_unlock();
		if (!o || !o->removed)
			return o;
		spin_unlock(&o->lock);
	}
}

long ipc_highest(struct ipc_table *t)
{
	u64 highest = 0;

	/* Bit by bit: is there an object at or behind the index that has this bit, too? */
	rcu_read_lock();
	for (u64 bit = SYSV_IPC_MNI / 2; bit; bit /= 2) {
		u64 index = highest | bit;

		if (xa_find(&t->objects, &index, SYSV_IPC_MNI - 1))
			highest |= bit;
	}
	rcu_read_unlock();
	return (long)highest;
}

/* ---- keys; table lock held ---- */

static struct ipc_object *find_key(struct ipc_table *t, s32 key)
{
	struct rb_node *n = t->keys.node;

	while (n) {
		struct ipc_object *o = rb_entry(n, struct ipc_object, key_node);

		if (key == o->key)
			return o;
		n = key < o->key ? n->left : n->right;
	}
	return NULL;
}

static void enter_key(struct ipc_table *t, struct ipc_object *o)
{
	struct rb_node **link = &t->keys.node, *parent = NULL;

	if (o->key == IPC_PRIVATE)
		return;
	while (*link) {
		parent = *link;
		link = o->key < rb_entry(parent, struct ipc_object, key_node)->key ? &parent->left
										   : &parent->right;
	}
	rb_insert(&t->keys, &o->key_node, parent, link);
	o->has_key = true;
}

void ipc_forget_key(struct ipc_table *t, struct ipc_object *o)
{
	if (o->has_key)
		rb_erase(&t->keys, &o->key_node);
	o->has_key = false;
	o->key = IPC_PRIVATE;
}

/* ---- coming and going ---- */

void ipc_init(struct ipc_object *o, s32 key, int flags)
{
	const struct cred *c = current_cred();

	spin_init(&o->lock, RANK_IPC);
	ref_init(&o->refs, 1);
	o->key = key;
	o->uid = o->cuid = c->euid;
	o->gid = o->cgid = c->egid;
	o->mode = (kmode_t)flags & IPC_MODE;
}

void put_ipc(struct ipc_table *t, struct ipc_object *o)
{
	if (ref_put(&o->refs))
		t->free(o);
}

/* The next free index in the window, and the id with it. */
static int take_index(struct ipc_table *t)
{
	u32 limit = (u32)clamp(READ_ONCE(*t->limit), 0, SYSV_IPC_MNI);
	u32 window = min(max(t->count * 3 / 2, (u32)MIN_WINDOW), limit);
	u64 index;

	if (t->count >= limit)
		return -ENOSPC;
	if (!t->used)
		t->used = kzalloc(BITMAP_WORDS(SYSV_IPC_MNI) * sizeof(u64), GFP_KERNEL);
	if (!t->used)
		return -ENOMEM;
	index = bitmap_next_clear(t->used, window, min(t->next, window));
	if (index >= window) {
		index = bitmap_next_clear(t->used, window, 0);
		t->sequence = (t->sequence + 1) & (INT_MAX >> INDEX_BITS);
	}
	/* All of the window may be in use when the limit was lowered. */
	return index < window ? (int)index : -ENOSPC;
}

static int enter(struct ipc_table *t, struct ipc_object *o, const struct ipc_maker *m)
{
	int index = take_index(t), err;

	if (index < 0)
		return index;
	err = xa_reserve(&t->objects, (u64)index, GFP_KERNEL);
	if (err)
		return err;
	o->id = (s32)(t->sequence << INDEX_BITS) + index;
	spin_lock(&o->lock); /* who finds it waits until it is complete */
	(void)!xa_store(&t->objects, (u64)index, o, GFP_ATOMIC); /* there is room */
	bitmap_set(t->used, (u64)index);
	t->next = (u32)index + 1;
	t->count++;
	enter_key(t, o);
	if (m->entered)
		m->entered(o);
	spin_unlock(&o->lock);
	return 0;
}

void ipc_remove(struct ipc_table *t, struct ipc_object *o)
{
	ipc_forget_key(t, o);
	xa_erase(&t->objects, index_of(o->id));
	bitmap_clear(t->used, index_of(o->id));
	t->count--;
	o->removed = true;
}

static long use_existing(struct ipc_object *o, const struct ipc_maker *m)
{
	long r;

	if ((m->flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL))
		return -EEXIST;
	spin_lock(&o->lock);
	r = m->check ? m->check(o, m) : 0;
	if (!r)
		r = ipc_permits(o, m->flags) ? o->id : -EACCES;
	spin_unlock(&o->lock);
	return r;
}

long ipc_get(struct ipc_table *t, s32 key, const struct ipc_maker *m)
{
	struct ipc_object *o, *made;
	long r = -ENOENT;

	if (key != IPC_PRIVATE) {
		rwsem_read_lock(&t->lock);
		o = find_key(t, key);
		if (o)
			r = use_existing(o, m);
		rwsem_read_unlock(&t->lock);
		if (o || !(m->flags & IPC_CREAT))
			return r;
	}
	made = m->make(key, m);
	if (is_err(made))
		return ptr_err(made);
	rwsem_write_lock(&t->lock);
	o = key == IPC_PRIVATE ? NULL : find_key(t, key);
	r = o ? use_existing(o, m) : enter(t, made, m);
	if (!o && !r)
		r = made->id;
	rwsem_write_unlock(&t->lock);
	if (o || r < 0)
		put_ipc(t, made);
	return r;
}
