/*
 * Address spaces against a model. Random mmap, munmap, mprotect, mremap, madvise, fork, truncate
 * and accesses run over a playground of pages; a table says what each page must hold. Accesses go
 * the way a CPU goes: through the page tables, and into mm_fault when these don't allow them.
 */
#include <core/rcu.h>
#include <kmem/page.h>
#include <lib/string.h>
#include <sched/thread.h>
#include <vm/mm.h>
#include <vm/object.h>
#include "unit.h"

#define BASE       0x10000000ul /* aligned to 2 MiB */
#define SPAN       4096         /* pages of the playground */
#define NR_SPACES  4
#define NR_OBJECTS 2
#define OBJ_PAGES  1500
#define WORD       128 /* byte of each page that carries its value */

struct cell { /* one page of an address space as it should be */
	bool mapped, shared, copied;
	u8 prot, object; /* object: 0 anonymous, else number + 1 */
	u32 index, value;
};

static struct mm *g_mm[NR_SPACES];
static struct cell *g_cells[NR_SPACES];
static struct vm_object g_objects[NR_OBJECTS];
static u32 g_content[NR_OBJECTS][OBJ_PAGES];
static int g_refs[NR_OBJECTS];

static u64 below(u64 n)
{
	return unit_random_below(n);
}

static bool one_in(u64 n)
{
	return below(n) == 0;
}

static void ref_open(struct region *r)
{
	g_refs[(long)r->priv - 1]++;
}

static void ref_close(struct region *r)
{
	g_refs[(long)r->priv - 1]--;
}

static const struct region_ops g_ref_ops = {.open = ref_open, .close = ref_close};
static const struct vm_object_ops g_memory_ops;

/* ---- the CPU ----------------------------------------------------------------------------------- */

static u32 *translate(struct mm *mm, unsigned long addr, bool write)
{
	pte_t *t = (pte_t *)mm->arch.root;

	for (int l = PT_LEVELS - 1;; l--) {
		pte_t e = t[pt_index(addr, l)];

		if (!pte_accessible(e))
			return NULL;
		if (pte_is_leaf(e, l)) {
			if (write && !pte_is_writable(e))
				return NULL;
			return phys_to_virt(pte_phys(e) + (addr & ((1ul << PT_SHIFT(l)) - 1)));
		}
		t = phys_to_virt(pte_phys(e));
	}
}

static int access(int m, int page, bool write, u32 *value)
{
	unsigned long addr = BASE + page * PAGE_SIZE + WORD;
	int code;

	for (int tries = 0; tries < 10; tries++) {
		u32 *p = translate(g_mm[m], addr, write);
		int err;

		if (p) {
			if (write)
				*p = *value;
			else
				*value = *p;
			return 0;
		}
		err = mm_fault(g_mm[m], addr, MMU_USER | (write ? MMU_WRITE : MMU_READ), &code);
		if (err)
			return err;
	}
	return -EDEADLK;
}

/* ---- what should come out
 * -------------------------------------------------------------------------- */

static int expected_error(const struct cell *c, u8 need)
{
	if (!c->mapped || !(c->prot & need))
		return -EFAULT;
	if (c->object && c->index >= g_objects[c->object - 1].size >> PAGE_SHIFT)
		return -EIO;
	return 0;
}

static u32 expected_value(const struct cell *c)
{
	return c->object && !c->copied ? g_content[c->object - 1][c->index] : c->value;
}

static void check_page(int m, int page)
{
	struct cell *c = &g_cells[m][page];
	int want = expected_error(c, PROT_READ | PROT_WRITE | PROT_EXEC);
	u32 value = 0;

	if (EXPECT_EQ(access(m, page, false, &value), want) && !want)
		EXPECT_EQ(value, expected_value(c));
}

static void write_page(int m, int page)
{
	struct cell *c = &g_cells[m][page];
	u32 value = (u32)unit_random() | 1;
	int want = expected_error(c, PROT_WRITE);

	EXPECT_EQ(access(m, page, true, &value), want);
	if (want)
		return;
	if (c->object && c->shared) {
		g_content[c->object - 1][c->index] = value;
	} else {
		c->value = value;
		c->copied = true;
	}
}

static void forget(struct cell *c, int n)
{
	for (int i = 0; i < n; i++) {
		c[i].value = 0;
		c[i].copied = false;
	}
}

static void check_tree(struct mm *mm)
{
	u64 pages = 0, n = 0;
	struct region *prev = NULL;

	for (struct region *r = mm_first_region(mm); r; r = mm_next_region(r)) {
		EXPECT(r->start < r->end && (!prev || prev->end <= r->start));
		pages += (r->end - r->start) >> PAGE_SHIFT;
		n++;
		prev = r;
	}
	EXPECT_EQ(mm->nr_regions, n);
	EXPECT_EQ(mm->total_pages, pages);
}

/* ---- one step each
 * ----------------------------------------------------------------------------------- */

static void step_map(int m, int page, int n)
{
	struct map_request rq = {
		.addr = BASE + page * PAGE_SIZE,
		.len = n * PAGE_SIZE,
		.fixed = true,
		.flags = REG_MAYREAD | REG_MAYWRITE | REG_MAYEXEC |
			(one_in(10) ? below(4) : REG_READ | REG_WRITE),
	};
	int object = below(2 * NR_OBJECTS);
	struct cell *c = &g_cells[m][page];

	if (object < NR_OBJECTS) {
		rq.object = &g_objects[object];
		rq.offset = below(OBJ_PAGES) << PAGE_SHIFT;
		rq.ops = &g_ref_ops;
		rq.priv = (void *)(long)(object + 1);
		if (one_in(2))
			rq.flags |= REG_SHARED;
		g_refs[object]++;
	}
	EXPECT_EQ(mm_map(g_mm[m], &rq), rq.addr);
	for (int i = 0; i < n; i++)
		c[i] = (struct cell){
			.mapped = true,
			.shared = rq.flags & REG_SHARED,
			.prot = rq.flags & 7,
			.object = rq.object ? object + 1 : 0,
			.index = (rq.offset >> PAGE_SHIFT) + i,
		};
}

static void step_unmap(int m, int page, int n)
{
	EXPECT_EQ(mm_unmap(g_mm[m], BASE + page * PAGE_SIZE, n * PAGE_SIZE), 0);
	memset(&g_cells[m][page], 0, n * sizeof(struct cell));
}

static void step_protect(int m, int page, int n)
{
	u32 prot = one_in(3) ? below(4) : PROT_READ | PROT_WRITE;
	int until = 0, err;

	while (until < n && g_cells[m][page + until].mapped)
		g_cells[m][page + until++].prot = prot;
	err = mm_protect(g_mm[m], BASE + page * PAGE_SIZE, n * PAGE_SIZE, prot, false, false);
	EXPECT_EQ(err, until < n ? -ENOMEM : 0);
}

static void step_remap(int m, int page, int n)
{
	int to_n = one_in(3) ? n : 1 + (int)below(60), to = (int)below(SPAN - to_n);
	u32 flags = MREMAP_MAYMOVE | MREMAP_FIXED | (to_n == n && one_in(4) ? MREMAP_DONTUNMAP : 0);
	unsigned long addr = BASE + page * PAGE_SIZE;
	struct region *r = mm_find_region(g_mm[m], addr);
	struct cell *c = g_cells[m], *tmp;
	long got;

	/* only what must work: one region, and ranges that don't touch */
	if (!r || r->start > addr || r->end < addr + n * PAGE_SIZE ||
		(page < to + max(n, to_n) && to < page + max(n, to_n)))
		return;
	got = mm_remap(
		g_mm[m], addr, n * PAGE_SIZE, to_n * PAGE_SIZE, flags, BASE + to * PAGE_SIZE);
	if (!EXPECT_EQ(got, BASE + to * PAGE_SIZE))
		return;
	tmp = unit_alloc(to_n * sizeof(*tmp));
	for (int i = 0; i < to_n; i++) {
		tmp[i] = c[page + min(i, n - 1)];
		tmp[i].index = c[page].index + i;
		if (i >= n)
			forget(&tmp[i], 1);
	}
	if (flags & MREMAP_DONTUNMAP)
		forget(&c[page], n);
	else
		memset(&c[page], 0, n * sizeof(*c));
	memcpy(&c[to], tmp, to_n * sizeof(*c));
	unit_free(tmp);
}

static void step_fork(int m)
{
	int child = below(NR_SPACES);

	if (child == m)
		return;
	if (g_mm[child]) {
		put_mm_users(g_mm[child]);
		unit_free(g_cells[child]);
	}
	g_mm[child] = mm_fork(g_mm[m]);
	EXPECT(!is_err(g_mm[child]));
	g_cells[child] = unit_alloc(SPAN * sizeof(struct cell));
	memcpy(g_cells[child], g_cells[m], SPAN * sizeof(struct cell));
}

static void step_truncate(void)
{
	int o = below(NR_OBJECTS);
	u64 pages = one_in(2) ? OBJ_PAGES : below(OBJ_PAGES);

	object_truncate(&g_objects[o], pages << PAGE_SHIFT);
	memset(&g_content[o][pages], 0, (OBJ_PAGES - pages) * sizeof(u32));
	for (int m = 0; m < NR_SPACES; m++)
		for (int i = 0; g_mm[m] && i < SPAN; i++)
			if (g_cells[m][i].object == o + 1 && g_cells[m][i].index >= pages)
				forget(&g_cells[m][i], 1);
}

static void step_punch(void)
{
	int o = below(NR_OBJECTS);
	u64 first = below(OBJ_PAGES), n = min(1 + below(20), OBJ_PAGES - first);

	EXPECT_EQ(object_punch(&g_objects[o], first << PAGE_SHIFT, (first + n) << PAGE_SHIFT), 0);
	memset(&g_content[o][first], 0, n * sizeof(u32));
}

static void step(void)
{
	int m, n = 1 + (int)(one_in(4) ? below(1200) : below(40)), page = (int)below(SPAN - 1);
	u64 what = below(100);

	do
		m = below(NR_SPACES);
	while (!g_mm[m]);
	if (one_in(8)) { /* whole 2 MiB */
		page = round_down(page, PT_ENTRIES);
		n = round_up(n, PT_ENTRIES);
	}
	n = min(n, SPAN - page);
	if (what < 14)
		step_map(m, page, n);
	else if (what < 22)
		step_unmap(m, page, n);
	else if (what < 36)
		step_protect(m, page, n);
	else if (what < 46)
		step_remap(m, page, min(n, 300));
	else if (what < 52) {
		/* holes make it -ENOMEM, but what is mapped goes */
		(void)!mm_advise(g_mm[m], BASE + page * PAGE_SIZE, n * PAGE_SIZE, MADV_DONTNEED);
		forget(&g_cells[m][page], n);
	} else if (what < 56)
		step_fork(m);
	else if (what < 58)
		step_truncate();
	else if (what < 60)
		step_punch();
	else if (what < 64)
		(void)!mm_advise(g_mm[m], BASE + page * PAGE_SIZE, n * PAGE_SIZE,
			one_in(2) ? MADV_SEQUENTIAL : MADV_NORMAL);
	else
		for (int i = 0; i < 30; i++)
			(what < 82 ? write_page : check_page)(m, (page + i) % SPAN);
	check_tree(g_mm[m]);
}

static void run(int steps, int huge_policy)
{
	struct mem_stats before, after;
	int policy = g_huge_policy;

	rcu_barrier();
	mem_get_stats(&before);
	g_huge_policy = huge_policy;
	for (int o = 0; o < NR_OBJECTS; o++) {
		object_init(&g_objects[o], &g_memory_ops, NULL);
		g_objects[o].unevictable = true;
		g_objects[o].size = OBJ_PAGES << PAGE_SHIFT;
	}
	memset(g_content, 0, sizeof(g_content));
	g_mm[0] = mm_create();
	g_cells[0] = unit_alloc(SPAN * sizeof(struct cell));
	for (int i = 0; i < steps; i++)
		step();
	for (int m = 0; m < NR_SPACES; m++) {
		for (int i = 0; g_mm[m] && i < SPAN; i++)
			check_page(m, i);
		if (g_mm[m]) {
			put_mm_users(g_mm[m]);
			unit_free(g_cells[m]);
		}
		g_mm[m] = NULL;
	}
	for (int o = 0; o < NR_OBJECTS; o++) {
		EXPECT_EQ(g_refs[o], 0);
		EXPECT_EQ(g_objects[o].writable_maps, 0);
		object_destroy(&g_objects[o]);
	}
	g_huge_policy = policy;
	rcu_barrier();
	mem_get_stats(&after);
	EXPECT_EQ(after.anon, before.anon);
	EXPECT_EQ(after.mapped, before.mapped);
	EXPECT_EQ(after.cached, before.cached);
	EXPECT_EQ(after.page_tables, before.page_tables);
	EXPECT_EQ(vm_committed_pages(), 0);
}

UNIT(address_spaces_behave_as_the_model)
{
	run(8000, 0);
}

UNIT(address_spaces_with_2_MiB_pages_behave_as_the_model)
{
	run(8000, 2);
}

UNIT(free_space_is_found_top_down_between_regions)
{
	struct mm *mm = mm_create();
	static bool taken[512];
	long at;

	memset(taken, 0, sizeof(taken));
	mm->mmap_top = BASE + ARRAY_SIZE(taken) * PAGE_SIZE;
	for (int i = 0; i < 4000; i++) {
		int n = 1 + (int)below(20), want = -1;
		struct map_request rq = {.len = n * PAGE_SIZE, .flags = REG_READ | REG_NOHUGE};

		if (one_in(2)) {
			int page = (int)below(ARRAY_SIZE(taken) - n);

			EXPECT_EQ(mm_unmap(mm, BASE + page * PAGE_SIZE, n * PAGE_SIZE), 0);
			memset(&taken[page], 0, n);
			continue;
		}
		for (int p = ARRAY_SIZE(taken) - n; p >= 0 && want < 0; p--)
			if (!memchr(&taken[p], true, n))
				want = p;
		if (want < 0)
			continue;
		at = mm_map(mm, &rq);
		EXPECT_EQ(at, BASE + want * PAGE_SIZE);
		memset(&taken[want], 1, n);
	}
	put_mm_users(mm);
}
