/*
 * Threads: first stack frames, the switch, user registers at fork and exec, TLS bases.
 *
 * A thread's stack, from the top: struct pt_regs of its entry from user mode, then whatever the
 * kernel calls. Kernel threads leave the pt_regs space free, so that the first init can use it.
 */
#include "stacks.h"
#include "x86.h"
#include <arch/mmu.h>
#include <arch/thread.h>
#include <arch/uaccess.h>
#include <lib/err.h>
#include <lib/string.h>
#include <asm/prctl.h>

struct switch_frame { /* what x86_switch_stack pops */
	u64 r15, r14, r13, r12, rbx, rbp, ip;
};

int arch_thread_backtrace(const struct arch_thread *t, unsigned long *out, int max)
{
	const struct switch_frame *f = (const struct switch_frame *)t->sp;
	const unsigned long *frame = (const unsigned long *)f->rbp;
	int n = 0;

	out[n++] = f->ip;
	while (n < max && (u64)frame > t->sp && (u64)frame < t->stack_top - 16 && frame[1]) {
		out[n++] = frame[1];
		if (frame[0] <= (unsigned long)frame)
			break;
		frame = (const unsigned long *)frame[0];
	}
	return n;
}

void x86_regs_changed(void)
{
	this_cpu_read(x86_current)->full_return = 1;
}

void arch_thread_init(struct arch_thread *t, void *stack, void (*entry)(void *), void *arg)
{
	struct switch_frame *f = (struct switch_frame *)arch_user_regs(stack) - 1;

	*f = (struct switch_frame){.rbx = (u64)entry, .r12 = (u64)arg, .ip = (u64)x86_thread_start};
	memset(t, 0, sizeof(*t));
	t->sp = (u64)f;
	t->stack_top = (u64)stack + KSTACK_SIZE;
	t->fpu_cpu = -1;
}

/* Loading a selector changes the base, too, so what was stored last says nothing. */
static inline u64 read_fs_base(void)
{
	u64 v;

	if (!g_x86.fsgsbase)
		return rdmsr(MSR_FS_BASE);
	__asm__ volatile("rdfsbase %0" : "=r"(v));
	return v;
}

static inline void write_fs_base(u64 v)
{
	if (g_x86.fsgsbase)
		__asm__ volatile("wrfsbase %0" : : "r"(v) : "memory");
	else
		wrmsr(MSR_FS_BASE, v);
}

/* The user's GS base is in the swapped-out register while in the kernel. */
static inline u64 read_user_gs_base(void)
{
	return rdmsr(MSR_KERNEL_GS);
}

static always_inline union x86_selectors read_selectors(void)
{
	unsigned long ds, es, fs, gs;

	__asm__ volatile("mov %%ds, %k0\n\tmov %%es, %k1\n\tmov %%fs, %k2\n\tmov %%gs, %k3"
			 : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
	if (likely(!(ds | es | fs | gs)))
		return (union x86_selectors){.all = 0};
	return (union x86_selectors){.ds = (u16)ds, .es = (u16)es, .fs = (u16)fs, .gs = (u16)gs};
}

/* Interrupts off; the bases are to be written afterwards. The values were in the registers before,
 * and the descriptors are of the same kind on all CPUs and never change: this does not fault. */
static noinline void load_selectors(union x86_selectors s)
{
	__asm__ volatile("mov %0, %%ds\n\tmov %1, %%es\n\tmov %2, %%fs\n\t"
			 "swapgs\n\tmov %3, %%gs\n\tswapgs"
			 :
			 : "r"((u32)s.ds), "r"((u32)s.es), "r"((u32)s.fs), "r"((u32)s.gs)
			 : "memory");
}

static void save_user(struct arch_thread *t)
{
	x86_fpu_save(t);
	t->fs_base = read_fs_base();
	t->gs_base = read_user_gs_base();
	t->selectors = read_selectors();
}

static void load_user(const struct arch_thread *prev, struct arch_thread *next)
{
	bool all = !prev->fpu;

	x86_fpu_restore(next);
	if (unlikely(prev->selectors.all | next->selectors.all)) {
		load_selectors(next->selectors);
		all = true;
	}
	if (all || prev->fs_base != next->fs_base)
		write_fs_base(next->fs_base);
	if (all || prev->gs_base != next->gs_base)
		wrmsr(MSR_KERNEL_GS, next->gs_base);
}

void arch_switch(struct arch_thread *prev, struct arch_thread *next)
{
	if (prev->fpu)
		save_user(prev);
	if (next->fpu) {
		load_user(prev, next);
	} else {
		next->selectors = prev->selectors; /* they stay loaded */
		x86_tlb_enter_lazy();
	}
	if (unlikely(prev->debug || next->debug))
		x86_debug_switch(prev, next);
	x86_set_entry_stack(next->stack_top);
	this_cpu_write(x86_current, next);
	x86_switch_stack(&prev->sp, next->sp);
}

DEFINE_PER_CPU(u64, x86_called_stack);

void arch_call_on_stack(void (*fn)(void *arg), void *arg, void *stack)
{
	this_cpu_write(x86_called_stack, (u64)stack);
	x86_call_on_stack(arg, fn, (u8 *)stack + KSTACK_SIZE);
	this_cpu_write(x86_called_stack, 0);
}

void arch_thread_fork(struct arch_thread *child, void *child_stack, const struct pt_regs *regs,
	unsigned long sp, bool set_tls, unsigned long tls)
{
	struct arch_thread *parent = this_cpu_read(x86_current);
	struct pt_regs *to = arch_user_regs(child_stack);
	struct switch_frame *f = (struct switch_frame *)to - 1;
	unsigned long flags;

	*to = *regs;
	to->rax = 0;
	if (sp)
		to->rsp = sp;
	*f = (struct switch_frame){.ip = (u64)x86_fork_return};
	child->sp = (u64)f;
	child->stack_top = (u64)child_stack + KSTACK_SIZE;
	child->full_return = 1;
	flags = irq_save();
	x86_fpu_copy(child, parent);
	child->fs_base = !set_tls ? read_fs_base() : tls < USER_END ? tls : 0;
	child->gs_base = read_user_gs_base();
	child->selectors = read_selectors();
	irq_restore(flags);
}

void arch_exec_start(struct pt_regs *regs, unsigned long ip, unsigned long sp)
{
	struct arch_thread *t = this_cpu_read(x86_current);
	unsigned long flags;

	memset(regs, 0, sizeof(*regs));
	regs->rip = ip;
	regs->rsp = sp;
	regs->cs = USER_CS;
	regs->ss = USER_DS;
	regs->eflags = FLAG_IF;
	regs->orig_rax = (unsigned long)-1;
	t->full_return = 1;
	x86_debug_reset(t);
	flags = irq_save();
	t->fs_base = t->gs_base = 0;
	/* A selector that a program left behind would carry its base along. */
	load_selectors((union x86_selectors){.all = 0});
	write_fs_base(0);
	wrmsr(MSR_KERNEL_GS, 0);
	x86_fpu_reset();
	irq_restore(flags);
}

noreturn void arch_enter_user(struct pt_regs *regs)
{
	irq_disable();
	x86_enter_user(regs);
}

static int set_base(struct arch_thread *t, bool gs, unsigned long addr)
{
	unsigned long flags;

	if (addr >= USER_END)
		return -EPERM;
	flags = irq_save();
	/* The selector goes with the old base: what it names is not what counts from now on. */
	if (gs) {
		t->gs_base = addr;
		__asm__ volatile("swapgs\n\tmov %0, %%gs\n\tswapgs" : : "r"(0) : "memory");
		wrmsr(MSR_KERNEL_GS, addr);
	} else {
		t->fs_base = addr;
		__asm__ volatile("mov %0, %%fs" : : "r"(0) : "memory");
		write_fs_base(addr);
	}
	irq_restore(flags);
	return 0;
}

long arch_prctl_call(struct arch_thread *t, int op, unsigned long addr)
{
	u64 v;

	switch (op) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		return set_base(t, op == ARCH_SET_GS, addr);
	case ARCH_GET_FS:
	case ARCH_GET_GS:
		v = op == ARCH_GET_FS ? read_fs_base() : read_user_gs_base();
		return put_user(v, (u64 __user *)addr);
	default:
		return -EINVAL;
	}
}

unsigned long arch_elf_hwcap(void)
{
	return cpuid(1, 0).d;
}

unsigned long arch_elf_hwcap2(void)
{
	return g_x86.fsgsbase ? 2 : 0; /* HWCAP2_FSGSBASE, asm/hwcap2.h */
}

const char *arch_elf_platform(void)
{
	return "x86_64";
}

void arch_core_regs(const struct arch_thread *t, const struct pt_regs *regs, u64 out[27])
{
	bool current = t == this_cpu_read(x86_current);
	union x86_selectors s = current ? read_selectors() : t->selectors;

	memcpy(out, regs, sizeof(*regs)); /* the same 21 words in the same order */
	out[21] = current ? read_fs_base() : t->fs_base;
	out[22] = current ? read_user_gs_base() : t->gs_base;
	out[23] = s.ds;
	out[24] = s.es;
	out[25] = s.fs;
	out[26] = s.gs;
}
static_assert(sizeof(struct pt_regs) == 21 * sizeof(u64), "user_regs_struct begins with pt_regs");
