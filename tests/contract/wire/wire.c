/* SPDX-License-Identifier: MIT */
#include "wire.h"
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ipv6.h>
#include <linux/sockios.h>

#ifndef SOL_PACKET
#define SOL_PACKET 263
#endif

struct in6_addr in6(const char *text)
{
	struct in6_addr a;

	CHECK_EQ(inet_pton(AF_INET6, text, &a), 1);
	return a;
}

void set_var(const char *name, int value)
{
	char path[160], text[16];

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	snprintf(text, sizeof(text), "%d", value);
	write_file(path, text);
}

static void set_dev_var(const char *family, const char *dev, const char *name, int value)
{
	char text[96];

	snprintf(text, sizeof(text), "%s/conf/%s/%s", family, dev, name);
	set_var(text, value);
}

static void bring_up(const char *name)
{
	int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
	struct ifreq r;

	memset(&r, 0, sizeof(r));
	strcpy(r.ifr_name, name);
	OK(ioctl(fd, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP;
	OK(ioctl(fd, SIOCSIFFLAGS, &r));
	close(fd);
}

static void set_addresses(struct wire *w)
{
	struct sockaddr_in *in;
	struct ifreq r;
	struct {
		struct in6_addr addr;
		unsigned prefix;
		int index;
	} r6;
	char text[40];
	int fd = OK(socket(AF_INET, SOCK_DGRAM, 0)), fd6 = OK(socket(AF_INET6, SOCK_DGRAM, 0));

	memset(&r, 0, sizeof(r));
	strcpy(r.ifr_name, w->name);
	in = (void *)&r.ifr_addr;
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(OURS4(w->link));
	OK(ioctl(fd, SIOCSIFADDR, &r));
	in->sin_addr.s_addr = htonl(0xffffff00);
	OK(ioctl(fd, SIOCSIFNETMASK, &r));
	snprintf(text, sizeof(text), "fd0%d::1", w->link + 1);
	r6.addr = in6(text);
	r6.prefix = 64;
	r6.index = w->index;
	if (ioctl(fd6, SIOCSIFADDR, &r6) != 0 && errno != EEXIST)
		FAIL("SIOCSIFADDR: %s", errno_name(errno));
	close(fd6);
	close(fd);
}

static void far_end(struct wire *w, const char *name)
{
	struct packet_mreq m = {.mr_type = PACKET_MR_PROMISC};
	struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};

	set_dev_var("ipv6", name, "disable_ipv6", 1);
	bring_up(name);
	w->fd = OK(socket(AF_PACKET, SOCK_RAW, 0));
	ll.sll_ifindex = m.mr_ifindex = (int)if_nametoindex(name);
	OK(setsockopt(w->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)));
	OK(bind(w->fd, (void *)&ll, sizeof(ll)));
}

void wire_open(struct wire *w, int link)
{
	struct ifreq r;
	char far[16];
	int fd;

	memset(w, 0, sizeof(*w));
	w->link = link;
	snprintf(w->name, sizeof(w->name), "eth%d", link * 2);
	snprintf(far, sizeof(far), "eth%d", link * 2 + 1);
	w->index = (int)if_nametoindex(w->name);
	if (!w->index || !if_nametoindex(far))
		skip_test("needs eth0 to eth3, joined in pairs");
	/* No waiting for duplicates, no other addresses than ours. */
	set_dev_var("ipv6", w->name, "dad_transmits", 0);
	set_dev_var("ipv4", w->name, "rp_filter", 0);
	far_end(w, far);
	bring_up(w->name);
	set_addresses(w);
	memset(&r, 0, sizeof(r));
	strcpy(r.ifr_name, w->name);
	fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
	OK(ioctl(fd, SIOCGIFHWADDR, &r));
	close(fd);
	memcpy(w->our_mac, r.ifr_hwaddr.sa_data, 6);
	memcpy(w->peer_mac, (unsigned char[]){2, 0, 0, 0, 0x99, (unsigned char)link}, 6);
}

void wire_send(struct wire *w, const unsigned char *dst, int proto, const void *data, size_t len)
{
	unsigned char b[2048];

	CHECK(len <= sizeof(b) - 14);
	memcpy(b, dst ? dst : w->our_mac, 6);
	memcpy(b + 6, w->peer_mac, 6);
	b[12] = (unsigned char)(proto >> 8);
	b[13] = (unsigned char)proto;
	memcpy(b + 14, data, len);
	CHECK_EQ(send(w->fd, b, 14 + len, 0), 14 + len);
}

/* ---- answers to requests for addresses ---- */

static void answer_arp(struct wire *w, const struct frame *f)
{
	unsigned char a[28];

	if (f->len < 42 || f->b[21] != 1)
		return;
	/* Not probes for our own. */
	if (memcmp(f->b + 28, f->b + 38, 4) == 0)
		return;
	memcpy(a, f->b + 14, 8);
	a[7] = 2;
	memcpy(a + 8, w->peer_mac, 6);
	memcpy(a + 14, f->b + 38, 4);
	memcpy(a + 18, f->b + 22, 10);
	wire_send(w, NULL, ETH_P_ARP, a, sizeof(a));
}

static void answer_solicitation(struct wire *w, const struct frame *f)
{
	const struct ip6_hdr *h = ip6_of(f);
	unsigned char m[32], p[72];
	struct in6_addr target;

	memcpy(&target, f->b + 14 + 40 + 8, 16);
	if (IN6_IS_ADDR_UNSPECIFIED(&h->ip6_src))
		return; /* somebody looks for duplicates */
	memset(m, 0, sizeof(m));
	m[0] = ND_NEIGHBOR_ADVERT;
	m[4] = 0x60;
	memcpy(m + 8, &target, 16);
	m[24] = 2;
	m[25] = 1;
	memcpy(m + 26, w->peer_mac, 6);
	*(unsigned short *)(m + 2) = sum6(&target, &h->ip6_src, IPPROTO_ICMPV6, m, sizeof(m));
	wire_send(w, NULL, ETH_P_IPV6, p,
		ip6_packet(p, &target, &h->ip6_src, IPPROTO_ICMPV6, 255, m, sizeof(m)));
}

static bool answer(struct wire *w, const struct frame *f)
{
	if (proto_of(f) == ETH_P_ARP) {
		answer_arp(w, f);
		return true;
	}
	if (proto_of(f) == ETH_P_IPV6 && f->len >= 14 + 40 + 24 &&
		ip6_of(f)->ip6_nxt == IPPROTO_ICMPV6 && f->b[54] == ND_NEIGHBOR_SOLICIT) {
		answer_solicitation(w, f);
		return true;
	}
	return false;
}

bool wire_take(struct wire *w, struct frame *f, bool (*want)(const struct frame *f, void *arg),
	void *arg, double seconds)
{
	long long end = now_ns(CLOCK_MONOTONIC) + (long long)(seconds * 1e9), left;

	while ((left = end - now_ns(CLOCK_MONOTONIC)) > 0) {
		struct pollfd p = {.fd = w->fd, .events = POLLIN};
		struct sockaddr_ll from;
		socklen_t len = sizeof(from);

		if (poll(&p, 1, (int)(left / MSEC) + 1) != 1)
			continue;
		f->len = (size_t)OK(recvfrom(w->fd, f->b, sizeof(f->b), 0, (void *)&from, &len));
		if (from.sll_pkttype == PACKET_OUTGOING)
			continue; /* what we sent */
		if (want(f, arg))
			return true;
		answer(w, f);
	}
	return false;
}

/* ---- packets ---- */

static unsigned long long add(unsigned long long sum, const void *data, size_t len)
{
	const unsigned char *b = data;

	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? b[i] : b[i] << 8;
	return sum;
}

static unsigned short fold(unsigned long long sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((unsigned short)~sum);
}

unsigned short sum16(const void *data, size_t len)
{
	return fold(add(0, data, len));
}

unsigned short sum6(const struct in6_addr *src, const struct in6_addr *dst, int proto,
	const void *data, size_t len)
{
	return fold(add(add(add(len + (size_t)proto, src, 16), dst, 16), data, len));
}

size_t ip4_packet(void *out, unsigned src, unsigned dst, int proto, int ttl, int flags_off,
	const void *data, size_t len)
{
	struct ip h = {.ip_hl = 5,
		.ip_v = 4,
		.ip_len = htons((unsigned short)(20 + len)),
		.ip_id = htons(0x1234),
		.ip_off = htons((unsigned short)flags_off),
		.ip_ttl = (unsigned char)ttl,
		.ip_p = (unsigned char)proto};

	h.ip_src.s_addr = htonl(src);
	h.ip_dst.s_addr = htonl(dst);
	h.ip_sum = sum16(&h, 20);
	memcpy(out, &h, 20);
	memcpy((char *)out + 20, data, len);
	return 20 + len;
}

size_t ip6_packet(void *out, const struct in6_addr *src, const struct in6_addr *dst, int proto,
	int hops, const void *data, size_t len)
{
	struct ip6_hdr h = {.ip6_flow = htonl(6u << 28)};

	h.ip6_plen = htons((unsigned short)len);
	h.ip6_nxt = (unsigned char)proto;
	h.ip6_hlim = (unsigned char)hops;
	h.ip6_src = *src;
	h.ip6_dst = *dst;
	memcpy(out, &h, 40);
	memcpy((char *)out + 40, data, len);
	return 40 + len;
}

size_t udp_datagram(void *out, int sport, int dport, const void *data, size_t len)
{
	struct udphdr h = {.uh_sport = htons((unsigned short)sport),
		.uh_dport = htons((unsigned short)dport),
		.uh_ulen = htons((unsigned short)(8 + len))};

	memcpy(out, &h, 8);
	memcpy((char *)out + 8, data, len);
	return 8 + len;
}
