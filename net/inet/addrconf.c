/*
 * IPv6 configures itself: link-local addresses, duplicate address detection, router solicitation,
 * addresses and routes by router advertisements, lifetimes. RFC 4861 (6.3), 4862, 7527.
 *
 * A timer wakes a work item, which takes the config lock and does all that is due. Advertisements
 * come in the packet context and wait in a short queue for a work item of the namespace.
 */
#include "inet.h"
#include <core/trace.h>
#include <linux/icmpv6.h>
#include <linux/if_addr.h>

#define RA_QUEUE       16 /* advertisements not yet looked at */
#define RETRANS_NS(d)  ((d)->neigh[1].retrans_ms * NS_PER_MS)
#define TWO_HOURS_S    7200
#define RS_MAX_WAIT_NS (3600 * NS_PER_SEC)
#define RA_METRIC      1024
#define ND_INFINITE    U32_MAX

static bool is_ethernet(const struct netif *n)
{
	return n->type == ARPHRD_ETHER && n->addr_len == 6;
}

static bool may_dad(const struct ifaddr *ia)
{
	const struct inet_dev *d = ia->dev;

	return !(ia->flags & IFA_F_NODAD) && !(d->dev->flags & (IFF_NOARP | IFF_LOOPBACK)) &&
		d->conf.dad_transmits > 0 &&
		max(d->conf.accept_dad, d->in->conf_all.accept_dad) > 0;
}

static bool solicits(const struct inet_dev *d)
{
	return is_ethernet(d->dev) && d->conf.router_solicitations != 0 &&
		(d->conf.accept_ra == 2 || (d->conf.accept_ra && !d->conf.forwarding6));
}

/* ---- the timer ----------------------------------------------------------------------------------
 */

static void timer_fired(struct timer *t)
{
	struct inet_dev *d = container_of(t, struct inet_dev, addr_timer);

	get_inet_dev(d); /* the work's */
	if (!work_queue(&d->addr_work))
		put_inet_dev(d);
}

void addrconf_arm(struct inet_dev *d)
{
	s64 next = d->rs_next_ns;
	struct ifaddr *ia;

	if (d->dead)
		return;
	for (int f = 0; f < 2; f++)
		list_for_each_entry(ia, &d->addrs[f], link) {
			if (ia->flags & IFA_F_TENTATIVE && !(ia->flags & IFA_F_DADFAILED))
				next = min(next, ia->dad_next_ns);
			next = min(next, ia->valid_ns);
			if (!(ia->flags & IFA_F_DEPRECATED))
				next = min(next, ia->preferred_ns);
		}
	if (next == TIME_NEVER)
		timer_cancel(&d->addr_timer);
	else
		timer_arm(&d->addr_timer, next);
}

static void dad_done(struct ifaddr *ia)
{
	struct inet_dev *d = ia->dev;

	WRITE_ONCE(ia->flags, ia->flags & ~(u32)(IFA_F_TENTATIVE | IFA_F_OPTIMISTIC));
	if (addr_is_v6_link_local(&ia->addr) && solicits(d) && d->rs_next_ns == TIME_NEVER) {
		d->rs_sent = 0;
		d->rs_wait_ns = d->conf.router_solicitation_interval_s * NS_PER_SEC;
		d->rs_next_ns = clock_mono_ns();
	}
	mc_dev_announce(d);
	ifaddr_changed(ia);
}

static void dad_step(struct ifaddr *ia)
{
	struct inet_addr group = addr_solicited(&ia->addr), none = addr_any(AF_INET6);

	if (!ia->dad_left) {
		dad_done(ia);
		return;
	}
	if (!READ_ONCE(ia->dev->dev->carrier)) {
		ia->dad_next_ns = TIME_NEVER; /* until there is one: addrconf_up */
		return;
	}
	ia->dad_left--;
	ia->dad_next_ns = deadline_after(RETRANS_NS(ia->dev));
	ndp_send_ns(ia->dev, &ia->addr, &none, &group, NULL, ia->dad_nonce);
}

static void rs_step(struct inet_dev *d)
{
	if (!solicits(d) || !READ_ONCE(d->dev->carrier) ||
		(d->conf.router_solicitations >= 0 && d->rs_sent >= d->conf.router_solicitations)) {
		d->rs_next_ns = TIME_NEVER;
		return;
	}
	d->rs_sent++;
	ndp_send_rs(d);
	/* RFC 7559: twice as long each time, within 10% at random. */
	d->rs_next_ns = deadline_after(d->rs_wait_ns +
		(s64)(random_u64() % (u64)(d->rs_wait_ns / 5 + 1)) - d->rs_wait_ns / 10);
	d->rs_wait_ns = min(d->rs_wait_ns * 2, (s64)RS_MAX_WAIT_NS);
}

static void do_addresses(struct inet_dev *d, s64 now)
{
	struct list_head *pos;
	struct ifaddr *ia;

	for (int f = 0; f < 2; f++)
		for (pos = d->addrs[f].next; pos != &d->addrs[f];) {
			ia = list_entry(pos, struct ifaddr, link);
			pos = pos->next;
			if (ia->valid_ns <= now) {
				ifaddr_remove(ia);
				pos = d->addrs[f].next; /* others may have gone with it */
				continue;
			}
			if (ia->preferred_ns <= now && !(ia->flags & IFA_F_DEPRECATED)) {
				WRITE_ONCE(ia->flags, ia->flags | IFA_F_DEPRECATED);
				ifaddr_changed(ia);
			}
			if (ia->flags & IFA_F_TENTATIVE && !(ia->flags & IFA_F_DADFAILED) &&
				ia->dad_next_ns <= now)
				dad_step(ia);
		}
}

static void do_work(struct work *w)
{
	struct inet_dev *d = container_of(w, struct inet_dev, addr_work);
	struct net *net = d->in->net;
	s64 now = clock_mono_ns();

	mutex_lock(&net->config_lock);
	if (!d->dead) {
		do_addresses(d, now);
		if (d->rs_next_ns <= now)
			rs_step(d);
		fib_expire(d->in, now);
		addrconf_arm(d);
	}
	mutex_unlock(&net->config_lock);
	put_inet_dev(d);
}

void addrconf_init_dev(struct inet_dev *d)
{
	timer_init(&d->addr_timer, timer_fired);
	work_init(&d->addr_work, do_work);
	d->rs_next_ns = TIME_NEVER;
}

void addrconf_stop(struct inet_dev *d)
{
	timer_cancel_sync(&d->addr_timer); /* a work that is queued sees that the device is dead */
}

/* ---- coming up ----------------------------------------------------------------------------------
 */

static void eui64(const struct netif *n, struct inet_addr *a)
{
	memcpy(a->b + 8, n->addr, 3);
	a->b[8] ^= 2;
	a->b[11] = 0xff;
	a->b[12] = 0xfe;
	memcpy(a->b + 13, n->addr + 3, 3);
}

void addrconf_start_dad(struct ifaddr *ia)
{
	u64 r = random_u64();

	if (!may_dad(ia)) {
		WRITE_ONCE(ia->flags, ia->flags & ~(u32)(IFA_F_TENTATIVE | IFA_F_OPTIMISTIC));
		return;
	}
	WRITE_ONCE(ia->flags, (ia->flags | IFA_F_TENTATIVE) & ~(u32)IFA_F_DADFAILED);
	memcpy(ia->dad_nonce, &r, sizeof(ia->dad_nonce));
	ia->dad_left = (u32)ia->dev->conf.dad_transmits;
	ia->dad_next_ns = deadline_after((s64)(random_u64() %
		(u64)(max(ia->dev->conf.router_solicitation_delay_s, 0) * NS_PER_SEC + 1)));
	addrconf_arm(ia->dev);
}

void addrconf_up(struct inet_dev *d)
{
	struct inet_addr ll = {.b = {0xfe, 0x80}};
	struct ifaddr *ia;
	bool have = false;

	if (d->dev->flags & IFF_LOOPBACK || !READ_ONCE(d->dev->carrier))
		return;
	list_for_each_entry(ia, &d->addrs[1], link) {
		have |= addr_is_v6_link_local(&ia->addr);
		if (ia->flags & IFA_F_TENTATIVE && ia->dad_next_ns == TIME_NEVER)
			addrconf_start_dad(ia);
	}
	if (have || !is_ethernet(d->dev))
		return;
	eui64(d->dev, &ll);
	ia = ifaddr_new(d, &ll, 64);
	if (!ia)
		return;
	ia->flags = IFA_F_PERMANENT;
	ia->proto = 2; /* IFAPROT_KERNEL_LL */
	if (ifaddr_add(ia))
		log_warn("inet: %s: no link-local address", d->dev->name);
}

void addrconf_down(struct inet_dev *d)
{
	d->rs_next_ns = TIME_NEVER;
	timer_cancel(&d->addr_timer);
}

void addrconf_dad_failed(struct ifaddr *ia)
{
	char text[ADDR_TEXT];

	log_warn("inet: %s: address %s is used by another machine", ia->dev->dev->name,
		addr_text(&ia->addr, text));
	if (ia->flags & IFA_F_PERMANENT) {
		WRITE_ONCE(ia->flags, ia->flags | IFA_F_DADFAILED);
		ifaddr_changed(ia);
	} else {
		ifaddr_remove(ia);
	}
}

/* ---- router advertisements ----------------------------------------------------------------------
 */

/* The last byte of cb tells a claimed address (1) from an advertisement (0). */
static u8 *is_conflict(struct packet *p)
{
	return &p->cb[sizeof(p->cb) - 1];
}

static void queue_ra(struct inet_net *in, struct packet *p)
{
	spin_lock(&in->ra_lock);
	if (in->ra.count >= RA_QUEUE) {
		spin_unlock(&in->ra_lock);
		packet_free(p);
		return;
	}
	packet_queue_add(&in->ra, p);
	spin_unlock(&in->ra_lock);
	work_queue(&in->ra_work);
}

void addrconf_ra(struct packet *p)
{
	struct inet_net *in = inet_net(p->dev->net);

	*is_conflict(p) = 0;
	queue_ra(in, p);
}

/* The claimed address travels as an empty packet through the same queue. */
void addrconf_conflict(struct inet_net *in, const struct inet_addr *a, int ifindex)
{
	struct packet *p = packet_alloc(0, GFP_ATOMIC);

	if (!p)
		return;
	p->ifindex = (u32)ifindex;
	ip_rx(p)->dst = *a;
	*is_conflict(p) = 1;
	queue_ra(in, p);
}

static s64 lifetime_end(u32 seconds)
{
	return seconds == ND_INFINITE ? TIME_NEVER : deadline_after(seconds * NS_PER_SEC);
}

static void default_router(struct inet_dev *d, const struct inet_addr *router, u32 lifetime_s)
{
	struct fib_spec *s = kmalloc(sizeof(*s), GFP_KERNEL);
	int err;

	if (!s)
		return;
	fib_spec_init(s, AF_INET6);
	s->proto = RTPROT_RA;
	s->priority = RA_METRIC;
	s->has_priority = true;
	s->nr_hops = 1;
	s->hops[0].ifindex = d->dev->ifindex;
	s->hops[0].gateway = *router;
	s->scope = RT_SCOPE_NOWHERE;
	err = fib_delete(d->in, s); /* the old one, with its old end */
	if (lifetime_s) {
		s->scope = RT_SCOPE_UNIVERSE;
		s->expires_ns = deadline_after(lifetime_s * NS_PER_SEC);
		err = fib_add(d->in, s, NLM_F_CREATE);
	}
	if (err && err != -ESRCH)
		log_warn("inet: %s: no default route by advertisement: %d", d->dev->name, err);
	kfree(s);
}

static void onlink_prefix(struct inet_dev *d, const struct inet_addr *prefix, u8 len, u32 valid_s)
{
	struct fib_spec *s = kmalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return;
	fib_spec_init(s, AF_INET6);
	s->dst = *prefix;
	s->len = len;
	s->proto = RTPROT_KERNEL;
	s->priority = 256;
	s->has_priority = true;
	s->nr_hops = 1;
	s->hops[0].ifindex = d->dev->ifindex;
	s->hops[0].gateway = addr_any(AF_INET6);
	s->scope = RT_SCOPE_NOWHERE;
	if (fib_delete(d->in, s) == 0 || valid_s) {
		s->scope = RT_SCOPE_UNIVERSE;
		s->expires_ns = lifetime_end(valid_s);
		if (valid_s && fib_add(d->in, s, NLM_F_CREATE))
			log_warn("inet: %s: no prefix route by advertisement", d->dev->name);
	}
	kfree(s);
}

static void auto_address(
	struct inet_dev *d, const struct inet_addr *prefix, u32 valid_s, u32 pref_s)
{
	struct inet_addr a = *prefix;
	struct ifaddr *ia;
	u32 nr = 0;
	s64 now = clock_mono_ns();

	eui64(d->dev, &a);
	ia = ifaddr_find(d->in, &a, d->dev->ifindex);
	if (!ia) {
		list_for_each_entry(ia, &d->addrs[1], link)
			nr++;
		if (!valid_s || (d->conf.max_addresses && nr >= (u32)d->conf.max_addresses))
			return;
		ia = ifaddr_new(d, &a, 64);
		if (!ia)
			return;
		ia->flags = IFA_F_NOPREFIXROUTE; /* the advertisement brings the route itself */
		ia->proto = 3;                   /* IFAPROT_KERNEL_RA */
		ia->valid_ns = lifetime_end(valid_s);
		ia->preferred_ns = lifetime_end(pref_s);
		if (ifaddr_add(ia))
			log_warn("inet: %s: no address by advertisement", d->dev->name);
		return;
	}
	if (ia->flags & IFA_F_PERMANENT)
		return;
	/* RFC 4862 5.5.3 e: an unauthenticated advertisement can't shorten it below two hours. */
	if (ia->valid_ns != TIME_NEVER && valid_s <= TWO_HOURS_S &&
		lifetime_end(valid_s) <= ia->valid_ns) {
		if (ia->valid_ns - now > TWO_HOURS_S * NS_PER_SEC)
			ia->valid_ns = now + TWO_HOURS_S * NS_PER_SEC;
	} else {
		ia->valid_ns = lifetime_end(valid_s);
	}
	ia->preferred_ns = lifetime_end(pref_s);
	ia->updated_ns = now;
	if (ia->preferred_ns > now)
		WRITE_ONCE(ia->flags, ia->flags & ~(u32)IFA_F_DEPRECATED);
	ifaddr_changed(ia);
}

static void prefix_option(struct inet_dev *d, const u8 *o)
{
	struct inet_addr prefix = addr_v6(o + 16);
	u32 valid = get_be32(o + 4), pref = get_be32(o + 8);
	u8 len = o[2], flags = o[3];

	if (len > 128 || pref > valid || addr_is_v6_link_local(&prefix) ||
		addr_is_multicast(&prefix) || !d->conf.accept_ra_pinfo)
		return;
	prefix = addr_mask(&prefix, len);
	if (flags & 0x80)
		onlink_prefix(d, &prefix, len, valid);
	if (flags & 0x40 && d->conf.autoconf && len == 64 && is_ethernet(d->dev))
		auto_address(d, &prefix, valid, pref);
}

static void router_link_addr(struct inet_dev *d, const struct inet_addr *router, const u8 *hw)
{
	struct neigh *n;

	rcu_read_lock();
	n = neigh_lookup(d->in, d->dev, router, true);
	if (n)
		neigh_update(n, hw, NUD_STALE, NEIGH_OVERRIDE | NEIGH_ROUTER | NEIGH_ISROUTER_SET);
	rcu_read_unlock();
}

/* RFC 4861 4.2 and 6.3.4. m: the ICMPv6 message, all of it. */
static void take_ra(struct inet_dev *d, const struct inet_addr *router, const u8 *m, u32 len)
{
	u32 reachable = get_be32(m + 8), retrans = get_be32(m + 12);

	if (m[4])
		WRITE_ONCE(d->conf.hop_limit, m[4]);
	if (reachable && reachable < 3600000)
		WRITE_ONCE(d->neigh[1].base_reachable_ms, (s32)reachable);
	if (retrans >= 100 && retrans < 3600000)
		WRITE_ONCE(d->neigh[1].retrans_ms, (s32)retrans);
	d->rs_next_ns = TIME_NEVER;
	if (d->conf.accept_ra_defrtr)
		default_router(d, router, get_be16(m + 6));
	for (u32 at = 16; at + 8 <= len;) {
		const u8 *o = m + at;
		u32 n = o[1] * 8u;

		if (!n || n > len - at)
			return;
		if (o[0] == 1 && n >= 8 && is_ethernet(d->dev))
			router_link_addr(d, router, o + 2);
		else if (o[0] == 3 && n == 32)
			prefix_option(d, o);
		else if (o[0] == 5 && n == 8 && d->conf.accept_ra_mtu) {
			u32 mtu = get_be32(o + 4);

			if (mtu >= 1280 && mtu <= d->dev->mtu) {
				WRITE_ONCE(d->conf.mtu6, (s32)mtu);
				route_gen_bump(d->in->net);
			}
		}
		at += n;
	}
}

static void take_one(struct inet_net *in, struct packet *p)
{
	struct netif *n = netif_by_index(in->net, (int)p->ifindex);
	struct inet_dev *d = n ? inet_dev(n) : NULL;
	u8 *copy;

	if (!d || d->dead || !netif_running(n))
		return;
	if (*is_conflict(p)) {
		struct ifaddr *ia = ifaddr_find(in, &ip_rx(p)->dst, n->ifindex);

		if (ia && ia->flags & IFA_F_TENTATIVE)
			addrconf_dad_failed(ia);
		return;
	}
	if (!d->conf.accept_ra || (d->conf.forwarding6 && d->conf.accept_ra != 2) || p->len < 16)
		return;
	copy = kmalloc(p->len, GFP_KERNEL);
	if (!copy)
		return;
	packet_copy_out(p, 0, copy, p->len);
	take_ra(d, &ip_rx(p)->src, copy, p->len);
	addrconf_arm(d);
	kfree(copy);
}

static void ra_work(struct work *w)
{
	struct inet_net *in = container_of(w, struct inet_net, ra_work);
	struct packet *p;

	for (;;) {
		spin_lock(&in->ra_lock);
		p = packet_queue_take(&in->ra);
		spin_unlock(&in->ra_lock);
		if (!p)
			return;
		mutex_lock(&in->net->config_lock);
		take_one(in, p);
		mutex_unlock(&in->net->config_lock);
		packet_free(p);
	}
}

void addrconf_init_net(struct inet_net *in)
{
	spin_init(&in->ra_lock, RANK_SOCKET_LEAF);
	packet_queue_init(&in->ra);
	work_init(&in->ra_work, ra_work);
}
