/* SPDX-License-Identifier: MIT */
/* What the tests of every area share: checks, processes, gates, files. */
#include "contract.h"
#include <stdarg.h>
#include <grp.h>
#include "runner.h"

char self_path[PATH_MAX];

const char *errno_name(int err)
{
	static const struct {
		int err;
		const char *name;
	} names[] = {
#define E(x) {x, #x}
		{0, "0"},
		E(EPERM),
		E(ENOENT),
		E(ESRCH),
		E(EINTR),
		E(EIO),
		E(ENXIO),
		E(E2BIG),
		E(ENOEXEC),
		E(EBADF),
		E(ECHILD),
		E(EAGAIN),
		E(ENOMEM),
		E(EACCES),
		E(EFAULT),
		E(ENOTBLK),
		E(EBUSY),
		E(EEXIST),
		E(EXDEV),
		E(ENODEV),
		E(ENOTDIR),
		E(EISDIR),
		E(EINVAL),
		E(ENFILE),
		E(EMFILE),
		E(ENOTTY),
		E(ETXTBSY),
		E(EFBIG),
		E(ENOSPC),
		E(ESPIPE),
		E(EROFS),
		E(EMLINK),
		E(EPIPE),
		E(EDOM),
		E(ERANGE),
		E(EDEADLK),
		E(ENAMETOOLONG),
		E(ENOLCK),
		E(ENOSYS),
		E(ENOTEMPTY),
		E(ELOOP),
		E(ENODATA),
		E(ETIME),
		E(EOVERFLOW),
		E(EILSEQ),
		E(ENOTSOCK),
		E(EOPNOTSUPP),
		E(ETIMEDOUT),
		E(EINPROGRESS),
		E(ECANCELED),
		E(EOWNERDEAD),
		E(ENOTRECOVERABLE),
#undef E
	};
	static char number[16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].err == err)
			return names[i].name;
	snprintf(number, sizeof(number), "%d", err);
	return number;
}

void fail_at(const char *file, int line, const char *fmt, ...)
{
	char text[1024];
	const char *base = strrchr(file, '/');
	int n = snprintf(text, sizeof(text), "%s:%d: ", base ? base + 1 : file, line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - n - 1, fmt, ap);
	va_end(ap);
	strcat(text, "\n");
	if (write(REPORT_FD, text, strlen(text)) < 0)
		dprintf(2, "%s", text);
	_exit(EXIT_CHECK_FAILED);
}

void skip_test(const char *why)
{
	dprintf(REPORT_FD, "SKIP %s\n", why);
	_exit(EXIT_SKIP);
}

int wait_status(pid_t pid)
{
	int status;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got != pid)
		FAIL("waitpid(%d): expected the child, got %d (%s)", pid, got, errno_name(errno));
	return status;
}

void expect_exit(pid_t pid, int code)
{
	int status = wait_status(pid);

	if (WIFSIGNALED(status))
		FAIL("child: expected exit %d, got signal %d", code, WTERMSIG(status));
	if (WEXITSTATUS(status) != code)
		FAIL("child: expected exit %d, got exit %d", code, WEXITSTATUS(status));
}

void expect_signal(pid_t pid, int sig)
{
	int status = wait_status(pid);

	if (!WIFSIGNALED(status))
		FAIL("child: expected signal %d, got status %#x", sig, status);
	if (WTERMSIG(status) != sig)
		FAIL("child: expected signal %d, got signal %d", sig, WTERMSIG(status));
}

void await_state(pid_t tid, char state)
{
	char path[64], text[512];
	char got = '?';

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	for (int i = 0; i < 20000; i++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

		if (fd >= 0)
			close(fd);
		if (n > 0) {
			text[n] = 0;
			char *paren = strrchr(text, ')');
			got = paren ? paren[2] : '?';
			if (got == state)
				return;
		}
		if (i > 100)
			sleep_ns(MSEC / 2);
		else
			sched_yield();
	}
	FAIL("state of thread %d: expected %c, got %c", tid, state, got);
}

int exec_helper(const char *name, ...)
{
	char *argv[32] = {self_path, "--helper", (char *)name};
	int argc = 3;
	va_list ap;

	va_start(ap, name);
	while (argc < 31 && (argv[argc] = va_arg(ap, char *)))
		argc++;
	va_end(ap);
	argv[argc] = NULL;
	return execv(self_path, argv);
}

void become_user(uid_t uid, gid_t gid)
{
	OK(setgroups(0, NULL));
	OK(setresgid(gid, gid, gid));
	OK(setresuid(uid, uid, uid));
}

pid_t gettid_raw(void)
{
	return syscall(SYS_gettid);
}

struct gate gate_make(void)
{
	int p[2];

	OK(pipe2(p, O_CLOEXEC));
	return (struct gate){p[0], p[1]};
}

void gate_open(struct gate g)
{
	CHECK_EQ(write(g.w, "x", 1), 1);
}

void gate_wait(struct gate g)
{
	char c;
	ssize_t n;

	do
		n = read(g.r, &c, 1);
	while (n < 0 && errno == EINTR);
	CHECK_EQ(n, 1);
}

struct timespec ts_of(long long ns)
{
	return (struct timespec){ns / SEC, ns % SEC};
}

long long now_ns(clockid_t clock)
{
	struct timespec ts;

	OK(clock_gettime(clock, &ts));
	return ts.tv_sec * SEC + ts.tv_nsec;
}

void sleep_ns(long long ns)
{
	struct timespec ts = ts_of(ns);

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		continue;
}

void write_file(const char *path, const char *text)
{
	int fd = OK(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	OK(close(fd));
}

char *read_text(const char *path)
{
	static char text[256 * 1024];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		FAIL("open %s: expected success, got %s", path, errno_name(errno));
	while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += n;
	if (n < 0)
		FAIL("read %s: expected success, got %s", path, errno_name(errno));
	close(fd);
	text[len] = 0;
	return text;
}

int new_file(const char *path, int flags, mode_t mode)
{
	return OK(open(path, flags | O_CREAT | O_EXCL | O_CLOEXEC, mode));
}

size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

char *guarded_page(void)
{
	size_t page = page_size();
	char *p = OK(
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	OK(munmap(p + page, page));
	return p;
}

void on_signal(int sig, void (*handler)(int), int flags)
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};

	OK(sigaction(sig, &sa, NULL));
}
