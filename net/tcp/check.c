/* The rules of conn.h, as a function: NULL, or the first that doesn't hold. Linear: for tests. */
#include "machine.h"

struct sums {
	u32 flight, lost, sacked, retrans, packets, wmem;
};

static const char *check_rtx(const struct tcp_conn *c, struct sums *t)
{
	u32 seq = c->snd_una;

	if (c->passive_syn)
		seq++;
	for (struct rb_node *n = rb_first(&c->rtx); n; n = rb_next(n)) {
		const struct tcp_cb *cb = container_of(n, struct tcp_cb, node);
		struct packet *p = tcp_packet(n);
		u32 len = cb->end - cb->seq;

		t->packets++;
		t->wmem += p->truesize;
		if (cb->seq != seq)
			return "rtx: gap or overlap";
		if (len != p->len + (cb->flags & TCPF_FIN) + (cb->flags >> 1 & 1) || !len)
			return "rtx: packet's length and numbers differ";
		switch (cb->where) {
		case TCP_FLIGHT:
			t->flight += len;
			t->retrans += cb->retrans ? len : 0;
			break;
		case TCP_LOST:
			t->lost += len;
			break;
		case TCP_SACKED:
			t->sacked += len;
			if (!list_empty(&p->link))
				return "rtx: SACKed packet on a list";
			break;
		default:
			return "rtx: packet in no state";
		}
		seq = cb->end;
	}
	if (seq != c->snd_nxt)
		return "rtx: doesn't end at snd_nxt";
	if (c->rtx_first != rb_first(&c->rtx) || c->rtx_last != rb_last(&c->rtx))
		return "rtx: first or last is wrong";
	if (t->packets != c->nr_rtx)
		return "rtx: count";
	if (t->flight != c->flight || t->lost != c->lost || t->sacked != c->sacked ||
		t->retrans != c->retrans_flight)
		return "rtx: sums";
	return NULL;
}

static const char *check_lists(const struct tcp_conn *c)
{
	u32 flight = 0, lost = 0;
	s64 sent = 0;

	for (struct list_head *n = c->flight_list.next; n != &c->flight_list; n = n->next) {
		const struct tcp_cb *cb = tcp_cb(container_of(n, struct packet, link));

		if (cb->where != TCP_FLIGHT)
			return "flight list: packet of another state";
		if (cb->sent_ns < sent)
			return "flight list: not in order of time";
		sent = cb->sent_ns;
		flight += cb->end - cb->seq;
	}
	for (struct list_head *n = c->lost_list.next; n != &c->lost_list; n = n->next) {
		const struct tcp_cb *cb = tcp_cb(container_of(n, struct packet, link));

		if (cb->where != TCP_LOST)
			return "lost list: packet of another state";
		lost += cb->end - cb->seq;
	}
	return flight != c->flight || lost != c->lost ? "lists: sums" : NULL;
}

static const char *check_unsent(const struct tcp_conn *c, struct sums *t)
{
	u32 seq = c->snd_nxt, count = 0;

	for (struct list_head *n = c->unsent.list.next; n != &c->unsent.list; n = n->next) {
		struct packet *p = container_of(n, struct packet, link);

		if (tcp_cb(p)->seq != seq)
			return "unsent: gap";
		seq = tcp_cb(p)->end;
		count++;
		t->wmem += p->truesize;
	}
	return seq != c->write_seq         ? "unsent: doesn't end at write_seq"
		: count != c->unsent.count ? "unsent: count"
		: t->wmem != c->wmem       ? "sender: wmem"
					   : NULL;
}

static const char *check_receiver(const struct tcp_conn *c)
{
	u32 rmem = 0, bytes = 0, edge = c->rcv_nxt, ooo = 0;
	struct rb_node *last = NULL;

	if (seq_after(c->copied_seq, c->rcv_nxt) || seq_after(c->rcv_nxt, c->rcv_right))
		return "receiver: copied_seq, rcv_nxt, rcv_right";
	for (struct list_head *n = c->receive.list.next; n != &c->receive.list; n = n->next) {
		struct packet *p = container_of(n, struct packet, link);

		rmem += p->truesize;
		bytes += p->len;
	}
	if (bytes != c->receive.bytes)
		return "receive: bytes";
	for (struct rb_node *n = rb_first(&c->ooo); n; n = rb_next(n)) {
		const struct tcp_cb *cb = container_of(n, struct tcp_cb, node);
		struct packet *p = tcp_packet(n);

		if (last ? seq_before(cb->seq, edge) : !seq_after(cb->seq, edge))
			return "ooo: overlap, or in order";
		if (cb->end - cb->seq != p->len + (cb->flags & TCPF_FIN))
			return "ooo: packet's length and numbers differ";
		edge = cb->end;
		rmem += p->truesize;
		ooo += p->len;
		last = n;
	}
	if (last != c->ooo_last || ooo != c->ooo_bytes)
		return "ooo: last or bytes";
	if (rmem > c->rmem)
		return "receiver: rmem";
	for (u32 i = 0; i < c->nr_sacks; i++)
		if (!seq_before(c->sacks[i].start, c->sacks[i].end) ||
			seq_before(c->sacks[i].start, c->rcv_nxt))
			return "sacks: block in order or empty";
	return NULL;
}

const char *tcp_check(const struct tcp_conn *c)
{
	struct sums t = {0};
	const char *bad = check_receiver(c);

	bad = bad ?: check_lists(c);
	if (c->state == TCP_CLOSE)
		return bad ?: c->rtx_first || c->wmem ? "closed: rtx" : NULL;
	bad = bad ?: check_rtx(c, &t) ?: check_unsent(c, &t);
	if (!bad && c->state != TCP_SYN_SENT && c->state != TCP_SYN_RECV) {
		if (c->rtx_first && c->timer_kind == TCP_TIMER_NONE)
			bad = "something is out and no timer runs";
		else if (!list_empty(&c->unsent.list) && c->timer_kind == TCP_TIMER_NONE &&
			c->pace_ns == TIME_NEVER)
			bad = "something waits and no timer runs";
		else if (c->cwnd < c->mss && c->ca_state == TCP_CA_Open)
			bad = "window below a segment";
	}
	if (!bad && c->ack_pending == TCP_ACK_LATER && c->delack_ns == TIME_NEVER)
		bad = "an ACK is due and no timer runs";
	return bad;
}
