/*
 * Ways into the kernel and back: SYSCALL, exceptions, interrupts, and the "anywhere" entries (NMI,
 * double fault, machine check, debug exceptions of kernel mode).
 *
 * GS: on entry from user mode, and only then, SWAPGS makes GS base the per-CPU base. The anywhere
 * entries can hit between an entry and its SWAPGS, so they don't trust the mode: they save the GS
 * base, load the one kept at the top of their own stack, and put the old one back.
 *
 * Every frame is a whole struct pt_regs. Coming from user mode it lies at the top of the thread's
 * stack. orig_rax is the system call number, or -1.
 */
#include "asm.h"

#define UPCALL_SYSCALL 16 /* offset in struct arch_upcalls; checked in trap.c */

	.section .text.entry, "ax"

/* With orig_rax pushed: the rest of the frame. rax is the value that a system call starts with. */
.macro PUSH_REGS rax=%rax
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq \rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm

.macro POP_REGS
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
	addq $8, %rsp
.endm

/*
 * SYSCALL: rcx = user ip, r11 = user flags; SFMASK cleared IF, DF, AC, TF, NT. The way back by
 * SYSRET reloads only what the C code may have clobbered: callee-saved registers still hold the
 * user's values. Whoever writes those into the frame sets full_return. User ip is below the
 * canonical limit because USER_END leaves a page free.
 */
FUNC(x86_syscall_entry)
	swapgs
	movq %rsp, %gs:x86_user_sp(%rip)
	movq %gs:x86_tss + 4(%rip), %rsp
	pushq $USER_DS
	pushq %gs:x86_user_sp(%rip)
	pushq %r11
	pushq $USER_CS
	pushq %rcx
	pushq %rax
	PUSH_REGS $-38
	movq %rsp, %rdi
	sti
	call *arch_upcalls + UPCALL_SYSCALL(%rip)
	cli
	movq %gs:x86_current(%rip), %rax
	cmpq $0, (%rax)		/* work, full_return */
	jne return_to_user
	movq R10(%rsp), %r10
	movq R9(%rsp), %r9
	movq R8(%rsp), %r8
	movq RAX(%rsp), %rax
	movq RDX(%rsp), %rdx
	movq RSI(%rsp), %rsi
	movq RDI(%rsp), %rdi
	movq RIP(%rsp), %rcx
	movq EFLAGS(%rsp), %r11
	movq RSP(%rsp), %rsp
	swapgs
	sysretq
END(x86_syscall_entry)

/* A frame for user mode at the stack pointer, interrupts off: do the pending work, then leave. */
FUNC(return_to_user)
	movq %gs:x86_current(%rip), %rax
	cmpq $0, (%rax)
	je 1f
	movq %rsp, %rdi
	call x86_exit_work
1:	POP_REGS
	swapgs
	.globl x86_iret_user
x86_iret_user:
	iretq
END(return_to_user)

/* noreturn void x86_enter_user(struct pt_regs *): interrupts off */
FUNC(x86_enter_user)
	movq %rdi, %rsp
	xorl %ebp, %ebp
	jmp return_to_user
END(x86_enter_user)

/* First return address of a forked child: the frame is right above. Interrupts off. */
FUNC(x86_fork_return)
	xorl %ebp, %ebp
	call x86_fork_child
	cli
	jmp return_to_user
END(x86_fork_return)

/*
 * Exception stubs push an error code (0 where the CPU has none), then the vector; interrupt stubs
 * -1 and the vector. The vector takes rdi's place in the frame until it is in a register.
 */
.macro ENTER_FRAME
	cld
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq %rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movl RDI(%rsp), %esi
	movq %rdi, RDI(%rsp)
	movq ORIG_RAX(%rsp), %rdx
	movq $-1, ORIG_RAX(%rsp)
.endm

/*
 * A debug exception comes on its CPU's own stack, as it can come where there is no other: MOV SS
 * holds back what a watchpoint saw in it until the next instruction is over, and if that is SYSCALL
 * (or INT3), the CPU is in kernel mode, before the entry's first instruction, with the user's stack
 * pointer and GS base. From user mode the frame moves to where every other exception's is.
 */
FUNC(debug_common)
	testb $3, 24(%rsp)	/* CS, above vector, error code, RIP */
	jz anywhere_common
	swapgs
	pushq %rdi
	leaq 8(%rsp), %rdi
	movq %gs:x86_tss + 4(%rip), %rsp
	.irp word, 6, 5, 4, 3, 2, 1, 0
	pushq 8 * \word(%rdi)
	.endr
	movq -8(%rdi), %rdi
	jmp exception_from_user
END(debug_common)

FUNC(exception_common)
	testb $3, 24(%rsp)
	jz exception_from_kernel
	swapgs
exception_from_user:
	ENTER_FRAME
	USER_CLOSE
	movq %rsp, %rdi
	xorl %ebp, %ebp
	call x86_exception
	cli
	jmp return_to_user

exception_from_kernel:
	ENTER_FRAME
	USER_CLOSE
	movq %rsp, %rdi
	leaq x86_iret_user(%rip), %rax
	cmpq %rax, RIP(%rsp)
	je 2f
	call x86_exception
	cli
	POP_REGS
	iretq

	/* The IRET to user mode refused the frame: make it a fault of the user program. */
2:	swapgs
	movl %esi, %ebx
	movq %rdx, %r12
	call x86_bad_iret	/* a whole frame at the top of this stack */
	movq %rax, %rsp
	movq %rax, %rdi
	movl %ebx, %esi
	movq %r12, %rdx
	call x86_exception
	cli
	jmp return_to_user
END(exception_common)

FUNC(interrupt_common)
	ENTER_FRAME
	USER_CLOSE
	movq %rsp, %rdi
	movq %rsp, %rbx
	testb $3, CS(%rsp)
	jz 1f
	swapgs
1:	incl %gs:x86_irq_depth(%rip)
	cmpl $1, %gs:x86_irq_depth(%rip)
	jne 2f
	movq %gs:x86_irq_stack(%rip), %rsp
	pushq %rbx
2:	pushq RIP(%rbx)		/* a frame for the backtrace: the interrupted code */
	pushq %rbp
	movq %rsp, %rbp
	call x86_interrupt
	movq %rbx, %rsp
	decl %gs:x86_irq_depth(%rip)
	testb $3, CS(%rsp)
	jnz return_to_user
	POP_REGS
	iretq
END(interrupt_common)

FUNC(anywhere_common)
	ENTER_FRAME
	USER_CLOSE
	movl %esi, %r13d
	movq %rdx, %r14
	movl $MSR_GS_BASE, %ecx
	rdmsr
	movl %eax, %ebx
	movl %edx, %r12d
	movl PT_REGS_SIZE(%rsp), %eax
	movl PT_REGS_SIZE + 4(%rsp), %edx
	wrmsr
	movq %rsp, %rdi
	movl %r13d, %esi
	movq %r14, %rdx
	call x86_anywhere
	movl $MSR_GS_BASE, %ecx
	movl %ebx, %eax
	movl %r12d, %edx
	wrmsr
	POP_REGS
	iretq
END(anywhere_common)

/*
 * noreturn void panic(const char *fmt, ...): keeps the registers of the call, all but ip as they
 * are; that is within the call instruction. The arguments stay where they are for panic_main().
 */
.macro KEEP reg, at
	movq %\reg, %gs:x86_panic_regs + \at(%rip)
.endm
FUNC(panic)
	KEEP rax, RAX
	KEEP rbx, RBX
	KEEP rcx, RCX
	KEEP rdx, RDX
	KEEP rsi, RSI
	KEEP rdi, RDI
	KEEP rbp, RBP
	KEEP r8, R8
	KEEP r9, R9
	KEEP r10, R10
	KEEP r11, R11
	KEEP r12, R12
	KEEP r13, R13
	KEEP r14, R14
	KEEP r15, R15
	pushfq
	popq %gs:x86_panic_regs + EFLAGS(%rip)
	leaq 8(%rsp), %rax
	KEEP rax, RSP
	movq (%rsp), %rax
	decq %rax
	KEEP rax, RIP
	movq %cs, %rax
	KEEP rax, CS
	movq %ss, %rax
	KEEP rax, SS
	movq %gs:x86_panic_regs + RAX(%rip), %rax
	jmp panic_main
END(panic)

/* Stubs of 16 bytes each, one per vector. */
	.balign 16
	.globl x86_vectors
x86_vectors:
	.set vector, 0
	.rept 256
	.balign 16
	.if vector == 8 || vector == 18 || vector == 2
		.if vector != 8
		pushq $0
		.endif
		pushq $vector
		jmp anywhere_common
	.elseif vector == 1
		pushq $0
		pushq $vector
		jmp debug_common
	.elseif vector < 32
		.if !(vector == 10 || vector == 11 || vector == 12 || vector == 13 || vector == 14 || vector == 17 || vector == 21 || vector == 29 || vector == 30)
		pushq $0
		.endif
		pushq $vector
		jmp exception_common
	.else
		pushq $-1
		pushq $vector
		jmp interrupt_common
	.endif
	.set vector, vector + 1
	.endr
	.balign 16

	.section .note.GNU-stack, "", @progbits
