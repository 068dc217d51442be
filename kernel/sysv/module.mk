module := kernel/sysv
level := 6
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/cred kernel/vfs kernel/process
srcs := table.c shm.c shm_map.c sem.c sem_ctl.c sem_undo.c msg.c msg_ctl.c
