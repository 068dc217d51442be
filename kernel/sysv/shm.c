/* Shared memory segments: making, describing, removing. */
#include "shm.h"
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <process/task.h>
#include <vfs/memfd.h>

u64 g_shm_max = SHMMAX, g_shm_all = SHMALL;
int g_shm_mni = SHMMNI, g_shm_forced;

struct ipc_table g_shm_table;
DEFINE_SPINLOCK(g_shm_creators, RANK_IPC_UNDO);
static u64 g_shm_pages; /* of all segments; atomic */

/* ---- shmget ---- */

static void segment_free(struct ipc_object *o)
{
	struct shm_segment *s = shm_of(o);

	spin_lock(&g_shm_creators);
	list_del(&s->created);
	spin_unlock(&g_shm_creators);
	if (s->lock_owner) {
		__atomic_fetch_sub(&s->lock_owner->locked_pages, (s64)s->pages, __ATOMIC_RELAXED);
		put_user_account(s->lock_owner);
	}
	put_file(s->file);
	__atomic_fetch_sub(&g_shm_pages, s->pages, __ATOMIC_RELAXED);
	rcu_kfree(s, ipc.rcu);
}

/* Room in shmall. */
static int charge(const struct shm_segment *s)
{
	u64 all = __atomic_add_fetch(&g_shm_pages, s->pages, __ATOMIC_RELAXED);

	if (all < s->pages || all > READ_ONCE(g_shm_all)) {
		__atomic_fetch_sub(&g_shm_pages, s->pages, __ATOMIC_RELAXED);
		return -ENOSPC;
	}
	return 0;
}

static struct ipc_object *make_segment(s32 key, const struct ipc_maker *m)
{
	struct shm_segment *s;
	char name[16];
	int err;

	if (m->size < SHMMIN || m->size > READ_ONCE(g_shm_max))
		return err_ptr(-EINVAL);
	if (round_up(m->size, PAGE_SIZE) < m->size)
		return err_ptr(-ENOSPC);
	/* No pages are set aside as huge ones, so none can be had. */
	if (m->flags & SHM_HUGETLB)
		return err_ptr(capable(CAP_IPC_LOCK) ? -ENOMEM : -EPERM);
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return err_ptr(-ENOMEM);
	ipc_init(&s->ipc, key, m->flags);
	list_init(&s->created);
	s->size = m->size;
	s->pages = round_up(m->size, PAGE_SIZE) >> PAGE_SHIFT;
	s->cpid = ipc_current_pid();
	s->ctime = ipc_now();
	err = charge(s);
	if (err)
		goto fail;
	ksnprintf(name, sizeof(name), "SYSV%08x", (u32)key);
	s->file = shm_create_file(name, m->size, m->flags & SHM_NORESERVE);
	if (!is_err(s->file))
		return &s->ipc;
	err = ptr_err(s->file);
	__atomic_fetch_sub(&g_shm_pages, s->pages, __ATOMIC_RELAXED);
fail:
	kfree(s);
	return err_ptr(err);
}

static int check_size(struct ipc_object *o, const struct ipc_maker *m)
{
	return m->size > shm_of(o)->size ? -EINVAL : 0;
}

static void segment_entered(struct ipc_object *o)
{
	struct shm_segment *s = shm_of(o);

	s->file->inode->ino = (u64)o->id; /* as /proc/PID/maps shows it */
	spin_lock(&g_shm_creators);
	list_add(&s->created, &current_task()->shm_created);
	spin_unlock(&g_shm_creators);
}

long shm_get(s32 key, size_t size, int flags)
{
	const struct ipc_maker m = {
		.size = size,
		.flags = flags,
		.check = check_size,
		.make = make_segment,
		.entered = segment_entered,
	};

	return ipc_get(&g_shm_table, key, &m);
}

/* ---- the end of a segment ---- */

bool shm_is_done(const struct shm_segment *s)
{
	return !s->attached && ((s->ipc.mode & SHM_DEST) || READ_ONCE(g_shm_forced));
}

void shm_remove_done(struct shm_segment *s)
{
	bool gone;

	rwsem_write_lock(&g_shm_table.lock);
	spin_lock(&s->ipc.lock);
	gone = !s->ipc.removed && shm_is_done(s);
	if (gone)
		ipc_remove(&g_shm_table, &s->ipc);
	spin_unlock(&s->ipc.lock);
	rwsem_write_unlock(&g_shm_table.lock);
	if (gone)
		put_ipc(&g_shm_table, &s->ipc);
}

int shm_remove(s32 id)
{
	struct ipc_object *o;
	bool gone;

	rwsem_write_lock(&g_shm_table.lock);
	o = ipc_lock_owned(&g_shm_table, id);
	if (is_err(o)) {
		rwsem_write_unlock(&g_shm_table.lock);
		return ptr_err(o);
	}
	gone = !shm_of(o)->attached;
	if (gone) {
		ipc_remove(&g_shm_table, o);
	} else {
		/* The last detach removes it. Until then its id can be used, its key cannot. */
		o->mode |= SHM_DEST;
		ipc_forget_key(&g_shm_table, o);
	}
	spin_unlock(&o->lock);
	rwsem_write_unlock(&g_shm_table.lock);
	if (gone)
		put_ipc(&g_shm_table, o);
	return 0;
}

/* A referenced segment of the list, cut from it; NULL: it is empty. */
static struct shm_segment *take_created(struct list_head *list)
{
	struct shm_segment *s;

	spin_lock(&g_shm_creators);
	s = list_first_entry_or_null(list, struct shm_segment, created);
	if (s) {
		list_del(&s->created);
		/* Freeing it takes it off the list first; it may have come that far. */
		if (!ref_get_unless_zero(&s->ipc.refs))
			s = err_ptr(-EIDRM);
	}
	spin_unlock(&g_shm_creators);
	return s;
}

void shm_exit(struct task *t)
{
	struct shm_segment *s;

	while ((s = take_created(&t->shm_created))) {
		if (is_err(s))
			continue;
		if (READ_ONCE(g_shm_forced))
			shm_remove_done(s);
		put_ipc(&g_shm_table, &s->ipc);
	}
}

void shm_remove_orphans(void)
{
	struct ipc_object *o;

	for (u64 index = 0; (o = ipc_lock_next(&g_shm_table, &index)); index++) {
		struct shm_segment *s = shm_of(o);
		bool orphan;

		spin_lock(&g_shm_creators);
		orphan = list_empty(&s->created);
		spin_unlock(&g_shm_creators);
		get_ipc(o);
		spin_unlock(&o->lock);
		if (orphan && READ_ONCE(g_shm_forced))
			shm_remove_done(s);
		put_ipc(&g_shm_table, o);
	}
}

/* ---- shmctl ---- */

static void fill(struct shm_segment *s, struct shmid64_ds *ds)
{
	*ds = (struct shmid64_ds){
		.shm_segsz = s->size,
		.shm_atime = s->atime,
		.shm_dtime = s->dtime,
		.shm_ctime = s->ctime,
		.shm_cpid = s->cpid,
		.shm_lpid = s->lpid,
		.shm_nattch = s->attached,
	};
	ipc_fill_perm(&s->ipc, &ds->shm_perm);
}

long shm_stat(s32 id, enum sysv_by by, struct shmid64_ds *ds)
{
	struct ipc_object *o = ipc_lock_stat(&g_shm_table, id, by);

	if (is_err(o))
		return ptr_err(o);
	fill(shm_of(o), ds);
	id = o->id;
	spin_unlock(&o->lock);
	return by == SYSV_BY_ID ? 0 : id;
}

int shm_set(s32 id, const struct sysv_change *c)
{
	struct ipc_object *o = ipc_lock_owned(&g_shm_table, id);
	int err;

	if (is_err(o))
		return ptr_err(o);
	err = ipc_change(o, c);
	if (!err)
		shm_of(o)->ctime = ipc_now();
	spin_unlock(&o->lock);
	return err;
}

/* Pages never leave memory, so that a lock is a right and an account, no work. */
static int lock_locked(struct shm_segment *s, struct user_account *u)
{
	u64 limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	s64 all;

	if (s->ipc.mode & SHM_LOCKED)
		return 0;
	all = __atomic_add_fetch(&u->locked_pages, (s64)s->pages, __ATOMIC_RELAXED);
	if ((u64)all > limit && !capable(CAP_IPC_LOCK)) {
		__atomic_fetch_sub(&u->locked_pages, (s64)s->pages, __ATOMIC_RELAXED);
		return -ENOMEM;
	}
	get_user_account(u);
	s->lock_owner = u;
	s->ipc.mode |= SHM_LOCKED;
	return 0;
}

static struct user_account *unlock_locked(struct shm_segment *s)
{
	struct user_account *u = s->lock_owner;

	s->lock_owner = NULL;
	s->ipc.mode &= ~(kmode_t)SHM_LOCKED;
	if (u)
		__atomic_fetch_sub(&u->locked_pages, (s64)s->pages, __ATOMIC_RELAXED);
	return u;
}

int shm_lock(s32 id, bool lock)
{
	struct ipc_object *o = ipc_lock(&g_shm_table, id);
	const struct cred *c = current_cred();
	struct user_account *u = NULL;
	int err = 0;

	if (is_err(o))
		return ptr_err(o);
	if (!capable(CAP_IPC_LOCK) &&
		((c->euid != o->uid && c->euid != o->cuid) || (lock && !rlimit(RLIMIT_MEMLOCK))))
		err = -EPERM;
	else if (lock)
		err = lock_locked(shm_of(o), c->user);
	else
		u = unlock_locked(shm_of(o));
	spin_unlock(&o->lock);
	if (u)
		put_user_account(u);
	return err;
}

long shm_get_limits(struct shminfo64 *info)
{
	int mni = READ_ONCE(g_shm_mni);

	*info = (struct shminfo64){
		.shmmax = READ_ONCE(g_shm_max),
		.shmmin = SHMMIN,
		.shmmni = (u64)mni,
		.shmseg = (u64)mni,
		.shmall = READ_ONCE(g_shm_all),
	};
	return ipc_highest(&g_shm_table);
}

long shm_get_info(struct shm_info *info)
{
	struct ipc_object *o;

	*info = (struct shm_info){
		.used_ids = (int)READ_ONCE(g_shm_table.count),
		.shm_tot = __atomic_load_n(&g_shm_pages, __ATOMIC_RELAXED),
	};
	for (u64 index = 0; (o = ipc_lock_next(&g_shm_table, &index)); index++) {
		info->shm_rss += READ_ONCE(shm_of(o)->file->inode->object.nr_pages);
		spin_unlock(&o->lock);
	}
	return ipc_highest(&g_shm_table);
}

void shm_show(struct seq_buf *out)
{
	struct ipc_object *o;
	u64 index = out->at ? out->at - 1 : 0;

	if (!out->at)
		seq_puts(out,
			"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid"
			"  cgid      atime      dtime      ctime                   rss                  swap\n");
	while ((o = ipc_lock_next(&g_shm_table, &index))) {
		struct shm_segment *s = shm_of(o);
		struct shmid64_ds ds;
		u64 rss = READ_ONCE(s->file->inode->object.nr_pages) << PAGE_SHIFT;
		s32 id = o->id;

		fill(s, &ds);
		spin_unlock(&o->lock);
		seq_printf(out,
			"%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10lu %10lu %10lu %21lu "
			"%21lu\n",
			ds.shm_perm.key, id, ds.shm_perm.mode, ds.shm_segsz, (u32)ds.shm_cpid,
			(u32)ds.shm_lpid, ds.shm_nattch, ds.shm_perm.uid, ds.shm_perm.gid,
			ds.shm_perm.cuid, ds.shm_perm.cgid, ds.shm_atime, ds.shm_dtime,
			ds.shm_ctime, (unsigned long)rss, 0ul);
		index++;
		if (seq_pause(out, index + 1))
			return;
	}
}

static int shm_init(void)
{
	ipc_table_init(&g_shm_table, &g_shm_mni, segment_free);
	return 0;
}
INIT_HOOK(INIT_CORE, shm_init);
