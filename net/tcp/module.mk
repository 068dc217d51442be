module := net/tcp
level := 7
deps := lib kernel/core kernel/kmem net/core
srcs := header.c conn.c queue.c input.c ack.c sack.c recovery.c rtt.c receive.c reassembly.c output.c timer.c \
	request.c check.c cubic.c newreno.c
