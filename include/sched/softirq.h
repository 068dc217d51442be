/* Is this CPU in the packet context, or in a thread of it? The tick puts the time down to softirq. */
#ifndef SCHED_SOFTIRQ_H
#define SCHED_SOFTIRQ_H

#include <sched/thread.h>

DECLARE_PER_CPU(u8, g_sched_in_softirq); /* own CPU */

#endif
