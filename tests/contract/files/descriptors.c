/* SPDX-License-Identifier: MIT */
/* Opening, descriptor tables and flags, memfd, O_PATH, O_TMPFILE, statx. */
#include "contract.h"
#include <linux/openat2.h>
#include <sys/sysmacros.h>

#ifndef F_ADD_SEALS
#define F_ADD_SEALS   1033
#define F_GET_SEALS   1034
#define F_SEAL_SEAL   1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW   4
#define F_SEAL_WRITE  8
#endif
#ifndef MFD_ALLOW_SEALING
#define MFD_CLOEXEC       1
#define MFD_ALLOW_SEALING 2
#endif

static int memfd(const char *name, unsigned flags)
{
	return syscall(SYS_memfd_create, name, flags);
}

TEST(lowest_free_descriptor_is_used)
{
	int a = OK(open("/dev/null", O_RDONLY)), b = OK(open("/dev/null", O_RDONLY));

	CHECK_EQ(b, a + 1);
	OK(close(a));
	CHECK_EQ(open("/dev/null", O_RDONLY), a);
	CHECK_ERR(close(150), EBADF);
	CHECK_ERR(close(-1), EBADF);
}

TEST(O_CREAT_O_EXCL_and_O_TRUNC)
{
	int fd = new_file("f", O_RDWR, 0600);
	struct stat st;

	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_ERR(open("f", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	OK(close(OK(open("f", O_CREAT | O_RDWR, 0600))));
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 3);
	OK(close(OK(open("f", O_TRUNC | O_WRONLY))));
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 0);
	OK(symlink("none", "dangling"));
	CHECK_ERR(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	OK(close(OK(open("dangling", O_CREAT | O_RDWR, 0600))));
	OK(stat("none", &st));
}

TEST(O_DIRECTORY_and_O_NOFOLLOW)
{
	write_file("f", "");
	OK(symlink("f", "l"));
	OK(symlink(".", "d"));
	CHECK_ERR(open("f", O_DIRECTORY | O_RDONLY), ENOTDIR);
	CHECK_ERR(open("l", O_NOFOLLOW | O_RDONLY), ELOOP);
	CHECK_ERR(open("d", O_NOFOLLOW | O_DIRECTORY | O_RDONLY), ENOTDIR);
	OK(open("d/f", O_NOFOLLOW | O_RDONLY));
	OK(open("d", O_DIRECTORY | O_RDONLY));
}

TEST(dup_shares_offset_and_flags_but_not_cloexec)
{
	int a = new_file("f", O_RDWR, 0600), b = OK(dup(a));

	CHECK_EQ(write(a, "12345", 5), 5);
	CHECK_EQ(lseek(b, 0, SEEK_CUR), 5);
	OK(fcntl(a, F_SETFL, O_APPEND));
	CHECK(fcntl(b, F_GETFL) & O_APPEND);
	CHECK_EQ(fcntl(a, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(b, F_GETFD), 0);
}

TEST(dup2_and_dup3_details)
{
	int a = OK(open("/dev/null", O_RDONLY));

	CHECK_EQ(dup2(a, a), a);
	CHECK_ERR(dup2(99, 99), EBADF);
	CHECK_ERR(syscall(SYS_dup3, a, a, 0), EINVAL);
	CHECK_ERR(syscall(SYS_dup3, a, 60, O_APPEND), EINVAL);
	CHECK_EQ(dup3(a, 60, O_CLOEXEC), 60);
	CHECK_EQ(fcntl(60, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(dup2(a, 60), 60);
	CHECK_EQ(fcntl(60, F_GETFD), 0);
	CHECK_ERR(dup2(a, -1), EBADF);
	CHECK_ERR(dup2(a, 1 << 24), EBADF);
}

TEST(F_DUPFD_takes_the_lowest_from_a_minimum)
{
	int a = OK(open("/dev/null", O_RDONLY));

	CHECK_EQ(fcntl(a, F_DUPFD, 100), 100);
	CHECK_EQ(fcntl(a, F_DUPFD_CLOEXEC, 100), 101);
	CHECK_EQ(fcntl(101, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(fcntl(a, F_DUPFD, -1), EINVAL);
	CHECK_ERR(fcntl(a, F_DUPFD, 1 << 28), EINVAL);
	CHECK_ERR(fcntl(a, 9999), EINVAL);
}

TEST(F_SETFL_changes_only_status_flags)
{
	int fd = new_file("f", O_RDWR, 0600);

	OK(fcntl(fd, F_SETFL, O_WRONLY | O_NONBLOCK | O_APPEND | O_CREAT));
	CHECK_EQ(fcntl(fd, F_GETFL) & ~0100000, O_RDWR | O_NONBLOCK | O_APPEND);
}

TEST(close_range_closes_or_marks)
{
	for (int i = 50; i < 60; i++)
		OK(dup2(0, i));
	OK(syscall(SYS_close_range, 52, 54, 0));
	CHECK_ERR(fcntl(53, F_GETFD), EBADF);
	OK(fcntl(51, F_GETFD));
	OK(syscall(SYS_close_range, 56, 57, 4 /* CLOEXEC */));
	CHECK_EQ(fcntl(56, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(58, F_GETFD), 0);
	CHECK_ERR(syscall(SYS_close_range, 5, 4, 0), EINVAL);
	CHECK_ERR(syscall(SYS_close_range, 5, 6, 1), EINVAL);
	OK(syscall(SYS_close_range, 201, ~0u, 2 /* UNSHARE */));
}

TEST(O_PATH_descriptors_only_name)
{
	char c;
	struct stat st;

	write_file("f", "x");
	int fd = OK(open("f", O_PATH));
	CHECK_ERR(read(fd, &c, 1), EBADF);
	CHECK_ERR(write(fd, &c, 1), EBADF);
	CHECK_ERR(syscall(SYS_fchmod, fd, 0600), EBADF);
	CHECK_ERR(ftruncate(fd, 0), EBADF);
	CHECK_ERR(ioctl(fd, FIONREAD, &c), EBADF);
	CHECK_ERR(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), EBADF);
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 1);
	CHECK(fcntl(fd, F_GETFL) & O_PATH);
	OK(symlink("f", "l"));
	int link = OK(open("l", O_PATH | O_NOFOLLOW));
	OK(fstat(link, &st));
	CHECK(S_ISLNK(st.st_mode));
	char target[8] = "";
	CHECK_EQ(readlinkat(link, "", target, 8), 1);
	CHECK_STR(target, "f");
}

TEST(O_TMPFILE_has_no_name_until_linked)
{
	int fd = OK(open(".", O_TMPFILE | O_RDWR, 0640));
	char path[32];
	struct stat st;

	OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(write(fd, "t", 1), 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	CHECK_STR(read_text("named"), "t");
	CHECK_ERR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
	fd = OK(open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_ERR(linkat(AT_FDCWD, path, AT_FDCWD, "no", AT_SYMLINK_FOLLOW), ENOENT);
}

TEST(linkat_AT_EMPTY_PATH_by_descriptor)
{
	int fd = OK(open(".", O_TMPFILE | O_RDWR, 0600));

	OK(linkat(fd, "", AT_FDCWD, "n", AT_EMPTY_PATH));
	struct stat st;
	OK(stat("n", &st));
	CHECK_EQ(st.st_nlink, 1);
}

TEST(memfd_seals)
{
	int fd = OK(memfd("seals", MFD_ALLOW_SEALING));

	CHECK_EQ(write(fd, "abcd", 4), 4);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	CHECK_ERR(ftruncate(fd, 2), EPERM);
	CHECK_ERR(ftruncate(fd, 8), EPERM);
	CHECK_ERR(pwrite(fd, "x", 1, 4), EPERM);
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
	char *p = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	OK(munmap(p, 4096));
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
	CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_ERR(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
}

TEST(memfd_without_sealing_and_flags)
{
	int fd = OK(memfd("x", MFD_CLOEXEC));

	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL),
		O_RDWR | 0100000); /* O_LARGEFILE, which libraries define as 0 */
	CHECK_ERR(memfd("x", 0x1000), EINVAL);
	CHECK_ERR(memfd(BAD_PTR, 0), EFAULT);
	char path[64], target[64] = "";
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(readlink(path, target, sizeof(target) - 1));
	CHECK_STR(target, "/memfd:x (deleted)");
	CHECK_ERR(fcntl(new_file("f", O_RDWR, 0600), F_ADD_SEALS, F_SEAL_GROW), EPERM);
}

TEST(stat_describes_each_type)
{
	struct stat st;

	OK(mkdir("d", 0751));
	OK(stat("d", &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 0751);
	CHECK_EQ(st.st_nlink, 2);
	OK(symlink("abcd", "l"));
	OK(lstat("l", &st));
	CHECK_EQ(st.st_mode, S_IFLNK | 0777);
	CHECK_EQ(st.st_size, 4);
	OK(mknod("c", S_IFCHR | 0600, makedev(1, 3)));
	OK(stat("c", &st));
	CHECK_EQ(st.st_rdev, makedev(1, 3));
	int fd = OK(open("c", O_RDWR));
	CHECK_EQ(write(fd, "x", 1), 1);
	OK(mknod("s", S_IFSOCK | 0600, 0));
	CHECK_ERR(open("s", O_RDONLY), ENXIO);
	CHECK_ERR(mknod("bad", S_IFDIR | 0600, 0), EPERM);
	CHECK_ERR(mknod("bad", 0170000, 0), EINVAL);
	CHECK_ERR(open("none", O_RDONLY), ENOENT);
	OK(mknod("nodev", S_IFCHR | 0600, makedev(240, 99)));
	CHECK_ERR(open("nodev", O_RDONLY), ENXIO);
}

#ifdef STATX_BASIC_STATS
TEST(statx_fills_mask_and_birth_time)
{
	struct statx sx;

	write_file("f", "12345");
	OK(syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_BASIC_STATS | STATX_BTIME, &sx));
	CHECK_EQ(sx.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	CHECK_EQ(sx.stx_size, 5);
	CHECK_EQ(sx.stx_mode, S_IFREG | 0644);
	int fd = OK(open("f", O_RDONLY));
	OK(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_SIZE, &sx));
	CHECK_EQ(sx.stx_size, 5);
	CHECK_ERR(syscall(SYS_statx, fd, "", 0, STATX_SIZE, &sx), ENOENT);
	CHECK_ERR(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x80000000u, &sx), EINVAL);
	CHECK_ERR(syscall(SYS_statx, AT_FDCWD, "f", 0x10, 0, &sx), EINVAL);
	CHECK_ERR(syscall(SYS_statx, AT_FDCWD, "f", 0, 0, BAD_PTR), EFAULT);
}
#endif

TEST(unlinked_open_file_lives_on)
{
	int fd = new_file("f", O_RDWR, 0600);
	struct stat st;
	char c;

	CHECK_EQ(write(fd, "q", 1), 1);
	OK(unlink("f"));
	CHECK_ERR(stat("f", &st), ENOENT);
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'q');
}

TEST(openat_is_relative_to_the_directory)
{
	OK(mkdir("d", 0755));
	write_file("d/f", "x");
	int d = OK(open("d", O_RDONLY | O_DIRECTORY));
	OK(openat(d, "f", O_RDONLY));
	CHECK_ERR(openat(d, "g", O_RDONLY), ENOENT);
	CHECK_ERR(openat(0, "f", O_RDONLY), ENOTDIR);
	CHECK_ERR(openat(99, "f", O_RDONLY), EBADF);
	OK(openat(99, "/dev/null", O_RDONLY));
	OK(rename("d", "e"));
	OK(openat(d, "f", O_RDONLY));
}

TEST(openat2_resolve_flags)
{
	struct open_how how = {.flags = O_RDONLY};

	OK(mkdir("d", 0755));
	write_file("f", "x");
	OK(symlink("f", "l"));
	int d = OK(open("d", O_RDONLY | O_DIRECTORY)), here = OK(open(".", O_RDONLY));
	how.resolve = RESOLVE_BENEATH;
	CHECK_ERR(syscall(SYS_openat2, d, "../f", &how, sizeof(how)), EXDEV);
	CHECK_ERR(syscall(SYS_openat2, d, "/f", &how, sizeof(how)), EXDEV);
	OK(syscall(SYS_openat2, here, "d/../f", &how, sizeof(how)));
	how.resolve = RESOLVE_NO_SYMLINKS;
	CHECK_ERR(syscall(SYS_openat2, here, "l", &how, sizeof(how)), ELOOP);
	how.resolve = RESOLVE_IN_ROOT;
	CHECK_ERR(syscall(SYS_openat2, d, "/../f", &how, sizeof(how)), ENOENT);
	OK(syscall(SYS_openat2, here, "/../f", &how, sizeof(how)));
	how.resolve = RESOLVE_NO_XDEV;
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "/proc/version", &how, sizeof(how)), EXDEV);
	how.resolve = RESOLVE_NO_MAGICLINKS;
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "/proc/self/fd/0", &how, sizeof(how)), ELOOP);
}

TEST(openat2_rejects_what_it_does_not_know)
{
	struct open_how how = {.flags = O_RDONLY};

	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, ".", &how, 8), EINVAL);
	how.mode = 0600;
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how)), EINVAL);
	how.mode = 0;
	how.flags = 1ull << 40;
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how)), EINVAL);
	how.flags = 0;
	how.resolve = 1 << 20;
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how)), EINVAL);
}

TEST(reopening_through_proc_gives_a_new_open_file)
{
	int fd = new_file("f", O_WRONLY, 0600);
	char path[32], c;

	CHECK_EQ(write(fd, "abc", 3), 3);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int again = OK(open(path, O_RDONLY));
	CHECK_EQ(lseek(again, 0, SEEK_CUR), 0);
	CHECK_EQ(read(again, &c, 1), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
}

TEST(O_NOATIME_is_for_owners)
{
	write_file("f", "x");
	OK(chmod("f", 0644));
	OK(open("f", O_RDONLY | O_NOATIME));
	pid_t pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		CHECK_ERR(open("f", O_RDONLY | O_NOATIME), EPERM);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(kcmp_tells_shared_open_files)
{
	int a = OK(open("/dev/null", O_RDONLY)), b = OK(dup(a)),
	    c = OK(open("/dev/null", O_RDONLY));
	pid_t self = getpid();

	CHECK_EQ(OK(syscall(SYS_kcmp, self, self, 0 /* FILE */, a, b)), 0);
	CHECK(OK(syscall(SYS_kcmp, self, self, 0, a, c)) > 0);
	CHECK_ERR(syscall(SYS_kcmp, self, self, 0, a, 150), EBADF);
}

TEST(F_SETOWN_and_F_SETSIG_are_kept)
{
	int p[2];

	OK(pipe(p));
	CHECK_EQ(fcntl(p[0], F_GETOWN), 0);
	OK(fcntl(p[0], F_SETOWN, getpid()));
	CHECK_EQ(fcntl(p[0], F_GETOWN), getpid());
	OK(fcntl(p[0], F_SETOWN, -getpgrp()));
	CHECK_EQ(fcntl(p[0], F_GETOWN), -getpgrp());
	OK(fcntl(p[0], F_SETSIG, SIGUSR1));
	CHECK_EQ(fcntl(p[0], F_GETSIG), SIGUSR1);
	CHECK_ERR(fcntl(p[0], F_SETSIG, 65), EINVAL);
	CHECK_ERR(fcntl(p[0], F_SETOWN, 0x3ffffff), ESRCH);
}
