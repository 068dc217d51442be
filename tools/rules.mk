# What the tools need, and `make run`. ROOT=... and RUN="options" choose what runs.

guest-cc    := musl-gcc
guest-flags := -std=gnu17 -static -Os -s -Wall -Wextra -Werror -Wno-unused-result \
	-ffunction-sections -fdata-sections -Wl,--gc-sections

.PHONY: guest-init
guest-init: build/guest/init

build/guest/init: tools/guest/init.c tools/guest/net.c tools/guest/net.h tools/guest/protocol.h tools/rules.mk | $(uapi)/.stamp
	@mkdir -p $(@D)
	$(call quiet,CC,$@)$(guest-cc) $(guest-flags) -idirafter $(uapi) -o $@ $(filter %.c,$^)

ifneq ($(ARCH),host)
all: build/guest/init
endif

ROOT ?= default
RUN  ?=

# What a shell that was ended with a status leaves behind is no error of make's.
run: all
	@tools/aramid run $(RUN) $(ROOT); s=$$?; case $$s in 97|124|125) exit $$s;; esac

# compile_commands.json, for clangd and for tools/check's sparse run.
define compdb-text
$(CC) $(cflags) $(cflags-arch) $(warn) $(incs)
$(filter %.c,$(srcs-all))
$(CC) $(cflags-libc) $(cflags-libc-arch)
$(libc-srcs-all)
endef

# Written by every build, and only when it changes: another ARCH, CC or DEBUG, other sources or flags.
.PHONY: always
build/compdb: always
	@mkdir -p build
	$(file >build/compdb.new,$(compdb-text))
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

compile_commands.json: build/compdb tools/gen/compdb.py
	@$(PYTHON) tools/gen/compdb.py $< $@

compdb: compile_commands.json $(gen)/.stamp
all: compile_commands.json

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i
