/* Generic netlink: families by number, and the controller that knows their names. */
#include "nl.h"
#include <core/init.h>
#include <core/log.h>
#include <lib/err.h>
#include <lib/string.h>
#include <linux/genetlink.h>

#define MAX_FAMILIES 16

static struct genl_family *g_families[MAX_FAMILIES]; /* set at start-up */
static u32 g_nr;
static u32 g_next_group = GENL_ID_CTRL; /* groups and families are numbered alike */

void genl_register(struct genl_family *f)
{
	BUG_ON(g_nr == MAX_FAMILIES);
	f->id = (u16)(GENL_ID_CTRL + g_nr + (g_nr ? 2 : 0)); /* two numbers are reserved */
	f->first_group = g_next_group;
	g_next_group += f->nr_groups;
	g_families[g_nr++] = f;
}

static struct genl_family *by_id(u16 id)
{
	for (u32 i = 0; i < g_nr; i++)
		if (g_families[i]->id == id)
			return g_families[i];
	return NULL;
}

static const struct nl_handler *op_of(const struct genl_family *f, u8 cmd)
{
	for (u32 i = 0; i < f->nr_ops; i++)
		if (f->ops[i].type == cmd)
			return &f->ops[i];
	return NULL;
}

int genl_request(struct nl_request *rq)
{
	const struct genlmsghdr *g = (const void *)((const u8 *)rq->h + NLMSG_HDRLEN);
	const struct genl_family *f = by_id(rq->h->nlmsg_type);
	const struct nl_handler *h;

	if (!f)
		return -ENOENT;
	if (rq->h->nlmsg_len < NLMSG_HDRLEN + GENL_HDRLEN + f->hdrsize)
		return -EINVAL;
	h = op_of(f, g->cmd);
	if (!h)
		return -EOPNOTSUPP;
	if (rq->h->nlmsg_flags & NLM_F_DUMP)
		return h->dump ? nl_dump_start(rq, h) : -EOPNOTSUPP;
	return h->doit ? h->doit(rq) : -EOPNOTSUPP;
}

/* ---- the controller ---- */

static bool put_ops(struct nl_buf *b, const struct genl_family *f)
{
	u32 all, one;

	if (!f->nr_ops)
		return true;
	all = nl_nest_begin(b, CTRL_ATTR_OPS | NLA_F_NESTED);
	if (!all)
		return false;
	for (u32 i = 0; i < f->nr_ops; i++) {
		const struct nl_handler *h = &f->ops[i];
		u32 can = (h->doit ? GENL_CMD_CAP_DO : 0) | (h->dump ? GENL_CMD_CAP_DUMP : 0) |
			GENL_CMD_CAP_HASPOL;

		one = nl_nest_begin(b, (u16)(i + 1) | NLA_F_NESTED);
		if (!one || !nl_put_u32(b, CTRL_ATTR_OP_ID, h->type) ||
			!nl_put_u32(b, CTRL_ATTR_OP_FLAGS, can))
			return false;
		nl_nest_end(b, one);
	}
	nl_nest_end(b, all);
	return true;
}

static bool put_mcast_groups(struct nl_buf *b, const struct genl_family *f)
{
	u32 all, one;

	if (!f->nr_groups)
		return true;
	all = nl_nest_begin(b, CTRL_ATTR_MCAST_GROUPS | NLA_F_NESTED);
	if (!all)
		return false;
	for (u32 i = 0; i < f->nr_groups; i++) {
		one = nl_nest_begin(b, (u16)(i + 1) | NLA_F_NESTED);
		if (!one || !nl_put_u32(b, CTRL_ATTR_MCAST_GRP_ID, f->first_group + i) ||
			!nl_put_string(b, CTRL_ATTR_MCAST_GRP_NAME, f->groups[i]))
			return false;
		nl_nest_end(b, one);
	}
	nl_nest_end(b, all);
	return true;
}

static bool put_family(
	struct nl_buf *b, const struct genl_family *f, u32 portid, u32 seq, u16 flags)
{
	struct nlmsghdr *h = nl_begin(b, portid, seq, GENL_ID_CTRL, flags, GENL_HDRLEN);
	struct genlmsghdr *g;

	if (!h)
		return false;
	g = nl_data(h);
	g->cmd = CTRL_CMD_NEWFAMILY;
	g->version = 2;
	if (nl_put_string(b, CTRL_ATTR_FAMILY_NAME, f->name) &&
		nl_put_u16(b, CTRL_ATTR_FAMILY_ID, f->id) &&
		nl_put_u32(b, CTRL_ATTR_VERSION, f->version) &&
		nl_put_u32(b, CTRL_ATTR_HDRSIZE, f->hdrsize) &&
		nl_put_u32(b, CTRL_ATTR_MAXATTR, f->maxattr) && put_ops(b, f) &&
		put_mcast_groups(b, f)) {
		nl_end(b, h);
		return true;
	}
	nl_cancel(b, h);
	return false;
}

static const struct nl_policy g_ctrl_policy[CTRL_ATTR_MAX + 1] = {
	[CTRL_ATTR_FAMILY_ID] = {NL_U16},
	[CTRL_ATTR_FAMILY_NAME] = {NL_STRING, GENL_NAMSIZ - 1},
};

static int get_family(struct nl_request *rq)
{
	const struct nlattr *tb[CTRL_ATTR_MAX + 1];
	struct genl_family *f = NULL;
	char name[GENL_NAMSIZ];
	struct nl_buf b;
	int err = nl_parse_message(
		tb, CTRL_ATTR_MAX, rq->h, GENL_HDRLEN, g_ctrl_policy, false, rq->ack);

	if (err)
		return err;
	if (!tb[CTRL_ATTR_FAMILY_ID] && !tb[CTRL_ATTR_FAMILY_NAME])
		return -EINVAL;
	if (tb[CTRL_ATTR_FAMILY_ID])
		f = by_id(nla_u16(tb[CTRL_ATTR_FAMILY_ID]));
	if (tb[CTRL_ATTR_FAMILY_NAME]) {
		nla_string(tb[CTRL_ATTR_FAMILY_NAME], name, sizeof(name));
		f = NULL;
		for (u32 i = 0; i < g_nr; i++)
			if (strcmp(g_families[i]->name, name) == 0)
				f = g_families[i];
	}
	if (!f)
		return -ENOENT;
	b = nl_alloc(4096, GFP_KERNEL);
	if (!b.data)
		return -ENOBUFS;
	if (!put_family(&b, f, rq->portid, rq->h->nlmsg_seq, 0)) {
		nl_free(&b);
		return -EMSGSIZE;
	}
	return nl_reply(rq, &b);
}

static int dump_families(struct nl_dump *d)
{
	while (d->cursor[0] < g_nr) {
		if (!put_family(d->out, g_families[d->cursor[0]], d->portid, d->h->nlmsg_seq,
			    NLM_F_MULTI))
			return NL_DUMP_MORE;
		d->cursor[0]++;
	}
	return 0;
}

static int genl_init(void)
{
	static const struct nl_handler ops[] = {
		{.type = CTRL_CMD_GETFAMILY, .doit = get_family, .dump = dump_families}};
	static const char *const groups[] = {"notify"};
	static struct genl_family ctrl = {.name = "nlctrl",
		.version = 2,
		.maxattr = CTRL_ATTR_MAX,
		.ops = ops,
		.nr_ops = 1,
		.groups = groups,
		.nr_groups = 1};

	genl_register(&ctrl);
	return 0;
}
INIT_HOOK(INIT_CORE, genl_init);
