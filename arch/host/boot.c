/*
 * Start-up on the host, as kernel/init does it on machines. The kernel boots on a context of its
 * own
 * ("CPU 0", which becomes the idle thread); host_run waits in the host thread's own context until
 * the test function has returned.
 */
#include "host.h"
#include <arch/host.h>
#include <arch/mmu.h>
#include <arch/platform.h>
#include <arch/thread.h>
#include <core/init.h>
#include <core/irq.h>
#include <core/log.h>
#include <kmem/page.h>
#include <sched/thread.h>
#include <sched/timer.h>
#include <vfs/rootfs.h>

#define DEFAULT_RAM MiB(64)

struct boot_info g_boot_info;
bool host_verbose;

static struct arch_thread g_main, g_cpu;
static u8 g_cpu_stack[KSTACK_SIZE] __aligned(PAGE_SIZE);
static int (*g_fn)(void *arg);
static void *g_arg;
static int g_result;

static void first_thread(void *unused)
{
	for (enum init_level l = INIT_SMP; l < NR_INIT_LEVELS; l++) {
		if (l == INIT_FS + 1 && rootfs_mount())
			panic("host: cannot mount the root file system");
		init_run_level(l);
	}
	g_result = g_fn(g_arg);
	host_done = true;
}

static void cpu_main(void *unused)
{
	struct thread *t;

	kmem_boot_init();
	init_run_level(INIT_MEMORY);
	init_parse_options(g_boot_info.cmdline);
	sched_init_cpu(0);
	init_run_level(INIT_SCHED);
	t = kthread_run(first_thread, NULL, "main");
	if (is_err(t))
		panic("host: cannot start the first thread");
	sched_idle_loop();
}

noreturn void host_return_to_main(void)
{
	struct arch_thread dead = {0};

	arch_switch(&dead, &g_main);
	os_abort();
}

int host_run(const struct host_config *config, int (*fn)(void *arg), void *arg)
{
	u64 ram = config->ram ? round_up(config->ram, PAGE_SIZE) : DEFAULT_RAM;

	host_verbose = config->verbose;
	host_seed(config->seed);
	host_memory_init(ram);
	g_boot_info = (struct boot_info){.cmdline = config->cmdline ? config->cmdline : ""};
	g_boot_info.ram[g_boot_info.nr_ram++] = (struct boot_range){0, ram};
	g_boot_info.reserved[g_boot_info.nr_reserved++] = (struct boot_range){0, PAGE_SIZE};
	g_fn = fn;
	g_arg = arg;
	os_stack_bounds(&g_main.stack_bottom, &g_main.stack_size);
	arch_thread_init(&g_cpu, g_cpu_stack, cpu_main, NULL);
	arch_switch(&g_main, &g_cpu);
	return g_result;
}

static void no_syscall(struct pt_regs *regs)
{
	panic("host: there is no user mode");
}

static void upcall_ipi(enum ipi_kind kind)
{
	panic("host: there is one CPU");
}

static noreturn void no_main(void)
{
	panic("host: host_run starts the kernel");
}

static void no_child(void)
{
	no_syscall(NULL);
}

static bool no_fault(struct pt_regs *regs, const struct fault_info *fi)
{
	no_syscall(regs);
	return false;
}

static void no_exception(struct pt_regs *regs, int sig, int code, unsigned long addr)
{
	no_syscall(regs);
}

const struct arch_upcalls arch_upcalls = {
	.main = no_main,
	.secondary_main = no_main,
	.syscall = no_syscall,
	.exit_to_user = no_syscall,
	.fork_child = no_child,
	.page_fault = no_fault,
	.user_exception = no_exception,
	.timer = timer_interrupt,
	.ipi = upcall_ipi,
	.irq = irq_dispatch,
	.irq_exit = sched_irq_exit,
};
