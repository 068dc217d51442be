/* SPDX-License-Identifier: MIT */
/* AF_NETLINK sockets: addresses, options, errors. */
#include "contract.h"
#include "nl.h"

TEST(only_raw_and_datagram_sockets_of_known_protocols)
{
	CHECK_ERR(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_NETLINK, SOCK_RAW, 32), EPROTONOSUPPORT);
	CHECK_ERR(socket(AF_NETLINK, SOCK_RAW, -1), EPROTONOSUPPORT);
	OK(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE));
	OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT));
	OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC));
}

static struct sockaddr_nl name_of(int fd)
{
	struct sockaddr_nl a;
	socklen_t len = sizeof(a);

	memset(&a, 0xff, sizeof(a));
	OK(getsockname(fd, (void *)&a, &len));
	CHECK_EQ(len, sizeof(a));
	CHECK_EQ(a.nl_family, AF_NETLINK);
	return a;
}

TEST(the_first_socket_of_a_process_gets_its_number_and_others_get_high_ones)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK};
	int one = nl_open(NETLINK_ROUTE), two = nl_open(NETLINK_ROUTE);

	CHECK_EQ(name_of(one).nl_pid, 0);
	OK(bind(one, (void *)&a, sizeof(a)));
	CHECK_EQ(name_of(one).nl_pid, getpid());
	OK(bind(two, (void *)&a, sizeof(a)));
	CHECK((int)name_of(two).nl_pid < 0);
}

TEST(bind_checks_its_address)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = 70000}, b = a;
	int one = nl_open(NETLINK_ROUTE), two = nl_open(NETLINK_ROUTE);

	CHECK_ERR(bind(one, (void *)&a, sizeof(a) - 1), EINVAL);
	b.nl_family = AF_UNIX;
	CHECK_ERR(bind(one, (void *)&b, sizeof(b)), EINVAL);
	OK(bind(one, (void *)&a, sizeof(a)));
	CHECK_ERR(bind(two, (void *)&a, sizeof(a)), EADDRINUSE);
	OK(bind(one, (void *)&a, sizeof(a)));
	a.nl_pid = 70001;
	CHECK_ERR(bind(one, (void *)&a, sizeof(a)), EINVAL);
	close(one);
	a.nl_pid = 70000;
	OK(bind(two, (void *)&a, sizeof(a)));
}

TEST(connect_sets_the_peer_and_unspec_takes_it_away)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = 1234, .nl_groups = 4}, got;
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	socklen_t len = sizeof(got);
	int fd = nl_open(NETLINK_USERSOCK);

	OK(connect(fd, (void *)&a, sizeof(a)));
	CHECK((int)name_of(fd).nl_pid != 0);
	OK(getpeername(fd, (void *)&got, &len));
	CHECK_EQ(got.nl_pid, 1234);
	CHECK_EQ(got.nl_groups, 4);
	OK(connect(fd, &none, sizeof(none)));
	OK(getpeername(fd, (void *)&got, &len));
	CHECK_EQ(got.nl_pid, 0);
}

TEST(programs_talk_to_each_other_and_learn_the_senders_address)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = 70100}, from;
	socklen_t len = sizeof(from);
	int one = nl_open(NETLINK_USERSOCK), two = nl_open(NETLINK_USERSOCK);
	char buf[16];

	OK(bind(one, (void *)&a, sizeof(a)));
	CHECK_EQ(sendto(two, "hello", 5, 0, (void *)&a, sizeof(a)), 5);
	CHECK_EQ(recvfrom(one, buf, sizeof(buf), MSG_DONTWAIT, (void *)&from, &len), 5);
	CHECK_EQ(len, sizeof(from));
	CHECK_EQ(from.nl_pid, name_of(two).nl_pid);
	CHECK_EQ(from.nl_groups, 0);
	a.nl_pid = 70101;
	CHECK_ERR(sendto(two, "hello", 5, 0, (void *)&a, sizeof(a)), ECONNREFUSED);
}

TEST(a_short_buffer_cuts_the_message_and_trunc_tells_its_length)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = 70200};
	int one = nl_open(NETLINK_USERSOCK), two = nl_open(NETLINK_USERSOCK);
	char buf[4];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	OK(bind(one, (void *)&a, sizeof(a)));
	for (int i = 0; i < 2; i++)
		OK(sendto(two, "0123456789", 10, 0, (void *)&a, sizeof(a)));
	CHECK_EQ(recv(one, buf, sizeof(buf), MSG_PEEK | MSG_TRUNC), 10);
	CHECK_EQ(recvmsg(one, &m, 0), 4);
	CHECK_EQ(m.msg_flags, MSG_TRUNC);
	CHECK_EQ(recv(one, buf, sizeof(buf), MSG_TRUNC), 10);
	CHECK_ERR(recv(one, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}

TEST(send_checks_length_and_flags)
{
	int fd = nl_open(NETLINK_ROUTE);
	static char big[1 << 20];

	CHECK_ERR(send(fd, big, 0, 0), ENODATA);
	CHECK_ERR(send(fd, big, 4, MSG_OOB), EOPNOTSUPP);
	CHECK_ERR(send(fd, big, sizeof(big), 0), EMSGSIZE);
	CHECK_EQ(send(fd, big, 4, 0), 4); /* no whole header: nothing happens */
	CHECK_ERR(recv(fd, big, 16, MSG_DONTWAIT), EAGAIN);
	CHECK_ERR(recv(fd, big, 16, MSG_OOB), EOPNOTSUPP);
}

TEST(options_are_kept)
{
	static const int names[] = {NETLINK_PKTINFO, NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS,
		NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK};
	int fd = nl_open(NETLINK_ROUTE);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int v = 7;
		socklen_t len = sizeof(v);

		OK(getsockopt(fd, SOL_NETLINK, names[i], &v, &len));
		CHECK_EQ(v, 0);
		v = 5;
		OK(setsockopt(fd, SOL_NETLINK, names[i], &v, sizeof(v)));
		OK(getsockopt(fd, SOL_NETLINK, names[i], &v, &len));
		CHECK_EQ(v, 1);
		len = 3;
		CHECK_ERR(getsockopt(fd, SOL_NETLINK, names[i], &v, &len), EINVAL);
	}
	CHECK_ERR(setsockopt(fd, SOL_NETLINK, 99, "\0\0\0", 4), ENOPROTOOPT);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET + 1, NETLINK_PKTINFO, "\0\0\0", 4), ENOPROTOOPT);
}

TEST(groups_are_joined_by_option_and_by_bind)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = nl_open(NETLINK_ROUTE), g = RTNLGRP_IPV4_ROUTE;
	uint32_t list[8] = {0};
	socklen_t len = sizeof(list);

	OK(bind(fd, (void *)&a, sizeof(a)));
	OK(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &g, sizeof(g)));
	CHECK_EQ(name_of(fd).nl_groups, RTMGRP_LINK | 1u << (RTNLGRP_IPV4_ROUTE - 1));
	OK(getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, list, &len));
	CHECK_EQ(list[0], RTMGRP_LINK | 1u << (RTNLGRP_IPV4_ROUTE - 1));
	OK(setsockopt(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &g, sizeof(g)));
	CHECK_EQ(name_of(fd).nl_groups, RTMGRP_LINK);
	g = 0;
	CHECK_ERR(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &g, sizeof(g)), EINVAL);
}

TEST(without_privilege_a_program_may_ask_and_listen_but_not_send_to_others)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK},
			   other = {.nl_family = AF_NETLINK, .nl_pid = 70300};
	int route = nl_open(NETLINK_ROUTE), user = nl_open(NETLINK_USERSOCK);
	struct nl_link_request r;
	char buf[8192];

	become_user(1000, 1000);
	OK(bind(route, (void *)&a, sizeof(a)));
	CHECK_ERR(bind(user, (void *)&a, sizeof(a)), EPERM);
	CHECK_ERR(sendto(route, "x", 1, 0, (void *)&other, sizeof(other)), EPERM);
	CHECK_ERR(connect(route, (void *)&other, sizeof(other)), EPERM);
	nl_link(&r, RTM_GETLINK, 0, 1, 1);
	nl_ask(route, &r, buf, sizeof(buf));
	CHECK_EQ(((struct nlmsghdr *)buf)->nlmsg_type, RTM_NEWLINK);
	nl_link(&r, RTM_SETLINK, 0, 1, 1);
	nl_ask(route, &r, buf, sizeof(buf));
	CHECK_EQ(nl_error(buf), -EPERM);
}

TEST(proc_shows_who_listens)
{
	int fd = nl_open(NETLINK_ROUTE);
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = 1};
	unsigned long ino, found = 0, groups = 0;
	int protocol, pid;
	struct stat st;
	char *line;

	OK(bind(fd, (void *)&a, sizeof(a)));
	OK(fstat(fd, &st));
	line = strchr(read_text("/proc/net/netlink"), '\n');
	for (; line; line = strchr(line + 1, '\n'))
		if (sscanf(line + 1, "%*x %d %d %lx %*d %*d %*d %*d %*d %lu", &protocol, &pid,
			    &groups, &ino) == 4 &&
			ino == st.st_ino) {
			found++;
			CHECK_EQ(protocol, NETLINK_ROUTE);
			CHECK_EQ(pid, getpid());
			CHECK_EQ(groups, 1);
		}
	CHECK_EQ(found, 1);
}
