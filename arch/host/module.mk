module := arch/host
arch := host
# As the kernel's boot (kernel/init does this on real machines) it knows every level that it starts.
level := 8
deps := lib kernel/core kernel/kmem kernel/sched
srcs := boot.c irq.c memory.c thread.c switch.S uaccess.c
libc-srcs := os.c
