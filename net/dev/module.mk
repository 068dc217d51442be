module := net/dev
level := 7
headers := netdev
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs net/core net/socket
srcs := ioctl.c ethtool.c show.c
