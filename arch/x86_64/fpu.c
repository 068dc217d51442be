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

static struct slab_cache g_fpu_cache = {.name = "fpu_state", .align = 64};
static DEFINE_PER_CPU(struct arch_thread *, g_fpu_owner); /* whose state the registers hold */

/* XSTATE_BV 0: all components take their initial values; only MXCSR is read from memory. */
static struct {
	struct _fpstate_64 fp;
	struct _header header;
} g_initial_state __aligned(64) = {.fp = {.cwd = 0x37f, .mxcsr = MXCSR_DEFAULT}};
static_assert(sizeof(g_initial_state) == XSAVE_MIN_SIZE, "standard XSAVE layout");

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
	save_registers(t->fpu, false);
}

void x86_fpu_restore(struct arch_thread *t)
{
	if (this_cpu_read(g_fpu_owner) == t && t->fpu_cpu == cpu_id())
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
	t->fpu = state;
	return 0;
}

void arch_thread_user_free(struct arch_thread *t)
{
	slab_free(&g_fpu_cache, t->fpu);
	t->fpu = NULL;
	x86_debug_reset(t);
}

size_t x86_fpu_frame_size(void)
{
	return g_x86.fpu_size + (g_x86.xsave ? FP_XSTATE_MAGIC2_SIZE : 0);
}

/*
 * State straight to and from user memory. A page fault on the way may switch threads, which saves
 * and restores the registers as they are; then the instruction starts again. Anything the CPU
 * refuses in a frame ends at the fix-up.
 */
#define USER_STATE(insn, ptr, mask, err)                                                           \
	__asm__ volatile(X86_USER_OPEN "1: " insn " (%1)\n"                                        \
				       "2: " X86_USER_CLOSE ".pushsection .text.fixup, \"ax\"\n"   \
				       "3: movl %4, %0\n\tjmp 2b\n\t"                              \
				       ".popsection\n\t" X86_EXTABLE("1b", "3b")                   \
			 : "+r"(err)                                                               \
			 : "r"(ptr), "a"((u32)(mask)), "d"((u32)((u64)(mask) >> 32)), "i"(-EFAULT) \
			 : "memory")

int x86_fpu_to_user(void __user *frame)
{
	struct _fpstate_64 __user *fp = frame;
	struct _fpx_sw_bytes sw = {};
	int err = 0;

	if (!user_range_ok((unsigned long)frame, x86_fpu_frame_size()))
		return -EFAULT;
	if (g_x86.xsave) {
		sw.magic1 = FP_XSTATE_MAGIC1;
		sw.extended_size = (u32)x86_fpu_frame_size();
		sw.xfeatures = g_x86.xcr0;
		sw.xstate_size = g_x86.fpu_size;
		/* XSAVE leaves most of the header alone. */
		if (clear_user(frame + FXSAVE_SIZE, sizeof(struct _header)) ||
			put_user(FP_XSTATE_MAGIC2, (u32 __user *)(frame + g_x86.fpu_size)))
			return -EFAULT;
		USER_STATE("xsave64", frame, ~0ull, err);
	} else {
		USER_STATE("fxsaveq", frame, 0, err);
	}
	return err ? err : copy_to_user(&fp->sw_reserved, &sw, sizeof(sw));
}

/* Which components the frame holds beyond the legacy part, in our own layout; 0: it is a legacy
 * one. */
static int frame_features(const void __user *frame, u64 *features)
{
	const struct _fpstate_64 __user *fp = frame;
	struct _fpx_sw_bytes sw;
	u32 magic2;

	*features = 0;
	if (copy_from_user(&sw, &fp->sw_reserved, sizeof(sw)))
		return -EFAULT;
	if (sw.magic1 == FP_XSTATE_MAGIC1 && sw.xstate_size >= XSAVE_MIN_SIZE &&
		sw.xstate_size <= g_x86.fpu_size && sw.xstate_size <= sw.extended_size &&
		!get_user(magic2, (const u32 __user *)(frame + sw.xstate_size)) &&
		magic2 == FP_XSTATE_MAGIC2)
		*features = sw.xfeatures & g_x86.xcr0;
	return 0;
}

int x86_fpu_from_user(const void __user *frame)
{
	unsigned long flags;
	u64 features = 0;
	int err = 0;

	if (frame) {
		if (!user_range_ok((unsigned long)frame, g_x86.fpu_size))
			err = -EFAULT;
		else if (g_x86.xsave)
			err = frame_features(frame, &features);
		if (!err && features)
			USER_STATE("xrstor64", frame, features, err);
		else if (!err)
			USER_STATE("fxrstorq", frame, 0, err);
		if (!features)
			features = XFEATURES_FXSR;
		if (!err && features != g_x86.xcr0) /* the rest as at the start of a program */
			__asm__ volatile(
				"xrstor64 (%0)"
				:
				: "r"(&g_initial_state), "a"((u32)(g_x86.xcr0 & ~features)), "d"(0)
				: "memory");
		if (!err)
			return 0;
	}
	flags = irq_save();
	x86_fpu_reset();
	irq_restore(flags);
	return err;
}

/* ---- core files ---- */

size_t arch_core_fpu_size(void)
{
	return g_x86.fpu_size;
}

bool arch_core_has_xstate(void)
{
	return g_x86.xsave;
}

/* Components in their initial state may be absent from an XSAVE area: what its bytes were is shown
 * by nobody but those who don't know XSTATE_BV, as readers of the FXSAVE image. */
static void fill_initial(struct _fpstate_64 *fp, u64 present)
{
	if (!(present & 1)) {
		memset(fp, 0, offsetof(struct _fpstate_64, mxcsr));
		memset(fp->st_space, 0, sizeof(fp->st_space));
		fp->cwd = 0x37f;
	}
	if (!(present & 2))
		memset(fp->xmm_space, 0, sizeof(fp->xmm_space));
}

void arch_core_fpu(struct arch_thread *t, void *out)
{
	struct _fpstate_64 *fp = out;
	unsigned long flags = irq_save();

	if (t == this_cpu_read(x86_current))
		save_registers(t->fpu, true);
	irq_restore(flags);
	memcpy(out, t->fpu, g_x86.fpu_size);
	if (!g_x86.xsave)
		return;
	fill_initial(fp, ((struct _header *)(fp + 1))->xfeatures);
	memset(&fp->sw_reserved, 0, sizeof(fp->sw_reserved));
	memcpy(&fp->sw_reserved, &g_x86.xcr0, sizeof(g_x86.xcr0)); /* debuggers look for it here */
}
