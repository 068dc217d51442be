/*
 * Receiving. The ring holds buffers of RX_BUFFER bytes, carved from larger blocks, so that the
 * parts of a large frame mostly touch and become one fragment. The first bytes of a frame (its
 * headers) are copied into the packet, the rest stays where the device wrote it.
 * virtio 1.2, 5.1.6.3 and 5.1.6.4.
 */
#include "vnet.h"
#include <kmem/page.h>
#include <lib/string.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#define RX_BUFFER 2048u /* two to a page: a frame of 64 KiB has at most 17 pages, 18 fragments */
#define RX_ALIGN  2     /* in front of the frame, so that the network header is aligned to 4 */
#define RX_COPY   (PACKET_LINEAR - RX_ALIGN) /* frames up to here are copied as a whole */
#define BATCH     16                         /* buffers taken under one hold of the ring's lock */
#define RETRY_NS  (20 * NS_PER_MS)
#define MIN_PLAIN 16ull
#define MIN_LARGE \
	64ull /* one frame may need 33, or the device waits for ever; BATCH may be missing */
#define HDR ((u32)sizeof(struct virtio_net_hdr_v1))

struct taken {
	u8 *at;
	u32 len;
};

static struct page *page_of(const void *at)
{
	struct page *page = virt_to_page(at);

	return page_test(page, PG_TAIL) ? page->head : page;
}

static void put_buffer(const void *at)
{
	put_page(page_of(at));
}

/* Bytes to copy: link, network and transport header where they are plain, else some. */
static u32 headers_of(const u8 *f, u32 len)
{
	const struct iphdr *ip = (const struct iphdr *)(f + ETH_HLEN);
	u32 n = ETH_HLEN;
	u8 proto;

	if (len <= RX_COPY)
		return len;
	if (f[12] == 8 && f[13] == 0) {
		n += ip->ihl * 4u;
		proto = ip->protocol;
	} else if (f[12] == 0x86 && f[13] == 0xdd) {
		n += sizeof(struct ipv6hdr);
		proto = ((const struct ipv6hdr *)ip)->nexthdr;
	} else {
		return RX_COPY;
	}
	if (proto == IPPROTO_TCP && n + sizeof(struct tcphdr) <= len)
		return n + ((const struct tcphdr *)(f + n))->doff * 4u;
	return proto == IPPROTO_UDP ? n + (u32)sizeof(struct udphdr) : RX_COPY;
}

/* The rest of a buffer becomes a fragment; the reference goes over or is put. */
static bool add_rest(struct packet *p, const u8 *at, u32 len)
{
	struct page *page = page_of(at);

	if (!packet_add_frag(p, page, (u32)(at - (u8 *)page_address(page)), len)) {
		put_page(page);
		return false;
	}
	p->truesize += RX_BUFFER - min(len, RX_BUFFER);
	return true;
}

static bool set_gso(struct packet *p, const struct virtio_net_hdr_v1 *h)
{
	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		p->gso = GSO_TCP4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		p->gso = GSO_TCP6;
		break;
	default:
		return false;
	}
	p->gso_size = h->gso_size;
	return p->gso_size != 0;
}

/* What the device says of sums; offsets come from outside and are checked. */
static bool set_csum(struct packet *p, const struct virtio_net_hdr_v1 *h, u32 frame_len)
{
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		u32 end = h->csum_start + h->csum_offset + 2u;

		if (end > p->linear_len || end > frame_len)
			return false;
		p->csum_state = CSUM_PARTIAL;
		p->csum_start = (u16)(p->data + h->csum_start);
		p->csum_offset = h->csum_offset;
	} else if (h->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		p->csum_state = CSUM_GOOD;
	}
	return true;
}

/* The first buffer of a frame. NULL: no memory, or it makes no sense. Takes over the buffer. */
static struct packet *begin_frame(struct vnet_rx *rx, u8 *at, u32 len)
{
	const struct virtio_net_hdr_v1 *h = (const void *)at;
	struct packet *p = NULL;
	u32 copy;

	/* Also of a frame that is dropped: its other buffers are no frames. */
	rx->left = len >= HDR && virtio_has(rx->dev->dev, VIRTIO_NET_F_MRG_RXBUF) ? h->num_buffers
										  : 1;
	if (rx->left)
		rx->left--;
	if (len < HDR + ETH_HLEN || len > RX_BUFFER)
		goto drop;
	p = packet_alloc(RX_ALIGN, GFP_ATOMIC);
	if (!p)
		goto drop;
	len -= HDR;
	copy = min(min(headers_of(at + HDR, len), len), (u32)RX_COPY);
	memcpy(packet_put(p, copy), at + HDR, copy);
	if (!set_csum(p, h, len) || !set_gso(p, h))
		goto drop;
	p->dev = rx->dev->netif;
	p->queue = (u16)(rx - rx->dev->rx);
	if (copy == len)
		put_buffer(at);
	else if (!add_rest(p, at + HDR + copy, len - copy))
		goto drop_packet;
	return p;
drop:
	put_buffer(at);
drop_packet:
	packet_free(p);
	rx->errors++;
	return NULL;
}

static void end_frame(struct packet *p)
{
	if (p->gso) {
		u32 head = headers_of(packet_data(p), RX_COPY + 1);

		if (p->len <= head) {
			packet_free(p);
			return;
		}
		p->gso_segs = (u16)div_round_up(p->len - head, (u32)p->gso_size);
	}
	net_receive(p);
}

static void handle(struct vnet_rx *rx, u8 *at, u32 len)
{
	if (!rx->left) {
		rx->partial = begin_frame(rx, at, len);
	} else {
		rx->left--;
		if (!rx->partial || !len || len > RX_BUFFER) {
			put_buffer(at); /* the rest of a frame that was dropped */
			if (rx->partial)
				rx->errors++;
			packet_free(rx->partial);
			rx->partial = NULL;
		} else if (!add_rest(rx->partial, at, len)) {
			packet_free(rx->partial);
			rx->partial = NULL;
			rx->errors++;
		}
	}
	if (!rx->left && rx->partial) {
		struct packet *p = rx->partial;

		rx->partial = NULL;
		if (netif_running(rx->dev->netif))
			end_frame(p);
		else
			packet_free(p);
	}
}

/* ---- buffers for the device ---- */

static bool post(struct vnet_rx *rx, u8 *at)
{
	struct vq_chain c;

	if (!vq_begin(rx->q, &c, 1, NULL))
		return false;
	vq_add(&c, virt_to_phys(at), RX_BUFFER, true);
	vq_end(&c, at);
	return true;
}

static void refill(struct vnet_rx *rx)
{
	bool tell;
	unsigned long flags;

	while (rx->posted < rx->wanted) {
		u8 *at[BATCH];
		u32 n = 0, offset, room;

		while (n < BATCH && rx->posted + n < rx->wanted) {
			struct page *page = frag_get(
				&rx->source, RX_BUFFER, &offset, &room, GFP_ATOMIC);

			if (!page)
				break;
			frag_used(&rx->source, RX_BUFFER);
			at[n++] = (u8 *)page_address(page) + offset;
		}
		if (!n)
			break;
		rx->posted += n;
		flags = spin_lock_irqsave(&rx->q->lock);
		for (u32 i = 0; i < n; i++)
			if (!post(rx, at[i])) {
				put_buffer(at[i]);
				rx->posted--;
			}
		tell = vq_should_notify(rx->q);
		spin_unlock_irqrestore(&rx->q->lock, flags);
		if (tell)
			vq_notify(rx->q);
	}
	/* An empty ring, or one with less room than the next frame, gives no interrupt that would
	 * try again. */
	if (rx->posted < rx->wanted)
		(void)!net_timer_arm(&rx->retry, deadline_after(RETRY_NS));
}

static void retry_refill(struct net_timer *t)
{
	net_poll_schedule(&container_of(t, struct vnet_rx, retry)->poll);
}

static u32 take(struct vnet_rx *rx, struct taken *out, u32 max)
{
	unsigned long flags = spin_lock_irqsave(&rx->q->lock);
	u32 n = 0;

	while (n < max && (out[n].at = vq_take(rx->q, &out[n].len)))
		n++;
	spin_unlock_irqrestore(&rx->q->lock, flags);
	return n;
}

static int rx_poll(struct net_poll *poll, int budget)
{
	struct vnet_rx *rx = container_of(poll, struct vnet_rx, poll);
	int done = 0;
	u32 n;

	do {
		struct taken t[BATCH];

		n = take(rx, t, min_t(u32, BATCH, (u32)(budget - done)));
		rx->posted -= n;
		for (u32 i = 0; i < n; i++) {
			if (i + 1 < n)
				__builtin_prefetch(t[i + 1].at);
			handle(rx, t[i].at, t[i].len);
		}
		done += (int)n;
	} while (n && done < budget);
	if (rx->posted <= rx->wanted - min_t(u32, rx->wanted / 4, BATCH))
		refill(rx);
	if (done < budget && net_poll_done(poll)) {
		unsigned long flags = spin_lock_irqsave(&rx->q->lock);
		bool quiet = vq_interrupts_on(rx->q);

		if (!quiet)
			vq_interrupts_off(rx->q);
		spin_unlock_irqrestore(&rx->q->lock, flags);
		if (!quiet)
			net_poll_schedule(poll);
	}
	return done;
}

void vnet_rx_interrupt(struct virtqueue *q)
{
	struct vnet_rx *rx = q->priv;

	if (!rx)
		return;
	spin_lock(&q->lock);
	vq_interrupts_off(q);
	spin_unlock(&q->lock);
	net_poll_schedule(&rx->poll);
}

/* The ring is filled when the interface is first used; a small machine gets a small ring. */
void vnet_rx_open(struct vnet_rx *rx)
{
	struct mem_stats s;

	mem_get_stats(&s);
	rx->wanted = (u32)clamp(s.total * PAGE_SIZE / 64 / RX_BUFFER / rx->dev->pairs,
		rx->dev->netif->features & NETIF_F_LRO ? MIN_LARGE : MIN_PLAIN, (u64)rx->q->size);
	net_poll_schedule(&rx->poll);
}

int vnet_rx_init(struct vnet_rx *rx, struct vnet *v, u32 i)
{
	rx->dev = v;
	rx->q = v->dev->queues[2 * i];
	rx->q->priv = rx;
	net_poll_init(&rx->poll, rx_poll, (int)(i % (u32)g_nr_cpus));
	net_timer_init(&rx->retry, retry_refill);
	return 0;
}
