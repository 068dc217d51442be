module := net/inet
level := 7
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs net/core net/socket \
	net/netlink net/dev
srcs := addr.c addrconf.c arp.c cmsg.c dev.c diag.c diag_filter.c error.c fib.c fragment.c icmp4.c icmp6.c ifaddr.c igmp.c ioctl.c ipconfig.c \
	input4.c input6.c mc_dev.c mc_sock.c mem.c mib.c mld.c ndp.c neigh.c net.c nl_addr.c nl_neigh.c nl_route.c nl_rule.c option4.c option6.c \
	output.c path.c ports.c reassemble.c record.c route.c rule.c show.c sock.c sysctl.c sysctl_dev.c table.c transport.c trie.c
