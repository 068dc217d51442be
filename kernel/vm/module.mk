module := kernel/vm
level := 4
deps := lib kernel/core kernel/kmem kernel/sched kernel/cred
srcs := mm.c region.c map.c protect.c remap.c stack.c fork.c advise.c account.c access.c pagemap.c \
	pt.c gather.c zap.c mlock.c huge.c fault.c iter.c \
	object.c object_io.c cache.c rmap.c page_lock.c lru.c writeback.c readahead.c
