/* /proc/net: routes, neighbours, addresses, as the old tools read them. */
#include "inet.h"
#include <lib/printf.h>
#include <lib/seq_buf.h>
#include <linux/if_arp.h>
#include <linux/ipv6_route.h>
#include <linux/neighbour.h>
#include <linux/route.h>

#define ROUTE_LINE 127 /* characters of a line of /proc/net/route */

/* ---- route, ipv6_route --------------------------------------------------------------------------
 */

static bool show_route(struct fib_route *r, void *arg)
{
	struct seq_buf *s = arg;
	u32 mask = r->len ? htonl(U32_MAX << (32 - r->len)) : 0, flags = RTF_UP;
	const struct route *rt = r->hops[0].rt;
	size_t start = s->len;

	if (r->type == RTN_BROADCAST || r->type == RTN_MULTICAST || r->type == RTN_LOCAL)
		return true;
	if (rt->err)
		flags |= RTF_REJECT;
	if (!addr_is_any(&rt->gateway))
		flags |= RTF_GATEWAY;
	if (r->len == 32)
		flags |= RTF_HOST;
	seq_printf(s, "%s\t%08X\t%08X\t%04X\t%d\t%u\t%d\t%08X\t%d\t%u\t%u",
		rt->dev ? rt->dev->name : "*", r->dst.w[3],
		addr_is_any(&rt->gateway) ? 0 : rt->gateway.w[3], flags, 0, 0, r->priority, mask,
		rt->advmss ? (int)rt->advmss + 40 : 0, rt->window, 0);
	while (s->len - start < ROUTE_LINE && !s->overflow)
		seq_putc(s, ' ');
	seq_putc(s, '\n');
	return true;
}

void inet_show_route(struct net *net, struct seq_buf *s)
{
	struct inet_net *in = inet_net(net);
	size_t start = s->len;

	seq_puts(s,
		"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
	while (s->len - start < ROUTE_LINE && !s->overflow)
		seq_putc(s, ' ');
	seq_putc(s, '\n');
	mutex_lock(&net->config_lock);
	fib_each(in->fib->main, 0, show_route, s);
	mutex_unlock(&net->config_lock);
}

static void put_hex(struct seq_buf *s, const struct inet_addr *a)
{
	for (int i = 0; i < 16; i++)
		seq_printf(s, "%02x", a->b[i]);
}

static bool show_route6(struct fib_route *r, void *arg)
{
	struct seq_buf *s = arg;
	struct inet_addr none = addr_any(AF_INET6);

	for (u32 i = 0; i < r->nr_hops; i++) {
		const struct route *rt = r->hops[i].rt;
		u32 flags = RTF_UP;

		if (rt->err)
			flags |= RTF_REJECT;
		if (!addr_is_any(&rt->gateway))
			flags |= RTF_GATEWAY;
		if (r->len == 128)
			flags |= RTF_HOST;
		if (r->type == RTN_LOCAL)
			flags |= RTF_LOCAL;
		if (r->expires_ns != TIME_NEVER)
			flags |= RTF_EXPIRES;
		if (r->proto == RTPROT_RA)
			flags |= RTF_ADDRCONF | (r->len ? RTF_PREFIX_RT : RTF_DEFAULT);
		put_hex(s, &r->dst);
		seq_printf(s, " %02x ", r->len);
		put_hex(s, &none);
		seq_puts(s, " 00 ");
		put_hex(s, &rt->gateway);
		seq_printf(s, " %08x %08x %08x %08x %8s\n", r->priority, ref_read(&rt->refs), 0,
			flags, rt->dev ? rt->dev->name : "lo");
	}
	return true;
}

void inet_show_route6(struct net *net, struct seq_buf *s)
{
	struct inet_net *in = inet_net(net);

	mutex_lock(&net->config_lock);
	fib_each(in->fib->main, 1, show_route6, s);
	fib_each(in->fib->local, 1, show_route6, s);
	mutex_unlock(&net->config_lock);
}

/* ---- arp ----------------------------------------------------------------------------------------
 */

static bool show_arp(struct neigh *n, void *arg)
{
	struct seq_buf *s = arg;
	u8 state = READ_ONCE(n->state), hw[NETIF_ADDR_MAX] = {0};
	char text[ADDR_TEXT], hex[32] = "";
	u32 flags = 0;

	if (state == NUD_NONE || state & NUD_NOARP)
		return true;
	if (neigh_hw(n, hw))
		flags = ATF_COM | (state & NUD_PERMANENT ? ATF_PERM : 0);
	for (u32 i = 0, at = 0; i < n->dev->addr_len && i < 8; i++)
		at += (u32)kscnprintf(hex + at, sizeof(hex) - at, i ? ":%02x" : "%02x", hw[i]);
	seq_printf(s, "%-16s 0x%-10x0x%-10x%-17s     *        %s\n", addr_text(&n->addr, text),
		n->dev->type, flags, hex, n->dev->name);
	return true;
}

void inet_show_arp(struct net *net, struct seq_buf *s)
{
	seq_puts(s,
		"IP address       HW type     Flags       HW address            Mask     Device\n");
	neigh_each(inet_net(net), 0, show_arp, s);
}

/* ---- if_inet6 -----------------------------------------------------------------------------------
 */

/* What ifconfig knows as scopes: linux/ipv6.h has no names for them. */
static u32 old_scope(const struct inet_addr *a)
{
	if (addr_is_loopback(a))
		return 0x10;
	if (addr_is_v6_link_local(a))
		return 0x20;
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0xc0 ? 0x40 : 0;
}

void inet_show_if_inet6(struct net *net, struct seq_buf *s)
{
	mutex_lock(&net->config_lock);
	for (struct netif *n = netif_next(net, 0); n; n = netif_next(net, n->ifindex)) {
		struct inet_dev *d = inet_dev(n);
		struct ifaddr *ia;

		if (!d)
			continue;
		list_for_each_entry(ia, &d->addrs[1], link) {
			put_hex(s, &ia->addr);
			seq_printf(s, " %02x %02x %02x %02x %8s\n", n->ifindex, ia->prefix,
				old_scope(&ia->addr), ia->flags & 0xff, n->name);
		}
	}
	mutex_unlock(&net->config_lock);
}

/* ---- igmp, igmp6, sockstat ----------------------------------------------------------------------
 */

void inet_show_igmp(struct net *net, struct seq_buf *s)
{
	seq_puts(s, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
	rcu_read_lock();
	for (struct netif *n = netif_next(net, 0); n; n = netif_next(net, n->ifindex)) {
		struct inet_dev *d = inet_dev(n);

		if (!d)
			continue;
		seq_printf(s, "%d\t%-10s: %5u      V3\n", n->ifindex, n->name, d->mc->f[0].count);
		for (u32 b = 0; b < MC_HASH; b++) {
			struct mc_group *g;

			hlist_for_each_entry(g, &d->mc->f[0].groups[b], hash)
				seq_printf(s, "\t\t\t\t%08X %5u %d:%08X\t\t%d\n", g->addr.w[3],
					g->exclude_users + g->include_users,
					g->report_ns != TIME_NEVER, 0, g->reporter);
		}
	}
	rcu_read_unlock();
}

void inet_show_igmp6(struct net *net, struct seq_buf *s)
{
	rcu_read_lock();
	for (struct netif *n = netif_next(net, 0); n; n = netif_next(net, n->ifindex)) {
		struct inet_dev *d = inet_dev(n);

		if (!d)
			continue;
		for (u32 b = 0; b < MC_HASH; b++) {
			struct mc_group *g;

			hlist_for_each_entry(g, &d->mc->f[1].groups[b], hash) {
				seq_printf(s, "%-4d %-15s ", n->ifindex, n->name);
				put_hex(s, &g->addr);
				seq_printf(s, " %5u %08X %d\n", g->exclude_users + g->include_users,
					(g->reporter ? 2u : 0) |
						(g->report_ns != TIME_NEVER ? 1u : 0),
					0);
			}
		}
	}
	rcu_read_unlock();
}

void inet_show_frag(struct net *net, struct seq_buf *s, bool v6)
{
	struct inet_net *in = inet_net(net);

	seq_printf(s, "FRAG%s: inuse %d memory %lld\n", v6 ? "6" : "", frag_queues(in, v6),
		frag_memory(in, v6));
}

void inet_show_fragments(struct net *net, struct seq_buf *s, bool v6)
{
	struct inet_net *in = inet_net(net);

	seq_printf(s, "%s: inuse %d memory %lld\n", v6 ? "FRAG6" : "FRAG", frag_queues(in, v6),
		frag_memory(in, v6));
}
