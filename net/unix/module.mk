module := net/unix
level := 7
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs kernel/process \
	net/socket net/core net/netlink
srcs := unix.c address.c stream.c dgram.c message.c collect.c diag.c show.c
