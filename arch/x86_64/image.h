/* Addresses that the linker script sets. */
#ifndef X86_IMAGE_H
#define X86_IMAGE_H

#include <lib/types.h>

extern const u8 __image_start[], __image_end[];
extern const u8 __text_start[], __text_end[], __rodata_start[], __data_start[];
extern const u8 __nofault_start[], __nofault_end[];
extern u8 __percpu_start[], __percpu_end[];

#endif
