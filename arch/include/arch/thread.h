/*
 * The arch contract, part 2: kernel threads' machine state and user registers.
 *
 * struct arch_thread (impl): saved stack pointer, user FS/GS bases, extended (FPU) state.
 * struct pt_regs (impl): the user or interrupted register frame, at the top of the kernel stack
 * for a thread that entered from user mode.
 */
#ifndef ARCH_THREAD_H
#define ARCH_THREAD_H

#include <arch/cpu.h>
#include <arch/impl/thread.h>
#include <asm/siginfo.h>
#include <asm/signal.h>

struct thread;
struct pt_regs;

/*
 * Prepare a new thread to start in entry(arg) on its kernel stack [stack, stack+KSTACK_SIZE).
 * entry must not return. Does not sleep.
 */
void arch_thread_init(struct arch_thread *t, void *stack, void (*entry)(void *), void *arg);

/*
 * Switch machine context. Interrupts off. Saves/restores kernel context, user FS/GS bases and
 * extended state, and the kernel stack for the next entry. Returns in the context of whoever was
 * switched back to. The caller (sched) has set the per-CPU current thread before.
 */
void arch_switch(struct arch_thread *prev, struct arch_thread *next);

/*
 * Call fn(arg) on the stack [stack, stack + KSTACK_SIZE) and come back. Interrupts as they are. fn
 * must not sleep: for the scheduler the current thread runs on.
 */
void arch_call_on_stack(void (*fn)(void *arg), void *arg, void *stack);

/* Allocate/free extended state for a thread that will run in user mode. -ENOMEM. May sleep. */
int arch_thread_user_init(struct arch_thread *t) must_check;
void arch_thread_user_free(struct arch_thread *t);

/*
 * fork/clone: the child starts in arch_return_from_fork (which calls arch_upcalls.fork_child, then
 * returns to user) with a copy of regs, return value 0; sp != 0 replaces the user stack pointer;
 * tls is taken over when set_tls; the caller checked that it is below USER_END (-EPERM). Copies the
 * parent's live extended state. The child's arch_thread_user_init was done.
 */
void arch_thread_fork(struct arch_thread *child, void *child_stack, const struct pt_regs *regs,
	unsigned long sp, bool set_tls, unsigned long tls);

/* exec: reset all user registers, TLS bases and extended state; start at ip with stack sp. */
void arch_exec_start(struct pt_regs *regs, unsigned long ip, unsigned long sp);

/*
 * Leave for user mode from a kernel thread that became a user one (first init): regs is the frame
 * at the top of the current thread's stack, filled by arch_exec_start.
 */
noreturn void arch_enter_user(struct pt_regs *regs);

/* Accessors (inline in impl): */
static inline bool regs_user_mode(const struct pt_regs *r);
static inline unsigned long regs_ip(const struct pt_regs *r);
static inline void regs_set_ip(struct pt_regs *r, unsigned long ip);
static inline unsigned long regs_sp(const struct pt_regs *r);
static inline long regs_syscall_nr(const struct pt_regs *r);          /* -1: not in a system call */
static inline unsigned long regs_arg(const struct pt_regs *r, int i); /* 0..5 */
static inline long regs_return(const struct pt_regs *r);
static inline void regs_set_return(struct pt_regs *r, long v);
/* Rewind to execute the system call instruction again, with number nr. */
static inline void regs_restart_syscall(struct pt_regs *r, long nr);
/* Mark the frame as no longer inside a system call (no restart happens). */
static inline void regs_forget_syscall(struct pt_regs *r);

/* Print registers and a symbolised backtrace to the log. Any context. */
void arch_dump_regs(const struct pt_regs *r);
/* The same of the call of panic() on this CPU, or of the exception that led to it. arch defines
 * panic(): it keeps the registers and jumps to panic_main() with the arguments as they are. */
void arch_dump_panic(void);
/* Walk the frame pointers from fp (0: the caller's), at most max return addresses. */
int arch_backtrace(unsigned long fp, unsigned long *out, int max);
/* The same for a thread that is switched out and stays so. */
int arch_thread_backtrace(const struct arch_thread *t, unsigned long *out, int max);

/* arch_prctl(2): TLS bases. -EPERM for non-canonical, -EINVAL unknown op, -EFAULT. */
long arch_prctl_call(struct arch_thread *t, int op, unsigned long addr);

/*
 * Signal frames. Everything that signal.c decided: handler, flags, mask to restore, siginfo,
 * alternate stack. Pushes rt_sigframe (with extended state) and redirects regs to the handler.
 * -EFAULT when the stack cannot be written (caller kills with SIGSEGV).
 */
struct signal_delivery {
	int sig;
	const struct sigaction *sa; /* asm/signal.h layout: handler, flags, restorer, mask */
	const siginfo_t *info;
	sigset_t old_mask; /* mask that sigreturn restores */
	stack_t altstack;  /* current setting, saved in the frame */
	bool on_altstack;  /* switch to altstack for this delivery */
};
int arch_signal_push(struct pt_regs *regs, const struct signal_delivery *d) must_check;
/* rt_sigreturn: restores regs and extended state, gives back mask and altstack. -EFAULT. */
int arch_signal_return(struct pt_regs *regs, sigset_t *mask, stack_t *altstack) must_check;
size_t arch_min_sigstack(void); /* AT_MINSIGSTKSZ, bytes */

/* ELF core files: a thread's user registers in the order of the ABI's user_regs_struct. The thread
 * is the current one or is switched out. */
void arch_core_regs(const struct arch_thread *t, const struct pt_regs *regs, u64 out[27]);
/* The same of its extended state, arch_core_fpu_size() bytes: the FXSAVE image first, then with
 * xstate the rest of XSAVE's standard format. */
void arch_core_fpu(struct arch_thread *t, void *out);
size_t arch_core_fpu_size(void);
bool arch_core_has_xstate(void);

/*
 * Debuggers. t is switched out and stays so, regs is its user frame. Registers are words in the
 * order of the ABI's user_regs_struct; -EIO for values that user mode can't have.
 */
int arch_set_user_regs(
	struct arch_thread *t, struct pt_regs *regs, const u64 *in, u32 count) must_check;
/* FXSAVE's image of 512 bytes; all of arch_core_fpu's. -EINVAL: bits that aren't there. */
int arch_set_fpregs(struct arch_thread *t, const void *in) must_check;
int arch_set_xstate(struct arch_thread *t, const void *in) must_check;
/* A word of the ABI's struct user: registers, debug registers. -EIO -EINVAL -ENOMEM. */
int arch_peek_user(const struct arch_thread *t, const struct pt_regs *regs, unsigned long at,
	u64 *out) must_check;
int arch_poke_user(struct arch_thread *t, struct pt_regs *regs, unsigned long at, u64 v) must_check;
/* One instruction, then SIGTRAP. False: the program itself does so already. */
bool arch_step_begin(struct pt_regs *regs);
void arch_step_end(struct pt_regs *regs);
/* Current thread: others may have changed any of its user registers. */
void arch_regs_changed(void);

/* ELF */
#define ARCH_ELF_MACHINE 62 /* EM_X86_64; host the same */
unsigned long arch_elf_hwcap(void);
unsigned long arch_elf_hwcap2(void);
const char *arch_elf_platform(void); /* "x86_64" */

/* The user register frame of a thread with this kernel stack. */
static inline struct pt_regs *arch_user_regs(void *stack)
{
	return (struct pt_regs *)((u8 *)stack + KSTACK_SIZE) - 1;
}

/* Did this thread, not running or current, come from user mode by a system call? Else it was an
 * exception, an interrupt, or a call that has to look like one (signals, exec, number -1). */
static inline bool arch_in_syscall(void *stack)
{
	return regs_syscall_nr(arch_user_regs(stack)) != -1;
}

#endif
