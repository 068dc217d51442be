/* Variables of /proc/sys/net/ipv4 and ipv6: where they are and what follows a change. */
#include "inet.h"

s32 *inet_sysctl(struct net *net, enum inet_variable v)
{
	struct inet_net *in = inet_net(net);

	switch (v) {
	case INET_DEFAULT_TTL:
		return &in->limits.default_ttl;
	case INET_PORT_LO:
		return &in->limits.port_lo;
	case INET_PORT_HI:
		return &in->limits.port_hi;
	case INET_PING_LO:
		return &in->ping_lo;
	case INET_PING_HI:
		return &in->ping_hi;
	case INET_UNPRIVILEGED_PORT:
		return &in->limits.unprivileged_port;
	case INET_NONLOCAL_BIND:
		return &in->limits.nonlocal_bind;
	case INET_NONLOCAL_BIND6:
		return &in->limits.nonlocal_bind6;
	case INET_NO_PMTU_DISC:
		return &in->limits.no_pmtu_disc;
	case INET_MIN_PMTU:
		return &in->min_pmtu;
	case INET_MTU_EXPIRES:
		return &in->pmtu_expires_s;
	case INET_ECHO_IGNORE_ALL:
		return &in->icmp_echo_ignore_all;
	case INET_ECHO_IGNORE_BROADCASTS:
		return &in->icmp_echo_ignore_broadcasts;
	case INET_RATELIMIT:
		return &in->icmp_ratelimit_ms;
	case INET_RATEMASK:
		return &in->icmp_ratemask;
	case INET_MSGS_PER_SEC:
		return &in->icmp_msgs_per_sec;
	case INET_MSGS_BURST:
		return &in->icmp_msgs_burst;
	case INET_RATELIMIT6:
		return &in->icmp6_ratelimit_ms;
	case INET_ECHO_IGNORE_ALL6:
		return &in->icmp6_echo_ignore_all;
	case INET_IGMP_MAX_MEMBERSHIPS:
		return &in->igmp_max_memberships;
	case INET_IGMP_MAX_MSF:
		return &in->igmp_max_msf;
	case INET_MLD_MAX_MSF:
		return &in->mld_max_msf;
	case INET_FRAG_HIGH:
		return &frag_limits(in, 0)->high;
	case INET_FRAG_TIME:
		return &frag_limits(in, 0)->time_s;
	case INET_FRAG_HIGH6:
		return &frag_limits(in, 1)->high;
	case INET_FRAG_TIME6:
		return &frag_limits(in, 1)->time_s;
	case INET_FORWARD_USE_PMTU:
		return &in->ip_forward_use_pmtu;
	case INET_BINDV6ONLY:
		return &in->limits.bindv6only;
	case INET_AUTO_FLOWLABELS:
		return &in->limits.auto_flowlabels;
	case INET_FORWARDING:
		return &in->conf_all.forwarding;
	}
	return NULL;
}

void inet_sysctl_changed(struct net *net, enum inet_variable v)
{
	struct inet_net *in = inet_net(net);

	if (v == INET_FORWARDING)
		inet_ip_forward_changed(in);
	route_gen_bump(net);
}
