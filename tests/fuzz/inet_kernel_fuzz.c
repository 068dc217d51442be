/*
 * Any frames at a host with addresses, sockets and groups: IPv4, IPv6, ARP, neighbour discovery,
 * ICMP, UDP, IGMP and MLD. The input is a list of frames: kind, length, bytes; the kind says which
 * headers are put in front and made to fit, so that most frames get beyond the first checks.
 */
#include <arch/host.h>
#include <lib/err.h>
#include <lib/string.h>
#include <net/context.h>
#include <net/simnet.h>
#include <socket/socket.h>
#include "../../net/inet/inet.h"

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*one)(const u8 *data, size_t size));

static int g_argc;
static char **g_argv;
static struct net *g_host;
static struct simnet_pair *g_line;
static struct sock *g_socks[4];

static void add(const char *text, u8 prefix)
{
	struct inet_addr a;
	struct ifaddr *ia;

	if (!addr_parse(text, &a))
		return;
	ia = ifaddr_new(inet_dev(g_line->end[0].netif), &a, prefix);
	ia->flags = IFA_F_PERMANENT | IFA_F_NODAD;
	(void)!ifaddr_add(ia);
}

static void set_up(void)
{
	struct simnet_rules r = {.seed = 1};
	struct net *nets[2];

	nets[0] = nets[1] = g_host = net_create();
	g_line = simnet_create(nets, &r, NETIF_F_SG);
	mutex_lock(&g_host->config_lock);
	(void)!netif_set_flags(g_host->loopback, IFF_UP, IFF_UP);
	(void)!netif_set_flags(g_line->end[0].netif, IFF_UP, IFF_UP);
	add("10.0.0.1", 24);
	add("fd00::1", 64);
	mutex_unlock(&g_host->config_lock);
	net_set_current(g_host);
	for (u32 i = 0; i < ARRAY_SIZE(g_socks); i++) {
		struct __kernel_sockaddr_storage a;
		struct inet_name n = {
			.addr = addr_any(i & 1 ? AF_INET6 : AF_INET), .port = htons(7)};

		g_socks[i] = sock_create(i & 1 ? AF_INET6 : AF_INET, i & 2 ? SOCK_RAW : SOCK_DGRAM,
			i & 2 ? (i & 1 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) : 0);
		inet_flag_set(inet_sk(g_socks[i]), INF_V6ONLY, true);
		inet_flag_set(inet_sk(g_socks[i]), INF_RECVERR, true);
		inet_flag_set(inet_sk(g_socks[i]), INF_RECVERR6, true);
		if (!(i & 2))
			(void)!g_socks[i]->ops->bind(
				g_socks[i], &a, inet_name_out(addr_family(&n.addr), &n, &a));
	}
}

/* IPv4 or IPv6 in front of the bytes, for us, with right lengths and sums. */
static void dress(u8 *f, u32 *len, u8 kind)
{
	u32 body = *len;

	if (kind & 1) {
		memmove(f + 20, f, body);
		memset(f, 0, 20);
		f[0] = 0x45;
		put_be16(f + 2, (u16)(body + 20));
		f[8] = kind & 8 ? 1 : 255;
		f[9] = kind & 2 ? IPPROTO_UDP : kind & 4 ? IPPROTO_IGMP : IPPROTO_ICMP;
		put_be32(f + 12, 0x0a000002);
		put_be32(f + 16, kind & 4 ? 0xe0000001 : 0x0a000001);
		if (kind & 16)
			put_be16(f + 6, (u16)(f[20] << 8 | f[21]) & 0x3fff);
		*(u16 *)(f + 10) = checksum_fold(checksum_add(0, f, 20));
		*len += 20;
	} else {
		struct inet_addr src = {.b = {0xfd, [15] = 2}}, dst = {.b = {0xfd, [15] = 1}};

		memmove(f + 40, f, body);
		memset(f, 0, 40);
		f[0] = 0x60;
		put_be16(f + 4, (u16)body);
		f[6] = kind & 2     ? IPPROTO_UDP
			: kind & 16 ? IPPROTO_FRAGMENT
			: kind & 32 ? 0
				    : IPPROTO_ICMPV6;
		f[7] = kind & 8 ? 1 : 255;
		if (kind & 4) {
			src = (struct inet_addr){.b = {0xfe, 0x80, [15] = 2}};
			dst = (struct inet_addr){.b = {0xff, 2, [15] = 1}};
		}
		memcpy(f + 8, &src, 16);
		memcpy(f + 24, &dst, 16);
		if (f[6] == IPPROTO_ICMPV6 && body >= 4) {
			put_be16(f + 42, 0);
			*(u16 *)(f + 42) = checksum_fold(checksum_add(
				ip_pseudo_sum(&src, &dst, IPPROTO_ICMPV6, body), f + 40, body));
		}
		*len += 40;
	}
}

static int one(const u8 *data, size_t size)
{
	static u8 frame[2048];

	for (size_t at = 0; at + 2 < size;) {
		u8 kind = data[at];
		u32 n = min((u32)data[at + 1] * 4u, (u32)(size - at - 2)), len = n;
		struct packet *p = packet_alloc(2, GFP_KERNEL);

		memcpy(frame + 14, data + at + 2, n);
		at += 2 + n;
		memcpy(frame, g_line->end[0].netif->addr, 6);
		memset(frame + 6, 2, 6);
		if ((kind & 0xc0) == 0xc0) {
			put_be16(frame + 12, ETH_P_ARP);
		} else {
			put_be16(frame + 12, kind & 1 ? ETH_P_IP : ETH_P_IPV6);
			if (!(kind & 0x80))
				dress(frame + 14, &len, kind);
		}
		if (packet_append(p, frame, len + 14, GFP_KERNEL)) {
			packet_free(p);
			continue;
		}
		p->dev = g_line->end[0].netif;
		p->csum_state = kind & 0x40 ? CSUM_GOOD : CSUM_NONE;
		(void)net_loop(p);
		net_run();
	}
	for (u32 i = 0; i < ARRAY_SIZE(g_socks); i++) {
		u8 buf[64];
		struct sock_msg m = {.iter = iter_kernel(buf, sizeof(buf)), .flags = MSG_DONTWAIT};

		while (sock_recvmsg(g_socks[i], &m) != -EAGAIN)
			m.iter = iter_kernel(buf, sizeof(buf));
		m.flags |= MSG_ERRQUEUE;
		while (sock_recvmsg(g_socks[i], &m) != -EAGAIN)
			m.iter = iter_kernel(buf, sizeof(buf));
	}
	sleep_ns(NS_PER_SEC / 10);
	return 0;
}

static int run(void *arg)
{
	set_up();
	return LLVMFuzzerRunDriver(&g_argc, &g_argv, one);
}

int main(int argc, char **argv)
{
	struct host_config config = {.ram = MiB(128), .seed = 1};

	g_argc = argc;
	g_argv = argv;
	return host_run(&config, run, NULL);
}
