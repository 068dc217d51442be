/* sock_diag for internet sockets: requests, dumps, messages. sock_diag(7), linux/inet_diag.h. */
#include "diag_filter.h"
#include "inet.h"
#include <core/init.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#define MAX_PROTOS 4
#define ANSWER     1024u /* bytes of one socket's message, with all attributes */
#define CLOSED     7
#define LISTENING  10 /* states, as TCP counts them */

static const struct inet_diag_proto *g_protos[MAX_PROTOS]; /* set at start-up */
static u32 g_nr_protos;

void inet_diag_register(const struct inet_diag_proto *p)
{
	BUG_ON(g_nr_protos == MAX_PROTOS);
	g_protos[g_nr_protos++] = p;
}

static const struct inet_diag_proto *proto_of(u32 protocol)
{
	for (u32 i = 0; i < g_nr_protos; i++)
		if (g_protos[i]->protocol == protocol)
			return g_protos[i];
	return NULL;
}

void inet_diag_entry_of(struct inet_sock *s, struct inet_diag_entry *e)
{
	*e = (struct inet_diag_entry){.s = s,
		.family = (u8)s->sk.family,
		.state = s->sk.state,
		.local = s->local,
		.remote = s->remote,
		.lport = s->lport,
		.rport = s->rport,
		.ifindex = (u32)s->sk.bound_dev,
		.mark = s->sk.mark,
		.cookie = sock_cookie(&s->sk),
		.uid = s->sk.uid,
		.inode = s->sk.file ? (u32)s->sk.ino : 0,
		.port_chosen = inet_flag(s, INF_BOUND_PORT)};
}

/* ---- messages -----------------------------------------------------------------------------------
 */

static void put_addr(__be32 to[4], u8 family, const struct inet_addr *a)
{
	if (family == AF_INET)
		to[0] = a->w[3];
	else
		memcpy(to, a, 16);
}

static void fill_msg(struct inet_diag_msg *m, const struct inet_diag_entry *e)
{
	*m = (struct inet_diag_msg){.idiag_family = e->family,
		.idiag_state = e->state,
		.idiag_timer = e->timer,
		.idiag_retrans = e->retrans,
		.id = {.idiag_sport = e->lport,
			.idiag_dport = e->rport,
			.idiag_if = e->ifindex,
			.idiag_cookie = {(u32)e->cookie, (u32)(e->cookie >> 32)}},
		.idiag_expires = e->expires_ms,
		.idiag_rqueue = e->rqueue,
		.idiag_wqueue = e->wqueue,
		.idiag_uid = e->uid,
		.idiag_inode = e->inode};
	put_addr(m->id.idiag_src, e->family, &e->local);
	put_addr(m->id.idiag_dst, e->family, &e->remote);
}

static bool asked(u8 ext, u32 what)
{
	return ext >> (what - 1) & 1;
}

static bool put_memory(
	struct nl_buf *b, const struct inet_diag_proto *p, const struct inet_sock *s, u8 ext)
{
	u32 rmem = 0, wmem = 0, drops = 0;
	struct inet_diag_meminfo mi;
	u32 sk[SK_MEMINFO_VARS] = {0};

	p->memory(s, &rmem, &wmem, &drops);
	mi = (struct inet_diag_meminfo){.idiag_rmem = rmem, .idiag_wmem = wmem, .idiag_tmem = wmem};
	sk[SK_MEMINFO_RMEM_ALLOC] = rmem;
	sk[SK_MEMINFO_RCVBUF] = (u32)s->sk.rcvbuf;
	sk[SK_MEMINFO_WMEM_ALLOC] = wmem;
	sk[SK_MEMINFO_SNDBUF] = (u32)s->sk.sndbuf;
	sk[SK_MEMINFO_WMEM_QUEUED] = wmem;
	sk[SK_MEMINFO_DROPS] = drops;
	return (!asked(ext, INET_DIAG_MEMINFO) || nl_put(b, INET_DIAG_MEMINFO, &mi, sizeof(mi))) &&
		(!asked(ext, INET_DIAG_SKMEMINFO) ||
			nl_put(b, INET_DIAG_SKMEMINFO, sk, sizeof(sk)));
}

static bool put_attributes(struct nl_buf *b, const struct inet_diag_proto *p,
	const struct inet_diag_entry *e, u8 ext, bool admin)
{
	const struct inet_sock *s = e->s;
	struct inet_diag_sockopt so = {.recverr = inet_flag(s, INF_RECVERR),
		.is_icsk = p->protocol == IPPROTO_TCP,
		.freebind = inet_flag(s, INF_FREEBIND),
		.hdrincl = inet_flag(s, INF_HDRINCL),
		.mc_loop = inet_flag(s, INF_MC_LOOP),
		.transparent = inet_flag(s, INF_TRANSPARENT),
		.mc_all = inet_flag(s, INF_MC_ALL)};

	if (!nl_put_u8(b, INET_DIAG_SHUTDOWN, s->sk.shutdown))
		return false;
	if (asked(ext, INET_DIAG_TOS) && !nl_put_u8(b, INET_DIAG_TOS, s->tos))
		return false;
	if (e->family == AF_INET6 && asked(ext, INET_DIAG_TCLASS) &&
		!nl_put_u8(b, INET_DIAG_TCLASS, s->tclass))
		return false;
	if (e->family == AF_INET6 && (e->state == LISTENING || e->state == CLOSED) &&
		!nl_put_u8(b, INET_DIAG_SKV6ONLY, inet_flag(s, INF_V6ONLY)))
		return false;
	if (admin && !nl_put_u32(b, INET_DIAG_MARK, s->sk.mark))
		return false;
	return nl_put(b, INET_DIAG_SOCKOPT, &so, sizeof(so)) && put_memory(b, p, s, ext) &&
		(!p->fill || p->fill(b, e, ext));
}

/* ---- dumps --------------------------------------------------------------------------------------
 */

enum { TABLE, BUCKET, DONE_IN_BUCKET }; /* cursors */

struct walk {
	const struct inet_diag_req_v2 *rq;
	const struct inet_diag_proto *proto;
	const void *code;
	u32 code_len;
	bool admin;
	/* a dump */
	struct nl_dump *d;
	u32 *pos; /* the bucket */
	u64 seen; /* in it */
	bool full;
	/* one */
	struct nl_request *one;
	int err;
};

static bool wanted(const struct walk *w, const struct inet_diag_entry *e)
{
	const struct inet_diag_req_v2 *rq = w->rq;

	return e->family == rq->sdiag_family && rq->idiag_states >> e->state & 1 &&
		(!rq->id.idiag_sport || rq->id.idiag_sport == e->lport) &&
		(!rq->id.idiag_dport || rq->id.idiag_dport == e->rport) &&
		(!w->code || diag_filter_run(w->code, w->code_len, e));
}

static bool dump_one(const struct inet_diag_entry *e, void *arg)
{
	struct walk *w = arg;
	struct nlmsghdr *h;

	if (*w->pos != w->d->cursor[BUCKET]) {
		w->d->cursor[BUCKET] = *w->pos;
		w->d->cursor[DONE_IN_BUCKET] = w->seen = 0;
	}
	if (w->seen++ < w->d->cursor[DONE_IN_BUCKET])
		return true;
	if (wanted(w, e)) {
		h = nl_dump_begin(w->d, SOCK_DIAG_BY_FAMILY, sizeof(struct inet_diag_msg));
		if (h)
			fill_msg(nl_data(h), e);
		if (!h ||
			(e->s &&
				!put_attributes(
					w->d->out, w->proto, e, w->rq->idiag_ext, w->admin))) {
			if (h)
				nl_cancel(w->d->out, h);
			w->full = true;
			return false;
		}
		nl_end(w->d->out, h);
	}
	w->d->cursor[DONE_IN_BUCKET] = w->seen;
	return true;
}

static int parse(const struct nlmsghdr *h, bool admin, struct walk *w, struct nl_ext_ack *ack)
{
	const struct nlattr *tb[INET_DIAG_REQ_MAX + 1], *code;
	int err;

	if (h->nlmsg_len < NLMSG_HDRLEN + sizeof(*w->rq))
		return -EINVAL;
	err = nl_parse_message(tb, INET_DIAG_REQ_MAX, h, sizeof(*w->rq), NULL, false, ack);
	if (err)
		return err;
	w->rq = NLMSG_DATA(h);
	w->admin = admin;
	/* Protocols above 255 are named by an attribute, beside some number in the old place. */
	if (tb[INET_DIAG_REQ_PROTOCOL] && nla_len(tb[INET_DIAG_REQ_PROTOCOL]) != sizeof(u32))
		return -EINVAL;
	w->proto = proto_of(tb[INET_DIAG_REQ_PROTOCOL] ? nla_u32(tb[INET_DIAG_REQ_PROTOCOL])
						       : w->rq->sdiag_protocol);
	if (!w->proto)
		return -ENOENT;
	code = tb[INET_DIAG_REQ_BYTECODE];
	if (code) {
		w->code = nla_data(code);
		w->code_len = nla_len(code);
		return diag_filter_check(w->code, w->code_len, admin);
	}
	return 0;
}

static int start(struct nl_dump *d)
{
	struct walk w = {.d = d};

	d->cursor[5] = capable(CAP_NET_ADMIN); /* of who asks, also for what it reads later */
	return parse(d->h, d->cursor[5], &w, d->ack);
}

static int dump(struct nl_dump *d)
{
	struct walk w = {.d = d};
	int err = parse(d->h, d->cursor[5], &w, NULL);

	if (err)
		return err;
	while (d->cursor[TABLE] < w.proto->nr_tables) {
		u32 pos = (u32)d->cursor[BUCKET];

		w.pos = &pos;
		w.seen = 0;
		rcu_read_lock();
		(void)w.proto->each(d->net, (u32)d->cursor[TABLE], &pos, dump_one, &w);
		rcu_read_unlock();
		if (w.full)
			return NL_DUMP_MORE;
		d->cursor[TABLE]++;
		d->cursor[BUCKET] = d->cursor[DONE_IN_BUCKET] = 0;
	}
	return 0;
}

/* ---- one ----------------------------------------------------------------------------------------
 */

static bool answer(const struct inet_diag_entry *e, void *arg)
{
	struct walk *w = arg;
	const u32 *cookie = w->rq->id.idiag_cookie;
	struct nl_buf b;
	struct nlmsghdr *h;

	if (cookie[0] != INET_DIAG_NOCOOKIE || cookie[1] != INET_DIAG_NOCOOKIE)
		if (cookie[0] != (u32)e->cookie || cookie[1] != (u32)(e->cookie >> 32)) {
			w->err = -ENOENT;
			return false;
		}
	b = nl_alloc(ANSWER, GFP_ATOMIC);
	h = b.data ? nl_begin(&b, w->one->portid, w->one->h->nlmsg_seq, SOCK_DIAG_BY_FAMILY, 0,
			     sizeof(struct inet_diag_msg))
		   : NULL;
	if (h)
		fill_msg(nl_data(h), e);
	if (!h || (e->s && !put_attributes(&b, w->proto, e, w->rq->idiag_ext, w->admin))) {
		nl_free(&b);
		w->err = h ? -EMSGSIZE : -ENOMEM;
		return false;
	}
	nl_end(&b, h);
	w->err = nl_reply(w->one, &b);
	return false;
}

static int get_one(struct nl_request *rq)
{
	struct walk w = {.one = rq, .err = -ENOENT};
	struct inet_lookup l;
	int err = parse(rq->h, nl_may_admin(rq), &w, rq->ack);
	const struct inet_diag_sockid *id;

	if (err)
		return err;
	id = &w.rq->id;
	l = (struct inet_lookup){
		.lport = id->idiag_sport, .rport = id->idiag_dport, .ifindex = id->idiag_if};
	if (w.rq->sdiag_family == AF_INET) {
		l.local = addr_v4(id->idiag_src[0]);
		l.remote = addr_v4(id->idiag_dst[0]);
	} else {
		l.local = addr_v6(id->idiag_src);
		l.remote = addr_v6(id->idiag_dst);
	}
	rcu_read_lock();
	(void)w.proto->find(rq->net, &l, answer, &w);
	rcu_read_unlock();
	return w.err;
}

static int diag_init(void)
{
	static const struct nl_handler handler = {.doit = get_one, .start = start, .dump = dump};

	sock_diag_register(AF_INET, &handler);
	sock_diag_register(AF_INET6, &handler);
	return 0;
}
INIT_HOOK(INIT_CORE, diag_init);
