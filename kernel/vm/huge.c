/*
 * 2 MiB leaves of anonymous memory.
 *
 * The memory of such a leaf is in one of two states. Whole: a compound page whose head counts the
 * leaves that map it (several after fork). Divided: 512 single pages, each counting every 2 MiB
 * leaf and every small leaf that maps it. An address space that has to treat parts differently
 * divides the memory and replaces its own leaf by a table; leaves of other address spaces stay.
 * g_divide_lock guards the transition and every change of the counts of 2 MiB leaves, so that the
 * head's count is exact when it is copied to the 512 pages. Nobody else holds references to
 * whole memory: who wants one divides it first (huge_pin).
 *
 * The head's mapcount is the number of 2 MiB leaves in either state: AnonHugePages tells of blocks
 * that have one.
 */
#include <lib/string.h>
#include <core/init.h>
#include <core/spinlock.h>
#include "vm.h"

int g_huge_policy = 2;
static DEFINE_SPINLOCK(g_divide_lock, RANK_PAGE_TABLE);

/* g_divide_lock held, or p isn't shared yet. */
static void leaf_added(struct page *p)
{
	if (p->mapcount++ == 0)
		mem_count(MEM_ANON_HUGE, PT_ENTRIES);
}

static void leaf_removed(struct page *p)
{
	if (--p->mapcount == 0)
		mem_count(MEM_ANON_HUGE, -PT_ENTRIES);
}

static void mlock_block(const struct region *r, struct page *p, bool lock)
{
	int n = page_test(p, PG_HEAD) ? 1 : PT_ENTRIES;

	for (int i = 0; i < n; i++)
		(lock ? page_mlocked : page_munlocked)(r, p + i, PT_ENTRIES / n);
}

void huge_mlock(const struct region *r, struct page *p, bool lock)
{
	spin_lock(&g_divide_lock);
	mlock_block(r, p, lock);
	spin_unlock(&g_divide_lock);
}

void huge_get(struct page *p)
{
	spin_lock(&g_divide_lock);
	leaf_added(p);
	if (page_test(p, PG_HEAD))
		get_page(p);
	else
		for (int i = 0; i < PT_ENTRIES; i++)
			get_page(p + i);
	spin_unlock(&g_divide_lock);
}

/* The leaf was cleared. TLBs are flushed here, because the count must be exact at once. */
void huge_put(struct gather *g, const struct region *r, struct page *p)
{
	gather_flush(g);
	spin_lock(&g_divide_lock);
	leaf_removed(p);
	if (r->flags & REG_LOCKED)
		mlock_block(r, p, false);
	if (page_test(p, PG_HEAD))
		put_page(p);
	else
		for (int i = 0; i < PT_ENTRIES; i++)
			put_page(p + i);
	spin_unlock(&g_divide_lock);
}

/* The small leaf for one page of a 2 MiB leaf, with its rights. */
static pte_t small_of_huge(pte_t e, u64 phys)
{
	u32 prot = MMU_USER;

	if (pte_accessible(e))
		prot |= MMU_READ;
	if (pte_accessible(e) && pte_is_writable(e))
		prot |= MMU_WRITE;
	if (pte_accessible(e) && pte_is_exec(e))
		prot |= MMU_EXEC;
	if (pte_is_dirty(e))
		prot |= MMU_DIRTY;
	return pte_leaf(phys, prot);
}

/*
 * Divide the memory of leaf e and replace it by table t, whose leaves count single pages. False:
 * the entry has changed. The leaf is uncounted first: behind it, anybody may drop the pages.
 */
static bool divide(pte_t *pmd, pte_t e, pte_t *t)
{
	struct page *p = phys_to_page(pte_phys(e));
	bool done = false;

	spin_lock(&g_divide_lock);
	/* While the leaf is there, the block is: only the hardware can change its bits meanwhile. */
	if (pte_read(pmd) == e) {
		if (page_test(p, PG_HEAD))
			page_split(p, HUGE_ORDER);
		leaf_removed(p);
		done = pte_cas(pmd, e, pte_table(virt_to_phys(t)));
		if (!done)
			leaf_added(p);
	}
	spin_unlock(&g_divide_lock);
	return done;
}

struct page *huge_pin(pte_t *pmd, pte_t e, unsigned long addr)
{
	struct page *head = phys_to_page(pte_phys(e)), *page;
	bool pinned = false;

	page = head + ((addr & (HUGE_SIZE - 1)) >> PAGE_SHIFT);
	spin_lock(&g_divide_lock);
	/* While the leaf is there and the memory is whole, it stays so: dividing needs the lock. */
	if (pte_read(pmd) == e) {
		if (page_test(head, PG_HEAD))
			page_split(head, HUGE_ORDER);
		pinned = page_get_unless_zero(page);
	}
	spin_unlock(&g_divide_lock);
	if (pinned && pte_read(pmd) != e) {
		put_page(page);
		pinned = false;
	}
	return pinned ? page : NULL;
}

bool huge_wanted(const struct region *r, unsigned long addr)
{
	unsigned long base = round_down(addr, HUGE_SIZE);

	if (r->object || base < r->start || base + HUGE_SIZE > r->end)
		return false;
	if ((r->flags & (REG_NOHUGE | REG_SPECIAL | REG_STACK)) || READ_ONCE(r->mm->no_huge))
		return false;
	return g_huge_policy == 2 || (g_huge_policy == 1 && (r->flags & REG_HUGE));
}

/* Could any place in it have one? */
bool huge_eligible(const struct region *r)
{
	unsigned long base = round_up(r->start, HUGE_SIZE);

	return base >= r->start && huge_wanted(r, base);
}

int huge_fault(struct region *r, unsigned long addr, pte_t *pmd)
{
	struct page *p = pages_alloc(HUGE_ORDER, GFP_NOWAIT | GFP_ZERO);
	u32 prot = region_prot(r->flags) | MMU_DIRTY;

	if (!p)
		return -EAGAIN;
	page_set(p, PG_ANON);
	leaf_added(p);
	if (r->flags & REG_LOCKED)
		mlock_block(r, p, true);
	if (!pte_cas(pmd, 0, pte_leaf_huge(page_to_phys(p), prot))) {
		if (r->flags & REG_LOCKED)
			mlock_block(r, p, false);
		leaf_removed(p);
		put_page(p);
		return 0;
	}
	atomic_add(&r->mm->anon_pages, PT_ENTRIES);
	mem_count(MEM_ANON, PT_ENTRIES);
	if (!r->has_anon)
		WRITE_ONCE(r->has_anon, true);
	return 0;
}

/* Sole user of all of it: no other leaf can come into being while we hold the region. */
static bool huge_is_mine(struct page *p)
{
	bool mine = true;

	spin_lock(&g_divide_lock);
	if (page_test(p, PG_HEAD))
		mine = READ_ONCE(p->refs) == 1;
	else
		for (int i = 0; i < PT_ENTRIES && mine; i++)
			mine = READ_ONCE(p[i].refs) == 1;
	spin_unlock(&g_divide_lock);
	return mine;
}

int huge_cow(struct region *r, unsigned long addr, pte_t *pmd, pte_t e)
{
	if (huge_is_mine(phys_to_page(pte_phys(e)))) {
		pte_t young = pte_mkdirty(pte_mkyoung(pte_mkwrite(e)));

		if (pte_cas(pmd, e, young))
			arch_tlb_flush_local(&r->mm->arch, addr);
		return 0;
	}
	return huge_split(r->mm, pmd, addr); /* the retry copies one small page */
}

/*
 * Replace the leaf by a table of 512 leaves with the same rights. Concurrent faults see either;
 * the hardware may set young and dirty in the old one until it is replaced. Flushed before return:
 * no CPU may hold the 2 MiB translation while small ones change.
 */
int huge_split(struct mm *mm, pte_t *pmd, unsigned long addr)
{
	pte_t e = pte_read(pmd), *t;
	unsigned long base = round_down(addr, HUGE_SIZE);

	if (!pte_is_leaf(e, 1))
		return 0;
	t = pt_alloc_table(mm);
	if (!t)
		return -ENOMEM;
	do {
		u64 phys = pte_phys(e);

		for (int i = 0; i < PT_ENTRIES; i++)
			t[i] = small_of_huge(e, phys + i * PAGE_SIZE);
		if (divide(pmd, e, t)) {
			arch_tlb_flush(&mm->arch, base, base + HUGE_SIZE, false);
			return 0;
		}
		e = pte_read(pmd);
	} while (pte_is_leaf(e, 1));
	pt_free_table(mm, t);
	return 0;
}

int huge_split_at(struct mm *mm, unsigned long addr)
{
	pte_t *pmd;

	if (is_aligned(addr, HUGE_SIZE))
		return 0;
	pmd = pt_find_pmd(mm, addr);
	return pmd ? huge_split(mm, pmd, addr) : 0;
}

static int set_policy(const char *v)
{
	static const char *const names[] = {"never", "madvise", "always"};

	for (int i = 0; i < (int)ARRAY_SIZE(names); i++) {
		if (strcmp(v, names[i]) == 0) {
			g_huge_policy = i;
			return 0;
		}
	}
	return -EINVAL;
}
INIT_OPTION("transparent_hugepage", set_policy);

/* As Linux: no automatic 2 MiB pages on machines below 512 MiB. */
static int huge_init(void)
{
	struct mem_stats s;

	mem_get_stats(&s);
	if (s.total < MiB(512) >> PAGE_SHIFT)
		g_huge_policy = 0;
	return 0;
}
INIT_HOOK(INIT_MEMORY, huge_init);
