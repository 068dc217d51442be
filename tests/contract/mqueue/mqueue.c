/* SPDX-License-Identifier: MIT */
/* POSIX message queues. Tests unlink what they make. */
#include "contract.h"
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statfs.h>

#define NAME "/contract"

static mqd_t make(int flags, long max, long size)
{
	struct mq_attr a = {.mq_maxmsg = max, .mq_msgsize = size};
	mqd_t q = OK(mq_open(NAME, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &a));

	OK(mq_unlink(NAME));
	return q;
}

static void put(mqd_t q, const char *text, unsigned prio)
{
	OK(mq_send(q, text, strlen(text) + 1, prio));
}

static char got[8192];
static unsigned got_prio;

static const char *take(mqd_t q)
{
	OK(mq_receive(q, got, sizeof(got), &got_prio));
	return got;
}

static long current(mqd_t q)
{
	struct mq_attr a;

	OK(mq_getattr(q, &a));
	return a.mq_curmsgs;
}

TEST(mq_open_creates_and_finds)
{
	mqd_t a = OK(mq_open(NAME, O_CREAT | O_EXCL | O_RDWR, 0640, NULL)), b;
	struct mq_attr attr;
	struct stat st;

	CHECK_ERR(mq_open(NAME, O_CREAT | O_EXCL | O_RDWR, 0600, NULL), EEXIST);
	b = OK(mq_open(NAME, O_RDONLY));
	put(a, "through", 1);
	CHECK_STR(take(b), "through");
	OK(mq_getattr(b, &attr));
	CHECK_EQ(attr.mq_maxmsg, 10);
	CHECK_EQ(attr.mq_msgsize, 8192);
	CHECK_EQ(attr.mq_curmsgs, 0);
	CHECK_EQ(attr.mq_flags, 0);
	OK(fstat(a, &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
	CHECK_EQ(st.st_size, 80);
	CHECK_EQ(fcntl(a, F_GETFD), FD_CLOEXEC);
	OK(mq_unlink(NAME));
	CHECK_ERR(mq_unlink(NAME), ENOENT);
	CHECK_ERR(mq_open(NAME, O_RDWR), ENOENT);
	put(a, "nameless", 1);
	CHECK_STR(take(b), "nameless");
}

TEST(mq_names)
{
	char name[300];

	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = 0;
	CHECK_ERR(syscall(SYS_mq_open, name, O_CREAT | O_RDWR, 0600, NULL), ENAMETOOLONG);
	name[255] = 0;
	OK(syscall(SYS_mq_open, name, O_CREAT | O_RDWR, 0600, NULL));
	OK(syscall(SYS_mq_unlink, name));
	CHECK_ERR(syscall(SYS_mq_open, "a/b", O_CREAT | O_RDWR, 0600, NULL), EACCES);
	CHECK_ERR(syscall(SYS_mq_open, "/a", O_CREAT | O_RDWR, 0600, NULL), EACCES);
	CHECK_ERR(syscall(SYS_mq_open, ".", O_CREAT | O_RDWR, 0600, NULL), EACCES);
	CHECK_ERR(syscall(SYS_mq_open, "..", O_RDWR, 0600, NULL), EACCES);
	CHECK_ERR(syscall(SYS_mq_open, "", O_CREAT | O_RDWR, 0600, NULL), ENOENT);
	CHECK_ERR(syscall(SYS_mq_open, BAD_PTR, O_CREAT | O_RDWR, 0600, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_mq_open, "a", O_CREAT | O_RDWR, 0600, BAD_PTR), EFAULT);
	CHECK_ERR(syscall(SYS_mq_unlink, "a/b"), EACCES);
	CHECK_ERR(syscall(SYS_mq_unlink, "nosuch"), ENOENT);
}

TEST(mq_attributes_have_limits)
{
	struct mq_attr a = {.mq_maxmsg = 0, .mq_msgsize = 10};

	CHECK_ERR(mq_open(NAME, O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a.mq_maxmsg = 10;
	a.mq_msgsize = -1;
	CHECK_ERR(mq_open(NAME, O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a.mq_msgsize = 8193; /* root may */
	mqd_t q = OK(mq_open(NAME, O_CREAT | O_RDWR, 0600, &a));
	OK(mq_close(q));
	OK(mq_unlink(NAME));
	a.mq_maxmsg = 65537;
	CHECK_ERR(mq_open(NAME, O_CREAT | O_RDWR, 0600, &a), EINVAL);
	pid_t pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		a.mq_maxmsg = 11;
		a.mq_msgsize = 10;
		CHECK_ERR(mq_open(NAME, O_CREAT | O_RDWR, 0600, &a), EINVAL);
		a.mq_maxmsg = 10;
		a.mq_msgsize = 8193;
		CHECK_ERR(mq_open(NAME, O_CREAT | O_RDWR, 0600, &a), EINVAL);
		a.mq_msgsize = 8192;
		OK(mq_open(NAME, O_CREAT | O_RDWR, 0600, &a));
		OK(mq_unlink(NAME));
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(messages_come_by_priority_then_in_order)
{
	mqd_t q = make(0, 10, 100);

	put(q, "low 1", 1);
	put(q, "high 1", 32767);
	put(q, "low 2", 1);
	put(q, "high 2", 32767);
	put(q, "none", 0);
	CHECK_EQ(current(q), 5);
	CHECK_STR(take(q), "high 1");
	CHECK_EQ(got_prio, 32767);
	CHECK_STR(take(q), "high 2");
	CHECK_STR(take(q), "low 1");
	CHECK_STR(take(q), "low 2");
	CHECK_EQ(got_prio, 1);
	CHECK_STR(take(q), "none");
	CHECK_EQ(got_prio, 0);
}

TEST(mq_argument_errors)
{
	mqd_t q = make(O_NONBLOCK, 2, 100);
	char buf[101];
	struct timespec bad = {0, 1000000000}, negative = {-1, 0};
	mqd_t r, w;

	CHECK_ERR(mq_send(q, buf, 101, 1), EMSGSIZE);
	CHECK_ERR(mq_send(q, buf, 1, 32768), EINVAL);
	CHECK_ERR(syscall(SYS_mq_timedsend, q, BAD_PTR, 1, 1, NULL), EFAULT);
	CHECK_ERR(mq_receive(q, buf, 99, NULL), EMSGSIZE);
	CHECK_ERR(mq_receive(q, buf, 100, NULL), EAGAIN);
	CHECK_ERR(mq_timedsend(q, buf, 1, 1, &bad), EINVAL);
	CHECK_ERR(mq_timedsend(q, buf, 1, 1, &negative), EINVAL);
	CHECK_ERR(mq_send(-1, buf, 1, 1), EBADF);
	CHECK_ERR(mq_send(1, buf, 1, 1), EBADF);
	OK(mq_send(q, buf, 0, 1));
	OK(mq_send(q, buf, 100, 1));
	CHECK_ERR(mq_send(q, buf, 1, 1), EAGAIN);
	CHECK_EQ(mq_receive(q, buf, 101, NULL), 0);
	CHECK_EQ(mq_receive(q, buf, 101, NULL), 100);
	r = OK(mq_open(NAME, O_CREAT | O_RDONLY, 0600, NULL));
	w = OK(mq_open(NAME, O_WRONLY));
	CHECK_ERR(mq_send(r, buf, 1, 1), EBADF);
	CHECK_ERR(mq_receive(w, got, sizeof(got), NULL), EBADF);
	CHECK_ERR(write(w, buf, 1), EINVAL);
	OK(mq_unlink(NAME));
}

/* Which of several errors is told. */
TEST(mq_arguments_are_looked_at_in_order)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD, .sigev_signo = -1};
	struct mq_attr a = {.mq_flags = O_APPEND};
	char cookie[32] = "";
	mqd_t q = make(0, 1, 10);

	CHECK_ERR(syscall(SYS_mq_getsetattr, -1, &a, NULL), EINVAL);
	ev.sigev_value.sival_ptr = BAD_PTR;
	CHECK_ERR(syscall(SYS_mq_notify, -1, &ev), EFAULT);
	ev.sigev_value.sival_ptr = cookie;
	CHECK_ERR(syscall(SYS_mq_notify, q, &ev), EBADF);
	ev.sigev_signo = OK(open("/dev/null", O_RDONLY));
	CHECK_ERR(syscall(SYS_mq_notify, -1, &ev), ENOTSOCK);
	ev.sigev_signo = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_ERR(syscall(SYS_mq_notify, -1, &ev), EINVAL);
	ev = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 0};
	OK(mq_notify(q, &ev)); /* nothing is sent */
	put(q, "x", 1);
	OK(mq_notify(q, &ev));
	CHECK_ERR(fsync(q), EINVAL);
	CHECK_ERR(syscall(SYS_mq_open, NAME + 1, O_ACCMODE, 0, NULL), ENOENT);
	OK(syscall(SYS_mq_open, NAME + 1, O_CREAT | O_ACCMODE, 0600, NULL));
	CHECK_ERR(syscall(SYS_mq_open, NAME + 1, O_ACCMODE, 0, NULL), EINVAL);
	OK(mq_unlink(NAME));
}

TEST(receiver_waits)
{
	mqd_t q = make(0, 2, 100);
	pid_t pid = FORK();

	if (!pid) {
		CHECK_STR(take(q), "wake");
		CHECK_EQ(got_prio, 3);
		_exit(0);
	}
	await_sleep(pid);
	put(q, "wake", 3);
	expect_exit(pid, 0);
	CHECK_EQ(current(q), 0);
}

TEST(sender_waits_and_is_not_overtaken)
{
	mqd_t q = make(0, 1, 100);
	pid_t a, b;

	put(q, "first", 1);
	a = FORK();
	if (!a) {
		put(q, "second", 1);
		_exit(0);
	}
	await_sleep(a);
	b = FORK();
	if (!b) {
		put(q, "third", 9);
		_exit(0);
	}
	await_sleep(b);
	CHECK_STR(take(q), "first");
	expect_exit(a, 0);
	CHECK_EQ(current(q), 1);
	CHECK_STR(take(q), "second");
	CHECK_STR(take(q), "third");
	expect_exit(b, 0);
}

TEST(mq_timeouts)
{
	mqd_t q = make(0, 1, 100);
	struct timespec t = ts_of(now_ns(CLOCK_REALTIME) + 50 * MSEC), past = {1, 0};
	long long start = now_ns(CLOCK_MONOTONIC);

	CHECK_ERR(mq_timedreceive(q, got, sizeof(got), NULL, &t), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 49 * MSEC);
	CHECK_ERR(mq_timedreceive(q, got, sizeof(got), NULL, &past), ETIMEDOUT);
	OK(mq_timedsend(q, "x", 2, 1, &past));
	CHECK_ERR(mq_timedsend(q, "x", 2, 1, &past), ETIMEDOUT);
	CHECK_EQ(mq_timedreceive(q, got, sizeof(got), NULL, &past), 2);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(signals_interrupt_mq_calls)
{
	mqd_t q = make(0, 1, 100);
	struct gate again = gate_make();
	pid_t pid = FORK();

	if (!pid) {
		on_signal(SIGUSR1, nothing, 0);
		CHECK_ERR(mq_receive(q, got, sizeof(got), NULL), EINTR);
		on_signal(SIGUSR1, nothing, SA_RESTART);
		gate_open(again);
		OK(mq_receive(q, got, sizeof(got), NULL));
		_exit(0);
	}
	await_sleep(pid);
	OK(kill(pid, SIGUSR1));
	gate_wait(again);
	await_sleep(pid);
	OK(kill(pid, SIGUSR1));
	await_sleep(pid);
	put(q, "end", 1);
	expect_exit(pid, 0);
}

TEST(mq_nonblock_flag)
{
	mqd_t q = make(0, 1, 100);
	struct mq_attr a = {.mq_flags = O_NONBLOCK, .mq_maxmsg = 99}, old;

	OK(mq_setattr(q, &a, &old));
	CHECK_EQ(old.mq_flags, 0);
	CHECK_EQ(old.mq_maxmsg, 1);
	CHECK_EQ(fcntl(q, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	CHECK_ERR(mq_receive(q, got, sizeof(got), NULL), EAGAIN);
	OK(mq_getattr(q, &a));
	CHECK_EQ(a.mq_flags, O_NONBLOCK);
	CHECK_EQ(a.mq_maxmsg, 1);
	a.mq_flags = O_APPEND;
	CHECK_ERR(syscall(SYS_mq_getsetattr, q, &a, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_mq_getsetattr, 1, NULL, NULL), EBADF);
	CHECK_ERR(syscall(SYS_mq_getsetattr, q, BAD_PTR, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_mq_getsetattr, q, NULL, BAD_PTR), EFAULT);
}

TEST(mq_poll)
{
	mqd_t q = make(0, 1, 100);
	struct pollfd p = {.fd = q, .events = POLLIN | POLLOUT};
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET}, out;
	int ep = OK(epoll_create1(0));

	OK(epoll_ctl(ep, EPOLL_CTL_ADD, q, &ev));
	CHECK_EQ(epoll_wait(ep, &out, 1, 0), 0);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	put(q, "x", 1);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN);
	CHECK_EQ(epoll_wait(ep, &out, 1, 0), 1);
	CHECK_EQ(epoll_wait(ep, &out, 1, 0), 0);
	pid_t pid = FORK();
	if (!pid) {
		p.events = POLLOUT;
		CHECK_EQ(poll(&p, 1, -1), 1);
		_exit(0);
	}
	await_sleep(pid);
	take(q);
	expect_exit(pid, 0);
}

static volatile siginfo_t seen;
static volatile int seen_count;

static void note(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	seen = *si;
	seen_count++;
}

static void watch(mqd_t q)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
	struct sigaction sa = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};

	ev.sigev_value.sival_int = 77;
	OK(sigaction(SIGUSR2, &sa, NULL));
	OK(mq_notify(q, &ev));
}

TEST(notification_by_signal_comes_once)
{
	mqd_t q = make(0, 5, 100);

	watch(q);
	pid_t pid = FORK();
	if (!pid) {
		put(q, "one", 1);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(seen_count, 1);
	CHECK_EQ(seen.si_code, SI_MESGQ);
	CHECK_EQ(seen.si_value.sival_int, 77);
	CHECK_EQ(seen.si_pid, pid);
	CHECK_EQ(seen.si_uid, 0);
	take(q);
	put(q, "two", 1);
	CHECK_EQ(seen_count, 1);
	watch(q); /* not empty: the next message doesn't count */
	put(q, "three", 1);
	CHECK_EQ(seen_count, 1);
	take(q);
	take(q);
	put(q, "four", 1);
	CHECK_EQ(seen_count, 2);
}

TEST(waiting_receiver_goes_before_notification)
{
	mqd_t q = make(0, 5, 100);

	watch(q);
	pid_t pid = FORK();
	if (!pid) {
		take(q);
		_exit(0);
	}
	await_sleep(pid);
	put(q, "for the receiver", 1);
	expect_exit(pid, 0);
	CHECK_EQ(seen_count, 0);
	put(q, "for us", 1);
	CHECK_EQ(seen_count, 1);
}

TEST(one_process_can_be_notified)
{
	mqd_t q = make(0, 5, 100);
	struct sigevent ev = {.sigev_notify = SIGEV_NONE};

	OK(mq_notify(q, &ev));
	CHECK_ERR(mq_notify(q, &ev), EBUSY);
	pid_t pid = FORK();
	if (!pid) {
		CHECK_ERR(mq_notify(q, &ev), EBUSY);
		OK(mq_notify(q, NULL)); /* not ours: nothing happens */
		CHECK_ERR(mq_notify(q, &ev), EBUSY);
		_exit(0);
	}
	expect_exit(pid, 0);
	OK(mq_notify(q, NULL));
	pid = FORK();
	if (!pid) {
		OK(mq_notify(q, &ev));
		_exit(0); /* closing ends it */
	}
	expect_exit(pid, 0);
	OK(mq_notify(q, &ev));
	ev.sigev_notify = 99;
	CHECK_ERR(mq_notify(q, &ev), EINVAL);
	ev.sigev_notify = SIGEV_SIGNAL;
	ev.sigev_signo = 65;
	CHECK_ERR(mq_notify(q, &ev), EINVAL);
	CHECK_ERR(mq_notify(1, &ev), EINVAL);
	CHECK_ERR(mq_notify(1, NULL), EBADF);
}

/* argv: descriptors of two gates. */
HELPER(new_program)
{
	struct gate running = {-1, atoi(argv[0])}, go = {atoi(argv[1]), -1};

	gate_open(running);
	gate_wait(go);
	return 5;
}

/* The new one may have rights that the sender lacks. */
TEST(notification_is_not_for_the_next_program)
{
	mqd_t q = make(0, 5, 100);
	struct gate running = gate_make(), go = gate_make();
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
	char fds[2][16];
	pid_t pid = FORK();

	if (!pid) {
		OK(mq_notify(q, &ev));
		OK(fcntl(q, F_SETFD, 0)); /* closing would end it */
		OK(fcntl(running.w, F_SETFD, 0));
		OK(fcntl(go.r, F_SETFD, 0));
		snprintf(fds[0], 16, "%d", running.w);
		snprintf(fds[1], 16, "%d", go.r);
		exec_helper("new_program", fds[0], fds[1], NULL);
		_exit(99);
	}
	gate_wait(running);
	CHECK_ERR(mq_notify(q, &ev), EBUSY);
	put(q, "x", 1);
	gate_open(go);
	expect_exit(pid, 5);
	OK(mq_notify(q, &ev)); /* the message used it up */
}

static struct gate notified;

static void in_thread(union sigval v)
{
	CHECK_EQ(v.sival_int, 5);
	gate_open(notified);
}

TEST(notification_by_thread)
{
	mqd_t q = make(0, 5, 100);
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD};

	notified = gate_make();
	ev.sigev_notify_function = in_thread;
	ev.sigev_value.sival_int = 5;
	OK(mq_notify(q, &ev));
	put(q, "x", 1);
	gate_wait(notified);
}

TEST(mq_limit_counts_bytes)
{
	pid_t pid = FORK();

	if (!pid) {
		/* two messages of 100 bytes: 2 * 48 + 2 * 48 + 200 */
		struct rlimit r = {392 * 2, 392 * 2};
		struct mq_attr a = {.mq_maxmsg = 2, .mq_msgsize = 100};
		mqd_t x, y;

		OK(setrlimit(RLIMIT_MSGQUEUE, &r));
		become_user(1000, 1000);
		x = OK(mq_open("/lim1", O_CREAT | O_RDWR, 0600, &a));
		y = OK(mq_open("/lim2", O_CREAT | O_RDWR, 0600, &a));
		a.mq_maxmsg = 1;
		a.mq_msgsize = 1;
		CHECK_ERR(mq_open("/lim3", O_CREAT | O_RDWR, 0600, &a), EMFILE);
		OK(mq_unlink("/lim1"));
		CHECK_ERR(mq_open("/lim3", O_CREAT | O_RDWR, 0600, &a), EMFILE);
		OK(mq_close(x));
		OK(mq_open("/lim3", O_CREAT | O_RDWR, 0600, &a));
		OK(mq_unlink("/lim3"));
		OK(mq_unlink("/lim2"));
		OK(mq_close(y));
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(mq_permissions)
{
	mqd_t q = OK(mq_open(NAME, O_CREAT | O_RDWR, 0604, NULL));
	pid_t pid = FORK();

	if (!pid) {
		become_user(1000, 1000);
		CHECK_ERR(mq_open(NAME, O_RDWR), EACCES);
		CHECK_ERR(mq_open(NAME, O_CREAT | O_WRONLY, 0600, NULL), EACCES);
		OK(mq_open(NAME, O_RDONLY));
		CHECK_ERR(mq_unlink(NAME), EACCES);
		_exit(0);
	}
	expect_exit(pid, 0);
	OK(mq_close(q));
	OK(mq_unlink(NAME));
	umask(077);
	q = OK(mq_open(NAME, O_CREAT | O_RDWR, 0, NULL)); /* whatever the mode */
	put(q, "x", 1);
	OK(mq_unlink(NAME));
}

TEST(mqueue_file_system)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	char want[128];
	struct statfs fs;
	struct stat st;
	mqd_t q, other;
	int dir;

	q = OK(mq_open(NAME, O_CREAT | O_RDWR, 0600, NULL));
	put(q, "12345", 1);
	OK(mkdir("m", 0700));
	OK(mount("none", "m", "mqueue", 0, NULL));
	OK(statfs("m", &fs));
	CHECK_EQ(fs.f_type, 0x19800202);
	OK(stat("m", &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 01777);
	CHECK_EQ(st.st_size, 40 + 20);
	dir = OK(open("m", O_RDONLY));
	OK(fsync(dir));
	OK(close(dir));
	CHECK_STR(read_text("m" NAME),
		"QSIZE:6          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n");
	take(q);
	OK(mq_notify(q, &ev));
	snprintf(want, sizeof(want), "QSIZE:0          NOTIFY:0     SIGNO:10    NOTIFY_PID:%-6d\n",
		getpid());
	CHECK_STR(read_text("m" NAME), want);
	OK(mq_notify(q, NULL));
	int fd = OK(open("m/made", O_CREAT | O_RDWR, 0600));
	other = OK(mq_open("/made", O_RDONLY));
	OK(syscall(SYS_mq_timedsend, fd, "hi", 3, 0, NULL));
	CHECK_STR(take(other), "hi");
	OK(unlink("m/made"));
	CHECK_ERR(mkdir("m/dir", 0700), EPERM);
	CHECK_ERR(mq_open("/made", O_RDONLY), ENOENT);
	OK(unlink("m" NAME));
	OK(close(fd));
	OK(mq_close(other));
	OK(umount("m"));
	CHECK_ERR(mq_unlink(NAME), ENOENT);
}

TEST(mq_sysctls)
{
	CHECK_STR(read_text("/proc/sys/fs/mqueue/msg_max"), "10\n");
	CHECK_STR(read_text("/proc/sys/fs/mqueue/msg_default"), "10\n");
	CHECK_STR(read_text("/proc/sys/fs/mqueue/msgsize_max"), "8192\n");
	CHECK_STR(read_text("/proc/sys/fs/mqueue/msgsize_default"), "8192\n");
	CHECK_STR(read_text("/proc/sys/fs/mqueue/queues_max"), "256\n");
	write_file("/proc/sys/fs/mqueue/msg_default", "3");
	mqd_t q = OK(mq_open(NAME, O_CREAT | O_RDWR, 0600, NULL));
	struct mq_attr a;
	OK(mq_getattr(q, &a));
	CHECK_EQ(a.mq_maxmsg, 3);
	OK(mq_unlink(NAME));
	write_file("/proc/sys/fs/mqueue/msg_default", "10");
	write_file("/proc/sys/fs/mqueue/queues_max", "0");
	pid_t pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		CHECK_ERR(mq_open(NAME, O_CREAT | O_RDWR, 0600, NULL), ENOSPC);
		_exit(0);
	}
	expect_exit(pid, 0);
	write_file("/proc/sys/fs/mqueue/queues_max", "256");
}

TEST(mq_carries_everything_between_processes)
{
	mqd_t q = make(0, 3, sizeof(long));
	pid_t pid[4];
	int status = 0;

	for (int i = 0; i < 4; i++) {
		pid[i] = FORK();
		if (pid[i])
			continue;
		long n, sum = 0;
		for (int k = 1; k <= 300; k++) {
			if (i & 1) {
				CHECK_EQ(mq_receive(q, (char *)&n, sizeof(n), NULL), sizeof(n));
				sum += n;
			} else {
				n = k;
				OK(mq_send(q, (char *)&n, sizeof(n), k % 5));
			}
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		expect_exit(pid[i], status);
	CHECK_EQ(current(q), 0);
}
