/* Changing kernel stacks, and where new threads begin. */
#include "asm.h"

	.text
/*
 * void x86_switch_stack(u64 *save_sp, u64 sp): park the callee-saved registers on this stack, go on
 * on the other. Interrupts are off on both sides, so RFLAGS need not be kept.
 */
FUNC(x86_switch_stack)
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
END(x86_switch_stack)

/* First return address of a kernel thread: rbx = entry, r12 = its argument. */
FUNC(x86_thread_start)
	movq %r12, %rdi
	pushq $0		/* end of the backtrace */
	call *%rbx
	ud2
END(x86_thread_start)

/*
 * void x86_call_on_stack(void *arg, void (*fn)(void *), void *top): the frame pointer leads back, for
 * this function and for backtraces.
 */
FUNC(x86_call_on_stack)
	pushq %rbp
	movq %rsp, %rbp
	movq %rdx, %rsp
	call *%rsi
	leave
	ret
END(x86_call_on_stack)

	.section .note.GNU-stack, "", @progbits
