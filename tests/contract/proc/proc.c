/* SPDX-License-Identifier: MIT */
/* /proc as busybox, procps and the C libraries read it. */
#include "contract.h"
#include <dirent.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/utsname.h>

static bool has_line(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	while (text && *text) {
		if (!strncmp(text, prefix, len))
			return true;
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return false;
}

static void expect_link(const char *path, const char *want)
{
	char target[PATH_MAX] = "";

	OK(readlink(path, target, sizeof(target) - 1));
	CHECK_STR(target, want);
}

TEST(self_and_thread_self_are_links)
{
	char want[32];

	snprintf(want, sizeof(want), "%d", getpid());
	expect_link("/proc/self", want);
	snprintf(want, sizeof(want), "%d/task/%d", getpid(), gettid_raw());
	expect_link("/proc/thread-self", want);
}

TEST(stat_has_52_fields_in_order)
{
	int pid, ppid, pgrp, session, tty, n = 0;
	char comm[64], state, *text = read_text("/proc/self/stat");

	CHECK_EQ(sscanf(text, "%d (%63[^)]) %c %d %d %d %d", &pid, comm, &state, &ppid, &pgrp,
			 &session, &tty),
		7);
	CHECK_EQ(pid, getpid());
	CHECK_EQ(state, 'R');
	CHECK_EQ(ppid, getppid());
	CHECK_EQ(pgrp, getpgrp());
	CHECK_EQ(session, getsid(0));
	CHECK_EQ(tty, 0);
	for (char *p = text; *p; p++)
		n += *p == ' ';
	CHECK_EQ(n, 51);
	CHECK_EQ(text[strlen(text) - 1], '\n');
}

TEST(stat_keeps_odd_names)
{
	OK(prctl(PR_SET_NAME, "a) (b c"));
	char *text = read_text("/proc/self/stat");
	CHECK(strstr(text, " (a) (b c) R "));
	CHECK_STR(read_text("/proc/self/comm"), "a) (b c\n");
}

TEST(comm_can_be_written)
{
	char name[17];

	write_file("/proc/self/comm", "renamed by a file");
	OK(prctl(PR_GET_NAME, name));
	CHECK_STR(name, "renamed by a fi");
}

TEST(status_lists_ids_masks_and_memory)
{
	static const char *const keys[] = {"Name:\t", "Umask:\t", "State:\tR (running)", "Tgid:\t",
		"Ngid:\t", "Pid:\t", "PPid:\t", "TracerPid:\t0", "Uid:\t0\t0\t0\t0",
		"Gid:\t0\t0\t0\t0", "FDSize:\t", "Groups:\t", "VmPeak:\t", "VmSize:\t", "VmLck:\t",
		"VmHWM:\t", "VmRSS:\t", "RssAnon:\t", "RssFile:\t", "RssShmem:\t", "VmData:\t",
		"VmStk:\t", "VmExe:\t", "VmLib:\t", "VmPTE:\t", "VmSwap:\t", "Threads:\t1",
		"SigQ:\t", "SigPnd:\t0000000000000000", "ShdPnd:\t", "SigBlk:\t", "SigIgn:\t",
		"SigCgt:\t", "CapInh:\t", "CapPrm:\t", "CapEff:\t", "CapBnd:\t", "CapAmb:\t",
		"NoNewPrivs:\t0", "Seccomp:\t0", "Cpus_allowed:\t", "Cpus_allowed_list:\t",
		"Mems_allowed:\t", "voluntary_ctxt_switches:\t", "nonvoluntary_ctxt_switches:\t"};
	char *text = read_text("/proc/self/status");

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!has_line(text, keys[i]))
			FAIL("status: expected a line \"%s\", got none", keys[i]);
}

TEST(statm_counts_pages)
{
	long size, rss;

	CHECK_EQ(sscanf(read_text("/proc/self/statm"), "%ld %ld", &size, &rss), 2);
	CHECK(size > rss && rss > 0);
}

TEST(cmdline_and_environ_are_the_initial_strings)
{
	char text[4096];
	int fd = OK(open("/proc/self/cmdline", O_RDONLY));
	ssize_t n = OK(read(fd, text, sizeof(text)));

	CHECK(n > 0);
	CHECK_EQ(text[n - 1], 0);
	CHECK_STR(text, self_path);
	CHECK_STR(text + strlen(text) + 1, "--run");
	pid_t pid = FORK();
	if (!pid) {
		char *argv[] = {self_path, "--helper", "environ", NULL},
		     *envp[] = {"K=v", "L=w", NULL};

		execve(self_path, argv, envp);
		_exit(99);
	}
	expect_exit(pid, 0);
}

HELPER(environ)
{
	char text[64] = "";
	int fd = OK(open("/proc/self/environ", O_RDONLY));

	CHECK_EQ(read(fd, text, sizeof(text)), 8);
	CHECK(!memcmp(text, "K=v\0L=w", 8));
	return 0;
}

TEST(exe_cwd_and_root_are_links)
{
	char cwd[PATH_MAX];

	expect_link("/proc/self/exe", self_path);
	CHECK(getcwd(cwd, sizeof(cwd)));
	expect_link("/proc/self/cwd", cwd);
	expect_link("/proc/self/root", "/");
	write_file("here", "y");
	CHECK_STR(read_text("/proc/self/cwd/here"), "y");
}

TEST(fd_lists_and_names_descriptors)
{
	int fd = new_file("f", O_RDWR, 0600), p[2];
	char path[64], want[PATH_MAX + 32], cwd[PATH_MAX], target[64] = "";
	struct stat st;

	CHECK(getcwd(cwd, sizeof(cwd)));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	snprintf(want, sizeof(want), "%s/f", cwd);
	expect_link(path, want);
	OK(unlink("f"));
	snprintf(want, sizeof(want), "%s/f (deleted)", cwd);
	expect_link(path, want);
	OK(lstat(path, &st));
	CHECK_EQ(st.st_mode & 0777, 0700);
	OK(pipe(p));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	OK(readlink(path, target, sizeof(target) - 1));
	OK(fstat(p[0], &st));
	snprintf(want, sizeof(want), "pipe:[%lu]", (unsigned long)st.st_ino);
	CHECK_STR(target, want);
	CHECK_ERR(readlink("/proc/self/fd/150", target, 64), ENOENT);
	int n = 0, dots = 0;
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *de;
	CHECK(dir);
	while ((de = readdir(dir))) {
		if (de->d_name[0] == '.')
			dots++;
		else if (atoi(de->d_name) == p[1])
			n++;
	}
	CHECK_EQ(dots, 2);
	CHECK_EQ(n, 1);
	closedir(dir);
}

TEST(fdinfo_shows_position_and_flags)
{
	int fd = new_file("f", O_RDWR | O_APPEND, 0600);
	char path[64];
	long pos, flags;

	CHECK_EQ(write(fd, "12345", 5), 5);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK_EQ(sscanf(read_text(path), "pos:\t%ld\nflags:\t%lo\nmnt_id:", &pos, &flags), 2);
	CHECK_EQ(pos, 5);
	CHECK_EQ(flags & (O_ACCMODE | O_APPEND | O_CLOEXEC), O_RDWR | O_APPEND | O_CLOEXEC);
}

TEST(maps_show_protections_offsets_and_names)
{
	char *text, line[128];
	int fd = new_file("mapped", O_RDWR, 0600);

	OK(ftruncate(fd, 8192));
	char *p = OK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096));
	char *q = OK(mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	text = read_text("/proc/self/maps");
	CHECK(strstr(text, "[stack]\n"));
	CHECK(strstr(text, "[vdso]\n"));
	CHECK(strstr(text, self_path));
	snprintf(line, sizeof(line), "%lx-%lx r--s 00001000 ", (long)p, (long)p + 4096);
	char *found = strstr(text, line);
	CHECK(found);
	CHECK(strstr(found, "/mapped\n"));
	snprintf(line, sizeof(line), "%lx-", (long)q);
	/* It may have merged with a neighbour; then its end is what shows. */
	if (!(found = strstr(text, line))) {
		snprintf(line, sizeof(line), "-%lx ---p", (long)q + 4096);
		CHECK(strstr(text, line));
	}
}

TEST(maps_show_the_heap)
{
	char *start = (char *)syscall(SYS_brk, 0);

	CHECK((char *)syscall(SYS_brk, start + 8192) == start + 8192);
	CHECK(strstr(read_text("/proc/self/maps"), "[heap]\n"));
}

TEST(smaps_rollup_sums_memory)
{
	char *text = read_text("/proc/self/smaps_rollup");

	CHECK(strstr(text, "[rollup]\n"));
	CHECK(has_line(text, "Rss:"));
	CHECK(has_line(text, "Pss:"));
	CHECK(has_line(text, "Private_Dirty:"));
}

/* Reads "Name:   N kB" rows from text on, which must have these names in this order; the values. */
static void kb_rows(const char *text, const char *const *names, long *values)
{
	for (int i = 0; names[i]; i++) {
		size_t n = strlen(names[i]);
		char unit[4] = "";

		if (strncmp(text, names[i], n) != 0 || text[n] != ':')
			FAIL("expected a row %s, got %.24s", names[i], text);
		CHECK_EQ(sscanf(text + n + 1, "%ld %3[^\n]", &values[i], unit), 2);
		CHECK_STR(unit, "kB");
		text = strchr(text, '\n') + 1;
	}
}

TEST(smaps_rollup_has_its_rows_and_they_add_up)
{
	static const char *const names[] = {"Rss", "Pss", "Pss_Dirty", "Pss_Anon", "Pss_File",
		"Pss_Shmem", "Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty",
		"Referenced", "Anonymous", "LazyFree", "AnonHugePages", "ShmemPmdMapped",
		"FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb", "Swap", "SwapPss", "Locked",
		NULL};
	char *shared = mmap(
		NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *own = mmap(
		NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long v[21], parts;

	CHECK(shared != MAP_FAILED && own != MAP_FAILED);
	memset(shared, 1, 64 << 10);
	memset(own, 1, 64 << 10);
	kb_rows(strchr(read_text("/proc/self/smaps_rollup"), '\n') + 1, names, v);
	CHECK_EQ(v[0], v[6] + v[7] + v[8] + v[9]);
	parts = v[3] + v[4] + v[5];
	if (parts < v[1] - 3 || parts > v[1] + 3) /* each is rounded down */
		FAIL("Pss is %ld kB, its parts are %ld", v[1], parts);
	CHECK(v[2] >= 128 && v[2] <= v[1]);
	CHECK(v[3] >= 64 && v[5] >= 64);
	CHECK(v[11] >= 64 && v[11] <= v[0]);
	CHECK_EQ(v[18], 0);
}

TEST(smaps_has_its_rows_for_each_region)
{
	static const char *const names[] = {"Size", "KernelPageSize", "MMUPageSize", "Rss", "Pss",
		"Pss_Dirty", "Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty",
		"Referenced", "Anonymous", "LazyFree", "AnonHugePages", "ShmemPmdMapped",
		"FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb", "Swap", "SwapPss", "Locked",
		NULL};
	char *p = mmap(NULL, 48 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char key[20], flags[128] = "", *at;
	int eligible = -1;
	long v[21];

	CHECK(p != MAP_FAILED);
	OK(madvise(p, 48 << 10, MADV_DONTFORK)); /* a region of its own */
	memset(p, 1, 8 << 10);
	snprintf(key, sizeof(key), "%lx-", (long)p);
	at = strstr(read_text("/proc/self/smaps"), key);
	CHECK(at);
	kb_rows(strchr(at, '\n') + 1, names, v);
	CHECK_EQ(v[0], 48);
	CHECK_EQ(v[1], 4);
	CHECK_EQ(v[3], 8);
	CHECK_EQ(v[4], 8);
	CHECK_EQ(v[5], 8);
	CHECK_EQ(v[9], 8);
	CHECK_EQ(v[11], 8);
	at = strstr(at, "THPeligible:");
	CHECK(at && sscanf(at, "THPeligible: %d", &eligible) == 1);
	CHECK_EQ(eligible, 0); /* smaller than a huge page */
	at = strstr(at, "VmFlags: ");
	CHECK(at && sscanf(at, "VmFlags: %127[^\n]", flags) == 1);
	if (strstr(flags, " sd ")) /* soft-dirty, where that is configured */
		*(strstr(flags, " sd ") + 1) = '\0';
	CHECK_STR(flags, "rd wr mr mw me dc ac ");
}

TEST(limits_table)
{
	char *text = read_text("/proc/self/limits");

	CHECK(has_line(
		text, "Limit                     Soft Limit           Hard Limit           Units"));
	CHECK(has_line(text, "Max open files            "));
	CHECK(has_line(text, "Max stack size            "));
	CHECK(strstr(text, "unlimited"));
}

TEST(rows_have_their_columns)
{
	char *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *text, *line;
	char path[64], start[32];
	struct stat st;

	CHECK(map != MAP_FAILED);
	CHECK(has_line(read_text("/proc/self/limits"),
		"Max nice priority         0                    0                    \n"));
	text = read_text("/proc/self/smaps_rollup");
	line = strchr(text, '[');
	CHECK(line && !strncmp(line, "[rollup]\n", 9));
	CHECK_EQ(line - text, 73);
	OK(mprotect(map, 4096, PROT_NONE)); /* a region of its own */
	snprintf(start, sizeof(start), "%08lx-", (unsigned long)map);
	text = read_text("/proc/self/maps");
	line = strstr(text, start);
	CHECK(line);
	line = strchr(line, '\n');
	CHECK(line && !strncmp(line - 9, " 00:00 0 ", 9));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d",
		OK(open("f", O_WRONLY | O_CREAT, 0600)));
	OK(stat(path, &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0444);
}

TEST(mounts_and_mountinfo_list_the_mounts)
{
	char *text = read_text("/proc/self/mounts");

	CHECK(has_line(text, "proc /proc proc rw"));
	CHECK(strstr(text, "/tmp/contract"));
	text = read_text("/proc/self/mountinfo");
	CHECK(strstr(text, " - proc proc rw"));
	CHECK(strstr(text, " - tmpfs contract rw"));
}

static void *wait_gate(void *arg)
{
	gate_wait(*(struct gate *)arg);
	return NULL;
}

TEST(task_lists_the_threads)
{
	struct gate g = gate_make();
	pthread_t t;
	struct dirent *de;
	int n = 0;

	CHECK_PT(pthread_create(&t, NULL, wait_gate, &g));
	CHECK(has_line(read_text("/proc/self/status"), "Threads:\t2\n"));
	DIR *dir = opendir("/proc/self/task");
	CHECK(dir);
	while ((de = readdir(dir)))
		n += de->d_name[0] != '.';
	closedir(dir);
	CHECK_EQ(n, 2);
	gate_open(g);
	CHECK_PT(pthread_join(t, NULL));
}

TEST(zombies_have_stat_but_no_cmdline)
{
	char path[64];
	siginfo_t si;
	pid_t pid = FORK();

	if (!pid)
		_exit(0);
	OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	CHECK(strstr(read_text(path), ") Z "));
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	CHECK_STR(read_text(path), "");
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	char target[64];
	CHECK_ERR(readlink(path, target, 64), ENOENT);
	expect_exit(pid, 0);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	struct stat st;
	CHECK_ERR(stat(path, &st), ENOENT);
}

TEST(open_files_of_a_dead_process_give_ESRCH)
{
	char path[64], buf[64];
	pid_t pid = FORK();

	if (!pid)
		for (;;)
			pause();
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int fd = OK(open(path, O_RDONLY));
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	CHECK_ERR(read(fd, buf, sizeof(buf)), ESRCH);
}

TEST(other_users_cannot_look_inside)
{
	pid_t parent = getpid(), pid = FORK();

	if (!pid) {
		char path[64], target[64];

		become_user(1000, 1000);
		snprintf(path, sizeof(path), "/proc/%d/status", parent);
		read_text(path);
		snprintf(path, sizeof(path), "/proc/%d/cmdline", parent);
		read_text(path);
		snprintf(path, sizeof(path), "/proc/%d/environ", parent);
		CHECK_ERR(open(path, O_RDONLY), EACCES);
		snprintf(path, sizeof(path), "/proc/%d/exe", parent);
		CHECK_ERR(readlink(path, target, 64), EACCES);
		snprintf(path, sizeof(path), "/proc/%d/fd", parent);
		CHECK_ERR(open(path, O_RDONLY), EACCES);
		_exit(0);
	}
	expect_exit(pid, 0);
}

static long meminfo_row(const char *text, const char *name)
{
	char key[32];
	const char *p;

	snprintf(key, sizeof(key), "\n%s: ", name);
	p = strstr(text, key);
	if (!p)
		FAIL("meminfo: no row %s", name);
	return strtol(p + strlen(key), NULL, 10);
}

TEST(meminfo_adds_up)
{
	long total, available, free_kb;
	char *text = read_text("/proc/meminfo");
	struct sysinfo si;

	CHECK_EQ(meminfo_row(text, "Slab"),
		meminfo_row(text, "SReclaimable") + meminfo_row(text, "SUnreclaim"));
	CHECK(meminfo_row(text, "SReclaimable") > 0 && meminfo_row(text, "SUnreclaim") > 0);
	CHECK_EQ(sscanf(text, "MemTotal: %ld kB\nMemFree: %ld kB\nMemAvailable: %ld kB", &total,
			 &free_kb, &available),
		3);
	CHECK(free_kb < total && available < total && free_kb > 0);
	CHECK(has_line(text, "Buffers:"));
	CHECK(has_line(text, "Cached:"));
	CHECK(has_line(text, "SwapTotal:"));
	CHECK(has_line(text, "Slab:"));
	OK(sysinfo(&si));
	CHECK_EQ(si.totalram * si.mem_unit / 1024, total);
}

TEST(meminfo_splits_the_lists_of_pages)
{
	static const char *const names[] = {"SwapCached", "Unevictable", "SwapFree", "Dirty",
		"Writeback", "AnonPages", "Mapped", "Shmem", "KReclaimable", "SReclaimable",
		"SUnreclaim", "KernelStack", "PageTables", "NFS_Unstable", "Bounce", "WritebackTmp",
		"CommitLimit", "Committed_AS", "VmallocTotal", "VmallocUsed", "VmallocChunk",
		"Percpu"};
	char *text = read_text("/proc/meminfo");

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		CHECK(meminfo_row(text, names[i]) >= 0);
	CHECK_EQ(meminfo_row(text, "Active"),
		meminfo_row(text, "Active(anon)") + meminfo_row(text, "Active(file)"));
	CHECK_EQ(meminfo_row(text, "Inactive"),
		meminfo_row(text, "Inactive(anon)") + meminfo_row(text, "Inactive(file)"));
	CHECK(meminfo_row(text, "VmallocTotal") > meminfo_row(text, "VmallocUsed"));
}

TEST(stat_counts_interrupts_by_line_and_softirqs_by_kind)
{
	char *text = read_text("/proc/stat"), *p;
	unsigned long long total, sum = 0, n;
	int count = 0;

	p = strstr(text, "\nintr ");
	CHECK(p);
	total = strtoull(p + 6, &p, 10);
	for (; *p == ' '; count++)
		sum += strtoull(p, &p, 10);
	CHECK_EQ(*p, '\n');
	CHECK(count > 4 && sum > 0 && sum <= total);
	p = strstr(text, "\nsoftirq ");
	CHECK(p);
	total = strtoull(p + 9, &p, 10);
	for (count = 0, sum = 0; *p == ' '; count++) {
		n = strtoull(p, &p, 10);
		sum += n;
	}
	CHECK_EQ(*p, '\n');
	CHECK_EQ(count, 10);
	CHECK_EQ(sum, total);
}

TEST(version_has_release_builder_compiler_and_version)
{
	char release[64] = "", who[128] = "", compiler[200] = "";
	struct utsname u;

	OK(uname(&u));
	CHECK_EQ(sscanf(read_text("/proc/version"), "Linux version %63s (%127[^)]) (%199[^#]",
			 release, who, compiler),
		3);
	CHECK_STR(release, u.release);
	CHECK(strchr(who, '@'));
	CHECK(!strncmp(compiler + strlen(compiler) - 2, ") ", 2));
	CHECK(strstr(read_text("/proc/version"), u.version));
}

TEST(global_stat_counts_cpus)
{
	char *text = read_text("/proc/stat"), line[32];
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	CHECK(has_line(text, "cpu  "));
	snprintf(line, sizeof(line), "cpu%d ", (int)online - 1);
	CHECK(has_line(text, line));
	CHECK(has_line(text, "btime "));
	CHECK(has_line(text, "processes "));
	CHECK(has_line(text, "ctxt "));
	CHECK(has_line(text, "intr "));
	CHECK(has_line(text, "procs_running "));
}

TEST(cpuinfo_uptime_loadavg_version)
{
	double up, idle, a, b, c;
	int running, all, last;
	char *text = read_text("/proc/cpuinfo");

	CHECK(has_line(text, "processor\t: 0"));
	CHECK(has_line(text, "vendor_id\t: "));
	CHECK(has_line(text, "flags\t\t: "));
	CHECK_EQ(sscanf(read_text("/proc/uptime"), "%lf %lf", &up, &idle), 2);
	CHECK(up > 0);
	long long boot = now_ns(CLOCK_BOOTTIME);
	CHECK(boot / 1e9 - up < 5 && up <= boot / 1e9 + 0.1);
	CHECK_EQ(sscanf(read_text("/proc/loadavg"), "%lf %lf %lf %d/%d %d", &a, &b, &c, &running,
			 &all, &last),
		6);
	CHECK(running >= 1 && all >= running && last >= getpid());
	CHECK(!strncmp(read_text("/proc/version"), "Linux version ", 14));
}

TEST(filesystems_devices_and_partitions_exist)
{
	char *text = read_text("/proc/filesystems");

	CHECK(has_line(text, "nodev\ttmpfs"));
	CHECK(has_line(text, "nodev\tproc"));
	CHECK(has_line(read_text("/proc/devices"), "Character devices:"));
	CHECK(has_line(read_text("/proc/cmdline"), ""));
	read_text("/proc/interrupts");
}

TEST(sys_kernel_files)
{
	char *text = read_text("/proc/sys/kernel/ostype");

	CHECK_STR(text, "Linux\n");
	CHECK(atoi(read_text("/proc/sys/kernel/pid_max")) >= 32768);
	read_text("/proc/sys/kernel/osrelease");
	read_text("/proc/sys/kernel/hostname");
	CHECK_EQ(strlen(read_text("/proc/sys/kernel/random/uuid")), 37);
	CHECK(atoi(read_text("/proc/sys/vm/overcommit_memory")) <= 2);
	CHECK(atoi(read_text("/proc/sys/fs/file-max")) != 0);
	CHECK(atoi(read_text("/proc/sys/fs/pipe-max-size")) == 1 << 20);
	char buf[37];
	strncpy(buf, read_text("/proc/sys/kernel/random/boot_id"), 36);
	buf[36] = 0;
	CHECK(!strncmp(buf, read_text("/proc/sys/kernel/random/boot_id"), 36));
}

TEST(randomize_va_space_takes_any_int)
{
	const char *name = "/proc/sys/kernel/randomize_va_space";
	char was[16], got[16];
	int fd = OK(open(name, O_RDWR));
	ssize_t len = OK(pread(fd, was, sizeof(was), 0));

	CHECK_EQ(pwrite(fd, "-9", 2, 0), 2);
	memset(got, 0, sizeof(got));
	OK(pread(fd, got, sizeof(got) - 1, 0));
	CHECK_EQ(pwrite(fd, was, (size_t)len, 0), len);
	CHECK_STR(got, "-9\n");
	CHECK_ERR(pwrite(fd, "2147483648", 10, 0), EINVAL);
}

TEST(oom_score_adj_is_kept_and_inherited)
{
	write_file("/proc/self/oom_score_adj", "500");
	CHECK_STR(read_text("/proc/self/oom_score_adj"), "500\n");
	int fd = OK(open("/proc/self/oom_score_adj", O_WRONLY));
	CHECK_ERR(write(fd, "2000", 4), EINVAL);
	pid_t pid = FORK();
	if (!pid) {
		CHECK_STR(read_text("/proc/self/oom_score_adj"), "500\n");
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(proc_directory_lists_processes_only_once)
{
	struct dirent *de;
	int self = 0;
	DIR *dir = opendir("/proc");

	CHECK(dir);
	while ((de = readdir(dir)))
		self += atoi(de->d_name) == getpid();
	closedir(dir);
	CHECK_EQ(self, 1);
}

TEST(proc_is_read_only_for_names)
{
	CHECK_ERR(mkdir("/proc/x", 0755), ENOENT);
	CHECK_ERR(open("/proc/x", O_CREAT | O_WRONLY, 0600), ENOENT);
	CHECK_ERR(unlink("/proc/version"), EPERM);
	CHECK_ERR(open("/proc/self/nothing", O_RDONLY), ENOENT);
	CHECK_ERR(open("/proc/0", O_RDONLY), ENOENT);
}

TEST(small_reads_and_seeks_are_consistent)
{
	char whole[4096], parts[4096];
	int fd = OK(open("/proc/self/limits", O_RDONLY));
	ssize_t len = OK(read(fd, whole, sizeof(whole))), at = 0, n;

	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	while ((n = OK(read(fd, parts + at, 7))) > 0)
		at += n;
	CHECK_EQ(at, len);
	CHECK(!memcmp(whole, parts, len));
	CHECK_EQ(pread(fd, parts, 10, 5), 10);
	CHECK(!memcmp(parts, whole + 5, 10));
}

TEST(smaller_files_of_a_process_exist)
{
	static const char *const files[] = {
		"auxv", "cgroup", "io", "wchan", "personality", "oom_score"};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/%s", files[i]);
		OK(close(OK(open(path, O_RDONLY))));
	}
}

static void expect_pwrite(const char *path, int flags, int err)
{
	int fd = OK(open(path, flags));
	struct iovec vec = {"", 0};

	CHECK_ERR(pwrite(fd, "", 0, 0), err);
	CHECK_ERR(pwritev(fd, &vec, 1, 0), err);
	if (err == ESPIPE)
		CHECK_ERR(lseek(fd, 0, SEEK_END), EINVAL);
	OK(close(fd));
}

/* Files of records: writes have no position. Others: as any file. */
TEST(pwrite_is_ESPIPE_where_proc_shows_records)
{
	static const char *const records[] = {"self/comm", "self/stat", "self/status", "self/maps",
		"self/limits", "self/mounts", "self/fdinfo/0", "self/net/dev", "meminfo", "uptime"};
	static const char *const others[] = {
		"self/environ", "self/cmdline", "self/oom_score_adj", "sys/kernel/hostname"};
	char path[64];

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%s", records[i]);
		expect_pwrite(path, O_RDONLY, ESPIPE);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%s", others[i]);
		expect_pwrite(path, O_RDONLY, EBADF);
	}
}

TEST(root_opens_what_nobody_writes_but_writes_nothing)
{
	int fd = OK(open("/proc/self/stat", O_RDWR));

	CHECK_ERR(write(fd, "x", 1), EINVAL);
	fd = OK(open("/proc/meminfo", O_RDWR));
	CHECK_ERR(write(fd, "x", 1), EIO);
	CHECK_ERR(open("/proc/net/dev", O_RDWR), EACCES);
}

static long long softirq_ticks(void)
{
	long long t[7];

	CHECK_EQ(sscanf(read_text("/proc/stat"), "cpu %lld %lld %lld %lld %lld %lld %lld", &t[0],
			 &t[1], &t[2], &t[3], &t[4], &t[5], &t[6]),
		7);
	return t[6];
}

/* A datagram of 60000 octets at a time, until packets have taken some time. */
TEST(time_in_packets_is_shown_as_softirq)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int in = OK(socket(AF_INET, SOCK_DGRAM, 0)), out = OK(socket(AF_INET, SOCK_DGRAM, 0));
	struct ifreq r = {.ifr_name = "lo"};
	socklen_t len = sizeof(to);
	long long start = softirq_ticks();
	static char data[60000];

	OK(ioctl(in, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP;
	OK(ioctl(in, SIOCSIFFLAGS, &r));
	OK(bind(in, (struct sockaddr *)&to, sizeof(to)));
	OK(getsockname(in, (struct sockaddr *)&to, &len));
	while (softirq_ticks() < start + 3)
		for (int i = 0; i < 200; i++) {
			CHECK_EQ(sendto(out, data, sizeof(data), 0, (struct sockaddr *)&to, len),
				sizeof(data));
			CHECK_EQ(recv(in, data, sizeof(data), 0), sizeof(data));
		}
}

struct io {
	long long rchar, wchar, syscr, syscw;
};

static long g_io_len; /* of the last reading, which itself is counted by the next */

static struct io read_io(int fd)
{
	struct io io;
	char text[512];

	g_io_len = OK(pread(fd, text, sizeof(text) - 1, 0));
	text[g_io_len] = 0;
	CHECK_EQ(sscanf(text, "rchar: %lld wchar: %lld syscr: %lld syscw: %lld", &io.rchar,
			 &io.wchar, &io.syscr, &io.syscw),
		4);
	return io;
}

/* Since *last: so much was read and written in so many calls. */
static void expect_io(int fd, struct io *last, int line, struct io want)
{
	long own = g_io_len;
	struct io now = read_io(fd);
	struct io got = {now.rchar - last->rchar - own, now.wchar - last->wchar,
		now.syscr - last->syscr - 1, now.syscw - last->syscw};

	if (memcmp(&got, &want, sizeof(got)))
		FAIL("line %d: expected rchar %lld wchar %lld syscr %lld syscw %lld, got %lld %lld %lld %lld",
			line, want.rchar, want.wchar, want.syscr, want.syscw, got.rchar, got.wchar,
			got.syscr, got.syscw);
	*last = now;
}
#define EXPECT_IO(...) expect_io(fd, &last, __LINE__, (struct io){__VA_ARGS__})

TEST(io_counts_bytes_and_calls)
{
	char buf[1000] = "";
	struct iovec vec[2] = {{buf, 300}, {buf, 400}};
	int fd = OK(open("/proc/self/io", O_RDONLY)), file = OK(open("f", O_RDWR | O_CREAT, 0600));
	int p[2], copy = OK(open("g", O_RDWR | O_CREAT, 0600));
	struct io last;
	pid_t pid;

	OK(pipe2(p, O_NONBLOCK));
	last = read_io(fd);
	EXPECT_IO(0, 0, 0, 0);
	CHECK_EQ(write(file, buf, 1000), 1000);
	EXPECT_IO(0, 1000, 0, 1);
	CHECK_EQ(pread(file, buf, 600, 900), 100);
	EXPECT_IO(100, 0, 1, 0);
	CHECK_EQ(writev(p[1], vec, 2), 700);
	CHECK_EQ(read(p[0], buf, 1000), 700);
	EXPECT_IO(700, 700, 1, 1);
	CHECK_ERR(read(p[0], buf, 1000), EAGAIN);
	EXPECT_IO(0, 0, 1, 0);
	CHECK_ERR(read(p[1], buf, 1000), EBADF);
	CHECK_ERR(write(-1, buf, 1000), EBADF);
	EXPECT_IO(0, 0, 0, 0);
	OK(lseek(file, 0, SEEK_SET));
	CHECK_EQ(sendfile(p[1], file, NULL, 500), 500);
	EXPECT_IO(500, 500, 1, 1);
	CHECK_ERR(sendfile(p[1], fd, NULL, 500), EINVAL);
	EXPECT_IO(0, 0, 1, 1);
	OK(lseek(file, 0, SEEK_SET));
	CHECK_EQ(syscall(SYS_copy_file_range, file, NULL, copy, NULL, 1000, 0), 1000);
	EXPECT_IO(1000, 1000, 1, 1);
	pid = OK(fork());
	if (!pid)
		_exit(pwrite(file, buf, 123, 0) != 123);
	expect_exit(pid, 0);
	EXPECT_IO(0, 123, 0, 1);
}

/* The file's first 256 bytes and its program headers: two calls, as a static program needs. */
HELPER(own_io)
{
	struct io io = read_io(OK(open("/proc/self/io", O_RDONLY)));

	CHECK_EQ(io.rchar, 256 + getauxval(AT_PHNUM) * getauxval(AT_PHENT));
	CHECK_EQ(io.syscr, 2);
	CHECK_EQ(io.wchar + io.syscw, 0);
	return 0;
}

TEST(io_counts_what_exec_reads)
{
	pid_t pid = OK(fork());

	if (!pid)
		_exit(exec_helper("own_io", NULL));
	expect_exit(pid, 0);
}

TEST(proc_mem_reads_and_writes_by_address)
{
	static volatile int value = 41;
	int fd = OK(open("/proc/self/mem", O_RDWR)), got = 0;

	CHECK_EQ(pread(fd, &got, sizeof(got), (off_t)&value), sizeof(got));
	CHECK_EQ(got, 41);
	got = 42;
	CHECK_EQ(pwrite(fd, &got, sizeof(got), (off_t)&value), sizeof(got));
	CHECK_EQ(value, 42);
	CHECK_ERR(pread(fd, &got, sizeof(got), 0x10), EIO);
	CHECK_EQ(lseek(fd, (off_t)&value, SEEK_SET), (off_t)&value);
	CHECK_EQ(read(fd, &got, sizeof(got)), sizeof(got));
	CHECK_ERR(lseek(fd, 0, SEEK_END), EINVAL);
}

TEST(proc_mem_stops_at_unmapped_memory)
{
	char *p = guarded_page(), buf[64];
	int fd = OK(open("/proc/self/mem", O_RDONLY));

	memset(p, 7, page_size());
	CHECK_EQ(pread(fd, buf, sizeof(buf), (off_t)(p + page_size() - 16)), 16);
	CHECK_EQ(buf[15], 7);
}

TEST(proc_mem_of_another_user_is_refused)
{
	pid_t self = getpid(), pid = FORK();
	char name[40];

	if (!pid) {
		become_user(1000, 1000);
		snprintf(name, sizeof(name), "/proc/%d/mem", self);
		CHECK_ERR(open(name, O_RDONLY), EACCES);
		_exit(0);
	}
	expect_exit(pid, 0);
}
