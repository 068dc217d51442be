/*
 * Netlink (netlink(7)): messages between programs and the kernel. A protocol (NETLINK_ROUTE, ...)
 * is a table of handlers by message type, which subsystems register at start-up.
 *
 * A request is handled in the sender's thread, inside sendmsg: its answer waits in the sender's
 * receive queue when sendmsg returns. A dump is made piece by piece as the program reads, from a
 * cursor that moves only past what has been put into the answer.
 *
 * Attributes are struct nlattr (linux/netlink.h): all lengths that come from programs are checked
 * by nl_parse before a handler sees a pointer.
 */
#ifndef NETLINK_NETLINK_H
#define NETLINK_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/net.h>

struct cred;
struct sock;

/* ---- making messages ----------------------------------------------------------------------------
 */

/* Memory of fixed size that messages are appended to. What doesn't fit is left out as a whole. */
struct nl_buf {
	u8 *data;
	u32 len, size; /* bytes used, bytes there */
};
/* NULL data: no memory. The buffer is freed by nl_free or by who sends it. */
struct nl_buf nl_alloc(u32 size, u32 gfp);
void nl_free(struct nl_buf *b);
/* Append a header and room for payload bytes (zeroed); NULL: no room. */
struct nlmsghdr *nl_begin(
	struct nl_buf *b, u32 portid, u32 seq, u16 type, u16 flags, u32 payload) must_check;
static inline void *nl_data(struct nlmsghdr *h)
{
	return (u8 *)h + NLMSG_HDRLEN;
}
void nl_end(struct nl_buf *b, struct nlmsghdr *h);    /* fills in the length */
void nl_cancel(struct nl_buf *b, struct nlmsghdr *h); /* takes the message off again */
/* Attributes of the message at the end: false: no room (then nl_cancel). */
bool nl_put(struct nl_buf *b, u16 type, const void *data, u32 len) must_check;
bool nl_put_string(struct nl_buf *b, u16 type, const char *s) must_check; /* with its NUL */
/* As nl_put for 64-bit values, aligned by an attribute pad when it has to be. */
bool nl_put_aligned(struct nl_buf *b, u16 type, const void *data, u32 len, u16 pad) must_check;
static inline bool must_check nl_put_u8(struct nl_buf *b, u16 type, u8 v)
{
	return nl_put(b, type, &v, sizeof(v));
}
static inline bool must_check nl_put_u16(struct nl_buf *b, u16 type, u16 v)
{
	return nl_put(b, type, &v, sizeof(v));
}
static inline bool must_check nl_put_u32(struct nl_buf *b, u16 type, u32 v)
{
	return nl_put(b, type, &v, sizeof(v));
}
/* A nested attribute from here on: its place, for nl_nest_end; 0: no room. flags: NLA_F_NESTED or
 * 0, as Linux has it for this attribute. */
u32 nl_nest_begin(struct nl_buf *b, u16 type) must_check;
void nl_nest_end(struct nl_buf *b, u32 nest);
void nl_nest_cancel(struct nl_buf *b, u32 nest);

/* ---- reading messages ---------------------------------------------------------------------------
 */

/* What NETLINK_EXT_ACK tells of an error (or warns of). Messages are literals. */
struct nl_ext_ack {
	const char *msg;
	const struct nlattr *bad;  /* in the request */
	u16 missing;               /* the attribute that is missing; 0: none */
	const struct nlattr *nest; /* where it is missing; NULL: in the message itself */
};
/* return nl_error(ack, -EINVAL, "Invalid prefix for given prefix length"); */
static inline int nl_error(struct nl_ext_ack *ack, int err, const char *msg)
{
	if (ack)
		ack->msg = msg;
	return err;
}
static inline int nl_error_attr(
	struct nl_ext_ack *ack, int err, const struct nlattr *bad, const char *msg)
{
	if (ack) {
		ack->msg = msg;
		ack->bad = bad;
	}
	return err;
}

enum nl_kind {
	NL_ANY,   /* at least len bytes */
	NL_EXACT, /* exactly len bytes */
	NL_FLAG,  /* no content */
	NL_U8,    /* numbers: at least as long as their type */
	NL_U16,
	NL_U32,
	NL_U64,
	NL_STRING, /* at most len bytes before a NUL, which may be missing (0: any) */
	NL_NESTED, /* empty, or attributes */
	NL_BINARY, /* at most len bytes (0: any) */
	NL_REJECT, /* not allowed in this message */
};
struct nl_policy {
	u8 kind; /* enum nl_kind */
	u16 len;
};
/*
 * Attributes at [attrs, attrs + len) into tb[0..max]: the last of each type counts; types above max
 * are skipped, or with strict refused, as are bytes that are left over. -EINVAL -ERANGE with ack
 * filled in. policy has max + 1 entries; NULL: any content.
 */
int nl_parse(const struct nlattr **tb, int max, const void *attrs, u32 len,
	const struct nl_policy *policy, bool strict, struct nl_ext_ack *ack) must_check;
static inline const void *nla_data(const struct nlattr *a)
{
	return (const u8 *)a + NLA_HDRLEN;
}
static inline u32 nla_len(const struct nlattr *a)
{
	return a->nla_len - NLA_HDRLEN;
}
static inline int must_check nl_parse_nested(const struct nlattr **tb, int max,
	const struct nlattr *nest, const struct nl_policy *policy, bool strict,
	struct nl_ext_ack *ack)
{
	return nl_parse(tb, max, nla_data(nest), nla_len(nest), policy, strict, ack);
}
static inline u8 nla_u8(const struct nlattr *a)
{
	return *(const u8 *)nla_data(a);
}
static inline u16 nla_u16(const struct nlattr *a)
{
	return *(const u16 *)nla_data(a);
}
static inline u32 nla_u32(const struct nlattr *a)
{
	return *(const u32 *)nla_data(a);
}
u64 nla_u64(const struct nlattr *a);
/* Copy a string attribute, cut to size, with a NUL. */
void nla_string(const struct nlattr *a, char *to, size_t size);
/* The attributes of an rtnetlink-like message: behind a fixed header of head bytes. -EINVAL: the
 * message is shorter than that. */
int nl_parse_message(const struct nlattr **tb, int max, const struct nlmsghdr *h, u32 head,
	const struct nl_policy *policy, bool strict, struct nl_ext_ack *ack) must_check;

/* ---- handlers -----------------------------------------------------------------------------------
 */

struct nl_request {
	struct net *net;
	struct sock *sk;          /* who asks */
	u32 portid;               /* its address */
	const struct nlmsghdr *h; /* in kernel memory, nlmsg_len checked */
	struct nl_ext_ack *ack;
	bool strict; /* NETLINK_GET_STRICT_CHK is on */
};
/* May the sender change the network? (CAP_NET_ADMIN) */
bool nl_may_admin(const struct nl_request *rq) must_check;
/* Send an answer to who asks; consumes b. 0 or -ENOBUFS: then the sender is told by ENOBUFS. */
int nl_reply(const struct nl_request *rq, struct nl_buf *b);

struct nl_dump {
	struct net *net;
	struct sock *sk;
	const struct nlmsghdr *h; /* the request, a copy that lives as long as the dump */
	u32 portid;
	struct nl_buf *out;
	u64 cursor[6];  /* zero at the start; the handler's */
	void *priv;     /* the handler's; freed by done */
	u32 generation; /* of what is shown: when it changes, NLM_F_DUMP_INTR is set. 0: none */
	bool strict;
	bool filtered;          /* answers carry NLM_F_DUMP_FILTERED */
	struct nl_ext_ack *ack; /* only in start */
};
/* nl_begin for one message of a dump (NLM_F_MULTI, the request's seq). */
struct nlmsghdr *nl_dump_begin(struct nl_dump *d, u16 type, u32 payload) must_check;
#define NL_DUMP_MORE 1 /* the buffer is full, the cursor at what didn't fit */

struct nl_handler {
	u16 type;
	/* One request. 0 (an acknowledgement follows where the sender wants one) or -errno. For
	 * NETLINK_ROUTE the config lock is held, and CAP_NET_ADMIN was checked for all types but
	 * RTM_GET*. NULL: EOPNOTSUPP. */
	int (*doit)(struct nl_request *rq);
	/* NLM_F_DUMP: check the request and set up d; NULL: nothing to do. */
	int (*start)(struct nl_dump *d);
	/* Append messages. 0: that was all; NL_DUMP_MORE; -errno. RTM_*: config lock held. */
	int (*dump)(struct nl_dump *d);
	void (*done)(struct nl_dump *d); /* NULL: nothing to free */
};
/*
 * rtnetlink by message type and family: PF_UNSPEC handlers are asked where the family of the
 * request has none of its own. A dump of PF_UNSPEC runs through all families' handlers in turn,
 * where PF_UNSPEC has none. At start-up; the table stays.
 */
void rtnl_register(int family, const struct nl_handler *table, u32 n);

/* Send b to group (RTNLGRP_*, 1-based) of a protocol; consumes b. Listeners whose queue is full get
 * ENOBUFS. exclude: this portid doesn't get it (0: none). Thread or packet context. */
void nl_multicast(struct net *net, int protocol, u32 group, struct nl_buf *b, u32 exclude);
/* Does anybody listen? To save the work. */
bool nl_has_listeners(struct net *net, int protocol, u32 group);
/* The change that rq asked for (NULL: came by itself) as an event: to the group, and with
 * NLM_F_ECHO to the sender. Consumes b, whose message carries the request's portid and seq. */
void rtnl_notify(struct net *net, u32 group, struct nl_buf *b, const struct nl_request *rq);
static inline u32 rtnl_seq(const struct nl_request *rq)
{
	return rq ? rq->h->nlmsg_seq : 0;
}
static inline u32 rtnl_portid(const struct nl_request *rq)
{
	return rq ? rq->portid : 0;
}

/*
 * What other modules add to the messages of a link: IFLA_AF_SPEC for their family. fill appends
 * attributes inside a nest of that family; false: no room.
 */
struct rtnl_link_af {
	struct list_head link;
	int family;
	bool (*fill)(struct nl_buf *b, const struct netif *n, u32 ext_filter_mask);
	int (*set)(struct netif *n, const struct nlattr *nest, struct nl_ext_ack *ack);
};
void rtnl_link_af_register(struct rtnl_link_af *af);

/* NETLINK_SOCK_DIAG: handlers by address family of SOCK_DIAG_BY_FAMILY (type is ignored). */
void sock_diag_register(int family, const struct nl_handler *handler);

/* ---- generic netlink ---- */
struct genl_family {
	u16 id; /* given by genl_register */
	const char *name;
	u32 version, hdrsize, maxattr;
	const struct nl_handler *ops; /* type: the command */
	u32 nr_ops;
	const char *const *groups;
	u32 nr_groups, first_group;
};
void genl_register(struct genl_family *f); /* at start-up */

/* kobject uevents: "ACTION@DEVPATH" and KEY=VALUE strings, each with its NUL; to group 1. */
struct file;
/* A message of bytes, without a header of netlink's, to the socket whose file it is. What finds no
 * room is lost, and the program told of it. f is a netlink socket. */
void netlink_send_to_file(struct file *f, const void *data, u32 len);
bool netlink_is_socket(struct file *f);
void uevent_send(const char *action, const char *devpath, const char *const *env, u32 nr_env);

/* /proc/net/netlink. Sleeps. */
struct seq_buf;
void netlink_show(struct net *net, struct seq_buf *s);

#endif
