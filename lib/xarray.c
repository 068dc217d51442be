/*
 * Radix tree. A node covers 64 << shift indexes; the root pointer is NULL, a single entry at index
 * 0, or the top node (tagged). The tree grows upwards when an index does not fit and shrinks when
 * its top node holds only slot 0. Readers follow pointers published with release stores; a node
 * taken out of the tree keeps its content until a grace period is over, so a reader inside it sees
 * entries that were valid.
 */
#include <lib/atomic.h>
#include <lib/err.h>
#include <lib/xarray.h>

#define BITS  6
#define SLOTS 64u

struct node {
	u8 shift;
	u8 offset; /* slot in the parent */
	u8 count;  /* slots that aren't NULL */
	struct node *parent;
	u64 marks[NR_XA_MARKS];
	void *slots[SLOTS];
};

const u32 xa_node_size = sizeof(struct node);
static const struct xa_ops *g_ops; /* set once at start-up */

void xarray_set_ops(const struct xa_ops *ops)
{
	g_ops = ops;
}

static bool is_node(const void *p)
{
	return ((uintptr_t)p & 3) == 2;
}

static struct node *to_node(void *p)
{
	return (struct node *)((uintptr_t)p & ~3ul);
}

static void *from_node(struct node *n)
{
	return (void *)((uintptr_t)n | 2);
}

static u64 max_index(const struct node *n)
{
	return n->shift + BITS >= 64 ? U64_MAX : (1ull << (n->shift + BITS)) - 1;
}

static u32 slot_of(const struct node *n, u64 index)
{
	return (index >> n->shift) & (SLOTS - 1);
}

void *xa_load(const struct xarray *xa, u64 index)
{
	void *p = load_acquire(&xa->root);

	if (!is_node(p))
		return index == 0 ? p : NULL;
	if (index > max_index(to_node(p)))
		return NULL;
	while (is_node(p)) {
		struct node *n = to_node(p);

		p = load_acquire(&n->slots[slot_of(n, index)]);
	}
	return p;
}

static struct node *node_new(u32 shift, struct node *parent, u32 offset, u32 gfp)
{
	struct node *n = g_ops->node_alloc(gfp);

	if (!n)
		return NULL;
	n->shift = (u8)shift;
	n->parent = parent;
	n->offset = (u8)offset;
	return n;
}

/* Put a new top node over what is there. */
static int grow_once(struct xarray *xa, u32 gfp)
{
	struct node *old = is_node(xa->root) ? to_node(xa->root) : NULL;
	struct node *n = node_new(old ? old->shift + BITS : 0, NULL, 0, gfp);

	if (!n)
		return -ENOMEM;
	if (xa->root) {
		n->slots[0] = xa->root;
		n->count = 1;
		for (int m = 0; m < NR_XA_MARKS; m++)
			n->marks[m] = old ? old->marks[m] != 0 : (xa->root_marks >> m) & 1;
		if (old)
			old->parent = n;
	}
	store_release(&xa->root, from_node(n));
	return 0;
}

/* Take off the top nodes that grow_once put over old_root. */
static void ungrow(struct xarray *xa, void *old_root)
{
	while (xa->root != old_root) {
		struct node *top = to_node(xa->root);
		void *below = top->slots[0];

		if (is_node(below))
			to_node(below)->parent = NULL;
		store_release(&xa->root, below);
		g_ops->node_free(top);
	}
}

/* Cut the chain of empty nodes below slot s of n. */
static void cut_chain(struct node *n, u32 s)
{
	void *p = n->slots[s];

	WRITE_ONCE(n->slots[s], NULL);
	n->count--;
	while (p) {
		struct node *child = to_node(p);

		p = NULL;
		for (u32 i = 0; i < SLOTS && !p; i++)
			p = child->slots[i];
		g_ops->node_free(child);
	}
}

/* The bottom node for index, created as needed; NULL: no memory, and nothing is changed. */
static struct node *make_path(struct xarray *xa, u64 index, u32 gfp)
{
	void *old_root = xa->root;
	struct node *n, *cut_at = NULL; /* the deepest node that was there before */

	while (!is_node(xa->root) || index > max_index(to_node(xa->root)))
		if (grow_once(xa, gfp))
			goto fail;
	for (n = to_node(xa->root); n->shift;) {
		u32 s = slot_of(n, index);
		struct node *child;

		if (!n->slots[s]) {
			child = node_new(n->shift - BITS, n, s, gfp);
			if (!child)
				goto fail;
			store_release(&n->slots[s], from_node(child));
			n->count++;
			if (!cut_at)
				cut_at = n;
		}
		n = to_node(n->slots[s]);
	}
	if (!is_node(old_root))
		xa->root_marks = 0; /* they are in a node now */
	return n;
fail:
	if (cut_at)
		cut_chain(cut_at, slot_of(cut_at, index));
	ungrow(xa, old_root);
	return NULL;
}

/* The bottom node that holds index, or NULL. Writers only. */
static struct node *find_node(const struct xarray *xa, u64 index)
{
	struct node *n;

	if (!is_node(xa->root) || index > max_index(to_node(xa->root)))
		return NULL;
	for (n = to_node(xa->root); n->shift;) {
		void *p = n->slots[slot_of(n, index)];

		if (!p)
			return NULL;
		n = to_node(p);
	}
	return n;
}

static void clear_mark_up(struct node *n, u32 slot, int mark)
{
	while (n) {
		n->marks[mark] &= ~(1ull << slot);
		if (n->marks[mark])
			return;
		slot = n->offset;
		n = n->parent;
	}
}

/* Free empty nodes from n upwards, then make the tree as low as it can be. */
static void shrink(struct xarray *xa, struct node *n)
{
	while (n && n->count == 0) {
		struct node *parent = n->parent;

		if (parent) {
			WRITE_ONCE(parent->slots[n->offset], NULL);
			parent->count--;
		} else {
			WRITE_ONCE(xa->root, NULL);
			xa->root_marks = 0;
		}
		g_ops->node_free(n);
		n = parent;
	}
	while (is_node(xa->root)) {
		struct node *top = to_node(xa->root);
		void *only = top->slots[0];

		if (top->count != 1 || !only)
			return;
		if (!is_node(only))
			for (int m = 0; m < NR_XA_MARKS; m++)
				xa->root_marks |= (u8)((top->marks[m] & 1) << m);
		else
			to_node(only)->parent = NULL;
		store_release(&xa->root, only);
		g_ops->node_free(top);
	}
}

void *xa_erase(struct xarray *xa, u64 index)
{
	struct node *n;
	void *old;
	u32 s;

	if (!is_node(xa->root)) {
		old = index == 0 ? xa->root : NULL;
		if (old) {
			WRITE_ONCE(xa->root, NULL);
			xa->root_marks = 0;
		}
		return old;
	}
	n = find_node(xa, index);
	if (!n)
		return NULL;
	s = slot_of(n, index);
	old = n->slots[s];
	if (old) {
		for (int m = 0; m < NR_XA_MARKS; m++)
			clear_mark_up(n, s, m);
		WRITE_ONCE(n->slots[s], NULL);
		n->count--;
	}
	shrink(xa, n);
	return old;
}

int xa_store(struct xarray *xa, u64 index, void *entry, u32 gfp)
{
	struct node *n;
	u32 s;

	if (!entry) {
		(void)xa_erase(xa, index);
		return 0;
	}
	if (index == 0 && !is_node(xa->root)) {
		store_release(&xa->root, entry);
		return 0;
	}
	n = make_path(xa, index, gfp);
	if (!n)
		return -ENOMEM;
	s = slot_of(n, index);
	if (!n->slots[s])
		n->count++;
	store_release(&n->slots[s], entry);
	return 0;
}

int xa_reserve(struct xarray *xa, u64 index, u32 gfp)
{
	if (index == 0 && !is_node(xa->root))
		return 0;
	return make_path(xa, index, gfp) ? 0 : -ENOMEM;
}

/* First slot >= s of n that is present (and marked, for mark >= 0); SLOTS: none. */
static u32 next_slot(struct node *n, u32 s, int mark)
{
	if (mark >= 0) {
		u64 bits = s < SLOTS ? READ_ONCE(n->marks[mark]) >> s : 0;

		return bits ? s + (u32)__builtin_ctzll(bits) : SLOTS;
	}
	while (s < SLOTS && !READ_ONCE(n->slots[s]))
		s++;
	return s;
}

static void *find(const struct xarray *xa, u64 *index, u64 last, int mark)
{
	u64 at = *index;

restart:
	for (;;) {
		void *p = load_acquire(&xa->root);

		if (at > last || !p)
			return NULL;
		if (!is_node(p)) {
			if (at > 0 || (mark >= 0 && !((xa->root_marks >> mark) & 1)))
				return NULL;
			*index = 0;
			return p;
		}
		if (at > max_index(to_node(p)))
			return NULL;
		while (is_node(p)) {
			struct node *n = to_node(p);
			u32 first = slot_of(n, at), s = next_slot(n, first, mark);
			u64 span = 1ull << n->shift, base;

			if (s != first) {
				/* Skip to the start of slot s; SLOTS: behind this node. */
				base = at & ~((span << (BITS - 1) << 1) - 1);
				if (n->shift + BITS >= 64)
					base = 0;
				if (s == SLOTS && base + (span - 1) + span * (SLOTS - 1) == U64_MAX)
					return NULL;
				at = base + span * s;
				if (s == SLOTS)
					goto restart;
				if (at > last)
					return NULL;
			}
			p = load_acquire(&n->slots[s]);
			if (!p) { /* erased meanwhile */
				if (at == U64_MAX)
					return NULL;
				at++;
				goto restart;
			}
		}
		*index = at;
		return p;
	}
}

void *xa_find(const struct xarray *xa, u64 *index, u64 last)
{
	return find(xa, index, last, -1);
}

void *xa_find_mark(const struct xarray *xa, u64 *index, u64 last, enum xa_mark mark)
{
	return find(xa, index, last, (int)mark);
}

u32 xa_batch(const struct xarray *xa, u64 *index, u64 last, void **out, u64 *indexes, u32 n)
{
	u32 got = 0;

	while (got < n) {
		void *e = xa_find(xa, index, last);

		if (!e)
			break;
		if (indexes)
			indexes[got] = *index;
		out[got++] = e;
		if (*index == U64_MAX)
			break;
		(*index)++;
	}
	return got;
}

void xa_set_mark(struct xarray *xa, u64 index, enum xa_mark mark)
{
	struct node *n = find_node(xa, index);
	u32 s;

	if (!is_node(xa->root)) {
		if (index == 0 && xa->root)
			xa->root_marks |= (u8)(1u << mark);
		return;
	}
	if (!n)
		return;
	s = slot_of(n, index);
	if (!n->slots[s])
		return;
	for (; n && !(n->marks[mark] >> s & 1); s = n->offset, n = n->parent)
		n->marks[mark] |= 1ull << s;
}

void xa_clear_mark(struct xarray *xa, u64 index, enum xa_mark mark)
{
	struct node *n = find_node(xa, index);

	if (!is_node(xa->root)) {
		if (index == 0)
			xa->root_marks &= (u8) ~(1u << mark);
		return;
	}
	if (n)
		clear_mark_up(n, slot_of(n, index), mark);
}

bool xa_get_mark(const struct xarray *xa, u64 index, enum xa_mark mark)
{
	struct node *n = find_node(xa, index);

	if (!is_node(xa->root))
		return index == 0 && xa->root && ((xa->root_marks >> mark) & 1);
	return n && (n->marks[mark] >> slot_of(n, index) & 1);
}

bool xa_marked(const struct xarray *xa, enum xa_mark mark)
{
	void *p = load_acquire(&xa->root);

	if (is_node(p))
		return to_node(p)->marks[mark] != 0;
	return p && ((xa->root_marks >> mark) & 1);
}

static void destroy_node(struct node *n)
{
	if (n->shift) /* at most eleven levels deep */
		for (u32 s = 0; s < SLOTS; s++)
			if (n->slots[s])
				destroy_node(to_node(n->slots[s]));
	g_ops->node_free(n);
}

void xa_destroy(struct xarray *xa)
{
	if (is_node(xa->root))
		destroy_node(to_node(xa->root));
	xa_init(xa);
}
