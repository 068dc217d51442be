/* SPDX-License-Identifier: MIT */
/* Connections on loopback, of both families. */
#ifndef CONTRACT_TCP_H
#define CONTRACT_TCP_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef POLLRDHUP
#define POLLRDHUP 0x2000
#endif

static inline void tcp_lo_up(void)
{
	struct ifreq r = {.ifr_name = "lo"};
	int s = OK(socket(AF_INET, SOCK_DGRAM, 0));

	OK(ioctl(s, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP;
	OK(ioctl(s, SIOCSIFFLAGS, &r));
	OK(close(s));
}
static inline socklen_t tcp_name(struct sockaddr_storage *a, int family, int port)
{
	memset(a, 0, sizeof(*a));
	a->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		struct sockaddr_in *in = (void *)a;

		in->sin_port = htons((uint16_t)port);
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (void *)a;

	in6->sin6_port = htons((uint16_t)port);
	in6->sin6_addr.s6_addr[15] = 1;
	return sizeof(*in6);
}
static inline int tcp_port(int s)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);

	OK(getsockname(s, (void *)&a, &n));
	return ntohs(((struct sockaddr_in *)&a)->sin_port);
}
static inline int tcp_bound(int family)
{
	struct sockaddr_storage a;
	socklen_t n = tcp_name(&a, family, 0);
	int s = OK(socket(family, SOCK_STREAM, 0));

	OK(bind(s, (void *)&a, n));
	return s;
}
static inline int tcp_listener(int family, int backlog)
{
	int s = tcp_bound(family);

	OK(listen(s, backlog));
	return s;
}
static inline int tcp_connect_to(int listener, int family)
{
	struct sockaddr_storage a;
	socklen_t n = tcp_name(&a, family, tcp_port(listener));
	int s = OK(socket(family, SOCK_STREAM, 0));

	OK(connect(s, (void *)&a, n));
	return s;
}
/* Two ends of a connection. */
static inline void tcp_pair(int family, int end[2])
{
	int l = tcp_listener(family, 4);

	end[0] = tcp_connect_to(l, family);
	end[1] = OK(accept(l, NULL, NULL));
	OK(close(l));
}
static inline int tcp_poll_now(int s, int events)
{
	struct pollfd p = {.fd = s, .events = (short)events};

	OK(poll(&p, 1, 0));
	return p.revents;
}
static inline int tcp_poll_for(int s, int events)
{
	struct pollfd p = {.fd = s, .events = (short)events};

	CHECK_EQ(OK(poll(&p, 1, 20000)), 1);
	return p.revents;
}
static inline int tcp_error_of(int s)
{
	int v = -1;
	socklen_t n = sizeof(v);

	OK(getsockopt(s, SOL_SOCKET, SO_ERROR, &v, &n));
	return v;
}
static inline int tcp_opt(int s, int name)
{
	int v = -1;
	socklen_t n = sizeof(v);

	OK(getsockopt(s, IPPROTO_TCP, name, &v, &n));
	return v;
}
static inline int tcp_set(int s, int name, int v)
{
	return setsockopt(s, IPPROTO_TCP, name, &v, sizeof(v));
}
/* A counter of /proc/net/netstat. */
static inline long long tcp_counter(const char *name)
{
	char *names = read_text("/proc/net/netstat"), *values = strchr(names, '\n') + 1, *s, *t;

	*strchr(values, '\n') = 0;
	values[-1] = 0;
	for (s = strtok_r(names, " ", &names), t = strtok_r(values, " ", &values); s && t;
		s = strtok_r(NULL, " ", &names), t = strtok_r(NULL, " ", &values))
		if (!strcmp(s, name))
			return atoll(t);
	FAIL("no counter %s", name);
}
#define EACH_FAMILY(f) for (int f = AF_INET; f; f = f == AF_INET ? AF_INET6 : 0)
#define POLL_ALL       (POLLIN | POLLOUT | POLLPRI | POLLRDHUP)

#endif
