/* SPDX-License-Identifier: MIT */
/* Packets from one link to the other. */
#include "wire.h"
#include <linux/if_ether.h>

static struct wire g_a, g_b;

static void restore(void)
{
	set_var("ipv4/conf/all/forwarding", 0);
	set_var("ipv6/conf/all/forwarding", 0);
}

static void open_both(int on)
{
	wire_open(&g_a, 0);
	wire_open(&g_b, 1);
	restore();
	atexit(restore);
	if (on) {
		set_var("ipv4/conf/all/forwarding", 1);
		set_var("ipv6/conf/all/forwarding", 1);
	}
}

struct wanted {
	int proto, icmp_type; /* of IP; -1: any */
};

static bool is4(const struct frame *f, void *arg)
{
	const struct wanted *w = arg;

	return proto_of(f) == ETH_P_IP && ip_of(f)->ip_p == w->proto &&
		(w->icmp_type < 0 || f->b[34] == w->icmp_type);
}

static bool is6(const struct frame *f, void *arg)
{
	const struct wanted *w = arg;

	return proto_of(f) == ETH_P_IPV6 && ip6_of(f)->ip6_nxt == w->proto &&
		(w->icmp_type < 0 || f->b[54] == w->icmp_type);
}

#define UDP4        (&(struct wanted){IPPROTO_UDP, -1})
#define ICMP4(type) (&(struct wanted){IPPROTO_ICMP, (type)})
#define ICMP6(type) (&(struct wanted){IPPROTO_ICMPV6, (type)})

/* A datagram of len bytes from link 0's host 2 to dst. */
static size_t datagram4(unsigned char *p, unsigned dst, int ttl, int flags_off, size_t len)
{
	unsigned char data[1600], u[1700];

	memset(data, 'x', sizeof(data));
	return ip4_packet(p, PEER4(0), dst, IPPROTO_UDP, ttl, flags_off, u,
		udp_datagram(u, 1111, 2222, data, len));
}

static size_t datagram6(unsigned char *p, const char *dst, int hops, size_t len)
{
	struct in6_addr src = in6("fd01::2"), to = in6(dst);
	unsigned char data[1600], u[1700];
	size_t n;

	memset(data, 'x', sizeof(data));
	n = udp_datagram(u, 1111, 2222, data, len);
	*(unsigned short *)(u + 6) = sum6(&src, &to, IPPROTO_UDP, u, n);
	return ip6_packet(p, &src, &to, IPPROTO_UDP, hops, u, n);
}

TEST(an_ipv4_packet_goes_on_with_one_hop_less)
{
	unsigned char p[2048];
	struct frame f;

	open_both(1);
	wire_send(&g_a, NULL, ETH_P_IP, p, datagram4(p, PEER4(1), 64, 0, 100));
	CHECK(wire_take(&g_b, &f, is4, UDP4, 5));
	CHECK_EQ(ip_of(&f)->ip_ttl, 63);
	CHECK_EQ(ntohl(ip_of(&f)->ip_src.s_addr), PEER4(0));
	CHECK_EQ(ntohl(ip_of(&f)->ip_dst.s_addr), PEER4(1));
	CHECK_EQ(ntohs(ip_of(&f)->ip_id), 0x1234);
	CHECK_EQ(sum16(f.b + 14, 20), 0);
	CHECK_EQ(memcmp(f.b, g_b.peer_mac, 6), 0);
	CHECK_EQ(memcmp(f.b + 6, g_b.our_mac, 6), 0);
	CHECK_EQ(memcmp(f.b + 42, "xxxx", 4), 0);
}

TEST(an_ipv6_packet_goes_on_with_one_hop_less)
{
	unsigned char p[2048];
	struct frame f;

	open_both(1);
	wire_send(&g_a, NULL, ETH_P_IPV6, p, datagram6(p, "fd02::2", 64, 100));
	CHECK(wire_take(&g_b, &f, is6, &(struct wanted){IPPROTO_UDP, -1}, 5));
	CHECK_EQ(ip6_of(&f)->ip6_hlim, 63);
	CHECK_EQ(memcmp(f.b, g_b.peer_mac, 6), 0);
}

/* Both go the same way: the second one comes only when the first was not forwarded. */
TEST(a_host_forwards_nothing)
{
	unsigned char p[2048];
	struct frame f;

	open_both(0);
	wire_send(&g_a, NULL, ETH_P_IP, p, datagram4(p, PEER4(1), 64, 0, 100));
	wire_send(&g_a, NULL, ETH_P_IP, p, datagram4(p, OURS4(0), 64, 0, 100));
	CHECK(wire_take(&g_a, &f, is4, ICMP4(ICMP_DEST_UNREACH), 5));
	CHECK_EQ(f.b[35], ICMP_PORT_UNREACH);
	CHECK(!wire_take(&g_b, &f, is4, UDP4, 0.3));
}

TEST(the_last_hop_is_told)
{
	unsigned char p[2048];
	struct frame f;

	open_both(1);
	wire_send(&g_a, NULL, ETH_P_IP, p, datagram4(p, PEER4(1), 1, 0, 100));
	CHECK(wire_take(&g_a, &f, is4, ICMP4(ICMP_TIME_EXCEEDED), 5));
	CHECK_EQ(f.b[35], ICMP_EXC_TTL);
	CHECK_EQ(ntohl(ip_of(&f)->ip_src.s_addr), OURS4(0));
	CHECK_EQ(memcmp(f.b + 42, p, 28), 0); /* the packet it is about */
	wire_send(&g_a, NULL, ETH_P_IPV6, p, datagram6(p, "fd02::2", 1, 100));
	CHECK(wire_take(&g_a, &f, is6, ICMP6(ICMP6_TIME_EXCEEDED), 5));
	CHECK_EQ(f.b[55], 0);
	CHECK_EQ(memcmp(f.b + 62, p, 48), 0);
}

TEST(a_packet_without_a_route_is_told)
{
	unsigned char p[2048];
	struct frame f;

	open_both(1);
	wire_send(&g_a, NULL, ETH_P_IP, p, datagram4(p, 0x0a090001, 64, 0, 100));
	CHECK(wire_take(&g_a, &f, is4, ICMP4(ICMP_DEST_UNREACH), 5));
	CHECK_EQ(f.b[35], ICMP_NET_UNREACH);
	wire_send(&g_a, NULL, ETH_P_IPV6, p, datagram6(p, "fd09::2", 64, 100));
	CHECK(wire_take(&g_a, &f, is6, ICMP6(ICMP6_DST_UNREACH), 5));
	CHECK_EQ(f.b[55], ICMP6_DST_UNREACH_NOROUTE);
}

static void set_mtu(const char *name, int mtu)
{
	struct ifreq r;
	int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));

	memset(&r, 0, sizeof(r));
	strcpy(r.ifr_name, name);
	r.ifr_mtu = mtu;
	OK(ioctl(fd, SIOCSIFMTU, &r));
	close(fd);
}

static void restore_mtu(void)
{
	set_mtu(g_b.name, 1500);
}

TEST(a_packet_too_large_for_the_other_link_is_cut_or_told)
{
	unsigned char p[2048];
	struct frame f;
	unsigned mtu;

	open_both(1);
	set_mtu(g_b.name, 1280);
	atexit(restore_mtu);
	wire_send(&g_a, NULL, ETH_P_IP, p, datagram4(p, PEER4(1), 64, IP_DF, 1400));
	CHECK(wire_take(&g_a, &f, is4, ICMP4(ICMP_DEST_UNREACH), 5));
	CHECK_EQ(f.b[35], ICMP_FRAG_NEEDED);
	CHECK_EQ(f.b[40] << 8 | f.b[41], 1280);
	wire_send(&g_a, NULL, ETH_P_IPV6, p, datagram6(p, "fd02::2", 64, 1400));
	CHECK(wire_take(&g_a, &f, is6, ICMP6(ICMP6_PACKET_TOO_BIG), 5));
	memcpy(&mtu, f.b + 58, 4);
	CHECK_EQ(ntohl(mtu), 1280);
	wire_send(&g_a, NULL, ETH_P_IP, p, datagram4(p, PEER4(1), 64, 0, 1400));
	CHECK(wire_take(&g_b, &f, is4, UDP4, 5));
	CHECK_EQ(ntohs(ip_of(&f)->ip_off), IP_MF);
	CHECK_EQ(ntohs(ip_of(&f)->ip_len), 1276);
	CHECK(wire_take(&g_b, &f, is4, UDP4, 5));
	CHECK_EQ(ntohs(ip_of(&f)->ip_off), 1256 / 8);
	CHECK_EQ(ntohs(ip_of(&f)->ip_len), 20 + 1408 - 1256);
	CHECK_EQ(ip_of(&f)->ip_ttl, 63);
}

TEST(packets_of_the_link_alone_are_not_forwarded)
{
	unsigned char p[2048];
	struct in6_addr from = in6("fe80::99"), to = in6("fd02::2");
	struct frame f;

	open_both(1);
	/* A group of the link, and a link-local source. */
	wire_send(&g_a, (unsigned char[]){1, 0, 0x5e, 0, 0, 0x63}, ETH_P_IP, p,
		datagram4(p, 0xe0000063, 64, 0, 10));
	wire_send(&g_a, NULL, ETH_P_IPV6, p,
		ip6_packet(p, &from, &to, IPPROTO_UDP, 64, "12345678", 8));
	CHECK(wire_take(&g_a, &f, is6, ICMP6(ICMP6_DST_UNREACH), 5));
	CHECK_EQ(f.b[55], ICMP6_DST_UNREACH_BEYONDSCOPE);
	CHECK(!wire_take(&g_b, &f, is4, UDP4, 0.2));
}

TEST(a_packet_with_the_link_address_of_another_machine_is_not_ours)
{
	unsigned char p[2048];
	struct frame f;

	open_both(1);
	wire_send(&g_a, (unsigned char[]){2, 1, 2, 3, 4, 5}, ETH_P_IP, p,
		datagram4(p, PEER4(1), 64, 0, 100));
	CHECK(!wire_take(&g_b, &f, is4, UDP4, 0.3));
}

TEST(the_reverse_path_filter_drops_what_comes_by_the_wrong_link)
{
	unsigned char p[2048], u[64];
	struct frame f;
	size_t n = udp_datagram(u, 1, 2, "abcd", 4);

	open_both(1);
	n = ip4_packet(
		p, 0x0a020055, PEER4(1), IPPROTO_UDP, 64, 0, u, n); /* of link 1, by link 0 */
	wire_send(&g_a, NULL, ETH_P_IP, p, n);
	CHECK(wire_take(&g_b, &f, is4, UDP4, 5));
	set_var("ipv4/conf/eth0/rp_filter", 1);
	wire_send(&g_a, NULL, ETH_P_IP, p, n);
	n = datagram4(p, PEER4(1), 64, 0, 100);
	wire_send(&g_a, NULL, ETH_P_IP, p, n);
	CHECK(wire_take(&g_b, &f, is4, UDP4, 5));
	set_var("ipv4/conf/eth0/rp_filter", 0);
	CHECK_EQ(ntohl(ip_of(&f)->ip_src.s_addr), PEER4(0));
}

/* A neighbour that does not answer: the sender hears of it. */
TEST(a_neighbour_that_is_silent_is_told)
{
	unsigned char p[2048];
	struct frame f;

	open_both(1);
	wire_send(&g_a, NULL, ETH_P_IP, p, datagram4(p, 0x0a020077, 64, 0, 100));
	/* Nobody takes frames at link 1 meanwhile, so nobody answers. */
	CHECK(wire_take(&g_a, &f, is4, ICMP4(ICMP_DEST_UNREACH), 10));
	CHECK_EQ(f.b[35], ICMP_HOST_UNREACH);
}

TEST(echo_requests_to_either_address_are_answered)
{
	unsigned char p[256], m[16] = {ICMP_ECHO, 0, 0, 0, 0x12, 0x34, 0, 1, 'd', 'a', 't', 'a'};
	struct frame f;

	open_both(0);
	*(unsigned short *)(m + 2) = sum16(m, 12);
	wire_send(&g_a, NULL, ETH_P_IP, p,
		ip4_packet(p, PEER4(0), OURS4(0), IPPROTO_ICMP, 64, 0, m, 12));
	CHECK(wire_take(&g_a, &f, is4, ICMP4(ICMP_ECHOREPLY), 5));
	/* Of the other link: the machine has it, whichever way it is asked. */
	wire_send(&g_a, NULL, ETH_P_IP, p,
		ip4_packet(p, PEER4(0), OURS4(1), IPPROTO_ICMP, 64, 0, m, 12));
	CHECK(wire_take(&g_a, &f, is4, ICMP4(ICMP_ECHOREPLY), 5));
	CHECK_EQ(ntohl(ip_of(&f)->ip_src.s_addr), OURS4(1));
}
