/*
 * Copies from, to and within user memory, and whole pages.
 *
 * Each user copy moves 128 bytes a round, then smaller blocks, words, bytes. A fault anywhere redoes
 * the rest byte by byte, so that the count of bytes done is exact up to the faulting byte. String
 * instructions are used where the CPU is fast at them (x86_copy_by_string).
 * The _nofault twins lie in a section of their own: the page fault handler goes straight to the
 * fix-up for those.
 */
#include "asm.h"

	.bss
	.globl x86_copy_by_string
x86_copy_by_string:
	.byte 0

/* Move 32 bytes at an offset by way of registers. A fault in it continues at fixup. */
.macro MOVE32 at, fixup
101:	movq \at(%rsi), %rax
102:	movq \at + 8(%rsi), %r8
103:	movq \at + 16(%rsi), %r9
104:	movq \at + 24(%rsi), %r10
105:	movq %rax, \at(%rdi)
106:	movq %r8, \at + 8(%rdi)
107:	movq %r9, \at + 16(%rdi)
108:	movq %r10, \at + 24(%rdi)
	EXTABLE 101b, \fixup
	EXTABLE 102b, \fixup
	EXTABLE 103b, \fixup
	EXTABLE 104b, \fixup
	EXTABLE 105b, \fixup
	EXTABLE 106b, \fixup
	EXTABLE 107b, \fixup
	EXTABLE 108b, \fixup
.endm

/* size_t name(void *dst, const void *src, size_t n): bytes left */
.macro COPY_USER name
FUNC(\name)
	USER_OPEN
	movq %rdx, %rcx
	cmpq $64, %rcx
	jb 3f
	cmpb $0, x86_copy_by_string(%rip)
	jne 6f
	subq $128, %rcx
	jb 8f
1:	/* rcx is 128 less than what is left */
	MOVE32 0, 7f
	MOVE32 32, 7f
	MOVE32 64, 7f
	MOVE32 96, 7f
	subq $-128, %rsi
	subq $-128, %rdi
	subq $128, %rcx
	jae 1b
8:	subq $-128, %rcx
	jz 5f
	testb $64, %cl
	jz 3f
	MOVE32 0, 4f
	MOVE32 32, 4f
	addq $64, %rsi
	addq $64, %rdi
	subq $64, %rcx
3:	testb $32, %cl
	jz 2f
	MOVE32 0, 4f
	addq $32, %rsi
	addq $32, %rdi
	subq $32, %rcx
2:	cmpq $8, %rcx
	jb 2f
30:	movq (%rsi), %rax
31:	movq %rax, (%rdi)
	addq $8, %rsi
	addq $8, %rdi
	subq $8, %rcx
	jmp 2b
2:	testb $4, %cl
	jz 4f
32:	movl (%rsi), %eax
33:	movl %eax, (%rdi)
	addq $4, %rsi
	addq $4, %rdi
	subq $4, %rcx
4:	testq %rcx, %rcx
	jz 5f
40:	movb (%rsi), %al
41:	movb %al, (%rdi)
	incq %rsi
	incq %rdi
	decq %rcx
	jmp 4b
5:	movq %rcx, %rax
	USER_CLOSE
	ret
6:	rep movsb
	jmp 5b
7:	subq $-128, %rcx
	jmp 4b
	EXTABLE 30b, 4b
	EXTABLE 31b, 4b
	EXTABLE 32b, 4b
	EXTABLE 33b, 4b
	EXTABLE 40b, 5b
	EXTABLE 41b, 5b
	EXTABLE 6b, 5b
END(\name)
.endm

/* int name(u32 *p, u32 old, u32 new, u32 *prev) */
.macro CMPXCHG_USER name
FUNC(\name)
	USER_OPEN
	movl %esi, %eax
1:	lock cmpxchgl %edx, (%rdi)
	movl %eax, (%rcx)
	xorl %eax, %eax
2:	USER_CLOSE
	ret
3:	movl $-14, %eax
	jmp 2b
	EXTABLE 1b, 3b
END(\name)
.endm

	.text
COPY_USER x86_copy_user
CMPXCHG_USER x86_user_cmpxchg32

/* size_t x86_clear_user(void *dst, size_t n): bytes left */
FUNC(x86_clear_user)
	USER_OPEN
	movq %rsi, %rcx
	xorl %eax, %eax
	cmpq $64, %rcx
	jb 3f
	cmpb $0, x86_copy_by_string(%rip)
	jne 6f
1:
10:	movq %rax, (%rdi)
11:	movq %rax, 8(%rdi)
12:	movq %rax, 16(%rdi)
13:	movq %rax, 24(%rdi)
14:	movq %rax, 32(%rdi)
15:	movq %rax, 40(%rdi)
16:	movq %rax, 48(%rdi)
17:	movq %rax, 56(%rdi)
	addq $64, %rdi
	subq $64, %rcx
	cmpq $64, %rcx
	jae 1b
3:	testq %rcx, %rcx
	jz 5f
30:	movb %al, (%rdi)
	incq %rdi
	decq %rcx
	jmp 3b
5:	movq %rcx, %rax
	USER_CLOSE
	ret
6:	rep stosb
	jmp 5b
	EXTABLE 10b, 3b
	EXTABLE 11b, 3b
	EXTABLE 12b, 3b
	EXTABLE 13b, 3b
	EXTABLE 14b, 3b
	EXTABLE 15b, 3b
	EXTABLE 16b, 3b
	EXTABLE 17b, 3b
	EXTABLE 30b, 5b
	EXTABLE 6b, 5b
END(x86_clear_user)

/* void clear_page(void *page) */
FUNC(clear_page)
	movl $4096, %ecx
	xorl %eax, %eax
	cmpb $0, x86_copy_by_string(%rip)
	jne 2f
	movl $16, %ecx
1:
	.set i, 0
	.rept 32
	movq %rax, i(%rdi)
	.set i, i + 8
	.endr
	addq $256, %rdi
	decl %ecx
	jnz 1b
	ret
2:	rep stosb
	ret
END(clear_page)

/* void copy_page(void *dst, const void *src) */
FUNC(copy_page)
	movl $4096, %ecx
	cmpb $0, x86_copy_by_string(%rip)
	jne 2f
	movl $32, %ecx
1:
	.set i, 0
	.rept 4
	movq i(%rsi), %rax
	movq i + 8(%rsi), %rdx
	movq i + 16(%rsi), %r8
	movq i + 24(%rsi), %r9
	movq %rax, i(%rdi)
	movq %rdx, i + 8(%rdi)
	movq %r8, i + 16(%rdi)
	movq %r9, i + 24(%rdi)
	.set i, i + 32
	.endr
	subq $-128, %rsi
	subq $-128, %rdi
	decl %ecx
	jnz 1b
	ret
2:	rep movsb
	ret
END(copy_page)

	.section .text.nofault, "ax"
COPY_USER x86_copy_user_nofault
CMPXCHG_USER x86_user_cmpxchg32_nofault

/* int x86_user_load32_nofault(const u32 *p, u32 *val) */
FUNC(x86_user_load32_nofault)
	USER_OPEN
1:	movl (%rdi), %edx
	movl %edx, (%rsi)
	xorl %eax, %eax
2:	USER_CLOSE
	ret
3:	movl $-14, %eax
	jmp 2b
	EXTABLE 1b, 3b
END(x86_user_load32_nofault)

	.section .note.GNU-stack, "", @progbits
