/* The xarray against a plain list of (index, entry, marks), with failing allocations. */
#include "unit.h"
#include <lib/err.h>
#include <lib/string.h>
#include <lib/xarray.h>

#define NR 300

struct model {
	u64 index;
	void *entry;
	u32 marks;
};

static s64 g_live;
static int g_fail_in; /* the allocation after so many fails; 0: none */

static void *node_alloc(u32 gfp)
{
	if (g_fail_in && --g_fail_in == 0)
		return NULL;
	g_live++;
	return unit_alloc(xa_node_size);
}

static void node_free(void *node)
{
	g_live--;
	unit_free(node);
}

static const struct xa_ops ops = {node_alloc, node_free};

static u64 random_index(void)
{
	switch (unit_random_below(5)) {
	case 0:
		return unit_random_below(4);
	case 1:
		return unit_random_below(300);
	case 2:
		return unit_random_below(1u << 20);
	case 3:
		return U64_MAX - unit_random_below(200);
	default:
		return unit_random() >> unit_random_below(60);
	}
}

static struct model *model_find(struct model *m, u64 from, u64 last, int mark)
{
	struct model *best = NULL;

	for (int i = 0; i < NR; i++)
		if (m[i].entry && m[i].index >= from && m[i].index <= last &&
			(mark < 0 || (m[i].marks >> mark & 1)) &&
			(!best || m[i].index < best->index))
			best = &m[i];
	return best;
}

static struct model *model_at(struct model *m, u64 index)
{
	struct model *unused = NULL;

	for (int i = 0; i < NR; i++) {
		if (m[i].entry && m[i].index == index)
			return &m[i];
		if (!m[i].entry)
			unused = &m[i];
	}
	return unused;
}

static void check_find(struct xarray *xa, struct model *m, int mark)
{
	u64 from = random_index(), last = unit_random_below(3) ? U64_MAX : random_index(),
	    at = from;
	struct model *want = model_find(m, from, last, mark);
	void *got = mark < 0 ? xa_find(xa, &at, last)
			     : xa_find_mark(xa, &at, last, (enum xa_mark)mark);

	EXPECT_EQ((uintptr_t)got, want ? (uintptr_t)want->entry : 0);
	if (want)
		EXPECT_EQ(at, want->index);
	else
		EXPECT_EQ(at, from);
}

static void check_all(struct xarray *xa, struct model *m)
{
	u64 at = 0, next, count = 0;
	void *e;

	for (u64 from = 0;; from = next + 1) {
		struct model *want = model_find(m, from, U64_MAX, -1);

		at = from;
		e = xa_find(xa, &at, U64_MAX);
		EXPECT_EQ((uintptr_t)e, want ? (uintptr_t)want->entry : 0);
		if (!want || !e)
			break;
		next = want->index;
		count++;
		for (int k = 0; k < NR_XA_MARKS; k++)
			EXPECT_EQ(xa_get_mark(xa, next, (enum xa_mark)k), want->marks >> k & 1);
		if (next == U64_MAX)
			break;
	}
	EXPECT_EQ(xa_empty(xa), count == 0);
	for (int k = 0; k < NR_XA_MARKS; k++)
		EXPECT_EQ(xa_marked(xa, (enum xa_mark)k), model_find(m, 0, U64_MAX, k) != NULL);
}

static void random_step(struct xarray *xa, struct model *m)
{
	u64 index = unit_random_below(2) ? random_index() : m[unit_random_below(NR)].index;
	struct model *at = model_at(m, index);
	bool present = at && at->entry;
	u32 mark = (u32)unit_random_below(NR_XA_MARKS);
	void *entry = xa_value(unit_random() >> 3);

	EXPECT_EQ((uintptr_t)xa_load(xa, index), present ? (uintptr_t)at->entry : 0);
	switch (unit_random_below(6)) {
	case 0:
	case 1:
		if (!at)
			break;
		g_fail_in = unit_random_below(4) ? 0 : 1 + (int)unit_random_below(4);
		if (xa_store(xa, index, entry, 0) == 0)
			*at = (struct model){index, entry, present ? at->marks : 0};
		g_fail_in = 0;
		break;
	case 2:
		EXPECT_EQ((uintptr_t)xa_erase(xa, index), present ? (uintptr_t)at->entry : 0);
		if (present)
			at->entry = NULL;
		break;
	case 3:
		xa_set_mark(xa, index, (enum xa_mark)mark);
		if (present)
			at->marks |= 1u << mark;
		break;
	case 4:
		xa_clear_mark(xa, index, (enum xa_mark)mark);
		if (present)
			at->marks &= ~(1u << mark);
		break;
	default:
		check_find(xa, m, (int)unit_random_below(4) - 1);
		break;
	}
}

UNIT(it_behaves_as_a_plain_map)
{
	struct model *m = unit_alloc(NR * sizeof(*m));
	struct xarray xa;

	xarray_set_ops(&ops);
	for (int round = 0; round < 20; round++) {
		xa_init(&xa);
		memset(m, 0, NR * sizeof(*m));
		for (int step = 0; step < 2000; step++) {
			random_step(&xa, m);
			if (step % 50 == 0)
				check_all(&xa, m);
		}
		if (round % 2) {
			for (int i = 0; i < NR; i++)
				if (m[i].entry)
					EXPECT(xa_erase(&xa, m[i].index) == m[i].entry);
			EXPECT(xa_empty(&xa));
		} else {
			xa_destroy(&xa);
		}
		EXPECT_EQ(g_live, 0);
	}
	unit_free(m);
}

UNIT(a_failed_store_leaves_nothing_behind)
{
	struct xarray xa;

	xarray_set_ops(&ops);
	xa_init(&xa);
	for (int fail = 1; fail < 8; fail++) {
		g_fail_in = fail;
		EXPECT_EQ(xa_store(&xa, 1ull << 40, xa_value(1), 0), -ENOMEM);
		EXPECT(xa_empty(&xa));
		EXPECT_EQ(g_live, 0);
	}
	g_fail_in = 0;
	EXPECT_EQ(xa_store(&xa, 3, xa_value(7), 0), 0);
	g_fail_in = 3;
	EXPECT_EQ(xa_store(&xa, 1ull << 40, xa_value(1), 0), -ENOMEM);
	g_fail_in = 0;
	EXPECT_EQ(xa_to_value(xa_load(&xa, 3)), 7);
	EXPECT_EQ(g_live, 1);
	xa_destroy(&xa);
	EXPECT_EQ(g_live, 0);
}

UNIT(a_reserved_index_needs_no_memory)
{
	struct xarray xa;

	xarray_set_ops(&ops);
	for (int i = 0; i < 200; i++) {
		u64 index = random_index();

		xa_init(&xa);
		EXPECT_EQ(xa_store(&xa, random_index(), xa_value(2), 0), 0);
		EXPECT_EQ(xa_reserve(&xa, index, 0), 0);
		g_fail_in = 1;
		EXPECT_EQ(xa_store(&xa, index, xa_value(3), 0), 0);
		EXPECT_EQ(xa_to_value(xa_load(&xa, index)), 3);
		g_fail_in = 0;
		xa_destroy(&xa);
	}
	EXPECT_EQ(g_live, 0);
}

UNIT(a_batch_goes_on_where_the_last_one_ended)
{
	struct xarray xa;
	void *out[7];
	u64 indexes[7], at = 0, seen = 0;
	u32 n;

	xarray_set_ops(&ops);
	xa_init(&xa);
	for (u64 i = 0; i < 100; i++)
		EXPECT_EQ(xa_store(&xa, i * i, xa_value(i), 0), 0);
	while ((n = xa_batch(&xa, &at, 80 * 80, out, indexes, 7)))
		for (u32 i = 0; i < n; i++, seen++) {
			EXPECT_EQ(xa_to_value(out[i]), seen);
			EXPECT_EQ(indexes[i], seen * seen);
		}
	EXPECT_EQ(seen, 81);
	xa_destroy(&xa);
	EXPECT_EQ(g_live, 0);
}
