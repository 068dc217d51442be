/* SPDX-License-Identifier: MIT */
/* What /proc/PID tells of memory, scheduling, namespaces and timers, and what can be set there. */
#include "contract.h"
#include <dirent.h>
#include <linux/nsfs.h>
#include <sys/prctl.h>

#define MIB (1l << 20)

static char *path_of(pid_t pid, const char *name)
{
	static char path[4][80];
	static int next;

	snprintf(path[next = (next + 1) % 4], sizeof(path[0]), "/proc/%d/%s", pid, name);
	return path[next];
}

static int try_write(const char *path, const char *text)
{
	int fd = OK(open(path, O_WRONLY)), err = 0;

	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	OK(close(fd));
	return err;
}

static char *anon(size_t size, int share)
{
	return OK(mmap(NULL, size, PROT_READ | PROT_WRITE, share | MAP_ANONYMOUS, -1, 0));
}

/* ---- clear_refs ---- */

static long smaps_row(const void *addr, const char *name)
{
	char key[32];
	char *text = read_text("/proc/self/smaps"), *at;

	snprintf(key, sizeof(key), "%08lx-", (unsigned long)addr);
	at = strstr(text, key);
	CHECK(at);
	snprintf(key, sizeof(key), "\n%s:", name);
	at = strstr(at, key);
	CHECK(at);
	return atol(at + strlen(key));
}

static long status_row(const char *name)
{
	char key[32];
	char *at;

	snprintf(key, sizeof(key), "\n%s:", name);
	at = strstr(read_text("/proc/self/status"), key);
	CHECK(at);
	return atol(at + strlen(key));
}

TEST(clear_refs_makes_pages_unreferenced_until_they_are_used)
{
	char *p = anon(3 * MIB, MAP_PRIVATE) + MIB;

	OK(mprotect(p - MIB, MIB, PROT_NONE)); /* a region of its own */
	memset(p, 1, 2 * MIB);
	CHECK_EQ(smaps_row(p, "Referenced"), 2048);
	write_file("/proc/self/clear_refs", "1");
	CHECK_EQ(smaps_row(p, "Referenced"), 0);
	CHECK_EQ(smaps_row(p, "Rss"), 2048);
	for (long i = 0; i < MIB; i += page_size())
		*(volatile char *)(p + i);
	CHECK_EQ(smaps_row(p, "Referenced"), 1024);
	write_file("/proc/self/clear_refs", "3\n");
	CHECK_EQ(smaps_row(p, "Referenced"), 1024);
	write_file("/proc/self/clear_refs", "2\n");
	CHECK_EQ(smaps_row(p, "Referenced"), 0);
	for (long i = 0; i < 2 * MIB; i += page_size())
		CHECK_EQ(p[i], 1);
}

TEST(clear_refs_5_begins_the_peak_anew)
{
	char *p = anon(32 * MIB, MAP_PRIVATE);

	memset(p, 1, 32 * MIB);
	OK(munmap(p, 32 * MIB));
	CHECK(status_row("VmHWM") > 32 * 1024);
	write_file("/proc/self/clear_refs", "5");
	CHECK(status_row("VmHWM") < 24 * 1024);
}

TEST(clear_refs_takes_a_few_numbers)
{
	CHECK_EQ(try_write("/proc/self/clear_refs", "0"), EINVAL);
	CHECK_EQ(try_write("/proc/self/clear_refs", "6"), EINVAL);
	CHECK_EQ(try_write("/proc/self/clear_refs", "-1"), EINVAL);
	CHECK_EQ(try_write("/proc/self/clear_refs", "all"), EINVAL);
	CHECK_EQ(try_write("/proc/self/clear_refs", " 1 \n"), 0);
}

/* ---- coredump_filter ---- */

TEST(coredump_filter_is_a_mask_that_children_and_programs_keep)
{
	pid_t pid;

	CHECK_STR(read_text("/proc/self/coredump_filter"), "00000033\n");
	write_file("/proc/self/coredump_filter", "0x7\n");
	CHECK_STR(read_text("/proc/self/coredump_filter"), "00000007\n");
	write_file("/proc/self/coredump_filter", "4294967295");
	CHECK_STR(read_text("/proc/self/coredump_filter"), "000001ff\n");
	write_file("/proc/self/coredump_filter", "5");
	CHECK_EQ(try_write("/proc/self/coredump_filter", "x"), EINVAL);
	CHECK_EQ(try_write("/proc/self/coredump_filter", "4294967296"), ERANGE);
	pid = FORK();
	if (!pid) {
		CHECK_STR(read_text("/proc/self/coredump_filter"), "00000005\n");
		exec_helper("filter_5", NULL);
		_exit(99);
	}
	expect_exit(pid, 0);
}

HELPER(filter_5)
{
	CHECK_STR(read_text("/proc/self/coredump_filter"), "00000005\n");
	return 0;
}

/* ---- ns ---- */

TEST(ns_has_a_link_for_each_namespace)
{
	static const struct {
		const char *name, *text;
		int type;
	} links[] = {{"cgroup", "cgroup", CLONE_NEWCGROUP}, {"ipc", "ipc", CLONE_NEWIPC},
		{"mnt", "mnt", CLONE_NEWNS}, {"net", "net", CLONE_NEWNET},
		{"pid", "pid", CLONE_NEWPID}, {"pid_for_children", "pid", CLONE_NEWPID},
		{"time", "time", 0x80}, {"time_for_children", "time", 0x80},
		{"user", "user", CLONE_NEWUSER}, {"uts", "uts", CLONE_NEWUTS}};

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		char path[64], of_parent[64], target[64] = "", want[64];
		struct stat st, parent;
		int fd;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", links[i].name);
		snprintf(of_parent, sizeof(of_parent), "/proc/%d/ns/%s", getppid(), links[i].name);
		OK(readlink(path, target, sizeof(target) - 1));
		OK(stat(path, &st));
		snprintf(want, sizeof(want), "%s:[%lu]", links[i].text, (unsigned long)st.st_ino);
		CHECK_STR(target, want);
		OK(stat(of_parent, &parent));
		CHECK_EQ(parent.st_ino, st.st_ino);
		CHECK_EQ(parent.st_dev, st.st_dev);
		CHECK_EQ(st.st_mode, S_IFREG | 0444);
		fd = OK(open(path, O_RDONLY));
		CHECK_EQ(ioctl(fd, NS_GET_NSTYPE), links[i].type);
		CHECK_ERR(read(fd, want, sizeof(want)), EINVAL);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		memset(want, 0, sizeof(want));
		OK(readlink(path, want, sizeof(want) - 1));
		CHECK_STR(want, target);
		OK(close(fd));
	}
}

TEST(ns_of_another_user_is_not_shown)
{
	pid_t pid = FORK();
	char target[64];

	if (!pid) {
		become_user(1000, 1000);
		CHECK_ERR(readlink(path_of(getppid(), "ns/net"), target, 64), EACCES);
		CHECK_ERR(open(path_of(getppid(), "ns/net"), O_RDONLY), EACCES);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(first_ids_map_to_themselves)
{
	CHECK_STR(read_text("/proc/self/uid_map"), "         0          0 4294967295\n");
	CHECK_STR(read_text("/proc/self/gid_map"), "         0          0 4294967295\n");
	CHECK_STR(read_text("/proc/self/projid_map"), "         0          0 4294967295\n");
	CHECK_STR(read_text("/proc/self/setgroups"), "allow\n");
	CHECK_EQ(try_write("/proc/self/uid_map", "0 0 1"), EPERM);
	CHECK_EQ(try_write("/proc/self/gid_map", "0 0 1"), EPERM);
	CHECK_EQ(try_write("/proc/self/setgroups", "deny"), EPERM);
}

/* ---- pagemap ---- */

#define PRESENT   (1ull << 63)
#define FILE_PAGE (1ull << 61)
#define EXCLUSIVE (1ull << 56)
#define KNOWN     (~(1ull << 55)) /* but soft-dirty */
#define FRAME     ((1ull << 55) - 1)

static uint64_t entry_of(int fd, const char *p)
{
	uint64_t v;

	CHECK_EQ(pread(fd, &v, sizeof(v), (uintptr_t)p / page_size() * sizeof(v)), sizeof(v));
	return v;
}

TEST(pagemap_tells_which_pages_are_there)
{
	int fd = OK(open("/proc/self/pagemap", O_RDONLY)), gap[2], go[2];
	char *p = anon(4 * page_size(), MAP_PRIVATE), *s = anon(page_size(), MAP_SHARED), c;
	uint64_t all[4], v;
	pid_t pid;

	OK(pipe(gap));
	OK(pipe(go));
	CHECK_EQ(entry_of(fd, p) & KNOWN, 0);
	p[page_size()] = 1;
	*s = 1;
	CHECK_EQ(pread(fd, all, sizeof(all), (uintptr_t)p / page_size() * 8), sizeof(all));
	CHECK_EQ(all[0] & PRESENT, 0);
	CHECK_EQ(all[1] & (PRESENT | FILE_PAGE | EXCLUSIVE), PRESENT | EXCLUSIVE);
	CHECK((all[1] & FRAME) != 0);
	CHECK_EQ(all[2] & PRESENT, 0);
	v = entry_of(fd, s);
	CHECK_EQ(v & (PRESENT | FILE_PAGE), PRESENT | FILE_PAGE);
	pid = FORK();
	if (!pid) {
		OK(write(gap[1], "", 1));
		OK(read(go[0], &c, 1));
		_exit(0);
	}
	OK(read(gap[0], &c, 1));
	CHECK_EQ(entry_of(fd, p + page_size()) & (PRESENT | EXCLUSIVE), PRESENT);
	OK(write(go[1], "", 1));
	expect_exit(pid, 0);
}

TEST(pagemap_is_read_in_whole_entries)
{
	int fd = OK(open("/proc/self/pagemap", O_RDONLY));
	uint64_t v[2];

	CHECK_ERR(pread(fd, v, 7, 0), EINVAL);
	CHECK_ERR(pread(fd, v, 8, 4), EINVAL);
	CHECK_EQ(pread(fd, v, 0, 0), 0);
	CHECK_EQ(pread(fd, v, 16, (1l << 47) / page_size() * 8), 16);
	CHECK_EQ(v[0] | v[1], 0);
	CHECK_EQ(pread(fd, v, 16, 1l << 50), 0);
	CHECK_ERR(pread(fd, BAD_PTR, 8, 0), EFAULT);
}

TEST(pagemap_hides_frames_from_users)
{
	pid_t pid = FORK();

	if (!pid) {
		char *p = anon(page_size(), MAP_PRIVATE);
		int fd;

		become_user(1000, 1000);
		OK(prctl(PR_SET_DUMPABLE, 1));
		*p = 1;
		fd = OK(open("/proc/self/pagemap", O_RDONLY));
		CHECK_EQ(entry_of(fd, p) & (PRESENT | FRAME), PRESENT);
		_exit(0);
	}
	expect_exit(pid, 0);
}

/* ---- scheduling ---- */

static pid_t spinner(void)
{
	pid_t pid = FORK();

	if (!pid)
		for (;;)
			;
	return pid;
}

static pid_t sleeper(void)
{
	pid_t pid = FORK();

	if (!pid)
		for (;;)
			pause();
	await_sleep(pid);
	return pid;
}

static void end(pid_t pid)
{
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
}

static void schedstat(pid_t pid, unsigned long long v[3])
{
	CHECK_EQ(sscanf(read_text(path_of(pid, "schedstat")), "%llu %llu %llu\n", &v[0], &v[1],
			 &v[2]),
		3);
}

TEST(schedstat_counts_running_waiting_and_turns)
{
	unsigned long long a[3], b[3];
	cpu_set_t one;
	pid_t x, y;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	OK(sched_setaffinity(0, sizeof(one), &one));
	x = spinner();
	y = spinner();
	schedstat(x, a);
	/* Two that share a CPU: each also waits. */
	do {
		sleep_ns(20 * MSEC);
		schedstat(x, b);
	} while (b[0] - a[0] < 50 * MSEC);
	CHECK(b[1] - a[1] > 10 * MSEC);
	CHECK(b[2] > a[2]);
	end(x);
	end(y);
}

TEST(sched_has_figures_by_name)
{
	static const char *const rows[] = {"\nse.vruntime ", "\nse.sum_exec_runtime ",
		"\nnr_switches ", "\nnr_voluntary_switches ", "\nnr_involuntary_switches ",
		"\nse.load.weight ", "\npolicy ", "\nprio "};
	char head[64], *text = read_text("/proc/self/sched"), *p;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strstr(text, rows[i]))
			FAIL("sched: expected a row %s, got none", rows[i] + 1);
	p = strchr(text, '\n');
	CHECK(p);
	snprintf(head, sizeof(head), " (%d, #threads: 1)", getpid());
	CHECK_EQ(strncmp(p - strlen(head), head, strlen(head)), 0);
	p = strstr(text, "\nse.load.weight ");
	CHECK_EQ(atol(strchr(p, ':') + 1), 1024 * 1024);
	CHECK_EQ(atol(strchr(strstr(text, "\nprio "), ':') + 1), 120);
}

TEST(timerslack_is_that_of_prctl)
{
	pid_t pid = sleeper();
	char *path = path_of(pid, "timerslack_ns");

	CHECK_STR(read_text("/proc/self/timerslack_ns"), "50000\n");
	OK(prctl(PR_SET_TIMERSLACK, 70000));
	CHECK_STR(read_text("/proc/self/timerslack_ns"), "70000\n");
	write_file("/proc/self/timerslack_ns", "80000");
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 80000);
	write_file("/proc/self/timerslack_ns", "0");
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 50000);
	write_file(path, "1000000");
	CHECK_STR(read_text(path), "1000000\n");
	CHECK_EQ(try_write("/proc/self/timerslack_ns", "fast"), EINVAL);
	end(pid);
}

TEST(timerslack_of_others_needs_a_capability)
{
	pid_t pid = FORK();

	if (!pid) {
		char buf[32];
		int fd = OK(open(path_of(getppid(), "timerslack_ns"), O_RDWR));

		become_user(1000, 1000);
		CHECK_ERR(read(fd, buf, sizeof(buf)), EPERM);
		CHECK_ERR(write(fd, "1", 1), EPERM);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(syscall_tells_the_call_that_a_thread_waits_in)
{
	unsigned long long nr, arg[6], sp, pc;
	struct gate g = gate_make();
	pid_t pid = FORK();
	char *text;

	if (!pid) {
		gate_wait(g); /* a read of one byte */
		_exit(0);
	}
	await_sleep(pid);
	text = read_text(path_of(pid, "syscall"));
	CHECK_EQ(sscanf(text, "%llu 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx\n", &nr,
			 &arg[0], &arg[1], &arg[2], &arg[3], &arg[4], &arg[5], &sp, &pc),
		9);
	CHECK_EQ(nr, SYS_read);
	CHECK_EQ(arg[0], g.r);
	CHECK_EQ(arg[2], 1);
	CHECK(sp > 4096 && pc > 4096);
	gate_open(g);
	expect_exit(pid, 0);
}

TEST(syscall_of_the_reader_is_its_read)
{
	char buf[256];
	long nr, fd;
	int f = OK(open("/proc/self/syscall", O_RDONLY));

	buf[OK(read(f, buf, sizeof(buf) - 1))] = 0;
	CHECK_EQ(sscanf(buf, "%ld 0x%lx ", &nr, (unsigned long *)&fd), 2);
	CHECK_EQ(nr, SYS_read);
	CHECK_EQ(fd, f);
}

TEST(wchan_names_a_place_for_sleepers_only)
{
	pid_t asleep = sleeper(), running = spinner();

	CHECK_STR(read_text("/proc/self/wchan"), "0");
	CHECK(strlen(read_text(path_of(asleep, "wchan"))) > 1);
	CHECK_STR(read_text(path_of(running, "wchan")), "0");
	end(asleep);
	end(running);
}

TEST(wchan_of_other_users_is_not_told)
{
	pid_t asleep = sleeper(), pid = FORK();

	if (!pid) {
		become_user(1000, 1000);
		CHECK_STR(read_text(path_of(asleep, "wchan")), "0");
		CHECK_ERR(open(path_of(asleep, "stack"), O_RDONLY), EACCES);
		CHECK_ERR(open(path_of(asleep, "syscall"), O_RDONLY), EACCES);
		_exit(0);
	}
	expect_exit(pid, 0);
	end(asleep);
}

TEST(stack_lists_the_functions_of_a_sleeper)
{
	pid_t pid = sleeper();
	char *text = read_text(path_of(pid, "stack"));

	CHECK(!strncmp(text, "[<0>] ", 6));
	CHECK(strstr(text, "+0x"));
	CHECK_EQ(text[strlen(text) - 1], '\n');
	end(pid);
}

/* ---- timers and mappings ---- */

TEST(timers_lists_posix_timers)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct sigevent none = {.sigev_notify = SIGEV_NONE};
	char want[256];
	int a, b;

	CHECK_STR(read_text("/proc/self/timers"), "");
	ev.sigev_value.sival_ptr = (void *)0x1234567;
	OK(syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &a));
	OK(syscall(SYS_timer_create, CLOCK_REALTIME, &none, &b));
	snprintf(want, sizeof(want),
		"ID: %d\nsignal: %d/%016x\nnotify: signal/pid.%d\nClockID: 1\n", a, SIGUSR1,
		0x1234567, getpid());
	CHECK(strstr(read_text("/proc/self/timers"), want));
	snprintf(want, sizeof(want), "ID: %d\nsignal: 0/%016x\nnotify: none/pid.%d\nClockID: 0\n",
		b, 0, getpid());
	CHECK(strstr(read_text("/proc/self/timers"), want));
	OK(syscall(SYS_timer_delete, a));
	OK(syscall(SYS_timer_delete, b));
	CHECK_STR(read_text("/proc/self/timers"), "");
}

TEST(map_files_links_to_mapped_files)
{
	int fd = new_file("mapped", O_RDWR | O_CREAT, 0600), found = 0;
	char name[64], path[128], target[PATH_MAX] = "", cwd[PATH_MAX], want[PATH_MAX + 8];
	struct dirent *e;
	struct stat a, b;
	char *p;
	DIR *d;

	OK(ftruncate(fd, 3 * page_size()));
	p = OK(mmap(NULL, 2 * page_size(), PROT_READ, MAP_SHARED, fd, page_size()));
	snprintf(name, sizeof(name), "%lx-%lx", (unsigned long)p,
		(unsigned long)p + 2 * page_size());
	snprintf(path, sizeof(path), "/proc/self/map_files/%s", name);
	OK(readlink(path, target, sizeof(target) - 1));
	CHECK(getcwd(cwd, sizeof(cwd)));
	snprintf(want, sizeof(want), "%s/mapped", cwd);
	CHECK_STR(target, want);
	OK(stat(path, &a));
	OK(fstat(fd, &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	OK(lstat(path, &a));
	CHECK_EQ(a.st_mode, S_IFLNK | 0600); /* as the file is open */
	d = opendir("/proc/self/map_files");
	CHECK(d);
	while ((e = readdir(d)))
		found += !strcmp(e->d_name, name);
	closedir(d);
	CHECK_EQ(found, 1);
	OK(munmap(p, 2 * page_size()));
	CHECK_ERR(readlink(path, target, sizeof(target)), ENOENT);
	CHECK_ERR(readlink("/proc/self/map_files/1-2", target, sizeof(target)), ENOENT);
	CHECK_ERR(readlink("/proc/self/map_files/x", target, sizeof(target)), ENOENT);
}

TEST(map_files_are_followed_by_administrators_only)
{
	int fd = new_file("mapped", O_RDWR | O_CREAT, 0666);
	char path[128], target[PATH_MAX];
	pid_t pid;

	OK(ftruncate(fd, page_size()));
	pid = FORK();
	if (!pid) {
		char *p = OK(mmap(NULL, page_size(), PROT_READ, MAP_SHARED, fd, 0));

		become_user(1000, 1000);
		OK(prctl(PR_SET_DUMPABLE, 1));
		snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)p,
			(unsigned long)p + page_size());
		OK(readlink(path, target, sizeof(target)));
		CHECK_ERR(open(path, O_RDONLY), EPERM);
		_exit(0);
	}
	expect_exit(pid, 0);
}

/* ---- the rest ---- */

TEST(children_lists_those_of_the_thread)
{
	char path[128], want[64];
	pid_t a, b;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	CHECK_STR(read_text(path), "");
	a = sleeper();
	b = sleeper();
	snprintf(want, sizeof(want), "%d %d ", a, b);
	CHECK_STR(read_text(path), want);
	end(a);
	snprintf(want, sizeof(want), "%d ", b);
	CHECK_STR(read_text(path), want);
	end(b);
}

TEST(time_offsets_of_the_first_namespace_are_fixed)
{
	CHECK_STR(read_text("/proc/self/timens_offsets"),
		"monotonic           0         0\nboottime            0         0\n");
	CHECK_EQ(try_write("/proc/self/timens_offsets", "monotonic 1 0"), EACCES);
}

TEST(oom_adj_is_the_old_scale)
{
	static const struct {
		const char *adj, *score;
	} pairs[] = {{"0", "0"}, {"15", "1000"}, {"-17", "-1000"}, {"8", "470"}, {"-5", "-294"}};
	char want[16];

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		write_file("/proc/self/oom_adj", pairs[i].adj);
		snprintf(want, sizeof(want), "%s\n", pairs[i].score);
		CHECK_STR(read_text("/proc/self/oom_score_adj"), want);
	}
	write_file("/proc/self/oom_score_adj", "500");
	CHECK_STR(read_text("/proc/self/oom_adj"), "8\n");
	write_file("/proc/self/oom_score_adj", "0");
	CHECK_EQ(try_write("/proc/self/oom_adj", "16"), EINVAL);
	CHECK_EQ(try_write("/proc/self/oom_adj", "-18"), EINVAL);
}

/* With no security module, or none that knows these. */
TEST(attributes_of_security_modules_are_invalid)
{
	char buf[64];
	int fd = OK(open("/proc/self/attr/fscreate", O_RDWR));

	CHECK_ERR(read(fd, buf, sizeof(buf)), EINVAL);
	CHECK_ERR(write(fd, "x", 1), EINVAL);
	OK(close(fd));
	fd = OK(open("/proc/self/attr/prev", O_RDONLY));
	CHECK_ERR(read(fd, buf, sizeof(buf)), EINVAL);
	OK(close(fd));
}

TEST(threads_have_most_files_of_processes)
{
	static const char *const both[] = {"attr", "children", "clear_refs", "gid_map", "ns",
		"oom_adj", "pagemap", "projid_map", "sched", "schedstat", "setgroups", "stack",
		"syscall", "uid_map", "wchan"};
	char path[128];

	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
		snprintf(path, sizeof(path), "/proc/self/task/%d/%s", gettid_raw(), both[i]);
		OK(access(path, F_OK));
	}
	snprintf(path, sizeof(path), "/proc/self/task/%d/timers", gettid_raw());
	CHECK_ERR(access(path, F_OK), ENOENT);
}

/* ---- children ---- */

static volatile int g_children_stop, g_children_reads;

static void *read_children(void *arg)
{
	char buf[4096];

	while (!g_children_stop) {
		int fd = OK(open(arg, O_RDONLY));

		while (OK(read(fd, buf, sizeof(buf))) > 0)
			continue;
		OK(close(fd));
		g_children_reads++;
	}
	return NULL;
}

TEST(children_are_listed_while_they_come_and_go)
{
	long long end = now_ns(CLOCK_MONOTONIC) + 2 * SEC;
	pthread_t reader[3];
	char path[80];
	pid_t pid[8];

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", gettid_raw());
	for (int i = 0; i < 3; i++)
		CHECK_PT(pthread_create(&reader[i], NULL, read_children, path));
	while (now_ns(CLOCK_MONOTONIC) < end) {
		for (int i = 0; i < 8; i++) {
			pid[i] = vfork();
			if (!pid[i])
				_exit(0);
			CHECK(pid[i] > 0);
		}
		for (int i = 0; i < 8; i++)
			expect_exit(pid[i], 0);
	}
	g_children_stop = 1;
	for (int i = 0; i < 3; i++)
		CHECK_PT(pthread_join(reader[i], NULL));
	CHECK(g_children_reads > 0);
}
