/* Inside arch/host: what os.c offers, and what the files share. */
#ifndef ARCH_HOST_PRIVATE_H
#define ARCH_HOST_PRIVATE_H

/* os.c: built against the C library */
void *os_arena(unsigned long size);                  /* RAM: the memory file's first view */
void *os_reserve(unsigned long size);                /* addresses without memory */
int os_map(void *va, unsigned long phys, int write); /* a page of RAM there too */
int os_unmap(void *va, unsigned long len);
void os_write(const char *s, unsigned long n);
_Noreturn void os_abort(void);
_Noreturn void os_exit(int status);
void os_stack_bounds(void **bottom, unsigned long *size); /* of the host thread */

#ifdef ARCH_host
#include <arch/cpu.h>
extern unsigned long host_vmalloc_start;
void host_memory_init(u64 ram);
void host_seed(u64 seed);
noreturn void host_return_to_main(void);
extern bool host_done; /* the test function has returned */
extern bool host_verbose;
#endif

#endif
