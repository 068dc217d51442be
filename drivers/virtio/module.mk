module := drivers/virtio
level := 7
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/sched drivers/pci
srcs := virtio.c ring.c pci.c mmio.c
