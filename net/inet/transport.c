/* Up to the transports, and errors about their packets. */
#include "inet.h"
#include <linux/icmp.h>
#include <linux/icmpv6.h>

static const struct inet_protocol *g_protocols[256]; /* set at start-up */
const struct inet_raw_hooks *g_raw_hooks;

void inet_protocol_register(const struct inet_protocol *proto)
{
	g_protocols[proto->proto] = proto;
}

const struct inet_protocol *inet_protocol_get(u8 proto)
{
	return g_protocols[proto];
}

void inet_set_raw_hooks(const struct inet_raw_hooks *h)
{
	g_raw_hooks = h;
}

static bool right_family(u8 proto, bool v4)
{
	return v4 ? proto != IPPROTO_ICMPV6 : proto != IPPROTO_ICMP && proto != IPPROTO_IGMP;
}

static void unknown(struct inet_net *in, struct packet *p, bool v4)
{
	mib_inc2(in, MIB_IP_INUNKNOWNPROTOS, v4, MIB_IP6_INUNKNOWNPROTOS);
	if (v4)
		icmp_send(p, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0);
	else
		/* Where the number stands: in the IPv6 header when nothing is between. */
		icmp_send(p, ICMPV6_PARAMPROB, ICMPV6_UNK_NEXTHDR, p->net_len == 40 ? 6 : 40);
	packet_free(p);
}

void inet_deliver(struct packet *p)
{
	struct inet_net *in = inet_net(p->dev->net);
	struct ip_rx *rx = ip_rx(p);
	bool v4 = addr_is_v4(&rx->dst), raw = g_raw_hooks && g_raw_hooks->input(p);
	const struct inet_protocol *proto = g_protocols[rx->proto];

	if (likely(proto && right_family(rx->proto, v4))) {
		mib_inc2(in, MIB_IP_INDELIVERS, v4, MIB_IP6_INDELIVERS);
		proto->input(p);
	} else if (raw) {
		mib_inc2(in, MIB_IP_INDELIVERS, v4, MIB_IP6_INDELIVERS);
		packet_free(p);
	} else {
		unknown(in, p, v4);
	}
}

/* An error about one of our packets: to raw sockets and to its protocol. */
void transport_error(struct net *net, const struct icmp_event *e, u8 proto)
{
	const struct inet_protocol *t = g_protocols[proto];

	if (g_raw_hooks)
		g_raw_hooks->error(net, e, proto);
	if (t && t->error)
		t->error(net, e);
}

void icmp_send(struct packet *p, u8 type, u8 code, u32 info)
{
	if (p->protocol == htons(ETH_P_IP))
		icmp4_send(p, type, code, info);
	else
		icmp6_send(p, type, code, info);
}

void icmp_port_unreachable(struct packet *p)
{
	if (p->protocol == htons(ETH_P_IP))
		icmp4_send(p, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
	else
		icmp6_send(p, ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH, 0);
}

/* What an answer means: icmp(7), ipv6(7); what Linux gives. hard: ends a connection attempt. */
int icmp_errno(bool v4, u8 type, u8 code, bool *hard)
{
	static const struct {
		u8 err;
		bool hard;
	} unreach4[] = {{ENETUNREACH, false}, {EHOSTUNREACH, false}, {ENOPROTOOPT, true},
		{ECONNREFUSED, true}, {EMSGSIZE, false}, {EOPNOTSUPP, false}, {ENETUNREACH, true},
		{EHOSTDOWN, true}, {ENONET, true}, {ENETUNREACH, true}, {EHOSTUNREACH, true},
		{ENETUNREACH, false}, {EHOSTUNREACH, false}, {EHOSTUNREACH, true},
		{EHOSTUNREACH, true}, {EHOSTUNREACH, true}},
	  unreach6[] = {{ENETUNREACH, false}, {EACCES, true}, {EHOSTUNREACH, false},
		  {EHOSTUNREACH, false}, {ECONNREFUSED, true}, {EACCES, true}, {EACCES, true}};

	*hard = false;
	if (type == (v4 ? ICMP_TIME_EXCEEDED : ICMPV6_TIME_EXCEED))
		return EHOSTUNREACH;
	if (type == (v4 ? ICMP_PARAMETERPROB : ICMPV6_PARAMPROB)) {
		*hard = true;
		return EPROTO;
	}
	if (!v4 && type == ICMPV6_PKT_TOOBIG)
		return EMSGSIZE;
	if (v4 && type == ICMP_DEST_UNREACH && code < ARRAY_SIZE(unreach4)) {
		*hard = unreach4[code].hard;
		return unreach4[code].err;
	}
	if (!v4 && type == ICMPV6_DEST_UNREACH && code < ARRAY_SIZE(unreach6)) {
		*hard = unreach6[code].hard;
		return unreach6[code].err;
	}
	return v4 ? EHOSTUNREACH : EPROTO;
}

/* ---- how many errors may leave: RFC 1812 4.3.2.8, RFC 4443 2.4 f --------------------------------
 */

#define RATE_SLOTS 512 /* destinations; a collision shares */
#define RATE_BURST 6

static struct {
	struct spinlock lock;
	s64 last_ns; /* of the global bucket */
	s64 credit;  /* messages */
	struct {
		s64 last_ns, tokens_ns;
	} slot[RATE_SLOTS];
} g_rate = {.lock = SPINLOCK_INIT(RANK_SOCKET_LEAF)};

bool icmp_rate_ok(struct inet_net *in, const struct inet_addr *to, u8 type)
{
	bool v4 = addr_is_v4(to), ok = false;
	s64 limit = (v4 ? in->icmp_ratelimit_ms : in->icmp6_ratelimit_ms) * NS_PER_MS;
	s64 now = clock_mono_ns(), fresh;
	u64 h = siphash(to, sizeof(*to), &g_net_secret) % RATE_SLOTS;

	if (v4 && (type > 31 || !(in->icmp_ratemask >> type & 1)))
		return true;
	if (!v4 && (type == ICMPV6_PKT_TOOBIG || type >= 128))
		return true;
	spin_lock(&g_rate.lock);
	fresh = (now - g_rate.last_ns) / 1000 * in->icmp_msgs_per_sec / 1000000;
	if (fresh > 0 || !g_rate.last_ns) {
		g_rate.credit = min(g_rate.credit + fresh, (s64)in->icmp_msgs_burst);
		if (!g_rate.last_ns)
			g_rate.credit = in->icmp_msgs_burst;
		g_rate.last_ns = now;
	}
	if (g_rate.credit <= 0) {
		if (v4)
			mib_inc(in, MIB_ICMP_OUTRATELIMITGLOBAL);
	} else if (!limit) {
		ok = true;
	} else {
		s64 tokens = g_rate.slot[h].tokens_ns + (now - g_rate.slot[h].last_ns);

		tokens = min(tokens, limit * RATE_BURST);
		if (!g_rate.slot[h].last_ns)
			tokens = limit * RATE_BURST;
		ok = tokens >= limit;
		g_rate.slot[h].tokens_ns = ok ? tokens - limit : tokens;
		g_rate.slot[h].last_ns = now;
		if (!ok)
			mib_inc2(in, MIB_ICMP_OUTRATELIMITHOST, v4, MIB_ICMP6_OUTRATELIMITHOST);
	}
	if (ok)
		g_rate.credit--;
	spin_unlock(&g_rate.lock);
	return ok;
}

/* The first max bytes of p from its network header on, behind what is in q. */
bool transport_quote(struct packet *q, struct packet *p, u32 max)
{
	u32 before = p->data > p->net_off ? p->data - p->net_off : 0, n;

	packet_csum_finish(p);
	n = min(before, max);
	if (packet_append(q, p->linear + p->net_off, n, GFP_ATOMIC))
		return false;
	max -= n;
	max = min(max, p->len);
	for (u32 done = 0; done < max;) {
		u8 part[256];

		n = min(max - done, (u32)sizeof(part));
		packet_copy_out(p, done, part, n);
		if (packet_append(q, part, n, GFP_ATOMIC))
			return false;
		done += n;
	}
	return true;
}
