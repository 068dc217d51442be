/*
 * From the PVH entry (32-bit protected mode, paging off, EBX = physical address of start_info) to
 * x86_boot() in long mode at the image's own addresses. pvh_low_entry is below 1 MiB: it stands
 * even where there is no RAM for the image (lowboot.c).
 *
 * The boot page tables map the first 4 GiB three times, with 2 MiB pages: identity, in the direct
 * map, and (1 GiB of it) at KERNEL_BASE. x86_map_kernel() replaces them; APs pass through the
 * identity part on their way up.
 */
#include "asm.h"

#define PHYS(x) ((x) - KERNEL_BASE)

	.section .note.pvh, "a"
	.balign 4
	.long 4, 4, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long pvh_low_entry

	.section .lowboot.entry, "ax"
	.code32
	.globl pvh_low_entry
pvh_low_entry:
	cld
	cli
	movl $low_stack_end, %esp
	pushl $PHYS(__image_end)
	pushl $PHYS(__image_start)
	pushl %ebx
	call x86_low_check
	movl $PHYS(pvh_entry), %eax
	jmp *%eax
	.balign 16
	.skip 1024
low_stack_end:

	.section .text.boot, "ax"
	.code32
	.globl pvh_entry
pvh_entry:
	cld
	cli
	movl $PHYS(x86_boot_stack + 16384), %esp
	movl %ebx, %ebp

	/* The loader zeroed it, but where RAM is small firmware may have worked in it since. */
	movl $PHYS(__bss_start), %edi
	movl $PHYS(__image_end), %ecx
	subl %edi, %ecx
	shrl $2, %ecx
	xorl %eax, %eax
	rep stosl

	/* four page directories: 2048 entries of 2 MiB */
	movl $PHYS(boot_pd), %edi
	movl $0x83, %eax	/* present, writable, large */
	movl $2048, %ecx
1:	movl %eax, (%edi)
	movl $0, 4(%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 1b

	/* one PDPT for identity and direct map, one for the image */
	movl $PHYS(boot_pd) + 3, %eax
	movl $PHYS(boot_pdpt), %edi
	movl $4, %ecx
2:	movl %eax, (%edi)
	addl $4096, %eax
	addl $8, %edi
	loop 2b
	movl $PHYS(boot_pd) + 3, PHYS(boot_pdpt_image) + 510 * 8
	movl $PHYS(boot_pdpt) + 3, PHYS(x86_boot_root)
	movl $PHYS(boot_pdpt) + 3, PHYS(x86_boot_root) + 273 * 8 /* DIRECT_MAP */
	movl $PHYS(boot_pdpt_image) + 3, PHYS(x86_boot_root) + 511 * 8

	movl %cr4, %eax
	orl $0x20, %eax		/* PAE */
	movl %eax, %cr4
	movl $PHYS(x86_boot_root), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $0x100, %eax	/* LME */
	wrmsr
	movl %cr0, %eax
	orl $0x80000001, %eax	/* PG, PE */
	movl %eax, %cr0
	lgdt PHYS(boot_gdt_pointer)
	ljmp $KERNEL_CS, $PHYS(1f)

	.code64
1:	movl $KERNEL_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movq $2f, %rax
	jmp *%rax
2:	movq $(x86_boot_stack + 16384), %rsp
	movl %ebp, %edi
	xorl %ebp, %ebp
	pushq $0		/* end of the backtrace */
	call x86_boot
	ud2

	.balign 8
	.globl x86_boot_gdt
x86_boot_gdt:
	.quad 0, 0
	.quad 0x00af9b000000ffff /* KERNEL_CS */
	.quad 0x00cf93000000ffff /* KERNEL_DS */
boot_gdt_pointer:
	.word . - x86_boot_gdt - 1
	.long PHYS(x86_boot_gdt)

	.section .bss.page_aligned, "aw", @nobits
	.balign 4096
	.globl x86_boot_root
x86_boot_root:
	.skip 4096
boot_pdpt:
	.skip 4096
boot_pdpt_image:
	.skip 4096
boot_pd:
	.skip 4 * 4096
	.globl x86_boot_stack
x86_boot_stack:
	.skip 16384
	.section .note.GNU-stack, "", @progbits
