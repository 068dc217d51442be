/*
 * System V IPC (sysvipc(7)): shared memory, semaphore sets, message queues of the whole system.
 * Objects are named by ids; ids of removed objects are not soon used again. All calls are the
 * current task's, check its permissions, and may sleep. Common errors: -EINVAL no such id, -EIDRM
 * it was removed meanwhile, -EACCES the mode doesn't allow it, -EPERM not the owner's.
 */
#ifndef SYSV_SYSV_H
#define SYSV_SYSV_H

#include <lib/seq_buf.h>
#include <linux/ipc.h>
#include <linux/msg.h>
#include <linux/sem.h>
#include <linux/shm.h>
#include <linux/stat.h>

/* Bits in a segment's mode besides the permissions (shmctl(2)); the ABI headers lack them. */
#define SHM_DEST   01000
#define SHM_LOCKED 02000

/* How the *_stat calls name the object: by id; by index with the right to read it; by index. */
enum sysv_by { SYSV_BY_ID, SYSV_BY_INDEX, SYSV_BY_INDEX_ANY };

/* What IPC_SET changes; qbytes: message queues only. */
struct sysv_change {
	kuid_t uid;
	kgid_t gid;
	kmode_t mode;
	u64 qbytes;
};

/* ---- shared memory ------------------------------------------------------------------------- */
/* shmget(2): the id. -EEXIST -ENOENT -ENOSPC -ENOMEM. */
long shm_get(s32 key, size_t size, int flags) must_check;
/* shmat(2): the address. -ENOMEM. */
long shm_attach(s32 id, unsigned long addr, int flags) must_check;
int shm_detach(unsigned long addr) must_check;
/* The id for SYSV_BY_INDEX*, else 0. */
long shm_stat(s32 id, enum sysv_by by, struct shmid64_ds *ds) must_check;
int shm_set(s32 id, const struct sysv_change *c) must_check;
int shm_remove(s32 id) must_check;
int shm_lock(s32 id, bool lock) must_check; /* -ENOMEM: RLIMIT_MEMLOCK */
/* Both return the highest used index, 0 if there is none. */
long shm_get_limits(struct shminfo64 *info);
long shm_get_info(struct shm_info *info);
/* kernel.shm_rmid_forced was set: segments that nobody uses and whose creators are gone, go. */
void shm_remove_orphans(void);

/* ---- semaphores ---------------------------------------------------------------------------- */
long sem_get(s32 key, int nr, int flags) must_check;
/* semtimedop(2): ops is kernel memory, 1 to SEMOPM of them, given back as it was. -EFBIG -EAGAIN
 * -EINTR -ERANGE -ENOMEM. */
long sem_op(s32 id, struct sembuf *ops, u32 nr, s64 deadline_ns) must_check;
long sem_stat(s32 id, enum sysv_by by, struct semid64_ds *ds) must_check;
int sem_set(s32 id, const struct sysv_change *c) must_check;
int sem_remove(s32 id) must_check;
/* GETVAL, GETPID, GETNCNT, GETZCNT. */
long sem_get_one(s32 id, int nr, int cmd) must_check;
int sem_set_one(s32 id, int nr, int value) must_check; /* SETVAL */
/* GETALL, SETALL: values is the user's array, as long as the set. */
int sem_get_all(s32 id, u16 __user *values) must_check;
int sem_set_all(s32 id, const u16 __user *values) must_check;
/* IPC_INFO; in_use: SEM_INFO, where two fields count what there is. */
long sem_get_info(struct seminfo *info, bool in_use);

/* ---- message queues ------------------------------------------------------------------------ */
long msg_get(s32 key, int flags) must_check;
/* msgsnd(2), msgrcv(2): text is the user's. -EAGAIN -ENOMSG -E2BIG -ENOMEM -ERESTARTNOHAND. */
long msg_send(s32 id, s64 type, const void __user *text, size_t size, int flags) must_check;
long msg_receive(
	s32 id, s64 *type, void __user *text, size_t size, s64 wanted, int flags) must_check;
long msg_stat(s32 id, enum sysv_by by, struct msqid64_ds *ds) must_check;
int msg_set(s32 id, const struct sysv_change *c) must_check;
int msg_remove(s32 id) must_check;
long msg_get_info(struct msginfo *info, bool in_use);

/* /proc/sysvipc: one line for each object, in order of index; pieces as lib/seq_buf.h says. */
void shm_show(struct seq_buf *s);
void sem_show(struct seq_buf *s);
void msg_show(struct seq_buf *s);

/* Limits of the system (proc(5)); atomic. */
extern u64 g_shm_max;       /* kernel.shmmax: bytes of a segment */
extern u64 g_shm_all;       /* kernel.shmall: pages of all segments */
extern int g_shm_mni;       /* kernel.shmmni: segments */
extern int g_shm_forced;    /* kernel.shm_rmid_forced */
extern int g_sem_limits[4]; /* kernel.sem: SEMMSL, SEMMNS, SEMOPM, SEMMNI */
extern int g_msg_max;       /* kernel.msgmax: bytes of a message */
extern int g_msg_mnb;       /* kernel.msgmnb: bytes of a queue, at first */
extern int g_msg_mni;       /* kernel.msgmni: queues */
#define SYSV_IPC_MNI 32768  /* the most objects of a kind */

#endif
