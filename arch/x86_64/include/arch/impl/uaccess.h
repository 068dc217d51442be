/*
 * x86_64: single accesses to user memory. See <arch/uaccess.h>.
 *
 * The sequence "open (STAC), access, close (CLAC)" is inline; the two are three-byte no-ops in the
 * image and patched at boot where the CPU has SMAP. An access that faults continues at the fix-up
 * that its exception-table entry names.
 */
#ifndef ARCH_IMPL_UACCESS_H
#define ARCH_IMPL_UACCESS_H

#include <arch/cpu.h>
#include <arch/mmu.h>

/* Entry: two offsets relative to their own place: instruction, fix-up. */
#define X86_EXTABLE(insn, fixup)                \
	".pushsection .extable, \"a\"\n\t"      \
	".balign 4\n\t"                         \
	".long " insn " - ., " fixup " - .\n\t" \
	".popsection\n\t"

/* Places to patch when SMAP exists: opcode byte 3 is 0xcb for STAC, 0xca for CLAC. */
#define X86_USER_OPEN                                \
	"9901: .byte 0x0f, 0x1f, 0x00\n\t"           \
	".pushsection .smap_places, \"a\"\n\t"       \
	".balign 4\n\t.long 9901b - ., 0xcb010f\n\t" \
	".popsection\n\t"
#define X86_USER_CLOSE                               \
	"9902: .byte 0x0f, 0x1f, 0x00\n\t"           \
	".pushsection .smap_places, \"a\"\n\t"       \
	".balign 4\n\t.long 9902b - ., 0xca010f\n\t" \
	".popsection\n\t"

static inline bool user_range_ok(unsigned long p, size_t n)
{
	return n <= USER_END && p <= USER_END - n;
}

#if DEBUG
void x86_uaccess_check(void); /* panics when a page fault could not be handled here */
#else
static inline void x86_uaccess_check(void)
{
}
#endif

#define X86_GET_USER(insn, reg, val, ptr, err)                                                   \
	__asm__ volatile(X86_USER_OPEN "1: " insn " %2, %" reg "1\n"                             \
				       "2: " X86_USER_CLOSE ".pushsection .text.fixup, \"ax\"\n" \
				       "3: movl %3, %0\n\txorl %k1, %k1\n\tjmp 2b\n\t"           \
				       ".popsection\n\t" X86_EXTABLE("1b", "3b")                 \
			 : "+r"(err), "=&q"(val)                                                 \
			 : "m"(*(const volatile __typeof__(*(ptr)) __force *)(ptr)), "i"(-EFAULT))

#define get_user(x, ptr)                                                                     \
	({                                                                                   \
		const __typeof__(*(ptr)) __user *_gp = (ptr);                                \
		unsigned long _gv = 0;                                                       \
		int _ge = 0;                                                                 \
		x86_uaccess_check();                                                         \
		static_assert(sizeof(*_gp) == 1 || sizeof(*_gp) == 2 || sizeof(*_gp) == 4 || \
				sizeof(*_gp) == 8,                                           \
			"scalar");                                                           \
		if (unlikely(!user_range_ok((unsigned long)_gp, sizeof(*_gp))))              \
			_ge = -EFAULT;                                                       \
		else if (sizeof(*_gp) == 1)                                                  \
			X86_GET_USER("movb", "b", _gv, (const u8 __user *)_gp, _ge);         \
		else if (sizeof(*_gp) == 2)                                                  \
			X86_GET_USER("movw", "w", _gv, (const u16 __user *)_gp, _ge);        \
		else if (sizeof(*_gp) == 4)                                                  \
			X86_GET_USER("movl", "k", _gv, (const u32 __user *)_gp, _ge);        \
		else                                                                         \
			X86_GET_USER("movq", "q", _gv, (const u64 __user *)_gp, _ge);        \
		(x) = (__force __typeof__(*(ptr)))_gv;                                       \
		_ge;                                                                         \
	})

#define X86_PUT_USER(insn, reg, val, ptr, err)                                                   \
	__asm__ volatile(X86_USER_OPEN "1: " insn " %" reg "2, %1\n"                             \
				       "2: " X86_USER_CLOSE ".pushsection .text.fixup, \"ax\"\n" \
				       "3: movl %3, %0\n\tjmp 2b\n\t"                            \
				       ".popsection\n\t" X86_EXTABLE("1b", "3b")                 \
			 : "+r"(err), "=m"(*(volatile __typeof__(*(ptr)) __force *)(ptr))        \
			 : "q"(val), "i"(-EFAULT))

#define put_user(x, ptr)                                                                     \
	({                                                                                   \
		__typeof__(*(ptr)) __user *_pp = (ptr);                                      \
		__typeof__(*(ptr)) _px = (x);                                                \
		unsigned long _pv = (unsigned long)_px;                                      \
		int _pe = 0;                                                                 \
		x86_uaccess_check();                                                         \
		static_assert(sizeof(*_pp) == 1 || sizeof(*_pp) == 2 || sizeof(*_pp) == 4 || \
				sizeof(*_pp) == 8,                                           \
			"scalar");                                                           \
		if (unlikely(!user_range_ok((unsigned long)_pp, sizeof(*_pp))))              \
			_pe = -EFAULT;                                                       \
		else if (sizeof(*_pp) == 1)                                                  \
			X86_PUT_USER("movb", "b", _pv, (u8 __user *)_pp, _pe);               \
		else if (sizeof(*_pp) == 2)                                                  \
			X86_PUT_USER("movw", "w", _pv, (u16 __user *)_pp, _pe);              \
		else if (sizeof(*_pp) == 4)                                                  \
			X86_PUT_USER("movl", "k", _pv, (u32 __user *)_pp, _pe);              \
		else                                                                         \
			X86_PUT_USER("movq", "q", _pv, (u64 __user *)_pp, _pe);              \
		_pe;                                                                         \
	})

#endif
