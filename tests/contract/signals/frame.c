/* SPDX-License-Identifier: MIT */
/* The signal frame: alternate stacks, contexts, register and vector state, faults. */
#include "contract.h"
#include <ucontext.h>
#include <setjmp.h>

static volatile sig_atomic_t g_count;
static siginfo_t g_info;
static char *volatile g_handler_sp;
static sigjmp_buf g_jump;

static void note_sp(int sig)
{
	char here;

	(void)sig;
	g_handler_sp = &here;
	g_count++;
}

static void jump_out(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	g_info = *si;
	siglongjmp(g_jump, 1);
}

static void on_fault(int sig)
{
	struct sigaction sa = {.sa_sigaction = jump_out, .sa_flags = SA_SIGINFO};

	OK(sigaction(sig, &sa, NULL));
}

TEST(SA_ONSTACK_runs_on_the_alternate_stack)
{
	static char stack[65536];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)}, old;

	OK(sigaltstack(&ss, NULL));
	on_signal(SIGUSR1, note_sp, SA_ONSTACK);
	OK(raise(SIGUSR1));
	CHECK(g_handler_sp > stack && g_handler_sp < stack + sizeof(stack));
	OK(sigaltstack(NULL, &old));
	CHECK_EQ(old.ss_flags, 0);
	CHECK_EQ(old.ss_size, sizeof(stack));
	on_signal(SIGUSR2, note_sp, 0);
	OK(raise(SIGUSR2));
	CHECK(g_handler_sp < stack || g_handler_sp >= stack + sizeof(stack));
}

static void change_altstack(int sig)
{
	static char other[65536];
	stack_t ss = {.ss_sp = other, .ss_size = sizeof(other)}, old;

	(void)sig;
	OK(sigaltstack(NULL, &old));
	CHECK_EQ(old.ss_flags, SS_ONSTACK);
	CHECK_ERR(sigaltstack(&ss, NULL), EPERM);
	g_count++;
}

TEST(altstack_cannot_change_while_in_use)
{
	static char stack[65536];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};

	OK(sigaltstack(&ss, NULL));
	on_signal(SIGUSR1, change_altstack, SA_ONSTACK);
	OK(raise(SIGUSR1));
	CHECK_EQ(g_count, 1);
}

TEST(altstack_size_and_flags_are_checked)
{
	static char stack[65536];
	stack_t ss = {.ss_sp = stack, .ss_size = 1024};

	CHECK_ERR(syscall(SYS_sigaltstack, &ss, NULL), ENOMEM);
	ss.ss_size = sizeof(stack);
	ss.ss_flags = 0x1234;
	CHECK_ERR(syscall(SYS_sigaltstack, &ss, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_sigaltstack, BAD_PTR, NULL), EFAULT);
}

static volatile bool g_go_on = true;

static void overflow(volatile char *p)
{
	volatile char frame[4096];

	frame[0] = p ? *p : 0;
	if (g_go_on)
		overflow(frame);
	frame[1] = 0;
}

TEST(stack_overflow_is_caught_on_the_alternate_stack)
{
	static char stack[65536];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction sa = {.sa_sigaction = jump_out, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	struct rlimit rl = {1 << 20, 1 << 20};

	OK(setrlimit(RLIMIT_STACK, &rl));
	OK(sigaltstack(&ss, NULL));
	OK(sigaction(SIGSEGV, &sa, NULL));
	if (!sigsetjmp(g_jump, 1))
		overflow(NULL);
	CHECK_EQ(g_info.si_signo, SIGSEGV);
}

TEST(stack_overflow_without_alternate_stack_kills)
{
	pid_t pid = FORK();

	if (!pid) {
		struct rlimit rl = {1 << 20, 1 << 20};

		OK(setrlimit(RLIMIT_STACK, &rl));
		on_signal(SIGSEGV, note_sp, 0);
		overflow(NULL);
	}
	expect_signal(pid, SIGSEGV);
}

TEST(SIGSEGV_MAPERR_and_ACCERR_with_address)
{
	char *page = OK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	on_fault(SIGSEGV);
	if (!sigsetjmp(g_jump, 1))
		*(volatile char *)(page + 5) = 1;
	CHECK_EQ(g_info.si_code, SEGV_ACCERR);
	CHECK(g_info.si_addr == page + 5);
	OK(munmap(page, 4096));
	if (!sigsetjmp(g_jump, 1))
		*(volatile char *)(page + 7) = 1;
	CHECK_EQ(g_info.si_code, SEGV_MAPERR);
	CHECK(g_info.si_addr == page + 7);
	if (!sigsetjmp(g_jump, 1))
		(void)*(volatile char *)KERNEL_PTR;
	CHECK_EQ(g_info.si_signo, SIGSEGV);
}

TEST(noncanonical_address_is_SI_KERNEL_SIGSEGV)
{
	on_fault(SIGSEGV);
	if (!sigsetjmp(g_jump, 1))
		(void)*(volatile char *)0x8000000000000000ull;
	CHECK_EQ(g_info.si_code, SI_KERNEL);
	CHECK(g_info.si_addr == NULL);
}

TEST(division_by_zero_is_FPE_INTDIV)
{
	on_fault(SIGFPE);
	if (!sigsetjmp(g_jump, 1))
		__asm__ volatile("xor %%ecx, %%ecx\n\tmov $1, %%eax\n\tcdq\n\tdiv %%ecx" ::
					 : "eax", "ecx", "edx");
	CHECK_EQ(g_info.si_signo, SIGFPE);
	CHECK_EQ(g_info.si_code, FPE_INTDIV);
	CHECK(g_info.si_addr != NULL);
}

TEST(undefined_instruction_is_SIGILL)
{
	on_fault(SIGILL);
	if (!sigsetjmp(g_jump, 1))
		__asm__ volatile("ud2");
	CHECK_EQ(g_info.si_signo, SIGILL);
	CHECK_EQ(g_info.si_code, ILL_ILLOPN);
}

TEST(breakpoint_is_SIGTRAP)
{
	on_fault(SIGTRAP);
	if (!sigsetjmp(g_jump, 1))
		__asm__ volatile("int3");
	CHECK_EQ(g_info.si_signo, SIGTRAP);
	CHECK_EQ(g_info.si_code, SI_KERNEL);
}

TEST(privileged_instruction_is_SIGSEGV)
{
	on_fault(SIGSEGV);
	if (!sigsetjmp(g_jump, 1))
		__asm__ volatile("hlt");
	CHECK_EQ(g_info.si_signo, SIGSEGV);
	CHECK_EQ(g_info.si_code, SI_KERNEL);
}

TEST(blocked_fault_kills)
{
	pid_t pid = FORK();

	if (!pid) {
		sigset_t set;

		on_fault(SIGSEGV);
		sigemptyset(&set);
		sigaddset(&set, SIGSEGV);
		OK(sigprocmask(SIG_BLOCK, &set, NULL));
		*(volatile char *)BAD_PTR = 1;
		_exit(0);
	}
	expect_signal(pid, SIGSEGV);
}

TEST(ignored_fault_kills)
{
	pid_t pid = FORK();

	if (!pid) {
		on_signal(SIGSEGV, SIG_IGN, 0);
		*(volatile char *)BAD_PTR = 1;
		_exit(0);
	}
	expect_signal(pid, SIGSEGV);
}

static void skip_ud2(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	(void)sig;
	(void)si;
	uc->uc_mcontext.gregs[REG_RIP] += 2;
	uc->uc_mcontext.gregs[REG_RBX] = 0x1122334455667788;
}

TEST(handler_may_change_registers)
{
	struct sigaction sa = {.sa_sigaction = skip_ud2, .sa_flags = SA_SIGINFO};
	unsigned long rbx = 1;

	OK(sigaction(SIGILL, &sa, NULL));
	__asm__ volatile("ud2" : "+b"(rbx));
	CHECK_EQ(rbx, 0x1122334455667788);
}

static void change_mask(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	(void)sig;
	(void)si;
	sigaddset(&uc->uc_sigmask, SIGHUP);
	sigaddset(&uc->uc_sigmask, SIGKILL);
}

TEST(mask_in_the_frame_is_what_is_restored)
{
	struct sigaction sa = {.sa_sigaction = change_mask, .sa_flags = SA_SIGINFO};
	sigset_t set;

	OK(sigaction(SIGUSR1, &sa, NULL));
	OK(raise(SIGUSR1));
	OK(sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK_EQ(sigismember(&set, SIGHUP), 1);
	CHECK_EQ(sigismember(&set, SIGKILL), 0);
}

static void clobber_vectors(int sig)
{
	(void)sig;
	__asm__ volatile("pxor %%xmm0, %%xmm0\n\tpxor %%xmm7, %%xmm7\n\tpxor %%xmm15, %%xmm15\n\t"
			 "fninit" ::
				 : "xmm0", "xmm7", "xmm15");
	g_count++;
}

TEST(vector_and_x87_state_survive_a_handler)
{
	unsigned long in[2] = {0x0123456789abcdef, 0xfedcba9876543210}, out[2] = {0, 0};
	double x87 = 1.5, back = 0;
	long pid = getpid(), ret;

	on_signal(SIGUSR1, clobber_vectors, 0);
	__asm__ volatile("movdqu (%[in]), %%xmm7\n\t"
			 "fldl (%[x])\n\t"
			 "syscall\n\t"
			 "fstpl (%[b])\n\t"
			 "movdqu %%xmm7, (%[out])"
			 : "=a"(ret)
			 : "a"(SYS_kill), "D"(pid),
			 "S"(SIGUSR1), [in] "r"(in), [out] "r"(out), [x] "r"(&x87), [b] "r"(&back)
			 : "rcx", "r11", "memory", "xmm7");
	CHECK_EQ(g_count, 1);
	CHECK(!memcmp(in, out, 16));
	CHECK(back == 1.5);
}

static void red_zone(int sig)
{
	volatile char junk[512];

	(void)sig;
	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = 0x55;
}

TEST(red_zone_is_not_touched)
{
	unsigned long got;

	on_signal(SIGUSR1, red_zone, 0);
	__asm__ volatile("movq $0x77, -128(%%rsp)\n\t"
			 "syscall\n\t"
			 "movq -128(%%rsp), %%rax"
			 : "=a"(got)
			 : "a"(SYS_kill), "D"((long)getpid()), "S"((long)SIGUSR1)
			 : "rcx", "r11", "memory");
	CHECK_EQ(got, 0x77);
}

static void aligned(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	(void)uc;
	/* At a function's entry the stack pointer is 8 below a multiple of 16. */
	g_handler_sp = (char *)__builtin_frame_address(0) + 8;
}

TEST(handler_stack_is_aligned_like_a_call)
{
	struct sigaction sa = {.sa_sigaction = aligned, .sa_flags = SA_SIGINFO};

	OK(sigaction(SIGUSR1, &sa, NULL));
	OK(raise(SIGUSR1));
	CHECK_EQ((uintptr_t)g_handler_sp % 16, 8);
}

static void direction(int sig)
{
	unsigned long flags;

	(void)sig;
	__asm__ volatile("pushfq\n\tpop %0" : "=r"(flags));
	g_count = flags & 0x400 ? 2 : 1;
}

TEST(direction_flag_is_clear_in_the_handler_and_restored)
{
	unsigned long flags;
	long pid = getpid(), ret;

	on_signal(SIGUSR1, direction, 0);
	__asm__ volatile("std\n\tsyscall\n\tpushfq\n\tpop %1\n\tcld"
			 : "=a"(ret), "=r"(flags)
			 : "a"(SYS_kill), "D"(pid), "S"((long)SIGUSR1)
			 : "rcx", "r11", "memory");
	CHECK_EQ(g_count, 1);
	CHECK(flags & 0x400);
}

TEST(bad_sigreturn_frame_kills_with_SIGSEGV)
{
	pid_t pid = FORK();

	if (!pid) {
		__asm__ volatile("mov $0x1000, %%rsp\n\tmov $15, %%eax\n\tsyscall" ::: "rax");
		_exit(0);
	}
	expect_signal(pid, SIGSEGV);
}

TEST(rt_sigreturn_to_a_kernel_address_kills)
{
	pid_t pid = FORK();

	if (!pid) {
		__asm__ volatile("mov $0xffff800000000000, %%rax\n\tjmp *%%rax" ::: "rax");
		_exit(0);
	}
	expect_signal(pid, SIGSEGV);
}
