module := fs/jbd2
level := 7
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/vfs kernel/block
srcs := $(sort $(notdir $(wildcard fs/jbd2/*.c)))
