/* Descriptors for events: eventfd, timerfd, signalfd, epoll; and the cores of poll and select. */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include <vfs/file.h>
#include <asm/signal.h>
#include <linux/time_types.h>

/* eventfd(2): file or error pointer. semaphore: EFD_SEMAPHORE. */
struct file *eventfd_create(u64 count, bool semaphore, u32 o_flags) must_check;
bool file_is_eventfd(const struct file *f);
void eventfd_add(struct file *f, u64 value); /* the counter stops at its end; any context */

/* timerfd */
struct file *timerfd_create(int clockid, u32 o_flags) must_check; /* -EINVAL -EPERM -ENOMEM */
struct timer_value {
	s64 value_ns, interval_ns; /* relative remaining time when read */
};
/* flags: TFD_TIMER_*; -EINVAL: not a timerfd; -ECANCELED: set, but the wall clock was set before,
 * and TFD_TIMER_CANCEL_ON_SET asks. old may be NULL. */
int timerfd_set(struct file *f, int flags, const struct timer_value *new,
	struct timer_value *old) must_check;
int timerfd_get(struct file *f, struct timer_value *cur) must_check;

/* signalfd */
struct file *signalfd_create(sigset_t mask, u32 o_flags) must_check;
int signalfd_set_mask(struct file *f, sigset_t mask) must_check; /* -EINVAL: not one */

/* epoll: deadline monotonic ns; TIME_NEVER waits for ever, 0 doesn't wait. Returns events or error.
 */
extern u64 g_epoll_max_watches; /* fs.epoll.max_user_watches: of one user; atomic */
struct file *epoll_create_file(u32 o_flags) must_check;
int epoll_control(struct file *ep, int op, struct file *target, int fd,
	const struct epoll_event *ev) must_check;
int epoll_wait_events(
	struct file *ep, struct epoll_event __user *events, int max, s64 deadline) must_check;

/* poll(2) on n descriptors, revents written back by the caller: ready count, -ERESTARTNOHAND-like
 * -EINTR decisions are the caller's: returns -ERESTARTSYS when a signal is pending and nothing
 * ready. */
int poll_fds(struct fd_table *t, struct pollfd *fds, u32 n, s64 deadline) must_check;
/* select(2): in/out bitmaps of unsigned longs for n descriptors, in[3], results into out[3].
 * -EBADF. */
int select_fds(struct fd_table *t, int n, unsigned long *const in[3], unsigned long *const out[3],
	s64 deadline) must_check;

#endif
