/* Rings of bytes. */
#include <lib/ringbuf.h>
#include <lib/string.h>

u32 ringbuf_put(struct ringbuf *r, const void *data, u32 n)
{
	u32 at = r->head & (r->size - 1), first;

	n = min(n, ringbuf_room(r));
	first = min(n, r->size - at);
	memcpy(r->data + at, data, first);
	memcpy(r->data, (const u8 *)data + first, n - first);
	r->head += n;
	return n;
}

u32 ringbuf_peek(const struct ringbuf *r, void *data, u32 n, u32 offset)
{
	u32 at = (r->tail + offset) & (r->size - 1), first;

	offset = min(offset, ringbuf_used(r));
	n = min(n, ringbuf_used(r) - offset);
	first = min(n, r->size - at);
	memcpy(data, r->data + at, first);
	memcpy((u8 *)data + first, r->data, n - first);
	return n;
}

u32 ringbuf_get(struct ringbuf *r, void *data, u32 n)
{
	n = ringbuf_peek(r, data, n, 0);
	r->tail += n;
	return n;
}

void ringbuf_drop(struct ringbuf *r, u32 n)
{
	r->tail += min(n, ringbuf_used(r));
}
