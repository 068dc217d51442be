module := drivers/pci
level := 7
arch := x86_64
deps := lib kernel/core kernel/kmem kernel/sched
srcs := pci.c msix.c
