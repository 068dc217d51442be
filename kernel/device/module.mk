module := kernel/device
level := 5
deps := lib kernel/core kernel/kmem kernel/vfs
srcs := chrdev.c
