module := fs/devpts
level := 7
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/vfs kernel/process kernel/tty
srcs := devpts.c
