/* Cutting packets into fragments: RFC 791 3.2, RFC 8200 4.5. */
#include "inet.h"
#include <core/trace.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

struct packet *packet_with_room(const struct packet *p, u32 off, u32 len)
{
	struct packet *f = packet_slice(p, off, len, GFP_ATOMIC);
	struct packet *copy;
	u8 *at;

	if (!f || packet_headroom(f) >= PACKET_HEADROOM - 60)
		return f;
	/* Its bytes stand where the headers should go. They are few: linear ones. */
	copy = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	if (copy && f->linear_len <= PACKET_LINEAR - PACKET_HEADROOM) {
		at = packet_put(copy, f->linear_len);
		memcpy(at, packet_data(f), f->linear_len);
		packet_drop_front(f, f->linear_len);
		if (packet_join(copy, f))
			return copy;
	} else if (copy) {
		bool ok = true;

		for (u32 done = 0; ok && done < len;) {
			u8 part[256];
			u32 n = min(len - done, (u32)sizeof(part));

			packet_copy_out(f, done, part, n);
			ok = !packet_append(copy, part, n, GFP_ATOMIC);
			done += n;
		}
		packet_free(f);
		if (ok)
			return copy;
		packet_free(copy);
		return NULL;
	}
	packet_free(f);
	packet_free(copy);
	return NULL;
}

static void inherit(struct packet *f, const struct packet *p)
{
	f->mark = p->mark;
	f->priority = p->priority;
	f->hash = p->hash;
	f->flags |= p->flags & PKT_FORWARD;
	f->protocol = p->protocol;
	f->csum_state = CSUM_NONE;
	f->net_off = f->data;
}

/* Options that fragments after the first don't carry become no-operations (RFC 791: copied flag). */
static void strip_options(u8 *o, u32 len)
{
	for (u32 i = 0; i < len;) {
		u32 n;

		if (o[i] == 0)
			return;
		if (o[i] == 1) {
			i++;
			continue;
		}
		n = i + 1 < len ? o[i + 1] : 0;
		if (n < 2 || n > len - i)
			return;
		if (!(o[i] & 0x80))
			memset(o + i, 1, n);
		i += n;
	}
}

int ip4_fragment(
	struct inet_net *in, const struct ip_path *path, struct packet *p, u32 mtu, bool loop)
{
	struct iphdr *old = (struct iphdr *)packet_data(p);
	u32 hl = old->ihl * 4u, room, total = p->len - hl, base;
	u8 header[60];
	u16 was = ntohs(old->frag_off);
	int err = 0;

	packet_csum_finish(p);
	memcpy(header, old, hl);
	base = (was & 0x1fffu) * 8;
	room = (mtu - hl) & ~7u;
	if (mtu < hl + 8)
		goto fail;
	for (u32 off = 0; off < total; off += room) {
		u32 n = min(room, total - off);
		struct packet *f = packet_with_room(p, hl + off, n);
		struct iphdr *h;

		if (!f)
			goto fail;
		h = (struct iphdr *)packet_push(f, hl);
		memcpy(h, header, hl);
		if (off == 0)
			strip_options(header + 20, hl - 20);
		h->tot_len = htons(n + hl);
		h->frag_off = htons((base + off) / 8 |
			(off + n < total || was & 0x2000 ? 0x2000u : 0) | (was & 0x4000));
		h->check = 0;
		h->check = checksum_fold(checksum_add(0, h, hl));
		inherit(f, p);
		f->net_len = (u8)hl;
		mib_inc(in, MIB_IP_FRAGCREATES);
		err = ip_emit(in, path, f, loop);
		if (err)
			goto fail_sent;
	}
	mib_inc(in, MIB_IP_FRAGOKS);
	packet_free(p);
	return 0;
fail:
	err = -ENOBUFS;
fail_sent:
	mib_inc(in, MIB_IP_FRAGFAILS);
	packet_free(p);
	return err;
}

/* Length of what each fragment repeats: the header, and extension headers for hops on the way. */
static u32 per_hop_part(struct packet *p, u32 *next_at)
{
	const u8 *h = packet_data(p);
	u32 at = 40, end = 40;
	u8 next = h[6];

	*next_at = 6;
	while (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS) {
		u32 len;

		if (at + 8 > p->linear_len)
			break;
		len = (h[at + 1] + 1u) * 8;
		if (at + len > p->linear_len)
			break;
		if (next == IPPROTO_DSTOPTS && h[at] != IPPROTO_ROUTING)
			break; /* for the destination only */
		next = h[at];
		*next_at = at;
		at += len;
		end = at;
	}
	return end;
}

int ip6_fragment(
	struct inet_net *in, const struct ip_path *path, struct packet *p, u32 mtu, bool loop)
{
	u32 next_at, hl, room, total, id = (u32)random_u64();
	u8 header[PACKET_LINEAR], next;
	int err = 0;

	packet_csum_finish(p);
	hl = per_hop_part(p, &next_at);
	memcpy(header, packet_data(p), hl);
	next = header[next_at];
	header[next_at] = IPPROTO_FRAGMENT;
	total = p->len - hl;
	if (mtu < hl + 16)
		goto fail;
	room = (mtu - hl - 8) & ~7u;
	for (u32 off = 0; off < total; off += room) {
		u32 n = min(room, total - off);
		struct packet *f = packet_with_room(p, hl + off, n);
		u8 *h;

		if (!f || packet_headroom(f) < hl + 8) {
			packet_free(f);
			goto fail;
		}
		h = packet_push(f, 8);
		h[0] = next;
		h[1] = 0;
		put_be16(h + 2, (u16)(off | (off + n < total)));
		put_be32(h + 4, id);
		h = packet_push(f, hl);
		memcpy(h, header, hl);
		put_be16(h + 4, (u16)(f->len - 40));
		inherit(f, p);
		f->net_len = (u8)min(hl + 8, 255u);
		mib_inc(in, MIB_IP6_FRAGCREATES);
		err = ip_emit(in, path, f, loop);
		if (err)
			goto fail_sent;
	}
	mib_inc(in, MIB_IP6_FRAGOKS);
	packet_free(p);
	return 0;
fail:
	err = -ENOBUFS;
fail_sent:
	mib_inc(in, MIB_IP6_FRAGFAILS);
	packet_free(p);
	return err;
}
