/* Shared by the assembly files. */
/* clang-format off */
#ifndef X86_ASM_H
#define X86_ASM_H

#include "x86.h"
#include <asm/ptrace-abi.h> /* offsets into struct pt_regs: R15 .. SS */

#define KERNEL_BASE 0xffffffff80000000
#define PT_REGS_SIZE 168

#define FUNC(name) .globl name; .type name, @function; .balign 16; name:
#define END(name)  .size name, . - name

/* STAC and CLAC, patched in where SMAP exists (uaccess.c). */
.macro USER_OPEN
9901:	.byte 0x0f, 0x1f, 0x00
	.pushsection .smap_places, "a"
	.balign 4
	.long 9901b - ., 0xcb010f
	.popsection
.endm

.macro USER_CLOSE
9902:	.byte 0x0f, 0x1f, 0x00
	.pushsection .smap_places, "a"
	.balign 4
	.long 9902b - ., 0xca010f
	.popsection
.endm

/* A fault at insn continues at fixup. */
.macro EXTABLE insn, fixup
	.pushsection .extable, "a"
	.balign 4
	.long \insn - ., \fixup - .
	.popsection
.endm

#endif
