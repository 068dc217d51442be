/* Interval trees: intervals [start, last] of u64, overlapping ones allowed; all O(log n). */
#ifndef LIB_ITREE_H
#define LIB_ITREE_H

#include <lib/rbtree.h>

struct itree_node {
	struct rb_node rb;
	u64 start, last; /* inclusive */
	u64 subtree_last;
};
struct itree_root {
	struct rb_root rb;
};

void itree_insert(struct itree_root *t, struct itree_node *n);
void itree_remove(struct itree_root *t, struct itree_node *n);
/* First by start that overlaps [start, last], and the next after n; NULL at the end. */
struct itree_node *itree_first(const struct itree_root *t, u64 start, u64 last);
struct itree_node *itree_next(struct itree_node *n, u64 start, u64 last);
static inline bool itree_empty(const struct itree_root *t)
{
	return rb_empty(&t->rb);
}

#endif
