/*
 * The keys for emergencies (linux-doc: admin-guide/sysrq.rst): from /proc/sysrq-trigger, and from
 * the console's line behind a break, there as far as kernel.sysrq allows.
 */
#include <arch/thread.h>
#include <core/init.h>
#include <core/log.h>
#include <core/symbols.h>
#include <kmem/page.h>
#include <process/signal.h>
#include <sched/work.h>
#include <tty/sysrq.h>
#include <vfs/vfs.h>

#define MAX_FRAMES 24

/* Bits of kernel.sysrq; 1 alone: all. */
#define MAY_LOGLEVEL 0x02u
#define MAY_DUMP     0x08u
#define MAY_SYNC     0x10u
#define MAY_REMOUNT  0x20u
#define MAY_SIGNAL   0x40u
#define MAY_LEAVE    0x80u

int g_sysrq = MAY_LOGLEVEL | MAY_SYNC | MAY_REMOUNT | MAY_LEAVE;

/* ---- what they do; all but the urgent ones sleep ---- */

static void do_boot(u8 key)
{
	stop_other_cpus();
	arch_reboot();
}

static void do_crash(u8 key)
{
	panic("sysrq triggered crash");
}

static void do_off(u8 key)
{
	stop_other_cpus();
	arch_poweroff();
}

static void do_loglevel(u8 key)
{
	WRITE_ONCE(g_console_loglevel, key - '0');
}

static void do_sync(u8 key)
{
	int err = vfs_sync_all(true);

	if (err)
		log_err("Emergency Sync: error %d", err);
	else
		log_warn("Emergency Sync complete");
}

static void do_remount(u8 key)
{
	vfs_remount_all_read_only();
	log_warn("Emergency Remount complete");
}

static void do_thaw(u8 key)
{
	vfs_thaw_all();
	log_warn("Emergency Thaw complete");
}

static void do_memory(u8 key)
{
	struct mem_stats m;
	u64 active, inactive;

	mem_get_stats(&m);
	lru_get_stats(&active, &inactive);
	log_warn("Mem-Info:");
	log_warn("anon:%llu shmem:%llu active_file:%llu inactive_file:%llu unevictable:%llu",
		m.anon, m.shmem, active, inactive, m.mlocked);
	log_warn(
		"dirty:%llu writeback:%llu mapped:%llu slab_reclaimable:%llu slab_unreclaimable:%llu",
		m.dirty, m.writeback, m.mapped, m.slab_reclaimable, m.slab);
	log_warn("pagetables:%llu kernel_stacks:%llu vmalloc:%llu free:%llu", m.page_tables,
		m.kernel_stacks, m.vmalloc, m.free);
	log_warn("%llu pages RAM", m.total);
}

static void show_thread(struct thread *t, void *only_blocked)
{
	unsigned long at[MAX_FRAMES];
	u32 state = READ_ONCE(t->state);
	char letter = state == THREAD_RUNNING  ? 'R'
		: state & THREAD_INTERRUPTIBLE ? 'S'
		: state & THREAD_STOPPED       ? 'T'
					       : 'D';
	int n;

	/* Threads of the kernel's own wait that way when they have nothing to do. */
	if (only_blocked && (letter != 'D' || !thread_is_task(t)))
		return;
	log_warn("task:%-15s state:%c cpu:%d pid:%d", t->name, letter, READ_ONCE(t->cpu),
		thread_is_task(t) ? task_tid(container_of(t, struct task, thread)) : 0);
	n = thread_blocked_at(t, at, MAX_FRAMES);
	log_addresses(LOG_WARN, at, max(n, 0));
}

static void do_tasks(u8 key)
{
	threads_for_each(show_thread, NULL);
}

static void do_blocked(u8 key)
{
	threads_for_each(show_thread, &g_sysrq);
}

static void do_signal(u8 key)
{
	struct process *p;

	for (s32 nr = 1; (p = process_next(&nr));) { /* not to process 1 */
		(void)!signal_send_process(p, key == 'e' ? SIGTERM : SIGKILL, NULL);
		put_process(p);
	}
}

static void do_oom(u8 key)
{
	if (!oom_kill_now())
		log_warn("OOM request ignored. No task eligible");
}

/* ---- the keys ---- */

static void do_help(u8 key);

static const struct sysrq {
	u8 key;
	u8 needs;    /* MAY_* */
	bool urgent; /* at once, in any context */
	void (*fn)(u8 key);
	const char *help, *name;
} g_keys[] = {
	{'b', MAY_LEAVE, true, do_boot, "reboot(b)", "Resetting"},
	{'c', MAY_DUMP, true, do_crash, "crash(c)", "Trigger a crash"},
	{'e', MAY_SIGNAL, false, do_signal, "terminate-all-tasks(e)", "Terminate All Tasks"},
	{'f', MAY_SIGNAL, false, do_oom, "memory-full-oom-kill(f)", "Manual OOM execution"},
	{'i', MAY_SIGNAL, false, do_signal, "kill-all-tasks(i)", "Kill All Tasks"},
	{'j', MAY_SIGNAL, false, do_thaw, "thaw-filesystems(j)",
		"Emergency Thaw of all frozen filesystems"},
	{'m', MAY_DUMP, false, do_memory, "show-memory-usage(m)", "Show Memory"},
	{'o', MAY_LEAVE, true, do_off, "poweroff(o)", "Power Off"},
	{'s', MAY_SYNC, false, do_sync, "sync(s)", "Emergency Sync"},
	{'t', MAY_DUMP, false, do_tasks, "show-task-states(t)", "Show State"},
	{'u', MAY_REMOUNT, false, do_remount, "unmount(u)", "Emergency Remount R/O"},
	{'w', MAY_DUMP, false, do_blocked, "show-blocked-tasks(w)", "Show Blocked State"},
};
static const struct sysrq g_digit = {
	'0', MAY_LOGLEVEL, true, do_loglevel, "loglevel(0-9)", "Changing Loglevel"};
static const struct sysrq g_help = {'h', 0, true, do_help, NULL, "HELP : loglevel(0-9) and"};

static void do_help(u8 key)
{
	for (size_t i = 0; i < ARRAY_SIZE(g_keys); i++)
		log_info("sysrq:   %s", g_keys[i].help);
}

static const struct sysrq *find(u8 key)
{
	if (key >= '0' && key <= '9')
		return &g_digit;
	for (size_t i = 0; i < ARRAY_SIZE(g_keys); i++)
		if (g_keys[i].key == key)
			return &g_keys[i];
	return &g_help;
}

void sysrq_run(u8 key)
{
	const struct sysrq *s = find(key);

	log_info("sysrq: %s", s->name);
	s->fn(key);
}

/* ---- from a line ---- */

static u64 g_waiting; /* atomic: keys, by their place in g_keys */

static void run_waiting(struct work *w)
{
	u64 keys = xchg(&g_waiting, 0);

	for (; keys; keys &= keys - 1) {
		const struct sysrq *s = &g_keys[__builtin_ctzll(keys)];

		s->fn(s->key);
	}
}

static struct work g_work;

static int sysrq_init(void)
{
	work_init(&g_work, run_waiting);
	return 0;
}
INIT_HOOK(INIT_CORE, sysrq_init);

static bool allowed(const struct sysrq *s)
{
	int v = READ_ONCE(g_sysrq);

	return v == 1 || !s->needs || ((u32)v & s->needs);
}

void sysrq_key(u8 key)
{
	const struct sysrq *s = find(key);

	if (!READ_ONCE(g_sysrq))
		return;
	if (!allowed(s)) {
		log_info("sysrq: This sysrq operation is disabled.");
		return;
	}
	log_info("sysrq: %s", s->name);
	if (s->urgent) {
		s->fn(key);
		return;
	}
	__atomic_fetch_or(&g_waiting, 1ull << (s - g_keys), __ATOMIC_SEQ_CST);
	work_queue(&g_work);
}
