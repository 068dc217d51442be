/* SEM_UNDO: what a process's end gives back. */
#include "sem.h"
#include "shm.h"
#include <kmem/slab.h>
#include <core/init.h>
#include <core/log.h>
#include <process/task.h>

static struct sem_undo_list *make_list(void)
{
	struct sem_undo_list *l = kzalloc(sizeof(*l), GFP_KERNEL);

	if (l) {
		ref_init(&l->refs, 1);
		spin_init(&l->lock, RANK_IPC_UNDO);
	}
	return l;
}

/* ---- the tree of a list, by the set's address; list->lock held ---- */

static struct sem_undo *find_locked(struct sem_undo_list *l, const struct sem_set *set)
{
	struct rb_node *n = l->undos.node;

	while (n) {
		struct sem_undo *u = rb_entry(n, struct sem_undo, node);

		if (u->set == set)
			return u;
		n = set < u->set ? n->left : n->right;
	}
	return NULL;
}

static void insert_locked(struct sem_undo_list *l, struct sem_undo *u)
{
	struct rb_node **link = &l->undos.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = u->set < rb_entry(parent, struct sem_undo, node)->set ? &parent->left
									     : &parent->right;
	}
	rb_insert(&l->undos, &u->node, parent, link);
}

/* Off both lists; the set's lock held. */
static void cut(struct sem_undo *u)
{
	list_del(&u->set_link);
	spin_lock(&u->list->lock);
	rb_erase(&u->list->undos, &u->node);
	spin_unlock(&u->list->lock);
}

/* ---- for semop and semctl ---- */

struct sem_undo *sem_undo_find(struct sem_set *set)
{
	struct sem_undo_list *l = current_task()->sem_undo;
	struct sem_undo *u;

	if (!l)
		return NULL;
	spin_lock(&l->lock);
	u = find_locked(l, set);
	spin_unlock(&l->lock);
	return u; /* only the set's lock lets it go */
}

struct sem_undo *sem_undo_make(struct sem_set *set)
{
	struct task *t = current_task();
	struct sem_undo *u;

	if (!t->sem_undo)
		t->sem_undo = make_list();
	u = t->sem_undo ? kzalloc(sizeof(*u) + set->nr * sizeof(u->adjust[0]), GFP_KERNEL) : NULL;
	if (!u)
		return err_ptr(-ENOMEM);
	list_init(&u->set_link);
	u->set = set;
	u->list = t->sem_undo;
	return u;
}

void sem_undo_enter(struct sem_set *set, struct sem_undo *u)
{
	list_add(&u->set_link, &set->undos);
	spin_lock(&u->list->lock);
	insert_locked(u->list, u);
	spin_unlock(&u->list->lock);
}

void sem_undo_forget(struct sem_set *set)
{
	struct sem_undo *u, *n;

	list_for_each_entry_safe(u, n, &set->undos, set_link) {
		cut(u);
		kfree(u);
	}
}

void sem_undo_clear(struct sem_set *set, int nr)
{
	struct sem_undo *u;

	list_for_each_entry(u, &set->undos, set_link)
		for (u32 i = nr < 0 ? 0 : (u32)nr; i < (nr < 0 ? set->nr : (u32)nr + 1); i++)
			u->adjust[i] = 0;
}

/* ---- for processes ---- */

int sem_clone(struct task *child, struct task *parent)
{
	if (!parent->sem_undo)
		parent->sem_undo = make_list();
	if (!parent->sem_undo)
		return -ENOMEM;
	ref_get(&parent->sem_undo->refs);
	child->sem_undo = parent->sem_undo;
	return 0;
}

static void undo(struct sem_set *set, const struct sem_undo *u)
{
	bool changed = false;

	for (u32 i = 0; i < set->nr; i++) {
		struct semaphore *s = &set->sems[i];

		if (!u->adjust[i])
			continue;
		s->value = clamp(s->value + u->adjust[i], 0, SEMVMX);
		s->pid = ipc_current_pid();
		changed = true;
	}
	if (!changed)
		return;
	set->otime = ipc_now();
	sem_changed(set, NULL, 0);
}

/* A referenced set that the list names; NULL: none is left. */
static struct sem_set *first_set(struct sem_undo_list *l)
{
	struct sem_set *set = NULL;
	struct rb_node *n;

	spin_lock(&l->lock);
	n = rb_first(&l->undos);
	if (n) {
		set = rb_entry(n, struct sem_undo, node)->set;
		get_ipc(&set->ipc); /* a removal empties the list before it drops the table's */
	}
	spin_unlock(&l->lock);
	return set;
}

void sem_exit(struct task *t)
{
	struct sem_undo_list *l = t->sem_undo;
	struct sem_set *set;

	t->sem_undo = NULL;
	if (!l || !ref_put(&l->refs))
		return;
	while ((set = first_set(l))) {
		struct sem_undo *u;

		spin_lock(&set->ipc.lock);
		spin_lock(&l->lock);
		u = find_locked(l, set);
		spin_unlock(&l->lock);
		if (u) {
			cut(u);
			undo(set, u);
			kfree(u);
		}
		spin_unlock(&set->ipc.lock);
		put_ipc(&g_sem_table, &set->ipc);
		cond_resched();
	}
	kfree(l);
}

static void task_exits(struct task *t)
{
	sem_exit(t);
	shm_exit(t);
}

static const struct process_sysv_ops g_ops = {
	.share_undo = sem_clone,
	.drop_undo = sem_exit,
	.exit = task_exits,
};

static int undo_init(void)
{
	process_set_sysv_ops(&g_ops);
	return 0;
}
INIT_HOOK(INIT_CORE, undo_init);
