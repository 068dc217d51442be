/*
 * x86_64: a thread's machine state and the user register frame. See <arch/thread.h>.
 *
 * struct pt_regs is the ABI's (asm/ptrace.h). On a system call the callee-saved registers are
 * stored in the frame but not reloaded from it on the short way back: whoever changes them in a
 * frame (exec, sigreturn, a tracer) calls x86_regs_changed() so that the long way is taken.
 */
#ifndef ARCH_IMPL_THREAD_H
#define ARCH_IMPL_THREAD_H

#include <asm/ptrace.h>

/* The data segment registers. Programs hardly ever load them: all zero is the short way. */
struct x86_debug;
union x86_selectors {
	struct {
		u16 ds, es, fs, gs;
	};
	u64 all;
};

/* Assembly tests work and full_return with one 64-bit compare, at the structure's start. */

struct arch_thread {
	u32 work;        /* atomic: set by anybody; nonzero: exit_to_user before user mode */
	u32 full_return; /* own thread only: reload every register on the way to user mode */
	u64 sp;          /* saved kernel stack pointer while not running */
	u64 stack_top;   /* where entries from user mode start; immutable */
	u64 fs_base;     /* user TLS base; valid while not running (in the CPU otherwise) */
	u64 gs_base;     /* user GS base; the same */
	/* User's; valid while not running. Of a kernel thread: what the last user thread left. */
	union x86_selectors selectors;
	void *fpu;   /* extended state, NULL for kernel threads; valid while not running */
	int fpu_cpu; /* CPU whose registers hold fpu's content if that CPU's owner is this */
	struct x86_debug *debug; /* debug registers, kmalloc memory; NULL: none was ever set */
	u32 trap, trap_error;    /* own thread: last exception in user mode, for signal frames */
	u64 trap_addr;
};
static_assert(offsetof(struct arch_thread, work) == 0, "used in assembly");
static_assert(offsetof(struct arch_thread, full_return) == 4, "one compare");

/* Registers in the current thread's frame were changed beyond ip, sp and return value. */
void x86_regs_changed(void);

static inline bool regs_user_mode(const struct pt_regs *r)
{
	return r->cs & 3;
}

static inline unsigned long regs_ip(const struct pt_regs *r)
{
	return r->rip;
}

static inline void regs_set_ip(struct pt_regs *r, unsigned long ip)
{
	r->rip = ip;
}

static inline unsigned long regs_sp(const struct pt_regs *r)
{
	return r->rsp;
}

static inline long regs_syscall_nr(const struct pt_regs *r)
{
	return (s32)r->orig_rax; /* the ABI looks at 32 bits */
}

static inline unsigned long regs_arg(const struct pt_regs *r, int i)
{
	switch (i) {
	case 0:
		return r->rdi;
	case 1:
		return r->rsi;
	case 2:
		return r->rdx;
	case 3:
		return r->r10;
	case 4:
		return r->r8;
	default:
		return r->r9;
	}
}

static inline long regs_return(const struct pt_regs *r)
{
	return (long)r->rax;
}

static inline void regs_set_return(struct pt_regs *r, long v)
{
	r->rax = (unsigned long)v;
}

static inline void regs_restart_syscall(struct pt_regs *r, long nr)
{
	r->rax = (unsigned long)nr;
	r->rip -= 2; /* the length of SYSCALL */
}

static inline void regs_forget_syscall(struct pt_regs *r)
{
	r->orig_rax = (unsigned long)-1;
}

#endif
