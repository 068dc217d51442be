/* SPDX-License-Identifier: MIT */
/* Groups of sockets on one port (SO_REUSEPORT): who gets a datagram. */
#include "contract.h"
#include "udp.h"
#include <stdatomic.h>

#define MEMBERS 4
#define SENDERS 64

static int member(int family, const char *addr, int port)
{
	struct sockaddr_storage a;
	socklen_t n = udp_name(&a, family, addr, port);
	int s = OK(socket(family, SOCK_DGRAM, 0)), on = 1;

	OK(setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)));
	OK(bind(s, (void *)&a, n));
	return s;
}

static void group(int s[], int n, int family, const char *addr)
{
	for (int i = 0; i < n; i++)
		s[i] = member(family, addr, i ? udp_port(s[0]) : 0);
}

static void send_to(int from, int family, int port, char what)
{
	struct sockaddr_storage a;
	socklen_t n = udp_name(&a, family, udp_loop(family), port);

	CHECK_EQ(sendto(from, &what, 1, 0, (void *)&a, n), 1);
}

/* Who of n has a datagram, which is taken: its index. Exactly one has. */
static int who(const int s[], int n, char what)
{
	int found = -1;
	char c;

	for (int i = 0; i < n; i++)
		if (s[i] >= 0 && recv(s[i], &c, 1, MSG_DONTWAIT) == 1) {
			CHECK_EQ(c, what);
			CHECK_EQ(found, -1);
			found = i;
		}
	CHECK(found >= 0);
	return found;
}

TEST(a_group_shares_the_senders)
{
	lo_up();
	BOTH_FAMILIES(f)
	{
		int s[MEMBERS], from[SENDERS], first[SENDERS], got[MEMBERS] = {0}, port;

		group(s, MEMBERS, f, udp_loop(f));
		port = udp_port(s[0]);
		for (int i = 0; i < SENDERS; i++) {
			from[i] = udp_bound(f, 0);
			send_to(from[i], f, port, (char)i);
			first[i] = who(s, MEMBERS, (char)i);
			got[first[i]]++;
		}
		for (int i = 0; i < MEMBERS; i++) /* about 16 each */
			CHECK(got[i] >= 3);
		/* A sender's datagrams all come to the same. */
		for (int i = 0; i < SENDERS; i++)
			for (int k = 0; k < 3; k++) {
				send_to(from[i], f, port, 'x');
				CHECK_EQ(who(s, MEMBERS, 'x'), first[i]);
			}
		/* Who leaves gets nothing more, and nothing is lost. */
		close(s[1]);
		s[1] = -1;
		for (int i = 0; i < SENDERS; i++) {
			send_to(from[i], f, port, (char)i);
			who(s, MEMBERS, (char)i);
			close(from[i]);
		}
		for (int i = 0; i < MEMBERS; i++)
			if (s[i] >= 0)
				close(s[i]);
	}
}

TEST(a_group_takes_only_members_of_one_user)
{
	struct sockaddr_storage a;
	socklen_t n;
	int s, t, on = 1;
	pid_t pid;

	lo_up();
	s = member(AF_INET, "127.0.0.1", 0);
	n = udp_name(&a, AF_INET, "127.0.0.1", udp_port(s));
	t = OK(socket(AF_INET, SOCK_DGRAM, 0));
	CHECK_ERR(bind(t, (void *)&a, n), EADDRINUSE);
	pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		t = OK(socket(AF_INET, SOCK_DGRAM, 0));
		OK(setsockopt(t, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)));
		CHECK_ERR(bind(t, (void *)&a, n), EADDRINUSE);
		_exit(0);
	}
	expect_exit(pid, 0);
	/* And those who asked before they were bound. */
	s = udp_bound(AF_INET, 0);
	OK(setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)));
	n = udp_name(&a, AF_INET, "127.0.0.1", udp_port(s));
	OK(setsockopt(t, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)));
	OK(bind(t, (void *)&a, n));
}

TEST(a_connected_member_gets_its_peers_datagrams_only)
{
	lo_up();
	BOTH_FAMILIES(f)
	{
		int s[3], peer = udp_bound(f, 0), port;
		struct sockaddr_storage a;
		socklen_t n = udp_name(&a, f, udp_loop(f), udp_port(peer));

		group(s, 3, f, udp_loop(f));
		port = udp_port(s[0]);
		OK(connect(s[1], (void *)&a, n));
		for (int i = 0; i < 5; i++) {
			send_to(peer, f, port, 'p');
			CHECK_EQ(who(s, 3, 'p'), 1);
		}
		for (int i = 0; i < SENDERS; i++) {
			int from = udp_bound(f, 0);

			send_to(from, f, port, (char)i);
			CHECK(who(s, 3, (char)i) != 1);
			close(from);
		}
		/* It is one of the group again when it has no peer. */
		OK(connect(
			s[1], &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr)));
		int got = 0;
		for (int i = 0; i < SENDERS; i++) {
			int from = udp_bound(f, 0);

			send_to(from, f, port, (char)i);
			got += who(s, 3, (char)i) == 1;
			close(from);
		}
		CHECK(got >= 5);
		for (int i = 0; i < 3; i++)
			close(s[i]);
		close(peer);
	}
}

TEST(a_group_of_one_address_goes_before_one_of_all)
{
	lo_up();
	BOTH_FAMILIES(f)
	{
		int s[4], from;

		s[0] = member(f, udp_loop(f), 0);
		s[1] = member(f, udp_loop(f), udp_port(s[0]));
		s[2] = member(f, f == AF_INET ? "0.0.0.0" : "::", udp_port(s[0]));
		s[3] = member(f, f == AF_INET ? "0.0.0.0" : "::", udp_port(s[0]));
		for (int i = 0; i < SENDERS; i++) {
			from = udp_bound(f, 0);
			send_to(from, f, udp_port(s[0]), 'x');
			CHECK(who(s, 4, 'x') < 2);
			close(from);
		}
		for (int i = 0; i < 4; i++)
			close(s[i]);
	}
}

TEST(a_group_of_the_six_family_serves_the_other_too)
{
	int s[3], got[3] = {0};

	lo_up();
	group(s, 3, AF_INET6, "::");
	for (int i = 0; i < SENDERS; i++) {
		int from = udp_bound(AF_INET, 0);

		send_to(from, AF_INET, udp_port(s[0]), 'x');
		got[who(s, 3, 'x')]++;
		close(from);
	}
	for (int i = 0; i < 3; i++)
		CHECK(got[i] >= 5);
}

TEST(each_member_gets_a_copy_of_a_multicast)
{
	struct sockaddr_storage a;
	struct ip_mreqn m = {.imr_address.s_addr = htonl(INADDR_LOOPBACK)};
	int s[MEMBERS], from, port, off = 0;
	char c;
	socklen_t n;

	lo_up();
	OK(inet_pton(AF_INET, "239.1.2.3", &m.imr_multiaddr) - 1);
	group(s, MEMBERS, AF_INET, "0.0.0.0");
	port = udp_port(s[0]);
	for (int i = 0; i < MEMBERS; i++) {
		OK(setsockopt(s[i], IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)));
		OK(setsockopt(s[i], IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof(off)));
	}
	from = udp_bound(AF_INET, 0);
	OK(setsockopt(from, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof(m)));
	n = udp_name(&a, AF_INET, "239.1.2.3", port);
	OK(sendto(from, "m", 1, 0, (void *)&a, n));
	for (int i = 0; i < MEMBERS; i++) {
		CHECK_EQ(recv(s[i], &c, 1, MSG_DONTWAIT), 1);
		CHECK_ERR(recv(s[i], &c, 1, MSG_DONTWAIT), EAGAIN);
	}
}

static atomic_bool g_stop;
static int g_churn_port;

static void *churn(void *arg)
{
	while (!g_stop)
		close(member(AF_INET, "127.0.0.1", g_churn_port));
	return arg;
}

TEST(members_come_and_go_while_datagrams_arrive)
{
	pthread_t t[2];
	int s[2], from, got = 0;
	char c;

	lo_up();
	group(s, 2, AF_INET, "127.0.0.1");
	g_churn_port = udp_port(s[0]);
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_create(&t[i], NULL, churn, NULL));
	for (int i = 0; i < 3000; i++) {
		from = udp_bound(AF_INET, 0);
		send_to(from, AF_INET, g_churn_port, 'x');
		close(from);
		for (int k = 0; k < 2; k++)
			while (recv(s[k], &c, 1, MSG_DONTWAIT) == 1)
				got++;
	}
	g_stop = 1;
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_join(t[i], NULL));
	/* Those that came and went have the rest: at most half, or they would be chosen twice. */
	CHECK(got >= 1200 && got <= 3000);
	/* All are counted out: these two alone get everything. */
	for (int i = 0; i < SENDERS; i++) {
		from = udp_bound(AF_INET, 0);
		send_to(from, AF_INET, g_churn_port, (char)i);
		who(s, 2, (char)i);
		close(from);
	}
}
