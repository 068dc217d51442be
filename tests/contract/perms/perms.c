/* SPDX-License-Identifier: MIT */
/* Who may do what: modes, owners, umask, sticky directories, set-id bits. */
#include "contract.h"
#include <grp.h>

/* Runs fn as the user and expects it to return. */
static void as_user(uid_t uid, gid_t gid, void (*fn)(void))
{
	pid_t pid = FORK();

	if (!pid) {
		become_user(uid, gid);
		fn();
		_exit(0);
	}
	expect_exit(pid, 0);
}

static void make(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	write_file(path, "x");
	OK(chown(path, uid, gid));
	OK(chmod(path, mode));
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	OK(lstat(path, &st));
	return st.st_mode & 07777;
}

TEST(umask_applies_to_creation)
{
	umask(027);
	OK(close(OK(open("f", O_CREAT | O_WRONLY, 0666))));
	OK(mkdir("d", 0777));
	OK(mkfifo("p", 0666));
	CHECK_EQ(mode_of("f"), 0640);
	CHECK_EQ(mode_of("d"), 0750);
	CHECK_EQ(mode_of("p"), 0640);
	CHECK_EQ(umask(07777), 027);
	CHECK_EQ(umask(0), 0777);
}

static void check_classes(void)
{
	OK(access("owner", R_OK | W_OK));
	CHECK_ERR(access("group", W_OK), EACCES);
	OK(access("group", R_OK));
	CHECK_ERR(access("other", R_OK), EACCES);
	OK(access("other", W_OK));
	/* The owner's class alone decides, even where others may more. */
	CHECK_ERR(open("owner_none", O_RDONLY), EACCES);
	CHECK_ERR(open("group_none", O_RDONLY), EACCES);
}

TEST(only_the_first_matching_class_counts)
{
	make("owner", 1000, 0, 0600);
	make("group", 0, 1000, 0640);
	make("other", 0, 0, 0662);
	make("owner_none", 1000, 0, 0077);
	make("group_none", 0, 1000, 0707);
	as_user(1000, 1000, check_classes);
}

static void check_supplementary(void)
{
	OK(open("f", O_RDONLY));
	CHECK_ERR(open("g", O_RDONLY), EACCES);
}

TEST(supplementary_groups_count)
{
	gid_t groups[] = {2001, 2002};

	make("f", 0, 2002, 0040);
	make("g", 0, 2003, 0040);
	pid_t pid = FORK();
	if (!pid) {
		OK(setgroups(2, groups));
		OK(setresgid(1000, 1000, 1000));
		OK(setresuid(1000, 1000, 1000));
		check_supplementary();
		gid_t got[4];
		CHECK_EQ(getgroups(0, NULL), 2);
		CHECK_ERR(getgroups(1, got), EINVAL);
		CHECK_EQ(getgroups(4, got), 2);
		CHECK_EQ(got[1], 2002);
		CHECK_ERR(setgroups(0, NULL), EPERM);
		_exit(0);
	}
	expect_exit(pid, 0);
}

static void check_search(void)
{
	struct stat st;

	CHECK_ERR(stat("nox/f", &st), EACCES);
	CHECK_ERR(open("nox/f", O_RDONLY), EACCES);
	OK(open("nox", O_RDONLY | O_DIRECTORY));
	CHECK_ERR(open("nor", O_RDONLY | O_DIRECTORY), EACCES);
	OK(stat("nor/f", &st));
	CHECK_ERR(chdir("nox"), EACCES);
	CHECK_ERR(unlink("nor/f"), EACCES);
	CHECK_ERR(open("nor/new", O_CREAT | O_WRONLY, 0600), EACCES);
	CHECK_ERR(mkdir("nor/d", 0700), EACCES);
	CHECK_ERR(rename("nor/f", "nor/g"), EACCES);
	CHECK_ERR(symlink("x", "nor/s"), EACCES);
	CHECK_ERR(link("nor/f", "nor/h"), EACCES);
}

TEST(directory_x_searches_r_lists_w_changes)
{
	OK(mkdir("nox", 0744));
	OK(mkdir("nor", 0711));
	write_file("nox/f", "");
	write_file("nor/f", "");
	OK(chmod("nor/f", 0666));
	as_user(1000, 1000, check_search);
}

static void check_sticky(void)
{
	CHECK_ERR(unlink("t/theirs"), EPERM);
	CHECK_ERR(rename("t/theirs", "t/x"), EPERM);
	CHECK_ERR(rename("t/mine", "t/theirs"), EPERM);
	OK(rename("t/mine", "t/mine2"));
	OK(unlink("t/mine2"));
	CHECK_ERR(rmdir("t/dir"), EPERM);
}

TEST(sticky_directory_protects_others_files)
{
	OK(mkdir("t", 0777));
	OK(chmod("t", 01777));
	make("t/theirs", 2000, 2000, 0666);
	make("t/mine", 1000, 1000, 0666);
	OK(mkdir("t/dir", 0777));
	as_user(1000, 1000, check_sticky);
}

TEST(setgid_directory_passes_its_group_on)
{
	struct stat st;

	OK(mkdir("d", 0777));
	OK(chown("d", 0, 3000));
	OK(chmod("d", 02777));
	write_file("d/f", "");
	OK(stat("d/f", &st));
	CHECK_EQ(st.st_gid, 3000);
	OK(mkdir("d/sub", 0755));
	OK(stat("d/sub", &st));
	CHECK_EQ(st.st_gid, 3000);
	CHECK_EQ(st.st_mode & 07777, 02755);
}

static void check_chmod(void)
{
	CHECK_ERR(chmod("theirs", 0777), EPERM);
	OK(chmod("mine", 0777));
	/* The group of "mine" is not one of the caller's: the set-group-ID bit is dropped. */
	OK(chmod("mine", 02755));
	CHECK_EQ(mode_of("mine"), 0755);
	CHECK_ERR(chown("mine", 0, -1), EPERM);
	CHECK_ERR(chown("theirs", 1000, -1), EPERM);
	CHECK_ERR(chown("mine", -1, 2222), EPERM);
	OK(chown("mine", 1000, 1000));
}

TEST(chmod_and_chown_are_for_owners)
{
	make("theirs", 0, 0, 0644);
	make("mine", 1000, 555, 0644);
	as_user(1000, 1000, check_chmod);
}

TEST(chown_clears_set_id_bits_for_everyone)
{
	make("f", 0, 0, 06755);
	CHECK_EQ(mode_of("f"), 06755);
	OK(chown("f", 1000, 1000));
	CHECK_EQ(mode_of("f"), 0755);
	OK(chmod("f", 02644)); /* without group x the bit means mandatory locking: kept */
	OK(chown("f", 1001, 1001));
	CHECK_EQ(mode_of("f") & 02000, 02000);
	OK(mkdir("d", 0755));
	OK(chmod("d", 06755));
	OK(chown("d", 1000, 1000));
	CHECK_EQ(mode_of("d"), 06755);
}

static void write_set_id(void)
{
	int fd = OK(open("f", O_WRONLY));

	CHECK_EQ(write(fd, "y", 1), 1);
}

TEST(write_by_a_user_clears_set_id_bits)
{
	make("f", 0, 0, 06777);
	as_user(1000, 1000, write_set_id);
	CHECK_EQ(mode_of("f"), 0777);
}

TEST(chown_minus_one_changes_nothing)
{
	struct stat st;

	make("f", 5, 6, 0644);
	OK(chown("f", -1, 7));
	OK(chown("f", 8, -1));
	OK(stat("f", &st));
	CHECK_EQ(st.st_uid, 8);
	CHECK_EQ(st.st_gid, 7);
	OK(symlink("f", "l"));
	OK(lchown("l", 9, 9));
	OK(lstat("l", &st));
	CHECK_EQ(st.st_uid, 9);
	OK(stat("f", &st));
	CHECK_EQ(st.st_uid, 8);
}

TEST(access_uses_real_and_faccessat2_effective_ids)
{
	make("f", 1000, 1000, 0600);
	pid_t pid = FORK();
	if (!pid) {
		OK(setgroups(0, NULL));
		OK(setresuid(2000, 1000, 0));
		CHECK_ERR(access("f", R_OK), EACCES);
		OK(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS));
		OK(open("f", O_RDONLY));
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_ERR(access("f", 8), EINVAL);
	OK(access("f", R_OK | W_OK));
	CHECK_ERR(access("f", X_OK), EACCES);
	CHECK_ERR(access("none", F_OK), ENOENT);
}

TEST(root_reads_and_writes_everything_but_executes_nothing_without_x)
{
	make("f", 1000, 1000, 0000);
	OK(open("f", O_RDWR));
	CHECK_ERR(access("f", X_OK), EACCES);
	OK(mkdir("d", 0000));
	write_file("d/f", "");
}

TEST(fchmodat_and_fchownat_flags)
{
	write_file("f", "");
	OK(symlink("f", "l"));
	OK(fchmodat(AT_FDCWD, "l", 0600, 0));
	CHECK_EQ(mode_of("f"), 0600);
	OK(fchownat(AT_FDCWD, "l", 4, 4, AT_SYMLINK_NOFOLLOW));
	struct stat st;
	OK(stat("f", &st));
	CHECK_EQ(st.st_uid, 0);
	int fd = OK(open("f", O_RDONLY));
	OK(fchownat(fd, "", 4, 4, AT_EMPTY_PATH));
	CHECK_ERR(fchownat(fd, "", 4, 4, 0), ENOENT);
	CHECK_ERR(fchownat(AT_FDCWD, "f", 4, 4, 0x10), EINVAL);
	OK(fchmod(fd, 07777));
	CHECK_EQ(mode_of("f"), 07777);
}

static void try_hardlink(void)
{
	CHECK_ERR(link("d/theirs", "d/x"), EPERM);
}

/* Distributions turn these on; the kernel doesn't (proc(5)). */
TEST(foreign_files_in_sticky_directories_open_by_default)
{
	OK(mkdir("d", 0777));
	OK(chmod("d", 01777));
	write_file("d/f", "x");
	OK(chmod("d/f", 0666));
	OK(mkfifo("d/p", 0666));
	OK(chmod("d/p", 0666));
	pid_t pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		OK(open("d/f", O_CREAT | O_RDWR, 0600));
		OK(open("d/p", O_CREAT | O_RDWR, 0600));
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(protected_hardlinks_refuse_foreign_files)
{
	write_file("/proc/sys/fs/protected_hardlinks", "1");
	OK(mkdir("d", 0777));
	OK(chmod("d", 0777));
	make("d/theirs", 0, 0, 0644);
	as_user(1000, 1000, try_hardlink);
}

static void user_utimes(void)
{
	struct timespec ts[2] = {{1, 0}, {1, 0}};

	CHECK_ERR(utimensat(AT_FDCWD, "ro", NULL, 0), EACCES);
	CHECK_ERR(utimensat(AT_FDCWD, "ro", ts, 0), EPERM);
	OK(utimensat(AT_FDCWD, "rw", NULL, 0));
	CHECK_ERR(utimensat(AT_FDCWD, "rw", ts, 0), EPERM);
	CHECK_ERR(truncate("ro", 0), EACCES);
	CHECK_ERR(mknod("d/n", S_IFCHR | 0600, 0x103), EPERM);
	OK(mknod("d/fifo", S_IFIFO | 0600, 0));
}

static void open_counters(void)
{
	CHECK_ERR(open("/proc/aramid/counters", O_RDONLY), EACCES);
}

/* To read them takes work of all CPUs. */
TEST(counters_of_the_kernel_are_roots)
{
	if (access("/proc/aramid", F_OK))
		skip_test("this kernel has none");
	close(OK(open("/proc/aramid/counters", O_RDONLY)));
	as_user(1000, 1000, open_counters);
}

TEST(times_and_device_nodes_are_protected)
{
	make("ro", 0, 0, 0644);
	make("rw", 0, 0, 0666);
	OK(mkdir("d", 0777));
	OK(chmod("d", 0777));
	as_user(1000, 1000, user_utimes);
}
