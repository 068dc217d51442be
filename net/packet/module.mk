module := net/packet
level := 7
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs net/core net/socket
srcs := socket.c receive.c send.c option.c member.c ring.c show.c
