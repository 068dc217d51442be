/* Sets of revoked blocks: open addressing, grown to stay at most half full. */
#include <lib/hash.h>
#include "internal.h"

#define FIRST_SIZE 64

static struct revoke_entry *probe(struct revoke_entry *slots, u32 size, u64 block)
{
	u32 at = (u32)hash_u64(block) & (size - 1);

	while (slots[at].block_plus1 && slots[at].block_plus1 != block + 1)
		at = (at + 1) & (size - 1);
	return &slots[at];
}

struct revoke_entry *revoke_find(const struct revoke_table *r, u64 block)
{
	struct revoke_entry *e = r->size ? probe(r->slots, r->size, block) : NULL;

	return e && e->block_plus1 ? e : NULL;
}

static int grow(struct revoke_table *r)
{
	u32 size = r->size ? r->size * 2 : FIRST_SIZE;
	struct revoke_entry *slots;

	if (size > 1u << 26)
		return -ENOMEM;
	slots = kvmalloc((size_t)size * sizeof(*slots), GFP_NOFS | GFP_ZERO);
	if (!slots)
		return -ENOMEM;
	for (u32 i = 0; i < r->size; i++)
		if (r->slots[i].block_plus1)
			*probe(slots, size, r->slots[i].block_plus1 - 1) = r->slots[i];
	kvfree(r->slots);
	r->slots = slots;
	r->size = size;
	return 0;
}

int revoke_insert(struct revoke_table *r, u64 block, journal_tid tid, bool *added)
{
	struct revoke_entry *e;
	int err;

	*added = false;
	if (r->count >= r->size / 2) {
		err = grow(r);
		if (err)
			return err;
	}
	e = probe(r->slots, r->size, block);
	if (!e->block_plus1) {
		*e = (struct revoke_entry){.block_plus1 = block + 1, .tid = tid, .live = true};
		r->count++;
		*added = true;
	} else if (!e->live || journal_tid_after(tid, e->tid)) {
		e->tid = tid;
		e->live = true;
	}
	return 0;
}

void revoke_free(struct revoke_table *r)
{
	kvfree(r->slots);
	*r = (struct revoke_table){};
}
