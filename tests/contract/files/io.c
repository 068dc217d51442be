/* SPDX-License-Identifier: MIT */
/* Reading, writing, positions, sizes and holes. */
#include "contract.h"
#include <sys/sendfile.h>

TEST(write_then_read_back)
{
	int fd = new_file("f", O_RDWR, 0600);
	char buf[8];

	CHECK_EQ(write(fd, "hello", 5), 5);
	CHECK_EQ(read(fd, buf, 8), 0);
	CHECK_EQ(lseek(fd, 1, SEEK_SET), 1);
	CHECK_EQ(read(fd, buf, 8), 4);
	CHECK(!memcmp(buf, "ello", 4));
}

TEST(access_mode_is_checked)
{
	char c;
	int r, w;

	write_file("f", "x");
	r = OK(open("f", O_RDONLY));
	w = OK(open("f", O_WRONLY));
	CHECK_ERR(write(r, "y", 1), EBADF);
	CHECK_ERR(read(w, &c, 1), EBADF);
	CHECK_ERR(ftruncate(r, 0), EINVAL);
}

TEST(O_APPEND_writes_at_the_end_always)
{
	int fd = new_file("f", O_RDWR | O_APPEND, 0600);

	CHECK_EQ(write(fd, "aaa", 3), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(write(fd, "bbb", 3), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
	/* On Linux pwrite appends too, whatever its offset. */
	CHECK_EQ(pwrite(fd, "c", 1, 0), 1);
	CHECK_STR(read_text("f"), "aaabbbc");
}

TEST(concurrent_appends_lose_nothing)
{
	int fd = new_file("f", O_WRONLY | O_APPEND, 0600);
	struct stat st;

	for (int i = 0; i < 4; i++) {
		if (FORK())
			continue;
		int mine = OK(open("f", O_WRONLY | O_APPEND));
		for (int k = 0; k < 100; k++)
			CHECK_EQ(write(mine, "0123456789", 10), 10);
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		OK(wait(NULL));
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 4000);
}

TEST(pread_and_pwrite_keep_the_position)
{
	int fd = new_file("f", O_RDWR, 0600);
	char c;

	CHECK_EQ(pwrite(fd, "abc", 3, 10), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_EQ(pread(fd, &c, 1, 11), 1);
	CHECK_EQ(c, 'b');
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 0);
	CHECK_EQ(pread(fd, &c, 1, 100), 0);
	CHECK_ERR(pread(fd, &c, 1, -1), EINVAL);
	CHECK_ERR(pwrite(fd, &c, 1, -1), EINVAL);
}

TEST(vectors_gather_and_scatter)
{
	int fd = new_file("f", O_RDWR, 0600);
	char a[3] = "", b[8] = "";
	struct iovec out[3] = {{"ab", 2}, {NULL, 0}, {"cdef", 4}}, in[2] = {{a, 2}, {b, 8}};

	CHECK_EQ(writev(fd, out, 3), 6);
	CHECK_EQ(preadv(fd, in, 2, 1), 5);
	CHECK_STR(a, "bc");
	CHECK_STR(b, "def");
	CHECK_EQ(pwritev(fd, out, 3, 6), 6);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 12);
	CHECK_EQ(writev(fd, out, 0), 0);
	CHECK_ERR(writev(fd, out, -1), EINVAL);
	CHECK_ERR(writev(fd, out, 1025), EINVAL);
	out[0].iov_len = (size_t)-1;
	CHECK_ERR(writev(fd, out, 1), EINVAL);
}

TEST(preadv2_flags)
{
	int fd = new_file("f", O_RDWR, 0600);
	char buf[8];
	struct iovec iov = {buf, 4};

	CHECK_EQ(write(fd, "12345678", 8), 8);
	CHECK_EQ(syscall(SYS_preadv2, fd, &iov, 1, -1l, -1l, 0), 0);
	CHECK_EQ(syscall(SYS_preadv2, fd, &iov, 1, 2l, 0l, 0), 4);
	CHECK(!memcmp(buf, "3456", 4));
	CHECK_EQ(syscall(SYS_pwritev2, fd, &iov, 1, 0l, 0l, 0x10 /* RWF_APPEND */), 4);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 12);
	CHECK_ERR(syscall(SYS_preadv2, fd, &iov, 1, 0l, 0l, 0x4000), EOPNOTSUPP);
}

TEST(lseek_whence_and_errors)
{
	int fd = new_file("f", O_RDWR, 0600);

	OK(ftruncate(fd, 10));
	CHECK_EQ(lseek(fd, -3, SEEK_END), 7);
	CHECK_EQ(lseek(fd, 5, SEEK_CUR), 12);
	CHECK_EQ(lseek(fd, 1000, SEEK_SET), 1000);
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(fd, -2000, SEEK_CUR), EINVAL);
	CHECK_ERR(lseek(fd, 0, 99), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 1000);
}

TEST(SEEK_DATA_and_SEEK_HOLE)
{
	int fd = new_file("f", O_RDWR, 0600);

	CHECK_EQ(pwrite(fd, "x", 1, 3 * 4096), 1);
	OK(ftruncate(fd, 8 * 4096));
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 3 * 4096);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
	CHECK_EQ(lseek(fd, 3 * 4096 + 5, SEEK_HOLE), 4 * 4096);
	CHECK_ERR(lseek(fd, 4 * 4096, SEEK_DATA), ENXIO);
	CHECK_ERR(lseek(fd, 8 * 4096, SEEK_HOLE), ENXIO);
}

TEST(holes_read_as_zero_and_use_no_blocks)
{
	int fd = new_file("f", O_RDWR, 0600);
	struct stat st;
	char buf[16] = "xxxxxxxxxxxxxxx";

	CHECK_EQ(pwrite(fd, "end", 3, 1 << 30), 3);
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, (1 << 30) + 3);
	CHECK(st.st_blocks <= 16);
	CHECK_EQ(pread(fd, buf, 16, 12345), 16);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(buf[i], 0);
}

TEST(truncate_shrinks_grows_and_zeroes)
{
	int fd = new_file("f", O_RDWR, 0600);
	char buf[8];

	CHECK_EQ(write(fd, "abcdefgh", 8), 8);
	OK(ftruncate(fd, 3));
	OK(truncate("f", 6));
	CHECK_EQ(pread(fd, buf, 8, 0), 6);
	CHECK(!memcmp(buf, "abc\0\0\0", 6));
	CHECK_ERR(ftruncate(fd, -1), EINVAL);
	CHECK_ERR(truncate("f", -1), EINVAL);
	CHECK_ERR(truncate(".", 0), EISDIR);
	CHECK_ERR(truncate("none", 0), ENOENT);
}

TEST(fallocate_modes_on_tmpfs)
{
	int fd = new_file("f", O_RDWR, 0600);
	struct stat st;
	char c;

	OK(fallocate(fd, 0, 0, 3 * 4096));
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 3 * 4096);
	CHECK_EQ(st.st_blocks, 24);
	CHECK_EQ(pwrite(fd, "x", 1, 4096), 1);
	OK(fallocate(fd, 1 /* KEEP_SIZE */ | 2 /* PUNCH_HOLE */, 4096, 4096));
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 3 * 4096);
	CHECK_EQ(st.st_blocks, 16);
	CHECK_EQ(pread(fd, &c, 1, 4096), 1);
	CHECK_EQ(c, 0);
	OK(fallocate(fd, 1, 0, 8 * 4096));
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 3 * 4096);
	CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_ERR(fallocate(fd, 0, -1, 1), EINVAL);
	CHECK_ERR(fallocate(fd, 2, 0, 4096), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, 0x10, 0, 4096), EOPNOTSUPP);
	int ro = OK(open("f", O_RDONLY));
	CHECK_ERR(fallocate(ro, 0, 0, 1), EBADF);
}

TEST(sendfile_from_file_to_file_and_pipe)
{
	int in = new_file("in", O_RDWR, 0600), out = new_file("out", O_RDWR, 0600), p[2];
	off_t off = 2;

	CHECK_EQ(write(in, "0123456789", 10), 10);
	CHECK_EQ(sendfile(out, in, &off, 5), 5);
	CHECK_EQ(off, 7);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 10);
	CHECK_STR(read_text("out"), "23456");
	OK(pipe(p));
	CHECK_EQ(lseek(in, 8, SEEK_SET), 8);
	CHECK_EQ(sendfile(p[1], in, NULL, 100), 2);
	CHECK_EQ(sendfile(p[1], in, NULL, 100), 0);
	CHECK_ERR(sendfile(out, p[0], NULL, 1), EINVAL);
	CHECK_ERR(sendfile(99, in, NULL, 1), EBADF);
}

TEST(copy_file_range_copies_with_offsets)
{
	int in = new_file("in", O_RDWR, 0600), out = new_file("out", O_RDWR, 0600);
	loff_t from = 3, to = 1;

	CHECK_EQ(write(in, "0123456789", 10), 10);
	CHECK_EQ(copy_file_range(in, &from, out, &to, 4, 0), 4);
	CHECK_EQ(from, 7);
	CHECK_EQ(to, 5);
	char buf[8];
	CHECK_EQ(pread(out, buf, 8, 0), 5);
	CHECK(!memcmp(buf, "\0003456", 5));
	CHECK_ERR(copy_file_range(in, &from, out, &to, 1, 1), EINVAL);
	from = 0, to = 2;
	CHECK_ERR(copy_file_range(in, &from, in, &to, 5, 0), EINVAL);
	int ap = OK(open("out", O_WRONLY | O_APPEND));
	CHECK_ERR(copy_file_range(in, NULL, ap, NULL, 1, 0), EBADF);
	int dir = OK(open(".", O_RDONLY));
	CHECK_ERR(copy_file_range(dir, NULL, out, NULL, 1, 0), EISDIR);
}

TEST(directory_cannot_be_read_or_written)
{
	char c;
	int dir = OK(open(".", O_RDONLY));

	CHECK_ERR(read(dir, &c, 1), EISDIR);
	CHECK_ERR(open(".", O_WRONLY), EISDIR);
	CHECK_ERR(open(".", O_RDWR), EISDIR);
	CHECK_ERR(open("new/", O_WRONLY | O_CREAT, 0600), EISDIR);
}

TEST(offsets_that_overflow_are_EINVAL)
{
	int fd = new_file("f", O_RDWR, 0600);
	char buf[2] = "";

	CHECK_ERR(pwrite(fd, "x", 1, LLONG_MAX), EINVAL);
	CHECK_ERR(pread(fd, buf, 2, LLONG_MAX), EINVAL);
}

TEST(times_follow_reads_writes_and_changes)
{
	struct stat a, b;
	int fd = new_file("f", O_RDWR, 0600);

	OK(fstat(fd, &a));
	sleep_ns(20 * MSEC);
	CHECK_EQ(write(fd, "x", 1), 1);
	OK(fstat(fd, &b));
	CHECK(b.st_mtim.tv_sec * SEC + b.st_mtim.tv_nsec >
		a.st_mtim.tv_sec * SEC + a.st_mtim.tv_nsec);
	CHECK(b.st_ctim.tv_sec * SEC + b.st_ctim.tv_nsec >
		a.st_ctim.tv_sec * SEC + a.st_ctim.tv_nsec);
	sleep_ns(20 * MSEC);
	OK(fchmod(fd, 0644));
	OK(fstat(fd, &a));
	CHECK(a.st_ctim.tv_sec * SEC + a.st_ctim.tv_nsec >
		b.st_ctim.tv_sec * SEC + b.st_ctim.tv_nsec);
	CHECK_EQ(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
}

TEST(utimensat_sets_now_and_omit)
{
	struct timespec ts[2] = {{1000, 1}, {2000, 2}};
	struct stat st;

	write_file("f", "x");
	OK(utimensat(AT_FDCWD, "f", ts, 0));
	OK(stat("f", &st));
	CHECK_EQ(st.st_atim.tv_sec, 1000);
	CHECK_EQ(st.st_mtim.tv_nsec, 2);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_nsec = UTIME_NOW;
	OK(utimensat(AT_FDCWD, "f", ts, 0));
	OK(stat("f", &st));
	CHECK_EQ(st.st_atim.tv_sec, 1000);
	CHECK(st.st_mtim.tv_sec > 2000);
	ts[0].tv_nsec = 1000000000;
	CHECK_ERR(utimensat(AT_FDCWD, "f", ts, 0), EINVAL);
	ts[0].tv_nsec = 0;
	OK(symlink("f", "l"));
	OK(utimensat(AT_FDCWD, "l", ts, AT_SYMLINK_NOFOLLOW));
	OK(lstat("l", &st));
	CHECK_EQ(st.st_atim.tv_sec, 1000);
}

TEST(full_tmpfs_is_ENOSPC_with_a_partial_write)
{
	static char buf[1 << 16];
	int fd = new_file("f", O_WRONLY, 0600);
	struct rlimit rl;

	(void)rl;
	OK(mkdir("m", 0755));
	OK(syscall(SYS_mount, "none", "m", "tmpfs", 0, "size=40k"));
	int small = OK(open("m/f", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(write(small, buf, sizeof(buf)), 40960);
	CHECK_ERR(write(small, buf, 1), ENOSPC);
	OK(ftruncate(small, 0));
	CHECK_EQ(write(small, buf, 4096), 4096);
	close(fd);
	close(small);
	OK(syscall(SYS_umount2, "m", 0));
}

TEST(fsync_and_friends_work_on_tmpfs)
{
	int fd = new_file("f", O_RDWR, 0600), p[2];

	OK(fsync(fd));
	OK(fdatasync(fd));
	OK(syncfs(fd));
	OK(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
	OK(pipe(p));
	CHECK_ERR(fsync(p[0]), EINVAL);
	CHECK_EQ(posix_fadvise(p[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
	CHECK_ERR(fsync(99), EBADF);
}

TEST(dev_null_zero_full_random)
{
	char buf[64] = {1};
	int fd = OK(open("/dev/null", O_RDWR));

	CHECK_EQ(write(fd, buf, 64), 64);
	CHECK_EQ(read(fd, buf, 64), 0);
	fd = OK(open("/dev/zero", O_RDWR));
	CHECK_EQ(read(fd, buf, 64), 64);
	CHECK_EQ(buf[0], 0);
	fd = OK(open("/dev/full", O_RDWR));
	CHECK_ERR(write(fd, buf, 1), ENOSPC);
	CHECK_EQ(read(fd, buf, 8), 8);
	fd = OK(open("/dev/urandom", O_RDWR));
	CHECK_EQ(read(fd, buf, 64), 64);
	CHECK_EQ(write(fd, buf, 64), 64);
	char *p = OK(mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, OK(open("/dev/zero", O_RDWR)), 0));
	CHECK_EQ(p[100], 0);
}
