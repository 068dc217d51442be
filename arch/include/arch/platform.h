/*
 * The arch contract, part 5: boot information, clocks, timers, interrupts, CPUs, power.
 */
#ifndef ARCH_PLATFORM_H
#define ARCH_PLATFORM_H

#include <arch/cpu.h>
#include <arch/impl/platform.h>

struct pt_regs;

/* What the boot protocol told. Immutable after arch_boot. */
struct boot_range {
	u64 start, len; /* physical, bytes */
};
struct boot_info {
	const char *cmdline;       /* NUL-terminated */
	struct boot_range initrd;  /* len 0: none; released by init after unpacking */
	struct boot_range ram[32]; /* usable, sorted, kernel image and boot data included */
	int nr_ram;
	struct boot_range reserved[16]; /* in use inside ram[]: image, initrd, boot tables */
	int nr_reserved;
};
extern struct boot_info g_boot_info;

/* bool arch_alloc_fails(void): asked at each allocation of memory; true: it fails, as a simulation
 * wants. */

/*
 * Upcalls: how arch reaches the levels above. One constant table, defined by kernel/init.
 */
enum ipi_kind { IPI_RESCHED, IPI_CALL, IPI_STOP, NR_IPI_KINDS };

struct fault_info {
	unsigned long addr;
	bool write, exec, user, present; /* user: the CPU was in user mode */
};

struct arch_upcalls {
	noreturn void (*main)(void);           /* boot CPU, after arch's early set-up, irqs off */
	noreturn void (*secondary_main)(void); /* an AP, with its per-CPU area and idle stack */
	/* System call: number and arguments in regs, interrupts on. Sets the return value. */
	void (*syscall)(struct pt_regs *regs);
	/*
	 * Called before every return to user mode (from system call, interrupt or exception) with
	 * interrupts off, when the current thread's work flags are nonzero; it may enable them, and
	 * returns with them off and no work left.
	 */
	void (*exit_to_user)(struct pt_regs *regs);
	void (*fork_child)(void); /* first thing a forked child runs */
	/*
	 * A page fault on a user address (from user mode, or from kernel mode inside uaccess),
	 * interrupts on. True: retry. False: from user mode a signal was queued; from kernel mode
	 * the exception table applies.
	 */
	bool (*page_fault)(struct pt_regs *regs, const struct fault_info *fi);
	/* A CPU exception in user mode: queue signal sig with si_code and si_addr. Interrupts on. */
	void (*user_exception)(struct pt_regs *regs, int sig, int code, unsigned long addr);
	void (*timer)(void);             /* this CPU's one-shot timer fired; irqs off */
	void (*ipi)(enum ipi_kind kind); /* irqs off */
	void (*irq)(int irq);            /* device interrupt line/MSI number; irqs off */
	/* Leaving an interrupt taken in kernel or user mode, still on its stack, irqs off. */
	void (*irq_exit)(void);
};
extern const struct arch_upcalls arch_upcalls;

/* Clock: ns since boot, monotonic on each and across CPUs, never sleeps, any context. */
u64 arch_clock_ns(void);
/* Program this CPU's one-shot timer for an absolute arch_clock_ns time; TIME_NEVER disarms. A past
 * deadline fires at once. Interrupts off. */
void arch_timer_arm(s64 deadline_ns);
/* Seconds since 1970 as the RTC has it (0 when there is none). May take ms. One caller at a time. */
s64 arch_rtc_seconds(void);
void arch_rtc_set(s64 seconds); /* of the years 1970 to 2099; there is one; one caller at a time */

/* Inside an interrupt (timer upcall): did it interrupt user mode? */
/* inline in impl: bool arch_irq_from_user(void) */

/* Interrupt lines: irq is a GSI (0..) or an MSI number from arch_msi_alloc. */
#define NR_IRQS 256
int arch_irq_enable(int irq, bool level, bool active_low) must_check; /* -EINVAL -ENOSPC */
void arch_irq_disable(int irq);
int arch_isa_irq(int isa, bool *level, bool *low); /* ISA number to GSI by MADT overrides */
struct msi_message {
	u64 address;
	u32 data;
};
int arch_msi_alloc(int cpu, struct msi_message *msg) must_check; /* irq number or -ENOSPC */
void arch_msi_free(int irq);

/* Devices of fixed addresses that firmware tables describe. */
struct arch_mmio_device {
	u64 base;
	int irq; /* global system interrupt */
	bool level, low;
};
/* virtio-mmio transports; *n of them. Immutable after boot. */
const struct arch_mmio_device *arch_virtio_mmio(int *n);

/* CPUs. */
int arch_cpus_start(
	void (*prepare)(int cpu)); /* starts all APs; number online; prepare before each */
void arch_ipi_send(int cpu, enum ipi_kind kind);
void arch_ipi_send_others(enum ipi_kind kind);

/* The function that covers addr: its name (cut to size), addr's offset in it and its length in
 * bytes. False: none. Any context. */
bool arch_symbol(
	unsigned long addr, char *name, size_t size, unsigned long *offset, unsigned long *length);
/* Is addr in the code of kernel/sched? Who waits there was called by who is of interest. */
bool arch_symbol_is_sched(unsigned long addr);

/* Console of last resort: polled, any context, before and after everything. */
void arch_early_putc(char c);

/* fn runs before the machine is left in any of the ways below, in any context, at most 4: sends
 * what waits in a console's buffer. */
void arch_on_shutdown(void (*fn)(void));

/* Power. None returns. exit code of the machine: see docs (isa-debug-exit at 0xf4). */
noreturn void arch_poweroff(void);
noreturn void arch_reboot(void);
noreturn void arch_halt(void);
noreturn void arch_panic_exit(void); /* writes 0x30 to isa-debug-exit (status 97), else reboots */

/* Port-based devices (x86 only; others compile without). */
const char *arch_cpu_vendor(void);
struct seq_buf;
void arch_show_cpuinfo(struct seq_buf *s); /* /proc/cpuinfo text */
void arch_show_meminfo(struct seq_buf *s); /* /proc/meminfo: page sizes of the direct map */

/* The vDSO image: pages to map (code) and the data page before it; see kernel/vdso. */
struct vdso_image {
	const void *start;
	size_t len; /* bytes, page multiple */
};
const struct vdso_image *arch_vdso_image(void);

/* Serialise this CPU: it fetches anew instructions that were written before. Any context. */
void arch_sync_core_local(void);

#endif
