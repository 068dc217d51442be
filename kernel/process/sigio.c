/* SIGIO and F_SETSIG's signals: from an open file to the process, thread or group that owns it. */
#include "process.h"
#include <core/init.h>

static void hook_get(struct pid *pid)
{
	get_pid(pid);
}

static void hook_put(struct pid *pid)
{
	put_pid(pid);
}

static long poll_band(int code)
{
	switch (code) {
	case POLL_IN:
		return EPOLLIN | EPOLLRDNORM;
	case POLL_OUT:
		return EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	case POLL_HUP:
		return EPOLLHUP | EPOLLERR;
	default:
		return EPOLLPRI | EPOLLRDBAND;
	}
}

/* Who set the owner must have been allowed to signal it (fcntl(2), F_SETOWN). RCU held. */
static bool may_signal(const struct file_owner *o, struct task *t)
{
	const struct cred *to = rcu_load(t->thread.cred);

	return o->euid == 0 || o->euid == to->suid || o->euid == to->uid || o->uid == to->suid ||
		o->uid == to->uid;
}

/* RCU held. */
static void send_one(const struct file_owner *o, struct process *p, struct task *only, int band)
{
	struct task *t = only ? only : rcu_load(p->leader);
	siginfo_t info = {.si_signo = o->sig, .si_code = band};
	int err = -EAGAIN;

	if (!t || !may_signal(o, t))
		return;
	info.si_band = poll_band(band);
	info.si_fd = o->fd;
	if (o->sig)
		err = only ? signal_send_task(only, o->sig, &info)
			   : signal_send_process(p, o->sig, &info);
	if (err == -EAGAIN) /* none chosen, or its queue is full */
		(void)(only ? signal_send_task(only, SIGIO, NULL)
			    : signal_send_process(p, SIGIO, NULL));
}

static void send_urgent_one(
	const struct file_owner *o, struct process *p, struct task *only, int band)
{
	struct task *t = only ? only : rcu_load(p->leader);

	if (!t || !may_signal(o, t))
		return;
	(void)(only ? signal_send_task(only, SIGURG, NULL) : signal_send_process(p, SIGURG, NULL));
}

/* To all that the owner names. */
static void send_each(const struct file_owner *o, int band,
	void (*one)(const struct file_owner *o, struct process *p, struct task *only, int band))
{
	unsigned long flags;
	struct process *p;
	struct task *t;

	rcu_read_lock();
	switch (o->kind) {
	case F_OWNER_TID:
		t = rcu_load(o->pid->task);
		if (t)
			one(o, t->process, t, band);
		break;
	case F_OWNER_PID:
		p = rcu_load(o->pid->process);
		if (p)
			one(o, p, NULL, band);
		break;
	default:
		flags = spin_lock_irqsave(&g_tasklist_lock);
		list_for_each_entry(p, &o->pid->group_members, pgrp_link)
			one(o, p, NULL, band);
		spin_unlock_irqrestore(&g_tasklist_lock, flags);
	}
	rcu_read_unlock();
}

static void hook_send(const struct file_owner *o, int band)
{
	send_each(o, band, send_one);
}

static void hook_send_urgent(const struct file_owner *o)
{
	send_each(o, 0, send_urgent_one);
}

bool file_owner_alive(const struct file_owner *o)
{
	bool alive;

	if (!o->pid)
		return false;
	rcu_read_lock();
	switch (o->kind) {
	case F_OWNER_TID:
		alive = rcu_load(o->pid->task) != NULL;
		break;
	case F_OWNER_PID:
		alive = rcu_load(o->pid->process) != NULL;
		break;
	default:
		alive = !list_empty(&o->pid->group_members);
	}
	rcu_read_unlock();
	return alive;
}

static const struct sigio_hooks g_hooks = {hook_get, hook_put, hook_send, hook_send_urgent};

static int sigio_init(void)
{
	file_set_sigio_hooks(&g_hooks);
	return 0;
}
INIT_HOOK(INIT_CORE, sigio_init);
