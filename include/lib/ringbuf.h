/*
 * A ring of bytes over memory that the caller gives; its size is a power of two. Positions only
 * grow, so full and empty differ. The caller's lock guards it.
 */
#ifndef LIB_RINGBUF_H
#define LIB_RINGBUF_H

struct ringbuf {
	u8 *data;
	u32 size;       /* power of two, at most 2 GiB */
	u32 head, tail; /* written and read in all, modulo 2^32 */
};

static inline void ringbuf_init(struct ringbuf *r, void *data, u32 size)
{
	*r = (struct ringbuf){.data = data, .size = size};
}
static inline u32 ringbuf_used(const struct ringbuf *r)
{
	return r->head - r->tail;
}
static inline u32 ringbuf_room(const struct ringbuf *r)
{
	return r->size - ringbuf_used(r);
}
/* Bytes put in or taken out: fewer than n when full or empty. */
u32 ringbuf_put(struct ringbuf *r, const void *data, u32 n);
u32 ringbuf_get(struct ringbuf *r, void *data, u32 n);
/* As ringbuf_get, leaving them there, from offset bytes behind the oldest on. */
u32 ringbuf_peek(const struct ringbuf *r, void *data, u32 n, u32 offset);
/* Drop up to n of the oldest bytes. */
void ringbuf_drop(struct ringbuf *r, u32 n);

#endif
