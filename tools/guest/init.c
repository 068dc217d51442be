// SPDX-License-Identifier: MIT
/*
 * Process 1 of a machine that tools/aramid started: sets the root up, runs one command with its
 * input and output connected to the host over the second serial port (protocol.h), reaps orphans,
 * reports the command's exit status and powers the machine off.
 *
 * One loop (serve) moves the bytes: port -> frames -> command's input, command's output -> frames
 * -> port. Writes to the port block; everything else is polled, so the only thing that can hold
 * input back is a command that doesn't read, and then no credit is given.
 *
 * Static, built with musl-gcc, and modest in the system calls it uses: it must run on a kernel
 * that is being brought up.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "net.h"
#include "protocol.h"

#define PORT        "/dev/ttyS1"
#define OWN_FOLDER  "/.aramid"
#define ROOT_LINK   OWN_FOLDER "/root" /* leads to the disk that is the root */
#define ROOT_FOLDER "/.root"           /* of the initramfs: where a disk is mounted */
#define MAX_START   (1 << 20)          /* bytes: environment and arguments together */
#define CHUNK       4096

static bool g_on_disk;
static int g_port = -1;
static int g_child_pipe[2]; /* a byte for each SIGCHLD */

/* The command's ends on our side; -1 when closed. */
static struct {
	pid_t pid;
	int in;  /* pipe, or the pty's master */
	int out; /* pipe, or the pty's master */
	int err; /* pipe */
	int tty; /* the pty's master, when there is one */
} g_cmd = {-1, -1, -1, -1, -1};

/* ---- the port ---------------------------------------------------------------------------- */

static void port_write(const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(g_port, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd pfd = {.fd = g_port, .events = POLLOUT};

			poll(&pfd, 1, 1000);
			continue;
		}
		if (n <= 0)
			return; /* no host to tell */
		p += n;
		len -= n;
	}
}

static void put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = v >> (8 * i);
}

static uint32_t get_u32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static unsigned int get_u16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

/* The payload must not exceed CHUNK. One write for the frame, so that it goes out in one piece. */
static void send_frame(char type, const void *payload, size_t len)
{
	uint8_t frame[5 + CHUNK];

	frame[0] = type;
	put_u32(frame + 1, len);
	memcpy(frame + 5, payload, len);
	port_write(frame, 5 + len);
}

static void send_u32(char type, uint32_t v)
{
	uint8_t payload[4];

	put_u32(payload, v);
	send_frame(type, payload, sizeof(payload));
}

/* To the host when there is one, and to the kernel's console. */
__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n >= (int)sizeof(text))
		n = sizeof(text) - 1;
	if (g_port >= 0)
		send_frame(FRAME_LOG, text, n);
	dprintf(2, "init: %s\n", text);
}

static void __attribute__((noreturn)) power_off(void)
{
	tcdrain(g_port);
	if (g_on_disk) {
		/* Read-only is clean: the file system needs no recovery at its next mount. */
		kill(-1, SIGKILL);
		while (waitpid(-1, NULL, 0) > 0)
			;
		mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	}
	sync();
	reboot(RB_POWER_OFF);
	complain("power off: %s", strerror(errno));
	for (;;)
		pause();
}

/* ---- setting the root up ----------------------------------------------------------------- */

static void mount_at(const char *type, const char *where, unsigned long flags, const char *data)
{
	mkdir(where, 0755);
	if (mount(type, where, type, flags, data) != 0 && errno != EBUSY)
		complain("mount %s on %s: %s", type, where, strerror(errno));
}

static void link_at(const char *target, const char *path)
{
	if (symlink(target, path) != 0 && errno != EEXIST)
		complain("symlink %s: %s", path, strerror(errno));
}

static void set_host_name(void)
{
	char name[65];
	ssize_t n = -1;
	int fd = open("/etc/hostname", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		n = read(fd, name, sizeof(name) - 1);
		close(fd);
	}
	if (n > 0) {
		name[n] = 0;
		n = strcspn(name, "\n");
	}
	if (n <= 0) {
		strcpy(name, "aramid");
		n = strlen(name);
	}
	sethostname(name, n);
}

/* The guest shall look like its root, without our binary in it. */
static void remove_own_folder(void)
{
	DIR *d = opendir(OWN_FOLDER);

	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));)
		unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(OWN_FOLDER);
}

/* Kernel modules beside us (Linux only), in the order of their names. */
static void load_modules(void)
{
	char path[64];

	for (int i = 0;; i++) {
		int fd;

		snprintf(path, sizeof(path), OWN_FOLDER "/%02d.ko", i);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return;
		if (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)
			complain("module %s: %s", path, strerror(errno));
		close(fd);
	}
}

/* ROOT_LINK names a disk: mount it and make it the root; we came from an initramfs then. */
static void switch_to_disk(void)
{
	char device[64];
	ssize_t n = readlink(ROOT_LINK, device, sizeof(device) - 1);
	int err = ENOENT;

	if (n <= 0)
		return;
	device[n] = 0;
	mount_at("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
	mkdir(ROOT_FOLDER, 0755);
	/* Linux finds its disks while we run already. */
	for (int i = 0; i < 1000; i++) {
		if (mount(device, ROOT_FOLDER, "ext4", MS_RELATIME, NULL) == 0) {
			err = 0;
			break;
		}
		err = errno;
		if (err != ENOENT && err != ENXIO && err != ENODEV)
			break;
		usleep(10000);
	}
	if (err) {
		complain("mount %s: %s", device, strerror(err));
		return;
	}
	remove_own_folder();
	umount2("/dev", MNT_DETACH);
	if (chdir(ROOT_FOLDER) != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 ||
		chroot(".") != 0 || chdir("/") != 0)
		complain("changing the root: %s", strerror(errno));
	g_on_disk = true;
}

/* The root's own init goes on, as behind a distribution's initramfs: everything else is its. */
static void __attribute__((noreturn)) boot(void)
{
	char *argv[] = {"init", NULL}, *env[] = {"HOME=/", "TERM=linux", NULL};
	int console = open("/dev/console", O_RDWR);

	remove_own_folder();
	for (int i = 0; i < 3 && console >= 0; i++)
		dup2(console, i);
	if (console > 2)
		close(console);
	execve("/sbin/init", argv, env);
	complain("/sbin/init: %s", strerror(errno));
	_exit(1); /* the kernel says the rest */
}

static void set_root_up(void)
{
	umask(022);
	load_modules();
	switch_to_disk();
	mount_at("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
	mount_at("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_at("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	if (getenv("aramid_boot"))
		boot();
	mount_at("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,gid=5,ptmxmode=0666");
	mount_at("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
	link_at("/proc/self/fd", "/dev/fd");
	link_at("fd/0", "/dev/stdin");
	link_at("fd/1", "/dev/stdout");
	link_at("fd/2", "/dev/stderr");
	if (mkdir("/tmp", 01777) == 0)
		chmod("/tmp", 01777);
	mkdir("/run", 0755);
	set_host_name();
	network_up(getenv("aramid_net"), complain);
	unsetenv("aramid_net");
}

static void open_port(void)
{
	struct termios t;

	g_port = open(PORT, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (g_port < 0) {
		complain("%s: %s", PORT, strerror(errno));
		power_off();
	}
	if (tcgetattr(g_port, &t) != 0)
		complain("%s: tcgetattr: %s", PORT, strerror(errno));
	cfmakeraw(&t);
	cfsetispeed(&t, B115200);
	cfsetospeed(&t, B115200);
	t.c_cflag |= CLOCAL | CREAD;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (tcsetattr(g_port, TCSANOW, &t) != 0)
		complain("%s: tcsetattr: %s", PORT, strerror(errno));
	port_write(GREETING, sizeof(GREETING) - 1);
}

/* ---- starting the command ---------------------------------------------------------------- */

struct start {
	int mode;
	struct winsize size;
	char **env;
	char **argv;
	int argc;
};

/* Points into payload, which must stay and end with a NUL. False: malformed. */
static bool parse_start(struct start *s, uint8_t *payload, size_t len)
{
	char *p = (char *)payload + 9, *end = (char *)payload + len;
	unsigned int nr_env, nr_args;

	if (len < 9 || (len > 9 && end[-1] != 0))
		return false;
	s->mode = payload[0];
	s->size = (struct winsize){.ws_row = get_u16(payload + 1), .ws_col = get_u16(payload + 3)};
	nr_env = get_u16(payload + 5);
	nr_args = get_u16(payload + 7);
	s->argc = nr_args;
	s->env = calloc(nr_env + 1, sizeof(char *));
	s->argv = calloc(nr_args + 4, sizeof(char *));
	if (!s->env || !s->argv)
		return false;
	for (unsigned int i = 0; i < nr_env + nr_args; i++) {
		if (p >= end)
			return false;
		if (i < nr_env)
			s->env[i] = p;
		else
			s->argv[i - nr_env] = p;
		p += strlen(p) + 1;
	}
	return true;
}

static void login_shell(struct start *s)
{
	s->argv[0] = access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh";
	s->argv[1] = "-l";
	s->argv[2] = s->mode & MODE_TERMINAL ? NULL : "-i";
	s->argc = 2;
}

/* Returns the slave's descriptor and stores the master's. */
static int open_pty(int *master, const struct winsize *size)
{
	int m, n, unlock = 0, slave = -1;
	char name[32];

	m = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (m < 0) {
		complain("/dev/ptmx: %s", strerror(errno));
		return -1;
	}
	if (ioctl(m, TIOCSPTLCK, &unlock) == 0 && ioctl(m, TIOCGPTN, &n) == 0) {
		snprintf(name, sizeof(name), "/dev/pts/%d", n);
		slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	}
	if (slave < 0) {
		complain("pty: %s", strerror(errno));
		close(m);
		return -1;
	}
	if (size->ws_row)
		ioctl(m, TIOCSWINSZ, size);
	*master = m;
	return slave;
}

static void __attribute__((noreturn)) run_child(struct start *s, const int fds[3], int slave)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (slave >= 0)
		ioctl(slave, TIOCSCTTY, 0);
	for (int i = 0; i < 3; i++)
		dup2(fds[i], i);
	environ = s->env;
	if (s->mode & MODE_SHELL && getenv("HOME") && chdir(getenv("HOME")) != 0)
		chdir("/");
	execvp(s->argv[0], s->argv);
	dprintf(2, "aramid: %s: %s\n", s->argv[0], strerror(errno));
	_exit(errno == ENOENT || errno == ENOTDIR ? 127 : 126);
}

static void start_command(struct start *s)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, slave = -1, fds[3];

	if (s->mode & MODE_SHELL)
		login_shell(s);
	if (s->mode & (MODE_TERMINAL | MODE_CTTY))
		slave = open_pty(&g_cmd.tty, &s->size);
	if (slave < 0)
		s->mode &= ~(MODE_TERMINAL | MODE_CTTY);
	if (s->mode & MODE_TERMINAL) {
		fds[0] = fds[1] = fds[2] = slave;
		g_cmd.in = g_cmd.out = g_cmd.tty;
	} else {
		if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
			complain("pipe: %s", strerror(errno));
			power_off();
		}
		fds[0] = in[0];
		fds[1] = out[1];
		fds[2] = err[1];
		g_cmd.in = in[1];
		g_cmd.out = out[0];
		g_cmd.err = err[0];
	}
	fcntl(g_cmd.in, F_SETFL, O_RDWR | O_NONBLOCK);
	g_cmd.pid = fork();
	if (g_cmd.pid == 0)
		run_child(s, fds, slave);
	if (g_cmd.pid < 0) {
		complain("fork: %s", strerror(errno));
		power_off();
	}
	/* The pty's slave stays open here: its master must not report a hangup while the command
	 * merely has it closed. The pipes' far ends must go, for EOF and EPIPE to work. */
	if (!(s->mode & MODE_TERMINAL)) {
		close(in[0]);
		close(out[1]);
		close(err[1]);
	}
}

/* ---- moving bytes ------------------------------------------------------------------------ */

/* What came from the port and is not yet a whole frame, or cannot be delivered yet. */
static struct {
	uint8_t *buf;
	size_t len, size;
	size_t delivered; /* of the first frame's payload, when that is FRAME_STDIN */
	uint32_t credit;  /* taken from buf and not yet told */
} g_in;

static void close_input(void)
{
	if (g_cmd.in >= 0 && g_cmd.in != g_cmd.tty)
		close(g_cmd.in);
	g_cmd.in = -1;
}

static void close_output(int *fd)
{
	if (*fd >= 0 && *fd != g_cmd.tty)
		close(*fd);
	*fd = -1;
}

/* Returns false when the command takes no more for now. */
static bool deliver_stdin(const uint8_t *data, size_t len)
{
	if (len == 0) {
		char eof = 4; /* ^D */

		if (g_cmd.in >= 0 && g_cmd.in == g_cmd.tty)
			return write(g_cmd.in, &eof, 1) == 1 || errno != EAGAIN;
		close_input();
		return true;
	}
	while (g_in.delivered < len && g_cmd.in >= 0) {
		ssize_t n = write(g_cmd.in, data + g_in.delivered, len - g_in.delivered);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0)
			close_input(); /* nobody reads it: drop the rest */
		else
			g_in.delivered += n;
	}
	g_in.delivered = 0;
	return true;
}

/* Returns false when the frame must wait. */
static bool take_frame(char type, uint8_t *payload, size_t len)
{
	struct start s;
	struct winsize size;

	switch (type) {
	case FRAME_START: {
		uint8_t *copy = malloc(len + 1); /* the strings live until exec */

		if (!copy || (memcpy(copy, payload, len), !parse_start(&s, copy, len))) {
			complain("bad start frame");
			power_off();
		}
		start_command(&s);
		return true;
	}
	case FRAME_STDIN:
		return deliver_stdin(payload, len);
	case FRAME_WINSIZE:
		size = (struct winsize){.ws_row = get_u16(payload), .ws_col = get_u16(payload + 2)};
		if (g_cmd.tty >= 0)
			ioctl(g_cmd.tty, TIOCSWINSZ, &size);
		return true;
	case FRAME_CLOSED:
		close_output(payload[0] == 2 ? &g_cmd.err : &g_cmd.out);
		return true;
	}
	complain("unknown frame 0x%02x", (unsigned char)type);
	return true;
}

/* Delivers what can be delivered and gives credit for what left the buffer. */
static void take_frames(void)
{
	while (g_in.len >= 5) {
		uint32_t len = get_u32(g_in.buf + 1);
		size_t whole = 5 + (size_t)len;

		if (len > MAX_START) {
			complain("frame of %u bytes", len);
			power_off();
		}
		if (g_in.len < whole) {
			/* Only a start frame can be larger than the buffer. */
			size_t need = whole + 2 * WINDOW;
			uint8_t *more = need > g_in.size && whole > 2 * WINDOW
				? realloc(g_in.buf, need)
				: NULL;

			if (more) {
				g_in.buf = more;
				g_in.size = need;
			}
			break;
		}
		if (!take_frame(g_in.buf[0], g_in.buf + 5, len))
			break;
		g_in.len -= whole;
		memmove(g_in.buf, g_in.buf + whole, g_in.len);
	}
}

static void read_port(void)
{
	ssize_t n;

	if (g_in.len == g_in.size)
		return;
	n = read(g_port, g_in.buf + g_in.len, g_in.size - g_in.len);
	if (n > 0) {
		g_in.len += n;
		g_in.credit += n;
	}
}

/* Returns false at end of file. */
static bool forward(int fd, char type)
{
	char buf[CHUNK];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		send_frame(type, buf, n);
	return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

/* What the ended command has left in its pipes; a survivor that still writes is not waited for. */
static void drain_output(void)
{
	struct {
		int fd;
		char type;
	} from[] = {
		{g_cmd.out, FRAME_STDOUT}, {g_cmd.err, FRAME_STDERR}, {g_cmd.tty, FRAME_STDOUT}};

	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
		struct pollfd pfd = {.fd = from[i].fd, .events = POLLIN};
		int limit = 1024; /* chunks: 4 MiB is more than any pipe holds */

		while (pfd.fd >= 0 && limit-- && poll(&pfd, 1, 0) == 1 && pfd.revents & POLLIN)
			if (!forward(pfd.fd, from[i].type))
				break;
	}
}

/* Returns the command's exit status when it has ended, else -1. */
static int reap(void)
{
	int status, result = -1;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == g_cmd.pid)
			result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return result;
}

static void serve(void)
{
	for (;;) {
		bool waiting = g_in.len >= 5 && g_in.len >= 5 + (size_t)get_u32(g_in.buf + 1);
		struct pollfd p[] = {
			{.fd = g_in.len < g_in.size ? g_port : -1, .events = POLLIN},
			{.fd = g_child_pipe[0], .events = POLLIN},
			{.fd = g_cmd.out, .events = POLLIN},
			{.fd = g_cmd.err, .events = POLLIN},
			{.fd = g_cmd.tty == g_cmd.out ? -1 : g_cmd.tty, .events = POLLIN},
			{.fd = waiting ? g_cmd.in : -1, .events = POLLOUT},
		};
		char byte[64];

		if (poll(p, 6, -1) < 0 && errno != EINTR) {
			complain("poll: %s", strerror(errno));
			power_off();
		}
		if (p[0].revents)
			read_port();
		take_frames();
		/* A window's worth of buffer stays free beyond what is still to be delivered. */
		if (g_in.credit >= WINDOW / 4 && g_in.size - g_in.len >= WINDOW) {
			send_u32(FRAME_CREDIT, g_in.credit);
			g_in.credit = 0;
		}
		if (p[2].revents && g_cmd.out >= 0 && !forward(g_cmd.out, FRAME_STDOUT))
			close_output(&g_cmd.out);
		if (p[3].revents && g_cmd.err >= 0 && !forward(g_cmd.err, FRAME_STDERR))
			close_output(&g_cmd.err);
		if (p[4].revents && !forward(g_cmd.tty, FRAME_STDOUT))
			g_cmd.tty = -1;
		if (p[1].revents) {
			int status;

			while (read(g_child_pipe[0], byte, sizeof(byte)) > 0)
				;
			status = reap();
			if (status >= 0) {
				drain_output();
				send_u32(FRAME_EXIT, status);
				return;
			}
		}
	}
}

static void on_child(int sig)
{
	int saved = errno;

	(void)sig;
	write(g_child_pipe[1], "", 1);
	errno = saved;
}

int main(void)
{
	struct sigaction sa = {.sa_handler = on_child, .sa_flags = SA_RESTART};

	set_root_up();
	open_port();
	remove_own_folder();
	g_in.size = 4 * WINDOW;
	g_in.buf = malloc(g_in.size);
	if (!g_in.buf || pipe2(g_child_pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
		complain("cannot start: %s", strerror(errno));
		power_off();
	}
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGCHLD, &sa, NULL);
	serve();
	power_off();
}
