/* The packet context, its timers, and the way of a packet through loopback. */
#include <arch/host.h>
#include <lib/err.h>
#include <lib/string.h>
#include <net/context.h>
#include <net/netif.h>
#include <sched/thread.h>
#include <sched/wait.h>
#include "unit.h"

static int g_order[8], g_nr;
static struct net_task g_tasks[4];

static void note(struct net_task *t)
{
	EXPECT(net_in_context());
	g_order[g_nr++] = (int)(t - g_tasks);
}

UNIT(tasks_run_in_order_once_each)
{
	g_nr = 0;
	for (int i = 0; i < 4; i++) {
		net_task_init(&g_tasks[i], note);
		EXPECT(net_task_queue(&g_tasks[i]));
	}
	EXPECT(!net_task_queue(&g_tasks[1]));
	EXPECT_EQ(g_nr, 0);
	net_run();
	EXPECT(!net_in_context());
	EXPECT_EQ(g_nr, 4);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(g_order[i], i);
}

UNIT(what_is_queued_runs_before_its_thread_sleeps)
{
	g_nr = 0;
	net_task_queue(&g_tasks[2]);
	sleep_ns(NS_PER_MS);
	EXPECT_EQ(g_nr, 1);
}

UNIT(what_interrupts_queue_is_done_by_the_thread)
{
	g_nr = 0;
	irq_disable();
	net_task_queue(&g_tasks[3]);
	irq_enable();
	EXPECT_EQ(g_nr, 0);
	sched_yield_now();
	sched_yield_now();
	EXPECT_EQ(g_nr, 1);
}

static int g_fired;
static s64 g_fired_at;
static void fire(struct net_timer *t)
{
	EXPECT(net_in_context());
	g_fired++;
	g_fired_at = clock_mono_ns();
}

UNIT(a_timer_fires_in_the_packet_context_when_it_was_last_told_to)
{
	struct net_timer t;
	s64 now = clock_mono_ns();

	g_fired = 0;
	net_timer_init(&t, fire);
	EXPECT(!net_timer_cancel(&t));
	EXPECT(net_timer_arm(&t, now + NS_PER_MS));
	EXPECT(!net_timer_arm(&t, now + 5 * NS_PER_MS)); /* later: lazily */
	sleep_ns(3 * NS_PER_MS);
	EXPECT_EQ(g_fired, 0);
	sleep_ns(3 * NS_PER_MS);
	EXPECT_EQ(g_fired, 1);
	EXPECT(g_fired_at >= now + 5 * NS_PER_MS);
	now = clock_mono_ns();
	EXPECT(net_timer_arm(&t, now + 50 * NS_PER_MS));
	EXPECT(!net_timer_arm(&t, now + NS_PER_MS)); /* earlier */
	sleep_ns(2 * NS_PER_MS);
	EXPECT_EQ(g_fired, 2);
	EXPECT(net_timer_arm(&t, clock_mono_ns() + NS_PER_MS));
	EXPECT(net_timer_cancel(&t));
	EXPECT(!net_timer_cancel(&t));
	sleep_ns(5 * NS_PER_MS);
	EXPECT_EQ(g_fired, 2);
}

UNIT(a_timer_that_has_fired_but_not_run_cannot_be_taken_back_but_moved)
{
	struct net_timer t;
	s64 now = clock_mono_ns();

	g_fired = 0;
	net_timer_init(&t, fire);
	EXPECT(net_timer_arm(&t, now + NS_PER_MS));
	host_time_pass(2 * NS_PER_MS); /* the interrupt comes; no thread has run since */
	EXPECT(!net_timer_cancel(&t));
	sleep_ns(NS_PER_MS);
	EXPECT_EQ(g_fired, 1);
	now = clock_mono_ns();
	EXPECT(net_timer_arm(&t, now + NS_PER_MS));
	host_time_pass(2 * NS_PER_MS);
	EXPECT(!net_timer_arm(&t, now + 20 * NS_PER_MS));
	sleep_ns(10 * NS_PER_MS);
	EXPECT_EQ(g_fired, 1);
	sleep_ns(10 * NS_PER_MS);
	EXPECT_EQ(g_fired, 2);
}

#define TEST_TYPE 0x88b5 /* for experiments (IEEE 802) */
static u32 g_came, g_came_bytes;
static struct netif *g_lo;

static void came(struct packet *p)
{
	EXPECT(net_in_context());
	EXPECT_EQ(p->dev, g_lo);
	EXPECT_EQ(p->mac_off + ETH_HLEN, p->net_off);
	EXPECT_EQ(p->net_off, p->data);
	EXPECT(p->flags & PKT_LOOPED);
	g_came++;
	g_came_bytes += p->len;
	packet_free(p);
}

static u32 g_tapped[2];
static void tapped(struct net_tap *t, struct packet *p, struct netif *n, bool outgoing)
{
	g_tapped[outgoing]++;
}

static int send_one(u32 n)
{
	static u8 bytes[60000];
	struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_KERNEL);

	if (!p || packet_append(p, bytes, n, GFP_KERNEL))
		return -ENOMEM;
	p->dev = g_lo;
	return netif_send_to(p, TEST_TYPE, NULL);
}

UNIT(loopback_brings_back_what_is_sent)
{
	static const struct net_protocol proto = {.type = TEST_TYPE, .input = came};
	struct net_tap tap = {.type = ETH_P_ALL, .fn = tapped};
	struct rtnl_link_stats64 s;

	net_protocol_register(&proto);
	g_lo = netif_by_name(&g_init_net, "lo");
	EXPECT_EQ(g_lo, g_init_net.loopback);
	EXPECT_EQ(g_lo->ifindex, 1);
	EXPECT_EQ(send_one(10), -ENETDOWN);
	mutex_lock(&g_init_net.config_lock);
	EXPECT_EQ(netif_set_flags(g_lo, IFF_UP, IFF_UP), 0);
	mutex_unlock(&g_init_net.config_lock);
	EXPECT_EQ(netif_user_flags(g_lo), IFF_LOOPBACK | IFF_UP | IFF_RUNNING | IFF_LOWER_UP);
	net_tap_add(&g_init_net, &tap);
	EXPECT_EQ(send_one(10), 0);
	EXPECT_EQ(send_one(50000), 0);
	EXPECT_EQ(g_came, 0);
	net_run();
	EXPECT_EQ(g_came, 2);
	EXPECT_EQ(g_came_bytes, 50010);
	EXPECT_EQ(g_tapped[0], 2);
	EXPECT_EQ(g_tapped[1], 2);
	net_tap_remove(&tap);
	netif_get_stats(g_lo, &s);
	EXPECT_EQ(s.rx_packets, 2);
	EXPECT_EQ(s.tx_bytes, 50010 + 2 * ETH_HLEN);
}

UNIT(a_full_backlog_drops_and_all_that_is_in_it_arrives_without_a_call)
{
	u32 dropped = 0;
	struct rtnl_link_stats64 s;

	g_came = 0;
	for (u32 i = 0; i < g_netdev_max_backlog + 10; i++)
		EXPECT_EQ(send_one(1), 0);
	sleep_ns(20 * NS_PER_MS);
	EXPECT_EQ(g_came, g_netdev_max_backlog);
	netif_get_stats(g_lo, &s);
	dropped = (u32)s.rx_dropped;
	EXPECT_EQ(dropped, 10);
	EXPECT_EQ(net_cpu_stats(0)->dropped, 10);
}

/* ---- interfaces ---- */

static bool g_full;
static u32 g_sent;
static bool test_xmit(struct netif *n, struct packet *p, u32 queue, bool more)
{
	if (g_full) {
		netif_stop_queue(n, queue);
		return false;
	}
	/* IPv6 says a few words of its own on an interface that comes up. */
	if (((struct ethhdr *)packet_data(p))->h_proto == __builtin_bswap16(TEST_TYPE)) {
		EXPECT_EQ(p->cb[0], (u8)g_sent);
		EXPECT_EQ(p->csum_state, CSUM_NONE);
		g_sent++;
	}
	packet_free(p);
	return true;
}

static u32 g_events[NETIF_GONE + 1];
static void heard(struct netif *n, enum netif_event e)
{
	g_events[e]++;
}

UNIT(a_stopped_queue_keeps_order_and_an_interface_goes_with_its_packets)
{
	static const struct netif_ops ops = {.xmit = test_xmit, .header = ether_header};
	static struct netif_listener listener = {.fn = heard};
	static const u8 mac[6] = {2, 0, 0, 0, 0, 1};
	struct netif *n = netif_alloc(&ops, "eth%d", 1);

	netif_setup_ether(n, mac);
	EXPECT_EQ(netif_register(&g_init_net, n), 0);
	EXPECT_STR(n->name, "eth0");
	netif_listen(&listener);
	EXPECT_EQ(g_events[NETIF_REGISTERED], 2);
	mutex_lock(&g_init_net.config_lock);
	EXPECT_EQ(netif_set_flags(n, IFF_UP, IFF_UP), 0);
	EXPECT_EQ(netif_set_mtu(n, 67), -EINVAL);
	EXPECT_EQ(netif_set_mtu(n, 1400), 0);
	EXPECT_EQ(netif_set_name(n, "x"), -EBUSY);
	mutex_unlock(&g_init_net.config_lock);
	g_lo = n;
	for (int i = 0; i < 20; i++) {
		struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_KERNEL);

		p->dev = n;
		p->cb[0] = (u8)i;
		g_full = i >= 5;
		EXPECT_EQ(netif_send_to(p, TEST_TYPE, NULL), 0);
	}
	EXPECT_EQ(g_sent, 5);
	g_full = false;
	netif_wake_queue(n, 0);
	net_run();
	EXPECT_EQ(g_sent, 20);
	g_full = true;
	EXPECT_EQ(send_one(100), 0);
	netif_unregister(n);
	EXPECT_EQ(g_events[NETIF_DOWN], 1);
	EXPECT_EQ(g_events[NETIF_GONE], 1);
	EXPECT_EQ(netif_by_name(&g_init_net, "eth0"), NULL);
}
