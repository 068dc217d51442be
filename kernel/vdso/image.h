/* image.S */
#ifndef VDSO_IMAGE_H
#define VDSO_IMAGE_H

#include <lib/types.h>

extern const u8 vdso_image_start[], vdso_image_end[]; /* whole pages */

#endif
