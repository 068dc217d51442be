/* Calls whose arguments mean different things by what the first ones are: prctl, clone, clone3; and
 * sets of CPUs, capabilities, directory entries, control messages. The forms are strace's. */
#include "trace.h"
#include <abi/socket.h>
#include <asm/unistd.h>
#include <lib/string.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/securebits.h>

/* ---- sets of CPUs --------------------------------------------------------------------------- */

void trace_put_cpu_set(struct seq_buf *s, unsigned long p, u64 len)
{
	const char *sep = "[";
	u64 word;

	if (!p || !len) {
		trace_put_address(s, p);
		return;
	}
	for (u64 at = 0; at < len; at += sizeof(word)) {
		word = 0;
		if (!trace_fetch(s, &word, p + at, min(len - at, sizeof(word)))) {
			if (!at)
				trace_put_address(s, p);
			else
				seq_puts(s, " ...]");
			return;
		}
		for (u32 i = 0; i < 64; i++) {
			if (!(word >> i & 1))
				continue;
			seq_printf(s, "%s%llu", sep, (unsigned long long)at * 8 + i);
			sep = " ";
		}
	}
	seq_puts(s, *sep == '[' ? "[]" : "]");
}

/* ---- capabilities --------------------------------------------------------------------------- */

static const char *const g_caps[] = {"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH",
	"CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
	"CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT",
	"CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD",
	"CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",
	"CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE"};
static_assert(ARRAY_SIZE(g_caps) == CAP_LAST_CAP + 1, "a name for each");

static void put_cap(struct seq_buf *s, unsigned long v)
{
	if (v < ARRAY_SIZE(g_caps))
		seq_puts(s, g_caps[v]);
	else
		seq_printf(s, "%#lx /* CAP_??? */", v);
}

static void put_cap_set(struct seq_buf *s, u64 v)
{
	const char *sep = "";

	if (!v)
		seq_putc(s, '0');
	for (u32 i = 0; i < 64; i++) {
		if (!(v >> i & 1))
			continue;
		if (i < ARRAY_SIZE(g_caps))
			seq_printf(s, "%s1<<%s", sep, g_caps[i]);
		else
			seq_printf(s, "%s1<<%u", sep, i);
		sep = "|";
	}
}

void trace_put_cap_header(struct seq_buf *s, unsigned long p)
{
	static const struct flag_name versions[] = {F(_LINUX_CAPABILITY_VERSION_1),
		F(_LINUX_CAPABILITY_VERSION_2), F(_LINUX_CAPABILITY_VERSION_3)};
	struct __user_cap_header_struct h;

	if (!p || !trace_fetch(s, &h, p, sizeof(h))) {
		trace_put_address(s, p);
		return;
	}
	seq_puts(s, "{version=");
	trace_put_value(s, h.version, versions, ARRAY_SIZE(versions));
	seq_printf(s, ", pid=%d}", h.pid);
}

/* header: the other argument, which says how large the sets are. */
void trace_put_cap_data(struct seq_buf *s, unsigned long p, unsigned long header)
{
	struct __user_cap_data_struct d[2] = {{0}};
	u32 version;
	size_t n;

	if (!p || !header || !trace_fetch(s, &version, header, sizeof(version))) {
		trace_put_address(s, p);
		return;
	}
	n = version == _LINUX_CAPABILITY_VERSION_1 ? 1 : 2;
	if (!trace_fetch(s, d, p, n * sizeof(d[0]))) {
		trace_put_address(s, p);
		return;
	}
	seq_puts(s, "{effective=");
	put_cap_set(s, d[0].effective | (u64)d[1].effective << 32);
	seq_puts(s, ", permitted=");
	put_cap_set(s, d[0].permitted | (u64)d[1].permitted << 32);
	seq_puts(s, ", inheritable=");
	put_cap_set(s, d[0].inheritable | (u64)d[1].inheritable << 32);
	seq_putc(s, '}');
}

/* ---- directory entries: how many ------------------------------------------------------------ */

#define DIRENT_RECLEN 16 /* where an entry's length stands, in both kinds: behind d_ino and d_off */

void trace_put_dirents(struct seq_buf *s, unsigned long p, long len)
{
	long at = 0;
	u32 n = 0;
	u16 reclen;

	trace_put_address(s, p);
	for (; at < len; at += reclen, n++)
		if (!trace_fetch(
			    s, &reclen, p + (unsigned long)at + DIRENT_RECLEN, sizeof(reclen)) ||
			!reclen)
			break;
	seq_printf(s, at < len ? " /* more than %u entries */" : " /* %u entries */", n);
}

/* ---- control messages ----------------------------------------------------------------------- */

static const struct flag_name g_scm[] = {F(SCM_RIGHTS), F(SCM_CREDENTIALS)};

static void put_fds(struct seq_buf *s, unsigned long p, size_t n)
{
	int fd;

	for (size_t i = 0; i < n; i++) {
		seq_puts(s, i ? ", " : "[");
		if (i == TRACE_ITEMS_MAX || !trace_fetch(s, &fd, p + i * sizeof(fd), sizeof(fd))) {
			seq_puts(s, "...");
			break;
		}
		seq_printf(s, "%d", fd);
	}
	seq_puts(s, n ? "]" : "[]");
}

static void put_control_data(struct seq_buf *s, const struct cmsghdr *c, unsigned long p, size_t n)
{
	u32 cred[3];

	if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		put_fds(s, p, n / sizeof(int));
	else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS &&
		n == sizeof(cred) && trace_fetch(s, cred, p, sizeof(cred)))
		seq_printf(s, "{pid=%u, uid=%u, gid=%u}", cred[0], cred[1], cred[2]);
	else
		trace_put_bytes(s, p, n);
}

void trace_put_control(struct seq_buf *s, unsigned long p, u64 len)
{
	struct cmsghdr c;
	u64 at = 0;

	for (u32 i = 0; at + sizeof(c) <= len; i++) {
		seq_puts(s, i ? ", " : "[");
		if (i == TRACE_ITEMS_MAX || !trace_fetch(s, &c, p + at, sizeof(c)) ||
			c.cmsg_len < sizeof(c) || c.cmsg_len > len - at) {
			seq_puts(s, "...");
			break;
		}
		seq_printf(s, "{cmsg_len=%llu, cmsg_level=", (unsigned long long)c.cmsg_len);
		trace_put_sockopt_level(s, (u32)c.cmsg_level);
		seq_puts(s, ", cmsg_type=");
		if (c.cmsg_level == SOL_SOCKET)
			trace_put_value(s, (u32)c.cmsg_type, g_scm, ARRAY_SIZE(g_scm));
		else
			trace_put_sockopt(s, (u32)c.cmsg_level, (u32)c.cmsg_type);
		if (c.cmsg_len > sizeof(c)) {
			seq_puts(s, ", cmsg_data=");
			put_control_data(s, &c, p + at + sizeof(c), c.cmsg_len - sizeof(c));
		}
		seq_putc(s, '}');
		at += round_up(c.cmsg_len, sizeof(u64));
	}
	if (at)
		seq_putc(s, ']');
	else
		trace_put_address(s, p);
}

/* ---- clone ---------------------------------------------------------------------------------- */

/* Known when the call has returned: a number that the kernel stored. */
static void put_stored(struct seq_buf *s, unsigned long p)
{
	int v;

	if (p && trace_fetch(s, &v, p, sizeof(v)))
		seq_printf(s, "[%d]", v);
	else
		trace_put_address(s, p);
}

static void put_clone(struct seq_buf *s, const struct pt_regs *regs, long ret)
{
	unsigned long flags = regs_arg(regs, 0);

	seq_puts(s, "child_stack=");
	trace_put_address(s, regs_arg(regs, 1));
	seq_puts(s, ", flags=");
	trace_put_scalar(s, flags, ARG_CLONE_FLAGS);
	if (flags & (CLONE_PARENT_SETTID | CLONE_PIDFD)) {
		seq_puts(s, ", parent_tid=");
		if (ret > 0)
			put_stored(s, regs_arg(regs, 2));
		else
			trace_put_address(s, regs_arg(regs, 2));
	}
	if (flags & CLONE_SETTLS)
		seq_printf(s, ", tls=%#lx", regs_arg(regs, 4));
	if (flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)) {
		seq_puts(s, ", child_tidptr=");
		trace_put_address(s, regs_arg(regs, 3));
	}
}

static void put_pointer(struct seq_buf *s, const char *name, u64 p)
{
	seq_printf(s, ", %s=", name);
	trace_put_address(s, p);
}

static void put_clone3(struct seq_buf *s, const struct pt_regs *regs, long ret)
{
	unsigned long p = regs_arg(regs, 0);
	struct clone_args a;

	memset(&a, 0, sizeof(a));
	if (!p || !trace_fetch(s, &a, p, min(regs_arg(regs, 1), sizeof(a)))) {
		trace_put_address(s, p);
	} else {
		seq_puts(s, "{flags=");
		trace_put_scalar(s, a.flags & ~0xffull, ARG_CLONE_FLAGS);
		if (a.flags & CLONE_PIDFD)
			put_pointer(s, "pidfd", a.pidfd);
		if (a.flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID))
			put_pointer(s, "child_tid", a.child_tid);
		if (a.flags & CLONE_PARENT_SETTID)
			put_pointer(s, "parent_tid", a.parent_tid);
		seq_puts(s, ", exit_signal=");
		trace_put_scalar(s, a.exit_signal, ARG_SIG);
		put_pointer(s, "stack", a.stack);
		seq_printf(s, a.stack_size ? ", stack_size=%#llx" : ", stack_size=%llu",
			(unsigned long long)a.stack_size);
		if (a.flags & CLONE_SETTLS)
			put_pointer(s, "tls", a.tls);
		seq_putc(s, '}');
		if (ret > 0 && (a.flags & (CLONE_PARENT_SETTID | CLONE_PIDFD))) {
			seq_puts(s, " => {");
			if (a.flags & CLONE_PIDFD) {
				seq_puts(s, "pidfd=");
				put_stored(s, a.pidfd);
			}
			if (a.flags & CLONE_PARENT_SETTID) {
				seq_puts(
					s, a.flags & CLONE_PIDFD ? ", parent_tid=" : "parent_tid=");
				put_stored(s, a.parent_tid);
			}
			seq_putc(s, '}');
		}
	}
	seq_printf(s, ", %lu", regs_arg(regs, 1));
}

/* ---- prctl ---------------------------------------------------------------------------------- */

enum shape {
	NOTHING,
	NUMBER,
	SIGNAL,
	CAP,
	BITS,     /* of secure bits */
	DUMPABLE, /* what a core file may be made of */
	STRING,
	OUT_STRING,
	OUT_NUMBER,
	OUT_SIGNAL,
	OUT_ADDRESS,
	FOUR,    /* numbers */
	AMBIENT, /* an operation, a capability and two numbers */
	OF_MM,   /* a field, an address and two numbers */
};

static const struct {
	u8 option, shape;
} g_prctls[] = {
	{PR_SET_PDEATHSIG, SIGNAL},
	{PR_GET_PDEATHSIG, OUT_SIGNAL},
	{PR_GET_DUMPABLE, NOTHING},
	{PR_SET_DUMPABLE, DUMPABLE},
	{PR_GET_KEEPCAPS, NOTHING},
	{PR_SET_KEEPCAPS, NUMBER},
	{PR_GET_TIMING, NOTHING},
	{PR_SET_TIMING, NUMBER},
	{PR_SET_NAME, STRING},
	{PR_GET_NAME, OUT_STRING},
	{PR_GET_SECCOMP, NOTHING},
	{PR_CAPBSET_READ, CAP},
	{PR_CAPBSET_DROP, CAP},
	{PR_GET_SECUREBITS, NOTHING},
	{PR_SET_SECUREBITS, BITS},
	{PR_SET_TIMERSLACK, NUMBER},
	{PR_GET_TIMERSLACK, NOTHING},
	{PR_SET_MM, OF_MM},
	{PR_SET_CHILD_SUBREAPER, NUMBER},
	{PR_GET_CHILD_SUBREAPER, OUT_NUMBER},
	{PR_SET_NO_NEW_PRIVS, FOUR},
	{PR_GET_NO_NEW_PRIVS, FOUR},
	{PR_GET_TID_ADDRESS, OUT_ADDRESS},
	{PR_SET_THP_DISABLE, FOUR},
	{PR_GET_THP_DISABLE, FOUR},
	{PR_CAP_AMBIENT, AMBIENT},
};
static const struct flag_name g_dumpable[] = {
	{0, "SUID_DUMP_DISABLE"}, {1, "SUID_DUMP_USER"}, {2, "SUID_DUMP_ROOT"}};
static const struct flag_name g_ambient[] = {F(PR_CAP_AMBIENT_IS_SET), F(PR_CAP_AMBIENT_RAISE),
	F(PR_CAP_AMBIENT_LOWER), F(PR_CAP_AMBIENT_CLEAR_ALL)};
static const struct flag_name g_secure[] = {F(SECBIT_NOROOT), F(SECBIT_NOROOT_LOCKED),
	F(SECBIT_NO_SETUID_FIXUP), F(SECBIT_NO_SETUID_FIXUP_LOCKED), F(SECBIT_KEEP_CAPS),
	F(SECBIT_KEEP_CAPS_LOCKED), F(SECBIT_NO_CAP_AMBIENT_RAISE),
	F(SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)};
static const struct flag_name g_mm_fields[] = {F(PR_SET_MM_START_CODE), F(PR_SET_MM_END_CODE),
	F(PR_SET_MM_START_DATA), F(PR_SET_MM_END_DATA), F(PR_SET_MM_START_STACK),
	F(PR_SET_MM_START_BRK), F(PR_SET_MM_BRK), F(PR_SET_MM_ARG_START), F(PR_SET_MM_ARG_END),
	F(PR_SET_MM_ENV_START), F(PR_SET_MM_ENV_END), F(PR_SET_MM_AUXV), F(PR_SET_MM_EXE_FILE),
	F(PR_SET_MM_MAP), F(PR_SET_MM_MAP_SIZE)};

static int shape_of(u32 option)
{
	for (size_t i = 0; i < ARRAY_SIZE(g_prctls); i++)
		if (g_prctls[i].option == option)
			return g_prctls[i].shape;
	return -1;
}

static void put_stored_as(struct seq_buf *s, int shape, unsigned long p, long ret)
{
	unsigned long v = 0;

	if (ret < 0 || !p || !trace_fetch(s, &v, p, shape == OUT_ADDRESS ? 8 : 4)) {
		trace_put_address(s, p);
		return;
	}
	seq_putc(s, '[');
	if (shape == OUT_SIGNAL)
		trace_put_scalar(s, v, ARG_SIG);
	else
		seq_printf(s, shape == OUT_ADDRESS ? "%#lx" : "%lu", v);
	seq_putc(s, ']');
}

static void put_rest(struct seq_buf *s, const struct pt_regs *regs, int from)
{
	for (int i = from; i < 5; i++)
		seq_printf(s, ", %lu", regs_arg(regs, i));
}

static void put_prctl(struct seq_buf *s, const struct pt_regs *regs, long ret)
{
	u32 option = (u32)regs_arg(regs, 0);
	unsigned long v = regs_arg(regs, 1);
	int shape = shape_of(option);

	trace_put_prctl(s, option);
	if (shape == NOTHING)
		return;
	seq_puts(s, ", ");
	switch (shape) {
	case NUMBER:
	case FOUR:
		seq_printf(s, "%lu", v);
		break;
	case SIGNAL:
		trace_put_scalar(s, v, ARG_SIG);
		break;
	case CAP:
		put_cap(s, v);
		break;
	case BITS:
		trace_put_flags(s, v, g_secure, ARRAY_SIZE(g_secure), "0");
		break;
	case DUMPABLE:
		trace_put_value(s, v, g_dumpable, ARRAY_SIZE(g_dumpable));
		break;
	case OUT_STRING:
		if (ret < 0) {
			trace_put_address(s, v);
			break;
		}
		fallthrough;
	case STRING:
		trace_put_string(s, v, TRACE_STRING_MAX);
		break;
	case OUT_NUMBER:
	case OUT_SIGNAL:
	case OUT_ADDRESS:
		put_stored_as(s, shape, v, ret);
		break;
	case AMBIENT:
		trace_put_value(s, v, g_ambient, ARRAY_SIZE(g_ambient));
		seq_puts(s, ", ");
		if (v == PR_CAP_AMBIENT_CLEAR_ALL)
			seq_printf(s, "%lu", regs_arg(regs, 2));
		else
			put_cap(s, regs_arg(regs, 2));
		break;
	case OF_MM:
		trace_put_value(s, v, g_mm_fields, ARRAY_SIZE(g_mm_fields));
		seq_printf(s, regs_arg(regs, 2) ? ", %#lx" : ", %lu", regs_arg(regs, 2));
		break;
	default:
		for (int i = 1; i < 5; i++)
			seq_printf(s, regs_arg(regs, i) ? "%s%#lx" : "%s%lu", i > 1 ? ", " : "",
				regs_arg(regs, i));
		break;
	}
	if (shape == FOUR)
		put_rest(s, regs, 2);
	else if (shape == AMBIENT || shape == OF_MM)
		put_rest(s, regs, 3);
}

/* ---- all arguments of a call ------------------------------------------------------------------ */

bool trace_has_own_form(long nr)
{
	return nr == __NR_prctl || nr == __NR_clone || nr == __NR_clone3;
}

void trace_put_own_form(struct seq_buf *s, const struct pt_regs *regs, long nr, long ret)
{
	if (nr == __NR_prctl)
		put_prctl(s, regs, ret);
	else if (nr == __NR_clone)
		put_clone(s, regs, ret);
	else
		put_clone3(s, regs, ret);
}

bool trace_is_dumpable(const struct pt_regs *regs, long nr, long ret)
{
	return nr == __NR_prctl && regs_arg(regs, 0) == PR_GET_DUMPABLE && ret >= 0 && ret <= 2;
}

void trace_put_dumpable(struct seq_buf *s, long v)
{
	trace_put_value(s, (u64)v, g_dumpable, ARRAY_SIZE(g_dumpable));
}
