module := drivers/simdisk
level := 7
deps := lib kernel/core kernel/kmem kernel/sched kernel/block
srcs := simdisk.c crash.c
arch := host
