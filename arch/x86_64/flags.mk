# No SSE in kernel code, no red zone (interrupts use the stack), frame pointers for backtraces, and no
# turning of loops into calls of the very functions they implement.
cflags-arch := -ffreestanding -m64 -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-pic -fno-pie \
	-fno-asynchronous-unwind-tables -fno-stack-protector -fcf-protection=none -fno-builtin-printf \
	$(if $(findstring clang,$(CC)),-mno-implicit-float -Wno-address-of-packed-member \
	-Wno-gnu-variable-sized-type-not-at-end,-fno-tree-loop-distribute-patterns -fno-ipa-icf)
aflags-arch := -m64 -Wa,--noexecstack
