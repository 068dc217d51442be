module := drivers/rtc
level := 7
arch := x86_64
deps := lib kernel/core kernel/sched kernel/cred kernel/vfs
srcs := rtc.c
