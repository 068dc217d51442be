module := kernel/ipc
level := 6
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs kernel/process
srcs := pipe.c fifo.c splice.c eventfd.c timerfd.c signalfd.c epoll.c poll.c
