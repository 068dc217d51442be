module := kernel/kmem
level := 2
deps := lib kernel/core
srcs := boot.c buddy.c page.c reclaim.c slab.c kmalloc.c vmalloc.c kstack.c $(if $(filter x86_64,$(ARCH)),kasan.c faults.c)
