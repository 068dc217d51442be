/*
 * Descriptor tables.
 *
 * Readers look a file up under RCU without locks: load the array, load the slot, take a reference
 * unless it is zero, and look at the slot again (the memory of files is type-stable). A task that
 * is the table's only user doesn't even need the reference: fd_get_light.
 *
 * The lowest free descriptor is found through two bitmap levels: "full" has a bit per word of
 * "open" that has no zero left.
 */
#include <core/init.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/bitmap.h>
#include <lib/string.h>
#include "internal.h"

#define MIN_FDS 64u

struct fd_array { /* replaced as a whole when it grows; freed after a grace period */
	u32 size;
	struct rcu_head rcu;
	u64 *open, *cloexec, *full;
	struct file *file[];
};

struct fd_table {
	struct refcount users; /* tasks: the last closes everything */
	struct refcount refs;  /* who looks into it from outside, and all users together */
	struct spinlock lock;  /* RANK_FDTABLE: changes of the array */
	struct fd_array *fds;  /* RCU */
};

static SLAB_CACHE(g_table_cache, struct fd_table);
u32 g_nr_open_max = 1048576; /* fs.nr_open */

static struct fd_array *array_alloc(u32 size)
{
	u32 words = size / 64, fulls = BITMAP_WORDS(words);
	size_t bytes = sizeof(struct fd_array) + sizeof(struct file *) * size +
		8ul * (2 * words + fulls);
	struct fd_array *a = kvmalloc(bytes, GFP_KERNEL | GFP_ZERO);

	if (!a)
		return NULL;
	a->size = size;
	a->open = (u64 *)&a->file[size];
	a->cloexec = a->open + words;
	a->full = a->cloexec + words;
	return a;
}

static void free_array_rcu(struct rcu_head *head)
{
	kvfree(container_of(head, struct fd_array, rcu));
}

struct fd_table *fd_table_create(void)
{
	struct fd_table *t = slab_alloc(&g_table_cache, GFP_KERNEL);

	if (!t)
		return NULL;
	ref_init(&t->users, 1);
	ref_init(&t->refs, 1);
	spin_init(&t->lock, RANK_FDTABLE);
	t->fds = array_alloc(MIN_FDS);
	if (!t->fds) {
		slab_free(&g_table_cache, t);
		return NULL;
	}
	return t;
}

static void mark_open(struct fd_array *a, u32 fd)
{
	bitmap_set(a->open, fd);
	if (!~a->open[fd / 64])
		bitmap_set(a->full, fd / 64);
}

static void mark_free(struct fd_array *a, u32 fd)
{
	bitmap_clear(a->open, fd);
	bitmap_clear(a->cloexec, fd);
	bitmap_clear(a->full, fd / 64);
}

static u32 find_free(const struct fd_array *a, u32 from)
{
	u32 words = a->size / 64, w = from / 64;
	u64 fd;

	if (from >= a->size)
		return a->size;
	fd = bitmap_next_clear(a->open, min((w + 1) * 64, a->size), from);
	if (fd < (w + 1) * 64)
		return (u32)fd;
	w = (u32)bitmap_next_clear(a->full, words, w + 1);
	return w >= words ? a->size : w * 64 + (u32)__builtin_ctzll(~a->open[w]);
}

/* A larger array that holds descriptor fd; called and returns with the lock held. */
static int grow_locked(struct fd_table *t, u32 fd)
{
	u32 size = max(MIN_FDS, 2u << ilog2(fd));
	struct fd_array *old, *new;

	spin_unlock(&t->lock);
	new = array_alloc(size);
	spin_lock(&t->lock);
	if (!new)
		return -ENOMEM;
	old = t->fds;
	if (old->size >= size) { /* somebody else grew it */
		kvfree(new);
		return 0;
	}
	memcpy(new->file, old->file, sizeof(struct file *) * old->size);
	memcpy(new->open, old->open, old->size / 8);
	memcpy(new->cloexec, old->cloexec, old->size / 8);
	for (u32 w = 0; w < old->size / 64; w++)
		if (!~new->open[w])
			bitmap_set(new->full, w);
	rcu_publish(t->fds, new);
	rcu_call(&old->rcu, free_array_rcu);
	return 0;
}

struct fd_table *fd_table_copy(struct fd_table *old, u32 max_fds)
{
	struct fd_table *t = slab_alloc(&g_table_cache, GFP_KERNEL);
	struct fd_array *a, *o;
	u32 last, limit;

	if (!t)
		return err_ptr(-ENOMEM);
	ref_init(&t->users, 1);
	ref_init(&t->refs, 1);
	spin_init(&t->lock, RANK_FDTABLE);
	spin_lock(&old->lock);
	for (;;) {
		u32 size;

		o = old->fds;
		for (last = o->size / 64; last && !o->open[last - 1]; last--)
			;
		limit = max_fds < o->size ? round_up(max_fds, 64u) : o->size;
		last = min(last * 64, limit);
		size = max(last, MIN_FDS);
		if (!is_power_of_2(size))
			size = 2u << ilog2(size);
		spin_unlock(&old->lock);
		a = array_alloc(size);
		if (!a) {
			slab_free(&g_table_cache, t);
			return err_ptr(-ENOMEM);
		}
		spin_lock(&old->lock);
		o = old->fds;
		limit = max_fds < o->size ? round_up(max_fds, 64u) : o->size;
		if (limit <= a->size || bitmap_next_set(o->open, limit, a->size) == limit)
			break;
		spin_unlock(&old->lock); /* it grew meanwhile */
		kvfree(a);
		spin_lock(&old->lock);
	}
	for (u32 w = 0; w < min(o->size, a->size) / 64; w++)
		for (u64 bits = o->open[w]; bits; bits &= bits - 1) {
			u32 fd = w * 64 + (u32)__builtin_ctzll(bits);

			if (!o->file[fd] || fd >= max_fds)
				continue; /* reserved, being opened */
			get_file(o->file[fd]);
			a->file[fd] = o->file[fd];
			mark_open(a, fd);
			if (bitmap_test(o->cloexec, fd))
				bitmap_set(a->cloexec, fd);
		}
	spin_unlock(&old->lock);
	t->fds = a;
	return t;
}

void get_fd_table(struct fd_table *t)
{
	ref_get(&t->users);
}

void fd_table_hold(struct fd_table *t)
{
	ref_get(&t->refs);
}

void fd_table_unhold(struct fd_table *t)
{
	if (!ref_put(&t->refs))
		return;
	kvfree(t->fds);
	slab_free(&g_table_cache, t);
}

bool fd_table_shared(const struct fd_table *t)
{
	return ref_read(&t->users) > 1;
}

static int filp_close(struct file *f, struct fd_table *t)
{
	int err = 0;

	if (f->ops->flush)
		err = f->ops->flush(f);
	if (!(f->mode & FMODE_PATH) && f->inode && f->inode->locks)
		locks_release_posix(f, t);
	put_file(f);
	return err;
}

void put_fd_table(struct fd_table *t)
{
	struct fd_array *a;

	if (!ref_put(&t->users))
		return;
	a = t->fds; /* only now nobody replaces it */
	for (u32 w = 0; w < a->size / 64; w++) {
		for (u64 bits = a->open[w]; bits; bits &= bits - 1) {
			u32 fd = w * 64 + (u32)__builtin_ctzll(bits);
			struct file *f = a->file[fd];

			if (!f)
				continue;
			rcu_publish(a->file[fd], NULL); /* for who still looks */
			(void)filp_close(f, t);
		}
		cond_resched();
	}
	fd_table_unhold(t);
}

static u32 fd_limit(void)
{
	u64 n = g_vfs_limits.nofile ? g_vfs_limits.nofile() : 1024;

	return (u32)min_t(u64, n, g_nr_open_max);
}

int fd_reserve(struct fd_table *t, int min_fd, bool cloexec)
{
	u32 limit = fd_limit(), fd;
	int err;

	spin_lock(&t->lock);
	for (;;) {
		fd = find_free(t->fds, (u32)min_fd);
		if (fd >= limit || (u32)min_fd >= limit) {
			spin_unlock(&t->lock);
			return -EMFILE;
		}
		if (fd < t->fds->size)
			break;
		err = grow_locked(t, max(fd, (u32)min_fd));
		if (err) {
			spin_unlock(&t->lock);
			return err;
		}
	}
	mark_open(t->fds, fd);
	if (cloexec)
		bitmap_set(t->fds->cloexec, fd);
	else
		bitmap_clear(t->fds->cloexec, fd);
	spin_unlock(&t->lock);
	return (int)fd;
}

void fd_unreserve(struct fd_table *t, int fd)
{
	spin_lock(&t->lock);
	mark_free(t->fds, (u32)fd);
	spin_unlock(&t->lock);
}

void fd_install(struct fd_table *t, int fd, struct file *f)
{
	spin_lock(&t->lock);
	rcu_publish(t->fds->file[fd], f);
	spin_unlock(&t->lock);
}

int fd_open(struct fd_table *t, struct file *f, bool cloexec)
{
	int fd = fd_reserve(t, 0, cloexec);

	if (fd < 0)
		put_file(f);
	else
		fd_install(t, fd, f);
	return fd;
}

/* ---- look-up
 * ---------------------------------------------------------------------------------------- */

static struct file *lookup(struct fd_table *t, int fd)
{
	struct file *f;

	rcu_read_lock();
	for (;;) {
		struct fd_array *a = rcu_load(t->fds);

		f = (u32)fd < a->size ? rcu_load(a->file[fd]) : NULL;
		if (!f)
			break;
		if (!ref_get_unless_zero(&f->refs))
			continue; /* being closed: the slot is empty by now or soon */
		if (rcu_load(t->fds) == a && rcu_load(a->file[fd]) == f)
			break;
		put_file(f); /* the memory was reused for another file */
	}
	rcu_read_unlock();
	return f;
}

struct file *fd_get_any(struct fd_table *t, int fd)
{
	return lookup(t, fd);
}

struct file *fd_get(struct fd_table *t, int fd)
{
	struct file *f = lookup(t, fd);

	if (f && (f->mode & FMODE_PATH)) {
		put_file(f);
		return NULL;
	}
	return f;
}

struct file *fd_get_light(struct fd_table *t, int fd, bool *need_put)
{
	*need_put = false;
	if (likely(ref_read(&t->users) == 1)) {
		struct fd_array *a = t->fds;
		struct file *f = (u32)fd < a->size ? a->file[fd] : NULL;

		return f && likely(!(f->mode & FMODE_PATH)) ? f : NULL;
	}
	*need_put = true;
	return fd_get(t, fd);
}

/* ---- closing
 * ----------------------------------------------------------------------------------------- */

/* Take the file out of its slot; NULL: not open. */
static struct file *take_out(struct fd_table *t, u32 fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (fd < t->fds->size) {
		f = t->fds->file[fd];
		if (f) {
			rcu_publish(t->fds->file[fd], NULL);
			mark_free(t->fds, fd);
		}
	}
	spin_unlock(&t->lock);
	return f;
}

int fd_close(struct fd_table *t, int fd)
{
	struct file *f = take_out(t, (u32)fd);

	return f ? filp_close(f, t) : -EBADF;
}

static void close_one(struct fd_table *t, u32 fd)
{
	struct file *f = take_out(t, fd);

	if (f)
		(void)filp_close(f, t);
}

int fd_close_range(struct fd_table *t, u32 first, u32 last, bool cloexec_only)
{
	u32 size;

	spin_lock(&t->lock);
	size = t->fds->size;
	if (cloexec_only) {
		if (first < size)
			bitmap_set_range(t->fds->cloexec, first, min(last, size - 1) - first + 1);
		spin_unlock(&t->lock);
		return 0;
	}
	spin_unlock(&t->lock);
	for (int fd = fd_next(t, (int)min(first, (u32)INT_MAX)); fd >= 0 && (u32)fd <= last;
		fd = fd_next(t, fd + 1)) {
		close_one(t, (u32)fd);
		cond_resched();
	}
	return 0;
}

void fd_close_on_exec(struct fd_table *t)
{
	for (u32 w = 0;; w++) {
		u64 bits;

		spin_lock(&t->lock);
		if (w >= t->fds->size / 64) {
			spin_unlock(&t->lock);
			return;
		}
		bits = t->fds->open[w] & t->fds->cloexec[w];
		spin_unlock(&t->lock);
		for (; bits; bits &= bits - 1)
			close_one(t, w * 64 + (u32)__builtin_ctzll(bits));
	}
}

int fd_dup2(struct fd_table *t, int oldfd, int newfd, bool cloexec)
{
	struct file *f = lookup(t, oldfd), *victim = NULL;
	int err = 0;

	if (!f)
		return -EBADF;
	if (newfd < 0 || (u32)newfd >= fd_limit()) {
		put_file(f);
		return -EBADF;
	}
	spin_lock(&t->lock);
	while ((u32)newfd >= t->fds->size && !err)
		err = grow_locked(t, (u32)newfd);
	if (!err) {
		victim = t->fds->file[newfd];
		if (!victim && bitmap_test(t->fds->open, (u32)newfd))
			err = -EBUSY; /* another thread is opening it */
	}
	if (!err) {
		rcu_publish(t->fds->file[newfd], f);
		mark_open(t->fds, (u32)newfd);
		if (cloexec)
			bitmap_set(t->fds->cloexec, (u32)newfd);
		else
			bitmap_clear(t->fds->cloexec, (u32)newfd);
	}
	spin_unlock(&t->lock);
	if (err) {
		put_file(f);
		return err;
	}
	if (victim)
		(void)filp_close(victim, t);
	return newfd;
}

int fd_get_cloexec(struct fd_table *t, int fd)
{
	int r = -EBADF;

	spin_lock(&t->lock);
	if ((u32)fd < t->fds->size && t->fds->file[fd])
		r = bitmap_test(t->fds->cloexec, (u32)fd);
	spin_unlock(&t->lock);
	return r;
}

int fd_set_cloexec(struct fd_table *t, int fd, bool on)
{
	int r = -EBADF;

	spin_lock(&t->lock);
	if ((u32)fd < t->fds->size && t->fds->file[fd]) {
		if (on)
			bitmap_set(t->fds->cloexec, (u32)fd);
		else
			bitmap_clear(t->fds->cloexec, (u32)fd);
		r = 0;
	}
	spin_unlock(&t->lock);
	return r;
}

int fd_next(struct fd_table *t, int from)
{
	u64 fd;
	int r = -1;

	if (from < 0)
		return -1;
	spin_lock(&t->lock);
	for (fd = (u64)from; fd < t->fds->size; fd++) {
		fd = bitmap_next_set(t->fds->open, t->fds->size, fd);
		if (fd < t->fds->size && t->fds->file[fd]) {
			r = (int)fd;
			break;
		}
	}
	spin_unlock(&t->lock);
	return r;
}

u32 fd_table_size(struct fd_table *t)
{
	return READ_ONCE(t->fds)->size;
}
