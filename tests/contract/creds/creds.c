/* SPDX-License-Identifier: MIT */
/* User, group and capability changes. */
#include "contract.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

static void check_ids(uid_t r, uid_t e, uid_t s)
{
	uid_t a, b, c;

	OK(syscall(SYS_getresuid, &a, &b, &c));
	if (a != r || b != e || c != s)
		FAIL("uids: expected %u %u %u, got %u %u %u", r, e, s, a, b, c);
}

struct caps {
	struct __user_cap_data_struct d[2];
};

static struct caps get_caps(void)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct caps c;

	OK(syscall(SYS_capget, &h, c.d));
	return c;
}

static int set_caps(struct caps *c)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};

	return syscall(SYS_capset, &h, c->d);
}

TEST(setuid_by_root_sets_all_three)
{
	OK(syscall(SYS_setuid, 1000));
	check_ids(1000, 1000, 1000);
	CHECK_ERR(syscall(SYS_setuid, 0), EPERM);
}

TEST(setresuid_lets_users_swap_but_not_gain)
{
	OK(syscall(SYS_setresuid, 1000, 2000, 3000));
	check_ids(1000, 2000, 3000);
	OK(syscall(SYS_setresuid, -1, 3000, -1));
	check_ids(1000, 3000, 3000);
	CHECK_ERR(syscall(SYS_setresuid, -1, 4000, -1), EPERM);
	CHECK_ERR(syscall(SYS_setresuid, 0, -1, -1), EPERM);
	OK(syscall(SYS_setresuid, 3000, 1000, 1000));
	check_ids(3000, 1000, 1000);
}

TEST(setuid_by_a_user_changes_the_effective_id_only)
{
	OK(syscall(SYS_setresuid, 1000, 2000, 3000));
	OK(syscall(SYS_setuid, 3000));
	check_ids(1000, 3000, 3000);
	OK(syscall(SYS_setuid, 1000));
	check_ids(1000, 1000, 3000);
}

TEST(setreuid_updates_the_saved_id)
{
	OK(syscall(SYS_setresuid, 1000, 2000, 3000));
	OK(syscall(SYS_setreuid, 2000, 1000));
	check_ids(2000, 1000, 1000);
	OK(syscall(SYS_setreuid, -1, 2000));
	check_ids(2000, 2000, 1000);
}

TEST(group_ids_follow_the_same_rules)
{
	gid_t r, e, s;

	OK(syscall(SYS_setresgid, 10, 20, 30));
	OK(syscall(SYS_getresgid, &r, &e, &s));
	CHECK_EQ(r * 10000 + e * 100 + s, 10 * 10000 + 20 * 100 + 30);
	OK(syscall(SYS_setuid, 1000));
	OK(syscall(SYS_setgid, 30));
	CHECK_EQ(getegid(), 30);
	CHECK_ERR(syscall(SYS_setgid, 40), EPERM);
	CHECK_ERR(syscall(SYS_setregid, 40, -1), EPERM);
}

TEST(fsuid_decides_file_access)
{
	write_file("f", "x");
	OK(chmod("f", 0600));
	CHECK_EQ(setfsuid(1000), 0);
	CHECK_EQ(setfsuid(-1), 1000);
	CHECK_ERR(open("f", O_RDONLY), EACCES);
	CHECK_EQ(setfsuid(0), 1000);
	OK(open("f", O_RDONLY));
}

TEST(leaving_root_drops_capabilities)
{
	struct caps c = get_caps();

	CHECK(c.d[0].effective & (1u << CAP_SYS_ADMIN));
	OK(syscall(SYS_setresuid, 1000, 1000, 0));
	c = get_caps();
	CHECK_EQ(c.d[0].effective, 0);
	CHECK(c.d[0].permitted != 0);
	OK(syscall(SYS_setresuid, 1000, 0, 0));
	CHECK(get_caps().d[0].effective != 0);
	OK(syscall(SYS_setresuid, 1000, 1000, 1000));
	CHECK_EQ(get_caps().d[0].permitted, 0);
}

TEST(KEEPCAPS_keeps_the_permitted_set)
{
	write_file("f", "");
	OK(prctl(PR_SET_KEEPCAPS, 1));
	OK(syscall(SYS_setresuid, 1000, 1000, 1000));
	struct caps c = get_caps();
	CHECK_EQ(c.d[0].effective, 0);
	CHECK(c.d[0].permitted & (1u << CAP_CHOWN));
	c.d[0].effective = 1u << CAP_CHOWN;
	OK(set_caps(&c));
	OK(chown("f", 5, 5));
}

TEST(capset_cannot_gain)
{
	struct caps c = get_caps();

	c.d[0].permitted = c.d[0].effective = 1u << CAP_CHOWN;
	c.d[1].permitted = c.d[1].effective = 0;
	OK(set_caps(&c));
	c.d[0].permitted |= 1u << CAP_KILL;
	CHECK_ERR(set_caps(&c), EPERM);
	c.d[0].permitted = 1u << CAP_CHOWN;
	c.d[0].effective |= 1u << CAP_KILL;
	CHECK_ERR(set_caps(&c), EPERM);
}

TEST(root_without_DAC_OVERRIDE_obeys_modes)
{
	struct caps c = get_caps();

	write_file("f", "");
	OK(chmod("f", 0000));
	c.d[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
	OK(set_caps(&c));
	CHECK_ERR(open("f", O_RDONLY), EACCES);
	c.d[0].effective |= 1u << CAP_DAC_READ_SEARCH;
	OK(set_caps(&c));
	OK(open("f", O_RDONLY));
	CHECK_ERR(open("f", O_WRONLY), EACCES);
}

TEST(capabilities_guard_their_calls)
{
	OK(setgroups(0, NULL));
	OK(setresuid(1000, 1000, 1000));
	struct rlimit rl = {1 << 20, 1 << 20};
	struct timespec ts = {1, 0};
	CHECK_ERR(sethostname("x", 1), EPERM);
	CHECK_ERR(clock_settime(CLOCK_REALTIME, &ts), EPERM);
	CHECK_ERR(setpriority(PRIO_PROCESS, 0, -5), EACCES);
	CHECK_ERR(syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL), EPERM);
	CHECK_ERR(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL), EPERM);
	CHECK_ERR(syscall(SYS_syslog, 5, NULL, 0), EPERM);
	CHECK_ERR(chroot("/"), EPERM);
	OK(getrlimit(RLIMIT_NOFILE, &rl));
	rl.rlim_max++;
	CHECK_ERR(setrlimit(RLIMIT_NOFILE, &rl), EPERM);
}

TEST(bad_capability_versions_report_the_preferred_one)
{
	struct __user_cap_header_struct h = {0x12345678, 0};
	struct caps c;

	CHECK_ERR(syscall(SYS_capget, &h, c.d), EINVAL);
	CHECK_EQ(h.version, _LINUX_CAPABILITY_VERSION_3);
	h.pid = 0x3ffffff;
	CHECK_ERR(syscall(SYS_capget, &h, c.d), ESRCH);
}

TEST(bounding_set_can_only_shrink)
{
	CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_SYS_TIME), 1);
	OK(prctl(PR_CAPBSET_DROP, CAP_SYS_TIME));
	CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_SYS_TIME), 0);
	CHECK_ERR(prctl(PR_CAPBSET_READ, 63), EINVAL);
}

HELPER(caps_after_exec)
{
	struct caps c = get_caps();

	CHECK_EQ(c.d[0].effective & (1u << CAP_SYS_TIME), 0);
	CHECK(c.d[0].effective & (1u << CAP_CHOWN));
	return 0;
}

TEST(exec_as_root_regains_only_the_bounding_set)
{
	struct caps none = {0};

	OK(prctl(PR_CAPBSET_DROP, CAP_SYS_TIME));
	OK(set_caps(&none));
	pid_t pid = FORK();
	if (!pid) {
		exec_helper("caps_after_exec", NULL);
		_exit(99);
	}
	expect_exit(pid, 0);
}

TEST(dumpable_is_cleared_by_a_credential_change)
{
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
	OK(syscall(SYS_setresuid, -1, 1000, -1));
	CHECK(prctl(PR_GET_DUMPABLE) != 1);
}

TEST(threads_have_their_own_credentials_at_the_system_call)
{
	pid_t pid = FORK();

	if (!pid) {
		OK(syscall(SYS_setresuid, 1000, 1000, 1000));
		CHECK_EQ(getuid(), 1000);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(getuid(), 0);
}
