/*
 * epoll(7).
 *
 * An item is one watched (file, descriptor) pair of one instance: in the instance's tree, on the
 * file's list, hooked to the file's wait queues, and on the ready list when something may have
 * happened. Wake-up callbacks only move items to the ready list and wake waiters; whether an item
 * really is ready is asked (vfs_poll) when events are collected.
 *
 * Locks: ep->lock (RANK_EPOLL) for the tree, the items and collecting; ep->ready_lock (RANK_POLL,
 * interrupts off) for the ready list and the sleeping waiters, taken inside callbacks under a wait
 * queue's lock; a file's list of items has one of g_links (RANK_EPOLL_LINKS), by its address, as any
 * number of instances may watch it and the list is walked; g_nesting_lock serialises additions of
 * instances to instances, so that no cycle can be closed by two at once, and with them those walks.
 *
 * A file knows its items; before its last release it removes them (epoll_file_gone). An item holds
 * no reference on its file: under ep->lock an item found in the tree has a file whose release has
 * not begun.
 */
#include <core/init.h>
#include <ipc/ipc.h>
#include <kmem/slab.h>
#include <lib/hash.h>
#include <lib/rbtree.h>
#include <lib/seq_buf.h>
#include <process/signal.h>

#define MAX_NESTS  4 /* instances inside instances, as Linux */
#define EP_PRIVATE (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define EXCLUSIVE_OK \
	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

struct epoll {
	struct refcount refs; /* its file, and each item while being removed */
	struct mutex lock;
	struct rb_root items;
	struct file *file; /* its own; not referenced */
	struct spinlock ready_lock;
	struct list_head ready; /* items; ready_lock */
	u32 nr_ready;           /* ready_lock */
	bool collecting; /* items that are ready may be off the list for a moment; ready_lock */
	struct list_head sleepers;   /* struct sleeper; ready_lock */
	struct wait_queue poll_wait; /* whoever polls this instance */
	struct user_account *user;
	/* One look at the graph: seen in it, with what result. g_nesting_lock. */
	u64 below_gen, leaves_gen, above_gen;
	int below, above;
};

struct sleeper {
	struct list_head link;
	struct thread *thread;
	bool woken;
};

struct hook { /* one wait queue of an item's file */
	struct waiter w;
	struct epitem *item;
	struct hook *next;
};

struct epitem {
	struct rb_node node; /* ep->items; ep->lock */
	struct epoll *ep;
	struct file *file;
	int fd;
	struct epoll_event event;    /* ep->lock; events also read by callbacks */
	struct list_head ready_link; /* ep->ready_lock */
	bool on_ready;
	bool hook_failed;
	struct list_head file_link; /* file->epoll_links; links_of(file) */
	struct hook *more;          /* further hooks */
	struct hook first;
	bool first_used;
	bool dying; /* ep->lock: being removed */
	struct rcu_head rcu;
};

static SLAB_CACHE(g_item_cache, struct epitem);
static struct mutex g_nesting_lock = MUTEX_INIT(g_nesting_lock, RANK_FILE_POS);
static u64 g_look; /* g_nesting_lock: number of the current look at the graph */
static const struct file_ops g_epoll_fops;

u64 g_epoll_max_watches; /* by memory size at start-up */

#define NR_LINKS 64                    /* bits of struct walk's set */
static struct mutex g_links[NR_LINKS]; /* RANK_EPOLL_LINKS */

static u32 links_index(const struct file *f)
{
	return hash_ptr(f) % NR_LINKS;
}

static struct mutex *links_of(const struct file *f)
{
	return &g_links[links_index(f)];
}

static struct epoll *file_epoll(struct file *f)
{
	return f->ops == &g_epoll_fops ? f->priv : NULL;
}

static void put_epoll(struct epoll *ep)
{
	if (!ref_put(&ep->refs))
		return;
	put_user_account(ep->user);
	kfree(ep);
}

/* ---- ready list ------------------------------------------------------------------------------ */

/* Wake who sleeps longest, if anybody does. ready_lock held. */
static bool wake_sleeper_locked(struct epoll *ep)
{
	struct sleeper *s = list_first_entry_or_null(&ep->sleepers, struct sleeper, link);

	if (!s)
		return false;
	list_del(&s->link);
	WRITE_ONCE(s->woken, true);
	thread_wake(
		s->thread); /* s lives on its stack until it has seen woken: RUNQUEUE ranks above */
	return true;
}

/* Put the item on the ready list and wake one sleeper. True when somebody was woken. Any context. */
static bool make_ready(struct epitem *it)
{
	struct epoll *ep = it->ep;
	unsigned long flags = spin_lock_irqsave(&ep->ready_lock);
	bool woke;

	if (!it->on_ready) {
		it->on_ready = true;
		list_add_tail(&it->ready_link, &ep->ready);
		ep->nr_ready++;
	}
	woke = wake_sleeper_locked(ep);
	spin_unlock_irqrestore(&ep->ready_lock, flags);
	if (wait_queue_active(&ep->poll_wait)) {
		/* Under the watched file's queue lock: outer instances only, the graph has no
		 * cycles. */
		wake_up_key_nested(&ep->poll_wait, INT_MAX, EPOLLIN | EPOLLRDNORM);
		woke = true;
	}
	return woke;
}

static bool item_woken(struct waiter *w, unsigned long key)
{
	struct epitem *it = container_of(w, struct hook, w)->item;
	u32 events = READ_ONCE(it->event.events);

	if (!(events & ~EP_PRIVATE))
		return false; /* a one-shot that was reported */
	if (key && !(key & events))
		return false;
	if (!make_ready(it))
		return false;
	return (events & EPOLLEXCLUSIVE) != 0;
}

/* May there be something to collect? Exact enough to sleep on: ready_lock held. */
static bool any_ready_locked(struct epoll *ep)
{
	return !list_empty(&ep->ready) || ep->collecting;
}

static bool any_ready(struct epoll *ep)
{
	bool any;

	if (!list_empty(&ep->ready))
		return true;
	spin_lock_irq(&ep->ready_lock);
	any = any_ready_locked(ep);
	spin_unlock_irq(&ep->ready_lock);
	return any;
}

/* From here to end_collecting items are taken off and put back. ep->lock held over both. */
static struct epitem *pop_ready(struct epoll *ep)
{
	struct epitem *it;

	spin_lock_irq(&ep->ready_lock);
	ep->collecting = true;
	it = list_first_entry_or_null(&ep->ready, struct epitem, ready_link);
	if (it) {
		list_del(&it->ready_link);
		it->on_ready = false;
		ep->nr_ready--;
	}
	spin_unlock_irq(&ep->ready_lock);
	return it;
}

/* What is left, level-triggered items among it, is for the next sleeper: he was not woken for it. */
static void end_collecting(struct epoll *ep)
{
	spin_lock_irq(&ep->ready_lock);
	ep->collecting = false;
	if (!list_empty(&ep->ready))
		(void)wake_sleeper_locked(ep);
	spin_unlock_irq(&ep->ready_lock);
}

static void push_ready(struct epitem *it, bool front)
{
	struct epoll *ep = it->ep;

	spin_lock_irq(&ep->ready_lock);
	if (!it->on_ready) {
		it->on_ready = true;
		if (front)
			list_add(&it->ready_link, &ep->ready);
		else
			list_add_tail(&it->ready_link, &ep->ready);
		ep->nr_ready++;
	}
	spin_unlock_irq(&ep->ready_lock);
}

/* ---- items --------------------------------------------------------------------------------------
 */

static int compare(struct file *f, int fd, const struct epitem *it)
{
	if (f != it->file)
		return f < it->file ? -1 : 1;
	return fd - it->fd;
}

static struct epitem *find_item(struct epoll *ep, struct file *f, int fd)
{
	struct rb_node *n = ep->items.node;

	while (n) {
		struct epitem *it = container_of(n, struct epitem, node);
		int c = compare(f, fd, it);

		if (c == 0)
			return it;
		n = c < 0 ? n->left : n->right;
	}
	return NULL;
}

static void insert_item(struct epoll *ep, struct epitem *it)
{
	struct rb_node **link = &ep->items.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = compare(it->file, it->fd, container_of(parent, struct epitem, node)) < 0
			? &parent->left
			: &parent->right;
	}
	rb_insert(&ep->items, &it->node, parent, link);
}

struct hook_table {
	struct poll_table pt;
	struct epitem *item;
};

static void add_hook(struct poll_table *pt, struct file *f, struct wait_queue *q)
{
	struct epitem *it = container_of(pt, struct hook_table, pt)->item;
	struct hook *h = &it->first;

	if (it->first_used) {
		h = kmalloc(sizeof(*h), GFP_KERNEL);
		if (!h) {
			it->hook_failed = true;
			return;
		}
		h->next = it->more;
		it->more = h;
	}
	it->first_used = true;
	waiter_init(&h->w);
	h->w.fn = item_woken;
	h->w.thread = NULL;
	h->w.exclusive = (it->event.events & EPOLLEXCLUSIVE) != 0;
	h->item = it;
	wait_add(q, &h->w);
}

static void remove_hooks(struct epitem *it)
{
	struct hook *h, *next;

	if (it->first_used)
		wait_remove(&it->first.w);
	for (h = it->more; h; h = next) {
		next = h->next;
		wait_remove(&h->w);
		kfree(h);
	}
	it->more = NULL;
}

static void free_item(struct rcu_head *head)
{
	slab_free(&g_item_cache, container_of(head, struct epitem, rcu));
}

/* Take the item out of everything. ep->lock held. */
static void remove_item(struct epoll *ep, struct epitem *it)
{
	remove_hooks(it); /* no callback runs after this */
	mutex_lock(links_of(it->file));
	list_del(&it->file_link);
	mutex_unlock(links_of(it->file));
	spin_lock_irq(&ep->ready_lock);
	if (it->on_ready) {
		list_del(&it->ready_link);
		it->on_ready = false;
		ep->nr_ready--;
	}
	spin_unlock_irq(&ep->ready_lock);
	rb_erase(&ep->items, &it->node);
	__atomic_fetch_sub(&ep->user->epoll_watches, 1, __ATOMIC_RELAXED);
	rcu_call(&it->rcu, free_item);
}

/* The file's last reference is gone, its release comes next: forget it everywhere. */
static void epoll_file_gone(struct file *f)
{
	for (;;) {
		struct epitem *it;
		struct epoll *ep = NULL;

		mutex_lock(links_of(f));
		it = list_first_entry_or_null(&f->epoll_links, struct epitem, file_link);
		if (it && ref_get_unless_zero(&it->ep->refs))
			ep = it->ep;
		mutex_unlock(links_of(f));
		if (!it)
			return;
		if (!ep) { /* its instance is being torn down: that removes the item */
			sched_resched();
			continue;
		}
		mutex_lock(&ep->lock);
		/* Looked up again: the instance may have removed it meanwhile. */
		mutex_lock(links_of(f));
		it = list_first_entry_or_null(&f->epoll_links, struct epitem, file_link);
		if (it && it->ep != ep)
			it = NULL;
		mutex_unlock(links_of(f));
		if (it)
			remove_item(ep, it);
		mutex_unlock(&ep->lock);
		put_epoll(ep);
	}
}

static u32 item_events(struct epitem *it, struct poll_table *pt)
{
	return vfs_poll(it->file, pt) & READ_ONCE(it->event.events) & ~EP_PRIVATE;
}

/* ---- wake-up paths ------------------------------------------------------------------------- */

/* An event of a file wakes all instances above it, along every path: so many paths of each length
 * are allowed, as Linux has it. Any number of instances may watch a file directly. */
static const u32 g_path_limits[MAX_NESTS + 1] = {U32_MAX, 500, 100, 50, 10};

/*
 * A walk up the graph from a file. It holds the lists that it is in the midst of: so an item's
 * instance stays, and that one's file. There is one walk at a time, and others hold one of g_links
 * and want no second, so the order doesn't matter.
 */
struct walk {
	u64 held; /* of g_links, by index */
	u32 counts[MAX_NESTS + 1];
};

/* True: it is to be given back by walk_leave; false: held further up. */
static bool walk_enter(struct walk *w, const struct file *f)
{
	u64 bit = 1ull << links_index(f);

	if (w->held & bit)
		return false;
	mutex_lock_nested(links_of(f));
	w->held |= bit;
	return true;
}

static void walk_leave(struct walk *w, const struct file *f, bool entered)
{
	if (!entered)
		return;
	w->held &= ~(1ull << links_index(f));
	mutex_unlock(links_of(f));
}

/* Ends early at a limit. g_nesting_lock held. */
static int count_paths(struct walk *w, const struct file *f, int depth)
{
	bool entered = walk_enter(w, f);
	struct epitem *it;
	int err = 0;

	list_for_each_entry(it, &f->epoll_links, file_link) {
		const struct file *up = READ_ONCE(it->ep->file);

		if (!up || list_empty(&up->epoll_links))
			err = ++w->counts[depth] > g_path_limits[depth] ? -EINVAL : 0;
		else
			err = depth == MAX_NESTS ? -EINVAL : count_paths(w, up, depth + 1);
		if (err)
			break;
		cond_resched();
	}
	walk_leave(w, f, entered);
	return err;
}

static int check_paths(const struct file *f)
{
	struct walk w = {0};

	return count_paths(&w, f, 0);
}

/* The same for every file that is watched by ep or by what is below it. g_nesting_lock held. */
static int check_leaves(struct epoll *ep)
{
	int err = 0;

	if (ep->leaves_gen == g_look)
		return 0;
	ep->leaves_gen = g_look;
	mutex_lock_nested(&ep->lock); /* going down only */
	for (struct rb_node *n = rb_first(&ep->items); n && !err; n = rb_next(n)) {
		struct file *f = container_of(n, struct epitem, node)->file;
		struct epoll *sub = file_epoll(f);

		err = sub ? check_leaves(sub) : check_paths(f);
		cond_resched();
	}
	mutex_unlock(&ep->lock);
	return err;
}

/* nested: ep is watched itself, or f is an instance; g_nesting_lock is held then. */
static int add_item(
	struct epoll *ep, struct file *f, int fd, const struct epoll_event *ev, bool nested)
{
	struct epitem *it = slab_alloc(&g_item_cache, GFP_KERNEL | GFP_ZERO);
	struct hook_table ht;

	if (!it)
		return -ENOMEM;
	it->ep = ep;
	it->file = f;
	it->fd = fd;
	it->event = *ev;
	list_init(&it->ready_link);
	list_init(&it->file_link);
	__atomic_fetch_add(&ep->user->epoll_watches, 1, __ATOMIC_RELAXED);
	insert_item(ep, it);
	mutex_lock(links_of(f));
	list_add_tail(&it->file_link, &f->epoll_links);
	mutex_unlock(links_of(f));
	if (nested) {
		int err = file_epoll(f) ? check_leaves(file_epoll(f)) : check_paths(f);

		if (err) {
			remove_item(ep, it);
			return err;
		}
	}
	ht = (struct hook_table){{.queue = add_hook, .events = ev->events}, it};
	if (item_events(it, &ht.pt))
		(void)make_ready(it);
	if (it->hook_failed) {
		remove_item(ep, it);
		return -ENOMEM;
	}
	return 0;
}

static void modify_item(struct epitem *it, const struct epoll_event *ev)
{
	it->event.data = ev->data;
	WRITE_ONCE(it->event.events, ev->events);
	smp_mb(); /* callbacks from here on see the new mask; then look */
	if (item_events(it, NULL))
		(void)make_ready(it);
}

/* ---- nesting
 * -------------------------------------------------------------------------------------- */

/* Levels of instances below ep, or -ELOOP when "wanted" is among them or there are too many. */
static int depth_below(struct epoll *ep, struct epoll *wanted, int level)
{
	int deepest = 0;

	if (ep == wanted || level > MAX_NESTS)
		return -ELOOP;
	if (ep->below_gen == g_look) /* here before, on another path */
		return level + ep->below > MAX_NESTS ? -ELOOP : ep->below;
	mutex_lock_nested(&ep->lock); /* going down only: g_nesting_lock keeps the graph acyclic */
	for (struct rb_node *n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct epoll *sub = file_epoll(container_of(n, struct epitem, node)->file);
		int d = sub ? depth_below(sub, wanted, level + 1) : 0;

		if (d < 0) {
			deepest = d;
			break;
		}
		if (sub)
			deepest = max(deepest, d + 1);
	}
	mutex_unlock(&ep->lock);
	ep->below_gen = g_look;
	ep->below = max(deepest, 0);
	return deepest;
}

/* Levels of instances above ep. g_nesting_lock held; chains are short. */
static int depth_above(struct walk *w, struct epoll *ep, int level)
{
	const struct file *f = READ_ONCE(ep->file);
	int highest = 0;
	struct epitem *it;
	bool entered;

	if (level > MAX_NESTS || !f)
		return 0;
	if (ep->above_gen == g_look)
		return ep->above;
	entered = walk_enter(w, f);
	list_for_each_entry(it, &f->epoll_links, file_link) {
		highest = max(highest, 1 + depth_above(w, it->ep, level + 1));
		cond_resched();
	}
	walk_leave(w, f, entered);
	ep->above_gen = g_look;
	ep->above = highest;
	return highest;
}

static int check_nesting(struct epoll *ep, struct epoll *target)
{
	int below = depth_below(target, ep, 1);
	struct walk w = {0};

	if (below < 0)
		return below;
	return below + depth_above(&w, ep, 0) + 1 > MAX_NESTS ? -ELOOP : 0;
}

/* ---- control
 * ---------------------------------------------------------------------------------------- */

static int check_exclusive(int op, u32 events, bool nested)
{
	if (!(events & EPOLLEXCLUSIVE))
		return 0;
	if (op == EPOLL_CTL_MOD || (op == EPOLL_CTL_ADD && (nested || (events & ~EXCLUSIVE_OK))))
		return -EINVAL;
	return 0;
}

int epoll_control(
	struct file *epf, int op, struct file *target, int fd, const struct epoll_event *ev)
{
	struct epoll *ep = file_epoll(epf), *sub = file_epoll(target);
	struct epoll_event event = ev ? *ev : (struct epoll_event){0};
	bool nest;
	struct epitem *it;
	int err;

	if (!target->ops->poll)
		return -EPERM;
	if (!ep || target == epf)
		return -EINVAL;
	err = check_exclusive(op, event.events, sub != NULL);
	if (err)
		return err;
	event.events &= ~EPOLLWAKEUP; /* no suspend here: as without CAP_BLOCK_SUSPEND */
	event.events |= EPOLLERR | EPOLLHUP;
	nest = op == EPOLL_CTL_ADD && (sub || !list_empty(&epf->epoll_links));
again:
	if (nest) {
		mutex_lock(&g_nesting_lock);
		g_look++;
		err = sub ? check_nesting(ep, sub) : 0;
		if (err) {
			mutex_unlock(&g_nesting_lock);
			return err;
		}
	}
	mutex_lock(&ep->lock);
	if (op == EPOLL_CTL_ADD && !nest && unlikely(!list_empty(&epf->epoll_links))) {
		/* Somebody began to watch us meanwhile; his check waits for our lock. */
		mutex_unlock(&ep->lock);
		nest = true;
		goto again;
	}
	it = find_item(ep, target, fd);
	switch (op) {
	case EPOLL_CTL_ADD:
		if (it)
			err = -EEXIST;
		else if ((u64)READ_ONCE(ep->user->epoll_watches) >= READ_ONCE(g_epoll_max_watches))
			err = -ENOSPC;
		else
			err = add_item(ep, target, fd, &event, nest);
		break;
	case EPOLL_CTL_DEL:
		if (it)
			remove_item(ep, it);
		err = it ? 0 : -ENOENT;
		break;
	case EPOLL_CTL_MOD:
		if (!it)
			err = -ENOENT;
		else if (it->event.events & EPOLLEXCLUSIVE)
			err = -EINVAL;
		else
			modify_item(it, &event);
		break;
	default:
		err = -EINVAL;
		break;
	}
	mutex_unlock(&ep->lock);
	if (nest)
		mutex_unlock(&g_nesting_lock);
	return err;
}

/* ---- waiting
 * ----------------------------------------------------------------------------------------- */

/* Report what is ready now: number of events, or -EFAULT when none could be delivered. */
static int collect(struct epoll *ep, struct epoll_event __user *out, int max)
{
	int n = 0;
	u32 looks;

	mutex_lock(&ep->lock);
	looks = READ_ONCE(ep->nr_ready); /* level-triggered ones come back: one round only */
	while (n < max && looks--) {
		struct epitem *it = pop_ready(ep);
		struct epoll_event ev;

		if (!it)
			break;
		ev.events = item_events(it, NULL);
		if (!ev.events)
			continue;
		ev.data = it->event.data;
		if (copy_to_user(&out[n], &ev, sizeof(ev))) {
			push_ready(it, true); /* not delivered: stays */
			if (n == 0)
				n = -EFAULT;
			break;
		}
		n++;
		if (it->event.events & EPOLLONESHOT)
			WRITE_ONCE(it->event.events, it->event.events & EP_PRIVATE);
		else if (!(it->event.events & EPOLLET))
			push_ready(it, false);
	}
	end_collecting(ep);
	mutex_unlock(&ep->lock);
	return n;
}

int epoll_wait_events(struct file *epf, struct epoll_event __user *events, int max, s64 deadline)
{
	struct epoll *ep = file_epoll(epf);
	bool late = deadline == 0;

	if (!ep)
		return -EINVAL;
	for (;;) {
		struct sleeper s = {.thread = current_thread()};
		int n;

		if (any_ready(ep)) {
			n = collect(ep, events, max);
			if (n)
				return n;
		}
		if (late)
			return 0;
		if (signal_interrupts(current_thread(), THREAD_INTERRUPTIBLE))
			return -EINTR;
		spin_lock_irq(&ep->ready_lock);
		if (any_ready_locked(ep)) {
			spin_unlock_irq(&ep->ready_lock);
			continue; /* collect waits for whoever collects now */
		}
		list_add_tail(&s.link, &ep->sleepers);
		thread_set_state(THREAD_INTERRUPTIBLE);
		spin_unlock_irq(&ep->ready_lock);
		/* Looked at again: a signal between the look above and the new state woke nobody. */
		if (!signal_interrupts(current_thread(), THREAD_INTERRUPTIBLE))
			late = sched_block_until(deadline);
		thread_set_state(THREAD_RUNNING);
		spin_lock_irq(&ep->ready_lock);
		if (!s.woken)
			list_del(&s.link);
		spin_unlock_irq(&ep->ready_lock);
	}
}

/* ---- the file
 * ------------------------------------------------------------------------------------------ */

/* An instance is readable when an item really has events: looks, so that stale ones don't count. */
static u32 epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *ep = f->priv;
	u32 mask = 0, looks;

	poll_wait(f, &ep->poll_wait, pt);
	if (!any_ready(ep))
		return 0;
	mutex_lock_nested(&ep->lock); /* inside an outer instance's lock: nesting is acyclic */
	looks = READ_ONCE(ep->nr_ready);
	while (looks-- && !mask) {
		struct epitem *it = pop_ready(ep);

		if (!it)
			break;
		if (item_events(it, NULL)) {
			push_ready(it, true);
			mask = EPOLLIN | EPOLLRDNORM;
		}
	}
	end_collecting(ep);
	mutex_unlock(&ep->lock);
	return mask;
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->priv;
	struct rb_node *n;

	mutex_lock(&ep->lock);
	WRITE_ONCE(ep->file, NULL);
	while ((n = rb_first(&ep->items)))
		remove_item(ep, container_of(n, struct epitem, node));
	mutex_unlock(&ep->lock);
	put_epoll(ep);
}

static void epoll_fdinfo(struct file *f, struct seq_buf *s)
{
	struct epoll *ep = f->priv;

	mutex_lock(&ep->lock);
	for (struct rb_node *n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct epitem *it = container_of(n, struct epitem, node);
		struct inode *i = it->file->inode;

		seq_printf(s, "tfd: %8d events: %8x data: %16llx  pos:%lli ino:%llx sdev:%llx\n",
			it->fd, it->event.events, (unsigned long long)it->event.data,
			(long long)it->file->pos, (unsigned long long)i->ino,
			(unsigned long long)(i->super ? i->super->dev : 0));
	}
	mutex_unlock(&ep->lock);
}

static const struct file_ops g_epoll_fops = {
	.seek = file_noop_seek,
	.poll = epoll_poll,
	.release = epoll_release,
	.show_fdinfo = epoll_fdinfo,
};

struct file *epoll_create_file(u32 o_flags)
{
	struct epoll *ep = kzalloc(sizeof(*ep), GFP_KERNEL);
	struct file *f;

	if (!ep)
		return err_ptr(-ENOMEM);
	ref_init(&ep->refs, 1);
	mutex_init(&ep->lock, RANK_EPOLL);
	spin_init(&ep->ready_lock, RANK_POLL);
	list_init(&ep->ready);
	list_init(&ep->sleepers);
	wait_queue_init(&ep->poll_wait);
	ep->user = current_cred()->user;
	get_user_account(ep->user);
	f = file_anon("[eventpoll]", &g_epoll_fops, ep, O_RDWR | o_flags);
	if (is_err(f)) {
		put_epoll(ep);
		return f;
	}
	ep->file = f;
	return f;
}

/* As Linux: the watches of a user may take 4% of memory. */
static int epoll_init(void)
{
	g_epoll_max_watches = (u64)g_nr_frames * PAGE_SIZE / 25 /
		(sizeof(struct epitem) + sizeof(struct hook));
	for (int i = 0; i < NR_LINKS; i++)
		mutex_init(&g_links[i], RANK_EPOLL_LINKS);
	file_set_epoll_hook(epoll_file_gone);
	return 0;
}
INIT_HOOK(INIT_CORE, epoll_init);
