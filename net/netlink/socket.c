/* AF_NETLINK sockets: netlink(7). */
#include "nl.h"
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>

#define SEND_OVERHEAD 32 /* a message may be that much smaller than SO_SNDBUF */

static SLAB_CACHE(g_nl_cache, struct nl_sock);

static int check_address(const struct __kernel_sockaddr_storage *addr, u32 len)
{
	return len < sizeof(struct sockaddr_nl) || addr->ss_family != AF_NETLINK ? -EINVAL : 0;
}

static int netlink_bind(struct sock *sk, struct __kernel_sockaddr_storage *addr, u32 len)
{
	const struct sockaddr_nl *a = (const void *)addr;
	struct nl_sock *s = nl_of(sk);
	int err = check_address(addr, len);

	if (err)
		return err;
	if (a->nl_groups && !g_nl_protocols[sk->protocol].any_may_listen && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (s->portid && a->nl_pid != s->portid)
		return -EINVAL;
	err = a->nl_pid ? nl_bind(s, a->nl_pid) : nl_autobind(s);
	if (!err && (a->nl_groups || (u32)s->groups[0]))
		nl_set_groups32(s, a->nl_groups);
	return err;
}

static bool may_send_to(const struct sock *sk, const struct sockaddr_nl *a)
{
	return (!a->nl_pid && !a->nl_groups) || g_nl_protocols[sk->protocol].any_may_send ||
		capable(CAP_NET_ADMIN);
}

static u32 first_group(u32 mask)
{
	return mask ? (u32)__builtin_ctz(mask) + 1 : 0;
}

static int netlink_connect(
	struct sock *sk, struct __kernel_sockaddr_storage *addr, u32 len, u32 o_flags)
{
	const struct sockaddr_nl *a = (const void *)addr;
	struct nl_sock *s = nl_of(sk);
	int err;

	if (len < sizeof(addr->ss_family))
		return -EINVAL;
	if (addr->ss_family == AF_UNSPEC) {
		s->dst_portid = s->dst_group = 0;
		return 0;
	}
	err = check_address(addr, len);
	if (err)
		return err;
	if (!may_send_to(sk, a))
		return -EPERM;
	err = nl_autobind(s);
	if (err)
		return err;
	spin_lock(&sk->lock);
	s->dst_portid = a->nl_pid;
	s->dst_group = first_group(a->nl_groups);
	spin_unlock(&sk->lock);
	return 0;
}

static int netlink_getname(struct sock *sk, struct __kernel_sockaddr_storage *addr, bool peer)
{
	struct nl_sock *s = nl_of(sk);
	struct sockaddr_nl a = {.nl_family = AF_NETLINK};

	if (peer) {
		a.nl_pid = s->dst_portid;
		a.nl_groups = s->dst_group && s->dst_group <= 32 ? 1u << (s->dst_group - 1) : 0;
	} else {
		a.nl_pid = s->portid;
		a.nl_groups = (u32)s->groups[0];
	}
	memcpy(addr, &a, sizeof(a));
	return sizeof(a);
}

/* All of a group hear it, then the one who is meant; 0 is the kernel, which takes no answers here. */
static int send_to_user(struct nl_sock *s, u32 portid, u32 group, struct nl_bytes *b)
{
	const struct cred *c = current_cred();
	struct nl_item from = {
		.portid = s->portid, .pid = nl_self(), .uid = c->euid, .gid = c->egid};
	struct nl_sock *to;
	int err;

	if (group)
		nl_broadcast(s->sk.net, s->sk.protocol, group, b, &from, s->portid);
	if (!portid)
		return -ECONNREFUSED;
	to = nl_find(s->sk.net, s->sk.protocol, portid);
	if (!to)
		return -ECONNREFUSED;
	err = nl_queue(to, b, &from);
	put_sock(&to->sk);
	return err == -ENOBUFS ? -EAGAIN : err;
}

static int destination(struct nl_sock *s, const struct sock_msg *m, u32 *portid, u32 *group)
{
	const struct sockaddr_nl *a = (const void *)m->name;
	int err;

	if (!m->name || !m->name_len) {
		*portid = s->dst_portid;
		*group = s->dst_group;
		return 0;
	}
	err = check_address(m->name, m->name_len);
	if (err)
		return err;
	*portid = a->nl_pid;
	*group = first_group(a->nl_groups);
	return may_send_to(&s->sk, a) ? 0 : -EPERM;
}

static ssize_t netlink_sendmsg(struct sock *sk, struct sock_msg *m)
{
	struct nl_sock *s = nl_of(sk);
	size_t len = m->iter.count;
	struct nl_bytes *bytes;
	struct nl_buf b;
	u32 portid, group;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (!len)
		return -ENODATA;
	err = destination(s, m, &portid, &group);
	if (!err)
		err = nl_autobind(s);
	if (err)
		return err;
	if (len + SEND_OVERHEAD > (size_t)max(sk->sndbuf, 0))
		return -EMSGSIZE;
	b = nl_alloc((u32)len, GFP_KERNEL);
	if (!b.data)
		return -ENOBUFS;
	b.len = (u32)len;
	if (iter_get(&m->iter, b.data, len) != len) {
		nl_free(&b);
		return -EFAULT;
	}
	if (!portid && !group && g_nl_protocols[sk->protocol].request) {
		nl_requests(s, b.data, b.len);
		nl_free(&b);
		return (ssize_t)len;
	}
	bytes = nl_bytes_from(&b);
	if (!bytes)
		return -ENOBUFS;
	err = send_to_user(s, portid, group, bytes);
	put_nl_bytes(bytes);
	return err ? err : (ssize_t)len;
}

static u32 netlink_poll(struct sock *sk)
{
	struct nl_sock *s = nl_of(sk);
	u32 mask = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

	nl_dump_go_on(s);
	if (READ_ONCE(sk->err))
		mask |= EPOLLERR;
	if (!list_empty(&s->queue))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

static void netlink_close(struct sock *sk)
{
	struct nl_sock *s = nl_of(sk);

	nl_unbind(s);
	nl_dump_end(s);
}

static void free_sock(struct rcu_head *head)
{
	struct nl_sock *s = container_of(head, struct nl_sock, sk.rcu);

	nl_queue_purge(s);
	slab_free(&g_nl_cache, s);
}

static void netlink_destroy(struct sock *sk)
{
	sock_deinit(sk);
	rcu_call(&sk->rcu, free_sock); /* senders of events may stand on it */
}

static const struct sock_ops g_netlink_ops = {
	.bind = netlink_bind,
	.connect = netlink_connect,
	.getname = netlink_getname,
	.sendmsg = netlink_sendmsg,
	.recvmsg = nl_recvmsg,
	.poll = netlink_poll,
	.setsockopt = nl_setsockopt,
	.getsockopt = nl_getsockopt,
	.close = netlink_close,
	.destroy = netlink_destroy,
};

static struct sock *netlink_create(int type, int protocol)
{
	struct nl_sock *s;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return err_ptr(-ESOCKTNOSUPPORT);
	if (protocol < 0 || protocol >= MAX_LINKS || !g_nl_protocols[protocol].exists)
		return err_ptr(-EPROTONOSUPPORT);
	s = slab_alloc(&g_nl_cache, GFP_KERNEL | GFP_ZERO);
	if (!s)
		return err_ptr(-ENOMEM);
	sock_init(&s->sk, &g_netlink_ops, AF_NETLINK, type, protocol);
	list_init(&s->queue);
	mutex_init(&s->dump_lock, RANK_SOCKET_CALL);
	return &s->sk;
}

static int netlink_init(void)
{
	static const struct net_family family = {AF_NETLINK, netlink_create};

	net_family_register(&family);
	return 0;
}
INIT_HOOK(INIT_CORE, netlink_init);
