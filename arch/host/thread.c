/* Contexts: kernel threads on the host's one thread. */
#include "host.h"
#include <arch/host.h>
#include <arch/mmu.h>
#include <arch/thread.h>
#include <core/log.h>
#include <lib/string.h>

#if defined(__SANITIZE_ADDRESS__)
#define HOST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HOST_ASAN 1
#endif
#endif

#ifdef HOST_ASAN
void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack_save, const void **bottom, size_t *size);
void __asan_unpoison_memory_region(const void *addr, size_t size);
#else
static void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size)
{
}
static void __sanitizer_finish_switch_fiber(
	void *fake_stack_save, const void **bottom, size_t *size)
{
}
static void __asan_unpoison_memory_region(const void *addr, size_t size)
{
}
#endif

void host_switch_stack(u64 *save_sp, u64 sp);
void host_thread_start(void);
void host_thread_main(void *arg, void (*entry)(void *));

struct switch_frame { /* what host_switch_stack pops */
	u64 r15, r14, r13, r12, rbx, rbp, ip;
};

static struct arch_thread *g_running; /* whose stack we are on */

void host_thread_main(void *arg, void (*entry)(void *))
{
	__sanitizer_finish_switch_fiber(NULL, NULL, NULL);
	entry(arg);
	os_abort();
}

void arch_thread_init(struct arch_thread *t, void *stack, void (*entry)(void *), void *arg)
{
	u64 top = round_down((u64)arch_user_regs(stack), 64);
	struct switch_frame *f = (struct switch_frame *)top - 1;

	__asan_unpoison_memory_region(stack, KSTACK_SIZE); /* frames of an earlier thread */
	*f = (struct switch_frame){
		.rbx = (u64)entry, .r12 = (u64)arg, .ip = (u64)host_thread_start};
	*t = (struct arch_thread){.sp = (u64)f, .stack_bottom = stack, .stack_size = KSTACK_SIZE};
}

void arch_switch(struct arch_thread *prev, struct arch_thread *next)
{
	struct arch_thread *self = g_running ? g_running : prev;

	/* The thread that boots runs on a context of its own until the first switch (boot.c). */
	if (self != prev) {
		prev->stack_bottom = self->stack_bottom;
		prev->stack_size = self->stack_size;
	}
	g_running = next;
	__sanitizer_start_switch_fiber(&prev->fake_stack, next->stack_bottom, next->stack_size);
	host_switch_stack(&prev->sp, next->sp);
	__sanitizer_finish_switch_fiber(prev->fake_stack, NULL, NULL);
}

struct stack_call {
	struct arch_thread caller, callee;
	void (*fn)(void *arg);
	void *arg;
};

static void stack_call_main(void *arg)
{
	struct stack_call *c = arg;

	c->fn(c->arg);
	arch_switch(&c->callee, &c->caller);
}

void arch_call_on_stack(void (*fn)(void *arg), void *arg, void *stack)
{
	struct stack_call c = {.fn = fn, .arg = arg};
	struct arch_thread *self = g_running;

	arch_thread_init(&c.callee, stack, stack_call_main, &c);
	arch_switch(&c.caller, &c.callee);
	g_running = self;
}

int arch_thread_user_init(struct arch_thread *t)
{
	return 0;
}

void arch_thread_user_free(struct arch_thread *t)
{
}

void arch_dump_regs(const struct pt_regs *r)
{
}

void arch_dump_panic(void)
{
}

int arch_backtrace(unsigned long fp, unsigned long *out, int max)
{
	return 0; /* the sanitizer's abort handler prints one */
}

int arch_thread_backtrace(const struct arch_thread *t, unsigned long *out, int max)
{
	return 0;
}
