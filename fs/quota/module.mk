module := fs/quota
level := 7
deps := lib kernel/core kernel/kmem kernel/vfs
srcs := $(sort $(notdir $(wildcard fs/quota/*.c)))
