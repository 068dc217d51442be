/* System V IPC: shared memory, semaphores, message queues. */
#include <arch/uaccess.h>
#include <kmem/slab.h>
#include <sched/timer.h>
#include <syscall/syscall.h>
#include <sysv/sysv.h>

static long copy_out(void __user *to, const void *from, size_t size, long r)
{
	return r >= 0 && copy_to_user(to, from, size) ? -EFAULT : r;
}

static struct sysv_change change_of(const struct ipc64_perm *p)
{
	return (struct sysv_change){.uid = p->uid, .gid = p->gid, .mode = p->mode};
}

/* ---- shared memory ---- */

long sys_shmget(int key, size_t size, int flags)
{
	return shm_get(key, size, flags);
}

long sys_shmat(int id, unsigned long addr, int flags)
{
	return shm_attach(id, addr, flags);
}

long sys_shmdt(unsigned long addr)
{
	return shm_detach(addr);
}

static long stat_shm(int id, enum sysv_by by, void __user *buf)
{
	struct shmid64_ds ds;

	return copy_out(buf, &ds, sizeof(ds), shm_stat(id, by, &ds));
}

static long set_shm(int id, const void __user *buf)
{
	struct shmid64_ds ds;
	struct sysv_change c;

	if (copy_from_user(&ds, buf, sizeof(ds)))
		return -EFAULT;
	c = change_of(&ds.shm_perm);
	return shm_set(id, &c);
}

long sys_shmctl(int id, int cmd, void __user *buf)
{
	struct shminfo64 limits;
	struct shm_info info;

	if (id < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
		return copy_out(buf, &limits, sizeof(limits), shm_get_limits(&limits));
	case SHM_INFO:
		return copy_out(buf, &info, sizeof(info), shm_get_info(&info));
	case IPC_STAT:
		return stat_shm(id, SYSV_BY_ID, buf);
	case SHM_STAT:
		return stat_shm(id, SYSV_BY_INDEX, buf);
	case SHM_STAT_ANY:
		return stat_shm(id, SYSV_BY_INDEX_ANY, buf);
	case IPC_SET:
		return set_shm(id, buf);
	case IPC_RMID:
		return shm_remove(id);
	case SHM_LOCK:
	case SHM_UNLOCK:
		return shm_lock(id, cmd == SHM_LOCK);
	default:
		return -EINVAL;
	}
}

/* ---- semaphores ---- */

#define FAST_OPS 16

long sys_semget(int key, int nsems, int flags)
{
	return sem_get(key, nsems, flags);
}

static long do_semop(
	int id, const void __user *uops, u32 nr, const struct __kernel_timespec __user *timeout)
{
	struct sembuf fast[FAST_OPS], *ops = fast;
	s64 deadline = TIME_NEVER, ns;
	struct __kernel_timespec ts;
	long r;

	if (timeout && copy_from_user(&ts, timeout, sizeof(ts)))
		return -EFAULT;
	if (nr > (u32)READ_ONCE(g_sem_limits[2]))
		return -E2BIG;
	if (!nr)
		return -EINVAL;
	if (nr > FAST_OPS)
		ops = kvmalloc(nr * sizeof(*ops), GFP_KERNEL);
	if (!ops)
		return -ENOMEM;
	r = copy_from_user(ops, uops, nr * sizeof(*ops)) ? -EFAULT : 0;
	if (!r && timeout) {
		r = ns_from_timespec(&ts, &ns);
		if (!r)
			deadline = deadline_after(ns);
	}
	if (!r)
		r = sem_op(id, ops, nr, deadline);
	if (ops != fast)
		kvfree(ops);
	return r;
}

long sys_semop(int id, const void __user *ops, u32 nr)
{
	return do_semop(id, ops, nr, NULL);
}

long sys_semtimedop(
	int id, const void __user *ops, u32 nr, const struct __kernel_timespec __user *timeout)
{
	return do_semop(id, ops, nr, timeout);
}

static long stat_sem(int id, enum sysv_by by, void __user *buf)
{
	struct semid64_ds ds;

	return copy_out(buf, &ds, sizeof(ds), sem_stat(id, by, &ds));
}

static long set_sem(int id, const void __user *buf)
{
	struct semid64_ds ds;
	struct sysv_change c;

	if (copy_from_user(&ds, buf, sizeof(ds)))
		return -EFAULT;
	c = change_of(&ds.sem_perm);
	return sem_set(id, &c);
}

long sys_semctl(int id, int nr, int cmd, unsigned long arg)
{
	void __user *buf = (void __user *)arg;
	struct seminfo info;

	if (id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case SEM_INFO:
		return copy_out(buf, &info, sizeof(info), sem_get_info(&info, cmd == SEM_INFO));
	case IPC_STAT:
		return stat_sem(id, SYSV_BY_ID, buf);
	case SEM_STAT:
		return stat_sem(id, SYSV_BY_INDEX, buf);
	case SEM_STAT_ANY:
		return stat_sem(id, SYSV_BY_INDEX_ANY, buf);
	case IPC_SET:
		return set_sem(id, buf);
	case IPC_RMID:
		return sem_remove(id);
	case GETVAL:
	case GETPID:
	case GETNCNT:
	case GETZCNT:
		return sem_get_one(id, nr, cmd);
	case SETVAL:
		return sem_set_one(id, nr, (int)arg);
	case GETALL:
		return sem_get_all(id, buf);
	case SETALL:
		return sem_set_all(id, buf);
	default:
		return -EINVAL;
	}
}

/* ---- message queues ---- */

long sys_msgget(int key, int flags)
{
	return msg_get(key, flags);
}

long sys_msgsnd(int id, const void __user *msg, size_t size, int flags)
{
	const struct msgbuf __user *m = msg;
	long type;

	if (get_user(type, &m->mtype))
		return -EFAULT;
	return msg_send(id, type, m->mtext, size, flags);
}

long sys_msgrcv(int id, void __user *msg, size_t size, long wanted, int flags)
{
	struct msgbuf __user *m = msg;
	s64 type;
	long r = msg_receive(id, &type, m->mtext, size, wanted, flags);

	return r >= 0 && put_user(type, &m->mtype) ? -EFAULT : r;
}

static long stat_msg(int id, enum sysv_by by, void __user *buf)
{
	struct msqid64_ds ds;

	return copy_out(buf, &ds, sizeof(ds), msg_stat(id, by, &ds));
}

static long set_msg(int id, const void __user *buf)
{
	struct msqid64_ds ds;
	struct sysv_change c;

	if (copy_from_user(&ds, buf, sizeof(ds)))
		return -EFAULT;
	c = change_of(&ds.msg_perm);
	c.qbytes = ds.msg_qbytes;
	return msg_set(id, &c);
}

long sys_msgctl(int id, int cmd, void __user *buf)
{
	struct msginfo info;

	if (id < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case MSG_INFO:
		return copy_out(buf, &info, sizeof(info), msg_get_info(&info, cmd == MSG_INFO));
	case IPC_STAT:
		return stat_msg(id, SYSV_BY_ID, buf);
	case MSG_STAT:
		return stat_msg(id, SYSV_BY_INDEX, buf);
	case MSG_STAT_ANY:
		return stat_msg(id, SYSV_BY_INDEX_ANY, buf);
	case IPC_SET:
		return set_msg(id, buf);
	case IPC_RMID:
		return msg_remove(id);
	default:
		return -EINVAL;
	}
}
