module := drivers/simnet
level := 7
arch := host
deps := lib kernel/core kernel/kmem kernel/sched net/core
srcs := simnet.c
