# One non-recursive Makefile. Each module names its sources, level and dependencies in its
# module.mk; tools/check refuses includes that this graph does not allow.
#
#   make            build/aramid (x86_64)        make ARCH=host   build/host/libaramid.a + unit tests
#   make run        a shell of a distribution     make test        the whole suite
#   make check      lint, layering, host tests    make bench       costs beside Linux's
# Variables: ARCH=x86_64|host  DEBUG=1  CC=gcc|clang  V=1

ARCH  ?= x86_64
DEBUG ?= 0
V     ?= 0
ifeq ($(origin CC),default)
CC := gcc
endif
PYTHON  := /usr/bin/python3
VERSION := 0.1.0
Q       := $(if $(filter 1,$(V)),,@)

variant := $(ARCH)$(if $(filter 1,$(DEBUG)),-debug)$(if $(findstring clang,$(CC)),-clang)
obj     := build/obj/$(variant)
gen     := $(obj)/gen
kernel  := build/aramid$(if $(filter 1,$(DEBUG)),-debug)$(if $(findstring clang,$(CC)),-clang)
hostlib := build/$(variant)/libaramid.a

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

# ---- modules -------------------------------------------------------------------------------
# A module.mk sets: module (its path), level, deps (module paths), srcs (relative to it), headers (its
# folder in include/, when it isn't named like the module; for tools/check),
# and optionally arch (only built for that ARCH), libc-srcs (host only: built against libc).
modules :=
srcs-all :=
libc-srcs-all :=
define take_module
module :=
level :=
deps :=
srcs :=
arch :=
libc-srcs :=
include $(1)
ifneq ($$(filter $$(ARCH),$$(or $$(arch),$$(ARCH))),)
modules += $$(module)
srcs-all += $$(addprefix $$(module)/,$$(srcs))
libc-srcs-all += $$(addprefix $$(module)/,$$(libc-srcs))
endif
endef
module-mks := $(sort $(wildcard lib/module.mk arch/*/module.mk kernel/*/module.mk fs/*/module.mk \
	net/*/module.mk drivers/*/module.mk))
$(foreach m,$(module-mks),$(eval $(call take_module,$(m))))

objs      := $(patsubst %.c,$(obj)/%.o,$(filter %.c,$(srcs-all))) \
	     $(patsubst %.S,$(obj)/%.o,$(filter %.S,$(srcs-all)))
libc-objs := $(patsubst %.c,$(obj)/%.o,$(libc-srcs-all))

# ---- flags ---------------------------------------------------------------------------------
uapi := build/uapi
incs := -nostdinc -isystem $(uapi) -Iinclude -Iinclude/abi/libc -Iarch/include -Iarch/$(ARCH)/include -I$(gen)
warn := -Wall -Wextra -Werror -Wframe-larger-than=1024 -Wmissing-prototypes -Wstrict-prototypes \
	-Wundef -Wvla -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
cflags := -std=gnu17 -g -O2 -fno-strict-aliasing -fno-common -fno-omit-frame-pointer \
	-fno-delete-null-pointer-checks -ffunction-sections -fdata-sections \
	-include include/lib/types.h -DARAMID_VERSION='"$(VERSION)"' -DARCH_$(ARCH)=1
ifeq ($(DEBUG),1)
cflags += -DDEBUG=1
else
cflags += -DDEBUG=0
endif
-include arch/$(ARCH)/flags.mk
cflags-libc := -std=gnu17 -g -O1 -Wall -Wextra -Werror -D_GNU_SOURCE -Iarch/$(ARCH)/include-os

quiet = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

# ---- rules ---------------------------------------------------------------------------------
# Missing packages are installed before anything else is looked at: a prerequisite would be built beside
# the programs that need them, with -j.
ifneq ($(filter-out clean,$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell tools/setup >&2 && echo complete),complete)
$(error tools/setup failed)
endif
endif

.PHONY: all uapi clean run test test-all check bench fuzz compdb format
ifeq ($(ARCH),host)
all: $(hostlib) unit
else
all: $(kernel)
endif

$(uapi)/.stamp:
	@mkdir -p $(uapi)
	@ln -sfn /usr/include/linux $(uapi)/linux
	@ln -sfn /usr/include/x86_64-linux-gnu/asm $(uapi)/asm
	@ln -sfn /usr/include/asm-generic $(uapi)/asm-generic
	@touch $@

$(gen)/.stamp: kernel/syscall/table.def $(wildcard tools/gen/*.py) $(uapi)/.stamp
	$(call quiet,GEN,$(gen))mkdir -p $(gen) && $(PYTHON) tools/gen/syscalls.py $(gen)
	@touch $@

# Looked at anew after they were made, so that what includes them is built in the same run.
$(addprefix $(gen)/,syscalls.h syscall_kinds.h syscall_table.inc): $(gen)/.stamp ;
$(objs): | $(gen)/.stamp
.PHONY: objs
objs: $(objs)
$(objs): Makefile $(wildcard arch/$(ARCH)/flags.mk)

$(obj)/%.o: %.c
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(cflags) $(cflags-arch) $(cflags-kasan) $(warn) $(warn-arch) $(incs) -MMD -MP -c -o $@ $<

$(obj)/%.o: %.S
	@mkdir -p $(@D)
	$(call quiet,AS,$<)$(CC) $(aflags-arch) -g -D__ASSEMBLY__ $(incs) -MMD -MP -c -o $@ $<

$(libc-objs): $(obj)/%.o: %.c
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(cflags-libc) $(cflags-libc-arch) -MMD -MP -c -o $@ $<

-include $(objs:.o=.d) $(libc-objs:.o=.d)
-include arch/$(ARCH)/rules.mk
-include $(sort $(wildcard tests/rules.mk tests/*/rules.mk tools/rules.mk))

clean:
	rm -rf build
