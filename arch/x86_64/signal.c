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

static void fill_context(struct sigcontext *c, const struct pt_regs *r, u64 mask)
{
	const struct arch_thread *t = this_cpu_read(x86_current);

	*c = (struct sigcontext){
		.r8 = r->r8,
		.r9 = r->r9,
		.r10 = r->r10,
		.r11 = r->r11,
		.r12 = r->r12,
		.r13 = r->r13,
		.r14 = r->r14,
		.r15 = r->r15,
		.rdi = r->rdi,
		.rsi = r->rsi,
		.rbp = r->rbp,
		.rbx = r->rbx,
		.rdx = r->rdx,
		.rax = r->rax,
		.rcx = r->rcx,
		.rsp = r->rsp,
		.rip = r->rip,
		.eflags = r->eflags,
		.cs = (u16)r->cs,
		.ss = (u16)r->ss,
		.err = t->trap_error,
		.trapno = t->trap,
		.cr2 = t->trap_addr,
		.oldmask = mask,
	};
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
	struct rt_sigframe f = {};
	struct rt_sigframe __user *to;
	u64 fpstate, sp = place_frame(regs, d, &fpstate);
	unsigned long flags;

	if (!sp || !(d->sa->sa_flags & SA_RESTORER) ||
		!user_range_ok(sp, fpstate + x86_fpu_frame_size() - sp))
		return -EFAULT;
	if (x86_fpu_to_user((void __user *)fpstate))
		return -EFAULT;
	to = (struct rt_sigframe __user *)sp;
	f.restorer = (u64)d->sa->sa_restorer;
	f.uc.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (g_x86.xsave ? UC_FP_XSTATE : 0);
	f.uc.uc_stack = d->altstack;
	fill_context(&f.uc.uc_mcontext, regs, d->old_mask);
	f.uc.uc_mcontext.fpstate = (struct _fpstate *)fpstate;
	f.uc.uc_sigmask = d->old_mask;
	if (d->sa->sa_flags & SA_SIGINFO)
		f.info = *d->info;
	if (copy_to_user(to, &f,
		    d->sa->sa_flags & SA_SIGINFO ? sizeof(f) : offsetof(struct rt_sigframe, info)))
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
