module := net/udp
level := 7
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs net/core net/socket \
	net/inet
srcs := input.c output.c recv.c udp.c
