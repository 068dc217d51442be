/* Memory and strings. On the host the standard functions are the C library's. */
#ifndef LIB_STRING_H
#define LIB_STRING_H

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n) pure_fn;
void *memchr(const void *s, int c, size_t n) pure_fn;
size_t strlen(const char *s) pure_fn;
size_t strnlen(const char *s, size_t max) pure_fn;
int strcmp(const char *a, const char *b) pure_fn;
int strncmp(const char *a, const char *b, size_t n) pure_fn;
char *strchr(const char *s, int c) pure_fn;
char *strrchr(const char *s, int c) pure_fn;
char *strstr(const char *s, const char *what) pure_fn;
size_t strspn(const char *s, const char *set) pure_fn;
size_t strcspn(const char *s, const char *set) pure_fn;

#ifdef ARCH_x86_64
/* A freestanding compiler takes these for functions like any other; told so, it does small constant
 * sizes inline and measures literals itself. */
#define memcpy(dst, src, n) __builtin_memcpy(dst, src, n)
#define memset(dst, c, n)   __builtin_memset(dst, c, n)
#define memcmp(a, b, n)     __builtin_memcmp(a, b, n)
#define strlen(s)           __builtin_strlen(s)
#endif

/* Copy with a NUL always. Length copied, or -E2BIG when src was cut (or size is 0). */
ssize_t str_copy(char *dst, const char *src, size_t size);
bool str_has_prefix(const char *s, const char *prefix) pure_fn;

/*
 * Numbers: the whole string (a final newline allowed) in the base, 0 meaning by prefix 0x or 0.
 * -EINVAL: no number, -ERANGE: too large.
 */
int parse_u64(const char *s, int base, u64 *out) must_check;
int parse_s64(const char *s, int base, s64 *out) must_check;
/* Bytes with an optional suffix K, M, G, T (binary); *end, if given, is where parsing stopped. */
int parse_size(const char *s, u64 *out, const char **end) must_check;

#endif
