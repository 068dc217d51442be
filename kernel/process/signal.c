/*
 * The signal queues. A signal is a bit in a pending set plus, where there was memory and room, a
 * queued siginfo. Standard signals coalesce, real-time ones queue up to RLIMIT_SIGPENDING.
 *
 * Everything named _locked wants process->siglock held with interrupts off. WORK_SIGNAL is set by
 * anybody under siglock and cleared only by the thread itself (signal_recalc_own).
 *
 * Sending may flush other signals. Nothing that is called where signals are taken or flushed sends.
 */
#include "process.h"
#include <core/init.h>
#include <core/trace.h>
#include <kmem/slab.h>
#include <lib/string.h>

static SLAB_CACHE(g_sigqueue_cache, struct sigqueue);

#define CORE_MASK                                                                         \
	(sig_bit(SIGQUIT) | sig_bit(SIGILL) | sig_bit(SIGTRAP) | sig_bit(SIGABRT) |       \
		sig_bit(SIGBUS) | sig_bit(SIGFPE) | sig_bit(SIGSEGV) | sig_bit(SIGXCPU) | \
		sig_bit(SIGXFSZ) | sig_bit(SIGSYS))
#define IGNORED_MASK (sig_bit(SIGCONT) | sig_bit(SIGCHLD) | sig_bit(SIGWINCH) | sig_bit(SIGURG))
#define KERNEL_ONLY  (sig_bit(SIGKILL) | sig_bit(SIGSTOP))

bool signal_is_core(int sig)
{
	return sig_bit(sig) & CORE_MASK;
}

bool signal_is_ignored_by_default(int sig)
{
	return sig_bit(sig) & IGNORED_MASK;
}

static __sighandler_t handler_of(const struct process *p, int sig)
{
	return READ_ONCE(p->sighand->action[sig - 1].sa_handler);
}

bool signal_handler_ignored(const struct process *p, int sig)
{
	__sighandler_t h = handler_of(p, sig);

	return h == SIG_IGN || (h == SIG_DFL && (sig_bit(sig) & IGNORED_MASK));
}

/* ---- what is pending ---- */

sigset_t signal_deliverable(const struct task *t)
{
	return (t->pending.set | t->process->pending.set) & ~t->blocked;
}

sigset_t signal_pending_set(struct task *t)
{
	sigset_t set;

	spin_lock_irq(&t->process->siglock);
	set = t->pending.set | t->process->pending.set;
	spin_unlock_irq(&t->process->siglock);
	return set;
}

bool signal_fatal_pending(const struct task *t)
{
	return READ_ONCE(t->pending.set) & sig_bit(SIGKILL);
}

static bool thread_fatal_pending(const struct thread *th)
{
	return thread_is_task(th) &&
		signal_fatal_pending(container_of(th, const struct task, thread));
}

static bool has_signal_work(const struct task *t)
{
	return signal_deliverable(t) || t->stop_pending || t->process->notify_parent || t->pt.trap;
}

void signal_recalc(struct task *t)
{
	if (has_signal_work(t))
		thread_set_work(&t->thread, WORK_SIGNAL);
}

void signal_recalc_own(void)
{
	struct task *t = current_task();

	if (has_signal_work(t))
		__atomic_fetch_or(&t->thread.arch.work, WORK_SIGNAL, __ATOMIC_RELAXED);
	else if (thread_has_work(&t->thread, WORK_SIGNAL))
		__atomic_fetch_and(&t->thread.arch.work, ~WORK_SIGNAL, __ATOMIC_RELAXED);
}

void signal_wake(struct task *t, bool fatal)
{
	thread_interrupt(&t->thread, WORK_SIGNAL, fatal);
	if (fatal)
		thread_wake_state(&t->thread, THREAD_STOPPED);
}

/* ---- queue entries ---- */

static void sigqueue_free(struct sigqueue *q)
{
	if (q->user) {
		__atomic_fetch_sub(&q->user->sigpending, 1, __ATOMIC_RELAXED);
		put_user_account(q->user);
	}
	slab_free(&g_sigqueue_cache, q);
}

static struct sigqueue *sigqueue_new(struct process *p, struct task *t, bool over_limit)
{
	struct user_account *u = t->charged;
	struct sigqueue *q;
	s64 n;

	if (!u)
		return NULL;
	n = __atomic_add_fetch(&u->sigpending, 1, __ATOMIC_RELAXED);
	if (!over_limit && (u64)n > process_limit(p, RLIMIT_SIGPENDING))
		goto refuse;
	q = slab_alloc(&g_sigqueue_cache, GFP_ATOMIC);
	if (!q)
		goto refuse;
	ref_get(&u->refs);
	q->user = u;
	q->timer = NULL;
	return q;
refuse:
	__atomic_fetch_sub(&u->sigpending, 1, __ATOMIC_RELAXED);
	return NULL;
}

void signal_flush(struct sigpending *pending, sigset_t mask)
{
	struct sigqueue *q, *n;
	LIST_HEAD(victims);

	if (!(pending->set & mask))
		return;
	pending->set &= ~mask;
	list_for_each_entry_safe(q, n, &pending->queue, link)
		if (sig_bit(q->info.si_signo) & mask)
			list_move_tail(&q->link, &victims);
	while (!list_empty(&victims)) {
		q = list_first_entry(&victims, struct sigqueue, link);
		list_del(&q->link);
		if (q->timer)
			posix_timer_flushed_locked(q);
		else
			sigqueue_free(q);
	}
}

static void flush_everywhere(struct process *p, sigset_t mask)
{
	struct task *t;

	signal_flush(&p->pending, mask);
	for_each_thread(t, p) signal_flush(&t->pending, mask);
}

/* ---- sending ---- */

static bool is_ignored(struct process *p, struct task *t, int sig, bool force)
{
	if ((t->blocked | t->real_blocked) & sig_bit(sig))
		return false; /* it may be unblocked with a handler by then */
	if (t->pt.tracer && sig != SIGKILL)
		return false; /* the tracer wants to see it */
	if ((p->flags & PROC_UNKILLABLE) && !(force && (sig_bit(sig) & KERNEL_ONLY)) &&
		handler_of(p, sig) == SIG_DFL)
		return true;
	return signal_handler_ignored(p, sig);
}

/* Side effects that happen even to a signal which is then ignored. True: queue it. */
static bool prepare_locked(struct process *p, struct task *t, int sig, bool force)
{
	if (p->flags & PROC_GROUP_EXIT)
		return sig == SIGKILL && (p->flags & PROC_DUMPING);
	if (sig_bit(sig) & SIG_STOP_MASK) {
		flush_everywhere(p, sig_bit(SIGCONT));
	} else if (sig == SIGCONT) {
		flush_everywhere(p, SIG_STOP_MASK);
		stop_continue_locked(p);
	}
	return !is_ignored(p, t, sig, force);
}

static bool wants_signal(const struct task *t, int sig)
{
	if ((t->blocked & sig_bit(sig)) || t->exiting)
		return false;
	if (sig == SIGKILL)
		return true;
	if (t->stopped || t->pt.stopped)
		return false;
	return READ_ONCE(t->thread.on_cpu) || !thread_has_work(&t->thread, WORK_SIGNAL);
}

/* Which thread is to take a signal for the whole process? NULL: nobody now. */
static struct task *choose_thread(struct process *p, struct task *t, int sig)
{
	struct task *first, *i;

	if (wants_signal(t, sig))
		return t;
	if (list_is_last(p->threads.next, &p->threads))
		return NULL;
	first = p->signal_target ? p->signal_target : t;
	i = first;
	do {
		i = list_is_last(&i->thread_link, &p->threads)
			? list_first_entry(&p->threads, struct task, thread_link)
			: list_next_entry(i, thread_link);
		if (wants_signal(i, sig)) {
			p->signal_target = i;
			return i;
		}
	} while (i != first);
	return NULL;
}

void signal_kill_others_locked(struct process *p, struct task *except)
{
	struct task *t;

	p->stop_count = 0;
	for_each_thread(t, p)
	{
		t->stop_pending = false;
		if (t == except || t->exiting)
			continue;
		t->pending.set |= sig_bit(SIGKILL);
		signal_wake(t, true);
	}
}

void signal_start_group_exit_locked(struct process *p, int status)
{
	p->flags = (p->flags & ~PROC_STOPPED) | PROC_GROUP_EXIT;
	p->exit_status = status;
	signal_kill_others_locked(p, NULL);
}

static bool kills_process(const struct process *p, const struct task *t, int sig)
{
	if ((p->flags & PROC_GROUP_EXIT) && !((p->flags & PROC_DUMPING) && sig == SIGKILL))
		return false;
	if (t->real_blocked & sig_bit(sig))
		return false;
	if (t->pt.tracer && sig != SIGKILL)
		return false;
	if ((sig_bit(sig) & (IGNORED_MASK | SIG_STOP_MASK)) || signal_is_core(sig))
		return false;
	if ((p->flags & PROC_UNKILLABLE) && !(sig_bit(sig) & KERNEL_ONLY))
		return false;
	return sig == SIGKILL || handler_of(p, sig) == SIG_DFL;
}

static void complete_locked(struct process *p, struct task *t, int sig, bool shared)
{
	if (shared)
		t = choose_thread(p, t, sig);
	else if (!wants_signal(t, sig) && sig != SIGKILL)
		t = (t->blocked & sig_bit(sig)) || t->exiting ? NULL : t;
	if (!t)
		return;
	if (kills_process(p, t, sig)) {
		signal_start_group_exit_locked(p, sig);
		return;
	}
	signal_wake(t, sig == SIGKILL);
}

int signal_send_locked(
	struct process *p, struct task *target, int sig, const siginfo_t *info, bool force)
{
	struct task *t = target ? target : p->leader;
	struct sigpending *pending = target ? &target->pending : &p->pending;
	struct sigqueue *q = NULL;

	spin_assert_held(&p->siglock);
	if (!t || !p->sighand)
		return 0;
	if (!prepare_locked(p, t, sig, force)) {
		/* A signal that nobody waits for is seen nowhere else. */
		if (unlikely(g_process_trace) && !(p->flags & PROC_GROUP_EXIT))
			g_process_trace->signal(t, sig, info);
		return 0;
	}
	if (sig < SIG_RT_FIRST && (pending->set & sig_bit(sig)))
		return 0;
	if (sig != SIGKILL)
		q = sigqueue_new(p, t, sig < SIG_RT_FIRST && (!info || info->si_code >= 0));
	if (q) {
		if (info)
			q->info = *info;
		else
			q->info = (siginfo_t){.si_signo = sig, .si_code = SI_KERNEL};
		list_add_tail(&q->link, &pending->queue);
	} else if (sig >= SIG_RT_FIRST && info && info->si_code != SI_USER) {
		return -EAGAIN;
	}
	trace_event(TRACE_SIGNAL, (u64)sig, (u64)(target ? task_tid(target) : process_pid(p)));
	pending->set |= sig_bit(sig);
	wake_up_all(&p->signalfd_wait);
	complete_locked(p, t, sig, !target);
	return 0;
}

int signal_queue_timer_locked(struct process *p, struct task *target, struct sigqueue *q)
{
	struct task *t = target ? target : p->leader;
	struct sigpending *pending = target ? &target->pending : &p->pending;
	int sig = q->info.si_signo;

	if (!t || !p->sighand || (t->state_flags & TASK_DEAD) || !prepare_locked(p, t, sig, false))
		return -ENOENT;
	if (!list_empty(&q->link))
		return -EALREADY;
	list_add_tail(&q->link, &pending->queue);
	pending->set |= sig_bit(sig);
	wake_up_all(&p->signalfd_wait);
	complete_locked(p, t, sig, !target);
	return 0;
}

/* A thread stops taking the signals of set: threads that take them have to look. */
void signal_retarget_locked(struct task *leaving, sigset_t set)
{
	struct process *p = leaving->process;
	sigset_t left = p->pending.set & set;
	struct task *t;

	if (!left)
		return;
	for_each_thread(t, p)
	{
		if (t == leaving || t->exiting || !(left & ~t->blocked))
			continue;
		left &= t->blocked;
		if (!thread_has_work(&t->thread, WORK_SIGNAL))
			signal_wake(t, false);
		if (!left)
			break;
	}
}

/* ---- taking ---- */

static int lowest(sigset_t set)
{
	if (set & SIG_SYNC_MASK)
		set &= SIG_SYNC_MASK;
	return set ? __builtin_ctzl(set) + 1 : 0;
}

static void collect(struct sigpending *pending, int sig, siginfo_t *info)
{
	struct sigqueue *q, *first = NULL;
	bool more = false;

	list_for_each_entry(q, &pending->queue, link) {
		if (q->info.si_signo != sig)
			continue;
		if (first) {
			more = true;
			break;
		}
		first = q;
	}
	if (!more)
		pending->set &= ~sig_bit(sig);
	if (!first) {
		*info = (siginfo_t){.si_signo = sig, .si_code = SI_USER};
		return;
	}
	list_del(&first->link);
	*info = first->info;
	if (first->timer)
		posix_timer_dequeued_locked(first, info);
	else
		sigqueue_free(first);
}

int signal_dequeue_locked(struct task *t, sigset_t set, siginfo_t *info)
{
	struct process *p = t->process;
	int sig = lowest(t->pending.set & set);

	spin_assert_held(&p->siglock);
	if (sig) {
		collect(&t->pending, sig, info);
	} else {
		sig = lowest(p->pending.set & set);
		if (!sig)
			return 0;
		collect(&p->pending, sig, info);
		if (sig == SIGALRM)
			real_timer_taken_locked(p);
	}
	if (sig_bit(sig) & SIG_STOP_MASK)
		t->stop_dequeued = true;
	return sig;
}

int signal_dequeue(struct task *t, sigset_t set, siginfo_t *info)
{
	int sig;

	spin_lock_irq(&t->process->siglock);
	sig = signal_dequeue_locked(t, set & ~KERNEL_ONLY, info);
	signal_recalc_own();
	spin_unlock_irq(&t->process->siglock);
	return sig;
}

/* ---- the mask ---- */

/* The only place that stores a mask. What we no longer take, another thread may. */
void signal_set_blocked_locked(sigset_t mask)
{
	struct task *t = current_task();

	spin_assert_held(&t->process->siglock);
	mask &= ~KERNEL_ONLY;
	signal_retarget_locked(t, mask & ~t->blocked);
	t->blocked = mask;
	signal_recalc_own();
}

void task_set_blocked(sigset_t mask)
{
	struct task *t = current_task();

	if (t->blocked == (mask & ~KERNEL_ONLY))
		return;
	spin_lock_irq(&t->process->siglock);
	signal_set_blocked_locked(mask);
	spin_unlock_irq(&t->process->siglock);
}

int task_set_temp_mask(const sigset_t __user *umask, size_t size)
{
	struct task *t = current_task();
	sigset_t mask;

	if (!umask)
		return 0;
	if (size != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, umask, sizeof(mask)))
		return -EFAULT;
	t->saved_mask = t->blocked;
	t->restore_saved_mask = true;
	task_set_blocked(mask);
	return 0;
}

void task_restore_mask(bool interrupted)
{
	struct task *t = current_task();

	if (!t->restore_saved_mask)
		return;
	if (interrupted) { /* the handler runs with the temporary mask's rules */
		__atomic_fetch_or(&t->thread.arch.work, WORK_SIGNAL, __ATOMIC_RELAXED);
		return;
	}
	t->restore_saved_mask = false;
	task_set_blocked(t->saved_mask);
}

static int signal_init(void)
{
	sched_set_fatal_hook(thread_fatal_pending);
	return 0;
}
INIT_HOOK(INIT_CORE, signal_init);
