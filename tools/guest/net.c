// SPDX-License-Identifier: MIT
/*
 * The guest's network by rtnetlink: interfaces up, address, default route, /etc/resolv.conf. The
 * same requests for every kernel. The addresses are those of QEMU's user network.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

#define INTERFACE    "eth0"
#define ADDRESS      "10.0.2.15"
#define PREFIX       24
#define BROADCAST    "10.0.2.255"
#define ROUTER       "10.0.2.2"
#define NAME_SERVERS "nameserver 10.0.2.3\n"
#define RESOLV_CONF  "/etc/resolv.conf"
#define WAIT_MS      10000 /* for a driver that is a module */

struct request {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
		struct rtmsg route;
	};
	char attributes[128];
};

static void begin(struct request *r, int type, int flags, size_t payload)
{
	memset(r, 0, sizeof(*r));
	r->h.nlmsg_type = type;
	r->h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	r->h.nlmsg_len = NLMSG_LENGTH(payload);
}

static void add(struct request *r, int type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + RTA_LENGTH(len);
}

static void add_ipv4(struct request *r, int type, const char *text)
{
	struct in_addr in;

	inet_pton(AF_INET, text, &in);
	add(r, type, &in, sizeof(in));
}

/* 0, or an errno. */
static int ask(int fd, struct request *r)
{
	char answer[4096];
	struct nlmsghdr *h = (struct nlmsghdr *)answer;
	struct nlmsgerr *e = NLMSG_DATA(h);

	if (send(fd, r, r->h.nlmsg_len, 0) < 0 || recv(fd, answer, sizeof(answer), 0) < 0)
		return errno;
	return h->nlmsg_type == NLMSG_ERROR ? -e->error : EPROTO;
}

static int link_up(int fd, int index)
{
	struct request r;

	begin(&r, RTM_NEWLINK, 0, sizeof(r.link));
	r.link.ifi_index = index;
	r.link.ifi_flags = r.link.ifi_change = IFF_UP;
	return ask(fd, &r);
}

static int add_address(int fd, int index)
{
	struct request r;

	begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(r.addr));
	r.addr.ifa_family = AF_INET;
	r.addr.ifa_prefixlen = PREFIX;
	r.addr.ifa_index = index;
	add_ipv4(&r, IFA_LOCAL, ADDRESS);
	add_ipv4(&r, IFA_ADDRESS, ADDRESS);
	add_ipv4(&r, IFA_BROADCAST, BROADCAST);
	return ask(fd, &r);
}

static int add_default_route(int fd)
{
	struct request r;

	begin(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof(r.route));
	r.route.rtm_family = AF_INET;
	r.route.rtm_table = RT_TABLE_MAIN;
	r.route.rtm_protocol = RTPROT_BOOT;
	r.route.rtm_scope = RT_SCOPE_UNIVERSE;
	r.route.rtm_type = RTN_UNICAST;
	add_ipv4(&r, RTA_GATEWAY, ROUTER);
	return ask(fd, &r);
}

/* Not through a link that leads elsewhere: /etc/resolv.conf itself. */
static int write_resolv_conf(void)
{
	int fd, err = 0;

	unlink(RESOLV_CONF);
	fd = open(RESOLV_CONF, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno == ENOENT ? 0 : errno; /* a root without /etc */
	if (write(fd, NAME_SERVERS, sizeof(NAME_SERVERS) - 1) < 0)
		err = errno;
	close(fd);
	return err;
}

static int index_of_ethernet(void)
{
	int index = 0;

	for (int ms = 0; ms < WAIT_MS && !index; ms += 10) {
		index = if_nametoindex(INTERFACE);
		if (!index)
			usleep(10000);
	}
	return index;
}

/* Is there IPv4 in this kernel? */
static int has_ipv4(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void network_up(const char *how, void (*complain)(const char *fmt, ...))
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), index, err;

	if (fd < 0)
		return; /* a kernel without a network */
	link_up(fd, 1); /* lo is the first */
	if (how && has_ipv4()) {
		index = index_of_ethernet();
		err = index ? link_up(fd, index) : ENODEV;
		if (!err && strcmp(how, "user") == 0) {
			err = add_address(fd, index);
			if (!err)
				err = add_default_route(fd);
			if (!err)
				err = write_resolv_conf();
		}
		if (err)
			complain("network: %s: %s", INTERFACE, strerror(err));
	}
	close(fd);
}
