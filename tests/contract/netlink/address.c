/* SPDX-License-Identifier: MIT */
/* What addresses of lo bring with them: routes, and what they are told to be. */
#include "contract.h"
#include "nl.h"
#include <arpa/inet.h>
#include <linux/in_route.h>
#include <netinet/in.h>

struct request {
	struct nlmsghdr h;
	union {
		struct ifaddrmsg addr;
		struct rtmsg route;
	};
	char attrs[128];
};

static void put(struct request *r, int type, const void *data, size_t len)
{
	struct rtattr *a = (void *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));

	a->rta_type = (unsigned short)type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + RTA_LENGTH(len);
}

/* The answer is in buf. */
static const struct nlmsghdr *ask(const struct request *r, char *buf, size_t size)
{
	int fd = nl_open(NETLINK_ROUTE);

	CHECK_EQ(send(fd, r, r->h.nlmsg_len, 0), r->h.nlmsg_len);
	OK(recv(fd, buf, size, 0));
	close(fd);
	return (void *)buf;
}

/* An address without a broadcast address of its own. */
static void address(int type, const char *text, int prefix)
{
	struct request r;
	struct in_addr in;
	char buf[4096];

	memset(&r, 0, sizeof(r));
	CHECK_EQ(inet_pton(AF_INET, text, &in), 1);
	r.h.nlmsg_type = (unsigned short)type;
	r.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (type == RTM_NEWADDR ? NLM_F_CREATE : 0);
	r.h.nlmsg_len = NLMSG_LENGTH(sizeof(r.addr));
	r.addr.ifa_family = AF_INET;
	r.addr.ifa_prefixlen = (unsigned char)prefix;
	r.addr.ifa_index = 1;
	put(&r, IFA_LOCAL, &in, 4);
	CHECK_EQ(nl_error(ask(&r, buf, sizeof(buf))), 0);
}

static struct rtmsg way_to(const char *text)
{
	struct request r;
	struct in_addr in;
	char buf[4096];
	const struct nlmsghdr *h;

	memset(&r, 0, sizeof(r));
	CHECK_EQ(inet_pton(AF_INET, text, &in), 1);
	r.h.nlmsg_type = RTM_GETROUTE;
	r.h.nlmsg_flags = NLM_F_REQUEST;
	r.h.nlmsg_len = NLMSG_LENGTH(sizeof(r.route));
	r.route.rtm_family = AF_INET;
	r.route.rtm_dst_len = 32;
	put(&r, RTA_DST, &in, 4);
	h = ask(&r, buf, sizeof(buf));
	CHECK_EQ(h->nlmsg_type, RTM_NEWROUTE);
	return *(struct rtmsg *)NLMSG_DATA(h);
}

static void set_lo(bool up)
{
	struct ifreq r = {.ifr_name = "lo"};
	int s = OK(socket(AF_INET, SOCK_DGRAM, 0));

	OK(ioctl(s, SIOCGIFFLAGS, &r));
	r.ifr_flags = (short)(up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP);
	OK(ioctl(s, SIOCSIFFLAGS, &r));
	close(s);
}

static void lo_back_up(void)
{
	set_lo(true);
}

/* A datagram to ourselves arrives; -1: it can't be sent. */
static int reach(const char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int in = OK(socket(AF_INET, SOCK_DGRAM, 0)), out = OK(socket(AF_INET, SOCK_DGRAM, 0));
	socklen_t len = sizeof(a);
	int got = -1;

	CHECK_EQ(inet_pton(AF_INET, text, &a.sin_addr), 1);
	OK(bind(in, (void *)&a, sizeof(a)));
	OK(getsockname(in, (void *)&a, &len));
	if (sendto(out, "x", 1, 0, (void *)&a, sizeof(a)) == 1)
		got = poll(&(struct pollfd){.fd = in, .events = POLLIN}, 1, 1000);
	close(in);
	close(out);
	return got;
}

TEST(addresses_can_be_reached_again_after_down_and_up)
{
	set_lo(true);
	address(RTM_NEWADDR, "10.77.0.1", 24);
	CHECK_EQ(reach("127.0.0.1"), 1);
	CHECK_EQ(reach("10.77.0.1"), 1);
	set_lo(false);
	atexit(lo_back_up);
	CHECK_EQ(reach("127.0.0.1"), 0); /* sent, and lost */
	set_lo(true);
	CHECK_EQ(reach("127.0.0.1"), 1);
	CHECK_EQ(reach("10.77.0.1"), 1);
	address(RTM_DELADDR, "10.77.0.1", 24);
}

TEST(the_last_address_of_a_prefix_is_for_broadcasts)
{
	set_lo(true);
	address(RTM_NEWADDR, "10.78.0.1", 24);
	CHECK_EQ(way_to("10.78.0.255").rtm_type, RTN_BROADCAST);
	CHECK_EQ(way_to("10.78.0.254").rtm_type, RTN_LOCAL); /* lo: the whole prefix */
	address(RTM_DELADDR, "10.78.0.1", 24);
	address(RTM_NEWADDR, "10.78.0.1", 31);
	CHECK_EQ(way_to("10.78.0.0").rtm_type, RTN_LOCAL);
	address(RTM_DELADDR, "10.78.0.1", 31);
}

TEST(the_way_to_ourselves_is_marked_as_local)
{
	struct rtmsg m;

	set_lo(true);
	m = way_to("127.0.0.1");
	CHECK_EQ(m.rtm_type, RTN_LOCAL);
	CHECK_EQ(m.rtm_flags, RTM_F_CLONED | RTCF_LOCAL);
	CHECK_EQ(m.rtm_table, RT_TABLE_MAIN);
}
