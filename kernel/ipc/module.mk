module := kernel/ipc
level := 6
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs kernel/process
srcs := pipe.c fifo.c
ifneq ($(ARCH),host) # the others need tasks
srcs += splice.c aio.c eventfd.c timerfd.c signalfd.c epoll.c poll.c
endif
