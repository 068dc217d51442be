/*
 * Packets. A packet is headers in a small linear area of its own, then payload in fragments: parts
 * of pages that several packets may share and nobody changes any more.
 *
 *   linear:  [ headroom | headers and small payload ]      private to this packet, may be changed
 *   frags:   (page, offset, len) ...                       shared, read-only once the packet is
 * sent
 *
 * So a clone copies at most PACKET_LINEAR bytes and takes references on pages: a retransmission, a
 * tap and a multicast delivery change their headers without looking at anybody else. TCP's queue
 * holds packets without headers and sends clones.
 *
 * A packet has one owner at a time; functions that consume it say so. No locks: the owner's rules.
 * Any context may free one. Nothing here sleeps but the copies from and to user memory.
 */
#ifndef NET_PACKET_H
#define NET_PACKET_H

#include <kmem/page.h>
#include <lib/list.h>
#include <linux/in.h>
#include <vm/iter.h>

struct netif;
struct packet;
struct route;
struct sock;

#define PACKET_LINEAR 256 /* bytes of the linear area */
#define PACKET_HEADROOM \
	144 /* link (14, aligned) + IP with options (60) or IPv6 + TCP (60), to send */
#define PACKET_FRAGS     3      /* without a table of its own */
#define PACKET_MAX_FRAGS 18     /* 64 KiB in single pages, unaligned */
#define PACKET_MAX_LEN   65535u /* of the network layer; GSO packets too */

struct packet_frag {
	struct page *page; /* the head of its allocation; one reference */
	u32 offset;        /* from the head's start */
	u32 len;
};

enum packet_csum {
	CSUM_NONE,     /* in: not looked at. out: the checksum in the packet is right */
	CSUM_GOOD,     /* in: the device or loopback vouches for it */
	CSUM_COMPLETE, /* in: csum is the sum from net_off to the end */
	CSUM_PARTIAL,  /* the pseudo header's sum is in the field: the rest is to be added
			  (csum_start) */
};

enum packet_gso { GSO_NONE, GSO_TCP4, GSO_TCP6, GSO_UDP4, GSO_UDP6 };

struct packet {
	struct list_head link; /* of whatever queue holds it */
	struct netif *dev; /* in: where it came in; out: where it leaves. See netif.h for its life */
	struct route *route; /* one reference, or NULL */
	struct sock *sk;     /* who is charged; released() is called with it at the end */
	void (*released)(struct packet *p); /* NULL: nothing */
	u64 stamp_ns;                       /* CLOCK_REALTIME of arrival or sending; 0: none */
	u32 len;                            /* bytes from data on: linear_len + fragments */
	u32 ifindex;                        /* in: of dev, stays true when dev is gone */
	u32 hash;                           /* of the flow; 0: not known */
	u32 mark, priority;
	u32 truesize;         /* bytes of memory it stands for, for SO_RCVBUF and SO_SNDBUF */
	u16 data, linear_len; /* offset in linear, bytes there */
	u16 mac_off, net_off, trans_off; /* offsets in linear of the headers, once known */
	u16 protocol;                    /* ETH_P_*, network byte order */
	u8 csum_state;                   /* enum packet_csum */
	u8 gso;                          /* enum packet_gso */
	u16 gso_size, gso_segs;          /* payload bytes of each segment; how many */
	u16 csum_start, csum_offset; /* CSUM_PARTIAL: offset in linear; of the field from there */
	u64 csum;                    /* CSUM_COMPLETE: checksum_add's sum */
	u8 pkt_type;                 /* PACKET_HOST... (linux/if_packet.h) */
	u8 net_len; /* bytes of the network header with options or extension headers */
	u16 queue;  /* device queue it came from or goes to */
	u16 vlan;   /* tag in host order, 0: none */
	u8 nr_frags;
	u8 flags;                  /* PKT_* */
	struct packet_frag *frags; /* own, or a table of PACKET_MAX_FRAGS */
	struct packet_frag own[PACKET_FRAGS];
	u8 cb[56] __aligned(8); /* of the layer that holds the packet */
	u8 linear[PACKET_LINEAR] __aligned(16);
};
static_assert(sizeof(struct packet) <= 576, "packets are many");
#define PKT_LOOPED   1u /* went through loopback: has seen no wire */
#define PKT_FORWARD  2u /* is being forwarded */
#define PKT_CLONE    4u /* shares its fragments with another */
#define PKT_ZEROCOPY 8u /* fragments are user memory: completion is reported on the last release */

/* An empty packet with headroom bytes free in front (<= PACKET_LINEAR); NULL: no memory. */
struct packet *packet_alloc(u32 headroom, u32 gfp) must_check;
void packet_free(struct packet *p);   /* NULL allowed; calls released() */
void packet_orphan(struct packet *p); /* released() is called now: nobody is charged any more */
void packet_drop_route(struct packet *p);
/* Who owns struct route tells how a packet's reference is put; any context. Once, at start-up. */
void packet_set_put_route(void (*fn)(struct route *r));
/* Same content, own headers, shared fragments, no owner (sk, released) and no route. NULL: no
 * memory. */
struct packet *packet_clone(const struct packet *p, u32 gfp) must_check;

static inline u8 *packet_data(struct packet *p)
{
	return p->linear + p->data;
}
static inline u32 packet_headroom(const struct packet *p)
{
	return p->data;
}
static inline u32 packet_linear_room(const struct packet *p)
{
	return PACKET_LINEAR - p->data - p->linear_len;
}
static inline bool packet_is_linear(const struct packet *p)
{
	return p->len == p->linear_len;
}
/* Header in front: n <= headroom. */
static inline u8 *packet_push(struct packet *p, u32 n)
{
	p->data = (u16)(p->data - n);
	p->linear_len = (u16)(p->linear_len + n);
	p->len += n;
	return packet_data(p);
}
/* Header done with: n <= linear_len. */
static inline void packet_pull(struct packet *p, u32 n)
{
	p->data = (u16)(p->data + n);
	p->linear_len = (u16)(p->linear_len - n);
	p->len -= n;
}
/* Room at the end of the linear area, only while there are no fragments: n <= packet_linear_room. */
static inline u8 *packet_put(struct packet *p, u32 n)
{
	u8 *at = p->linear + p->data + p->linear_len;

	p->linear_len = (u16)(p->linear_len + n);
	p->len += n;
	return at;
}
/*
 * Make the first n bytes linear, taking them from the fragments. False: the packet is shorter, or n
 * more than the area holds behind data. Moves nothing but fragment bytes: pointers to headers stay.
 */
bool packet_pull_linear(struct packet *p, u32 n) must_check;
static inline bool must_check packet_need(struct packet *p, u32 n)
{
	return likely(n <= p->linear_len) || packet_pull_linear(p, n);
}
/* Drop n bytes in front, wherever they are; or cut the packet to n bytes. */
void packet_drop_front(struct packet *p, u32 n);
void packet_trim(struct packet *p, u32 n);
/* A fragment at the end; takes over the reference; merges with the last one where they touch. False
 * when the table is full or there is no memory for it: the reference stays the caller's. */
bool packet_add_frag(struct packet *p, struct page *page, u32 offset, u32 len) must_check;
/* Give b's payload to the end of a; b becomes empty and is freed. False: too many fragments. */
bool packet_join(struct packet *a, struct packet *b) must_check;
/* A packet of the bytes from off on (len of them), sharing the fragments. NULL: no memory. */
struct packet *packet_slice(const struct packet *p, u32 off, u32 len, u32 gfp) must_check;

/* Copies; off counts from data; off + n <= len is the caller's duty. */
void packet_copy_out(const struct packet *p, u32 off, void *to, u32 n);
/* Bytes copied; fewer than n on a fault. Sleep. */
size_t packet_to_iter(const struct packet *p, u32 off, struct iter *to, size_t n) must_check;
/* Append n bytes of user memory: into the linear area while there are no fragments and all of it
 * fits, else into fresh fragments. 0 -EFAULT -ENOMEM (-ENOBUFS where a limit is met); on an error
 * the packet is as before. Sleeps. */
int packet_from_iter(struct packet *p, struct iter *from, size_t n) must_check;
/* Append kernel bytes; the same without sleeping. */
int packet_append(struct packet *p, const void *data, size_t n, u32 gfp) must_check;
/* Sum of n bytes from off (checksum_add's, in memory order). */
u64 packet_checksum(const struct packet *p, u32 off, u32 n, u64 sum);
/* Is the sum from trans_off to the end, over the pseudo header's sum, right? Knows csum_state. */
bool packet_csum_ok(struct packet *p, u64 pseudo) must_check;
/* CSUM_PARTIAL: put the full checksum in (0 in UDP becomes 0xffff); else nothing. */
void packet_csum_finish(struct packet *p);
/* Make segments of a GSO packet by software, CSUM_PARTIAL each; its headers are linear from data
 * on. Consumes it; the last segment is charged to its owner. False: no memory, all dropped. */
bool packet_segment(struct packet *p, struct list_head *out) must_check;

/*
 * Memory for payload: carved from blocks of 32 KiB (single pages when memory is in pieces), one
 * block per CPU in turn (s NULL), or one of the caller's own, under its lock. One reference for the
 * caller. NULL: no memory. *room: bytes there, >= min (min <= PAGE_SIZE). frag_used follows before
 * anything else happens on this CPU, also before the memory is filled from user memory.
 */
struct frag_source {
	struct page *page;
	u32 offset, size;
};
struct page *frag_get(struct frag_source *s, u32 min, u32 *offset, u32 *room, u32 gfp) must_check;
void frag_used(struct frag_source *s, u32 n); /* of the room just given */
void frag_source_drop(struct frag_source *s);

/* ---- queues: a list and a count; the lock is their owner's ---- */
struct packet_queue {
	struct list_head list;
	u32 count;
	u64 bytes;
};
static inline void packet_queue_init(struct packet_queue *q)
{
	list_init(&q->list);
	q->count = 0;
	q->bytes = 0;
}
static inline void packet_queue_add(struct packet_queue *q, struct packet *p)
{
	list_add_tail(&p->link, &q->list);
	q->count++;
	q->bytes += p->len;
}
static inline struct packet *packet_queue_first(const struct packet_queue *q)
{
	return list_empty(&q->list) ? NULL : container_of(q->list.next, struct packet, link);
}
static inline void packet_queue_remove(struct packet_queue *q, struct packet *p)
{
	list_del(&p->link);
	q->count--;
	q->bytes -= p->len;
}
static inline struct packet *packet_queue_take(struct packet_queue *q)
{
	struct packet *p = packet_queue_first(q);

	if (p)
		packet_queue_remove(q, p);
	return p;
}
void packet_queue_purge(struct packet_queue *q);

#endif
