/*
 * Robust futexes: the locks that a dying thread held, named by a list in its own memory. The list
 * is not trusted: it may be wrong, endless, or change while it is walked.
 */
#include "process.h"
#include <core/init.h>
#include <sched/futex.h>

#define LIST_MAX 2048 /* ROBUST_LIST_LIMIT */

static void wake_one(struct task *t, u32 __user *word)
{
	u64 a, b;

	if (mm_futex_key(t->mm, (unsigned long)word, true, &a, &b) == 0)
		(void)futex_wake((struct futex_key){a, b}, 1, FUTEX_BITSET_MATCH_ANY);
}

/* Mark the lock's owner as dead if that is us. pending: we may have been about to take or leave it.
 */
static int owner_died(struct task *t, u32 __user *word, bool pi, bool pending)
{
	u32 v, prev;

	if (!is_aligned((unsigned long)word, sizeof(u32)) || get_user(v, word))
		return -EFAULT;
	for (;;) {
		if (pending && !pi && !v) { /* unlocked already, but perhaps nobody was woken */
			wake_one(t, word);
			return 0;
		}
		if ((v & FUTEX_TID_MASK) != (u32)task_tid(t))
			return 0;
		if (user_cmpxchg32(word, v, (v & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &prev))
			return -EFAULT;
		if (prev == v)
			break;
		v = prev;
	}
	if ((v & FUTEX_WAITERS) && !pi) /* that one is handed on: futex_pi_release */
		wake_one(t, word);
	return 0;
}

/* Bit 0 of an entry says that it is a priority-inheriting lock. */
static u32 __user *word_of(unsigned long entry, long offset)
{
	return (u32 __user *)((entry & ~1ul) + (unsigned long)offset);
}

void robust_list_exit(struct task *t)
{
	struct robust_list_head __user *head = t->robust_list;
	unsigned long entry, pending, next;
	long offset;

	t->robust_list = NULL;
	if (!head || get_user(entry, (unsigned long __user *)&head->list.next) ||
		get_user(offset, &head->futex_offset) ||
		get_user(pending, (unsigned long __user *)&head->list_op_pending))
		return;
	for (int n = 0; n < LIST_MAX && (entry & ~1ul) != (unsigned long)&head->list; n++) {
		int err = get_user(next, (unsigned long __user *)(entry & ~1ul));

		if ((entry & ~1ul) != (pending & ~1ul) &&
			owner_died(t, word_of(entry, offset), entry & 1, false))
			return;
		if (err)
			return;
		entry = next;
		cond_resched();
	}
	if (pending & ~1ul)
		(void)owner_died(t, word_of(pending, offset), pending & 1, true);
}

static struct thread *find_thread(u32 tid)
{
	struct pid *pid = pid_find((s32)tid);
	struct task *t = pid ? rcu_load(pid->task) : NULL;

	return t ? &t->thread : NULL;
}

static int futex_pi_init(void)
{
	futex_pi_set_find(find_thread);
	return 0;
}
INIT_HOOK(INIT_CORE, futex_pi_init);
