/* SPDX-License-Identifier: MIT */
/* Options that hosts write to: what an echo reply has of them, on loopback, where each packet
 * passes this host twice. */
#include "contract.h"
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include "../udp/udp.h"

static const unsigned char g_us[4] = {127, 0, 0, 1};

/* Sends a request with these options; the reply's options are in out. Returns their length. */
static size_t reply_options(const void *opt, size_t len, unsigned char out[40])
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	unsigned char m[8] = {ICMP_ECHO, 0, 0xf7, 0xfd, 0, 1, 0, 1}, b[256];
	int s;

	lo_up();
	s = OK(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	OK(setsockopt(s, IPPROTO_IP, IP_OPTIONS, opt, len));
	CHECK_EQ(sendto(s, m, sizeof(m), 0, (void *)&to, sizeof(to)), sizeof(m));
	for (;;) {
		size_t n = (size_t)OK(recv(s, b, sizeof(b), 0)), hl = (b[0] & 15) * 4u;

		CHECK(n >= hl + 8);
		if (b[hl] != ICMP_ECHOREPLY)
			continue;
		memcpy(out, b + 20, hl - 20);
		close(s);
		return hl - 20;
	}
}

TEST(an_echo_reply_has_the_route_there_and_back)
{
	unsigned char o[40] = {IPOPT_RR, 39, 4}, got[40];

	CHECK_EQ(reply_options(o, 40, got), 40);
	CHECK_EQ(got[0], IPOPT_RR);
	CHECK_EQ(got[1], 39);
	CHECK_EQ(got[2], 4 + 4 * 4);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(memcmp(got + 3 + 4 * i, g_us, 4), 0);
	CHECK_EQ(memcmp(got + 19, (unsigned char[20]){0}, 20), 0);
}

TEST(a_full_record_of_the_route_stays_as_it_is)
{
	unsigned char o[8] = {IPOPT_RR, 7, 4}, got[40];

	CHECK_EQ(reply_options(o, 8, got), 8);
	CHECK_EQ(memcmp(got, (unsigned char[]){IPOPT_RR, 7, 8, 127, 0, 0, 1, 0}, 8), 0);
}

static unsigned be32(const unsigned char *p)
{
	return (unsigned)p[0] << 24 | (unsigned)p[1] << 16 | (unsigned)p[2] << 8 | p[3];
}

/* Milliseconds since midnight, UT. */
static bool is_now(const unsigned char *p)
{
	long long now = now_ns(CLOCK_REALTIME) / MSEC % 86400000, t = be32(p);

	return (now - t + 86400000) % 86400000 < 60000;
}

TEST(an_echo_reply_has_the_times)
{
	unsigned char o[24] = {IPOPT_TS, 24, 5, IPOPT_TS_TSONLY}, got[40];

	CHECK_EQ(reply_options(o, 24, got), 24);
	CHECK_EQ(got[2], 5 + 4 * 4);
	CHECK_EQ(got[3], IPOPT_TS_TSONLY);
	for (int i = 0; i < 4; i++)
		CHECK(is_now(got + 4 + 4 * i));
	CHECK_EQ(be32(got + 20), 0);
}

TEST(an_echo_reply_has_times_with_addresses)
{
	unsigned char o[40] = {IPOPT_TS, 36, 5, IPOPT_TS_TSANDADDR}, got[40];

	CHECK_EQ(reply_options(o, 36, got), 36);
	CHECK_EQ(got[2], 5 + 4 * 8);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(memcmp(got + 4 + 8 * i, g_us, 4), 0);
		CHECK(is_now(got + 8 + 8 * i));
	}
}

TEST(only_the_named_host_writes_its_time)
{
	unsigned char o[20] = {IPOPT_TS, 20, 5, IPOPT_TS_PRESPEC, 127, 0, 0, 1, 0, 0, 0, 0, 10, 1,
		1, 1},
		      got[40];

	CHECK_EQ(reply_options(o, 20, got), 20);
	CHECK_EQ(got[2], 13);
	CHECK(is_now(got + 8));
	CHECK_EQ(memcmp(got + 12, (unsigned char[]){10, 1, 1, 1, 0, 0, 0, 0}, 8), 0);
}

TEST(hosts_without_room_are_counted)
{
	unsigned char o[8] = {IPOPT_TS, 8, 5, IPOPT_TS_TSONLY}, got[40];

	CHECK_EQ(reply_options(o, 8, got), 8);
	CHECK_EQ(got[2], 9);
	CHECK_EQ(got[3], 0x20);
}

/* Options of any length leave the message where it is. */
TEST(a_request_with_options_of_any_length_is_answered)
{
	unsigned char o[40], got[40];

	memset(o, IPOPT_NOP, sizeof(o));
	for (size_t len = 4; len <= 40; len += 4)
		CHECK_EQ(reply_options(o, len, got), 0);
}

TEST(other_options_do_not_come_back)
{
	unsigned char o[12] = {IPOPT_RA, 4, 0, 0, IPOPT_RR, 7, 4}, got[40];

	CHECK_EQ(reply_options(o, 12, got), 8);
	CHECK_EQ(got[0], IPOPT_RR);
}
