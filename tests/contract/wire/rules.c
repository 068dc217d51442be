/* SPDX-License-Identifier: MIT */
/* Policy rules: which of two ways a packet goes. Link 0 is the way of the main table, link 1 that
 * of table 100. */
#include "wire.h"
#include <linux/fib_rules.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define OTHER_TABLE      100u
#define EMPTY_TABLE      101u
#define FIRST_PRIO       1000u
#define LAST_PRIO        1300u
#define PORT             2222

#define BOTH_FAMILIES(f) for (int f = AF_INET; f; f = f == AF_INET ? AF_INET6 : 0)

static struct wire g_a, g_b;
static int g_nl;

/* ---- requests ---- */

struct msg {
	struct nlmsghdr h;
	char b[512];
};

static void put(struct msg *m, int type, const void *data, size_t len)
{
	struct rtattr *a = (void *)((char *)m + NLMSG_ALIGN(m->h.nlmsg_len));

	a->rta_type = (unsigned short)type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	m->h.nlmsg_len = NLMSG_ALIGN(m->h.nlmsg_len) + (unsigned)RTA_SPACE(len);
}

static void put_u32(struct msg *m, int type, unsigned v)
{
	put(m, type, &v, sizeof(v));
}

static void put_addr(struct msg *m, int type, int family, const char *text)
{
	unsigned char a[16];

	CHECK_EQ(inet_pton(family, text, a), 1);
	put(m, type, a, family == AF_INET ? 4 : 16);
}

/* The acknowledgement's error, negative. */
static int ask(int fd, struct msg *m)
{
	char buf[1024];
	struct nlmsghdr *h = (void *)buf;

	m->h.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	CHECK_EQ(send(fd, m, m->h.nlmsg_len, 0), m->h.nlmsg_len);
	OK(recv(fd, buf, sizeof(buf), 0));
	CHECK_EQ(h->nlmsg_type, NLMSG_ERROR);
	return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
}

struct rule {
	int family, action; /* action 0: to the table; to delete: any */
	unsigned prio, table, mark, mask, target, flags;
	const char *from, *to, *iif, *oif;
	int from_len, to_len;
	unsigned char tos, proto;
	unsigned short sport[2], dport[2];
	bool uids;
	unsigned uid[2];
	bool suppress;        /* prefix length 0 */
	unsigned char origin; /* RTPROT_* */
};

static int change_on(int fd, int type, int flags, const struct rule *r)
{
	struct msg m;
	struct fib_rule_hdr *h = NLMSG_DATA(&m.h);

	memset(&m, 0, sizeof(m));
	m.h.nlmsg_len = NLMSG_LENGTH(sizeof(*h));
	m.h.nlmsg_type = (unsigned short)type;
	m.h.nlmsg_flags = (unsigned short)flags;
	h->family = (unsigned char)r->family;
	h->action = (unsigned char)r->action;
	if (!r->action && type == RTM_NEWRULE)
		h->action = FR_ACT_TO_TBL;
	h->table = (unsigned char)r->table;
	h->tos = r->tos;
	h->flags = r->flags;
	h->src_len = (unsigned char)r->from_len;
	h->dst_len = (unsigned char)r->to_len;
	if (r->prio)
		put_u32(&m, FRA_PRIORITY, r->prio);
	if (r->from)
		put_addr(&m, FRA_SRC, r->family, r->from);
	if (r->to)
		put_addr(&m, FRA_DST, r->family, r->to);
	if (r->iif)
		put(&m, FRA_IIFNAME, r->iif, strlen(r->iif) + 1);
	if (r->oif)
		put(&m, FRA_OIFNAME, r->oif, strlen(r->oif) + 1);
	if (r->mark)
		put_u32(&m, FRA_FWMARK, r->mark);
	if (r->mask)
		put_u32(&m, FRA_FWMASK, r->mask);
	if (r->target)
		put_u32(&m, FRA_GOTO, r->target);
	if (r->proto)
		put(&m, FRA_IP_PROTO, &r->proto, 1);
	if (r->origin)
		put(&m, FRA_PROTOCOL, &r->origin, 1);
	if (r->sport[1])
		put(&m, FRA_SPORT_RANGE, r->sport, 4);
	if (r->dport[1])
		put(&m, FRA_DPORT_RANGE, r->dport, 4);
	if (r->uids)
		put(&m, FRA_UID_RANGE, r->uid, 8);
	if (r->suppress)
		put_u32(&m, FRA_SUPPRESS_PREFIXLEN, 0);
	return ask(fd, &m);
}

static int change(int type, int flags, const struct rule *r)
{
	return change_on(g_nl, type, flags, r);
}

static void add(const struct rule *r)
{
	CHECK_EQ(change(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, r), 0);
}

static int del(const struct rule *r)
{
	return change(RTM_DELRULE, 0, r);
}

static int route(int type, int family, const char *dst, int len, const char *gateway,
	unsigned table, int kind)
{
	struct msg m;
	struct rtmsg *h = NLMSG_DATA(&m.h);

	memset(&m, 0, sizeof(m));
	m.h.nlmsg_len = NLMSG_LENGTH(sizeof(*h));
	m.h.nlmsg_type = (unsigned short)type;
	m.h.nlmsg_flags = type == RTM_NEWROUTE ? NLM_F_CREATE : 0;
	h->rtm_family = (unsigned char)family;
	h->rtm_dst_len = (unsigned char)len;
	h->rtm_protocol = RTPROT_STATIC;
	h->rtm_type = (unsigned char)kind;
	h->rtm_table = (unsigned char)table;
	if (len)
		put_addr(&m, RTA_DST, family, dst);
	if (gateway)
		put_addr(&m, RTA_GATEWAY, family, gateway);
	return ask(g_nl, &m);
}

static const char *gateway_of(int family, int link)
{
	if (family == AF_INET)
		return link ? "10.2.0.2" : "10.1.0.2";
	return link ? "fd02::2" : "fd01::2";
}

static void clear_rules(int family)
{
	for (unsigned prio = FIRST_PRIO; prio <= LAST_PRIO; prio += 100)
		while (!del(&(struct rule){.family = family, .prio = prio}))
			;
}

static void clean_up(void)
{
	BOTH_FAMILIES(f)
	{
		clear_rules(f);
		route(RTM_DELROUTE, f, NULL, 0, gateway_of(f, 0), RT_TABLE_MAIN, RTN_UNICAST);
		route(RTM_DELROUTE, f, NULL, 0, gateway_of(f, 1), OTHER_TABLE, RTN_UNICAST);
		route(RTM_DELROUTE, f, f == AF_INET ? "10.9.0.0" : "fd09::", f == AF_INET ? 16 : 64,
			gateway_of(f, 0), RT_TABLE_MAIN, RTN_UNICAST);
	}
	route(RTM_DELROUTE, AF_INET, "10.9.0.0", 16, NULL, OTHER_TABLE, RTN_THROW);
	route(RTM_DELROUTE, AF_INET6, "fd09::", 64, NULL, OTHER_TABLE, RTN_THROW);
	set_var("ipv4/conf/all/forwarding", 0);
}

static void begin(void)
{
	static bool registered;

	wire_open(&g_a, 0);
	wire_open(&g_b, 1);
	set_var("ipv4/conf/all/rp_filter", 0);
	g_nl = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	clean_up();
	if (!registered)
		atexit(clean_up);
	registered = true;
	BOTH_FAMILIES(f)
	{
		CHECK_EQ(route(RTM_NEWROUTE, f, NULL, 0, gateway_of(f, 0), RT_TABLE_MAIN,
				 RTN_UNICAST),
			0);
		CHECK_EQ(
			route(RTM_NEWROUTE, f, NULL, 0, gateway_of(f, 1), OTHER_TABLE, RTN_UNICAST),
			0);
		CHECK_EQ(route(RTM_NEWROUTE, f,
				 f == AF_INET ? "10.9.0.0" : "fd09::", f == AF_INET ? 16 : 64,
				 gateway_of(f, 0), RT_TABLE_MAIN, RTN_UNICAST),
			0);
	}
}

/* ---- which way ---- */

static bool has_token(const struct frame *f, void *arg)
{
	const unsigned char *token = arg;
	size_t off = proto_of(f) == ETH_P_IP ? 42u : 62u;

	return (proto_of(f) == ETH_P_IP || proto_of(f) == ETH_P_IPV6) && f->len >= off + 4 &&
		memcmp(f->b + off, token, 4) == 0;
}

static int where(unsigned token)
{
	struct frame f;

	for (int i = 0; i < 100; i++) {
		if (wire_take(&g_a, &f, has_token, &token, 0.05))
			return 0;
		if (wire_take(&g_b, &f, has_token, &token, 0.05))
			return 1;
	}
	FAIL("the packet came out nowhere");
}

static unsigned next_token(void)
{
	static unsigned n;

	return 0x52000000u + ((unsigned)getpid() << 8) + ++n;
}

static const char *far_host(int family)
{
	return family == AF_INET ? "10.9.0.1" : "fd09::1";
}

static socklen_t name(struct sockaddr_storage *s, int family, const char *text, int port)
{
	memset(s, 0, sizeof(*s));
	s->ss_family = (sa_family_t)family;
	((struct sockaddr_in *)s)->sin_port = htons((unsigned short)port);
	CHECK_EQ(inet_pton(family, text,
			 family == AF_INET ? (void *)&((struct sockaddr_in *)s)->sin_addr
					   : (void *)&((struct sockaddr_in6 *)s)->sin6_addr),
		1);
	return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static int udp(int family)
{
	return OK(socket(family, SOCK_DGRAM, 0));
}

/* The link that a datagram leaves by, or the negative error of sending it. */
static int way(int fd, int family, const char *to, int port)
{
	unsigned token = next_token();
	struct sockaddr_storage s;
	socklen_t len = name(&s, family, to, port);

	if (sendto(fd, &token, sizeof(token), 0, (void *)&s, len) < 0)
		return -errno;
	return where(token);
}

static int marked_way(int family, int mark)
{
	int fd = udp(family), got;

	OK(setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)));
	got = way(fd, family, far_host(family), PORT);
	close(fd);
	return got;
}

static int plain_way(int family)
{
	return marked_way(family, 0);
}

/* ---- selectors ---- */

TEST(a_mark_chooses_the_table)
{
	begin();
	BOTH_FAMILIES(f)
	{
		add(&(struct rule){f, .prio = 1000, .table = OTHER_TABLE, .mark = 5});
		CHECK_EQ(plain_way(f), 0);
		CHECK_EQ(marked_way(f, 5), 1);
		CHECK_EQ(marked_way(f, 7), 0);
		clear_rules(f);
		CHECK_EQ(marked_way(f, 5), 0);
		add(&(struct rule){
			f, .prio = 1000, .table = OTHER_TABLE, .mark = 0x10, .mask = 0xf0});
		CHECK_EQ(marked_way(f, 0x10), 1);
		CHECK_EQ(marked_way(f, 0x115), 1);
		CHECK_EQ(marked_way(f, 0x20), 0);
	}
}

TEST(a_source_address_chooses_the_table)
{
	begin();
	BOTH_FAMILIES(f)
	{
		const char *mine = f == AF_INET ? "10.2.0.1" : "fd02::1";
		struct sockaddr_storage s;
		socklen_t len = name(&s, f, mine, 0);
		int fd = udp(f);

		add(&(struct rule){f, .prio = 1000, .table = OTHER_TABLE, .from = mine,
			.from_len = f == AF_INET ? 32 : 128});
		CHECK_EQ(plain_way(f), 0);
		OK(bind(fd, (void *)&s, len));
		CHECK_EQ(way(fd, f, far_host(f), PORT), 1);
		close(fd);
	}
}

TEST(a_destination_chooses_the_table)
{
	begin();
	BOTH_FAMILIES(f)
	{
		int fd = udp(f);

		add(&(struct rule){f, .prio = 1000, .table = OTHER_TABLE,
			.to = f == AF_INET ? "10.9.0.0" : "fd09::",
			.to_len = f == AF_INET ? 24 : 64});
		CHECK_EQ(way(fd, f, far_host(f), PORT), 1);
		CHECK_EQ(way(fd, f, f == AF_INET ? "10.9.1.1" : "fd09:0:0:1::1", PORT), 0);
		close(fd);
	}
}

TEST(ports_and_protocols_choose_the_table)
{
	begin();
	BOTH_FAMILIES(f)
	{
		struct sockaddr_storage s;
		int fd = udp(f), bound = udp(f);

		add(&(struct rule){f, .prio = 1000, .table = OTHER_TABLE, .proto = IPPROTO_UDP,
			.dport = {2000, 2010}});
		CHECK_EQ(way(fd, f, far_host(f), 2000), 1);
		CHECK_EQ(way(fd, f, far_host(f), 2010), 1);
		CHECK_EQ(way(fd, f, far_host(f), 2011), 0);
		clear_rules(f);
		add(&(struct rule){f, .prio = 1000, .table = OTHER_TABLE, .proto = IPPROTO_TCP});
		CHECK_EQ(way(fd, f, far_host(f), 2000), 0);
		add(&(struct rule){f, .prio = 1000, .table = OTHER_TABLE, .sport = {3333, 3333}});
		CHECK_EQ(way(fd, f, far_host(f), 2000), 0);
		OK(bind(bound, (void *)&s, name(&s, f, f == AF_INET ? "0.0.0.0" : "::", 3333)));
		CHECK_EQ(way(bound, f, far_host(f), 2000), 1);
		close(fd);
		close(bound);
	}
}

TEST(a_type_of_service_chooses_the_table)
{
	int fd, tos = 0x10;

	begin();
	fd = udp(AF_INET);
	add(&(struct rule){AF_INET, .prio = 1000, .table = OTHER_TABLE, .tos = 0x10});
	CHECK_EQ(way(fd, AF_INET, far_host(AF_INET), PORT), 0);
	OK(setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)));
	CHECK_EQ(way(fd, AF_INET, far_host(AF_INET), PORT), 1);
	BOTH_FAMILIES(f)
	CHECK_EQ(change(RTM_NEWRULE, NLM_F_CREATE,
			 &(struct rule){f, .prio = 1100, .table = OTHER_TABLE, .tos = 1}),
		-EINVAL);
	CHECK_EQ(change(RTM_NEWRULE, NLM_F_CREATE,
			 &(struct rule){AF_INET, .prio = 1100, .table = OTHER_TABLE, .tos = 0x80}),
		-EINVAL);
	close(fd);
	fd = udp(AF_INET6);
	add(&(struct rule){AF_INET6, .prio = 1000, .table = OTHER_TABLE, .tos = 0x80});
	CHECK_EQ(way(fd, AF_INET6, far_host(AF_INET6), PORT), 0);
	tos = 0x80;
	OK(setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos)));
	CHECK_EQ(way(fd, AF_INET6, far_host(AF_INET6), PORT), 1);
	close(fd);
}

TEST(a_user_chooses_the_table)
{
	pid_t pid;

	begin();
	BOTH_FAMILIES(f)
	add(&(struct rule){
		f, .prio = 1000, .table = OTHER_TABLE, .uids = true, .uid = {1000, 1010}});
	CHECK_EQ(plain_way(AF_INET), 0);
	CHECK_EQ(plain_way(AF_INET6), 0);
	BOTH_FAMILIES(f)
	{
		unsigned token = next_token();

		pid = FORK();
		if (!pid) {
			struct sockaddr_storage s;
			int fd = udp(f);

			OK(setreuid(1005, 1005));
			close(fd);
			fd = udp(f);
			OK(sendto(fd, &token, sizeof(token), 0, (void *)&s,
				name(&s, f, far_host(f), PORT)));
			_exit(0);
		}
		expect_exit(pid, 0);
		CHECK_EQ(where(token), 1);
	}
}

TEST(a_bound_device_chooses_the_table)
{
	begin();
	BOTH_FAMILIES(f)
	{
		int fd = udp(f);

		add(&(struct rule){f, .prio = 1000, .table = OTHER_TABLE, .oif = g_b.name});
		CHECK_EQ(way(fd, f, far_host(f), PORT), 0);
		OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, g_b.name, strlen(g_b.name)));
		CHECK_EQ(way(fd, f, far_host(f), PORT), 1);
		close(fd);
	}
}

TEST(where_a_packet_came_in_chooses_the_table)
{
	unsigned char p[256], u[64];
	unsigned token = next_token();

	begin();
	set_var("ipv4/conf/all/forwarding", 1);
	add(&(struct rule){AF_INET, .prio = 1000, .table = OTHER_TABLE, .iif = g_a.name});
	CHECK_EQ(plain_way(AF_INET), 0);
	wire_send(&g_a, NULL, ETH_P_IP, p,
		ip4_packet(p, PEER4(0), 0x0a090001, IPPROTO_UDP, 64, 0, u,
			udp_datagram(u, 1111, PORT, &token, 4)));
	CHECK_EQ(where(token), 1);
	clear_rules(AF_INET);
	/* What the machine itself sends comes from lo. */
	add(&(struct rule){AF_INET, .prio = 1000, .table = OTHER_TABLE, .iif = "lo"});
	CHECK_EQ(plain_way(AF_INET), 1);
}

TEST(ports_of_a_forwarded_packet_choose_the_table)
{
	static const int dport[] = {2000, 2011};

	begin();
	set_var("ipv4/conf/all/forwarding", 1);
	set_var("ipv6/conf/all/forwarding", 1);
	BOTH_FAMILIES(f)
	{
		add(&(struct rule){f, .prio = 1000, .table = OTHER_TABLE, .proto = IPPROTO_UDP,
			.sport = {1111, 1111}, .dport = {2000, 2010}});
		for (int i = 0; i < 2; i++) {
			struct in6_addr src = in6("fd01::2"), dst = in6("fd09::1");
			unsigned token = next_token();
			unsigned char p[256], u[64];
			size_t n = udp_datagram(u, 1111, dport[i], &token, 4);

			if (f == AF_INET) {
				wire_send(&g_a, NULL, ETH_P_IP, p,
					ip4_packet(
						p, PEER4(0), 0x0a090001, IPPROTO_UDP, 64, 0, u, n));
			} else {
				*(unsigned short *)(u + 6) = sum6(&src, &dst, IPPROTO_UDP, u, n);
				wire_send(&g_a, NULL, ETH_P_IPV6, p,
					ip6_packet(p, &src, &dst, IPPROTO_UDP, 64, u, n));
			}
			CHECK_EQ(where(token), i ? 0 : 1);
		}
	}
	set_var("ipv6/conf/all/forwarding", 0);
}

TEST(a_rule_may_mean_all_others)
{
	begin();
	BOTH_FAMILIES(f)
	{
		add(&(struct rule){f, .prio = 1000, .table = OTHER_TABLE, .mark = 5,
			.flags = FIB_RULE_INVERT});
		CHECK_EQ(marked_way(f, 5), 0);
		CHECK_EQ(plain_way(f), 1);
	}
}

/* ---- actions ---- */

TEST(rules_that_refuse_have_their_errors)
{
	begin();
	BOTH_FAMILIES(f)
	{
		static const struct {
			int action, err;
		} t[] = {{FR_ACT_PROHIBIT, EACCES}, {FR_ACT_UNREACHABLE, ENETUNREACH},
			{FR_ACT_BLACKHOLE, EINVAL}};

		for (int i = 0; i < 3; i++) {
			add(&(struct rule){f, t[i].action, .prio = 1000, .mark = 5});
			CHECK_EQ(marked_way(f, 5), -t[i].err);
			CHECK_EQ(plain_way(f), 0);
			clear_rules(f);
		}
	}
}

TEST(a_table_without_a_way_leaves_it_to_the_next_rule)
{
	begin();
	BOTH_FAMILIES(f)
	{
		add(&(struct rule){f, .prio = 1000, .table = EMPTY_TABLE});
		CHECK_EQ(plain_way(f), 0);
		add(&(struct rule){f, .prio = 1100, .table = OTHER_TABLE});
		CHECK_EQ(plain_way(f), 1);
		/* A route may say so, too. */
		CHECK_EQ(route(RTM_NEWROUTE, f, f == AF_INET ? "10.9.0.0" : "fd09::",
				 f == AF_INET ? 16 : 64, NULL, OTHER_TABLE, RTN_THROW),
			0);
		CHECK_EQ(plain_way(f), 0);
	}
}

TEST(a_default_route_can_be_passed_over)
{
	begin();
	BOTH_FAMILIES(f)
	{
		int fd = udp(f);
		const char *elsewhere = f == AF_INET ? "10.77.0.1" : "fd77::1";

		CHECK_EQ(way(fd, f, elsewhere, PORT), 0);
		add(&(struct rule){f, .prio = 1000, .table = RT_TABLE_MAIN, .suppress = true});
		add(&(struct rule){f, .prio = 1100, .table = OTHER_TABLE});
		CHECK_EQ(way(fd, f, far_host(f), PORT), 0);
		CHECK_EQ(way(fd, f, elsewhere, PORT), 1);
		close(fd);
	}
}

static unsigned flags_of(int family, unsigned prio);

TEST(rules_can_jump_forward)
{
	begin();
	BOTH_FAMILIES(f)
	{
		struct rule jump = {f, FR_ACT_GOTO, .prio = 1000, .target = 1200};

		add(&(struct rule){f, .prio = 1100, .table = OTHER_TABLE});
		CHECK_EQ(plain_way(f), 1);
		/* Nothing is there yet. */
		add(&jump);
		CHECK_EQ(flags_of(f, 1000), FIB_RULE_UNRESOLVED);
		CHECK_EQ(plain_way(f), 1);
		add(&(struct rule){f, FR_ACT_NOP, .prio = 1200});
		CHECK_EQ(flags_of(f, 1000), 0);
		CHECK_EQ(plain_way(f), 0);
		CHECK_EQ(del(&(struct rule){f, .prio = 1200}), 0);
		CHECK_EQ(flags_of(f, 1000), FIB_RULE_UNRESOLVED);
		CHECK_EQ(plain_way(f), 1);
		jump.target = 900;
		CHECK_EQ(change(RTM_NEWRULE, NLM_F_CREATE, &jump), -EINVAL);
		jump.target = 0;
		CHECK_EQ(change(RTM_NEWRULE, NLM_F_CREATE, &jump), -EINVAL);
	}
}

TEST(a_connected_socket_follows_the_rules_as_they_change)
{
	begin();
	BOTH_FAMILIES(f)
	{
		struct sockaddr_storage s;
		unsigned token = next_token();
		int fd = udp(f);

		OK(connect(fd, (void *)&s, name(&s, f, far_host(f), PORT)));
		OK(send(fd, &token, 4, 0));
		CHECK_EQ(where(token), 0);
		add(&(struct rule){f, .prio = 1000, .table = OTHER_TABLE});
		token = next_token();
		OK(send(fd, &token, 4, 0));
		CHECK_EQ(where(token), 1);
		clear_rules(f);
		token = next_token();
		OK(send(fd, &token, 4, 0));
		CHECK_EQ(where(token), 0);
		close(fd);
	}
}

/* ---- what programs see ---- */

/* The rule of this priority as a dump shows it, in *out; false: none. */
static bool dumped(int family, unsigned prio, struct msg *out)
{
	int fd = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	struct {
		struct nlmsghdr h;
		struct fib_rule_hdr r;
	} m = {.h = {.nlmsg_len = sizeof(m),
		       .nlmsg_type = RTM_GETRULE,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.r = {.family = (unsigned char)family}};
	char buf[16384];
	bool found = false, done = false;

	OK(send(fd, &m, sizeof(m), 0));
	while (!done) {
		int left = (int)OK(recv(fd, buf, sizeof(buf), 0));

		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			struct fib_rule_hdr *r = NLMSG_DATA(h);
			struct rtattr *a = (void *)(r + 1);
			int n = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(*r)));
			unsigned p = 0;

			if (h->nlmsg_type == NLMSG_DONE) {
				done = true;
				break;
			}
			CHECK_EQ(h->nlmsg_type, RTM_NEWRULE);
			CHECK_EQ(r->family, family);
			for (; RTA_OK(a, n); a = RTA_NEXT(a, n))
				if (a->rta_type == FRA_PRIORITY)
					memcpy(&p, RTA_DATA(a), 4);
			if (p == prio) {
				CHECK(!found && h->nlmsg_len <= sizeof(*out));
				memcpy(out, h, h->nlmsg_len);
				found = true;
			}
		}
	}
	close(fd);
	return found;
}

static const void *attr(const struct msg *m, int type, size_t len)
{
	const struct rtattr *a =
		(const void *)((const char *)NLMSG_DATA(&m->h) + sizeof(struct fib_rule_hdr));
	int n = (int)(m->h.nlmsg_len - NLMSG_LENGTH(sizeof(struct fib_rule_hdr)));

	for (; RTA_OK(a, n); a = RTA_NEXT(a, n))
		if (a->rta_type == type) {
			CHECK_EQ(RTA_PAYLOAD(a), len);
			return RTA_DATA(a);
		}
	return NULL;
}

static unsigned attr_u32(const struct msg *m, int type)
{
	const void *p = attr(m, type, 4);
	unsigned v;

	if (!p)
		FAIL("attribute %d is missing", type);
	memcpy(&v, p, 4);
	return v;
}

static unsigned flags_of(int family, unsigned prio)
{
	struct msg m;

	CHECK(dumped(family, prio, &m));
	return ((struct fib_rule_hdr *)NLMSG_DATA(&m.h))->flags;
}

TEST(a_dump_shows_what_was_given)
{
	struct msg m;
	const struct fib_rule_hdr *h = NLMSG_DATA(&m.h);

	begin();
	BOTH_FAMILIES(f)
	{
		add(&(struct rule){f, .prio = 1000, .table = OTHER_TABLE, .mark = 5, .mask = 0xff,
			.from = f == AF_INET ? "10.1.0.0" : "fd01::",
			.from_len = f == AF_INET ? 24 : 64, .iif = "lo", .oif = "none0",
			.proto = IPPROTO_UDP, .sport = {1, 2}, .dport = {3, 4}, .uids = true,
			.uid = {7, 8}, .suppress = true, .origin = RTPROT_BOOT});
		CHECK(dumped(f, 1000, &m));
		CHECK_EQ(h->table, OTHER_TABLE);
		CHECK_EQ(h->action, FR_ACT_TO_TBL);
		CHECK_EQ(h->src_len, f == AF_INET ? 24 : 64);
		CHECK_EQ(h->dst_len, 0);
		CHECK_EQ(h->flags, FIB_RULE_OIF_DETACHED);
		CHECK_EQ(attr_u32(&m, FRA_TABLE), OTHER_TABLE);
		CHECK_EQ(attr_u32(&m, FRA_FWMARK), 5);
		CHECK_EQ(attr_u32(&m, FRA_FWMASK), 0xff);
		CHECK_EQ(attr_u32(&m, FRA_SUPPRESS_PREFIXLEN), 0);
		CHECK_STR(attr(&m, FRA_IIFNAME, 3), "lo");
		CHECK_STR(attr(&m, FRA_OIFNAME, 6), "none0");
		CHECK_EQ(*(unsigned char *)attr(&m, FRA_IP_PROTO, 1), IPPROTO_UDP);
		CHECK_EQ(*(unsigned char *)attr(&m, FRA_PROTOCOL, 1), RTPROT_BOOT);
		CHECK_EQ(del(&(struct rule){f, .prio = 1000, .origin = RTPROT_STATIC}), -ENOENT);
		CHECK_EQ(memcmp(attr(&m, FRA_SPORT_RANGE, 4), (unsigned short[]){1, 2}, 4), 0);
		CHECK_EQ(memcmp(attr(&m, FRA_DPORT_RANGE, 4), (unsigned short[]){3, 4}, 4), 0);
		CHECK_EQ(memcmp(attr(&m, FRA_UID_RANGE, 8), (unsigned[]){7, 8}, 8), 0);
		CHECK(attr(&m, FRA_SRC, f == AF_INET ? 4 : 16) && !attr(&m, FRA_DST, 4));
		/* One of the usual: */
		CHECK(dumped(f, 32766, &m));
		CHECK_EQ(attr_u32(&m, FRA_TABLE), RT_TABLE_MAIN);
		CHECK_EQ(attr_u32(&m, FRA_SUPPRESS_PREFIXLEN), ~0u);
		CHECK_EQ(*(unsigned char *)attr(&m, FRA_PROTOCOL, 1), RTPROT_KERNEL);
		CHECK(!attr(&m, FRA_FWMARK, 4) && !attr(&m, FRA_UID_RANGE, 8));
	}
}

TEST(requests_that_make_no_sense_are_refused)
{
	struct msg m;

	begin();
	BOTH_FAMILIES(f)
	{
		struct rule r = {f, .prio = 1000, .table = OTHER_TABLE, .mark = 5};

		CHECK_EQ(del(&r), -ENOENT);
		add(&r);
		CHECK_EQ(change(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &r), -EEXIST);
		r.mark = 6;
		add(&r);
		CHECK_EQ(del(&(struct rule){f, .prio = 1000, .mark = 7}), -ENOENT);
		CHECK_EQ(del(&r), 0);
		CHECK_EQ(del(&r), -ENOENT);
		CHECK(dumped(f, 1000, &m));
		CHECK_EQ(attr_u32(&m, FRA_FWMARK), 5);
		CHECK_EQ(change(RTM_NEWRULE, NLM_F_CREATE,
				 &(struct rule){
					 f, .prio = 1100, .table = OTHER_TABLE, .sport = {4, 3}}),
			-EINVAL);
		CHECK_EQ(change(RTM_NEWRULE, NLM_F_CREATE,
				 &(struct rule){f, .prio = 1100, .table = OTHER_TABLE, .uids = true,
					 .uid = {4, 3}}),
			-EINVAL);
		CHECK_EQ(change(RTM_NEWRULE, NLM_F_CREATE,
				 &(struct rule){f, .prio = 1100, .table = OTHER_TABLE,
					 .from = far_host(f), .from_len = f == AF_INET ? 33 : 129}),
			-EINVAL);
		CHECK_EQ(change(RTM_NEWRULE, NLM_F_CREATE,
				 &(struct rule){
					 f, .prio = 1100, .table = OTHER_TABLE, .from_len = 8}),
			-EINVAL);
		CHECK(!dumped(f, 1100, &m));
	}
}

TEST(only_who_may_configure_the_network_changes_rules)
{
	pid_t pid;

	begin();
	pid = FORK();
	if (!pid) {
		int fd;

		OK(setreuid(1000, 1000));
		fd = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
		CHECK_EQ(change_on(fd, RTM_NEWRULE, NLM_F_CREATE,
				 &(struct rule){AF_INET, .prio = 1000, .table = OTHER_TABLE}),
			-EPERM);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(changes_of_rules_are_told)
{
	static const struct {
		int family, group;
	} t[] = {{AF_INET, RTNLGRP_IPV4_RULE}, {AF_INET6, RTNLGRP_IPV6_RULE}};

	begin();
	for (int i = 0; i < 2; i++) {
		struct rule r = {t[i].family, .prio = 1000, .table = OTHER_TABLE, .mark = 5};
		int fd = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
		struct msg m;

		OK(bind(fd, (void *)&(struct sockaddr_nl){.nl_family = AF_NETLINK},
			sizeof(struct sockaddr_nl)));
		OK(setsockopt(fd, 270, NETLINK_ADD_MEMBERSHIP, &t[i].group, sizeof(int)));
		add(&r);
		OK(recv(fd, &m, sizeof(m), 0));
		CHECK_EQ(m.h.nlmsg_type, RTM_NEWRULE);
		CHECK_EQ(attr_u32(&m, FRA_PRIORITY), 1000);
		CHECK_EQ(del(&r), 0);
		OK(recv(fd, &m, sizeof(m), 0));
		CHECK_EQ(m.h.nlmsg_type, RTM_DELRULE);
		CHECK_EQ(attr_u32(&m, FRA_FWMARK), 5);
		CHECK_ERR(recv(fd, &m, sizeof(m), MSG_DONTWAIT), EAGAIN);
		close(fd);
	}
}
