module := fs/initramfs
level := 7
deps := lib kernel/core kernel/kmem kernel/vfs
srcs := initramfs.c
