/*
 * The dispatcher. A dense array of wrappers indexed by number; a hole answers ENOSYS and is logged
 * once per program. Tracing is a flag tested once per call.
 */
#include <core/trace.h>
#include <syscall/syscall.h>
#include <core/init.h>
#include <core/log.h>
#include <process/ptrace.h>
#include <process/task.h>
#include <lib/err.h>
#include <lib/string.h>
#include <linux/time.h>

#include <syscall_table.inc>

const struct syscall_desc g_syscalls[SYSCALL_NR_MAX + 1] = {SYSCALL_TABLE};

static bool g_trace_calls; /* trace=syscalls; immutable after start-up */

static int option_trace(const char *value)
{
	if (strcmp(value, "syscalls") != 0)
		return -EINVAL;
	g_trace_calls = true;
	g_ptrace_watching++; /* each call comes by dispatch_watched */
	return 0;
}
INIT_OPTION("trace", option_trace);

static const char *call_name(u32 nr)
{
	return nr <= SYSCALL_NR_MAX ? g_syscalls[nr].name : NULL;
}

static int names_init(void)
{
	trace_set_call_names(call_name);
	if (g_trace_calls)
		g_process_trace = &g_syscall_process_trace;
	return 0;
}
INIT_HOOK(INIT_CORE, names_init);

void syscall_log_unknown(const char *what, unsigned long number)
{
	struct task *t = current_task();
	unsigned long bit = number % (sizeof(t->logged_calls) * 8);
	u64 mask = 1ull << (bit % 64);

	if (t->logged_calls[bit / 64] & mask)
		return;
	t->logged_calls[bit / 64] |= mask;
	log_limited(
		LOG_INFO, "%s[%d]: %s %lu is not there", t->thread.name, task_tid(t), what, number);
}

static noinline long call_missing(long nr)
{
	if (nr != -1)
		syscall_log_unknown("system call", (unsigned long)nr);
	return -ENOSYS;
}

static always_inline void dispatch_call(struct pt_regs *regs, long nr)
{
	if (likely((unsigned long)nr <= SYSCALL_NR_MAX && g_syscalls[nr].call)) {
		trace_call((u32)nr);
		regs_set_return(regs, g_syscalls[nr].call(regs));
	} else {
		regs_set_return(regs, call_missing(nr));
	}
}

static void dispatch_logged(struct pt_regs *regs, long nr)
{
	bool known = (unsigned long)nr <= SYSCALL_NR_MAX && g_syscalls[nr].call;
	long ret;

	if (known)
		trace_call((u32)nr);
	syscall_trace_enter(regs);
	ret = known ? g_syscalls[nr].call(regs) : call_missing(nr);
	regs_set_return(regs, ret);
	syscall_trace_exit(regs, nr, ret);
}

/* Somebody is traced, call by call or step by step, or calls are logged. */
static noinline void dispatch_watched(struct pt_regs *regs)
{
	bool traced = READ_ONCE(current_task()->pt.mode) != PTRACE_RUN;
	long nr;

	if (traced && !ptrace_call_enter(regs))
		regs_forget_syscall(regs); /* killed: nobody sees the result */
	nr = regs_syscall_nr(regs); /* a tracer may have changed it; -1: no call, rax stays */
	if (nr != -1 || !traced) {
		if (g_trace_calls)
			dispatch_logged(regs, nr);
		else
			dispatch_call(regs, nr);
	}
	if (traced)
		ptrace_call_exit(regs);
}

void syscall_dispatch(struct pt_regs *regs)
{
	if (unlikely(READ_ONCE(g_ptrace_watching))) {
		dispatch_watched(regs);
		return;
	}
	dispatch_call(regs, regs_syscall_nr(regs));
}
