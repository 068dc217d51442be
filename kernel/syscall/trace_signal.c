/* Signals that traced programs take, and how they end, as strace prints them. */
#include "trace.h"
#include <asm/siginfo.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <process/signal.h>
#include <process/task.h>

#define LINE_MAX 320 /* bytes */

static const struct flag_name g_any[] = {F(SI_USER), F(SI_KERNEL)};
static const struct flag_name g_sent[] = {F(SI_QUEUE), F(SI_TIMER), F(SI_MESGQ), F(SI_ASYNCIO),
	F(SI_SIGIO), F(SI_TKILL)}; /* negative */
static const struct flag_name g_ill[] = {F(ILL_ILLOPC), F(ILL_ILLOPN), F(ILL_ILLADR), F(ILL_ILLTRP),
	F(ILL_PRVOPC), F(ILL_PRVREG), F(ILL_COPROC), F(ILL_BADSTK)};
static const struct flag_name g_fpe[] = {F(FPE_INTDIV), F(FPE_INTOVF), F(FPE_FLTDIV), F(FPE_FLTOVF),
	F(FPE_FLTUND), F(FPE_FLTRES), F(FPE_FLTINV), F(FPE_FLTSUB)};
static const struct flag_name g_segv[] = {
	F(SEGV_MAPERR), F(SEGV_ACCERR), F(SEGV_BNDERR), F(SEGV_PKUERR)};
static const struct flag_name g_bus[] = {F(BUS_ADRALN), F(BUS_ADRERR), F(BUS_OBJERR)};
static const struct flag_name g_trap[] = {
	F(TRAP_BRKPT), F(TRAP_TRACE), F(TRAP_BRANCH), F(TRAP_HWBKPT)};
static const struct flag_name g_chld[] = {F(CLD_EXITED), F(CLD_KILLED), F(CLD_DUMPED),
	F(CLD_TRAPPED), F(CLD_STOPPED), F(CLD_CONTINUED)};
static const struct flag_name g_poll[] = {
	F(POLL_IN), F(POLL_OUT), F(POLL_MSG), F(POLL_ERR), F(POLL_PRI), F(POLL_HUP)};

static const struct {
	int sig;
	const struct flag_name *codes;
	size_t nr;
} g_codes[] = {
#define CODES(sig, t)                 \
	{                             \
		sig, t, ARRAY_SIZE(t) \
	}
	CODES(SIGILL, g_ill),
	CODES(SIGFPE, g_fpe),
	CODES(SIGSEGV, g_segv),
	CODES(SIGBUS, g_bus),
	CODES(SIGTRAP, g_trap),
	CODES(SIGCHLD, g_chld),
	CODES(SIGIO, g_poll),
};

static void put_code(struct seq_buf *s, int sig, int code)
{
	if (code < 0) {
		trace_put_value(s, (u64)(s64)code, g_sent, ARRAY_SIZE(g_sent));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(g_codes) && code != SI_USER && code != SI_KERNEL; i++)
		if (g_codes[i].sig == sig) {
			trace_put_value(s, (u64)code, g_codes[i].codes, g_codes[i].nr);
			return;
		}
	trace_put_value(s, (u64)code, g_any, ARRAY_SIZE(g_any));
}

static void put_child(struct seq_buf *s, const siginfo_t *i)
{
	seq_printf(s, ", si_pid=%d, si_uid=%u, si_status=", i->si_pid, i->si_uid);
	if (i->si_code == CLD_EXITED)
		seq_printf(s, "%d", i->si_status);
	else
		trace_put_scalar(s, (u64)i->si_status, ARG_SIG);
	seq_printf(s, ", si_utime=%ld, si_stime=%ld", (long)i->si_utime, (long)i->si_stime);
}

static void put_value(struct seq_buf *s, const siginfo_t *i)
{
	seq_printf(s, ", si_int=%d, si_ptr=", i->si_int);
	trace_put_address(s, (unsigned long)i->si_ptr);
}

/* Which members mean something depends on the code, then on the signal (sigaction(2)). */
static void put_details(struct seq_buf *s, int sig, const siginfo_t *i)
{
	if (i->si_code == SI_TIMER) {
		seq_printf(s, ", si_timerid=%#x, si_overrun=%d", i->si_tid, i->si_overrun);
		put_value(s, i);
	} else if (i->si_code <= 0) {
		seq_printf(s, ", si_pid=%d, si_uid=%u", i->si_pid, i->si_uid);
		if (i->si_code != SI_USER && i->si_code != SI_TKILL)
			put_value(s, i);
	} else if (i->si_code == SI_KERNEL) {
		return;
	} else if (sig == SIGCHLD) {
		put_child(s, i);
	} else if (sig == SIGIO) {
		seq_printf(s, ", si_band=%ld, si_fd=%d", (long)i->si_band, i->si_fd);
	} else {
		seq_puts(s, ", si_addr=");
		trace_put_address(s, (unsigned long)i->si_addr);
	}
}

static void show_signal(struct task *t, int sig, const siginfo_t *info)
{
	siginfo_t kernel = {.si_signo = sig, .si_code = SI_KERNEL};
	char line[LINE_MAX];
	struct seq_buf s = {.buf = line, .size = sizeof(line)};

	info = info ? info : &kernel;
	seq_puts(&s, "--- ");
	trace_put_scalar(&s, (u64)sig, ARG_SIG);
	seq_puts(&s, " {si_signo=");
	trace_put_scalar(&s, (u64)sig, ARG_SIG);
	seq_puts(&s, ", si_code=");
	put_code(&s, sig, info->si_code);
	put_details(&s, sig, info);
	seq_puts(&s, "} ---");
	log_info("[%d] %.*s", task_tid(t), (int)s.len, line);
}

static void show_exit(struct task *t, int status)
{
	char line[LINE_MAX];
	struct seq_buf s = {.buf = line, .size = sizeof(line)};

	if (!(status & 0x7f)) {
		log_info("[%d] +++ exited with %d +++", task_tid(t), status >> 8 & 0xff);
		return;
	}
	trace_put_scalar(&s, (u64)status & 0x7f, ARG_SIG);
	log_info("[%d] +++ killed by %.*s%s +++", task_tid(t), (int)s.len, line,
		status & 0x80 ? " (core dumped)" : "");
}

const struct process_trace g_syscall_process_trace = {.signal = show_signal, .exit = show_exit};
