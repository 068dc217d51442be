/* NETLINK_SOCK_DIAG: requests go to the address family's module. sock_diag(7). */
#include "nl.h"
#include <lib/err.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

static const struct nl_handler *g_handlers[AF_MAX]; /* set at start-up */

void sock_diag_register(int family, const struct nl_handler *handler)
{
	g_handlers[family] = handler;
}

int diag_request(struct nl_request *rq)
{
	const struct sock_diag_req *req = (const void *)((const u8 *)rq->h + NLMSG_HDRLEN);
	const struct nl_handler *h;

	if (rq->h->nlmsg_type == DCCPDIAG_GETSOCK)
		return -ENOENT; /* as without that protocol */
	if (rq->h->nlmsg_type != SOCK_DIAG_BY_FAMILY && rq->h->nlmsg_type != SOCK_DESTROY)
		return -EINVAL;
	if (rq->h->nlmsg_len < NLMSG_HDRLEN + sizeof(*req))
		return -EINVAL;
	if (req->sdiag_family >= AF_MAX)
		return -EINVAL;
	h = g_handlers[req->sdiag_family];
	if (!h)
		return -ENOENT;
	if (rq->h->nlmsg_type == SOCK_DESTROY)
		return -EOPNOTSUPP;
	if (rq->h->nlmsg_flags & NLM_F_DUMP)
		return h->dump ? nl_dump_start(rq, h) : -EOPNOTSUPP;
	return h->doit ? h->doit(rq) : -EOPNOTSUPP;
}
