/* rtnetlink: handlers by message type and family. rtnetlink(7). */
#include "nl.h"
#include <core/init.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>

#define NR_TYPES      (RTM_MAX + 1 - RTM_BASE)
#define NR_FAMILIES   (AF_MAX + 1)
#define FAMILY_CURSOR 5 /* nl_dump.cursor of a dump of all families: which one is at work */

static const struct nl_handler **g_families[NR_FAMILIES]; /* set at start-up */

void rtnl_register(int family, const struct nl_handler *table, u32 n)
{
	const struct nl_handler **types = g_families[family];

	if (!types) {
		types = kzalloc(NR_TYPES * sizeof(*types), GFP_KERNEL);
		if (!types)
			init_failed("rtnetlink", -ENOMEM);
		g_families[family] = types;
	}
	for (u32 i = 0; i < n; i++)
		types[table[i].type - RTM_BASE] = &table[i];
}

static const struct nl_handler *exact(int family, u16 type)
{
	return family < NR_FAMILIES && g_families[family] ? g_families[family][type - RTM_BASE]
							  : NULL;
}

/* A dump of AF_UNSPEC that nobody answers as such: all families that have one, one after the other.
 */
static int dump_all(struct nl_dump *d)
{
	u16 type = d->h->nlmsg_type;

	for (u64 f = d->cursor[FAMILY_CURSOR]; f < NR_FAMILIES; f++) {
		const struct nl_handler *h = f ? exact((int)f, type) : NULL;
		int r;

		if (!h || !h->dump)
			continue;
		if (f != d->cursor[FAMILY_CURSOR]) {
			memset(d->cursor, 0, sizeof(d->cursor));
			d->cursor[FAMILY_CURSOR] = f;
			r = h->start ? h->start(d) : 0;
			if (r)
				return r;
		}
		r = h->dump(d);
		if (r)
			return r;
		if (h->done)
			h->done(d);
		d->priv = NULL;
	}
	d->cursor[FAMILY_CURSOR] = NR_FAMILIES;
	return 0;
}

static void dump_all_done(struct nl_dump *d)
{
	u64 f = d->cursor[FAMILY_CURSOR];
	const struct nl_handler *h = f < NR_FAMILIES ? exact((int)f, d->h->nlmsg_type) : NULL;

	if (h && h->done)
		h->done(d);
}

static const struct nl_handler g_dump_all = {.dump = dump_all, .done = dump_all_done};

static bool any_family_dumps(u16 type)
{
	for (int f = 1; f < NR_FAMILIES; f++) {
		const struct nl_handler *h = exact(f, type);

		if (h && h->dump)
			return true;
	}
	return false;
}

static int request_dump(struct nl_request *rq, int family)
{
	u16 type = rq->h->nlmsg_type;
	const struct nl_handler *h = exact(family, type);

	if (!h || !h->dump) {
		h = exact(AF_UNSPEC, type);
		if ((!h || !h->dump) && any_family_dumps(type))
			h = &g_dump_all;
	}
	if (!h || !h->dump)
		return -EOPNOTSUPP;
	return nl_dump_start(rq, h);
}

int rtnl_request(struct nl_request *rq)
{
	u16 type = rq->h->nlmsg_type;
	const struct nl_handler *h;
	int family, err;
	bool get;

	if (type > RTM_MAX)
		return -EOPNOTSUPP;
	if (rq->h->nlmsg_len < NLMSG_HDRLEN + sizeof(struct rtgenmsg))
		return 0; /* all messages begin with a family */
	family = ((const struct rtgenmsg *)((const u8 *)rq->h + NLMSG_HDRLEN))->rtgen_family;
	get = (type & 3) == (RTM_GETLINK & 3);
	if (!get && !nl_may_admin(rq))
		return -EPERM;
	if (get && rq->h->nlmsg_flags & NLM_F_DUMP)
		return request_dump(rq, family);
	h = exact(family, type);
	if (!h || !h->doit)
		h = exact(AF_UNSPEC, type);
	if (!h || !h->doit)
		return -EOPNOTSUPP;
	mutex_lock(&rq->net->config_lock);
	err = h->doit(rq);
	mutex_unlock(&rq->net->config_lock);
	return err;
}

void rtnl_notify(struct net *net, u32 group, struct nl_buf *b, const struct nl_request *rq)
{
	struct nl_item kernel = {.portid = 0};
	struct nl_bytes *bytes = nl_bytes_from(b);
	u32 exclude = 0;

	if (!bytes)
		return;
	if (rq && rq->h->nlmsg_flags & NLM_F_ECHO) {
		exclude = rq->portid;
		(void)nl_queue(nl_of(rq->sk), bytes, &kernel);
	}
	nl_broadcast(net, NETLINK_ROUTE, group, bytes, &kernel, exclude);
	put_nl_bytes(bytes);
}
