module := kernel/vdso
level := 8
arch := x86_64
deps := lib kernel/core kernel/sched kernel/vm kernel/process
srcs := vdso.c image.S
