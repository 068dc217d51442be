/*
 * O_ASYNC: files stand in the list of what they want to hear of; a notice sends the signal that
 * F_SETSIG chose to who F_SETOWN named. Numbers, permissions and signals are the process module's,
 * reached through the hooks.
 *
 * Users decide how many files are in a list and how many processes an owner names. So a notice
 * holds the list's lock for one file at a time and keeps its place by a mark of its own in the
 * list; files that join while it walks are not its business, which bounds the walk.
 */
#include <kmem/slab.h>
#include <lib/atomic.h>
#include <linux/fcntl.h>
#include <asm/siginfo.h>
#include "internal.h"

static const struct sigio_hooks *g_hooks; /* set once, before user programs run */

void file_set_sigio_hooks(const struct sigio_hooks *h)
{
	g_hooks = h;
}

void fasync_list_init(struct fasync_list *l)
{
	spin_init(&l->lock, RANK_FASYNC);
	list_init(&l->files);
}

/* The file's owner record, made on first use; NULL: no memory. */
struct file_owner *file_owner(struct file *f)
{
	struct file_owner *o = rcu_load(f->owner), *old = NULL;

	if (o)
		return o;
	o = kzalloc(sizeof(*o), GFP_KERNEL);
	if (!o)
		return NULL;
	o->file = f;
	list_init(&o->link);
	if (!try_cmpxchg(&f->owner, &old, o)) {
		kfree(o);
		o = old;
	}
	return o;
}

int file_set_owner(struct file *f, int kind, struct pid *pid, bool force)
{
	struct file_owner *o = file_owner(f);
	const struct cred *c = current_cred();
	struct pid *old = pid;

	if (o) {
		spin_lock_irq(&f->lock);
		if (force || !o->pid) {
			old = o->pid;
			o->pid = pid;
			o->kind = kind;
			o->uid = c->uid;
			o->euid = c->euid;
		}
		spin_unlock_irq(&f->lock);
	}
	if (old)
		g_hooks->put(old);
	return o ? 0 : -ENOMEM;
}

int file_set_async(struct file *f, int fd, bool on)
{
	struct file_owner *o = on ? file_owner(f) : rcu_load(f->owner);
	struct fasync_list *l;
	int err;

	if (on && !o)
		return -ENOMEM;
	if (o) {
		err = f->ops->fasync(f, &l);
		if (err)
			return err;
		spin_lock_irq(&l->lock);
		if (on) {
			o->fd = fd;
			if (!o->list) {
				list_add_tail(&o->link, &l->files);
				o->seq = ++l->joined;
			}
			o->list = l;
		} else if (o->list) {
			list_del(&o->link);
			o->list = NULL;
		}
		spin_unlock_irq(&l->lock);
	}
	spin_lock_irq(&f->lock);
	f->flags = on ? f->flags | FASYNC : f->flags & ~(u32)FASYNC;
	spin_unlock_irq(&f->lock);
	return 0;
}

/* The last reference is gone: no notice from here on. */
void file_end_async(struct file *f)
{
	struct file_owner *o = f->owner;
	struct fasync_list *l = o ? o->list : NULL;

	if (!l)
		return;
	spin_lock_irq(&l->lock);
	list_del(&o->link);
	o->list = NULL;
	spin_unlock_irq(&l->lock);
}

void file_free_owner(struct file *f)
{
	if (f->owner && f->owner->pid)
		g_hooks->put(f->owner->pid);
	kfree(f->owner);
}

/* What is to be sent for the file of o: copy->pid is referenced, NULL: nobody is named. */
static void copy_owner(struct file_owner *o, struct file_owner *copy)
{
	struct file *f = o->file;
	unsigned long flags = spin_lock_irqsave(&f->lock);

	*copy = *o;
	if (copy->pid)
		g_hooks->get(copy->pid);
	spin_unlock_irqrestore(&f->lock, flags);
}

/*
 * One step of the mark, behind the next file that joined by "last"; copy->pid: whom to tell of it,
 * NULL: nobody. False at the end. l->lock held.
 */
static bool step_mark(
	struct fasync_list *l, struct file_owner *mark, u32 mode, u64 last, struct file_owner *copy)
{
	struct file_owner *o = list_next_entry(mark, link);

	copy->pid = NULL;
	if (list_is_last(&mark->link, &l->files) || (o->file && o->seq > last))
		return false;
	list_move(&mark->link, &o->link);
	if (o->file && (o->file->mode & mode))
		copy_owner(o, copy);
	return true;
}

void fasync_notify_slow(struct fasync_list *l, int band)
{
	u32 mode = band == POLL_IN ? FMODE_READ : band == POLL_OUT ? FMODE_WRITE : ~0u;
	struct file_owner mark = {.file = NULL}, copy;
	unsigned long flags = spin_lock_irqsave(&l->lock);
	u64 last = l->joined;

	list_add(&mark.link, &l->files);
	while (step_mark(l, &mark, mode, last, &copy)) {
		spin_unlock_irqrestore(&l->lock, flags);
		if (copy.pid) {
			g_hooks->send(&copy, band);
			g_hooks->put(copy.pid);
		}
		flags = spin_lock_irqsave(&l->lock);
	}
	list_del(&mark.link);
	spin_unlock_irqrestore(&l->lock, flags);
}

void file_notify_urgent(struct file *f)
{
	struct file_owner *o = rcu_load(f->owner), copy;

	if (!o)
		return;
	copy_owner(o, &copy);
	if (copy.pid) {
		g_hooks->send_urgent(&copy);
		g_hooks->put(copy.pid);
	}
}
