/* Memory: mmap and relatives, brk, advice, locking, another process's memory. */
#include <kmem/slab.h>
#include <lib/string.h>
#include <linux/personality.h>
#include <process/signal.h>
#include <syscall/syscall.h>

/* The mmap flags that MAP_SHARED_VALIDATE accepts. */
#define KNOWN_FLAGS                                                                                \
	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_DENYWRITE | MAP_EXECUTABLE |   \
		MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_32BIT | \
		MAP_FIXED_NOREPLACE | MAP_HUGE_2MB | MAP_HUGE_1GB)

static u32 prot_flags(int prot)
{
	u32 f = (u32)prot & (REG_READ | REG_WRITE | REG_EXEC);

	if ((prot & PROT_READ) && (current_task()->personality & READ_IMPLIES_EXEC))
		f |= REG_EXEC;
	return f;
}

/* What a mapping of f may do, as its open mode and mount allow. */
static int check_file(struct file *f, struct map_request *rq)
{
	bool noexec = f->path.mnt && (f->path.mnt->flags & MS_NOEXEC);

	if (!(f->mode & FMODE_READ))
		return -EACCES;
	if ((rq->flags & REG_SHARED) && !(f->mode & FMODE_WRITE)) {
		if (rq->flags & REG_WRITE)
			return -EACCES;
		rq->flags &= ~REG_MAYWRITE;
	}
	if (noexec) {
		if (rq->flags & REG_EXEC)
			return -EPERM;
		rq->flags &= ~REG_MAYEXEC;
	}
	if (!f->ops->mmap)
		return -ENODEV;
	if (rq->flags & REG_GROWSDOWN)
		return -EINVAL;
	return f->ops->mmap(f, rq);
}

/* The last byte's offset is one that the file could have. */
static bool offset_fits(const struct file *f, const struct map_request *rq)
{
	u64 max = S_ISREG(f->inode->mode) || S_ISBLK(f->inode->mode) ? (u64)S64_MAX : U64_MAX;

	return rq->offset <= max - round_up(rq->len, PAGE_SIZE);
}

/* What the flags ask for; f is NULL for anonymous memory. The checks come in Linux's order. */
static int apply_flags(struct map_request *rq, int flags, const struct file *f)
{
	size_t len = round_up(rq->len, PAGE_SIZE);

	if (!rq->len)
		return -EINVAL;
	if (!len || len > USER_END - USER_START)
		return -ENOMEM;
	if (f && !offset_fits(f, rq))
		return -EOVERFLOW;
	switch (flags & MAP_TYPE) {
	case MAP_SHARED_VALIDATE:
		if (!f)
			return -EINVAL;
		if (flags & ~KNOWN_FLAGS)
			return -EOPNOTSUPP;
		fallthrough;
	case MAP_SHARED:
		rq->flags |= REG_SHARED;
		break;
	case MAP_PRIVATE:
		break;
	default:
		return -EINVAL;
	}
	if (flags & MAP_HUGETLB) {
		syscall_log_unknown("mmap(MAP_HUGETLB)", MAP_HUGETLB);
		return -EINVAL;
	}
	if (flags & MAP_GROWSDOWN)
		rq->flags |= REG_GROWSDOWN;
	if (flags & MAP_NORESERVE)
		rq->flags |= REG_NORESERVE;
	if (flags & MAP_LOCKED) {
		if (!rlimit(RLIMIT_MEMLOCK) && !capable(CAP_IPC_LOCK))
			return -EPERM;
		rq->flags |= REG_LOCKED;
	}
	return 0;
}

static long map_file(int fd, struct map_request *rq, int flags)
{
	bool put;
	struct file *f = fd_get_light(current_task()->files, fd, &put);
	long r;

	if (!f)
		return -EBADF;
	r = apply_flags(rq, flags, f);
	if (!r)
		r = check_file(f, rq);
	if (!r) {
		r = mm_map(current_mm(), rq);
		if (r < 0)
			mm_map_abort(rq);
	}
	fd_put_light(f, put);
	return r;
}

static long map_anon(struct map_request *rq, int flags)
{
	long r = apply_flags(rq, flags, NULL);

	if (r)
		return r;

	if (rq->flags & REG_SHARED) {
		if (rq->flags & REG_GROWSDOWN)
			return -EINVAL;
		rq->offset = 0;
		r = vm_shared_anon(round_up(rq->len, PAGE_SIZE), rq);
		if (r)
			return r;
	}
	r = mm_map(current_mm(), rq);
	if (r < 0)
		mm_map_abort(rq);
	return r;
}

long sys_mmap(unsigned long addr, size_t len, int prot, int flags, int fd, off64_t off)
{
	struct map_request rq = {
		.addr = addr,
		.len = len,
		.flags = prot_flags(prot) | REG_MAYREAD | REG_MAYWRITE | REG_MAYEXEC,
		.fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE),
		.noreplace = flags & MAP_FIXED_NOREPLACE,
		.bit32 = flags & MAP_32BIT,
		.populate = (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE,
		.offset = (u64)off,
	};

	if (!is_aligned((u64)off, PAGE_SIZE))
		return -EINVAL;
	return flags & MAP_ANONYMOUS ? map_anon(&rq, flags) : map_file(fd, &rq, flags);
}

long sys_munmap(unsigned long addr, size_t len)
{
	return mm_unmap(current_mm(), addr, len);
}

long sys_mprotect(unsigned long addr, size_t len, int prot)
{
	const int known = PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM;

	if (prot & ~(known | PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if (is_aligned(addr, PAGE_SIZE) && len && round_up(len, PAGE_SIZE) == 0)
		return -ENOMEM;
	return mm_protect(current_mm(), addr, len, prot_flags(prot), prot & PROT_GROWSDOWN,
		prot & PROT_GROWSUP);
}

long sys_mremap(unsigned long old, size_t old_len, size_t new_len, unsigned long flags,
	unsigned long new_addr)
{
	if (flags != (u32)flags)
		return -EINVAL;
	return mm_remap(current_mm(), old, old_len, new_len, (u32)flags, new_addr);
}

long sys_brk(unsigned long brk)
{
	return (long)mm_brk(current_mm(), brk);
}

long sys_msync(unsigned long addr, size_t len, int flags)
{
	return mm_sync(current_mm(), addr, len, flags);
}

long sys_mincore(unsigned long addr, size_t len, void __user *vec)
{
	if (!is_aligned(addr, PAGE_SIZE))
		return -EINVAL;
	if (!user_range_ok(addr, len))
		return -ENOMEM;
	if (!user_range_ok((unsigned long)vec, div_round_up(len, PAGE_SIZE)))
		return -EFAULT;
	return mm_mincore(current_mm(), addr, len, vec);
}

long sys_madvise(unsigned long addr, size_t len, int advice)
{
	return mm_advise(current_mm(), addr, len, advice);
}

long sys_mlock(unsigned long addr, size_t len)
{
	return mm_lock_range(current_mm(), addr, len, true, false);
}

long sys_mlock2(unsigned long addr, size_t len, int flags)
{
	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	return mm_lock_range(current_mm(), addr, len, true, flags & MLOCK_ONFAULT);
}

long sys_munlock(unsigned long addr, size_t len)
{
	return mm_lock_range(current_mm(), addr, len, false, false);
}

long sys_mlockall(int flags)
{
	if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
		return -EINVAL;
	return mm_lock_all(current_mm(), flags);
}

long sys_munlockall(void)
{
	return mm_lock_all(current_mm(), 0);
}

/* ---- another process's memory --------------------------------------------------------------- */

#define FAST_VEC    8
#define BOUNCE_SIZE (16 * PAGE_SIZE)

/* Move bytes between local (an iterator) and remote, a user-supplied vector of another process. */
static ssize_t move_vec(struct mm *mm, struct iter *local, const struct iovec *remote,
	unsigned long nr, void *bounce, bool write)
{
	ssize_t done = 0, err = 0;

	for (unsigned long i = 0; i < nr && local->count && !err; i++) {
		unsigned long at = (unsigned long)remote[i].iov_base;
		size_t left = remote[i].iov_len;

		while (left && local->count) {
			size_t n = min(min(left, local->count), (size_t)BOUNCE_SIZE);
			ssize_t got = (ssize_t)n;

			if (signal_interrupts(current_thread(), THREAD_KILLABLE)) {
				err = -EINTR;
				break;
			}
			if (write) {
				size_t in = iter_get(local, bounce, n);

				if (!in) {
					err = -EFAULT;
					break;
				}
				got = mm_access(mm, at, bounce, in, MM_WRITE);
				if (got < (ssize_t)in)
					err = got < 0 ? got : -EFAULT;
			} else {
				size_t out;

				got = mm_access(mm, at, bounce, n, MM_READABLE);
				if (got < (ssize_t)n)
					err = got < 0 ? got : -EFAULT;
				out = got > 0 ? iter_put(local, bounce, (size_t)got) : 0;
				if (got > 0 && out < (size_t)got) {
					err = -EFAULT;
					got = (ssize_t)out;
				}
			}
			if (got > 0) {
				done += got;
				at += (unsigned long)got;
				left -= (size_t)got;
			}
			if (err)
				break;
		}
	}
	return done ? done : err;
}

static long access_process(int pid, const struct iovec __user *lvec, unsigned long nr_local,
	const struct iovec __user *rvec, unsigned long nr_remote, unsigned long flags, bool write)
{
	struct iovec fast[FAST_VEC], *lv, *rv = NULL;
	struct iter local;
	struct task *t = NULL;
	struct mm *mm = NULL;
	void *bounce = NULL;
	long r;

	if (flags || nr_remote > UIO_MAXIOV)
		return -EINVAL;
	r = iter_import(&local, lvec, nr_local, fast, FAST_VEC, &lv);
	if (r <= 0) {
		if (!r)
			iov_free(lv, fast);
		return r;
	}
	r = -ENOMEM;
	rv = kmalloc(nr_remote * sizeof(*rv), GFP_KERNEL);
	bounce = kvmalloc(BOUNCE_SIZE, GFP_KERNEL);
	if (!rv || !bounce)
		goto out;
	r = -EFAULT;
	if (copy_from_user(rv, rvec, nr_remote * sizeof(*rv)))
		goto out;
	r = -EINVAL;
	for (unsigned long i = 0; i < nr_remote; i++)
		if ((ssize_t)rv[i].iov_len < 0)
			goto out;
	r = -ESRCH;
	t = task_find(pid);
	if (!t)
		goto out;
	mm = task_access_mm(t, true);
	if (is_err_or_null(mm)) {
		r = mm ? ptr_err(mm) : -ESRCH;
		mm = NULL;
		goto out;
	}
	r = move_vec(mm, &local, rv, nr_remote, bounce, write);
out:
	if (mm)
		put_mm(mm);
	if (t)
		put_task(t);
	kvfree(bounce);
	kfree(rv);
	iov_free(lv, fast);
	return r;
}

long sys_process_vm_readv(int pid, const struct iovec __user *lvec, unsigned long nr_local,
	const struct iovec __user *rvec, unsigned long nr_remote, unsigned long flags)
{
	return access_process(pid, lvec, nr_local, rvec, nr_remote, flags, false);
}

long sys_process_vm_writev(int pid, const struct iovec __user *lvec, unsigned long nr_local,
	const struct iovec __user *rvec, unsigned long nr_remote, unsigned long flags)
{
	return access_process(pid, lvec, nr_local, rvec, nr_remote, flags, true);
}
