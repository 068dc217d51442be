/* Semaphore sets: making, describing, setting, removing. */
#include "sem.h"
#include <arch/uaccess.h>
#include <core/init.h>
#include <core/log.h>
#include <kmem/slab.h>

#define LIMIT_PER_SET 0
#define LIMIT_TOTAL   1
#define LIMIT_OPS     2
#define LIMIT_SETS    3

int g_sem_limits[4] = {SEMMSL, SEMMNS, SEMOPM, SEMMNI};
struct ipc_table g_sem_table;
u32 g_sem_total;

/* ---- semget ---- */

static void set_free(struct ipc_object *o)
{
	struct sem_set *set = sem_of(o);

	__atomic_fetch_sub(&g_sem_total, set->nr, __ATOMIC_RELAXED);
	kvfree(set->sems);
	rcu_kfree(set, ipc.rcu);
}

static void init_semaphores(struct sem_set *set)
{
	for (u32 i = 0; i < set->nr; i++) {
		list_init(&set->sems[i].zero);
		list_init(&set->sems[i].takers);
	}
}

static struct ipc_object *make_set(s32 key, const struct ipc_maker *m)
{
	u32 nr = (u32)m->size, total;
	struct sem_set *set;

	if (!nr)
		return err_ptr(-EINVAL);
	total = __atomic_add_fetch(&g_sem_total, nr, __ATOMIC_RELAXED);
	if (total > (u32)READ_ONCE(g_sem_limits[LIMIT_TOTAL])) {
		__atomic_fetch_sub(&g_sem_total, nr, __ATOMIC_RELAXED);
		return err_ptr(-ENOSPC);
	}
	set = kzalloc(sizeof(*set), GFP_KERNEL);
	if (set)
		set->sems = kvmalloc(nr * sizeof(*set->sems), GFP_KERNEL | GFP_ZERO);
	if (!set || !set->sems) {
		__atomic_fetch_sub(&g_sem_total, nr, __ATOMIC_RELAXED);
		kfree(set);
		return err_ptr(-ENOMEM);
	}
	ipc_init(&set->ipc, key, m->flags);
	set->nr = nr;
	set->ctime = ipc_now();
	list_init(&set->zeros);
	list_init(&set->queue);
	list_init(&set->undos);
	init_semaphores(set);
	return &set->ipc;
}

static int check_size(struct ipc_object *o, const struct ipc_maker *m)
{
	return m->size > sem_of(o)->nr ? -EINVAL : 0;
}

long sem_get(s32 key, int nr, int flags)
{
	const struct ipc_maker m = {
		.size = (size_t)nr,
		.flags = flags,
		.check = check_size,
		.make = make_set,
	};

	if (nr < 0 || nr > READ_ONCE(g_sem_limits[LIMIT_PER_SET]))
		return -EINVAL;
	return ipc_get(&g_sem_table, key, &m);
}

/* ---- the whole set ---- */

static void fill(struct sem_set *set, struct semid64_ds *ds)
{
	*ds = (struct semid64_ds){
		.sem_otime = set->otime,
		.sem_ctime = set->ctime,
		.sem_nsems = set->nr,
	};
	ipc_fill_perm(&set->ipc, &ds->sem_perm);
}

long sem_stat(s32 id, enum sysv_by by, struct semid64_ds *ds)
{
	struct ipc_object *o = ipc_lock_stat(&g_sem_table, id, by);

	if (is_err(o))
		return ptr_err(o);
	fill(sem_of(o), ds);
	id = o->id;
	spin_unlock(&o->lock);
	return by == SYSV_BY_ID ? 0 : id;
}

int sem_set(s32 id, const struct sysv_change *c)
{
	struct ipc_object *o = ipc_lock_owned(&g_sem_table, id);
	int err;

	if (is_err(o))
		return ptr_err(o);
	err = ipc_change(o, c);
	if (!err)
		sem_of(o)->ctime = ipc_now();
	spin_unlock(&o->lock);
	return err;
}

int sem_remove(s32 id)
{
	struct ipc_object *o;

	rwsem_write_lock(&g_sem_table.lock);
	o = ipc_lock_owned(&g_sem_table, id);
	if (!is_err(o)) {
		ipc_remove(&g_sem_table, o);
		sem_undo_forget(sem_of(o));
		sem_wake_all(sem_of(o), -EIDRM);
		spin_unlock(&o->lock);
	}
	rwsem_write_unlock(&g_sem_table.lock);
	if (is_err(o))
		return ptr_err(o);
	put_ipc(&g_sem_table, o);
	return 0;
}

long sem_get_info(struct seminfo *info, bool in_use)
{
	*info = (struct seminfo){
		.semmap = SEMMAP,
		.semmni = READ_ONCE(g_sem_limits[LIMIT_SETS]),
		.semmns = READ_ONCE(g_sem_limits[LIMIT_TOTAL]),
		.semmnu = SEMMNU,
		.semmsl = READ_ONCE(g_sem_limits[LIMIT_PER_SET]),
		.semopm = READ_ONCE(g_sem_limits[LIMIT_OPS]),
		.semume = SEMUME,
		.semusz = SEMUSZ,
		.semvmx = SEMVMX,
		.semaem = SEMAEM,
	};
	if (in_use) {
		info->semusz = (int)READ_ONCE(g_sem_table.count);
		info->semaem = (int)READ_ONCE(g_sem_total);
	}
	return ipc_highest(&g_sem_table);
}

/* ---- values ---- */

long sem_get_one(s32 id, int nr, int cmd)
{
	struct ipc_object *o = ipc_lock(&g_sem_table, id);
	struct semaphore *s;
	long r;

	if (is_err(o))
		return ptr_err(o);
	if (!ipc_permits(o, IPC_READ)) {
		r = -EACCES;
	} else if (nr < 0 || (u32)nr >= sem_of(o)->nr) {
		r = -EINVAL;
	} else {
		s = &sem_of(o)->sems[nr];
		r = cmd == GETVAL        ? s->value
			: cmd == GETPID  ? s->pid
			: cmd == GETNCNT ? (long)s->ncnt
					 : (long)s->zcnt;
	}
	spin_unlock(&o->lock);
	return r;
}

int sem_set_one(s32 id, int nr, int value)
{
	struct ipc_object *o;
	struct sem_set *set;
	int err = 0;

	if (value < 0 || value > SEMVMX)
		return -ERANGE;
	o = ipc_lock(&g_sem_table, id);
	if (is_err(o))
		return ptr_err(o);
	set = sem_of(o);
	if (nr < 0 || (u32)nr >= set->nr) {
		err = -EINVAL;
	} else if (!ipc_permits(o, IPC_WRITE)) {
		err = -EACCES;
	} else {
		const struct sembuf op = {.sem_num = (u16)nr};

		sem_undo_clear(set, nr);
		set->sems[nr].value = value;
		set->sems[nr].pid = ipc_current_pid();
		set->ctime = ipc_now();
		sem_changed(set, &op, 1);
	}
	spin_unlock(&o->lock);
	return err;
}

/* The set, referenced, if the caller may use it so. Error pointer. */
static struct sem_set *get_set(s32 id, int bits)
{
	struct ipc_object *o = ipc_lock(&g_sem_table, id);
	struct sem_set *set;

	if (is_err(o))
		return err_ptr(ptr_err(o));
	set = ipc_permits(o, bits) ? sem_of(o) : err_ptr(-EACCES);
	if (!is_err(set))
		get_ipc(o);
	spin_unlock(&o->lock);
	return set;
}

int sem_get_all(s32 id, u16 __user *to)
{
	struct sem_set *set = get_set(id, IPC_READ);
	u16 *values;
	int err;

	if (is_err(set))
		return ptr_err(set);
	values = kvmalloc(set->nr * sizeof(*values), GFP_KERNEL);
	err = values ? ipc_relock(&set->ipc) : -ENOMEM;
	if (!err) {
		for (u32 i = 0; i < set->nr; i++)
			values[i] = (u16)set->sems[i].value;
		spin_unlock(&set->ipc.lock);
		if (copy_to_user(to, values, set->nr * sizeof(*values)))
			err = -EFAULT;
	}
	kvfree(values);
	put_ipc(&g_sem_table, &set->ipc);
	return err;
}

static int set_values(struct sem_set *set, const u16 *values)
{
	int err;

	for (u32 i = 0; i < set->nr; i++)
		if (values[i] > SEMVMX)
			return -ERANGE;
	err = ipc_relock(&set->ipc);
	if (err)
		return err;
	for (u32 i = 0; i < set->nr; i++) {
		set->sems[i].value = values[i];
		set->sems[i].pid = ipc_current_pid();
	}
	sem_undo_clear(set, -1);
	set->ctime = ipc_now();
	sem_changed(set, NULL, 0);
	spin_unlock(&set->ipc.lock);
	return 0;
}

int sem_set_all(s32 id, const u16 __user *from)
{
	struct sem_set *set = get_set(id, IPC_WRITE);
	u16 *values;
	int err = -ENOMEM;

	if (is_err(set))
		return ptr_err(set);
	values = kvmalloc(set->nr * sizeof(*values), GFP_KERNEL);
	if (values)
		err = copy_from_user(values, from, set->nr * sizeof(*values))
			? -EFAULT
			: set_values(set, values);
	kvfree(values);
	put_ipc(&g_sem_table, &set->ipc);
	return err;
}

void sem_show(struct seq_buf *out)
{
	struct ipc_object *o;
	u64 index = out->at ? out->at - 1 : 0;

	if (!out->at)
		seq_puts(out,
			"       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
	while ((o = ipc_lock_next(&g_sem_table, &index))) {
		struct semid64_ds ds;
		s32 id = o->id;

		fill(sem_of(o), &ds);
		spin_unlock(&o->lock);
		seq_printf(out, "%10d %10d  %4o %10lu %5u %5u %5u %5u %10lu %10lu\n",
			ds.sem_perm.key, id, ds.sem_perm.mode, ds.sem_nsems, ds.sem_perm.uid,
			ds.sem_perm.gid, ds.sem_perm.cuid, ds.sem_perm.cgid,
			(unsigned long)ds.sem_otime, (unsigned long)ds.sem_ctime);
		index++;
		if (seq_pause(out, index + 1))
			return;
	}
}

static int sem_init(void)
{
	ipc_table_init(&g_sem_table, &g_sem_limits[LIMIT_SETS], set_free);
	return 0;
}
INIT_HOOK(INIT_CORE, sem_init);
