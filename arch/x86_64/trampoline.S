/*
 * Where an application processor starts: copied to a page below 1 MiB by smp.c, entered in real
 * mode at its first byte. It goes to long mode on the boot page tables, takes the stack and CPU
 * number left for it, and calls x86_ap_main(cpu) on the kernel's own page tables.
 */
#include "asm.h"

	.section .rodata.trampoline, "a"
	.globl x86_trampoline, x86_trampoline_end, x86_trampoline_data
	.balign 16
x86_trampoline:
	.code16
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	movzwl %ax, %ebx
	shll $4, %ebx		/* physical address of this page */
	leal (tr32 - x86_trampoline)(%ebx), %eax
	movl %eax, tr_jump32 - x86_trampoline
	leal (tr_gdt - x86_trampoline)(%ebx), %eax
	movl %eax, tr_gdt_pointer + 2 - x86_trampoline
	lgdtl tr_gdt_pointer - x86_trampoline
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	.byte 0x66, 0xea	/* ljmpl $8, $tr32 */
tr_jump32:
	.long 0
	.word 8

	.code32
tr32:
	movl $0x18, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %cr4, %eax
	orl $0x20, %eax
	movl %eax, %cr4
	movl $(x86_boot_root - KERNEL_BASE), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl %cr0, %eax
	orl $0x80000001, %eax
	movl %eax, %cr0
	leal (tr64 - x86_trampoline)(%ebx), %eax
	movl %eax, (tr_jump64 - x86_trampoline)(%ebx)
	ljmpl *(tr_jump64 - x86_trampoline)(%ebx)

	.code64
tr64:	movl %ebx, %ebx
	movq (x86_trampoline_data - x86_trampoline)(%rbx), %r8
	movq (x86_trampoline_data + 8 - x86_trampoline)(%rbx), %r9
	movl (x86_trampoline_data + 16 - x86_trampoline)(%rbx), %edi
	movl (x86_trampoline_data + 20 - x86_trampoline)(%rbx), %esi
	movq $ap_entry, %rax
	jmp *%rax

	.balign 8
tr_gdt:
	.quad 0
	.quad 0x00cf9b000000ffff /* 0x08: 32-bit code */
	.quad 0x00af9b000000ffff /* 0x10: KERNEL_CS */
	.quad 0x00cf93000000ffff /* 0x18: KERNEL_DS */
tr_gdt_pointer:
	.word . - tr_gdt - 1
	.long 0
	.balign 4
tr_jump64:
	.long 0
	.word KERNEL_CS
	.balign 8
x86_trampoline_data:	/* struct trampoline_data */
	.quad 0, 0
	.long 0, 0
x86_trampoline_end:

	/* At the image's own address, mapped by both page tables: r8 stack, r9 cr3, edi CPU, esi NX */
	.text
ap_entry:
	testl %esi, %esi
	jz 1f
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_NX, %eax
	wrmsr
1:	movq %r9, %cr3
	movq %r8, %rsp
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	xorl %ebp, %ebp
	pushq $0
	call x86_ap_main
	ud2

	.section .note.GNU-stack, "", @progbits
