module := drivers/loop
level := 7
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs kernel/block kernel/process
srcs := loop.c control.c io.c
