/* Bytes into packets and out of them. */
#include <lib/err.h>
#include <lib/string.h>
#include <net/packet.h>

static void *frag_at(const struct packet_frag *f, u32 off)
{
	return (u8 *)page_address(f->page) + f->offset + off;
}

/* The piece that byte off of p is in: its address, and how many bytes follow there. */
static const void *piece(const struct packet *p, u32 off, u32 *n)
{
	if (off < p->linear_len) {
		*n = p->linear_len - off;
		return p->linear + p->data + off;
	}
	off -= p->linear_len;
	for (u32 i = 0; i < p->nr_frags; i++) {
		const struct packet_frag *f = &p->frags[i];

		if (off < f->len) {
			*n = f->len - off;
			return frag_at(f, off);
		}
		off -= f->len;
	}
	*n = 0;
	return NULL;
}

void packet_copy_out(const struct packet *p, u32 off, void *to, u32 n)
{
	while (n) {
		u32 part = 0;
		const void *at = piece(p, off, &part);

		part = min(part, n);
		memcpy(to, at, part);
		to = (u8 *)to + part;
		off += part;
		n -= part;
	}
}

size_t packet_to_iter(const struct packet *p, u32 off, struct iter *to, size_t n)
{
	size_t done = 0;

	while (done < n) {
		u32 part = 0;
		const void *at = piece(p, off + (u32)done, &part);
		size_t want = min_t(size_t, part, n - done), got;

		if (!want)
			break;
		got = iter_put(to, at, want);
		done += got;
		if (got < want)
			break;
	}
	return done;
}

/*
 * Append n bytes: of user memory (from) or kernel memory (data). Memory is taken from the CPU's
 * block before it is filled, since filling may sleep and other threads take of it meanwhile.
 */
static int append_frags(struct packet *p, struct iter *from, const u8 *data, size_t n, u32 gfp)
{
	while (n) {
		u32 offset, room, part;
		struct page *page = frag_get(NULL, 1, &offset, &room, gfp);
		u8 *at;

		if (!page)
			return -ENOMEM;
		part = min_t(u32, room, n);
		frag_used(NULL, part);
		at = (u8 *)page_address(page) + offset;
		if (data) {
			memcpy(at, data, part);
			data += part;
		} else if (iter_get(from, at, part) != part) {
			put_page(page);
			return -EFAULT;
		}
		if (!packet_add_frag(p, page, offset, part)) {
			put_page(page);
			return -ENOBUFS;
		}
		n -= part;
	}
	return 0;
}

static bool fits_linear(const struct packet *p, size_t n)
{
	return packet_is_linear(p) && n <= packet_linear_room(p);
}

int packet_from_iter(struct packet *p, struct iter *from, size_t n)
{
	size_t had = from->count;
	u32 was = p->len, true_was = p->truesize;
	int err = 0;

	if (n > from->count)
		return -EFAULT;
	if (fits_linear(p, n)) {
		u8 *to = p->linear + p->data + p->linear_len;

		if (iter_get(from, to, n) == n) {
			packet_put(p, (u32)n);
			return 0;
		}
		err = -EFAULT;
	} else {
		err = append_frags(p, from, NULL, n, GFP_KERNEL);
		if (!err)
			return 0;
	}
	packet_trim(p, was);
	p->truesize = true_was;
	iter_revert(from, had - from->count);
	return err;
}

int packet_append(struct packet *p, const void *data, size_t n, u32 gfp)
{
	u32 was = p->len, true_was = p->truesize;
	int err;

	if (fits_linear(p, n)) {
		memcpy(packet_put(p, (u32)n), data, n);
		return 0;
	}
	err = append_frags(p, NULL, data, n, gfp);
	if (err) {
		packet_trim(p, was);
		p->truesize = true_was;
	}
	return err;
}
