/* What sock_diag shows of AF_UNIX: `ss -x`. sock_diag(7), linux/unix_diag.h. */
#include "unix.h"
#include <core/init.h>
#include <lib/err.h>
#include <lib/string.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netlink/netlink.h>

#define ANSWER    4096u /* bytes of one socket's message; more connections than fit aren't named */
#define NO_COOKIE (~0u)

enum { CONNECTED = 1, CLOSED = 7, LISTENING = 10 }; /* in TCP's numbers */
enum { BUCKET, DONE_IN_BUCKET };                    /* cursors */

static u8 state_of(const struct usock *u)
{
	if (u->ustate == UNIX_LISTEN)
		return LISTENING;
	return u->ustate == UNIX_CONNECTED || u->peer ? CONNECTED : CLOSED;
}

static bool put_peer(struct nl_buf *b, struct usock *u)
{
	struct usock *peer = unix_get_peer(u);
	bool ok = true;

	if (peer) {
		ok = nl_put_u32(b, UNIX_DIAG_PEER, (u32)peer->sk.ino);
		put_sock(&peer->sk);
	}
	return ok;
}

/* Numbers of the sockets of who connected and has not been accepted. */
static bool put_pending(struct nl_buf *b, struct usock *u)
{
	struct usock *child;
	u32 inos[64], n = 0;

	spin_lock(&u->sk.lock);
	list_for_each_entry(child, &u->accepts, accept_link) {
		if (n == ARRAY_SIZE(inos))
			break;
		inos[n++] = child->peer ? (u32)child->peer->sk.ino : 0;
	}
	spin_unlock(&u->sk.lock);
	return nl_put(b, UNIX_DIAG_ICONS, inos, n * sizeof(inos[0]));
}

static bool put_queues(struct nl_buf *b, const struct usock *u)
{
	struct unix_diag_rqlen q = {(u32)u->queued_bytes, (u32)READ_ONCE(u->wmem)};

	if (u->ustate == UNIX_LISTEN)
		q = (struct unix_diag_rqlen){u->nr_accepts, u->backlog};
	return nl_put(b, UNIX_DIAG_RQLEN, &q, sizeof(q));
}

static bool put_memory(struct nl_buf *b, const struct usock *u)
{
	u32 m[SK_MEMINFO_VARS] = {0};

	m[SK_MEMINFO_RMEM_ALLOC] = (u32)u->queued_bytes;
	m[SK_MEMINFO_RCVBUF] = (u32)u->sk.rcvbuf;
	m[SK_MEMINFO_WMEM_ALLOC] = (u32)READ_ONCE(u->wmem);
	m[SK_MEMINFO_SNDBUF] = (u32)u->sk.sndbuf;
	return nl_put(b, UNIX_DIAG_MEMINFO, m, sizeof(m));
}

static bool put_vfs(struct nl_buf *b, const struct usock *u)
{
	struct unix_diag_vfs v;

	if (!u->inode)
		return true;
	v = (struct unix_diag_vfs){(u32)u->inode->ino, (u32)u->inode->super->dev};
	return nl_put(b, UNIX_DIAG_VFS, &v, sizeof(v));
}

static bool fill(struct nl_buf *b, struct nlmsghdr *h, struct usock *u, u32 show)
{
	const struct unix_addr *a = rcu_load(u->addr);
	u64 cookie = sock_cookie(&u->sk);

	*(struct unix_diag_msg *)nl_data(h) = (struct unix_diag_msg){.udiag_family = AF_UNIX,
		.udiag_type = (u8)u->sk.type,
		.udiag_state = state_of(u),
		.udiag_ino = (u32)u->sk.ino,
		.udiag_cookie = {(u32)cookie, (u32)(cookie >> 32)}};
	if (show & UDIAG_SHOW_NAME && a &&
		!nl_put(b, UNIX_DIAG_NAME, a->name.sun_path,
			a->len - (u32)offsetof(struct sockaddr_un, sun_path)))
		return false;
	return (!(show & UDIAG_SHOW_VFS) || put_vfs(b, u)) &&
		(!(show & UDIAG_SHOW_PEER) || put_peer(b, u)) &&
		(!(show & UDIAG_SHOW_ICONS) || u->ustate != UNIX_LISTEN || put_pending(b, u)) &&
		(!(show & UDIAG_SHOW_RQLEN) || put_queues(b, u)) &&
		(!(show & UDIAG_SHOW_MEMINFO) || put_memory(b, u)) &&
		(!(show & UDIAG_SHOW_UID) || nl_put_u32(b, UNIX_DIAG_UID, u->sk.uid)) &&
		nl_put_u8(b, UNIX_DIAG_SHUTDOWN, u->sk.shutdown);
}

/* ---- dumps --------------------------------------------------------------------------------------
 */

struct walk {
	const struct unix_diag_req *rq;
	struct nl_dump *d;
	u32 bucket;
	u64 seen; /* in it */
	bool full;
};

static bool dump_one(struct usock *u, void *arg)
{
	struct walk *w = arg;
	struct nlmsghdr *h;

	if (w->bucket != w->d->cursor[BUCKET]) {
		w->d->cursor[BUCKET] = w->bucket;
		w->d->cursor[DONE_IN_BUCKET] = w->seen = 0;
	}
	if (w->seen++ < w->d->cursor[DONE_IN_BUCKET])
		return true;
	if (w->rq->udiag_states >> state_of(u) & 1 && u->sk.net == w->d->net) {
		h = nl_dump_begin(w->d, SOCK_DIAG_BY_FAMILY, sizeof(struct unix_diag_msg));
		if (!h || !fill(w->d->out, h, u, w->rq->udiag_show)) {
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

static int check(const struct nlmsghdr *h)
{
	return h->nlmsg_len < NLMSG_HDRLEN + sizeof(struct unix_diag_req) ? -EINVAL : 0;
}

static int start(struct nl_dump *d)
{
	return check(d->h);
}

static int dump(struct nl_dump *d)
{
	struct walk w = {.rq = NLMSG_DATA(d->h), .d = d, .bucket = (u32)d->cursor[BUCKET]};
	int err = unix_for_each(&w.bucket, dump_one, &w);

	return err ? err : w.full ? NL_DUMP_MORE : 0;
}

/* ---- one ----------------------------------------------------------------------------------------
 */

struct search {
	u32 ino;
	struct usock *found; /* referenced */
};

static bool is_it(struct usock *u, void *arg)
{
	struct search *s = arg;

	if ((u32)u->sk.ino != s->ino)
		return true;
	get_sock(&u->sk);
	s->found = u;
	return false;
}

static int answer(struct nl_request *rq, struct usock *u)
{
	const struct unix_diag_req *q = NLMSG_DATA(rq->h);
	u64 cookie = sock_cookie(&u->sk);
	struct nlmsghdr *h;
	struct nl_buf b;

	if ((q->udiag_cookie[0] != NO_COOKIE || q->udiag_cookie[1] != NO_COOKIE) &&
		(q->udiag_cookie[0] != (u32)cookie || q->udiag_cookie[1] != (u32)(cookie >> 32)))
		return -ESTALE;
	b = nl_alloc(ANSWER, GFP_KERNEL);
	h = b.data ? nl_begin(&b, rq->portid, rq->h->nlmsg_seq, SOCK_DIAG_BY_FAMILY, 0,
			     sizeof(struct unix_diag_msg))
		   : NULL;
	if (!h || !fill(&b, h, u, q->udiag_show)) {
		nl_free(&b);
		return h ? -EMSGSIZE : -ENOMEM;
	}
	nl_end(&b, h);
	return nl_reply(rq, &b);
}

static int get_one(struct nl_request *rq)
{
	struct search s = {0};
	u32 bucket = 0;
	int err = check(rq->h);

	if (err)
		return err;
	s.ino = ((const struct unix_diag_req *)NLMSG_DATA(rq->h))->udiag_ino;
	if (!s.ino)
		return -EINVAL;
	err = unix_for_each(&bucket, is_it, &s);
	if (!err && !s.found)
		err = -ENOENT;
	if (s.found) {
		err = answer(rq, s.found);
		put_sock(&s.found->sk);
	}
	return err;
}

static int unix_diag_init(void)
{
	static const struct nl_handler handler = {.doit = get_one, .start = start, .dump = dump};

	sock_diag_register(AF_UNIX, &handler);
	return 0;
}
INIT_HOOK(INIT_CORE, unix_diag_init);
