module := fs/ext4
level := 7
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs kernel/block fs/jbd2 fs/quota
srcs := $(sort $(notdir $(wildcard fs/ext4/*.c)))
