/*
 * Generated files. An open file keeps a piece of the text: one page or so of a long one
 * (lib/seq_buf.h), all of a short one, so that small reads see one consistent text. It is made at
 * the first read and whenever position 0 is read again. Reads go on where the last one ended; from
 * elsewhere, the text is made again from its beginning up to there.
 */
#include "procfs.h"
#include <kmem/slab.h>
#include <lib/string.h>
#include <linux/fs.h>
#include <linux/magic.h>

#define STORE_MAX 4096                /* longest write */
#define PIECE     (PAGE_SIZE * 3 / 4) /* so that one more record mostly fits into the page */
#define KEEP_MAX  (2 * PAGE_SIZE)     /* a buffer that one long record made larger isn't kept */

struct gen {
	struct mutex lock; /* RANK_PROC_FILE */
	struct seq_buf text;
	off64_t start; /* position of the piece in the file */
	struct mm *mm; /* PROC_MM: the one that the opener may look into; its structure is held */
	bool filled;
	u64 seen; /* changes that poll has told of, or that came before open; atomic */
};

static bool grow(struct seq_buf *s, size_t need)
{
	size_t size = max(s->size * 2, round_up(s->len + need + 1, PAGE_SIZE));
	char *bigger = kvmalloc(size, GFP_KERNEL);

	if (!bigger)
		return false;
	if (s->buf)
		memcpy(bigger, s->buf, s->len);
	kvfree(s->buf);
	s->buf = bigger;
	s->size = size;
	return true;
}

static void drop_mm(struct mm *mm)
{
	if (mm)
		put_mm(mm);
}

/* After an exec the file shows nothing: who opened it wasn't asked about the new program. */
static bool still_same(struct gen *g, struct proc_node *n)
{
	struct task *t = n->pid ? node_task(n) : NULL;
	struct mm *mm = t ? task_get_mm(t) : NULL;
	bool same = mm == g->mm;

	drop_mm(mm);
	if (t)
		put_task(t);
	return same;
}

/* The piece at place "at". */
static int show(struct gen *g, struct proc_node *n, u64 at)
{
	g->text.len = 0;
	g->text.at = at;
	g->text.more = false;
	return n->entry->show ? n->entry->show(&g->text, n) : 0;
}

static int show_nothing(struct gen *g)
{
	g->text.len = 0;
	g->text.more = false;
	return 0;
}

/* About the mm that was judged at open, and no other. */
static int show_of_mm(struct gen *g, struct proc_node *n, u64 at)
{
	int err;

	if (!still_same(g, n))
		return n->entry->flags & PROC_MM ? show_nothing(g) : -EACCES;
	err = show(g, n, at);
	/* An exec that came while the text was made may have got into it. */
	return err || still_same(g, n) ? err : show_nothing(g);
}

/* Asked again at each reading: the program may be another by now, with rights of its own. */
static int show_judged(struct gen *g, struct proc_node *n, u64 at)
{
	struct task *t = node_task(n);
	int err;

	if (!t)
		return -EACCES;
	for (;;) {
		struct task_access a;

		err = task_access_begin(&a, t, false) ? show(g, n, at) : -EACCES;
		if (task_access_end(&a))
			break;
		cond_resched();
	}
	put_task(t);
	return err;
}

static int fill(struct gen *g, struct proc_node *n, off64_t start);

static bool in_sysfs(const struct inode *i)
{
	return i->super->magic == SYSFS_MAGIC;
}

static bool refuses_writers(const struct inode *i)
{
	const struct proc_node *n = i->priv;

	return in_sysfs(i) || (n->inherited & PROC_REFUSE);
}

static int gen_open(struct inode *i, struct file *f)
{
	struct proc_node *n = i->priv;
	struct mm *mm = NULL;
	struct gen *g;

	if (n->pid) {
		struct task *t = node_task(n);

		if (!t)
			return -ESRCH;
		if (n->entry->flags & PROC_PTRACE)
			mm = task_access_mm(t, false);
		put_task(t);
		if (is_err(mm))
			return -EACCES;
		if (!(n->entry->flags & (PROC_MM | PROC_SNAPSHOT))) {
			drop_mm(mm);
			mm = NULL;
		}
	}
	if ((f->mode & FMODE_WRITE) && !n->entry->store && refuses_writers(i)) {
		drop_mm(mm);
		return -EACCES;
	}
	g = kzalloc(sizeof(*g), GFP_KERNEL);
	if (!g) {
		drop_mm(mm);
		return -ENOMEM;
	}
	g->mm = mm;
	mutex_init(&g->lock, RANK_PROC_FILE);
	g->text.grow = grow;
	g->text.enough = n->entry->flags & PROC_SNAPSHOT ? 0 : PIECE;
	f->priv = g;
	if (n->entry->changes) {
		struct wait_queue *wait;

		g->seen = n->entry->changes(&wait);
	}
	if (!(n->inherited & PROC_PLAIN) && !(in_sysfs(i) && (f->mode & FMODE_WRITE)))
		f->mode |= FMODE_NO_PWRITE;
	if (n->entry->flags & PROC_SNAPSHOT)
		(void)!fill(g, n, 0); /* fails: the first read tries again, and tells */
	return 0;
}

static void gen_release(struct file *f)
{
	struct gen *g = f->priv;

	drop_mm(g->mm);
	kvfree(g->text.buf);
	kfree(g);
}

/* Make the piece at position start: 0, or where the present one ends. */
static int fill(struct gen *g, struct proc_node *n, off64_t start)
{
	u64 at = start ? g->text.at : 0;
	int err;

	if (g->text.size > KEEP_MAX) {
		kvfree(g->text.buf);
		g->text.buf = NULL;
		g->text.size = 0;
	}
	g->text.overflow = false;
	if (!n->pid || !(n->entry->flags & PROC_PTRACE))
		err = show(g, n, at);
	else if (n->entry->flags & (PROC_MM | PROC_SNAPSHOT))
		err = show_of_mm(g, n, at);
	else
		err = show_judged(g, n, at);
	if (!err && g->text.overflow)
		err = -ENOMEM;
	g->start = start;
	g->filled = !err;
	return err;
}

/* Make the piece that has position pos in it; the last one when the text is shorter. */
static int seek_piece(struct gen *g, struct proc_node *n, off64_t pos)
{
	int err = 0;

	if (!g->filled || pos < g->start)
		err = fill(g, n, 0);
	while (!err && g->text.more && pos >= g->start + (off64_t)g->text.len) {
		err = fill(g, n, g->start + (off64_t)g->text.len);
		cond_resched();
	}
	return err;
}

static ssize_t gen_read_locked(struct gen *g, struct proc_node *n, struct iter *to, off64_t *pos)
{
	ssize_t done = 0;

	if (*pos == 0 && !(n->entry->flags & PROC_SNAPSHOT))
		g->filled = false;
	while (to->count) {
		int err = seek_piece(g, n, *pos);
		size_t from, got;

		if (err)
			return done ? done : err;
		from = (size_t)(*pos - g->start);
		if (from >= g->text.len)
			break;
		got = iter_put(to, g->text.buf + from, min(to->count, g->text.len - from));
		if (!got)
			return done ? done : -EFAULT;
		*pos += (off64_t)got;
		done += (ssize_t)got;
	}
	return done;
}

static ssize_t gen_read(struct file *f, struct iter *to, off64_t *pos)
{
	struct gen *g = f->priv;
	ssize_t r;

	mutex_lock(&g->lock);
	r = gen_read_locked(g, f->inode->priv, to, pos);
	mutex_unlock(&g->lock);
	return r;
}

static ssize_t gen_write(struct file *f, struct iter *from, off64_t *pos)
{
	struct proc_node *n = f->inode->priv;
	size_t len = from->count;
	char *text;
	int used;

	if (!n->entry->store)
		return n->pid ? -EINVAL : -EIO;
	if (len > STORE_MAX)
		return -EINVAL;
	text = kmalloc(len + 1, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	used = iter_get(from, text, len) < len ? -EFAULT : 0;
	if (!used) {
		text[len] = 0;
		used = n->entry->store(n, text, len);
	}
	kfree(text);
	if (used < 0)
		return used;
	if (used)
		len = (size_t)used;
	*pos += (off64_t)len;
	return (ssize_t)len;
}

static off64_t gen_seek(struct file *f, off64_t off, int whence)
{
	if (whence == SEEK_END && (f->mode & FMODE_NO_PWRITE) && !in_sysfs(f->inode))
		return -EINVAL; /* records have no end before they are made */
	return file_generic_seek(f, off, whence);
}

/* Readable always; POLLERR|POLLPRI when there was a change. */
static u32 gen_poll(struct file *f, struct poll_table *pt)
{
	struct proc_node *n = f->inode->priv;
	struct gen *g = f->priv;
	u32 mask = EPOLLIN | EPOLLRDNORM;
	struct wait_queue *wait;
	u64 now;

	(void)n->entry->changes(&wait);
	poll_wait(f, wait, pt); /* first, so that a change after the look wakes */
	now = n->entry->changes(&wait);
	if (xchg(&g->seen, now) != now)
		mask |= EPOLLERR | EPOLLPRI;
	return mask;
}

/* Most files have nothing to wait for: epoll refuses them, poll finds them ready. */

const struct file_ops g_gen_fops = {
	.open = gen_open,
	.release = gen_release,
	.read = gen_read,
	.write = gen_write,
	.seek = gen_seek,
};

const struct file_ops g_gen_poll_fops = {
	.open = gen_open,
	.release = gen_release,
	.read = gen_read,
	.write = gen_write,
	.seek = gen_seek,
	.poll = gen_poll,
};
