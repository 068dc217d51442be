/* SPDX-License-Identifier: MIT */
/* A listener under attack: SYNs from hosts that never answer, and SYN cookies (tcp(7)). */
#include "contract.h"
#include "tcp.h"
#include <net/route.h>
#include <netinet/ip.h>

#define SYSCTL "/proc/sys/net/ipv4/tcp_syncookies"

/* Packets to 10.0.0.0/8 go to lo and end there: nobody has the address. */
static void swallow_net_ten(void)
{
	struct rtentry r = {.rt_flags = RTF_UP, .rt_dev = (char *)"lo"};
	int s = OK(socket(AF_INET, SOCK_DGRAM, 0));

	((struct sockaddr_in *)&r.rt_dst)->sin_family = AF_INET;
	((struct sockaddr_in *)&r.rt_dst)->sin_addr.s_addr = htonl(0x0a000000);
	((struct sockaddr_in *)&r.rt_genmask)->sin_family = AF_INET;
	((struct sockaddr_in *)&r.rt_genmask)->sin_addr.s_addr = htonl(0xff000000);
	CHECK(ioctl(s, SIOCADDRT, &r) == 0 || errno == EEXIST);
	OK(close(s));
}

static uint32_t add_up(const void *data, size_t n)
{
	const uint16_t *w = data;
	uint32_t s = 0;

	for (; n > 1; n -= 2)
		s += *w++;
	return s;
}

/* From a raw socket: a SYN of 10.x.y.z to the port. */
static void send_syn(int raw, uint32_t nr, int port)
{
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} p = {0};
	struct sockaddr_in to = {.sin_family = AF_INET};
	uint32_t sum;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p.ip.version = 4;
	p.ip.ihl = 5;
	p.ip.tot_len = htons(sizeof(p));
	p.ip.ttl = 64;
	p.ip.protocol = IPPROTO_TCP;
	p.ip.saddr = htonl(0x0a000001 + nr);
	p.ip.daddr = to.sin_addr.s_addr;
	p.tcp.source = htons((uint16_t)(1024 + nr % 50000));
	p.tcp.dest = htons((uint16_t)port);
	p.tcp.seq = htonl(nr * 977);
	p.tcp.doff = 5;
	p.tcp.syn = 1;
	p.tcp.window = htons(1000);
	sum = add_up(&p.tcp, sizeof(p.tcp)) + add_up(&p.ip.saddr, 8) + htons(IPPROTO_TCP) +
		htons(sizeof(p.tcp));
	sum = (sum >> 16) + (sum & 0xffff);
	p.tcp.check = (uint16_t) ~(sum + (sum >> 16));
	CHECK_EQ(sendto(raw, &p, sizeof(p), 0, (void *)&to, sizeof(to)), sizeof(p));
}

static void flood(uint32_t from, uint32_t n, int port)
{
	int raw = OK(socket(AF_INET, SOCK_RAW, IPPROTO_RAW));

	for (uint32_t i = 0; i < n; i++)
		send_syn(raw, from + i, port);
	OK(close(raw));
}

static int info_options(int s)
{
	struct tcp_info i;
	socklen_t n = sizeof(i);

	OK(getsockopt(s, IPPROTO_TCP, TCP_INFO, &i, &n));
	return i.tcpi_options;
}

static void exchange(int a, int b, size_t n)
{
	char *out = calloc(1, n), *in = calloc(1, n);
	size_t got = 0;

	for (size_t i = 0; i < n; i++)
		out[i] = (char)(i * 7 + i / 256);
	CHECK_EQ(send(a, out, n, 0), n);
	while (got < n)
		got += (size_t)OK(recv(b, in + got, n - got, 0));
	CHECK_EQ(memcmp(in, out, n), 0);
	free(in);
	free(out);
}

TEST(cookies_for_all_carry_the_options_and_any_data)
{
	tcp_lo_up();
	write_file(SYSCTL, "2");
	EACH_FAMILY(f)
	{
		long long sent = tcp_counter("SyncookiesSent"),
			  taken = tcp_counter("SyncookiesRecv");
		int end[2], want = TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE;

		tcp_pair(f, end);
		CHECK_EQ(tcp_counter("SyncookiesSent"), sent + 1);
		CHECK_EQ(tcp_counter("SyncookiesRecv"), taken + 1);
		CHECK_EQ(info_options(end[0]) & want, want);
		CHECK_EQ(info_options(end[1]) & want, want);
		exchange(end[0], end[1], 60000);
		exchange(end[1], end[0], 60000);
		OK(close(end[0]));
		CHECK_EQ(recv(end[1], &want, 1, 0), 0);
		OK(close(end[1]));
	}
	write_file(SYSCTL, "1");
}

TEST(without_timestamps_a_cookie_leaves_the_options_out)
{
	int end[2];

	tcp_lo_up();
	write_file(SYSCTL, "2");
	write_file("/proc/sys/net/ipv4/tcp_timestamps", "0");
	tcp_pair(AF_INET, end);
	CHECK_EQ(info_options(end[0]) & (TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE), 0);
	CHECK_EQ(info_options(end[1]) & (TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE), 0);
	exchange(end[0], end[1], 30000);
	exchange(end[1], end[0], 30000);
	write_file("/proc/sys/net/ipv4/tcp_timestamps", "1");
	write_file(SYSCTL, "1");
	close(end[0]);
	close(end[1]);
}

TEST(an_invented_cookie_is_answered_with_a_reset)
{
	int l, s, raw, port;
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} p;
	long long failed;

	tcp_lo_up();
	write_file(SYSCTL, "2");
	l = tcp_listener(AF_INET, 4);
	port = tcp_port(l);
	s = tcp_connect_to(l, AF_INET); /* a cookie was sent: from now on they are looked at */
	failed = tcp_counter("SyncookiesFailed");
	raw = OK(socket(AF_INET, SOCK_RAW, IPPROTO_TCP));
	/* The raw socket adds the IP header; it sees the answer as well as what it sent. */
	memset(&p, 0, sizeof(p));
	p.tcp.source = htons(4242);
	p.tcp.dest = htons((uint16_t)port);
	p.tcp.seq = htonl(1000);
	p.tcp.ack_seq = htonl(123456789);
	p.tcp.doff = 5;
	p.tcp.ack = 1;
	p.tcp.window = htons(1000);
	uint32_t lo = htonl(INADDR_LOOPBACK),
		 sum = add_up(&p.tcp, sizeof(p.tcp)) + 2 * add_up(&lo, 4) + htons(IPPROTO_TCP) +
		htons(sizeof(p.tcp));
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = lo};

	sum = (sum >> 16) + (sum & 0xffff);
	p.tcp.check = (uint16_t) ~(sum + (sum >> 16));
	CHECK_EQ(sendto(raw, &p.tcp, sizeof(p.tcp), 0, (void *)&to, sizeof(to)), sizeof(p.tcp));
	do
		CHECK(recv(raw, &p, sizeof(p), 0) >= 40);
	while (p.tcp.source != htons((uint16_t)port) || p.tcp.dest != htons(4242));
	CHECK_EQ(p.tcp.rst, 1);
	CHECK_EQ(ntohl(p.tcp.seq), 123456789);
	CHECK_EQ(tcp_counter("SyncookiesFailed"), failed + 1);
	write_file(SYSCTL, "1");
	close(s);
	close(l);
	close(raw);
}

TEST(a_full_queue_of_requests_does_not_keep_others_out)
{
	int l, port;
	long long cookies;

	tcp_lo_up();
	swallow_net_ten();
	write_file(SYSCTL, "1");
	l = tcp_listener(AF_INET, 16);
	port = tcp_port(l);
	cookies = tcp_counter("SyncookiesSent");
	flood(0, 2000, port);
	CHECK(tcp_counter("SyncookiesSent") > cookies + 100); /* a busy loopback drops some */
	for (int i = 0; i < 20; i++) {
		int c = tcp_connect_to(l, AF_INET), s = OK(accept(l, NULL, NULL));

		exchange(c, s, 1000);
		flood(2000 + (uint32_t)i * 100, 100, port);
		exchange(s, c, 1000);
		OK(close(c));
		OK(close(s));
	}
	OK(close(l));
}

TEST(without_cookies_a_full_queue_drops_and_counts)
{
	int l;
	long long drops;

	tcp_lo_up();
	swallow_net_ten();
	write_file(SYSCTL, "0");
	l = tcp_listener(AF_INET, 16);
	drops = tcp_counter("TCPReqQFullDrop");
	flood(0, 500, tcp_port(l));
	CHECK(tcp_counter("TCPReqQFullDrop") > drops + 100);
	write_file(SYSCTL, "1");
	OK(close(l));
}
