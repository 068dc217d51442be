module := net/raw
level := 7
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs net/core net/socket \
	net/inet
srcs := ping.c queue.c raw.c
