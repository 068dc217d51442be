/* /dev/null, zero, full, random and urandom. */
#include <core/init.h>
#include <core/trace.h>
#include <kmem/page.h>
#include <linux/major.h>
#include <linux/random.h>
#include <process/signal.h>
#include <vfs/file.h>

static ssize_t null_read(struct file *f, struct iter *to, off64_t *pos)
{
	return 0;
}

static ssize_t null_write(struct file *f, struct iter *from, off64_t *pos)
{
	size_t n = from->count;

	iter_advance(from, n);
	return (ssize_t)n;
}

static ssize_t zero_read(struct file *f, struct iter *to, off64_t *pos)
{
	ssize_t done = 0;

	while (to->count) {
		size_t want = min_t(size_t, to->count, PAGE_SIZE), n = iter_zero(to, want);

		done += (ssize_t)n;
		if (n < want)
			return done ? done : -EFAULT;
		if (signal_fatal_pending(current_task()))
			return done ? done : -EINTR;
		cond_resched();
	}
	return done;
}

static ssize_t full_write(struct file *f, struct iter *from, off64_t *pos)
{
	return -ENOSPC;
}

/* A private mapping of /dev/zero is anonymous memory; a shared one is fresh shared memory. */
static int zero_mmap(struct file *f, struct map_request *rq)
{
	if (rq->flags & REG_SHARED)
		return vm_shared_anon(rq->len, rq);
	rq->object = NULL;
	rq->file = NULL;
	rq->ops = NULL;
	return 0;
}

static ssize_t random_read(struct file *f, struct iter *to, off64_t *pos)
{
	u8 block[256];
	ssize_t done = 0;

	while (to->count) {
		size_t want = min_t(size_t, to->count, sizeof(block)), n;

		random_bytes(block, want);
		n = iter_put(to, block, want);
		done += (ssize_t)n;
		if (n < want) {
			done = done ? done : -EFAULT;
			break;
		}
		if (signal_is_pending() && done >= 4096)
			break;
		cond_resched();
	}
	__builtin_memset(block, 0, sizeof(block));
	barrier();
	return done;
}

static ssize_t random_write(struct file *f, struct iter *from, off64_t *pos)
{
	u64 block[32];
	ssize_t done = 0;

	while (from->count) {
		size_t want = min_t(size_t, from->count, sizeof(block)),
		       n = iter_get(from, block, want);

		for (size_t i = 0; i < n / 8; i++)
			random_add_entropy(block[i]);
		done += (ssize_t)n;
		if (n < want)
			return done ? done : -EFAULT;
		if (signal_is_pending() && done >= 4096)
			break;
		cond_resched();
	}
	return done;
}

static long random_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	switch (cmd) {
	case RNDGETENTCNT:
		return put_user(random_ready() ? 256 : 0, (int __user *)arg);
	case RNDADDTOENTCNT:
	case RNDADDENTROPY:
	case RNDZAPENTCNT:
	case RNDCLEARPOOL:
	case RNDRESEEDCRNG:
		return capable(CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
	default:
		return -ENOIOCTLCMD;
	}
}

static const struct file_ops g_null_fops = {
	.read = null_read, .write = null_write, .seek = file_no_seek, .no_splice_read = true};
static const struct file_ops g_zero_fops = {.read = zero_read,
	.write = null_write,
	.seek = file_no_seek,
	.mmap = zero_mmap,
	.no_splice_read = true,
	.no_splice_write = true};
static const struct file_ops g_full_fops = {.read = zero_read,
	.write = full_write,
	.seek = file_no_seek,
	.no_splice_read = true,
	.no_splice_write = true};
static const struct file_ops g_random_fops = {
	.read = random_read, .write = random_write, .ioctl = random_ioctl, .seek = file_no_seek};

static int mem_init(void)
{
	static const struct {
		const char *name;
		const struct file_ops *fops;
		u32 minor;
	} devices[] = {
		{"null", &g_null_fops, 3},
		{"zero", &g_zero_fops, 5},
		{"full", &g_full_fops, 7},
		{"random", &g_random_fops, 8},
		{"urandom", &g_random_fops, 9},
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(devices) && !err; i++) {
		err = chrdev_register(MEM_MAJOR, devices[i].minor, 1, "mem", devices[i].fops);
		err = err
			?: devtmpfs_add(devices[i].name, S_IFCHR | 0666,
				   dev_make(MEM_MAJOR, devices[i].minor));
	}
	return err;
}
INIT_HOOK(INIT_FS, mem_init);
