/*
 * Internet addresses of both families in one type: an IPv4 address is its mapped form
 * ::ffff:a.b.c.d. So tables, sockets and look-ups have one path, and a dual-stack socket needs no
 * case of its own. The wildcard of IPv4 is ::ffff:0.0.0.0, that of IPv6 is ::.
 */
#ifndef INET_ADDR_H
#define INET_ADDR_H

#include <abi/socket.h>
#include <lib/byteorder.h>
#include <linux/in.h>
#include <linux/in6.h>

struct inet_addr {
	union {
		u8 b[16];
		u16 h[8];
		u32 w[4]; /* network byte order */
		u64 q[2];
	};
};
#define ADDR_V4_WORD htonl(0xffff)

static inline struct inet_addr addr_v4(u32 be)
{
	return (struct inet_addr){.w = {0, 0, ADDR_V4_WORD, be}};
}
static inline struct inet_addr addr_v6(const void *b)
{
	struct inet_addr a;

	__builtin_memcpy(a.b, b, 16);
	return a;
}
static inline struct inet_addr addr_any(int family)
{
	return family == AF_INET ? addr_v4(0) : (struct inet_addr){.q = {0, 0}};
}
static inline bool addr_is_v4(const struct inet_addr *a)
{
	return a->q[0] == 0 && a->w[2] == ADDR_V4_WORD;
}
static inline int addr_family(const struct inet_addr *a)
{
	return addr_is_v4(a) ? AF_INET : AF_INET6;
}
static inline u32 addr_v4_of(const struct inet_addr *a)
{
	return a->w[3];
}
static inline bool addr_eq(const struct inet_addr *a, const struct inet_addr *b)
{
	return a->q[0] == b->q[0] && a->q[1] == b->q[1];
}
static inline bool addr_is_any(const struct inet_addr *a)
{
	return a->q[0] == 0 && (a->q[1] == 0 || (a->w[2] == ADDR_V4_WORD && a->w[3] == 0));
}
static inline bool addr_is_multicast(const struct inet_addr *a)
{
	return a->b[0] == 0xff || (addr_is_v4(a) && (a->b[12] & 0xf0) == 0xe0);
}
static inline bool addr_is_limited_broadcast(const struct inet_addr *a)
{
	return addr_is_v4(a) && a->w[3] == U32_MAX;
}
static inline bool addr_is_loopback(const struct inet_addr *a)
{
	return addr_is_v4(a) ? a->b[12] == 127 : a->q[0] == 0 && a->q[1] == __builtin_bswap64(1);
}
/* fe80::/10, or a multicast address of link or interface scope: needs an interface. */
static inline bool addr_is_v6_link_local(const struct inet_addr *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}
static inline bool addr_needs_scope(const struct inet_addr *a)
{
	return addr_is_v6_link_local(a) ||
		(a->b[0] == 0xff && ((a->b[1] & 0xf) == 1 || (a->b[1] & 0xf) == 2));
}
/* Do the first len bits agree? Of 128; those of an IPv4 prefix count from 96. */
static inline bool addr_prefix_eq(const struct inet_addr *a, const struct inet_addr *b, u32 len)
{
	u32 words = len / 32, rest = len % 32;

	for (u32 i = 0; i < words; i++)
		if (a->w[i] != b->w[i])
			return false;
	return !rest || !((ntohl(a->w[words]) ^ ntohl(b->w[words])) >> (32 - rest));
}
static inline bool addr_bit(const struct inet_addr *a, u32 i)
{
	return a->b[i / 8] >> (7 - i % 8) & 1;
}
/* The address with all but the first len bits (of 128) cleared. */
static inline struct inet_addr addr_mask(const struct inet_addr *a, u32 len)
{
	struct inet_addr r = *a;

	for (u32 i = 0; i < 4; i++) {
		u32 bits = len > i * 32 ? min(len - i * 32, 32u) : 0;

		r.w[i] &= bits ? htonl(U32_MAX << (32 - bits)) : 0;
	}
	return r;
}

#define ADDR_TEXT 46 /* INET6_ADDRSTRLEN */
/* As inet_ntop; IPv4 as dotted quad. Returns buf. */
char *addr_text(const struct inet_addr *a, char buf[ADDR_TEXT]);
/* A textual address of either family up to end of string: false when it is none. */
bool addr_parse(const char *text, struct inet_addr *out) must_check;

#endif
