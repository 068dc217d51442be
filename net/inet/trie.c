/*
 * A binary trie with compressed paths: prefixes of up to 128 bits, longest match in as many steps
 * as there are forks and shorter prefixes on the way, at most one per bit.
 *
 * A node's children agree with its key in its first len bits and differ in the next one. A node
 * without routes has two children (a fork); one with routes has any number. Readers walk under RCU:
 * each change is one pointer store, and a node that was taken out keeps its pointers.
 */
#include "inet.h"

static u32 common_bits(const struct inet_addr *a, const struct inet_addr *b, u32 max)
{
	u32 n = 0;

	for (int i = 0; i < 4 && n < max; i++) {
		u32 x = ntohl(a->w[i] ^ b->w[i]);

		if (x)
			return min(n + (u32)__builtin_clz(x), max);
		n += 32;
	}
	return min(n, max);
}

struct trie_node *trie_match(const struct trie *t, const struct inet_addr *a, int limit)
{
	struct trie_node *best = NULL, *n = rcu_load(t->root);

	while (n && n->len <= limit && addr_prefix_eq(&n->key, a, n->len)) {
		if (!list_empty(&n->routes))
			best = n;
		if (n->len == 128)
			break;
		n = rcu_load(n->child[addr_bit(a, n->len)]);
	}
	return best;
}

struct trie_node *trie_find(const struct trie *t, const struct inet_addr *key, u8 len)
{
	struct trie_node *n = t->root;

	while (n && n->len < len && addr_prefix_eq(&n->key, key, n->len))
		n = n->child[addr_bit(key, n->len)];
	return n && n->len == len && addr_prefix_eq(&n->key, key, len) ? n : NULL;
}

static struct trie_node *node_new(const struct inet_addr *key, u8 len)
{
	struct trie_node *n = kzalloc(sizeof(*n), GFP_KERNEL);

	if (n) {
		n->key = addr_mask(key, len);
		n->len = len;
		list_init(&n->routes);
	}
	return n;
}

struct trie_node *trie_insert(struct trie *t, const struct inet_addr *key, u8 len)
{
	struct trie_node **link = &t->root, *n, *fresh, *fork;
	u32 same;

	for (n = *link; n; n = *link) {
		same = common_bits(&n->key, key, min(n->len, len));
		if (same < n->len)
			break;
		if (n->len == len)
			return n;
		link = &n->child[addr_bit(key, n->len)];
	}
	fresh = node_new(key, len);
	if (!fresh)
		return NULL;
	if (!n) {
		rcu_publish(*link, fresh);
		return fresh;
	}
	if (same == len) { /* a shorter prefix of n: goes in between */
		fresh->child[addr_bit(&n->key, len)] = n;
		rcu_publish(*link, fresh);
		return fresh;
	}
	fork = node_new(key, (u8)same);
	if (!fork) {
		kfree(fresh);
		return NULL;
	}
	fork->child[addr_bit(key, same)] = fresh;
	fork->child[addr_bit(&n->key, same)] = n;
	rcu_publish(*link, fork);
	return fresh;
}

/* The link to n, and to its parent (NULL for the root). */
static struct trie_node **link_to(struct trie *t, struct trie_node *n, struct trie_node ***up)
{
	struct trie_node **link = &t->root;

	*up = NULL;
	while (*link != n) {
		*up = link;
		link = &(*link)->child[addr_bit(&n->key, (*link)->len)];
	}
	return link;
}

void trie_remove(struct trie *t, struct trie_node *n)
{
	struct trie_node **up, **link = link_to(t, n, &up), *parent;

	if (n->child[0] && n->child[1])
		return; /* stays as a fork */
	rcu_publish(*link, n->child[0] ? n->child[0] : n->child[1]);
	rcu_kfree(n, rcu);
	parent = up ? *up : NULL;
	if (parent && list_empty(&parent->routes) && (!parent->child[0] || !parent->child[1])) {
		rcu_publish(*up, parent->child[0] ? parent->child[0] : parent->child[1]);
		rcu_kfree(parent, rcu);
	}
}

/* Order: a prefix before what it contains, then by bits. */
struct trie_node *trie_next(const struct trie *t, const struct inet_addr *key, u8 len)
{
	struct trie_node *n = rcu_load(t->root), *later = NULL;

	/* Down to the first node that comes after (key, len); the last right-hand branch passed is
	 * where to go on when a subtree is used up. */
	while (n) {
		u32 same = key ? common_bits(&n->key, key, min(n->len, len)) : 0;

		if (!key || (same == len && n->len > len))
			break; /* all below comes after */
		if (same < n->len) {
			if (same < len && addr_bit(&n->key, same))
				break;
			n = NULL; /* all of it is before */
			break;
		}
		if (n->len == len) { /* the node itself: on with its children */
			if (n->child[0]) {
				later = n->child[1] ? n->child[1] : later;
				n = n->child[0];
			} else {
				n = n->child[1];
			}
			break;
		}
		if (addr_bit(key, n->len)) {
			n = n->child[1];
		} else {
			later = n->child[1] ? n->child[1] : later;
			n = n->child[0];
		}
	}
	if (!n)
		n = later;
	while (n && list_empty(&n->routes)) /* a fork has children */
		n = n->child[0] ? n->child[0] : n->child[1];
	return n;
}
