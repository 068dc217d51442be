module := fs/mqueue
level := 7
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs kernel/process net/netlink
srcs := super.c queue.c notify.c
