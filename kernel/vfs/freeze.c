/*
 * Freezing a file system (FIFREEZE): what changes it waits, so that the device can be copied.
 *
 * Three kinds of changes, stopped one after the other: system calls that write (FREEZE_WRITES);
 * stores into shared mappings (FREEZE_STORES), which a write() may cause while it reads its buffer;
 * what the file system does on its own (FREEZE_CHANGES), which both of them cause. Each kind counts
 * who is inside. The counts are per CPU and plain: the kernel isn't preemptible, so that after a
 * grace period every CPU has seen that a kind is stopped, and who was faster stands in its count.
 * Who entered on one CPU may leave on another: only the sum means something.
 */
#include <core/rcu.h>
#include <kmem/slab.h>
#include <sched/wait.h>
#include "internal.h"

enum { THAWED, FREEZING, FROZEN, THAWING };

struct super_writers {
	s64 inside[FREEZE_CHANGES + 1]; /* own CPU */
} __attribute__((aligned(64)));

int super_freeze_init(struct super *s)
{
	wait_queue_init(&s->freeze_wait);
	if (!s->ops->freeze)
		return 0;
	s->writers = kzalloc(sizeof(struct super_writers) * (size_t)g_nr_cpus, GFP_KERNEL);
	return s->writers ? 0 : -ENOMEM;
}

static s64 inside(const struct super *s, u32 level)
{
	s64 sum = 0;

	for_each_cpu(cpu)
		sum += READ_ONCE(s->writers[cpu].inside[level]);
	return sum;
}

bool super_try_begin(struct super *s, u32 level)
{
	if (!s->writers)
		return true;
	s->writers[cpu_id()].inside[level]++;
	barrier();
	if (likely(READ_ONCE(s->stopped) < level))
		return true;
	super_end(s, level);
	return false;
}

void super_begin(struct super *s, u32 level)
{
	while (unlikely(!super_try_begin(s, level)))
		wait_event(&s->freeze_wait, READ_ONCE(s->stopped) < level);
}

void super_end(struct super *s, u32 level)
{
	if (!s->writers)
		return;
	s->writers[cpu_id()].inside[level]--;
	barrier();
	if (unlikely(READ_ONCE(s->stopped) >= level))
		wake_up_all(&s->freeze_wait);
}

bool super_is_frozen(const struct super *s)
{
	return READ_ONCE(s->stopped) >= FREEZE_CHANGES;
}

static void stop(struct super *s, u32 level)
{
	WRITE_ONCE(s->stopped, level);
	rcu_synchronize();
	wait_event(&s->freeze_wait, inside(s, level) == 0);
}

static void let_go(struct super *s, u32 state)
{
	if (state == THAWED)
		WRITE_ONCE(s->stopped, 0);
	__atomic_store_n(&s->freeze_state, state, __ATOMIC_RELEASE);
	wake_up_all(&s->freeze_wait);
}

int super_freeze(struct super *s)
{
	u32 old = THAWED;
	int err;

	if (!s->writers)
		return -EOPNOTSUPP;
	if (!try_cmpxchg(&s->freeze_state, &old, FREEZING))
		return -EBUSY;
	ref_get(&s->refs);                     /* it stays frozen when it is unmounted */
	if (READ_ONCE(s->flags) & MS_RDONLY) { /* and stays so: nothing has to wait */
		let_go(s, FROZEN);
		return 0;
	}
	stop(s, FREEZE_WRITES);
	stop(s, FREEZE_STORES);
	err = s->ops->sync(s, true);
	if (!err) {
		stop(s, FREEZE_CHANGES);
		err = s->ops->freeze(s);
	}
	let_go(s, err ? THAWED : FROZEN);
	if (err)
		put_super(s);
	return err;
}

int super_thaw(struct super *s)
{
	u32 old = FROZEN;

	if (!try_cmpxchg(&s->freeze_state, &old, THAWING))
		return -EINVAL;
	if (s->stopped)
		s->ops->thaw(s);
	let_go(s, THAWED);
	put_super(s);
	return 0;
}

bool super_may_remount(struct super *s)
{
	if (__atomic_load_n(&s->freeze_state, __ATOMIC_ACQUIRE) != THAWED)
		return false;
	return super_try_begin(s, FREEZE_WRITES);
}

static void thaw_one(struct super *s)
{
	(void)!super_thaw(s); /* -EINVAL: it isn't frozen */
}

void vfs_thaw_all(void)
{
	supers_for_each(thaw_one);
}
