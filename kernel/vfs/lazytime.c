/*
 * Times that reads and writes change (inode_times_changed). They are the file system's to store at
 * once; with lazytime (mount(8)) they stay in memory until the inode is stored for another reason,
 * fsync, sync, syncfs, the inode's eviction, or half a day.
 *
 * Inodes with such times are on super->lazy, oldest first.
 */
#include <sched/timer.h>
#include <sched/work.h>
#include "internal.h"

#define LAZY_EXPIRE_NS (12 * 3600 * NS_PER_SEC) /* twice that is what mount(8) promises */

static void expire(struct timer *t)
{
	work_queue(&container_of(t, struct super, lazy_timer)->lazy_work);
}

static void expire_work(struct work *w)
{
	super_store_times(container_of(w, struct super, lazy_work));
}

void super_lazy_init(struct super *s)
{
	list_init(&s->lazy);
	timer_init(&s->lazy_timer, expire);
	work_init(&s->lazy_work, expire_work);
}

void super_lazy_stop(struct super *s)
{
	timer_cancel_sync(&s->lazy_timer);
	work_flush(&s->lazy_work);
}

void inode_times_changed(struct inode *i)
{
	struct super *s = i->super;
	bool first;

	if (!s->ops->dirty_inode)
		return;
	if (!(READ_ONCE(s->flags) & MS_LAZYTIME)) {
		s->ops->dirty_inode(i);
		return;
	}
	if (!list_empty(&i->lazy_link))
		return;
	spin_lock(&s->inodes_lock);
	first = list_empty(&s->lazy);
	if (list_empty(&i->lazy_link))
		list_add_tail(&i->lazy_link, &s->lazy);
	spin_unlock(&s->inodes_lock);
	if (first)
		timer_arm(&s->lazy_timer, clock_mono_ns() + LAZY_EXPIRE_NS);
}

void inode_times_stored(struct inode *i)
{
	if (list_empty(&i->lazy_link))
		return;
	spin_lock(&i->super->inodes_lock);
	list_del(&i->lazy_link);
	spin_unlock(&i->super->inodes_lock);
}

void inode_store_times(struct inode *i)
{
	if (!list_empty(&i->lazy_link))
		i->super->ops->dirty_inode(i);
}

void super_store_times(struct super *s)
{
	struct list_head todo;

	list_init(&todo);
	spin_lock(&s->inodes_lock);
	list_splice_tail(&s->lazy, &todo);
	while (!list_empty(&todo)) {
		struct inode *i = list_first_entry(&todo, struct inode, lazy_link);

		/* On the list again: its eviction, or the next try after an error, finds it. */
		list_move_tail(&i->lazy_link, &s->lazy);
		if (!ref_get_unless_zero(&i->refs))
			continue;
		spin_unlock(&s->inodes_lock);
		s->ops->dirty_inode(i);
		put_inode(i);
		cond_resched();
		spin_lock(&s->inodes_lock);
	}
	spin_unlock(&s->inodes_lock);
}
