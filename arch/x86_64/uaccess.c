/*
 * User memory: the exception table, SMAP patching, and the routines of <arch/uaccess.h> on top of
 * the copy loops in copy.S, each of which returns how many bytes it left.
 */
#include "copy.h"
#include "image.h"
#include "x86.h"
#include <arch/uaccess.h>
#include <core/log.h>
#include <lib/kasan.h>
#include <lib/string.h>
#include <linux/futex.h>

static unsigned long insn_of(const struct extable_entry *e)
{
	return (unsigned long)&e->insn + (long)e->insn;
}

static unsigned long fixup_of(const struct extable_entry *e)
{
	return (unsigned long)&e->fixup + (long)e->fixup;
}

static void set_entry(struct extable_entry *e, unsigned long insn, unsigned long fixup)
{
	e->insn = (s32)(insn - (unsigned long)&e->insn);
	e->fixup = (s32)(fixup - (unsigned long)&e->fixup);
}

/* Shell sort: the linker leaves the table nearly ordered. */
static void sort_extable(void)
{
	long n = __extable_end - __extable_start;

	for (long gap = n / 2; gap > 0; gap /= 2) {
		for (long i = gap; i < n; i++) {
			unsigned long insn = insn_of(&__extable_start[i]);
			unsigned long fixup = fixup_of(&__extable_start[i]);
			long j = i;

			for (; j >= gap && insn_of(&__extable_start[j - gap]) > insn; j -= gap)
				set_entry(&__extable_start[j], insn_of(&__extable_start[j - gap]),
					fixup_of(&__extable_start[j - gap]));
			set_entry(&__extable_start[j], insn, fixup);
		}
	}
}

/* Boot CPU, on the boot page tables, where the image is still writable. */
void x86_patch_boot(void)
{
	sort_extable();
	if (g_x86.smap) {
		for (const struct patch_place *p = __smap_places_start; p < __smap_places_end; p++)
			memcpy((u8 *)&p->at + p->at, &p->code, 3);
	}
	/* Emulators execute string instructions element by element; hardware with ERMS is fastest
	 * with them. */
	x86_copy_by_string = g_x86.erms && !g_x86.tcg;
}

unsigned long x86_extable_find(unsigned long ip)
{
	long lo = 0, hi = __extable_end - __extable_start;

	while (lo < hi) {
		long mid = (lo + hi) / 2;
		unsigned long at = insn_of(&__extable_start[mid]);

		if (at == ip)
			return fixup_of(&__extable_start[mid]);
		if (at < ip)
			lo = mid + 1;
		else
			hi = mid;
	}
	return 0;
}

#if DEBUG
void x86_uaccess_check(void)
{
	if (!irqs_enabled())
		panic("user memory touched with interrupts off");
}
#endif

size_t copy_from_user_part(void *dst, const void __user *src, size_t n)
{
	x86_uaccess_check();
	kasan_check(dst, n, true);
	if (unlikely(!user_range_ok((unsigned long)src, n)))
		return 0;
	return n - x86_copy_user(dst, (__force const void *)src, n);
}

size_t copy_to_user_part(void __user *dst, const void *src, size_t n)
{
	x86_uaccess_check();
	kasan_check(src, n, false);
	if (unlikely(!user_range_ok((unsigned long)dst, n)))
		return 0;
	return n - x86_copy_user((__force void *)dst, src, n);
}

size_t clear_user_part(void __user *dst, size_t n)
{
	x86_uaccess_check();
	if (unlikely(!user_range_ok((unsigned long)dst, n)))
		return 0;
	return n - x86_clear_user((__force void *)dst, n);
}

int copy_from_user(void *dst, const void __user *src, size_t n)
{
	size_t done = copy_from_user_part(dst, src, n);

	if (likely(done == n))
		return 0;
	memset(dst + done, 0, n - done);
	return -EFAULT;
}

int copy_to_user(void __user *dst, const void *src, size_t n)
{
	return likely(copy_to_user_part(dst, src, n) == n) ? 0 : -EFAULT;
}

int clear_user(void __user *dst, size_t n)
{
	return likely(clear_user_part(dst, n) == n) ? 0 : -EFAULT;
}

size_t copy_from_user_nofault(void *dst, const void __user *src, size_t n)
{
	if (unlikely(!user_range_ok((unsigned long)src, n)))
		return 0;
	return n - x86_copy_user_nofault(dst, (__force const void *)src, n);
}

size_t copy_to_user_nofault(void __user *dst, const void *src, size_t n)
{
	if (unlikely(!user_range_ok((unsigned long)dst, n)))
		return 0;
	return n - x86_copy_user_nofault((__force void *)dst, src, n);
}

#define ONES  0x0101010101010101ull
#define HIGHS 0x8080808080808080ull

/* Nonzero iff v has a zero byte; its lowest set bit is the first one's top bit. */
static u64 zero_byte(u64 v)
{
	return (v - ONES) & ~v & HIGHS;
}

/* Aligned words never cross into a page that the string doesn't reach. */
ssize_t strncpy_from_user(char *dst, const char __user *src, size_t size)
{
	unsigned long at = (unsigned long)src;
	size_t done = 0;

	while (done < size) {
		if (at + done >= USER_END)
			return -EFAULT;
		if (is_aligned(at + done, 8) && size - done >= 8) {
			u64 v, zero;

			if (get_user(v, (const u64 __user *)(src + done)))
				return -EFAULT;
			zero = zero_byte(v);
			memcpy(dst + done, &v, 8);
			if (zero)
				return (ssize_t)(done + (size_t)(__builtin_ctzll(zero) / 8));
			done += 8;
		} else {
			char c;

			if (get_user(c, src + done))
				return -EFAULT;
			dst[done] = c;
			if (!c)
				return (ssize_t)done;
			done++;
		}
	}
	return (ssize_t)size;
}

size_t strnlen_user(const char __user *s, size_t max)
{
	unsigned long at = (unsigned long)s;
	size_t n = 0;

	while (n < max) {
		if (at + n >= USER_END)
			return 0;
		if (is_aligned(at + n, 8)) {
			u64 v, zero;

			if (get_user(v, (const u64 __user *)(s + n)))
				return 0;
			zero = zero_byte(v);
			if (zero) {
				n += (size_t)(__builtin_ctzll(zero) / 8) + 1;
				return n > max ? max + 1 : n;
			}
			n += 8;
		} else {
			char c;

			if (get_user(c, s + n))
				return 0;
			n++;
			if (!c)
				return n;
		}
	}
	return max + 1;
}

static bool word_ok(const u32 __user *p)
{
	return user_range_ok((unsigned long)p, sizeof(*p));
}

int user_cmpxchg32(u32 __user *p, u32 old, u32 new, u32 *prev)
{
	x86_uaccess_check();
	return word_ok(p) ? x86_user_cmpxchg32((__force u32 *)p, old, new, prev) : -EFAULT;
}

int user_cmpxchg32_nofault(u32 __user *p, u32 old, u32 new, u32 *prev)
{
	return word_ok(p) ? x86_user_cmpxchg32_nofault((__force u32 *)p, old, new, prev) : -EFAULT;
}

int user_load32_nofault(u32 *val, const u32 __user *p)
{
	return word_ok(p) ? x86_user_load32_nofault((__force const u32 *)p, val) : -EFAULT;
}

int user_futex_op_nofault(u32 __user *p, int op, int oparg, u32 *prev)
{
	u32 old, new;
	int err;

	if (op < FUTEX_OP_SET || op > FUTEX_OP_XOR)
		return -ENOSYS;
	err = user_load32_nofault(&old, p);
	while (!err) {
		switch (op) {
		case FUTEX_OP_SET:
			new = (u32)oparg;
			break;
		case FUTEX_OP_ADD:
			new = old + (u32)oparg;
			break;
		case FUTEX_OP_OR:
			new = old | (u32)oparg;
			break;
		case FUTEX_OP_ANDN:
			new = old & ~(u32)oparg;
			break;
		default:
			new = old ^ (u32)oparg;
			break;
		}
		err = user_cmpxchg32_nofault(p, old, new, prev);
		if (!err && *prev == old)
			return 0;
		old = *prev;
	}
	return err;
}
