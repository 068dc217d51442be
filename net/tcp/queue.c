/*
 * The sender's packets: the tree of what was sent, the two lists that order it, the queue of what
 * was not, and the sums over them. Only this file changes them (conn.h has the rules).
 */
#include <lib/string.h>
#include "machine.h"

static u32 cb_len(const struct packet *p)
{
	return tcp_cb(p)->end - tcp_cb(p)->seq;
}

static void count_in(struct tcp_conn *c, const struct packet *p)
{
	u32 n = cb_len(p);

	switch (tcp_cb(p)->where) {
	case TCP_FLIGHT:
		c->flight += n;
		c->retrans_flight += tcp_cb(p)->retrans ? n : 0;
		break;
	case TCP_LOST:
		c->lost += n;
		break;
	case TCP_SACKED:
		c->sacked += n;
		break;
	}
}

static void count_out(struct tcp_conn *c, const struct packet *p, u32 n)
{
	switch (tcp_cb(p)->where) {
	case TCP_FLIGHT:
		c->flight -= n;
		c->retrans_flight -= tcp_cb(p)->retrans ? n : 0;
		break;
	case TCP_LOST:
		c->lost -= n;
		break;
	case TCP_SACKED:
		c->sacked -= n;
		break;
	}
}

static void tree_append(struct tcp_conn *c, struct packet *p)
{
	struct tcp_cb *cb = tcp_cb(p);
	struct rb_node *last = c->rtx_last;

	rb_insert(&c->rtx, &cb->node, last, last ? &last->right : &c->rtx.node);
	c->nr_rtx++;
	c->rtx_last = &cb->node;
	if (!c->rtx_first)
		c->rtx_first = &cb->node;
}

void tcp_rtx_add(struct tcp_conn *c, struct packet *p, s64 now)
{
	struct tcp_cb *cb = tcp_cb(p);

	packet_queue_remove(&c->unsent, p);
	cb->where = TCP_FLIGHT;
	cb->sent_ns = now;
	cb->retrans = 0;
	tree_append(c, p);
	list_add_tail(&p->link, &c->flight_list);
	count_in(c, p);
	c->snd_nxt = cb->end;
}

void tcp_rtx_mark(struct tcp_conn *c, struct packet *p, enum tcp_where to)
{
	struct tcp_cb *cb = tcp_cb(p);

	count_out(c, p, cb_len(p));
	list_del(&p->link);
	cb->where = (u8)to;
	count_in(c, p);
	if (to == TCP_LOST) {
		struct packet *head = list_first_entry_or_null(&c->lost_list, struct packet, link);

		/* What the peer waits for goes first; the rest in the order of detection. */
		if (head && seq_before(cb->seq, tcp_cb(head)->seq))
			list_add(&p->link, &c->lost_list);
		else
			list_add_tail(&p->link, &c->lost_list);
	}
}

void tcp_rtx_resent(struct tcp_conn *c, struct packet *p, s64 now)
{
	struct tcp_cb *cb = tcp_cb(p);

	count_out(c, p, cb_len(p));
	list_del(&p->link);
	if (cb->retrans < 255)
		cb->retrans++;
	cb->where = TCP_FLIGHT;
	cb->sent_ns = now;
	list_add_tail(&p->link, &c->flight_list);
	count_in(c, p);
}

/* Each goes back to its place by time: they are older than most of what is in flight. */
void tcp_rtx_unmark_lost(struct tcp_conn *c)
{
	struct list_head *at = c->flight_list.next;
	struct packet *p, *next;

	list_for_each_entry_safe(p, next, &c->lost_list, link) {
		struct tcp_cb *cb = tcp_cb(p);

		while (at != &c->flight_list &&
			tcp_cb(container_of(at, struct packet, link))->sent_ns < cb->sent_ns)
			at = at->next;
		while (at->prev != &c->flight_list &&
			tcp_cb(container_of(at->prev, struct packet, link))->sent_ns > cb->sent_ns)
			at = at->prev;
		count_out(c, p, cb_len(p));
		list_del(&p->link);
		cb->where = TCP_FLIGHT;
		list_add_tail(&p->link, at);
		count_in(c, p);
	}
}

void tcp_rtx_remove(struct tcp_conn *c, struct packet *p)
{
	struct rb_node *n = &tcp_cb(p)->node;

	count_out(c, p, cb_len(p));
	list_del(&p->link);
	if (c->rtx_first == n)
		c->rtx_first = rb_next(n);
	if (c->rtx_last == n)
		c->rtx_last = rb_prev(n);
	rb_erase(&c->rtx, n);
	c->nr_rtx--;
}

void tcp_rtx_trim(struct tcp_conn *c, struct packet *p, u32 n)
{
	struct tcp_cb *cb = tcp_cb(p);
	u32 bytes = n;

	count_out(c, p, n);
	if (cb->flags & TCPF_SYN) {
		cb->flags &= (u8)~TCPF_SYN;
		bytes--;
	}
	packet_drop_front(p, bytes);
	cb->seq += n;
}

/* The rest of p from its octet n of payload on, as a packet of its own. */
static struct packet *cut(struct tcp_conn *c, struct packet *p, u32 n)
{
	struct packet *rest = packet_slice(p, n, p->len - n, GFP_ATOMIC);
	u32 whole = p->truesize;

	if (!rest)
		return NULL;
	memcpy(rest->cb, p->cb, sizeof(p->cb));
	list_init(&rest->link);
	packet_trim(p, n);
	p->truesize = sizeof(*p) + (u32)((u64)(whole - sizeof(*p)) * n / (n + rest->len));
	rest->truesize = whole + (u32)sizeof(*p) - p->truesize;
	c->wmem += sizeof(*p);
	return rest;
}

void tcp_free_sent(struct tcp_conn *c, struct packet *p)
{
	c->wmem -= p->truesize;
	packet_free(p);
}

/* next becomes p's neighbour in the tree; there is none between them. */
static void tree_after(struct tcp_conn *c, struct packet *p, struct packet *next)
{
	struct rb_node *n = &tcp_cb(next)->node, *at = &tcp_cb(p)->node;

	if (!at->right) {
		rb_insert(&c->rtx, n, at, &at->right);
	} else {
		for (at = at->right; at->left;)
			at = at->left;
		rb_insert(&c->rtx, n, at, &at->left);
	}
	c->nr_rtx++;
	if (c->rtx_last == &tcp_cb(p)->node)
		c->rtx_last = n;
}

bool tcp_rtx_split(struct tcp_conn *c, struct packet *p, u32 seq)
{
	struct tcp_cb *cb = tcp_cb(p);
	u32 syn = cb->flags >> 1 & 1, n = seq - cb->seq - syn;
	struct packet *rest;

	if (n == 0 || n >= p->len)
		return false;
	rest = cut(c, p, n);
	if (!rest)
		return false;
	count_out(c, p, cb_len(p));
	tcp_cb(rest)->seq = seq;
	tcp_cb(rest)->flags &= (u8)~TCPF_SYN;
	cb->end = seq;
	cb->flags &= (u8) ~(TCPF_FIN | TCPF_PSH);
	count_in(c, p);
	count_in(c, rest);
	tree_after(c, p, rest);
	if (cb->where != TCP_SACKED)
		list_add(&rest->link, &p->link);
	return true;
}

/*
 * p is lost; what follows and is lost too becomes part of it, up to one segment: many small writes
 * must not go again one by one.
 */
void tcp_rtx_collapse(struct tcp_conn *c, struct packet *p, u32 mss)
{
	struct tcp_cb *cb = tcp_cb(p);

	while (p->len < mss && !(cb->flags & TCPF_SYN)) {
		struct packet *next = tcp_rtx_next(p);
		u32 end, before = p->truesize, own;
		struct tcp_cb *nb;
		u8 flags;

		if (!next || tcp_cb(next)->where != TCP_LOST || !next->len ||
			p->len + next->len > mss)
			return;
		nb = tcp_cb(next);
		end = nb->end;
		flags = nb->flags;
		own = next->truesize;
		tcp_rtx_remove(c, next);
		if (!packet_join(p, next)) {
			tree_after(c, p, next);
			list_add(&next->link, &p->link);
			count_in(c, next);
			return;
		}
		c->wmem += p->truesize - before - own;
		count_out(c, p, cb_len(p));
		cb->end = end;
		cb->flags |= flags;
		count_in(c, p);
	}
}

bool tcp_split_unsent(struct tcp_conn *c, struct packet *p, u32 n)
{
	struct tcp_cb *cb = tcp_cb(p);
	struct packet *rest = cut(c, p, n);

	if (!rest)
		return false;
	tcp_cb(rest)->seq = cb->seq + n;
	cb->end = cb->seq + n;
	cb->flags &= (u8) ~(TCPF_FIN | TCPF_PSH);
	list_add(&rest->link, &p->link);
	c->unsent.count++;
	return true;
}

struct packet *tcp_rtx_find(const struct tcp_conn *c, u32 seq)
{
	struct rb_node *n = c->rtx.node, *best = NULL;

	while (n) {
		const struct tcp_cb *cb = container_of(n, struct tcp_cb, node);

		if (seq_before(seq, cb->end)) {
			best = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return tcp_packet(best);
}

/* ---- what the user queues ---------------------------------------------------------------------- */

void tcp_queue(struct tcp_conn *c, struct packet *p)
{
	struct tcp_cb *cb = tcp_cb(p);

	cb->seq = c->write_seq;
	cb->end = c->write_seq + p->len;
	cb->where = TCP_UNSENT;
	cb->flags = 0;
	cb->retrans = 0;
	c->write_seq = cb->end;
	c->wmem += p->truesize;
	packet_queue_add(&c->unsent, p);
}

struct packet *tcp_queue_tail(struct tcp_conn *c)
{
	struct packet *p;

	if (list_empty(&c->unsent.list))
		return NULL;
	p = list_last_entry(&c->unsent.list, struct packet, link);
	return tcp_cb(p)->flags & (TCPF_FIN | TCPF_SYN | TCPF_URG) || p->len >= c->gso_max ? NULL
											   : p;
}

void tcp_queued(struct tcp_conn *c, struct packet *p, u32 n, u32 truesize)
{
	c->wmem += truesize;
	tcp_cb(p)->end += n;
	c->unsent.bytes += n;
	c->write_seq += n;
}

void tcp_mark_urgent(struct tcp_conn *c)
{
	struct packet *p = list_empty(&c->unsent.list)
		? NULL
		: list_last_entry(&c->unsent.list, struct packet, link);

	c->snd_up = c->write_seq;
	c->urg_mode = true;
	if (p) /* nothing is appended to it: the octet is its last */
		tcp_cb(p)->flags |= TCPF_URG;
}

bool tcp_queue_fin(struct tcp_conn *c)
{
	struct packet *p = NULL;

	if (!list_empty(&c->unsent.list)) {
		p = list_last_entry(&c->unsent.list, struct packet, link);
	} else {
		p = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
		if (!p)
			return false;
		tcp_queue(c, p);
	}
	tcp_cb(p)->flags |= TCPF_FIN;
	tcp_cb(p)->end++;
	c->write_seq++;
	c->fin_sent = true;
	return true;
}
