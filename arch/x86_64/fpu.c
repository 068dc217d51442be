/*
 * Extended state (x87, SSE, AVX, AVX-512): XSAVE in the standard format, FXSAVE where the CPU has
 * no XSAVE. The kernel never uses these registers, so while a user thread runs or sleeps in the
 * kernel without having been switched out, the CPU holds its state; arch_switch saves and restores
 * eagerly, leaving out a restore when the registers still hold the very state.
 */
#include "x86.h"
#include <arch/mmu.h>
#include <arch/thread.h>
#include <arch/uaccess.h>
#include <asm/sigcontext.h>
#include <kmem/slab.h>
#include <lib/string.h>

#define FXSAVE_SIZE    512u
#define XSAVE_MIN_SIZE (FXSAVE_SIZE + 64u)
#define XCR0_SUPPORTED 0xe7ull /* x87, SSE, AVX, AVX-512's three; each is plain user data */
#define XFEATURES_FXSR 0x3ull
#define MXCSR_DEFAULT  0x1f80u
#define MXCSR_BITS     0xffffu /* with denormals-are-zero, which every 64-bit CPU has */

static struct slab_cache g_fpu_cache = {.name = "fpu_state", .align = 64};
static DEFINE_PER_CPU(struct arch_thread *, g_fpu_owner); /* whose state the registers hold */

/* XSTATE_BV 0: all components take their initial values; only MXCSR is read from memory. */
static struct {
	struct _fpstate_64 fp;
	struct _header header;
} g_initial_state __aligned(64) = {.fp = {.cwd = 0x37f, .mxcsr = MXCSR_DEFAULT}};
static_assert(sizeof(g_initial_state) == XSAVE_MIN_SIZE, "standard XSAVE layout");

static struct _header *header_of(void *state)
{
	return state + FXSAVE_SIZE;
}

static void save_registers(void *to, bool whole)
{
	if (!g_x86.xsave)
		__asm__ volatile("fxsaveq (%0)" : : "r"(to) : "memory");
	else if (g_x86.xsaveopt && !whole)
		__asm__ volatile("xsaveopt64 (%0)" : : "r"(to), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("xsave64 (%0)" : : "r"(to), "a"(-1), "d"(-1) : "memory");
}

static void load_registers(const void *from)
{
	if (!g_x86.xsave)
		__asm__ volatile("fxrstorq (%0)" : : "r"(from) : "memory");
	else
		__asm__ volatile("xrstor64 (%0)" : : "r"(from), "a"(-1), "d"(-1) : "memory");
}

void x86_fpu_init_cpu(void)
{
	struct x86_features *x = &g_x86;

	__asm__ volatile("fninit");
	if (x->xsave) {
		struct cpuid r = cpuid(0xd, 0);

		x->xcr0 = ((u64)r.d << 32 | r.a) & XCR0_SUPPORTED;
		if ((x->xcr0 & 0xe0) != 0xe0)
			x->xcr0 &= ~0xe0ull; /* AVX-512 is all or nothing */
		__asm__ volatile("xsetbv" : : "c"(0), "a"((u32)x->xcr0), "d"(0));
		x->fpu_size = cpuid(0xd, 0).b;
	} else {
		x->xcr0 = XFEATURES_FXSR;
		x->fpu_size = FXSAVE_SIZE;
	}
	g_fpu_cache.size = x->fpu_size;
	load_registers(&g_initial_state);
}

static void own_registers(struct arch_thread *t)
{
	this_cpu_write(g_fpu_owner, t);
	t->fpu_cpu = cpu_id();
}

void x86_fpu_save(struct arch_thread *t)
{
	if (!t->fpu_in_memory)
		save_registers(t->fpu, false);
}

void x86_fpu_restore(struct arch_thread *t)
{
	if (t->fpu_in_memory || (this_cpu_read(g_fpu_owner) == t && t->fpu_cpu == cpu_id()))
		return;
	load_registers(t->fpu);
	own_registers(t);
}

void x86_fpu_reset(void)
{
	load_registers(&g_initial_state);
	own_registers(this_cpu_read(x86_current));
}

void x86_fpu_copy(struct arch_thread *child, struct arch_thread *self)
{
	if (self->fpu)
		save_registers(child->fpu, true);
}

int arch_thread_user_init(struct arch_thread *t)
{
	u8 *state = slab_alloc(&g_fpu_cache, GFP_KERNEL | GFP_ZERO);

	if (!state)
		return -ENOMEM;
	memcpy(state, &g_initial_state, min((size_t)g_x86.fpu_size, sizeof(g_initial_state)));
	t->fpu_cpu = -1;
	t->fpu_in_memory = false;
	t->fpu = state;
	return 0;
}

void arch_thread_user_free(struct arch_thread *t)
{
	slab_free(&g_fpu_cache, t->fpu);
	t->fpu = NULL;
}

size_t x86_fpu_frame_size(void)
{
	return g_x86.fpu_size + (g_x86.xsave ? FP_XSTATE_MAGIC2_SIZE : 0);
}

int x86_fpu_to_user(void __user *frame)
{
	struct arch_thread *t = this_cpu_read(x86_current);
	struct _fpx_sw_bytes sw = {};
	unsigned long flags = irq_save();

	/* Not the optimised form: the user gets every component, initial ones too. */
	save_registers(t->fpu, true);
	irq_restore(flags);
	if (copy_to_user(frame, t->fpu, g_x86.fpu_size))
		return -EFAULT;
	if (g_x86.xsave) {
		sw.magic1 = FP_XSTATE_MAGIC1;
		sw.extended_size = (u32)x86_fpu_frame_size();
		sw.xfeatures = g_x86.xcr0;
		sw.xstate_size = g_x86.fpu_size;
		if (put_user(FP_XSTATE_MAGIC2, (u32 __user *)(frame + g_x86.fpu_size)))
			return -EFAULT;
	}
	return copy_to_user(&((struct _fpstate_64 __user *)frame)->sw_reserved, &sw, sizeof(sw));
}

/* Does the frame hold more than the legacy part, in our own layout? */
static bool has_extended(const struct _fpstate_64 *fp, const void __user *frame)
{
	const struct _fpx_sw_bytes *sw = &fp->sw_reserved;
	u32 magic2;

	if (!g_x86.xsave || sw->magic1 != FP_XSTATE_MAGIC1 || sw->xstate_size < XSAVE_MIN_SIZE ||
		sw->xstate_size > g_x86.fpu_size || sw->xstate_size > sw->extended_size)
		return false;
	return !get_user(magic2, (const u32 __user *)(frame + sw->xstate_size)) &&
		magic2 == FP_XSTATE_MAGIC2;
}

/* What XRSTOR would fault on is refused here. */
static bool state_valid(void *state)
{
	const struct _header *h = header_of(state);

	if (((struct _fpstate_64 *)state)->mxcsr & ~MXCSR_BITS)
		return false;
	if (!g_x86.xsave)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(h->reserved1); i++)
		if (h->reserved1[i])
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(h->reserved2); i++)
		if (h->reserved2[i])
			return false;
	return !(h->xfeatures & ~g_x86.xcr0);
}

static int read_state(void *state, const void __user *frame)
{
	struct _fpstate_64 *fp = state;
	u64 wanted = XFEATURES_FXSR;

	if (copy_from_user(fp, frame, FXSAVE_SIZE))
		return -EFAULT;
	if (!g_x86.xsave)
		return state_valid(state) ? 0 : -EFAULT;
	if (has_extended(fp, frame)) {
		wanted = fp->sw_reserved.xfeatures & g_x86.xcr0;
		if (copy_from_user(state + FXSAVE_SIZE, frame + FXSAVE_SIZE,
			    fp->sw_reserved.xstate_size - FXSAVE_SIZE))
			return -EFAULT;
		if (!state_valid(state))
			return -EFAULT;
		header_of(state)->xfeatures &= wanted;
	} else {
		*header_of(state) = (struct _header){.xfeatures = wanted};
		if (!state_valid(state))
			return -EFAULT;
	}
	return 0;
}

int x86_fpu_from_user(const void __user *frame)
{
	struct arch_thread *t = this_cpu_read(x86_current);
	unsigned long flags;
	int err = 0;

	if (frame) {
		/* From here on a switch must neither save over nor load the half-read state. */
		t->fpu_in_memory = true;
		barrier();
		err = read_state(t->fpu, frame);
		barrier();
	}
	flags = irq_save();
	if (frame && !err) {
		load_registers(t->fpu);
		own_registers(t);
	} else {
		x86_fpu_reset();
	}
	t->fpu_in_memory = false;
	irq_restore(flags);
	return err;
}
