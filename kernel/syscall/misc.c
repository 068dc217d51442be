/* The machine as a whole: names, figures, random numbers, the log, power. */
#include <core/log.h>
#include <core/trace.h>
#include <kmem/page.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/personality.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/sysinfo.h>
#include <process/signal.h>
#include <process/uts.h>
#include <sched/timer.h>
#include <syscall/syscall.h>
#include <vfs/vfs.h>

/* ---- names ---- */

long sys_uname(struct new_utsname __user *to)
{
	struct new_utsname u;
	u32 pers = READ_ONCE(current_task()->personality);

	uts_get(&u);
	if (pers & UNAME26)
		(void)str_copy(u.release, "2.6.61", sizeof(u.release));
	if ((pers & PER_MASK) == PER_LINUX32)
		(void)str_copy(u.machine, "i686", sizeof(u.machine));
	return copy_to_user(to, &u, sizeof(u)) ? -EFAULT : 0;
}

static long set_name(const char __user *from, int len, void (*set)(const char *, size_t))
{
	char name[__NEW_UTS_LEN];

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > __NEW_UTS_LEN)
		return -EINVAL;
	if (copy_from_user(name, from, (size_t)len))
		return -EFAULT;
	set(name, (size_t)len);
	return 0;
}

long sys_sethostname(const char __user *name, int len)
{
	return set_name(name, len, uts_set_nodename);
}

long sys_setdomainname(const char __user *name, int len)
{
	return set_name(name, len, uts_set_domainname);
}

/* ---- figures ---- */

long sys_sysinfo(struct sysinfo __user *to)
{
	struct sysinfo si = {.mem_unit = 1};
	struct sched_stats sched;
	struct mem_stats mem;

	mem_get_stats(&mem);
	sched_get_stats(&sched);
	si.uptime = (clock_mono_ns() + NS_PER_SEC - 1) / NS_PER_SEC;
	for (int i = 0; i < 3; i++)
		si.loads[i] = sched.load_avg[i] << (SI_LOAD_SHIFT - 11);
	si.totalram = mem.total << PAGE_SHIFT;
	si.freeram = mem.free << PAGE_SHIFT;
	si.sharedram = mem.shmem << PAGE_SHIFT;
	si.procs = (u16)min(sched.threads, 0xffffu);
	return copy_to_user(to, &si, sizeof(si)) ? -EFAULT : 0;
}

/* ---- random numbers, log ---- */

long sys_getrandom(void __user *buf, size_t count, unsigned int flags)
{
	size_t done = 0;

	if (flags & ~(unsigned int)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	count = min_t(size_t, count, INT_MAX);
	while (!(flags & GRND_INSECURE) && !random_ready()) {
		if (flags & GRND_NONBLOCK)
			return -EAGAIN;
		/* Without a hardware source: how long short sleeps really take is unpredictable. */
		if (sleep_until(deadline_after(NS_PER_MS)))
			return -ERESTARTSYS;
		random_add_entropy(arch_cycles());
	}
	if (!user_range_ok((unsigned long)buf, count))
		return -EFAULT;
	while (done < count) {
		u8 bytes[256];
		size_t n = min_t(size_t, count - done, sizeof(bytes)), copied;

		random_bytes(bytes, n);
		copied = copy_to_user_part((u8 __user *)buf + done, bytes, n);
		done += copied;
		if (copied < n)
			return done ? (long)done : -EFAULT;
		if (signal_is_pending())
			break;
		cond_resched();
	}
	return (long)done;
}

long sys_syslog(int type, void __user *buf, int len)
{
	int err = syslog_may(type);

	return err ? err : syslog_action(type, buf, len);
}

/* ---- file system types by number, power ---- */

long sys_sysfs(int option, unsigned long arg1, unsigned long arg2)
{
	syscall_log_unknown("sysfs", (unsigned long)option);
	return -EINVAL;
}

long sys_reboot(unsigned int magic1, unsigned int magic2, unsigned int cmd, void __user *arg)
{
	if (!capable(CAP_SYS_BOOT))
		return -EPERM;
	if (magic1 != LINUX_REBOOT_MAGIC1 ||
		(magic2 != LINUX_REBOOT_MAGIC2 && magic2 != LINUX_REBOOT_MAGIC2A &&
			magic2 != LINUX_REBOOT_MAGIC2B && magic2 != LINUX_REBOOT_MAGIC2C))
		return -EINVAL;
	switch (cmd) {
	case LINUX_REBOOT_CMD_CAD_ON: /* there is no keyboard that could press the keys */
	case LINUX_REBOOT_CMD_CAD_OFF:
		return 0;
	case LINUX_REBOOT_CMD_RESTART2: {
		char how[256];
		ssize_t n = strncpy_from_user(how, arg, sizeof(how));

		if (n < 0)
			return n;
		log_info("Restarting system with command '%.*s'", (int)min_t(ssize_t, n, 255), how);
		stop_other_cpus();
		arch_reboot();
	}
	case LINUX_REBOOT_CMD_RESTART:
		log_info("Restarting system");
		stop_other_cpus();
		arch_reboot();
	case LINUX_REBOOT_CMD_HALT:
		log_info("System halted");
		stop_other_cpus();
		arch_halt();
	case LINUX_REBOOT_CMD_POWER_OFF:
		log_info("Power down");
		stop_other_cpus();
		arch_poweroff();
	default:
		return -EINVAL;
	}
}
