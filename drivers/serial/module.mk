module := drivers/serial
level := 7
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/sched kernel/tty
srcs := uart.c ports.c
