/* SPDX-License-Identifier: MIT */
/* Groups: what queriers are answered, by IGMP (RFC 2236, 3376) and MLD (RFC 2710, 3810). */
#include "wire.h"
#include <linux/if_ether.h>

#define GROUP4 0xef010203u
#define GROUP6 "ff05::1234"

static bool is_igmp(const struct frame *f, void *arg)
{
	return proto_of(f) == ETH_P_IP && ip_of(f)->ip_p == IPPROTO_IGMP &&
		f->b[14 + ip_of(f)->ip_hl * 4] == *(int *)arg;
}

/* MLD is behind a hop-by-hop header with a router alert. */
static bool is_mld(const struct frame *f, void *arg)
{
	return proto_of(f) == ETH_P_IPV6 && ip6_of(f)->ip6_nxt == 0 && f->b[54] == IPPROTO_ICMPV6 &&
		f->b[62] == *(int *)arg;
}

/* Does the report (version 3, 2 of MLD) at m have a record of this type about the group? */
static bool has_record(const unsigned char *m, const void *group, size_t size, int type)
{
	int nr = m[6] << 8 | m[7];

	for (m += 8; nr--; m += 4 + size + size * (size_t)(m[2] << 8 | m[3]) + m[1] * 4u)
		if (m[0] == type && memcmp(m + 4, group, size) == 0)
			return true;
	return false;
}

static int join4(struct wire *w)
{
	struct ip_mreqn r = {.imr_ifindex = w->index};
	int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));

	r.imr_multiaddr.s_addr = htonl(GROUP4);
	OK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)));
	return fd;
}

static int join6(struct wire *w)
{
	struct ipv6_mreq r = {.ipv6mr_interface = (unsigned)w->index};
	int fd = OK(socket(AF_INET6, SOCK_DGRAM, 0));

	r.ipv6mr_multiaddr = in6(GROUP6);
	OK(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &r, sizeof(r)));
	return fd;
}

/* IP header with router alert, TTL 1. group 0: general. len: 8 (version 2) or 12. */
static void query4(struct wire *w, unsigned group, int tenths, size_t len)
{
	unsigned char p[24 + 12] = {0x46, 0xc0, 0, (unsigned char)(24 + len), 0, 0, 0, 0, 1, 2};
	unsigned src = htonl(PEER4(0)), dst = htonl(group ? group : 0xe0000001);
	unsigned char mac[6] = {1, 0, 0x5e};

	memcpy(p + 12, &src, 4);
	memcpy(p + 16, &dst, 4);
	memcpy(mac + 3, p + 17, 3);
	mac[3] &= 0x7f;
	p[20] = 0x94;
	p[21] = 4;
	*(unsigned short *)(p + 10) = sum16(p, 24);
	p[24] = 0x11;
	p[25] = (unsigned char)tenths;
	group = htonl(group);
	memcpy(p + 28, &group, 4);
	*(unsigned short *)(p + 26) = sum16(p + 24, len);
	wire_send(w, mac, ETH_P_IP, p, 24 + len);
}

static void query6(struct wire *w, const char *group, int ms, size_t len)
{
	struct in6_addr src = in6("fe80::2"), dst = in6(group ? group : "ff02::1");
	unsigned char p[40 + 8 + 28] = {0}, *m = p + 48, mac[6] = {0x33, 0x33};

	p[0] = 0x60;
	p[5] = (unsigned char)(8 + len);
	p[7] = 1;
	memcpy(p + 8, &src, 16);
	memcpy(p + 24, &dst, 16);
	memcpy(mac + 2, p + 36, 4);
	memcpy(p + 40, (unsigned char[]){IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0}, 8);
	m[0] = 130;
	m[4] = (unsigned char)(ms >> 8);
	m[5] = (unsigned char)ms;
	if (group)
		memcpy(m + 8, &dst, 16);
	*(unsigned short *)(m + 2) = sum6(&src, &dst, IPPROTO_ICMPV6, m, len);
	wire_send(w, mac, ETH_P_IPV6, p, 48 + len);
}

static int g_v3 = 0x22, g_v2 = 0x16, g_leave = 0x17, g_mld1 = 131, g_mld2 = 143;

/* Reports of the change have been sent; what comes then answers a query. */
static void let_reports_pass(
	struct wire *w, bool (*is)(const struct frame *f, void *arg), int *type)
{
	struct frame f;

	while (wire_take(w, &f, is, type, 2.5))
		;
}

static bool reports4(const struct frame *f, int type)
{
	unsigned group = htonl(GROUP4);

	return has_record(f->b + 14 + ip_of(f)->ip_hl * 4, &group, 4, type);
}

TEST(joining_and_leaving_is_reported)
{
	struct wire w;
	struct frame f;
	int fd;

	wire_open(&w, 0);
	fd = join4(&w);
	do
		CHECK(wire_take(&w, &f, is_igmp, &g_v3, 5));
	while (!reports4(&f, 4)); /* CHANGE_TO_EXCLUDE_MODE */
	CHECK_EQ(ntohl(ip_of(&f)->ip_dst.s_addr), 0xe0000016);
	CHECK_EQ(ip_of(&f)->ip_ttl, 1);
	CHECK_EQ(ip_of(&f)->ip_hl, 6); /* router alert */
	CHECK_EQ(sum16(f.b + 38, f.len - 38 < 60 ? ntohs(ip_of(&f)->ip_len) - 24u : 0), 0);
	close(fd);
	do
		CHECK(wire_take(&w, &f, is_igmp, &g_v3, 5));
	while (!reports4(&f, 3)); /* CHANGE_TO_INCLUDE_MODE */
}

TEST(a_general_query_is_answered)
{
	struct wire w;
	struct frame f;
	int fd;

	wire_open(&w, 0);
	fd = join4(&w);
	let_reports_pass(&w, is_igmp, &g_v3);
	query4(&w, 0, 5, 12);
	do
		CHECK(wire_take(&w, &f, is_igmp, &g_v3, 5));
	while (!reports4(&f, 2)); /* MODE_IS_EXCLUDE */
	close(fd);
}

TEST(a_query_of_a_group_is_answered_by_its_members_only)
{
	struct wire w;
	struct frame f;
	int fd;

	wire_open(&w, 0);
	fd = join4(&w);
	let_reports_pass(&w, is_igmp, &g_v3);
	query4(&w, GROUP4 + 1, 5, 12);
	CHECK(!wire_take(&w, &f, is_igmp, &g_v3, 1));
	query4(&w, GROUP4, 5, 12);
	CHECK(wire_take(&w, &f, is_igmp, &g_v3, 5));
	CHECK(reports4(&f, 2));
	close(fd);
}

static bool mld_reports(const struct frame *f, int type)
{
	struct in6_addr group = in6(GROUP6);

	return has_record(f->b + 62, &group, 16, type);
}

TEST(MLD_reports_joining_and_leaving_and_answers_queries)
{
	struct wire w;
	struct frame f;
	int fd;

	wire_open(&w, 0);
	fd = join6(&w);
	do
		CHECK(wire_take(&w, &f, is_mld, &g_mld2, 5));
	while (!mld_reports(&f, 4));
	CHECK_EQ(ip6_of(&f)->ip6_hlim, 1);
	CHECK(IN6_IS_ADDR_LINKLOCAL(&ip6_of(&f)->ip6_src) ||
		IN6_IS_ADDR_UNSPECIFIED(&ip6_of(&f)->ip6_src));
	let_reports_pass(&w, is_mld, &g_mld2);
	query6(&w, NULL, 500, 28);
	do
		CHECK(wire_take(&w, &f, is_mld, &g_mld2, 5));
	while (!mld_reports(&f, 2));
	query6(&w, GROUP6, 500, 28);
	do /* other groups may still answer the first query */
		CHECK(wire_take(&w, &f, is_mld, &g_mld2, 5));
	while (!mld_reports(&f, 2));
	close(fd);
	do
		CHECK(wire_take(&w, &f, is_mld, &g_mld2, 5));
	while (!mld_reports(&f, 3));
}

/* Last: it makes the machine speak the old versions for minutes. */
TEST(zz_old_queriers_get_old_reports)
{
	unsigned group = htonl(GROUP4);
	struct in6_addr group6 = in6(GROUP6);
	struct wire w;
	struct frame f;
	int fd, fd6;

	wire_open(&w, 0);
	fd = join4(&w);
	let_reports_pass(&w, is_igmp, &g_v3);
	query4(&w, 0, 5, 8);
	do
		CHECK(wire_take(&w, &f, is_igmp, &g_v2, 5));
	while (memcmp(f.b + 42, &group, 4));
	CHECK_EQ(ntohl(ip_of(&f)->ip_dst.s_addr), GROUP4);
	close(fd);
	do
		CHECK(wire_take(&w, &f, is_igmp, &g_leave, 5));
	while (memcmp(f.b + 42, &group, 4));
	CHECK_EQ(ntohl(ip_of(&f)->ip_dst.s_addr), 0xe0000002); /* all routers */
	fd6 = join6(&w);
	let_reports_pass(&w, is_mld, &g_mld2);
	query6(&w, NULL, 500, 24);
	do
		CHECK(wire_take(&w, &f, is_mld, &g_mld1, 5));
	while (memcmp(f.b + 70, &group6, 16));
	close(fd6);
}
