/* Requests to the kernel: one after the other, each acknowledged as it asks. netlink(7). */
#include "nl.h"
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>

#define ACK_EXTRA 256u /* the text and attributes of an extended acknowledgement */

bool nl_may_admin(const struct nl_request *rq)
{
	return capable(CAP_NET_ADMIN);
}

int nl_reply(const struct nl_request *rq, struct nl_buf *b)
{
	struct nl_item kernel = {.portid = 0};
	struct nl_bytes *bytes = nl_bytes_from(b);
	int err;

	if (!bytes)
		return -ENOBUFS;
	err = nl_queue(nl_of(rq->sk), bytes, &kernel);
	put_nl_bytes(bytes);
	return err;
}

/* Attributes behind the error: false: there is nothing to tell. What doesn't fit is left out. */
bool nl_put_ext_ack(struct nl_buf *b, const struct nl_request *rq, int err)
{
	const struct nl_ext_ack *ack = rq->ack;
	const u8 *start = (const u8 *)rq->h, *end = start + rq->h->nlmsg_len;

	if (!ack->msg && !ack->bad && !ack->missing)
		return false;

	if (ack->msg)
		(void)!nl_put_string(b, NLMSGERR_ATTR_MSG, ack->msg);
	if (!err)
		return true;
	if (ack->bad && (const u8 *)ack->bad >= start && (const u8 *)ack->bad < end)
		(void)!nl_put_u32(b, NLMSGERR_ATTR_OFFS, (u32)((const u8 *)ack->bad - start));
	if (ack->missing)
		(void)!nl_put_u32(b, NLMSGERR_ATTR_MISS_TYPE, ack->missing);
	if (ack->nest)
		(void)!nl_put_u32(b, NLMSGERR_ATTR_MISS_NEST, (u32)((const u8 *)ack->nest - start));
	return true;
}

static void acknowledge(const struct nl_request *rq, u32 flags, int err)
{
	bool whole = err && !(flags >> NLF_CAP_ACK & 1);
	u32 copy = whole ? rq->h->nlmsg_len : NLMSG_HDRLEN;
	struct nl_buf b = nl_alloc(NLMSG_ALIGN(copy) + ACK_EXTRA, GFP_KERNEL);
	struct nlmsghdr *h;
	struct nlmsgerr *e;

	if (!b.data) {
		sock_set_error(rq->sk, ENOBUFS);
		sock_wake_all(rq->sk, EPOLLERR);
		return;
	}
	h = nl_begin(&b, rq->portid, rq->h->nlmsg_seq, NLMSG_ERROR, whole ? 0 : NLM_F_CAPPED,
		(u32)sizeof(e->error) + copy);
	if (!h) {
		nl_free(&b);
		return;
	}
	e = nl_data(h);
	e->error = err;
	memcpy(&e->msg, rq->h, copy);
	if (flags >> NLF_EXT_ACK & 1 && nl_put_ext_ack(&b, rq, err))
		h->nlmsg_flags |= NLM_F_ACK_TLVS;
	nl_end(&b, h);
	(void)nl_reply(rq, &b);
}

void nl_requests(struct nl_sock *s, const void *data, u32 len)
{
	const u8 *at = data, *end = at + len;

	while (end - at >= NLMSG_HDRLEN) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)at;
		struct nl_ext_ack ack = {NULL};
		u32 flags = READ_ONCE(s->flags);
		struct nl_request rq = {.net = s->sk.net,
			.sk = &s->sk,
			.portid = s->portid,
			.h = h,
			.ack = &ack,
			.strict = flags >> NLF_STRICT & 1};
		int err = 0;

		if (h->nlmsg_len < NLMSG_HDRLEN || h->nlmsg_len > end - at)
			return;
		if (h->nlmsg_flags & NLM_F_REQUEST && h->nlmsg_type >= NLMSG_MIN_TYPE)
			err = g_nl_protocols[s->sk.protocol].request(&rq);
		if (err != -EINTR && (err || h->nlmsg_flags & NLM_F_ACK))
			acknowledge(&rq, flags, err);
		at += min_t(u32, NLMSG_ALIGN(h->nlmsg_len), (u32)(end - at));
	}
}
