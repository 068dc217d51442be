/* SPDX-License-Identifier: MIT */
/* Restartable sequences: the CPU's number is right, interrupted sections are aborted. */
#include "contract.h"
#include <linux/rseq.h>
#ifdef __GLIBC__
#include <sys/rseq.h>
#endif

#define SIGNATURE 0x53053053

static struct rseq g_area __attribute__((aligned(32)));

/* For a child process: our own area instead of the C library's. */
static void register_area(void)
{
#ifdef __GLIBC__
	if (__rseq_size)
		OK(syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset,
			sizeof(struct rseq), RSEQ_FLAG_UNREGISTER, SIGNATURE));
#endif
	OK(syscall(SYS_rseq, &g_area, sizeof(g_area), 0, SIGNATURE));
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	OK(sched_setaffinity(0, sizeof(set), &set));
}

TEST(rseq_cpu_id_is_right_after_each_move)
{
	pid_t pid = FORK();

	if (!pid) {
		cpu_set_t allowed;

		OK(sched_getaffinity(0, sizeof(allowed), &allowed));
		register_area();
		for (int round = 0; round < 20; round++) {
			for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
				if (!CPU_ISSET(cpu, &allowed))
					continue;
				pin(cpu);
				CHECK_EQ(*(volatile unsigned *)&g_area.cpu_id, (unsigned)cpu);
				sched_yield();
				CHECK_EQ(*(volatile unsigned *)&g_area.cpu_id, (unsigned)cpu);
			}
		}
		_exit(0);
	}
	expect_exit(pid, 0);
}

extern char section_start[], section_end[], section_abort[];

/* Counts to "rounds" in one critical section; 1: it was aborted. */
static __attribute__((noinline)) int count_in_section(unsigned long rounds)
{
	static struct rseq_cs section;
	int aborted;

	section.start_ip = (unsigned long)section_start;
	section.post_commit_offset = (unsigned long)(section_end - section_start);
	section.abort_ip = (unsigned long)section_abort;
	__asm__ volatile("movq %[section], %[field]\n"
			 "section_start:\n"
			 "1:\tdecq %[n]\n\t"
			 "jnz 1b\n"
			 "section_end:\n\t"
			 "xorl %[aborted], %[aborted]\n\t"
			 "jmp 2f\n\t"
			 ".byte 0x0f, 0xb9, 0x3d\n\t" /* the signature is the operand of a ud1 */
			 ".long 0x53053053\n"
			 "section_abort:\n\t"
			 "movl $1, %[aborted]\n"
			 "2:"
			 : [aborted] "=&r"(aborted), [n] "+&r"(rounds), [field] "=m"(g_area.rseq_cs)
			 : [section] "r"(&section)
			 : "memory", "cc");
	return aborted;
}

TEST(rseq_section_is_aborted_when_another_thread_gets_the_cpu)
{
	pid_t rival, pid;

	pin(sched_getcpu());
	rival = FORK();
	if (!rival)
		for (;;)
			;
	pid = FORK();
	if (!pid) {
		register_area();
		CHECK_EQ(count_in_section(20000000000ul), 1);
		CHECK(g_area.rseq_cs == 0);
		_exit(0);
	}
	expect_exit(pid, 0);
	kill(rival, SIGKILL);
	OK(waitpid(rival, NULL, 0));
}
