/* SPDX-License-Identifier: MIT */
/* Addresses and sockets of both families on loopback. */
#ifndef CONTRACT_UDP_H
#define CONTRACT_UDP_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* The interface lo is up (a machine that has just booted may leave it down). */
static inline void lo_up(void)
{
	struct ifreq r = {.ifr_name = "lo"};
	int s = OK(socket(AF_INET, SOCK_DGRAM, 0));

	OK(ioctl(s, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP;
	OK(ioctl(s, SIOCSIFFLAGS, &r));
	OK(close(s));
}
static inline socklen_t udp_name(struct sockaddr_storage *a, int family, const char *text, int port)
{
	memset(a, 0, sizeof(*a));
	a->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		struct sockaddr_in *in = (void *)a;

		in->sin_port = htons((uint16_t)port);
		OK(inet_pton(AF_INET, text, &in->sin_addr) - 1);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (void *)a;

	in6->sin6_port = htons((uint16_t)port);
	OK(inet_pton(AF_INET6, text, &in6->sin6_addr) - 1);
	return sizeof(*in6);
}
static inline const char *udp_loop(int family)
{
	return family == AF_INET ? "127.0.0.1" : "::1";
}
static inline int udp_bound(int family, int port)
{
	struct sockaddr_storage a;
	socklen_t n = udp_name(&a, family, udp_loop(family), port);
	int s = OK(socket(family, SOCK_DGRAM, 0));

	OK(bind(s, (void *)&a, n));
	return s;
}
static inline int udp_port(int s)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);

	OK(getsockname(s, (void *)&a, &n));
	return ntohs(((struct sockaddr_in *)&a)->sin_port);
}

#define BOTH_FAMILIES(f) for (int f = AF_INET; f; f = f == AF_INET ? AF_INET6 : 0)

#endif
