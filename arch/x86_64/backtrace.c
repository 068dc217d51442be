/* Registers and return addresses, for people. */
#include "image.h"
#include "stacks.h"
#include "x86.h"
#include <arch/mmu.h>
#include <core/log.h>
#include <core/symbols.h>

/* Stacks a frame may lie on: kernel addresses only, and each frame above the last unless the walk
 * changes from an interrupt's stack to a thread's. Reads only mapped memory: the page of a frame
 * is one that the kernel runs on. */
static bool plausible(unsigned long fp)
{
	return fp >= DIRECT_MAP && is_aligned(fp, 8) && fp < ULONG_MAX - 16 &&
		!(fp >= IOREMAP_END && fp < KERNEL_BASE);
}

static bool same_stack(unsigned long a, unsigned long b)
{
	return b > a && b - a < KSTACK_SIZE;
}

static bool in_stack(unsigned long fp, unsigned long stack)
{
	return fp >= stack && fp - stack < KSTACK_SIZE;
}

int arch_backtrace(unsigned long fp, unsigned long *out, int max)
{
	struct arch_thread *t = this_cpu_read(x86_current);
	int n = 0, changes = 0;

	if (!fp)
		fp = (unsigned long)__builtin_frame_address(0);
	while (n < max && plausible(fp)) {
		const unsigned long *frame = (const unsigned long *)fp;
		unsigned long next = frame[0], ip = frame[1];

		if (ip < (unsigned long)__text_start || ip >= (unsigned long)__text_end)
			break;
		out[n++] = ip;
		if (!same_stack(fp, next)) {
			/* From an interrupt's stack to arch_call_on_stack's, or to the thread's. */
			if (changes++ == 2 ||
				!((t && in_stack(next, t->stack_top - KSTACK_SIZE)) ||
					in_stack(next, this_cpu_read(x86_called_stack))))
				break;
		}
		fp = next;
	}
	return n;
}

DEFINE_PER_CPU(struct pt_regs, x86_panic_regs);
DEFINE_PER_CPU(const struct pt_regs *, x86_trap_regs);

void arch_dump_panic(void)
{
	const struct pt_regs *trap = this_cpu_read(x86_trap_regs);

	arch_dump_regs(trap ? trap : this_cpu_ptr(&x86_panic_regs));
}

void arch_dump_regs(const struct pt_regs *r)
{
	char where[96];

	log_err("CPU %d, %s mode, ip %#lx %s", cpu_id(), regs_user_mode(r) ? "user" : "kernel",
		r->rip, regs_user_mode(r) ? "" : sym_format(r->rip, where, sizeof(where)));
	log_err("rax %016lx rbx %016lx rcx %016lx", r->rax, r->rbx, r->rcx);
	log_err("rdx %016lx rsi %016lx rdi %016lx", r->rdx, r->rsi, r->rdi);
	log_err("rbp %016lx rsp %016lx r8  %016lx", r->rbp, r->rsp, r->r8);
	log_err("r9  %016lx r10 %016lx r11 %016lx", r->r9, r->r10, r->r11);
	log_err("r12 %016lx r13 %016lx r14 %016lx", r->r12, r->r13, r->r14);
	log_err("r15 %016lx flags %08lx cs %02lx ss %02lx", r->r15, r->eflags, r->cs, r->ss);
	log_err("cr2 %016llx cr3 %016llx cr4 %08llx", read_cr2(), read_cr3(), read_cr4());
	if (!regs_user_mode(r))
		log_backtrace(LOG_ERR, r->rbp);
}
