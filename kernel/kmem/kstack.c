/*
 * Kernel stacks: vmalloc areas with the guard page of the area before them below. Freed ones are
 * kept mapped, a few per CPU and the others in a common pool, because mapping and unmapping cost a
 * TLB flush on all CPUs. kstack_free never unmaps, so a dead thread's stack can be freed in any
 * context; kstack_trim does it under memory pressure.
 */
#include "kmem.h"
#include <core/log.h>
#include <lib/atomic.h>

#define PER_CPU_MAX 8
#define POOL_MAX    64 /* stacks in the common pool before kstack_alloc gives some back */
#define STACK_PAGES ((long)(KSTACK_SIZE >> PAGE_SHIFT))

struct free_stack { /* at a free stack's start */
	struct free_stack *next;
};

struct stack_list {
	struct free_stack *first;
	u32 count;
};
static DEFINE_PER_CPU(struct stack_list, g_local); /* own CPU, interrupts off */
static DEFINE_SPINLOCK(g_lock, RANK_SLAB);
static struct stack_list g_pool; /* g_lock */

static void push(struct stack_list *l, void *stack)
{
	struct free_stack *f = stack;

	f->next = l->first;
	l->first = f;
	l->count++;
}

static void *pop(struct stack_list *l)
{
	struct free_stack *f = l->first;

	if (f) {
		l->first = f->next;
		l->count--;
	}
	return f;
}

static void *pop_pool(void)
{
	unsigned long flags = spin_lock_irqsave(&g_lock);
	void *stack = pop(&g_pool);

	spin_unlock_irqrestore(&g_lock, flags);
	return stack;
}

unsigned long kstack_trim(unsigned long nr)
{
	unsigned long freed = 0;

	while (freed < nr) {
		unsigned long flags = irq_save();
		void *stack = pop(this_cpu_ptr(&g_local));

		irq_restore(flags);
		if (!stack)
			stack = pop_pool();
		if (!stack)
			break;
		vfree(stack);
		mem_count(MEM_KERNEL_STACKS, -STACK_PAGES);
		freed += (unsigned long)STACK_PAGES;
	}
	return freed;
}

void kstack_flush_cpu(void *unused)
{
	struct stack_list *l = this_cpu_ptr(&g_local);
	unsigned long flags = spin_lock_irqsave(&g_lock);

	while (l->first)
		push(&g_pool, pop(l));
	spin_unlock_irqrestore(&g_lock, flags);
}

void *kstack_alloc(void)
{
	unsigned long flags = irq_save();
	void *stack = pop(this_cpu_ptr(&g_local));

	irq_restore(flags);
	if (likely(stack))
		return stack;
	if (READ_ONCE(g_pool.count) > POOL_MAX)
		kstack_trim(STACK_PAGES);
	stack = pop_pool();
	if (stack)
		return stack;
	stack = vmalloc(KSTACK_SIZE, GFP_KERNEL);
	if (stack)
		mem_count(MEM_KERNEL_STACKS, STACK_PAGES);
	return stack;
}

void kstack_free(void *stack)
{
	unsigned long flags = irq_save();
	struct stack_list *l = this_cpu_ptr(&g_local);

	if (l->count < PER_CPU_MAX) {
		push(l, stack);
	} else {
		spin_lock(&g_lock);
		push(&g_pool, stack);
		spin_unlock(&g_lock);
	}
	irq_restore(flags);
}
