/*
 * The receiver: data in order, the window that is announced, when an ACK goes, urgent data, FIN.
 * RFC 9293 3.8.6.2, 3.8.5, RFC 1122 4.2.3.2 and 4.2.3.3, RFC 5681 4.2.
 */
#include "machine.h"

#define JOIN_MAX 4096u /* payload of a packet that is merged into the one before, to save memory */

void tcp_dsack_set(struct tcp_conn *c, u32 start, u32 end, bool ooo)
{
	if (!c->sack_on || !c->cfg->dsack || start == end)
		return;
	tcp_count(c, ooo ? TCPC_DSACK_OFO_SENT : TCPC_DSACK_SENT, 1);
	c->dsack_due = true;
	c->dsack = (struct seq_range){start, end};
}

/* ---- window
 * ---------------------------------------------------------------------------------------- */

/* Half of the free buffer: packets cost more memory than they carry. */
static u32 space_of(const struct tcp_conn *c, s32 bytes)
{
	u32 space = bytes > 0 ? (u32)bytes / 2 : 0;

	if (c->window_clamp)
		space = min(space, c->window_clamp);
	return min(space, 65535u << TCP_MAX_WSCALE);
}

u32 tcp_window_space(const struct tcp_conn *c)
{
	u32 space = space_of(c, (s32)(c->rcvbuf - (s64)c->rmem));

	return unlikely(c->mem_level) ? min(space, TCP_MEM_WINDOW * c->advmss) : space;
}

/* The least step of the right edge that is worth telling (silly window). */
static u32 window_step(const struct tcp_conn *c)
{
	return max(min(space_of(c, c->rcvbuf) / 2, c->rcv_mss), 1u);
}

u32 tcp_new_window(struct tcp_conn *c)
{
	u32 shift = c->rcv_wscale;
	u32 now = c->rcv_right - c->rcv_nxt, space = tcp_window_space(c), val;

	if (seq_after(c->rcv_nxt, c->rcv_right)) /* a FIN beyond a closed window */
		now = 0;
	/*
	 * What was promised stays accepted. It may not be a multiple of the scale's unit, and then
	 * the header says less: rounding up would move the edge with every small segment (RFC
	 * 7323 2.4).
	 */
	val = min((space >= now + window_step(c) ? space : now) >> shift, 65535u);
	if (!val && c->rcv_right != c->rcv_nxt)
		tcp_count(c, TCPC_TO_ZERO_WINDOW, 1);
	if (seq_after(c->rcv_nxt + (val << shift), c->rcv_right))
		c->rcv_right = c->rcv_nxt + (val << shift);
	return val;
}

/* After the user has read: is the window so much wider that the peer should hear of it? */
void tcp_window_opened(struct tcp_conn *c, s64 now)
{
	u32 before = seq_after(c->rcv_right, c->rcv_nxt) ? c->rcv_right - c->rcv_nxt : 0;
	u32 space = tcp_window_space(c);

	if (c->fin_rcvd || !tcp_synchronised(c))
		return;
	if (space >= 2 * before && space >= before + window_step(c)) {
		if (!before)
			tcp_count(c, TCPC_FROM_ZERO_WINDOW, 1);
		c->ack_pending = TCP_ACK_NOW;
	} else if (c->ack_pending && c->ack_bytes > c->rcv_mss) {
		c->ack_pending = TCP_ACK_NOW;
	}
}

/*
 * Once in a round trip: has the user read more than the window was sized for? Then the sender may
 * be growing: leave room for twice as much, and for growth of that growth.
 */
void tcp_space_adjust(struct tcp_conn *c, s64 now)
{
	u32 copied = c->copied_seq - c->rcv_space_copied;

	if (!c->rcv_rtt_ns || now - c->rcv_space_ns < c->rcv_rtt_ns)
		return;
	if (copied > c->rcv_space) {
		if (c->cfg->moderate_rcvbuf && !c->rcvbuf_locked && !c->mem_level) {
			u64 want = 2ull * copied + 16ull * c->advmss;

			want += 2 * want * (copied - c->rcv_space) / max(c->rcv_space, 1u);
			want = min(2 * want, (u64)c->cfg->rmem[2]);
			if ((s64)want > c->rcvbuf)
				c->rcvbuf = (s32)want;
		}
		c->rcv_space = copied;
	}
	c->rcv_space_copied = c->copied_seq;
	c->rcv_space_ns = now;
}

void tcp_consumed(struct tcp_conn *c, u32 n, u32 truesize, s64 now)
{
	c->copied_seq += n;
	c->rmem -= truesize;
	if (n)
		tcp_space_adjust(c, now);
	if (c->state == TCP_CLOSE)
		return;
	tcp_window_opened(c, now);
	if (c->ack_pending == TCP_ACK_NOW)
		tcp_send_ack(c, now);
}

/* ---- acknowledgements
 * ------------------------------------------------------------------------------ */

void tcp_set_quickack(struct tcp_conn *c, bool on, s64 now)
{
	c->pingpong = !on;
	c->quick_acks = on ? TCP_QUICK_ACKS : 0;
	if (on && c->ack_pending) {
		c->ack_pending = TCP_ACK_NOW;
		tcp_output(c, now);
	}
}

static void schedule_ack(struct tcp_conn *c, u32 n, s64 now)
{
	c->ack_bytes += n;
	if (c->ack_pending == TCP_ACK_NOW)
		return;
	if (c->ack_bytes > c->rcv_mss || (c->quick_acks && !c->pingpong) || !rb_empty(&c->ooo) ||
		c->dsack_due) {
		c->ack_pending = TCP_ACK_NOW;
		return;
	}
	if (!c->ack_pending) {
		c->ack_pending = TCP_ACK_LATER;
		c->delack_ns = now + max(c->ato_ns, TCP_DELACK_MIN_NS);
	}
}

static void estimate_mss(struct tcp_conn *c, const struct packet *p, u32 len)
{
	u32 n = p->gso_size ? p->gso_size : len;

	if (n > c->rcv_mss)
		c->rcv_mss = min(n, max(c->advmss, TCP_MSS_DEFAULT));
}

/* How often data comes: the delay of ACKs follows, between 40 and 200 ms. */
static void estimate_ato(struct tcp_conn *c, s64 now)
{
	s64 gap = now - c->last_recv_ns;

	if (gap > c->rto_ns) /* the sender starts again: its window is small */
		c->quick_acks = max_t(u8, c->quick_acks, TCP_QUICK_ACKS / 2);
	else if (gap < c->ato_ns)
		c->ato_ns = max(c->ato_ns / 2 + gap, TCP_DELACK_MIN_NS);
	c->last_recv_ns = now;
}

/* ---- urgent data
 * ------------------------------------------------------------------------------------ */

void tcp_skip_urgent(struct tcp_conn *c, s64 now)
{
	struct packet *p = packet_queue_first(&c->receive);
	u32 truesize = 0;

	if (!p || tcp_cb(p)->seq != c->copied_seq) /* a reader has it in hand */
		return;
	if (p->len == 1) {
		packet_queue_remove(&c->receive, p);
		truesize = p->truesize;
		packet_free(p);
	} else {
		packet_drop_front(p, 1);
		tcp_cb(p)->seq++;
		c->receive.bytes--;
	}
	tcp_consumed(c, 1, truesize, now);
}

static void urgent_pointer(struct tcp_conn *c, const struct tcp_seg *s, s64 now)
{
	u32 at = s->seq + s->urg;

	/* BSD's reading, which all hosts have: it points behind the octet. */
	if (s->urg && !c->cfg->stdurg)
		at--;
	if (seq_before(at, c->copied_seq) || seq_before(at, c->rcv_nxt))
		return;
	if (c->urg_state != TCP_URG_NONE && !seq_after(at, c->rcv_up))
		return;
	/* The one before is next and nobody has read up to it: it is lost, as on other systems. */
	if (c->urg_state != TCP_URG_NONE && !c->urg_inline && c->rcv_up == c->copied_seq)
		tcp_skip_urgent(c, now);
	c->rcv_up = at;
	c->urg_state = TCP_URG_COMING;
	c->events |= TCPE_URGENT;
}

static void urgent_octet(struct tcp_conn *c, const struct tcp_seg *s, const struct packet *p)
{
	u32 off = c->rcv_up - s->seq;

	if (c->urg_state != TCP_URG_COMING || off >= s->len)
		return;
	packet_copy_out(p, off, &c->urg_byte, 1);
	c->urg_state = TCP_URG_HERE;
	c->events |= TCPE_URGENT_HERE | TCPE_READABLE;
}

/* ---- data
 * ------------------------------------------------------------------------------------------- */

void tcp_fin_input(struct tcp_conn *c, s64 now)
{
	c->fin_rcvd = true;
	c->ack_pending = TCP_ACK_NOW;
	c->events |= TCPE_FIN | TCPE_READABLE;
	tcp_ooo_purge(c);
	switch (c->state) {
	case TCP_SYN_RECV:
	case TCP_ESTABLISHED:
		tcp_set_state(c, TCP_CLOSE_WAIT);
		break;
	case TCP_FIN_WAIT1:
		tcp_set_state(c, TCP_CLOSING);
		break;
	case TCP_FIN_WAIT2:
		tcp_set_state(c, TCP_TIME_WAIT);
		break;
	}
}

/* p begins at rcv_nxt; counted in rmem. */
void tcp_take_in_order(struct tcp_conn *c, struct packet *p, s64 now)
{
	struct tcp_cb *cb = tcp_cb(p);
	bool fin = cb->flags & TCPF_FIN;
	u32 n = p->len;

	c->rcv_nxt = cb->end;
	if (seq_before(c->rcv_right, c->rcv_nxt))
		c->rcv_right = c->rcv_nxt;
	c->bytes_received += n;
	if (!n) {
		c->rmem -= p->truesize;
		packet_free(p);
	} else {
		struct packet *last = list_empty(&c->receive.list)
			? NULL
			: list_last_entry(&c->receive.list, struct packet, link);
		u32 before = last ? last->truesize : 0, own = p->truesize;

		if (last && n < JOIN_MAX && last->len < JOIN_MAX && packet_join(last, p)) {
			c->rmem += last->truesize - before - own;
			c->receive.bytes += n;
		} else {
			packet_queue_add(&c->receive, p);
		}
		c->events |= TCPE_READABLE;
	}
	if (fin)
		tcp_fin_input(c, now);
}

static bool make_room(struct tcp_conn *c, const struct packet *p)
{
	bool nothing_to_read = list_empty(&c->receive.list);

	/* All sockets together have too much: what came out of order gives way to what is next in
	 * order, which alone makes it readable. */
	if (unlikely(c->mem_level >= TCP_MEM_OVER) && c->rmem > p->truesize) {
		if (!nothing_to_read)
			return false;
		(void)!tcp_ooo_prune(c, tcp_cb(p)->end, p->truesize, c->rmem);
	}
	if (likely((s64)c->rmem + p->truesize <= c->rcvbuf))
		return true;
	/* What is next in order is taken when there is nothing to read: or nothing would ever move.
	 */
	if (tcp_ooo_prune(c, tcp_cb(p)->end, p->truesize, c->rcvbuf) || nothing_to_read)
		return (s64)c->rmem <= c->rcvbuf;
	return false;
}

/* Cut p to what is new and was asked for. False: nothing is left. */
static bool trim(struct tcp_conn *c, struct packet *p)
{
	struct tcp_cb *cb = tcp_cb(p);
	u32 fin = cb->flags & TCPF_FIN;

	if (seq_before(cb->seq, c->rcv_nxt)) {
		u32 old = seq_min(c->rcv_nxt, cb->end);

		if (p->len)
			tcp_dsack_set(c, cb->seq, old, false);
		c->ack_pending = TCP_ACK_NOW;
		if (!seq_after(cb->end, c->rcv_nxt))
			return false;
		packet_drop_front(p, min(c->rcv_nxt - cb->seq, p->len));
		cb->seq = c->rcv_nxt;
	}
	if (seq_after(cb->end - fin, c->rcv_right)) {
		u32 keep = seq_after(c->rcv_right, cb->seq) ? c->rcv_right - cb->seq : 0;

		c->ack_pending = TCP_ACK_NOW;
		if (!keep) {
			tcp_count(c, TCPC_ZERO_WINDOW_DROP, 1);
			return false;
		}
		packet_trim(p, keep);
		cb->end = cb->seq + keep;
		cb->flags = 0;
	}
	return true;
}

/* Sixth to eighth check of RFC 9293 3.10.7.4; consumes p. */
void tcp_data_input(struct tcp_conn *c, const struct tcp_seg *s, struct packet *p, s64 now)
{
	struct tcp_cb *cb = tcp_cb(p);
	u32 end = seg_end(s);

	if (c->fin_rcvd) { /* the peer has said that nothing more comes: its FIN again */
		c->ack_pending = TCP_ACK_NOW;
		packet_free(p);
		return;
	}
	if (unlikely(c->shut_rcv) && (c->state == TCP_FIN_WAIT1 || c->state == TCP_FIN_WAIT2) &&
		s->len && seq_after(end - (s->flags & TCPF_FIN), c->rcv_nxt)) {
		tcp_count(c, TCPC_ABORT_DATA, 1);
		packet_free(p);
		tcp_send_reset(c, now);
		tcp_done(c, 0);
		return;
	}
	if (unlikely(s->flags & TCPF_URG))
		urgent_pointer(c, s, now);
	if (unlikely(c->urg_state == TCP_URG_COMING))
		urgent_octet(c, s, p);
	cb->seq = s->seq;
	cb->end = end;
	cb->flags = s->flags & TCPF_FIN;
	c->data_segs_in += max_t(u32, p->gso_segs, 1);
	if (s->seq == end || !trim(c, p)) {
		packet_free(p);
		return;
	}
	estimate_mss(c, p, s->len);
	estimate_ato(c, now);
	if (cb->seq != c->rcv_nxt) {
		c->ack_pending = TCP_ACK_NOW;
		tcp_ooo_insert(c, p, now);
		return;
	}
	if (unlikely(!make_room(c, p))) {
		tcp_count(c, TCPC_RCV_QDROP, 1);
		c->ack_pending = TCP_ACK_NOW;
		packet_free(p);
		return;
	}
	c->rmem += p->truesize;
	tcp_take_in_order(c, p, now);
	if (unlikely(!rb_empty(&c->ooo))) {
		c->ack_pending = TCP_ACK_NOW;
		tcp_ooo_deliver(c, now);
	}
	tcp_receiver_rtt(c, s, now);
	schedule_ack(c, s->len, now);
}
