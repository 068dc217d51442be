/* Semaphore operations: performing them, waiting, waking. The essay is in sem.h. */
#include "sem.h"
#include <kmem/slab.h>
#include <process/task.h>
#include <sched/wait.h>

/* ---- performing ---- */

static void count_stuck(struct sem_waiter *w, s32 n)
{
	if (!w->stuck)
		return;
	if (w->stuck_zero)
		w->stuck->zcnt += (u32)n;
	else
		w->stuck->ncnt += (u32)n;
}

/* It waits for s; NULL: for nothing any more. */
static void set_stuck(struct sem_waiter *w, struct semaphore *s, bool zero)
{
	count_stuck(w, -1);
	w->stuck = s;
	w->stuck_zero = zero;
	count_stuck(w, 1);
}

/* One operation: 0, SEM_WAITS or an error, which leave everything as it was. */
static int perform_one(struct sem_set *set, const struct sem_waiter *w, const struct sembuf *op)
{
	struct semaphore *s = &set->sems[op->sem_num];
	s32 value = s->value + op->sem_op;

	if ((!op->sem_op && s->value) || value < 0)
		return op->sem_flg & IPC_NOWAIT ? -EAGAIN : SEM_WAITS;
	if (value > SEMVMX)
		return -ERANGE;
	if (op->sem_flg & SEM_UNDO) {
		s32 adjust = w->undo->adjust[op->sem_num] - op->sem_op;

		if (adjust < -SEMAEM - 1 || adjust > SEMAEM)
			return -ERANGE;
		w->undo->adjust[op->sem_num] = (s16)adjust;
	}
	s->value = value;
	return 0;
}

static void take_back(struct sem_set *set, const struct sem_waiter *w, u32 n)
{
	while (n--) {
		const struct sembuf *op = &w->ops[n];

		set->sems[op->sem_num].value -= op->sem_op;
		if (op->sem_flg & SEM_UNDO)
			w->undo->adjust[op->sem_num] += op->sem_op;
	}
}

/* All of w's operations or none. When it has to wait, w->stuck says where. */
static int perform(struct sem_set *set, struct sem_waiter *w)
{
	for (u32 i = 0; i < w->nr; i++) {
		int r = perform_one(set, w, &w->ops[i]);

		if (r) {
			take_back(set, w, i);
			if (r == SEM_WAITS)
				set_stuck(w, &set->sems[w->ops[i].sem_num], !w->ops[i].sem_op);
			return r;
		}
	}
	for (u32 i = 0; i < w->nr; i++)
		set->sems[w->ops[i].sem_num].pid = w->pid;
	set->otime = ipc_now();
	return 0;
}

/* ---- the queues ---- */

static void enqueue(struct sem_set *set, struct sem_waiter *w)
{
	struct semaphore *s = &set->sems[w->ops[0].sem_num];

	if (!w->changes) {
		list_add_tail(&w->link, w->nr == 1 ? &s->zero : &set->zeros);
		return;
	}
	if (w->nr > 1 && !set->nr_several++)
		for (u32 i = 0; i < set->nr; i++)
			list_splice_tail(&set->sems[i].takers, &set->queue);
	list_add_tail(&w->link, set->nr_several ? &set->queue : &s->takers);
}

static void dequeue(struct sem_set *set, struct sem_waiter *w)
{
	struct sem_waiter *i, *n;

	list_del(&w->link);
	set_stuck(w, NULL, false);
	if (!w->changes || w->nr == 1 || --set->nr_several)
		return;
	list_for_each_entry_safe(i, n, &set->queue, link)
		list_move_tail(&i->link, &set->sems[i->ops[0].sem_num].takers);
}

/* w's call returns result. It may be gone as soon as the lock is given up. */
static void finish(struct sem_set *set, struct sem_waiter *w, int result)
{
	dequeue(set, w);
	w->result = result;
	thread_wake(w->thread);
}

/* Try everybody on the list once. True: a value was changed. */
static bool try_list(struct sem_set *set, struct list_head *list)
{
	struct sem_waiter *w, *n;
	bool changed = false;

	list_for_each_entry_safe(w, n, list, link) {
		int r = perform(set, w);

		if (r == SEM_WAITS)
			continue;
		finish(set, w, r);
		changed |= !r && w->changes;
	}
	return changed;
}

static bool try_takers(struct sem_set *set, struct semaphore *s)
{
	struct sem_waiter *w, *n;
	bool changed = false;

	list_for_each_entry_safe(w, n, &s->takers, link) {
		int r;

		if (!s->value)
			break;
		r = perform(set, w);
		if (r == SEM_WAITS)
			continue;
		finish(set, w, r);
		changed |= !r;
	}
	return changed;
}

/* The first in order of arrival whose call ends; its operations live as long as the lock is held.
 * NULL: nobody's does. */
static struct sem_waiter *try_queue(struct sem_set *set)
{
	struct sem_waiter *w;

	list_for_each_entry(w, &set->queue, link) {
		int r = perform(set, w);

		if (r == SEM_WAITS)
			continue;
		finish(set, w, r);
		return w;
	}
	return NULL;
}

static void try_zero(struct sem_set *set, struct semaphore *s)
{
	if (!s->value)
		(void)try_list(set, &s->zero);
}

/* Those that only look. */
static void try_lookers(struct sem_set *set, const struct sembuf *ops, u32 nr)
{
	for (u32 i = 0; i < (ops ? nr : set->nr); i++)
		try_zero(set, &set->sems[ops ? ops[i].sem_num : i]);
	(void)try_list(set, &set->zeros);
}

void sem_changed(struct sem_set *set, const struct sembuf *ops, u32 nr)
{
	bool again;

	if (set->nr_several) {
		while (set->nr_several) {
			struct sem_waiter *w;

			try_lookers(set, ops, nr);
			w = try_queue(set);
			if (!w)
				return;
			ops = w->ops;
			nr = w->nr;
		}
		ops = NULL; /* those that were left in the queue stand at their semaphores now */
	}
	do {
		again = false;
		try_lookers(set, ops, nr);
		for (u32 i = 0; i < (ops ? nr : set->nr); i++)
			again |= try_takers(set, &set->sems[ops ? ops[i].sem_num : i]);
	} while (again);
}

static void wake_list(struct sem_set *set, struct list_head *list, int err)
{
	struct sem_waiter *w, *n;

	list_for_each_entry_safe(w, n, list, link)
		finish(set, w, err);
}

void sem_wake_all(struct sem_set *set, int err)
{
	wake_list(set, &set->zeros, err);
	while (!list_empty(&set->queue)) /* the last of several moves those that are left */
		finish(set, list_first_entry(&set->queue, struct sem_waiter, link), err);
	for (u32 i = 0; i < set->nr; i++) {
		wake_list(set, &set->sems[i].zero, err);
		wake_list(set, &set->sems[i].takers, err);
	}
}

/* ---- semop ---- */

/* Sleep until w is finished, a signal or the deadline comes. Lock held on entry and on return. */
static int wait_locked(struct sem_set *set, struct sem_waiter *w, s64 deadline)
{
	enqueue(set, w);
	while (w->result == SEM_WAITS) {
		int r = 0;

		thread_set_state(THREAD_INTERRUPTIBLE);
		spin_unlock(&set->ipc.lock);
		if (signal_interrupts(current_thread(), THREAD_INTERRUPTIBLE))
			r = -EINTR;
		else if (sched_block_until(deadline))
			r = -EAGAIN;
		thread_set_state(THREAD_RUNNING);
		spin_lock(&set->ipc.lock);
		if (w->result == SEM_WAITS && r) {
			dequeue(set, w);
			w->result = r;
		}
	}
	return w->result;
}

/* What the operations need as a whole. -EFBIG -EACCES. */
static int check_ops(struct sem_set *set, const struct sem_waiter *w)
{
	for (u32 i = 0; i < w->nr; i++)
		if (w->ops[i].sem_num >= set->nr)
			return -EFBIG;
	return ipc_permits(&set->ipc, w->changes ? IPC_WRITE : IPC_READ) ? 0 : -EACCES;
}

/* The set, locked, with w->undo if one is needed. Error pointer. */
static struct sem_set *begin_ops(s32 id, struct sem_waiter *w, bool undo)
{
	struct ipc_object *o = ipc_lock(&g_sem_table, id);
	struct sem_undo *made;
	struct sem_set *set;
	int err;

	if (is_err(o))
		return err_ptr(ptr_err(o));
	set = sem_of(o);
	err = check_ops(set, w);
	if (err) {
		spin_unlock(&o->lock);
		return err_ptr(err);
	}
	if (!undo)
		return set;
	w->undo = sem_undo_find(set);
	if (w->undo)
		return set;
	get_ipc(o);
	spin_unlock(&o->lock);
	made = sem_undo_make(set);
	err = is_err(made) ? ptr_err(made) : ipc_relock(o);
	if (!err) {
		/* Another task may share the list, and have been faster. */
		w->undo = sem_undo_find(set);
		if (!w->undo) {
			sem_undo_enter(set, made);
			w->undo = made;
			made = NULL;
		}
	}
	if (!is_err(made))
		kfree(made);
	if (err) {
		put_ipc(&g_sem_table, o);
		return err_ptr(err);
	}
	put_ipc(&g_sem_table, o); /* it is in the table: this isn't the last reference */
	return set;
}

long sem_op(s32 id, struct sembuf *ops, u32 nr, s64 deadline)
{
	struct sem_waiter w = {
		.ops = ops,
		.nr = nr,
		.pid = ipc_current_pid(),
		.thread = current_thread(),
		.result = SEM_WAITS,
	};
	struct sem_set *set;
	bool undo = false;
	int r;

	for (u32 i = 0; i < nr; i++) {
		w.changes |= ops[i].sem_op != 0;
		undo |= (ops[i].sem_flg & SEM_UNDO) != 0;
	}
	set = begin_ops(id, &w, undo);
	if (is_err(set))
		return ptr_err(set);
	r = perform(set, &w);
	if (r == SEM_WAITS) {
		get_ipc(&set->ipc);
		r = wait_locked(set, &w, deadline);
		spin_unlock(&set->ipc.lock);
		put_ipc(&g_sem_table, &set->ipc);
		return r;
	}
	if (!r && w.changes)
		sem_changed(set, ops, nr);
	spin_unlock(&set->ipc.lock);
	return r;
}
