# Every .c file here is a family of thin handlers; the dispatcher and the tracer are dispatch.c and
# trace*.c.
module := kernel/syscall
level := 8
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs kernel/process \
	kernel/ipc kernel/sysv kernel/tty net/core net/socket fs/mqueue net/netlink
srcs := $(sort $(notdir $(wildcard kernel/syscall/*.c)))
