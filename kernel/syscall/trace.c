/*
 * trace=syscalls: each call as strace prints it, one log line per call, or two when others came in
 * between ("<unfinished ...>" is avoided: arguments are formatted at entry, the result appended).
 */
#include <abi/socket.h>
#include <asm/mman.h>
#include <asm/prctl.h>
#include <asm/unistd.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/printf.h>
#include <lib/seq_buf.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <linux/fadvise.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <process/task.h>
#include <syscall/syscall.h>

#define STRING_MAX 32 /* bytes shown of a string or buffer, as strace */

struct flag_name {
	u64 bit;
	const char *name;
};

static void put_flags(
	struct seq_buf *s, u64 v, const struct flag_name *f, size_t n, const char *zero)
{
	const char *sep = "";

	if (zero && v == 0) {
		seq_puts(s, zero);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (f[i].bit && (v & f[i].bit) == f[i].bit) {
			seq_printf(s, "%s%s", sep, f[i].name);
			v &= ~f[i].bit;
			sep = "|";
		}
	if (v)
		seq_printf(s, "%s%#llx", sep, (unsigned long long)v);
}

#define F(x)          \
	{             \
		x, #x \
	}
static const struct flag_name g_open_flags[] = {F(O_CREAT), F(O_EXCL), F(O_NOCTTY), F(O_TRUNC),
	F(O_APPEND), F(O_NONBLOCK), F(O_SYNC), F(O_DSYNC), F(FASYNC), F(O_DIRECT), F(O_LARGEFILE),
	F(O_TMPFILE), F(O_DIRECTORY), F(O_NOFOLLOW), F(O_NOATIME), F(O_CLOEXEC), F(O_PATH)};
static const struct flag_name g_prot[] = {
	F(PROT_READ), F(PROT_WRITE), F(PROT_EXEC), F(PROT_GROWSDOWN)};
static const struct flag_name g_map_flags[] = {F(MAP_SHARED_VALIDATE), F(MAP_SHARED),
	F(MAP_PRIVATE), F(MAP_FIXED), F(MAP_ANONYMOUS), F(MAP_32BIT), F(MAP_GROWSDOWN),
	F(MAP_DENYWRITE), F(MAP_LOCKED), F(MAP_NORESERVE), F(MAP_POPULATE), F(MAP_NONBLOCK),
	F(MAP_STACK), F(MAP_HUGETLB), F(MAP_FIXED_NOREPLACE)};
static const struct flag_name g_clone_flags[] = {F(CLONE_VM), F(CLONE_FS), F(CLONE_FILES),
	F(CLONE_SIGHAND), F(CLONE_PIDFD), F(CLONE_PTRACE), F(CLONE_VFORK), F(CLONE_PARENT),
	F(CLONE_THREAD), F(CLONE_NEWNS), F(CLONE_SYSVSEM), F(CLONE_SETTLS), F(CLONE_PARENT_SETTID),
	F(CLONE_CHILD_CLEARTID), F(CLONE_DETACHED), F(CLONE_UNTRACED), F(CLONE_CHILD_SETTID),
	F(CLONE_NEWCGROUP), F(CLONE_NEWUTS), F(CLONE_NEWIPC), F(CLONE_NEWUSER), F(CLONE_NEWPID),
	F(CLONE_NEWNET), F(CLONE_IO)};
static const struct flag_name g_at_flags[] = {F(AT_SYMLINK_NOFOLLOW), F(AT_REMOVEDIR),
	F(AT_SYMLINK_FOLLOW), F(AT_NO_AUTOMOUNT), F(AT_EMPTY_PATH)};

static const struct flag_name g_access[] = {{4, "R_OK"}, {2, "W_OK"}, {1, "X_OK"}};
static const struct flag_name g_wait_options[] = {F(WNOHANG), F(WUNTRACED), F(WEXITED),
	F(WCONTINUED), F(WNOWAIT), F(__WNOTHREAD), F(__WALL), F(__WCLONE)};
static const struct flag_name g_mremap_flags[] = {
	F(MREMAP_MAYMOVE), F(MREMAP_FIXED), F(MREMAP_DONTUNMAP)};
static const struct flag_name g_mount_flags[] = {F(MS_RDONLY), F(MS_NOSUID), F(MS_NODEV),
	F(MS_NOEXEC), F(MS_SYNCHRONOUS), F(MS_REMOUNT), F(MS_MANDLOCK), F(MS_DIRSYNC),
	F(MS_NOSYMFOLLOW), F(MS_NOATIME), F(MS_NODIRATIME), F(MS_BIND), F(MS_MOVE), F(MS_REC),
	F(MS_SILENT), F(MS_POSIXACL), F(MS_UNBINDABLE), F(MS_PRIVATE), F(MS_SLAVE), F(MS_SHARED),
	F(MS_RELATIME), F(MS_I_VERSION), F(MS_STRICTATIME), F(MS_LAZYTIME)};
static const struct flag_name g_umount_flags[] = {
	F(MNT_FORCE), F(MNT_DETACH), F(MNT_EXPIRE), F(UMOUNT_NOFOLLOW)};
static const struct flag_name g_random_flags[] = {
	F(GRND_RANDOM), F(GRND_NONBLOCK), F(GRND_INSECURE)};

/* The same structure for kinds that are one of several values. */
static const struct flag_name g_madvice[] = {F(MADV_NORMAL), F(MADV_RANDOM), F(MADV_SEQUENTIAL),
	F(MADV_WILLNEED), F(MADV_DONTNEED), F(MADV_FREE), F(MADV_REMOVE), F(MADV_DONTFORK),
	F(MADV_DOFORK), F(MADV_MERGEABLE), F(MADV_UNMERGEABLE), F(MADV_HUGEPAGE),
	F(MADV_NOHUGEPAGE), F(MADV_DONTDUMP), F(MADV_DODUMP), F(MADV_WIPEONFORK),
	F(MADV_KEEPONFORK), F(MADV_COLD), F(MADV_PAGEOUT), F(MADV_POPULATE_READ),
	F(MADV_POPULATE_WRITE), F(MADV_HWPOISON)};
static const struct flag_name g_fadvice[] = {F(POSIX_FADV_NORMAL), F(POSIX_FADV_RANDOM),
	F(POSIX_FADV_SEQUENTIAL), F(POSIX_FADV_WILLNEED), F(POSIX_FADV_DONTNEED),
	F(POSIX_FADV_NOREUSE)};
static const struct flag_name g_arch_prctl[] = {F(ARCH_SET_GS), F(ARCH_SET_FS), F(ARCH_GET_FS),
	F(ARCH_GET_GS), F(ARCH_GET_CPUID), F(ARCH_SET_CPUID)};
static const struct flag_name g_fcntl[] = {F(F_DUPFD), F(F_GETFD), F(F_SETFD), F(F_GETFL),
	F(F_SETFL), F(F_GETLK), F(F_SETLK), F(F_SETLKW), F(F_SETOWN), F(F_GETOWN), F(F_SETSIG),
	F(F_GETSIG), F(F_SETOWN_EX), F(F_GETOWN_EX), F(F_OFD_GETLK), F(F_OFD_SETLK),
	F(F_OFD_SETLKW), F(F_SETLEASE), F(F_GETLEASE), F(F_NOTIFY), F(F_DUPFD_CLOEXEC),
	F(F_SETPIPE_SZ), F(F_GETPIPE_SZ), F(F_ADD_SEALS), F(F_GET_SEALS)};
static const struct flag_name g_families[] = {
	F(AF_UNSPEC), F(AF_UNIX), F(AF_INET), F(AF_INET6), F(AF_NETLINK), F(AF_PACKET)};
static const struct flag_name g_socket_types[] = {
	F(SOCK_STREAM), F(SOCK_DGRAM), F(SOCK_RAW), F(SOCK_RDM), F(SOCK_SEQPACKET), F(SOCK_PACKET)};
static const struct flag_name g_socket_flags[] = {F(SOCK_CLOEXEC), F(SOCK_NONBLOCK)};

static const char *const g_signals[] = {NULL, "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP",
	"SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE",
	"SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN",
	"SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",
	"SIGPWR", "SIGSYS"};
static const char *const g_futex_ops[] = {"FUTEX_WAIT", "FUTEX_WAKE", "FUTEX_FD", "FUTEX_REQUEUE",
	"FUTEX_CMP_REQUEUE", "FUTEX_WAKE_OP", "FUTEX_LOCK_PI", "FUTEX_UNLOCK_PI",
	"FUTEX_TRYLOCK_PI", "FUTEX_WAIT_BITSET", "FUTEX_WAKE_BITSET"};
static const char *const g_clocks[] = {"CLOCK_REALTIME", "CLOCK_MONOTONIC",
	"CLOCK_PROCESS_CPUTIME_ID", "CLOCK_THREAD_CPUTIME_ID", "CLOCK_MONOTONIC_RAW",
	"CLOCK_REALTIME_COARSE", "CLOCK_MONOTONIC_COARSE", "CLOCK_BOOTTIME", "CLOCK_REALTIME_ALARM",
	"CLOCK_BOOTTIME_ALARM"};
static const char *const g_rlimits[] = {"RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK",
	"RLIMIT_CORE", "RLIMIT_RSS", "RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_AS",
	"RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO",
	"RLIMIT_RTTIME"};
static const char *const g_whence[] = {
	"SEEK_SET", "SEEK_CUR", "SEEK_END", "SEEK_DATA", "SEEK_HOLE"};
static const char *const g_sig_how[] = {"SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK"};
static const char *const g_epoll_ops[] = {NULL, "EPOLL_CTL_ADD", "EPOLL_CTL_DEL", "EPOLL_CTL_MOD"};

/* One of the values, else a number. */
static void put_value(struct seq_buf *s, u64 v, const struct flag_name *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (f[i].bit == v) {
			seq_puts(s, f[i].name);
			return;
		}
	seq_printf(s, v ? "%#llx" : "%llu", (unsigned long long)v);
}

static void put_name(struct seq_buf *s, u64 v, const char *const *names, size_t n)
{
	if (v < n && names[v])
		seq_puts(s, names[v]);
	else
		seq_printf(s, "%lld", (long long)v);
}
#define PUT_NAME(s, v, names)        put_name(s, v, names, ARRAY_SIZE(names))
#define PUT_VALUE(s, v, values)      put_value(s, v, values, ARRAY_SIZE(values))
#define PUT_FLAGS(s, v, flags, zero) put_flags(s, v, flags, ARRAY_SIZE(flags), zero)

static void put_quoted(struct seq_buf *s, const char *text, size_t n, bool cut)
{
	seq_putc(s, '"');
	for (size_t i = 0; i < n; i++) {
		u8 c = (u8)text[i];

		if (c == '\n')
			seq_puts(s, "\\n");
		else if (c == '\t')
			seq_puts(s, "\\t");
		else if (c == '"' || c == '\\')
			seq_printf(s, "\\%c", c);
		else if (c < 32 || c >= 127)
			seq_printf(s, "\\%o", c);
		else
			seq_putc(s, (char)c);
	}
	seq_puts(s, cut ? "\"..." : "\"");
}

static void put_string(struct seq_buf *s, unsigned long p, size_t max)
{
	char text[256];
	ssize_t n;

	if (!p) {
		seq_puts(s, "NULL");
		return;
	}
	max = min(max, sizeof(text));
	n = strncpy_from_user(text, (const char __user *)p, max);
	if (n < 0)
		seq_printf(s, "%#lx", p);
	else
		put_quoted(s, text, (size_t)n, n == (ssize_t)max);
}

static void put_bytes(struct seq_buf *s, unsigned long p, size_t len)
{
	char text[STRING_MAX];
	size_t n = min_t(size_t, len, sizeof(text));

	if (!p || copy_from_user(text, (const void __user *)p, n))
		seq_printf(s, "%#lx", p);
	else
		put_quoted(s, text, n, len > n);
}

static void put_strings(struct seq_buf *s, unsigned long p)
{
	const char *sep = "[";

	for (int i = 0; i < 16; i++) {
		unsigned long q;

		if (!p || get_user(q, (unsigned long __user *)p + i)) {
			seq_printf(s, "%#lx", p);
			return;
		}
		seq_puts(s, q ? sep : i ? "" : "[");
		if (!q)
			break;
		put_string(s, q, STRING_MAX);
		sep = ", ";
	}
	seq_putc(s, ']');
}

static void put_open_flags(struct seq_buf *s, u32 v)
{
	static const char *const modes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};

	seq_puts(s, modes[v & O_ACCMODE]);
	if (v & ~(u32)O_ACCMODE) {
		seq_putc(s, '|');
		PUT_FLAGS(s, v & ~(u32)O_ACCMODE, g_open_flags, NULL);
	}
}

static void put_socket_type(struct seq_buf *s, u32 v)
{
	PUT_VALUE(s, v & SOCK_TYPE_MASK, g_socket_types);
	if (v & ~(u32)SOCK_TYPE_MASK) {
		seq_putc(s, '|');
		PUT_FLAGS(s, v & ~(u32)SOCK_TYPE_MASK, g_socket_flags, NULL);
	}
}

/* Kinds that a table alone describes: zero NULL for one of several values, else for flags what none
 * of them prints as. All are 32 bits wide, as far as calls look at them. */
static const struct kind_table {
	const struct flag_name *names;
	size_t nr;
	const char *zero;
} g_kinds[] = {
#define FLAGS(t, zero_)                                        \
	{                                                      \
		.names = t, .nr = ARRAY_SIZE(t), .zero = zero_ \
	}
#define VALUES(t)                               \
	{                                       \
		.names = t, .nr = ARRAY_SIZE(t) \
	}
	[ARG_ACCESS] = FLAGS(g_access, "F_OK"),
	[ARG_ARCH_PRCTL] = VALUES(g_arch_prctl),
	[ARG_AT_FLAGS] = FLAGS(g_at_flags, "0"),
	[ARG_FADVICE] = VALUES(g_fadvice),
	[ARG_FAMILY] = VALUES(g_families),
	[ARG_FCNTL] = VALUES(g_fcntl),
	[ARG_MADVICE] = VALUES(g_madvice),
	[ARG_MMAP_FLAGS] = FLAGS(g_map_flags, "0"),
	[ARG_MOUNT_FLAGS] = FLAGS(g_mount_flags, "0"),
	[ARG_MREMAP_FLAGS] = FLAGS(g_mremap_flags, "0"),
	[ARG_PROT] = FLAGS(g_prot, "PROT_NONE"),
	[ARG_RANDOM_FLAGS] = FLAGS(g_random_flags, "0"),
	[ARG_UMOUNT_FLAGS] = FLAGS(g_umount_flags, "0"),
	[ARG_WAIT_OPTIONS] = FLAGS(g_wait_options, "0"),
};

static bool put_by_table(struct seq_buf *s, u64 v, unsigned int kind)
{
	const struct kind_table *k = &g_kinds[kind];

	if (kind >= ARRAY_SIZE(g_kinds) || !k->names)
		return false;
	if (k->zero)
		put_flags(s, (u32)v, k->names, k->nr, k->zero);
	else
		put_value(s, (u32)v, k->names, k->nr);
	return true;
}

static void put_arg(
	struct seq_buf *s, const struct pt_regs *regs, const struct syscall_desc *d, int i)
{
	unsigned long v = regs_arg(regs, i);

	if (put_by_table(s, v, d->kinds[i]))
		return;
	switch (d->kinds[i]) {
	case ARG_DIRFD:
		if ((int)v == AT_FDCWD) {
			seq_puts(s, "AT_FDCWD");
			break;
		}
		fallthrough;
	case ARG_FD:
	case ARG_INT:
	case ARG_PID:
		seq_printf(s, "%d", (int)v);
		break;
	case ARG_UID:
	case ARG_GID:
		if ((u32)v == U32_MAX)
			seq_puts(s, "-1");
		else
			seq_printf(s, "%u", (u32)v);
		break;
	case ARG_UINT:
	case ARG_DEV:
		seq_printf(s, "%u", (u32)v);
		break;
	case ARG_LONG:
	case ARG_OFF:
		seq_printf(s, "%ld", (long)v);
		break;
	case ARG_SIZE:
	case ARG_ULONG:
		seq_printf(s, "%lu", v);
		break;
	case ARG_PATH:
		put_string(s, v, 256);
		break;
	case ARG_STR:
		put_string(s, v, STRING_MAX);
		break;
	case ARG_INBUF:
		put_bytes(s, v, i + 1 < d->nr_args ? regs_arg(regs, i + 1) : 0);
		break;
	case ARG_STRV:
		put_strings(s, v);
		break;
	case ARG_MODE:
		seq_printf(s, "0%o", (u32)v);
		break;
	case ARG_OPEN_FLAGS:
		put_open_flags(s, (u32)v);
		break;
	case ARG_CLONE_FLAGS:
		PUT_FLAGS(s, v & ~0xfful, g_clone_flags, (v & 0xff) ? NULL : "0");
		if (v & 0xff) {
			if (v & ~0xfful)
				seq_putc(s, '|');
			PUT_NAME(s, v & 0xff, g_signals);
		}
		break;
	case ARG_SIG:
		if (v >= 32 && v <= 64)
			seq_printf(s, "SIGRT_%lu", v - 32);
		else
			PUT_NAME(s, v, g_signals);
		break;
	case ARG_SIG_HOW:
		PUT_NAME(s, v, g_sig_how);
		break;
	case ARG_WHENCE:
		PUT_NAME(s, v, g_whence);
		break;
	case ARG_FUTEX_OP:
		PUT_NAME(s, v & FUTEX_CMD_MASK, g_futex_ops);
		if (v & FUTEX_PRIVATE_FLAG)
			seq_puts(s, "_PRIVATE");
		if (v & FUTEX_CLOCK_REALTIME)
			seq_puts(s, "|FUTEX_CLOCK_REALTIME");
		break;
	case ARG_CLOCKID:
		PUT_NAME(s, v, g_clocks);
		break;
	case ARG_RLIMIT:
		PUT_NAME(s, v, g_rlimits);
		break;
	case ARG_SOCKET_TYPE:
		put_socket_type(s, (u32)v);
		break;
	case ARG_IOCTL:
	case ARG_PRCTL:
		seq_printf(s, v ? "%#x" : "%u", (u32)v);
		break;
	case ARG_EPOLL_OP:
		PUT_NAME(s, v, g_epoll_ops);
		break;
	default:
		if (!v)
			seq_puts(s, "NULL");
		else
			seq_printf(s, "%#lx", v);
		break;
	}
}

/* Output buffers are known only afterwards: they end the formatting at entry. */
static int put_args(struct seq_buf *s, const struct pt_regs *regs, const struct syscall_desc *d,
	int from, bool after, long ret)
{
	for (int i = from; i < d->nr_args; i++) {
		if (d->kinds[i] == ARG_OUTBUF && !after)
			return i;
		/* open and openat take a mode only for what they create. */
		if (d->kinds[i] == ARG_MODE && i && d->kinds[i - 1] == ARG_OPEN_FLAGS &&
			!(regs_arg(regs, i - 1) & (O_CREAT | __O_TMPFILE)))
			continue;
		if (i)
			seq_puts(s, ", ");
		if (d->kinds[i] == ARG_OUTBUF && ret > 0)
			put_bytes(s, regs_arg(regs, i), (size_t)ret);
		else
			put_arg(s, regs, d, i);
	}
	return d->nr_args;
}

static void put_result(struct seq_buf *s, long ret)
{
	if (ret >= 0 || ret < -MAX_ERRNO) {
		if (ret > 0xffff || ret < 0)
			seq_printf(s, ") = %#lx", ret);
		else
			seq_printf(s, ") = %ld", ret);
		return;
	}
	seq_printf(s, ") = -1 %s", errno_name((int)-ret));
}

/* Each CPU's trace line is built between entry and exit of a call of one thread: kept in its task. */
struct trace_line {
	struct seq_buf s;
	int next; /* argument to go on with at exit */
	char text[720];
};

void syscall_trace_enter(const struct pt_regs *regs)
{
	struct task *t = current_task();
	long nr = regs_syscall_nr(regs);
	struct trace_line *l = kmalloc(sizeof(*l), GFP_KERNEL);

	t->trace_line = l;
	if (!l)
		return;
	l->s = (struct seq_buf){.buf = l->text, .size = sizeof(l->text)};
	l->next = 0;
	if ((unsigned long)nr > SYSCALL_NR_MAX || !g_syscalls[nr].name) {
		seq_printf(&l->s, "syscall_%ld(", nr);
		return;
	}
	seq_printf(&l->s, "%s(", g_syscalls[nr].name);
	l->next = put_args(&l->s, regs, &g_syscalls[nr], 0, false, 0);
	/* Calls that don't come back are shown now. */
	if (nr == __NR_exit || nr == __NR_exit_group || nr == __NR_execve || nr == __NR_execveat)
		log_info("[%d] %.*s%s", task_tid(t), (int)l->s.len, l->text, ") ...");
}

void syscall_trace_exit(const struct pt_regs *regs, long nr, long ret)
{
	struct task *t = current_task();
	struct trace_line *l = t->trace_line;

	if (!l)
		return;
	t->trace_line = NULL;
	if ((unsigned long)nr <= SYSCALL_NR_MAX && g_syscalls[nr].name)
		(void)put_args(&l->s, regs, &g_syscalls[nr], l->next, true, ret);
	put_result(&l->s, ret);
	log_info("[%d] %.*s", task_tid(t), (int)l->s.len, l->text);
	kfree(l);
}

void syscall_trace_forget(struct task *t)
{
	kfree(t->trace_line);
	t->trace_line = NULL;
}
