/* membarrier(2): make other CPUs that run user code execute a barrier. */
#include <core/irq.h>
#include <core/rcu.h>
#include <linux/membarrier.h>
#include <process/task.h>
#include <syscall/syscall.h>

#define REGISTRATIONS                                                                           \
	(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | \
		MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE |                           \
		MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ)
#define SUPPORTED                                                                               \
	(MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |                              \
		MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE | \
		MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ | REGISTRATIONS)

static void barrier_here(void *arg)
{
	smp_mb();
}

static void sync_core_here(void *arg)
{
	arch_sync_core_local();
}

/* A restartable sequence that this interrupt cut short starts again. */
static void restart_rseq_here(void *arg)
{
	struct thread *t = current_thread();

	smp_mb();
	if (t->mm == arg)
		thread_set_work(t, WORK_RSEQ);
}

static void on_others(void (*fn)(void *), void *arg)
{
	smp_mb();
	smp_call_mask(READ_ONCE(g_cpus_online_mask), fn, arg);
	smp_mb();
}

static bool registered(struct mm *mm, int cmd)
{
	return __atomic_load_n(&mm->membarrier_state, __ATOMIC_RELAXED) & (u64)cmd;
}

static long expedited(int cmd, unsigned int flags, int cpu)
{
	struct mm *mm = current_mm();

	/* The command that registers is the next bit. */
	if (!registered(mm, cmd << 1))
		return -EPERM;
	switch (cmd) {
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		on_others(sync_core_here, NULL);
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ:
		if (flags & MEMBARRIER_CMD_FLAG_CPU) {
			if (cpu < 0 || cpu >= MAX_CPUS ||
				!((READ_ONCE(g_cpus_online_mask) >> cpu) & 1))
				return 0;
			smp_call_mask(1ull << cpu, restart_rseq_here, &mm->arch);
			return 0;
		}
		on_others(restart_rseq_here, &mm->arch);
		return 0;
	default:
		if (ref_read(&mm->users) > 1)
			on_others(barrier_here, NULL);
		return 0;
	}
}

long sys_membarrier(int cmd, unsigned int flags, int cpu)
{
	if (cmd == MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ) {
		if (flags & ~(unsigned int)MEMBARRIER_CMD_FLAG_CPU)
			return -EINVAL;
	} else if (flags) {
		return -EINVAL;
	}
	switch (cmd) {
	case MEMBARRIER_CMD_QUERY:
		return SUPPORTED;
	case MEMBARRIER_CMD_GLOBAL:
		rcu_synchronize();
		return 0;
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		on_others(barrier_here, NULL);
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ:
		return expedited(cmd, flags, cpu);
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ:
		__atomic_fetch_or(&current_mm()->membarrier_state, (u64)cmd, __ATOMIC_SEQ_CST);
		return 0;
	default:
		return -EINVAL;
	}
}
