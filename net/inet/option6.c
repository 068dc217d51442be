/*
 * setsockopt(2) and getsockopt(2) at SOL_IPV6, and what both families share: the
 * protocol-independent multicast options (RFC 3678), SO_BINDTODEVICE. ipv6(7), RFC 3493, RFC 3542.
 */
#include "inet.h"
#include <inet/ports.h>
#include <linux/icmpv6.h>

/* ---- extension headers --------------------------------------------------------------------------
 */

static void free_headers(struct rcu_head *head)
{
	kfree(container_of(head, struct ip6_headers, rcu));
}

/* A new set with the header of one kind replaced (len 0: removed). *out: owned, or NULL. */
int ip6_headers_set(struct ip6_headers **out, const struct ip6_headers *old, int name,
	const void *data, u32 len)
{
	const struct ip6_headers none = {.hop_len = 0};
	const u8 *h = data;
	u16 parts[4];
	struct ip6_headers *e;
	u32 which, at = 0, total = 0;

	if (*out)
		old = *out;
	else if (!old)
		old = &none;
	if (len && (len < 8 || len & 7 || (h[1] + 1u) * 8 != len || len > 80))
		return -EINVAL; /* more than fits in front of a packet */
	which = name == IPV6_HOPOPTS || name == IPV6_2292HOPOPTS ? 0
		: name == IPV6_RTHDRDSTOPTS                      ? 1
								 : 3;
	parts[0] = old->hop_len;
	parts[1] = old->dst0_len;
	parts[2] = old->rt_len;
	parts[3] = old->dst_len;
	for (u32 i = 0; i < 4; i++)
		total += i == which ? len : parts[i];
	if (total > 80)
		return -EINVAL;
	e = kzalloc(sizeof(*e) + total, GFP_KERNEL);
	if (!e)
		return -ENOBUFS;
	for (u32 i = 0, from = 0; i < 4; i++) {
		u32 n = i == which ? len : parts[i];

		memcpy(e->data + at, i == which ? h : old->data + from, n);
		at += n;
		from += parts[i];
		parts[i] = (u16)n;
	}
	e->hop_len = parts[0];
	e->dst0_len = parts[1];
	e->rt_len = parts[2];
	e->dst_len = parts[3];
	kfree(*out);
	*out = e;
	return 0;
}

static int set_headers(struct inet_sock *s, int name, const void __user *val, u32 len)
{
	struct ip6_headers *e = NULL, *old;
	u8 data[80];
	int err;

	if (len > sizeof(data))
		return -EINVAL;
	if (len && !capable(CAP_NET_RAW))
		return -EPERM;
	if (copy_from_user(data, val, len))
		return -EFAULT;
	err = ip6_headers_set(&e, s->ext, name, data, len);
	if (err)
		return err;
	if (!(e->hop_len + e->dst0_len + e->rt_len + e->dst_len)) {
		kfree(e);
		e = NULL;
	}
	spin_lock(&s->sk.lock);
	old = s->ext;
	rcu_publish(s->ext, e);
	spin_unlock(&s->sk.lock);
	if (old)
		rcu_call(&old->rcu, free_headers);
	return 0;
}

static int get_headers(struct inet_sock *s, int name, void __user *val, u32 *len)
{
	u8 data[80];
	u32 n = 0;

	spin_lock(&s->sk.lock);
	if (s->ext) {
		struct ip6_headers *e = s->ext;
		u32 at = name == IPV6_HOPOPTS       ? 0u
			: name == IPV6_RTHDRDSTOPTS ? e->hop_len
						    : (u32)e->hop_len + e->dst0_len + e->rt_len;

		n = name == IPV6_HOPOPTS            ? e->hop_len
			: name == IPV6_RTHDRDSTOPTS ? e->dst0_len
						    : e->dst_len;
		memcpy(data, e->data + at, n);
	}
	spin_unlock(&s->sk.lock);
	return sockopt_put(val, len, data, n);
}

/* ---- multicast ----------------------------------------------------------------------------------
 */

static bool group_in(const struct __kernel_sockaddr_storage *a, struct inet_addr *out)
{
	if (a->ss_family == AF_INET) {
		*out = addr_v4(((const struct sockaddr_in *)a)->sin_addr.s_addr);
		return true;
	}
	*out = addr_v6(&((const struct sockaddr_in6 *)a)->sin6_addr);
	return a->ss_family == AF_INET6;
}

int mc_set_option(struct inet_sock *s, int name, const void __user *val, u32 len)
{
	struct mc_request q = {.ifindex = 0};
	bool group = name == MCAST_JOIN_GROUP || name == MCAST_LEAVE_GROUP;
	struct group_source_req *r;
	int err = -EINVAL;

	if (len < (group ? sizeof(struct group_req) : sizeof(*r)))
		return -EINVAL;
	r = kzalloc(sizeof(*r), GFP_KERNEL);
	if (!r)
		return -ENOBUFS;
	if (copy_from_user(r, val, group ? sizeof(struct group_req) : sizeof(*r))) {
		kfree(r);
		return -EFAULT;
	}
	q.ifindex = (int)r->gsr_interface;
	if (!group_in(&r->gsr_group, &q.group) || addr_family(&q.group) != s->sk.family)
		err = s->sk.family == AF_INET ? -EINVAL : -EADDRNOTAVAIL;
	else if (!group && !group_in(&r->gsr_source, &q.source))
		err = -EADDRNOTAVAIL;
	else
		err = mc_sock_change(s,
			name == MCAST_JOIN_GROUP                  ? MC_JOIN
				: name == MCAST_LEAVE_GROUP       ? MC_LEAVE
				: name == MCAST_BLOCK_SOURCE      ? MC_BLOCK
				: name == MCAST_UNBLOCK_SOURCE    ? MC_UNBLOCK
				: name == MCAST_JOIN_SOURCE_GROUP ? MC_JOIN_SOURCE
								  : MC_LEAVE_SOURCE,
			&q);
	kfree(r);
	return err;
}

static int change_membership(struct inet_sock *s, int name, const void __user *val, u32 len)
{
	struct ipv6_mreq r;
	struct mc_request q;

	if (len < sizeof(r))
		return -EINVAL;
	if (s->sk.type == SOCK_STREAM)
		return -EPROTO;
	if (copy_from_user(&r, val, sizeof(r)))
		return -EFAULT;
	q.group = addr_v6(&r.ipv6mr_multiaddr);
	q.ifindex = r.ipv6mr_ifindex;
	if (addr_is_v4(&q.group))
		return -EINVAL;
	return mc_sock_change(s, name == IPV6_ADD_MEMBERSHIP ? MC_JOIN : MC_LEAVE, &q);
}

/* ---- flags and numbers --------------------------------------------------------------------------
 */

static const struct {
	u8 name, flag;
} g_flags[] = {
	{IPV6_V6ONLY, INF_V6ONLY},
	{IPV6_RECVERR, INF_RECVERR6},
	{IPV6_RECVPKTINFO, INF_RECVPKTINFO6},
	{IPV6_2292PKTINFO, INF_2292PKTINFO},
	{IPV6_RECVHOPLIMIT, INF_RECVHOPLIMIT},
	{IPV6_2292HOPLIMIT, INF_2292HOPLIMIT},
	{IPV6_RECVTCLASS, INF_RECVTCLASS},
	{IPV6_RECVHOPOPTS, INF_RECVHOPOPTS},
	{IPV6_RECVDSTOPTS, INF_RECVDSTOPTS},
	{IPV6_RECVRTHDR, INF_RECVRTHDR},
	{IPV6_RECVORIGDSTADDR, INF_RECVORIGDSTADDR6},
	{IPV6_FLOWINFO, INF_FLOWINFO},
	{IPV6_FLOWINFO_SEND, INF_FLOWINFO_SEND},
	{IPV6_DONTFRAG, INF_DONTFRAG},
	{IPV6_AUTOFLOWLABEL, INF_AUTOFLOWLABEL},
	{IPV6_MULTICAST_LOOP, INF_MC_LOOP6},
	{IPV6_MULTICAST_ALL, INF_MC_ALL6},
	{IPV6_FREEBIND, INF_FREEBIND},
	{IPV6_TRANSPARENT, INF_TRANSPARENT},
	{IPV6_HDRINCL, INF_HDRINCL6},
};

static int flag_of(int name)
{
	for (u32 i = 0; i < ARRAY_SIZE(g_flags); i++)
		if (g_flags[i].name == name)
			return g_flags[i].flag;
	return -1;
}

static int set_flag(struct inet_sock *s, int name, u32 len, int v)
{
	if (len < sizeof(int))
		return -EINVAL;
	if (name == IPV6_V6ONLY && s->lport)
		return -EINVAL;
	if (name == IPV6_MULTICAST_LOOP && v != 0 && v != 1)
		return -EINVAL;
	if (name == IPV6_TRANSPARENT && v && !capable(CAP_NET_ADMIN) && !capable(CAP_NET_RAW))
		return -EPERM;
	if (name == IPV6_HDRINCL && s->sk.type != SOCK_RAW)
		return -ENOPROTOOPT;
	spin_lock(&s->sk.lock);
	inet_flag_set(s, (enum inet_flag)flag_of(name), v != 0);
	if (name == IPV6_AUTOFLOWLABEL)
		inet_flag_set(s, INF_AUTOFLOWLABEL_SET, true);
	if (name == IPV6_RECVERR && !v) {
		packet_queue_purge(&s->errors);
		s->errors_truesize = 0;
	}
	spin_unlock(&s->sk.lock);
	return 0;
}

static bool is_device(struct inet_sock *s, int ifindex)
{
	bool there;

	rcu_read_lock();
	there = netif_by_index(s->sk.net, ifindex) != NULL;
	rcu_read_unlock();
	return there;
}

static bool may_be_v4(u16 protocol)
{
	return protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE || protocol == IPPROTO_TCP;
}

/* Back to an IPv4 socket, once it talks to a mapped address. */
static int set_addrform(struct inet_sock *s, int v)
{
	int err = 0;

	spin_lock(&s->sk.lock);
	if (v != AF_INET)
		err = -EINVAL;
	else if (s->sk.type == SOCK_RAW || !may_be_v4(s->sk.protocol))
		err = -ENOPROTOOPT;
	else if (!s->rport)
		err = -ENOTCONN;
	else if (inet_flag(s, INF_V6ONLY) || !addr_is_v4(&s->remote))
		err = -EADDRNOTAVAIL;
	else
		s->sk.family = AF_INET;
	spin_unlock(&s->sk.lock);
	return err;
}

static int set_prefs(struct inet_sock *s, int v)
{
	u16 tmp = 0;

	switch (v &
		(IPV6_PREFER_SRC_PUBLIC | IPV6_PREFER_SRC_TMP | IPV6_PREFER_SRC_PUBTMP_DEFAULT)) {
	case IPV6_PREFER_SRC_PUBLIC:
	case IPV6_PREFER_SRC_PUBTMP_DEFAULT:
	case 0:
		break;
	case IPV6_PREFER_SRC_TMP:
		tmp = IPV6_PREFER_SRC_TMP;
		break;
	default:
		return -EINVAL;
	}
	s->srcprefs = (u16)(tmp | (v & IPV6_PREFER_SRC_COA));
	return 0;
}

static int set_number(struct inet_sock *s, int name, u32 len, int v)
{
	if (len < sizeof(int))
		return -EINVAL;
	switch (name) {
	case IPV6_ADDRFORM:
		return set_addrform(s, v);
	case IPV6_UNICAST_HOPS:
		if (v < -1 || v > 255)
			return -EINVAL;
		s->hoplimit = (s16)v;
		return 0;
	case IPV6_MULTICAST_HOPS:
		if (s->sk.type == SOCK_STREAM)
			return -ENOPROTOOPT;
		if (v < -1 || v > 255)
			return -EINVAL;
		s->mc_hops = (s16)(v == -1 ? 1 : v);
		return 0;
	case IPV6_TCLASS:
		if (v < -1 || v > 255)
			return -EINVAL;
		if (v == -1)
			v = 0;
		s->tclass = (u8)(s->sk.type == SOCK_STREAM ? (v & ~3) | (s->tclass & 3) : v);
		return 0;
	case IPV6_MTU_DISCOVER:
		if (v < IPV6_PMTUDISC_DONT || v > IPV6_PMTUDISC_OMIT)
			return -EINVAL;
		s->pmtudisc6 = (u8)v;
		return 0;
	case IPV6_MTU:
		if (v && v < 1280)
			return -EINVAL;
		s->mtu6 = (u32)v;
		return 0;
	case IPV6_MINHOPCOUNT:
		if (v < 0 || v > 255)
			return -EINVAL;
		s->min_hops = (u8)v;
		return 0;
	case IPV6_ADDR_PREFERENCES:
		return set_prefs(s, v);
	case IPV6_MULTICAST_IF:
		if (s->sk.type == SOCK_STREAM)
			return -ENOPROTOOPT;
		if (v && s->sk.bound_dev && s->sk.bound_dev != v)
			return -EINVAL;
		if (v && !is_device(s, v))
			return -ENODEV;
		s->mc_if6 = v;
		return 0;
	case IPV6_UNICAST_IF: {
		int index = (int)ntohl((u32)v);

		if (index && !is_device(s, index))
			return -EADDRNOTAVAIL;
		if (index && s->sk.bound_dev && s->sk.bound_dev != index)
			return -EINVAL;
		s->unicast_if6 = index;
		return 0;
	}
	default:
		return -ENOPROTOOPT;
	}
}

static int set6(struct inet_sock *s, int name, const void __user *val, u32 len)
{
	int v = 0;

	switch (name) {
	case IPV6_ADD_MEMBERSHIP:
	case IPV6_DROP_MEMBERSHIP:
		return change_membership(s, name, val, len);
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
	case MCAST_BLOCK_SOURCE:
	case MCAST_UNBLOCK_SOURCE:
	case MCAST_JOIN_SOURCE_GROUP:
	case MCAST_LEAVE_SOURCE_GROUP:
		return mc_set_option(s, name, val, len);
	case IPV6_HOPOPTS:
	case IPV6_DSTOPTS:
	case IPV6_RTHDRDSTOPTS:
		return set_headers(s, name, val, len);
	case IPV6_RTHDR: /* type 0 is dead (RFC 5095), others aren't done */
		return len ? -EINVAL : 0;
	}
	if (len >= sizeof(int) && copy_from_user(&v, val, sizeof(v)))
		return -EFAULT;
	return flag_of(name) >= 0 ? set_flag(s, name, len, v) : set_number(s, name, len, v);
}

static int get6(struct inet_sock *s, int name, void __user *val, u32 *len)
{
	int flag = flag_of(name), v;
	struct ip_path *path;

	if (flag >= 0)
		return sockopt_put_int(val, len, inet_flag(s, (enum inet_flag)flag));
	switch (name) {
	case IPV6_ADDRFORM:
		if (!may_be_v4(s->sk.protocol))
			return -ENOPROTOOPT;
		if (!s->rport)
			return -ENOTCONN;
		v = s->sk.family;
		break;
	case IPV6_UNICAST_HOPS:
		v = s->hoplimit < 0 ? inet_net(s->sk.net)->conf_all.hop_limit : s->hoplimit;
		break;
	case IPV6_MULTICAST_HOPS:
		v = s->mc_hops < 0 ? 1 : s->mc_hops;
		break;
	case IPV6_TCLASS:
		v = s->tclass;
		break;
	case IPV6_MTU_DISCOVER:
		v = s->pmtudisc6;
		break;
	case IPV6_MTU:
		rcu_read_lock();
		spin_lock(&s->sk.lock);
		v = (s->rport || !addr_is_any(&s->remote)) && !inet_sock_path(s, &path)
			? (int)path->mtu
			: -ENOTCONN;
		spin_unlock(&s->sk.lock);
		rcu_read_unlock();
		if (v < 0)
			return v;
		break;
	case IPV6_MINHOPCOUNT:
		v = s->min_hops;
		break;
	case IPV6_ADDR_PREFERENCES:
		v = s->srcprefs & IPV6_PREFER_SRC_TMP ? IPV6_PREFER_SRC_TMP
						      : IPV6_PREFER_SRC_PUBLIC;
		v |= s->srcprefs & IPV6_PREFER_SRC_COA ? IPV6_PREFER_SRC_COA : IPV6_PREFER_SRC_HOME;
		break;
	case IPV6_MULTICAST_IF:
		v = s->mc_if6;
		break;
	case IPV6_UNICAST_IF:
		v = (int)htonl((u32)s->unicast_if6);
		break;
	case IPV6_HOPOPTS:
	case IPV6_DSTOPTS:
	case IPV6_RTHDRDSTOPTS:
		return get_headers(s, name, val, len);
	case IPV6_RTHDR:
		*len = 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
	return sockopt_put_int(val, len, v);
}

/* ---- SO_BINDTODEVICE ----------------------------------------------------------------------------
 */

static int bind_to_device(struct inet_sock *s, const void __user *val, u32 len)
{
	char name[IFNAMSIZ] = "";
	struct netif *n;
	int index = 0;

	if (s->sk.bound_dev && !capable(CAP_NET_RAW))
		return -EPERM;
	len = min(len, IFNAMSIZ - 1u);
	if (copy_from_user(name, val, len))
		return -EFAULT;
	if (name[0]) {
		rcu_read_lock();
		n = netif_by_name(s->sk.net, name);
		if (n)
			index = n->ifindex;
		rcu_read_unlock();
		if (!index)
			return -ENODEV;
	}
	spin_lock(&s->sk.lock);
	WRITE_ONCE(s->sk.bound_dev, index);
	inet_sock_path_reset(s);
	port_options(s);
	if (s->iops->rehash)
		s->iops->rehash(s);
	spin_unlock(&s->sk.lock);
	return 0;
}

static int get_bound_device(struct inet_sock *s, void __user *val, u32 *len)
{
	char name[IFNAMSIZ] = "";
	struct netif *n;

	if (!s->sk.bound_dev) {
		*len = 0;
		return 0;
	}
	if (*len < IFNAMSIZ)
		return -EINVAL;
	rcu_read_lock();
	n = netif_by_index(s->sk.net, s->sk.bound_dev);
	if (n)
		memcpy(name, n->name, IFNAMSIZ);
	rcu_read_unlock();
	if (!name[0])
		return -ENODEV;
	return sockopt_put(val, len, name, (u32)strlen(name) + 1);
}

/* ---- the entries --------------------------------------------------------------------------------
 */

int inet_setsockopt(struct sock *sk, int level, int name, const void __user *val, u32 len)
{
	struct inet_sock *s = inet_sk(sk);

	if (level == SOL_SOCKET && name == SO_BINDTODEVICE)
		return bind_to_device(s, val, len);
	if (level == SOL_IP)
		return ip_set_option(s, name, val, len);
	if (level == SOL_IPV6 && sk->family == AF_INET6)
		return set6(s, name, val, len);
	return -ENOPROTOOPT;
}

int inet_getsockopt(struct sock *sk, int level, int name, void __user *val, u32 *len)
{
	struct inet_sock *s = inet_sk(sk);

	if (level == SOL_SOCKET && name == SO_BINDTODEVICE)
		return get_bound_device(s, val, len);
	if (level == SOL_IP)
		return ip_get_option(s, name, val, len);
	if (level == SOL_IPV6 && sk->family == AF_INET6)
		return get6(s, name, val, len);
	return -ENOPROTOOPT;
}
