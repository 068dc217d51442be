module := drivers/virtio_blk
level := 7
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/sched kernel/vm kernel/vfs kernel/block drivers/virtio
srcs := virtio_blk.c
