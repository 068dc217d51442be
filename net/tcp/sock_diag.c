/* What sock_diag shows of TCP: `ss -t`. sock_diag(7), linux/inet_diag.h. */
#include "sock.h"
#include <core/init.h>
#include <inet/diag.h>
#include <linux/inet_diag.h>
#include <sched/timer.h>

enum { BOUND, CONNECTED, MINIS, NR_TABLES };
enum { TIMER_NONE, TIMER_RETRANSMIT, TIMER_KEEPALIVE, TIMER_TIME_WAIT, TIMER_PROBE };

static u32 ms_until(s64 deadline)
{
	s64 left = deadline - clock_mono_ns();

	return left > 0 ? (u32)(left / NS_PER_MS) : 0;
}

static bool show_sock(struct inet_sock *s, inet_diag_fn *fn, void *arg)
{
	struct tcp_sock *t = tcp_sk(&s->sk);
	const struct tcp_conn *c = &t->c;
	struct inet_diag_entry e;

	inet_diag_entry_of(s, &e);
	e.state = c->state;
	if (c->state == TCP_LISTEN) {
		e.rqueue = t->nr_accepts;
		e.wqueue = t->backlog;
	} else {
		e.rqueue = tcp_unread(c);
		e.wqueue = c->write_seq - c->snd_una;
		if (c->timer_kind == TCP_TIMER_PERSIST) {
			e.timer = TIMER_PROBE;
			e.retrans = c->probes_out;
			e.expires_ms = ms_until(c->timer_ns);
		} else if (c->timer_kind != TCP_TIMER_NONE) {
			e.timer = TIMER_RETRANSMIT;
			e.retrans = c->retries;
			e.expires_ms = ms_until(c->timer_ns);
		} else if (c->keep_ns != TIME_NEVER) {
			e.timer = TIMER_KEEPALIVE;
			e.retrans = c->probes_out;
			e.expires_ms = ms_until(c->keep_ns);
		}
	}
	return fn(&e, arg);
}

static bool show_mini(struct tcp_mini *m, inet_diag_fn *fn, void *arg)
{
	struct inet_diag_entry e = {.local = m->local,
		.remote = m->remote,
		.lport = m->lport,
		.rport = m->rport,
		.ifindex = (u32)m->ifindex,
		.cookie = siphash(&m, sizeof(m), &g_net_secret)};

	if (m->kind == TCP_MINI_REQUEST) {
		struct tcp_half *h = container_of(m, struct tcp_half, mini);

		e.family = (u8)h->listener->inet.sk.family;
		e.state = TCP_SYN_RECV;
		e.timer = TIMER_RETRANSMIT;
		e.retrans = h->rq.retries;
		e.expires_ms = ms_until(READ_ONCE(m->timer.deadline_ns));
		e.uid = h->listener->inet.sk.uid;
	} else {
		e.family = (u8)addr_family(&m->local);
		e.state = TCP_TIME_WAIT;
		e.timer = TIMER_TIME_WAIT;
		e.expires_ms = ms_until(
			READ_ONCE(container_of(m, struct tcp_wait, mini)->tw.deadline_ns));
	}
	return fn(&e, arg);
}

struct call {
	inet_diag_fn *fn;
	void *arg;
};

static bool each_sock(struct inet_sock *s, void *arg)
{
	struct call *c = arg;

	return show_sock(s, c->fn, c->arg);
}

static bool each_mini(struct tcp_mini *m, void *arg)
{
	struct call *c = arg;

	return show_mini(m, c->fn, c->arg);
}

static bool each(struct net *net, u32 table, u32 *pos, inet_diag_fn *fn, void *arg)
{
	struct tcp_net *tn = tcp_net(net);
	struct call c = {fn, arg};

	return table == MINIS ? tcp_mini_each(tn->minis, pos, each_mini, &c)
			      : inet_table_each(tn->table, table == CONNECTED, pos, each_sock, &c);
}

static bool find(struct net *net, const struct inet_lookup *l, inet_diag_fn *fn, void *arg)
{
	struct tcp_net *tn = tcp_net(net);
	struct inet_sock *s = inet_table_connected(tn->table, l);
	struct tcp_mini *m;

	if (s)
		return show_sock(s, fn, arg);
	m = tcp_mini_find(tn->minis, l);
	if (m)
		return show_mini(m, fn, arg);
	s = inet_table_bound(tn->table, l);
	return s && show_sock(s, fn, arg);
}

static bool asked(u8 ext, u32 what)
{
	return ext >> (what - 1) & 1;
}

static bool fill(struct nl_buf *b, const struct inet_diag_entry *e, u8 ext)
{
	struct tcp_sock *t = tcp_sk(&e->s->sk);
	const char *cc = READ_ONCE(t->c.cc)->name;
	struct tcp_info info;

	if (asked(ext, INET_DIAG_INFO)) {
		spin_lock(&t->inet.sk.lock);
		tcp_get_info(t, &info);
		spin_unlock(&t->inet.sk.lock);
		if (!nl_put_aligned(b, INET_DIAG_INFO, &info, sizeof(info), INET_DIAG_PAD))
			return false;
	}
	return !asked(ext, INET_DIAG_CONG) || nl_put_string(b, INET_DIAG_CONG, cc);
}

static void memory(const struct inet_sock *s, u32 *rmem, u32 *wmem, u32 *drops)
{
	const struct tcp_sock *t = container_of(s, struct tcp_sock, inet);

	*rmem = t->c.rmem;
	*wmem = t->c.wmem;
}

static int tcp_diag_init(void)
{
	static const struct inet_diag_proto proto = {
		IPPROTO_TCP, NR_TABLES, each, find, fill, memory};

	inet_diag_register(&proto);
	return 0;
}
INIT_HOOK(INIT_CORE, tcp_diag_init);
