module := drivers/mem
level := 7
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/vm kernel/vfs
srcs := mem.c kmsg.c
