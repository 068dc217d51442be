/*
 * The vDSO's kernel side: its data page, and its two regions in a new address space. The pages are
 * the kernel's own; programs get them read-only, uncounted.
 */
#include "data.h"
#include "image.h"
#include <arch/impl/clock.h>
#include <arch/mmu.h>
#include <core/init.h>
#include <core/spinlock.h>
#include <process/task.h>
#include <sched/timer.h>
#include <vm/mm.h>

/* Region page indexes: 0 is the data, the image follows. */
#define DATA_PAGES 1

static union {
	struct vdso_data data;
	u8 page[PAGE_SIZE];
} g_vvar __aligned(PAGE_SIZE); /* g_lock to write; programs and the kernel read by its counter */
static DEFINE_SPINLOCK(g_lock, RANK_LOG);

static size_t image_len(void)
{
	return (size_t)(vdso_image_end - vdso_image_start);
}

static int vdso_fault(struct region *r, struct vm_fault *f)
{
	if (f->index < DATA_PAGES) {
		f->result = pte_leaf(virt_to_phys(&g_vvar), MMU_READ | MMU_USER | MMU_SPECIAL);
		return 0;
	}
	if (f->index - DATA_PAGES >= image_len() >> PAGE_SHIFT)
		return -EFAULT;
	f->result = pte_leaf(
		virt_to_phys(vdso_image_start) + ((f->index - DATA_PAGES) << PAGE_SHIFT),
		MMU_READ | MMU_EXEC | MMU_USER | MMU_SPECIAL);
	return 0;
}

static const char *vvar_name(struct region *r)
{
	return "[vvar]";
}

static const char *vdso_name(struct region *r)
{
	return "[vdso]";
}

static const struct region_ops g_vvar_ops = {.fault = vdso_fault, .name = vvar_name};
static const struct region_ops g_vdso_ops = {.fault = vdso_fault, .name = vdso_name};

static int vdso_map(struct mm *mm)
{
	struct map_request code = {
		.len = DATA_PAGES * PAGE_SIZE + image_len(),
		.flags = REG_READ | REG_EXEC | REG_MAYREAD | REG_MAYEXEC | REG_SPECIAL |
			REG_DONTEXPAND,
		.ops = &g_vdso_ops,
	};
	struct map_request data = {
		.len = DATA_PAGES * PAGE_SIZE,
		.flags = REG_READ | REG_MAYREAD | REG_SPECIAL | REG_DONTEXPAND | REG_DONTDUMP,
		.fixed = true,
		.ops = &g_vvar_ops,
	};
	long at = mm_map(mm, &code); /* finds the room for both */
	int err;

	if (at < 0)
		return (int)at;
	err = mm_unmap(mm, (unsigned long)at, data.len);
	if (err)
		return err;
	data.addr = (unsigned long)at;
	at = mm_map(mm, &data);
	if (at < 0)
		return (int)at;
	mm->vdso = (unsigned long)at + data.len;
	return 0;
}

static void clock_changed(const struct clock_params *p)
{
	struct vdso_data *d = &g_vvar.data;
	unsigned long flags = spin_lock_irqsave(&g_lock);

	__atomic_store_n(&d->seq, d->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	WRITE_ONCE(d->real_offset_ns, p->real_offset_ns);
	__atomic_store_n(&d->seq, d->seq + 1, __ATOMIC_RELEASE);
	spin_unlock_irqrestore(&g_lock, flags);
}

static int vdso_init(void)
{
	struct vdso_data *d = &g_vvar.data;

	d->tsc_base = x86_clock.base;
	d->tsc_mult = x86_clock.mult;
	d->coarse_tick_ns = COARSE_TICK_NS;
	d->real_offset_ns = clock_real_offset_ns();
	clock_set_vdso_hook(clock_changed);
	process_set_vdso_hook(vdso_map);
	return 0;
}
INIT_HOOK(INIT_CORE, vdso_init);
