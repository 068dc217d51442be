/* AF_PACKET sockets: packet(7). */
#include "pkt.h"
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>

static SLAB_CACHE(g_pkt_cache, struct pkt_sock);
static struct mutex g_lock = MUTEX_INIT(g_lock, RANK_MUTEX_LEAF);
static LIST_HEAD(g_all); /* g_lock */

static void untap(struct pkt_sock *s)
{
	if (s->tapping) {
		net_tap_remove(&s->tap);
		if (s->tap.netif)
			put_netif(s->tap.netif);
	}
	s->tapping = false;
}

int pkt_retap(struct pkt_sock *s, int ifindex, u16 proto)
{
	struct net *net = s->sk.net;
	struct netif *n = NULL;

	untap(s);
	s->ifindex = ifindex;
	s->proto = proto;
	if (!proto)
		return 0;
	mutex_lock(&net->config_lock); /* the interface stays while the tap is put on it */
	if (ifindex) {
		n = netif_by_index(net, ifindex);
		if (!n) {
			s->ifindex = -1;
			mutex_unlock(&net->config_lock);
			return -ENODEV;
		}
	}
	s->tap = (struct net_tap){.type = proto, .netif = n, .fn = pkt_tap};
	if (n)
		get_netif(n); /* the tap stands in a list of its */
	net_tap_add(net, &s->tap);
	s->tapping = true;
	if (n && !netif_running(n)) {
		sock_set_error(&s->sk, ENETDOWN);
		sock_wake_all(&s->sk, EPOLLERR);
	}
	mutex_unlock(&net->config_lock);
	return 0;
}

static int packet_bind(struct sock *sk, struct __kernel_sockaddr_storage *addr, u32 len)
{
	const struct sockaddr_ll *ll = (const void *)addr;
	struct pkt_sock *s = pkt_of(sk);
	u16 proto;
	int err = 0;

	if (len < sizeof(*ll) || ll->sll_family != AF_PACKET)
		return -EINVAL;
	if (ll->sll_ifindex) {
		rcu_read_lock();
		if (!netif_by_index(sk->net, ll->sll_ifindex))
			err = -ENODEV;
		rcu_read_unlock();
		if (err)
			return err;
	}
	mutex_lock(&s->call_lock);
	proto = ll->sll_protocol ? __builtin_bswap16(ll->sll_protocol) : s->proto;
	err = pkt_retap(s, ll->sll_ifindex, proto);
	mutex_unlock(&s->call_lock);
	return err;
}

static int packet_getname(struct sock *sk, struct __kernel_sockaddr_storage *addr, bool peer)
{
	struct pkt_sock *s = pkt_of(sk);
	struct sockaddr_ll *ll = (void *)addr;
	struct netif *n;

	if (peer)
		return -EOPNOTSUPP;
	memset(ll, 0, sizeof(*ll));
	ll->sll_family = AF_PACKET;
	ll->sll_protocol = __builtin_bswap16(s->proto);
	ll->sll_ifindex = s->ifindex;
	rcu_read_lock();
	n = netif_by_index(sk->net, s->ifindex);
	if (n) {
		ll->sll_hatype = n->type;
		ll->sll_halen = n->addr_len;
		memcpy(ll->sll_addr, n->addr, min_t(size_t, n->addr_len, sizeof(ll->sll_addr)));
	}
	rcu_read_unlock();
	return (int)offsetof(struct sockaddr_ll, sll_addr) + ll->sll_halen;
}

static u32 packet_poll(struct sock *sk)
{
	struct pkt_sock *s = pkt_of(sk);
	u32 mask = 0;

	spin_lock(&sk->lock);
	if (s->queue.count || pkt_ring_ready(s))
		mask |= EPOLLIN | EPOLLRDNORM;
	spin_unlock(&sk->lock);
	if (READ_ONCE(sk->err))
		mask |= EPOLLERR;
	if (READ_ONCE(s->sent_bytes) * 2 < (u32)max(sk->sndbuf, 0))
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return mask;
}

static void packet_close(struct sock *sk)
{
	struct pkt_sock *s = pkt_of(sk);

	mutex_lock(&g_lock);
	list_del(&s->link);
	mutex_unlock(&g_lock);
	mutex_lock(&s->call_lock);
	untap(s);
	pkt_members_forget(s);
	pkt_ring_free(s);
	mutex_unlock(&s->call_lock);
}

static void packet_destroy(struct sock *sk)
{
	struct pkt_sock *s = pkt_of(sk);

	packet_queue_purge(&s->queue);
	sock_deinit(sk);
	slab_free(&g_pkt_cache, s);
}

static const struct sock_ops g_packet_ops = {
	.bind = packet_bind,
	.getname = packet_getname,
	.sendmsg = pkt_sendmsg,
	.recvmsg = pkt_recvmsg,
	.poll = packet_poll,
	.setsockopt = pkt_setsockopt,
	.getsockopt = pkt_getsockopt,
	.mmap = pkt_ring_mmap,
	.close = packet_close,
	.destroy = packet_destroy,
};

static struct sock *packet_create(int type, int protocol)
{
	struct pkt_sock *s;
	int err;

	if (!capable(CAP_NET_RAW))
		return err_ptr(-EPERM);
	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return err_ptr(-ESOCKTNOSUPPORT);
	s = slab_alloc(&g_pkt_cache, GFP_KERNEL | GFP_ZERO);
	if (!s)
		return err_ptr(-ENOBUFS);
	sock_init(&s->sk, &g_packet_ops, AF_PACKET, type, protocol);
	mutex_init(&s->call_lock, RANK_SOCKET_CALL);
	packet_queue_init(&s->queue);
	list_init(&s->members);
	mutex_lock(&g_lock);
	list_add_tail(&s->link, &g_all);
	mutex_unlock(&g_lock);
	mutex_lock(&s->call_lock);
	err = pkt_retap(s, 0, __builtin_bswap16((u16)protocol));
	mutex_unlock(&s->call_lock);
	if (err) { /* not with interface 0 */
		packet_close(&s->sk);
		put_sock(&s->sk);
		return err_ptr(err);
	}
	return &s->sk;
}

/* Config lock held: call_lock ranks below it, so sockets are told, and unbind when they see it. */
void pkt_each(struct net *net, void (*fn)(struct pkt_sock *s, void *arg), void *arg)
{
	struct pkt_sock *s;

	mutex_lock(&g_lock);
	list_for_each_entry(s, &g_all, link)
		if (s->sk.net == net)
			fn(s, arg);
	mutex_unlock(&g_lock);
}

static void tell(struct netif *n, enum netif_event e)
{
	struct pkt_sock *s;

	if (e != NETIF_DOWN && e != NETIF_GONE)
		return;
	mutex_lock(&g_lock);
	list_for_each_entry(s, &g_all, link) {
		if (s->sk.net != n->net || s->ifindex != n->ifindex)
			continue;
		sock_set_error(&s->sk, ENETDOWN);
		sock_wake_all(&s->sk, EPOLLERR);
		if (e == NETIF_GONE)
			WRITE_ONCE(s->ifindex, -1);
	}
	mutex_unlock(&g_lock);
}

static int packet_init(void)
{
	static const struct net_family family = {AF_PACKET, packet_create};
	static struct netif_listener listener = {.fn = tell};

	net_family_register(&family);
	netif_listen(&listener);
	return 0;
}
INIT_HOOK(INIT_CORE, packet_init);
