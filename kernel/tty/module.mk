module := kernel/tty
level := 6
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/vfs kernel/process
srcs := tty.c input.c output.c read.c ioctl.c job.c pty.c sysrq.c
