/* SPDX-License-Identifier: MIT */
/* Flow control of terminals, locked settings, and the ioctls of a master. */
#include "contract.h"
#include <termios.h>

#ifndef TIOCGLCKTRMIOS
#define TIOCGLCKTRMIOS 0x5456
#define TIOCSLCKTRMIOS 0x5457
#endif

static int g_master, g_slave;

static void open_pty(void)
{
	int zero = 0, nr;
	char path[32];

	signal(SIGINT, SIG_IGN);
	g_master = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK));
	OK(ioctl(g_master, TIOCSPTLCK, &zero));
	OK(ioctl(g_master, TIOCGPTN, &nr));
	snprintf(path, sizeof(path), "/dev/pts/%d", nr);
	g_slave = OK(open(path, O_RDWR | O_NOCTTY | O_NONBLOCK));
}

static void change_modes(tcflag_t in_off, tcflag_t in_on, tcflag_t local_on)
{
	struct termios t;

	OK(tcgetattr(g_slave, &t));
	t.c_iflag = (t.c_iflag & ~in_off) | in_on;
	t.c_lflag |= local_on;
	OK(tcsetattr(g_slave, TCSANOW, &t));
}

static bool writable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return OK(poll(&p, 1, 0)) == 1 && (p.revents & POLLOUT);
}

/* What is typed is processed after a moment; then output stands still, or goes on. */
static void expect_output(bool flows)
{
	for (int i = 0; i < 2000 && writable(g_slave) != flows; i++)
		usleep(1000);
	if (flows)
		CHECK_EQ(write(g_slave, "x", 1), 1);
	else
		CHECK_ERR(write(g_slave, "x", 1), EAGAIN);
}

static void type(const char *text)
{
	CHECK_EQ(write(g_master, text, strlen(text)), strlen(text));
}

/* Typed and processed, though nothing shows it: what follows it can be read. */
static void type_and_settle(const char *text)
{
	struct pollfd p = {.fd = g_slave, .events = POLLIN};
	char line[64];

	type(text);
	type("\n");
	CHECK_EQ(poll(&p, 1, 3000), 1);
	CHECK(read(g_slave, line, sizeof(line)) > 0);
}

TEST(an_interrupt_character_starts_stopped_output)
{
	open_pty();
	type("\023");
	expect_output(false);
	type("\003");
	expect_output(true);
}

TEST(an_interrupt_character_starts_stopped_output_with_NOFLSH_too)
{
	open_pty();
	change_modes(0, 0, NOFLSH);
	type("\023");
	expect_output(false);
	type("\003");
	expect_output(true);
}

TEST(characters_do_not_start_what_TCOOFF_stopped)
{
	open_pty();
	change_modes(0, IXANY, 0);
	OK(tcflow(g_slave, TCOOFF));
	expect_output(false);
	type_and_settle("\021");
	expect_output(false);
	type_and_settle("\003");
	expect_output(false);
	type_and_settle("a");
	expect_output(false);
	change_modes(IXON, 0, 0);
	expect_output(false);
	OK(tcflow(g_slave, TCOON));
	expect_output(true);
}

TEST(TCOON_starts_only_what_TCOOFF_stopped)
{
	open_pty();
	type("\023");
	expect_output(false);
	OK(tcflow(g_slave, TCOON));
	expect_output(false);
	OK(tcflow(g_slave, TCOOFF));
	OK(tcflow(g_slave, TCOON));
	expect_output(true);
}

TEST(clearing_IXON_starts_what_a_character_stopped)
{
	open_pty();
	type("\023");
	expect_output(false);
	change_modes(IXON, 0, 0);
	expect_output(true);
}

/* The next packet: one byte of status. */
static void expect_status(int bits)
{
	struct pollfd p = {.fd = g_master, .events = POLLIN};
	unsigned char b[16];

	CHECK_EQ(poll(&p, 1, 3000), 1);
	CHECK_EQ(read(g_master, b, sizeof(b)), 1);
	CHECK_EQ(b[0], bits);
}

static void expect_nothing(void)
{
	char b[16];

	CHECK_ERR(read(g_master, b, sizeof(b)), EAGAIN);
}

TEST(packet_mode_tells_of_every_stop_and_start)
{
	int on = 1;

	open_pty();
	OK(ioctl(g_master, TIOCPKT, &on));
	OK(tcflow(g_slave, TCOOFF));
	expect_status(TIOCPKT_STOP);
	OK(tcflow(g_slave, TCOOFF));
	expect_nothing();
	OK(tcflow(g_slave, TCOON));
	expect_status(TIOCPKT_START);
	OK(tcflow(g_slave, TCOON));
	expect_nothing();
	type("\023");
	expect_status(TIOCPKT_STOP);
	type("\003");
	expect_status(TIOCPKT_START | TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE);
}

TEST(locked_settings_stay_as_they_are)
{
	struct termios t;
	unsigned int lock[16] = {0}; /* the kernel's struct termios: 4 words, c_line, c_cc */

	open_pty();
	OK(ioctl(g_slave, TIOCGLCKTRMIOS, lock));
	CHECK_EQ(lock[3], 0);
	lock[3] = ECHO;
	((unsigned char *)lock)[17 + VINTR] = 1;
	OK(ioctl(g_slave, TIOCSLCKTRMIOS, lock));
	OK(tcgetattr(g_slave, &t));
	t.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	t.c_cc[VINTR] = 5;
	t.c_cc[VQUIT] = 6;
	OK(tcsetattr(g_slave, TCSANOW, &t));
	OK(tcgetattr(g_slave, &t));
	CHECK(t.c_lflag & ECHO);
	CHECK(!(t.c_lflag & ICANON));
	CHECK_EQ(t.c_cc[VINTR], 3);
	CHECK_EQ(t.c_cc[VQUIT], 6);
	memset(lock, 0, sizeof(lock));
	OK(ioctl(g_master, TIOCGLCKTRMIOS, lock));
	CHECK_EQ(lock[3], ECHO);
	CHECK_ERR(ioctl(g_slave, TIOCGLCKTRMIOS, BAD_PTR), EFAULT);
}

TEST(locking_settings_and_hanging_up_need_CAP_SYS_ADMIN)
{
	pid_t pid;

	open_pty();
	pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		CHECK_ERR(ioctl(g_slave, TIOCSLCKTRMIOS, BAD_PTR), EPERM);
		CHECK_ERR(ioctl(g_slave, TIOCVHANGUP), EPERM);
		CHECK_ERR(ioctl(g_master, TIOCSTI, "x"), EPERM);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(TIOCVHANGUP_ends_open_files_and_leaves_the_terminal_usable)
{
	struct termios t;
	char path[32], b[32];
	int nr, s;

	open_pty();
	OK(tcgetattr(g_slave, &t));
	t.c_lflag &= ~(tcflag_t)ECHO;
	OK(tcsetattr(g_slave, TCSANOW, &t));
	OK(ioctl(g_slave, TIOCVHANGUP));
	CHECK_ERR(write(g_slave, "x", 1), EIO);
	CHECK_EQ(read(g_slave, b, sizeof(b)), 0);
	CHECK_ERR(read(g_master, b, sizeof(b)), EAGAIN);
	OK(ioctl(g_master, TIOCGPTN, &nr));
	snprintf(path, sizeof(path), "/dev/pts/%d", nr);
	s = OK(open(path, O_RDWR | O_NOCTTY | O_NONBLOCK));
	OK(tcgetattr(s, &t));
	CHECK(t.c_lflag & ECHO);
	OK(close(g_slave));
	CHECK_EQ(write(s, "hi", 2), 2);
	CHECK_EQ(read(g_master, b, sizeof(b)), 2);
	OK(close(s));
	CHECK_ERR(read(g_master, b, sizeof(b)), EIO);
}

TEST(TIOCVHANGUP_on_a_master_ends_the_master_only)
{
	struct pollfd p;
	struct winsize w;
	char path[32], b[32];
	int nr, s;
	pid_t pid;

	open_pty();
	pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		CHECK_ERR(ioctl(g_master, TIOCVHANGUP), EPERM);
		_exit(0);
	}
	expect_exit(pid, 0);
	OK(ioctl(g_master, TIOCGPTN, &nr));
	OK(ioctl(g_master, TIOCVHANGUP));
	p = (struct pollfd){g_master, POLLIN | POLLOUT, 0};
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN | POLLOUT | POLLERR | POLLHUP);
	CHECK_EQ(read(g_master, b, sizeof(b)), 0);
	CHECK_ERR(write(g_master, "x", 1), EIO);
	CHECK_ERR(ioctl(g_master, TIOCGPTN, &nr), EIO);
	CHECK_ERR(ioctl(g_master, TIOCGWINSZ, &w), EIO);
	OK(fcntl(g_slave, F_SETFL, O_NONBLOCK));
	CHECK_ERR(read(g_slave, b, sizeof(b)), EAGAIN);
	CHECK_EQ(write(g_slave, "y", 1), 1);
	CHECK_EQ(read(g_master, b, sizeof(b)), 0);
	OK(ioctl(g_slave, TIOCGWINSZ, &w));
	snprintf(path, sizeof(path), "/dev/pts/%d", nr);
	s = OK(open(path, O_RDWR | O_NOCTTY | O_NONBLOCK));
	CHECK_EQ(write(s, "z", 1), 1);
	OK(close(s));
}

static void *hang_up_later(void *master)
{
	await_sleep(getpid());
	OK(ioctl((int)(long)master, TIOCVHANGUP));
	return NULL;
}

TEST(TIOCVHANGUP_wakes_who_reads_the_master)
{
	pthread_t t;
	char b[8];

	open_pty();
	OK(fcntl(g_master, F_SETFL, 0));
	CHECK_PT(pthread_create(&t, NULL, hang_up_later, (void *)(long)g_master));
	CHECK_EQ(read(g_master, b, sizeof(b)), 0);
	CHECK_PT(pthread_join(t, NULL));
}

TEST(TIOCSTI_on_a_master_is_input_of_the_master)
{
	char b[8];

	open_pty();
	OK(ioctl(g_master, TIOCSTI, "x"));
	CHECK_EQ(read(g_master, b, sizeof(b)), 1);
	CHECK_EQ(b[0], 'x');
	CHECK_ERR(read(g_slave, b, sizeof(b)), EAGAIN);
}

TEST(flow_control_of_a_master)
{
	open_pty();
	OK(ioctl(g_master, TCXONC, TCOOFF));
	CHECK(!writable(g_master));
	CHECK_ERR(write(g_master, "q", 1), EAGAIN);
	expect_output(true);
	OK(ioctl(g_master, TCXONC, TCOON));
	type("q");
	OK(ioctl(g_master, TCXONC, TCIOFF)); /* sends a stop character */
	expect_output(false);
	OK(ioctl(g_master, TCXONC, TCION));
	expect_output(true);
	CHECK_ERR(ioctl(g_master, TCXONC, 7), EINVAL);
}

TEST(a_master_has_a_mark_of_exclusive_use_of_its_own)
{
	int v = 9;

	open_pty();
	OK(ioctl(g_master, TIOCEXCL));
	OK(ioctl(g_master, TIOCGEXCL, &v));
	CHECK_EQ(v, 1);
	OK(ioctl(g_slave, TIOCGEXCL, &v));
	CHECK_EQ(v, 0);
	OK(ioctl(g_master, TIOCNXCL));
	OK(ioctl(g_master, TIOCGEXCL, &v));
	CHECK_EQ(v, 0);
}

TEST(a_master_shares_the_slaves_settings)
{
	unsigned int dev, dev2;
	struct termios t;
	int v = 1;

	open_pty();
	OK(ioctl(g_master, TIOCGDEV, &dev));
	OK(ioctl(g_slave, TIOCGDEV, &dev2));
	CHECK_EQ(dev, dev2);
	OK(ioctl(g_master, TIOCSSOFTCAR, &v));
	OK(tcgetattr(g_slave, &t));
	CHECK(t.c_cflag & CLOCAL);
	OK(ioctl(g_master, TIOCGETD, &v));
	CHECK_EQ(v, 0);
	OK(ioctl(g_master, TIOCSETD, &v));
}

TEST(breaks_of_a_pty_have_no_line_to_go_to)
{
	open_pty();
	for (int i = 0; i < 2; i++) {
		int fd = i ? g_slave : g_master;

		OK(ioctl(fd, TCSBRK, 0));
		OK(ioctl(fd, TCSBRK, 1));
		OK(ioctl(fd, TCSBRKP, 0));
		OK(ioctl(fd, TIOCSBRK));
		OK(ioctl(fd, TIOCCBRK));
	}
}

static void do_nothing(int sig)
{
	(void)sig;
}

/* What was pending for packet mode is neither data nor anything to wait for. */
TEST(packet_mode_may_be_left_with_flags_pending)
{
	struct sigaction sa = {.sa_handler = do_nothing};
	struct pollfd p;
	int on = 1, off = 0;
	char c;

	open_pty();
	OK(ioctl(g_master, TIOCPKT, &on));
	OK(tcflush(g_slave, TCIFLUSH));
	OK(ioctl(g_master, TIOCPKT, &off));
	p = (struct pollfd){.fd = g_master, .events = POLLIN | POLLPRI};
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_ERR(read(g_master, &c, 1), EAGAIN);
	OK(fcntl(g_master, F_SETFL, 0));
	OK(sigaction(SIGALRM, &sa, NULL));
	OK(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 100000}}, NULL));
	CHECK_ERR(read(g_master, &c, 1), EINTR);
	OK(write(g_slave, "x", 1));
	CHECK_EQ(read(g_master, &c, 1), 1);
	CHECK_EQ(c, 'x');
}
