module := kernel/init
level := 8
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs kernel/process \
	kernel/ipc kernel/tty kernel/syscall fs/initramfs
srcs := main.c words.c upcalls.c
