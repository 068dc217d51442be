module := kernel/vfs
level := 5
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred
srcs := $(sort $(notdir $(wildcard kernel/vfs/*.c)))
