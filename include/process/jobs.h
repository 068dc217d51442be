/* Process groups and sessions: setsid(2), setpgid(2), getpgid(2), getsid(2); number 0: self. */
#ifndef PROCESS_JOBS_H
#define PROCESS_JOBS_H

#include <process/task.h>

long process_setsid(void);
long process_setpgid(s32 nr, s32 pgid);
long process_getpgid(s32 nr);
long process_getsid(s32 nr);

#endif
