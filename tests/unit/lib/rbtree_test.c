/* Red-black trees and interval trees against plain arrays. */
#include "unit.h"
#include <lib/itree.h>
#include <lib/rbtree.h>

#define NR 512

struct item {
	struct rb_node rb;
	u64 key, sum; /* sum of the subtree's keys */
	bool in;
};

static u64 sum_of(struct rb_node *n)
{
	return n ? rb_entry(n, struct item, rb)->sum : 0;
}

static void update(struct rb_node *n)
{
	struct item *i = rb_entry(n, struct item, rb);

	i->sum = i->key + sum_of(n->left) + sum_of(n->right);
}

static void insert(struct rb_root *r, struct item *i)
{
	struct rb_node **link = &r->node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = i->key < rb_entry(parent, struct item, rb)->key ? &parent->left
								       : &parent->right;
	}
	rb_insert_augmented(r, &i->rb, parent, link, update);
}

/* Number of black nodes on each path down, or -1 when a rule of the tree is broken. */
static int black_height(struct rb_node *n, struct rb_node *parent)
{
	int l, r, black;

	if (!n)
		return 1;
	black = n->parent_color & 1;
	if (rb_parent(n) != parent || (!black && parent && !(parent->parent_color & 1)))
		return -1;
	if (sum_of(n) != rb_entry(n, struct item, rb)->key + sum_of(n->left) + sum_of(n->right))
		return -1;
	l = black_height(n->left, n);
	r = black_height(n->right, n);
	return l < 0 || l != r ? -1 : l + black;
}

static void check(struct rb_root *r, u64 nr)
{
	u64 seen = 0, last = 0;
	struct rb_node *prev = NULL;

	EXPECT(black_height(r->node, NULL) > 0);
	rb_for_each(n, r) {
		EXPECT(rb_entry(n, struct item, rb)->key >= last);
		EXPECT(rb_prev(n) == prev);
		last = rb_entry(n, struct item, rb)->key;
		prev = n;
		seen++;
	}
	EXPECT_EQ(seen, nr);
	EXPECT(rb_last(r) == prev);
}

UNIT(a_tree_stays_balanced_sorted_and_summed)
{
	struct item *items = unit_alloc(NR * sizeof(*items));
	struct rb_root root = RB_ROOT;
	u64 nr = 0;

	for (int step = 0; step < 6000; step++) {
		struct item *i = &items[unit_random_below(NR)];

		if (i->in) {
			rb_erase_augmented(&root, &i->rb, update);
			nr--;
		} else {
			i->key = unit_random_below(200); /* equal keys happen */
			insert(&root, i);
			nr++;
		}
		i->in = !i->in;
		check(&root, nr);
	}
	for (int k = 0; k < NR; k++)
		if (items[k].in) {
			rb_erase_augmented(&root, &items[k].rb, update);
			check(&root, --nr);
		}
	EXPECT(rb_empty(&root));
	unit_free(items);
}

UNIT(a_replaced_node_leaves_the_tree)
{
	struct item a = {.key = 1}, b = {.key = 2}, c = {.key = 3}, other = {.key = 2};
	struct rb_root root = RB_ROOT;

	insert(&root, &b);
	insert(&root, &a);
	insert(&root, &c);
	rb_replace(&root, &b.rb, &other.rb);
	other.sum = b.sum;
	check(&root, 3);
	EXPECT(rb_next(&a.rb) == &other.rb);
	EXPECT(rb_parent(&c.rb) == &other.rb);
}

UNIT(intervals_are_found_as_by_looking_at_all)
{
	enum { N = 200 };
	struct itree_node *nodes = unit_alloc(N * sizeof(*nodes));
	bool in[N] = {false};
	struct itree_root root = {RB_ROOT};

	for (int step = 0; step < 3000; step++) {
		u64 k = unit_random_below(N), start = unit_random_below(1000);
		u64 last = start + unit_random_below(60), found = 0, expected = 0, at = 0;

		if (in[k]) {
			itree_remove(&root, &nodes[k]);
		} else {
			nodes[k].start = step % 50 ? unit_random_below(1000) : 0;
			nodes[k].last = step % 50 ? nodes[k].start + unit_random_below(80)
						  : U64_MAX;
			itree_insert(&root, &nodes[k]);
		}
		in[k] = !in[k];
		for (int i = 0; i < N; i++)
			expected += in[i] && nodes[i].start <= last && nodes[i].last >= start;
		for (struct itree_node *n = itree_first(&root, start, last); n;
			n = itree_next(n, start, last)) {
			EXPECT(n->start <= last && n->last >= start && n->start >= at);
			at = n->start;
			found++;
		}
		EXPECT_EQ(found, expected);
	}
	unit_free(nodes);
}
