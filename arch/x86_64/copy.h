/* copy.S: the loops that touch user memory, and whole pages. */
#ifndef X86_COPY_H
#define X86_COPY_H

#include <lib/types.h>

extern u8 x86_copy_by_string; /* use rep movsb/stosb; set once at boot */

/* Return the number of bytes not copied or cleared (0: all). */
size_t x86_copy_user(void *dst, const void *src, size_t n);
size_t x86_clear_user(void *dst, size_t n);
size_t x86_copy_user_nofault(void *dst, const void *src, size_t n);

/* 0 or -EFAULT */
int x86_user_cmpxchg32(u32 *p, u32 old, u32 new, u32 *prev);
int x86_user_cmpxchg32_nofault(u32 *p, u32 old, u32 new, u32 *prev);
int x86_user_load32_nofault(const u32 *p, u32 *val);

#endif
