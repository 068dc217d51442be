/*
 * Intrusive red-black trees. The caller finds the place and links: walk from root.node, then
 * rb_insert(root, node, parent, link). Child pointers are written with single stores in an order
 * that never forms a cycle, so a lock-free reader that walks down always ends; it may miss nodes
 * while a writer rotates, so it must validate with a sequence count.
 *
 * Augmented trees keep a value per subtree: "update" recomputes it for one node from its children.
 */
#ifndef LIB_RBTREE_H
#define LIB_RBTREE_H

struct rb_node {
	uintptr_t parent_color; /* parent pointer | color (1: black) */
	struct rb_node *left, *right;
};
struct rb_root {
	struct rb_node *node;
};
#define RB_ROOT      \
	{            \
		NULL \
	}

typedef void (*rb_update_fn)(struct rb_node *n);

static inline struct rb_node *rb_parent(const struct rb_node *n)
{
	return (struct rb_node *)(n->parent_color & ~3ul);
}
static inline bool rb_empty(const struct rb_root *r)
{
	return !r->node;
}
/* A node that is in no tree, if its owner marks it so. */
static inline void rb_mark_out(struct rb_node *n)
{
	n->parent_color = (uintptr_t)n;
}
static inline bool rb_is_out(const struct rb_node *n)
{
	return n->parent_color == (uintptr_t)n;
}

void rb_insert_augmented(struct rb_root *r, struct rb_node *n, struct rb_node *parent,
	struct rb_node **link, rb_update_fn update);
void rb_erase_augmented(struct rb_root *r, struct rb_node *n, rb_update_fn update);
/* Recompute from n up to the root (after n's own value changed). */
void rb_propagate(struct rb_node *n, rb_update_fn update);
static inline void rb_insert(
	struct rb_root *r, struct rb_node *n, struct rb_node *parent, struct rb_node **link)
{
	rb_insert_augmented(r, n, parent, link, NULL);
}
static inline void rb_erase(struct rb_root *r, struct rb_node *n)
{
	rb_erase_augmented(r, n, NULL);
}
struct rb_node *rb_first(const struct rb_root *r) pure_fn;
struct rb_node *rb_last(const struct rb_root *r) pure_fn;
struct rb_node *rb_next(const struct rb_node *n) pure_fn;
struct rb_node *rb_prev(const struct rb_node *n) pure_fn;
/* new takes old's place (equal key); augmented values are the caller's. */
void rb_replace(struct rb_root *r, struct rb_node *old, struct rb_node *new);

#define rb_entry(ptr, type, member) container_of(ptr, type, member)
#define rb_for_each(n, root)        for (struct rb_node *n = rb_first(root); n; n = rb_next(n))

#endif
