/*
 * The receive ring that a program maps: PACKET_RX_RING, versions 1 to 3. packet(7), and linux-doc's
 * networking/packet_mmap.
 *
 * The program and the kernel hand frames (version 3: blocks of frames) to each other by a status
 * word; who has it may touch the frame. All that stands in the ring can be changed by the program
 * at any time: nothing is read back from it but status words.
 */
#include "pkt.h"
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>
#include <vm/mm.h>

#define MIN_MAC_ROOM      16u /* in front of the network header, whatever the link header */
#define DEFAULT_RETIRE_MS 8

struct pkt_ring { /* sk.lock, where not immutable */
	struct pkt_sock *sock;
	u32 version, block_size, block_nr, frame_size, frame_nr; /* immutable */
	u32 frames_per_block, private_size, reserve;             /* immutable */
	int order;                                               /* immutable */
	struct page **blocks;                                    /* immutable */
	u32 head; /* next frame; version 3: the open block */
	/* version 3 */
	u32 used, packets; /* bytes and frames in the open block; 0: it isn't open */
	u32 last;          /* offset of its last frame */
	u64 next_seq;
	s64 retire_ns;
	struct net_timer retire; /* closes a block that doesn't fill up */
	u32 mapped;              /* atomic: regions */
};

u32 pkt_ring_header(u32 version)
{
	switch (version) {
	case TPACKET_V1:
		return sizeof(struct tpacket_hdr);
	case TPACKET_V2:
		return sizeof(struct tpacket2_hdr);
	case TPACKET_V3:
		return sizeof(struct tpacket3_hdr);
	default:
		return 0;
	}
}

static u32 header_and_address(u32 version)
{
	return TPACKET_ALIGN(pkt_ring_header(version)) + (u32)sizeof(struct sockaddr_ll);
}

static u8 *block_at(const struct pkt_ring *r, u32 i)
{
	return page_address(r->blocks[i]);
}

static u8 *frame_at(const struct pkt_ring *r, u32 i)
{
	return block_at(r, i / r->frames_per_block) + i % r->frames_per_block * r->frame_size;
}

static struct tpacket_hdr_v1 *block_header(const struct pkt_ring *r, u32 i)
{
	return &((struct tpacket_block_desc *)block_at(r, i))->hdr.bh1;
}

/* ---- frames ---- */

struct placement {
	u32 mac, net, snap;
	u32 status;
	u64 real_ns;
};

/* Offset of the network header in a frame. */
static u32 net_offset(const struct pkt_ring *r, u32 mac_len)
{
	return TPACKET_ALIGN(header_and_address(r->version) + max(mac_len, MIN_MAC_ROOM)) +
		r->reserve;
}

static void place(const struct pkt_sock *s, const struct pkt_ring *r, const struct packet *p,
	u32 snap, const struct pkt_cb *cb, u32 mac_len, struct placement *at)
{
	at->net = net_offset(r, mac_len);
	at->mac = at->net - mac_len;
	at->snap = snap;
	at->real_ns = p->stamp_ns ? p->stamp_ns : (u64)clock_real_ns();
	at->status = TP_STATUS_USER;
	if (p->stamp_ns)
		at->status |= TP_STATUS_TS_SOFTWARE;
	if (p->csum_state == CSUM_PARTIAL)
		at->status |= TP_STATUS_CSUMNOTREADY;
	else if (p->csum_state == CSUM_GOOD && cb->pkt_type != PACKET_OUTGOING)
		at->status |= TP_STATUS_CSUM_VALID;
	if (s->drops)
		at->status |= TP_STATUS_LOSING;
}

static void fill_v1(u8 *f, const struct placement *at, u32 len)
{
	struct tpacket_hdr *h = (void *)f;

	h->tp_len = len;
	h->tp_snaplen = at->snap;
	h->tp_mac = (u16)at->mac;
	h->tp_net = (u16)at->net;
	h->tp_sec = (u32)(at->real_ns / NS_PER_SEC);
	h->tp_usec = (u32)(at->real_ns % NS_PER_SEC / NS_PER_US);
}

static void fill_v2(u8 *f, const struct placement *at, u32 len)
{
	struct tpacket2_hdr *h = (void *)f;

	h->tp_len = len;
	h->tp_snaplen = at->snap;
	h->tp_mac = (u16)at->mac;
	h->tp_net = (u16)at->net;
	h->tp_sec = (u32)(at->real_ns / NS_PER_SEC);
	h->tp_nsec = (u32)(at->real_ns % NS_PER_SEC);
	h->tp_vlan_tci = h->tp_vlan_tpid = 0;
	memset(h->tp_padding, 0, sizeof(h->tp_padding));
}

static void fill_v3(u8 *f, const struct placement *at, u32 len)
{
	struct tpacket3_hdr *h = (void *)f;

	memset(h, 0, sizeof(*h));
	h->tp_len = len;
	h->tp_snaplen = at->snap;
	h->tp_mac = (u16)at->mac;
	h->tp_net = (u16)at->net;
	h->tp_sec = (u32)(at->real_ns / NS_PER_SEC);
	h->tp_nsec = (u32)(at->real_ns % NS_PER_SEC);
	h->tp_status = at->status;
}

static void fill_content(const struct pkt_ring *r, u8 *f, struct packet *p,
	const struct placement *at, const struct pkt_cb *cb)
{
	struct sockaddr_ll ll;

	pkt_to_address(cb, &ll);
	memcpy(f + TPACKET_ALIGN(pkt_ring_header(r->version)), &ll, sizeof(ll));
	packet_copy_out(p, 0, f + at->mac, at->snap);
}

/* The status word of versions 1 and 2, which is of different size. */
static u32 frame_status(const struct pkt_ring *r, u32 i)
{
	u8 *f = frame_at(r, i);
	u32 v = r->version == TPACKET_V1 ? (u32)READ_ONCE(((struct tpacket_hdr *)f)->tp_status)
					 : READ_ONCE(((struct tpacket2_hdr *)f)->tp_status);

	smp_rmb(); /* before the frame is written: the program has done with it */
	return v;
}

static void publish_frame(const struct pkt_ring *r, u8 *f, u32 status)
{
	smp_wmb(); /* after the content; the program's load of the status is its other side */
	if (r->version == TPACKET_V1)
		WRITE_ONCE(((struct tpacket_hdr *)f)->tp_status, status);
	else
		WRITE_ONCE(((struct tpacket2_hdr *)f)->tp_status, status);
}

static bool put_frame(
	struct pkt_ring *r, struct packet *p, struct placement *at, const struct pkt_cb *cb)
{
	u8 *f = frame_at(r, r->head);

	if (frame_status(r, r->head) != TP_STATUS_KERNEL || at->mac > r->frame_size)
		return false;
	at->snap = min(at->snap, r->frame_size - at->mac);
	fill_content(r, f, p, at, cb);
	if (r->version == TPACKET_V1)
		fill_v1(f, at, cb->orig_len);
	else
		fill_v2(f, at, cb->orig_len);
	publish_frame(r, f, at->status);
	r->head = (r->head + 1) % r->frame_nr;
	return true;
}

/* ---- blocks of version 3 ---- */

static u32 block_start(const struct pkt_ring *r)
{
	return (u32)round_up(sizeof(struct tpacket_block_desc), 8) + round_up(r->private_size, 8u);
}

static bool open_block(struct pkt_ring *r)
{
	struct tpacket_block_desc *d = (void *)block_at(r, r->head);
	struct tpacket_hdr_v1 *h = &d->hdr.bh1;
	s64 now = clock_real_ns();

	if (READ_ONCE(h->block_status) != TP_STATUS_KERNEL)
		return false;
	smp_rmb();
	r->used = block_start(r);
	r->packets = 0;
	d->version = TPACKET_V3;
	d->offset_to_priv = (u32)round_up(sizeof(*d), 8);
	h->seq_num = r->next_seq++;
	h->offset_to_first_pkt = r->used;
	h->ts_first_pkt.ts_sec = (u32)(now / NS_PER_SEC);
	h->ts_first_pkt.ts_nsec = (u32)(now % NS_PER_SEC);
	(void)!net_timer_arm(&r->retire, deadline_after(r->retire_ns));
	return true;
}

static void close_block(struct pkt_ring *r, u32 why)
{
	struct tpacket_hdr_v1 *h = block_header(r, r->head);
	s64 now = clock_real_ns();

	h->num_pkts = r->packets;
	h->blk_len = r->used;
	h->ts_last_pkt.ts_sec = (u32)(now / NS_PER_SEC);
	h->ts_last_pkt.ts_nsec = (u32)(now % NS_PER_SEC);
	smp_wmb(); /* after the content */
	WRITE_ONCE(h->block_status, TP_STATUS_USER | why);
	r->head = (r->head + 1) % r->block_nr;
	r->used = 0;
}

static void retire(struct net_timer *t)
{
	struct pkt_ring *r = container_of(t, struct pkt_ring, retire);
	struct sock *sk = &r->sock->sk;
	bool closed = false;

	spin_lock(&sk->lock);
	if (r->used && r->packets) {
		close_block(r, TP_STATUS_BLK_TMO);
		closed = true;
	} else if (r->used) {
		(void)!net_timer_arm(&r->retire, deadline_after(r->retire_ns));
	}
	spin_unlock(&sk->lock);
	if (closed)
		sock_wake(sk, EPOLLIN | EPOLLRDNORM);
}

static bool put_in_block(
	struct pkt_ring *r, struct packet *p, struct placement *at, const struct pkt_cb *cb)
{
	u32 room = r->block_size - block_start(r), len;
	u8 *f;

	if (at->mac >= room)
		return false;
	at->snap = min(at->snap, room - at->mac);
	len = round_up(at->mac + at->snap, 8u);
	len = min(len, room);
	if (r->used && r->block_size - r->used < len)
		close_block(r, 0);
	if (!r->used && !open_block(r)) {
		r->sock->freezes++;
		return false;
	}
	f = block_at(r, r->head) + r->used;
	fill_v3(f, at, cb->orig_len);
	fill_content(r, f, p, at, cb);
	if (r->packets)
		((struct tpacket3_hdr *)(block_at(r, r->head) + r->last))->tp_next_offset =
			r->used - r->last;
	r->last = r->used;
	r->used += len;
	r->packets++;
	return true;
}

bool pkt_ring_cuts(const struct pkt_sock *s, u32 snap, u32 mac_len)
{
	const struct pkt_ring *r = s->ring;

	/* Frames of version 3 are as long as they have to be. */
	return r->version != TPACKET_V3 && net_offset(r, mac_len) - mac_len + snap > r->frame_size;
}

bool pkt_ring_put(struct pkt_sock *s, struct packet *p, u32 snap, const struct pkt_cb *cb,
	u32 mac_len, bool copied)
{
	struct pkt_ring *r = s->ring;
	struct placement at;

	spin_assert_held(&s->sk.lock);
	place(s, r, p, snap, cb, mac_len, &at);
	if (copied)
		at.status |= TP_STATUS_COPY;
	return r->version == TPACKET_V3 ? put_in_block(r, p, &at, cb) : put_frame(r, p, &at, cb);
}

bool pkt_ring_ready(const struct pkt_sock *s)
{
	const struct pkt_ring *r = s->ring;

	if (!r)
		return false;
	if (r->version == TPACKET_V3)
		return READ_ONCE(block_header(r, (r->head + r->block_nr - 1) % r->block_nr)
					 ->block_status) != TP_STATUS_KERNEL;
	return frame_status(r, (r->head + r->frame_nr - 1) % r->frame_nr) != TP_STATUS_KERNEL;
}

/* ---- making and mapping ---- */

static void ring_free(struct pkt_ring *r)
{
	for (u32 i = 0; r->blocks && i < r->block_nr; i++)
		if (r->blocks[i])
			put_page(r->blocks[i]);
	kvfree(r->blocks);
	kfree(r);
}

static struct pkt_ring *ring_alloc(struct pkt_sock *s, const struct tpacket_req3 *q)
{
	struct pkt_ring *r = kzalloc(sizeof(*r), GFP_KERNEL);
	u32 ms = q->tp_retire_blk_tov ? q->tp_retire_blk_tov : DEFAULT_RETIRE_MS;

	if (!r)
		return NULL;
	*r = (struct pkt_ring){.sock = s,
		.version = s->version,
		.block_size = q->tp_block_size,
		.block_nr = q->tp_block_nr,
		.frame_size = q->tp_frame_size,
		.frame_nr = q->tp_frame_nr,
		.frames_per_block = q->tp_block_size / q->tp_frame_size,
		.private_size = s->version == TPACKET_V3 ? q->tp_sizeof_priv : 0,
		.reserve = s->reserve,
		.next_seq = 1,
		.retire_ns = ms * NS_PER_MS};
	net_timer_init(&r->retire, retire);
	while ((PAGE_SIZE << r->order) < r->block_size)
		r->order++;
	r->blocks = kvmalloc(r->block_nr * sizeof(*r->blocks), GFP_KERNEL | GFP_ZERO);
	for (u32 i = 0; r->blocks && i < r->block_nr; i++) {
		if (r->order <= MAX_ORDER)
			r->blocks[i] = pages_alloc(r->order, GFP_KERNEL | GFP_ZERO | GFP_NORETRY);
		if (!r->blocks[i]) {
			ring_free(r);
			return NULL;
		}
	}
	if (!r->blocks) {
		ring_free(r);
		return NULL;
	}
	return r;
}

static bool request_valid(const struct pkt_sock *s, const struct tpacket_req3 *q)
{
	u32 per_block;

	if ((s32)q->tp_block_size <= 0 || !is_aligned(q->tp_block_size, PAGE_SIZE))
		return false;
	if (s->version == TPACKET_V3 &&
		q->tp_block_size <= round_up(sizeof(struct tpacket_block_desc), 8) +
				round_up((u64)q->tp_sizeof_priv, 8))
		return false;
	if (q->tp_frame_size < header_and_address(s->version) + s->reserve ||
		q->tp_frame_size & (TPACKET_ALIGNMENT - 1))
		return false;
	per_block = q->tp_block_size / q->tp_frame_size;
	return per_block && (u64)per_block * q->tp_block_nr == q->tp_frame_nr;
}

/* Take the present ring away: no packet is in it any more when this returns. */
static void replace(struct pkt_sock *s, struct pkt_ring *ring)
{
	struct pkt_ring *old;

	spin_lock(&s->sk.lock);
	old = s->ring;
	WRITE_ONCE(s->ring, ring);
	spin_unlock(&s->sk.lock);
	if (!old)
		return;
	if (!net_timer_cancel(&old->retire))
		net_drain(); /* its function may be about to run */
	(void)!net_timer_cancel(&old->retire);
	ring_free(old);
}

int pkt_ring_set(struct pkt_sock *s, const void __user *val, u32 len)
{
	struct tpacket_req3 q = {0};
	u32 need = s->version == TPACKET_V3 ? sizeof(q) : sizeof(struct tpacket_req);
	struct pkt_ring *ring = NULL;
	int err;

	if (len < need)
		return -EINVAL;
	err = copy_from_user(&q, val, need);
	if (err)
		return err;
	if (s->ring && __atomic_load_n(&s->ring->mapped, __ATOMIC_ACQUIRE))
		return -EBUSY;
	if (q.tp_block_nr) {
		if (s->ring)
			return -EBUSY;
		if (!request_valid(s, &q))
			return -EINVAL;
		ring = ring_alloc(s, &q);
		if (!ring)
			return -ENOMEM;
	} else if (q.tp_frame_nr) {
		return -EINVAL;
	}
	replace(s, ring);
	return 0;
}

void pkt_ring_free(struct pkt_sock *s)
{
	replace(s, NULL);
}

static int ring_fault(struct region *region, struct vm_fault *f)
{
	struct pkt_ring *r = region->priv;
	u64 at = f->index << PAGE_SHIFT;

	if (at / r->block_size >= r->block_nr)
		return -EFAULT;
	f->result = pte_leaf(page_to_phys(r->blocks[at / r->block_size]) + at % r->block_size,
		MMU_READ | MMU_WRITE | MMU_DIRTY | MMU_USER | MMU_SPECIAL);
	return 0;
}

static void ring_open(struct region *region)
{
	struct pkt_ring *r = region->priv;

	get_file(region->file);
	__atomic_fetch_add(&r->mapped, 1, __ATOMIC_RELAXED);
}

static void ring_close(struct region *region)
{
	struct pkt_ring *r = region->priv;

	__atomic_fetch_sub(&r->mapped, 1, __ATOMIC_RELEASE);
	put_file(region->file); /* the ring lives as long as the socket has a file */
}

static const struct region_ops g_ring_ops = {
	.fault = ring_fault, .open = ring_open, .close = ring_close};

/* The whole ring, shared: offset 0 and its exact size. */
int pkt_ring_mmap(struct sock *sk, struct map_request *rq)
{
	struct pkt_sock *s = pkt_of(sk);
	struct pkt_ring *r;
	int err = -EINVAL;

	mutex_lock(&s->call_lock);
	r = s->ring;
	if (r && !rq->offset && rq->flags & REG_SHARED &&
		rq->len == (u64)r->block_size * r->block_nr) {
		get_file(sk->file);
		__atomic_fetch_add(&r->mapped, 1, __ATOMIC_RELAXED);
		rq->file = sk->file;
		rq->ops = &g_ring_ops;
		rq->priv = r;
		rq->object = NULL;
		rq->flags |= REG_SPECIAL;
		err = 0;
	}
	mutex_unlock(&s->call_lock);
	return err;
}
