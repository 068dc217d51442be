/*
 * Errors: functions return 0 or a negative errno in int/long/ssize_t; functions that return a
 * pointer return an error pointer (never NULL for failure unless the declaration says so).
 */
#ifndef LIB_ERR_H
#define LIB_ERR_H

#include <asm/errno.h>

/*
 * Internal results of interrupted calls, never seen by user programs: the return path to user
 * mode (process/signal) turns them into a restart or EINTR. Values as strace knows them.
 */
#define ERESTARTSYS           512 /* restart if SA_RESTART or no handler, else EINTR */
#define ERESTARTNOINTR        513 /* always restart */
#define ERESTARTNOHAND        514 /* restart only if no handler runs, else EINTR */
#define ENOIOCTLCMD           515 /* ioctl not known at this layer; becomes ENOTTY */
#define ERESTART_RESTARTBLOCK 516 /* restart through restart_syscall, EINTR if a handler runs */

#define MAX_ERRNO             4095

/* "ENOMEM" for ENOMEM and -ENOMEM, "E?" for what has no name. */
const char *errno_name(int err);
/* "Cannot allocate memory", as strerror(3). */
const char *errno_text(int err);

static inline bool is_err(const void *p)
{
	return (unsigned long)p >= (unsigned long)-MAX_ERRNO;
}

static inline bool is_err_or_null(const void *p)
{
	return !p || is_err(p);
}

static inline void *err_ptr(long err)
{
	return (void *)err;
}

static inline int ptr_err(const void *p)
{
	return (int)(long)p;
}

#endif
