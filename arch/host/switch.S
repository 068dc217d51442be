/* void host_switch_stack(u64 *save_sp, u64 sp): as on x86_64; the host's calling convention. */
	.text
	.globl host_switch_stack
	.type host_switch_stack, @function
host_switch_stack:
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
	.size host_switch_stack, . - host_switch_stack

	.globl host_thread_start
	.type host_thread_start, @function
host_thread_start:
	movq %r12, %rdi
	movq %rbx, %rsi
	xorl %ebp, %ebp
	call host_thread_main
	ud2
	.size host_thread_start, . - host_thread_start

/* noreturn void panic(const char *fmt, ...): the host's debugger has the registers. */
	.globl panic
	.type panic, @function
panic:
	jmp panic_main
	.size panic, . - panic

	.section .note.GNU-stack, "", @progbits
