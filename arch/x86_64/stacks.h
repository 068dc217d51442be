/* Stacks that belong to a CPU, and the assembly entry points. */
#ifndef X86_STACKS_H
#define X86_STACKS_H

#include <arch/cpu.h>
#include <arch/thread.h>

struct x86_stacks {
	u8 irq[16 << 10];
	u8 fatal[8 << 10];
	u8 nmi[4 << 10];
	u8 debug[4 << 10];
};

extern u8 x86_vectors[],
	x86_iret_user[]; /* entry.S: 256 stubs of 16 bytes; the IRETQ to user mode */
void x86_syscall_entry(void);
noreturn void x86_enter_user(struct pt_regs *regs);
void x86_fork_return(void);
void x86_thread_start(void);
void x86_switch_stack(u64 *save_sp, u64 sp);
void x86_call_on_stack(void *arg, void (*fn)(void *), void *top);

/* What panic() was called with (entry.S), and the exception that made die() call it, if one did. */
DECLARE_PER_CPU(struct pt_regs, x86_panic_regs);
DECLARE_PER_CPU(const struct pt_regs *, x86_trap_regs);

/* Called from assembly */
void x86_exit_work(struct pt_regs *regs);
void x86_exception(struct pt_regs *regs, u32 vector, unsigned long error);
void x86_interrupt(struct pt_regs *regs, u32 vector);
void x86_anywhere(struct pt_regs *regs, u32 vector, unsigned long error);
struct pt_regs *x86_bad_iret(struct pt_regs *regs);
void x86_fork_child(void);

DECLARE_PER_CPU(u64, x86_called_stack); /* of arch_call_on_stack; 0: not in it */
DECLARE_PER_CPU(u64, x86_irq_stack);
DECLARE_PER_CPU(u32, x86_irq_depth);

#endif
