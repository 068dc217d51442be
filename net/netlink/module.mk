module := net/netlink
level := 7
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs kernel/process net/core \
	net/socket
# Without user processes (ARCH=host) nobody has a process number.
srcs := message.c parse.c socket.c option.c table.c queue.c request.c dump.c rtnl.c link.c set_link.c \
	generic.c diag.c uevent.c show.c $(if $(filter host,$(ARCH)),self_host.c,self.c)
