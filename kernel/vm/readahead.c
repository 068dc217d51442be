/*
 * Reading ahead: a stream of reads at rising offsets (or at a constant distance) has its next pages
 * brought in before it asks.
 *
 * A window is what was read ahead last. When a sequential reader passes its middle the next one,
 * twice as long up to the maximum, is started, so that a steady reader never waits. A lone read
 * brings in what it wants and no more.
 */
#include <vm/writeback.h>
#include "vm.h"
#include "cache.h"

#define BATCH   32 /* pages handed to the owner at once */
#define INITIAL 4u /* pages of a stream's first window */

void object_readahead(struct vm_object *o, u64 index, u64 n)
{
	u64 size = div_round_up(READ_ONCE(o->size), PAGE_SIZE);
	u64 end = min(size, index + n < index ? U64_MAX : index + n);
	struct page *batch[BATCH];
	u32 have = 0;

	if (!o->ops || !o->ops->read_pages || index >= end)
		return;
	rwsem_read_lock(&o->invalidate_lock);
	end = min(end, div_round_up(READ_ONCE(o->size), PAGE_SIZE));
	for (; index < end; index++) {
		struct page *p = object_find(o, index);
		int err = p ? -EEXIST : 0;

		if (p)
			put_page(p);
		else
			err = object_new_page(o, index, GFP_USER | GFP_NORETRY, &batch[have]);
		if (!err)
			have++;
		if (have && (err || have == BATCH)) {
			o->ops->read_pages(o, batch, have);
			have = 0;
		}
		if (err && err != -EEXIST)
			break;
	}
	if (have)
		o->ops->read_pages(o, batch, have);
	rwsem_read_unlock(&o->invalidate_lock);
}

static u32 window_max(const struct vm_object *o, const struct readahead *ra)
{
	u32 max = READ_ONCE(ra->max);

	return max ? max : o->wb ? READ_ONCE(o->wb->ra_pages) : 32;
}

/* A request for [index, index + want) is about to be served; missing: its first page isn't here. */
static void read_ahead(struct vm_object *o, struct readahead *ra, u64 index, u64 want, bool missing)
{
	u32 max = window_max(o, ra);
	u64 end = ra->start + ra->size;

	if (max <= 1) {
		if (missing)
			object_readahead(o, index, want);
		return;
	}
	if (ra->size && index >= ra->start && index <= end) {
		/* In the stream: go on when its middle is passed. */
		if (index + want <= ra->start + ra->size / 2 && !missing)
			return;
		if (index + want > end)
			end = max(end, index);
		ra->start = missing ? index : end;
		ra->size = min(max, ra->size * 2);
		object_readahead(o, ra->start, max_t(u64, ra->size, missing ? want : 0));
		if (missing && want > ra->size)
			ra->size = (u32)want;
		return;
	}
	if (!missing)
		return;
	if (index == 0 || index == ra->prev || index == ra->prev + 1) {
		ra->start = index;
		ra->size = min_t(u64, max, max_t(u64, INITIAL, 2 * want));
		object_readahead(o, index, max_t(u64, ra->size, want));
		return;
	}
	object_readahead(o, index, want);
	if (ra->stride && index - ra->first == ra->stride) {
		for (u32 i = 1; i <= 4; i++)
			object_readahead(o, index + i * ra->stride, want);
	}
	ra->stride = index - ra->first;
	ra->first = index;
	ra->size = 0;
}

/* Large requests are served in parts, so that pages read ahead aren't gone before their turn. */
#define PART (1ul << 20)

ssize_t object_read_stream(struct vm_object *o, struct iter *to, off64_t *pos, struct readahead *ra)
{
	size_t total = 0, n, rest;
	ssize_t got;

	if (!o->ops->read_pages)
		return object_read(o, to, pos);
	do {
		u64 index = (u64)*pos >> PAGE_SHIFT, last;

		n = min(to->count, PART - ((size_t)*pos & (PART - 1)));
		rest = to->count - n;
		if (n && (u64)*pos < READ_ONCE(o->size)) {
			struct page *p = object_find(o, index);

			last = ((u64)*pos + n - 1) >> PAGE_SHIFT;
			if (p)
				put_page(p);
			if (!p || index != ra->prev)
				read_ahead(o, ra, index, last - index + 1, !p);
			ra->prev = last;
		}
		to->count = n;
		got = object_read(o, to, pos);
		to->count += rest;
		if (got > 0)
			total += (size_t)got;
		if (got < (ssize_t)n)
			return total ? (ssize_t)total : got;
	} while (to->count);
	return (ssize_t)total;
}
