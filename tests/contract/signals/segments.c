/* SPDX-License-Identifier: MIT */
/* Segment selectors that name nothing. x86: general protection, whatever lies in the memory. */
#include "contract.h"
#include <ucontext.h>

#define GENERAL_PROTECTION 13
#define LOCAL(n)           ((n) << 3 | 7) /* of the local descriptor table, for user mode */

static volatile greg_t g_trap, g_error;
static volatile int g_code;

static void note(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	g_code = si->si_code;
	g_trap = uc->uc_mcontext.gregs[REG_TRAPNO];
	g_error = uc->uc_mcontext.gregs[REG_ERR];
	uc->uc_mcontext.gregs[REG_RIP] += 2; /* mov %cx, %gs */
}

static void check_refused(uint16_t selector)
{
	g_trap = g_error = g_code = 0;
	__asm__ volatile("mov %0, %%gs" : : "c"((uint32_t)selector));
	CHECK_EQ(g_trap, GENERAL_PROTECTION);
	CHECK_EQ(g_error, selector & ~3);
	CHECK_EQ(g_code, SI_KERNEL);
}

TEST(there_is_no_local_descriptor_table)
{
	struct sigaction sa = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_NODEFER};
	uint64_t *table;

	OK(sigaction(SIGSEGV, &sa, NULL));
	check_refused(LOCAL(0));
	check_refused(LOCAL(8191));
	/* Nor one of the program's own making, where a reset leaves its base. */
	table = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(table == NULL);
	for (int i = 0; i < 512; i++)
		__asm__ volatile("movq %1, (%0)"
				 :
				 : "r"(table + i), "r"(0x00cff3000000ffffull)
				 : "memory");
	check_refused(LOCAL(0));
	check_refused(LOCAL(2));
	OK(munmap(table, 4096));
}
