/* SPDX-License-Identifier: MIT */
/* NETLINK_SOCK_DIAG as ss(8) uses it: sock_diag(7). */
#include "contract.h"
#include "nl.h"
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#define ALL_STATES 0xfffu
#define EXT(x)     (1u << ((x)-1))
#ifndef NLA_TYPE_MASK
#define NLA_TYPE_MASK 0x3fff
#endif

struct ask {
	struct nlmsghdr h;
	struct inet_diag_req_v2 d;
	char attrs[256];
};

static void lo_is_up(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int s = OK(socket(AF_INET, SOCK_DGRAM, 0));

	OK(ioctl(s, SIOCSIFFLAGS, &r));
	OK(close(s));
}

static void ask_for(struct ask *a, int family, int protocol, unsigned int states)
{
	*a = (struct ask){.h = {NLMSG_LENGTH(sizeof(a->d)), SOCK_DIAG_BY_FAMILY,
				  NLM_F_REQUEST | NLM_F_DUMP, 7, 0},
		.d = {.sdiag_family = (unsigned char)family,
			.sdiag_protocol = (unsigned char)protocol,
			.idiag_states = states}};
}

/* Each message of a dump; ends with NLMSG_DONE. How many. */
static int dump(
	int fd, const void *request, void (*fn)(const struct nlmsghdr *h, void *arg), void *arg)
{
	static char buf[65536];
	const struct nlmsghdr *rq = request;
	int n = 0;

	CHECK_EQ(send(fd, rq, rq->nlmsg_len, 0), rq->nlmsg_len);
	for (;;) {
		ssize_t len = OK(recv(fd, buf, sizeof(buf), 0));
		const struct nlmsghdr *h = (void *)buf;

		for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return n;
			/* A protocol that isn't there. */
			if (h->nlmsg_type == NLMSG_ERROR && nl_error(h) == -ENOENT)
				return n;
			CHECK_EQ(h->nlmsg_type, SOCK_DIAG_BY_FAMILY);
			CHECK_EQ(h->nlmsg_seq, 7);
			CHECK_EQ(h->nlmsg_flags & NLM_F_MULTI, NLM_F_MULTI);
			n++;
			if (fn)
				fn(h, arg);
		}
	}
}

static unsigned int ino_of(int fd)
{
	struct stat st;

	OK(fstat(fd, &st));
	return (unsigned int)st.st_ino;
}

struct found {
	unsigned int ino;
	int n;
	struct inet_diag_msg m;
	struct tcp_info info;
	char cong[16];
	int shutdown, memory, v6only;
};

static void look(const struct nlmsghdr *h, void *arg)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	const struct rtattr *a;
	struct found *f = arg;

	if (m->idiag_inode != f->ino)
		return;
	f->n++;
	f->m = *m;
	f->shutdown = f->memory = f->v6only = -1;
	if ((a = nl_find(h, sizeof(*m), INET_DIAG_INFO)))
		memcpy(&f->info, RTA_DATA(a),
			RTA_PAYLOAD(a) < sizeof(f->info) ? RTA_PAYLOAD(a) : sizeof(f->info));
	if ((a = nl_find(h, sizeof(*m), INET_DIAG_CONG)))
		snprintf(f->cong, sizeof(f->cong), "%s", (char *)RTA_DATA(a));
	if ((a = nl_find(h, sizeof(*m), INET_DIAG_SHUTDOWN)))
		f->shutdown = *(unsigned char *)RTA_DATA(a);
	if ((a = nl_find(h, sizeof(*m), INET_DIAG_SKMEMINFO)))
		f->memory = (int)((unsigned int *)RTA_DATA(a))[SK_MEMINFO_RCVBUF];
	if ((a = nl_find(h, sizeof(*m), INET_DIAG_SKV6ONLY)))
		f->v6only = *(unsigned char *)RTA_DATA(a);
}

static struct found find(int diag, const struct ask *a, int fd)
{
	struct found f = {.ino = ino_of(fd)};

	dump(diag, a, look, &f);
	return f;
}

static int listener(int family, struct sockaddr_in *name)
{
	int l = OK(socket(family, SOCK_STREAM, 0));
	socklen_t n = sizeof(*name);

	*name = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	OK(bind(l, (void *)name, sizeof(*name)));
	OK(listen(l, 9));
	OK(getsockname(l, (void *)name, &n));
	return l;
}

TEST(a_dump_of_tcp_shows_names_states_and_queues)
{
	int diag = nl_open(NETLINK_SOCK_DIAG), l, c, s;
	struct sockaddr_in name, mine;
	socklen_t n = sizeof(mine);
	struct found f;
	struct ask a;

	lo_is_up();
	l = listener(AF_INET, &name);
	c = OK(socket(AF_INET, SOCK_STREAM, 0));
	OK(connect(c, (void *)&name, sizeof(name)));
	OK(getsockname(c, (void *)&mine, &n));
	CHECK_EQ(poll(&(struct pollfd){.fd = l, .events = POLLIN}, 1, 10000), 1);
	ask_for(&a, AF_INET, IPPROTO_TCP, ALL_STATES);
	a.d.idiag_ext = EXT(INET_DIAG_INFO) | EXT(INET_DIAG_CONG) | EXT(INET_DIAG_SKMEMINFO);

	f = find(diag, &a, l);
	CHECK_EQ(f.n, 1);
	CHECK_EQ(f.m.idiag_state, TCP_LISTEN);
	CHECK_EQ(f.m.idiag_rqueue, 1); /* waits for accept */
	CHECK_EQ(f.m.idiag_wqueue, 9);
	CHECK_EQ(f.m.id.idiag_sport, name.sin_port);
	CHECK_EQ(f.m.id.idiag_src[0], name.sin_addr.s_addr);
	CHECK_EQ(f.m.id.idiag_dport, 0);
	CHECK_EQ(f.info.tcpi_state, TCP_LISTEN);
	CHECK_EQ(f.info.tcpi_unacked, 1);
	CHECK_EQ(f.info.tcpi_sacked, 9);
	CHECK_EQ(f.info.tcpi_snd_cwnd, 10);
	CHECK_EQ(f.info.tcpi_reordering, 3);
	CHECK_EQ(f.info.tcpi_rto, 0);
	CHECK_EQ(f.info.tcpi_snd_mss, 0);
	s = OK(accept(l, NULL, NULL));

	CHECK_EQ(send(s, "hello", 5, 0), 5);
	CHECK_EQ(send(s, "world", 5, 0), 5);
	for (int v = 0; v < 10; sleep_ns(MSEC))
		OK(ioctl(c, FIONREAD, &v));
	f = find(diag, &a, c);
	CHECK_EQ(f.n, 1);
	CHECK_EQ(f.m.idiag_family, AF_INET);
	CHECK_EQ(f.m.idiag_state, TCP_ESTABLISHED);
	CHECK_EQ(f.m.idiag_rqueue, 10);
	CHECK_EQ(f.m.idiag_uid, 0);
	CHECK_EQ(f.m.id.idiag_sport, mine.sin_port);
	CHECK_EQ(f.m.id.idiag_dport, name.sin_port);
	CHECK_EQ(f.m.id.idiag_dst[0], name.sin_addr.s_addr);
	CHECK_EQ(f.info.tcpi_state, TCP_ESTABLISHED);
	CHECK(f.info.tcpi_snd_mss > 1000);
	CHECK(strlen(f.cong) > 2);
	CHECK_EQ(f.shutdown, 0);
	CHECK(f.memory > 4096);

	OK(shutdown(c, SHUT_WR));
	do /* the ACK may come late */
		f = find(diag, &a, c);
	while (f.m.idiag_state == TCP_FIN_WAIT1);
	CHECK_EQ(f.m.idiag_state, TCP_FIN_WAIT2);
	CHECK_EQ(f.shutdown, 2);
	a.d.idiag_states = 1u << TCP_LISTEN;
	CHECK_EQ(find(diag, &a, c).n, 0);
	CHECK_EQ(find(diag, &a, l).n, 1);
	a.d.idiag_states = ALL_STATES;
	a.d.id.idiag_dport = name.sin_port;
	CHECK_EQ(find(diag, &a, c).n, 1);
	CHECK_EQ(find(diag, &a, s).n, 0);
	close(s);
	close(c);
	close(l);
}

/* MPTCP's number is 262, whose low byte is TCP's: the attribute counts. */
TEST(the_protocol_of_the_attribute_is_meant)
{
	int diag = nl_open(NETLINK_SOCK_DIAG), l;
	struct ask r;
	struct rtattr *attr;
	struct sockaddr_in name;
	unsigned protocol = 262;

	lo_is_up();
	l = listener(AF_INET, &name);
	ask_for(&r, AF_INET, IPPROTO_TCP, ALL_STATES);
	CHECK_EQ(find(diag, &r, l).n, 1);
	attr = (void *)r.attrs;
	attr->rta_type = INET_DIAG_REQ_PROTOCOL;
	attr->rta_len = RTA_LENGTH(4);
	memcpy(RTA_DATA(attr), &protocol, 4);
	r.h.nlmsg_len += RTA_LENGTH(4);
	CHECK_EQ(find(diag, &r, l).n, 0);
	protocol = IPPROTO_TCP;
	memcpy(RTA_DATA(attr), &protocol, 4);
	CHECK_EQ(find(diag, &r, l).n, 1);
}

TEST(the_six_family_has_its_own_sockets)
{
	int diag = nl_open(NETLINK_SOCK_DIAG), l;
	struct sockaddr_in6 name = {.sin6_family = AF_INET6};
	struct found f;
	struct ask a;

	l = OK(socket(AF_INET6, SOCK_STREAM, 0));
	OK(bind(l, (void *)&name, sizeof(name)));
	OK(listen(l, 3));
	ask_for(&a, AF_INET, IPPROTO_TCP, ALL_STATES);
	CHECK_EQ(find(diag, &a, l).n, 0);
	ask_for(&a, AF_INET6, IPPROTO_TCP, ALL_STATES);
	f = find(diag, &a, l);
	CHECK_EQ(f.n, 1);
	CHECK_EQ(f.v6only, 0);
	close(l);
}

TEST(one_socket_is_found_by_its_names_and_its_cookie)
{
	int diag = nl_open(NETLINK_SOCK_DIAG), l;
	struct sockaddr_in name;
	struct nlmsghdr *h;
	struct inet_diag_msg *m;
	struct ask a;
	char buf[4096];

	lo_is_up();
	l = listener(AF_INET, &name);
	ask_for(&a, AF_INET, IPPROTO_TCP, ALL_STATES);
	a.h.nlmsg_flags = NLM_F_REQUEST;
	a.d.id.idiag_sport = name.sin_port;
	a.d.id.idiag_src[0] = name.sin_addr.s_addr;
	a.d.id.idiag_cookie[0] = a.d.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	CHECK_EQ(send(diag, &a, a.h.nlmsg_len, 0), a.h.nlmsg_len);
	CHECK(recv(diag, buf, sizeof(buf), MSG_DONTWAIT) > 0);
	h = (void *)buf;
	m = NLMSG_DATA(h);
	CHECK_EQ(h->nlmsg_type, SOCK_DIAG_BY_FAMILY);
	CHECK_EQ(m->idiag_inode, ino_of(l));
	memcpy(a.d.id.idiag_cookie, m->id.idiag_cookie, 8);
	CHECK_EQ(send(diag, &a, a.h.nlmsg_len, 0), a.h.nlmsg_len);
	CHECK(recv(diag, buf, sizeof(buf), MSG_DONTWAIT) > 0);
	CHECK_EQ(h->nlmsg_type, SOCK_DIAG_BY_FAMILY);
	a.d.id.idiag_cookie[0] ^= 1;
	CHECK_EQ(send(diag, &a, a.h.nlmsg_len, 0), a.h.nlmsg_len);
	CHECK(recv(diag, buf, sizeof(buf), MSG_DONTWAIT) > 0);
	CHECK_EQ(nl_error(buf), -ENOENT);
	close(l);
	CHECK_EQ(send(diag, &a, a.h.nlmsg_len, 0), a.h.nlmsg_len);
	CHECK(recv(diag, buf, sizeof(buf), MSG_DONTWAIT) > 0);
	CHECK_EQ(nl_error(buf), -ENOENT);
	a.d.sdiag_protocol = IPPROTO_EGP;
	CHECK_EQ(send(diag, &a, a.h.nlmsg_len, 0), a.h.nlmsg_len);
	CHECK(recv(diag, buf, sizeof(buf), MSG_DONTWAIT) > 0);
	CHECK_EQ(nl_error(buf), -ENOENT);
}

TEST(a_dump_of_udp_shows_bound_and_connected_sockets_once)
{
	int diag = nl_open(NETLINK_SOCK_DIAG), a4 = OK(socket(AF_INET, SOCK_DGRAM, 0)), b4;
	struct sockaddr_in name = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(name);
	struct found f;
	struct ask a;

	lo_is_up();
	OK(bind(a4, (void *)&name, sizeof(name)));
	OK(getsockname(a4, (void *)&name, &n));
	b4 = OK(socket(AF_INET, SOCK_DGRAM, 0));
	OK(connect(b4, (void *)&name, sizeof(name)));
	ask_for(&a, AF_INET, IPPROTO_UDP, ALL_STATES);
	f = find(diag, &a, a4);
	CHECK_EQ(f.n, 1);
	CHECK_EQ(f.m.idiag_state, TCP_CLOSE);
	CHECK_EQ(f.m.idiag_rqueue, 0);
	CHECK_EQ(send(b4, "x", 1, 0), 1);
	f = find(diag, &a, a4);
	CHECK(f.m.idiag_rqueue > 0);
	f = find(diag, &a, b4);
	CHECK_EQ(f.n, 1);
	CHECK_EQ(f.m.idiag_state, TCP_ESTABLISHED);
	CHECK_EQ(f.m.id.idiag_dport, name.sin_port);
}

/* ss 'sport = :N or dport = :N' and its like are programs. */
static int matches(int diag, struct ask *a, const void *code, size_t len, int fd)
{
	struct rtattr *at = (void *)a->attrs;
	struct ask copy;

	ask_for(a, AF_INET, IPPROTO_TCP, ALL_STATES);
	at->rta_type = INET_DIAG_REQ_BYTECODE;
	at->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(at), code, len);
	a->h.nlmsg_len += (unsigned int)RTA_SPACE(len);
	copy = *a;
	return find(diag, &copy, fd).n;
}

static int refused(int diag, const void *code, size_t len)
{
	struct rtattr *at;
	struct ask a;
	char buf[4096];

	ask_for(&a, AF_INET, IPPROTO_TCP, ALL_STATES);
	at = (void *)a.attrs;
	at->rta_type = INET_DIAG_REQ_BYTECODE;
	at->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(at), code, len);
	a.h.nlmsg_len += (unsigned int)RTA_SPACE(len);
	OK(send(diag, &a, a.h.nlmsg_len, 0));
	OK(recv(diag, buf, sizeof(buf), 0));
	return nl_error(buf);
}

TEST(filter_programs_choose_by_port_and_address)
{
	int diag = nl_open(NETLINK_SOCK_DIAG), l;
	struct sockaddr_in name;
	struct ask a;

	lo_is_up();
	l = listener(AF_INET, &name);
	unsigned short port = ntohs(name.sin_port);
	struct inet_diag_bc_op ge[2] = {{INET_DIAG_BC_S_GE, 8, 12}, {0, 0, port}};
	struct inet_diag_bc_op le[2] = {
		{INET_DIAG_BC_S_LE, 8, 12}, {0, 0, (unsigned short)(port - 1)}};
	struct inet_diag_bc_op eq[2] = {{INET_DIAG_BC_S_EQ, 8, 12}, {0, 0, port}};
	struct {
		struct inet_diag_bc_op op;
		struct inet_diag_hostcond c;
		unsigned int addr;
	} host = {{INET_DIAG_BC_S_COND, sizeof(host), sizeof(host) + 4}, {AF_INET, 8, -1},
		htonl(0x7f000000)};

	CHECK_EQ(matches(diag, &a, ge, sizeof(ge), l), 1);
	CHECK_EQ(matches(diag, &a, le, sizeof(le), l), 0);
	CHECK_EQ(matches(diag, &a, eq, sizeof(eq), l), 1);
	CHECK_EQ(matches(diag, &a, &host, sizeof(host), l), 1);
	host.addr = htonl(0x0a000000);
	CHECK_EQ(matches(diag, &a, &host, sizeof(host), l), 0);
	host.c.prefix_len = 0;
	host.c.port = port;
	CHECK_EQ(matches(diag, &a, &host, sizeof(host), l), 1);

	ge[0].no = 400;
	CHECK_EQ(refused(diag, ge, sizeof(ge)), -EINVAL);
	ge[0].no = 12;
	ge[0].yes = 4;
	CHECK_EQ(refused(diag, ge, sizeof(ge)), -EINVAL);
	ge[0].yes = 8;
	ge[0].code = 77;
	CHECK_EQ(refused(diag, ge, sizeof(ge)), -EINVAL);
	host.c.prefix_len = 33;
	CHECK_EQ(refused(diag, &host, sizeof(host)), -EINVAL);
	close(l);
}

TEST(a_long_dump_shows_each_socket_once)
{
	int diag = nl_open(NETLINK_SOCK_DIAG), s[300];
	struct sockaddr_in name = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct ask a;

	lo_is_up();
	for (int i = 0; i < 300; i++) {
		s[i] = OK(socket(AF_INET, SOCK_DGRAM, 0));
		OK(bind(s[i], (void *)&name, sizeof(name)));
	}
	ask_for(&a, AF_INET, IPPROTO_UDP, ALL_STATES);
	a.d.idiag_ext = EXT(INET_DIAG_SKMEMINFO) | EXT(INET_DIAG_MEMINFO);
	for (int i = 0; i < 300; i += 37)
		CHECK_EQ(find(diag, &a, s[i]).n, 1);
	CHECK(dump(diag, &a, NULL, NULL) >= 300);
}

/* ---- AF_UNIX ---- */

struct unix_ask {
	struct nlmsghdr h;
	struct unix_diag_req d;
};

struct unix_found {
	unsigned int ino, peer, rqueue, wqueue, pending, uid;
	int n, shutdown;
	struct unix_diag_msg m;
	char name[128];
};

static void look_unix(const struct nlmsghdr *h, void *arg)
{
	const struct unix_diag_msg *m = NLMSG_DATA(h);
	struct unix_found *f = arg;
	const struct rtattr *a;

	if (m->udiag_ino != f->ino)
		return;
	f->n++;
	f->m = *m;
	f->shutdown = -1;
	if ((a = nl_find(h, sizeof(*m), UNIX_DIAG_NAME)))
		memcpy(f->name, RTA_DATA(a), RTA_PAYLOAD(a));
	if ((a = nl_find(h, sizeof(*m), UNIX_DIAG_PEER)))
		f->peer = *(unsigned int *)RTA_DATA(a);
	if ((a = nl_find(h, sizeof(*m), UNIX_DIAG_UID)))
		f->uid = *(unsigned int *)RTA_DATA(a);
	if ((a = nl_find(h, sizeof(*m), UNIX_DIAG_SHUTDOWN)))
		f->shutdown = *(unsigned char *)RTA_DATA(a);
	if ((a = nl_find(h, sizeof(*m), UNIX_DIAG_ICONS)))
		f->pending = (unsigned int)RTA_PAYLOAD(a) / 4;
	if ((a = nl_find(h, sizeof(*m), UNIX_DIAG_RQLEN))) {
		f->rqueue = ((unsigned int *)RTA_DATA(a))[0];
		f->wqueue = ((unsigned int *)RTA_DATA(a))[1];
	}
}

static struct unix_found find_unix(int diag, struct unix_ask *a, int fd)
{
	struct unix_found f = {.ino = ino_of(fd), .uid = 77};

	dump(diag, a, look_unix, &f);
	return f;
}

TEST(a_dump_of_unix_sockets_shows_names_peers_and_queues)
{
	int diag = nl_open(NETLINK_SOCK_DIAG), l = OK(socket(AF_UNIX, SOCK_STREAM, 0)), c, s, p[2];
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "here"};
	struct unix_ask a = {{sizeof(a), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 7, 0},
		{.sdiag_family = AF_UNIX,
			.udiag_states = ~0u,
			.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER |
				UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN | UDIAG_SHOW_UID}};
	struct unix_found f;

	OK(bind(l, (void *)&name, sizeof(name)));
	OK(listen(l, 5));
	c = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	OK(connect(c, (void *)&name, sizeof(name)));
	f = find_unix(diag, &a, l);
	CHECK_EQ(f.n, 1);
	CHECK_EQ(f.m.udiag_type, SOCK_STREAM);
	CHECK_EQ(f.m.udiag_state, TCP_LISTEN);
	CHECK_STR(f.name, "here");
	CHECK_EQ(f.rqueue, 1);
	CHECK_EQ(f.wqueue, 5);
	CHECK_EQ(f.pending, 1);
	CHECK_EQ(f.uid, 0);
	s = OK(accept(l, NULL, NULL));
	CHECK_EQ(send(c, "abc", 3, 0), 3);
	f = find_unix(diag, &a, s);
	CHECK_EQ(f.m.udiag_state, TCP_ESTABLISHED);
	CHECK_EQ(f.peer, ino_of(c));
	CHECK_EQ(f.rqueue, 3);
	CHECK_STR(f.name, "here");
	CHECK_EQ(f.shutdown, 0);
	f = find_unix(diag, &a, c);
	CHECK_EQ(f.peer, ino_of(s));
	CHECK_EQ(f.name[0], 0);
	OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, p));
	f = find_unix(diag, &a, p[0]);
	CHECK_EQ(f.m.udiag_type, SOCK_DGRAM);
	CHECK_EQ(f.peer, ino_of(p[1]));
	close(p[0]);
	close(p[1]);
	p[0] = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	CHECK_EQ(find_unix(diag, &a, p[0]).m.udiag_state, TCP_CLOSE);
	a.d.udiag_states = 1u << TCP_LISTEN;
	CHECK_EQ(find_unix(diag, &a, c).n, 0);
}

TEST(one_unix_socket_is_found_by_its_number)
{
	int diag = nl_open(NETLINK_SOCK_DIAG), s = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	struct unix_ask a = {{sizeof(a), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 7, 0},
		{.sdiag_family = AF_UNIX,
			.udiag_states = ~0u,
			.udiag_ino = ino_of(s),
			.udiag_cookie = {~0u, ~0u}}};
	char buf[4096];

	OK(send(diag, &a, sizeof(a), 0));
	OK(recv(diag, buf, sizeof(buf), 0));
	CHECK_EQ(((struct nlmsghdr *)buf)->nlmsg_type, SOCK_DIAG_BY_FAMILY);
	a.d.udiag_cookie[0] = 0x12345;
	OK(send(diag, &a, sizeof(a), 0));
	OK(recv(diag, buf, sizeof(buf), 0));
	CHECK_EQ(nl_error(buf), -ESTALE);
	a.d.udiag_ino = 0;
	OK(send(diag, &a, sizeof(a), 0));
	OK(recv(diag, buf, sizeof(buf), 0));
	CHECK_EQ(nl_error(buf), -EINVAL);
	a.d.udiag_ino = 0x7ffffff0;
	OK(send(diag, &a, sizeof(a), 0));
	OK(recv(diag, buf, sizeof(buf), 0));
	CHECK_EQ(nl_error(buf), -ENOENT);
}
