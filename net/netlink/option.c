/* Options of SOL_NETLINK: netlink(7). */
#include "nl.h"
#include <lib/err.h>

static int flag_of(int name)
{
	switch (name) {
	case NETLINK_PKTINFO:
		return NLF_PKTINFO;
	case NETLINK_BROADCAST_ERROR:
		return NLF_BROADCAST_ERROR;
	case NETLINK_NO_ENOBUFS:
		return NLF_NO_ENOBUFS;
	case NETLINK_LISTEN_ALL_NSID:
		return NLF_ALL_NSID;
	case NETLINK_CAP_ACK:
		return NLF_CAP_ACK;
	case NETLINK_EXT_ACK:
		return NLF_EXT_ACK;
	case NETLINK_GET_STRICT_CHK:
		return NLF_STRICT;
	default:
		return -ENOPROTOOPT;
	}
}

static int membership(struct nl_sock *s, int group, bool on)
{
	if (!g_nl_protocols[s->sk.protocol].any_may_listen && !capable(CAP_NET_ADMIN))
		return -EPERM;
	return nl_set_group(s, (u32)group, on);
}

int nl_setsockopt(struct sock *sk, int level, int name, const void __user *val, u32 len)
{
	struct nl_sock *s = nl_of(sk);
	int v = 0, flag, err;

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	if (len >= sizeof(int)) {
		err = sockopt_int(val, len, &v);
		if (err)
			return err;
	}
	if (name == NETLINK_ADD_MEMBERSHIP || name == NETLINK_DROP_MEMBERSHIP)
		return membership(s, v, name == NETLINK_ADD_MEMBERSHIP);
	flag = flag_of(name);
	if (flag < 0)
		return flag;
	if (flag == NLF_ALL_NSID && !capable(CAP_NET_BROADCAST))
		return -EPERM;
	spin_lock(&sk->lock);
	s->flags = v ? s->flags | 1u << flag : s->flags & ~(1u << flag);
	if (flag == NLF_NO_ENOBUFS && v)
		s->congested = false;
	spin_unlock(&sk->lock);
	return 0;
}

static int memberships(struct nl_sock *s, void __user *val, u32 *len)
{
	u32 known = 32, room = *len / 4 * 4, n;

	for (u32 g = 32; g <= NL_GROUPS; g++)
		if (nl_in_group(s, g))
			known = round_up(g, 32u);
	n = min(room, known / 8);
	*len = known / 8;
	return copy_to_user(val, s->groups, n);
}

int nl_getsockopt(struct sock *sk, int level, int name, void __user *val, u32 *len)
{
	struct nl_sock *s = nl_of(sk);
	int flag;

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	if (name == NETLINK_LIST_MEMBERSHIPS)
		return memberships(s, val, len);
	flag = flag_of(name);
	if (flag < 0 || flag == NLF_ALL_NSID)
		return -ENOPROTOOPT;
	if (*len < sizeof(int))
		return -EINVAL;
	return sockopt_put_int(val, len, READ_ONCE(s->flags) >> flag & 1);
}
