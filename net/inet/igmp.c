/* IGMP: RFC 3376 (version 3), 2236 (2), 1112 (1). Sent with TTL 1 and the router alert option. */
#include "inet.h"
#include <linux/igmp.h>
#include <linux/ip.h>

#define OLD_QUERIER_NS (400 * NS_PER_SEC) /* RFC 3376 8.12: robustness * interval + response */

static const u32 g_igmpv3_routers = 0x160000e0; /* 224.0.0.22 */

static void xmit(struct inet_dev *d, struct packet *p, u32 dst)
{
	static const u8 alert[] = {0x94, 4, 0, 0};
	struct inet_addr to = addr_v4(dst), src;
	u8 hw[NETIF_ADDR_MAX];
	struct iphdr *h;
	u8 *m = packet_data(p);

	put_be16(m + 2, 0);
	*(u16 *)(m + 2) = checksum_fold(packet_checksum(p, 0, p->len, 0));
	if (!ifaddr_source4(d->in, d->dev, &to, RT_SCOPE_LINK, &src))
		src = addr_v4(0);
	h = (struct iphdr *)packet_push(p, 24);
	memset(h, 0, 20);
	*(u8 *)h = 0x46;
	h->tos = 0xc0;
	h->tot_len = htons(p->len);
	h->frag_off = htons(0x4000);
	h->ttl = 1;
	h->protocol = IPPROTO_IGMP;
	h->saddr = src.w[3];
	h->daddr = dst;
	memcpy(h + 1, alert, 4);
	h->check = checksum_fold(checksum_add(0, h, 24));
	p->dev = d->dev;
	p->net_off = p->data;
	p->protocol = htons(ETH_P_IP);
	mib_inc(d->in, MIB_IP_OUTREQUESTS);
	mc_link_addr(d->dev, &to, hw);
	(void)netif_send_to(p, ETH_P_IP, hw); /* lost ones are asked for again */
}

static void report3(struct inet_dev *d, const struct mc_record *r)
{
	struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	u32 nr = min(r->nr, (PACKET_LINEAR - PACKET_HEADROOM - 16) / 4u);
	u8 *m;

	if (!p)
		return;
	m = packet_put(p, 16 + nr * 4);
	memset(m, 0, 16);
	m[0] = IGMPV3_HOST_MEMBERSHIP_REPORT;
	put_be16(m + 6, 1);
	m[8] = r->change
		? (r->mode == MCAST_EXCLUDE ? IGMPV3_CHANGE_TO_EXCLUDE : IGMPV3_CHANGE_TO_INCLUDE)
		: (r->mode == MCAST_EXCLUDE ? IGMPV3_MODE_IS_EXCLUDE : IGMPV3_MODE_IS_INCLUDE);
	put_be16(m + 10, (u16)nr);
	memcpy(m + 12, &r->group.w[3], 4);
	for (u32 i = 0; i < nr; i++)
		memcpy(m + 16 + i * 4, &r->sources[i].w[3], 4);
	xmit(d, p, g_igmpv3_routers);
}

static void report_old(struct inet_dev *d, const struct mc_record *r, u32 version)
{
	struct packet *p;
	u8 *m;

	if (r->change && r->mode == MCAST_INCLUDE && !r->nr) {
		if (version == 1 || !r->leave)
			return; /* version 1 leaves in silence */
	}
	p = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	if (!p)
		return;
	m = packet_put(p, 8);
	memset(m, 0, 8);
	memcpy(m + 4, &r->group.w[3], 4);
	if (r->change && r->mode == MCAST_INCLUDE && !r->nr) {
		m[0] = IGMP_HOST_LEAVE_MESSAGE;
		xmit(d, p, 0x020000e0); /* all routers */
		return;
	}
	m[0] = version == 1 ? IGMP_HOST_MEMBERSHIP_REPORT : IGMPV2_HOST_MEMBERSHIP_REPORT;
	xmit(d, p, r->group.w[3]);
}

void igmp_report(struct inet_dev *d, const struct mc_record *r, u32 version)
{
	if (d->dev->flags & IFF_LOOPBACK)
		return;
	if (version == 3)
		report3(d, r);
	else
		report_old(d, r, version);
}

/* Tenths of a second, or a small floating-point number: RFC 3376 4.1.1. */
static s64 response_time(u8 code)
{
	u32 tenths = code < 128 ? code : ((code & 0xfu) | 0x10) << (((code >> 4) & 7) + 3);

	return tenths * (NS_PER_SEC / 10);
}

static void query(struct inet_dev *d, const u8 *m, u32 len)
{
	struct mc_family *f = &d->mc->f[0];
	s64 until = clock_coarse_mono_ns() + OLD_QUERIER_NS, max_ns;
	struct inet_addr group = addr_v4(htonl(get_be32(m + 4)));

	if (len == 8) {
		WRITE_ONCE(f->old_until[m[1] != 0], until);
		max_ns = m[1] ? m[1] * (NS_PER_SEC / 10) : 10 * NS_PER_SEC;
	} else if (len >= 12) {
		max_ns = response_time(m[1]);
	} else {
		return;
	}
	if (!addr_is_any(&group) && !addr_is_multicast(&group))
		return;
	mc_query(d, 0, addr_is_any(&group) ? NULL : &group, max_ns);
}

void igmp_input(struct packet *p)
{
	struct inet_dev *d = inet_dev(p->dev);
	struct inet_addr group;
	u8 *m;

	if (d && packet_need(p, min(p->len, 12u)) && p->len >= 8 && packet_csum_ok(p, 0)) {
		m = packet_data(p);
		group = addr_v4(htonl(get_be32(m + 4)));
		switch (m[0]) {
		case IGMP_HOST_MEMBERSHIP_QUERY:
			query(d, m, p->len);
			break;
		case IGMP_HOST_MEMBERSHIP_REPORT:
		case IGMPV2_HOST_MEMBERSHIP_REPORT:
			if (!(p->flags & PKT_LOOPED))
				mc_heard_report(d, 0, &group);
			break;
		}
	}
	packet_free(p);
}
