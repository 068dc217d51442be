/* Addresses that the linker script sets. */
#ifndef X86_IMAGE_H
#define X86_IMAGE_H

#include <lib/types.h>

extern const u8 __image_start[], __image_end[];
extern const u8 __text_start[], __text_end[], __rodata_start[], __data_start[];
extern const u8 __nofault_start[], __nofault_end[];
extern const u8 __sched_start[], __sched_end[]; /* kernel/sched's code */
extern const u8 x86_trampoline[], x86_trampoline_end[], x86_trampoline_data[];

/* The symbol table of tools/gen/symtab.py. */
extern const u32 x86_symtab_count;
extern const u32 x86_symtab_offsets[]; /* count + 1: the last is the end of code */
extern const u32 x86_symtab_marks[];
extern const char x86_symtab_names[];

struct extable_entry {
	s32 insn, fixup; /* relative to their own addresses */
};
extern struct extable_entry __extable_start[], __extable_end[];

struct patch_place {
	s32 at; /* relative to its own address */
	u32 code;
};
extern const struct patch_place __smap_places_start[], __smap_places_end[];
extern u8 __percpu_start[], __percpu_end[];

#endif
