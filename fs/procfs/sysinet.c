/* /proc/sys/net/ipv4 and ipv6: the variables of net/inet, by number. */
#include "procfs.h"
#include <inet/inet.h>
#include <inet/mem.h>
#include <lib/string.h>
#include <tcp/tcp.h>

static enum inet_variable variable(const struct proc_node *n)
{
	return (enum inet_variable)(uintptr_t)n->entry->data;
}

static int show_one(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%d\n", READ_ONCE(*inet_sysctl(&g_init_net, variable(n))));
	return 0;
}

static int store_one(struct proc_node *n, char *text, size_t len)
{
	s64 v;
	int used = proc_one_within(text, len, n->entry->min, n->entry->max, &v);

	if (used <= 0)
		return used;
	WRITE_ONCE(*inet_sysctl(&g_init_net, variable(n)), (s32)v);
	inet_sysctl_changed(&g_init_net, variable(n));
	return used;
}

/* Two numbers that make a range: variable and the one after it. */
static int show_range(struct seq_buf *s, struct proc_node *n)
{
	s32 *v = inet_sysctl(&g_init_net, variable(n));
	s32 *w = inet_sysctl(&g_init_net, (enum inet_variable)(variable(n) + 1));

	seq_printf(s, "%u\t%u\n", (u32)READ_ONCE(*v), (u32)READ_ONCE(*w));
	return 0;
}

static int store_range(struct proc_node *n, char *text, size_t len)
{
	s32 *low = inet_sysctl(&g_init_net, variable(n));
	s32 *high = inet_sysctl(&g_init_net, (enum inet_variable)(variable(n) + 1));
	const char *at = text, *end = text + len;
	s64 lo, hi = (u32)READ_ONCE(*high);

	if (!len)
		return 0;
	if (proc_take_s64(&at, end, &lo) || (at != end && proc_take_s64(&at, end, &hi)))
		return -EINVAL;
	if (lo < n->entry->min || hi > n->entry->max || (lo > hi && variable(n) == INET_PORT_LO))
		return -EINVAL;
	if (lo > hi) { /* ping_group_range: nobody */
		lo = 1;
		hi = 0;
	}
	WRITE_ONCE(*low, (s32)lo);
	WRITE_ONCE(*high, (s32)hi);
	return (int)(at - text);
}

#define ONE(name_, var_, min_, max_)                                                           \
	{                                                                                      \
		.name = (name_), .mode = S_IFREG | 0644, .show = show_one, .store = store_one, \
		.data = (void *)(uintptr_t)(var_), .min = (min_), .max = (max_)                \
	}
#define RANGE(name_, var_, min_, max_)                                                             \
	{                                                                                          \
		.name = (name_), .mode = S_IFREG | 0644, .show = show_range, .store = store_range, \
		.data = (void *)(uintptr_t)(var_), .min = (min_), .max = (max_)                    \
	}

#define DEVS(name_, group_)                                                       \
	{                                                                         \
		.name = (name_), .mode = S_IFDIR | 0555, .dir = &g_inet_devs_dir, \
		.data = (void *)(uintptr_t)(group_)                               \
	}

/* ---- TCP ---- */

static int show_tcp(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%lld\n",
		tcp_sysctl_get(&g_init_net, (enum tcp_variable)(uintptr_t)n->entry->data));
	return 0;
}

static int store_tcp(struct proc_node *n, char *text, size_t len)
{
	s64 v;
	int used = proc_one_within(text, len, n->entry->min, n->entry->max, &v);

	if (used <= 0)
		return used;
	tcp_sysctl_set(&g_init_net, (enum tcp_variable)(uintptr_t)n->entry->data, v);
	return used;
}

/* tcp_rmem and tcp_wmem: three numbers; fewer leave the rest. */
static int show_tcp3(struct seq_buf *s, struct proc_node *n)
{
	u32 v = (u32)(uintptr_t)n->entry->data;

	for (u32 i = 0; i < 3; i++)
		seq_printf(s, "%lld%c", tcp_sysctl_get(&g_init_net, (enum tcp_variable)(v + i)),
			i < 2 ? '\t' : '\n');
	return 0;
}

/* tcp_fastopen_key: one key or two, each four words in hex as the machine has them in memory. */
static int show_fastopen_key(struct seq_buf *s, struct proc_node *n)
{
	struct tcp_fo_keys k;
	u32 w[TCP_FO_KEY_LEN / 4];

	tcp_fo_net_keys(&g_init_net, &k);
	for (u32 i = 0; i < k.nr; i++) {
		memcpy(w, k.key[i], sizeof(w));
		seq_printf(s, "%s%08x-%08x-%08x-%08x", i ? "," : "", w[0], w[1], w[2], w[3]);
	}
	seq_putc(s, '\n');
	return 0;
}

static int hex_digit(char c) /* -1: none */
{
	return c >= '0' && c <= '9'                  ? c - '0'
		: (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						     : -1;
}

/* Four words of up to eight hex digits, with dashes between: what follows them, or NULL. */
static const char *take_key(const char *at, u8 key[TCP_FO_KEY_LEN])
{
	for (u32 i = 0; i < TCP_FO_KEY_LEN / 4; i++) {
		u32 w = 0, digits = 0;

		if (i && *at++ != '-')
			return NULL;
		for (int d; digits < 8 && (d = hex_digit(*at)) >= 0; digits++, at++)
			w = w << 4 | (u32)d;
		if (!digits)
			return NULL;
		memcpy(key + 4 * i, &w, 4);
	}
	return at;
}

static int store_fastopen_key(struct proc_node *n, char *text, size_t len)
{
	struct tcp_fo_keys k = {.nr = 1};
	const char *at = take_key(text, k.key[0]);

	if (at && *at == ',') {
		at = take_key(at + 1, k.key[1]);
		k.nr = 2;
	}
	if (!at || (*at && *at != '\n'))
		return -EINVAL;
	tcp_fo_set_net_keys(&g_init_net, &k);
	return (int)len;
}

/* Up to three numbers within the entry's bounds: bytes used, and *nr how many; or -EINVAL. */
static int parse3(const struct proc_node *n, const char *text, size_t len, s64 value[3], u32 *nr)
{
	const char *at = text, *end = text + len;

	for (*nr = 0; *nr < 3 && at != end; ++*nr)
		if (proc_take_s64(&at, end, &value[*nr]) || value[*nr] < n->entry->min ||
			value[*nr] > n->entry->max)
			return -EINVAL;
	return (int)(at - text);
}

static int store_tcp3(struct proc_node *n, char *text, size_t len)
{
	u32 v = (u32)(uintptr_t)n->entry->data, nr;
	s64 value[3];
	int used = parse3(n, text, len, value, &nr);

	for (u32 i = 0; used > 0 && i < nr; i++)
		tcp_sysctl_set(&g_init_net, (enum tcp_variable)(v + i), value[i]);
	return used;
}

/* tcp_mem and udp_mem: pages. */
static int show_mem(struct seq_buf *s, struct proc_node *n)
{
	const struct inet_mem *m = &g_inet_mem[(uintptr_t)n->entry->data];

	seq_printf(s, "%d\t%d\t%d\n", m->limit[0], m->limit[1], m->limit[2]);
	return 0;
}

static int store_mem(struct proc_node *n, char *text, size_t len)
{
	enum inet_mem_kind kind = (enum inet_mem_kind)(uintptr_t)n->entry->data;
	s64 value[3];
	u32 nr;
	int used = parse3(n, text, len, value, &nr);

	if (used <= 0)
		return used;
	for (u32 i = 0; i < nr; i++)
		WRITE_ONCE(g_inet_mem[kind].limit[i], (s32)value[i]);
	inet_mem_limits_changed(kind);
	return used;
}

#define TCP(name_, var_, min_, max_)                                                  \
	{                                                                             \
		.name = "tcp_" name_, .mode = S_IFREG | 0644, .show = show_tcp,       \
		.store = store_tcp, .data = (void *)(uintptr_t)(var_), .min = (min_), \
		.max = (max_)                                                         \
	}
#define MEM(name_, kind_)                                                                    \
	{                                                                                    \
		.name = name_, .mode = S_IFREG | 0644, .show = show_mem, .store = store_mem, \
		.data = (void *)(uintptr_t)(kind_), .min = 0, .max = INT_MAX                 \
	}
#define TCP3(name_, var_, min_)                                                        \
	{                                                                              \
		.name = "tcp_" name_, .mode = S_IFREG | 0644, .show = show_tcp3,       \
		.store = store_tcp3, .data = (void *)(uintptr_t)(var_), .min = (min_), \
		.max = INT_MAX                                                         \
	}

/* Written only; whatever is written. */
static int show_flush(struct seq_buf *s, struct proc_node *n)
{
	return -EINVAL;
}

static int store_flush(struct proc_node *n, char *text, size_t len)
{
	s64 v;
	int used = proc_one_within(text, len, INT_MIN, INT_MAX, &v);

	if (used > 0)
		inet_route_flush(&g_init_net, n->entry->data != NULL);
	return used;
}

#define FLUSH(v6)                                                                                  \
	{                                                                                          \
		.name = "flush", .mode = S_IFREG | 0200, .show = show_flush, .store = store_flush, \
		.data = (void *)(uintptr_t)(v6)                                                    \
	}

static const struct proc_entry g_route4[] = {
	FLUSH(false),
	ONE("min_pmtu", INET_MIN_PMTU, 68, 65535),
	ONE("mtu_expires", INET_MTU_EXPIRES, 1, INT_MAX),
	{0},
};

const struct proc_entry g_sys_ipv4_entries[] = {
	DEVS("conf", INET_CONF4),
	ONE("icmp_echo_ignore_all", INET_ECHO_IGNORE_ALL, 0, 1),
	ONE("icmp_echo_ignore_broadcasts", INET_ECHO_IGNORE_BROADCASTS, 0, 1),
	ONE("icmp_msgs_burst", INET_MSGS_BURST, 0, INT_MAX),
	ONE("icmp_msgs_per_sec", INET_MSGS_PER_SEC, 0, INT_MAX),
	ONE("icmp_ratelimit", INET_RATELIMIT, 0, INT_MAX),
	ONE("icmp_ratemask", INET_RATEMASK, 0, INT_MAX),
	ONE("igmp_max_memberships", INET_IGMP_MAX_MEMBERSHIPS, 0, INT_MAX),
	ONE("igmp_max_msf", INET_IGMP_MAX_MSF, 0, INT_MAX),
	ONE("ip_default_ttl", INET_DEFAULT_TTL, 1, 255),
	ONE("ip_forward", INET_FORWARDING, 0, 1),
	ONE("ip_forward_use_pmtu", INET_FORWARD_USE_PMTU, 0, 1),
	RANGE("ip_local_port_range", INET_PORT_LO, 1, 65535),
	ONE("ip_no_pmtu_disc", INET_NO_PMTU_DISC, 0, 1),
	ONE("ip_nonlocal_bind", INET_NONLOCAL_BIND, 0, 1),
	ONE("ip_unprivileged_port_start", INET_UNPRIVILEGED_PORT, 0, 65535),
	ONE("ipfrag_high_thresh", INET_FRAG_HIGH, 65536, INT_MAX),
	ONE("ipfrag_time", INET_FRAG_TIME, 1, 3600),
	DEVS("neigh", INET_NEIGH4),
	RANGE("ping_group_range", INET_PING_LO, 0, INT_MAX),
	{.name = "route", .mode = S_IFDIR | 0555, .children = g_route4},
	TCP("abort_on_overflow", TCPV_ABORT_ON_OVERFLOW, 0, 255),
	TCP("dsack", TCPV_DSACK, 0, 255),
	TCP("early_retrans", TCPV_EARLY_RETRANS, 0, 4),
	TCP("ecn", TCPV_ECN, 0, 2),
	TCP("fastopen", TCPV_FASTOPEN, INT_MIN, INT_MAX),
	{.name = "tcp_fastopen_key",
		.mode = S_IFREG | 0600,
		.show = show_fastopen_key,
		.store = store_fastopen_key},
	TCP("fin_timeout", TCPV_FIN_TIMEOUT, 0, INT_MAX),
	TCP("frto", TCPV_FRTO, 0, 255),
	TCP("keepalive_intvl", TCPV_KEEPALIVE_INTVL, 0, INT_MAX),
	TCP("keepalive_probes", TCPV_KEEPALIVE_PROBES, 0, 255),
	TCP("keepalive_time", TCPV_KEEPALIVE_TIME, 0, INT_MAX),
	TCP("max_orphans", TCPV_MAX_ORPHANS, 0, INT_MAX),
	TCP("max_syn_backlog", TCPV_MAX_SYN_BACKLOG, 0, INT_MAX),
	TCP("max_tw_buckets", TCPV_MAX_TW_BUCKETS, 0, INT_MAX),
	MEM("tcp_mem", INET_MEM_TCP),
	TCP("moderate_rcvbuf", TCPV_MODERATE_RCVBUF, 0, 255),
	TCP("notsent_lowat", TCPV_NOTSENT_LOWAT, 0, U32_MAX),
	TCP("orphan_retries", TCPV_ORPHAN_RETRIES, 0, 255),
	TCP("retries1", TCPV_RETRIES1, 0, 255),
	TCP("retries2", TCPV_RETRIES2, 0, 255),
	TCP("rfc1337", TCPV_RFC1337, 0, 255),
	TCP3("rmem", TCPV_RMEM, 1),
	TCP("sack", TCPV_SACK, 0, 255),
	TCP("slow_start_after_idle", TCPV_SLOW_START_AFTER_IDLE, 0, 255),
	TCP("stdurg", TCPV_STDURG, 0, 255),
	TCP("syn_retries", TCPV_SYN_RETRIES, 1, 127),
	TCP("synack_retries", TCPV_SYNACK_RETRIES, 0, 255),
	TCP("syncookies", TCPV_SYNCOOKIES, 0, 2),
	TCP("timestamps", TCPV_TIMESTAMPS, 0, 255),
	TCP("tw_reuse", TCPV_TW_REUSE, 0, 2),
	TCP("window_scaling", TCPV_WINDOW_SCALING, 0, 255),
	TCP3("wmem", TCPV_WMEM, 1),
	MEM("udp_mem", INET_MEM_UDP),
	{0},
};

static const struct proc_entry g_icmp6[] = {
	ONE("echo_ignore_all", INET_ECHO_IGNORE_ALL6, 0, 1),
	ONE("ratelimit", INET_RATELIMIT6, 0, INT_MAX),
	{0},
};

static const struct proc_entry g_route6[] = {
	FLUSH(true),
	{0},
};

const struct proc_entry g_sys_ipv6_entries[] = {
	ONE("auto_flowlabels", INET_AUTO_FLOWLABELS, 0, 1),
	ONE("bindv6only", INET_BINDV6ONLY, 0, 1),
	DEVS("conf", INET_CONF6),
	{.name = "icmp", .mode = S_IFDIR | 0555, .children = g_icmp6},
	ONE("ip6frag_high_thresh", INET_FRAG_HIGH6, 65536, INT_MAX),
	ONE("ip6frag_time", INET_FRAG_TIME6, 1, 3600),
	ONE("ip_nonlocal_bind", INET_NONLOCAL_BIND6, 0, 1),
	ONE("mld_max_msf", INET_MLD_MAX_MSF, 0, INT_MAX),
	DEVS("neigh", INET_NEIGH6),
	{.name = "route", .mode = S_IFDIR | 0555, .children = g_route6},
	{0},
};
