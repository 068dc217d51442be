/* SPDX-License-Identifier: MIT */
/* Core files: every thread's registers, and what a debugger needs besides. */
#include "contract.h"
#include <elf.h>
#include <sys/procfs.h>
#include <sys/user.h>

#define THREADS 3 /* besides the first */

static unsigned char g_core[8 << 20];
static size_t g_len;
static int g_ready[2];
static volatile char g_mark[THREADS]; /* on no stack: found by address */

/* Each thread has its number in xmm7 and r12 when it is killed. */
static void *sleeper(void *arg)
{
	unsigned long nr = (unsigned long)arg;
	pid_t tid = gettid_raw();

	g_mark[nr - 1] = 1;
	OK(write(g_ready[1], &tid, sizeof(tid)));
	if (nr == 1) /* one in user mode, the others in a call */
		__asm__ volatile("mov %0, %%r12\n\tmovq %0, %%xmm7\n1: pause\n\tjmp 1b"
				 :
				 : "r"(nr)
				 : "r12", "xmm7");
	__asm__ volatile("mov %0, %%r12\n\tmovq %0, %%xmm7\n\tmov $34, %%eax\n\tsyscall"
			 :
			 : "r"(nr)
			 : "r12", "xmm7", "rax", "rcx", "r11", "memory");
	return NULL;
}

static void crash(pid_t *tids)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	pthread_t t;

	OK(setrlimit(RLIMIT_CORE, &unlimited));
	for (long i = 1; i <= THREADS; i++) {
		CHECK_PT(pthread_create(&t, NULL, sleeper, (void *)i));
		CHECK_EQ(read(g_ready[0], &tids[i], sizeof(pid_t)), sizeof(pid_t));
		if (i > 1)
			await_sleep(tids[i]);
	}
	usleep(20000); /* the first is in its loop */
	tids[0] = gettid_raw();
	OK(raise(SIGABRT));
}

static void read_core(void)
{
	int fd = OK(open("core", O_RDONLY));

	g_len = OK(read(fd, g_core, sizeof(g_core)));
	OK(close(fd));
}

/* The nr-th note of a type; NULL: none. */
static void *find_note(unsigned type, int nr, size_t *len)
{
	Elf64_Ehdr *e = (Elf64_Ehdr *)g_core;
	Elf64_Phdr *ph = (Elf64_Phdr *)(g_core + e->e_phoff);

	CHECK_EQ(ph->p_type, PT_NOTE);
	for (size_t at = ph->p_offset; at < ph->p_offset + ph->p_filesz;) {
		Elf64_Nhdr *n = (Elf64_Nhdr *)(g_core + at);
		size_t desc = at + sizeof(*n) + ((n->n_namesz + 3) & ~3u);

		if (n->n_type == type && nr-- == 0) {
			*len = n->n_descsz;
			return g_core + desc;
		}
		at = desc + ((n->n_descsz + 3) & ~3u);
	}
	return NULL;
}

static void check_thread(int nr, const pid_t *tids)
{
	size_t len;
	struct elf_prstatus *s = find_note(NT_PRSTATUS, nr, &len);

	CHECK(s);
	CHECK_EQ(len, sizeof(*s));
	CHECK_EQ(s->pr_cursig, SIGABRT);
	CHECK_EQ(s->pr_fpvalid, 1);
	struct user_regs_struct *r = (void *)s->pr_reg;
	struct user_fpregs_struct *f = find_note(NT_FPREGSET, nr, &len);
	CHECK(f);
	CHECK_EQ(len, sizeof(*f));
	if (nr == 0) {
		CHECK_EQ(s->pr_pid, tids[0]);
		return;
	}
	int i = r->r12;
	CHECK(i >= 1 && i <= THREADS);
	CHECK_EQ(s->pr_pid, tids[i]);
	CHECK_EQ(f->xmm_space[7 * 4], i);
	CHECK_EQ(f->mxcsr, 0x1f80);
	CHECK(r->fs_base != 0);
	unsigned char *x = find_note(NT_X86_XSTATE, nr, &len);
	if (x) {
		CHECK(len >= 576);
		CHECK(*(uint64_t *)(x + 464) & 2); /* which parts there are, for debuggers */
		CHECK(!memcmp(x + 160 + 7 * 16, &f->xmm_space[7 * 4], 16));
	}
}

TEST(core_file_has_the_registers_of_all_threads)
{
	pid_t *tids = OK(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	size_t len;

	write_file("/proc/sys/kernel/core_pattern", "core");
	OK(pipe(g_ready));
	pid_t pid = FORK();
	if (!pid)
		crash(tids);
	int status = wait_status(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && WCOREDUMP(status));
	read_core();
	for (int i = 0; i <= THREADS; i++)
		check_thread(i, tids);
	CHECK(!find_note(NT_PRSTATUS, THREADS + 1, &len));
	siginfo_t *si = find_note(NT_SIGINFO, 0, &len);
	CHECK(si);
	CHECK_EQ(len, sizeof(*si));
	CHECK_EQ(si->si_signo, SIGABRT);
	CHECK_EQ(si->si_pid, pid);
	CHECK(find_note(NT_AUXV, 0, &len));
}

TEST(core_file_names_the_process_and_its_files)
{
	size_t len;

	write_file("/proc/sys/kernel/core_pattern", "core");
	pid_t pid = FORK();
	if (!pid) {
		struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

		OK(setrlimit(RLIMIT_CORE, &unlimited));
		*(volatile char *)8 = 1;
	}
	int status = wait_status(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && WCOREDUMP(status));
	read_core();
	struct elf_prpsinfo *p = find_note(NT_PRPSINFO, 0, &len);
	CHECK(p);
	CHECK_EQ(len, sizeof(*p));
	CHECK_EQ(p->pr_pid, pid);
	CHECK_EQ(p->pr_ppid, getpid());
	CHECK(strstr(p->pr_psargs, "--run")); /* how the runner starts a test */
	siginfo_t *si = find_note(NT_SIGINFO, 0, &len);
	CHECK(si->si_addr == (void *)8);
	long *file = find_note(NT_FILE, 0, &len);
	CHECK(file);
	CHECK(file[0] >= 1 && file[0] < 100);
	CHECK_EQ(file[1], 4096);
	char *name = (char *)(file + 2 + 3 * file[0]);
	CHECK_STR(name, self_path);
	CHECK(file[2] < file[3]);
	CHECK_EQ(file[4], 0); /* pages into the file */
}

static void *crash_together(void *barrier)
{
	pthread_barrier_wait(barrier);
	*(volatile char *)8 = 1;
	return NULL;
}

TEST(threads_that_crash_together_leave_one_core_file)
{
	size_t len;

	write_file("/proc/sys/kernel/core_pattern", "core");
	for (int round = 0; round < 8; round++) {
		pid_t pid = FORK();
		if (!pid) {
			struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
			pthread_barrier_t barrier;
			pthread_t t;

			OK(setrlimit(RLIMIT_CORE, &unlimited));
			CHECK_PT(pthread_barrier_init(&barrier, NULL, 4));
			for (int i = 0; i < 4; i++)
				CHECK_PT(pthread_create(&t, NULL, crash_together, &barrier));
			pause();
		}
		int status = wait_status(pid);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && WCOREDUMP(status));
		read_core();
		CHECK(find_note(NT_PRSTATUS, 4, &len)); /* the first thread and the four */
		CHECK(!find_note(NT_PRSTATUS, 5, &len));
		OK(unlink("core"));
	}
}

TEST(SIGKILL_ends_a_dump)
{
	struct stat st = {0};
	int status;
	pid_t pid;

	write_file("/proc/sys/kernel/core_pattern", "core");
	pid = FORK();
	if (!pid) {
		struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
		size_t len = 96 << 20;
		char *m = mmap(
			NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(m != MAP_FAILED);
		memset(m, 1, len);
		OK(setrlimit(RLIMIT_CORE, &unlimited));
		*(volatile char *)8 = 1;
	}
	while (stat("core", &st) || !st.st_size)
		sched_yield();
	OK(kill(pid, SIGKILL));
	status = wait_status(pid);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
	CHECK(!WCOREDUMP(status));
	OK(unlink("core"));
}

/* One page was touched of 32 GiB: the rest costs neither time (the test has a limit) nor page
 * tables. */
TEST(core_file_of_untouched_memory_is_made_at_once)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	const size_t bytes = 32ul << 30;
	struct stat st;
	int status;
	pid_t pid;

	write_file("/proc/sys/kernel/core_pattern", "core");
	pid = FORK();
	if (!pid) {
		char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		CHECK(p != MAP_FAILED);
		p[bytes / 2] = 1;
		OK(setrlimit(RLIMIT_CORE, &unlimited));
		raise(SIGABRT);
	}
	CHECK_EQ(OK(waitpid(pid, &status, 0)), pid);
	CHECK(WCOREDUMP(status));
	OK(stat("core", &st));
	CHECK((size_t)st.st_size > bytes);
	CHECK(st.st_blocks < 4096);
	OK(unlink("core"));
}
