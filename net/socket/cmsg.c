/* Control messages: cmsg(3). */
#include <lib/string.h>
#include <sched/timer.h>
#include <socket/socket.h>

void cmsg_put(struct sock_msg *m, int level, int type, const void *data, size_t len)
{
	struct cmsghdr h = {CMSG_LEN(len), level, type};
	char __user *to = m->out_control;
	size_t space;

	if (!to || m->out_room < sizeof(h)) {
		m->out_flags |= MSG_CTRUNC;
		return;
	}
	if (m->out_room < h.cmsg_len) { /* what fits of it */
		m->out_flags |= MSG_CTRUNC;
		h.cmsg_len = m->out_room;
	}
	if (copy_to_user(to, &h, sizeof(h)) ||
		copy_to_user(to + sizeof(h), data, h.cmsg_len - sizeof(h)))
		return;
	space = min_t(size_t, CMSG_SPACE(len), m->out_room);
	m->out_control = to + space;
	m->out_room -= space;
	m->out_used += space;
}

void cmsg_put_timestamp(struct sock *sk, struct sock_msg *m, s64 real_ns)
{
	s64 t[2] = {real_ns / NS_PER_SEC, real_ns % NS_PER_SEC};
	bool new = sock_opt(sk, SKO_TSTAMP_NEW);

	if (sock_opt(sk, SKO_RCVTSTAMPNS)) {
		cmsg_put(
			m, SOL_SOCKET, new ? SO_TIMESTAMPNS_NEW : SO_TIMESTAMPNS_OLD, t, sizeof(t));
	} else if (sock_opt(sk, SKO_RCVTSTAMP)) {
		t[1] /= 1000;
		cmsg_put(m, SOL_SOCKET, new ? SO_TIMESTAMP_NEW : SO_TIMESTAMP_OLD, t, sizeof(t));
	}
}

static const struct cmsghdr *check(const struct sock_msg *m, size_t off)
{
	const struct cmsghdr *c = (const void *)((const char *)m->control + off);

	if (off > m->control_len || m->control_len - off < sizeof(*c))
		return NULL;
	if (c->cmsg_len < sizeof(*c) || c->cmsg_len > m->control_len - off)
		return err_ptr(-EINVAL);
	return c;
}

const struct cmsghdr *cmsg_first(const struct sock_msg *m)
{
	return check(m, 0);
}

const struct cmsghdr *cmsg_next(const struct sock_msg *m, const struct cmsghdr *c)
{
	return check(
		m, (size_t)((const char *)c - (const char *)m->control) + CMSG_ALIGN(c->cmsg_len));
}
