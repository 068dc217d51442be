/* SPDX-License-Identifier: MIT */
/* rtnetlink's rules, with links: requests, acknowledgements, dumps, events. */
#include "contract.h"
#include "nl.h"

TEST(a_link_is_shown_with_its_name_and_figures)
{
	int fd = nl_open(NETLINK_ROUTE);
	struct nl_link_request r;
	char buf[8192];
	struct nlmsghdr *h = (void *)buf;
	struct ifinfomsg *ifi = NLMSG_DATA(h);
	const struct rtattr *a;

	nl_link(&r, RTM_GETLINK, 0, 77, 1);
	CHECK_EQ(nl_ask(fd, &r, buf, sizeof(buf)), h->nlmsg_len);
	CHECK_EQ(h->nlmsg_type, RTM_NEWLINK);
	CHECK_EQ(h->nlmsg_flags, 0);
	CHECK_EQ(h->nlmsg_seq, 77);
	CHECK_EQ(h->nlmsg_pid, getpid());
	CHECK_EQ(ifi->ifi_index, 1);
	CHECK_EQ(ifi->ifi_type, 772); /* ARPHRD_LOOPBACK */
	CHECK(ifi->ifi_flags & IFF_LOOPBACK);
	a = nl_find(h, sizeof(*ifi), IFLA_IFNAME);
	CHECK(a);
	CHECK_EQ(RTA_PAYLOAD(a), 3);
	CHECK_STR(RTA_DATA(a), "lo");
	a = nl_find(h, sizeof(*ifi), IFLA_MTU);
	CHECK_EQ(*(uint32_t *)RTA_DATA(a), 65536);
	a = nl_find(h, sizeof(*ifi), IFLA_TXQLEN);
	CHECK_EQ(*(uint32_t *)RTA_DATA(a), 1000);
	a = nl_find(h, sizeof(*ifi), IFLA_ADDRESS);
	CHECK_EQ(RTA_PAYLOAD(a), 6);
	a = nl_find(h, sizeof(*ifi), IFLA_STATS64);
	CHECK(RTA_PAYLOAD(a) >= 23 * 8);
	CHECK(nl_find(h, sizeof(*ifi), IFLA_STATS));
	CHECK(nl_find(h, sizeof(*ifi), IFLA_OPERSTATE));
	CHECK(nl_find(h, sizeof(*ifi), IFLA_QDISC));
}

TEST(a_link_is_found_by_name_and_its_absence_is_enodev)
{
	int fd = nl_open(NETLINK_ROUTE);
	struct nl_link_request r;
	char buf[8192];

	nl_link(&r, RTM_GETLINK, 0, 1, 0);
	nl_attr(&r, IFLA_IFNAME, "lo", 3);
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(((struct ifinfomsg *)NLMSG_DATA(buf))->ifi_index, 1);
	nl_link(&r, RTM_GETLINK, 0, 1, 0);
	nl_attr(&r, IFLA_IFNAME, "nothing", 8);
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), -ENODEV);
	nl_link(&r, RTM_GETLINK, 0, 1, 99999);
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), -ENODEV);
	nl_link(&r, RTM_GETLINK, 0, 1, 0);
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), -EINVAL);
}

TEST(an_error_carries_the_request_and_cap_ack_only_its_header)
{
	int fd = nl_open(NETLINK_ROUTE), on = 1;
	struct nl_link_request r;
	char buf[8192];
	struct nlmsghdr *h = (void *)buf;

	nl_link(&r, RTM_GETLINK, 0, 5, 99999);
	CHECK_EQ(nl_ask(fd, &r, buf, sizeof(buf)), NLMSG_LENGTH(4) + r.h.nlmsg_len);
	CHECK_EQ(memcmp(&((struct nlmsgerr *)NLMSG_DATA(h))->msg, &r, r.h.nlmsg_len), 0);
	CHECK_EQ(h->nlmsg_flags, 0);
	CHECK_EQ(h->nlmsg_seq, 5);
	OK(setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)));
	CHECK_EQ(nl_ask(fd, &r, buf, sizeof(buf)), NLMSG_LENGTH(sizeof(struct nlmsgerr)));
	CHECK_EQ(h->nlmsg_flags, NLM_F_CAPPED);
}

TEST(success_is_acknowledged_when_asked_for)
{
	int fd = nl_open(NETLINK_ROUTE);
	struct nl_link_request r;
	char buf[8192];

	nl_link(&r, RTM_SETLINK, NLM_F_ACK, 6, 1);
	CHECK_EQ(nl_ask(fd, &r, buf, sizeof(buf)), NLMSG_LENGTH(sizeof(struct nlmsgerr)));
	CHECK_EQ(nl_error(buf), 0);
	CHECK_EQ(((struct nlmsghdr *)buf)->nlmsg_flags, NLM_F_CAPPED);
	nl_link(&r, RTM_SETLINK, 0, 6, 1);
	OK(send(fd, &r, r.h.nlmsg_len, 0));
	CHECK_ERR(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}

TEST(one_send_may_hold_several_requests)
{
	int fd = nl_open(NETLINK_ROUTE);
	struct nl_link_request r;
	char two[512], buf[8192];

	nl_link(&r, RTM_SETLINK, NLM_F_ACK, 1, 1);
	memcpy(two, &r, r.h.nlmsg_len);
	nl_link(&r, RTM_SETLINK, NLM_F_ACK, 2, 99999);
	memcpy(two + r.h.nlmsg_len, &r, r.h.nlmsg_len);
	OK(send(fd, two, 2 * r.h.nlmsg_len, 0));
	OK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_EQ(nl_error(buf), 0);
	OK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_EQ(nl_error(buf), -ENODEV);
}

TEST(what_is_no_request_or_too_short_is_passed_over)
{
	int fd = nl_open(NETLINK_ROUTE);
	struct nl_link_request r;
	char buf[8192];

	nl_link(&r, RTM_GETLINK, 0, 1, 99999);
	r.h.nlmsg_flags = NLM_F_ACK;
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), 0);
	nl_link(&r, RTM_GETLINK, 0, 1, 99999);
	r.h.nlmsg_len = 200000;
	OK(send(fd, &r, sizeof(r), 0));
	CHECK_ERR(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	nl_link(&r, RTM_MAX + 1, 0, 1, 1);
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), -EOPNOTSUPP);
}

TEST(a_dump_shows_each_link_once_and_ends_with_done)
{
	int fd = nl_open(NETLINK_ROUTE), done = 0, los = 0;
	struct nl_link_request r;
	char buf[16384];

	nl_link(&r, RTM_GETLINK, NLM_F_DUMP, 9, 0);
	OK(send(fd, &r, r.h.nlmsg_len, 0));
	while (!done) {
		int n = (int)OK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
		struct nlmsghdr *h = (void *)buf;

		for (; NLMSG_OK(h, (unsigned int)n); h = NLMSG_NEXT(h, n)) {
			CHECK(h->nlmsg_flags & NLM_F_MULTI);
			CHECK_EQ(h->nlmsg_seq, 9);
			if (h->nlmsg_type == NLMSG_DONE) {
				CHECK_EQ(*(int *)NLMSG_DATA(h), 0);
				done = 1;
				break;
			}
			CHECK_EQ(h->nlmsg_type, RTM_NEWLINK);
			los += ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index == 1;
		}
	}
	CHECK_EQ(los, 1);
	CHECK_ERR(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}

TEST(old_programs_ask_for_a_dump_with_a_family_only)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} r = {{NLMSG_LENGTH(sizeof(struct rtgenmsg)), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 3,
		       0},
		{AF_UNSPEC}};
	int fd = nl_open(NETLINK_ROUTE);
	char buf[16384];

	OK(send(fd, &r, r.h.nlmsg_len, 0));
	OK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_EQ(((struct nlmsghdr *)buf)->nlmsg_type, RTM_NEWLINK);
}

TEST(strict_checking_refuses_what_a_dump_does_not_understand)
{
	int fd = nl_open(NETLINK_ROUTE), on = 1;
	struct nl_link_request r;
	char buf[16384];

	nl_link(&r, RTM_GETLINK, NLM_F_DUMP, 9, 0);
	r.ifi.ifi_type = 5;
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(((struct nlmsghdr *)buf)->nlmsg_type, RTM_NEWLINK);
	close(fd);
	fd = nl_open(NETLINK_ROUTE);
	OK(setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)));
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(((struct nlmsghdr *)buf)->nlmsg_type, NLMSG_DONE);
	CHECK_EQ(*(int *)NLMSG_DATA(buf), -EINVAL);
}

TEST(extended_acks_name_the_reason)
{
	int fd = nl_open(NETLINK_ROUTE), on = 1;
	struct nl_link_request r;
	char buf[16384];
	struct nlmsghdr *h = (void *)buf;
	const struct rtattr *a;

	OK(setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)));
	OK(setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)));
	OK(setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)));
	nl_link(&r, RTM_GETLINK, NLM_F_DUMP, 9, 0);
	r.ifi.ifi_type = 5;
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(h->nlmsg_type, NLMSG_DONE);
	CHECK_EQ(h->nlmsg_flags, NLM_F_MULTI | NLM_F_ACK_TLVS);
	a = nl_find(h, sizeof(int), 1); /* NLMSGERR_ATTR_MSG */
	CHECK(a);
	CHECK_STR(RTA_DATA(a), "Invalid values in header for link dump request");
	nl_link(&r, RTM_SETLINK, NLM_F_ACK, 1, 1);
	nl_attr(&r, IFLA_MTU, "ab", 2);
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), -ERANGE);
	CHECK_EQ(h->nlmsg_flags, NLM_F_CAPPED | NLM_F_ACK_TLVS);
	a = nl_find(h, sizeof(struct nlmsgerr), 2); /* NLMSGERR_ATTR_OFFS */
	CHECK(a);
	CHECK_EQ(*(uint32_t *)RTA_DATA(a), NLMSG_LENGTH(sizeof(struct ifinfomsg)));
}

TEST(changes_are_told_to_who_joined_the_group)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK}, from;
	socklen_t len = sizeof(from);
	int fd = nl_open(NETLINK_ROUTE), ear = nl_open(NETLINK_ROUTE),
	    deaf = nl_open(NETLINK_ROUTE);
	uint32_t mtu = 65535;
	struct nl_link_request r;
	char buf[16384];
	struct nlmsghdr *h = (void *)buf;

	OK(bind(ear, (void *)&a, sizeof(a)));
	a.nl_groups = 0;
	OK(bind(deaf, (void *)&a, sizeof(a)));
	nl_link(&r, RTM_SETLINK, NLM_F_ACK, 6, 1);
	nl_attr(&r, IFLA_MTU, &mtu, sizeof(mtu));
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), 0);
	OK(recvfrom(ear, buf, sizeof(buf), MSG_DONTWAIT, (void *)&from, &len));
	CHECK_EQ(from.nl_pid, 0);
	CHECK_EQ(from.nl_groups, RTMGRP_LINK);
	CHECK_EQ(h->nlmsg_type, RTM_NEWLINK);
	CHECK_EQ(h->nlmsg_seq, 0);
	CHECK_EQ(*(uint32_t *)RTA_DATA(nl_find(h, sizeof(struct ifinfomsg), IFLA_MTU)), 65535);
	CHECK_ERR(recv(deaf, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	mtu = 65536;
	nl_link(&r, RTM_SETLINK, NLM_F_ACK, 6, 1);
	nl_attr(&r, IFLA_MTU, &mtu, sizeof(mtu));
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), 0);
}

TEST(a_listener_that_does_not_read_gets_enobufs)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = nl_open(NETLINK_ROUTE), ear = nl_open(NETLINK_ROUTE), size = 2304;
	struct pollfd p = {.fd = ear, .events = POLLIN};
	uint32_t mtu;
	struct nl_link_request r;
	char buf[16384];

	OK(setsockopt(ear, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
	OK(bind(ear, (void *)&a, sizeof(a)));
	for (int i = 0; i < 40; i++) {
		mtu = i & 1 ? 65536 : 65535;
		nl_link(&r, RTM_SETLINK, NLM_F_ACK, 6, 1);
		nl_attr(&r, IFLA_MTU, &mtu, sizeof(mtu));
		nl_ask(fd, &r, buf, sizeof(buf));
		CHECK_EQ(nl_error(buf), 0);
	}
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK(p.revents & POLLERR);
	CHECK_ERR(recv(ear, buf, sizeof(buf), MSG_DONTWAIT), ENOBUFS);
	CHECK(recv(ear, buf, sizeof(buf), MSG_DONTWAIT) > 0); /* what came before is there */
}

TEST(links_of_unknown_kind_are_refused_and_lo_stays)
{
	int fd = nl_open(NETLINK_ROUTE);
	struct nl_link_request r;
	char buf[8192];

	nl_link(&r, RTM_NEWLINK, NLM_F_ACK, 1, 0);
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), -ENODEV);
	nl_link(&r, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 1, 1);
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), -EEXIST);
	nl_link(&r, RTM_DELLINK, NLM_F_ACK, 1, 1);
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), -EOPNOTSUPP);
	nl_link(&r, RTM_DELLINK, NLM_F_ACK, 1, 99999);
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), -ENODEV);
}

TEST(a_bad_attribute_is_refused)
{
	int fd = nl_open(NETLINK_ROUTE);
	struct nl_link_request r;
	char buf[8192];
	uint32_t mtu = 100;

	nl_link(&r, RTM_SETLINK, NLM_F_ACK, 1, 1);
	nl_attr(&r, IFLA_MTU, "ab", 2);
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), -ERANGE);
	nl_link(&r, RTM_SETLINK, NLM_F_ACK, 1, 1);
	nl_attr(&r, IFLA_IFNAME, "a_name_that_is_too_long_for_it", 31);
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), -ERANGE);
	nl_link(&r, RTM_SETLINK, NLM_F_ACK, 1, 1);
	nl_attr(&r, IFLA_ADDRESS, "\1\0\0\0\0\1", 6);
	nl_attr(&r, IFLA_MTU, &mtu, 4);
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), -EADDRNOTAVAIL); /* a group's address */
}

/* Bring lo up or down; the flags that the events say have changed. */
static unsigned int changed_by(int fd, int ear, unsigned int flags)
{
	struct nl_link_request r;
	unsigned int change = 0;
	char buf[8192];

	nl_link(&r, RTM_SETLINK, NLM_F_ACK, 9, 1);
	r.ifi.ifi_flags = flags;
	r.ifi.ifi_change = IFF_UP;
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), 0);
	while (recv(ear, buf, sizeof(buf), MSG_DONTWAIT) > 0) {
		const struct nlmsghdr *h = (void *)buf;
		const struct ifinfomsg *ifi = NLMSG_DATA(h);

		if (h->nlmsg_type == RTM_NEWLINK && ifi->ifi_index == 1) {
			CHECK_EQ(ifi->ifi_flags & IFF_UP, flags);
			change |= ifi->ifi_change;
		}
	}
	return change;
}

TEST(an_event_says_which_flags_have_changed)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = nl_open(NETLINK_ROUTE), ear = nl_open(NETLINK_ROUTE);

	changed_by(fd, fd, IFF_UP);
	OK(bind(ear, (void *)&a, sizeof(a)));
	CHECK_EQ(changed_by(fd, ear, IFF_UP), 0); /* it was up */
	CHECK_EQ(changed_by(fd, ear, 0), IFF_UP);
	CHECK_EQ(changed_by(fd, ear, IFF_UP), IFF_UP);
}
