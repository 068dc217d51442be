/*
 * Intrusive doubly linked circular lists, hash lists (one-pointer heads) and lock-free
 * single-linked stacks. The caller's lock guards them; *_rcu readers need rcu_read_lock() and
 * writers their lock.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_INIT(name)          \
	{                        \
		&(name), &(name) \
	}
#define LIST_HEAD(name) struct list_head name = LIST_INIT(name)

static inline void list_init(struct list_head *h)
{
	h->next = h->prev = h;
}

static inline void list_insert_between(
	struct list_head *n, struct list_head *prev, struct list_head *next)
{
	n->next = next;
	n->prev = prev;
	next->prev = n;
	__atomic_store_n(&prev->next, n, __ATOMIC_RELEASE); /* pairs with list_for_each_entry_rcu */
}

/* Add right after h (at the front of a list). */
static inline void list_add(struct list_head *n, struct list_head *h)
{
	list_insert_between(n, h, h->next);
}

/* Add right before h (at the end of a list). */
static inline void list_add_tail(struct list_head *n, struct list_head *h)
{
	list_insert_between(n, h->prev, h);
}

/* Unlink; n itself keeps its pointers, so that an RCU reader standing on it can go on. */
static inline void list_del_rcu(struct list_head *n)
{
	n->next->prev = n->prev;
	WRITE_ONCE(n->prev->next, n->next);
}

/* Unlink and leave n an empty list: list_del twice is harmless, list_empty(n) tells. */
static inline void list_del(struct list_head *n)
{
	list_del_rcu(n);
	list_init(n);
}

static inline bool list_empty(const struct list_head *h)
{
	return READ_ONCE(h->next) == h;
}

static inline bool list_is_last(const struct list_head *n, const struct list_head *h)
{
	return n->next == h;
}

static inline void list_move(struct list_head *n, struct list_head *h)
{
	list_del_rcu(n);
	list_add(n, h);
}

static inline void list_move_tail(struct list_head *n, struct list_head *h)
{
	list_del_rcu(n);
	list_add_tail(n, h);
}

/* Append all of list "from" to the end of "to"; from becomes empty. */
static inline void list_splice_tail(struct list_head *from, struct list_head *to)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(ptr, type, member)     container_of(ptr, type, member)
#define list_first_entry(h, type, member) list_entry((h)->next, type, member)
#define list_last_entry(h, type, member)  list_entry((h)->prev, type, member)
#define list_next_entry(pos, member)      list_entry((pos)->member.next, __typeof__(*(pos)), member)
#define list_prev_entry(pos, member)      list_entry((pos)->member.prev, __typeof__(*(pos)), member)
#define list_first_entry_or_null(h, type, member) \
	(list_empty(h) ? NULL : list_first_entry(h, type, member))

#define list_for_each(pos, h) for (pos = (h)->next; pos != (h); pos = pos->next)
#define list_for_each_entry(pos, h, member)                                            \
	for (pos = list_first_entry(h, __typeof__(*pos), member); &pos->member != (h); \
		pos = list_next_entry(pos, member))
#define list_for_each_entry_safe(pos, n, h, member)               \
	for (pos = list_first_entry(h, __typeof__(*pos), member), \
	    n = list_next_entry(pos, member);                     \
		&pos->member != (h); pos = n, n = list_next_entry(n, member))
#define list_for_each_entry_rcu(pos, h, member)                                                \
	for (pos = list_entry(                                                                 \
		     __atomic_load_n(&(h)->next, __ATOMIC_ACQUIRE), __typeof__(*pos), member); \
		&pos->member != (h);                                                           \
		pos = list_entry(__atomic_load_n(&pos->member.next, __ATOMIC_ACQUIRE),         \
			__typeof__(*pos), member))

/* Hash lists. */
struct hlist_node {
	struct hlist_node *next, **pprev;
};
struct hlist_head {
	struct hlist_node *first;
};

static inline void hlist_add_head(struct hlist_node *n, struct hlist_head *h)
{
	n->next = h->first;
	n->pprev = &h->first;
	if (h->first)
		h->first->pprev = &n->next;
	__atomic_store_n(&h->first, n, __ATOMIC_RELEASE);
}

static inline void hlist_add_behind(struct hlist_node *n, struct hlist_node *prev)
{
	n->next = prev->next;
	n->pprev = &prev->next;
	if (prev->next)
		prev->next->pprev = &n->next;
	__atomic_store_n(&prev->next, n, __ATOMIC_RELEASE);
}

static inline bool hlist_unhashed(const struct hlist_node *n)
{
	return !n->pprev;
}

/* RCU readers standing on n can go on; n counts as unhashed from now on. */
static inline void hlist_del(struct hlist_node *n)
{
	if (hlist_unhashed(n))
		return;
	WRITE_ONCE(*n->pprev, n->next);
	if (n->next)
		n->next->pprev = n->pprev;
	n->pprev = NULL;
}

#define hlist_entry_safe(ptr, type, member)                 \
	({                                                  \
		__auto_type _p = (ptr);                     \
		_p ? container_of(_p, type, member) : NULL; \
	})
#define hlist_for_each_entry(pos, h, member)                                                      \
	for (pos = hlist_entry_safe(                                                              \
		     __atomic_load_n(&(h)->first, __ATOMIC_ACQUIRE), __typeof__(*pos), member);   \
		pos; pos = hlist_entry_safe(__atomic_load_n(&pos->member.next, __ATOMIC_ACQUIRE), \
			     __typeof__(*pos), member))

#endif
