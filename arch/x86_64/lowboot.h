#ifndef X86_LOWBOOT_H
#define X86_LOWBOOT_H

#include <abi/pvh.h>

/* Returns if the image, physical [start, end), is whole in RAM. 32-bit code, called by head.S. */
void x86_low_check(const struct pvh_start_info *si, u32 start, u32 end);

#endif
