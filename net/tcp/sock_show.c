/* What /proc shows of TCP sockets, and net.ipv4.tcp_*. proc(5), tcp(7). */
#include "sock.h"
#include <lib/seq_buf.h>
#include <sched/timer.h>
#include <tcp/tcp.h>

/* ---- /proc/net/tcp ------------------------------------------------------------------------------
 */

struct show {
	struct seq_buf *s;
	int family;
	u32 nr; /* of the line */
	s64 now;
	u32 table, pos; /* where we are: bound, connected, small ones; bucket */
	u32 shown;      /* the bucket whose first socket was shown last */
};

/* Pieces end between buckets. A place: line, table (2 bits), bucket (30 bits). */
static bool piece_ends(struct show *sh)
{
	if (sh->pos == sh->shown)
		return false;
	sh->shown = sh->pos;
	return seq_pause(sh->s, (u64)sh->nr << 32 | sh->table << 30 | sh->pos);
}

static void put_addr(struct show *sh, const struct inet_addr *a, u16 port)
{
	if (sh->family == AF_INET)
		seq_printf(sh->s, " %08X:%04X", a->w[3], ntohs(port));
	else
		seq_printf(sh->s, " %08X%08X%08X%08X:%04X", a->w[0], a->w[1], a->w[2], a->w[3],
			ntohs(port));
}

/* Ticks of 10 ms, as programs expect them. */
static u64 ticks(s64 ns)
{
	return ns > 0 ? (u64)ns / (NS_PER_SEC / 100) : 0;
}

static void put_names(struct show *sh, const struct inet_addr *local, u16 lport,
	const struct inet_addr *remote, u16 rport)
{
	seq_printf(sh->s, "%4u:", sh->nr++);
	put_addr(sh, local, lport);
	put_addr(sh, remote, rport);
}

static void end_line(struct show *sh, u32 width, u32 start)
{
	if (sh->family == AF_INET)
		while ((u32)sh->s->len - start < width && !sh->s->overflow)
			seq_putc(sh->s, ' ');
	seq_putc(sh->s, '\n');
}

static bool show_sock(struct inet_sock *s, void *arg)
{
	struct show *sh = arg;
	struct tcp_sock *t = tcp_sk(&s->sk);
	const struct tcp_conn *c = &t->c;
	bool listening = c->state == TCP_LISTEN, up = c->state != TCP_LISTEN;
	u32 start = (u32)sh->s->len, kind = 0;
	s64 when = 0;

	if (s->sk.family != sh->family)
		return true;
	if (piece_ends(sh))
		return false;
	if (up && c->timer_kind == TCP_TIMER_PERSIST)
		kind = 4;
	else if (up && c->timer_kind != TCP_TIMER_NONE)
		kind = 1;
	else if (up && c->keep_ns != TIME_NEVER)
		kind = 2;
	if (kind)
		when = (kind == 2 ? c->keep_ns : c->timer_ns) - sh->now;
	put_names(sh, &s->local, s->lport, &s->remote, s->rport);
	seq_printf(sh->s, " %02X %08X:%08X %02X:%08llX %08X %5u %8u %llu %d %p", c->state,
		listening ? 0 : c->write_seq - c->snd_una,
		listening ? t->nr_accepts : tcp_unread(c), kind, ticks(when), c->retries, s->sk.uid,
		c->probes_out, s->sk.ino, (int)ref_read(&s->sk.refs), NULL);
	if (listening)
		seq_puts(sh->s, " 100 0 0 10 0");
	else
		seq_printf(sh->s, " %llu %llu %u %u %d", ticks(c->rto_ns), ticks(c->ato_ns),
			(u32)c->quick_acks << 1 | c->pingpong, (u32)div_round_up(c->cwnd, c->mss),
			c->ssthresh >= TCP_SSTHRESH_INF ? -1 : (int)(c->ssthresh / c->mss));
	end_line(sh, 149, start);
	return true;
}

static bool show_mini(struct tcp_mini *m, void *arg)
{
	struct show *sh = arg;
	bool half = m->kind == TCP_MINI_REQUEST;
	struct tcp_half *h = container_of(m, struct tcp_half, mini);
	u32 start = (u32)sh->s->len;
	int family = half ? h->listener->inet.sk.family : addr_family(&m->local);

	if (family != sh->family)
		return true;
	if (piece_ends(sh))
		return false;
	put_names(sh, &m->local, m->lport, &m->remote, m->rport);
	if (half)
		seq_printf(sh->s, " 03 00000000:00000000 01:%08llX %08X %5u %8u 0 0 %p",
			ticks(READ_ONCE(m->timer.deadline_ns) - sh->now), h->rq.retries,
			h->listener->inet.sk.uid, 0, NULL);
	else
		seq_printf(sh->s, " 06 00000000:00000000 03:%08llX 00000000     0        0 0 3 %p",
			ticks(container_of(m, struct tcp_wait, mini)->tw.deadline_ns - sh->now),
			NULL);
	end_line(sh, 149, start);
	return true;
}

void tcp_show(struct net *net, struct seq_buf *s, bool v6)
{
	struct tcp_net *tn = tcp_net(net);
	struct show sh = {.s = s,
		.family = v6 ? AF_INET6 : AF_INET,
		.nr = (u32)(s->at >> 32),
		.now = clock_mono_ns(),
		.table = (u32)s->at >> 30,
		.pos = (u32)s->at & ((1u << 30) - 1)};
	bool all = true;

	if (!s->at)
		seq_puts(s,
			v6 ? "  sl  local_address                         remote_address                        "
			     "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
			   : "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
			     "uid  timeout inode                                                     \n");
	for (; sh.table < 3 && all; sh.table++, sh.pos = 0) {
		sh.shown = U32_MAX;
		rcu_read_lock();
		all = sh.table == 2 ? tcp_mini_each(tn->minis, &sh.pos, show_mini, &sh)
				    : inet_table_each(tn->table, sh.table, &sh.pos, show_sock, &sh);
		rcu_read_unlock();
	}
}

void tcp_show_sockstat(struct net *net, struct seq_buf *s, bool v6)
{
	struct tcp_net *tn = tcp_net(net);
	u32 n;

	rcu_read_lock();
	n = inet_table_count(tn->table, v6 ? AF_INET6 : AF_INET);
	rcu_read_unlock();
	if (v6)
		seq_printf(s, "TCP6: inuse %u\n", n);
	else
		seq_printf(s, "TCP: inuse %u orphan %d tw %d alloc %lld mem %llu\n", n,
			READ_ONCE(tn->nr_orphans), READ_ONCE(tn->nr_tw), READ_ONCE(tn->nr_socks),
			inet_mem_pages(INET_MEM_TCP));
}

/* ---- net.ipv4.tcp_* -----------------------------------------------------------------------------
 */

#define VAR(field)                                                                    \
	{                                                                             \
		offsetof(struct tcp_net, field), sizeof(((struct tcp_net *)0)->field) \
	}
static const struct {
	u16 off, size;
} g_vars[] = {
	[TCPV_ABORT_ON_OVERFLOW] = VAR(abort_on_overflow),
	[TCPV_DSACK] = VAR(config.dsack),
	[TCPV_EARLY_RETRANS] = VAR(config.early_retrans),
	[TCPV_ECN] = VAR(config.ecn),
	[TCPV_FASTOPEN] = VAR(fastopen),
	[TCPV_FIN_TIMEOUT] = VAR(config.fin_timeout_s),
	[TCPV_FRTO] = VAR(config.frto),
	[TCPV_KEEPALIVE_INTVL] = VAR(config.keepalive_intvl_s),
	[TCPV_KEEPALIVE_PROBES] = VAR(config.keepalive_probes),
	[TCPV_KEEPALIVE_TIME] = VAR(config.keepalive_time_s),
	[TCPV_MAX_ORPHANS] = VAR(max_orphans),
	[TCPV_MAX_SYN_BACKLOG] = VAR(max_syn_backlog),
	[TCPV_MAX_TW_BUCKETS] = VAR(max_tw_buckets),
	[TCPV_MODERATE_RCVBUF] = VAR(config.moderate_rcvbuf),
	[TCPV_NOTSENT_LOWAT] = VAR(config.notsent_lowat),
	[TCPV_ORPHAN_RETRIES] = VAR(config.orphan_retries),
	[TCPV_RETRIES1] = VAR(config.retries1),
	[TCPV_RETRIES2] = VAR(config.retries2),
	[TCPV_RFC1337] = VAR(rfc1337),
	[TCPV_RMEM] = VAR(config.rmem[0]),
	[TCPV_RMEM_INITIAL] = VAR(config.rmem[1]),
	[TCPV_RMEM_MOST] = VAR(config.rmem[2]),
	[TCPV_SACK] = VAR(config.sack),
	[TCPV_SLOW_START_AFTER_IDLE] = VAR(config.slow_start_after_idle),
	[TCPV_STDURG] = VAR(config.stdurg),
	[TCPV_SYNCOOKIES] = VAR(syncookies),
	[TCPV_SYN_RETRIES] = VAR(config.syn_retries),
	[TCPV_SYNACK_RETRIES] = VAR(config.synack_retries),
	[TCPV_TIMESTAMPS] = VAR(config.timestamps),
	[TCPV_TW_REUSE] = VAR(tw_reuse),
	[TCPV_WINDOW_SCALING] = VAR(config.window_scaling),
	[TCPV_WMEM] = VAR(config.wmem[0]),
	[TCPV_WMEM_INITIAL] = VAR(config.wmem[1]),
	[TCPV_WMEM_MOST] = VAR(config.wmem[2]),
};

s64 tcp_sysctl_get(struct net *net, enum tcp_variable v)
{
	const u8 *at = (const u8 *)tcp_net(net) + g_vars[v].off;

	if (v == TCPV_NOTSENT_LOWAT)
		return READ_ONCE(*(const u32 *)at);
	return g_vars[v].size == 1 ? READ_ONCE(*at) : READ_ONCE(*(const s32 *)at);
}

void tcp_sysctl_set(struct net *net, enum tcp_variable v, s64 value)
{
	u8 *at = (u8 *)tcp_net(net) + g_vars[v].off;

	if (g_vars[v].size == 1)
		WRITE_ONCE(*at, (u8)value);
	else
		WRITE_ONCE(*(u32 *)at, (u32)value);
}
