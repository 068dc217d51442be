# make bench: costs beside Linux's; writes docs/benchmarks.md and docs/benchmarks.svg.
# B="--boots 5 --rows getpid,fork_exit_wait" is passed on; see tests/bench/run.py --help.

bench-dir   := tests/bench
bench-root  := build/bench/root
bench-flags := -std=gnu17 -O2 -Wall -Wextra -Werror -Wno-missing-field-initializers -static -pthread
B ?=

$(bench-root)/bin/bench: $(addprefix $(bench-dir)/,main.c call.c ipc.c memory.c process.c file.c storage.c \
		bench.h)
	@mkdir -p $(@D)
	$(call quiet,CC,$@)gcc $(bench-flags) -I$(bench-dir) -o $@ $(filter %.c,$^)

$(bench-root)/bin/true-glibc: $(bench-dir)/true.c
	@mkdir -p $(@D)
	$(call quiet,CC,$@)gcc $(bench-flags) -o $@ $<

$(bench-root)/bin/true-asm: $(bench-dir)/true.S
	@mkdir -p $(@D)
	$(call quiet,AS,$@)gcc -static -nostdlib -o $@ $<

build/bench/init: $(bench-dir)/init.S
	@mkdir -p $(@D)
	$(call quiet,AS,$@)gcc -static -nostdlib -o $@ $<

$(bench-root)/bin/busybox:
	@mkdir -p $(@D)
	@mkdir -p $(addprefix $(bench-root)/,dev proc sys tmp)
	@cp /bin/busybox $@
	@ln -sf busybox $(@D)/sh && ln -sf busybox $(@D)/true

.PHONY: bench-programs
bench-programs: $(addprefix $(bench-root)/bin/,bench true-glibc true-asm busybox) build/bench/init

bench: all bench-programs
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/bench/run.py $(B)
