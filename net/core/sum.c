/* Checksums over packets. */
#include "core.h"
#include <lib/checksum.h>

#define UDP_SUM_OFFSET 6 /* struct udphdr: a sum of 0 there says "none" */

/* Add the sum of a piece that begins at an odd place: its bytes stand the other way round. */
static u64 add_piece(u64 sum, const void *at, u32 n, bool odd)
{
	u16 part;

	if (!odd)
		return checksum_add(sum, at, n);
	part = (u16)~checksum_fold(checksum_add(0, at, n));
	return sum + (u16)(part << 8 | part >> 8);
}

static u64 sum_frags(const struct packet *p, u32 off, u32 n, u64 sum, bool odd)
{
	for (u32 i = 0; i < p->nr_frags && n; i++) {
		const struct packet_frag *f = &p->frags[i];
		u32 part;

		if (off >= f->len) {
			off -= f->len;
			continue;
		}
		part = min(f->len - off, n);
		sum = add_piece(sum, (u8 *)page_address(f->page) + f->offset + off, part, odd);
		odd ^= part & 1;
		n -= part;
		off = 0;
	}
	return sum;
}

u64 packet_checksum(const struct packet *p, u32 off, u32 n, u64 sum)
{
	u32 part;

	if (off >= p->linear_len)
		return sum_frags(p, off - p->linear_len, n, sum, false);
	part = min(p->linear_len - off, n);
	sum = checksum_add(sum, p->linear + p->data + off, part);
	return n == part ? sum : sum_frags(p, 0, n - part, sum, part & 1);
}

/* From an offset in linear (headers that are done with included) to the packet's end. */
u64 packet_sum_linear(const struct packet *p, u32 from, u64 sum)
{
	u32 part = p->data + p->linear_len - from;

	sum = checksum_add(sum, p->linear + from, part);
	return sum_frags(p, 0, p->len - p->linear_len, sum, part & 1);
}

bool packet_csum_ok(struct packet *p, u64 pseudo)
{
	bool ok;

	switch (p->csum_state) {
	case CSUM_GOOD:
	case CSUM_PARTIAL: /* has seen no wire */
		return true;
	case CSUM_COMPLETE: {
		u32 head = p->trans_off - p->net_off;
		u64 net = checksum_add(0, p->linear + p->net_off, head);

		/* Without the network header; ~x is -x in ones' complement. */
		ok = checksum_fold(p->csum + checksum_fold(net) + pseudo) == 0;
		break;
	}
	default:
		ok = checksum_fold(packet_sum_linear(p, p->trans_off, pseudo)) == 0;
	}
	if (ok)
		p->csum_state = CSUM_GOOD;
	return ok;
}

void packet_csum_finish(struct packet *p)
{
	u16 sum, *field = (u16 *)(p->linear + p->csum_start + p->csum_offset);

	if (p->csum_state != CSUM_PARTIAL)
		return;
	sum = checksum_fold(packet_sum_linear(p, p->csum_start, 0));
	if (!sum && p->csum_offset == UDP_SUM_OFFSET)
		sum = 0xffff;
	*field = sum;
	p->csum_state = CSUM_NONE;
}
