/* The one table through which the arch code reaches the levels above it. */
#include <arch/platform.h>
#include <core/irq.h>
#include <core/log.h>
#include <init/init.h>
#include <process/signal.h>
#include <sched/thread.h>
#include <sched/timer.h>
#include <syscall/syscall.h>

static void upcall_ipi(enum ipi_kind kind)
{
	switch (kind) {
	case IPI_RESCHED:
		sched_tick_ipi();
		break;
	case IPI_CALL:
		smp_call_ipi();
		break;
	case IPI_STOP:
		panic_stop_cpu();
		break;
	case NR_IPI_KINDS:
		break;
	}
}

static void upcall_fork_child(void)
{
	thread_fork_begin();
	process_fork_child();
}

const struct arch_upcalls arch_upcalls = {
	.main = kernel_main,
	.secondary_main = kernel_secondary_main,
	.syscall = syscall_dispatch,
	.exit_to_user = process_exit_to_user,
	.fork_child = upcall_fork_child,
	.page_fault = process_page_fault,
	.user_exception = process_user_exception,
	.timer = timer_interrupt,
	.ipi = upcall_ipi,
	.irq = irq_dispatch,
	.irq_exit = sched_irq_exit,
};
