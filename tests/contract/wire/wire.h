/* SPDX-License-Identifier: MIT */
/*
 * Two links to this machine with simulated neighbours: the machine has four interfaces, eth0 and
 * eth1 on one hub, eth2 and eth3 on another. It uses eth0 and eth2; a test sends and takes frames
 * at the far end (eth1, eth3, which have no address) as a machine that doesn't exist.
 */
#pragma once

#include "contract.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#define NEAR_PREFIX 24
/* Link 0: 10.1.0.0/24 and fd01::/64, link 1: 10.2.0.0/24 and fd02::/64. The machine has host 1 in
 * each, all others are simulated. */
#define OURS4(link) (0x0a010001u + ((link) << 16))
#define PEER4(link) (0x0a010002u + ((link) << 16))

struct wire {
	int fd;        /* packet socket at the far end */
	int index;     /* of our interface */
	char name[16]; /* of our interface */
	unsigned char our_mac[6], peer_mac[6];
	int link;
};

struct frame {
	unsigned char b[2048]; /* Ethernet header and all */
	size_t len;
};

/* Both ends up, addresses set. Skips the test on a machine without these interfaces. */
void wire_open(struct wire *w, int link);

/* Sends payload behind an Ethernet header. dst NULL: to our interface. */
void wire_send(struct wire *w, const unsigned char *dst, int proto, const void *data, size_t len);

/* The next frame that want() takes, within seconds; requests for addresses (ARP, NDP) of simulated
 * hosts are answered meanwhile. False: none came. */
bool wire_take(struct wire *w, struct frame *f, bool (*want)(const struct frame *f, void *arg),
	void *arg, double seconds);

/* Packets. Return their length. */
size_t ip4_packet(void *out, unsigned src, unsigned dst, int proto, int ttl, int flags_off,
	const void *data, size_t len);
size_t ip6_packet(void *out, const struct in6_addr *src, const struct in6_addr *dst, int proto,
	int hops, const void *data, size_t len);
size_t udp_datagram(void *out, int sport, int dport, const void *data, size_t len); /* no sum */
struct in6_addr in6(const char *text);
unsigned short sum16(const void *data, size_t len);
/* With IPv6's pseudo header: what the sum field (zero so far) has to be. */
unsigned short sum6(const struct in6_addr *src, const struct in6_addr *dst, int proto,
	const void *data, size_t len);

static inline const struct ip *ip_of(const struct frame *f)
{
	return (const void *)(f->b + 14);
}
static inline const struct ip6_hdr *ip6_of(const struct frame *f)
{
	return (const void *)(f->b + 14);
}
static inline int proto_of(const struct frame *f)
{
	return f->b[12] << 8 | f->b[13];
}
/* Writes /proc/sys/net/NAME. */
void set_var(const char *name, int value);
