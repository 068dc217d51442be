/*
 * POSIX message queues (mq_overview(7)): files of the file system "mqueue". Calls are the current
 * task's. Functions on a file answer -EBADF for one that is no queue or not open for that.
 */
#ifndef MQUEUE_MQUEUE_H
#define MQUEUE_MQUEUE_H

#include <linux/mqueue.h>
#include <sched/timer.h>
#include <vfs/file.h>

struct sigevent;

/* mq_open(2): attr NULL: as the defaults say. Error pointer -ENOENT -EEXIST -EACCES -EINVAL -EMFILE
 * -ENOSPC -ENAMETOOLONG -EOVERFLOW. */
struct file *mq_open_file(
	const char *name, int o_flags, kmode_t mode, const struct mq_attr *attr) must_check;
int mq_unlink_name(const char *name) must_check;
/* -EMSGSIZE -EAGAIN -ETIMEDOUT -ERESTARTSYS -EFAULT -ENOMEM. d: of the wall clock, or never. */
int mq_send(struct file *f, const void __user *text, size_t len, u32 priority,
	struct deadline d) must_check;
/* Bytes; *priority is the message's. */
ssize_t mq_receive(
	struct file *f, void __user *text, size_t len, u32 *priority, struct deadline d) must_check;
/* What mq_notify(2) asks for; socket: for SIGEV_THREAD, referenced and taken over on success. */
int mq_notify_set(struct file *f, const struct sigevent *ev, struct file *socket,
	const u8 *cookie) must_check;
int mq_notify_clear(struct file *f) must_check;
/* Either may be NULL; only mq_flags is set, to 0 or O_NONBLOCK. */
int mq_attr(struct file *f, const struct mq_attr *new_attr, struct mq_attr *old) must_check;

/* fs.mqueue.*; atomic */
extern int g_mq_msg_max, g_mq_msg_default, g_mq_size_max, g_mq_size_default, g_mq_queues_max;
#define MQ_HARD_MSG_MAX  65536
#define MQ_HARD_SIZE_MAX (16 << 20)
#define MQ_MIN_SIZE_MAX  128

#endif
