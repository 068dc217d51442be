/* Packets against plain byte arrays; segmentation against headers made anew; payload memory. */
#include <kmem/slab.h>
#include <lib/checksum.h>
#include <lib/err.h>
#include <lib/string.h>
#include <arch/host.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/packet.h>
#include "unit.h"

#define MODELS 8
#define MAX    9000u

struct model {
	struct packet *p; /* NULL: empty place */
	u32 len;
	u8 bytes[2 * MAX];
};
static struct model g_m[MODELS];
static u8 g_buf[2 * MAX], g_bytes[MAX];

static u16 slow_sum(const u8 *b, u32 n) /* RFC 1071, byte by byte */
{
	u32 sum = 0;

	for (u32 i = 0; i < n; i++)
		sum += i & 1 ? (u32)b[i] << 8 : b[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u16)~sum;
}

static void check(struct model *m)
{
	u32 off = m->len ? (u32)unit_random_below(m->len) : 0, n = m->len - off, in_frags = 0;

	if (!m->p)
		return;
	for (u32 i = 0; i < m->p->nr_frags; i++) {
		EXPECT(m->p->frags[i].len > 0);
		in_frags += m->p->frags[i].len;
	}
	EXPECT_EQ(m->p->len, m->len);
	EXPECT_EQ(m->p->len, m->p->linear_len + in_frags);
	EXPECT(m->p->data + m->p->linear_len <= PACKET_LINEAR);
	packet_copy_out(m->p, 0, g_buf, m->len);
	EXPECT_MEM(g_buf, m->bytes, m->len);
	packet_copy_out(m->p, off, g_buf, n);
	EXPECT_MEM(g_buf, m->bytes + off, n);
	EXPECT_EQ(checksum_fold(packet_checksum(m->p, off, n, 0)), slow_sum(m->bytes + off, n));
}

static void append(struct model *m)
{
	u32 n = 1 + (u32)unit_random_below(unit_random_below(3) ? 200 : 5000);
	struct iter it = iter_kernel(g_bytes, n);
	int err;

	unit_random_bytes(g_bytes, n);
	if (m->len + n > MAX)
		return;
	if (unit_random_below(2))
		err = packet_append(m->p, g_bytes, n, GFP_KERNEL);
	else
		err = packet_from_iter(m->p, &it, n);
	if (err == -ENOBUFS)
		return; /* as before, which check() sees */
	EXPECT_EQ(err, 0);
	memcpy(m->bytes + m->len, g_bytes, n);
	m->len += n;
}

static void push(struct model *m)
{
	u32 n = packet_headroom(m->p) ? 1 + (u32)unit_random_below(packet_headroom(m->p)) : 0;

	if (!n || m->len + n > MAX)
		return;
	unit_random_bytes(g_bytes, n);
	memcpy(packet_push(m->p, n), g_bytes, n);
	memmove(m->bytes + n, m->bytes, m->len);
	memcpy(m->bytes, g_bytes, n);
	m->len += n;
}

static void drop(struct model *m)
{
	u32 n = (u32)unit_random_below(min(m->len, 700u) + 1);

	packet_drop_front(m->p, n);
	m->len -= n;
	memmove(m->bytes, m->bytes + n, m->len);
}

static void pull_linear(struct model *m)
{
	u32 n = (u32)unit_random_below(300);
	bool can = n <= m->len && (n <= m->p->linear_len || m->p->data + n <= PACKET_LINEAR);

	EXPECT_EQ(packet_need(m->p, n), can);
	if (can)
		EXPECT_MEM(packet_data(m->p), m->bytes, n);
}

static void copy(struct model *m, struct model *to)
{
	u32 off = (u32)unit_random_below(m->len + 1), n = (u32)unit_random_below(m->len - off + 1);
	struct packet *c;

	if (to->p)
		return;
	if (unit_random_below(2)) {
		off = 0;
		n = m->len;
		c = packet_clone(m->p, GFP_KERNEL);
	} else {
		c = packet_slice(m->p, off, n, GFP_KERNEL);
	}
	if (!c)
		return;
	to->p = c;
	to->len = n;
	memcpy(to->bytes, m->bytes + off, n);
}

static void join(struct model *a, struct model *b)
{
	if (a == b || !b->p || a->len + b->len > MAX || !packet_join(a->p, b->p))
		return;
	memcpy(a->bytes + a->len, b->bytes, b->len);
	a->len += b->len;
	b->p = NULL;
	b->len = 0;
}

static void step(struct model *m)
{
	struct model *other = &g_m[unit_random_below(MODELS)];

	if (!m->p) {
		m->p = packet_alloc((u32)unit_random_below(PACKET_LINEAR + 1), GFP_KERNEL);
		m->len = 0;
		return;
	}
	switch (unit_random_below(9)) {
	case 0:
	case 1:
		append(m);
		break;
	case 2:
		push(m);
		break;
	case 3:
		drop(m);
		break;
	case 4:
		pull_linear(m);
		break;
	case 5:
		m->len = (u32)unit_random_below(m->len + 1);
		packet_trim(m->p, m->len);
		break;
	case 6:
		copy(m, other);
		break;
	case 7:
		join(m, other);
		break;
	default:
		if (unit_random_below(4) == 0) {
			packet_free(m->p);
			m->p = NULL;
			m->len = 0;
		}
	}
}

static u64 pages_in_use(void)
{
	struct mem_stats s;

	mem_get_stats(&s);
	return s.total - s.free - s.slab;
}

UNIT(a_packet_is_a_byte_array_and_copies_are_independent)
{
	u64 before = pages_in_use();

	for (int i = 0; i < 60000; i++) {
		step(&g_m[unit_random_below(MODELS)]);
		check(&g_m[unit_random_below(MODELS)]);
	}
	for (int i = 0; i < MODELS; i++) {
		check(&g_m[i]);
		packet_free(g_m[i].p);
		g_m[i].p = NULL;
	}
	/* The CPU's block stays, and what the page allocator keeps. */
	EXPECT(pages_in_use() < before + 64);
}

UNIT(a_fault_in_the_middle_leaves_the_packet_and_the_iterator_as_they_were)
{
	struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_KERNEL);
	u8 *user = unit_alloc(8192);
	struct iter it = iter_user(user, 8192);

	EXPECT_EQ(packet_append(p, "abc", 3, GFP_KERNEL), 0);
	host_user_bad(user + 5000, 100);
	EXPECT_EQ(packet_from_iter(p, &it, 8192), -EFAULT);
	host_user_bad(NULL, 0);
	EXPECT_EQ(p->len, 3);
	EXPECT_EQ(it.count, 8192);
	EXPECT_EQ(packet_from_iter(p, &it, 8192), 0);
	EXPECT_EQ(p->len, 8195);
	packet_free(p);
	unit_free(user);
}

static u32 g_released;
static void count_release(struct packet *p)
{
	g_released += p->truesize;
}

UNIT(segments_release_the_whole_charge_with_the_last_one)
{
	static u8 payload[5000];
	struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_KERNEL), *s, *next;
	struct list_head list;
	u32 truesize;

	EXPECT_EQ(packet_append(p, payload, sizeof(payload), GFP_KERNEL), 0);
	packet_push(p, sizeof(struct udphdr));
	p->trans_off = p->csum_start = p->data;
	p->csum_offset = offsetof(struct udphdr, check);
	packet_push(p, sizeof(struct iphdr));
	p->net_off = p->data;
	((struct iphdr *)packet_data(p))->ihl = 5;
	p->gso = GSO_UDP4;
	p->gso_size = 1000;
	p->csum_state = CSUM_PARTIAL;
	p->released = count_release;
	truesize = p->truesize;
	EXPECT(packet_segment(p, &list));
	EXPECT_EQ(g_released, 0);
	list_for_each_entry_safe(s, next, &list, link) {
		list_del(&s->link);
		packet_free(s);
	}
	EXPECT_EQ(g_released, truesize);
}

static u64 pseudo(struct packet *s, bool v4)
{
	struct iphdr *ip = (void *)(s->linear + s->net_off);
	struct ipv6hdr *ip6 = (void *)ip;
	u16 len = __builtin_bswap16((u16)(s->len - (s->trans_off - s->data)));
	u64 sum = (u64)len + __builtin_bswap16(IPPROTO_TCP);

	return v4 ? checksum_add(sum, &ip->saddr, 8) : checksum_add(sum, &ip6->saddr, 32);
}

static void segment_tcp(bool v4, u32 payload, u32 mss)
{
	static u8 bytes[PACKET_MAX_LEN], out[PACKET_MAX_LEN];
	u32 ip_len = v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr), at = 0, nr = 0;
	u32 count = div_round_up(payload, mss);
	struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_KERNEL), *s, *next;
	struct list_head list;
	struct tcphdr *th;

	unit_random_bytes(bytes, payload);
	EXPECT_EQ(packet_append(p, bytes, payload, GFP_KERNEL), 0);
	th = (void *)packet_push(p, sizeof(*th) + 12);
	memset(th, 0, sizeof(*th) + 12);
	th->doff = 8;
	th->seq = __builtin_bswap32(0xfffffff0u);
	th->fin = th->psh = th->ack = th->cwr = 1;
	p->trans_off = p->csum_start = p->data;
	p->csum_offset = offsetof(struct tcphdr, check);
	unit_random_bytes(packet_push(p, ip_len), ip_len);
	p->net_off = p->data;
	if (v4)
		((struct iphdr *)packet_data(p))->ihl = 5;
	p->gso = v4 ? GSO_TCP4 : GSO_TCP6;
	p->gso_size = (u16)mss;
	p->csum_state = CSUM_PARTIAL;
	th->check = (u16)~checksum_fold(pseudo(p, v4));
	EXPECT(packet_segment(p, &list));
	list_for_each_entry_safe(s, next, &list, link) {
		u32 n = min(mss, payload - at), head = ip_len + sizeof(*th) + 12;

		th = (void *)(s->linear + s->trans_off);
		EXPECT_EQ(s->len, head + n);
		EXPECT_EQ(__builtin_bswap32(th->seq), 0xfffffff0u + at);
		EXPECT_EQ(th->fin, nr + 1 == count);
		EXPECT_EQ(th->psh, nr + 1 == count);
		EXPECT_EQ(th->cwr, nr == 0);
		packet_copy_out(s, head, out + at, n);
		packet_csum_finish(s);
		EXPECT_EQ(
			checksum_fold(packet_checksum(s, ip_len, n + head - ip_len, pseudo(s, v4))),
			0);
		EXPECT(packet_csum_ok(s, pseudo(s, v4)));
		s->csum_state = CSUM_COMPLETE;
		s->csum = packet_checksum(s, 0, s->len, 0);
		EXPECT(packet_csum_ok(s, pseudo(s, v4)));
		s->csum_state = CSUM_NONE;
		th->window ^= 1;
		EXPECT(!packet_csum_ok(s, pseudo(s, v4)));
		if (v4) {
			struct iphdr *ip = (void *)packet_data(s);

			EXPECT_EQ(checksum_fold(checksum_add(0, ip, 20)), 0);
			EXPECT_EQ(__builtin_bswap16(ip->tot_len), s->len);
		} else {
			EXPECT_EQ(
				__builtin_bswap16(((struct ipv6hdr *)packet_data(s))->payload_len),
				s->len - 40);
		}
		at += n;
		nr++;
		list_del(&s->link);
		packet_free(s);
	}
	EXPECT_EQ(nr, count);
	EXPECT_MEM(out, bytes, payload);
}

UNIT(tcp_segments_carry_the_stream_and_right_sums)
{
	for (int i = 0; i < 60; i++)
		segment_tcp(i & 1, 1 + (u32)unit_random_below(60000),
			1 + 300 + (u32)unit_random_below(9000));
	segment_tcp(true, 90, 30); /* all of it in the linear area */
}

UNIT(payload_memory_is_carved_without_overlap)
{
	struct page *pages[100];
	u32 offset[100], room;

	for (int i = 0; i < 100; i++) {
		u32 n = 1 + (u32)unit_random_below(PAGE_SIZE);

		pages[i] = frag_get(NULL, n, &offset[i], &room, GFP_KERNEL);
		EXPECT(pages[i] && room >= n);
		frag_used(NULL, n);
		memset((u8 *)page_address(pages[i]) + offset[i], i, n);
	}
	for (int i = 0; i < 100; i++) {
		EXPECT_EQ(*((u8 *)page_address(pages[i]) + offset[i]), i);
		put_page(pages[i]);
	}
}
