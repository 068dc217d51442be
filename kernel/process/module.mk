module := kernel/process
level := 6
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs
srcs := $(sort $(notdir $(wildcard kernel/process/*.c)))
