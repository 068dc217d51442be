/* setsockopt(2) and getsockopt(2) at SOL_SOCKET: socket(7). */
#include <kmem/slab.h>
#include <lib/string.h>
#include <linux/time_types.h>
#include <sched/timer.h>
#include <net/context.h>
#include <socket/socket.h>

#define SNDBUF_MIN 4608 /* bytes; what Linux gives for the smallest request */
#define RCVBUF_MIN 2304

int sockopt_int(const void __user *val, u32 len, int *out)
{
	if (len < sizeof(*out))
		return -EINVAL;
	return copy_from_user(out, val, sizeof(*out)) ? -EFAULT : 0;
}

int sockopt_put(void __user *val, u32 *room, const void *data, u32 len)
{
	if (*room > len)
		*room = len;
	return copy_to_user(val, data, *room) ? -EFAULT : 0;
}

static void set_flag(struct sock *sk, enum sock_option o, bool on)
{
	spin_lock(&sk->lock);
	if (on)
		sk->options |= 1u << o;
	else
		sk->options &= ~(1u << o);
	spin_unlock(&sk->lock);
}

static int set_buffer(struct sock *sk, int name, int v)
{
	bool snd = name == SO_SNDBUF || name == SO_SNDBUFFORCE;
	bool force = name == SO_SNDBUFFORCE || name == SO_RCVBUFFORCE;
	s32 limit = snd ? g_net_core.wmem_max : g_net_core.rmem_max;

	if (force && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (force)
		v = max(v, 0);
	else
		v = (int)min_t(u32, (u32)v, (u32)limit); /* a negative one asks for the most */
	v = min(v, INT_MAX / 2) * 2;
	if (snd)
		WRITE_ONCE(sk->sndbuf, max(v, SNDBUF_MIN));
	else
		WRITE_ONCE(sk->rcvbuf, max(v, RCVBUF_MIN));
	sk->buf_lock |= snd ? SOCK_SNDBUF_LOCK : SOCK_RCVBUF_LOCK;
	if (snd)
		sock_wake(sk, EPOLLOUT | EPOLLWRNORM);
	return 0;
}

static int set_timeout(s64 *ns, const void __user *val, u32 len)
{
	struct __kernel_sock_timeval tv;

	if (len < sizeof(tv))
		return -EINVAL;
	if (copy_from_user(&tv, val, sizeof(tv)))
		return -EFAULT;
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	if (tv.tv_sec < 0)
		*ns = 1; /* as Linux: expires at once */
	else if (tv.tv_sec == 0 && tv.tv_usec == 0)
		*ns = TIME_NEVER;
	else if (tv.tv_sec > S64_MAX / NS_PER_SEC - 1)
		*ns = TIME_NEVER;
	else
		*ns = tv.tv_sec * NS_PER_SEC + tv.tv_usec * NS_PER_US;
	return 0;
}

static int set_linger(struct sock *sk, const void __user *val, u32 len)
{
	struct linger l;

	if (len < sizeof(l))
		return -EINVAL;
	if (copy_from_user(&l, val, sizeof(l)))
		return -EFAULT;
	spin_lock(&sk->lock);
	sk->linger_s = l.l_linger;
	spin_unlock(&sk->lock);
	set_flag(sk, SKO_LINGER, l.l_onoff != 0);
	return 0;
}

static const struct {
	u16 name;
	u16 bit;
} g_flags[] = {
	{SO_DEBUG, SKO_DEBUG},
	{SO_REUSEADDR, SKO_REUSEADDR},
	{SO_REUSEPORT, SKO_REUSEPORT},
	{SO_DONTROUTE, SKO_DONTROUTE},
	{SO_BROADCAST, SKO_BROADCAST},
	{SO_KEEPALIVE, SKO_KEEPALIVE},
	{SO_OOBINLINE, SKO_OOBINLINE},
	{SO_NO_CHECK, SKO_NO_CHECK},
	{SO_PASSCRED, SKO_PASSCRED},
	{SO_PASSSEC, SKO_PASSSEC},
	{SO_RXQ_OVFL, SKO_RXQ_OVFL},
	{SO_SELECT_ERR_QUEUE, SKO_SELECT_ERR},
	{SO_LOCK_FILTER, SKO_LOCK_FILTER},
	{SO_RCVMARK, SKO_RCVMARK},
	{SO_NOFCS, SKO_NOFCS},
};

static int flag_of(int name)
{
	for (u32 i = 0; i < ARRAY_SIZE(g_flags); i++)
		if (g_flags[i].name == name)
			return g_flags[i].bit;
	return -1;
}

static int set_stamp(struct sock *sk, int name, bool on)
{
	const u32 all = 1u << SKO_RCVTSTAMP | 1u << SKO_RCVTSTAMPNS | 1u << SKO_TSTAMP_NEW;
	bool ns = name == SO_TIMESTAMPNS_OLD || name == SO_TIMESTAMPNS_NEW;
	u32 want = on ? 1u << (ns ? SKO_RCVTSTAMPNS : SKO_RCVTSTAMP) : 0;

	if (name == SO_TIMESTAMP_NEW || name == SO_TIMESTAMPNS_NEW)
		want |= 1u << SKO_TSTAMP_NEW;
	spin_lock(&sk->lock);
	if (on != sock_wants_stamps(sk))
		net_want_stamps(on);
	WRITE_ONCE(sk->options, (sk->options & ~all) | want);
	spin_unlock(&sk->lock);
	return 0;
}

/* Options whose value is an int. -ENOPROTOOPT: not one of them. */
static int set_int(struct sock *sk, int name, int v)
{
	int bit = flag_of(name);

	if (bit >= 0) {
		if (name == SO_DEBUG && v && !capable(CAP_NET_ADMIN))
			return -EACCES;
		if (name == SO_LOCK_FILTER && sock_opt(sk, SKO_LOCK_FILTER) && !v)
			return -EPERM;
		if (name == SO_RCVMARK && !capable(CAP_NET_ADMIN) && !capable(CAP_NET_RAW))
			return -EPERM;
		if (name == SO_REUSEPORT && sk->family != AF_INET && sk->family != AF_INET6 &&
			sk->family != AF_UNIX)
			return -EOPNOTSUPP;
		set_flag(sk, (enum sock_option)bit, v != 0);
		return 0;
	}
	switch (name) {
	case SO_SNDBUF:
	case SO_RCVBUF:
	case SO_SNDBUFFORCE:
	case SO_RCVBUFFORCE:
		return set_buffer(sk, name, v);
	case SO_BUF_LOCK:
		if (v & ~(int)SOCK_BUF_LOCK_MASK)
			return -EINVAL;
		sk->buf_lock = (u8)v;
		return 0;
	case SO_RCVLOWAT:
		WRITE_ONCE(sk->rcvlowat, v < 0 ? INT_MAX : v ? v : 1);
		return 0;
	case SO_PRIORITY:
		if ((v < 0 || v > 6) && !capable(CAP_NET_ADMIN) && !capable(CAP_NET_RAW))
			return -EPERM;
		sk->priority = (u32)v;
		return 0;
	case SO_MARK:
		if (!capable(CAP_NET_ADMIN) && !capable(CAP_NET_RAW))
			return -EPERM;
		sk->mark = (u32)v;
		return 0;
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS_OLD:
	case SO_TIMESTAMPNS_NEW:
		return set_stamp(sk, name, v != 0);
	case SO_PEEK_OFF:
		if (sk->family != AF_UNIX && sk->type != SOCK_DGRAM)
			return -EOPNOTSUPP;
		WRITE_ONCE(sk->peek_off, v);
		return 0;
	case SO_INCOMING_CPU:
		sk->incoming_cpu = v;
		return 0;
	case SO_ZEROCOPY:
		if (sk->family != AF_INET && sk->family != AF_INET6)
			return -EOPNOTSUPP;
		if (v < 0 || v > 1)
			return -EINVAL;
		set_flag(sk, SKO_ZEROCOPY, v != 0);
		return 0;
	case SO_BINDTOIFINDEX:
		if (v < 0)
			return -EINVAL;
		if (sk->bound_dev && !capable(CAP_NET_RAW))
			return -EPERM;
		WRITE_ONCE(sk->bound_dev, v);
		return 0;
	case SO_TYPE:
	case SO_PROTOCOL:
	case SO_DOMAIN:
	case SO_ERROR:
	case SO_ACCEPTCONN:
		return -ENOPROTOOPT;
	default:
		return -ENOPROTOOPT;
	}
}

static int set_socket_option(struct sock *sk, int name, const void __user *val, u32 len)
{
	int v, err;

	switch (name) {
	case SO_LINGER:
		return set_linger(sk, val, len);
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
		return set_timeout(&sk->rcvtimeo_ns, val, len);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
		return set_timeout(&sk->sndtimeo_ns, val, len);
	case SO_ATTACH_FILTER:
		return sock_attach_filter(sk, val, len);
	case SO_DETACH_FILTER:
		return sock_detach_filter(sk);
	case SO_MAX_PACING_RATE: {
		u64 rate = 0;

		if (len != sizeof(u32) && len != sizeof(u64))
			return -EINVAL;
		if (copy_from_user(&rate, val, len))
			return -EFAULT;
		sk->max_pacing = len == sizeof(u32) && rate == U32_MAX ? U64_MAX : rate;
		return 0;
	}
	case SO_BINDTODEVICE:
		return -ENOPROTOOPT; /* the protocol's: it knows interfaces */
	default:
		err = sockopt_int(val, len, &v);
		return err ? err : set_int(sk, name, v);
	}
}

int sock_setsockopt(struct sock *sk, int level, int name, const void __user *val, s32 len)
{
	int err = -ENOPROTOOPT;

	if (len < 0)
		return -EINVAL;
	if (level == SOL_SOCKET) {
		err = set_socket_option(sk, name, val, (u32)len);
		if (!err && sk->ops->option_changed)
			sk->ops->option_changed(sk, name);
	}
	if (err == -ENOPROTOOPT && sk->ops->setsockopt)
		err = sk->ops->setsockopt(sk, level, name, val, (u32)len);
	else if (level != SOL_SOCKET && !sk->ops->setsockopt)
		err = -EOPNOTSUPP;
	net_run();
	return err;
}

static int get_timeout(s64 ns, void __user *val, u32 *len)
{
	struct __kernel_sock_timeval tv = {0, 0};

	if (ns != TIME_NEVER)
		tv = (struct __kernel_sock_timeval){ns / NS_PER_SEC, ns % NS_PER_SEC / NS_PER_US};
	return sockopt_put(val, len, &tv, sizeof(tv));
}

u64 sock_cookie(struct sock *sk)
{
	static u64 next;
	u64 c = __atomic_load_n(&sk->cookie, __ATOMIC_RELAXED), none = 0;

	if (c)
		return c;
	c = __atomic_add_fetch(&next, 1, __ATOMIC_RELAXED);
	if (!__atomic_compare_exchange_n(
		    &sk->cookie, &none, c, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return none;
	return c;
}

static int get_int(struct sock *sk, int name, int *v)
{
	int bit = flag_of(name);

	if (bit >= 0) {
		*v = sock_opt(sk, (enum sock_option)bit);
		return 0;
	}
	switch (name) {
	case SO_SNDBUF:
		*v = READ_ONCE(sk->sndbuf);
		return 0;
	case SO_RCVBUF:
		*v = READ_ONCE(sk->rcvbuf);
		return 0;
	case SO_BUF_LOCK:
		*v = sk->buf_lock;
		return 0;
	case SO_RCVLOWAT:
		*v = READ_ONCE(sk->rcvlowat);
		return 0;
	case SO_SNDLOWAT:
		*v = 1;
		return 0;
	case SO_TYPE:
		*v = sk->type;
		return 0;
	case SO_PROTOCOL:
		*v = sk->protocol;
		return 0;
	case SO_DOMAIN:
		*v = sk->family;
		return 0;
	case SO_ERROR:
		*v = -sock_take_error(sk);
		return 0;
	case SO_PRIORITY:
		*v = (int)sk->priority;
		return 0;
	case SO_MARK:
		*v = (int)sk->mark;
		return 0;
	case SO_BSDCOMPAT:
		return -ENOPROTOOPT;
	case SO_TIMESTAMP_OLD:
		*v = sock_opt(sk, SKO_RCVTSTAMP) && !sock_opt(sk, SKO_TSTAMP_NEW);
		return 0;
	case SO_TIMESTAMPNS_OLD:
		*v = sock_opt(sk, SKO_RCVTSTAMPNS) && !sock_opt(sk, SKO_TSTAMP_NEW);
		return 0;
	case SO_TIMESTAMP_NEW:
		*v = sock_opt(sk, SKO_RCVTSTAMP) && sock_opt(sk, SKO_TSTAMP_NEW);
		return 0;
	case SO_TIMESTAMPNS_NEW:
		*v = sock_opt(sk, SKO_RCVTSTAMPNS) && sock_opt(sk, SKO_TSTAMP_NEW);
		return 0;
	case SO_PEEK_OFF:
		*v = READ_ONCE(sk->peek_off);
		return 0;
	case SO_INCOMING_CPU:
		*v = sk->incoming_cpu;
		return 0;
	case SO_ZEROCOPY:
		*v = sock_opt(sk, SKO_ZEROCOPY);
		return 0;
	case SO_BINDTOIFINDEX:
		*v = sk->bound_dev;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int get_socket_option(struct sock *sk, int name, void __user *val, u32 *len)
{
	int v, err;

	switch (name) {
	case SO_LINGER: {
		struct linger l = {sock_opt(sk, SKO_LINGER), sk->linger_s};

		return sockopt_put(val, len, &l, sizeof(l));
	}
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
		return get_timeout(sk->rcvtimeo_ns, val, len);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
		return get_timeout(sk->sndtimeo_ns, val, len);
	case SO_GET_FILTER:
		return sock_get_filter(sk, val, len);
	case SO_COOKIE: {
		u64 c = sock_cookie(sk);

		if (*len < sizeof(c))
			return -EINVAL;
		return sockopt_put(val, len, &c, sizeof(c));
	}
	case SO_MAX_PACING_RATE: {
		u64 rate = sk->max_pacing;
		u32 small = (u32)min_t(u64, rate, U32_MAX);

		return *len >= sizeof(rate) ? sockopt_put(val, len, &rate, sizeof(rate))
					    : sockopt_put(val, len, &small, sizeof(small));
	}
	default:
		err = get_int(sk, name, &v);
		return err ? err : sockopt_put_int(val, len, v);
	}
}

int sock_getsockopt(struct sock *sk, int level, int name, void __user *val, s32 __user *ulen)
{
	int err = -ENOPROTOOPT;
	s32 slen;
	u32 len;

	if (get_user(slen, ulen))
		return -EFAULT;
	if (slen < 0)
		return -EINVAL;
	len = (u32)slen;
	if (level == SOL_SOCKET)
		err = get_socket_option(sk, name, val, &len);
	if (err == -ENOPROTOOPT && sk->ops->getsockopt)
		err = sk->ops->getsockopt(sk, level, name, val, &len);
	else if (level != SOL_SOCKET && !sk->ops->getsockopt)
		err = -EOPNOTSUPP;
	if (err)
		return err;
	return put_user((s32)len, ulen);
}
