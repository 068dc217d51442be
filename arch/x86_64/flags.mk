# Code in the last 2 GiB of the address space; no SSE, no red zone (interrupts use the stack), stacks
# aligned to 8, frame pointers for backtraces, and no turning of loops into calls of the very
# functions they implement.
cflags-arch := -ffreestanding -m64 -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-pic -fno-pie \
	-fno-asynchronous-unwind-tables -fno-stack-protector -fcf-protection=none -fno-builtin-printf \
	-Wno-address-of-packed-member \
	$(if $(findstring clang,$(CC)),-mno-implicit-float -mstack-alignment=8 \
	-Wno-gnu-variable-sized-type-not-at-end,-mpreferred-stack-boundary=3 \
	-fno-tree-loop-distribute-patterns -fno-ipa-icf)
aflags-arch := -m64 -ffreestanding -fno-pic -Wa,--noexecstack
# kernel/core/ubsan.c reports what -fsanitize=undefined finds. Not alignment: packed formats are
# read in place, and this machine allows it. Not null and wrapped pointers: user programs choose
# those that fields and elements are counted from, and an access to one faults anyway.
ifeq ($(DEBUG),1)
cflags-arch += -fsanitize=undefined -fno-sanitize=alignment,null,pointer-overflow
# lib/kasan.c is asked before each access, by calls; not by what it is built of itself, nor by those who
# look into memory that is free.
cflags-kasan := -fsanitize=kernel-address $(if $(findstring clang,$(CC)),\
	-mllvm -asan-instrumentation-with-call-threshold=0 -mllvm -asan-stack=0 -mllvm -asan-globals=0,\
	--param asan-instrumentation-with-call-threshold=0 --param asan-stack=0 --param asan-globals=0)
$(addprefix $(obj)/,lib/kasan.o lib/cstring.o kernel/kmem/kasan.o kernel/kmem/slab.o kernel/kmem/page.o): cflags-kasan :=
endif
