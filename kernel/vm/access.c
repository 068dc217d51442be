/* Reaching into an address space from outside: process_vm_*, /proc/PID/mem, futex keys, smaps. */
#include <lib/string.h>
#include "vm.h"

/*
 * The kernel address of the byte at addr of r, faulted in with the wanted access. *pin: to be put
 * by the caller; without it a copy on write elsewhere could free the page.
 */
static void *page_for_access(struct region *r, unsigned long addr, u32 how, struct page **pin)
{
	bool write = how & MM_WRITE;
	u32 access = MMU_USER | (write ? MMU_WRITE : MMU_READ);

	*pin = NULL;
	if (!region_allows(r, access) || (r->flags & REG_SPECIAL && write))
		return err_ptr(-EFAULT);
	if ((how & MM_READABLE) && !(r->flags & REG_READ))
		return err_ptr(-EFAULT); /* the processor would let the process itself read it */

	for (;;) { /* a fault may lose a race and ask to be repeated */
		int level = 0, err;
		pte_t e, *p = pt_find(r->mm, addr, &level, &e);

		if (p && pte_accessible(e) && (!write || pte_is_writable(e))) {
			u64 phys = pte_phys(e) + (addr & ((1ul << PT_SHIFT(level)) - 1));

			if (!pte_special(e)) {
				*pin = level ? huge_pin(p, e, addr) : pin_leaf(p, e);
				if (!*pin)
					continue;
			}
			return phys_to_virt(phys);
		}
		err = fault_in_region(r, addr & PAGE_MASK, access);
		if (err && err != -EAGAIN)
			return err_ptr(err == -EIO ? -EFAULT : err); /* beyond a file's end */
		if (signal_interrupts(current_thread(), THREAD_KILLABLE))
			return err_ptr(-EINTR);
	}
}

/* Writeback may have cleaned the page after its leaf was looked at and before it was changed. */
static void changed(struct page *page)
{
	if (page_test(page, PG_ANON))
		return;
	page_lock(page);
	if (page->object)
		page_mark_dirty(page);
	page_unlock(page);
}

/* The page at addr as a debugger reads it from memory that nobody may access: no leaf is made.
 * NULL: nothing is there yet. */
static struct page *page_behind(struct region *r, unsigned long addr)
{
	for (;;) {
		int level = 0;
		pte_t e, *p = pt_find(r->mm, addr, &level, &e);
		struct page *page;

		if (!p || pte_none(e) || pte_special(e))
			break;
		page = level ? huge_pin(p, e, addr) : pin_leaf(p, e);
		if (page)
			return page;
	}
	return r->object ? object_get_page(r->object, region_index(r, addr), OBJ_WITHIN) : NULL;
}

/* As page_for_access, for a debugger where that refuses. */
static void *page_by_force(struct region *r, unsigned long addr, u32 how, struct page **pin)
{
	*pin = NULL;
	if (r->flags & REG_SPECIAL)
		return err_ptr(-EFAULT);
	if (!(how & MM_WRITE)) {
		if (!(r->flags & REG_MAYREAD))
			return err_ptr(-EFAULT);
		*pin = page_behind(r, addr);
		if (!*pin)
			return (char *)page_address(g_zero_page) + (addr & ~PAGE_MASK);
	} else {
		if (region_shared(r) || !(r->flags & REG_MAYWRITE) || !(r->flags & PROT_BITS))
			return err_ptr(-EFAULT);
		while (!*pin) {
			*pin = fault_own_page(r, addr & PAGE_MASK);
			if (signal_interrupts(current_thread(), THREAD_KILLABLE) && !*pin)
				return err_ptr(-EINTR);
		}
	}
	if (is_err(*pin)) {
		int err = ptr_err(*pin);

		*pin = NULL;
		return err_ptr(err);
	}
	return (char *)page_address(*pin) + (addr & ~PAGE_MASK);
}

static bool needs_force(const struct region *r, u32 how)
{
	u32 access = MMU_USER | (how & MM_WRITE ? MMU_WRITE : MMU_READ);

	return (how & MM_FORCE) && !region_allows(r, access);
}

ssize_t mm_access(struct mm *mm, unsigned long addr, void *buf, size_t len, u32 how)
{
	bool write = how & MM_WRITE;
	size_t done = 0;
	int err = 0;

	if (rwsem_read_lock_killable(&mm->map_lock))
		return -EINTR;
	while (done < len) {
		unsigned long a = addr + done;
		size_t n = min(len - done, PAGE_SIZE - (a & ~PAGE_MASK));
		struct region *r = mm_find_region(mm, a);
		struct page *pin;
		void *k;

		if (!r || r->start > a)
			k = err_ptr(-EFAULT);
		else if (unlikely(needs_force(r, how)))
			k = page_by_force(r, a, how, &pin);
		else
			k = page_for_access(r, a, how, &pin);
		if (is_err(k)) {
			err = ptr_err(k);
			break;
		}
		if (!write)
			memcpy((char *)buf + done, k, n);
		else
			memcpy(k, (char *)buf + done, n);
		if (write && pin)
			changed(pin);
		if (pin)
			put_page(pin);
		done += n;
	}
	rwsem_read_unlock(&mm->map_lock);
	return done ? (ssize_t)done : err;
}

struct presence {
	struct pt_walk w;
	unsigned long found;
};

static int find_pte(struct pt_walk *w, pte_t *p, unsigned long addr, unsigned long end)
{
	for (; addr < end; addr += PAGE_SIZE, p++)
		if (pte_present(pte_read(p))) {
			container_of(w, struct presence, w)->found = addr;
			return 1;
		}
	return 0;
}

static int find_huge(struct pt_walk *w, pte_t *pmd, unsigned long addr, unsigned long end)
{
	if (!pte_is_leaf(pte_read(pmd), 1))
		return 0;
	container_of(w, struct presence, w)->found = addr;
	return 1;
}

unsigned long mm_next_present(struct mm *mm, unsigned long addr, unsigned long end)
{
	struct presence s = {.w = {.mm = mm, .ptes = find_pte, .huge = find_huge}, .found = end};
	struct region *r;

	if (rwsem_read_lock_killable(&mm->map_lock))
		return end;
	r = mm_find_region(mm, addr);
	if (!r || r->start > addr || r->object || (r->flags & REG_SPECIAL))
		s.found = addr;
	else if (!pt_walk(&s.w, addr, min(end, r->end)))
		s.found = min(end, r->end);
	rwsem_read_unlock(&mm->map_lock);
	return s.found;
}

int mm_futex_key(struct mm *mm, unsigned long addr, bool shared, u64 *a, u64 *b)
{
	struct region *r;
	int err = 0;

	if (!user_range_ok(addr, sizeof(u32)))
		return -EFAULT;
	*a = (u64)(uintptr_t)mm;
	*b = addr;
	if (!shared)
		return 0;
	if (rwsem_read_lock_killable(&mm->map_lock))
		return -EINTR;
	r = mm_find_region(mm, addr);
	*b |= 2; /* never one of a private operation's */
	if (!r || r->start > addr || !region_allows(r, MMU_READ)) {
		err = -EFAULT;
	} else if (!r->object && !region_allows(r, MMU_WRITE)) {
		err = -EFAULT; /* no way to change the word: as Linux, nothing to wait for */
	} else if (r->object && (region_shared(r) || !region_allows(r, MMU_WRITE))) {
		*a = r->object->id;
		*b = ((region_index(r, addr) << PAGE_SHIFT) | (addr & ~PAGE_MASK)) | 1;
	}
	rwsem_read_unlock(&mm->map_lock);
	return err;
}

/* ---- statistics for smaps ------------------------------------------------------------------ */

struct measure {
	struct pt_walk w;
	struct region_stats *s;
};

#define PSS_SHIFT 12 /* fraction bits while summing */

static void measure_page(struct region_stats *s, struct page *p, u32 users, pte_t e, u64 bytes)
{
	bool dirty = pte_is_dirty(e) || page_test(p, PG_DIRTY);
	u64 share = (bytes << PSS_SHIFT) / (users ? users : 1);

	s->rss += bytes;
	s->pss += share;
	if (dirty)
		s->pss_dirty += share;
	if (page_test(p, PG_ANON))
		s->pss_anon += share;
	if (pte_is_young(e) || page_test(p, PG_REFERENCED))
		s->referenced += bytes;
	if (users > 1)
		*(dirty ? &s->shared_dirty : &s->shared_clean) += bytes;
	else
		*(dirty ? &s->private_dirty : &s->private_clean) += bytes;
}

static int measure_ptes(struct pt_walk *w, pte_t *p, unsigned long addr, unsigned long end)
{
	struct measure *m = container_of(w, struct measure, w);

	for (; addr < end; addr += PAGE_SIZE, p++) {
		pte_t e = pte_read(p);
		struct page *page;
		bool anon;

		if (!pte_present(e) || pte_special(e))
			continue;
		page = phys_to_page(pte_phys(e));
		anon = page_test(page, PG_ANON);
		if (anon)
			m->s->anonymous += PAGE_SIZE;
		measure_page(m->s, page,
			anon ? READ_ONCE(page->refs) : (u32)READ_ONCE(page->mapcount), e,
			PAGE_SIZE);
	}
	return 0;
}

static int measure_huge(struct pt_walk *w, pte_t *pmd, unsigned long addr, unsigned long end)
{
	struct measure *m = container_of(w, struct measure, w);
	pte_t e = pte_read(pmd);
	struct page *p = phys_to_page(pte_phys(e));

	m->s->huge += end - addr;
	m->s->anonymous += end - addr;
	measure_page(m->s, p, READ_ONCE(p->refs), e, end - addr);
	return 0;
}

void region_get_stats(struct region *r, struct region_stats *s)
{
	struct measure m = {.w = {r->mm, measure_ptes, measure_huge}, .s = s};

	memset(s, 0, sizeof(*s));
	pt_walk(&m.w, r->start, r->end);
	if (r->object && r->object->unevictable)
		s->pss_shmem = (s->pss - s->pss_anon) >> PSS_SHIFT;
	s->pss >>= PSS_SHIFT;
	s->pss_dirty >>= PSS_SHIFT;
	s->pss_anon >>= PSS_SHIFT;
	s->huge_eligible = huge_eligible(r);
}
