/* What ioctls, prctls and socket options are called, and what an ioctl's argument is. */
#include "trace.h"
#include <abi/socket.h>
#include <asm/ioctls.h>
#include <asm/sockios.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/loop.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/sockios.h>
#include <linux/tcp.h>

static const struct flag_name g_ioctls[] = {F(TCGETS), F(TCSETS), F(TCSETSW), F(TCSETSF), F(TCSBRK),
	F(TCXONC), F(TCFLSH), F(TIOCEXCL), F(TIOCNXCL), F(TIOCSCTTY), F(TIOCGPGRP), F(TIOCSPGRP),
	F(TIOCOUTQ), F(TIOCSTI), F(TIOCGWINSZ), F(TIOCSWINSZ), F(TIOCMGET), F(TIOCMSET),
	F(TIOCCONS), F(TIOCPKT), F(FIONBIO), F(TIOCNOTTY), F(TIOCSETD), F(TIOCGETD), F(TCSBRKP),
	F(TIOCGSID), F(TIOCGPTN), F(TIOCSPTLCK), F(TIOCGPTPEER), F(FIONCLEX), F(FIOCLEX),
	F(FIOASYNC), F(FIONREAD), F(FIOQSIZE), F(SIOCGIFNAME), F(SIOCGIFCONF), F(SIOCGIFFLAGS),
	F(SIOCSIFFLAGS), F(SIOCGIFADDR), F(SIOCSIFADDR), F(SIOCGIFDSTADDR), F(SIOCSIFDSTADDR),
	F(SIOCGIFBRDADDR), F(SIOCSIFBRDADDR), F(SIOCGIFNETMASK), F(SIOCSIFNETMASK),
	F(SIOCGIFMETRIC), F(SIOCGIFMTU), F(SIOCSIFMTU), F(SIOCGIFHWADDR), F(SIOCSIFHWADDR),
	F(SIOCGIFINDEX), F(SIOCGIFTXQLEN), F(SIOCSIFTXQLEN), F(SIOCADDRT), F(SIOCDELRT),
	F(SIOCGARP), F(SIOCSARP), F(SIOCDARP), F(SIOCETHTOOL), F(SIOCSPGRP), F(FIOSETOWN),
	F(FIOGETOWN), F(SIOCGPGRP), F(SIOCATMARK), F(BLKROSET), F(BLKROGET), F(BLKRRPART),
	F(BLKGETSIZE), F(BLKFLSBUF), F(BLKRASET), F(BLKRAGET), F(BLKSSZGET), F(BLKBSZGET),
	F(BLKBSZSET), F(BLKGETSIZE64), F(BLKDISCARD), F(BLKIOMIN), F(BLKIOOPT), F(BLKALIGNOFF),
	F(BLKPBSZGET), F(BLKDISCARDZEROES), F(BLKZEROOUT), F(BLKROTATIONAL), F(FS_IOC_GETFLAGS),
	F(FS_IOC_SETFLAGS), F(FS_IOC_GETVERSION), F(FS_IOC_FSGETXATTR), F(FS_IOC_FSSETXATTR),
	F(FITRIM), F(FICLONE), F(FICLONERANGE), F(FIDEDUPERANGE), F(FIBMAP), F(FIGETBSZ),
	F(FIFREEZE), F(FITHAW), F(FS_IOC_FIEMAP), F(LOOP_SET_FD), F(LOOP_CLR_FD),
	F(LOOP_SET_STATUS64), F(LOOP_GET_STATUS64), F(LOOP_CONFIGURE), F(LOOP_CTL_GET_FREE),
	F(LOOP_CTL_ADD), F(LOOP_CTL_REMOVE), F(RNDGETENTCNT), F(RNDADDENTROPY)};
static const struct flag_name g_prctls[] = {F(PR_SET_PDEATHSIG), F(PR_GET_PDEATHSIG),
	F(PR_GET_DUMPABLE), F(PR_SET_DUMPABLE), F(PR_GET_KEEPCAPS), F(PR_SET_KEEPCAPS),
	F(PR_GET_TIMING), F(PR_SET_TIMING), F(PR_SET_NAME), F(PR_GET_NAME), F(PR_GET_SECCOMP),
	F(PR_SET_SECCOMP), F(PR_CAPBSET_READ), F(PR_CAPBSET_DROP), F(PR_GET_TSC), F(PR_SET_TSC),
	F(PR_GET_SECUREBITS), F(PR_SET_SECUREBITS), F(PR_SET_TIMERSLACK), F(PR_GET_TIMERSLACK),
	F(PR_TASK_PERF_EVENTS_DISABLE), F(PR_TASK_PERF_EVENTS_ENABLE), F(PR_MCE_KILL),
	F(PR_MCE_KILL_GET), F(PR_SET_MM), F(PR_SET_PTRACER), F(PR_SET_CHILD_SUBREAPER),
	F(PR_GET_CHILD_SUBREAPER), F(PR_SET_NO_NEW_PRIVS), F(PR_GET_NO_NEW_PRIVS),
	F(PR_GET_TID_ADDRESS), F(PR_SET_THP_DISABLE), F(PR_GET_THP_DISABLE), F(PR_CAP_AMBIENT),
	F(PR_GET_SPECULATION_CTRL), F(PR_SET_SPECULATION_CTRL), F(PR_SET_IO_FLUSHER),
	F(PR_GET_IO_FLUSHER), F(PR_SET_SYSCALL_USER_DISPATCH), F(PR_SCHED_CORE), F(PR_SET_VMA)};

static const struct flag_name g_levels[] = {F(SOL_SOCKET), F(SOL_IP), F(SOL_TCP), F(SOL_UDP),
	F(SOL_IPV6), F(SOL_ICMPV6), F(SOL_RAW), F(SOL_PACKET), F(SOL_NETLINK)};
static const struct flag_name g_so[] = {F(SO_DEBUG), F(SO_REUSEADDR), F(SO_TYPE), F(SO_ERROR),
	F(SO_DONTROUTE), F(SO_BROADCAST), F(SO_SNDBUF), F(SO_RCVBUF), F(SO_KEEPALIVE),
	F(SO_OOBINLINE), F(SO_PRIORITY), F(SO_LINGER), F(SO_REUSEPORT), F(SO_PASSCRED),
	F(SO_PEERCRED), F(SO_RCVLOWAT), F(SO_SNDLOWAT), F(SO_RCVTIMEO_OLD), F(SO_SNDTIMEO_OLD),
	F(SO_BINDTODEVICE), F(SO_ATTACH_FILTER), F(SO_DETACH_FILTER), F(SO_PEERNAME),
	F(SO_TIMESTAMP_OLD), F(SO_ACCEPTCONN), F(SO_PEERSEC), F(SO_SNDBUFFORCE), F(SO_RCVBUFFORCE),
	F(SO_PASSSEC), F(SO_TIMESTAMPNS_OLD), F(SO_MARK), F(SO_TIMESTAMPING_OLD), F(SO_PROTOCOL),
	F(SO_DOMAIN), F(SO_RXQ_OVFL), F(SO_PEEK_OFF), F(SO_NOFCS), F(SO_LOCK_FILTER),
	F(SO_SELECT_ERR_QUEUE), F(SO_BUSY_POLL), F(SO_MAX_PACING_RATE), F(SO_INCOMING_CPU),
	F(SO_ATTACH_BPF), F(SO_PEERGROUPS), F(SO_ZEROCOPY), F(SO_TXTIME), F(SO_BINDTOIFINDEX),
	F(SO_COOKIE)};
static const struct flag_name g_ip[] = {F(IP_TOS), F(IP_TTL), F(IP_HDRINCL), F(IP_OPTIONS),
	F(IP_ROUTER_ALERT), F(IP_RECVOPTS), F(IP_RETOPTS), F(IP_PKTINFO), F(IP_PKTOPTIONS),
	F(IP_MTU_DISCOVER), F(IP_RECVERR), F(IP_RECVTTL), F(IP_RECVTOS), F(IP_MTU), F(IP_FREEBIND),
	F(IP_TRANSPARENT), F(IP_ORIGDSTADDR), F(IP_MINTTL), F(IP_NODEFRAG),
	F(IP_BIND_ADDRESS_NO_PORT), F(IP_MULTICAST_IF), F(IP_MULTICAST_TTL), F(IP_MULTICAST_LOOP),
	F(IP_ADD_MEMBERSHIP), F(IP_DROP_MEMBERSHIP), F(IP_UNBLOCK_SOURCE), F(IP_BLOCK_SOURCE),
	F(IP_ADD_SOURCE_MEMBERSHIP), F(IP_DROP_SOURCE_MEMBERSHIP), F(IP_MULTICAST_ALL),
	F(IP_UNICAST_IF)};
static const struct flag_name g_ip6[] = {F(IPV6_ADDRFORM), F(IPV6_CHECKSUM), F(IPV6_UNICAST_HOPS),
	F(IPV6_MULTICAST_IF), F(IPV6_MULTICAST_HOPS), F(IPV6_MULTICAST_LOOP),
	F(IPV6_ADD_MEMBERSHIP), F(IPV6_DROP_MEMBERSHIP), F(IPV6_ROUTER_ALERT), F(IPV6_MTU_DISCOVER),
	F(IPV6_MTU), F(IPV6_RECVERR), F(IPV6_V6ONLY), F(IPV6_JOIN_ANYCAST), F(IPV6_LEAVE_ANYCAST),
	F(IPV6_RECVPKTINFO), F(IPV6_PKTINFO), F(IPV6_RECVHOPLIMIT), F(IPV6_HOPLIMIT),
	F(IPV6_RECVTCLASS), F(IPV6_TCLASS), F(IPV6_DONTFRAG), F(IPV6_FREEBIND)};
static const struct flag_name g_tcp[] = {F(TCP_NODELAY), F(TCP_MAXSEG), F(TCP_CORK),
	F(TCP_KEEPIDLE), F(TCP_KEEPINTVL), F(TCP_KEEPCNT), F(TCP_SYNCNT), F(TCP_LINGER2),
	F(TCP_DEFER_ACCEPT), F(TCP_WINDOW_CLAMP), F(TCP_INFO), F(TCP_QUICKACK), F(TCP_CONGESTION),
	F(TCP_MD5SIG), F(TCP_THIN_LINEAR_TIMEOUTS), F(TCP_USER_TIMEOUT), F(TCP_REPAIR),
	F(TCP_FASTOPEN), F(TCP_TIMESTAMP), F(TCP_NOTSENT_LOWAT), F(TCP_SAVE_SYN),
	F(TCP_FASTOPEN_CONNECT), F(TCP_ULP), F(TCP_INQ)};
static const struct flag_name g_netlink[] = {F(NETLINK_ADD_MEMBERSHIP), F(NETLINK_DROP_MEMBERSHIP),
	F(NETLINK_PKTINFO), F(NETLINK_BROADCAST_ERROR), F(NETLINK_NO_ENOBUFS),
	F(NETLINK_LISTEN_ALL_NSID), F(NETLINK_LIST_MEMBERSHIPS), F(NETLINK_CAP_ACK),
	F(NETLINK_EXT_ACK), F(NETLINK_GET_STRICT_CHK)};
static const struct flag_name g_packet[] = {F(PACKET_ADD_MEMBERSHIP), F(PACKET_DROP_MEMBERSHIP),
	F(PACKET_RX_RING), F(PACKET_STATISTICS), F(PACKET_AUXDATA), F(PACKET_VERSION),
	F(PACKET_HDRLEN), F(PACKET_RESERVE), F(PACKET_TX_RING), F(PACKET_LOSS), F(PACKET_VNET_HDR),
	F(PACKET_TIMESTAMP), F(PACKET_FANOUT), F(PACKET_IGNORE_OUTGOING)};

static const struct {
	u32 level;
	const struct flag_name *names;
	u32 nr;
} g_options[] = {
	{SOL_SOCKET, g_so, ARRAY_SIZE(g_so)},
	{SOL_IP, g_ip, ARRAY_SIZE(g_ip)},
	{SOL_IPV6, g_ip6, ARRAY_SIZE(g_ip6)},
	{SOL_TCP, g_tcp, ARRAY_SIZE(g_tcp)},
	{SOL_NETLINK, g_netlink, ARRAY_SIZE(g_netlink)},
	{SOL_PACKET, g_packet, ARRAY_SIZE(g_packet)},
};

void trace_put_prctl(struct seq_buf *s, u32 option)
{
	trace_put_value(s, option, g_prctls, ARRAY_SIZE(g_prctls));
}

void trace_put_sockopt_level(struct seq_buf *s, u32 level)
{
	trace_put_value(s, level, g_levels, ARRAY_SIZE(g_levels));
}

void trace_put_sockopt(struct seq_buf *s, u32 level, u32 name)
{
	for (u32 i = 0; i < ARRAY_SIZE(g_options); i++) {
		if (g_options[i].level == level) {
			trace_put_value(s, name, g_options[i].names, g_options[i].nr);
			return;
		}
	}
	trace_put_value(s, name, NULL, 0);
}

/* ---- ioctl ---------------------------------------------------------------------------------- */

static const struct trace_field g_winsize_f[] = {
	{"ws_row", offsetof(struct winsize, ws_row), 2, ARG_UINT, NULL},
	{"ws_col", offsetof(struct winsize, ws_col), 2, ARG_UINT, NULL},
	{"ws_xpixel", offsetof(struct winsize, ws_xpixel), 2, ARG_UINT, NULL},
	{"ws_ypixel", offsetof(struct winsize, ws_ypixel), 2, ARG_UINT, NULL}};
static const struct trace_layout g_winsize = {
	g_winsize_f, ARRAY_SIZE(g_winsize_f), sizeof(struct winsize), false};

enum shape { SHAPE_INT, SHAPE_U64, SHAPE_WINSIZE, SHAPE_TERMIOS };
static const struct {
	u32 cmd;
	u8 shape;
	bool out;
} g_args[] = {
	{TCGETS, SHAPE_TERMIOS, true},
	{TCSETS, SHAPE_TERMIOS, false},
	{TCSETSW, SHAPE_TERMIOS, false},
	{TCSETSF, SHAPE_TERMIOS, false},
	{TIOCGWINSZ, SHAPE_WINSIZE, true},
	{TIOCSWINSZ, SHAPE_WINSIZE, false},
	{TIOCGPGRP, SHAPE_INT, true},
	{TIOCSPGRP, SHAPE_INT, false},
	{TIOCGSID, SHAPE_INT, true},
	{TIOCGPTN, SHAPE_INT, true},
	{TIOCSPTLCK, SHAPE_INT, false},
	{TIOCOUTQ, SHAPE_INT, true},
	{FIONREAD, SHAPE_INT, true},
	{FIONBIO, SHAPE_INT, false},
	{FIOASYNC, SHAPE_INT, false},
	{BLKGETSIZE, SHAPE_U64, true},
	{BLKGETSIZE64, SHAPE_U64, true},
	{BLKSSZGET, SHAPE_INT, true},
	{BLKROGET, SHAPE_INT, true},
};

static int arg_row(u32 cmd)
{
	for (u32 i = 0; i < ARRAY_SIZE(g_args); i++)
		if (g_args[i].cmd == cmd)
			return (int)i;
	return -1;
}

bool trace_ioctl_is_out(u32 cmd)
{
	int i = arg_row(cmd);

	return i >= 0 && g_args[i].out;
}

void trace_put_ioctl(struct seq_buf *s, u32 cmd)
{
	trace_put_value(s, cmd, g_ioctls, ARRAY_SIZE(g_ioctls));
}

/* strace's short form: what is set of the usual bits, "-" before what isn't. */
static void put_termios(struct seq_buf *s, const struct termios *t)
{
	static const struct {
		u8 word;
		u16 bit;
		const char *name;
	} bits[] = {
		{1, OPOST, "opost"}, {3, ISIG, "isig"}, {3, ICANON, "icanon"}, {3, ECHO, "echo"}};
	const tcflag_t words[] = {t->c_iflag, t->c_oflag, t->c_cflag, t->c_lflag};

	seq_printf(s, "{%s",
		(t->c_cflag & CBAUD) == B38400            ? "B38400"
			: (t->c_cflag & CBAUD) == B115200 ? "B115200"
			: (t->c_cflag & CBAUD) == B9600   ? "B9600"
							  : "B?");
	for (u32 i = 0; i < ARRAY_SIZE(bits); i++)
		seq_printf(s, " %s%s", words[bits[i].word] & bits[i].bit ? "" : "-", bits[i].name);
	seq_puts(s, " ...}");
}

void trace_put_ioctl_arg(struct seq_buf *s, u32 cmd, unsigned long arg, long ret)
{
	int i = arg_row(cmd);
	union {
		u32 word;
		u64 number;
		struct winsize winsize;
		struct termios termios;
	} u;
	static const u8 sizes[] = {
		sizeof(u.word), sizeof(u.number), sizeof(u.winsize), sizeof(u.termios)};

	if (i < 0 || (g_args[i].out && ret < 0) || !arg ||
		!trace_fetch(s, &u, arg, sizes[g_args[i].shape])) {
		if (i < 0 && !arg)
			seq_putc(s, '0');
		else
			trace_put_address(s, arg);
		return;
	}
	switch (g_args[i].shape) {
	case SHAPE_INT:
		seq_printf(s, "[%d]", (int)u.word);
		break;
	case SHAPE_U64:
		seq_printf(s, "[%llu]", u.number);
		break;
	case SHAPE_WINSIZE:
		trace_put_layout(s, &g_winsize, &u.winsize);
		break;
	case SHAPE_TERMIOS:
		put_termios(s, &u.termios);
		break;
	}
}
