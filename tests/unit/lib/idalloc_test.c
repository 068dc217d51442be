/* Small-integer allocation and bitmaps against arrays of booleans. */
#include "unit.h"
#include <lib/bitmap.h>
#include <lib/err.h>
#include <lib/idalloc.h>

static int model_lowest(const bool *used, u32 limit, u32 from)
{
	for (; from < limit; from++)
		if (!used[from])
			return (int)from;
	return -ENOSPC;
}

static void run(u32 limit, int steps)
{
	struct idalloc *a = unit_alloc(sizeof(*a));
	bool *used = unit_alloc(limit);
	u32 last = U32_MAX, nr = 0;

	idalloc_init(a, limit);
	for (int step = 0; step < steps; step++) {
		u32 id = (u32)unit_random_below(limit), from = unit_random_below(2) ? 0 : id;
		int got = -1, want = -1;

		switch (unit_random_below(5)) {
		case 0:
		case 1:
			want = model_lowest(used, limit, from);
			got = idalloc_lowest(a, from);
			break;
		case 2:
			want = model_lowest(used, limit, last + 1 < from ? from : last + 1);
			if (last == U32_MAX || want < 0)
				want = model_lowest(used, limit, from);
			got = idalloc_cyclic(a, from);
			if (got >= 0)
				last = (u32)got;
			break;
		case 3:
			want = used[id] ? -EBUSY : 0;
			EXPECT_EQ(idalloc_exact(a, id), want);
			nr += !used[id];
			used[id] = true;
			continue;
		default:
			EXPECT_EQ(idalloc_test(a, id), used[id]);
			if (used[id]) {
				idalloc_free(a, id);
				nr--;
			}
			used[id] = false;
			continue;
		}
		EXPECT_EQ(got, want);
		if (got >= 0) {
			nr += !used[got];
			used[got] = true;
		}
		EXPECT_EQ(a->nr_used, nr);
		want = -1;
		for (u32 i = from; i < limit && want < 0; i++)
			if (used[i])
				want = (int)i;
		EXPECT_EQ(idalloc_next_used(a, from), want);
	}
	unit_free(used);
	unit_free(a);
}

UNIT(ids_are_the_lowest_or_the_next_free)
{
	run(1, 200);
	run(63, 3000);
	run(64, 3000);
	run(65, 3000);
	run(700, 5000);
	run(4097, 20000);
}

UNIT(every_id_can_be_given_once)
{
	struct idalloc *a = unit_alloc(sizeof(*a));

	idalloc_init(a, IDALLOC_MAX);
	for (u32 i = 0; i < IDALLOC_MAX; i++)
		EXPECT_EQ(idalloc_lowest(a, 0), i);
	EXPECT_EQ(idalloc_lowest(a, 0), -ENOSPC);
	EXPECT_EQ(idalloc_cyclic(a, 300), -ENOSPC);
	idalloc_free(a, 200000);
	EXPECT_EQ(idalloc_cyclic(a, 300), 200000);
	EXPECT_EQ(idalloc_exact(a, IDALLOC_MAX), -EINVAL);
	EXPECT_EQ(idalloc_lowest(a, IDALLOC_MAX), -ENOSPC);
	unit_free(a);
}

UNIT(bitmaps_find_count_and_fill_as_booleans_do)
{
	enum { N = 333 };
	u64 *map = unit_alloc(BITMAP_WORDS(N) * 8);
	bool model[N] = {false};

	for (int step = 0; step < 3000; step++) {
		u64 from = unit_random_below(N), n = unit_random_below(N - from + 1), count = 0;
		u64 first_set = N, first_clear = N;
		bool set = unit_random_below(2);

		if (step % 2)
			n = min(n, 3ull);
		(set ? bitmap_set_range : bitmap_clear_range)(map, from, n);
		for (u64 i = from; i < from + n; i++)
			model[i] = set;
		from = unit_random_below(N + 1);
		for (u64 i = 0; i < N; i++) {
			count += model[i];
			EXPECT_EQ(bitmap_test(map, i), model[i]);
			if (i >= from && model[i] && first_set == N)
				first_set = i;
			if (i >= from && !model[i] && first_clear == N)
				first_clear = i;
		}
		EXPECT_EQ(bitmap_count(map, N), count);
		EXPECT_EQ(bitmap_next_set(map, N, from), first_set);
		EXPECT_EQ(bitmap_next_clear(map, N, from), first_clear);
	}
	unit_free(map);
}
