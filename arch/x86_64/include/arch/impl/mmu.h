/*
 * x86_64: four-level page tables, entry format. See <arch/mmu.h>.
 *
 * Address space: user 0..USER_END; direct map of RAM; vmalloc area (kernel stacks, ioremap);
 * the image in the last 2 GiB. All kernel leaves are global, so one INVLPG forgets them whatever
 * PCID is loaded.
 */
#ifndef ARCH_IMPL_MMU_H
#define ARCH_IMPL_MMU_H

#define PT_LEVELS 4
/* One page below the canonical limit, so that SYSCALL in the last page can't return to a
 * non-canonical address. */
#define USER_END      0x00007ffffffff000ul
#define DIRECT_MAP    0xffff888000000000ul
#define VMALLOC_START 0xffffc90000000000ul
#define VMALLOC_END   0xffffc97000000000ul /* kmem hands out addresses below */
#define IOREMAP_START 0xffffc97000000000ul /* arch_ioremap's own */
#define IOREMAP_END   0xffffc98000000000ul
#define KERNEL_BASE   0xffffffff80000000ul

#define PTE_P         0x001ull
#define PTE_W         0x002ull
#define PTE_U         0x004ull
#define PTE_PWT       0x008ull
#define PTE_PCD       0x010ull
#define PTE_A         0x020ull
#define PTE_D         0x040ull
#define PTE_PS        0x080ull
#define PTE_G         0x100ull
#define PTE_SPECIAL   0x200ull /* software: MMU_SPECIAL */
#define PTE_HIDDEN    0x400ull /* software: a leaf that the hardware may not use (PROT_NONE) */
#define PTE_NX        (1ull << 63)
#define PTE_PHYS_MASK 0x000ffffffffff000ull

extern u64 x86_pte_nx; /* PTE_NX, or 0 on a CPU without it; immutable after boot */

struct arch_mm {
	u64 root_phys;
	u64 *root;
	u64 id;       /* unique, never reused: names this address space in PCID slots */
	u64 tlb_gen;  /* atomic: counts changes that CPUs must hear of */
	u64 cpu_mask; /* atomic: CPUs that have it loaded, lazily or not */
};

static inline u64 x86_prot_bits(u32 prot)
{
	u64 p = PTE_A;

	if (prot & (MMU_READ | MMU_WRITE | MMU_EXEC))
		p |= PTE_P;
	else
		p |= PTE_HIDDEN;
	if (prot & MMU_WRITE)
		p |= PTE_W;
	if (!(prot & MMU_EXEC))
		p |= x86_pte_nx;
	if (prot & MMU_USER)
		p |= PTE_U;
	if (prot & MMU_NOCACHE)
		p |= PTE_PCD | PTE_PWT;
	if (prot & MMU_SPECIAL)
		p |= PTE_SPECIAL;
	if (prot & MMU_DIRTY)
		p |= PTE_D;
	if (prot & MMU_GLOBAL)
		p |= PTE_G;
	return p;
}

static inline pte_t pte_leaf(u64 phys, u32 prot)
{
	return (phys & PTE_PHYS_MASK) | x86_prot_bits(prot);
}

static inline pte_t pte_leaf_huge(u64 phys, u32 prot)
{
	return (phys & PTE_PHYS_MASK) | x86_prot_bits(prot) | PTE_PS;
}

static inline pte_t pte_table(u64 phys)
{
	return phys | PTE_P | PTE_W | PTE_U | PTE_A;
}

static inline bool pte_none(pte_t p)
{
	return p == 0;
}

/* Something is here: a table or a leaf, PROT_NONE included. */
static inline bool pte_present(pte_t p)
{
	return p & (PTE_P | PTE_HIDDEN);
}

/* The hardware may use it. */
static inline bool pte_accessible(pte_t p)
{
	return p & PTE_P;
}

static inline bool pte_is_leaf(pte_t p, int level)
{
	return pte_present(p) && (level == 0 || (p & PTE_PS));
}

static inline bool pte_is_writable(pte_t p)
{
	return p & PTE_W;
}

static inline bool pte_is_exec(pte_t p)
{
	return !(p & PTE_NX);
}

static inline bool pte_is_dirty(pte_t p)
{
	return p & PTE_D;
}

static inline bool pte_is_young(pte_t p)
{
	return p & PTE_A;
}

static inline bool pte_special(pte_t p)
{
	return p & PTE_SPECIAL;
}

static inline u64 pte_phys(pte_t p)
{
	return p & PTE_PHYS_MASK;
}

static inline pte_t pte_wrprotect(pte_t p)
{
	return p & ~PTE_W;
}

static inline pte_t pte_mkwrite(pte_t p)
{
	return p | PTE_W;
}

static inline pte_t pte_mkdirty(pte_t p)
{
	return p | PTE_D;
}

static inline pte_t pte_mkclean(pte_t p)
{
	return p & ~PTE_D;
}

static inline pte_t pte_mkold(pte_t p)
{
	return p & ~PTE_A;
}

static inline pte_t pte_mkyoung(pte_t p)
{
	return p | PTE_A;
}

static inline pte_t pte_with_prot(pte_t p, u32 prot)
{
	u64 kept = p & (PTE_PHYS_MASK | PTE_A | PTE_D | PTE_PS | PTE_SPECIAL);

	return kept | (x86_prot_bits(prot) & ~PTE_A);
}

static inline void *phys_to_virt(u64 phys)
{
	return (void *)(DIRECT_MAP + phys);
}

static inline u64 virt_to_phys(const void *virt)
{
	unsigned long v = (unsigned long)virt;

	return v >= KERNEL_BASE ? v - KERNEL_BASE : v - DIRECT_MAP;
}

#endif
