/* Errors that sockets hear of, and the queue that IP_RECVERR gives: ip(7), linux/errqueue.h. */
#include "inet.h"
#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>

struct error_entry { /* in the packet's cb */
	struct sock_extended_err ee;
	struct inet_addr to, offender; /* where the packet went; who says so */
	u16 port;
	bool v4;
};
static_assert(sizeof(struct error_entry) <= 56, "it has to fit in cb");
static struct error_entry *entry(struct packet *p)
{
	return (struct error_entry *)p->cb;
}

bool inet_wants_errors(const struct inet_sock *s, bool v4)
{
	return inet_flag(s, v4 ? INF_RECVERR : INF_RECVERR6);
}

/* Consumes p, whose data is what the program gets to see. */
static void queue_error(struct inet_sock *s, struct packet *p)
{
	spin_lock(&s->sk.lock);
	if (sock_opt(&s->sk, SKO_DEAD) ||
		s->errors_truesize + p->truesize > (u32)READ_ONCE(s->sk.rcvbuf)) {
		spin_unlock(&s->sk.lock);
		packet_free(p);
		return;
	}
	packet_queue_add(&s->errors, p);
	s->errors_truesize += p->truesize;
	sock_wake(&s->sk, EPOLLERR | EPOLLPRI);
	spin_unlock(&s->sk.lock);
}

void inet_error_icmp(struct inet_sock *s, const struct icmp_event *e, u16 rport, u32 payload_off)
{
	bool v4 = addr_is_v4(&e->remote);
	struct packet *p;
	struct error_entry *x;

	if (!inet_wants_errors(s, v4))
		return;
	p = packet_clone(e->p, GFP_ATOMIC);
	if (!p)
		return;
	packet_drop_front(p, min(payload_off, p->len));
	p->ifindex = (u32)e->ifindex;
	x = entry(p);
	memset(x, 0, sizeof(*x));
	x->ee.ee_errno = (u32)e->err;
	x->ee.ee_origin = v4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6;
	x->ee.ee_type = e->type;
	x->ee.ee_code = e->code;
	x->ee.ee_info = e->info;
	x->to = e->remote;
	x->port = rport;
	x->offender = e->offender;
	x->v4 = v4;
	queue_error(s, p);
}

void inet_error_local(struct inet_sock *s, int err, const struct inet_addr *to, u16 port, u32 info)
{
	struct packet *p;
	struct error_entry *x;
	bool v4 = addr_is_v4(to);

	if (!inet_wants_errors(s, v4))
		return;
	p = packet_alloc(0, GFP_ATOMIC);
	if (!p)
		return;
	x = entry(p);
	memset(x, 0, sizeof(*x));
	x->ee.ee_errno = (u32)err;
	x->ee.ee_origin = SO_EE_ORIGIN_LOCAL;
	x->ee.ee_info = info;
	x->to = *to;
	x->port = port;
	x->offender = addr_any(v4 ? AF_INET : AF_INET6);
	x->v4 = v4;
	queue_error(s, p);
}

/* Ranges that follow each other become one message. */
static bool extend_zerocopy(struct inet_sock *s, u32 lo, u32 hi, u8 code)
{
	struct error_entry *x;
	bool done = false;

	spin_lock(&s->sk.lock);
	if (s->errors.count) {
		x = entry(container_of(s->errors.list.prev, struct packet, link));
		if (x->ee.ee_origin == SO_EE_ORIGIN_ZEROCOPY && x->ee.ee_code == code &&
			x->ee.ee_data + 1 == lo) {
			x->ee.ee_data = hi;
			done = true;
		}
	}
	spin_unlock(&s->sk.lock);
	return done;
}

void inet_error_zerocopy(struct inet_sock *s, u32 lo, u32 hi, bool copied)
{
	u8 code = copied ? SO_EE_CODE_ZEROCOPY_COPIED : 0;
	struct packet *p;
	struct error_entry *x;

	if (extend_zerocopy(s, lo, hi, code))
		return;
	p = packet_alloc(0, GFP_ATOMIC);
	if (!p)
		return;
	x = entry(p);
	memset(x, 0, sizeof(*x));
	x->ee.ee_origin = SO_EE_ORIGIN_ZEROCOPY;
	x->ee.ee_code = code;
	x->ee.ee_info = lo;
	x->ee.ee_data = hi;
	x->v4 = s->sk.family == AF_INET;
	queue_error(s, p);
}

void inet_error_stamp(struct inet_sock *s, struct packet *p, u32 tsinfo, u32 key, s64 real_ns)
{
	struct error_entry *x = entry(p);

	memset(x, 0, sizeof(*x));
	x->ee.ee_errno = ENOMSG;
	x->ee.ee_origin = SO_EE_ORIGIN_TIMESTAMPING;
	x->ee.ee_info = tsinfo;
	x->ee.ee_data = key;
	x->v4 = s->sk.family == AF_INET;
	p->stamp_ns = (u64)real_ns;
	queue_error(s, p);
}

static bool from_icmp(const struct error_entry *x)
{
	return x->ee.ee_origin == SO_EE_ORIGIN_ICMP || x->ee.ee_origin == SO_EE_ORIGIN_ICMP6;
}

/* The first of the queue; what follows it decides the pending error, as Linux has it. */
static struct packet *take_error(struct inet_sock *s)
{
	struct packet *p, *next;
	bool icmp_next;

	spin_lock(&s->sk.lock);
	p = packet_queue_take(&s->errors);
	if (p) {
		s->errors_truesize -= p->truesize;
		next = packet_queue_first(&s->errors);
		icmp_next = next && from_icmp(entry(next));
		if (icmp_next)
			sock_set_error(&s->sk, (int)entry(next)->ee.ee_errno);
		else if (from_icmp(entry(p)))
			sock_set_error(&s->sk, 0);
	}
	spin_unlock(&s->sk.lock);
	return p;
}

static void put_control(struct inet_sock *s, struct sock_msg *m, struct packet *p)
{
	struct error_entry *x = entry(p);
	struct inet_name n = {.addr = x->offender, .scope = (s32)p->ifindex};
	struct {
		struct sock_extended_err ee;
		struct __kernel_sockaddr_storage offender;
	} *c = kzalloc(sizeof(*c), GFP_KERNEL);
	u32 len;

	if (!c) {
		m->out_flags |= MSG_CTRUNC;
		return;
	}
	c->ee = x->ee;
	if (s->sk.family == AF_INET) {
		len = sizeof(struct sockaddr_in);
		if (from_icmp(x))
			len = inet_name_out(AF_INET, &n, &c->offender);
		cmsg_put(m, SOL_IP, IP_RECVERR, c, sizeof(c->ee) + len);
	} else {
		len = sizeof(struct sockaddr_in6);
		if (from_icmp(x))
			len = inet_name_out(AF_INET6, &n, &c->offender);
		cmsg_put(m, SOL_IPV6, IPV6_RECVERR, c, sizeof(c->ee) + len);
	}
	kfree(c);
}

ssize_t inet_recv_error(struct sock *sk, struct sock_msg *m)
{
	struct inet_sock *s = inet_sk(sk);
	struct packet *p = take_error(s);
	size_t want = m->iter.count, n;
	struct error_entry *x;
	ssize_t r;

	if (!p)
		return -EAGAIN;
	x = entry(p);
	n = min_t(size_t, want, p->len);
	r = (ssize_t)n;
	if (packet_to_iter(p, 0, &m->iter, n) != n)
		r = -EFAULT;
	if (r >= 0) {
		if (p->len > want)
			m->out_flags |= MSG_TRUNC;
		if (m->name && (from_icmp(x) || x->ee.ee_origin == SO_EE_ORIGIN_LOCAL)) {
			struct inet_name to = {
				.addr = x->to, .port = x->port, .scope = (s32)p->ifindex};

			m->name_len = inet_name_out(sk->family, &to, m->name);
		} else {
			m->name_len = 0;
		}
		if (x->ee.ee_origin == SO_EE_ORIGIN_TIMESTAMPING)
			cmsg_put_timestamp(sk, m, (s64)p->stamp_ns);
		put_control(s, m, p);
		m->out_flags |= MSG_ERRQUEUE;
	}
	packet_free(p);
	return r;
}
