/*
 * The arch contract, part 3: user memory. The only way to touch it. All may sleep (page fault)
 * unless named _nofault. Interrupts must be on, no spinlock held (checked in DEBUG), except for
 * _nofault. Addresses outside user space give -EFAULT.
 */
#ifndef ARCH_UACCESS_H
#define ARCH_UACCESS_H

#include <lib/err.h>

/* 0 or -EFAULT; on -EFAULT an unknown prefix was copied (from_user: the rest of dst is zeroed). */
int copy_from_user(void *dst, const void __user *src, size_t n) must_check;
int copy_to_user(void __user *dst, const void *src, size_t n) must_check;
int clear_user(void __user *dst, size_t n) must_check;

/* Bytes copied before the first fault (n when there was none). */
size_t copy_from_user_part(void *dst, const void __user *src, size_t n) must_check;
size_t copy_to_user_part(void __user *dst, const void *src, size_t n) must_check;
size_t clear_user_part(void __user *dst, size_t n) must_check;

/* As copy_*_user_part, but a page that isn't mapped right now ends the copy: never sleeps. */
size_t copy_from_user_nofault(void *dst, const void __user *src, size_t n) must_check;
size_t copy_to_user_nofault(void __user *dst, const void *src, size_t n) must_check;

/*
 * Copy a NUL-terminated string. Returns its length without the NUL; size when no NUL was found in
 * size bytes (dst then has no NUL); -EFAULT.
 */
ssize_t strncpy_from_user(char *dst, const char __user *src, size_t size) must_check;
/* Length including NUL, 0 on fault, > max when longer than max. */
size_t strnlen_user(const char __user *s, size_t max) must_check;

/* get_user(x, ptr), put_user(x, ptr): one scalar of 1, 2, 4 or 8 bytes; 0 or -EFAULT (impl). */

/* Atomic on a user word; 0 or -EFAULT; may sleep. *prev: value found. */
int user_cmpxchg32(u32 __user *p, u32 old, u32 new, u32 *prev) must_check;
/* FUTEX_WAKE_OP's operation (linux/futex.h encoding op): *prev value before. -ENOSYS unknown op.
 * Never sleeps: -EFAULT if the page is not mapped writable right now (caller faults it in). */
int user_futex_op_nofault(u32 __user *p, int op, int oparg, u32 *prev) must_check;
int user_load32_nofault(u32 *val, const u32 __user *p) must_check;
int user_cmpxchg32_nofault(u32 __user *p, u32 old, u32 new, u32 *prev) must_check;

/* True if [p, p+n) lies in the user half (says nothing about mappings). */
static inline bool user_range_ok(unsigned long p, size_t n);

#include <arch/impl/uaccess.h>
#endif
