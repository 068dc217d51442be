/* The address that a socket of the current process gets, if it is free. */
#include "nl.h"
#include <process/task.h>

u32 nl_self(void)
{
	return (u32)current_task()->process->pid->nr;
}
