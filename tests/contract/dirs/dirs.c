/* SPDX-License-Identifier: MIT */
/* Directories, names, links and renames. */
#include "contract.h"
#include <dirent.h>
#include <sys/mount.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE  2
#endif

static int renameat2_raw(const char *a, const char *b, unsigned flags)
{
	return syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, flags);
}

static nlink_t links(const char *path)
{
	struct stat st;

	OK(lstat(path, &st));
	return st.st_nlink;
}

static ino_t inode(const char *path)
{
	struct stat st;

	OK(lstat(path, &st));
	return st.st_ino;
}

TEST(rename_misses_the_old_name_before_it_looks_at_the_new_one)
{
	char too_long[300];

	memset(too_long, 'a', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = 0;
	CHECK_ERR(rename("missing", too_long), ENOENT);
	CHECK_ERR(rename("missing/x", too_long), ENOENT);
	CHECK_ERR(rename(too_long, "missing/x"), ENOENT);
	CHECK_ERR(rename(too_long, "missing"), ENAMETOOLONG);
	close(new_file("there", O_RDWR, 0600));
	CHECK_ERR(rename("there", too_long), ENAMETOOLONG);
}

TEST(mkdir_counts_links_and_rmdir_needs_an_empty_one)
{
	OK(mkdir("a", 0755));
	OK(mkdir("a/b", 0755));
	CHECK_EQ(links("a"), 3);
	CHECK_ERR(rmdir("a"), ENOTEMPTY);
	OK(rmdir("a/b"));
	CHECK_EQ(links("a"), 2);
	OK(rmdir("a"));
	CHECK_ERR(rmdir("a"), ENOENT);
}

TEST(mkdir_and_rmdir_errors)
{
	write_file("f", "");
	OK(mkdir("d", 0755));
	CHECK_ERR(mkdir("f", 0755), EEXIST);
	CHECK_ERR(mkdir("f/x", 0755), ENOTDIR);
	CHECK_ERR(mkdir("no/x", 0755), ENOENT);
	CHECK_ERR(mkdir("", 0755), ENOENT);
	CHECK_ERR(mkdir(".", 0755), EEXIST);
	CHECK_ERR(rmdir("f"), ENOTDIR);
	CHECK_ERR(rmdir("d/."), EINVAL);
	CHECK_ERR(rmdir("d/.."), ENOTEMPTY);
	CHECK_ERR(rmdir("/"), EBUSY);
	OK(mkdir("e/", 0755));
	OK(rmdir("e/"));
}

TEST(unlink_errors)
{
	OK(mkdir("d", 0755));
	write_file("f", "");
	CHECK_ERR(unlink("d"), EISDIR);
	CHECK_ERR(unlink("f/"), ENOTDIR);
	CHECK_ERR(unlink("none"), ENOENT);
	CHECK_ERR(unlinkat(AT_FDCWD, "f", AT_REMOVEDIR), ENOTDIR);
	CHECK_ERR(unlinkat(AT_FDCWD, "f", 1), EINVAL);
	OK(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
}

TEST(hard_links_share_the_inode)
{
	write_file("a", "x");
	OK(link("a", "b"));
	CHECK_EQ(links("a"), 2);
	CHECK_EQ(inode("a"), inode("b"));
	OK(unlink("a"));
	CHECK_EQ(links("b"), 1);
	CHECK_ERR(link("b", "b"), EEXIST);
	CHECK_ERR(link("none", "c"), ENOENT);
	OK(mkdir("d", 0755));
	CHECK_ERR(link("d", "e"), EPERM);
	CHECK_ERR(link("b", "/dev/shm/x"), EXDEV);
}

TEST(link_does_not_follow_symlinks_unless_asked)
{
	write_file("f", "");
	OK(symlink("f", "l"));
	OK(link("l", "hard"));
	CHECK_EQ(inode("hard"), inode("l"));
	OK(linkat(AT_FDCWD, "l", AT_FDCWD, "hard2", AT_SYMLINK_FOLLOW));
	CHECK_EQ(inode("hard2"), inode("f"));
}

TEST(symlinks_resolve_and_readlink_truncates)
{
	char buf[8] = "xxxxxxx";

	OK(mkdir("d", 0755));
	write_file("d/f", "through");
	OK(symlink("d", "l"));
	CHECK_STR(read_text("l/f"), "through");
	OK(symlink("target", "m"));
	CHECK_EQ(readlink("m", buf, 3), 3);
	CHECK(!memcmp(buf, "tarx", 4));
	CHECK_ERR(readlink("d", buf, 8), EINVAL);
	CHECK_ERR(syscall(SYS_readlink, "m", buf, 0), EINVAL);
	CHECK_ERR(symlink("x", "m"), EEXIST);
	CHECK_ERR(symlink("", "e"), ENOENT);
}

TEST(symlink_loops_are_ELOOP)
{
	struct stat st;

	OK(symlink("b", "a"));
	OK(symlink("a", "b"));
	CHECK_ERR(open("a", O_RDONLY), ELOOP);
	CHECK_ERR(stat("a", &st), ELOOP);
	OK(lstat("a", &st));
	CHECK_ERR(mkdir("a/x", 0755), ELOOP);
}

TEST(forty_symlinks_resolve_and_one_more_is_ELOOP)
{
	char a[16], b[16];
	struct stat st;

	write_file("l0", "x");
	for (int i = 1; i <= 41; i++) {
		snprintf(a, sizeof(a), "l%d", i - 1);
		snprintf(b, sizeof(b), "l%d", i);
		OK(symlink(a, b));
	}
	OK(stat("l40", &st));
	CHECK_ERR(stat("l41", &st), ELOOP);
}

TEST(names_and_paths_have_limits)
{
	char name[300], path[5000];
	struct stat st;

	memset(name, 'n', sizeof(name));
	name[255] = 0;
	write_file(name, "");
	OK(stat(name, &st));
	name[255] = 'n';
	name[256] = 0;
	CHECK_ERR(open(name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	memset(path, '/', sizeof(path));
	path[4095] = 0;
	OK(stat(path, &st));
	path[4095] = '/';
	path[4096] = 0;
	CHECK_ERR(stat(path, &st), ENAMETOOLONG);
	path[4096] = 'x';
	path[4999] = 0;
	CHECK_ERR(symlink(path, "l"), ENAMETOOLONG);
}

TEST(trailing_slash_needs_a_directory)
{
	struct stat st;

	write_file("f", "");
	CHECK_ERR(stat("f/", &st), ENOTDIR);
	CHECK_ERR(open("f/", O_RDONLY), ENOTDIR);
	OK(mkdir("d", 0755));
	OK(symlink("d", "l"));
	OK(lstat("l/", &st));
	CHECK(S_ISDIR(st.st_mode));
	OK(stat("d//./..//d/", &st));
	CHECK_ERR(unlink("l/"), ENOTDIR);
	CHECK_ERR(rmdir("l"), ENOTDIR);
}

TEST(rename_replaces_files_atomically)
{
	write_file("a", "A");
	write_file("b", "B");
	int old = OK(open("b", O_RDONLY));
	OK(rename("a", "b"));
	CHECK_STR(read_text("b"), "A");
	CHECK_ERR(open("a", O_RDONLY), ENOENT);
	char c;
	CHECK_EQ(read(old, &c, 1), 1);
	CHECK_EQ(c, 'B');
	struct stat st;
	OK(fstat(old, &st));
	CHECK_EQ(st.st_nlink, 0);
}

TEST(rename_of_two_links_to_one_file_does_nothing)
{
	write_file("a", "A");
	OK(link("a", "b"));
	OK(rename("a", "b"));
	CHECK_EQ(links("a"), 2);
}

TEST(rename_of_directories)
{
	OK(mkdir("a", 0755));
	OK(mkdir("a/sub", 0755));
	OK(mkdir("empty", 0755));
	OK(mkdir("full", 0755));
	write_file("full/f", "");
	CHECK_ERR(rename("a", "full"), ENOTEMPTY);
	OK(rename("a", "empty"));
	OK(rmdir("empty/sub"));
	CHECK_ERR(rename("full", "full/inside"), EINVAL);
	write_file("file", "");
	CHECK_ERR(rename("full", "file"), ENOTDIR);
	CHECK_ERR(rename("file", "full"), EISDIR);
	CHECK_ERR(rename("none", "x"), ENOENT);
	CHECK_ERR(rename(".", "x"), EBUSY);
	CHECK_ERR(rename("file", "/proc/x"), EXDEV);
}

TEST(rename_moves_dotdot_and_link_counts)
{
	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	OK(mkdir("a/d", 0755));
	OK(rename("a/d", "b/d"));
	CHECK_EQ(links("a"), 2);
	CHECK_EQ(links("b"), 3);
	CHECK_EQ(inode("b/d/.."), inode("b"));
}

TEST(RENAME_NOREPLACE_and_EXCHANGE)
{
	write_file("a", "A");
	write_file("b", "B");
	CHECK_ERR(renameat2_raw("a", "b", RENAME_NOREPLACE), EEXIST);
	OK(renameat2_raw("a", "c", RENAME_NOREPLACE));
	OK(renameat2_raw("c", "b", RENAME_EXCHANGE));
	CHECK_STR(read_text("b"), "A");
	CHECK_STR(read_text("c"), "B");
	OK(mkdir("d", 0755));
	OK(renameat2_raw("d", "b", RENAME_EXCHANGE));
	CHECK_STR(read_text("d"), "A");
	CHECK_ERR(renameat2_raw("d", "none", RENAME_EXCHANGE), ENOENT);
	CHECK_ERR(renameat2_raw("d", "b", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
	CHECK_ERR(renameat2_raw("d", "b", 0x100), EINVAL);
}

struct dirent64_raw {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

TEST(getdents_lists_every_name_once_with_types)
{
	char buf[512], name[16];
	int seen[60] = {0}, others = 0;
	long n;

	OK(mkdir("dir", 0755));
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "dir/%d", i);
		if (i % 2)
			write_file(name, "");
		else
			OK(mkdir(name, 0755));
	}
	int fd = OK(open("dir", O_RDONLY | O_DIRECTORY));
	while ((n = OK(syscall(SYS_getdents64, fd, buf, sizeof(buf)))) > 0) {
		for (long at = 0; at < n;) {
			struct dirent64_raw *d = (void *)(buf + at);

			at += d->len;
			if (d->name[0] == '.') {
				CHECK_EQ(d->type, DT_DIR);
				others++;
				continue;
			}
			seen[atoi(d->name)]++;
			CHECK_EQ(d->type, atoi(d->name) % 2 ? DT_REG : DT_DIR);
		}
	}
	CHECK_EQ(others, 2);
	for (int i = 0; i < 60; i++)
		CHECK_EQ(seen[i], 1);
}

TEST(getdents_errors)
{
	char buf[512];
	int fd = OK(open(".", O_RDONLY | O_DIRECTORY)), file = new_file("f", O_RDONLY, 0600);

	CHECK_ERR(syscall(SYS_getdents64, fd, buf, 10), EINVAL);
	CHECK_ERR(syscall(SYS_getdents64, file, buf, 512), ENOTDIR);
	CHECK_ERR(syscall(SYS_getdents64, fd, BAD_PTR, 512), EFAULT);
	CHECK_ERR(syscall(SYS_getdents64, 99, buf, 512), EBADF);
}

TEST(rewinding_a_directory_shows_new_entries)
{
	int n = 0;

	OK(mkdir("d", 0755));
	DIR *dir = opendir("d");
	CHECK(dir);
	while (readdir(dir))
		n++;
	CHECK_EQ(n, 2);
	write_file("d/new", "");
	rewinddir(dir);
	for (n = 0; readdir(dir);)
		n++;
	CHECK_EQ(n, 3);
	closedir(dir);
}

TEST(telldir_and_seekdir_come_back)
{
	char name[16], third[256];

	OK(mkdir("d", 0755));
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		write_file(name, "");
	}
	DIR *dir = opendir("d");
	CHECK(dir);
	CHECK(readdir(dir) && readdir(dir));
	long at = telldir(dir);
	strcpy(third, readdir(dir)->d_name);
	while (readdir(dir))
		continue;
	seekdir(dir, at);
	CHECK_STR(readdir(dir)->d_name, third);
	closedir(dir);
}

TEST(deleting_while_reading_misses_nothing)
{
	char name[32];
	struct dirent *de;
	int n = 0;

	OK(mkdir("d", 0755));
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		write_file(name, "");
	}
	DIR *dir = opendir("d");
	CHECK(dir);
	while ((de = readdir(dir))) {
		if (de->d_name[0] == '.')
			continue;
		CHECK(!unlinkat(dirfd(dir), de->d_name, 0));
		n++;
	}
	closedir(dir);
	CHECK_EQ(n, 300);
	OK(rmdir("d"));
}

TEST(getcwd_follows_renames_and_notices_deletion)
{
	char cwd[PATH_MAX], small[2];

	OK(mkdir("a", 0755));
	OK(chdir("a"));
	OK(rename("../a", "../b"));
	OK(syscall(SYS_getcwd, cwd, sizeof(cwd)));
	CHECK_STR(strrchr(cwd, '/'), "/b");
	CHECK_ERR(syscall(SYS_getcwd, small, 2), ERANGE);
	OK(rmdir("../b"));
	CHECK_ERR(syscall(SYS_getcwd, cwd, sizeof(cwd)), ENOENT);
	CHECK_ERR(open("x", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_ERR(mkdir("y", 0755), ENOENT);
	OK(chdir(".."));
}

TEST(chdir_and_fchdir_errors)
{
	int fd = new_file("f", O_RDONLY, 0600), dir = OK(open("/", O_RDONLY));

	CHECK_ERR(chdir("f"), ENOTDIR);
	CHECK_ERR(chdir("none"), ENOENT);
	CHECK_ERR(fchdir(fd), ENOTDIR);
	CHECK_ERR(fchdir(99), EBADF);
	OK(fchdir(dir));
	char cwd[PATH_MAX];
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK_STR(cwd, "/");
}

TEST(chroot_confines_dotdot_and_absolute_links)
{
	struct stat outer, inner;

	OK(mkdir("jail", 0755));
	write_file("jail/f", "inside");
	OK(symlink("/f", "jail/l"));
	OK(stat("jail", &outer));
	pid_t pid = FORK();
	if (!pid) {
		OK(chroot("jail"));
		OK(chdir("/"));
		CHECK_STR(read_text("l"), "inside");
		OK(stat("../../..", &inner));
		CHECK_EQ(inner.st_ino, outer.st_ino);
		char cwd[64];
		CHECK(getcwd(cwd, sizeof(cwd)));
		CHECK_STR(cwd, "/");
		become_user(1000, 1000);
		CHECK_ERR(chroot("/"), EPERM);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_ERR(chroot("none"), ENOENT);
	CHECK_ERR(chroot("jail/f"), ENOTDIR);
}

TEST(deep_trees_work)
{
	char cwd[PATH_MAX];

	for (int i = 0; i < 200; i++) {
		OK(mkdir("d", 0755));
		OK(chdir("d"));
	}
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK(strlen(cwd) > 400);
	for (int i = 0; i < 200; i++) {
		OK(chdir(".."));
		OK(rmdir("d"));
	}
}

TEST(concurrent_creates_and_unlinks_keep_the_directory_sound)
{
	for (int p = 0; p < 4; p++) {
		if (FORK())
			continue;
		for (int i = 0; i < 100; i++) {
			char name[16];

			snprintf(name, sizeof(name), "%d", i);
			int fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
			if (fd < 0 && errno != EEXIST)
				FAIL("create: expected EEXIST, got %s", errno_name(errno));
			if (fd >= 0)
				close(fd);
			unlink(name);
		}
		_exit(0);
	}
	for (int p = 0; p < 4; p++)
		OK(wait(NULL));
	DIR *dir = opendir(".");
	struct dirent *de;
	while ((de = readdir(dir)))
		CHECK(de->d_name[0] == '.');
	closedir(dir);
}

TEST(exclusive_create_has_one_winner)
{
	int wins[2];

	OK(pipe(wins));
	for (int p = 0; p < 4; p++) {
		if (FORK())
			continue;
		for (int i = 0; i < 50; i++) {
			char name[16];

			snprintf(name, sizeof(name), "x%d", i);
			if (open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600) >= 0)
				CHECK_EQ(write(wins[1], "w", 1), 1);
		}
		_exit(0);
	}
	for (int p = 0; p < 4; p++)
		OK(wait(NULL));
	int n;
	OK(ioctl(wins[0], FIONREAD, &n));
	CHECK_EQ(n, 50);
}
