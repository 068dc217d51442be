/* prctl: what a thread or process can say about itself. */
#include <lib/string.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <process/signal.h>
#include <syscall/syscall.h>

#define LOCKED_SECUREBITS (SECURE_ALL_BITS << 1)

static long set_name(unsigned long addr)
{
	char name[16];
	ssize_t n;

	memset(name, 0, sizeof(name));
	n = strncpy_from_user(name, (const char __user *)addr, sizeof(name) - 1);
	if (n < 0)
		return -EFAULT;
	task_set_name(current_task(), name);
	return 0;
}

static long get_name(unsigned long addr)
{
	char name[16] = {0};

	str_copy(name, current_thread()->name, sizeof(name));
	return copy_to_user((void __user *)addr, name, sizeof(name)) ? -EFAULT : 0;
}

static long set_dumpable(unsigned long v)
{
	if (v > 1)
		return -EINVAL;
	WRITE_ONCE(current_task()->mm->dumpable, (u32)v);
	return 0;
}

/* ---- credentials ---- */

static long change_cred(void (*fn)(struct cred *c, unsigned long arg), unsigned long arg)
{
	struct cred *c = cred_prepare(current_cred());

	if (!c)
		return -ENOMEM;
	fn(c, arg);
	cred_commit(c);
	return 0;
}

static void do_securebits(struct cred *c, unsigned long v)
{
	c->securebits = (u32)v;
}

static long set_securebits(unsigned long v)
{
	u32 old = current_cred()->securebits, locks = old & LOCKED_SECUREBITS;

	if ((v & ~(unsigned long)(SECURE_ALL_BITS | LOCKED_SECUREBITS)) || (locks & ~v) ||
		((locks >> 1) & (old ^ v)) || !capable(CAP_SETPCAP))
		return -EPERM;
	return change_cred(do_securebits, v);
}

static void do_keepcaps(struct cred *c, unsigned long on)
{
	u32 bit = 1u << SECURE_KEEP_CAPS;

	c->securebits = on ? c->securebits | bit : c->securebits & ~bit;
}

static long set_keepcaps(unsigned long on)
{
	if (on > 1)
		return -EINVAL;
	if (current_cred()->securebits & (1u << SECURE_KEEP_CAPS_LOCKED))
		return -EPERM;
	return change_cred(do_keepcaps, on);
}

static void do_capbset_drop(struct cred *c, unsigned long cap)
{
	c->cap_bset &= ~(1ull << cap);
}

static void do_ambient_raise(struct cred *c, unsigned long cap)
{
	c->cap_ambient |= 1ull << cap;
}

static void do_ambient_lower(struct cred *c, unsigned long cap)
{
	c->cap_ambient &= ~(1ull << cap);
}

static void do_ambient_clear(struct cred *c, unsigned long arg)
{
	c->cap_ambient = 0;
}

static long ambient(unsigned long op, unsigned long cap, unsigned long a4, unsigned long a5)
{
	const struct cred *c = current_cred();
	u64 bit;

	if (op == PR_CAP_AMBIENT_CLEAR_ALL)
		return cap || a4 || a5 ? -EINVAL : change_cred(do_ambient_clear, 0);
	if (cap > CAP_LAST_CAP || a4 || a5)
		return -EINVAL;
	bit = 1ull << cap;
	switch (op) {
	case PR_CAP_AMBIENT_IS_SET:
		return (c->cap_ambient & bit) != 0;
	case PR_CAP_AMBIENT_RAISE:
		if (!(c->cap_permitted & c->cap_inheritable & bit) ||
			(c->securebits & (1u << SECURE_NO_CAP_AMBIENT_RAISE)))
			return -EPERM;
		return change_cred(do_ambient_raise, cap);
	case PR_CAP_AMBIENT_LOWER:
		return change_cred(do_ambient_lower, cap);
	default:
		return -EINVAL;
	}
}

static long capbset(int option, unsigned long cap)
{
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	if (option == PR_CAPBSET_READ)
		return (current_cred()->cap_bset >> cap) & 1;
	if (!capable(CAP_SETPCAP))
		return -EPERM;
	return change_cred(do_capbset_drop, cap);
}

static long cred_option(
	int option, unsigned long a2, unsigned long a3, unsigned long a4, unsigned long a5)
{
	switch (option) {
	case PR_GET_SECUREBITS:
		return current_cred()->securebits;
	case PR_SET_SECUREBITS:
		return set_securebits(a2);
	case PR_GET_KEEPCAPS:
		return (current_cred()->securebits >> SECURE_KEEP_CAPS) & 1;
	case PR_SET_KEEPCAPS:
		return set_keepcaps(a2);
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
		return capbset(option, a2);
	case PR_CAP_AMBIENT:
		return ambient(a2, a3, a4, a5);
	default:
		syscall_log_unknown("prctl", (unsigned long)option);
		return -EINVAL;
	}
}

/* ---- layout of the address space, for checkpoint and restore and for titles ---- */

static unsigned long *mm_field(struct mm *mm, unsigned long what)
{
	switch (what) {
	case PR_SET_MM_START_CODE:
		return &mm->start_code;
	case PR_SET_MM_END_CODE:
		return &mm->end_code;
	case PR_SET_MM_START_DATA:
		return &mm->start_data;
	case PR_SET_MM_END_DATA:
		return &mm->end_data;
	case PR_SET_MM_START_STACK:
		return &mm->start_stack;
	case PR_SET_MM_START_BRK:
		return &mm->start_brk;
	case PR_SET_MM_BRK:
		return &mm->brk;
	case PR_SET_MM_ARG_START:
		return &mm->arg_start;
	case PR_SET_MM_ARG_END:
		return &mm->arg_end;
	case PR_SET_MM_ENV_START:
		return &mm->env_start;
	case PR_SET_MM_ENV_END:
		return &mm->env_end;
	default:
		return NULL;
	}
}

static long set_mm(unsigned long what, unsigned long addr, unsigned long a4, unsigned long a5)
{
	struct mm *mm = current_task()->mm;
	unsigned long *field = mm_field(mm, what);

	if (a5 || (a4 && what != PR_SET_MM_AUXV))
		return -EINVAL;
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (!field || addr >= USER_END || addr < USER_START)
		return -EINVAL;
	rwsem_write_lock(&mm->map_lock);
	*field = addr;
	rwsem_write_unlock(&mm->map_lock);
	return 0;
}

static long set_no_new_privs(unsigned long v, unsigned long rest)
{
	if (v != 1 || rest)
		return -EINVAL;
	current_task()->no_new_privs = true;
	return 0;
}

static long set_pdeathsig(unsigned long sig)
{
	if (sig > NR_SIGNALS)
		return -EINVAL;
	WRITE_ONCE(current_task()->pdeath_signal, (int)sig);
	return 0;
}

long sys_prctl(int option, unsigned long a2, unsigned long a3, unsigned long a4, unsigned long a5)
{
	struct task *t = current_task();

	switch (option) {
	case PR_SET_NAME:
		return set_name(a2);
	case PR_GET_NAME:
		return get_name(a2);
	case PR_SET_PDEATHSIG:
		return set_pdeathsig(a2);
	case PR_GET_PDEATHSIG:
		return put_user(t->pdeath_signal, (int __user *)a2);
	case PR_SET_DUMPABLE:
		return set_dumpable(a2);
	case PR_GET_DUMPABLE:
		return t->mm->dumpable;
	case PR_SET_NO_NEW_PRIVS:
		return set_no_new_privs(a2, a3 | a4 | a5);
	case PR_GET_NO_NEW_PRIVS:
		return a2 || a3 || a4 || a5 ? -EINVAL : t->no_new_privs;
	case PR_SET_CHILD_SUBREAPER:
		process_set_subreaper(a2);
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_user((int)t->process->child_subreaper, (int __user *)a2);
	case PR_SET_TIMERSLACK:
		task_set_timer_slack(t, a2);
		return 0;
	case PR_GET_TIMERSLACK:
		return t->thread.timer_slack_ns;
	case PR_SET_THP_DISABLE:
		if (a3 || a4 || a5)
			return -EINVAL;
		WRITE_ONCE(t->mm->no_huge, a2 != 0);
		return 0;
	case PR_GET_THP_DISABLE:
		return a2 || a3 || a4 || a5 ? -EINVAL : t->mm->no_huge;
	case PR_GET_TID_ADDRESS:
		return put_user((u64)(uintptr_t)t->clear_child_tid, (u64 __user *)a2);
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return a2 == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_SET_MM:
		return set_mm(a2, a3, a4, a5);
	default:
		return cred_option(option, a2, a3, a4, a5);
	}
}
