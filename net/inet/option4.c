/* setsockopt(2) and getsockopt(2) at SOL_IP: ip(7). */
#include "inet.h"
#include <inet/ports.h>

/* ---- IP_OPTIONS ---------------------------------------------------------------------------------
 */

int ip_options_fill(struct ip_options *o, const u8 *data, u32 len)
{
	if (len > 40)
		return -EINVAL;
	for (u32 i = 0; i < len;) {
		u32 n;

		if (data[i] == 0)
			break;
		if (data[i] == 1) {
			i++;
			continue;
		}
		n = i + 1 < len ? data[i + 1] : 0;
		if (n < 2 || n > len - i)
			return -EINVAL;
		if (data[i] == 131 || data[i] == 137) /* source routes: RFC 7126 4.3 */
			return -EINVAL;
		i += n;
	}
	memcpy(o->data, data, len);
	o->len = (u8)round_up(len, 4u);
	return 0;
}

static void free_options(struct rcu_head *head)
{
	kfree(container_of(head, struct ip_options, rcu));
}

static int set_options(struct inet_sock *s, const void __user *val, u32 len)
{
	struct ip_options *o = NULL, *old;
	u8 data[40];
	int err;

	if (len > 40)
		return -EINVAL;
	if (copy_from_user(data, val, len))
		return -EFAULT;
	if (len) {
		o = kzalloc(sizeof(*o), GFP_KERNEL);
		if (!o)
			return -ENOBUFS;
		err = ip_options_fill(o, data, len);
		if (err) {
			kfree(o);
			return err;
		}
	}
	spin_lock(&s->sk.lock);
	old = s->opt;
	rcu_publish(s->opt, o);
	spin_unlock(&s->sk.lock);
	if (old)
		rcu_call(&old->rcu, free_options);
	return 0;
}

/* ---- numbers and flags --------------------------------------------------------------------------
 */

static const struct {
	u8 name, flag;
} g_flags[] = {
	{IP_PKTINFO, INF_PKTINFO},
	{IP_RECVTTL, INF_RECVTTL},
	{IP_RECVOPTS, INF_RECVOPTS},
	{IP_RECVTOS, INF_RECVTOS},
	{IP_RETOPTS, INF_RETOPTS},
	{IP_PASSSEC, INF_PASSSEC},
	{IP_RECVORIGDSTADDR, INF_RECVORIGDSTADDR},
	{IP_RECVERR, INF_RECVERR},
	{IP_FREEBIND, INF_FREEBIND},
	{IP_BIND_ADDRESS_NO_PORT, INF_BIND_NO_PORT},
	{IP_MULTICAST_LOOP, INF_MC_LOOP},
	{IP_MULTICAST_ALL, INF_MC_ALL},
	{IP_HDRINCL, INF_HDRINCL},
	{IP_TRANSPARENT, INF_TRANSPARENT},
};

static int flag_of(int name)
{
	for (u32 i = 0; i < ARRAY_SIZE(g_flags); i++)
		if (g_flags[i].name == name)
			return g_flags[i].flag;
	return -1;
}

static int check_flag(struct inet_sock *s, int name, u32 len, int v)
{
	switch (name) {
	case IP_HDRINCL:
		return s->sk.type == SOCK_RAW ? 0 : -ENOPROTOOPT;
	case IP_TRANSPARENT:
		return !v || capable(CAP_NET_ADMIN) || capable(CAP_NET_RAW) ? 0 : -EPERM;
	case IP_FREEBIND:
		return len < 1 ? -EINVAL : 0;
	case IP_MULTICAST_ALL:
		return v != 0 && v != 1 ? -EINVAL : 0;
	default:
		return 0;
	}
}

static int set_flag(struct inet_sock *s, int name, u32 len, int v)
{
	int err = check_flag(s, name, len, v);

	if (err)
		return err;
	spin_lock(&s->sk.lock);
	inet_flag_set(s, (enum inet_flag)flag_of(name), v != 0);
	if (name == IP_RECVERR && !v) {
		packet_queue_purge(&s->errors);
		s->errors_truesize = 0;
	}
	spin_unlock(&s->sk.lock);
	return 0;
}

static int set_tos(struct inet_sock *s, int v)
{
	if (s->sk.type == SOCK_STREAM)
		v = (v & ~3) | (s->tos & 3); /* ECN bits are TCP's */
	spin_lock(&s->sk.lock);
	s->tos = (u8)v;
	s->sk.priority = (u32)((v & 0x1e) >> 1 == 8 ? 6 : (v & 0x1e) >> 1 == 4 ? 2 : 0);
	inet_sock_path_reset(s);
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

static int set_number(struct inet_sock *s, int name, u32 len, int v)
{
	switch (name) {
	case IP_TOS:
		return set_tos(s, v);
	case IP_TTL:
		if (len < 1 || (v != -1 && (v < 1 || v > 255)))
			return -EINVAL;
		s->ttl = (s16)v;
		return 0;
	case IP_MINTTL:
		if (len < 1 || v < 0 || v > 255)
			return -EINVAL;
		s->min_ttl = (u8)v;
		return 0;
	case IP_MTU_DISCOVER:
		if (v < IP_PMTUDISC_DONT || v > IP_PMTUDISC_OMIT)
			return -EINVAL;
		s->pmtudisc = (u8)v;
		return 0;
	case IP_MULTICAST_TTL:
		if (s->sk.type == SOCK_STREAM)
			return -EINVAL;
		if (len < 1 || v < -1 || v > 255)
			return -EINVAL;
		s->mc_ttl = (s16)(v == -1 ? 1 : v);
		return 0;
	case IP_UNICAST_IF: {
		int index = (int)ntohl((u32)v);

		if (len != sizeof(int))
			return -EINVAL;
		if (index && !is_device(s, index))
			return -EADDRNOTAVAIL;
		if (index && s->sk.bound_dev && index != s->sk.bound_dev)
			return -EINVAL;
		s->unicast_if = index;
		return 0;
	}
	default:
		return -ENOPROTOOPT;
	}
}

/* ---- multicast ----------------------------------------------------------------------------------
 */

/* The interface with an address; 0: none. */
static int index_of(struct inet_sock *s, u32 be)
{
	struct inet_addr a = addr_v4(be);
	struct ifaddr *ia;
	int index = 0;

	rcu_read_lock();
	ia = ifaddr_find(inet_net(s->sk.net), &a, 0);
	if (ia)
		index = ia->dev->dev->ifindex;
	rcu_read_unlock();
	return index;
}

static int mreqn_in(const void __user *val, u32 len, struct ip_mreqn *r)
{
	memset(r, 0, sizeof(*r));
	if (len >= sizeof(*r))
		return copy_from_user(r, val, sizeof(*r)) ? -EFAULT : 0;
	if (len < sizeof(struct ip_mreq))
		return -EINVAL;
	return copy_from_user(r, val, sizeof(struct ip_mreq)) ? -EFAULT : 0;
}

static int set_multicast_if(struct inet_sock *s, const void __user *val, u32 len)
{
	struct ip_mreqn r = {.imr_ifindex = 0};

	if (s->sk.type == SOCK_STREAM)
		return -EINVAL;
	if (len >= sizeof(struct ip_mreq)) {
		int err = mreqn_in(val, len, &r);

		if (err)
			return err;
	} else if (len >= sizeof(struct in_addr)) {
		if (copy_from_user(&r.imr_address, val, sizeof(struct in_addr)))
			return -EFAULT;
	} else {
		return -EINVAL;
	}
	if (!r.imr_ifindex) {
		if (r.imr_address.s_addr == INADDR_ANY) {
			s->mc_if = 0;
			s->mc_source = 0;
			return 0;
		}
		r.imr_ifindex = index_of(s, r.imr_address.s_addr);
		if (!r.imr_ifindex)
			return -EADDRNOTAVAIL;
	} else if (!is_device(s, r.imr_ifindex)) {
		return -EADDRNOTAVAIL;
	}
	if (s->sk.bound_dev && r.imr_ifindex != s->sk.bound_dev)
		return -EINVAL;
	s->mc_if = r.imr_ifindex;
	s->mc_source = r.imr_address.s_addr;
	return 0;
}

static int change_membership(struct inet_sock *s, int name, const void __user *val, u32 len)
{
	struct mc_request q = {.ifindex = 0};
	struct ip_mreqn r;
	int err = mreqn_in(val, len, &r);

	if (err)
		return err == -EINVAL && s->sk.type == SOCK_STREAM ? -EPROTO : err;
	if (s->sk.type == SOCK_STREAM)
		return -EPROTO;
	q.group = addr_v4(r.imr_multiaddr.s_addr);
	q.ifindex = r.imr_ifindex;
	if (!q.ifindex && r.imr_address.s_addr) {
		q.ifindex = index_of(s, r.imr_address.s_addr);
		if (!q.ifindex)
			return -ENODEV;
	}
	return mc_sock_change(s, name == IP_ADD_MEMBERSHIP ? MC_JOIN : MC_LEAVE, &q);
}

static int change_source(struct inet_sock *s, int name, const void __user *val, u32 len)
{
	struct ip_mreq_source r;
	struct mc_request q = {.ifindex = 0};

	if (len != sizeof(r))
		return -EINVAL;
	if (copy_from_user(&r, val, sizeof(r)))
		return -EFAULT;
	q.group = addr_v4(r.imr_multiaddr);
	q.source = addr_v4(r.imr_sourceaddr);
	if (r.imr_interface) {
		q.ifindex = index_of(s, r.imr_interface);
		if (!q.ifindex)
			return -ENODEV;
	}
	return mc_sock_change(s,
		name == IP_BLOCK_SOURCE                    ? MC_BLOCK
			: name == IP_UNBLOCK_SOURCE        ? MC_UNBLOCK
			: name == IP_ADD_SOURCE_MEMBERSHIP ? MC_JOIN_SOURCE
							   : MC_LEAVE_SOURCE,
		&q);
}

static int set_filter(struct inet_sock *s, const void __user *val, u32 len)
{
	struct ip_msfilter f;
	struct mc_request q = {.ifindex = 0};
	struct inet_addr *sources;
	const u8 __user *list = (const u8 __user *)val + offsetof(struct ip_msfilter, imsf_slist);
	int err;

	if (len < offsetof(struct ip_msfilter, imsf_slist) || len > (u32)g_net_core.optmem_max)
		return len < offsetof(struct ip_msfilter, imsf_slist) ? -EINVAL : -ENOBUFS;
	if (copy_from_user(&f, val, offsetof(struct ip_msfilter, imsf_slist)))
		return -EFAULT;
	if (f.imsf_numsrc >= 0x1ffffffcu || f.imsf_numsrc > (u32)inet_net(s->sk.net)->igmp_max_msf)
		return -ENOBUFS;
	if (offsetof(struct ip_msfilter, imsf_slist) + f.imsf_numsrc * 4 > len)
		return -EINVAL;
	sources = kcalloc(max(f.imsf_numsrc, 1u), sizeof(*sources), GFP_KERNEL);
	if (!sources)
		return -ENOBUFS;
	q.group = addr_v4(f.imsf_multiaddr);
	if (f.imsf_interface)
		q.ifindex = index_of(s, f.imsf_interface);
	err = f.imsf_interface && !q.ifindex ? -ENODEV : 0;
	for (u32 i = 0; i < f.imsf_numsrc && !err; i++) {
		u32 be;

		if (copy_from_user(&be, list + i * 4, 4))
			err = -EFAULT;
		else
			sources[i] = addr_v4(be);
	}
	if (!err)
		err = mc_sock_set_filter(s, &q, f.imsf_fmode, f.imsf_numsrc, sources);
	kfree(sources);
	return err;
}

/* ---- the entries --------------------------------------------------------------------------------
 */

int ip_set_option(struct inet_sock *s, int name, const void __user *val, u32 len)
{
	int v = 0, err;

	switch (name) {
	case IP_OPTIONS:
		return set_options(s, val, len);
	case IP_MULTICAST_IF:
		return set_multicast_if(s, val, len);
	case IP_ADD_MEMBERSHIP:
	case IP_DROP_MEMBERSHIP:
		return change_membership(s, name, val, len);
	case IP_BLOCK_SOURCE:
	case IP_UNBLOCK_SOURCE:
	case IP_ADD_SOURCE_MEMBERSHIP:
	case IP_DROP_SOURCE_MEMBERSHIP:
		return change_source(s, name, val, len);
	case IP_MSFILTER:
		return set_filter(s, val, len);
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
	case MCAST_BLOCK_SOURCE:
	case MCAST_UNBLOCK_SOURCE:
	case MCAST_JOIN_SOURCE_GROUP:
	case MCAST_LEAVE_SOURCE_GROUP:
		return mc_set_option(s, name, val, len);
	}
	/* A byte will do for all that follow. */
	if (len >= sizeof(v)) {
		if (copy_from_user(&v, val, sizeof(v)))
			return -EFAULT;
	} else if (len >= 1) {
		u8 b;

		if (copy_from_user(&b, val, 1))
			return -EFAULT;
		v = b;
	}
	err = flag_of(name) >= 0 ? set_flag(s, name, len, v) : set_number(s, name, len, v);
	return err;
}

static int put_small(void __user *val, u32 *len, int v)
{
	/* As Linux: who asks with less than an int gets a byte. */
	if (*len < sizeof(int) && *len > 0 && v >= 0 && v <= 255) {
		u8 b = (u8)v;

		return sockopt_put(val, len, &b, 1);
	}
	return sockopt_put_int(val, len, v);
}

static int get_mtu(struct inet_sock *s, void __user *val, u32 *len)
{
	struct ip_path *path;
	u32 mtu = 0;
	int err = -ENOTCONN;

	rcu_read_lock();
	spin_lock(&s->sk.lock);
	if (s->rport || !addr_is_any(&s->remote)) {
		err = inet_sock_path(s, &path) ? -ENOTCONN : 0;
		mtu = err ? 0 : path->mtu;
	}
	spin_unlock(&s->sk.lock);
	rcu_read_unlock();
	return err ? err : put_small(val, len, (int)mtu);
}

static int get_options(struct inet_sock *s, void __user *val, u32 *len)
{
	u8 data[40];
	u32 n = 0;

	spin_lock(&s->sk.lock);
	if (s->opt) {
		n = s->opt->len;
		memcpy(data, s->opt->data, n);
	}
	spin_unlock(&s->sk.lock);
	return sockopt_put(val, len, data, n);
}

static int get_filter(struct inet_sock *s, void __user *val, u32 *len)
{
	struct ip_msfilter f;
	struct mc_request q = {.ifindex = 0};
	struct inet_addr *sources;
	u32 head = offsetof(struct ip_msfilter, imsf_slist), mode, n, room;
	u8 __user *list = (u8 __user *)val + head;
	int err;

	if (*len < head)
		return -EINVAL;
	if (copy_from_user(&f, val, head))
		return -EFAULT;
	room = min(f.imsf_numsrc, (u32)inet_net(s->sk.net)->igmp_max_msf);
	n = room;
	sources = kcalloc(max(room, 1u), sizeof(*sources), GFP_KERNEL);
	if (!sources)
		return -ENOMEM;
	q.group = addr_v4(f.imsf_multiaddr);
	if (f.imsf_interface)
		q.ifindex = index_of(s, f.imsf_interface);
	err = mc_sock_get_filter(s, &q, &mode, &n, sources);
	if (!err) {
		f.imsf_fmode = mode;
		f.imsf_numsrc = n;
		*len = head + min(n, room) * 4;
		if (copy_to_user(val, &f, head))
			err = -EFAULT;
		for (u32 i = 0; i < min(n, room) && !err; i++)
			if (copy_to_user(list + i * 4, &sources[i].w[3], 4))
				err = -EFAULT;
	}
	kfree(sources);
	return err;
}

int ip_get_option(struct inet_sock *s, int name, void __user *val, u32 *len)
{
	int flag = flag_of(name);

	if (flag >= 0)
		return put_small(val, len, inet_flag(s, (enum inet_flag)flag));
	switch (name) {
	case IP_OPTIONS:
		return get_options(s, val, len);
	case IP_TOS:
		return put_small(val, len, s->tos);
	case IP_TTL:
		return put_small(
			val, len, s->ttl < 0 ? inet_net(s->sk.net)->limits.default_ttl : s->ttl);
	case IP_MINTTL:
		return put_small(val, len, s->min_ttl);
	case IP_MTU_DISCOVER:
		return put_small(val, len, s->pmtudisc);
	case IP_MTU:
		return get_mtu(s, val, len);
	case IP_MULTICAST_TTL:
		return put_small(val, len, s->mc_ttl < 0 ? 1 : s->mc_ttl);
	case IP_UNICAST_IF:
		return put_small(val, len, (int)htonl((u32)s->unicast_if));
	case IP_MULTICAST_IF: {
		u32 be = s->mc_source;

		return sockopt_put(val, len, &be, sizeof(be));
	}
	case IP_MSFILTER:
		return get_filter(s, val, len);
	default:
		return -ENOPROTOOPT;
	}
}
