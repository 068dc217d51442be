/* Interval trees over augmented red-black trees. */
#include <lib/itree.h>

static struct itree_node *of(struct rb_node *n)
{
	return n ? container_of(n, struct itree_node, rb) : NULL;
}

static void update(struct rb_node *rb)
{
	struct itree_node *n = of(rb), *l = of(rb->left), *r = of(rb->right);

	n->subtree_last = n->last;
	if (l && l->subtree_last > n->subtree_last)
		n->subtree_last = l->subtree_last;
	if (r && r->subtree_last > n->subtree_last)
		n->subtree_last = r->subtree_last;
}

void itree_insert(struct itree_root *t, struct itree_node *n)
{
	struct rb_node **link = &t->rb.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = n->start < of(parent)->start ? &parent->left : &parent->right;
	}
	rb_insert_augmented(&t->rb, &n->rb, parent, link, update);
}

void itree_remove(struct itree_root *t, struct itree_node *n)
{
	rb_erase_augmented(&t->rb, &n->rb, update);
}

/* Leftmost node of the subtree that overlaps. */
static struct itree_node *search(struct itree_node *n, u64 start, u64 last)
{
	while (n && n->subtree_last >= start) {
		struct itree_node *l = of(n->rb.left);

		if (l && l->subtree_last >= start) {
			n = l;
			continue;
		}
		if (n->start > last)
			return NULL;
		if (n->last >= start)
			return n;
		n = of(n->rb.right);
	}
	return NULL;
}

struct itree_node *itree_first(const struct itree_root *t, u64 start, u64 last)
{
	return search(of(t->rb.node), start, last);
}

struct itree_node *itree_next(struct itree_node *n, u64 start, u64 last)
{
	struct itree_node *r = of(n->rb.right);

	if (r && r->subtree_last >= start)
		return search(r, start, last);
	for (;;) {
		struct rb_node *child = &n->rb, *p = rb_parent(child);

		while (p && child == p->right) {
			child = p;
			p = rb_parent(p);
		}
		if (!p)
			return NULL;
		n = of(p);
		if (n->start > last)
			return NULL;
		if (n->last >= start)
			return n;
		r = of(n->rb.right);
		if (r && r->subtree_last >= start)
			return search(r, start, last);
	}
}
