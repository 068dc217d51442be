module := fs/procfs
level := 7
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs kernel/block kernel/process kernel/ipc kernel/sysv \
	kernel/device kernel/tty net/core net/dev net/socket net/unix net/netlink net/packet net/inet net/udp net/tcp net/raw fs/mqueue
srcs := tree.c gen.c pid.c pid_stat.c pid_maps.c pid_mem.c pid_fd.c pid_sched.c pid_ns.c pid_files.c pid_timers.c global.c sysctl.c sysfs.c \
	sysblock.c sysnet.c sysinet.c sysinetdev.c net.c number.c sysvipc.c
