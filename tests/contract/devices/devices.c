/* SPDX-License-Identifier: MIT */
/* /dev and /sys as programs look at them. */
#include "contract.h"
#include <dirent.h>
#include <linux/random.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/sysmacros.h>

static void expect_device(const char *path, unsigned major_nr, unsigned minor_nr, mode_t mode)
{
	struct stat st;

	if (stat(path, &st))
		FAIL("stat %s: expected success, got %s", path, errno_name(errno));
	if (!S_ISCHR(st.st_mode))
		FAIL("%s: expected a character device, got mode %o", path, st.st_mode);
	if (major(st.st_rdev) != major_nr || minor(st.st_rdev) != minor_nr)
		FAIL("%s: expected %u:%u, got %u:%u", path, major_nr, minor_nr, major(st.st_rdev),
			minor(st.st_rdev));
	if ((st.st_mode & 0777) != mode)
		FAIL("%s: expected mode %o, got %o", path, mode, st.st_mode & 0777);
}

TEST(memory_devices_have_their_numbers_and_modes)
{
	expect_device("/dev/null", 1, 3, 0666);
	expect_device("/dev/zero", 1, 5, 0666);
	expect_device("/dev/full", 1, 7, 0666);
	expect_device("/dev/random", 1, 8, 0666);
	expect_device("/dev/urandom", 1, 9, 0666);
	expect_device("/dev/kmsg", 1, 11, 0644);
	expect_device("/dev/tty", 5, 0, 0666);
	expect_device("/dev/console", 5, 1, 0600);
	expect_device("/dev/ptmx", 5, 2, 0666);
}

static void expect_no_splice(const char *path, bool from, bool to)
{
	int fd = OK(open(path, O_RDWR)), p[2], file = new_file("f", O_RDWR, 0600);

	OK(pipe2(p, O_NONBLOCK));
	if (from) {
		CHECK_ERR(splice(fd, NULL, p[1], NULL, 8, 0), EINVAL);
		CHECK_ERR(sendfile(file, fd, NULL, 8), EINVAL);
	}
	CHECK_EQ(write(p[1], "data", 4), 4);
	if (to)
		CHECK_ERR(splice(p[0], NULL, fd, NULL, 4, 0), EINVAL);
	else
		CHECK_EQ(splice(p[0], NULL, fd, NULL, 4, 0), 4);
	OK(close(fd));
	OK(close(file));
	OK(unlink("f"));
}

TEST(memory_devices_are_no_sources_of_splice)
{
	expect_no_splice("/dev/null", true, false);
	expect_no_splice("/dev/zero", true, true);
	expect_no_splice("/dev/full", true, true);
	expect_no_splice("/dev/urandom", false, false);
}

TEST(poll_of_memory_devices)
{
	struct pollfd fds[3] = {{OK(open("/dev/null", O_RDWR)), POLLIN | POLLOUT, 0},
		{OK(open("/dev/zero", O_RDWR)), POLLIN | POLLOUT, 0},
		{OK(open("/dev/urandom", O_RDWR)), POLLIN | POLLOUT, 0}};

	CHECK_EQ(poll(fds, 3, 0), 3);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(fds[i].revents, POLLIN | POLLOUT);
}

TEST(lseek_on_null_and_zero)
{
	int fd = OK(open("/dev/null", O_RDWR));

	CHECK_EQ(lseek(fd, 100, SEEK_SET), 0);
	CHECK_ERR(ioctl(fd, 0x1234, 0), ENOTTY);
	CHECK_ERR(ftruncate(fd, 0), EINVAL);
	fd = OK(open("/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0600));
	CHECK_EQ(write(fd, "x", 1), 1);
}

TEST(zero_maps_privately_and_shared)
{
	int fd = OK(open("/dev/zero", O_RDWR));
	char *a = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	char *b = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	CHECK_EQ(a[5000], 0);
	a[5000] = 1;
	CHECK_EQ(b[5000], 0);
	pid_t pid = FORK();
	if (!pid) {
		b[1] = 7;
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(b[1], 7);
}

TEST(entropy_count_is_readable)
{
	int n = -1;

	OK(ioctl(OK(open("/dev/random", O_RDONLY)), RNDGETENTCNT, &n));
	CHECK(n >= 0 && n <= 4096);
}

TEST(device_nodes_work_wherever_they_are_made)
{
	char c = 1;

	OK(mknod("z", S_IFCHR | 0600, makedev(1, 5)));
	CHECK_EQ(read(OK(open("z", O_RDONLY)), &c, 1), 1);
	CHECK_EQ(c, 0);
	CHECK_ERR(open("z", O_RDONLY | O_DIRECTORY), ENOTDIR);
}

TEST(devpts_can_be_mounted_and_holds_its_own_ptmx)
{
	int n = -1, zero = 0;

	OK(mkdir("pts", 0755));
	OK(mount("devpts", "pts", "devpts", 0, "ptmxmode=666"));
	int master = OK(open("pts/ptmx", O_RDWR | O_NOCTTY));
	OK(ioctl(master, TIOCGPTN, &n));
	OK(ioctl(master, TIOCSPTLCK, &zero));
	char path[32];
	struct stat st;
	snprintf(path, sizeof(path), "pts/%d", n);
	OK(stat(path, &st));
	CHECK_EQ(major(st.st_rdev), 136);
	CHECK_EQ(st.st_uid, 0);
}

TEST(sys_lists_the_processors)
{
	char want[32], text[64];
	long nr = sysconf(_SC_NPROCESSORS_ONLN);

	snprintf(want, sizeof(want), nr == 1 ? "0\n" : "0-%d\n", (int)nr - 1);
	snprintf(text, sizeof(text), "%.60s", read_text("/sys/devices/system/cpu/online"));
	CHECK_STR(text, want);
	read_text("/sys/devices/system/cpu/possible");
	read_text("/sys/devices/system/cpu/present");
}

TEST(sys_is_a_sysfs_of_its_own)
{
	char buf[16];
	int fd = OK(open("/sys/devices/system/cpu/online", O_RDONLY));

	CHECK(read(fd, buf, sizeof(buf)) > 0);
	CHECK_ERR(open("/sys/no/such/file", O_RDONLY), ENOENT);
	CHECK_ERR(mkdir("/sys/new", 0755), EPERM);
	CHECK_ERR(open("/sys/devices/system/cpu/new", O_CREAT | O_WRONLY, 0600), EACCES);
}

TEST(sys_kernel_and_class_directories_exist)
{
	static const char *const dirs[] = {"/sys/kernel", "/sys/class", "/sys/bus", "/sys/dev",
		"/sys/devices", "/sys/fs", "/sys/block", "/sys/module"};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		DIR *dir = opendir(dirs[i]);

		if (!dir)
			FAIL("opendir %s: expected success, got %s", dirs[i], errno_name(errno));
		closedir(dir);
	}
}

TEST(terminals_show_in_sys_class_tty)
{
	struct stat st;

	OK(stat("/sys/class/tty/console", &st));
	CHECK_STR(read_text("/sys/class/tty/tty/dev"), "5:0\n");
	CHECK_STR(read_text("/sys/class/mem/null/dev"), "1:3\n");
}

/* Opening them does more than open: a watchdog starts to count. */
static bool leave_alone(const char *name)
{
	return !strncmp(name, "watchdog", 8) || !strcmp(name, "snapshot") || !strcmp(name, "port");
}

/* What needs no access answers, and what needs it is refused, whatever the device is. */
static void use_all(const char *name, int fd, int mode)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT};
	int ep = OK(epoll_create1(0));
	char c;

	(void)lseek(fd, 0, SEEK_END);
	(void)lseek(fd, 0, SEEK_CUR);
	(void)lseek(fd, 0, SEEK_SET);
	if (poll(&p, 1, 0) < 0)
		FAIL("poll %s: expected success, got %s", name, errno_name(errno));
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) && errno != EPERM)
		FAIL("epoll_ctl %s: expected success or EPERM, got %s", name, errno_name(errno));
	(void)epoll_wait(ep, &ev, 1, 0);
	if (ioctl(fd, 0x5aa5, 0) != -1)
		FAIL("ioctl %s: expected an error", name);
	if (mode == O_WRONLY && (read(fd, &c, 1) != -1 || errno != EBADF))
		FAIL("read %s: expected EBADF, got %s", name, errno_name(errno));
	if (mode == O_RDONLY && (write(fd, "x", 1) != -1 || errno != EBADF))
		FAIL("write %s: expected EBADF, got %s", name, errno_name(errno));
	if (mode == O_RDONLY)
		(void)!read(fd, &c, 1);
	OK(close(ep));
}

TEST(every_device_bears_all_calls_however_it_is_opened)
{
	static const int modes[] = {O_RDONLY, O_WRONLY, O_RDWR};
	DIR *dir = opendir("/dev");
	struct dirent *e;
	int used = 0;

	CHECK(dir);
	while ((e = readdir(dir))) {
		struct stat st;

		if (leave_alone(e->d_name) || fstatat(dirfd(dir), e->d_name, &st, 0) ||
			!S_ISCHR(st.st_mode))
			continue;
		for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
			int fd = openat(dirfd(dir), e->d_name,
				modes[i] | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

			if (fd < 0)
				continue; /* nothing behind it, or not in this mode */
			use_all(e->d_name, fd, modes[i]);
			OK(close(fd));
			used++;
		}
	}
	closedir(dir);
	CHECK(used >= 15);
}

TEST(a_log_opened_for_writing_seeks_and_polls_like_one_for_reading)
{
	int fd = OK(open("/dev/kmsg", O_WRONLY));
	struct pollfd p = {.fd = fd, .events = POLLIN};

	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK(p.revents & POLLIN);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
	CHECK_ERR(lseek(fd, 1, SEEK_SET), ESPIPE);
}

/* The log holds what matters also while a program crashes in a loop. */
TEST(crashes_in_a_loop_do_not_fill_the_log)
{
	int fd = OK(open("/dev/kmsg", O_RDONLY | O_NONBLOCK)), lines = 0;
	char line[8192];
	ssize_t n;

	OK(lseek(fd, 0, SEEK_END));
	for (int i = 0; i < 40; i++) {
		pid_t pid = FORK();

		if (!pid) {
			*(volatile char *)8 = 1;
			_exit(0);
		}
		expect_signal(pid, SIGSEGV);
	}
	while ((n = read(fd, line, sizeof(line) - 1)) > 0) {
		line[n] = 0;
		lines += strstr(line, "segfault at") != NULL;
	}
	CHECK(lines >= 1);
	CHECK(lines <= 30);
}

TEST(a_long_write_to_urandom_can_be_killed)
{
	pid_t pid = FORK();

	if (!pid) {
		size_t len = 1ul << 31;
		char *zeros = mmap(
			NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		int fd = OK(open("/dev/urandom", O_WRONLY));

		CHECK(zeros != MAP_FAILED);
		write(fd, zeros, len);
		pause();
	}
	sleep_ns(50 * MSEC);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
}

/* The same open file: the line that the reader waits for comes through it. */
TEST(kmsg_can_be_written_while_another_waits_in_read)
{
	int fd = OK(open("/dev/kmsg", O_RDWR));
	char record[8192];
	pid_t reader;

	OK(lseek(fd, 0, SEEK_END));
	reader = FORK();
	if (!reader) {
		CHECK(read(fd, record, sizeof(record)) > 0);
		_exit(0);
	}
	await_sleep(reader);
	CHECK_EQ(write(fd, "<6>contract: a line\n", 20), 20);
	expect_exit(reader, 0);
	close(fd);
}

TEST(dmesg_restrict_holds_for_kmsg)
{
	char before[16];

	snprintf(before, sizeof(before), "%s", read_text("/proc/sys/kernel/dmesg_restrict"));
	write_file("/proc/sys/kernel/dmesg_restrict", "1");
	pid_t pid = FORK();

	if (!pid) {
		become_user(1000, 1000);
		CHECK_ERR(open("/dev/kmsg", O_RDONLY), EPERM);
		_exit(0);
	}
	int status = wait_status(pid);
	write_file("/proc/sys/kernel/dmesg_restrict", before);
	CHECK_EQ(status, 0);
}

TEST(proc_devices_names_the_majors_of_terminals)
{
	static const char *const lines[] = {"\n  1 mem\n", "\n  4 ttyS\n", "\n  5 /dev/tty\n",
		"\n  5 /dev/console\n", "\n  5 /dev/ptmx\n", "\n 10 misc\n", "\n128 ptm\n",
		"\n136 pts\n"};
	char *text = read_text("/proc/devices");

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!strstr(text, lines[i]))
			FAIL("/proc/devices: expected \"%s\" in:\n%s", lines[i], text);
}

TEST(serial_lines_are_for_root_only_at_first)
{
	struct stat st;

	OK(stat("/dev/ttyS0", &st));
	CHECK_EQ(st.st_mode, S_IFCHR | 0600);
	CHECK_EQ(st.st_uid, 0);
	CHECK_EQ(st.st_gid, 0);
	CHECK_EQ(st.st_rdev, makedev(4, 64));
}

TEST(nodes_of_ptys_elsewhere_open_nothing)
{
	OK(mknod("master", S_IFCHR | 0600, makedev(128, 0)));
	CHECK_ERR(open("master", O_RDWR | O_NOCTTY), EIO);
	OK(mknod("slave", S_IFCHR | 0600, makedev(136, 4000)));
	CHECK_ERR(open("slave", O_RDWR | O_NOCTTY), EIO);
}
