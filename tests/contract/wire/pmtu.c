/* SPDX-License-Identifier: MIT */
/* What routers report of the path, and what sockets make of it: RFC 1191, 8201. */
#include "wire.h"
#include <linux/errqueue.h>
#include <linux/if_ether.h>
#include <linux/in6.h>

#ifndef IP_MTU
#define IP_MTU 14
#endif
#ifndef IPV6_MTU
#define IPV6_MTU 24
#endif

static bool is_udp4(const struct frame *f, void *arg)
{
	(void)arg;
	return proto_of(f) == ETH_P_IP && ip_of(f)->ip_p == IPPROTO_UDP;
}

static bool is_udp6(const struct frame *f, void *arg)
{
	(void)arg;
	return proto_of(f) == ETH_P_IPV6 && ip6_of(f)->ip6_nxt == IPPROTO_UDP;
}

static bool is_udp6_fragment(const struct frame *f, void *arg)
{
	(void)arg;
	return proto_of(f) == ETH_P_IPV6 && ip6_of(f)->ip6_nxt == IPPROTO_FRAGMENT;
}

/* The first link, with nothing known of paths from a run before. */
static void open_link(struct wire *w)
{
	wire_open(w, 0);
	set_var("ipv4/route/flush", 1);
	set_var("ipv6/route/flush", 1);
}

static int connected4(unsigned dst)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9)};
	int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));

	a.sin_addr.s_addr = htonl(dst);
	OK(connect(fd, (void *)&a, sizeof(a)));
	return fd;
}

static int mtu4(int fd)
{
	int mtu = -1;
	socklen_t len = sizeof(mtu);

	OK(getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len));
	return mtu;
}

static int mtu6(int fd)
{
	int mtu = -1;
	socklen_t len = sizeof(mtu);

	OK(getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &len));
	return mtu;
}

/* Host 2 says of the packet in f that it was too large for its next link. */
static void too_large4(struct wire *w, const struct frame *f, int mtu)
{
	unsigned char m[8 + 28] = {ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED}, p[128];

	m[6] = (unsigned char)(mtu >> 8);
	m[7] = (unsigned char)mtu;
	memcpy(m + 8, f->b + 14, 28);
	*(unsigned short *)(m + 2) = sum16(m, sizeof(m));
	wire_send(w, NULL, ETH_P_IP, p,
		ip4_packet(p, PEER4(0), OURS4(0), IPPROTO_ICMP, 64, 0, m, sizeof(m)));
}

static void too_large6(struct wire *w, const struct frame *f, unsigned mtu)
{
	struct in6_addr from = in6("fd01::2"), to = in6("fd01::1");
	unsigned char m[8 + 60] = {ICMP6_PACKET_TOO_BIG}, p[256];

	mtu = htonl(mtu);
	memcpy(m + 4, &mtu, 4);
	memcpy(m + 8, f->b + 14, 60);
	*(unsigned short *)(m + 2) = sum6(&from, &to, IPPROTO_ICMPV6, m, sizeof(m));
	wire_send(w, NULL, ETH_P_IPV6, p,
		ip6_packet(p, &from, &to, IPPROTO_ICMPV6, 64, m, sizeof(m)));
}

static int take_error(int fd)
{
	char control[256], data[64];
	struct iovec v = {data, sizeof(data)};
	struct msghdr m = {.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct sock_extended_err e;

	OK(recvmsg(fd, &m, MSG_ERRQUEUE));
	CHECK(CMSG_FIRSTHDR(&m) != NULL);
	memcpy(&e, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(e));
	CHECK_EQ(e.ee_errno, EMSGSIZE);
	return (int)e.ee_info;
}

static void await_error(int fd)
{
	struct pollfd p = {.fd = fd, .events = 0};

	CHECK_EQ(poll(&p, 1, 5000), 1);
	CHECK(p.revents & POLLERR);
}

TEST(a_reported_mtu_holds_for_that_host_and_no_other)
{
	int fd, other, one = 1;
	char data[1400] = {0};
	struct wire w;
	struct frame f;

	open_link(&w);
	fd = connected4(0x0a010021);
	other = connected4(0x0a010022);
	OK(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)));
	CHECK_EQ(mtu4(fd), 1500);
	CHECK_EQ(send(fd, data, sizeof(data), 0), 1400);
	CHECK(wire_take(&w, &f, is_udp4, NULL, 5));
	CHECK(ntohs(ip_of(&f)->ip_off) & IP_DF);
	too_large4(&w, &f, 1000);
	await_error(fd);
	CHECK_EQ(take_error(fd), 1000);
	CHECK_EQ(mtu4(fd), 1000);
	CHECK_EQ(mtu4(other), 1500);
	/* IP_PMTUDISC_WANT, the default: cut from now on, without don't-fragment. */
	CHECK_EQ(send(fd, data, sizeof(data), 0), 1400);
	CHECK(wire_take(&w, &f, is_udp4, NULL, 5));
	CHECK_EQ(ntohs(ip_of(&f)->ip_off), IP_MF);
	CHECK(ntohs(ip_of(&f)->ip_len) <= 1000);
}

TEST(with_PMTUDISC_DO_too_large_is_EMSGSIZE)
{
	int fd, how = IP_PMTUDISC_DO;
	char data[1400] = {0};
	struct wire w;
	struct frame f;

	open_link(&w);
	fd = connected4(0x0a010023);
	OK(setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof(how)));
	CHECK_EQ(send(fd, data, sizeof(data), 0), 1400);
	CHECK(wire_take(&w, &f, is_udp4, NULL, 5));
	too_large4(&w, &f, 900);
	await_error(fd);
	CHECK_ERR(send(fd, data, 100, 0), EMSGSIZE); /* the report */
	CHECK_ERR(send(fd, data, sizeof(data), 0), EMSGSIZE);
	CHECK_EQ(send(fd, data, 872, 0), 872);
	CHECK(wire_take(&w, &f, is_udp4, NULL, 5));
	CHECK_EQ(ntohs(ip_of(&f)->ip_len), 900);
}

TEST(with_PMTUDISC_PROBE_the_report_changes_nothing)
{
	int fd, how = IP_PMTUDISC_PROBE;
	char data[1400] = {0};
	struct wire w;
	struct frame f;

	open_link(&w);
	fd = connected4(0x0a010024);
	OK(setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof(how)));
	CHECK_EQ(send(fd, data, sizeof(data), 0), 1400);
	CHECK(wire_take(&w, &f, is_udp4, NULL, 5));
	too_large4(&w, &f, 900);
	await_error(fd);
	CHECK_ERR(send(fd, data, 100, 0), EMSGSIZE);
	CHECK_EQ(send(fd, data, sizeof(data), 0), 1400);
	CHECK(wire_take(&w, &f, is_udp4, NULL, 5));
	CHECK_EQ(ntohs(ip_of(&f)->ip_len), 1428);
}

TEST(less_than_min_pmtu_is_taken_for_min_pmtu)
{
	int fd;
	char data[1400] = {0};
	struct wire w;
	struct frame f;

	open_link(&w);
	fd = connected4(0x0a010025);
	CHECK_EQ(send(fd, data, sizeof(data), 0), 1400);
	CHECK(wire_take(&w, &f, is_udp4, NULL, 5));
	too_large4(&w, &f, 100);
	for (int i = 0; i < 500 && mtu4(fd) == 1500; i++)
		sleep_ns(10 * MSEC);
	CHECK_EQ(mtu4(fd), 552);
}

/* A report about what was never sent is no business of anybody's sockets. */
TEST(a_report_about_another_socket_does_not_reach_this_one)
{
	int fd, one = 1, other;
	char data[600] = {0};
	struct pollfd p;
	struct wire w;
	struct frame f;

	open_link(&w);
	fd = connected4(0x0a010026);
	other = connected4(0x0a010026);
	OK(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)));
	OK(setsockopt(other, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)));
	CHECK_EQ(send(other, data, sizeof(data), 0), 600);
	CHECK(wire_take(&w, &f, is_udp4, NULL, 5));
	too_large4(&w, &f, 560);
	await_error(other);
	p = (struct pollfd){.fd = fd};
	CHECK_EQ(poll(&p, 1, 0), 0);
}

TEST(ipv6_packets_are_cut_to_the_reported_mtu)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
	char data[1400] = {0};
	int fd, one = 1;
	struct wire w;
	struct frame f;

	open_link(&w);
	fd = OK(socket(AF_INET6, SOCK_DGRAM, 0));
	a.sin6_addr = in6("fd01::21");
	OK(connect(fd, (void *)&a, sizeof(a)));
	OK(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one)));
	CHECK_EQ(mtu6(fd), 1500);
	CHECK_EQ(send(fd, data, sizeof(data), 0), 1400);
	CHECK(wire_take(&w, &f, is_udp6, NULL, 5));
	too_large6(&w, &f, 1300);
	await_error(fd);
	CHECK_EQ(take_error(fd), 1300);
	CHECK_EQ(mtu6(fd), 1300);
	CHECK_EQ(send(fd, data, sizeof(data), 0), 1400);
	CHECK(wire_take(&w, &f, is_udp6_fragment, NULL, 5));
	CHECK(ntohs(ip6_of(&f)->ip6_plen) + 40 <= 1300);
}

static bool is_syn(const struct frame *f, void *arg)
{
	(void)arg;
	return proto_of(f) == ETH_P_IP && ip_of(f)->ip_p == IPPROTO_TCP && f->b[34 + 13] == 2;
}

static bool is_tcp_data(const struct frame *f, void *arg)
{
	(void)arg;
	return proto_of(f) == ETH_P_IP && ip_of(f)->ip_p == IPPROTO_TCP &&
		ntohs(ip_of(f)->ip_len) > 20 + (f->b[34 + 12] >> 4) * 4;
}

/* Answers the SYN in f without options but MSS. */
static void answer_syn(struct wire *w, const struct frame *f)
{
	unsigned char t[24] = {0}, p[128], pseudo[36] = {0};
	unsigned seq;

	memcpy(t, f->b + 36, 2);
	memcpy(t + 2, f->b + 34, 2);
	memcpy(t + 4, (unsigned char[]){0, 0, 1, 0}, 4);
	memcpy(&seq, f->b + 38, 4);
	seq = htonl(ntohl(seq) + 1);
	memcpy(t + 8, &seq, 4);
	t[12] = 6 << 4;
	t[13] = 0x12;
	t[14] = 0xff;
	t[15] = 0xff;
	memcpy(t + 20, (unsigned char[]){2, 4, 1460 >> 8, 1460 & 255}, 4);
	memcpy(pseudo, f->b + 30, 4);
	memcpy(pseudo + 4, f->b + 26, 4);
	pseudo[9] = IPPROTO_TCP;
	pseudo[11] = 24;
	memcpy(pseudo + 12, t, 24);
	*(unsigned short *)(t + 16) = sum16(pseudo, sizeof(pseudo));
	wire_send(w, NULL, ETH_P_IP, p,
		ip4_packet(p, ntohl(ip_of(f)->ip_dst.s_addr), OURS4(0), IPPROTO_TCP, 64, 0, t, 24));
}

/* What isn't acknowledged would be sent again and again, long after the test. */
static void abort_connection(int fd)
{
	struct linger at_once = {1, 0};

	OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)));
	OK(close(fd));
}

TEST(TCP_sends_smaller_segments)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9)};
	char data[1460] = {0};
	struct wire w;
	struct frame f;
	int fd;

	open_link(&w);
	fd = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	a.sin_addr.s_addr = htonl(0x0a010027);
	CHECK_ERR(connect(fd, (void *)&a, sizeof(a)), EINPROGRESS);
	CHECK(wire_take(&w, &f, is_syn, NULL, 5));
	answer_syn(&w, &f);
	CHECK_EQ(poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 5000), 1);
	CHECK_EQ(send(fd, data, sizeof(data), 0), 1460);
	CHECK(wire_take(&w, &f, is_tcp_data, NULL, 5));
	CHECK_EQ(ntohs(ip_of(&f)->ip_len), 1500);
	CHECK(ntohs(ip_of(&f)->ip_off) & IP_DF);
	too_large4(&w, &f, 1000);
	do /* a probe of the old size may be under way */
		CHECK(wire_take(&w, &f, is_tcp_data, NULL, 5));
	while (ntohs(ip_of(&f)->ip_len) == 1500);
	CHECK_EQ(ntohs(ip_of(&f)->ip_len), 1000);
	CHECK_EQ(mtu4(fd), 1000);
	abort_connection(fd);
}
