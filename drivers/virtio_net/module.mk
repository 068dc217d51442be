module := drivers/virtio_net
level := 7
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/sched net/core drivers/virtio
srcs := device.c rx.c tx.c control.c
