/* ICMP: RFC 792, 1122 3.2.2, 1812 4.3; icmp(7). Redirects are neither sent nor taken. */
#include "inet.h"
#include <linux/icmp.h>
#include <linux/if_packet.h>
#include <linux/ip.h>

#define ERROR_MAX 576u /* bytes of an error with its IP header: RFC 1812 4.3.2.3 */

static const struct {
	s16 in, out; /* -1: no counter of its own */
} g_counters[] = {
	[ICMP_ECHOREPLY] = {MIB_ICMP_INECHOREPS, MIB_ICMP_OUTECHOREPS},
	[ICMP_DEST_UNREACH] = {MIB_ICMP_INDESTUNREACHS, MIB_ICMP_OUTDESTUNREACHS},
	[ICMP_SOURCE_QUENCH] = {MIB_ICMP_INSRCQUENCHS, MIB_ICMP_OUTSRCQUENCHS},
	[ICMP_REDIRECT] = {MIB_ICMP_INREDIRECTS, MIB_ICMP_OUTREDIRECTS},
	[ICMP_ECHO] = {MIB_ICMP_INECHOS, MIB_ICMP_OUTECHOS},
	[ICMP_TIME_EXCEEDED] = {MIB_ICMP_INTIMEEXCDS, MIB_ICMP_OUTTIMEEXCDS},
	[ICMP_PARAMETERPROB] = {MIB_ICMP_INPARMPROBS, MIB_ICMP_OUTPARMPROBS},
	[ICMP_TIMESTAMP] = {MIB_ICMP_INTIMESTAMPS, MIB_ICMP_OUTTIMESTAMPS},
	[ICMP_TIMESTAMPREPLY] = {MIB_ICMP_INTIMESTAMPREPS, MIB_ICMP_OUTTIMESTAMPREPS},
	[ICMP_ADDRESS] = {MIB_ICMP_INADDRMASKS, MIB_ICMP_OUTADDRMASKS},
	[ICMP_ADDRESSREPLY] = {MIB_ICMP_INADDRMASKREPS, MIB_ICMP_OUTADDRMASKREPS},
};

static void count(struct inet_net *in, u8 type, bool out)
{
	mib_inc(in, out ? MIB_ICMP_OUTMSGS : MIB_ICMP_INMSGS);
	if (type < ARRAY_SIZE(g_counters) && g_counters[type].in)
		mib_inc(in, (enum mib)(out ? g_counters[type].out : g_counters[type].in));
}

void inet_count_icmp_out(struct net *net, bool v4, u8 type)
{
	if (v4)
		count(inet_net(net), type, true);
	else
		mib_inc(inet_net(net), MIB_ICMP6_OUTMSGS);
}

/* Send the message p (data at the ICMP header, sum not yet in) to dst. Consumes p. */
static void xmit(struct inet_net *in, struct packet *p, const struct inet_addr *src,
	const struct inet_addr *dst, u8 tos, const struct ip_options *opt)
{
	struct icmphdr *h = (struct icmphdr *)packet_data(p);
	struct flow f = {
		.local = *src, .remote = *dst, .mark = p->mark, .tos = tos, .proto = IPPROTO_ICMP};
	struct ip_tx tx = {.dst = *dst,
		.proto = IPPROTO_ICMP,
		.tos = tos,
		.opt = opt,
		.local_frag = true,
		.ttl = (u8)in->limits.default_ttl};
	struct ip_path path;

	if (route_lookup(in->net, &f, &path)) {
		mib_inc(in, MIB_IP_OUTNOROUTES);
		packet_free(p);
		return;
	}
	h->checksum = 0;
	h->checksum = checksum_fold(packet_checksum(p, 0, p->len, 0));
	p->csum_state = CSUM_NONE;
	p->gso = GSO_NONE;
	p->trans_off = p->data;
	p->flags &= (u8) ~(PKT_LOOPED | PKT_FORWARD);
	tx.src = path.source;
	count(in, h->type, true);
	(void)ip_send(in->net, &path, &tx, p);
}

/* ---- errors to others
 * ---------------------------------------------------------------------------- */

static bool is_error(u8 type)
{
	return type == ICMP_DEST_UNREACH || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT ||
		type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
}

/* RFC 1122 3.2.2: no error about an error, a broadcast, a later fragment. */
static bool may_report(struct inet_net *in, struct packet *p, const struct iphdr *h)
{
	struct inet_addr src = addr_v4(h->saddr), dst = addr_v4(h->daddr);
	u8 t = addr_type(in->net, &src, 0);

	if (p->pkt_type != PACKET_HOST || h->frag_off & htons(0x1fff))
		return false;
	if (addr_is_multicast(&dst) || addr_is_limited_broadcast(&dst) ||
		addr_type(in->net, &dst, 0) == RTN_BROADCAST)
		return false;
	if (addr_is_any(&src) || t == RTN_MULTICAST || t == RTN_BROADCAST)
		return false;
	if (h->protocol == IPPROTO_ICMP) {
		u32 at = p->net_off + h->ihl * 4u;
		u8 inner;

		if (p->data > at) /* the transport header is behind us in the linear area */
			inner = p->linear[at];
		else if (at - p->data < p->len)
			packet_copy_out(p, at - p->data, &inner, 1);
		else
			return false;
		if (is_error(inner) || inner > 18)
			return false;
	}
	return true;
}

void icmp4_send(struct packet *p, u8 type, u8 code, u32 info)
{
	struct iphdr *h = (struct iphdr *)(p->linear + p->net_off);
	struct inet_net *in = inet_net(p->dev->net);
	struct inet_addr dst = addr_v4(h->saddr), src = addr_v4(h->daddr);
	struct packet *q;
	u8 *m;

	if (!may_report(in, p, h))
		return;
	if (!(p->dev->flags & IFF_LOOPBACK) &&
		!(type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED) &&
		!icmp_rate_ok(in, &dst, type))
		return;
	q = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	if (!q)
		return;
	m = packet_put(q, 8);
	m[0] = type;
	m[1] = code;
	m[2] = m[3] = 0;
	put_be32(m + 4, info);
	q->mark = p->mark;
	if (!transport_quote(q, p, ERROR_MAX - 28)) {
		packet_free(q);
		return;
	}
	if (!addr_is_ours(in->net, &src, 0))
		src = addr_v4(0);
	xmit(in, q, &src, &dst, (u8)((h->tos & 0x1e) | 0xc0), NULL);
}

/* ---- what comes in
 * ------------------------------------------------------------------------------- */

/* Room for headers in front of p's bytes, and the options that the reply has; consumes p. */
static struct packet *reply_packet(struct packet *p, struct ip_options *opt)
{
	struct packet *q;

	ip_options_echo(opt, p->linear + p->net_off + 20, p->net_len - 20u);
	if (packet_headroom(p) >= 60 + 16)
		return p;
	q = packet_with_room(p, 0, p->len);
	if (q)
		q->mark = p->mark;
	packet_free(p);
	return q;
}

static void echo(struct inet_net *in, struct packet *p)
{
	struct ip_rx rx = *ip_rx(p);
	bool group = rx.flags & (IP_RX_BROADCAST | IP_RX_MULTICAST);
	struct inet_addr none = addr_v4(0);
	struct ip_options opt;

	if (READ_ONCE(in->icmp_echo_ignore_all) ||
		(group && READ_ONCE(in->icmp_echo_ignore_broadcasts))) {
		packet_free(p);
		return;
	}
	p = reply_packet(p, &opt);
	if (!p)
		return;
	packet_data(p)[0] = ICMP_ECHOREPLY;
	xmit(in, p, group ? &none : &rx.dst, &rx.src, rx.tos, &opt);
}

static void timestamp(struct inet_net *in, struct packet *p)
{
	struct ip_rx rx = *ip_rx(p);
	u32 ms = (u32)(clock_real_ns() / NS_PER_MS % 86400000);
	struct ip_options opt;
	u8 *m;

	if (p->len < 20 || !packet_need(p, 20) ||
		(rx.flags & (IP_RX_BROADCAST | IP_RX_MULTICAST))) {
		packet_free(p);
		return;
	}
	packet_trim(p, 20);
	p = reply_packet(p, &opt);
	if (!p)
		return;
	m = packet_data(p);
	m[0] = ICMP_TIMESTAMPREPLY;
	put_be32(m + 12, ms);
	put_be32(m + 16, ms);
	xmit(in, p, &rx.dst, &rx.src, rx.tos, &opt);
}

/* RFC 1191 7.1: routers of old name no MTU; the next plateau below the packet's length. */
static u32 guess_mtu(u32 len)
{
	static const u16 plateaus[] = {
		32000, 17914, 8166, 4352, 2002, 1492, 576, 296, 216, 128, 68};

	for (u32 i = 0; i < ARRAY_SIZE(plateaus); i++)
		if (plateaus[i] < len)
			return plateaus[i];
	return 68;
}

/* An error about a packet that we sent: to whom it may concern. */
static void error(struct inet_net *in, struct packet *p, u8 type, u8 code, u32 word)
{
	struct icmp_event e = {.p = p, .type = type, .code = code, .ifindex = (int)p->ifindex};
	struct iphdr *h;
	u32 hl, saved_net = p->net_off;

	packet_pull(p, 8);
	if (p->len < 28 || !packet_need(p, 28))
		return;
	h = (struct iphdr *)packet_data(p);
	hl = h->ihl * 4u;
	if (h->version != 4 || hl < 20 || !packet_need(p, hl + 8))
		return;
	h = (struct iphdr *)packet_data(p);
	e.local = addr_v4(h->saddr);
	e.remote = addr_v4(h->daddr);
	e.offender = ip_rx(p)->src;
	e.err = icmp_errno(true, type, code, &e.hard);
	if (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED) {
		e.info = word & 0xffff;
		if (!e.info)
			e.info = guess_mtu(ntohs(h->tot_len));
	} else if (type == ICMP_PARAMETERPROB) {
		e.info = word >> 24;
	}
	if (h->frag_off & htons(0x1fff)) /* no transport header in a later fragment */
		return;
	p->net_off = p->data;
	packet_pull(p, hl);
	p->trans_off = p->data;
	if (h->protocol == IPPROTO_ICMP) {
		if (g_raw_hooks && packet_data(p)[0] == ICMP_ECHO)
			g_raw_hooks->ping_error(in->net, &e);
		if (g_raw_hooks)
			g_raw_hooks->error(in->net, &e, IPPROTO_ICMP);
	} else {
		transport_error(in->net, &e, h->protocol);
	}
	p->net_off = (u16)saved_net;
}

void icmp4_input(struct packet *p)
{
	struct inet_net *in = inet_net(p->dev->net);
	u8 *m, type, code;

	if (!packet_need(p, 8))
		goto bad;
	if (!packet_csum_ok(p, 0)) {
		mib_inc(in, MIB_ICMP_INCSUMERRORS);
		goto bad;
	}
	m = packet_data(p);
	type = m[0];
	code = m[1];
	count(in, type, false);
	switch (type) {
	case ICMP_ECHO:
		echo(in, p);
		return;
	case ICMP_ECHOREPLY:
		if (g_raw_hooks) {
			g_raw_hooks->ping(p);
			return;
		}
		break;
	case ICMP_TIMESTAMP:
		timestamp(in, p);
		return;
	case ICMP_DEST_UNREACH:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETERPROB:
		if (!(ip_rx(p)->flags & (IP_RX_BROADCAST | IP_RX_MULTICAST)))
			error(in, p, type, code, get_be32(m + 4));
		break;
	}
	packet_free(p);
	return;
bad:
	mib_inc(in, MIB_ICMP_INMSGS);
	mib_inc(in, MIB_ICMP_INERRORS);
	packet_free(p);
}
