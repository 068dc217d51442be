/* The host build's own interface, for tests, fuzzers and simulations. */
#ifndef ARCH_HOST_H
#define ARCH_HOST_H

struct host_config {
	u64 ram;             /* bytes; 0: 64 MiB */
	u64 seed;            /* of random numbers */
	const char *cmdline; /* NULL: none */
	bool verbose;        /* the log goes to standard error */
};

/* Boot the kernel and run fn(arg) in a kernel thread after all init levels; returns what it
 * returned. Once per process. */
int host_run(const struct host_config *config, int (*fn)(void *arg), void *arg);

/* Interrupt line irq is raised: delivered as soon as interrupts are on. */
void host_irq_raise(int irq);
/* Let ns pass (a busy computation). */
void host_time_pass(u64 ns);

/* The n-th allocation of memory from now on fails, once; 0: none does. */
void host_alloc_fail_at(u64 n);
bool host_alloc_failed(void); /* has it? */

/* From now on accesses to user pointers in [start, start + len) fault; len 0: none does. */
void host_user_bad(const void *start, size_t len);

#endif
