module := fs/tmpfs
level := 7
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs kernel/device
srcs := super.c dir.c file.c xattr.c shm.c devtmpfs.c
