# make ARCH=host unit     unit tests under ASan and UBSan; one line each; fails when one is red
#
# tests/unit/lib/NAME_test.c   level 0 only: built from lib's sources alone, needs no arch
# tests/unit/NAME_test.c       linked with the whole kernel as a host library
# One test of one program by hand: build/unit/lib/NAME_test TEST

ifeq ($(ARCH),host)
unit-out   := build/unit$(if $(findstring clang,$(CC)),-clang)
unit-san   := -fsanitize=address,undefined -fno-sanitize-recover=all
unit-flags := $(cflags) $(unit-san) -fno-builtin $(warn) -Wno-frame-larger-than $(incs) -Itests/unit
unit-env   := ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1

unit-lib-srcs  := $(wildcard tests/unit/lib/*_test.c)
unit-lib-tests := $(patsubst tests/unit/%.c,$(unit-out)/%,$(unit-lib-srcs))
unit-lib-objs  := $(patsubst %.c,$(unit-out)/%.o,$(filter-out lib/cstring.c,$(wildcard lib/*.c)))

unit-host-srcs  := $(if $(wildcard arch/host/flags.mk),$(wildcard tests/unit/*_test.c))
unit-host-tests := $(patsubst tests/unit/%.c,$(unit-out)/%,$(unit-host-srcs))

.PHONY: unit
unit: $(unit-lib-tests) $(unit-host-tests)
	@bad=0; for t in $^; do $(unit-env) $$t || bad=1; done; exit $$bad

$(unit-out)/lib/%.o: lib/%.c tests/unit/rules.mk Makefile | $(uapi)/.stamp
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(unit-flags) -MMD -MP -c -o $@ $<

# The kernel's own memcpy and so on, as own_memcpy: the names belong to the C library here.
unit-own := memcpy memmove memset memcmp memchr strlen strnlen strcmp strncmp strchr strrchr strstr \
	strspn strcspn

$(unit-out)/lib/cstring_own.o: $(unit-out)/lib/cstring.o
	$(Q)objcopy $(foreach f,$(unit-own),--redefine-sym $(f)=own_$(f)) $< $@

$(unit-out)/lib/string_test: $(unit-out)/lib/cstring_own.o

$(unit-out)/lib/%_test.o: tests/unit/lib/%_test.c tests/unit/rules.mk Makefile | $(uapi)/.stamp
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(unit-flags) -MMD -MP -c -o $@ $<

$(unit-out)/%_test.o: tests/unit/%_test.c tests/unit/rules.mk Makefile | $(gen)/.stamp
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(cflags) $(cflags-arch) $(warn) $(warn-arch) $(incs) -Itests/unit -MMD -MP -c -o $@ $<

$(unit-out)/unit_os.o: tests/unit/unit_os.c tests/unit/rules.mk
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) -std=gnu17 -g -O1 -Wall -Wextra -Werror -D_GNU_SOURCE $(unit-san) -c -o $@ $<

$(unit-lib-tests): %: %.o $(unit-lib-objs) $(unit-out)/unit_os.o
	$(call quiet,LD,$@)$(CC) $(unit-san) -o $@ $^

$(unit-host-tests): %: %.o $(hostlib) $(unit-out)/unit_os.o
	$(call quiet,LD,$@)$(CC) $(unit-san) $(ldflags-arch) -o $@ $< $(unit-out)/unit_os.o $(hostlib) $(libs-arch)

-include $(unit-lib-objs:.o=.d) $(unit-lib-tests:=.d) $(unit-host-tests:=.d)
endif
