/* The simulated network does what its rules say. */
#include <lib/err.h>
#include <lib/string.h>
#include <net/context.h>
#include <net/simnet.h>
#include <sched/timer.h>
#include "unit.h"

#define TEST_TYPE 0x88b6
#define LEN       1000u

static u32 g_came, g_bad, g_late;
static s64 g_first, g_last;
static u32 g_next;
static bool g_seen[20000];

static void came(struct packet *p)
{
	u32 nr, twice;

	packet_copy_out(p, 0, &nr, 4);
	packet_copy_out(p, LEN - 4, &twice, 4);
	if (nr != twice || nr >= ARRAY_SIZE(g_seen)) {
		g_bad++;
	} else {
		g_late += nr < g_next;
		g_next = nr + 1;
		g_seen[nr] = true;
	}
	if (!g_came++)
		g_first = clock_mono_ns();
	g_last = clock_mono_ns();
	packet_free(p);
}
static const struct net_protocol g_proto = {.type = TEST_TYPE, .input = came};

static struct simnet_pair *pair_up(const struct simnet_rules *rules)
{
	struct net *net[2] = {&g_init_net, &g_init_net};
	struct simnet_pair *s = simnet_create(net, rules, NETIF_F_SG | NETIF_F_CSUM);

	EXPECT(!is_err(s));
	mutex_lock(&g_init_net.config_lock);
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(netif_set_flags(s->end[i].netif, IFF_UP, IFF_UP), 0);
	mutex_unlock(&g_init_net.config_lock);
	g_came = g_bad = g_late = g_next = 0;
	memset(g_seen, 0, sizeof(g_seen));
	return s;
}

static void send(struct simnet_pair *s, u32 count)
{
	static u8 bytes[LEN];

	for (u32 i = 0; i < count; i++) {
		struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_KERNEL);

		memcpy(bytes, &i, 4);
		memcpy(bytes + LEN - 4, &i, 4);
		EXPECT_EQ(packet_append(p, bytes, LEN, GFP_KERNEL), 0);
		p->dev = s->end[0].netif;
		EXPECT_EQ(netif_send_to(p, TEST_TYPE, s->end[1].netif->addr), 0);
		if (i % 64 == 0)
			sleep_ns(NS_PER_US * 100);
	}
	sleep_ns(10 * NS_PER_SEC);
}

UNIT(a_clean_line_delivers_all_in_order_after_the_delay)
{
	struct simnet_rules r = {.seed = 1, .delay_ns = 10 * NS_PER_MS};
	struct simnet_pair *s;
	s64 start;

	net_protocol_register(&g_proto);
	s = pair_up(&r);
	start = clock_mono_ns();
	send(s, 1000);
	EXPECT_EQ(g_came, 1000);
	EXPECT_EQ(g_late, 0);
	EXPECT_EQ(g_bad, 0);
	EXPECT(g_first >= start + 10 * NS_PER_MS && g_first < start + 11 * NS_PER_MS);
	simnet_destroy(s);
}

UNIT(loss_duplication_corruption_and_reordering_come_as_often_as_told)
{
	struct simnet_rules r = {.seed = 7,
		.loss_ppm = 50000,
		.duplicate_ppm = 20000,
		.corrupt_ppm = 10000,
		.reorder_ppm = 30000,
		.reorder_ns = 3 * NS_PER_MS,
		.jitter_ns = NS_PER_MS,
		.delay_ns = NS_PER_MS};
	struct simnet_pair *s = pair_up(&r);
	struct simnet_stats first;

	send(s, 20000);
	first = s->end[0].stats;
	/* IPv6 says a few words of its own on an interface that comes up. */
	EXPECT(first.sent >= 20000 && first.sent < 20030);
	EXPECT(first.lost > 850 && first.lost < 1150);
	EXPECT(first.duplicated > 300 && first.duplicated < 460);
	EXPECT(first.corrupted > 140 && first.corrupted < 240);
	EXPECT(first.reordered > 450 && first.reordered < 690);
	EXPECT(g_late > 300);
	EXPECT_EQ(first.delivered, first.sent - first.lost + first.duplicated);
	/* A damaged frame may be for another type or host: then it doesn't come. */
	EXPECT(g_came <= first.delivered && g_came + first.corrupted >= first.delivered);
	simnet_destroy(s);
	s = pair_up(&r);
	send(s, 20000);
	EXPECT_MEM(&s->end[0].stats, &first, sizeof(first)); /* a run can be repeated */
	simnet_destroy(s);
}

UNIT(the_bottleneck_sets_the_pace_and_its_queue_overflows)
{
	struct simnet_rules r = {.seed = 3, .rate_bps = 100000000};
	struct simnet_pair *s = pair_up(&r);
	u64 bits = 999ull * (LEN + ETH_HLEN) * 8;

	send(s, 1000);
	EXPECT_EQ(g_came, 1000);
	EXPECT((u64)(g_last - g_first) > bits * 10 * 99 / 100 &&
		(u64)(g_last - g_first) < bits * 10 * 101 / 100);
	simnet_destroy(s);
	r.queue_bytes = 20 * (LEN + ETH_HLEN);
	s = pair_up(&r);
	send(s, 1000);
	EXPECT(s->end[0].stats.overflow > 500);
	EXPECT_EQ(g_came + s->end[0].stats.overflow, 1000);
	simnet_destroy(s);
}

UNIT(hosts_of_their_own_have_their_own_interfaces)
{
	struct simnet_rules r = {.seed = 1};
	struct net *other = net_create(), *net[2] = {&g_init_net, other};
	struct simnet_pair *s = simnet_create(net, &r, 0);

	EXPECT(!is_err(s));
	EXPECT_EQ(netif_by_name(&g_init_net, "sim0"), s->end[0].netif);
	EXPECT_EQ(netif_by_name(other, "sim0"), s->end[1].netif);
	EXPECT_EQ(netif_by_name(other, "lo"), other->loopback);
	simnet_destroy(s);
	net_destroy(other);
}
