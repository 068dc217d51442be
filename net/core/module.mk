module := net/core
level := 5
headers := net
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm
srcs := packet.c frag.c copy.c sum.c segment.c context.c net_timer.c net.c input.c netif.c netif_config.c \
	transmit.c tap.c ether.c loopback.c
