# make fuzz [FUZZ="cpio inflate"] [FUZZ_SECONDS=20]   each target for so long, with clang's libFuzzer
#
# New inputs are kept in build/fuzz/corpus/TARGET and used again; tests/fuzz/corpus has the first
# ones. An input that crashes is left as build/fuzz/TARGET-crash-*; run build/fuzz/TARGET FILE.

FUZZ         ?= $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_SECONDS ?= 20

fuzz-out   := build/fuzz
fuzz-san   := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
fuzz-flags := $(filter-out -DARCH_%,$(cflags)) -DARCH_host=1 -O1 $(fuzz-san) -fno-builtin $(warn) \
	-Wno-frame-larger-than $(incs) -Itests/fuzz
fuzz-objs  := $(patsubst %.c,$(fuzz-out)/%.o,$(filter-out lib/cstring.c,$(wildcard lib/*.c)))

fuzz: setup $(addprefix $(fuzz-out)/,$(FUZZ))
	@for t in $(FUZZ); do \
		mkdir -p $(fuzz-out)/corpus/$$t; \
		$(fuzz-out)/$$t -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(fuzz-out)/$$t- -timeout=10 \
			$(fuzz-out)/corpus/$$t $$(ls -d tests/fuzz/corpus/$$t 2>/dev/null) >$(fuzz-out)/$$t.log 2>&1 || \
			{ tail -40 $(fuzz-out)/$$t.log; echo "  NOT OK  fuzz $$t"; exit 1; }; \
		echo "  ok      fuzz $$t: $$(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' $(fuzz-out)/$$t.log)"; \
	done

$(fuzz-out)/lib/%.o: lib/%.c tests/fuzz/rules.mk Makefile | $(uapi)/.stamp
	@mkdir -p $(@D)
	$(call quiet,CC,$<)clang $(fuzz-flags) -MMD -MP -c -o $@ $<

$(fuzz-out)/%: tests/fuzz/%_fuzz.c $(fuzz-objs) tests/fuzz/fuzz.h tests/fuzz/rules.mk | $(uapi)/.stamp
	$(call quiet,LD,$@)clang $(fuzz-flags) -o $@ $< $(fuzz-objs)

$(fuzz-objs): # not intermediate

-include $(fuzz-objs:.o=.d)
