/* SPDX-License-Identifier: MIT */
/* Pseudo-terminals and the line discipline. */
#include "contract.h"
#include <termios.h>

static int g_master, g_slave;

static void open_pty(void)
{
	char path[32];
	int n, zero = 0;

	g_master = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
	OK(ioctl(g_master, TIOCSPTLCK, &zero));
	OK(ioctl(g_master, TIOCGPTN, &n));
	snprintf(path, sizeof(path), "/dev/pts/%d", n);
	g_slave = OK(open(path, O_RDWR | O_NOCTTY | O_CLOEXEC));
}

/* Sets the slave's local, input and output flags; the rest as at open. */
static void set_modes(tcflag_t local, tcflag_t in, tcflag_t out)
{
	struct termios t;

	OK(tcgetattr(g_slave, &t));
	t.c_lflag = local;
	t.c_iflag = in;
	t.c_oflag = out;
	OK(tcsetattr(g_slave, TCSANOW, &t));
}

static void raw_mode(int vmin, int vtime)
{
	struct termios t;

	OK(tcgetattr(g_slave, &t));
	t.c_lflag = t.c_iflag = t.c_oflag = 0;
	t.c_cc[VMIN] = vmin;
	t.c_cc[VTIME] = vtime;
	OK(tcsetattr(g_slave, TCSANOW, &t));
}

static void type(const char *text)
{
	CHECK_EQ(write(g_master, text, strlen(text)), strlen(text));
}

/* Reads from fd what is there now (waiting for `want` bytes first). */
static char *take(int fd, size_t want)
{
	static char buf[1024];
	size_t len = 0;

	while (len < want) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		int n = OK(poll(&pfd, 1, 3000));

		if (!n)
			break;
		ssize_t got = OK(read(fd, buf + len, sizeof(buf) - 1 - len));
		if (!got)
			break;
		len += got;
	}
	buf[len] = 0;
	return buf;
}

static void expect_read(int fd, const char *text)
{
	CHECK_STR(take(fd, strlen(text)), text);
}

static void expect_empty(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	CHECK_EQ(poll(&pfd, 1, 0), 0);
}

TEST(default_attributes_of_a_new_terminal)
{
	struct termios t;

	open_pty();
	OK(tcgetattr(g_slave, &t));
	CHECK_EQ(t.c_iflag, ICRNL | IXON);
	CHECK_EQ(t.c_oflag, OPOST | ONLCR);
	CHECK_EQ(t.c_cflag, CS8 | CREAD | B38400);
	CHECK_EQ(t.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
	CHECK_EQ(t.c_cc[VINTR], 3);
	CHECK_EQ(t.c_cc[VERASE], 127);
	CHECK_EQ(t.c_cc[VEOF], 4);
	CHECK_EQ(t.c_cc[VMIN], 1);
}

TEST(canonical_input_waits_for_a_line)
{
	open_pty();
	set_modes(ICANON, 0, 0);
	type("abc");
	expect_empty(g_slave);
	type("d\nnext\n");
	char buf[64];
	CHECK_EQ(read(g_slave, buf, sizeof(buf)), 5);
	CHECK(!memcmp(buf, "abcd\n", 5));
	CHECK_EQ(read(g_slave, buf, 2), 2);
	CHECK_EQ(read(g_slave, buf, sizeof(buf)), 3);
	CHECK(!memcmp(buf, "xt\n", 3));
}

TEST(erase_word_erase_and_kill_edit_the_line)
{
	open_pty();
	set_modes(ICANON | IEXTEN, 0, 0);
	type("abx\177c\n");
	expect_read(g_slave, "abc\n");
	type("one two\027three\n");
	expect_read(g_slave, "one three\n");
	type("garbage\025good\n");
	expect_read(g_slave, "good\n");
	type("\177\177x\n");
	expect_read(g_slave, "x\n");
	type("a\026\177b\n");
	expect_read(g_slave, "a\177b\n");
}

TEST(a_signal_character_restarts_stopped_output)
{
	struct pollfd p = {.events = POLLOUT};

	open_pty();
	set_modes(ISIG | ICANON, IXON, 0);
	p.fd = g_slave;
	type("\023");
	CHECK_EQ(poll(&p, 1, 0), 0);
	type("\003");
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(write(g_slave, "x", 1), 1);
	expect_read(g_master, "x");
}

TEST(only_TCOON_undoes_TCOOFF)
{
	struct pollfd p = {.events = POLLOUT};
	int on = 1;
	char c;

	open_pty();
	set_modes(ISIG | ICANON, IXON, 0);
	OK(ioctl(g_master, TIOCPKT, &on));
	p.fd = g_slave;
	OK(ioctl(g_slave, TCXONC, TCOOFF));
	CHECK_EQ(read(g_master, &c, 1), 1);
	CHECK_EQ(c, TIOCPKT_STOP);
	type("\021\003");
	CHECK_EQ(poll(&p, 1, 0), 0);
	OK(ioctl(g_slave, TCXONC, TCOON));
	CHECK_EQ(poll(&p, 1, 0), 1);
	p.fd = g_master;
	p.events = POLLPRI;
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(read(g_master, &c, 1), 1);
	CHECK_EQ(c & TIOCPKT_START, TIOCPKT_START);
}

TEST(EOF_character_ends_a_read_without_itself)
{
	char buf[16];

	open_pty();
	set_modes(ICANON, 0, 0);
	type("ab\004");
	CHECK_EQ(read(g_slave, buf, 16), 2);
	type("\004");
	CHECK_EQ(read(g_slave, buf, 16), 0);
	type("c\n");
	CHECK_EQ(read(g_slave, buf, 16), 2);
}

TEST(EOL_characters_end_lines)
{
	struct termios t;

	open_pty();
	OK(tcgetattr(g_slave, &t));
	t.c_lflag = ICANON;
	t.c_iflag = 0;
	t.c_cc[VEOL] = ';';
	OK(tcsetattr(g_slave, TCSANOW, &t));
	type("a;b");
	expect_read(g_slave, "a;");
	expect_empty(g_slave);
}

TEST(echo_forms)
{
	open_pty();
	set_modes(ICANON | ECHO | ECHOE | ECHOCTL | ECHOK, 0, OPOST | ONLCR);
	type("ab");
	expect_read(g_master, "ab");
	type("\177");
	expect_read(g_master, "\b \b");
	type("\001");
	expect_read(g_master, "^A");
	type("\n");
	expect_read(g_master, "\r\n");
	set_modes(ICANON | ECHONL, 0, 0);
	type("hidden\n");
	expect_read(g_master, "\n");
	expect_empty(g_master);
}

TEST(input_flags_map_characters)
{
	open_pty();
	set_modes(0, ICRNL, 0);
	type("a\rb");
	expect_read(g_slave, "a\nb");
	set_modes(0, INLCR, 0);
	type("a\nb");
	expect_read(g_slave, "a\rb");
	set_modes(0, IGNCR, 0);
	type("a\rb");
	expect_read(g_slave, "ab");
	set_modes(0, ISTRIP, 0);
	type("\341");
	expect_read(g_slave, "a");
	set_modes(IEXTEN, IUCLC, 0);
	type("ABC");
	expect_read(g_slave, "abc");
}

TEST(output_flags_map_characters)
{
	open_pty();
	set_modes(0, 0, OPOST | ONLCR);
	CHECK_EQ(write(g_slave, "a\nb", 3), 3);
	expect_read(g_master, "a\r\nb");
	set_modes(0, 0, ONLCR);
	CHECK_EQ(write(g_slave, "a\nb", 3), 3);
	expect_read(g_master, "a\nb");
	set_modes(0, 0, OPOST | OCRNL);
	CHECK_EQ(write(g_slave, "a\rb", 3), 3);
	expect_read(g_master, "a\nb");
	set_modes(0, 0, OPOST | OLCUC);
	CHECK_EQ(write(g_slave, "abc", 3), 3);
	expect_read(g_master, "ABC");
	set_modes(0, 0, OPOST | TABDLY);
	CHECK_EQ(write(g_slave, "\ra\tb", 4), 4);
	expect_read(g_master, "\ra       b");
}

TEST(raw_VMIN_waits_for_that_many)
{
	char buf[16];

	open_pty();
	raw_mode(3, 0);
	pid_t pid = FORK();
	if (!pid) {
		CHECK_EQ(read(g_slave, buf, 16), 3);
		_exit(0);
	}
	await_sleep(pid);
	type("ab");
	await_sleep(pid);
	type("c");
	expect_exit(pid, 0);
}

TEST(raw_VMIN_0_returns_at_once_and_VTIME_after_a_pause)
{
	char buf[16];
	long long start;

	open_pty();
	raw_mode(0, 0);
	CHECK_EQ(read(g_slave, buf, 16), 0);
	raw_mode(0, 1);
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_EQ(read(g_slave, buf, 16), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 90 * MSEC);
	raw_mode(10, 1);
	type("ab");
	CHECK_EQ(read(g_slave, buf, 16), 2);
}

TEST(nonblocking_read_is_EAGAIN)
{
	char c;

	open_pty();
	OK(fcntl(g_slave, F_SETFL, O_NONBLOCK));
	CHECK_ERR(read(g_slave, &c, 1), EAGAIN);
	OK(fcntl(g_master, F_SETFL, O_NONBLOCK));
	CHECK_ERR(read(g_master, &c, 1), EAGAIN);
}

TEST(interrupt_flushes_typed_input_unless_NOFLSH)
{
	open_pty();
	OK(ioctl(g_slave, TIOCSCTTY, 0));
	on_signal(SIGINT, SIG_IGN, 0);
	set_modes(ICANON | ISIG, 0, 0);
	type("lost\003kept\n");
	expect_read(g_slave, "kept\n");
	set_modes(ICANON | ISIG | NOFLSH, 0, 0);
	type("kept\003too\n");
	expect_read(g_slave, "kepttoo\n");
}

TEST(window_size_is_shared_and_changes_signal)
{
	struct winsize ws = {.ws_row = 24, .ws_col = 80}, got;
	sigset_t set;

	open_pty();
	OK(ioctl(g_slave, TIOCSCTTY, 0));
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	OK(ioctl(g_slave, TIOCGWINSZ, &got));
	CHECK_EQ(got.ws_row, 0);
	OK(ioctl(g_master, TIOCSWINSZ, &ws));
	CHECK_EQ(sigwaitinfo(&set, NULL), SIGWINCH);
	OK(ioctl(g_slave, TIOCGWINSZ, &got));
	CHECK_EQ(got.ws_row, 24);
	CHECK_EQ(got.ws_col, 80);
	OK(ioctl(g_master, TIOCSWINSZ, &ws));
	struct timespec none = {0, 0};
	CHECK_ERR(sigtimedwait(&set, NULL, &none), EAGAIN);
}

TEST(slave_close_gives_the_master_EIO)
{
	char c;

	open_pty();
	set_modes(0, 0, 0);
	CHECK_EQ(write(g_slave, "last", 4), 4);
	OK(close(g_slave));
	expect_read(g_master, "last");
	CHECK_ERR(read(g_master, &c, 1), EIO);
	struct pollfd pfd = {.fd = g_master, .events = POLLIN};
	CHECK_EQ(poll(&pfd, 1, 0), 1);
	CHECK(pfd.revents & POLLHUP);
}

TEST(master_close_gives_the_slave_end_of_file_and_EIO)
{
	char c;

	open_pty();
	OK(close(g_master));
	CHECK_EQ(read(g_slave, &c, 1), 0);
	CHECK_ERR(write(g_slave, "x", 1), EIO);
	CHECK_ERR(ioctl(g_slave, TCGETS, &c), EIO);
	struct pollfd pfd = {.fd = g_slave, .events = POLLIN};
	CHECK_EQ(poll(&pfd, 1, 0), 1);
	CHECK(pfd.revents & POLLHUP);
}

TEST(locked_slave_is_EIO_and_gone_slave_ENOENT)
{
	char path[32];
	int n, master = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));

	OK(ioctl(master, TIOCGPTN, &n));
	snprintf(path, sizeof(path), "/dev/pts/%d", n);
	CHECK_ERR(open(path, O_RDWR | O_NOCTTY), EIO);
	OK(close(master));
	CHECK_ERR(open(path, O_RDWR | O_NOCTTY), ENOENT);
}

TEST(slave_can_be_opened_from_the_master)
{
	int zero = 0, slave;

	open_pty();
	OK(ioctl(g_master, TIOCSPTLCK, &zero));
	slave = OK(ioctl(g_master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
	set_modes(0, 0, 0);
	CHECK_EQ(write(slave, "peer", 4), 4);
	expect_read(g_master, "peer");
}

TEST(packet_mode_reports_flush_and_data)
{
	int one = 1;
	char buf[8];

	open_pty();
	set_modes(0, 0, 0);
	OK(ioctl(g_master, TIOCPKT, &one));
	CHECK_EQ(write(g_slave, "hi", 2), 2);
	CHECK_EQ(read(g_master, buf, 8), 3);
	CHECK_EQ(buf[0], TIOCPKT_DATA);
	CHECK_EQ(buf[1], 'h');
	OK(tcflush(g_slave, TCIFLUSH));
	CHECK_EQ(read(g_master, buf, 8), 1);
	CHECK(buf[0] & TIOCPKT_FLUSHREAD);
}

TEST(tcflush_drops_input)
{
	open_pty();
	set_modes(0, 0, 0);
	type("abc");
	int n = 0;
	while (n < 3) /* input may arrive a little later */
		OK(ioctl(g_slave, FIONREAD, &n));
	CHECK_EQ(n, 3);
	OK(tcflush(g_slave, TCIFLUSH));
	OK(ioctl(g_slave, FIONREAD, &n));
	CHECK_EQ(n, 0);
	CHECK_ERR(ioctl(g_slave, TCFLSH, 9), EINVAL);
}

TEST(stop_and_start_characters_hold_output)
{
	open_pty();
	set_modes(0, IXON, 0);
	struct pollfd pfd = {.fd = g_slave, .events = POLLOUT};
	type("\023");
	while (OK(poll(&pfd, 1, 0))) /* the character may arrive a little later */
		sched_yield();
	OK(fcntl(g_slave, F_SETFL, O_NONBLOCK));
	CHECK_ERR(write(g_slave, "held", 4), EAGAIN);
	expect_empty(g_master);
	type("\021");
	CHECK_EQ(poll(&pfd, 1, 3000), 1);
	CHECK_EQ(write(g_slave, "free", 4), 4);
	expect_read(g_master, "free");
}

TEST(TCSETSF_flushes_input_TCSETSW_does_not)
{
	struct termios t;

	open_pty();
	set_modes(0, 0, 0);
	type("abc");
	OK(tcgetattr(g_slave, &t));
	OK(tcsetattr(g_slave, TCSADRAIN, &t));
	expect_read(g_slave, "abc");
	type("def");
	int n = 0;
	while (n < 3) /* input may arrive a little later */
		OK(ioctl(g_slave, FIONREAD, &n));
	OK(tcsetattr(g_slave, TCSAFLUSH, &t));
	OK(fcntl(g_slave, F_SETFL, O_NONBLOCK));
	char c;
	CHECK_ERR(read(g_slave, &c, 1), EAGAIN);
}

TEST(terminal_ioctls_on_other_files_are_ENOTTY)
{
	int p[2], file = new_file("f", O_RDWR, 0600);
	struct termios t;

	OK(pipe(p));
	CHECK_ERR(tcgetattr(p[0], &t), ENOTTY);
	CHECK_ERR(tcgetattr(file, &t), ENOTTY);
	CHECK_ERR(ioctl(file, TIOCGWINSZ, &t), ENOTTY);
	open_pty();
	CHECK_ERR(ioctl(g_slave, 0x5499, &t), ENOTTY);
	CHECK_ERR(ioctl(g_slave, TCGETS, BAD_PTR), EFAULT);
}

TEST(a_pty_passes_much_data_both_ways)
{
	static char buf[4096];
	size_t total = 0;

	open_pty();
	raw_mode(1, 0);
	pid_t pid = FORK();
	if (!pid) {
		for (int i = 0; i < 20; i++) {
			memset(buf, 'a' + i, sizeof(buf));
			CHECK_EQ(write(g_slave, buf, sizeof(buf)), sizeof(buf));
		}
		_exit(0);
	}
	while (total < 20 * sizeof(buf)) {
		ssize_t n = OK(read(g_master, buf, sizeof(buf)));

		for (ssize_t i = 0; i < n; i++)
			CHECK_EQ(buf[i], 'a' + (total + i) / sizeof(buf));
		total += n;
	}
	expect_exit(pid, 0);
}

TEST(ttyname_through_proc_names_the_slave)
{
	char path[64], target[64] = "", want[64];
	int n;

	open_pty();
	OK(ioctl(g_master, TIOCGPTN, &n));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", g_slave);
	snprintf(want, sizeof(want), "/dev/pts/%d", n);
	OK(readlink(path, target, sizeof(target) - 1));
	CHECK_STR(target, want);
	CHECK_EQ(isatty(g_slave), 1);
}

static void *open_and_close_masters(void *arg)
{
	int zero = 0;

	for (int i = 0; i < 1000; i++) {
		int fd = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
		OK(ioctl(fd, TIOCSPTLCK, &zero));
		OK(close(fd));
	}
	return arg;
}

static bool masters_done; /* atomic */

static void *open_slaves(void *arg)
{
	char path[32], c;

	snprintf(path, sizeof(path), "/dev/pts/%d", *(int *)arg);
	do {
		int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), err = errno;

		if (fd < 0) {
			CHECK(err == ENOENT || err == EIO);
			continue;
		}
		ssize_t n = read(fd, &c, 1);
		err = n < 0 ? errno : 0;
		CHECK(n <= 0 && (err == 0 || err == EAGAIN || err == EIO));
		n = write(fd, "x", 1);
		err = n < 0 ? errno : 0;
		CHECK(n == 1 || err == EIO || err == EAGAIN);
		OK(close(fd));
	} while (!__atomic_load_n(&masters_done, __ATOMIC_ACQUIRE));
	return NULL;
}

TEST(slaves_can_be_opened_while_their_master_closes)
{
	pthread_t masters[2], slaves[2];
	int n;

	open_pty();
	OK(ioctl(g_master, TIOCGPTN, &n));
	OK(close(g_slave));
	OK(close(g_master));
	for (int i = 0; i < 2; i++) {
		CHECK_PT(pthread_create(&masters[i], NULL, open_and_close_masters, NULL));
		CHECK_PT(pthread_create(&slaves[i], NULL, open_slaves, &n));
	}
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_join(masters[i], NULL));
	__atomic_store_n(&masters_done, true, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_join(slaves[i], NULL));
}

TEST(a_slave_without_its_master_cannot_be_opened_by_a_descriptor)
{
	char path[64];
	int n;

	open_pty();
	OK(ioctl(g_master, TIOCGPTN, &n));
	snprintf(path, sizeof(path), "/dev/pts/%d", n);
	int fd = OK(open(path, O_PATH | O_CLOEXEC));
	OK(close(g_slave));
	OK(close(g_master));
	CHECK_ERR(open(path, O_RDWR | O_NOCTTY), ENOENT);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_ERR(open(path, O_RDWR | O_NOCTTY), EIO);
}
