/* Counters, one set per CPU, and the files of /proc/net that show them. RFC 4293, 4113. */
#include "inet.h"
#include <lib/printf.h>
#include <lib/seq_buf.h>
#include <linux/icmp.h>

static const char *const g_names[] = {
#define MIB(id, name) name,
#include "mib.def"
#undef MIB
};

u64 mib_sum(struct inet_net *in, enum mib m)
{
	u64 sum = 0;

	for_each_cpu(cpu)
		sum += READ_ONCE(in->mib[cpu].n[m]);
	return sum;
}

void inet_count_udp(struct net *net, u16 protocol, bool v4, enum inet_udp_count c)
{
	/* UDP by IPv4, by IPv6; UDP-Lite by both */
	static const u16 order[][4] = {
#define EACH(name) {MIB_UDP_##name, MIB_UDP6_##name, MIB_UDPLITE_##name, MIB_UDPLITE6_##name}
		[UDP_IN] = EACH(INDATAGRAMS),
		[UDP_NO_PORTS] = EACH(NOPORTS),
		[UDP_IN_ERRORS] = EACH(INERRORS),
		[UDP_OUT] = EACH(OUTDATAGRAMS),
		[UDP_RCVBUF_ERRORS] = EACH(RCVBUFERRORS),
		[UDP_SNDBUF_ERRORS] = EACH(SNDBUFERRORS),
		[UDP_CSUM_ERRORS] = EACH(INCSUMERRORS),
		[UDP_MEM_ERRORS] = EACH(MEMERRORS),
#undef EACH
		/* Groups that nobody is in aren't counted for UDP-Lite over IPv6. */
		[UDP_MULTI] = {MIB_UDP_IGNOREDMULTI, MIB_UDP6_IGNOREDMULTI,
			MIB_UDPLITE_IGNOREDMULTI, NR_MIBS},
	};
	u16 m = order[c][(protocol == IPPROTO_UDPLITE ? 2 : 0) + !v4];

	if (m != NR_MIBS)
		mib_inc(inet_net(net), (enum mib)m);
}

void inet_count_tcp(struct net *net, enum inet_tcp_count c, s64 n)
{
	mib_add(inet_net(net), (enum mib)(MIB_TCP_ACTIVE_OPENS + (u32)c), (u64)n);
}

/* A header line and a line of values, of the counters [first, last]. */
static void show_group(struct inet_net *in, struct seq_buf *s, const char *group,
	const char *before, const char *before_values, enum mib first, enum mib last)
{
	seq_printf(s, "%s:%s", group, before);
	for (u32 m = first; m <= last; m++)
		seq_printf(s, " %s", g_names[m]);
	seq_printf(s, "\n%s:%s", group, before_values);
	for (u32 m = first; m <= last; m++)
		seq_printf(s, " %llu", mib_sum(in, (enum mib)m));
	seq_putc(s, '\n');
}

void inet_show_snmp(struct net *net, struct seq_buf *s)
{
	struct inet_net *in = inet_net(net);
	char values[48];

	ksnprintf(values, sizeof(values), " %d %d", in->conf_all.forwarding ? 1 : 2,
		in->limits.default_ttl);
	show_group(in, s, "Ip", " Forwarding DefaultTTL", values, MIB_IP_INRECEIVES,
		MIB_IP_FRAGCREATES);
	show_group(in, s, "Icmp", "", "", MIB_ICMP_INMSGS, MIB_ICMP_OUTADDRMASKREPS);
	/* RFC 4022: Van Jacobson's algorithm; milliseconds; no limit. */
	show_group(in, s, "Tcp", " RtoAlgorithm RtoMin RtoMax MaxConn", " 1 200 120000 -1",
		MIB_TCP_ACTIVE_OPENS, MIB_TCP_IN_CSUM_ERRORS);
	show_group(in, s, "Udp", "", "", MIB_UDP_INDATAGRAMS, MIB_UDP_MEMERRORS);
	show_group(in, s, "UdpLite", "", "", MIB_UDPLITE_INDATAGRAMS, MIB_UDPLITE_MEMERRORS);
}

void inet_show_netstat(struct net *net, struct seq_buf *s)
{
	show_group(inet_net(net), s, "TcpExt", "", "", (enum mib)(MIB_TCP_IN_CSUM_ERRORS + 1),
		(enum mib)(MIB_UDP_INDATAGRAMS - 1));
	show_group(inet_net(net), s, "IpExt", "", "", MIB_IPX_INNOROUTES, MIB_IPX_REASMOVERLAPS);
}

void inet_show_snmp6(struct net *net, struct seq_buf *s)
{
	struct inet_net *in = inet_net(net);

	for (u32 m = MIB_IP6_INRECEIVES; m < NR_MIBS; m++)
		seq_printf(s, "%-32s\t%llu\n", g_names[m], mib_sum(in, (enum mib)m));
}
