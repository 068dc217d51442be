/* What sock_diag shows of UDP: `ss -u`. sock_diag(7), linux/inet_diag.h. */
#include "udp.h"
#include <core/init.h>
#include <inet/diag.h>

enum { BOUND, CONNECTED, NR_TABLES };
enum { STATE_CONNECTED = 1, STATE_CLOSED = 7 }; /* in TCP's numbers */

static bool show(struct inet_sock *s, inet_diag_fn *fn, void *arg)
{
	struct udp_sock *u = udp_sk(&s->sk);
	struct inet_diag_entry e;

	inet_diag_entry_of(s, &e);
	e.state = s->rport ? STATE_CONNECTED : STATE_CLOSED;
	e.rqueue = READ_ONCE(u->rx_truesize);
	e.wqueue = (u32)READ_ONCE(u->wmem);
	return fn(&e, arg);
}

struct call {
	inet_diag_fn *fn;
	void *arg;
};

static bool each_sock(struct inet_sock *s, void *arg)
{
	struct call *c = arg;

	return show(s, c->fn, c->arg);
}

static bool each_of(struct udp_tables *t, u32 table, u32 *pos, inet_diag_fn *fn, void *arg)
{
	struct call c = {fn, arg};

	return inet_table_each(t->table, table == CONNECTED, pos, each_sock, &c);
}

static bool find_in(struct inet_table *t, const struct inet_lookup *l, inet_diag_fn *fn, void *arg)
{
	struct inet_sock *s = inet_table_connected(t, l);

	if (!s)
		s = inet_table_bound(t, l);
	return s && show(s, fn, arg);
}

static bool each(struct net *net, u32 table, u32 *pos, inet_diag_fn *fn, void *arg)
{
	return each_of(udp_tables(net, IPPROTO_UDP), table, pos, fn, arg);
}
static bool each_lite(struct net *net, u32 table, u32 *pos, inet_diag_fn *fn, void *arg)
{
	return each_of(udp_tables(net, IPPROTO_UDPLITE), table, pos, fn, arg);
}

static bool find(struct net *net, const struct inet_lookup *l, inet_diag_fn *fn, void *arg)
{
	return find_in(udp_tables(net, IPPROTO_UDP)->table, l, fn, arg);
}
static bool find_lite(struct net *net, const struct inet_lookup *l, inet_diag_fn *fn, void *arg)
{
	return find_in(udp_tables(net, IPPROTO_UDPLITE)->table, l, fn, arg);
}

static void memory(const struct inet_sock *s, u32 *rmem, u32 *wmem, u32 *drops)
{
	const struct udp_sock *u = container_of(s, struct udp_sock, inet);

	*rmem = READ_ONCE(u->rx_truesize);
	*wmem = (u32)READ_ONCE(u->wmem);
	*drops = READ_ONCE(u->drops);
}

static int udp_diag_init(void)
{
	static const struct inet_diag_proto proto = {
		IPPROTO_UDP, NR_TABLES, each, find, NULL, memory};
	static const struct inet_diag_proto lite = {
		IPPROTO_UDPLITE, NR_TABLES, each_lite, find_lite, NULL, memory};

	inet_diag_register(&proto);
	inet_diag_register(&lite);
	return 0;
}
INIT_HOOK(INIT_CORE, udp_diag_init);
