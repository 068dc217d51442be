module := net/socket
level := 5
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs net/core
srcs := socket.c option.c cmsg.c filter.c
