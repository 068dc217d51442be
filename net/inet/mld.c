/* MLD: RFC 3810 (version 2), 2710 (1). From a link-local address, hop limit 1, router alert. */
#include "inet.h"
#include <linux/icmpv6.h>

#define OLD_QUERIER_NS (260 * NS_PER_SEC) /* RFC 3810 9.12 */
#define MLD_QUERY      130
#define MLD_REPORT     131
#define MLD_DONE       132
#define MLD2_REPORT    143

static const struct inet_addr g_mld2_routers = {.b = {0xff, 2, [15] = 0x16}};
static const struct inet_addr g_all_routers = {.b = {0xff, 2, [15] = 2}};

/* RFC 3590: without a good link-local address, from the unspecified one. */
static struct inet_addr source(struct inet_dev *d)
{
	struct ifaddr *ia;

	list_for_each_entry_rcu(ia, &d->addrs[1], link)
		if (addr_is_v6_link_local(&ia->addr) && !(ia->flags & IFA_F_TENTATIVE))
			return ia->addr;
	return addr_any(AF_INET6);
}

static void xmit(struct inet_dev *d, struct packet *p, const struct inet_addr *dst)
{
	static const u8 alert[] = {IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0};
	struct inet_addr src = source(d);

	icmp6_csum(p, &src, dst);
	memcpy(packet_push(p, sizeof(alert)), alert, sizeof(alert));
	mib_inc(d->in, MIB_ICMP6_OUTMSGS);
	ip6_link_send(d, p, &src, dst, 1, IPPROTO_HOPOPTS, NULL);
}

void mld_report(struct inet_dev *d, const struct mc_record *r, u32 version)
{
	struct packet *p;
	bool leave = r->change && r->mode == MCAST_INCLUDE && !r->nr;
	u32 nr = min(r->nr, (PACKET_LINEAR - PACKET_HEADROOM - 28) / 16u);
	u8 *m;

	if (d->dev->flags & IFF_LOOPBACK || (version == 1 && leave && !r->leave))
		return;
	p = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	if (!p)
		return;
	if (version == 1) {
		m = packet_put(p, 24);
		memset(m, 0, 8);
		m[0] = leave ? MLD_DONE : MLD_REPORT;
		memcpy(m + 8, &r->group, 16);
		xmit(d, p, leave ? &g_all_routers : &r->group);
		return;
	}
	m = packet_put(p, 28 + nr * 16);
	memset(m, 0, 12);
	m[0] = MLD2_REPORT;
	put_be16(m + 6, 1);
	m[8] = (u8)((r->change ? 3 : 1) + (r->mode == MCAST_EXCLUDE)); /* IS_IN 1 .. TO_EX 4 */
	put_be16(m + 10, (u16)nr);
	memcpy(m + 12, &r->group, 16);
	memcpy(m + 28, r->sources, nr * 16);
	xmit(d, p, &g_mld2_routers);
}

static void query(struct inet_dev *d, const u8 *m, u32 len)
{
	u32 code = get_be16(m + 4);
	struct inet_addr group = addr_v6(m + 8);
	s64 max_ns = code * NS_PER_MS;

	if (len == 24)
		WRITE_ONCE(d->mc->f[1].old_until[0], clock_coarse_mono_ns() + OLD_QUERIER_NS);
	else if (len < 28)
		return;
	else if (code >= 32768) /* RFC 3810 5.1.3 */
		max_ns = (s64)(((code & 0xfff) | 0x1000) << (((code >> 12) & 7) + 3)) * NS_PER_MS;
	if (!addr_is_any(&group) && !addr_is_multicast(&group))
		return;
	mc_query(d, 1, addr_is_any(&group) ? NULL : &group, max_ns);
}

void mld_input(struct packet *p)
{
	struct inet_dev *d = inet_dev(p->dev);
	struct ip_rx *rx = ip_rx(p);
	u8 *m;

	/* RFC 3810 5.1.14: from a link-local address, and it hasn't passed a router. */
	if (d && p->len >= 24 && packet_need(p, 24) && rx->ttl == 1 &&
		(addr_is_v6_link_local(&rx->src) || addr_is_any(&rx->src))) {
		m = packet_data(p);
		if (m[0] == MLD_QUERY && addr_is_v6_link_local(&rx->src)) {
			query(d, m, p->len);
		} else if (m[0] == MLD_REPORT && !(p->flags & PKT_LOOPED)) {
			struct inet_addr group = addr_v6(m + 8);

			mc_heard_report(d, 1, &group);
		}
	}
	packet_free(p);
}
