/* signalfd(2): the reader's own pending signals as records. */
#include <ipc/ipc.h>
#include <kmem/slab.h>
#include <lib/seq_buf.h>
#include <lib/string.h>
#include <linux/signalfd.h>
#include <process/signal.h>

struct signalfd {
	sigset_t mask; /* atomic word; KILL and STOP stripped */
};

static const struct file_ops g_signalfd_fops;

static void fill_record(struct signalfd_siginfo *out, const siginfo_t *in)
{
	memset(out, 0, sizeof(*out));
	out->ssi_signo = (u32)in->si_signo;
	out->ssi_errno = in->si_errno;
	out->ssi_code = in->si_code;
	if (in->si_code > 0 && in->si_code != SI_KERNEL) {
		switch (in->si_signo) {
		case SIGCHLD:
			out->ssi_pid = (u32)in->si_pid;
			out->ssi_uid = in->si_uid;
			out->ssi_status = in->si_status;
			out->ssi_utime = (u64)in->si_utime;
			out->ssi_stime = (u64)in->si_stime;
			return;
		case SIGILL:
		case SIGFPE:
		case SIGSEGV:
		case SIGBUS:
		case SIGTRAP:
			out->ssi_addr = (u64)(uintptr_t)in->si_addr;
			return;
		case SIGPOLL:
			out->ssi_band = (u32)in->si_band;
			out->ssi_fd = in->si_fd;
			return;
		default:
			break;
		}
	}
	if (in->si_code == SI_TIMER) {
		out->ssi_tid = (u32)in->si_tid;
		out->ssi_overrun = (u32)in->si_overrun;
	} else {
		out->ssi_pid = (u32)in->si_pid;
		out->ssi_uid = in->si_uid;
	}
	out->ssi_ptr = (u64)(uintptr_t)in->si_ptr;
	out->ssi_int = in->si_int;
}

static bool has_signal(struct signalfd *s)
{
	return (signal_pending_set(current_task()) & READ_ONCE(s->mask)) != 0;
}

static ssize_t signalfd_read(struct file *f, struct iter *to, off64_t *pos)
{
	struct signalfd *s = f->priv;
	struct task *t = current_task();
	ssize_t done = 0;

	if (to->count < sizeof(struct signalfd_siginfo))
		return -EINVAL;
	while (to->count >= sizeof(struct signalfd_siginfo)) {
		struct signalfd_siginfo rec;
		siginfo_t info;
		int err;

		if (signal_dequeue(t, READ_ONCE(s->mask), &info)) {
			fill_record(&rec, &info);
			if (iter_put(to, &rec, sizeof(rec)) < sizeof(rec))
				return done ? done : -EFAULT;
			done += sizeof(rec);
			continue;
		}
		if (done)
			break;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&t->process->signalfd_wait, has_signal(s));
		if (err)
			return err;
	}
	return done;
}

static u32 signalfd_poll(struct file *f, struct poll_table *pt)
{
	poll_wait(f, &current_process()->signalfd_wait, pt);
	return has_signal(f->priv) ? EPOLLIN : 0;
}

static void signalfd_release(struct file *f)
{
	kfree(f->priv);
}

static void signalfd_fdinfo(struct file *f, struct seq_buf *s)
{
	struct signalfd *sf = f->priv;

	seq_printf(s, "sigmask:\t%016lx\n", READ_ONCE(sf->mask));
}

static const struct file_ops g_signalfd_fops = {
	.seek = file_noop_seek,
	.read = signalfd_read,
	.poll = signalfd_poll,
	.release = signalfd_release,
	.show_fdinfo = signalfd_fdinfo,
};

static sigset_t strip(sigset_t mask)
{
	return mask & ~(sig_bit(SIGKILL) | sig_bit(SIGSTOP));
}

struct file *signalfd_create(sigset_t mask, u32 o_flags)
{
	struct signalfd *s = kmalloc(sizeof(*s), GFP_KERNEL);
	struct file *f;

	if (!s)
		return err_ptr(-ENOMEM);
	s->mask = strip(mask);
	f = file_anon("[signalfd]", &g_signalfd_fops, s, O_RDWR | o_flags);
	if (is_err(f))
		kfree(s);
	return f;
}

int signalfd_set_mask(struct file *f, sigset_t mask)
{
	struct signalfd *s = f->priv;

	if (f->ops != &g_signalfd_fops)
		return -EINVAL;
	WRITE_ONCE(s->mask, strip(mask));
	wake_up_all(&current_process()->signalfd_wait);
	return 0;
}
