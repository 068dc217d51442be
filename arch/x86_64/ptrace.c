/*
 * A stopped thread's registers as debuggers see and set them: general ones, extended state, single
 * steps, debug registers. The thread is switched out, and stays so.
 */
#include "x86.h"
#include <arch/mmu.h>
#include <arch/thread.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>
#include <asm/debugreg.h>
#include <asm/sigcontext.h>

/* What of RFLAGS a program may set for itself; the rest stays. */
#define USER_FLAGS  0x50dd5ul /* CF PF AF ZF SF TF DF OF RF AC */
#define MXCSR_KNOWN 0xffffu

/* struct user of the ABI (sys/user.h), whose pieces POKEUSER and PEEKUSER move. */
#define USER_SIZE      928ul
#define USER_DEBUG     848ul
#define NR_USER_REGS   27
#define NR_DEBUG       8
#define DR7_RESERVED   0x400ul /* reads as one */
#define DR7_ENABLE(n)  (3ul << (2 * (n)))
#define DR7_TYPE(d, n) ((d) >> (16 + 4 * (n)) & 3)
#define DR7_LEN(d, n)  ((d) >> (18 + 4 * (n)) & 3)

/* In the order of struct user_regs_struct. */
enum {
	UR_ORIG_RAX = 15,
	UR_RIP = 16,
	UR_CS = 17,
	UR_EFLAGS = 18,
	UR_SS = 20,
	UR_FS_BASE = 21,
	UR_GS_BASE = 22,
	UR_DS = 23,
	UR_ES = 24,
	UR_FS = 25,
	UR_GS = 26,
};

/* ---- general registers ---- */

/* A selector that user mode may have; null where null_ok. Those of the tables, and no others: the
 * load must not fault. */
static bool selector_ok(u64 v, bool null_ok)
{
	if (!(v & 0xffff))
		return null_ok;
	v &= 0xffff;
	return v == USER_DS || v == USER_CS || v == USER32_CS;
}

static int set_one(struct arch_thread *t, struct pt_regs *regs, int i, u64 v)
{
	switch (i) {
	case UR_CS:
		if ((u16)v != USER_CS && (u16)v != USER32_CS)
			return -EIO;
		regs->cs = (u16)v;
		return 0;
	case UR_SS:
		if ((u16)v != USER_DS)
			return -EIO;
		regs->ss = (u16)v;
		return 0;
	case UR_EFLAGS:
		regs->eflags = (regs->eflags & ~USER_FLAGS) | (v & USER_FLAGS);
		return 0;
	case UR_FS_BASE:
	case UR_GS_BASE:
		if (v >= USER_END)
			return -EIO;
		*(i == UR_FS_BASE ? &t->fs_base : &t->gs_base) = v;
		return 0;
	case UR_DS:
	case UR_ES:
	case UR_FS:
	case UR_GS: {
		u16 *to[] = {
			&t->selectors.ds, &t->selectors.es, &t->selectors.fs, &t->selectors.gs};

		if ((u16)v == USER_CS || (u16)v == USER32_CS || !selector_ok(v, true))
			return -EIO;
		*to[i - UR_DS] = (u16)v;
		return 0;
	}
	default:
		((u64 *)regs)[i] = v;
		return 0;
	}
}

int arch_set_user_regs(struct arch_thread *t, struct pt_regs *regs, const u64 *in, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		int err = set_one(t, regs, (int)i, in[i]);

		if (err)
			return err;
	}
	return 0;
}

void arch_regs_changed(void)
{
	x86_regs_changed();
}

/* ---- single steps ---- */

bool arch_step_begin(struct pt_regs *regs)
{
	if (regs->eflags & FLAG_TF)
		return false; /* the program's own */
	regs->eflags |= FLAG_TF;
	return true;
}

void arch_step_end(struct pt_regs *regs)
{
	regs->eflags &= ~FLAG_TF;
}

/* ---- extended state ---- */

/* The memory is the state: no CPU's registers are taken for it any more. */
static struct _fpstate_64 *begin_fpu(struct arch_thread *t)
{
	t->fpu_cpu = -1;
	return t->fpu;
}

int arch_set_fpregs(struct arch_thread *t, const void *in)
{
	const struct _fpstate_64 *from = in;
	struct _fpstate_64 *to;

	if (from->mxcsr & ~MXCSR_KNOWN)
		return -EINVAL;
	to = begin_fpu(t);
	memcpy(to, from, offsetof(struct _fpstate_64, sw_reserved));
	if (g_x86.xsave)
		((struct _header *)(to + 1))->xfeatures |= 3;
	return 0;
}

int arch_set_xstate(struct arch_thread *t, const void *in)
{
	const struct _header *h = (const void *)((const struct _fpstate_64 *)in + 1);
	const struct _fpstate_64 *fp = in;
	static const u64 zero[6];

	if (!g_x86.xsave)
		return -ENODEV;
	if ((h->xfeatures & ~g_x86.xcr0) || memcmp(&h->xfeatures + 1, zero, sizeof(zero)) ||
		(fp->mxcsr & ~MXCSR_KNOWN))
		return -EINVAL;
	memcpy(begin_fpu(t), in, g_x86.fpu_size);
	return 0;
}

/* ---- debug registers ---- */

struct x86_debug { /* arch_thread.debug; made with the first one that is set */
	u64 dr[4];
	u64 dr6, dr7;
};

#define WRITE_DR(n, v) __asm__ volatile("mov %0, %%db" #n : : "r"(v))

static void load_debug(const struct x86_debug *d)
{
	if (!d || !d->dr7) {
		WRITE_DR(7, DR7_RESERVED);
		return;
	}
	WRITE_DR(0, d->dr[0]);
	WRITE_DR(1, d->dr[1]);
	WRITE_DR(2, d->dr[2]);
	WRITE_DR(3, d->dr[3]);
	WRITE_DR(7, d->dr7 | DR7_RESERVED);
}

void x86_debug_switch(const struct arch_thread *prev, const struct arch_thread *next)
{
	if (prev->debug != next->debug)
		load_debug(next->debug);
}

u64 x86_debug_take(void)
{
	struct arch_thread *t = this_cpu_read(x86_current);
	u64 dr6;

	__asm__ volatile("mov %%db6, %0" : "=r"(dr6));
	WRITE_DR(6, 0xffff0ff0ul);
	if (t && t->debug)
		t->debug->dr6 = dr6;
	return dr6 & (DR6_HITS | DR6_STEP);
}

void x86_debug_reset(struct arch_thread *t)
{
	unsigned long flags;

	if (!t->debug)
		return;
	flags = irq_save();
	kfree(t->debug);
	t->debug = NULL;
	if (t == this_cpu_read(x86_current))
		load_debug(NULL);
	irq_restore(flags);
}

static bool addr_ok(u64 addr)
{
	return addr < USER_END;
}

/* Does each register that is switched on name something in user memory, as the CPU can watch it? */
static int check_dr7(const struct x86_debug *d, u64 dr7)
{
	for (int n = 0; n < 4; n++) {
		u64 len = DR7_LEN(dr7, n), type = DR7_TYPE(dr7, n);
		static const u8 align[] = {0, 1, 7, 3};

		if (!(dr7 & DR7_ENABLE(n)))
			continue;
		if (type == 2 || (type == 0 && len != 0))
			return -EINVAL;
		if (!addr_ok(d->dr[n]) || (d->dr[n] & align[len]))
			return -EINVAL;
	}
	return 0;
}

static int poke_debug(struct arch_thread *t, u32 n, u64 v)
{
	struct x86_debug *d = t->debug;
	int err;

	if (n == 4 || n == 5)
		return -EIO;
	if (!d) {
		if (n == 7 && !(v & 0xff))
			return 0;
		d = kzalloc(sizeof(*d), GFP_KERNEL);
		if (!d)
			return -ENOMEM;
		t->debug = d;
	}
	if (n < 4) {
		u64 old = d->dr[n];

		if (!addr_ok(v))
			return -EINVAL;
		d->dr[n] = v;
		err = check_dr7(d, d->dr7);
		if (err)
			d->dr[n] = old;
		return err;
	}
	if (n == 6) {
		d->dr6 = v;
		return 0;
	}
	/* Only what user memory can be watched with: no traps on the debug registers themselves. */
	v &= 0xffff00fful;
	err = check_dr7(d, v);
	if (!err)
		d->dr7 = v;
	return err;
}

static u64 peek_debug(const struct arch_thread *t, u32 n)
{
	const struct x86_debug *d = t->debug;

	if (!d)
		return 0;
	return n < 4 ? d->dr[n] : n == 6 ? d->dr6 : n == 7 ? d->dr7 : 0;
}

/* ---- struct user ---- */

int arch_peek_user(
	const struct arch_thread *t, const struct pt_regs *regs, unsigned long at, u64 *out)
{
	u64 all[NR_USER_REGS];

	if (at % 8 || at >= USER_SIZE)
		return -EIO;
	*out = 0;
	if (at < sizeof(all)) {
		arch_core_regs(t, regs, all);
		*out = all[at / 8];
	} else if (at >= USER_DEBUG && at < USER_DEBUG + 8 * NR_DEBUG) {
		*out = peek_debug(t, (u32)(at - USER_DEBUG) / 8);
	}
	return 0;
}

int arch_poke_user(struct arch_thread *t, struct pt_regs *regs, unsigned long at, u64 v)
{
	if (at % 8 || at >= USER_SIZE)
		return -EIO;
	if (at < NR_USER_REGS * 8)
		return set_one(t, regs, (int)(at / 8), v);
	if (at >= USER_DEBUG && at < USER_DEBUG + 8 * NR_DEBUG)
		return poke_debug(t, (u32)(at - USER_DEBUG) / 8, v);
	return -EIO;
}
