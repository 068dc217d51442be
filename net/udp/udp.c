/* UDP and UDP-Lite sockets: life, names, options. udp(7), udplite(7), RFC 768, 3828, 8085. */
#include "udp.h"
#include <asm/ioctls.h>
#include <core/init.h>
#include <lib/seq_buf.h>
#include <udp/udp.h>

int g_udp_slot;
u32 g_udp_gro_users;

static SLAB_CACHE(g_udp_cache, struct udp_sock);

/* ---- ports and tables ---------------------------------------------------------------------------
 */

static int get_port(struct inet_sock *s, u16 port)
{
	struct udp_tables *un = udp_tables_of(s);
	int err = port_bind(un->ports, s, port, NULL);

	if (err)
		return err;
	err = inet_table_bind(un->table, s);
	if (err) {
		port_release(s);
		s->lport = 0;
	}
	return err;
}

/* The local address or the device has changed. A connected socket is found by its peer alone. */
static void rehash(struct inet_sock *s)
{
	struct udp_tables *un = udp_tables_of(s);

	if (!s->lport)
		return;
	inet_table_unbind(un->table, s);
	if (s->port && port_move(s))
		s->lport = s->lport; /* no memory: it still holds the port it had */
	if (s->rport) {
		inet_table_disconnect(un->table, s);
		inet_table_connect(un->table, s);
	} else if (inet_table_bind(un->table, s)) {
		sock_set_error(&s->sk, ENOMEM);
	}
}

static const struct inet_ops g_inet_ops = {.get_port = get_port, .rehash = rehash};

/* ---- connecting ---------------------------------------------------------------------------------
 */

static void disconnect(struct inet_sock *s)
{
	struct udp_tables *un = udp_tables_of(s);
	bool was = s->rport != 0;

	inet_table_disconnect(un->table, s);
	s->rport = 0;
	inet_forget_peer(s);
	s->sk.state = 0;
	if (!inet_flag(s, INF_BOUND_PORT)) {
		inet_table_unbind(un->table, s);
		port_release(s);
		s->lport = 0;
	} else if (was && hlist_unhashed(&s->by_port.link) && inet_table_bind(un->table, s)) {
		sock_set_error(&s->sk, ENOMEM);
	}
}

static int connect_locked(struct inet_sock *s, const struct inet_name *n)
{
	struct udp_tables *un = udp_tables_of(s);
	struct inet_addr local = s->local, source = s->source;
	int err = inet_autobind(s);

	if (err)
		return err;
	if (s->rport) { /* another peer: by the route to it, not by the old one */
		inet_table_disconnect(un->table, s);
		s->rport = 0;
		if (!inet_flag(s, INF_BOUND_ADDR))
			s->local = s->source = addr_any(s->sk.family);
	}
	err = inet_set_peer(s, n);
	if (err) {
		s->local = local;
		s->source = source;
		if (hlist_unhashed(&s->by_port.link) && inet_table_bind(un->table, s))
			sock_set_error(&s->sk, ENOMEM);
		return err;
	}
	inet_table_disconnect(un->table, s); /* rehash may have put it in already */
	inet_table_unbind(un->table, s);
	inet_table_connect(un->table, s);
	s->sk.state = 1;
	return 0;
}

static int udp_connect(struct sock *sk, struct __kernel_sockaddr_storage *a, u32 len, u32 o_flags)
{
	struct inet_sock *s = inet_sk(sk);
	struct inet_name n;
	int err = 0;

	if (len < sizeof(a->ss_family))
		return -EINVAL;
	if (a->ss_family == AF_UNSPEC) {
		spin_lock(&sk->lock);
		disconnect(s);
		spin_unlock(&sk->lock);
		return 0;
	}
	if (sk->family == AF_INET && len >= sizeof(struct sockaddr_in) && a->ss_family != AF_INET)
		return -EAFNOSUPPORT;
	if (sk->family == AF_INET6 && a->ss_family != AF_INET6 && a->ss_family != AF_INET)
		return -EAFNOSUPPORT;
	err = inet_name_in(s, a, len, true, &n);
	if (err)
		return err == -ENETUNREACH && a->ss_family == AF_INET ? -EAFNOSUPPORT : err;
	rcu_read_lock();
	spin_lock(&sk->lock);
	err = connect_locked(s, &n);
	spin_unlock(&sk->lock);
	rcu_read_unlock();
	return err;
}

static int udp_shutdown(struct sock *sk, int how)
{
	int err;

	spin_lock(&sk->lock);
	err = inet_sk(sk)->rport ? 0 : -ENOTCONN; /* and yet it is done: as Linux */
	WRITE_ONCE(sk->shutdown, sk->shutdown | (u8)(how + 1));
	spin_unlock(&sk->lock);
	sock_wake_all(sk, EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLHUP | EPOLLOUT);
	return err;
}

/* ---- options ------------------------------------------------------------------------------------
 */

/* Less than the header can't be covered: udplite(7). */
static int set_coverage(struct udp_sock *u, int name, int v)
{
	u16 cov = v ? (u16)clamp(v, UDPLITE_COV_MIN, UDPLITE_COV_MAX) : 0;

	if (!udp_is_lite(u))
		return -ENOPROTOOPT;
	spin_lock(&u->inet.sk.lock);
	if (name == UDPLITE_SEND_CSCOV) {
		u->send_cov = cov;
		u->send_cov_set = true;
	} else {
		u->recv_cov = cov;
		u->recv_cov_set = true;
	}
	spin_unlock(&u->inet.sk.lock);
	return 0;
}

static int set_udp(struct udp_sock *u, int name, const void __user *val, u32 len)
{
	int v, err = sockopt_int(val, len, &v);

	if (err)
		return err;
	switch (name) {
	case UDP_CORK:
		mutex_lock(&u->call_lock);
		u->corking = v != 0;
		err = v ? 0 : udp_push(u);
		mutex_unlock(&u->call_lock);
		return err;
	case UDP_SEGMENT:
		if (v < 0 || v > 65535)
			return -EINVAL;
		WRITE_ONCE(u->gso_size, (u16)v);
		return 0;
	case UDP_GRO:
		spin_lock(&u->inet.sk.lock);
		if ((v != 0) != u->gro)
			__atomic_fetch_add(&g_udp_gro_users, v ? 1 : -1u, __ATOMIC_RELAXED);
		u->gro = v != 0;
		spin_unlock(&u->inet.sk.lock);
		return 0;
	case UDP_NO_CHECK6_TX:
		u->no_check6_tx = v != 0;
		return 0;
	case UDP_NO_CHECK6_RX:
		u->no_check6_rx = v != 0;
		return 0;
	case UDPLITE_SEND_CSCOV:
	case UDPLITE_RECV_CSCOV:
		return set_coverage(u, name, v);
	default:
		return -ENOPROTOOPT;
	}
}

static int udp_setsockopt(struct sock *sk, int level, int name, const void __user *val, u32 len)
{
	if (level == SOL_UDP || level == SOL_UDPLITE)
		return set_udp(udp_sk(sk), name, val, len);
	return inet_setsockopt(sk, level, name, val, len);
}

static int udp_getsockopt(struct sock *sk, int level, int name, void __user *val, u32 *len)
{
	struct udp_sock *u = udp_sk(sk);
	int v;

	if (level != SOL_UDP && level != SOL_UDPLITE)
		return inet_getsockopt(sk, level, name, val, len);
	switch (name) {
	case UDP_CORK:
		v = u->corking;
		break;
	case UDP_SEGMENT:
		v = u->gso_size;
		break;
	case UDP_GRO:
		v = u->gro;
		break;
	case UDP_NO_CHECK6_TX:
		v = u->no_check6_tx;
		break;
	case UDP_NO_CHECK6_RX:
		v = u->no_check6_rx;
		break;
	case UDPLITE_SEND_CSCOV:
		v = u->send_cov;
		break;
	case UDPLITE_RECV_CSCOV:
		v = u->recv_cov;
		break;
	default:
		return -ENOPROTOOPT;
	}
	return sockopt_put_int(val, len, v);
}

static void option_changed(struct sock *sk, int name)
{
	struct inet_sock *s = inet_sk(sk);

	if (name != SO_REUSEADDR && name != SO_REUSEPORT && name != SO_BINDTOIFINDEX &&
		name != SO_MARK)
		return;
	spin_lock(&sk->lock);
	port_options(s);
	inet_sock_path_reset(s);
	if (name == SO_BINDTOIFINDEX)
		rehash(s);
	spin_unlock(&sk->lock);
}

static long udp_ioctl(struct sock *sk, u32 cmd, unsigned long arg)
{
	struct udp_sock *u = udp_sk(sk);
	struct packet *p;
	int v;

	switch (cmd) {
	case TIOCOUTQ:
		v = READ_ONCE(u->wmem);
		return put_user(v, (int __user *)arg);
	case FIONREAD:
		spin_lock(&sk->lock);
		p = packet_queue_first(&u->rx);
		v = p ? (int)p->len : 0;
		spin_unlock(&sk->lock);
		return put_user(v, (int __user *)arg);
	default:
		return inet_ioctl(sk, cmd, arg);
	}
}

static u32 udp_poll(struct sock *sk)
{
	struct udp_sock *u = udp_sk(sk);
	u8 down = READ_ONCE(sk->shutdown);
	u32 mask = 0;

	if (READ_ONCE(sk->err) || READ_ONCE(u->inet.errors.count))
		mask |= EPOLLERR | (sock_opt(sk, SKO_SELECT_ERR) ? EPOLLPRI : 0);
	if (down & SHUTDOWN_RCV)
		mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (down == (SHUTDOWN_RCV | SHUTDOWN_SND))
		mask |= EPOLLHUP;
	if (READ_ONCE(u->rx.count))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (udp_writable(u) > 0)
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return mask;
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static void udp_close(struct sock *sk)
{
	struct udp_sock *u = udp_sk(sk);
	struct udp_tables *un = udp_tables_of(inet_sk(sk));
	struct packet_queue q;
	struct packet *p;

	inet_sock_close(&u->inet);
	mutex_lock(&u->call_lock);
	udp_cork_drop(u);
	mutex_unlock(&u->call_lock);
	packet_queue_init(&q);
	spin_lock(&sk->lock);
	inet_table_disconnect(un->table, &u->inet);
	inet_table_unbind(un->table, &u->inet);
	port_release(&u->inet);
	if (u->gro)
		__atomic_fetch_add(&g_udp_gro_users, -1u, __ATOMIC_RELAXED);
	while ((p = packet_queue_take(&u->rx)))
		packet_queue_add(&q, p);
	inet_mem_add(INET_MEM_UDP, -(s64)u->rx_truesize);
	u->rx_truesize = 0;
	spin_unlock(&sk->lock);
	packet_queue_purge(&q);
}

static void udp_free(struct rcu_head *head)
{
	struct udp_sock *u = container_of(head, struct udp_sock, inet.sk.rcu);

	packet_queue_purge(&u->rx); /* what came after close */
	inet_mem_add(INET_MEM_UDP, -(s64)u->rx_truesize);
	inet_sock_destroy(&u->inet);
	slab_free(&g_udp_cache, u);
}

static void udp_destroy(struct sock *sk)
{
	rcu_call(&sk->rcu, udp_free);
}

static const struct sock_ops g_udp_ops = {
	.bind = inet_bind,
	.connect = udp_connect,
	.getname = inet_getname,
	.sendmsg = udp_sendmsg,
	.recvmsg = udp_recvmsg,
	.shutdown = udp_shutdown,
	.poll = udp_poll,
	.ioctl = udp_ioctl,
	.setsockopt = udp_setsockopt,
	.getsockopt = udp_getsockopt,
	.option_changed = option_changed,
	.close = udp_close,
	.destroy = udp_destroy,
};

static struct sock *udp_create(int family, int type, int protocol)
{
	struct udp_sock *u = slab_alloc(&g_udp_cache, GFP_KERNEL | GFP_ZERO);

	if (!u)
		return err_ptr(-ENOBUFS);
	inet_sock_init(&u->inet, &g_udp_ops, &g_inet_ops, family, type, protocol);
	packet_queue_init(&u->rx);
	mutex_init(&u->call_lock, RANK_SOCKET_CALL);
	return &u->inet.sk;
}

/* ---- /proc/net ----------------------------------------------------------------------------------
 */

struct show {
	struct seq_buf *s;
	int family;
	u32 connected, pos; /* where we are: which table; bucket */
	u32 shown;          /* the bucket whose first socket was shown last */
};

/* Pieces end between buckets. A place: table, bucket (low half). */
static bool piece_ends(struct show *sh)
{
	if (sh->pos == sh->shown)
		return false;
	sh->shown = sh->pos;
	return seq_pause(sh->s, (u64)sh->connected << 32 | sh->pos);
}

static void put_addr(struct seq_buf *s, int family, const struct inet_addr *a, u16 port)
{
	if (family == AF_INET)
		seq_printf(s, " %08X:%04X", a->w[3], ntohs(port));
	else
		seq_printf(s, " %08X%08X%08X%08X:%04X", a->w[0], a->w[1], a->w[2], a->w[3],
			ntohs(port));
}

static bool show_one(struct inet_sock *s, void *arg)
{
	struct show *sh = arg;
	struct udp_sock *u = udp_sk(&s->sk);
	struct inet_addr local = s->local;

	if (s->sk.family != sh->family)
		return true;
	if (piece_ends(sh))
		return false;
	seq_printf(sh->s, "%5u:", ntohs(s->lport) & 0xffffu);
	put_addr(sh->s, sh->family, &local, s->lport);
	put_addr(sh->s, sh->family, &s->remote, s->rport);
	seq_printf(sh->s, " %02X %08X:%08X 00:00000000 00000000 %5u        0 %llu %d %p %u",
		s->rport ? 1 : 7, READ_ONCE(u->wmem), u->rx_truesize, s->sk.uid, s->sk.ino,
		(int)ref_read(&s->sk.refs), NULL, u->drops);
	seq_puts(sh->s, sh->family == AF_INET ? "            \n" : "\n");
	return true;
}

static void show_all(struct net *net, struct seq_buf *s, u16 protocol, bool v6)
{
	struct show sh = {.s = s,
		.family = v6 ? AF_INET6 : AF_INET,
		.connected = (u32)(s->at >> 32),
		.pos = (u32)s->at};
	bool all = true;

	if (!s->at)
		seq_puts(s,
			v6 ? "  sl  local_address                         remote_address                        "
			     "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
			   : "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
			     "uid  timeout inode ref pointer drops             \n");
	for (; sh.connected < 2 && all; sh.connected++, sh.pos = 0) {
		sh.shown = U32_MAX;
		rcu_read_lock();
		all = inet_table_each(
			udp_tables(net, protocol)->table, sh.connected, &sh.pos, show_one, &sh);
		rcu_read_unlock();
	}
}

void udp_show(struct net *net, struct seq_buf *s, bool v6)
{
	show_all(net, s, IPPROTO_UDP, v6);
}

void udplite_show(struct net *net, struct seq_buf *s, bool v6)
{
	show_all(net, s, IPPROTO_UDPLITE, v6);
}

void udp_show_sockstat(struct net *net, struct seq_buf *s, bool v6)
{
	int family = v6 ? AF_INET6 : AF_INET;
	u32 n, lite;

	rcu_read_lock();
	n = inet_table_count(udp_tables(net, IPPROTO_UDP)->table, family);
	lite = inet_table_count(udp_tables(net, IPPROTO_UDPLITE)->table, family);
	rcu_read_unlock();
	if (v6)
		seq_printf(s, "UDP6: inuse %u\nUDPLITE6: inuse %u\n", n, lite);
	else
		seq_printf(s, "UDP: inuse %u mem %llu\nUDPLITE: inuse %u\n", n,
			inet_mem_pages(INET_MEM_UDP), lite);
}

/* ---- start-up -----------------------------------------------------------------------------------
 */

static bool tables_come(struct udp_tables *t, struct net *net)
{
	t->ports = port_table_new(net, false);
	t->table = inet_table_new(net);
	return t->ports && t->table;
}

static void tables_go(struct udp_tables *t)
{
	port_table_free(t->ports);
	inet_table_free(t->table);
}

static int net_come(struct net *net, int slot)
{
	struct udp_net *un = kzalloc(sizeof(*un), GFP_KERNEL);

	g_udp_slot = slot;
	if (!un)
		return -ENOMEM;
	net->slots[slot] = un;
	return tables_come(&un->udp, net) && tables_come(&un->lite, net) ? 0 : -ENOMEM;
}
static void net_go(struct net *net, int slot)
{
	struct udp_net *un = net->slots[slot];

	tables_go(&un->udp);
	tables_go(&un->lite);
	kfree(un);
}
static const struct net_module g_module = {"udp", net_come, net_go};

static int udp_init(void)
{
	static const struct inet_protocol proto = {IPPROTO_UDP, udp_input, udp_error, udp_gro};
	static struct inet_kind kind = {.type = SOCK_DGRAM,
		.protocol = IPPROTO_UDP,
		.v4 = true,
		.v6 = true,
		.create = udp_create};
	static const struct inet_protocol lite = {
		IPPROTO_UDPLITE, udplite_input, udplite_error, NULL};
	static struct inet_kind lite_kind = {.type = SOCK_DGRAM,
		.protocol = IPPROTO_UDPLITE,
		.v4 = true,
		.v6 = true,
		.create = udp_create};

	net_module_register(&g_module);
	inet_protocol_register(&proto);
	inet_kind_register(&kind);
	inet_protocol_register(&lite);
	inet_kind_register(&lite_kind);
	return 0;
}
INIT_HOOK(INIT_FS, udp_init);
