/*
 * Dumps: a list in as many messages as it takes, made as the program reads. The first piece is made
 * with the request, each recvmsg makes the next. A handler's cursor moves only past what it has put.
 */
#include "nl.h"
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>

#define PIECE_MIN 3776u  /* what fits a page together with Linux's own data: programs count on it  */
#define PIECE_ONE 16384u /* tried when a single message doesn't fit */

struct nlmsghdr *nl_dump_begin(struct nl_dump *d, u16 type, u32 payload)
{
	u16 flags = NLM_F_MULTI;

	if (d->filtered)
		flags |= NLM_F_DUMP_FILTERED;
	return nl_begin(d->out, d->portid, d->h->nlmsg_seq, type, flags, payload);
}

static void forget(struct nl_sock *s)
{
	if (s->dump_handler->done)
		s->dump_handler->done(&s->dump);
	kfree(s->dump.h);
	s->dump.h = NULL;
	WRITE_ONCE(s->dump_handler, NULL);
}

static int run_handler(struct nl_sock *s)
{
	struct net *net = s->sk.net;
	int r;

	if (s->sk.protocol != NETLINK_ROUTE)
		return s->dump_handler->dump(&s->dump);
	mutex_lock(&net->config_lock);
	r = s->dump_handler->dump(&s->dump);
	mutex_unlock(&net->config_lock);
	return r;
}

/* False: no room for it in this piece. */
static bool put_done(struct nl_sock *s, int err)
{
	struct nlmsghdr *h = nl_dump_begin(&s->dump, NLMSG_DONE, sizeof(int));

	if (!h)
		return false;
	memcpy(nl_data(h), &err, sizeof(err));
	nl_end(s->dump.out, h);
	return true;
}

/* One piece into the receive queue. dump_lock. False: the dump is over, or can't go on now. */
static bool piece(struct nl_sock *s)
{
	struct nl_item kernel = {.portid = 0};
	u32 size = max(READ_ONCE(s->max_read), PIECE_MIN);
	struct nl_buf b;
	struct nl_bytes *bytes;
	bool over;
	int r;

	for (;;) {
		b = nl_alloc(size, GFP_KERNEL);
		if (!b.data)
			return false;
		s->dump.out = &b;
		r = run_handler(s);
		if (b.len || r != NL_DUMP_MORE || size >= PIECE_ONE)
			break;
		nl_free(&b); /* not even one message fits */
		size = PIECE_ONE;
	}
	if (r == NL_DUMP_MORE && !b.len)
		r = -EMSGSIZE;
	over = r <= 0 && put_done(s, r);
	if (!b.len) {
		nl_free(&b);
		return false;
	}
	bytes = nl_bytes_from(&b);
	if (!bytes)
		return false;
	(void)nl_queue(s, bytes, &kernel);
	put_nl_bytes(bytes);
	if (over)
		forget(s);
	return !over;
}

void nl_dump_go_on(struct nl_sock *s)
{
	if (!READ_ONCE(s->dump_handler))
		return;
	mutex_lock(&s->dump_lock);
	if (s->dump_handler && READ_ONCE(s->queued_bytes) <= (u32)max(s->sk.rcvbuf, 0) / 2)
		(void)piece(s);
	mutex_unlock(&s->dump_lock);
}

void nl_dump_end(struct nl_sock *s)
{
	mutex_lock(&s->dump_lock);
	if (s->dump_handler)
		forget(s);
	mutex_unlock(&s->dump_lock);
}

/* rtnetlink tells of an error in a dump's request as the dump's end. -EINTR, or -ENOBUFS. */
static int end_at_once(struct nl_sock *s, const struct nl_request *rq, int err)
{
	struct nl_buf b = nl_alloc(PIECE_MIN, GFP_KERNEL);
	struct nlmsghdr *h;

	if (!b.data)
		return -ENOBUFS;
	h = nl_begin(&b, rq->portid, rq->h->nlmsg_seq, NLMSG_DONE, NLM_F_MULTI, sizeof(int));
	memcpy(nl_data(h), &err, sizeof(err));
	if (READ_ONCE(s->flags) >> NLF_EXT_ACK & 1 && nl_put_ext_ack(&b, rq, err))
		h->nlmsg_flags |= NLM_F_ACK_TLVS;
	nl_end(&b, h);
	(void)nl_reply(rq, &b);
	return -EINTR;
}

int nl_dump_start(struct nl_request *rq, const struct nl_handler *handler)
{
	struct nl_sock *s = nl_of(rq->sk);
	int err;

	mutex_lock(&s->dump_lock);
	err = s->dump_handler ? -EBUSY : 0;
	if (err)
		goto out;
	s->dump = (struct nl_dump){.net = rq->net,
		.sk = rq->sk,
		.portid = rq->portid,
		.strict = rq->strict,
		.ack = rq->ack};
	s->dump.h = kmemdup(rq->h, rq->h->nlmsg_len, GFP_KERNEL);
	err = s->dump.h ? 0 : -ENOBUFS;
	if (!err && handler->start) {
		/* Attributes that an error names are those of the request, not of the copy. */
		const struct nlmsghdr *copy = s->dump.h;

		s->dump.h = rq->h;
		err = handler->start(&s->dump);
		s->dump.h = copy;
	}
	if (err && rq->sk->protocol == NETLINK_ROUTE)
		err = end_at_once(s, rq, err);
	s->dump.ack = NULL;
	if (err) {
		kfree(s->dump.h);
		s->dump.h = NULL;
		goto out;
	}
	WRITE_ONCE(s->dump_handler, handler);
	(void)piece(s);
	err = -EINTR;
out:
	mutex_unlock(&s->dump_lock);
	return err;
}
