# The stress program and the small one that it starts, as a root file system.

build/stress/root/bin/stress: tests/stress/stress.c
	@mkdir -p $(@D)
	$(call quiet,CC,$@)gcc -std=gnu17 -O2 -Wall -Wextra -Werror -static -pthread -o $@ $<

build/stress/root/bin/true-asm: tests/bench/true.S
	@mkdir -p $(@D)
	$(call quiet,AS,$@)gcc -static -nostdlib -o $@ $<

.PHONY: stress-programs
stress-programs: build/stress/root/bin/stress build/stress/root/bin/true-asm

build/stress/root/bin/exhaust: tests/stress/exhaust.c
	@mkdir -p $(@D) build/stress/root/tmp && chmod 1777 build/stress/root/tmp
	$(call quiet,CC,$@)gcc -std=gnu17 -O2 -Wall -Wextra -Werror -static -o $@ $<

stress-programs: build/stress/root/bin/exhaust

build/stress/%_init: tests/stress/%_init.c
	@mkdir -p $(@D)
	$(call quiet,CC,$@)gcc -std=gnu17 -O2 -Wall -Wextra -Werror -static -o $@ $<

stress-programs: build/stress/busy_init build/stress/idle_init

build/stress/root/bin/fsops: tests/stress/fsops.c
	@mkdir -p $(@D)
	$(call quiet,CC,$@)gcc -std=gnu17 -O2 -Wall -Wextra -Werror -Wno-sign-compare -static -o $@ $<

stress-programs: build/stress/root/bin/fsops

build/stress/root/bin/traced: tests/stress/traced.c
	@mkdir -p $(@D)
	$(call quiet,CC,$@)gcc -std=gnu17 -O2 -Wall -Wextra -Werror -Wno-nonnull -static -o $@ $<

stress-programs: build/stress/root/bin/traced
