/* Segments out of order: a tree by number, without overlaps, and the SACK blocks that tell of it. */
#include "machine.h"

static struct packet *ooo_first(const struct tcp_conn *c)
{
	return tcp_packet(rb_first(&c->ooo));
}

static void take_off(struct tcp_conn *c, struct packet *p)
{
	struct rb_node *n = &tcp_cb(p)->node;

	if (c->ooo_last == n)
		c->ooo_last = rb_prev(n);
	rb_erase(&c->ooo, n);
	c->ooo_bytes -= p->len;
}

static void drop(struct tcp_conn *c, struct packet *p)
{
	take_off(c, p);
	c->rmem -= p->truesize;
	packet_free(p);
}

void tcp_ooo_purge(struct tcp_conn *c)
{
	struct packet *p;

	while ((p = ooo_first(c)))
		drop(c, p);
	c->nr_sacks = 0;
}

/* ---- blocks
 * ----------------------------------------------------------------------------------------- */

/* The newest goes first and swallows what it touches (RFC 2018 4). */
static void sacks_add(struct tcp_conn *c, u32 start, u32 end)
{
	struct seq_range r[TCP_MAX_SACKS + 1];
	u32 n = 1;

	for (u32 i = 0; i < c->nr_sacks; i++) {
		struct seq_range b = c->sacks[i];

		if (seq_after(b.start, end) || seq_before(b.end, start)) {
			r[n++] = b;
		} else {
			start = seq_min(start, b.start);
			end = seq_max(end, b.end);
		}
	}
	r[0] = (struct seq_range){start, end};
	c->nr_sacks = (u8)min_t(u32, n, TCP_MAX_SACKS);
	for (u32 i = 0; i < c->nr_sacks; i++)
		c->sacks[i] = r[i];
}

/* Only what is left within [from, to). */
static void sacks_clip(struct tcp_conn *c, u32 from, u32 to)
{
	u32 n = 0;

	for (u32 i = 0; i < c->nr_sacks; i++) {
		struct seq_range b = {
			seq_max(c->sacks[i].start, from), seq_min(c->sacks[i].end, to)};

		if (seq_before(b.start, b.end))
			c->sacks[n++] = b;
	}
	c->nr_sacks = (u8)n;
}

/* ---- tree
 * ------------------------------------------------------------------------------------------- */

/* The packet that begins at or before seq, NULL: none does. */
static struct packet *find_before(const struct tcp_conn *c, u32 seq)
{
	struct rb_node *n = c->ooo.node, *best = NULL;

	while (n) {
		const struct tcp_cb *cb = container_of(n, struct tcp_cb, node);

		if (seq_after(cb->seq, seq)) {
			n = n->left;
		} else {
			best = n;
			n = n->right;
		}
	}
	return tcp_packet(best);
}

static void link_after(struct tcp_conn *c, struct packet *p, struct packet *prev)
{
	struct rb_node *n = &tcp_cb(p)->node, *at;

	if (!prev) {
		at = rb_first(&c->ooo);
		rb_insert(&c->ooo, n, at, at ? &at->left : &c->ooo.node);
	} else if (!tcp_cb(prev)->node.right) {
		at = &tcp_cb(prev)->node;
		rb_insert(&c->ooo, n, at, &at->right);
	} else {
		for (at = tcp_cb(prev)->node.right; at->left;)
			at = at->left;
		rb_insert(&c->ooo, n, at, &at->left);
	}
	if (!c->ooo_last || c->ooo_last == (prev ? &tcp_cb(prev)->node : NULL))
		c->ooo_last = n;
	c->ooo_bytes += p->len;
}

/* Remove what p covers, cut p where others begin. */
static void clear_ahead(struct tcp_conn *c, struct packet *p, struct packet *next)
{
	struct tcp_cb *cb = tcp_cb(p);

	while (next && seq_before(tcp_cb(next)->seq, cb->end)) {
		struct packet *after = tcp_packet(rb_next(&tcp_cb(next)->node));
		struct tcp_cb *nb = tcp_cb(next);

		if (seq_after(nb->end, cb->end)) {
			tcp_dsack_set(c, nb->seq, cb->end, true);
			cb->end = nb->seq;
			packet_trim(p, cb->end - cb->seq);
			cb->flags = 0;
			return;
		}
		tcp_dsack_set(c, nb->seq, nb->end, true);
		drop(c, next);
		next = after;
	}
}

bool tcp_ooo_prune(struct tcp_conn *c, u32 seq, u32 truesize, s64 limit)
{
	while ((s64)c->rmem + truesize > limit && c->ooo_last) {
		struct packet *last = tcp_packet(c->ooo_last);

		if (seq_before(tcp_cb(last)->seq, seq))
			break;
		sacks_clip(c, c->rcv_nxt, tcp_cb(last)->seq);
		tcp_count(c, TCPC_OFO_PRUNED, 1);
		drop(c, last);
	}
	return (s64)c->rmem + truesize <= limit;
}

/* p is beyond rcv_nxt and within the window; consumed. */
void tcp_ooo_insert(struct tcp_conn *c, struct packet *p, s64 now)
{
	struct tcp_cb *cb = tcp_cb(p), *pb;
	struct packet *prev;
	u32 seq = cb->seq, end = cb->end, before, own;

	tcp_count(c, TCPC_OFO_QUEUE, 1);
	c->rcv_ooo++;
	if (unlikely(c->mem_level >= TCP_MEM_OVER) ||
		!tcp_ooo_prune(c, end, p->truesize, c->rcvbuf)) {
		tcp_count(c, TCPC_OFO_DROP, 1);
		packet_free(p);
		return;
	}
	prev = c->ooo_last && !seq_after(tcp_cb(tcp_packet(c->ooo_last))->seq, seq)
		? tcp_packet(c->ooo_last)
		: find_before(c, seq);
	pb = prev ? tcp_cb(prev) : NULL;
	if (pb && seq_after(pb->end, seq)) {
		tcp_dsack_set(c, seq, seq_min(pb->end, end), true);
		if (!seq_after(end, pb->end)) {
			sacks_add(c, pb->seq, pb->end);
			packet_free(p);
			return;
		}
		packet_drop_front(p, min(pb->end - seq, p->len));
		cb->seq = pb->end;
	}
	clear_ahead(c, p, tcp_packet(prev ? rb_next(&pb->node) : rb_first(&c->ooo)));
	c->rmem += p->truesize;
	own = p->truesize;
	before = prev ? prev->truesize : 0;
	end = cb->end;
	/* Neighbours become one packet where that costs nothing: fewer nodes, less memory. */
	if (prev && pb->end == cb->seq && p->len && prev->len + p->len <= PACKET_MAX_LEN &&
		!(pb->flags & TCPF_FIN)) {
		u32 n = p->len;
		u8 flags = cb->flags;

		if (packet_join(prev, p)) {
			c->rmem += prev->truesize - before - own;
			pb->end = end;
			pb->flags |= flags;
			c->ooo_bytes += n;
			sacks_add(c, pb->seq, end);
			return;
		}
	}
	link_after(c, p, prev);
	sacks_add(c, cb->seq, cb->end);
}

/* rcv_nxt has moved: what follows now? */
void tcp_ooo_deliver(struct tcp_conn *c, s64 now)
{
	struct packet *p;

	while ((p = ooo_first(c)) && !seq_after(tcp_cb(p)->seq, c->rcv_nxt)) {
		struct tcp_cb *cb = tcp_cb(p);

		if (!seq_after(cb->end, c->rcv_nxt)) {
			tcp_dsack_set(c, cb->seq, cb->end, true);
			drop(c, p);
			continue;
		}
		take_off(c, p);
		if (cb->seq != c->rcv_nxt) {
			packet_drop_front(p, min(c->rcv_nxt - cb->seq, p->len));
			cb->seq = c->rcv_nxt;
		}
		tcp_take_in_order(c, p, now);
	}
	sacks_clip(c, c->rcv_nxt, c->rcv_nxt + (1u << 30));
}
