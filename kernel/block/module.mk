module := kernel/block
level := 5
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs kernel/device
srcs := $(sort $(notdir $(wildcard kernel/block/*.c)))
