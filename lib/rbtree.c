/*
 * Red-black trees: insertion and removal after the textbook (Cormen et al., chapter 13), with the
 * parent and the color in one word and an optional update of per-subtree values.
 */
#include <lib/rbtree.h>

#define RED   0ul
#define BLACK 1ul

static bool is_black(const struct rb_node *n)
{
	return !n || (n->parent_color & 1) == BLACK;
}

static void set_color(struct rb_node *n, uintptr_t color)
{
	n->parent_color = (n->parent_color & ~1ul) | color;
}

static void set_parent(struct rb_node *n, struct rb_node *p)
{
	n->parent_color = (uintptr_t)p | (n->parent_color & 1);
}

/* Whatever pointed to old (its parent's child or the root) points to new. */
static void replace_child(
	struct rb_root *r, struct rb_node *parent, struct rb_node *old, struct rb_node *new)
{
	if (!parent)
		WRITE_ONCE(r->node, new);
	else if (parent->left == old)
		WRITE_ONCE(parent->left, new);
	else
		WRITE_ONCE(parent->right, new);
}

static void rotate(struct rb_root *r, struct rb_node *n, bool left, rb_update_fn update)
{
	struct rb_node *up = left ? n->right : n->left;
	struct rb_node *mid = left ? up->left : up->right;
	struct rb_node *parent = rb_parent(n);

	/* n gives up "up" first: at no moment do two nodes point to each other. */
	if (left) {
		WRITE_ONCE(n->right, mid);
		WRITE_ONCE(up->left, n);
	} else {
		WRITE_ONCE(n->left, mid);
		WRITE_ONCE(up->right, n);
	}
	if (mid)
		set_parent(mid, n);
	set_parent(up, parent);
	replace_child(r, parent, n, up);
	set_parent(n, up);
	if (update) {
		update(n);
		update(up);
	}
}

void rb_propagate(struct rb_node *n, rb_update_fn update)
{
	for (; n; n = rb_parent(n))
		update(n);
}

void rb_insert_augmented(struct rb_root *r, struct rb_node *n, struct rb_node *parent,
	struct rb_node **link, rb_update_fn update)
{
	n->left = n->right = NULL;
	n->parent_color = (uintptr_t)parent | RED;
	__atomic_store_n(link, n, __ATOMIC_RELEASE);
	if (update)
		rb_propagate(n, update);
	while ((parent = rb_parent(n)) && !is_black(parent)) {
		struct rb_node *grand = rb_parent(parent);
		bool on_left = parent == grand->left;
		struct rb_node *uncle = on_left ? grand->right : grand->left;

		if (!is_black(uncle)) {
			set_color(parent, BLACK);
			set_color(uncle, BLACK);
			set_color(grand, RED);
			n = grand;
			continue;
		}
		if (n == (on_left ? parent->right : parent->left)) {
			rotate(r, parent, on_left, update);
			n = parent;
			parent = rb_parent(n);
		}
		set_color(parent, BLACK);
		set_color(grand, RED);
		rotate(r, grand, !on_left, update);
	}
	set_color(r->node, BLACK);
}

/* The subtree at n (child of parent, maybe NULL) lacks one black node. */
static void erase_fix(
	struct rb_root *r, struct rb_node *n, struct rb_node *parent, rb_update_fn update)
{
	while (n != r->node && is_black(n)) {
		bool on_left = parent->left == n;
		struct rb_node *s = on_left ? parent->right : parent->left;
		struct rb_node *far;

		if (!is_black(s)) {
			set_color(s, BLACK);
			set_color(parent, RED);
			rotate(r, parent, on_left, update);
			s = on_left ? parent->right : parent->left;
		}
		if (is_black(s->left) && is_black(s->right)) {
			set_color(s, RED);
			n = parent;
			parent = rb_parent(n);
			continue;
		}
		far = on_left ? s->right : s->left;
		if (is_black(far)) {
			set_color(on_left ? s->left : s->right, BLACK);
			set_color(s, RED);
			rotate(r, s, !on_left, update);
			s = on_left ? parent->right : parent->left;
			far = on_left ? s->right : s->left;
		}
		s->parent_color = (s->parent_color & ~1ul) | (parent->parent_color & 1);
		set_color(parent, BLACK);
		set_color(far, BLACK);
		rotate(r, parent, on_left, update);
		n = r->node;
	}
	if (n)
		set_color(n, BLACK);
}

void rb_erase_augmented(struct rb_root *r, struct rb_node *n, rb_update_fn update)
{
	struct rb_node *parent = rb_parent(n), *child, *fix_parent;
	bool lost_black;

	if (!n->left || !n->right) {
		child = n->left ? n->left : n->right;
		fix_parent = parent;
		lost_black = is_black(n);
		if (child)
			set_parent(child, parent);
		replace_child(r, parent, n, child);
	} else {
		/* The successor takes n's place and color. */
		struct rb_node *s = n->right;

		while (s->left)
			s = s->left;
		lost_black = is_black(s);
		child = s->right;
		fix_parent = rb_parent(s);
		if (fix_parent == n) {
			fix_parent = s;
		} else {
			WRITE_ONCE(fix_parent->left, child);
			if (child)
				set_parent(child, fix_parent);
			WRITE_ONCE(s->right, n->right);
			set_parent(n->right, s);
		}
		WRITE_ONCE(s->left, n->left);
		set_parent(n->left, s);
		s->parent_color = n->parent_color;
		replace_child(r, parent, n, s);
	}
	if (update && fix_parent)
		rb_propagate(fix_parent, update);
	if (lost_black)
		erase_fix(r, child, fix_parent, update);
}

struct rb_node *rb_first(const struct rb_root *r)
{
	struct rb_node *n = r->node;

	while (n && n->left)
		n = n->left;
	return n;
}

struct rb_node *rb_last(const struct rb_root *r)
{
	struct rb_node *n = r->node;

	while (n && n->right)
		n = n->right;
	return n;
}

struct rb_node *rb_next(const struct rb_node *n)
{
	struct rb_node *p;

	if (n->right) {
		p = n->right;
		while (p->left)
			p = p->left;
		return p;
	}
	for (p = rb_parent(n); p && n == p->right; p = rb_parent(p))
		n = p;
	return p;
}

struct rb_node *rb_prev(const struct rb_node *n)
{
	struct rb_node *p;

	if (n->left) {
		p = n->left;
		while (p->right)
			p = p->right;
		return p;
	}
	for (p = rb_parent(n); p && n == p->left; p = rb_parent(p))
		n = p;
	return p;
}

void rb_replace(struct rb_root *r, struct rb_node *old, struct rb_node *new)
{
	*new = *old;
	if (new->left)
		set_parent(new->left, new);
	if (new->right)
		set_parent(new->right, new);
	replace_child(r, rb_parent(old), old, new);
}
