/* SPDX-License-Identifier: MIT */
/* Bad descriptors and unknown calls. */
#include "contract.h"
#include <sys/file.h>

static void each_call(int fd)
{
	char buf[256] = "";
	struct iovec iov = {buf, 8};

	CHECK_ERR(syscall(SYS_read, fd, buf, 8), EBADF);
	CHECK_ERR(syscall(SYS_write, fd, buf, 8), EBADF);
	CHECK_ERR(syscall(SYS_pread64, fd, buf, 8, 0), EBADF);
	CHECK_ERR(syscall(SYS_pwrite64, fd, buf, 8, 0), EBADF);
	CHECK_ERR(syscall(SYS_readv, fd, &iov, 1), EBADF);
	CHECK_ERR(syscall(SYS_writev, fd, &iov, 1), EBADF);
	CHECK_ERR(syscall(SYS_lseek, fd, 0, 0), EBADF);
	CHECK_ERR(syscall(SYS_ioctl, fd, FIONREAD, buf), EBADF);
	CHECK_ERR(syscall(SYS_ftruncate, fd, 0), EBADF);
	CHECK_ERR(syscall(SYS_fsync, fd), EBADF);
	CHECK_ERR(syscall(SYS_fchmod, fd, 0), EBADF);
	CHECK_ERR(syscall(SYS_fchown, fd, 0, 0), EBADF);
	CHECK_ERR(syscall(SYS_flock, fd, LOCK_SH), EBADF);
	CHECK_ERR(syscall(SYS_fallocate, fd, 0, 0, 1), EBADF);
	CHECK_ERR(syscall(SYS_getdents64, fd, buf, 256), EBADF);
	CHECK_ERR(syscall(SYS_sendfile, fd, 0, NULL, 1), EBADF);
	CHECK_ERR(syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), EBADF);
	CHECK_ERR(syscall(SYS_epoll_ctl, fd, 1, 0, buf), EBADF);
	CHECK_ERR(syscall(SYS_epoll_wait, fd, buf, 1, 0), EBADF);
	CHECK_ERR(syscall(SYS_timerfd_gettime, fd, buf), EBADF);
	CHECK_ERR(syscall(SYS_inotify_add_watch, fd, ".", 2), EBADF);
	CHECK_ERR(syscall(SYS_fadvise64, fd, 0, 0, 0), EBADF);
	CHECK_ERR(syscall(SYS_tee, fd, 1, 1, 0), EBADF);
	CHECK_ERR(syscall(SYS_splice, fd, NULL, 1, NULL, 1, 0), EBADF);
	CHECK_ERR(syscall(SYS_copy_file_range, fd, NULL, 0, NULL, 1, 0), EBADF);
	CHECK_ERR(syscall(SYS_fgetxattr, fd, "trusted.a", buf, 8), EBADF);
}

TEST(closed_descriptor_is_EBADF_everywhere)
{
	each_call(150);
}

TEST(negative_and_huge_descriptors_are_EBADF_everywhere)
{
	each_call(-1);
	each_call(INT_MAX);
	each_call(INT_MIN);
}

TEST(O_PATH_descriptor_is_EBADF_for_data)
{
	write_file("f", "x");
	each_call(OK(open("f", O_PATH)));
}

TEST(fcntl_dup_close_and_fstat)
{
	struct stat st;

	CHECK_ERR(fcntl(150, F_GETFD), EBADF);
	CHECK_ERR(fcntl(150, F_GETFL), EBADF);
	CHECK_ERR(dup(150), EBADF);
	CHECK_ERR(close(150), EBADF);
	CHECK_ERR(syscall(SYS_fstat, 150, &st), EBADF);
	CHECK_ERR(fchdir(150), EBADF);
	CHECK_ERR(openat(150, "x", O_RDONLY), EBADF);
	CHECK_ERR(mkdirat(150, "x", 0755), EBADF);
	CHECK_ERR(unlinkat(150, "x", 0), EBADF);
	CHECK_ERR(syscall(SYS_newfstatat, 150, "x", &st, 0), EBADF);
}

TEST(descriptor_arguments_are_32_bit)
{
	struct stat st;

	/* The upper half of the register is ignored. */
	OK(syscall(SYS_fstat, 0x100000000l, &st));
}

TEST(unknown_system_calls_are_ENOSYS)
{
	CHECK_ERR(syscall(600), ENOSYS);
	CHECK_ERR(syscall(-1), ENOSYS);
	CHECK_ERR(syscall(100000), ENOSYS);
	CHECK_ERR(syscall(SYS_uselib, "x"), ENOSYS);
	CHECK_ERR(syscall(400), ENOSYS);
}

TEST(registers_survive_a_system_call)
{
	unsigned long r[6];

	__asm__ volatile("mov $11, %%rbx\n\tmov $12, %%r12\n\tmov $13, %%r13\n\tmov $14, %%r14\n\t"
			 "mov $15, %%r8\n\tmov $16, %%r9\n\tmov $39, %%eax\n\tsyscall\n\t"
			 "mov %%rbx, 0(%0)\n\tmov %%r12, 8(%0)\n\tmov %%r13, 16(%0)\n\t"
			 "mov %%r14, 24(%0)\n\tmov %%r8, 32(%0)\n\tmov %%r9, 40(%0)"
			 :
			 : "D"(r)
			 : "rax", "rbx", "rcx", "r8", "r9", "r11", "r12", "r13", "r14", "memory");
	for (int i = 0; i < 6; i++)
		CHECK_EQ(r[i], 11 + i);
}

TEST(flags_survive_a_system_call_and_ac_does_no_harm)
{
	unsigned long flags;

	/* Carry, direction, alignment check. */
	__asm__ volatile("pushfq\n\torq $0x40401, (%%rsp)\n\tpopfq\n\tmov $39, %%eax\n\tsyscall\n\t"
			 "pushfq\n\tpop %0\n\tpushfq\n\tandq $~0x40401, (%%rsp)\n\tpopfq"
			 : "=r"(flags)::"rax", "rcx", "r11", "memory", "cc");
	CHECK_EQ(flags & 0x40401, 0x40401);
}
