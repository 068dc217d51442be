module := kernel/cred
level := 4
deps := lib kernel/core kernel/kmem kernel/sched
srcs := cred.c user.c change.c
