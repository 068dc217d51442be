/* Two hosts on a simulated line, and loopback: addresses, neighbours, routes, fragments, UDP. */
#include <core/trace.h>
#include <inet/sock.h>
#include <lib/err.h>
#include <lib/string.h>
#include <linux/udp.h>
#include <net/context.h>
#include <net/simnet.h>
#include <sched/timer.h>
#include <socket/socket.h>
#include "../../net/inet/inet.h"
#include "unit.h"

/* ---- helpers ------------------------------------------------------------------------------------
 */

static struct sock *open_sock(struct net *net, int family, int type)
{
	struct sock *sk;

	net_set_current(net);
	sk = sock_create(family, type, 0);
	net_set_current(&g_init_net);
	EXPECT(!is_err(sk));
	return sk;
}
static void close_sock(struct sock *sk)
{
	sk->ops->close(sk);
	put_sock(sk);
}
static u32 name4(struct __kernel_sockaddr_storage *a, const char *text, u16 port)
{
	struct inet_name n = {.port = htons(port)};

	EXPECT(addr_parse(text, &n.addr));
	return inet_name_out(addr_family(&n.addr), &n, a);
}
static int bind_to(struct sock *sk, const char *text, u16 port)
{
	struct __kernel_sockaddr_storage a;
	u32 len = name4(&a, text, port);

	return sk->ops->bind(sk, &a, len);
}
static int connect_to(struct sock *sk, const char *text, u16 port)
{
	struct __kernel_sockaddr_storage a;
	u32 len = name4(&a, text, port);

	return sk->ops->connect(sk, &a, len, O_NONBLOCK);
}
static ssize_t send_to(
	struct sock *sk, const void *data, size_t n, const char *text, u16 port, u32 flags)
{
	struct __kernel_sockaddr_storage a;
	struct sock_msg m = {.iter = iter_kernel((void *)data, n), .flags = flags | MSG_DONTWAIT};

	if (text) {
		m.name_len = name4(&a, text, port);
		m.name = &a;
	}
	return sock_sendmsg(sk, &m);
}
static ssize_t receive(struct sock *sk, void *data, size_t n, u32 flags)
{
	struct sock_msg m = {.iter = iter_kernel(data, n), .flags = flags | MSG_DONTWAIT};

	return sock_recvmsg(sk, &m);
}

static void up(struct net *net, struct netif *n)
{
	mutex_lock(&net->config_lock);
	EXPECT_EQ(netif_set_flags(n, IFF_UP, IFF_UP), 0);
	mutex_unlock(&net->config_lock);
}
static void add_address(struct netif *n, const char *text, u8 prefix)
{
	struct inet_addr a;
	struct ifaddr *ia;

	EXPECT(addr_parse(text, &a));
	mutex_lock(&n->net->config_lock);
	ia = ifaddr_new(inet_dev(n), &a, prefix);
	ia->flags = IFA_F_PERMANENT | IFA_F_NODAD;
	EXPECT_EQ(ifaddr_add(ia), 0);
	mutex_unlock(&n->net->config_lock);
}

static struct net *g_net[2];
static struct simnet_pair *g_line;
static void two_hosts(void)
{
	struct simnet_rules r = {.seed = 1, .delay_ns = NS_PER_MS};

	if (g_line)
		return;
	for (int i = 0; i < 2; i++) {
		g_net[i] = net_create();
		up(g_net[i], g_net[i]->loopback);
	}
	g_line = simnet_create(g_net, &r, NETIF_F_SG | NETIF_F_CSUM);
	EXPECT(!is_err(g_line));
	for (int i = 0; i < 2; i++) {
		up(g_net[i], g_line->end[i].netif);
		add_address(g_line->end[i].netif, i ? "10.0.0.2" : "10.0.0.1", 24);
		add_address(g_line->end[i].netif, i ? "fd00::2" : "fd00::1", 64);
	}
}
static void loopback_up(void)
{
	if (!netif_running(g_init_net.loopback))
		up(&g_init_net, g_init_net.loopback);
}

/* ---- addresses and prefixes ---------------------------------------------------------------------
 */

UNIT(addresses_are_written_and_read_as_inet_ntop_does)
{
	static const char *const texts[] = {"::", "::1", "1::", "fe80::1", "1:2:3:4:5:6:7:8",
		"1.2.3.4", "2001:db8::1:0:0:1", "0:1::", "1:0:2::3", "255.255.255.255",
		"::2:0:0:1"};
	char buf[ADDR_TEXT];
	struct inet_addr a;

	for (u32 i = 0; i < ARRAY_SIZE(texts); i++) {
		EXPECT(addr_parse(texts[i], &a));
		EXPECT_STR(addr_text(&a, buf), texts[i]);
	}
	EXPECT(!addr_parse("1.2.3", &a));
	EXPECT(!addr_parse("1.2.3.256", &a));
	EXPECT(!addr_parse("1::2::3", &a));
	EXPECT(!addr_parse("1:2:3:4:5:6:7", &a));
	EXPECT(!addr_parse("12345::", &a));
	EXPECT(addr_parse("::ffff:1.2.3.4", &a) && addr_is_v4(&a));
}

#define NR_PREFIXES 300
UNIT(the_trie_finds_the_longest_prefix_as_a_list_does)
{
	static struct {
		struct inet_addr key;
		u8 len;
		struct list_head mark;
		bool in;
	} p[NR_PREFIXES];
	struct trie t = {NULL};

	for (u32 round = 0; round < 3000; round++) {
		u32 i = (u32)unit_random_below(NR_PREFIXES);
		struct inet_addr probe = {.q = {0, 0}};
		struct trie_node *n;
		int best = -1;

		if (!p[i].in) {
			bool twice = false;

			p[i].len = (u8)unit_random_below(unit_random_below(2) ? 129 : 24);
			unit_random_bytes(&p[i].key, 16);
			p[i].key.q[0] &= 0x0f0f000000000f0full; /* many share their beginning */
			p[i].key = addr_mask(&p[i].key, p[i].len);
			for (u32 j = 0; j < NR_PREFIXES; j++)
				twice |= p[j].in && p[j].len == p[i].len &&
					addr_eq(&p[j].key, &p[i].key);
			if (twice)
				continue;
			n = trie_insert(&t, &p[i].key, p[i].len);
			list_add(&p[i].mark, &n->routes);
			p[i].in = true;
		} else if (unit_random_below(2)) {
			n = trie_find(&t, &p[i].key, p[i].len);
			EXPECT(n != NULL);
			list_del(&p[i].mark);
			p[i].in = false;
			trie_remove(&t, n);
		}
		unit_random_bytes(&probe, 16);
		probe.q[0] &= 0x0f0f000000000f0full;
		if (unit_random_below(2))
			probe = p[unit_random_below(NR_PREFIXES)].key;
		for (u32 j = 0; j < NR_PREFIXES; j++)
			if (p[j].in && addr_prefix_eq(&p[j].key, &probe, p[j].len) &&
				(best < 0 || p[j].len > p[best].len))
				best = (int)j;
		n = trie_match(&t, &probe, 128);
		EXPECT_EQ(n ? n->len : 255, best < 0 ? 255 : p[best].len);
		if (round % 100 == 0) { /* in order, each once */
			u32 seen = 0, have = 0;

			for (n = trie_next(&t, NULL, 0); n; n = trie_next(&t, &n->key, n->len))
				seen++;
			for (u32 j = 0; j < NR_PREFIXES; j++)
				have += p[j].in;
			EXPECT_EQ(seen, have);
		}
	}
}

/* ---- loopback -----------------------------------------------------------------------------------
 */

static void echo_on_loopback(int family, const char *me)
{
	struct sock *a = open_sock(&g_init_net, family, SOCK_DGRAM);
	struct sock *b = open_sock(&g_init_net, family, SOCK_DGRAM);
	struct __kernel_sockaddr_storage name;
	char buf[64];

	EXPECT_EQ(bind_to(b, me, 7000), 0);
	EXPECT_EQ(send_to(a, "hello", 5, me, 7000, 0), 5);
	net_run();
	EXPECT_EQ(receive(b, buf, sizeof(buf), MSG_PEEK), 5);
	EXPECT_EQ(receive(b, buf, sizeof(buf), 0), 5);
	EXPECT_MEM(buf, "hello", 5);
	EXPECT_EQ(receive(b, buf, sizeof(buf), 0), -EAGAIN);
	EXPECT_EQ(connect_to(a, me, 7000), 0);
	EXPECT(inet_getname(a, &name, false) > 0);
	EXPECT(inet_sk(a)->lport != 0);
	EXPECT(!addr_is_any(&inet_sk(a)->local));
	EXPECT_EQ(send_to(a, "", 0, NULL, 0, 0), 0);
	net_run();
	EXPECT_EQ(receive(b, buf, sizeof(buf), 0), 0);
	close_sock(b);
	EXPECT_EQ(send_to(a, "x", 1, NULL, 0, 0), 1);
	net_run();
	EXPECT_EQ(receive(a, buf, sizeof(buf), 0), -ECONNREFUSED);
	close_sock(a);
}
UNIT(udp_over_loopback_ipv4)
{
	loopback_up();
	echo_on_loopback(AF_INET, "127.0.0.1");
}
UNIT(udp_over_loopback_ipv6)
{
	loopback_up();
	echo_on_loopback(AF_INET6, "::1");
}

UNIT(a_large_datagram_over_loopback_arrives_whole)
{
	struct sock *a = open_sock(&g_init_net, AF_INET, SOCK_DGRAM);
	struct sock *b = open_sock(&g_init_net, AF_INET6, SOCK_DGRAM);
	static u8 out[65507], in[65507];

	loopback_up();
	unit_random_bytes(out, sizeof(out));
	EXPECT_EQ(bind_to(b, "::", 7001), 0);
	EXPECT_EQ(send_to(a, out, sizeof(out), "127.0.0.1", 7001, 0), sizeof(out));
	net_run();
	EXPECT_EQ(receive(b, in, sizeof(in), 0), sizeof(in));
	EXPECT_MEM(in, out, sizeof(in));
	EXPECT_EQ(send_to(a, out, sizeof(out) + 0, "127.0.0.1", 7001, MSG_MORE), sizeof(out));
	EXPECT_EQ(send_to(a, out, 1, "127.0.0.1", 7001, 0), -EMSGSIZE);
	close_sock(a);
	close_sock(b);
}

UNIT(ports_conflict_as_the_options_say)
{
	struct sock *a = open_sock(&g_init_net, AF_INET, SOCK_DGRAM);
	struct sock *b = open_sock(&g_init_net, AF_INET6, SOCK_DGRAM);

	loopback_up();
	EXPECT_EQ(bind_to(a, "127.0.0.1", 7002), 0);
	EXPECT_EQ(bind_to(b, "::", 7002), -EADDRINUSE);
	inet_flag_set(inet_sk(b), INF_V6ONLY, true);
	EXPECT_EQ(bind_to(b, "::", 7002), 0);
	EXPECT_EQ(bind_to(b, "::", 7002), -EINVAL);
	close_sock(a);
	close_sock(b);
	a = open_sock(&g_init_net, AF_INET, SOCK_DGRAM);
	EXPECT_EQ(bind_to(a, "10.9.9.9", 7002), -EADDRNOTAVAIL);
	close_sock(a);
}

/* ---- two hosts ----------------------------------------------------------------------------------
 */

static void send_across(int family, const char *from, const char *to, size_t n)
{
	struct sock *a = open_sock(g_net[0], family, SOCK_DGRAM);
	struct sock *b = open_sock(g_net[1], family, SOCK_DGRAM);
	static u8 out[65507], in[65507];

	unit_random_bytes(out, n);
	EXPECT_EQ(bind_to(b, to, 8000), 0);
	EXPECT_EQ(send_to(a, out, n, to, 8000, 0), n);
	sleep_ns(NS_PER_SEC);
	EXPECT_EQ(receive(b, in, sizeof(in), 0), n);
	EXPECT_MEM(in, out, n);
	close_sock(a);
	close_sock(b);
}

UNIT(a_datagram_crosses_the_line_after_arp)
{
	two_hosts();
	send_across(AF_INET, "10.0.0.1", "10.0.0.2", 100);
	EXPECT_EQ(neigh_entries(inet_net(g_net[0]), 0), 1);
}
UNIT(a_datagram_crosses_the_line_after_neighbour_discovery)
{
	two_hosts();
	send_across(AF_INET6, "fd00::1", "fd00::2", 100);
}
UNIT(fragments_are_put_together)
{
	two_hosts();
	send_across(AF_INET, "10.0.0.1", "10.0.0.2", 8000);
	send_across(AF_INET, "10.0.0.1", "10.0.0.2", 65507);
	send_across(AF_INET6, "fd00::1", "fd00::2", 8000);
	send_across(AF_INET6, "fd00::1", "fd00::2", 65000);
	EXPECT_EQ(frag_memory(inet_net(g_net[1]), 0), 0);
	EXPECT_EQ(frag_memory(inet_net(g_net[1]), 1), 0);
}
UNIT(nobody_at_the_address_is_host_unreachable)
{
	struct sock *a;
	u8 b;

	two_hosts();
	a = open_sock(g_net[0], AF_INET, SOCK_DGRAM);
	EXPECT_EQ(connect_to(a, "10.0.0.77", 8000), 0);
	spin_lock(&a->lock);
	inet_flag_set(inet_sk(a), INF_RECVERR, true);
	spin_unlock(&a->lock);
	EXPECT_EQ(send_to(a, "x", 1, NULL, 0, 0), 1);
	sleep_ns(5 * NS_PER_SEC);
	EXPECT_EQ(receive(a, &b, 1, 0), -EHOSTUNREACH);
	EXPECT_EQ(connect_to(a, "192.0.2.1", 8000), -ENETUNREACH);
	close_sock(a);
}
UNIT(link_local_addresses_come_by_themselves_after_detection)
{
	struct inet_addr a = {.b = {0xfe, 0x80}};
	struct netif *n;
	struct ifaddr *ia;

	two_hosts();
	n = g_line->end[0].netif;
	sleep_ns(5 * NS_PER_SEC);
	memcpy(a.b + 8, n->addr, 3);
	a.b[8] ^= 2;
	a.b[11] = 0xff;
	a.b[12] = 0xfe;
	memcpy(a.b + 13, n->addr + 3, 3);
	ia = ifaddr_find(inet_net(g_net[0]), &a, n->ifindex);
	EXPECT(ia && !(ia->flags & IFA_F_TENTATIVE));
}
UNIT(the_hosts_go_without_a_trace)
{
	two_hosts();
	simnet_destroy(g_line);
	for (int i = 0; i < 2; i++)
		net_destroy(g_net[i]);
	g_line = NULL;
}
