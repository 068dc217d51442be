/* SPDX-License-Identifier: MIT */
/* uname, sysinfo, getrandom, prctl, personality, syslog and the vDSO. */
#include "contract.h"
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

TEST(uname_says_Linux_x86_64)
{
	struct utsname u;
	int major, minor;

	OK(uname(&u));
	CHECK_STR(u.sysname, "Linux");
	CHECK_STR(u.machine, "x86_64");
	CHECK_EQ(sscanf(u.release, "%d.%d", &major, &minor), 2);
	CHECK(major * 100 + minor >= 601);
}

TEST(hostname_and_domainname_can_be_set)
{
	struct utsname u;
	char name[65];

	OK(uname(&u));
	OK(sethostname("contract-host", 13));
	OK(gethostname(name, sizeof(name)));
	CHECK_STR(name, "contract-host");
	CHECK_STR(read_text("/proc/sys/kernel/hostname"), "contract-host\n");
	OK(sethostname(u.nodename, strlen(u.nodename)));
	memset(name, 'x', 65);
	CHECK_ERR(sethostname(name, 65), EINVAL);
	CHECK_ERR(syscall(SYS_sethostname, name, -1), EINVAL);
	OK(setdomainname("dom", 3));
}

TEST(sysinfo_is_plausible)
{
	struct sysinfo si;

	OK(sysinfo(&si));
	CHECK(si.totalram * si.mem_unit > 16ul << 20);
	CHECK(si.freeram < si.totalram);
	CHECK(si.procs >= 2);
}

TEST(getrandom_fills_and_differs)
{
	unsigned char a[256] = {0}, b[256] = {0};

	CHECK_EQ(getrandom(a, 256, 0), 256);
	CHECK_EQ(getrandom(b, 256, GRND_RANDOM), 256);
	CHECK(memcmp(a, b, 256));
	CHECK_EQ(getrandom(a, 0, 0), 0);
	CHECK_ERR(getrandom(a, 1, 0x100), EINVAL);
	CHECK_ERR(getrandom(a, 1, GRND_RANDOM | 4), EINVAL);
}

TEST(prctl_name_and_unknown_options)
{
	char name[17] = "";

	OK(prctl(PR_SET_NAME, "a name that is too long"));
	OK(prctl(PR_GET_NAME, name));
	CHECK_STR(name, "a name that is ");
	CHECK_ERR(prctl(PR_SET_NAME, BAD_PTR), EFAULT);
	CHECK_ERR(prctl(99999, 0, 0, 0, 0), EINVAL);
}

TEST(PDEATHSIG_is_sent_when_the_parent_dies)
{
	int p[2];
	char c;

	OK(pipe(p));
	pid_t middle = FORK();
	if (!middle) {
		struct gate armed = gate_make();

		if (!FORK()) {
			sigset_t set;

			sigemptyset(&set);
			sigaddset(&set, SIGUSR1);
			OK(sigprocmask(SIG_BLOCK, &set, NULL));
			OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
			int sig = 0;
			OK(prctl(PR_GET_PDEATHSIG, &sig));
			CHECK_EQ(sig, SIGUSR1);
			pid_t parent = getppid();
			siginfo_t si;
			gate_open(armed);
			CHECK_EQ(sigwaitinfo(&set, &si), SIGUSR1);
			CHECK_EQ(si.si_code, SI_USER);
			CHECK_EQ(si.si_pid, parent);
			CHECK_EQ(write(p[1], "d", 1), 1);
			_exit(0);
		}
		gate_wait(armed);
		_exit(0);
	}
	expect_exit(middle, 0);
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
}

TEST(no_new_privs_cannot_be_cleared)
{
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	pid_t pid = FORK();
	if (!pid)
		_exit(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	expect_exit(pid, 1);
}

TEST(timer_slack_and_dumpable)
{
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 50000);
	OK(prctl(PR_SET_TIMERSLACK, 1000));
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 1000);
	OK(prctl(PR_SET_DUMPABLE, 0));
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	CHECK_ERR(prctl(PR_SET_DUMPABLE, 5), EINVAL);
}

HELPER(print_stack)
{
	unsigned long where = (unsigned long)__builtin_frame_address(0);

	CHECK_EQ(write(atoi(argv[0]), &where, sizeof(where)), sizeof(where));
	return 0;
}

/* The address of a local variable in a fresh process. */
static unsigned long stack_address(void)
{
	unsigned long where;
	char fd[12];
	int p[2];

	OK(pipe(p));
	snprintf(fd, sizeof(fd), "%d", p[1]);
	pid_t pid = FORK();
	if (!pid) {
		exec_helper("print_stack", fd, NULL);
		_exit(99);
	}
	expect_exit(pid, 0);
	CHECK_EQ(read(p[0], &where, sizeof(where)), sizeof(where));
	return where;
}

TEST(personality_can_turn_address_randomisation_off)
{
	OK(personality(ADDR_NO_RANDOMIZE));
	CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
	/* The pipe's numbers have the same length each time, so the stacks are alike. */
	CHECK_EQ(stack_address(), stack_address());
}

TEST(address_randomisation_moves_the_stack)
{
	if (read_text("/proc/sys/kernel/randomize_va_space")[0] == '0')
		skip_test("randomisation is off");
	unsigned long a = stack_address(), b = stack_address(), c = stack_address();
	CHECK(a != b || b != c);
}

TEST(syslog_reads_the_log)
{
	static char log[1 << 20];
	long size = OK(syscall(SYS_syslog, 10, NULL, 0));

	CHECK(size > 0);
	long n = OK(syscall(SYS_syslog, 3, log, sizeof(log)));
	CHECK(n > 0);
	CHECK_EQ(log[0], '<');
	CHECK_ERR(syscall(SYS_syslog, 3, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_syslog, 99, NULL, 0), EINVAL);
}

TEST(kmsg_takes_and_gives_records)
{
	char buf[8192];
	int fd = OK(open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC));
	bool found = false;

	OK(lseek(fd, 0, SEEK_END));
	CHECK_EQ(write(fd, "<6>contract test\n", 17), 17);
	for (int i = 0; i < 20 && !found; i++) {
		ssize_t n = read(fd, buf, sizeof(buf) - 1);

		if (n < 0)
			break;
		buf[n] = 0;
		found = strstr(buf, ";contract test\n") != NULL;
	}
	CHECK(found);
}

TEST(reboot_checks_its_magic)
{
	CHECK_ERR(syscall(SYS_reboot, 1, 2, 3, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x12345, NULL), EINVAL);
}

TEST(vdso_is_an_ELF_image)
{
	unsigned char *vdso = (void *)getauxval(AT_SYSINFO_EHDR);

	CHECK(vdso);
	CHECK(!memcmp(vdso, "\177ELF", 4));
}

TEST(getpid_family)
{
	CHECK_EQ(syscall(SYS_getpid), getpid());
	CHECK_EQ(gettid_raw(), getpid());
	CHECK(getppid() > 0);
	CHECK_EQ(getpgid(0), getpgrp());
}
