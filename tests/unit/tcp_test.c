/*
 * TCP's state machine in pairs over a simulated line: the right octets or a clean error, always;
 * what the congestion control can reach; fairness; the rules of conn.h after each step.
 * In the environment: TCP_SEEDS=N how many random lines, TCP_FROM=N the first one's number;
 * TCP_LONG=1 the tests of throughput and fairness too, which need minutes.
 */
#include "tcp_line.h"

int atoi(const char *s);
char *getenv(const char *name);

static bool long_run(void)
{
	return getenv("TCP_LONG") != NULL;
}

static u64 mbit(u32 n)
{
	return n * 1000000ull / 8;
}

static void expect_whole(struct line *l, struct line_flow *f)
{
	EXPECT_STR(l->broken ?: "right", "right");
	for (u32 i = 0; i < 2; i++) {
		EXPECT_EQ(f->h[i].error, 0);
		EXPECT_EQ(f->h[i].received, f->h[!i].to_send);
		EXPECT(f->h[i].got_fin);
	}
}

UNIT(a_connection_opens_carries_octets_both_ways_and_ends_in_time_wait)
{
	struct line *l = line_new(1);
	struct line_flow *f = line_flow_new(l, 100000, 70000);

	EXPECT(line_finish(l, l->now + 60 * NS_PER_SEC));
	expect_whole(l, f);
	EXPECT_EQ(l->drops, 0);
	EXPECT(f->h[CLIENT].tw_on || f->h[SERVER].tw_on);
	EXPECT_EQ(f->h[CLIENT].c.total_retrans, 0);
	EXPECT_EQ(f->h[SERVER].c.total_retrans, 0);
	line_run(l, l->now + 120 * NS_PER_SEC);
	EXPECT(!f->h[CLIENT].tw_on && !f->h[SERVER].tw_on);
	line_free(l);
}

UNIT(nobody_there_ends_in_a_timeout_and_nobody_listening_in_a_refusal)
{
	struct line *l = line_new(2);
	struct line_flow *f = line_flow_new(l, 1, 0);

	l->params[CLIENT].black = true;
	EXPECT(line_finish(l, l->now + 300 * NS_PER_SEC));
	EXPECT_EQ(f->h[CLIENT].error, ETIMEDOUT);
	/* 1 + 2 + 4 + ... + 64 s: six retransmissions, tcp(7) tcp_syn_retries */
	EXPECT_EQ((l->now - f->start_ns) / NS_PER_SEC, 127);
	line_free(l);

	l = line_new(3);
	f = line_flow_new(l, 1, 0);
	f->h[SERVER].alive = true; /* a socket that is closed answers with a reset */
	f->h[SERVER].c.state = TCP_CLOSE;
	f->h[SERVER].done = true;
	list_init(&f->h[SERVER].c.receive.list);
	list_init(&f->h[SERVER].c.unsent.list);
	list_init(&f->h[SERVER].c.flight_list);
	list_init(&f->h[SERVER].c.lost_list);
	EXPECT(line_finish(l, l->now + 300 * NS_PER_SEC));
	EXPECT_EQ(f->h[CLIENT].error, ECONNREFUSED);
	line_free(l);
}

UNIT(a_line_that_goes_dead_ends_in_a_timeout_after_a_quarter_of_an_hour)
{
	struct line *l = line_new(4);
	struct line_flow *f = line_flow_new(l, 10 << 20, 0);
	s64 from;

	line_run(l, l->now + NS_PER_SEC / 5);
	EXPECT_EQ(f->h[CLIENT].c.state, TCP_CLOSE_WAIT); /* the server has nothing to say */
	l->params[0].black = l->params[1].black = true;
	from = l->now;
	f->h[SERVER].done = true; /* it has nothing to send and would wait for ever */
	/* Retransmissions after 0.2, 0.6 and 1.4 s, and a probe before: then the way is in doubt. */
	line_run(l, l->now + NS_PER_SEC);
	EXPECT_EQ(g_line_doubts, 0);
	line_run(l, l->now + 2 * NS_PER_SEC);
	EXPECT_EQ(g_line_doubts, 1);
	EXPECT(line_finish(l, l->now + 3000 * NS_PER_SEC));
	EXPECT_EQ(f->h[CLIENT].error, ETIMEDOUT);
	/* ip-sysctl: tcp_retries2 15 is 924.6 s at least, with the RTO that it had somewhat more */
	EXPECT((l->now - from) / NS_PER_SEC >= 924 && (l->now - from) / NS_PER_SEC < 1100);
	EXPECT_EQ(g_line_doubts, 1);
	line_free(l);
}

UNIT(a_closed_window_is_probed_and_opens)
{
	struct line *l = line_new(5);
	struct line_flow *f = line_flow_new(l, 3 << 20, 0);

	f->h[SERVER].stop_reading = true;
	line_run(l, l->now + 40 * NS_PER_SEC);
	EXPECT_EQ(f->h[CLIENT].c.snd_wnd, 0);
	EXPECT(f->h[CLIENT].c.probes_out == 0 && g_line_counts[TCPC_WIN_PROBE] > 2);
	/* The announcement of the open window is lost, a probe finds out. */
	f->h[SERVER].stop_reading = false;
	l->params[SERVER].black = true;
	user_read(f, SERVER);
	l->params[SERVER].black = false;
	EXPECT(line_finish(l, l->now + 200 * NS_PER_SEC));
	expect_whole(l, f);
	line_free(l);
}

UNIT(memory_of_a_receiver_that_does_not_read_stays_bounded)
{
	struct line *l = line_new(6);
	struct line_flow *f = line_flow_new(l, 1 << 20, 0);

	f->h[SERVER].stop_reading = true;
	f->h[CLIENT].write_most = 3;
	f->h[CLIENT].sndbuf = 64;
	line_run(l, l->now + NS_PER_SEC);
	f->h[CLIENT].c.nagle = TCP_NAGLE_OFF;
	f->h[CLIENT].sndbuf = 1 << 20;
	line_run(l, l->now + 20 * NS_PER_SEC);
	EXPECT_STR(l->broken ?: "right", "right");
	EXPECT(f->h[SERVER].c.rmem <= (u32)f->h[SERVER].c.rcvbuf + sizeof(struct packet));
	line_free(l);
}

UNIT(a_hole_is_filled_although_all_sockets_together_have_too_much)
{
	struct line *l = line_new(7);
	struct line_flow *f = line_flow_new(l, 4 << 20, 0);
	struct tcp_conn *c = &f->h[SERVER].c;

	l->params[CLIENT].loss = 50000;
	l->params[CLIENT].delay_ns = l->params[SERVER].delay_ns = 5 * NS_PER_MS;
	for (int i = 0; i < 1000 && !(f->h[SERVER].alive && c->ooo_last); i++)
		line_run(l, l->now + NS_PER_MS);
	EXPECT(c->ooo_last != NULL);
	c->mem_level = 2;
	EXPECT(line_finish(l, l->now + 600 * NS_PER_SEC));
	expect_whole(l, f);
	line_free(l);
}

/* Octets per second of the server's user between two points of time. */
static u64 goodput(struct line *l, struct line_flow *f, s64 warm, s64 measure)
{
	u64 before;

	line_run(l, l->now + warm);
	before = f->h[SERVER].received;
	line_run(l, l->now + measure);
	return (f->h[SERVER].received - before) * 1000 / (u64)(measure / NS_PER_MS);
}

static void expect_share(u64 got, u64 ideal, u32 percent, const char *what)
{
	char name[96];

	unit_snprintf(name, sizeof(name), "%s: %llu of %llu B/s (%llu%%), wanted %u%%", what, got,
		ideal, got * 100 / ideal, percent);
	unit_expect(got * 100 >= ideal * percent, name, __FILE__, __LINE__);
}

/* What a line of that rate carries in full segments with timestamps. */
static u64 ideal_of(u64 rate, u32 mss)
{
	return rate * (mss - 12) / (mss + 20 + IP_OVERHEAD - 12 + 0);
}

UNIT(a_clean_line_is_filled)
{
	static const struct {
		u32 mbit, rtt_ms, queue_permille; /* of the product of rate and delay */
	} lines[] = {{1, 20, 2000}, {10, 40, 1000}, {100, 10, 1000}, {100, 100, 500},
		{1000, 2, 1000}, {20, 300, 1000}};

	if (!long_run())
		return;
	for (u32 i = 0; i < ARRAY_SIZE(lines); i++)
		for (u32 k = 0; k < 2; k++) {
			struct line *l = line_new(10 + i);
			u64 rate = mbit(lines[i].mbit), bdp = rate * lines[i].rtt_ms / 1000;
			struct line_flow *f = line_flow_new(l, 1ull << 40, 0);
			char what[64];

			l->check = false;
			l->cc = k ? &tcp_newreno : &tcp_cubic;
			l->params[0].rate = l->params[1].rate = rate;
			l->params[0].delay_ns = l->params[1].delay_ns = lines[i].rtt_ms *
				NS_PER_MS / 2;
			l->params[0].queue = l->params[1].queue = (u32)max(
				bdp * lines[i].queue_permille / 1000, 20000ull);
			f->h[CLIENT].sndbuf = 16 << 20;
			unit_snprintf(what, sizeof(what), "%s, %u Mbit/s, %u ms", l->cc->name,
				lines[i].mbit, lines[i].rtt_ms);
			/* Reno needs minutes for large windows with small queues: that is its law. */
			expect_share(goodput(l, f, 15 * NS_PER_SEC, 15 * NS_PER_SEC),
				ideal_of(rate, 1460), k && bdp > 500000 ? 60 : 90, what);
			EXPECT_STR(l->broken ?: "right", "right");
			line_free(l);
		}
}

static double root(double v)
{
	double x = v > 1 ? v : 1;

	for (int i = 0; i < 60; i++)
		x = (x + v / x) / 2;
	return x;
}

/* RFC 9438 5.1, 4.3: mean window in segments for loss of one in 1/p and round trip r. */
static double cubic_window(double p, double r)
{
	double cubic = 1.054 * root(root(r * r * r / (p * p * p))), reno = 1.22 / root(p);

	return cubic > reno ? cubic : reno;
}

UNIT(random_loss_costs_what_the_law_of_the_congestion_control_says)
{
	static const struct {
		u32 ppm, rtt_ms;
	} lines[] = {{1000, 20}, {10000, 20}, {10000, 100}, {1000, 100}, {30000, 40}, {300, 50}};

	if (!long_run())
		return;
	for (u32 i = 0; i < ARRAY_SIZE(lines); i++) {
		struct line *l = line_new(30 + i);
		struct line_flow *f = line_flow_new(l, 1ull << 40, 0);
		double rtt = lines[i].rtt_ms / 1000.0, want;
		char what[64];

		l->check = false;
		l->params[0].delay_ns = l->params[1].delay_ns = lines[i].rtt_ms * NS_PER_MS / 2;
		l->params[0].loss = lines[i].ppm;
		f->h[CLIENT].sndbuf = 16 << 20;
		want = cubic_window(lines[i].ppm / 1e6, rtt) * 1448 / rtt;
		unit_snprintf(what, sizeof(what), "cubic, loss %u ppm, %u ms", lines[i].ppm,
			lines[i].rtt_ms);
		expect_share(goodput(l, f, 20 * NS_PER_SEC, 200 * NS_PER_SEC), (u64)want, 90, what);
		EXPECT_STR(l->broken ?: "right", "right");
		line_free(l);
	}
}

static void fairness(const struct tcp_cc_ops *cc, u32 flows, bool ecn)
{
	struct line *l = line_new(50 + flows);
	u64 before[LINE_FLOWS], rate = mbit(50), bdp = rate * 40 / 1000;
	double sum = 0, squares = 0;
	char what[64];

	l->check = false;
	l->cc = cc;
	l->cfg.ecn = ecn ? 1 : 2;
	for (u32 i = 0; i < 2; i++) {
		l->params[i].rate = rate;
		l->params[i].delay_ns = 20 * NS_PER_MS;
		l->params[i].queue = (u32)bdp;
		l->params[i].mark = ecn ? (u32)bdp / 4 : 0;
		l->params[i].jitter_ns = 200000; /* lines without any lock flows in step */
	}
	for (u32 i = 0; i < flows; i++) {
		struct line_flow *f = line_flow_new(l, 1ull << 40, 0);

		f->start_ns += (s64)i * NS_PER_SEC;
		f->h[CLIENT].sndbuf = 8 << 20;
	}
	line_run(l, l->now + 60 * NS_PER_SEC);
	for (u32 i = 0; i < flows; i++)
		before[i] = l->flow[i].h[SERVER].received;
	line_run(l, l->now + 120 * NS_PER_SEC);
	for (u32 i = 0; i < flows; i++) {
		double x = (double)(l->flow[i].h[SERVER].received - before[i]) / 120;

		sum += x;
		squares += x * x;
	}
	unit_snprintf(what, sizeof(what), "%u flows of %s%s together", flows, cc->name,
		ecn ? " with ECN" : "");
	expect_share((u64)sum, ideal_of(rate, 1460), 90, what);
	/* Jain's index: 1 when all get the same. */
	unit_snprintf(what, sizeof(what), "fairness of %u flows of %s%s, permille", flows, cc->name,
		ecn ? " with ECN" : "");
	expect_share((u64)(1000 * sum * sum / (flows * squares)), 1000, flows > 4 ? 85 : 90, what);
	if (ecn) {
		EXPECT(g_line_counts[TCPC_RETRANS] == 0 || l->drops < l->segments / 1000);
		EXPECT(l->flow[0].h[CLIENT].c.delivered_ce > 0);
	}
	EXPECT_STR(l->broken ?: "right", "right");
	line_free(l);
}

UNIT(flows_share_a_line_fairly)
{
	if (!long_run())
		return;
	fairness(&tcp_cubic, 2, false);
	fairness(&tcp_cubic, 8, false);
	fairness(&tcp_newreno, 4, false);
	fairness(&tcp_cubic, 4, true);
}

UNIT(reordering_alone_costs_little)
{
	struct line *l = line_new(70);
	struct line_flow *f = line_flow_new(l, 1ull << 40, 0);
	u64 rate = mbit(20);

	l->check = false;
	for (u32 i = 0; i < 2; i++) {
		l->params[i].rate = rate;
		l->params[i].delay_ns = 20 * NS_PER_MS;
		l->params[i].queue = (u32)(rate * 40 / 1000);
	}
	line_run(l, l->now + NS_PER_SEC);
	EXPECT_EQ(f->h[CLIENT].c.reordering, 3);
	l->params[0].reorder = 20000;
	l->params[0].reorder_ns = 8 * NS_PER_MS;
	f->h[CLIENT].sndbuf = 8 << 20;
	expect_share(goodput(l, f, 10 * NS_PER_SEC, 30 * NS_PER_SEC), ideal_of(rate, 1460), 90,
		"reordering by up to 8 of 40 ms");
	/* 8 ms are 13 segments, and what is late itself may be overtaken a little later. */
	EXPECT(f->h[CLIENT].c.reordering > 8 && f->h[CLIENT].c.reordering <= 16);
	EXPECT_STR(l->broken ?: "right", "right");
	line_free(l);
}

static struct line_flow *fast_flow(struct line *l, u64 up, u64 down, bool taken)
{
	struct line_flow *f = line_flow_new(l, up, down);

	f->fast = true;
	f->fast_taken = taken;
	return f;
}

UNIT(fast_open_brings_data_and_its_answer_in_one_round_trip)
{
	struct line *l = line_new(300);
	struct line_flow *f = fast_flow(l, 1000, 3000, true);

	line_run(l, l->now + 11 * NS_PER_MS);
	EXPECT_EQ(f->h[SERVER].c.state, TCP_SYN_RECV);
	EXPECT_EQ(f->h[SERVER].received, 1000);
	EXPECT_EQ(f->h[SERVER].sent, 3000);
	line_run(l, l->now + 10 * NS_PER_MS);
	EXPECT_EQ(f->h[CLIENT].received, 3000);
	EXPECT(f->h[CLIENT].c.fo_data_acked);
	EXPECT(line_finish(l, l->now + 60 * NS_PER_SEC));
	expect_whole(l, f);
	EXPECT_EQ(f->h[CLIENT].c.total_retrans, 0);
	EXPECT_EQ(f->h[SERVER].c.total_retrans, 0);
	line_free(l);
}

UNIT(fast_open_that_is_not_taken_sends_its_data_at_once_after_the_handshake)
{
	struct line *l = line_new(301);
	struct line_flow *f = fast_flow(l, 100000, 3000, false);

	line_run(l, l->now + 31 * NS_PER_MS);
	EXPECT(f->h[SERVER].received >= 1000);
	EXPECT(!f->h[CLIENT].c.fo_data_acked);
	EXPECT_EQ(f->h[CLIENT].c.fo_fail, TFO_DATA_NOT_ACKED);
	EXPECT(line_finish(l, l->now + 60 * NS_PER_SEC));
	expect_whole(l, f);
	line_free(l);
}

UNIT(fast_open_outlives_a_lost_synack_and_duplicate_syns)
{
	for (u32 taken = 0; taken < 2; taken++) {
		struct line *l = line_new(302 + taken);
		struct line_flow *f = fast_flow(l, 50000, 30000, taken);

		f->lose_synack = true;
		EXPECT(line_finish(l, l->now + 60 * NS_PER_SEC));
		expect_whole(l, f);
		EXPECT_EQ(f->h[CLIENT].c.fo_data_acked, taken);
		line_free(l);

		l = line_new(304 + taken);
		f = fast_flow(l, 50000, 30000, taken);
		l->params[CLIENT].dup = 1000000;
		EXPECT(line_finish(l, l->now + 60 * NS_PER_SEC));
		expect_whole(l, f);
		line_free(l);
	}
}

UNIT(fast_open_to_nobody_ends_and_its_server_gives_up)
{
	struct line *l = line_new(306);
	struct line_flow *f = fast_flow(l, 1000, 0, true);

	l->params[SERVER].black = true; /* no answer arrives */
	EXPECT(line_finish(l, l->now + 300 * NS_PER_SEC));
	EXPECT_EQ(f->h[CLIENT].error, ETIMEDOUT);
	EXPECT(f->h[SERVER].error == ETIMEDOUT || f->h[SERVER].error == ECONNRESET);
	EXPECT_STR(l->broken ?: "right", "right");
	line_free(l);
}

UNIT(what_waits_in_a_device_that_stands_still_is_not_sent_again)
{
	for (u32 sack = 0; sack < 2; sack++) {
		struct line *l = line_new(7 + sack);
		struct line_flow *f = line_flow_new(l, 400000, 0);
		u64 before = g_line_counts[TCPC_SPURIOUS_RTX];

		l->cfg.sack = l->cfg.timestamps = (u8)sack;
		line_run(l, l->now + 50 * NS_PER_MS);
		l->params[CLIENT].still_ns = l->now + 5 * NS_PER_SEC;
		EXPECT(line_finish(l, l->now + 100 * NS_PER_SEC));
		expect_whole(l, f);
		EXPECT(g_line_counts[TCPC_SPURIOUS_RTX] > before);
		EXPECT_EQ(f->h[CLIENT].c.total_retrans, 0);
		EXPECT_EQ(f->h[CLIENT].c.backoff, 0);
		line_free(l);
	}
}

UNIT(a_lost_tail_is_repaired_by_a_probe_and_not_by_a_timeout)
{
	u32 slow = 0;

	for (u32 seed = 0; seed < 50; seed++) {
		struct line *l = line_new(100 + seed);
		struct line_flow *f = line_flow_new(l, 20000, 0);

		l->params[0].delay_ns = l->params[1].delay_ns = 10 * NS_PER_MS;
		line_run(l, l->now + 5 * NS_PER_MS);
		f->h[CLIENT].close_when_sent = f->h[SERVER].close_when_sent = false;
		line_run(l, l->now + 16 * NS_PER_MS); /* the first flight is out */
		{
			struct packet *last = tcp_packet(f->h[CLIENT].c.rtx_last);
			u64 timeouts = g_line_counts[TCPC_TIMEOUTS];

			EXPECT(last != NULL);
			/* Take the last segments of the flight off the wire. */
			for (u32 i = 0; i < l->nr_heap; i++)
				if (l->heap[i].s.len &&
					seq_after(l->heap[i].s.seq, f->h[CLIENT].c.snd_nxt - 4000))
					l->heap[i].s.seq -=
						100000000; /* stale: dropped by the receiver */
			line_run(l, l->now + 5 * NS_PER_SEC);
			slow += g_line_counts[TCPC_TIMEOUTS] != timeouts;
			EXPECT_EQ(f->h[SERVER].received, 20000);
		}
		line_free(l);
	}
	EXPECT_EQ(slow, 0);
}

/* ---- random lines
 * ------------------------------------------------------------------------------------ */

static void randomize(struct line *l)
{
	static const u32 sizes[] = {88, 536, 1220, 1460, 8960, 65483};

	for (u32 i = 0; i < 2; i++) {
		struct line_params *w = &l->params[i];

		w->rate = line_below(l, 3) ? 2000 + line_below(l, 1u << line_below(l, 26)) : 0;
		w->delay_ns = (s64)line_below(l, 1ull << line_below(l, 30));
		w->queue = line_below(l, 2) ? 3000 + (u32)line_below(l, 300000) : 0;
		w->loss = line_below(l, 2) ? (u32)line_below(l, 1u << line_below(l, 18)) : 0;
		w->dup = line_below(l, 3) ? 0 : (u32)line_below(l, 100000);
		w->reorder = line_below(l, 2) ? (u32)line_below(l, 300000) : 0;
		w->reorder_ns = (s64)line_below(l, 1ull << line_below(l, 29));
		w->jitter_ns = line_below(l, 4) ? 0 : (s64)line_below(l, 1ull << line_below(l, 26));
		w->mark = line_below(l, 4) ? 0 : 1 + (u32)line_below(l, 20000);
		w->mss = sizes[line_below(l, ARRAY_SIZE(sizes))];
		w->gso = line_below(l, 3) ? 65160 : w->mss;
	}
	l->cc = line_below(l, 2) ? &tcp_cubic : &tcp_newreno;
	l->cfg.timestamps = line_below(l, 4) != 0;
	l->cfg.sack = line_below(l, 4) != 0;
	l->cfg.dsack = line_below(l, 4) != 0;
	l->cfg.window_scaling = line_below(l, 4) != 0;
	l->cfg.ecn = (u8)line_below(l, 3);
	l->cfg.frto = line_below(l, 4) ? 2 : 0;
	l->cfg.early_retrans = line_below(l, 4) ? 3 : 0;
	l->cfg.rmem[1] = line_below(l, 4) ? 131072 : 2304 + (s32)line_below(l, 40000);
}

static void random_user(struct line *l, struct line_host *h)
{
	h->sndbuf = 1000 + (u32)line_below(l, 1u << line_below(l, 21));
	h->write_most = line_below(l, 2) ? 0 : 1 + (u32)line_below(l, 1u << line_below(l, 16));
	h->read_most = line_below(l, 2) ? 0 : 1 + (u32)line_below(l, 1u << line_below(l, 17));
	h->read_every_ns = line_below(l, 3) && !h->read_most
		? 0
		: 1 + (s64)line_below(l, 1ull << line_below(l, 28));
}

static void line_abort(struct line *l, struct line_flow *f, u32 side)
{
	f->h[side].closed = true;
	tcp_abort(&f->h[side].c, 0, l->now);
	host_events(f, side);
}

static bool random_line(u64 seed)
{
	struct line *l = line_new(seed);
	u32 flows = line_below(l, 4) ? 1 : 1 + (u32)line_below(l, 4);
	bool ok = true, ended;

	randomize(l);
	for (u32 i = 0; i < flows; i++) {
		struct line_flow *f = line_flow_new(l, line_below(l, 1u << line_below(l, 19)),
			line_below(l, 1u << line_below(l, 19)));

		f->start_ns += (s64)line_below(l, NS_PER_SEC);
		f->fast = !line_below(l, 4);
		f->fast_taken = line_below(l, 2);
		random_user(l, &f->h[CLIENT]);
		random_user(l, &f->h[SERVER]);
		for (u32 k = 0; k < 2; k++) { /* crumbs, but not for days */
			struct line_host *h = &f->h[k];

			if (h->write_most)
				h->to_send = min(h->to_send, (u64)h->write_most * 300);
			if (f->h[!k].read_most)
				h->to_send = min(h->to_send, (u64)f->h[!k].read_most * 300);
		}
	}
	line_run(l, l->now + NS_PER_SEC);
	if (!line_below(l, 3))
		for (u32 i = 0; i < flows; i++) { /* options that change midway, a smaller path */
			struct line_flow *f = &l->flow[i];

			f->h[CLIENT].c.nagle = (u8)line_below(l, 2);
			if (f->h[SERVER].alive && f->h[SERVER].c.state != TCP_CLOSE)
				tcp_set_mss(&f->h[SERVER].c, 60 + (u32)line_below(l, 1400), 65160,
					l->now);
		}
	if (!line_below(l, 8) && l->flow[0].h[0].alive)
		line_abort(l, &l->flow[0], CLIENT);
	ended = line_finish(l, l->now + 20000 * NS_PER_SEC);
	if (l->broken || !ended)
		ok = false;
	for (u32 i = 0; i < flows && ok; i++) {
		struct line_flow *f = &l->flow[i];
		bool clean = !f->h[0].error && !f->h[1].error && f->h[1].alive;

		/* Without an error on either side both streams are whole. */
		if (clean && i)
			ok = f->h[0].got_fin && f->h[1].got_fin;
	}
	if (!ok) {
		char what[1024];
		int n = unit_snprintf(what, sizeof(what),
			"seed %llu: %s after %llu s, %llu steps; rates %llu %llu queue %u %u loss %u %u mss %u %u delay %lld %lld us",
			seed,
			l->broken
				?: ended ? "not whole"
					 : "did not end",
			(u64)(l->now / NS_PER_SEC) - 1000, l->steps, l->params[0].rate,
			l->params[1].rate, l->params[0].queue, l->params[1].queue,
			l->params[0].loss, l->params[1].loss, l->params[0].mss, l->params[1].mss,
			l->params[0].delay_ns / 1000, l->params[1].delay_ns / 1000);

		for (u32 i = 0; i < 2 * flows && n < 800; i++) {
			const struct line_host *h = &l->flow[i / 2].h[i % 2];
			const struct tcp_conn *c = &h->c;

			if (!ended && !l->broken && h->done)
				continue;
			n += unit_snprintf(what + n, sizeof(what) - (size_t)n,
				"; state %u error %d sent %llu of %llu got %llu, una %u nxt %u write %u wnd %u "
				"flight %u lost %u sacked %u cwnd %u timer %u in %lld ms, rcv %u right %u rmem %u",
				c->state, h->error, h->sent, h->to_send, h->received,
				c->snd_una - c->iss, c->snd_nxt - c->iss, c->write_seq - c->iss,
				c->snd_wnd, c->flight, c->lost, c->sacked, c->cwnd, c->timer_kind,
				c->timer_ns == TIME_NEVER ? -1 : (c->timer_ns - l->now) / NS_PER_MS,
				c->rcv_nxt - c->irs, c->rcv_right - c->irs, c->rmem);
		}
		unit_expect(false, what, __FILE__, __LINE__);
	}
	line_free(l);
	return ok;
}

UNIT(any_line_gives_the_right_octets_or_a_clean_error)
{
	const char *n = getenv("TCP_SEEDS"), *from = getenv("TCP_FROM");
	u64 count = n ? (u64)atoi(n) : 200, first = from ? (u64)atoi(from) : 1000;
	u32 bad = 0;

	for (u64 i = 0; i < count && bad < 5; i++)
		bad += !random_line(first + i);
}
