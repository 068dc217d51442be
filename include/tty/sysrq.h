/* Keys for emergencies. */
#ifndef TTY_SYSRQ_H
#define TTY_SYSRQ_H

#include <lib/types.h>

extern int g_sysrq; /* kernel.sysrq: what sysrq_key may do; atomic */

/* What the key stands for, now; an unknown one: the list of keys. Sleeps. */
void sysrq_run(u8 key);
/* The same as far as kernel.sysrq allows, for keys from a line. Any context. */
void sysrq_key(u8 key);

#endif
