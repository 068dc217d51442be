/* The page that the kernel writes and the vDSO reads. */
#ifndef VDSO_DATA_H
#define VDSO_DATA_H

#include <lib/types.h>

struct vdso_data {
	u32 seq; /* odd while the kernel changes the rest */
	u32 coarse_tick_ns;
	u64 tsc_base, tsc_mult; /* ns since boot = (tsc - base) * mult >> 32 */
	s64 real_offset_ns;     /* wall clock - monotonic */
};

#ifdef VDSO_USER /* the image itself: the linker script puts it in front */
extern const volatile struct vdso_data vdso_data __attribute__((visibility("hidden")));
#endif

#define VDSO_CPU_SELECTOR 0x7b /* a segment whose limit is the CPU's number */

#endif
