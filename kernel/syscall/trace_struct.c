/*
 * Structures of user memory, as strace prints them: one line for each member that is shown, one
 * for each kind of structure.
 */
#include "trace.h"
#include <abi/socket.h>
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/eventpoll.h>
#include <linux/futex.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/poll.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/stat.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <linux/times.h>
#include <linux/uio.h>
#include <linux/un.h>
#include <linux/utsname.h>

#define LARGEST 400 /* bytes of a structure: new_utsname */

#define M(type, member, kind_)                                                                  \
	{                                                                                       \
#member, offsetof(type, member), sizeof(((type *)0)->member), ARG_##kind_, NULL \
	}
#define NESTED(type, member, layout)                                                      \
	{                                                                                 \
#member, offsetof(type, member), sizeof(((type *)0)->member), ARG_NESTED, \
			&(layout)                                                         \
	}
#define AS(name_, type, member, kind_)                                                        \
	{                                                                                     \
		name_, offsetof(type, member), sizeof(((type *)0)->member), ARG_##kind_, NULL \
	}
#define LAYOUT(type, more_, fields_)                                                              \
	{                                                                                         \
		.fields = fields_, .nr = ARRAY_SIZE(fields_), .size = sizeof(type), .more = more_ \
	}

/* ---- members -------------------------------------------------------------------------------- */

static const struct trace_field g_timespec_f[] = {
	M(struct __kernel_timespec, tv_sec, LONG), M(struct __kernel_timespec, tv_nsec, LONG)};
static const struct trace_layout g_timespec = LAYOUT(struct __kernel_timespec, false, g_timespec_f);
static const struct trace_field g_timeval_f[] = {M(struct __kernel_old_timeval, tv_sec, LONG),
	M(struct __kernel_old_timeval, tv_usec, LONG)};
static const struct trace_layout g_timeval = LAYOUT(
	struct __kernel_old_timeval, false, g_timeval_f);
static const struct trace_field g_itimerspec[] = {
	NESTED(struct __kernel_itimerspec, it_interval, g_timespec),
	NESTED(struct __kernel_itimerspec, it_value, g_timespec)};
struct itimerval_k { /* __kernel_old_itimerval */
	struct __kernel_old_timeval it_interval, it_value;
};
static const struct trace_field g_itimerval[] = {NESTED(struct itimerval_k, it_interval, g_timeval),
	NESTED(struct itimerval_k, it_value, g_timeval)};
static const struct trace_field g_timezone[] = {
	M(struct timezone, tz_minuteswest, INT), M(struct timezone, tz_dsttime, INT)};
static const struct trace_field g_tms[] = {M(struct tms, tms_utime, LONG),
	M(struct tms, tms_stime, LONG), M(struct tms, tms_cutime, LONG),
	M(struct tms, tms_cstime, LONG)};
static const struct trace_field g_rusage[] = {NESTED(struct rusage, ru_utime, g_timeval),
	NESTED(struct rusage, ru_stime, g_timeval), M(struct rusage, ru_maxrss, LONG),
	M(struct rusage, ru_minflt, LONG), M(struct rusage, ru_majflt, LONG)};
static const struct trace_field g_rlimit[] = {
	M(struct rlimit, rlim_cur, RLIM), M(struct rlimit, rlim_max, RLIM)};
static const struct trace_field g_stat[] = {
	M(struct stat, st_mode, ST_MODE), M(struct stat, st_size, LONG)};
static const struct trace_field g_statx[] = {AS("stx_mask", struct statx, stx_mask, ADDR),
	M(struct statx, stx_mode, ST_MODE), M(struct statx, stx_size, ULONG)};
static const struct trace_field g_statfs[] = {M(struct statfs, f_type, ADDR),
	M(struct statfs, f_bsize, LONG), M(struct statfs, f_blocks, ULONG),
	M(struct statfs, f_bfree, ULONG), M(struct statfs, f_bavail, ULONG),
	M(struct statfs, f_files, ULONG), M(struct statfs, f_ffree, ULONG),
	M(struct statfs, f_namelen, LONG)};
static const struct trace_field g_utsname[] = {M(struct new_utsname, sysname, CHARS),
	M(struct new_utsname, nodename, CHARS), M(struct new_utsname, release, CHARS),
	M(struct new_utsname, version, CHARS), M(struct new_utsname, machine, CHARS)};
static const struct trace_field g_sysinfo[] = {M(struct sysinfo, uptime, LONG),
	M(struct sysinfo, totalram, ULONG), M(struct sysinfo, freeram, ULONG),
	M(struct sysinfo, sharedram, ULONG), M(struct sysinfo, bufferram, ULONG),
	M(struct sysinfo, totalswap, ULONG), M(struct sysinfo, freeswap, ULONG),
	M(struct sysinfo, procs, UINT), M(struct sysinfo, mem_unit, UINT)};
static const struct trace_field g_sigaction[] = {M(struct sigaction, sa_handler, SA_HANDLER),
	M(struct sigaction, sa_mask, SIGSET_VALUE), M(struct sigaction, sa_flags, SA_FLAGS),
	M(struct sigaction, sa_restorer, ADDR)};
static const struct trace_field g_stack[] = {
	M(stack_t, ss_sp, ADDR), M(stack_t, ss_flags, INT), M(stack_t, ss_size, ULONG)};
static const struct trace_field g_siginfo[] = {M(siginfo_t, si_signo, SIG),
	M(siginfo_t, si_code, INT), M(siginfo_t, si_pid, INT), M(siginfo_t, si_uid, UINT),
	M(siginfo_t, si_status, INT)};
static const struct trace_field g_sigevent[] = {M(struct sigevent, sigev_signo, SIG),
	M(struct sigevent, sigev_notify, INT),
	AS("sigev_value", struct sigevent, sigev_value, ADDR)};
static const struct trace_field g_pollfd[] = {
	M(struct pollfd, fd, INT), M(struct pollfd, events, POLL_EVENTS)};
static const struct trace_field g_poll_result[] = {
	M(struct pollfd, fd, INT), M(struct pollfd, revents, POLL_EVENTS)};
static const struct trace_layout g_poll_results = LAYOUT(struct pollfd, false, g_poll_result);
static const struct trace_field g_epoll_event[] = {
	M(struct epoll_event, events, EPOLL_EVENTS), M(struct epoll_event, data, EPOLL_DATA)};
static const struct trace_field g_clone_args[] = {M(struct clone_args, flags, CLONE_FLAGS),
	M(struct clone_args, child_tid, ADDR), M(struct clone_args, parent_tid, ADDR),
	M(struct clone_args, exit_signal, SIG), M(struct clone_args, stack, ADDR),
	M(struct clone_args, stack_size, ADDR), M(struct clone_args, tls, ADDR)};
static const struct trace_field g_open_how[] = {M(struct open_how, flags, OPEN_FLAGS),
	M(struct open_how, mode, MODE), M(struct open_how, resolve, ADDR)};
static const struct trace_field g_waitv[] = {M(struct futex_waitv, val, ADDR),
	M(struct futex_waitv, uaddr, ADDR), M(struct futex_waitv, flags, ADDR)};
static const struct trace_field g_robust[] = {AS("next", struct robust_list_head, list, ADDR),
	M(struct robust_list_head, futex_offset, LONG),
	M(struct robust_list_head, list_op_pending, ADDR)};
static const struct trace_field g_sched_param[] = {
	{"sched_priority", 0, sizeof(int), ARG_INT, NULL}};
static const struct trace_field g_sched_attr[] = {M(struct sched_attr, size, UINT),
	M(struct sched_attr, sched_policy, UINT), M(struct sched_attr, sched_flags, ADDR),
	M(struct sched_attr, sched_nice, INT), M(struct sched_attr, sched_priority, UINT)};

static const struct trace_layout g_layouts[] = {
#define ROW(kind, type, more, fields) [ARG_S_##kind - ARG_S_NONE] = LAYOUT(type, more, fields)
	ROW(__kernel_timespec, struct __kernel_timespec, false, g_timespec_f),
	ROW(__kernel_old_timeval, struct __kernel_old_timeval, false, g_timeval_f),
	ROW(__kernel_itimerspec, struct __kernel_itimerspec, false, g_itimerspec),
	ROW(__kernel_old_itimerval, struct itimerval_k, false, g_itimerval),
	ROW(clone_args, struct clone_args, false, g_clone_args),
	ROW(epoll_event, struct epoll_event, false, g_epoll_event),
	ROW(futex_waitv, struct futex_waitv, false, g_waitv),
	ROW(new_utsname, struct new_utsname, false, g_utsname),
	ROW(open_how, struct open_how, false, g_open_how),
	ROW(pollfd, struct pollfd, false, g_pollfd),
	ROW(rlimit, struct rlimit, false, g_rlimit),
	ROW(rlimit64, struct rlimit64, false, g_rlimit),
	ROW(robust_list_head, struct robust_list_head, false, g_robust),
	ROW(rusage, struct rusage, true, g_rusage),
	ROW(sched_attr, struct sched_attr, true, g_sched_attr),
	ROW(sched_param, int, false, g_sched_param),
	ROW(sigaction, struct sigaction, false, g_sigaction),
	ROW(sigevent, struct sigevent, true, g_sigevent),
	ROW(siginfo_t, siginfo_t, true, g_siginfo),
	ROW(stack_t, stack_t, false, g_stack),
	ROW(stat, struct stat, true, g_stat),
	ROW(statfs, struct statfs, true, g_statfs),
	ROW(statx, struct statx, true, g_statx),
	ROW(sysinfo, struct sysinfo, true, g_sysinfo),
	ROW(timezone, struct timezone, false, g_timezone),
	ROW(tms, struct tms, false, g_tms),
};

/* ---- printing ------------------------------------------------------------------------------- */

static bool is_signed(unsigned int kind)
{
	return kind == ARG_INT || kind == ARG_LONG;
}

static u64 load(const u8 *p, size_t size, bool with_sign)
{
	u64 v = 0;

	memcpy(&v, p, min(size, sizeof(v)));
	if (with_sign && size < 8 && v >> (size * 8 - 1))
		v |= ~0ull << (size * 8);
	return v;
}

void trace_put_layout(struct seq_buf *s, const struct trace_layout *l, const void *raw)
{
	seq_putc(s, '{');
	for (u32 i = 0; i < l->nr; i++) {
		const struct trace_field *f = &l->fields[i];
		const u8 *at = (const u8 *)raw + f->offset;

		seq_printf(s, "%s%s=", i ? ", " : "", f->name);
		if (f->kind == ARG_NESTED)
			trace_put_layout(s, f->nested, at);
		else if (f->kind == ARG_CHARS)
			trace_put_text(
				s, (const char *)at, strnlen((const char *)at, f->size), false);
		else
			trace_put_scalar(s, load(at, f->size, is_signed(f->kind)), f->kind);
	}
	seq_puts(s, l->more ? ", ...}" : "}");
}

static void put_iovec(struct seq_buf *s, const struct iovec *v, long *left)
{
	size_t n = v->iov_len;

	if (*left >= 0) {
		n = min_t(size_t, n, (size_t)*left);
		*left -= (long)n;
	}
	seq_puts(s, "{iov_base=");
	trace_put_bytes(s, (unsigned long)v->iov_base, n);
	seq_printf(s, ", iov_len=%lu}", (unsigned long)v->iov_len);
}

static void put_msghdr(struct seq_buf *s, const struct user_msghdr *m, long left)
{
	seq_puts(s, "{msg_name=");
	trace_put_sockaddr(s, (unsigned long)m->msg_name, m->msg_namelen);
	seq_printf(s, ", msg_namelen=%d, msg_iov=", m->msg_namelen);
	trace_put_structs(s, (unsigned long)m->msg_iov, ARG_S_iovec, m->msg_iovlen, true, left);
	seq_printf(s, ", msg_iovlen=%llu", (unsigned long long)m->msg_iovlen);
	if (m->msg_control && m->msg_controllen) {
		seq_puts(s, ", msg_control=");
		trace_put_control(s, (unsigned long)m->msg_control, m->msg_controllen);
	}
	seq_printf(s, ", msg_controllen=%llu, msg_flags=", (unsigned long long)m->msg_controllen);
	trace_put_scalar(s, m->msg_flags, ARG_MSG_FLAGS);
	seq_putc(s, '}');
}

static size_t size_of(unsigned int kind)
{
	switch (kind) {
	case ARG_S_iovec:
		return sizeof(struct iovec);
	case ARG_S_user_msghdr:
		return sizeof(struct user_msghdr);
	case ARG_S_user_mmsghdr:
		return sizeof(struct user_mmsghdr);
	default:
		return kind - ARG_S_NONE < ARRAY_SIZE(g_layouts) ? g_layouts[kind - ARG_S_NONE].size
								 : 0;
	}
}

static void put_one(struct seq_buf *s, unsigned int kind, const void *raw, long *left)
{
	switch (kind) {
	case ARG_S_iovec:
		put_iovec(s, raw, left);
		break;
	case ARG_S_user_msghdr:
		put_msghdr(s, raw, *left);
		break;
	case ARG_S_user_mmsghdr: {
		const struct user_mmsghdr *m = raw;

		seq_puts(s, "{msg_hdr=");
		put_msghdr(s, &m->msg_hdr, *left);
		seq_printf(s, ", msg_len=%u}", m->msg_len);
		break;
	}
	default:
		trace_put_layout(s, &g_layouts[kind - ARG_S_NONE], raw);
		break;
	}
}

void trace_put_structs(
	struct seq_buf *s, unsigned long p, unsigned int kind, u64 count, bool array, long left)
{
	u64 raw[LARGEST / 8];
	size_t size = size_of(kind);

	if (!p || !size || (!array && !trace_fetch(s, raw, p, size))) {
		trace_put_address(s, p);
		return;
	}
	if (!array) {
		put_one(s, kind, raw, &left);
		return;
	}
	for (u64 i = 0; i < count && i < TRACE_ITEMS_MAX; i++) {
		if (!trace_fetch(s, raw, p + i * size, size)) {
			if (i)
				seq_puts(s, ", ... ");
			trace_put_address(s, p + i * size);
			if (i)
				break;
			return;
		}
		seq_puts(s, i ? ", " : "[");
		put_one(s, kind, raw, &left);
	}
	seq_puts(s, !count ? "[]" : count > TRACE_ITEMS_MAX ? ", ...]" : "]");
}

/* " ([{fd=3, revents=POLLIN}])": those with a result. */
void trace_put_poll_results(struct seq_buf *s, unsigned long p, u64 count)
{
	const char *sep = " ([";
	struct pollfd f;

	for (u64 i = 0; i < count && trace_fetch(s, &f, p + i * sizeof(f), sizeof(f)); i++) {
		if (!f.revents)
			continue;
		seq_puts(s, sep);
		trace_put_layout(s, &g_poll_results, &f);
		sep = ", ";
	}
	if (*sep == ',')
		seq_puts(s, "])");
}

/* ---- addresses ------------------------------------------------------------------------------ */

/* As RFC 5952 wants it: the longest run of two or more zero groups is "::". */
static void put_ip6(struct seq_buf *s, const u8 *b)
{
	int best = -1, longest = 1;

	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && !b[2 * (i + n)] && !b[2 * (i + n) + 1])
			n++;
		if (n > longest)
			best = i, longest = n;
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			seq_puts(s, "::");
			i += longest - 1;
			continue;
		}
		if (i && i != best + longest)
			seq_putc(s, ':');
		seq_printf(s, "%x", b[2 * i] << 8 | b[2 * i + 1]);
	}
}

static void put_in(struct seq_buf *s, const struct sockaddr_in *a)
{
	const u8 *b = (const u8 *)&a->sin_addr;

	seq_printf(s, "sin_port=htons(%u), sin_addr=inet_addr(\"%u.%u.%u.%u\")",
		__builtin_bswap16(a->sin_port), b[0], b[1], b[2], b[3]);
}

static void put_in6(struct seq_buf *s, const struct sockaddr_in6 *a)
{
	seq_printf(s, "sin6_port=htons(%u), sin6_flowinfo=htonl(%u), inet_pton(AF_INET6, \"",
		__builtin_bswap16(a->sin6_port), __builtin_bswap32(a->sin6_flowinfo));
	put_ip6(s, (const u8 *)&a->sin6_addr);
	seq_printf(s, "\", &sin6_addr), sin6_scope_id=%u", a->sin6_scope_id);
}

static void put_un(struct seq_buf *s, const struct sockaddr_un *a, size_t len)
{
	const char *path = a->sun_path;
	size_t n = len - offsetof(struct sockaddr_un, sun_path);

	seq_puts(s, "sun_path=");
	if (!path[0] && n > 1) { /* an abstract name */
		seq_putc(s, '@');
		trace_put_text(s, path + 1, n - 1, false);
	} else {
		trace_put_text(s, path, strnlen(path, n), false);
	}
}

void trace_put_sockaddr(struct seq_buf *s, unsigned long p, long len)
{
	union {
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		struct sockaddr_nl nl;
		struct sockaddr_ll ll;
		u16 family;
	} a;
	size_t n = min_t(size_t, (size_t)max(len, 0l), sizeof(a));

	memset(&a, 0, sizeof(a));
	if (!p || n < sizeof(a.family) || !trace_fetch(s, &a, p, n)) {
		trace_put_address(s, p);
		return;
	}
	seq_puts(s, "{sa_family=");
	trace_put_scalar(s, a.family, ARG_FAMILY);
	if (n > sizeof(a.family))
		seq_puts(s, ", ");
	if (a.family == AF_INET && n >= sizeof(a.in))
		put_in(s, &a.in);
	else if (a.family == AF_INET6 && n >= sizeof(a.in6))
		put_in6(s, &a.in6);
	else if (a.family == AF_UNIX && n > sizeof(a.family))
		put_un(s, &a.un, n);
	else if (a.family == AF_NETLINK && n >= sizeof(a.nl))
		seq_printf(s, "nl_pid=%u, nl_groups=%08x", a.nl.nl_pid, a.nl.nl_groups);
	else if (a.family == AF_PACKET && n >= sizeof(a.ll))
		seq_printf(s, "sll_protocol=htons(%#x), sll_ifindex=%d, sll_halen=%u",
			__builtin_bswap16(a.ll.sll_protocol), a.ll.sll_ifindex, a.ll.sll_halen);
	else if (n > sizeof(a.family))
		trace_put_text(s, (const char *)&a + 2, min_t(size_t, n - 2, 14), false);
	seq_putc(s, '}');
}
