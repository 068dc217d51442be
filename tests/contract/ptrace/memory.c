/* SPDX-License-Identifier: MIT */
/* Memory and registers of tracees, single steps, watchpoints. */
#include "trace.h"

static volatile long word = 0x1122334455667788;

TEST(peek_and_poke_data)
{
	pid_t pid = traced_child(do_nothing);

	CHECK_EQ(peek(pid, &word), 0x1122334455667788);
	PT(PTRACE_POKEDATA, pid, &word, 77);
	CHECK_EQ(peek(pid, &word), 77);
	CHECK_EQ(word, 0x1122334455667788); /* it has its own */
	CHECK_ERR(pt(PTRACE_PEEKDATA, pid, 8, (unsigned long)&word), EIO);
	CHECK_ERR(pt(PTRACE_POKEDATA, pid, 8, 1), EIO);
	CHECK_ERR(pt(PTRACE_PEEKDATA, pid, (unsigned long)&word, 8), EFAULT);
	kill_tracee(pid);
}

__attribute__((noinline)) static int answer(void)
{
	__asm__ volatile("");
	return 42;
}

static void exit_answer(void)
{
	_exit(answer());
}

TEST(poke_text_copies_the_page)
{
	pid_t pid = traced_child(exit_answer);
	struct user_regs_struct r;
	long code = peek(pid, answer);

	PT(PTRACE_POKETEXT, pid, answer, (code & ~0xffl) | 0xcc);
	CHECK_EQ(answer(), 42); /* ours is as it was */
	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGTRAP);
	r = regs_of(pid);
	CHECK_EQ(r.rip, (unsigned long)answer + 1);
	r.rip--;
	PT(PTRACE_SETREGS, pid, 0, &r);
	PT(PTRACE_POKETEXT, pid, answer, code);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 42);
}

static char *page;

TEST(proc_mem_writes_by_force)
{
	char path[64];
	pid_t pid;
	int fd;

	page = OK(mmap(
		NULL, 2 * page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	page[5] = 'a';
	OK(mprotect(page, page_size(), PROT_READ));
	OK(mprotect(page + page_size(), page_size(), PROT_NONE));
	pid = traced_child(do_nothing);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = OK(open(path, O_RDWR));
	CHECK_EQ(pwrite(fd, "b", 1, (off_t)page + 5), 1);
	CHECK_EQ(peek(pid, page) >> 40 & 0xff, 'b');
	CHECK_EQ(page[5], 'a');
	char c = 'x';
	CHECK_EQ(pread(fd, &c, 1, (off_t)page + (off_t)page_size()), 1);
	CHECK_EQ(c, 0);
	PT(PTRACE_POKEDATA, pid, page + 8, 5);
	CHECK_EQ(peek(pid, page + 8), 5);
	kill_tracee(pid);
}

TEST(shared_read_only_memory_is_not_written)
{
	int fd = new_file("f", O_RDWR | O_CREAT, 0600);
	char *p;
	pid_t pid;

	OK(ftruncate(fd, 4096));
	p = OK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0));
	pid = traced_child(do_nothing);
	CHECK_ERR(pt(PTRACE_POKEDATA, pid, (unsigned long)p, 1), EIO);
	CHECK_EQ(peek(pid, p), 0);
	kill_tracee(pid);
}

static void exit_by_registers(void)
{
	__asm__ volatile("mov $1, %%rbx\n\tmov $2, %%r12\n\tmov $3, %%r15\n\t"
			 "mov $0x1234, %%rdi\n\tint3\n\t"
			 "add %%r12, %%rbx\n\tadd %%r15, %%rbx\n\tadd %%rdi, %%rbx\n\t"
			 "mov %%rbx, %%rdi\n\tmov $60, %%eax\n\tsyscall"
			 :
			 :
			 : "rbx", "r12", "r15", "rdi", "rax");
}

TEST(registers_are_read_and_set)
{
	pid_t pid = traced_child(exit_by_registers);
	struct user_regs_struct r, part;
	struct iovec iov = {&part, sizeof(part)};
	long v;

	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGTRAP);
	r = regs_of(pid);
	CHECK_EQ(r.rbx, 1);
	CHECK_EQ(r.r12, 2);
	CHECK_EQ(r.r15, 3);
	CHECK_EQ(r.rdi, 0x1234);
	CHECK_EQ(r.cs, 0x33);
	CHECK_EQ(r.ss, 0x2b);
	CHECK_EQ(r.orig_rax, -1ul);
	CHECK(r.fs_base != 0);
	PT(PTRACE_PEEKUSR, pid, offsetof(struct user_regs_struct, r12), &v);
	CHECK_EQ(v, 2);
	CHECK_ERR(pt(PTRACE_PEEKUSR, pid, 3, (unsigned long)&v), EIO);
	CHECK_ERR(pt(PTRACE_PEEKUSR, pid, 1024, (unsigned long)&v), EIO);
	PT(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov);
	CHECK_EQ(iov.iov_len, sizeof(part));
	CHECK(!memcmp(&part, &r, sizeof(r)));
	iov.iov_len = 16;
	PT(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov);
	CHECK_EQ(iov.iov_len, 16);
	CHECK_ERR(pt(PTRACE_GETREGSET, pid, 0x77, (unsigned long)&iov), EINVAL);
	r.rbx = 10;
	r.r15 = 0;
	r.rdi = 0;
	PT(PTRACE_SETREGS, pid, 0, &r);
	r.cs = 0;
	CHECK_ERR(pt(PTRACE_SETREGS, pid, 0, (unsigned long)&r), EIO);
	PT(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, r12), 20);
	CHECK_ERR(pt(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, fs_base), 1ul << 63),
		EIO);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 30);
}

static void fpu_at_trap(void)
{
	double d = 1.5;

	__asm__ volatile("movsd %0, %%xmm3\n\tint3\n\tmovsd %%xmm3, %0" : "+m"(d) : : "xmm3");
	_exit(d == 2.5 ? 7 : 8);
}

TEST(floating_point_registers_are_read_and_set)
{
	pid_t pid = traced_child(fpu_at_trap);
	struct user_fpregs_struct f;
	static char state[16384];
	struct iovec iov = {state, sizeof(state)};
	double d;

	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGTRAP);
	PT(PTRACE_GETFPREGS, pid, 0, &f);
	memcpy(&d, (char *)f.xmm_space + 3 * 16, 8);
	CHECK(d == 1.5);
	PT(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &iov);
	CHECK(iov.iov_len >= 576);
	memcpy(&d, state + 160 + 3 * 16, 8);
	CHECK(d == 1.5);
	PT(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov);
	d = 2.5;
	memcpy((char *)f.xmm_space + 3 * 16, &d, 8);
	PT(PTRACE_SETFPREGS, pid, 0, &f);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 7);
}

static void steps(void)
{
	__asm__ volatile("int3\n\tnop\n\tmov $39, %%eax\n\tsyscall\n\tnop\n\tnop"
			 :
			 :
			 : "rax", "rcx", "r11");
}

TEST(single_steps_see_every_instruction)
{
	pid_t pid = traced_child(steps);
	static const int lengths[] = {1, 5, 2, 1, 1};
	unsigned long at;
	siginfo_t si;

	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGTRAP);
	at = regs_of(pid).rip;
	for (int i = 0; i < 5; i++) {
		struct user_regs_struct r;

		PT(PTRACE_SINGLESTEP, pid, 0, 0);
		EXPECT_STOP(pid, SIGTRAP);
		r = regs_of(pid);
		at += lengths[i];
		CHECK_EQ(r.rip, at);
		CHECK_EQ(r.eflags & 0x100, 0);
		PT(PTRACE_GETSIGINFO, pid, 0, &si);
		CHECK_EQ(si.si_code, i == 2 ? TRAP_BRKPT : TRAP_TRACE);
		if (i == 2) /* the system call */
			CHECK_EQ(r.rax, pid);
	}
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 0);
}

static void handler(int sig)
{
	(void)sig;
}

static void raise_handled(void)
{
	on_signal(SIGUSR1, handler, 0);
	raise_raw(SIGUSR1);
	_exit(0);
}

TEST(step_into_a_handler_stops_at_its_beginning)
{
	pid_t pid = traced_child(raise_handled);

	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGUSR1);
	PT(PTRACE_SINGLESTEP, pid, 0, SIGUSR1);
	EXPECT_STOP(pid, SIGTRAP);
	CHECK_EQ(regs_of(pid).rip, (unsigned long)handler);
	PT(PTRACE_CONT, pid, 0, SIGTERM); /* nothing was taken that it could replace */
	expect_exit(pid, 0);
}

static void fork_and_tell(void)
{
	pid_t pid = (pid_t)syscall(SYS_fork);
	int status = -1;

	if (!pid)
		syscall(SYS_exit, 3);
	syscall(SYS_wait4, pid, &status, 0, NULL);
	_exit(status >> 8 | (status & 0x7f));
}

static void vfork_and_tell(void)
{
	pid_t pid = vfork();
	int status = -1;

	if (!pid)
		_exit(3);
	syscall(SYS_wait4, pid, &status, 0, NULL);
	_exit(status >> 8 | (status & 0x7f));
}

static void step_to_the_end(pid_t pid)
{
	int status;

	do {
		PT(PTRACE_SINGLESTEP, pid, 0, 0);
		CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	} while (WIFSTOPPED(status));
	CHECK_EQ(status, 3 << 8);
}

TEST(step_over_fork_is_not_the_child_s)
{
	step_to_the_end(traced_child(fork_and_tell));
	step_to_the_end(traced_child(vfork_and_tell));
}

#define DEBUGREG(n) (offsetof(struct user, u_debugreg) + 8 * (n))

static void store_word(void)
{
	word = 5;
	__asm__ volatile("" ::: "memory");
	_exit(word == 5 ? 0 : 1);
}

TEST(watchpoint_stops_behind_the_store)
{
	pid_t pid = traced_child(store_word);
	siginfo_t si;
	long v;

	PT(PTRACE_POKEUSR, pid, DEBUGREG(0), &word);
	PT(PTRACE_POKEUSR, pid, DEBUGREG(7), 1ul | 1ul << 16 | 2ul << 18); /* 8 bytes, written */
	PT(PTRACE_PEEKUSR, pid, DEBUGREG(0), &v);
	CHECK_EQ(v, (long)&word);
	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGTRAP);
	CHECK_EQ(peek(pid, &word), 5);
	PT(PTRACE_GETSIGINFO, pid, 0, &si);
	CHECK_EQ(si.si_code, TRAP_HWBKPT);
	PT(PTRACE_PEEKUSR, pid, DEBUGREG(6), &v);
	CHECK_EQ(v & 0xf, 1);
	PT(PTRACE_POKEUSR, pid, DEBUGREG(7), 0);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 0);
}

TEST(debug_registers_are_checked)
{
	pid_t pid = traced_child(do_nothing);

	CHECK_ERR(pt(PTRACE_POKEUSR, pid, DEBUGREG(0), 1ul << 63), EINVAL);
	CHECK_ERR(pt(PTRACE_POKEUSR, pid, DEBUGREG(4), 1), EIO);
	PT(PTRACE_POKEUSR, pid, DEBUGREG(1), (unsigned long)&word + 1);
	CHECK_ERR(pt(PTRACE_POKEUSR, pid, DEBUGREG(7), 4ul | 1ul << 20 | 3ul << 22), EINVAL);
	kill_tracee(pid);
}

static void read_into_word(void)
{
	int p[2];
	long v = 9;

	OK(pipe(p));
	OK(write(p[1], &v, sizeof(v)));
	OK(read(p[0], (void *)&word, sizeof(word))); /* the kernel's store doesn't count */
	_exit(word == 9 ? 0 : 1);
}

TEST(watchpoint_and_the_kernel)
{
	pid_t pid = traced_child(read_into_word);
	int status;

	PT(PTRACE_POKEUSR, pid, DEBUGREG(0), &word);
	PT(PTRACE_POKEUSR, pid, DEBUGREG(7), 1ul | 1ul << 16 | 2ul << 18);
	PT(PTRACE_CONT, pid, 0, 0);
	CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
}

/* What MOV SS hits is told once the next instruction is over, which is in the kernel here. */
static volatile unsigned short g_ss;

static void hit_behind_mov_ss(void)
{
	long r;

	__asm__ volatile("mov %%ss, %0" : "=m"(g_ss));
	raise_raw(SIGSTOP);
	for (int i = 0; i < 1000; i++) {
		__asm__ volatile("mov %1, %%ss\n\tsyscall"
				 : "=a"(r)
				 : "m"(g_ss), "a"(SYS_getppid)
				 : "rcx", "r11", "memory");
		CHECK_EQ(r, getppid());
	}
	__asm__ volatile("mov %0, %%ss\n\tint3" : : "m"(g_ss) : "memory");
	_exit(7);
}

TEST(watchpoint_hit_by_mov_ss_before_a_system_call)
{
	pid_t pid = traced_child(hit_behind_mov_ss);
	int status, hits = 0, traps = 0;
	siginfo_t si;

	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGSTOP);
	PT(PTRACE_POKEUSR, pid, DEBUGREG(0), &g_ss);
	PT(PTRACE_POKEUSR, pid, DEBUGREG(7), 1ul | 3ul << 16 | 1ul << 18); /* 2 bytes, accessed */
	for (;;) {
		PT(PTRACE_CONT, pid, 0, 0);
		CHECK_EQ(waitpid(pid, &status, __WALL), pid);
		if (!WIFSTOPPED(status))
			break;
		CHECK_EQ(WSTOPSIG(status), SIGTRAP);
		PT(PTRACE_GETSIGINFO, pid, 0, &si);
		hits += si.si_code == TRAP_HWBKPT;
		traps += si.si_code == SI_KERNEL;
	}
	CHECK_EQ(status, 7 << 8);
	CHECK_EQ(traps, 1);
	CHECK(hits == 0 || hits == 1001); /* a processor tells them, or the kernel has them */
}
