/*
 * Formatted text: the C standard's d i u x X o c s p %, flags "-+ #0", width and precision also as
 * *, lengths hh h l ll z. No floating point, no %n.
 */
#ifndef LIB_PRINTF_H
#define LIB_PRINTF_H

/* As C's: bytes the whole text has, NUL always written when size > 0. */
int kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int ksnprintf(char *buf, size_t size, const char *fmt, ...) printf_like(3, 4);
/* Bytes really written, without the NUL. */
int kscnprintf(char *buf, size_t size, const char *fmt, ...) printf_like(3, 4);

#endif
