module := net/tcp
level := 7
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs net/core net/socket \
	net/inet net/netlink
srcs := header.c conn.c queue.c input.c ack.c sack.c recovery.c rtt.c receive.c reassembly.c output.c timer.c \
	request.c check.c cubic.c newreno.c sock.c sock_conn.c sock_listen.c sock_cookie.c sock_fastopen.c sock_mini.c sock_input.c \
	sock_gro.c sock_send.c sock_recv.c sock_option.c sock_show.c sock_diag.c
