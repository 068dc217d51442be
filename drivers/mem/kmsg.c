/*
 * /dev/kmsg: the kernel log record by record (linux-doc: ABI/testing/dev-kmsg). Each open has a
 * cursor; a read gives one record, EPIPE once when records were overwritten before being read.
 */
#include <core/init.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/major.h>
#include <process/signal.h>
#include <process/uts.h>
#include <sched/timer.h>
#include <vfs/file.h>

struct kmsg {
	struct mutex lock; /* RANK_FILE_POS: one reader at a time */
	u64 seq;
	struct log_record rec;
	char text[1200];
};

static size_t format_record(struct kmsg *k)
{
	const struct log_record *r = &k->rec;
	size_t n = (size_t)kscnprintf(k->text, sizeof(k->text), "%d,%llu,%llu,-;", r->prio,
		(unsigned long long)r->seq, (unsigned long long)(r->time_ns / 1000));

	for (u32 i = 0; i < r->len && n + 5 < sizeof(k->text); i++) {
		u8 c = (u8)r->text[i];

		if (c < 32 || c >= 127 || c == '\\')
			n += (size_t)kscnprintf(k->text + n, sizeof(k->text) - n, "\\x%02x", c);
		else
			k->text[n++] = (char)c;
	}
	k->text[n++] = '\n';
	return n;
}

static ssize_t kmsg_read(struct file *f, struct iter *to, off64_t *pos)
{
	struct kmsg *k = f->priv;
	u64 missed = 0;
	ssize_t r;
	size_t n;

	r = mutex_lock_interruptible(&k->lock);
	if (r)
		return r;
	while (!log_read(&k->seq, &k->rec, &missed)) {
		r = -EAGAIN;
		if (f->flags & O_NONBLOCK)
			goto out;
		/* Looked at each quarter second: the log may grow where waking is not possible. */
		r = wait_event_deadline(
			log_wait_queue(), log_next_seq() > k->seq, deadline_after(NS_PER_SEC / 4));
		if (r && r != -ETIMEDOUT)
			goto out;
	}
	r = -EPIPE;
	if (missed) {
		k->seq = k->rec.seq; /* this record comes with the next read */
		goto out;
	}
	n = format_record(k);
	r = -EINVAL;
	if (n > to->count)
		k->seq = k->rec.seq;
	else
		r = iter_put(to, k->text, n) == n ? (ssize_t)n : -EFAULT;
out:
	mutex_unlock(&k->lock);
	return r;
}

#define KMSG_LINE_MAX 999 /* bytes of one write, as Linux's LOG_LINE_MAX */

static ssize_t kmsg_write(struct file *f, struct iter *from, off64_t *pos)
{
	size_t n = from->count;
	const char *text;
	char *line;
	int prio = 1 << 3 | LOG_WARN; /* facility "user" */

	if (n > KMSG_LINE_MAX)
		return -EINVAL;
	line = kmalloc(n + 1, GFP_KERNEL);
	if (!line)
		return -ENOMEM;
	if (iter_get(from, line, n) < n) {
		kfree(line);
		return -EFAULT;
	}
	line[n] = 0;
	text = line;
	if (line[0] == '<') {
		char *end = strchr(line, '>');
		u64 v;

		if (end) {
			*end = 0;
			if (parse_u64(line + 1, 10, &v) == 0 && v < 1024) {
				prio = (int)v;
				if (!(prio >> 3))
					prio |= 1
						<< 3; /* only the kernel itself logs as the kernel */
				text = end + 1;
			} else {
				*end = '>';
			}
		}
	}
	log_user(prio, text, strlen(text));
	kfree(line);
	return (ssize_t)n;
}

static off64_t kmsg_seek(struct file *f, off64_t off, int whence)
{
	struct kmsg *k = f->priv;

	if (off)
		return -ESPIPE;
	mutex_lock(&k->lock);
	if (whence == 0)
		k->seq = log_first_seq();
	else if (whence == 2)
		k->seq = log_next_seq();
	mutex_unlock(&k->lock);
	return whence == 0 || whence == 2 || whence == 3 ? 0 : -EINVAL;
}

static u32 kmsg_poll(struct file *f, struct poll_table *pt)
{
	struct kmsg *k = f->priv;

	poll_wait(f, log_wait_queue(), pt);
	if (log_next_seq() <= k->seq)
		return 0;
	return log_first_seq() > k->seq ? EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLPRI
					: EPOLLIN | EPOLLRDNORM;
}

static int kmsg_open(struct inode *i, struct file *f)
{
	struct kmsg *k;
	int err = f->mode & FMODE_READ ? syslog_may_read() : 0;

	if (err)
		return err;
	k = kvmalloc(sizeof(*k), GFP_KERNEL | GFP_ZERO);
	if (!k)
		return -ENOMEM;
	mutex_init(&k->lock, RANK_FILE_POS);
	k->seq = log_first_seq();
	f->priv = k;
	return 0;
}

static void kmsg_release(struct file *f)
{
	kvfree(f->priv);
}

static const struct file_ops g_kmsg_fops = {
	.open = kmsg_open,
	.release = kmsg_release,
	.read = kmsg_read,
	.write = kmsg_write,
	.seek = kmsg_seek,
	.poll = kmsg_poll,
	.no_splice_read = true,
	.no_splice_write = true,
};

static int kmsg_init(void)
{
	int err = chrdev_register(MEM_MAJOR, 11, 1, "mem", &g_kmsg_fops);
	return err ?: devtmpfs_add("kmsg", S_IFCHR | 0644, dev_make(MEM_MAJOR, 11));
}
INIT_HOOK(INIT_FS, kmsg_init);
