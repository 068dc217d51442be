/* User memory: host memory, except where a test says that it faults. */
#include <arch/host.h>
#include <arch/uaccess.h>
#include <lib/string.h>
#include <linux/futex.h>

#define FIRST_USER 0x10000ul /* NULL pointers and their neighbours fault */

static unsigned long g_bad_start, g_bad_len;

void host_user_bad(const void *start, size_t len)
{
	g_bad_start = (unsigned long)start;
	g_bad_len = len;
}

/* Bytes from p on that can be accessed. */
static size_t reach(const void *p, size_t n)
{
	unsigned long at = (unsigned long)p;

	if (at < FIRST_USER || !user_range_ok(at, n))
		return 0;
	if (!g_bad_len || at + n <= g_bad_start || at >= g_bad_start + g_bad_len)
		return n;
	return at >= g_bad_start ? 0 : g_bad_start - at;
}

size_t copy_from_user_part(void *dst, const void __user *src, size_t n)
{
	size_t ok = reach((const void *)src, n);

	memcpy(dst, (const void *)src, ok);
	return ok;
}

size_t copy_to_user_part(void __user *dst, const void *src, size_t n)
{
	size_t ok = reach((const void *)dst, n);

	memcpy((void *)dst, src, ok);
	return ok;
}

size_t clear_user_part(void __user *dst, size_t n)
{
	size_t ok = reach((const void *)dst, n);

	memset((void *)dst, 0, ok);
	return ok;
}

int copy_from_user(void *dst, const void __user *src, size_t n)
{
	size_t done = copy_from_user_part(dst, src, n);

	if (done == n)
		return 0;
	memset((u8 *)dst + done, 0, n - done);
	return -EFAULT;
}

int copy_to_user(void __user *dst, const void *src, size_t n)
{
	return copy_to_user_part(dst, src, n) == n ? 0 : -EFAULT;
}

int clear_user(void __user *dst, size_t n)
{
	return clear_user_part(dst, n) == n ? 0 : -EFAULT;
}

size_t copy_from_user_nofault(void *dst, const void __user *src, size_t n)
{
	return copy_from_user_part(dst, src, n);
}

size_t copy_to_user_nofault(void __user *dst, const void *src, size_t n)
{
	return copy_to_user_part(dst, src, n);
}

ssize_t strncpy_from_user(char *dst, const char __user *src, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (copy_from_user_part(&dst[i], src + i, 1) != 1)
			return -EFAULT;
		if (!dst[i])
			return (ssize_t)i;
	}
	return (ssize_t)size;
}

size_t strnlen_user(const char __user *s, size_t max)
{
	char c;

	for (size_t i = 0; i <= max; i++) {
		if (copy_from_user_part(&c, s + i, 1) != 1)
			return 0;
		if (!c)
			return i + 1;
	}
	return max + 1;
}

int user_cmpxchg32(u32 __user *p, u32 old, u32 new, u32 *prev)
{
	if (reach((const void *)p, sizeof(*p)) != sizeof(*p))
		return -EFAULT;
	__atomic_compare_exchange_n((u32 *)p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	*prev = old;
	return 0;
}

int user_cmpxchg32_nofault(u32 __user *p, u32 old, u32 new, u32 *prev)
{
	return user_cmpxchg32(p, old, new, prev);
}

int user_load32_nofault(u32 *val, const u32 __user *p)
{
	return copy_from_user(val, p, sizeof(*val));
}

int user_futex_op_nofault(u32 __user *p, int op, int oparg, u32 *prev)
{
	u32 *w = (u32 *)p;

	if (reach(w, sizeof(*w)) != sizeof(*w))
		return -EFAULT;
	switch (op) {
	case FUTEX_OP_SET:
		*prev = __atomic_exchange_n(w, (u32)oparg, __ATOMIC_SEQ_CST);
		return 0;
	case FUTEX_OP_ADD:
		*prev = __atomic_fetch_add(w, (u32)oparg, __ATOMIC_SEQ_CST);
		return 0;
	case FUTEX_OP_OR:
		*prev = __atomic_fetch_or(w, (u32)oparg, __ATOMIC_SEQ_CST);
		return 0;
	case FUTEX_OP_ANDN:
		*prev = __atomic_fetch_and(w, ~(u32)oparg, __ATOMIC_SEQ_CST);
		return 0;
	case FUTEX_OP_XOR:
		*prev = __atomic_fetch_xor(w, (u32)oparg, __ATOMIC_SEQ_CST);
		return 0;
	default:
		return -ENOSYS;
	}
}
