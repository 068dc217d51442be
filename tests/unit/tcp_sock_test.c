/* TCP's sockets between two hosts on a simulated line: merging of segments, bad lines, floods. */
#include <core/trace.h>
#include <inet/sock.h>
#include <lib/err.h>
#include <lib/string.h>
#include <net/context.h>
#include <net/simnet.h>
#include <sched/timer.h>
#include <socket/socket.h>
#include "../../net/inet/inet.h"
#include "../../net/tcp/sock.h"
#include "unit.h"

#define PORT 8000

const u64 unit_ram = MiB(192); /* a hundred thousand requests, and what answers them */

static struct net *g_net[2];
static struct simnet_pair *g_line;

static void add_address(struct netif *n, const char *text, u8 prefix)
{
	struct inet_addr a;
	struct ifaddr *ia;

	EXPECT(addr_parse(text, &a));
	mutex_lock(&n->net->config_lock);
	EXPECT_EQ(netif_set_flags(n, IFF_UP, IFF_UP), 0);
	ia = ifaddr_new(inet_dev(n), &a, prefix);
	ia->flags = IFA_F_PERMANENT | IFA_F_NODAD;
	EXPECT_EQ(ifaddr_add(ia), 0);
	mutex_unlock(&n->net->config_lock);
}

static void hosts(u32 features, const struct simnet_rules *rules)
{
	for (int i = 0; i < 2; i++)
		g_net[i] = net_create();
	g_line = simnet_create(g_net, rules, features);
	EXPECT(!is_err(g_line));
	for (int i = 0; i < 2; i++) {
		add_address(g_line->end[i].netif, i ? "10.0.0.2" : "10.0.0.1", 24);
		add_address(g_line->end[i].netif, i ? "fd00::2" : "fd00::1", 64);
	}
}

static void hosts_go(void)
{
	simnet_destroy(g_line);
	for (int i = 0; i < 2; i++)
		net_destroy(g_net[i]);
}

static struct sock *open_sock(int host, int family, int type, int protocol)
{
	struct sock *sk;

	net_set_current(g_net[host]);
	sk = sock_create(family, type, protocol);
	net_set_current(&g_init_net);
	EXPECT(!is_err(sk));
	return sk;
}

static void close_sock(struct sock *sk)
{
	sk->ops->close(sk);
	put_sock(sk);
}

static u32 name_of(struct __kernel_sockaddr_storage *a, const char *text)
{
	struct inet_name n = {.port = htons(PORT)};

	EXPECT(addr_parse(text, &n.addr));
	return inet_name_out(addr_family(&n.addr), &n, a);
}

static struct sock *listener(int family, const char *me, int backlog)
{
	struct sock *l = open_sock(1, family, SOCK_STREAM, 0);
	struct __kernel_sockaddr_storage a;
	u32 len = name_of(&a, me);

	EXPECT_EQ(l->ops->bind(l, &a, len), 0);
	EXPECT_EQ(l->ops->listen(l, backlog), 0);
	return l;
}

/* A connection of host 0 to the listener; both ends. */
static void pair(struct sock *l, int family, const char *to, struct sock *end[2])
{
	struct __kernel_sockaddr_storage a;
	u32 len = name_of(&a, to);

	end[0] = open_sock(0, family, SOCK_STREAM, 0);
	EXPECT_EQ(end[0]->ops->connect(end[0], &a, len, O_NONBLOCK), -EINPROGRESS);
	for (int i = 0; i < 1000 && !tcp_sk(l)->nr_accepts; i++)
		sleep_ns(100 * NS_PER_MS);
	end[1] = l->ops->accept(l, O_NONBLOCK);
	EXPECT(!is_err(end[1]));
}

static u8 octet(u64 n)
{
	return (u8)((n ^ n >> 9 ^ n >> 17) * 151);
}

/* n octets from one end to the other, checked. */
static void carry(struct sock *from, struct sock *to, u64 n)
{
	static u8 buf[32768];
	u64 sent = 0, got = 0, bad = 0;

	for (u32 idle = 0; got < n && idle < 30000;) {
		struct sock_msg m = {.flags = MSG_DONTWAIT};
		u64 was = sent + got;
		ssize_t r;

		if (sent < n) {
			u64 k = min(n - sent, (u64)sizeof(buf));

			for (u64 i = 0; i < k; i++)
				buf[i] = octet(sent + i);
			m.iter = iter_kernel(buf, k);
			r = sock_sendmsg(from, &m);
			sent += r > 0 ? (u64)r : 0;
		}
		do {
			m = (struct sock_msg){
				.iter = iter_kernel(buf, sizeof(buf)), .flags = MSG_DONTWAIT};
			r = sock_recvmsg(to, &m);
			for (ssize_t i = 0; i < r; i++)
				bad += buf[i] != octet(got + (u64)i);
			got += r > 0 ? (u64)r : 0;
		} while (r > 0);
		idle = sent + got == was ? idle + 1 : 0;
		if (sent + got == was)
			sleep_ns(NS_PER_MS);
	}
	EXPECT_EQ(got, n);
	EXPECT_EQ(bad, 0);
}

UNIT(segments_are_merged_and_one_ack_answers_many)
{
	static const char *const to[] = {"10.0.0.2", "fd00::2"};
	struct simnet_rules r = {.seed = 1, .delay_ns = 5 * NS_PER_MS};

	hosts(NETIF_F_SG | NETIF_F_GRO, &r);
	for (int f = 0; f < 2; f++) {
		struct sock *l = listener(f ? AF_INET6 : AF_INET, to[f], 4), *end[2];
		const struct tcp_conn *c;

		pair(l, f ? AF_INET6 : AF_INET, to[f], end);
		carry(end[0], end[1], 4 << 20);
		c = &tcp_sk(end[1])->c;
		EXPECT(c->data_segs_in >= 2800);
		EXPECT(c->segs_out < c->data_segs_in / 4); /* unmerged it is every second */
		carry(end[1], end[0], 100000);
		close_sock(end[0]);
		close_sock(end[1]);
		close_sock(l);
		sleep_ns(100 * NS_PER_SEC);
	}
	hosts_go();
}

UNIT(a_bad_line_gives_the_right_octets_with_merging_and_without)
{
	for (u32 seed = 0; seed < 12; seed++) {
		struct simnet_rules r = {.seed = seed + 5,
			.delay_ns = 3 * NS_PER_MS,
			.loss_ppm = seed & 1 ? 10000 : 0,
			.duplicate_ppm = seed & 2 ? 20000 : 0,
			.corrupt_ppm = seed & 4 ? 10000 : 0,
			.reorder_ppm = seed & 8 ? 30000 : 5000,
			.reorder_ns = 4 * NS_PER_MS};
		struct sock *l, *end[2];

		hosts(NETIF_F_SG | (seed % 3 ? NETIF_F_GRO : 0), &r);
		l = listener(AF_INET, "10.0.0.2", 4);
		pair(l, AF_INET, "10.0.0.2", end);
		carry(end[0], end[1], 300000);
		carry(end[1], end[0], 300000);
		close_sock(end[0]);
		close_sock(end[1]);
		close_sock(l);
		sleep_ns(400 * NS_PER_SEC);
		hosts_go();
	}
}

/* ---- a way that may be gone ---------------------------------------------------------------------
 */

static bool is_ip(const struct packet *p)
{
	return p->linear[p->data + 12] == 8 && p->linear[p->data + 13] == 0;
}

static bool no_ip(void *arg, struct packet *p)
{
	return !is_ip(p);
}

struct state_of {
	u8 state;
};

static bool take_state(struct neigh *n, void *arg)
{
	if (n->dev != g_net[0]->loopback)
		((struct state_of *)arg)->state = n->state;
	return true;
}

static u8 neighbour_state(void)
{
	struct state_of s = {0};

	neigh_each(inet_net(g_net[0]), 0, take_state, &s);
	return s.state;
}

UNIT(silence_after_tcp_retries1_makes_the_neighbour_doubtful)
{
	struct simnet_rules r = {.seed = 1, .delay_ns = NS_PER_MS};
	struct sock *l, *end[2];
	struct sock_msg m = {.iter = iter_kernel("x", 1), .flags = MSG_DONTWAIT};

	hosts(NETIF_F_SG, &r);
	l = listener(AF_INET, "10.0.0.2", 4);
	pair(l, AF_INET, "10.0.0.2", end);
	EXPECT_EQ(neighbour_state(), NUD_REACHABLE);
	g_line->end[0].rules.pass = no_ip;
	EXPECT_EQ(sock_sendmsg(end[0], &m), 1);
	sleep_ns(NS_PER_SEC / 2);
	EXPECT_EQ(neighbour_state(), NUD_REACHABLE);
	/* The third time-out comes within 2 s; what is sent then, and later, asks by ARP. */
	for (int i = 0; i < 40 && neighbour_state() == NUD_REACHABLE; i++)
		sleep_ns(NS_PER_SEC / 10);
	EXPECT(neighbour_state() & (NUD_STALE | NUD_DELAY));
	g_line->end[0].rules.pass = NULL;
	sleep_ns(30 * NS_PER_SEC);
	EXPECT_EQ(tcp_unread(&tcp_sk(end[1])->c), 1);
	close_sock(end[0]);
	close_sock(end[1]);
	close_sock(l);
	sleep_ns(100 * NS_PER_SEC);
	hosts_go();
}

/* ---- floods -------------------------------------------------------------------------------------
 */

/* A SYN of a host that isn't there. */
static void send_syn(struct sock *raw, u32 nr)
{
	static const u8 none;
	struct inet_addr src = addr_v4(htonl(0x0a00000a + nr % 240)), dst;
	struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_KERNEL);
	struct __kernel_sockaddr_storage a;
	struct sock_msg m = {
		.flags = MSG_DONTWAIT, .name = &a, .name_len = name_of(&a, "10.0.0.2")};
	u8 bytes[40] = {0x45, [3] = 40, [8] = 64, [9] = IPPROTO_TCP};
	u16 sum;

	EXPECT(addr_parse("10.0.0.2", &dst));
	tcp_push_header(p, (u16)(1024 + nr / 240), PORT, nr * 7919, 0, TCPF_SYN, 1000, 0, &none, 0);
	memcpy(bytes + 12, &src.w[3], 4);
	memcpy(bytes + 16, &dst.w[3], 4);
	memcpy(bytes + 20, packet_data(p), 20);
	packet_free(p);
	sum = checksum_fold(
		checksum_add(ip_pseudo_sum(&src, &dst, IPPROTO_TCP, 20), bytes + 20, 20));
	memcpy(bytes + 36, &sum, 2);
	m.iter = iter_kernel(bytes, sizeof(bytes));
	EXPECT_EQ(sock_sendmsg(raw, &m), sizeof(bytes));
}

static void flood(u32 n)
{
	struct sock *raw = open_sock(0, AF_INET, SOCK_RAW, IPPROTO_RAW);

	send_syn(raw, 0);
	sleep_ns(NS_PER_MS * 10); /* ARP */
	for (u32 i = 1; i < n; i++) {
		send_syn(raw, i);
		if (i % 64 == 63)
			sleep_ns(NS_PER_US * 10);
	}
	sleep_ns(NS_PER_MS * 10);
	close_sock(raw);
}

UNIT(a_hundred_thousand_half_open_connections_are_bounded_and_go_away)
{
	struct simnet_rules r = {.seed = 1, .delay_ns = NS_PER_MS};
	struct sock *l, *end[2];
	u32 most;

	hosts(NETIF_F_SG, &r);
	tcp_net(g_net[1])->syncookies = 0;
	tcp_net(g_net[1])->max_syn_backlog = 1 << 20;
	l = listener(AF_INET, "10.0.0.2", 1 << 20);
	flood(100000);
	most = tcp_sk(l)->nr_requests;
	EXPECT_EQ(most, 100000);
	static_assert(sizeof(struct tcp_half) <= 320, "many of them cost little");
	pair(l, AF_INET, "10.0.0.2", end);
	carry(end[0], end[1], 100000);
	carry(end[1], end[0], 100000);
	close_sock(end[0]);
	close_sock(end[1]);
	sleep_ns(200 * NS_PER_SEC); /* the last SYN-ACK's time */
	EXPECT_EQ(tcp_sk(l)->nr_requests, 0);
	close_sock(l);
	sleep_ns(10 * NS_PER_SEC);
	hosts_go();
}

UNIT(a_flood_beyond_the_queue_is_answered_by_cookies_and_holds_nothing)
{
	struct simnet_rules r = {.seed = 1, .delay_ns = NS_PER_MS};
	struct sock *l, *end[2];

	hosts(NETIF_F_SG, &r);
	l = listener(AF_INET, "10.0.0.2", 64);
	flood(100000);
	EXPECT_EQ(tcp_sk(l)->nr_requests, 64);
	EXPECT(tcp_sk(l)->cookie_ns != 0);
	pair(l, AF_INET, "10.0.0.2", end);
	EXPECT_EQ(tcp_sk(l)->nr_requests, 64); /* by a cookie */
	EXPECT(tcp_sk(end[1])->c.sack_on && tcp_sk(end[1])->c.ts_on && tcp_sk(end[1])->c.wscale_on);
	EXPECT_EQ(tcp_sk(end[1])->c.snd_wscale, tcp_sk(end[0])->c.rcv_wscale);
	EXPECT_EQ(tcp_sk(end[1])->c.rcv_wscale, tcp_sk(end[0])->c.snd_wscale);
	carry(end[0], end[1], 1000000);
	carry(end[1], end[0], 1000000);
	close_sock(end[0]);
	close_sock(end[1]);
	sleep_ns(200 * NS_PER_SEC);
	close_sock(l);
	hosts_go();
}
