/* eventfd(2): a 64-bit counter that can be waited for. */
#include <ipc/ipc.h>
#include <kmem/slab.h>
#include <lib/seq_buf.h>
#include <process/signal.h>

#define COUNT_MAX (U64_MAX - 1)

struct eventfd {
	int id; /* immutable */
	struct wait_queue wait;
	u64 count; /* wait.lock */
	bool semaphore;
};

static ssize_t eventfd_read(struct file *f, struct iter *to, off64_t *pos)
{
	struct eventfd *e = f->priv;
	u64 value;

	if (to->count < sizeof(value))
		return -EINVAL;
	for (;;) {
		int err;

		spin_lock_irq(&e->wait.lock);
		value = e->count == 0 ? 0 : e->semaphore ? 1 : e->count;
		e->count -= value;
		spin_unlock_irq(&e->wait.lock);
		if (value)
			break;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wait, READ_ONCE(e->count) != 0);
		if (err)
			return err;
	}
	poll_wake(&e->wait, EPOLLOUT | EPOLLWRNORM);
	return iter_put(to, &value, sizeof(value)) == sizeof(value) ? (ssize_t)sizeof(value)
								    : -EFAULT;
}

/* The kernel itself (aio) may have brought the count to U64_MAX. */
static bool has_room(const struct eventfd *e, u64 value)
{
	return value < U64_MAX - READ_ONCE(e->count);
}

/* One value, the iterator's next 8 bytes. */
static ssize_t add_value(struct file *f, struct iter *from)
{
	struct eventfd *e = f->priv;
	u64 value;
	bool added;

	if (iter_get(from, &value, sizeof(value)) < sizeof(value))
		return -EFAULT;
	if (value == U64_MAX)
		return -EINVAL;
	for (;;) {
		int err;

		spin_lock_irq(&e->wait.lock);
		added = has_room(e, value);
		if (added)
			e->count += value;
		spin_unlock_irq(&e->wait.lock);
		if (added)
			break;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wait, has_room(e, value));
		if (err)
			return err;
	}
	poll_wake(&e->wait, EPOLLIN | EPOLLRDNORM);
	return sizeof(value);
}

/* Every segment of a vector is a write of its own, as on Linux; one of more than 8 bytes is short. */
static ssize_t eventfd_write(struct file *f, struct iter *from, off64_t *pos)
{
	ssize_t done = 0;

	do {
		size_t len = iter_segment(from);
		ssize_t n = len < sizeof(u64) ? -EINVAL : add_value(f, from);

		if (n < 0)
			return done ? done : n;
		done += n;
		if (len > sizeof(u64))
			break;
	} while (from->count);
	return done;
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->priv;
	u64 count;
	u32 mask = 0;

	poll_wait(f, &e->wait, pt);
	count = READ_ONCE(e->count);
	if (count > 0)
		mask |= EPOLLIN;
	if (count == U64_MAX)
		mask |= EPOLLERR;
	if (count < COUNT_MAX)
		mask |= EPOLLOUT;
	return mask;
}

static void eventfd_release(struct file *f)
{
	kfree(f->priv);
}

static void eventfd_fdinfo(struct file *f, struct seq_buf *s)
{
	struct eventfd *e = f->priv;

	seq_printf(s, "eventfd-count: %16llx\neventfd-id: %d\n",
		(unsigned long long)READ_ONCE(e->count), e->id);
}

static const struct file_ops g_eventfd_fops = {
	.seek = file_noop_seek,
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
	.show_fdinfo = eventfd_fdinfo,
};

bool file_is_eventfd(const struct file *f)
{
	return f->ops == &g_eventfd_fops;
}

void eventfd_add(struct file *f, u64 value)
{
	struct eventfd *e = f->priv;
	unsigned long flags = spin_lock_irqsave(&e->wait.lock);

	if (__builtin_add_overflow(e->count, value, &e->count))
		e->count = U64_MAX;
	spin_unlock_irqrestore(&e->wait.lock, flags);
	poll_wake(&e->wait, EPOLLIN | EPOLLRDNORM);
}

struct file *eventfd_create(u64 count, bool semaphore, u32 o_flags)
{
	static int next_id;
	struct eventfd *e = kmalloc(sizeof(*e), GFP_KERNEL);
	struct file *f;

	if (!e)
		return err_ptr(-ENOMEM);
	wait_queue_init(&e->wait);
	e->count = count;
	e->semaphore = semaphore;
	e->id = __atomic_add_fetch(&next_id, 1, __ATOMIC_RELAXED) & INT_MAX;
	f = file_anon("[eventfd]", &g_eventfd_fops, e, O_RDWR | o_flags);
	if (is_err(f))
		kfree(e);
	return f;
}
