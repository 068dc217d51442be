/*
 * trace=syscalls: each call as strace prints it, one log line per call ("<unfinished ...>" is
 * avoided: arguments are formatted at entry, the result appended).
 */
#include "trace.h"
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
#include <linux/eventpoll.h>
#include <linux/fadvise.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <linux/wait.h>
#include <process/task.h>
#include <syscall/syscall.h>

/* ---- names and flags ------------------------------------------------------------------------ */

void trace_put_flags(
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
static const struct flag_name g_msg_flags[] = {F(MSG_OOB), F(MSG_PEEK), F(MSG_DONTROUTE),
	F(MSG_CTRUNC), F(MSG_PROBE), F(MSG_TRUNC), F(MSG_DONTWAIT), F(MSG_EOR), F(MSG_WAITALL),
	F(MSG_CONFIRM), F(MSG_ERRQUEUE), F(MSG_NOSIGNAL), F(MSG_MORE), F(MSG_WAITFORONE),
	F(MSG_FASTOPEN), F(MSG_CMSG_CLOEXEC)};
static const struct flag_name g_poll_events[] = {F(POLLIN), F(POLLPRI), F(POLLOUT), F(POLLERR),
	F(POLLHUP), F(POLLNVAL), F(POLLRDNORM), F(POLLRDBAND), F(POLLWRNORM), F(POLLWRBAND),
	F(POLLMSG), F(POLLRDHUP)};
static const struct flag_name g_epoll_events[] = {{1, "EPOLLIN"}, {2, "EPOLLPRI"}, {4, "EPOLLOUT"},
	{8, "EPOLLERR"}, {0x10, "EPOLLHUP"}, {0x40, "EPOLLRDNORM"}, {0x80, "EPOLLRDBAND"},
	{0x100, "EPOLLWRNORM"}, {0x200, "EPOLLWRBAND"}, {0x400, "EPOLLMSG"}, {0x2000, "EPOLLRDHUP"},
	{1u << 28, "EPOLLEXCLUSIVE"}, {1u << 29, "EPOLLWAKEUP"}, {1u << 30, "EPOLLONESHOT"},
	{1u << 31, "EPOLLET"}};
static const struct flag_name g_sa_flags[] = {{0x04000000, "SA_RESTORER"},
	{0x08000000, "SA_ONSTACK"}, {0x10000000, "SA_RESTART"}, {0x40000000, "SA_NODEFER"},
	{0x80000000, "SA_RESETHAND"}, {1, "SA_NOCLDSTOP"}, {2, "SA_NOCLDWAIT"}, {4, "SA_SIGINFO"}};
static const struct flag_name g_fd_flags[] = {F(O_NONBLOCK), F(O_CLOEXEC), F(O_DIRECT)};
static const struct flag_name g_epoll_flags[] = {{O_CLOEXEC, "EPOLL_CLOEXEC"}};
static const struct flag_name g_eventfd_flags[] = {
	{O_CLOEXEC, "EFD_CLOEXEC"}, {O_NONBLOCK, "EFD_NONBLOCK"}, {1, "EFD_SEMAPHORE"}};
static const struct flag_name g_timerfd_flags[] = {
	{O_CLOEXEC, "TFD_CLOEXEC"}, {O_NONBLOCK, "TFD_NONBLOCK"}};
static const struct flag_name g_signalfd_flags[] = {
	{O_CLOEXEC, "SFD_CLOEXEC"}, {O_NONBLOCK, "SFD_NONBLOCK"}};
static const struct flag_name g_inotify_flags[] = {
	{O_CLOEXEC, "IN_CLOEXEC"}, {O_NONBLOCK, "IN_NONBLOCK"}};
static const struct flag_name g_itimers[] = {F(ITIMER_REAL), F(ITIMER_VIRTUAL), F(ITIMER_PROF)};
static const struct flag_name g_rusage_who[] = {
	F(RUSAGE_SELF), F(RUSAGE_CHILDREN), F(RUSAGE_THREAD)};
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
void trace_put_value(struct seq_buf *s, u64 v, const struct flag_name *f, size_t n)
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
#define PUT_VALUE(s, v, values)      trace_put_value(s, v, values, ARRAY_SIZE(values))
#define PUT_FLAGS(s, v, flags, zero) trace_put_flags(s, v, flags, ARRAY_SIZE(flags), zero)

/* [INT CHLD], or ~[KILL] when more than half of them are in. */
void trace_put_sigset(struct seq_buf *s, u64 set)
{
	bool most = __builtin_popcountll(set) > 32;
	const char *sep = "";

	seq_puts(s, most ? "~[" : "[");
	if (most)
		set = ~set;
	for (u32 sig = 1; sig <= 64; sig++) {
		if (!(set >> (sig - 1) & 1))
			continue;
		if (sig < ARRAY_SIZE(g_signals))
			seq_printf(s, "%s%s", sep, g_signals[sig] + 3);
		else if (sig == 32)
			seq_printf(s, "%sRTMIN", sep);
		else
			seq_printf(s, "%sRT_%u", sep, sig - 32);
		sep = " ";
	}
	seq_putc(s, ']');
}

static void put_sigset_at(struct seq_buf *s, unsigned long p)
{
	u64 set;

	if (p && trace_fetch(s, &set, p, sizeof(set)))
		trace_put_sigset(s, set);
	else
		trace_put_address(s, p);
}

static void put_st_mode(struct seq_buf *s, u32 v)
{
	static const struct flag_name types[] = {F(S_IFREG), F(S_IFDIR), F(S_IFLNK), F(S_IFCHR),
		F(S_IFBLK), F(S_IFIFO), F(S_IFSOCK)};

	trace_put_value(s, v & S_IFMT, types, ARRAY_SIZE(types));
	seq_printf(s, "|0%o", v & ~(u32)S_IFMT);
}

static void put_rlim(struct seq_buf *s, u64 v)
{
	if (v == ~0ull)
		seq_puts(s, "RLIM64_INFINITY");
	else if (v > 1024 && v % 1024 == 0)
		seq_printf(s, "%llu*1024", (unsigned long long)v / 1024);
	else
		seq_printf(s, "%llu", (unsigned long long)v);
}

static void put_handler(struct seq_buf *s, unsigned long v)
{
	if (v == 0)
		seq_puts(s, "SIG_DFL");
	else if (v == 1)
		seq_puts(s, "SIG_IGN");
	else
		seq_printf(s, "%#lx", v);
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
	[ARG_EPOLL_EVENTS] = FLAGS(g_epoll_events, "0"),
	[ARG_ACCEPT_FLAGS] = FLAGS(g_socket_flags, "0"),
	[ARG_FD_FLAGS] = FLAGS(g_fd_flags, "0"),
	[ARG_EPOLL_FLAGS] = FLAGS(g_epoll_flags, "0"),
	[ARG_EVENTFD_FLAGS] = FLAGS(g_eventfd_flags, "0"),
	[ARG_TIMERFD_FLAGS] = FLAGS(g_timerfd_flags, "0"),
	[ARG_SIGNALFD_FLAGS] = FLAGS(g_signalfd_flags, "0"),
	[ARG_INOTIFY_FLAGS] = FLAGS(g_inotify_flags, "0"),
	[ARG_ITIMER] = VALUES(g_itimers),
	[ARG_MSG_FLAGS] = FLAGS(g_msg_flags, "0"),
	[ARG_POLL_EVENTS] = FLAGS(g_poll_events, "0"),
	[ARG_RUSAGE_WHO] = VALUES(g_rusage_who),
	[ARG_SA_FLAGS] = FLAGS(g_sa_flags, "0"),
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
		trace_put_flags(s, (u32)v, k->names, k->nr, k->zero);
	else
		trace_put_value(s, (u32)v, k->names, k->nr);
	return true;
}

void trace_put_scalar(struct seq_buf *s, u64 v, unsigned int kind)
{
	if (put_by_table(s, v, kind))
		return;
	switch (kind) {
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
		seq_printf(s, "%lld", (long long)v);
		break;
	case ARG_SIZE:
	case ARG_ULONG:
		seq_printf(s, "%llu", (unsigned long long)v);
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
		if (v == 32)
			seq_puts(s, "SIGRTMIN");
		else if (v > 32 && v <= 64)
			seq_printf(s, "SIGRT_%u", (u32)v - 32);
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
		trace_put_ioctl(s, (u32)v);
		break;
	case ARG_PRCTL:
		trace_put_prctl(s, (u32)v);
		break;
	case ARG_SOCKOPT_LEVEL:
		trace_put_sockopt_level(s, (u32)v);
		break;
	case ARG_ST_MODE:
		put_st_mode(s, (u32)v);
		break;
	case ARG_RLIM:
		put_rlim(s, v);
		break;
	case ARG_SA_HANDLER:
		put_handler(s, v);
		break;
	case ARG_EPOLL_DATA:
		seq_printf(s, "{u32=%u, u64=%llu}", (u32)v, (unsigned long long)v);
		break;
	case ARG_SIGSET_VALUE:
		trace_put_sigset(s, v);
		break;
	case ARG_EPOLL_OP:
		PUT_NAME(s, v, g_epoll_ops);
		break;
	default:
		trace_put_address(s, v);
		break;
	}
}

/* ---- arguments ------------------------------------------------------------------------------ */

/* How many structures an argument points to; 0: one, which isn't an array. */
static u64 array_count(unsigned int kind, const struct pt_regs *regs, int i, long ret)
{
	long nr = regs_syscall_nr(regs);

	switch (kind) {
	case ARG_S_pollfd:
	case ARG_S_iovec:
	case ARG_S_futex_waitv:
	case ARG_S_user_mmsghdr:
		return ret > 0 && kind == ARG_S_user_mmsghdr ? (u64)ret : regs_arg(regs, i + 1);
	case ARG_S_epoll_event:
		return nr == __NR_epoll_ctl ? 0 : (u64)max(ret, 0l);
	case ARG_S___kernel_timespec:
		return nr == __NR_utimensat ? 2 : 0;
	case ARG_S___kernel_old_timeval:
		return nr == __NR_utimes || nr == __NR_futimesat ? 2 : 0;
	default:
		return 0;
	}
}

static bool is_array(unsigned int kind, const struct pt_regs *regs)
{
	return array_count(kind, regs, 0, 1) != 0 || kind == ARG_S_pollfd || kind == ARG_S_iovec ||
		kind == ARG_S_futex_waitv || kind == ARG_S_user_mmsghdr;
}

static void put_struct(
	struct seq_buf *s, const struct pt_regs *regs, unsigned int kind, int i, long ret)
{
	bool out = kind & ARG_OUT, failed = ret < 0;
	long nr = regs_syscall_nr(regs);

	kind &= ~(u32)ARG_OUT;
	if (nr == __NR_nanosleep || nr == __NR_clock_nanosleep)
		failed = ret != -EINTR; /* the time that is left is there only then */
	if (out && failed)
		trace_put_address(s, regs_arg(regs, i));
	else
		trace_put_structs(s, regs_arg(regs, i), kind, array_count(kind, regs, i, ret),
			is_array(kind, regs),
			out && (kind == ARG_S_iovec || kind == ARG_S_user_msghdr) ? ret : -1);
}

/* What an option's value is by its length: a number, or bytes. */
static void put_optval(struct seq_buf *s, unsigned long p, long len)
{
	if (len == 4 && p)
		trace_put_numbers(s, p, 1, 4);
	else
		trace_put_bytes(s, p, (size_t)max(len, 0l));
}

static s32 length_at(struct seq_buf *s, unsigned long p)
{
	s32 v;

	return p && trace_fetch(s, &v, p, sizeof(v)) ? v : 0;
}

static void put_length(struct seq_buf *s, unsigned long p, s32 before)
{
	s32 v;

	if (!p || !trace_fetch(s, &v, p, sizeof(v)))
		trace_put_address(s, p);
	else if (v == before)
		seq_printf(s, "[%d]", v);
	else
		seq_printf(s, "[%d => %d]", before, v);
}

/* Known after the call only; ret: what it returned. */
static void put_out(
	struct trace_line *l, const struct pt_regs *regs, unsigned int kind, int i, long ret)
{
	unsigned long v = regs_arg(regs, i);
	struct seq_buf *s = &l->s;

	if (ret < 0 || (kind == ARG_OUTSTATUS && !ret)) {
		trace_put_address(s, v);
		return;
	}
	switch (kind) {
	case ARG_OUTBUF:
		trace_put_bytes(s, v, (size_t)ret);
		break;
	case ARG_SIGSET:
		put_sigset_at(s, v);
		break;
	case ARG_OUTSTATUS:
		trace_put_status(s, v);
		break;
	case ARG_OUTFDS:
		trace_put_numbers(s, v, 2, 4);
		break;
	case ARG_OUTUINT:
		trace_put_numbers(s, v, 1, 4);
		break;
	case ARG_OUTSA:
		trace_put_sockaddr(s, v, min(l->len_in, length_at(s, regs_arg(regs, i + 1))));
		break;
	case ARG_OUTLEN:
		put_length(s, v, l->len_in);
		break;
	case ARG_OUTCPUSET:
		trace_put_cpu_set(s, v, (u64)ret);
		break;
	case ARG_OUTCAPDATA:
		trace_put_cap_data(s, v, regs_arg(regs, i - 1));
		break;
	case ARG_DIRENTS:
		trace_put_dirents(s, v, ret);
		break;
	case ARG_OUTOPTVAL:
		put_optval(s, v, length_at(s, regs_arg(regs, i + 1)));
		break;
	}
}

static bool is_out(const struct pt_regs *regs, unsigned int kind)
{
	switch (kind) {
	case ARG_OUTBUF:
	case ARG_SIGSET:
	case ARG_OUTSTATUS:
	case ARG_OUTFDS:
	case ARG_OUTUINT:
	case ARG_OUTSA:
	case ARG_OUTLEN:
	case ARG_OUTOPTVAL:
	case ARG_OUTCPUSET:
	case ARG_OUTCAPDATA:
	case ARG_DIRENTS:
		return true;
	case ARG_IOCTL_ARG:
		return trace_ioctl_is_out((u32)regs_arg(regs, 1));
	default:
		return kind & ARG_OUT;
	}
}

/* What arguments point to, as it is before the call; and the numbers. */
static void put_memory_in(struct seq_buf *s, const struct pt_regs *regs, unsigned int kind, int i)
{
	unsigned long v = regs_arg(regs, i), next = i < 5 ? regs_arg(regs, i + 1) : 0;

	switch (kind) {
	case ARG_PATH:
		trace_put_string(s, v, 256);
		break;
	case ARG_STR:
		trace_put_string(s, v, TRACE_STRING_MAX);
		break;
	case ARG_INBUF:
		trace_put_bytes(s, v, next);
		break;
	case ARG_STRV:
		if (g_syscalls[regs_syscall_nr(regs)].kinds[i - 1] == ARG_STRV)
			trace_put_variables(s, v);
		else
			trace_put_strings(s, v);
		break;
	case ARG_CSIGSET:
		put_sigset_at(s, v);
		break;
	case ARG_INSA:
		trace_put_sockaddr(s, v, (int)next);
		break;
	case ARG_OPTVAL:
		put_optval(s, v, (int)next);
		break;
	case ARG_OFFP:
		if (v)
			trace_put_numbers(s, v, 1, 8);
		else
			trace_put_address(s, v);
		break;
	case ARG_FDSET:
		trace_put_fdset(s, v, (u32)max((int)regs_arg(regs, 0), 0));
		break;
	case ARG_SOCKOPT:
		trace_put_sockopt(s, (u32)regs_arg(regs, i - 1), (u32)v);
		break;
	case ARG_CPUSET:
		trace_put_cpu_set(s, v, regs_arg(regs, i - 1));
		break;
	case ARG_CAPHDR:
		trace_put_cap_header(s, v);
		break;
	case ARG_CAPDATA:
		trace_put_cap_data(s, v, regs_arg(regs, i - 1));
		break;
	default:
		trace_put_scalar(s, v, kind);
		break;
	}
}

/* Formatting at entry ends at the first argument that is known only afterwards. */
static int put_args(struct trace_line *l, const struct pt_regs *regs, const struct syscall_desc *d,
	int from, bool after, long ret)
{
	struct seq_buf *s = &l->s;
	long nr = regs_syscall_nr(regs);

	if (trace_has_own_form(nr)) {
		if (after)
			trace_put_own_form(s, regs, nr, ret);
		return 0;
	}
	for (int i = from; i < d->nr_args; i++) {
		unsigned int kind = d->kinds[i];

		if (!after && is_out(regs, kind))
			return i;
		/* open and openat take a mode only for what they create. */
		if (kind == ARG_MODE && i && d->kinds[i - 1] == ARG_OPEN_FLAGS &&
			!(regs_arg(regs, i - 1) & (O_CREAT | __O_TMPFILE)))
			continue;
		if (i)
			seq_puts(s, ", ");
		if ((kind & ~(u32)ARG_OUT) > ARG_S_NONE)
			put_struct(s, regs, kind, i, ret);
		else if (kind == ARG_IOCTL_ARG)
			trace_put_ioctl_arg(s, (u32)regs_arg(regs, 1), regs_arg(regs, i), ret);
		else if (is_out(regs, kind))
			put_out(l, regs, kind, i, ret);
		else
			put_memory_in(s, regs, kind, i);
	}
	return d->nr_args;
}

static void put_result(struct seq_buf *s, long nr, long ret)
{
	bool restarts = ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK;

	if (ret < 0 && ret >= -MAX_ERRNO)
		seq_printf(s, ") = %s %s (%s)", restarts ? "?" : "-1", errno_name((int)-ret),
			errno_text((int)-ret));
	else if (nr == __NR_mmap || nr == __NR_mremap || nr == __NR_brk)
		seq_printf(s, ") = %#lx", ret);
	else
		seq_printf(s, ") = %ld", ret);
}

static bool is_poll(long nr)
{
	return nr == __NR_poll || nr == __NR_ppoll;
}

static bool is_select(long nr)
{
	return nr == __NR_select || nr == __NR_pselect6;
}

/* What strace adds after the result. */
static void put_remarks(struct seq_buf *s, const struct pt_regs *regs, long nr, long ret)
{
	if ((is_poll(nr) || is_select(nr)) && !ret)
		seq_puts(s, " (Timeout)");
	else if (is_poll(nr) && ret > 0)
		trace_put_poll_results(s, regs_arg(regs, 0), regs_arg(regs, 1));
	else if (trace_is_dumpable(regs, nr, ret)) {
		seq_puts(s, " (");
		trace_put_dumpable(s, ret);
		seq_putc(s, ')');
	}
}

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
	l->copied = 0;
	l->len_in = 0;
	if ((unsigned long)nr > SYSCALL_NR_MAX || !g_syscalls[nr].name) {
		seq_printf(&l->s, "syscall_%ld(", nr);
		return;
	}
	seq_printf(&l->s, "%s(", g_syscalls[nr].name);
	l->next = put_args(l, regs, &g_syscalls[nr], 0, false, 0);
	for (int i = 0; i < g_syscalls[nr].nr_args; i++)
		if (g_syscalls[nr].kinds[i] == ARG_OUTLEN)
			l->len_in = length_at(&l->s, regs_arg(regs, i));
	/* Calls that don't come back are shown now. */
	if (nr == __NR_exit || nr == __NR_exit_group)
		log_info("[%d] %.*s) = ?", task_tid(t), (int)l->s.len, l->text);
}

void syscall_trace_exit(const struct pt_regs *regs, long nr, long ret)
{
	struct task *t = current_task();
	struct trace_line *l = t->trace_line;

	if (!l)
		return;
	t->trace_line = NULL;
	if ((unsigned long)nr <= SYSCALL_NR_MAX && g_syscalls[nr].name)
		(void)put_args(l, regs, &g_syscalls[nr], l->next, true, ret);
	if (nr == __NR_rt_sigreturn) {
		seq_puts(&l->s, "{mask=");
		trace_put_sigset(&l->s, t->blocked);
		seq_putc(&l->s, '}');
	}
	put_result(&l->s, nr, ret);
	put_remarks(&l->s, regs, nr, ret);
	log_info("[%d] %.*s", task_tid(t), (int)l->s.len, l->text);
	kfree(l);
}

void syscall_trace_forget(struct task *t)
{
	kfree(t->trace_line);
	t->trace_line = NULL;
}
