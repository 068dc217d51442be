/* Memberships: what the interface has to let in for a packet socket. call_lock held. */
#include "pkt.h"
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>

/* Config lock. */
static int apply(struct netif *n, const struct pkt_member *m, bool on)
{
	int change = on ? 1 : -1;

	switch (m->type) {
	case PACKET_MR_PROMISC:
		netif_set_promiscuity(n, change);
		return 0;
	case PACKET_MR_ALLMULTI:
		netif_set_allmulti(n, change);
		return 0;
	case PACKET_MR_MULTICAST:
	case PACKET_MR_UNICAST:
		if (m->alen != n->addr_len)
			return -EINVAL;
		if (on)
			return netif_filter_add(n, m->addr, m->type == PACKET_MR_MULTICAST);
		netif_filter_remove(n, m->addr, m->type == PACKET_MR_MULTICAST);
		return 0;
	default:
		return 0; /* as on Linux: an unknown type is a membership in nothing */
	}
}

static struct pkt_member *find(struct pkt_sock *s, const struct packet_mreq *r)
{
	struct pkt_member *m;

	list_for_each_entry(m, &s->members, link)
		if (m->ifindex == r->mr_ifindex && m->type == r->mr_type && m->alen == r->mr_alen &&
			!memcmp(m->addr, r->mr_address, m->alen))
			return m;
	return NULL;
}

int pkt_member_add(struct pkt_sock *s, const struct packet_mreq *r)
{
	struct net *net = s->sk.net;
	struct pkt_member *m;
	struct netif *n;
	int err;

	if (r->mr_alen > sizeof(r->mr_address))
		return -EINVAL;
	m = find(s, r);
	if (m) {
		m->users++;
		return 0;
	}
	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		return -ENOBUFS;
	*m = (struct pkt_member){
		.ifindex = r->mr_ifindex, .type = r->mr_type, .alen = r->mr_alen, .users = 1};
	memcpy(m->addr, r->mr_address, r->mr_alen);
	mutex_lock(&net->config_lock);
	n = netif_by_index(net, r->mr_ifindex);
	err = n ? apply(n, m, true) : -ENODEV;
	mutex_unlock(&net->config_lock);
	if (err)
		kfree(m);
	else
		list_add(&m->link, &s->members);
	return err;
}

static void forget(struct pkt_sock *s, struct pkt_member *m)
{
	struct net *net = s->sk.net;
	struct netif *n;

	mutex_lock(&net->config_lock);
	n = netif_by_index(net, m->ifindex);
	if (n)
		(void)!apply(n, m, false);
	mutex_unlock(&net->config_lock);
	list_del(&m->link);
	kfree(m);
}

int pkt_member_drop(struct pkt_sock *s, const struct packet_mreq *r)
{
	struct pkt_member *m = r->mr_alen <= sizeof(r->mr_address) ? find(s, r) : NULL;

	if (m && !--m->users) /* as on Linux, one that isn't there is no error */
		forget(s, m);
	return 0;
}

void pkt_members_forget(struct pkt_sock *s)
{
	struct pkt_member *m, *next;

	list_for_each_entry_safe(m, next, &s->members, link)
		forget(s, m);
}
