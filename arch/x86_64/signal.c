/*
 * Signal frames: pushed on the user's stack, taken back by rt_sigreturn, which trusts nothing in
 * them: flags are masked, selectors forced to ring 3, extended state checked; an address that IRET
 * refuses becomes a fault of the program (entry.S).
 */
#include "x86.h"
#include <abi/sigframe.h>
#include <arch/mmu.h>
#include <arch/thread.h>
#include <arch/uaccess.h>

#define FLAGS_RESTORED 0x50dd5ul /* CF PF AF ZF SF TF DF OF RF AC */

/* Stores to user memory between USER_OPEN and USER_CLOSE; a fault that cannot be resolved goes to
 * the label. Nothing may be called in between. */
#define USER_OPEN()  __asm__ volatile(X86_USER_OPEN : : : "memory")
#define USER_CLOSE() __asm__ volatile(X86_USER_CLOSE : : : "memory")
#define PUT(val, ptr, label)                                                  \
	__asm__ goto("1: movq %0, %1\n\t" X86_EXTABLE("1b", "%l[" #label "]") \
		     :                                                        \
		     : "er"((u64)(val)), "m"(*(u64 *)(__force void *)(ptr))   \
		     : "memory"                                               \
		     : label)

static_assert(offsetof(struct sigcontext, ss) == offsetof(struct sigcontext, cs) + 6, "one word");

static int put_context(struct sigcontext __user *c, const struct pt_regs *r, u64 fpstate, u64 mask)
{
	const struct arch_thread *t = this_cpu_read(x86_current);
	u64 selectors = (u16)r->cs | (u64)(u16)r->ss << 48;

	USER_OPEN();
	PUT(r->r8, &c->r8, fault);
	PUT(r->r9, &c->r9, fault);
	PUT(r->r10, &c->r10, fault);
	PUT(r->r11, &c->r11, fault);
	PUT(r->r12, &c->r12, fault);
	PUT(r->r13, &c->r13, fault);
	PUT(r->r14, &c->r14, fault);
	PUT(r->r15, &c->r15, fault);
	PUT(r->rdi, &c->rdi, fault);
	PUT(r->rsi, &c->rsi, fault);
	PUT(r->rbp, &c->rbp, fault);
	PUT(r->rbx, &c->rbx, fault);
	PUT(r->rdx, &c->rdx, fault);
	PUT(r->rax, &c->rax, fault);
	PUT(r->rcx, &c->rcx, fault);
	PUT(r->rsp, &c->rsp, fault);
	PUT(r->rip, &c->rip, fault);
	PUT(r->eflags, &c->eflags, fault);
	PUT(selectors, &c->cs, fault);
	PUT(t->trap_error, &c->err, fault);
	PUT(t->trap, &c->trapno, fault);
	PUT(mask, &c->oldmask, fault);
	PUT(t->trap_addr, &c->cr2, fault);
	PUT(fpstate, &c->fpstate, fault);
	for (size_t i = 0; i < ARRAY_SIZE(c->reserved1); i++)
		PUT(0, &c->reserved1[i], fault);
	USER_CLOSE();
	return 0;
fault:
	USER_CLOSE();
	return -EFAULT;
}

static int put_frame(struct rt_sigframe __user *to, const struct pt_regs *regs,
	const struct signal_delivery *d, u64 fpstate)
{
	u64 flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (g_x86.xsave ? UC_FP_XSTATE : 0);
	const u64 *info = (const u64 *)d->info;

	static_assert(sizeof(siginfo_t) % 8 == 0 && sizeof(stack_t) == 24, "whole words");
	USER_OPEN();
	PUT(d->sa->sa_restorer, &to->restorer, fault);
	PUT(flags, &to->uc.uc_flags, fault);
	PUT(0, &to->uc.uc_link, fault);
	PUT(d->altstack.ss_sp, &to->uc.uc_stack.ss_sp, fault);
	PUT((u32)d->altstack.ss_flags, &to->uc.uc_stack.ss_flags, fault);
	PUT(d->altstack.ss_size, &to->uc.uc_stack.ss_size, fault);
	PUT(d->old_mask, &to->uc.uc_sigmask, fault);
	if (d->sa->sa_flags & SA_SIGINFO)
		for (size_t i = 0; i < sizeof(siginfo_t) / 8; i++)
			PUT(info[i], (u64 __user *)&to->info + i, fault);
	USER_CLOSE();
	return put_context(&to->uc.uc_mcontext, regs, fpstate, d->old_mask);
fault:
	USER_CLOSE();
	return -EFAULT;
}

static bool on_stack(const stack_t *s, u64 sp)
{
	u64 base = (u64)s->ss_sp;

	return s->ss_size && sp > base && sp - base <= s->ss_size;
}

/* Where the frame and the extended state go; 0 when the alternate stack is too small. */
static u64 place_frame(const struct pt_regs *regs, const struct signal_delivery *d, u64 *fpstate)
{
	u64 sp = regs->rsp - SIGFRAME_RED_ZONE;
	bool alt = d->on_altstack || on_stack(&d->altstack, regs->rsp);

	if (d->on_altstack)
		sp = (u64)d->altstack.ss_sp + d->altstack.ss_size;
	sp = round_down(sp - x86_fpu_frame_size(), 64ul);
	*fpstate = sp;
	sp = round_down(sp - sizeof(struct rt_sigframe), 16ul) - 8;
	if (alt && !on_stack(&d->altstack, sp))
		return 0;
	return sp;
}

int arch_signal_push(struct pt_regs *regs, const struct signal_delivery *d)
{
	struct rt_sigframe __user *to;
	u64 fpstate, sp = place_frame(regs, d, &fpstate);
	unsigned long flags;

	if (!sp || !(d->sa->sa_flags & SA_RESTORER) ||
		!user_range_ok(sp, fpstate + x86_fpu_frame_size() - sp))
		return -EFAULT;
	if (x86_fpu_to_user((void __user *)fpstate))
		return -EFAULT;
	to = (struct rt_sigframe __user *)sp;
	if (put_frame(to, regs, d, fpstate))
		return -EFAULT;

	regs->rdi = (u64)d->sig;
	regs->rsi = (__force u64)&to->info;
	regs->rdx = (__force u64)&to->uc;
	regs->rax = 0;
	regs->rip = (u64)d->sa->sa_handler;
	regs->rsp = sp;
	regs->cs = USER_CS;
	regs->ss = USER_DS;
	regs->eflags &= ~(FLAG_DF | FLAG_RF | FLAG_TF);
	regs->orig_rax = (u64)-1;
	flags = irq_save();
	x86_fpu_reset();
	irq_restore(flags);
	x86_regs_changed();
	return 0;
}

int arch_signal_return(struct pt_regs *regs, sigset_t *mask, stack_t *altstack)
{
	const struct rt_sigframe __user *from = (const void __user *)(regs->rsp - 8);
	struct ucontext uc;
	const struct sigcontext *c = &uc.uc_mcontext;

	if (copy_from_user(&uc, &from->uc, sizeof(uc)))
		return -EFAULT;
	if (x86_fpu_from_user((const void __user *)c->fpstate))
		return -EFAULT;
	*regs = (struct pt_regs){
		.r8 = c->r8,
		.r9 = c->r9,
		.r10 = c->r10,
		.r11 = c->r11,
		.r12 = c->r12,
		.r13 = c->r13,
		.r14 = c->r14,
		.r15 = c->r15,
		.rdi = c->rdi,
		.rsi = c->rsi,
		.rbp = c->rbp,
		.rbx = c->rbx,
		.rdx = c->rdx,
		.rax = c->rax,
		.rcx = c->rcx,
		.rsp = c->rsp,
		.rip = c->rip,
		.eflags = (regs->eflags & ~FLAGS_RESTORED) | (c->eflags & FLAGS_RESTORED),
		.cs = c->cs | 3u,
		.ss = uc.uc_flags & UC_STRICT_RESTORE_SS ? c->ss | 3u : USER_DS,
		.orig_rax = (u64)-1,
	};
	x86_regs_changed();
	*mask = uc.uc_sigmask;
	*altstack = uc.uc_stack;
	return 0;
}

/* Frame, state, the worst alignment of both. */
size_t arch_min_sigstack(void)
{
	return round_up(sizeof(struct rt_sigframe) + x86_fpu_frame_size() + 63 + 16 + 8, 16ul);
}
