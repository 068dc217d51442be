/*
 * The arch contract, part 4: address translation. Page tables are walked by generic code
 * (kernel/vm) through these inline helpers; arch owns the entry format, TLBs, PCIDs, the kernel
 * half and activation.
 *
 * Tables have 512 entries of 8 bytes; level 0 holds 4 KiB leaves, level 1 may hold 2 MiB leaves,
 * PT_LEVELS-1 is the root. pte_t is u64; 0 means "none".
 *
 * inline in impl:
 *   pte_t pte_leaf(phys_addr, prot)  prot: MMU_* bits   (level 0)
 *   pte_t pte_leaf_huge(phys, prot)                     (level 1)
 *   pte_t pte_table(phys of table)                      entry pointing to a lower table
 *   bool pte_none/pte_present/pte_is_leaf(p, level)/pte_is_writable/pte_is_dirty/pte_is_young
 *   u64  pte_phys(p)                 leaf or table address
 *   pte_t pte_wrprotect(p), pte_mkwrite(p), pte_mkdirty, pte_mkclean, pte_mkold, pte_mkyoung
 *   pte_t pte_with_prot(p, prot)     same page, young and dirty kept
 *   bool pte_special(p)              leaf of a page that has no struct page or isn't counted
 *                                    (MMU_SPECIAL): zero page, vvar, device memory
 *   PROT_NONE leaves: a leaf without MMU_READ is not present to the hardware but pte_none is
 *   false and pte_is_leaf true; pte_accessible(p) tells.
 */
#ifndef ARCH_MMU_H
#define ARCH_MMU_H

#include <lib/err.h>
#include <arch/cpu.h>

typedef u64 pte_t;

#define MMU_READ            0x01u
#define MMU_WRITE           0x02u
#define MMU_EXEC            0x04u
#define MMU_USER            0x08u
#define MMU_NOCACHE         0x10u
#define MMU_SPECIAL         0x20u
#define MMU_DIRTY           0x40u
#define MMU_GLOBAL          0x80u

#define PT_ENTRIES          512
#define HUGE_SHIFT          21
#define HUGE_SIZE           (1ul << HUGE_SHIFT)
#define PT_SHIFT(level)     (PAGE_SHIFT + 9 * (level))
#define pt_index(va, level) (((va) >> PT_SHIFT(level)) & (PT_ENTRIES - 1))

#include <arch/impl/mmu.h> /* PT_LEVELS, USER_END (first address above user space), struct arch_mm */

/* Direct map of all RAM. */
static inline void *phys_to_virt(u64 phys);
static inline u64 virt_to_phys(const void *virt); /* direct map and kernel image addresses */

/* Root table with the kernel half in place. -ENOMEM. May sleep. */
int arch_mm_init(struct arch_mm *m) must_check;
/* The user half must be empty already and no CPU may have it loaded (see arch_mm_leave). */
void arch_mm_free(struct arch_mm *m);
/* Load m on this CPU (NULL: the kernel's own tables). Interrupts off. Lazy: kernel threads keep the
 * last one; m counts as active on this CPU until another is loaded. */
void arch_mm_activate(struct arch_mm *m);
/* Make every CPU that still has m loaded lazily drop it. May sleep; interrupts on. */
void arch_mm_leave(struct arch_mm *m);

/*
 * Forget translations of [start, end) of m on every CPU, return when done. tables: page-table
 * pages are going to be freed too. Interrupts on, and no lock held that a faulting CPU may spin
 * on. m == NULL: kernel addresses.
 */
void arch_tlb_flush(struct arch_mm *m, unsigned long start, unsigned long end, bool tables);
void arch_tlb_flush_all(struct arch_mm *m); /* all addresses; no tables are going to be freed */
/* This CPU only (after making an entry more permissive). */
void arch_tlb_flush_local(struct arch_mm *m, unsigned long va);

/* Kernel mappings (vmalloc area). prot: MMU_*. -ENOMEM. */
int arch_kmap_page(unsigned long va, u64 phys, u32 prot) must_check;
void arch_kunmap_range(unsigned long va, size_t len); /* flushes */
/* Map device memory; never fails after boot for RAM-sized BARs; error pointer -ENOMEM/-EINVAL. */
void *arch_ioremap(u64 phys, size_t len);

/* Fast page primitives, chosen at boot (rep stos or unrolled). Page aligned. */
void clear_page(void *page);
void copy_page(void *dst, const void *src);

#endif
