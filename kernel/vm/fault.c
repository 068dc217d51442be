/*
 * Page faults. A fault finds its region under RCU, takes the region's lock shared and works without
 * map_lock; when the region is frozen, detached or changed it falls back to waiting for map_lock.
 *
 * Leaves are installed by compare-exchange: of two faults on one page, one wins and the other
 * drops its page. A leaf of a page-cache page is published first and the page's membership in the
 * object checked afterwards; truncation takes the page out of the object first and looks for
 * leaves afterwards (object.c), so one of the two sees the other.
 *
 * A leaf that goes from one page to another (copy on write) passes through an inaccessible state
 * while TLBs are flushed, so that no CPU reads the old page when another has written the new one.
 */
#include <core/init.h>
#include <asm/siginfo.h>
#include <vm/writeback.h>
#include "vm.h"

#define FAULT_AROUND 16 /* pages; mapped together when they are in the cache */

struct page *g_zero_page;

static int fault_init(void)
{
	g_zero_page = page_alloc(GFP_KERNEL | GFP_ZERO);
	return g_zero_page ? 0 : -ENOMEM;
}
INIT_HOOK(INIT_MEMORY, fault_init);

bool region_allows(const struct region *r, u32 access)
{
	if (access & MMU_WRITE)
		return r->flags & REG_WRITE;
	if (access & MMU_EXEC)
		return r->flags & REG_EXEC;
	return r->flags & PROT_BITS;
}

/* No other thread can be in user mode with this address space loaded. */
static bool mm_is_mine(struct mm *mm)
{
	return ref_read(&mm->users) == 1 && current_mm() == mm;
}

static void count_anon(struct region *r)
{
	atomic_inc(&r->mm->anon_pages);
	mem_count(MEM_ANON, 1);
	if (!r->has_anon)
		WRITE_ONCE(r->has_anon, true);
}

/* Replace leaf old by one for another page. False: the entry changed meanwhile. */
static bool switch_leaf(struct mm *mm, unsigned long addr, pte_t *p, pte_t old, pte_t new)
{
	if (mm_is_mine(mm)) {
		if (!pte_cas(p, old, new))
			return false;
		arch_tlb_flush(&mm->arch, addr, addr + PAGE_SIZE, false);
		return true;
	}
	pte_t busy = pte_with_prot(new, 0);

	if (!pte_cas(p, old, busy))
		return false;
	arch_tlb_flush(&mm->arch, addr, addr + PAGE_SIZE, false);
	/* Ours until it is accessible again, whatever bits somebody changes meanwhile; unless a
	 * truncation zaps it, which takes the page. */
	for (pte_t e = busy; !pte_cas(p, e, new);) {
		e = pte_read(p);
		if (!pte_present(e) || pte_accessible(e) || pte_phys(e) != pte_phys(new))
			break;
	}
	return true;
}

static int fault_anon(struct region *r, unsigned long addr, u32 access, pte_t *p)
{
	u32 prot = region_prot(r->flags);
	struct page *page;

	if (!(access & MMU_WRITE)) {
		prot = (prot & ~MMU_WRITE) | MMU_SPECIAL;
		(void)!pte_cas(p, 0, pte_leaf(page_to_phys(g_zero_page), prot));
		return 0;
	}
	page = page_alloc(GFP_USER | GFP_ZERO);
	if (unlikely(!page))
		return -ENOMEM;
	page->flags |= 1ul << PG_ANON; /* not shared yet */
	leaf_comes(r, page);
	if (unlikely(!pte_cas(p, 0, pte_leaf(page_to_phys(page), prot | MMU_DIRTY)))) {
		leaf_goes(r, page);
		put_page(page);
		return 0;
	}
	count_anon(r);
	return 0;
}

struct page *pin_leaf(pte_t *p, pte_t e)
{
	struct page *page = phys_to_page(pte_phys(e));

	if (!page_get_unless_zero(page))
		return NULL;
	if (pte_read(p) == e)
		return page;
	put_page(page);
	return NULL;
}

/* Private write to a leaf of a shared page: anonymous (fork), page cache, or the zero page. */
static int fault_copy(struct region *r, unsigned long addr, pte_t *p, pte_t e)
{
	struct page *old = pte_special(e) ? NULL : phys_to_page(pte_phys(e));
	bool anon = old && page_test(old, PG_ANON);
	struct page *new;
	pte_t leaf;

	if (anon && READ_ONCE(old->refs) == 1) {
		if (pte_cas(p, e, pte_mkdirty(pte_mkyoung(pte_mkwrite(e)))))
			arch_tlb_flush_local(&r->mm->arch, addr);
		return 0;
	}
	new = page_alloc(GFP_USER | (old ? 0 : GFP_ZERO));
	if (unlikely(!new))
		return -ENOMEM;
	/*
	 * An anonymous page may be freed while it is copied (another thread was faster), but then
	 * the entry has changed and the copy is dropped. A page-cache page could be freed, used
	 * anew and come back here, so it needs a reference.
	 */
	if (old && !anon && !pin_leaf(p, e)) {
		put_page(new);
		return 0;
	}
	if (old)
		copy_page(page_address(new), page_address(old));
	new->flags |= 1ul << PG_ANON;
	leaf_comes(r, new);
	leaf = pte_leaf(page_to_phys(new), region_prot(r->flags) | MMU_DIRTY);
	if (unlikely(!switch_leaf(r->mm, addr, p, e, leaf))) {
		leaf_goes(r, new);
		put_page(new);
	} else if (anon) {
		leaf_goes(r, old);
		put_page(old);
		if (!r->has_anon)
			WRITE_ONCE(r->has_anon, true);
		return 0;
	} else {
		count_anon(r);
		if (old) {
			leaf_goes(r, old);
			page_unmapped(old);
			atomic_dec(
				r->object->unevictable ? &r->mm->shmem_pages : &r->mm->file_pages);
			put_page(old);
		}
	}
	if (old && !anon)
		put_page(old);
	return 0;
}

/*
 * Install a leaf for a page-cache page; the caller's reference goes to the leaf, and from then on
 * the page is only as safe as the leaf. False: the entry was taken, or the page had left the object
 * and the leaf could be taken back; the reference is the caller's again.
 */
static bool install_cached(
	struct region *r, unsigned long addr, pte_t *p, struct page *page, u32 prot)
{
	pte_t leaf = pte_leaf(page_to_phys(page), prot);
	pte_t e;

	page_mapped(page);
	leaf_comes(r, page);
	if (!pte_cas(p, 0, leaf)) {
		leaf_goes(r, page);
		page_unmapped(page);
		return false;
	}
	/* pte_cas is a full barrier: pairs with the one in object.c's remove_page. */
	if (likely(READ_ONCE(page->object) == r->object))
		return true;
	e = pte_read(p);
	while (pte_present(e) && pte_phys(e) == pte_phys(leaf)) {
		if (pte_cas(p, e, 0)) {
			arch_tlb_flush(&r->mm->arch, addr, addr + PAGE_SIZE, false);
			leaf_goes(r, page);
			page_unmapped(page);
			return false;
		}
		e = pte_read(p);
	}
	/* Truncation found the leaf and treated it as any other: it was there, and is to be
	 * counted. */
	return true;
}

static void count_cached(struct region *r, long n)
{
	atomic_add(r->object->unevictable ? &r->mm->shmem_pages : &r->mm->file_pages, n);
}

/* The rights a cached page gets at once on a read: no more than need no permission to write. */
static u32 cached_prot(const struct region *r, const struct page *page)
{
	u32 prot = region_prot(r->flags);

	if (region_shared(r) && r->object->unevictable && page_test(page, PG_DIRTY))
		return prot; /* memory only: written before, nothing to track */
	return prot & ~MMU_WRITE;
}

/* Map pages around addr that are in the cache. True: addr is among them. */
static bool fault_around(struct region *r, unsigned long addr, pte_t *p, u64 size_pages)
{
	unsigned long start = max(round_down(addr, FAULT_AROUND * PAGE_SIZE), r->start);
	unsigned long end = min(
		round_down(addr, FAULT_AROUND * PAGE_SIZE) + FAULT_AROUND * PAGE_SIZE, r->end);
	u64 index = region_index(r, start);
	bool hit = false;
	long n = 0;

	if (r->flags & REG_RAND_READ) {
		start = addr;
		end = addr + PAGE_SIZE;
		index = region_index(r, addr);
	}
	p -= (addr - start) >> PAGE_SHIFT;
	for (unsigned long a = start; a < end && index < size_pages; a += PAGE_SIZE, p++, index++) {
		struct page *page;

		if (!pte_none(pte_read(p)))
			continue;
		page = object_find(r->object, index);
		if (!page)
			continue;
		if (!page_test(page, PG_UPTODATE) ||
			!install_cached(r, a, p, page, cached_prot(r, page))) {
			put_page(page);
			continue;
		}
		n++;
		if (a == addr)
			hit = true;
	}
	if (n)
		count_cached(r, n);
	return hit;
}

/* Ask the owner for the right to change the page; it is then mapped dirty. page referenced. */
static int make_shared_writable(
	struct region *r, unsigned long addr, pte_t *p, pte_t e, struct page *page)
{
	struct vm_object *o = r->object;
	int err = 0;

	page_lock(page);
	if (page->object != o) {
		page_unlock(page);
		put_page(page);
		return 0;
	}
	page_wait_writeback(page);
	if (o->ops->make_writable)
		err = o->ops->make_writable(o, page, 0, PAGE_SIZE);
	if (err) {
		page_unlock(page);
		put_page(page);
		return err == -ENOMEM || err == -EINTR ? err : -EIO;
	}
	page_mark_dirty(page);
	if (pte_none(e)) {
		u32 prot = region_prot(r->flags) | MMU_DIRTY;

		if (install_cached(r, addr, p, page, prot)) {
			count_cached(r, 1);
			page_unlock(page);
			return 0;
		}
	} else if (pte_cas(p, e, pte_mkdirty(pte_mkyoung(pte_mkwrite(e))))) {
		arch_tlb_flush_local(&r->mm->arch, addr);
	}
	page_unlock(page);
	put_page(page);
	return 0;
}

static int shared_write(struct region *r, unsigned long addr, pte_t *p, pte_t e, struct page *page)
{
	const struct region_ops *ops = r->ops;
	int err;

	if (ops && ops->store_begin)
		ops->store_begin(r->file);
	err = make_shared_writable(r, addr, p, e, page);
	if (ops && ops->store_end)
		ops->store_end(r->file);
	return err;
}

static int fault_object(struct region *r, unsigned long addr, u32 access, pte_t *p)
{
	struct vm_object *o = r->object;
	u64 index = region_index(r, addr);
	u64 size_pages = div_round_up(READ_ONCE(o->size), PAGE_SIZE);
	struct page *page, *copy;

	if (index >= size_pages)
		return -EIO;
	if (!(access & MMU_WRITE) && fault_around(r, addr, p, size_pages))
		return 0;
	page = object_find(o, index);
	if (!page && !(r->flags & REG_RAND_READ)) {
		u32 window = o->wb ? READ_ONCE(o->wb->ra_pages) : 1;

		/* Around the fault: programs jump back as well as forth. */
		object_readahead(o, index - min_t(u64, index, window / 4), window);
	}
	if (page)
		put_page(page);
	page = object_get_page(o, index, OBJ_WITHIN);
	if (is_err(page)) /* beyond the end, or no room for it */
		return page == err_ptr(-ENOMEM) || page == err_ptr(-EINTR) ? ptr_err(page) : -EIO;
	if (!(access & MMU_WRITE)) {
		if (install_cached(r, addr, p, page, cached_prot(r, page)))
			count_cached(r, 1);
		else
			put_page(page);
		return 0;
	}
	if (region_shared(r))
		return shared_write(r, addr, p, 0, page);
	copy = page_alloc(GFP_USER);
	if (copy) {
		copy_page(page_address(copy), page_address(page));
		copy->flags |= 1ul << PG_ANON;
		leaf_comes(r, copy);
		page_lock(page); /* truncation takes out copies after it had this lock */
		if (page->object == o &&
			pte_cas(p, 0,
				pte_leaf(page_to_phys(copy), region_prot(r->flags) | MMU_DIRTY))) {
			count_anon(r);
		} else {
			leaf_goes(r, copy);
			put_page(copy);
		}
		page_unlock(page);
	}
	put_page(page);
	return copy ? 0 : -ENOMEM;
}

static int fault_special(struct region *r, unsigned long addr, u32 access, pte_t *p)
{
	struct vm_fault f = {
		.addr = addr, .access = access, .index = region_index(r, addr), .pte = p};
	int err = r->ops->fault(r, &f);

	if (err)
		return err;
	if (pte_cas(p, 0, f.result)) {
		if (!pte_special(f.result)) {
			page_mapped(phys_to_page(pte_phys(f.result)));
			atomic_inc(&r->mm->file_pages);
		}
	} else if (!pte_special(f.result)) {
		put_page(phys_to_page(pte_phys(f.result)));
	}
	return 0;
}

/* The entry is a leaf that doesn't give the access, or not any more the reason of the fault. */
static int fault_present(
	struct region *r, unsigned long addr, u32 access, pte_t *p, pte_t e, int level)
{
	struct page *page;

	if (unlikely(!pte_accessible(e))) {
		cpu_relax(); /* another fault is switching it (switch_leaf) */
		cond_resched();
		return 0;
	}
	if (!(access & MMU_WRITE) || pte_is_writable(e)) {
		arch_tlb_flush_local(&r->mm->arch, addr);
		return 0;
	}
	if (level == 1)
		return huge_cow(r, addr, p, e);
	if (!region_shared(r))
		return fault_copy(r, addr, p, e);
	if (pte_special(e))
		return -EFAULT;
	page = pin_leaf(p, e);
	return page ? shared_write(r, addr, p, e, page) : 0;
}

/* No table covers addr yet: map 2 MiB at once where that is wanted, else make the table. */
static noinline int fault_no_table(struct region *r, unsigned long addr, u32 access)
{
	bool leaf;

	if ((access & MMU_WRITE) && huge_wanted(r, addr)) {
		pte_t *pmd = pt_make_pmd(r->mm, addr);
		int err;

		if (!pmd)
			return -ENOMEM;
		err = huge_fault(r, addr, pmd);
		if (err != -EAGAIN)
			return err;
	}
	return pt_make(r->mm, addr, &leaf) || leaf ? 0 : -ENOMEM;
}

int fault_in_region(struct region *r, unsigned long addr, u32 access)
{
	int level = 0, err;
	pte_t *p, e = 0;

	addr &= PAGE_MASK;
	p = pt_find(r->mm, addr, &level, &e);
	if (unlikely(!p)) {
		err = fault_no_table(r, addr, access);
		if (err)
			return err;
		p = pt_find(r->mm, addr, &level, &e);
	}
	if (!pte_none(e))
		return fault_present(r, addr, access, p, e, level);
	if (r->ops && r->ops->fault)
		return fault_special(r, addr, access, p);
	if (r->object)
		return fault_object(r, addr, access, p);
	return fault_anon(r, addr, access, p);
}

struct page *fault_own_page(struct region *r, unsigned long addr)
{
	int level = 0, err = 0;
	pte_t e = 0, *p = pt_find(r->mm, addr, &level, &e);
	struct page *page;

	if (!p || pte_none(e)) {
		err = fault_in_region(r, addr, MMU_USER | MMU_READ);
	} else if (level) {
		page = huge_pin(p, e, addr); /* divides it */
		if (page)
			put_page(page);
	} else if (!pte_special(e) && page_test(phys_to_page(pte_phys(e)), PG_ANON) &&
		READ_ONCE(phys_to_page(pte_phys(e))->refs) == 1) {
		return pin_leaf(p, e); /* no fork meanwhile: it would need map_lock */
	} else {
		err = fault_copy(r, addr, p, e);
	}
	return err && err != -EAGAIN ? err_ptr(err) : NULL;
}

static int checked_fault(struct region *r, unsigned long addr, u32 access, int *si_code)
{
	if (unlikely(!region_allows(r, access))) {
		*si_code = SEGV_ACCERR;
		return -EFAULT;
	}
	return fault_in_region(r, addr, access);
}

/* With map_lock: the region is being changed, missing, or a stack that must grow. */
static noinline int fault_slow(struct mm *mm, unsigned long addr, u32 access, int *si_code)
{
	struct region *r;
	int err;

	if (rwsem_read_lock_killable(&mm->map_lock))
		return -EINTR;
	r = mm_find_region(mm, addr);
	if (r && r->start <= addr) {
		err = checked_fault(r, addr, access, si_code);
		rwsem_read_unlock(&mm->map_lock);
		return err;
	}
	rwsem_read_unlock(&mm->map_lock);
	*si_code = SEGV_MAPERR;
	if (!r || !(r->flags & REG_GROWSDOWN))
		return -EFAULT;
	if (mm_write_lock(mm))
		return -EINTR;
	r = mm_find_region(mm, addr);
	err = !r ? -EFAULT : r->start <= addr ? 0 : stack_expand(r, addr);
	if (!err)
		err = checked_fault(r, addr, access, si_code);
	else if (err == -ENOMEM)
		err = -EFAULT; /* limits and collisions are plain segmentation faults */
	mm_write_unlock(mm);
	return err;
}

int mm_fault(struct mm *mm, unsigned long addr, u32 access, int *si_code)
{
	struct region *r;
	int err;

	rcu_read_lock();
	r = region_find_rcu(mm, addr);
	if (unlikely(!r || !rwsem_read_trylock(&r->lock))) {
		rcu_read_unlock();
		return fault_slow(mm, addr, access, si_code);
	}
	rcu_read_unlock(); /* a locked region isn't freed */
	if (unlikely(r->detached || r->frozen == READ_ONCE(mm->map_gen) || addr < r->start ||
		    addr >= r->end)) {
		rwsem_read_unlock(&r->lock);
		return fault_slow(mm, addr, access, si_code);
	}
	err = checked_fault(r, addr, access, si_code);
	rwsem_read_unlock(&r->lock);
	return err;
}
