# SPDX-License-Identifier: MIT
"""--trace beside strace: the lines below are what strace prints of tests/stress/traced.c on Linux, and the tracer has
to print the same."""
import re

from guest import TOP, run

LINES = r"""
clock_gettime(CLOCK_MONOTONIC, 0x8) = -1 EFAULT (Bad address)
rt_sigprocmask(SIG_BLOCK, [INT RT_2], [], 8) = 0
rt_sigprocmask(SIG_SETMASK, ~[RTMIN RT_1], [INT RT_2], 8) = 0
rt_sigprocmask(SIG_SETMASK, [], NULL, 8) = 0
setitimer(ITIMER_REAL, {it_interval={tv_sec=0, tv_usec=0}, it_value={tv_sec=5, tv_usec=0}}, NULL) = 0
timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC) = 3
timerfd_settime(3, 0, {it_interval={tv_sec=1, tv_nsec=0}, it_value={tv_sec=2, tv_nsec=3}}, NULL) = 0
close(3) = 0
pipe2([3, 4], O_CLOEXEC) = 0
write(4, "hello\n", 6) = 6
poll([{fd=3, events=POLLIN}, {fd=4, events=POLLPRI|POLLOUT}], 2, 10) = 2 ([{fd=3, revents=POLLIN}, {fd=4, revents=POLLOUT}])
readv(3, [{iov_base="hel", iov_len=3}, {iov_base="lo\n", iov_len=20}], 2) = 6
writev(4, [{iov_base="ab", iov_len=2}, {iov_base="cd", iov_len=2}], 2) = 4
ioctl(3, FIONREAD, [4]) = 0
epoll_create1(EPOLL_CLOEXEC) = 5
epoll_ctl(5, EPOLL_CTL_ADD, 3, {events=EPOLLIN|EPOLLET, data={u32=7, u64=7}}) = 0
epoll_wait(5, [{events=EPOLLIN, data={u32=7, u64=7}}], 4, 0) = 1
fstat(3, {st_mode=S_IFIFO|0600, st_size=0, ...}) = 0
close(5) = 0
setsockopt(5, SOL_TCP, TCP_NODELAY, [1], 4) = 0
getsockopt(5, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
bind(5, {sa_family=AF_INET, sin_port=htons(4321), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
getsockname(5, {sa_family=AF_INET, sin_port=htons(4321), sin_addr=inet_addr("127.0.0.1")}, [26 => 16]) = 0
close(5) = 0
close(5) = 0
socket(AF_UNIX, SOCK_STREAM, 0) = 5
connect(5, {sa_family=AF_UNIX, sun_path="/nosock"}, 110) = -1 ENOENT (No such file or directory)
connect(5, {sa_family=AF_UNIX, sun_path=@"nosock"}, 9) = -1 ECONNREFUSED (Connection refused)
close(5) = 0
bind(5, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 0
close(5) = 0
socketpair(AF_UNIX, SOCK_DGRAM, 0, [5, 6]) = 0
sendmsg(5, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="ab", iov_len=2}, {iov_base="cd", iov_len=2}], msg_iovlen=2, msg_controllen=0, msg_flags=0}, MSG_NOSIGNAL) = 4
prlimit64(0, RLIMIT_CORE, {rlim_cur=0, rlim_max=RLIM64_INFINITY}, NULL) = 0
prlimit64(0, RLIMIT_CORE, NULL, {rlim_cur=0, rlim_max=RLIM64_INFINITY}) = 0
write(1, 0x8, 5) = -1 EFAULT (Bad address)
rt_sigaction(SIGINT, 0x8, NULL, 8) = -1 EFAULT (Bad address)
poll(0x8, 1, 0) = -1 EFAULT (Bad address)
writev(4, 0x8, 2) = -1 EFAULT (Bad address)
wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 3
wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}], 0, NULL) = 4
sched_setaffinity(0, 8, [0]) = 0
sched_getaffinity(0, 8, 0x8) = -1 EFAULT (Bad address)
prctl(PR_SET_PDEATHSIG, SIGTERM) = 0
prctl(PR_GET_PDEATHSIG, [SIGTERM]) = 0
prctl(PR_SET_PDEATHSIG, 0) = 0
prctl(PR_SET_DUMPABLE, SUID_DUMP_USER) = 0
prctl(PR_GET_DUMPABLE) = 1 (SUID_DUMP_USER)
prctl(PR_SET_NAME, "xyz") = 0
prctl(PR_GET_NAME, "xyz") = 0
prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) = 1
prctl(PR_CAPBSET_DROP, 0x63 /* CAP_??? */) = -1 EINVAL (Invalid argument)
prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) = -1 EINVAL (Invalid argument)
prctl(PR_SET_CHILD_SUBREAPER, 1) = 0
prctl(PR_GET_CHILD_SUBREAPER, [1]) = 0
prctl(PR_SET_TIMERSLACK, 60000) = 0
prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS) = 0
prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0) = 0
prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) = 0
capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=1<<CAP_CHOWN|1<<CAP_NET_RAW|1<<CAP_SYSLOG, permitted=1<<CAP_CHOWN|1<<CAP_NET_RAW|1<<CAP_SYSLOG, inheritable=0}) = 0
capget({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=1<<CAP_CHOWN|1<<CAP_NET_RAW|1<<CAP_SYSLOG, permitted=1<<CAP_CHOWN|1<<CAP_NET_RAW|1<<CAP_SYSLOG, inheritable=0}) = 0
rt_sigreturn({mask=[ALRM]}) = -1 EINTR (Interrupted system call)
rt_sigsuspend([], 8) = ? ERESTARTNOHAND (To be restarted if no handler)
--- SIGALRM {si_signo=SIGALRM, si_code=SI_KERNEL} ---
--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x8} ---
+++ exited with 2 +++
+++ killed by SIGKILL +++
+++ killed by SIGSEGV +++
exit_group(7) = ?
+++ exited with 7 +++
""".strip().split("\n")
# With addresses, which differ from run to run.
PATTERNS = [
    r"nanosleep\(\{tv_sec=0, tv_nsec=1000\}, 0x7f[0-9a-f]+\) = 0",
    r"rt_sigaction\(SIGINT, \{sa_handler=0x[0-9a-f]+, sa_mask=\[USR1\], sa_flags=SA_RESTORER\|SA_RESTART, "
    r"sa_restorer=0x[0-9a-f]+\}, NULL, 8\) = 0",
    r"stat\(\"/nonexistent\", 0x7f[0-9a-f]+\) = -1 ENOENT \(No such file or directory\)",
    r"wait4\(-1, 0x7f[0-9a-f]+, WNOHANG, NULL\) = -1 ECHILD",
    r"utimensat\(AT_FDCWD, \"/nonexistent\", \[\{tv_sec=1, tv_nsec=2\}, \{tv_sec=3, tv_nsec=4\}\], 0\) = -1 ENOENT",
    r"prctl\(PR_SET_NAME, \"abc\"\) = 0",
    r"execve\(\"/bin/traced\", \[\"/bin/traced\"\], 0x[0-9a-f]+ /\* \d+ vars \*/\) = 0",
    r"sched_getaffinity\(0, 128, \[0\]\) = \d+",
    r"getdents64\(\d+, 0x7f[0-9a-f]+ /\* 3 entries \*/, 1024\) = 72",
    r"getdents64\(\d+, 0x7f[0-9a-f]+ /\* 0 entries \*/, 1024\) = 0",
    r"sendmsg\(\d+, \{msg_name=NULL, msg_namelen=0, msg_iov=\[\{iov_base=\"hi\", iov_len=2\}\], msg_iovlen=1, "
    r"msg_control=\[\{cmsg_len=24, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=\[0, 1\]\}\], "
    r"msg_controllen=24, msg_flags=0\}, 0\) = 2",
    r"recvmsg\(\d+, .*msg_control=\[\{cmsg_len=28, cmsg_level=SOL_SOCKET, cmsg_type=SCM_CREDENTIALS, "
    r"cmsg_data=\{pid=\d+, uid=0, gid=0\}\}, \{cmsg_len=24, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, "
    r"cmsg_data=\[\d+, \d+\]\}\], msg_controllen=56, msg_flags=0\}, MSG_DONTWAIT\) = 2",
    r"clone\(child_stack=NULL, flags=SIGCHLD\) = \d+",
    r"clone3\(\{flags=CLONE_PARENT_SETTID, parent_tid=0x7f[0-9a-f]+, exit_signal=SIGCHLD, stack=NULL, stack_size=0\} "
    r"=> \{parent_tid=\[(\d+)\]\}, 88\) = \1",
    r"--- SIGCHLD \{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=\d+, si_uid=0, si_status=2, si_utime=\d+, "
    r"si_stime=\d+\} ---",
    r"--- SIGCHLD \{si_signo=SIGCHLD, si_code=CLD_KILLED, si_pid=\d+, si_uid=0, si_status=SIGKILL, ",
    r"--- SIGUSR1 \{si_signo=SIGUSR1, si_code=SI_USER, si_pid=\d+, si_uid=0\} ---",
    r"--- SIGRT_3 \{si_signo=SIGRT_3, si_code=SI_QUEUE, si_pid=\d+, si_uid=0, si_int=77, si_ptr=0x4d\} ---",
    r"--- SIGWINCH \{si_signo=SIGWINCH, si_code=SI_USER, si_pid=\d+, si_uid=0\} ---",
]


def test_structures_are_printed_as_strace_does():
    done = run(TOP / "build/stress/root", "/bin/traced", options=["--as", "initramfs", "--trace"])
    assert done.returncode == 7, done.stderr[-2000:]
    printed = [re.sub(r"^\[ *[\d.]+\] \[\d+\] ", "", line.rstrip())
               for line in (done.stdout + done.stderr).decode(errors="replace").split("\n")]
    assert [line for line in LINES if line not in printed] == [], "\n".join(printed[-120:])
    text = "\n".join(printed)
    assert [p for p in PATTERNS if not re.search(p, text)] == [], text[-6000:]


def test_a_traced_call_reads_little_however_much_it_passes():
    done = run(TOP / "build/stress/root", "/bin/traced", options=["--as", "initramfs", "--trace"])
    lines = (done.stdout + done.stderr).decode(errors="replace").split("\n")
    line = next(s for s in lines if "writev(" in s and "40) = 40" in s)
    assert line.count("iov_base=") == 16 and ", ...], 40) = 40" in line, line
