/* TCP segments from IP: whose are they? And ICMP errors about ours. */
#include "sock.h"
#include <linux/if_packet.h>
#include <linux/tcp.h>
#include <sched/timer.h>

static void drop(struct net *net, struct packet *p, enum inet_tcp_count why)
{
	inet_count_tcp(net, TCPM_IN_ERRS, 1);
	if (why != TCPM_IN_ERRS)
		inet_count_tcp(net, why, 1);
	packet_free(p);
}

void tcp_answer_reset(struct net *net, const struct tcp_in *in)
{
	struct packet *p = tcp_make_reset(&in->seg);

	if (!p)
		return;
	inet_count_tcp(net, TCPM_OUT_RSTS, 1);
	tcp_send_bare(net, NULL, p, &in->l.local, &in->l.remote,
		addr_needs_scope(&in->l.remote) ? (s32)in->l.ifindex : 0, 0);
}

/* False: the connection is over and its names are free: look again. */
static bool conn_input(struct tcp_sock *t, struct tcp_in *in)
{
	tcp_lock(t);
	if (unlikely(!t->hashed)) {
		tcp_unlock(t);
		return false;
	}
	tcp_input(&t->c, &in->seg, in->p, in->now);
	tcp_unlock(t);
	return true;
}

/* Whoever has the names; NULL: nobody. *mini: a request or TIME_WAIT. */
static struct tcp_sock *find(
	struct tcp_net *tn, const struct inet_lookup *l, struct tcp_mini **mini)
{
	struct inet_sock *s = inet_table_connected(tn->table, l);

	*mini = NULL;
	if (likely(s))
		return tcp_sk(&s->sk);
	*mini = tcp_mini_find(tn->minis, l);
	if (*mini)
		return NULL;
	s = inet_table_bound(tn->table, l);
	return s ? tcp_sk(&s->sk) : NULL;
}

static struct sock *sock_of(struct tcp_sock *t, struct tcp_mini *m)
{
	if (t)
		return &t->inet.sk;
	return m && m->kind == TCP_MINI_REQUEST
		? &container_of(m, struct tcp_half, mini)->listener->inet.sk
		: NULL;
}

/* Options of sockets about what may come in: IP_MINTTL, a filter. */
static bool allowed(struct sock *sk, struct packet *p)
{
	struct ip_rx *rx = ip_rx(p);
	struct inet_sock *s = inet_sk(sk);

	if (rx->ttl < (addr_is_v4(&rx->dst) ? s->min_ttl : s->min_hops)) {
		inet_count_tcp(sk->net, TCPM_MIN_TTL_DROP, 1);
		return false;
	}
	/* What a filter cuts off is sent again for ever; the header it may not cut. */
	return inet_filter(sk, p) && p->len >= TCP_HEADER_LEN;
}

static void dispatch(struct tcp_net *tn, struct tcp_sock *t, struct tcp_mini *m, struct tcp_in *in)
{
	for (;;) {
		if (likely(t) && READ_ONCE(t->c.state) != TCP_LISTEN) {
			if (likely(conn_input(t, in)))
				return;
		} else if (t) {
			tcp_listen_input(t, in, 0);
			return;
		} else if (m && m->kind == TCP_MINI_WAIT) {
			tcp_wait_input(container_of(m, struct tcp_wait, mini), in);
			return;
		} else if (m) {
			if (tcp_half_input(container_of(m, struct tcp_half, mini), in))
				return;
		} else {
			tcp_answer_reset(tn->net, in);
			packet_free(in->p);
			return;
		}
		t = find(tn, &in->l, &m);
	}
}

void tcp_rx(struct packet *p)
{
	struct net *net = p->dev->net;
	struct tcp_net *tn = tcp_net(net);
	struct ip_rx *rx = ip_rx(p);
	struct tcp_in in = {.p = p, .now = clock_mono_ns()};
	bool ce = (rx->tos & 3) == 3;
	const struct tcphdr *h;
	struct tcp_mini *m;
	struct tcp_sock *t;
	struct sock *sk;

	inet_count_tcp(net, TCPM_IN_SEGS, max_t(u32, p->gso_segs, 1));
	if (unlikely(p->pkt_type != PACKET_HOST ||
		    rx->flags & (IP_RX_BROADCAST | IP_RX_MULTICAST))) {
		packet_free(p);
		return;
	}
	if (!packet_need(p, TCP_HEADER_LEN)) {
		drop(net, p, TCPM_IN_ERRS);
		return;
	}
	if (!packet_csum_ok(p, ip_pseudo_sum(&rx->src, &rx->dst, IPPROTO_TCP, p->len))) {
		drop(net, p, TCPM_IN_CSUM_ERRORS);
		return;
	}
	h = (const struct tcphdr *)packet_data(p);
	in.l = (struct inet_lookup){rx->dst, rx->src, h->dest, h->source, p->ifindex};
	t = find(tn, &in.l, &m);
	sk = sock_of(t, m);
	if (sk && unlikely(!allowed(sk, p))) {
		packet_free(p);
		return;
	}
	if (tcp_parse(p, &in.seg)) {
		drop(net, p, TCPM_IN_ERRS);
		return;
	}
	in.seg.ce = ce;
	dispatch(tn, t, m, &in);
}

/* ---- errors about what we sent ------------------------------------------------------------------
 */

void tcp_error(struct net *net, const struct icmp_event *e)
{
	const struct tcphdr *h = (const struct tcphdr *)packet_data(e->p);
	struct inet_lookup l = {e->local, e->remote, h->source, h->dest, (u32)e->ifindex};
	bool v4 = addr_is_v4(&e->remote), told = false;
	struct inet_sock *s = inet_table_connected(tcp_net(net)->table, &l);
	u32 seq = ntohl(h->seq);
	struct tcp_sock *t;
	s64 now = clock_mono_ns();
	u8 mode;

	if (!s)
		return; /* a request or TIME_WAIT: its timer goes on */
	t = tcp_sk(&s->sk);
	mode = v4 ? s->pmtudisc : s->pmtudisc6;
	tcp_lock(t);
	if (!t->hashed || seq_before(seq, t->c.snd_una) || seq_after(seq, t->c.snd_nxt)) {
		inet_count_tcp(net, TCPM_OUT_OF_WINDOW_ICMPS, 1);
	} else if (e->err == EMSGSIZE) {
		if (mode != IP_PMTUDISC_INTERFACE && mode != IP_PMTUDISC_OMIT) {
			route_set_pmtu(net, &e->remote, s->sk.bound_dev, e->info);
			tcp_fit_path(t, now);
		}
	} else {
		told = inet_wants_errors(s, v4) && t->c.state != TCP_SYN_SENT;
		if (told)
			sock_set_error(&s->sk, e->err);
		tcp_icmp_error(&t->c, e->err, seq, e->hard, now);
	}
	tcp_unlock(t);
	if (told) {
		inet_error_icmp(s, e, h->dest, TCP_HEADER_LEN);
		sock_wake_all(&s->sk, EPOLLERR | EPOLLIN | EPOLLOUT);
	}
}
