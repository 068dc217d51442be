/* SPDX-License-Identifier: MIT */
/* Raw and ping sockets on loopback. */
#include "contract.h"
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include "../udp/udp.h"

static uint16_t sum(const void *data, size_t n)
{
	const uint16_t *w = data;
	uint32_t s = 0;

	for (; n > 1; n -= 2)
		s += *w++;
	s = (s >> 16) + (s & 0xffff);
	return (uint16_t) ~(s + (s >> 16));
}

static void make_echo(struct icmphdr *h, uint16_t id)
{
	memset(h, 0, sizeof(*h));
	h->type = ICMP_ECHO;
	h->un.echo.id = id;
	h->checksum = sum(h, sizeof(*h));
}

TEST(a_raw_icmp_socket_gets_the_reply_with_its_ip_header)
{
	lo_up();
	int s = OK(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	struct sockaddr_storage to;
	socklen_t n = udp_name(&to, AF_INET, "127.0.0.1", 0);
	struct icmphdr echo;
	unsigned char buf[128];
	uint32_t only_replies = ~(1u << ICMP_ECHOREPLY);

	OK(setsockopt(s, SOL_RAW, 1, &only_replies, 4)); /* ICMP_FILTER */
	make_echo(&echo, htons(77));
	CHECK_EQ(sendto(s, &echo, sizeof(echo), 0, (void *)&to, n), 8);
	CHECK_EQ(recv(s, buf, sizeof(buf), 0), 28);
	struct iphdr *ip = (void *)buf;
	CHECK_EQ(ip->version, 4);
	CHECK_EQ(ip->protocol, IPPROTO_ICMP);
	CHECK_EQ(ntohs(ip->tot_len), 28);
	CHECK_EQ(buf[20], ICMP_ECHOREPLY);
	CHECK_ERR(recv(s, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}

TEST(a_raw_icmpv6_socket_sums_by_itself)
{
	lo_up();
	int s = OK(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
	struct icmp6_filter f;
	struct sockaddr_storage to;
	socklen_t n = udp_name(&to, AF_INET6, "::1", 0);
	unsigned char m[8] = {ICMP6_ECHO_REQUEST}, buf[64];

	ICMP6_FILTER_SETBLOCKALL(&f);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &f);
	OK(setsockopt(s, IPPROTO_ICMPV6, ICMP6_FILTER, &f, sizeof(f)));
	CHECK_EQ(sendto(s, m, sizeof(m), 0, (void *)&to, n), 8);
	CHECK_EQ(recv(s, buf, sizeof(buf), 0), 8);
	CHECK_EQ(buf[0], ICMP6_ECHO_REPLY);
}

TEST(a_header_of_ones_own_is_completed)
{
	lo_up();
	int s = OK(socket(AF_INET, SOCK_RAW, IPPROTO_RAW)), r = OK(socket(AF_INET, SOCK_RAW, 253));
	struct sockaddr_storage to;
	socklen_t n = udp_name(&to, AF_INET, "127.0.0.1", 0);
	unsigned char p[24] = {0x45}, buf[64];

	p[8] = 9;
	p[9] = 253;
	p[16] = 127;
	p[19] = 1;
	CHECK_EQ(sendto(s, p, sizeof(p), 0, (void *)&to, n), 24);
	CHECK_EQ(recv(r, buf, sizeof(buf), 0), 24);
	struct iphdr *ip = (void *)buf;
	CHECK_EQ(ntohs(ip->tot_len), 24);
	CHECK_EQ(ip->saddr, htonl(INADDR_LOOPBACK));
	CHECK_EQ(ip->ttl, 9);
	CHECK_EQ(sum(buf, 20), 0);
}

TEST(ping_sockets_are_for_the_groups_that_the_range_names)
{
	lo_up();
	int fd = OK(open("/proc/sys/net/ipv4/ping_group_range", O_RDWR));

	OK(pwrite(fd, "1 0", 3, 0));
	CHECK_ERR(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), EACCES);
	OK(pwrite(fd, "0 0", 3, 0));
	int s = OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	struct sockaddr_storage to;
	socklen_t n = udp_name(&to, AF_INET, "127.0.0.1", 0);
	struct icmphdr echo, back;

	make_echo(&echo, 0);
	CHECK_ERR(sendto(s, &echo, 7, 0, (void *)&to, n), EINVAL);
	CHECK_EQ(sendto(s, &echo, sizeof(echo), 0, (void *)&to, n), 8);
	CHECK_EQ(recv(s, &back, sizeof(back), 0), 8);
	CHECK_EQ(back.type, ICMP_ECHOREPLY);
	CHECK_EQ(ntohs(back.un.echo.id), udp_port(s));
	OK(pwrite(fd, "1 0", 3, 0));
}

TEST(what_the_kernel_does_not_know_is_refused)
{
	CHECK_ERR(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
	CHECK_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	CHECK_ERR(socket(AF_INET, SOCK_DGRAM, 300), EINVAL);
	CHECK_ERR(socket(AF_INET, SOCK_RDM, 0), ESOCKTNOSUPPORT);
}
