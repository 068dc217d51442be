/* Tables that code fills by section: bounds from the linker (script, or by the sections' names). */
#ifndef KERNEL_CORE_SECTIONS_H
#define KERNEL_CORE_SECTIONS_H

#include <core/init.h>

extern const struct init_hook __start_init_hooks[], __stop_init_hooks[];
extern const struct init_option __start_init_options[], __stop_init_options[];

#endif
