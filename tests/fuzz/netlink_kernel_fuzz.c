/*
 * Any messages to the kernel's netlink protocols: rtnetlink, sock_diag with its filter programs,
 * generic netlink, as a privileged program could send them; and any options and frames to packet
 * sockets. The input is a list of steps: kind, type, flags, length, bytes.
 */
#include <arch/host.h>
#include <inet/sock.h>
#include <lib/err.h>
#include <lib/string.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/context.h>
#include <net/simnet.h>
#include <sched/timer.h>
#include <socket/socket.h>
#include "../../net/inet/inet.h"

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*one)(const u8 *data, size_t size));

#define SOCK_DIAG_REQUEST 20 /* SOCK_DIAG_BY_FAMILY */

static int g_argc;
static char **g_argv;
static const int g_protocols[] = {NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_GENERIC};
static struct sock *g_netlink[ARRAY_SIZE(g_protocols)];

static struct sock *make(int family, int type, int protocol)
{
	struct sock *sk = sock_create(family, type, protocol);

	return is_err(sk) ? NULL : sk;
}

static void drain(struct sock *sk)
{
	static u8 buf[16384];
	struct sock_msg m;

	for (u32 i = 0; i < 1000; i++) {
		m = (struct sock_msg){.iter = iter_kernel(buf, sizeof(buf)), .flags = MSG_DONTWAIT};
		if (sock_recvmsg(sk, &m) == -EAGAIN)
			return;
	}
}

/* What a program may ask for is known by number: near those. */
static u16 type_of(u32 protocol, u8 t)
{
	switch (g_protocols[protocol]) {
	case NETLINK_ROUTE:
		return (u16)(RTM_BASE + t % 100);
	case NETLINK_SOCK_DIAG:
		return t & 15 ? SOCK_DIAG_REQUEST : (u16)(SOCK_DIAG_REQUEST + (t >> 4));
	default:
		return t & 15 ? 16 : (u16)(16 + (t >> 4));
	}
}

static void netlink_step(u32 which, u8 type, u8 flags, const u8 *data, u32 n)
{
	static u8 buf[2048];
	struct nlmsghdr *h = (void *)buf;
	struct sock_msg m = {.flags = MSG_DONTWAIT};

	*h = (struct nlmsghdr){.nlmsg_len = NLMSG_HDRLEN + n,
		.nlmsg_type = type_of(which, type),
		.nlmsg_flags = (u16)(NLM_F_REQUEST | (flags & 0x0f) | (flags & 0xf0) << 4)};
	memcpy(buf + NLMSG_HDRLEN, data, n);
	m.iter = iter_kernel(buf, NLMSG_HDRLEN + n);
	(void)sock_sendmsg(g_netlink[which], &m);
	drain(g_netlink[which]);
}

static void set_up(void)
{
	struct simnet_rules r = {.seed = 1};
	struct net *nets[2] = {&g_init_net, &g_init_net};

	(void)!simnet_create(nets, &r, NETIF_F_SG);
	for (u32 i = 0; i < ARRAY_SIZE(g_protocols); i++)
		g_netlink[i] = make(AF_NETLINK, SOCK_RAW, g_protocols[i]);
	(void)make(AF_INET, SOCK_STREAM, 0);
	(void)make(AF_INET6, SOCK_DGRAM, 0);
}

static int one(const u8 *data, size_t size)
{
	for (size_t at = 0; at + 4 <= size;) {
		u32 n = min((u32)data[at + 3] * 4u, (u32)(size - at - 4));

		netlink_step(data[at] % ARRAY_SIZE(g_protocols), data[at + 1], data[at + 2],
			data + at + 4, n);
		at += 4 + n;
		net_run();
	}
	sleep_ns(NS_PER_MS);
	return 0;
}

static int run(void *arg)
{
	set_up();
	return LLVMFuzzerRunDriver(&g_argc, &g_argv, one);
}

int main(int argc, char **argv)
{
	struct host_config config = {.ram = MiB(256), .seed = 1};

	g_argc = argc;
	g_argv = argv;
	return host_run(&config, run, NULL);
}
