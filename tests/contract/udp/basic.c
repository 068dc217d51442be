/* SPDX-License-Identifier: MIT */
/* Datagrams on loopback, names, errors, options. */
#include "contract.h"
#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <poll.h>
#include "udp.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO     104
#endif

TEST(datagrams_keep_bounds_and_name_their_sender)
{
	lo_up();
	BOTH_FAMILIES(f)
	{
		int a = udp_bound(f, 0), b = udp_bound(f, 0);
		struct sockaddr_storage to, from;
		socklen_t n = udp_name(&to, f, udp_loop(f), udp_port(b)), len = sizeof(from);
		char buf[16] = "";

		CHECK_EQ(sendto(a, "hello", 5, 0, (void *)&to, n), 5);
		CHECK_EQ(sendto(a, "", 0, 0, (void *)&to, n), 0);
		CHECK_EQ(recvfrom(b, buf, 3, 0, (void *)&from, &len), 3);
		CHECK_EQ(ntohs(((struct sockaddr_in *)&from)->sin_port), udp_port(a));
		CHECK_EQ(len, n);
		CHECK_EQ(recv(b, buf, sizeof(buf), 0), 0);
		CHECK_ERR(recv(b, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	}
}

TEST(truncation_is_told_and_peeking_leaves_the_datagram)
{
	lo_up();
	int a = udp_bound(AF_INET, 0), b = udp_bound(AF_INET, 0);
	struct sockaddr_storage to;
	socklen_t n = udp_name(&to, AF_INET, "127.0.0.1", udp_port(b));
	char buf[16];
	struct iovec iov = {buf, 4};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	OK(sendto(a, "0123456789", 10, 0, (void *)&to, n));
	CHECK_EQ(recvmsg(b, &m, MSG_PEEK), 4);
	CHECK_EQ(m.msg_flags & MSG_TRUNC, MSG_TRUNC);
	CHECK_EQ(recv(b, buf, 4, MSG_PEEK | MSG_TRUNC), 10);
	CHECK_EQ(recv(b, buf, 16, 0), 10);
	CHECK_ERR(recv(b, buf, 16, MSG_DONTWAIT), EAGAIN);
}

TEST(connect_gives_an_unbound_socket_a_name)
{
	lo_up();
	BOTH_FAMILIES(f)
	{
		int b = udp_bound(f, 0), a = OK(socket(f, SOCK_DGRAM, 0));
		struct sockaddr_storage to, me, want;
		socklen_t n = udp_name(&to, f, udp_loop(f), udp_port(b)), len = sizeof(me);

		OK(getsockname(a, (void *)&me, &len));
		CHECK_EQ(((struct sockaddr_in *)&me)->sin_port, 0);
		len = sizeof(me);
		CHECK_ERR(getpeername(a, (void *)&me, &len), ENOTCONN);
		OK(connect(a, (void *)&to, n));
		len = sizeof(me);
		OK(getsockname(a, (void *)&me, &len));
		CHECK_EQ(len, n);
		CHECK(((struct sockaddr_in *)&me)->sin_port != 0);
		udp_name(&want, f, udp_loop(f), ntohs(((struct sockaddr_in *)&me)->sin_port));
		CHECK_EQ(memcmp(&me, &want, n), 0);
		len = sizeof(me);
		OK(getpeername(a, (void *)&me, &len));
		CHECK_EQ(memcmp(&me, &to, n), 0);
		/* and takes it away again */
		struct sockaddr unspec = {.sa_family = AF_UNSPEC};
		OK(connect(a, &unspec, sizeof(unspec)));
		len = sizeof(me);
		CHECK_ERR(getpeername(a, (void *)&me, &len), ENOTCONN);
		CHECK_ERR(send(a, "x", 1, 0), EDESTADDRREQ);
	}
}

TEST(nobody_at_the_port_is_refused)
{
	lo_up();
	BOTH_FAMILIES(f)
	{
		int b = udp_bound(f, 0), a = OK(socket(f, SOCK_DGRAM, 0)), e;
		struct sockaddr_storage to;
		socklen_t n = udp_name(&to, f, udp_loop(f), udp_port(b)), len = sizeof(e);
		char c;

		OK(close(b));
		OK(connect(a, (void *)&to, n));
		CHECK_EQ(send(a, "x", 1, 0), 1);
		CHECK_ERR(recv(a, &c, 1, 0), ECONNREFUSED);
		CHECK_EQ(send(a, "x", 1, 0), 1);
		CHECK_ERR(send(a, "x", 1, 0), ECONNREFUSED);
		CHECK_EQ(send(a, "x", 1, 0), 1);
		struct pollfd p = {a, POLLIN, 0};
		CHECK_EQ(poll(&p, 1, 1000), 1);
		CHECK_EQ(p.revents & POLLERR, POLLERR);
		OK(getsockopt(a, SOL_SOCKET, SO_ERROR, &e, &len));
		CHECK_EQ(e, ECONNREFUSED);
	}
}

TEST(the_error_queue_tells_who_and_what)
{
	lo_up();
	int b = udp_bound(AF_INET, 0), a = OK(socket(AF_INET, SOCK_DGRAM, 0)), on = 1;
	struct sockaddr_storage to, name;
	socklen_t n = udp_name(&to, AF_INET, "127.0.0.1", udp_port(b));
	char buf[16], control[256];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
		.msg_name = &name,
		.msg_namelen = sizeof(name)};

	OK(close(b));
	OK(setsockopt(a, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)));
	CHECK_ERR(recvmsg(a, &m, MSG_ERRQUEUE), EAGAIN);
	OK(sendto(a, "data", 4, 0, (void *)&to, n));
	struct pollfd p = {a, 0, 0};
	CHECK_EQ(poll(&p, 1, 1000), 1);
	m.msg_controllen = sizeof(control);
	CHECK_EQ(recvmsg(a, &m, MSG_ERRQUEUE), 4);
	CHECK_EQ(memcmp(buf, "data", 4), 0);
	CHECK_EQ(m.msg_flags & MSG_ERRQUEUE, MSG_ERRQUEUE);
	CHECK_EQ(memcmp(&name, &to, n), 0);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	CHECK(c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR);
	struct sock_extended_err *ee = (void *)CMSG_DATA(c);
	CHECK_EQ(ee->ee_errno, ECONNREFUSED);
	CHECK_EQ(ee->ee_origin, SO_EE_ORIGIN_ICMP);
	CHECK_EQ(ee->ee_type, 3);
	CHECK_EQ(ee->ee_code, 3);
	struct sockaddr_in *off = (void *)SO_EE_OFFENDER(ee);
	CHECK_EQ(off->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
}

TEST(arguments_are_checked)
{
	lo_up();
	int a = OK(socket(AF_INET, SOCK_DGRAM, 0)), six = OK(socket(AF_INET6, SOCK_DGRAM, 0)),
	    on = 1;
	struct sockaddr_storage to;
	socklen_t n = udp_name(&to, AF_INET, "127.0.0.1", 9);

	CHECK_ERR(sendto(a, "x", 1, 0, (void *)&to, n - 1), EINVAL);
	CHECK_ERR(sendto(a, "x", 1, MSG_OOB, (void *)&to, n), EOPNOTSUPP);
	((struct sockaddr_in *)&to)->sin_port = 0;
	CHECK_ERR(sendto(a, "x", 1, 0, (void *)&to, n), EINVAL);
	udp_name(&to, AF_INET, "255.255.255.255", 9);
	to.ss_family = AF_INET6;
	CHECK_ERR(sendto(a, "x", 1, 0, (void *)&to, sizeof(struct sockaddr_in6)), EAFNOSUPPORT);
	n = udp_name(&to, AF_INET, "192.0.2.77", 0);
	CHECK_ERR(bind(a, (void *)&to, n), EADDRNOTAVAIL);
	CHECK_ERR(shutdown(a, SHUT_WR), ENOTCONN);
	CHECK_ERR(listen(a, 1), EOPNOTSUPP);
	OK(setsockopt(six, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	n = udp_name(&to, AF_INET6, "::ffff:127.0.0.1", 9);
	CHECK_ERR(sendto(six, "x", 1, 0, (void *)&to, n), ENETUNREACH);
	char *big = calloc(1, 70000);
	n = udp_name(&to, AF_INET, "127.0.0.1", 9);
	a = OK(socket(AF_INET, SOCK_DGRAM, 0));
	CHECK_ERR(sendto(a, big, 65508, 0, (void *)&to, n), EMSGSIZE);
	CHECK_EQ(sendto(a, big, 65507, 0, (void *)&to, n), 65507);
	free(big);
}

TEST(a_dual_stack_socket_sees_mapped_addresses)
{
	lo_up();
	int six = OK(socket(AF_INET6, SOCK_DGRAM, 0)), four = udp_bound(AF_INET, 0);
	struct sockaddr_storage any, to, from, want;
	socklen_t n = udp_name(&any, AF_INET6, "::", 0), len = sizeof(from);
	char c;

	OK(bind(six, (void *)&any, n));
	n = udp_name(&to, AF_INET, "127.0.0.1", udp_port(six));
	OK(sendto(four, "x", 1, 0, (void *)&to, n));
	OK(recvfrom(six, &c, 1, 0, (void *)&from, &len));
	n = udp_name(&want, AF_INET6, "::ffff:127.0.0.1", udp_port(four));
	CHECK_EQ(len, n);
	CHECK_EQ(memcmp(&from, &want, n), 0);
	OK(sendto(six, "y", 1, 0, (void *)&from, len));
	CHECK_EQ(recv(four, &c, 1, 0), 1);
	CHECK_EQ(c, 'y');
}

TEST(ports_conflict_unless_options_agree)
{
	lo_up();
	int a = udp_bound(AF_INET, 0), b = OK(socket(AF_INET, SOCK_DGRAM, 0)), on = 1;
	struct sockaddr_storage to;
	socklen_t n = udp_name(&to, AF_INET, "0.0.0.0", udp_port(a));

	CHECK_ERR(bind(b, (void *)&to, n), EADDRINUSE);
	OK(setsockopt(b, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	CHECK_ERR(bind(b, (void *)&to, n), EADDRINUSE);
	OK(setsockopt(a, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	OK(bind(b, (void *)&to, n));
	CHECK_ERR(bind(b, (void *)&to, n), EINVAL);
}

TEST(corked_parts_are_one_datagram)
{
	lo_up();
	BOTH_FAMILIES(f)
	{
		int a = udp_bound(f, 0), b = udp_bound(f, 0), on = 1, off = 0;
		struct sockaddr_storage to;
		socklen_t n = udp_name(&to, f, udp_loop(f), udp_port(b));
		char buf[16];

		CHECK_EQ(sendto(a, "ab", 2, MSG_MORE, (void *)&to, n), 2);
		CHECK_ERR(recv(b, buf, 16, MSG_DONTWAIT), EAGAIN);
		CHECK_EQ(sendto(a, "cd", 2, 0, (void *)&to, n), 2);
		CHECK_EQ(recv(b, buf, 16, 0), 4);
		CHECK_EQ(memcmp(buf, "abcd", 4), 0);
		OK(connect(a, (void *)&to, n));
		OK(setsockopt(a, IPPROTO_UDP, UDP_CORK, &on, sizeof(on)));
		CHECK_EQ(send(a, "ab", 2, 0), 2);
		CHECK_EQ(send(a, "cde", 3, 0), 3);
		OK(setsockopt(a, IPPROTO_UDP, UDP_CORK, &off, sizeof(off)));
		CHECK_EQ(recv(b, buf, 16, 0), 5);
	}
}

TEST(a_train_of_datagrams_arrives_as_such)
{
	lo_up();
	BOTH_FAMILIES(f)
	{
		int a = udp_bound(f, 0), b = udp_bound(f, 0), size = 100;
		struct sockaddr_storage to;
		socklen_t n = udp_name(&to, f, udp_loop(f), udp_port(b));
		char buf[1000] = "";

		OK(connect(a, (void *)&to, n));
		OK(setsockopt(a, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)));
		CHECK_EQ(send(a, buf, 250, 0), 250);
		CHECK_EQ(recv(b, buf, sizeof(buf), 0), 100);
		CHECK_EQ(recv(b, buf, sizeof(buf), 0), 100);
		CHECK_EQ(recv(b, buf, sizeof(buf), 0), 50);
	}
}

TEST(control_messages_tell_address_and_hop_limit)
{
	lo_up();
	int a = udp_bound(AF_INET, 0), b = udp_bound(AF_INET, 0), on = 1, ttl = 33, seen = 0;
	struct sockaddr_storage to;
	socklen_t n = udp_name(&to, AF_INET, "127.0.0.1", udp_port(b));
	char buf[4], control[256];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};

	OK(setsockopt(b, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)));
	OK(setsockopt(b, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on)));
	OK(setsockopt(b, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on)));
	OK(setsockopt(a, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)));
	OK(sendto(a, "x", 1, 0, (void *)&to, n));
	CHECK_EQ(recvmsg(b, &m, 0), 1);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *p = (void *)CMSG_DATA(c);

			CHECK_EQ(p->ipi_addr.s_addr, htonl(INADDR_LOOPBACK));
			CHECK_EQ(p->ipi_ifindex, if_nametoindex("lo"));
			seen |= 1;
		} else if (c->cmsg_type == IP_TTL) {
			CHECK_EQ(*(int *)CMSG_DATA(c), 33);
			seen |= 2;
		} else if (c->cmsg_type == IP_TOS) {
			CHECK_EQ(*(unsigned char *)CMSG_DATA(c), 0);
			CHECK_EQ(c->cmsg_len, CMSG_LEN(1));
			seen |= 4;
		}
	}
	CHECK_EQ(seen, 7);
}

TEST(a_datagrams_time_is_that_of_its_arrival)
{
	int on = 1, s, out = OK(socket(AF_INET, SOCK_DGRAM, 0));
	struct sockaddr_storage a;
	socklen_t n;
	char data[8], control[128];
	struct iovec iov = {data, sizeof(data)};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct timespec ts;
	long long sent;

	lo_up();
	s = OK(socket(AF_INET, SOCK_DGRAM, 0));
	n = udp_name(&a, AF_INET, "127.0.0.1", 0);
	OK(bind(s, (void *)&a, n));
	OK(getsockname(s, (void *)&a, &n));
	OK(setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)));
	CHECK_EQ(sendto(out, "x", 1, 0, (void *)&a, n), 1);
	sent = now_ns(CLOCK_REALTIME);
	sleep_ns(SEC);
	CHECK_EQ(recvmsg(s, &m, 0), 1);
	CHECK_EQ(CMSG_FIRSTHDR(&m)->cmsg_type, SO_TIMESTAMPNS);
	memcpy(&ts, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(ts));
	CHECK(ts.tv_sec * SEC + ts.tv_nsec < sent + SEC / 2);
}
