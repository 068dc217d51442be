/* Lists and hash lists. */
#include "unit.h"
#include <lib/list.h>

struct item {
	struct list_head l;
	struct hlist_node h;
	int v;
};

static u64 digits(struct list_head *h)
{
	struct item *i;
	u64 n = 0, back = 0, scale = 1;

	list_for_each_entry(i, h, l)
		n = n * 10 + (u64)i->v;
	for (struct list_head *p = h->prev; p != h; p = p->prev, scale *= 10)
		back += scale * (u64)list_entry(p, struct item, l)->v;
	EXPECT_EQ(back, n);
	return n;
}

UNIT(lists_keep_their_order)
{
	struct item a = {.v = 1}, b = {.v = 2}, c = {.v = 3}, *pos, *next;
	LIST_HEAD(h);
	LIST_HEAD(other);

	EXPECT(list_empty(&h));
	EXPECT(!list_first_entry_or_null(&h, struct item, l));
	list_add_tail(&a.l, &h);
	list_add_tail(&b.l, &h);
	list_add(&c.l, &h);
	EXPECT_EQ(digits(&h), 312);
	list_move_tail(&c.l, &h);
	EXPECT_EQ(digits(&h), 123);
	list_move(&b.l, &h);
	EXPECT_EQ(digits(&h), 213);
	list_del(&a.l);
	list_del(&a.l);
	EXPECT(list_empty(&a.l));
	EXPECT_EQ(digits(&h), 23);
	EXPECT(list_is_last(&c.l, &h));
	list_add(&a.l, &other);
	list_splice_tail(&h, &other);
	EXPECT(list_empty(&h));
	EXPECT_EQ(digits(&other), 123);
	list_splice_tail(&h, &other);
	EXPECT_EQ(digits(&other), 123);
	list_for_each_entry_safe(pos, next, &other, l)
		list_del(&pos->l);
	EXPECT(list_empty(&other));
}

UNIT(hash_lists_lose_what_is_deleted)
{
	struct item a = {.v = 1}, b = {.v = 2}, c = {.v = 3}, *pos;
	struct hlist_head h = {NULL};
	u64 n = 0;

	hlist_add_head(&a.h, &h);
	hlist_add_head(&b.h, &h);
	hlist_add_head(&c.h, &h);
	hlist_del(&b.h);
	hlist_del(&b.h);
	EXPECT(hlist_unhashed(&b.h));
	hlist_for_each_entry(pos, &h, h)
		n = n * 10 + (u64)pos->v;
	EXPECT_EQ(n, 31);
	hlist_del(&c.h);
	hlist_del(&a.h);
	EXPECT(!h.first);
}
