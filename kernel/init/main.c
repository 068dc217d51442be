/*
 * Start-up. The boot CPU comes from arch with interrupts off, sets up memory and the scheduler,
 * starts a kernel thread for everything that may sleep, and becomes CPU 0's idle loop. That thread
 * runs the remaining init levels, unpacks the initramfs and becomes process 1.
 */
#include <arch/platform.h>
#include <core/init.h>
#include <core/log.h>
#include <init/init.h>
#include <kmem/page.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <process/task.h>
#include <sched/thread.h>
#include <sched/timer.h>
#include <vfs/initramfs.h>
#include <vfs/rootfs.h>

#define MAX_INIT_ARGS 32 /* Linux's MAX_INIT_ARGS and MAX_INIT_ENVS */

static char *g_init_path;   /* init=; start-up only */
static char *g_rdinit_path; /* rdinit= */
static const char *g_init_argv[MAX_INIT_ARGS + 2];
static const char *g_init_envp[MAX_INIT_ARGS + 3] = {"HOME=/", "TERM=linux"};

static int take_string(char **where, const char *value)
{
	char *copy = kstrdup(value, GFP_KERNEL);

	if (!copy)
		return -ENOMEM;
	kfree(*where);
	*where = copy;
	return 0;
}

/* What the kernel doesn't know is for init: "name=value" to its environment, words as arguments. */
static int collect_init_words(void)
{
	char *words = kstrdup(g_boot_info.cmdline, GFP_KERNEL);
	int argc = 1, envc = 2;
	bool rest = false;

	if (!words)
		return -ENOMEM;
	for (char *w = words, *next; w && *w; w = next) {
		char *eq;

		next = init_split_word(w);
		if (!*w)
			continue;
		if (!rest && strcmp(w, "--") == 0) {
			rest = true;
			continue;
		}
		eq = strchr(w, '=');
		if (!rest && init_option_known(w, eq ? (size_t)(eq - w) : strlen(w)))
			continue;
		if (!rest && memchr(w, '.', eq ? (size_t)(eq - w) : strlen(w)))
			continue; /* a module's parameter */
		if (eq && !rest && envc < MAX_INIT_ARGS + 2)
			g_init_envp[envc++] = w;
		else if ((rest || !eq) && argc < MAX_INIT_ARGS + 1)
			g_init_argv[argc++] = w;
	}
	return 0; /* the copy stays: argv and envp point into it */
}

static int option_init(const char *value)
{
	return take_string(&g_init_path, value);
}
INIT_OPTION("init", option_init);

static int option_rdinit(const char *value)
{
	return take_string(&g_rdinit_path, value);
}
INIT_OPTION("rdinit", option_rdinit);

static int try_init(const char *path)
{
	int err;

	g_init_argv[0] = path;
	log_info("init: starting %s", path);
	err = process_exec_kernel(path, g_init_argv, g_init_envp);
	if (err != 0 && err != -ENOENT)
		log_err("init: %s cannot be started: error %d", path, -err);
	return err;
}

/* Runs as process 1 inside the kernel; returning 0 means that its user context is set up. */
static int find_init(void)
{
	static const char *const defaults[] = {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};
	const char *rd = g_rdinit_path ? g_rdinit_path : "/init";

	if (try_init(rd) == 0)
		return 0;
	if (g_rdinit_path)
		panic("Requested rdinit %s failed", rd);
	if (g_init_path) {
		if (try_init(g_init_path) == 0)
			return 0;
		panic("Requested init %s failed", g_init_path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		if (try_init(defaults[i]) == 0)
			return 0;
	panic("No working init found. Try passing init= option to the kernel.");
}

static int start_process_one(void)
{
	int err = rootfs_open_console();

	if (err)
		log_err("init: cannot open an initial console: error %d", -err);
	return find_init();
}

static void late_start(void *arg)
{
	int err;

	init_run_level(INIT_SMP);
	init_run_level(INIT_CORE);
	init_run_level(INIT_FS);
	err = rootfs_mount();
	if (err)
		panic("cannot mount the root file system: error %d", -err);
	init_run_level(INIT_DEVICE);
	init_run_level(INIT_LATE);
	err = initramfs_unpack();
	if (err)
		panic("initramfs: unpacking failed: error %d", -err);
	rootfs_limit();
	err = collect_init_words();
	if (err)
		panic("no memory for init's arguments");
	err = process_start_init(start_process_one);
	if (err)
		panic("cannot create process 1: error %d", -err);
}

noreturn void kernel_main(void)
{
	struct thread *t;

	log_info("Aramid " ARAMID_VERSION ", %d CPU%s", g_nr_cpus, g_nr_cpus == 1 ? "" : "s");
	log_info("Command line: %s", g_boot_info.cmdline);
	kmem_boot_init();
	init_run_level(INIT_MEMORY);
	init_parse_options(g_boot_info.cmdline);
	sched_init_cpu(0);
	init_run_level(INIT_SCHED);
	t = kthread_run(late_start, NULL, "init");
	if (is_err(t))
		panic("cannot start the init thread: error %d", -ptr_err(t));
	sched_idle_loop();
}

noreturn void kernel_secondary_main(void)
{
	sched_init_cpu(cpu_id());
	sched_idle_loop();
}
