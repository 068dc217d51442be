/*
 * A radix tree from u64 indexes to pointers, 64 slots per node. Lookups (xa_load, xa_find*,
 * xa_batch) need no lock, only an RCU read section; writers are serialised by the caller's lock.
 * Entries are pointers with the two low bits zero, or integers made by xa_value.
 * Three marks per entry, kept up the tree, so that marked entries are found in O(log n).
 */
#ifndef LIB_XARRAY_H
#define LIB_XARRAY_H

enum xa_mark { XA_MARK_0, XA_MARK_1, XA_MARK_2, NR_XA_MARKS };
#define XA_DIRTY     XA_MARK_0
#define XA_WRITEBACK XA_MARK_1
#define XA_TOWRITE   XA_MARK_2

struct xarray {
	void *root; /* an entry (index 0 only), a node with bit 1 set, or NULL */
	u8 root_marks;
};

/* Memory for nodes: alloc gives zeroed or NULL; free must wait for an RCU grace period. Set once. */
struct xa_ops {
	void *(*node_alloc)(u32 gfp);
	void (*node_free)(void *node);
};
extern const u32 xa_node_size; /* bytes that node_alloc must give, aligned to 8 */
void xarray_set_ops(const struct xa_ops *ops);

static inline void xa_init(struct xarray *xa)
{
	xa->root = NULL;
	xa->root_marks = 0;
}
static inline void *xa_value(u64 v) /* up to 62 bits */
{
	return (void *)(uintptr_t)(v << 2 | 1);
}
static inline bool xa_is_value(const void *e)
{
	return (uintptr_t)e & 1;
}
static inline u64 xa_to_value(const void *e)
{
	return (uintptr_t)e >> 2;
}
static inline bool xa_empty(const struct xarray *xa)
{
	return !READ_ONCE(xa->root);
}

void *xa_load(const struct xarray *xa, u64 index);
/*
 * Replace the entry at index; NULL entry erases. 0, or -ENOMEM with nothing changed (gfp as the
 * allocator's). The old entry's marks are kept only when both old and new are not NULL.
 */
int xa_store(struct xarray *xa, u64 index, void *entry, u32 gfp) must_check;
/* Returns the erased entry or NULL. Never allocates. */
void *xa_erase(struct xarray *xa, u64 index);
/* Make sure that a later xa_store at index (with no erase in between) cannot fail. */
int xa_reserve(struct xarray *xa, u64 index, u32 gfp) must_check;
/* First entry with *index <= its index <= last: returns it and sets *index; NULL: none. */
void *xa_find(const struct xarray *xa, u64 *index, u64 last);
void *xa_find_mark(const struct xarray *xa, u64 *index, u64 last, enum xa_mark mark);
/* Up to n entries from *index on; *index becomes one behind the last found. indexes may be NULL. */
u32 xa_batch(const struct xarray *xa, u64 *index, u64 last, void **out, u64 *indexes, u32 n);
void xa_set_mark(struct xarray *xa, u64 index, enum xa_mark mark);
void xa_clear_mark(struct xarray *xa, u64 index, enum xa_mark mark);
bool xa_get_mark(const struct xarray *xa, u64 index, enum xa_mark mark);
bool xa_marked(const struct xarray *xa, enum xa_mark mark);
/* Free all nodes; entries are the caller's. */
void xa_destroy(struct xarray *xa);

#define xa_for_each(xa, index, entry) \
	for (index = 0; ((entry) = xa_find(xa, &(index), U64_MAX)); (index)++)

#endif
