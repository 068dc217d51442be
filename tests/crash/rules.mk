# make ARCH=host crash    a few hundred power cuts: all workloads of one operation, some of two and three,
#                         random ones, and failing requests. make ARCH=host crash-all: thousands.
#
# The disk's free space is filled with 0xa5 before mke2fs, so that stale data is recognised.

build/crash/%.img: tests/crash/image
	@mkdir -p $(@D)
	$(Q)tests/crash/image $* $@

ifeq ($(ARCH),host)
crash-out := build/crash
crash-os  := $(crash-out)/os.o

$(crash-out)/%.o: tests/crash/%.c tests/crash/crash.h tests/crash/rules.mk Makefile | $(gen)/.stamp
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(cflags) $(cflags-arch) $(warn) $(warn-arch) $(incs) -Itests/crash -MMD -MP -c -o $@ $<

$(crash-os): tests/crash/os.c tests/crash/rules.mk
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) -std=gnu17 -g -O1 -Wall -Wextra -Werror -D_GNU_SOURCE $(unit-san) -c -o $@ $<

$(crash-out)/crash: $(patsubst %,$(crash-out)/%.o,crash disk media observe workload) $(crash-os) $(hostlib)
	$(call quiet,LD,$@)$(CC) $(unit-san) $(ldflags-arch) -o $@ $^ $(libs-arch)

crash-images := small 4k

.PHONY: crash crash-all
crash: $(crash-out)/crash $(patsubst %,$(crash-out)/%.img,$(crash-images))
	@tests/crash/run quick

crash-all: $(crash-out)/crash $(patsubst %,$(crash-out)/%.img,$(crash-images))
	@tests/crash/run all

-include $(patsubst %,$(crash-out)/%.d,crash disk media observe workload)
endif
