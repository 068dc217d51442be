/* SPDX-License-Identifier: MIT */
/* Bad pointers: EFAULT, no crash, and no partial effect that Linux would not have. */
#include "contract.h"
#include <sys/epoll.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>

/* The bad addresses that every call is tried with. */
static void *bad[4];

static void setup(void)
{
	char *page = guarded_page();

	bad[0] = (void *)0x10;
	bad[1] = page + 4096; /* unmapped */
	bad[2] = KERNEL_PTR;
	bad[3] = (void *)0x8000000000000000ull; /* not canonical */
}

#define EACH_BAD(call)                   \
	for (int i = 0; i < 4; i++) {    \
		void *p = bad[i];        \
		CHECK_ERR(call, EFAULT); \
	}

TEST(path_arguments)
{
	setup();
	EACH_BAD(syscall(SYS_open, p, O_RDONLY));
	EACH_BAD(syscall(SYS_stat, p, bad));
	EACH_BAD(syscall(SYS_mkdir, p, 0755));
	EACH_BAD(syscall(SYS_unlink, p));
	EACH_BAD(syscall(SYS_rename, p, "x"));
	EACH_BAD(syscall(SYS_rename, "x", p));
	EACH_BAD(syscall(SYS_symlink, p, "x"));
	EACH_BAD(syscall(SYS_readlink, p, bad, 8));
	EACH_BAD(syscall(SYS_chdir, p));
	EACH_BAD(syscall(SYS_chmod, p, 0));
	EACH_BAD(syscall(SYS_access, p, 0));
	EACH_BAD(syscall(SYS_truncate, p, 0));
	EACH_BAD(syscall(SYS_mknod, p, 0, 0));
	EACH_BAD(syscall(SYS_statfs, p, bad));
	EACH_BAD(syscall(SYS_execve, p, NULL, NULL));
	EACH_BAD(syscall(SYS_chroot, p));
}

TEST(output_structures)
{
	int fd;

	setup();
	fd = new_file("f", O_RDWR, 0600);
	EACH_BAD(syscall(SYS_stat, ".", p));
	EACH_BAD(syscall(SYS_fstat, fd, p));
	EACH_BAD(syscall(SYS_statfs, ".", p));
	EACH_BAD(syscall(SYS_uname, p));
	EACH_BAD(syscall(SYS_sysinfo, p));
	EACH_BAD(syscall(SYS_times, p));
	EACH_BAD(syscall(SYS_getrlimit, RLIMIT_CORE, p));
	EACH_BAD(syscall(SYS_getrusage, 0, p));
	EACH_BAD(syscall(SYS_gettimeofday, p, NULL));
	EACH_BAD(syscall(SYS_clock_gettime, CLOCK_REALTIME, p));
	EACH_BAD(syscall(SYS_getcwd, p, 100));
	EACH_BAD(syscall(SYS_pipe, p));
	EACH_BAD(syscall(SYS_getresuid, p, p, p));
	EACH_BAD(syscall(SYS_rt_sigpending, p, 8));
	EACH_BAD(syscall(SYS_getitimer, 0, p));
	EACH_BAD(syscall(SYS_getrandom, p, 8, 0));
	EACH_BAD(syscall(SYS_sched_getparam, 0, p));
	EACH_BAD(syscall(SYS_getcpu, p, NULL, NULL));
}

TEST(input_structures)
{
	setup();
	EACH_BAD(syscall(SYS_nanosleep, p, NULL));
	EACH_BAD(syscall(SYS_setitimer, 0, p, NULL));
	EACH_BAD(syscall(SYS_setrlimit, RLIMIT_CORE, p));
	EACH_BAD(syscall(SYS_rt_sigaction, SIGUSR1, p, NULL, 8));
	EACH_BAD(syscall(SYS_rt_sigprocmask, SIG_BLOCK, p, NULL, 8));
	EACH_BAD(syscall(SYS_rt_sigsuspend, p, 8));
	EACH_BAD(syscall(SYS_rt_sigtimedwait, p, NULL, NULL, 8));
	EACH_BAD(syscall(SYS_setgroups, 2, p));
	EACH_BAD(syscall(SYS_clock_settime, CLOCK_REALTIME, p));
	EACH_BAD(syscall(SYS_sched_setparam, 0, p));
	EACH_BAD(syscall(SYS_sched_setaffinity, 0, 8, p));
	EACH_BAD(syscall(SYS_poll, p, 1, 0));
	EACH_BAD(syscall(SYS_select, 8, p, NULL, NULL, NULL));
	EACH_BAD(syscall(SYS_utimensat, AT_FDCWD, ".", p, 0));
	EACH_BAD(syscall(SYS_sethostname, p, 4));
}

TEST(read_and_write_buffers)
{
	int fd, zero;
	struct iovec iov;

	setup();
	write_file("f", "some text");
	fd = OK(open("f", O_RDWR));
	zero = OK(open("/dev/zero", O_RDWR));
	EACH_BAD(syscall(SYS_read, fd, p, 4));
	EACH_BAD(syscall(SYS_write, fd, p, 4));
	EACH_BAD(syscall(SYS_pread64, fd, p, 4, 0));
	EACH_BAD(syscall(SYS_pwrite64, fd, p, 4, 0));
	EACH_BAD(syscall(SYS_read, zero, p, 4));
	EACH_BAD(syscall(SYS_readv, fd, p, 1));
	EACH_BAD((iov = (struct iovec){p, 4}, syscall(SYS_readv, fd, &iov, 1)));
	EACH_BAD((iov = (struct iovec){p, 4}, syscall(SYS_writev, fd, &iov, 1)));
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_STR(read_text("f"), "some text");
	EACH_BAD(syscall(SYS_getdents64, OK(open(".", O_RDONLY)), p, 100));
}

TEST(zero_length_io_needs_no_valid_pointer)
{
	int fd = new_file("f", O_RDWR, 0600);

	CHECK_EQ(read(fd, (void *)0x10, 0), 0);
	CHECK_EQ(write(fd, (void *)0x10, 0), 0);
}

TEST(read_across_the_end_of_a_mapping_is_short)
{
	char *page = guarded_page();
	int fd;

	write_file("f", "0123456789");
	fd = OK(open("f", O_RDONLY));
	CHECK_EQ(read(fd, page + 4096 - 4, 10), 4);
	CHECK(!memcmp(page + 4092, "0123", 4));
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
}

TEST(write_across_the_end_of_a_mapping_is_short)
{
	char *page = guarded_page();
	int fd = new_file("f", O_RDWR, 0600);

	memset(page, 'w', 4096);
	CHECK_EQ(write(fd, page + 4096 - 5, 10), 5);
	CHECK_STR(read_text("f"), "wwwww");
}

TEST(writev_stops_at_the_bad_vector)
{
	int fd = new_file("f", O_RDWR, 0600);
	struct iovec iov[3] = {{"good", 4}, {(void *)0x10, 4}, {"more", 4}};

	CHECK_EQ(writev(fd, iov, 3), 4);
	CHECK_STR(read_text("f"), "good");
}

TEST(path_string_may_end_at_the_last_mapped_byte)
{
	char *page = guarded_page();
	struct stat st;

	strcpy(page + 4096 - 2, ".");
	OK(stat(page + 4096 - 2, &st));
	page[4095] = '.';
	CHECK_ERR(syscall(SYS_stat, page + 4096 - 2, &st), EFAULT);
}

TEST(structure_across_the_end_of_a_mapping_is_EFAULT)
{
	char *page = guarded_page();

	CHECK_ERR(syscall(SYS_uname, page + 4096 - 100), EFAULT);
	CHECK_ERR(syscall(SYS_stat, ".", page + 4096 - 50), EFAULT);
	CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_REALTIME, page + 4096 - 8), EFAULT);
}

TEST(read_only_memory_cannot_be_written_by_the_kernel)
{
	char *p = OK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	int zero = OK(open("/dev/zero", O_RDONLY)), fds[2];

	CHECK_ERR(read(zero, p, 10), EFAULT);
	CHECK_ERR(syscall(SYS_uname, p), EFAULT);
	CHECK_ERR(syscall(SYS_pipe, p), EFAULT);
	OK(pipe(fds)); /* the failed one leaked no descriptors */
	CHECK_EQ(fds[0], zero + 1);
	OK(mprotect(p, 4096, PROT_NONE));
	CHECK_ERR(write(fds[1], p, 10), EFAULT);
}

TEST(length_that_wraps_the_address_space)
{
	int fd = OK(open("/dev/zero", O_RDONLY));
	char c;

	CHECK_ERR(read(fd, &c, (size_t)-1), EFAULT);
	CHECK_ERR(read(fd, (void *)-4096l, 8192), EFAULT);
}

TEST(signal_frame_on_a_bad_stack_kills)
{
	pid_t pid = FORK();

	if (!pid) {
		long self = getpid();

		on_signal(SIGUSR1, (void (*)(int))1, 0);
		__asm__ volatile("mov $0x1000, %%rsp\n\tsyscall" ::"a"(SYS_kill), "D"(self),
				 "S"((long)SIGUSR1)
				 : "rcx", "r11", "memory");
		_exit(0);
	}
	expect_signal(pid, SIGSEGV);
}

TEST(jump_to_a_bad_address_kills)
{
	static const unsigned long where[] = {0, 0x1000, 0xffffffff80000000ul,
		0xffffffffff600000ul + 0x500, 0x8000000000000000ul};

	for (int i = 0; i < 5; i++) {
		pid_t pid = FORK();

		if (!pid) {
			((void (*)(void))where[i])();
			_exit(0);
		}
		expect_signal(pid, SIGSEGV);
	}
}

TEST(epoll_and_futex_pointers)
{
	struct epoll_event ev = {.events = EPOLLOUT};
	int ep = OK(epoll_create1(0)), p2[2];

	setup();
	OK(pipe(p2));
	EACH_BAD(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, p2[1], p));
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, p2[1], &ev));
	EACH_BAD(syscall(SYS_epoll_wait, ep, p, 1, 0));
	CHECK_EQ(epoll_wait(ep, &ev, 1, 0), 1);
}
