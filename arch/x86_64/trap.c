/*
 * Exceptions. From user mode they become page faults or signals; from kernel mode only faults of
 * the uaccess routines are expected, everything else is a bug and panics with the registers.
 */
#include "image.h"
#include "stacks.h"
#include "x86.h"
#include <arch/mmu.h>
#include <core/log.h>
#include <lib/string.h>
#include <asm/signal.h>
#include <asm/siginfo.h>

static_assert(offsetof(struct arch_upcalls, syscall) == 16, "entry.S: UPCALL_SYSCALL");
static_assert(sizeof(struct pt_regs) == 168, "asm.h: PT_REGS_SIZE");

enum {
	TRAP_DE = 0,
	TRAP_DB = 1,
	TRAP_NMI = 2,
	TRAP_BP = 3,
	TRAP_OF = 4,
	TRAP_BR = 5,
	TRAP_UD = 6,
	TRAP_NM = 7,
	TRAP_DF = 8,
	TRAP_TS = 10,
	TRAP_NP = 11,
	TRAP_SS = 12,
	TRAP_GP = 13,
	TRAP_PF = 14,
	TRAP_MF = 16,
	TRAP_AC = 17,
	TRAP_MC = 18,
	TRAP_XM = 19,
};

/* Page fault error code */
#define PF_PRESENT  1u
#define PF_WRITE    2u
#define PF_USER     4u
#define PF_RESERVED 8u
#define PF_EXEC     16u

static const char *trap_name(u32 vector)
{
	static const char *const names[] = {"divide error", "debug", "NMI", "breakpoint",
		"overflow", "bound range", "invalid opcode", "device not available", "double fault",
		"?", "invalid TSS", "segment not present", "stack segment", "general protection",
		"page fault", "?", "x87 error", "alignment check", "machine check", "SIMD error"};

	return vector < ARRAY_SIZE(names) ? names[vector] : "?";
}

static noreturn void die(struct pt_regs *regs, u32 vector, unsigned long error)
{
	irq_disable();
	this_cpu_write(x86_trap_regs, regs);
	panic("%s in the kernel, error code %#lx, ip %#lx", trap_name(vector), error, regs->rip);
}

static bool fix_up(struct pt_regs *regs)
{
	unsigned long to = x86_extable_find(regs->rip);

	if (!to)
		return false;
	regs->rip = to;
	return true;
}

static bool in_nofault(const struct pt_regs *regs)
{
	return regs->rip >= (unsigned long)__nofault_start &&
		regs->rip < (unsigned long)__nofault_end;
}

/* What a signal frame tells about the exception. */
static void note_trap(u32 vector, unsigned long error, unsigned long addr)
{
	struct arch_thread *t = this_cpu_read(x86_current);

	t->trap = vector;
	t->trap_error = (u32)error;
	t->trap_addr = addr;
}

static void page_fault(struct pt_regs *regs, unsigned long error, unsigned long addr)
{
	struct fault_info fi = {
		.addr = addr,
		.write = error & PF_WRITE,
		.exec = error & PF_EXEC,
		.present = error & PF_PRESENT,
		.user = regs_user_mode(regs),
	};

	if (unlikely(error & PF_RESERVED)) {
		log_err("page tables are damaged at %#lx", addr);
		die(regs, TRAP_PF, error);
	}
	if (fi.user) {
		irq_enable();
		if (likely(addr < USER_END) && arch_upcalls.page_fault(regs, &fi))
			return;
		note_trap(TRAP_PF, error, addr);
		if (addr >= USER_END)
			arch_upcalls.user_exception(regs, SIGSEGV, SEGV_MAPERR, addr);
		return;
	}
	if (unlikely(addr >= USER_END || !x86_extable_find(regs->rip))) {
		log_err("bad %s at %#lx", fi.exec ? "jump" : fi.write ? "write" : "read", addr);
		die(regs, TRAP_PF, error);
	}
	if (!in_nofault(regs) && (regs->eflags & FLAG_IF)) {
		bool again;

		irq_enable();
		again = arch_upcalls.page_fault(regs, &fi);
		irq_disable();
		if (again)
			return;
	}
	fix_up(regs);
}

static int fpe_code(u32 vector)
{
	u32 pending;

	if (vector == TRAP_XM) {
		u32 mxcsr;

		__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
		pending = ~(mxcsr >> 7) & mxcsr & 0x3f;
	} else {
		u16 status, control;

		__asm__ volatile("fnstsw %0" : "=m"(status));
		__asm__ volatile("fnstcw %0" : "=m"(control));
		pending = (u32)(~control & status & 0x3f);
	}
	if (pending & 0x01)
		return FPE_FLTINV;
	if (pending & 0x04)
		return FPE_FLTDIV;
	if (pending & 0x08)
		return FPE_FLTOVF;
	if (pending & 0x12)
		return FPE_FLTUND;
	if (pending & 0x20)
		return FPE_FLTRES;
	return SI_KERNEL;
}

static int debug_code(void)
{
	u64 what = x86_debug_take();

	return what & DR6_STEP ? TRAP_TRACE : what & DR6_HITS ? TRAP_HWBKPT : TRAP_BRKPT;
}

static void user_exception(struct pt_regs *regs, u32 vector, unsigned long error)
{
	int sig = SIGSEGV, code = SI_KERNEL;
	unsigned long addr = 0;

	switch (vector) {
	case TRAP_DE:
		sig = SIGFPE, code = FPE_INTDIV, addr = regs->rip;
		break;
	case TRAP_DB:
		sig = SIGTRAP, code = debug_code(), addr = regs->rip;
		break;
	case TRAP_BP:
		sig = SIGTRAP;
		break;
	case TRAP_UD:
		sig = SIGILL, code = ILL_ILLOPN, addr = regs->rip;
		break;
	case TRAP_NP:
	case TRAP_SS:
		sig = SIGBUS;
		break;
	case TRAP_AC:
		sig = SIGBUS, code = BUS_ADRALN;
		break;
	case TRAP_MF:
	case TRAP_XM:
		sig = SIGFPE, code = fpe_code(vector), addr = regs->rip;
		break;
	}
	irq_enable();
	note_trap(vector, error, this_cpu_read(x86_current)->trap_addr);
	arch_upcalls.user_exception(regs, sig, code, addr);
}

/* Every exception but the anywhere ones. Interrupts off; assembly turns them off again after. */
void x86_exception(struct pt_regs *regs, u32 vector, unsigned long error)
{
	if (vector == TRAP_PF) {
		page_fault(regs, error, read_cr2());
		return;
	}
	if (regs_user_mode(regs)) {
		user_exception(regs, vector, error);
		return;
	}
	if ((vector == TRAP_GP || vector == TRAP_SS) && fix_up(regs))
		return;
	die(regs, vector, error);
}

/* The kernel touched what a debugger watches, or a debug exception of the program was held back
 * until it was in the kernel (entry.S): only user mode counts. */
static void kernel_debug(struct pt_regs *regs)
{
	u64 what = x86_debug_take();

	if (!what || (regs->eflags & FLAG_TF))
		die(regs, TRAP_DB, 0);
}

/* NMI, debug exception, double fault, machine check: own stacks, anything may be half done. */
void x86_anywhere(struct pt_regs *regs, u32 vector, unsigned long error)
{
	struct arch_thread *t = this_cpu_read(x86_current);
	unsigned long at;

	switch (vector) {
	case TRAP_NMI:
		/* Only panic sends these, to CPUs that may have interrupts off. */
		arch_upcalls.ipi(IPI_STOP);
		return;
	case TRAP_DB:
		kernel_debug(regs);
		return;
	case TRAP_DF:
		at = read_cr2();
		if (t && t->stack_top - at > KSTACK_SIZE &&
			t->stack_top - at <= KSTACK_SIZE + PAGE_SIZE)
			log_err("kernel stack overflow");
		die(regs, vector, error);
	default:
		die(regs, vector, error);
	}
}

/*
 * IRETQ to user mode faulted (a segment or address that sigreturn could not see through). Its five
 * words are still at the top of the thread's stack; the other registers are those of the new
 * frame. Join the two.
 */
struct pt_regs *x86_bad_iret(struct pt_regs *regs)
{
	struct pt_regs *user = (struct pt_regs *)(this_cpu_read(x86_current)->stack_top) - 1;
	struct pt_regs joined = *regs;
	const u64 *words = (const u64 *)regs->rsp;

	joined.rip = words[0];
	joined.cs = words[1] | 3;
	joined.eflags = words[2];
	joined.rsp = words[3];
	joined.ss = words[4];
	joined.orig_rax = (unsigned long)-1;
	*user = joined;
	return user;
}

/* Assembly: the current thread has work or wants all its registers reloaded. Interrupts off. */
void x86_exit_work(struct pt_regs *regs)
{
	struct arch_thread *t = this_cpu_read(x86_current);

	if (READ_ONCE(t->work))
		arch_upcalls.exit_to_user(regs);
	t->full_return = 0;
}

void x86_fork_child(void)
{
	arch_upcalls.fork_child();
}
