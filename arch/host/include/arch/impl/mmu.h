/*
 * host: page tables of four levels in ordinary memory, which nobody but the generic code walks. The
 * direct map is the arena, a view of the file that is RAM.
 */
#ifndef ARCH_IMPL_MMU_H
#define ARCH_IMPL_MMU_H

#define PT_LEVELS     4
#define USER_END      0x00007ffffffff000ul
#define VMALLOC_SIZE  GiB(16)
#define VMALLOC_START host_vmalloc_start
#define VMALLOC_END   (host_vmalloc_start + VMALLOC_SIZE)

extern unsigned long host_vmalloc_start; /* immutable after boot, as the next */
extern unsigned long host_arena;
extern u64 host_ram;

#define PTE_P         0x001ull
#define PTE_W         0x002ull
#define PTE_U         0x004ull
#define PTE_A         0x020ull
#define PTE_D         0x040ull
#define PTE_PS        0x080ull
#define PTE_SPECIAL   0x200ull
#define PTE_HIDDEN    0x400ull /* PROT_NONE */
#define PTE_NX        (1ull << 63)
#define PTE_PHYS_MASK 0x000ffffffffff000ull

struct arch_mm {
	u64 root_phys;
	u64 *root;
};

static inline u64 host_prot_bits(u32 prot)
{
	u64 p = prot & (MMU_READ | MMU_WRITE | MMU_EXEC) ? PTE_A | PTE_P : PTE_A | PTE_HIDDEN;

	if (prot & MMU_WRITE)
		p |= PTE_W;
	if (!(prot & MMU_EXEC))
		p |= PTE_NX;
	if (prot & MMU_USER)
		p |= PTE_U;
	if (prot & MMU_SPECIAL)
		p |= PTE_SPECIAL;
	if (prot & MMU_DIRTY)
		p |= PTE_D;
	return p;
}

static inline pte_t pte_leaf(u64 phys, u32 prot)
{
	return (phys & PTE_PHYS_MASK) | host_prot_bits(prot);
}

static inline pte_t pte_leaf_huge(u64 phys, u32 prot)
{
	return pte_leaf(phys, prot) | PTE_PS;
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

	return kept | (host_prot_bits(prot) & ~PTE_A);
}

static inline void *phys_to_virt(u64 phys)
{
	return (void *)(host_arena + phys);
}

static inline u64 virt_to_phys(const void *virt)
{
	return (unsigned long)virt - host_arena;
}

#endif
