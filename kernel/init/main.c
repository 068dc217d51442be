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
#include <process/task.h>
#include <sched/thread.h>
#include <sched/timer.h>
#include <vfs/initramfs.h>
#include <vfs/rootfs.h>
#include "words.h"

static char *g_init_path;   /* init=; start-up only */
static char *g_rdinit_path; /* rdinit= */
static char *g_root_device; /* root= */

static int take_string(char **where, const char *value)
{
	char *copy = kstrdup(value, GFP_KERNEL);

	if (!copy)
		return -ENOMEM;
	kfree(*where);
	*where = copy;
	return 0;
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

/* root= names what an initramfs is to mount: nothing in the kernel does. Kept for the last words. */
static int option_root(const char *value)
{
	return take_string(&g_root_device, value);
}
INIT_OPTION("root", option_root);

static bool exists(const char *path)
{
	struct vfs_env env = current_env();
	struct path p;

	if (vfs_lookup(&env, NULL, path, LOOKUP_FOLLOW, &p))
		return false;
	put_path(&p);
	return true;
}

/* A program that is there but fails is named, a missing interpreter's ENOENT too. */
static int try_init(const char *path)
{
	int err;

	g_init_argv[0] = path;
	log_info("init: starting %s", path);
	err = process_exec_kernel(path, g_init_argv, g_init_envp);
	if (err == -ENOMEM)
		init_failed(path, err);
	if (err == -ENOENT && exists(path))
		log_err("init: Failed to execute %s (error %d): its interpreter is missing", path,
			err);
	else if (err != 0 && err != -ENOENT)
		log_err("init: Failed to execute %s (error %d, %s)", path, err, errno_name(err));
	return err;
}

/* Runs as process 1 inside the kernel; returning 0 means that its user context is set up. */
static int find_init(void)
{
	static const char *const defaults[] = {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};
	const char *rd = g_rdinit_path ? g_rdinit_path : "/init";
	int err = try_init(rd);

	if (err == 0)
		return 0;
	if (g_rdinit_path)
		panic("Requested rdinit %s failed (error %d)", rd, err);
	if (g_init_path) {
		err = try_init(g_init_path);
		if (err == 0)
			return 0;
		panic("Requested init %s failed (error %d)", g_init_path, err);
	}
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		if (try_init(defaults[i]) == 0)
			return 0;
	if (g_root_device)
		panic("Unable to mount root fs on %s: only the init of an initramfs can, and no working one was found",
			g_root_device);
	panic("No working init found. Try passing init= option to the kernel.");
}

static int start_process_one(void)
{
	int err = rootfs_open_console();

	if (err)
		log_err("init: cannot open an initial console: error %s", errno_name(err));
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
		init_failed("mounting the root file system", err);
	init_run_level(INIT_DEVICE);
	init_run_level(INIT_LATE);
	err = initramfs_unpack();
	if (err)
		init_failed("initramfs: unpacking", err);
	rootfs_limit();
	err = init_words_collect();
	if (err)
		init_failed("copying init's arguments", err);
	err = process_start_init(start_process_one);
	if (err)
		init_failed("creating process 1", err);
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
		init_failed("starting the init thread", ptr_err(t));
	sched_idle_loop();
}

noreturn void kernel_secondary_main(void)
{
	sched_init_cpu(cpu_id());
	sched_idle_loop();
}
