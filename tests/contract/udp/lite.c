/* SPDX-License-Identifier: MIT */
/* UDP-Lite: checksums that cover a part. udplite(7), RFC 3828. */
#include "contract.h"
#include "udp.h"
#include <netinet/ip.h>
#include <poll.h>

#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE 136
#endif
#define SEND_CSCOV     10
#define RECV_CSCOV     11

#define EACH_FAMILY(f) for (int f = AF_INET; f; f = f == AF_INET ? AF_INET6 : 0)

static int lite(int family)
{
	return OK(socket(family, SOCK_DGRAM, IPPROTO_UDPLITE));
}

static socklen_t loopback(struct sockaddr_storage *a, int family, int port)
{
	return udp_name(a, family, udp_loop(family), port);
}

static int bound(int family)
{
	struct sockaddr_storage a;
	socklen_t n = loopback(&a, family, 0);
	int s = lite(family);

	OK(bind(s, (void *)&a, n));
	return s;
}

/* Two that send to each other. */
static void two(int family, int s[2])
{
	struct sockaddr_storage a;
	socklen_t n;

	s[0] = bound(family);
	s[1] = bound(family);
	n = loopback(&a, family, udp_port(s[1]));
	OK(connect(s[0], (void *)&a, n));
	n = loopback(&a, family, udp_port(s[0]));
	OK(connect(s[1], (void *)&a, n));
}

static int set(int s, int name, int v)
{
	return setsockopt(s, IPPROTO_UDPLITE, name, &v, sizeof(v));
}

static int get(int s, int name)
{
	int v = -1;
	socklen_t n = sizeof(v);

	OK(getsockopt(s, IPPROTO_UDPLITE, name, &v, &n));
	return v;
}

static void expect(int s, const char *text)
{
	char buf[64] = "";

	CHECK_EQ(recv(s, buf, sizeof(buf), MSG_DONTWAIT), (ssize_t)strlen(text));
	CHECK_STR(buf, text);
}

TEST(lite_datagrams_go_as_those_of_udp_do)
{
	lo_up();
	EACH_FAMILY(f)
	{
		struct sockaddr_storage a;
		socklen_t n = sizeof(int);
		int s[2], v;

		two(f, s);
		OK(getsockopt(s[0], SOL_SOCKET, SO_PROTOCOL, &v, &n));
		CHECK_EQ(v, IPPROTO_UDPLITE);
		CHECK_EQ(send(s[0], "hello", 5, 0), 5);
		expect(s[1], "hello");
		CHECK_EQ(send(s[1], "", 0, 0), 0);
		CHECK_EQ(recv(s[0], &v, 4, MSG_DONTWAIT), 0);
		CHECK_EQ(send(s[0], "two ", 4, MSG_MORE), 4);
		CHECK_EQ(send(s[0], "parts", 5, 0), 5);
		n = sizeof(a);
		CHECK_EQ(recvfrom(s[1], &v, 2, MSG_TRUNC, (void *)&a, &n), 9);
		CHECK_EQ(ntohs(((struct sockaddr_in *)&a)->sin_port), udp_port(s[0]));
		CHECK_ERR(recv(s[1], &v, 1, MSG_DONTWAIT), EAGAIN);
		OK(close(s[1]));
		CHECK_EQ(send(s[0], "x", 1, 0), 1);
		CHECK_ERR(send(s[0], "x", 1, 0), ECONNREFUSED);
		OK(close(s[0]));
	}
}

TEST(lite_has_ports_of_its_own)
{
	struct sockaddr_storage a;
	socklen_t n;
	int l, u, again;

	lo_up();
	l = bound(AF_INET);
	n = loopback(&a, AF_INET, udp_port(l));
	u = OK(socket(AF_INET, SOCK_DGRAM, 0));
	OK(bind(u, (void *)&a, n));
	again = lite(AF_INET);
	CHECK_ERR(bind(again, (void *)&a, n), EADDRINUSE);
	CHECK_EQ(sendto(u, "udp", 3, 0, (void *)&a, n), 3);
	CHECK_EQ(sendto(again, "lite", 4, 0, (void *)&a, n), 4);
	expect(u, "udp");
	expect(l, "lite");
	CHECK_ERR(recv(u, &n, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(coverage_is_all_or_eight_at_least)
{
	int s = lite(AF_INET), u = OK(socket(AF_INET, SOCK_DGRAM, 0)), v = 0;
	socklen_t n = sizeof(v);

	for (int name = SEND_CSCOV; name <= RECV_CSCOV; name++) {
		CHECK_EQ(get(s, name), 0);
		OK(set(s, name, 20));
		CHECK_EQ(get(s, name), 20);
		OK(set(s, name, 3));
		CHECK_EQ(get(s, name), 8);
		OK(set(s, name, -5));
		CHECK_EQ(get(s, name), 8);
		OK(set(s, name, 70000));
		CHECK_EQ(get(s, name), 65535);
		OK(set(s, name, 0));
		CHECK_EQ(get(s, name), 0);
		CHECK_ERR(setsockopt(s, IPPROTO_UDPLITE, name, &v, 3), EINVAL);
		CHECK_ERR(setsockopt(u, IPPROTO_UDP, name, &v, n), ENOPROTOOPT);
	}
	OK(setsockopt(s, IPPROTO_UDP, 1 /* UDP_CORK */, &v, n));
	CHECK_EQ(get(s, 1), 0);
}

TEST(who_wants_more_covered_does_not_get_it)
{
	lo_up();
	EACH_FAMILY(f)
	{
		int s[2];

		two(f, s);
		OK(set(s[0], SEND_CSCOV, 12));
		CHECK_EQ(send(s[0], "anybody takes it", 16, 0), 16);
		expect(s[1], "anybody takes it");
		OK(set(s[1], RECV_CSCOV, 12));
		CHECK_EQ(send(s[0], "just enough", 11, 0), 11);
		expect(s[1], "just enough");
		OK(set(s[1], RECV_CSCOV, 13));
		CHECK_EQ(send(s[0], "too little", 10, 0), 10);
		CHECK_ERR(recv(s[1], s, 1, MSG_DONTWAIT), EAGAIN);
		CHECK_EQ(send(s[0], "tiny", 4, 0), 4); /* as long as its coverage */
		expect(s[1], "tiny");
		OK(set(s[1], RECV_CSCOV, 0));
		CHECK_EQ(send(s[0], "a part only", 11, 0), 11);
		CHECK_ERR(recv(s[1], s, 1, MSG_DONTWAIT), EAGAIN);
		OK(set(s[0], SEND_CSCOV, 0));
		CHECK_EQ(send(s[0], "whole", 5, 0), 5);
		expect(s[1], "whole");
		OK(set(s[0], SEND_CSCOV, 1000));
		CHECK_EQ(send(s[0], "whole again", 11, 0), 11);
		expect(s[1], "whole again");
		OK(close(s[0]));
		OK(close(s[1]));
	}
}

static uint32_t add_up(const unsigned char *b, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? b[i] : (uint32_t)b[i] << 8;
	return sum;
}

/* What a raw socket sees of it: ports, coverage, checksum, payload. */
static size_t caught(int raw, unsigned char *p, size_t room)
{
	unsigned char buf[256];
	ssize_t n = OK(recv(raw, buf, sizeof(buf), 0));
	size_t head = (size_t)(buf[0] & 15) * 4;

	CHECK((size_t)n >= head + 8 && (size_t)n - head <= room);
	memcpy(p, buf + head, (size_t)n - head);
	return (size_t)n - head;
}

static uint16_t sum_of(int protocol, const unsigned char *p, size_t len, size_t covered)
{
	unsigned char pseudo[12] = {127, 0, 0, 1, 127, 0, 0, 1, 0, (unsigned char)protocol};
	uint32_t sum;

	pseudo[10] = (unsigned char)(len >> 8);
	pseudo[11] = (unsigned char)len;
	sum = add_up(pseudo, 12) + add_up(p, covered);
	while (sum >> 16)
		sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)~sum;
}

TEST(the_header_tells_the_coverage_and_the_sum_is_over_it)
{
	static const struct {
		int cov, field;
	} cases[] = {{-1, 8 + 11}, {0, 0}, {8, 8}, {13, 13}, {19, 19}, {100, 19}};
	int raw, s[2];

	lo_up();
	raw = OK(socket(AF_INET, SOCK_RAW, IPPROTO_UDPLITE));
	two(AF_INET, s);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned char p[64];
		size_t n;

		if (cases[i].cov >= 0)
			OK(set(s[0], SEND_CSCOV, cases[i].cov));
		CHECK_EQ(send(s[0], "eleven here", 11, 0), 11);
		expect(s[1], "eleven here");
		n = caught(raw, p, sizeof(p));
		CHECK_EQ(n, 19);
		CHECK_EQ(p[4] << 8 | p[5], cases[i].field);
		CHECK_EQ(sum_of(IPPROTO_UDPLITE, p, n, cases[i].field ? (size_t)cases[i].field : n),
			0);
	}
}

/* A datagram of the test's own making to s. */
static void forge(int raw, int protocol, int port, int field, size_t covered, int spoil)
{
	unsigned char p[8 + 12] = {0};
	struct sockaddr_in to = {.sin_family = AF_INET};
	uint16_t sum;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p[0] = 0x30;
	p[1] = 0x39;
	p[2] = (unsigned char)(port >> 8);
	p[3] = (unsigned char)port;
	p[4] = (unsigned char)(field >> 8);
	p[5] = (unsigned char)field;
	memcpy(p + 8, "twelve bytes", 12);
	sum = sum_of(protocol, p, sizeof(p), covered);
	p[6] = (unsigned char)(sum >> 8);
	p[7] = (unsigned char)sum;
	if (spoil >= 0)
		p[spoil] ^= 0x55;
	if (spoil == -2)
		p[6] = p[7] = 0;
	CHECK_EQ(sendto(raw, p, sizeof(p), 0, (void *)&to, sizeof(to)), (ssize_t)sizeof(p));
}

TEST(damage_counts_only_where_the_sum_covers)
{
	static const struct {
		int field;
		size_t covered;
		int spoil;
		bool good;
	} cases[] = {
		{20, 20, -1, true}, {0, 20, -1, true}, {8, 8, -1, true}, {12, 12, -1, true},
		{12, 12, 15, true},  /* beyond */
		{12, 12, 11, false}, /* within */
		{0, 20, 15, false}, {20, 20, 19, false}, {7, 8, -1, false},
		{1, 8, -1, false},   /* not legal */
		{21, 20, -1, false}, /* more than there is */
		{20, 20, -2, false}, /* never without a checksum */
	};
	int raw, s;

	lo_up();
	raw = OK(socket(AF_INET, SOCK_RAW, IPPROTO_UDPLITE));
	s = bound(AF_INET);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char buf[32];
		ssize_t n;

		forge(raw, IPPROTO_UDPLITE, udp_port(s), cases[i].field, cases[i].covered,
			cases[i].spoil);
		n = recv(s, buf, sizeof(buf), MSG_DONTWAIT);
		if ((n == 12) != cases[i].good)
			FAIL("case %zu: got %zd", i, n);
	}
}

TEST(a_wrong_sum_of_udp_is_found_on_loopback_too)
{
	int raw, s;
	char buf[32];

	lo_up();
	raw = OK(socket(AF_INET, SOCK_RAW, IPPROTO_UDP));
	s = udp_bound(AF_INET, 0);
	forge(raw, IPPROTO_UDP, udp_port(s), 20, 20, -1);
	CHECK_EQ(recv(s, buf, sizeof(buf), MSG_DONTWAIT), 12);
	forge(raw, IPPROTO_UDP, udp_port(s), 20, 20, 15);
	CHECK_ERR(recv(s, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	forge(raw, IPPROTO_UDP, udp_port(s), 20, 20, -2); /* none at all is legal in IPv4 */
	CHECK_EQ(recv(s, buf, sizeof(buf), MSG_DONTWAIT), 12);
}

TEST(lite_sockets_stand_in_files_of_their_own)
{
	char line[64];
	int s;

	lo_up();
	s = bound(AF_INET);
	snprintf(line, sizeof(line), "0100007F:%04X 00000000:0000 07", udp_port(s));
	CHECK(strstr(read_text("/proc/net/udplite"), line) != NULL);
	CHECK(strstr(read_text("/proc/net/udp"), line) == NULL);
	CHECK(strstr(read_text("/proc/net/sockstat"), "UDPLITE: inuse 1\n") != NULL);
	OK(close(s));
	s = bound(AF_INET6);
	snprintf(line, sizeof(line), "00000000000000000000000001000000:%04X", udp_port(s));
	CHECK(strstr(read_text("/proc/net/udplite6"), line) != NULL);
	CHECK(strstr(read_text("/proc/net/sockstat6"), "UDPLITE6: inuse 1\n") != NULL);
	CHECK(strstr(read_text("/proc/net/snmp"), "UdpLite: InDatagrams NoPorts") != NULL);
	CHECK(strstr(read_text("/proc/net/snmp6"), "UdpLite6InDatagrams") != NULL);
}
