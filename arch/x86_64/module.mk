module := arch/x86_64
arch := x86_64
level := 2
deps := lib kernel/core kernel/kmem
srcs := head.S entry.S switch.S copy.S trampoline.S \
	lowboot.c boot.c early.c kmap.c features.c descriptors.c trap.c thread.c fpu.c signal.c uaccess.c \
	acpi.c acpi_power.c lapic.c irq.c ioapic.c tsc.c calibrate.c smp.c tlb.c \
	console.c power.c rtc.c cpuinfo.c backtrace.c ptrace.c symtab.c compiler.c crc32c.c
