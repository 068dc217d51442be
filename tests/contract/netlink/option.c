/* SPDX-License-Identifier: MIT */
/* What options of netlink sockets do. */
#include "contract.h"
#include "nl.h"

static void set(int fd, int level, int name, int v)
{
	OK(setsockopt(fd, level, name, &v, sizeof(v)));
}

static int listener(void)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = nl_open(NETLINK_ROUTE);

	OK(bind(fd, (void *)&a, sizeof(a)));
	return fd;
}

static void change_mtu(int fd, unsigned int mtu)
{
	struct nl_link_request r;
	char buf[1024];

	nl_link(&r, RTM_SETLINK, NLM_F_ACK, 6, 1);
	nl_attr(&r, IFLA_MTU, &mtu, sizeof(mtu));
	nl_ask(fd, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), 0);
}

/* The option is for kernel code that wants to know; who changes a link isn't told. */
TEST(a_full_listener_that_reports_errors_does_not_fail_who_makes_the_event)
{
	int fd = nl_open(NETLINK_ROUTE), ear = listener();
	char buf[16384];

	set(ear, SOL_SOCKET, SO_RCVBUF, 2304);
	set(ear, SOL_NETLINK, NETLINK_BROADCAST_ERROR, 1);
	for (unsigned int i = 0; i < 40; i++)
		change_mtu(fd, 65535 + (i & 1));
	CHECK_ERR(recv(ear, buf, sizeof(buf), MSG_DONTWAIT), ENOBUFS);
	CHECK(recv(ear, buf, sizeof(buf), MSG_DONTWAIT) > 0);
}

TEST(a_full_listener_that_reports_errors_does_not_fail_a_program_that_sends_to_its_group)
{
	struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int fd = nl_open(NETLINK_USERSOCK), ear = nl_open(NETLINK_USERSOCK);
	struct nlmsghdr h = {.nlmsg_len = sizeof(h)};

	set(ear, SOL_SOCKET, SO_RCVBUF, 2304);
	set(ear, SOL_NETLINK, NETLINK_BROADCAST_ERROR, 1);
	OK(bind(ear, (void *)&to, sizeof(to)));
	for (int i = 0; i < 40; i++)
		CHECK_ERR(sendto(fd, &h, sizeof(h), 0, (void *)&to, sizeof(to)), ECONNREFUSED);
	CHECK_ERR(recv(ear, &h, sizeof(h), MSG_DONTWAIT), ENOBUFS);
	CHECK_EQ(recv(ear, &h, sizeof(h), MSG_DONTWAIT), sizeof(h));
}

TEST(a_listener_of_all_namespaces_hears_its_own_without_a_number)
{
	int fd = nl_open(NETLINK_ROUTE), ear = listener(), v = 0;
	char buf[8192], control[256];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 256};
	socklen_t len = sizeof(v);

	set(ear, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1);
	change_mtu(fd, 65535);
	CHECK(recvmsg(ear, &m, MSG_DONTWAIT) > 0);
	CHECK_EQ(m.msg_controllen, 0);
	change_mtu(fd, 65536);
	CHECK_ERR(getsockopt(ear, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &v, &len), ENOPROTOOPT);
	become_user(1000, 1000);
	CHECK_ERR(setsockopt(ear, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &v, sizeof(v)), EPERM);
}
