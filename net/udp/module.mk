module := net/udp
level := 7
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs net/core net/socket \
	net/inet net/netlink
srcs := diag.c input.c output.c recv.c udp.c
