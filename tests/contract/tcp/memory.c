/* SPDX-License-Identifier: MIT */
/* What all sockets together may have: net.ipv4.tcp_mem, udp_mem; /proc/net/sockstat. */
#include "contract.h"
#include "tcp.h"

#define TCP_MEM "/proc/sys/net/ipv4/tcp_mem"
#define UDP_MEM "/proc/sys/net/ipv4/udp_mem"
#define PAIRS   40

/* The number behind a name in a line that begins with key. */
static long long stat_of(const char *file, const char *key, const char *name)
{
	char *line = strstr(read_text(file), key), *end, *at, word[32];

	CHECK(line != NULL);
	end = strchr(line, '\n');
	if (end)
		*end = 0;
	snprintf(word, sizeof(word), " %s ", name);
	at = strstr(line, word);
	CHECK(at != NULL);
	return atoll(at + strlen(word));
}

/* /proc/net/snmp: the value under a name. */
static long long snmp(const char *key, const char *name)
{
	char *names = strstr(read_text("/proc/net/snmp"), key), *values, *s, *t;

	CHECK(names != NULL);
	values = strchr(names, '\n') + 1;
	values[-1] = 0;
	if (strchr(values, '\n'))
		*strchr(values, '\n') = 0;
	for (s = strtok_r(names, " ", &names), t = strtok_r(values, " ", &values); s && t;
		s = strtok_r(NULL, " ", &names), t = strtok_r(NULL, " ", &values))
		if (!strcmp(s, name))
			return atoll(t);
	FAIL("no counter %s", name);
}

static void limits_are_three_numbers(const char *file)
{
	long long v[3];

	CHECK_EQ(sscanf(read_text(file), "%lld %lld %lld", &v[0], &v[1], &v[2]), 3);
	CHECK(v[0] > 0 && v[0] < v[1] && v[1] < v[2]);
}

TEST(the_limits_are_three_rising_numbers_of_pages)
{
	limits_are_three_numbers(TCP_MEM);
	limits_are_three_numbers(UDP_MEM);
}

/* As much as goes, with nobody reading. */
static size_t fill(int s)
{
	static char data[16384];
	size_t sum = 0;

	for (;;) {
		ssize_t n = send(s, data, sizeof(data), MSG_DONTWAIT);

		if (n < 0) {
			int err = errno;

			CHECK_EQ(err, EAGAIN);
			return sum;
		}
		sum += (size_t)n;
	}
}

static void drain(int s, size_t n)
{
	static char data[65536];

	while (n) {
		ssize_t r = OK(recv(s, data, sizeof(data), 0));

		CHECK(r > 0);
		n -= (size_t)r;
	}
}

/* Both ends go and leave no TIME_WAIT. */
static void reset(const int end[2])
{
	struct linger l = {1, 0};

	for (int i = 0; i < 2; i++) {
		OK(setsockopt(end[i], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
		OK(close(end[i]));
	}
}

TEST(connections_together_stay_within_tcp_mem_and_go_on_after_it)
{
	static int end[PAIRS][2];
	static size_t put[PAIRS];
	char before[128], small[128];
	size_t sum = 0, free_sum;
	long long pages;

	tcp_lo_up();
	snprintf(before, sizeof(before), "%s", read_text(TCP_MEM));
	for (int i = 0; i < PAIRS; i++)
		tcp_pair(AF_INET, end[i]);
	free_sum = fill(end[0][0]) * PAIRS;
	pages = stat_of("/proc/net/sockstat", "TCP:", "mem");
	snprintf(small, sizeof(small), "%lld %lld %lld", pages + 16, pages + 32, pages + 64);
	write_file(TCP_MEM, small);
	for (int i = 1; i < PAIRS; i++)
		sum += put[i] = fill(end[i][0]);
	/* The limit is 256 KiB more than there was, and each has a little. */
	CHECK(sum < free_sum / 4);
	write_file(TCP_MEM, before);
	for (int i = 1; i < PAIRS; i++) {
		drain(end[i][1], put[i]);
		CHECK_EQ(send(end[i][0], "on", 2, 0), 2);
		drain(end[i][1], 2);
		reset(end[i]);
	}
	reset(end[0]);
}

TEST(datagrams_together_stay_within_udp_mem)
{
	int s[20], out = OK(socket(AF_INET, SOCK_DGRAM, 0));
	char before[128], data[4000] = {0};
	long long errors;
	int got = 0;

	tcp_lo_up();
	snprintf(before, sizeof(before), "%s", read_text(UDP_MEM));
	errors = snmp("Udp:", "MemErrors");
	write_file(UDP_MEM, "8 16 32");
	for (int i = 0; i < 20; i++) {
		struct sockaddr_storage a;
		socklen_t n = tcp_name(&a, AF_INET, 0);

		s[i] = OK(socket(AF_INET, SOCK_DGRAM, 0));
		OK(bind(s[i], (void *)&a, n));
		OK(getsockname(s[i], (void *)&a, &n));
		for (int k = 0; k < 20; k++)
			CHECK_EQ(sendto(out, data, sizeof(data), 0, (void *)&a, n), sizeof(data));
	}
	write_file(UDP_MEM, before);
	for (int i = 0; i < 20; i++)
		while (recv(s[i], data, sizeof(data), MSG_DONTWAIT) > 0)
			got++;
	CHECK(got > 5 && got < 300); /* of 400; in a free machine all would arrive */
	CHECK(snmp("Udp:", "MemErrors") > errors);
}

TEST(sockstat_counts_sockets)
{
	long long used = stat_of("/proc/net/sockstat", "sockets:", "used");
	long long tcp = stat_of("/proc/net/sockstat", "TCP:", "inuse");
	long long udp = stat_of("/proc/net/sockstat", "UDP:", "inuse");
	long long tcp6 = stat_of("/proc/net/sockstat6", "TCP6:", "inuse");
	int end[2], u, l6;
	struct sockaddr_storage a;
	socklen_t n;

	tcp_lo_up();
	tcp_pair(AF_INET, end);
	l6 = tcp_listener(AF_INET6, 1);
	u = OK(socket(AF_INET, SOCK_DGRAM, 0));
	n = tcp_name(&a, AF_INET, 0);
	OK(bind(u, (void *)&a, n));
	CHECK_EQ(stat_of("/proc/net/sockstat", "sockets:", "used"), used + 4);
	CHECK_EQ(stat_of("/proc/net/sockstat", "TCP:", "inuse"), tcp + 2);
	CHECK_EQ(stat_of("/proc/net/sockstat", "UDP:", "inuse"), udp + 1);
	CHECK_EQ(stat_of("/proc/net/sockstat6", "TCP6:", "inuse"), tcp6 + 1);
	stat_of("/proc/net/sockstat", "TCP:", "orphan");
	stat_of("/proc/net/sockstat", "TCP:", "tw");
	CHECK(stat_of("/proc/net/sockstat", "TCP:", "alloc") >= 3);
	stat_of("/proc/net/sockstat", "RAW:", "inuse");
	stat_of("/proc/net/sockstat", "FRAG:", "memory");
	stat_of("/proc/net/sockstat6", "FRAG6:", "inuse");
	close(l6);
	close(u);
	close(end[0]);
	close(end[1]);
}
