# make fuzz [FUZZ="cpio inflate"] [FUZZ_SECONDS=20]   each target for so long, with clang's libFuzzer
#
# make fuzz-kernel: the same for targets that need the whole kernel (file systems).
# New inputs are kept in build/fuzz/corpus/TARGET and used again; tests/fuzz/corpus has the first
# ones. An input that crashes is left as build/fuzz/TARGET-crash-*; run build/fuzz/TARGET FILE.

FUZZ         ?= $(patsubst tests/fuzz/%_fuzz.c,%,$(filter-out %_kernel_fuzz.c,$(wildcard tests/fuzz/*_fuzz.c)))
FUZZ_SECONDS ?= 20

fuzz-out   := build/fuzz
fuzz-san   := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
fuzz-flags := $(filter-out -DARCH_%,$(cflags)) -DARCH_host=1 -O1 $(fuzz-san) -fno-builtin $(warn) \
	-Wno-frame-larger-than $(incs) -Itests/fuzz
fuzz-objs  := $(patsubst %.c,$(fuzz-out)/%.o,$(filter-out lib/cstring.c,$(wildcard lib/*.c)))

fuzz: $(addprefix $(fuzz-out)/,$(FUZZ))
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

# A protocol's machine with packets, but without the kernel around it.
fuzz-net-objs := $(patsubst %.c,$(fuzz-out)/%.o,$(filter-out net/tcp/sock%,$(wildcard net/tcp/*.c)) \
	$(addprefix net/core/,packet.c copy.c sum.c) tests/fuzz/packet_stub.c)

fuzz-net-flags := $(subst arch/$(ARCH)/include,arch/host/include,$(fuzz-flags))

$(fuzz-net-objs): $(fuzz-out)/%.o: %.c tests/fuzz/rules.mk Makefile | $(uapi)/.stamp
	@mkdir -p $(@D)
	$(call quiet,CC,$<)clang $(fuzz-net-flags) -MMD -MP -c -o $@ $<

$(fuzz-out)/tcp: tests/fuzz/tcp_fuzz.c $(fuzz-net-objs) $(fuzz-objs) tests/fuzz/fuzz.h tests/fuzz/rules.mk | $(uapi)/.stamp
	$(call quiet,LD,$@)clang $(fuzz-net-flags) -o $@ $< $(fuzz-net-objs) $(fuzz-objs)

$(fuzz-out)/%: tests/fuzz/%_fuzz.c $(fuzz-objs) tests/fuzz/fuzz.h tests/fuzz/rules.mk | $(uapi)/.stamp
	$(call quiet,LD,$@)clang $(fuzz-flags) -o $@ $< $(fuzz-objs)

$(fuzz-objs) $(fuzz-net-objs): # not intermediate

# Targets that need the whole kernel: NAME_kernel_fuzz.c with the host library built for the fuzzer.
FUZZ_KERNEL     ?= $(patsubst tests/fuzz/%_kernel_fuzz.c,%,$(wildcard tests/fuzz/*_kernel_fuzz.c))
fuzz-kernel-lib := $(fuzz-out)/kernel/libaramid.a
fuzz-images     := small 4k ext3 ext2

.PHONY: fuzz-kernel
fuzz-kernel: $(patsubst %,build/crash/%.img,$(fuzz-images)) $(patsubst %,$(fuzz-out)/%-kernel,$(FUZZ_KERNEL))
	@for t in $(FUZZ_KERNEL); do \
		mkdir -p $(fuzz-out)/corpus/$$t-kernel; \
		ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:symbolize=0 $(fuzz-out)/$$t-kernel \
			-max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(fuzz-out)/$$t-kernel- -timeout=20 -rss_limit_mb=4096 \
			-max_len=400 -detect_leaks=0 -print_funcs=0 -print_pcs=0 -entropic=0 $(fuzz-out)/corpus/$$t-kernel >$(fuzz-out)/$$t-kernel.log 2>&1 || \
			{ tail -60 $(fuzz-out)/$$t-kernel.log; echo "  NOT OK  fuzz $$t (kernel)"; exit 1; }; \
		echo "  ok      fuzz $$t (kernel): $$(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' $(fuzz-out)/$$t-kernel.log)"; \
	done

# One sub-make: the same objects under another name and with other flags. There the library has its
# ordinary rule. Comparisons aren't traced: that costs a third and finds little in structures with checksums.
ifneq ($(hostlib),$(fuzz-kernel-lib))
.PHONY: $(fuzz-kernel-lib)
$(fuzz-kernel-lib):
	$(Q)$(MAKE) -s ARCH=host CC="clang -fsanitize-coverage=inline-8bit-counters,pc-table" \
		obj=$(fuzz-out)/kernel hostlib=$@ $@
endif

$(fuzz-out)/%-kernel: tests/fuzz/%_kernel_fuzz.c tests/crash/disk.c tests/crash/media.c tests/crash/crash.h $(fuzz-kernel-lib) tests/crash/os.c
	$(call quiet,LD,$@)clang -std=gnu17 -g -O1 -D_GNU_SOURCE -fsanitize=address,undefined -c -o $(fuzz-out)/crash_os.o tests/crash/os.c
	$(Q)for f in $< tests/crash/disk.c tests/crash/media.c; do \
		clang $(filter-out -DARCH_%,$(cflags)) -DARCH_host=1 -fno-builtin -fno-stack-protector -O1 \
			-fsanitize=address,undefined $(warn) -Wno-frame-larger-than -nostdinc \
			-isystem $(uapi) -Iinclude -Iinclude/abi/libc -Iarch/include -Iarch/host/include -I$(fuzz-out)/kernel/gen \
			-Itests/crash -c -o $(fuzz-out)/$$(basename $$f .c).o $$f || exit 1; done
	$(Q)clang -fsanitize=address,undefined $(ldflags-arch) -o $@ $(fuzz-out)/$*_kernel_fuzz.o $(fuzz-out)/disk.o $(fuzz-out)/media.o \
		$(fuzz-out)/crash_os.o $(fuzz-kernel-lib) \
		-Wl,--whole-archive $$(clang --print-file-name=libclang_rt.fuzzer_no_main-x86_64.a) -Wl,--no-whole-archive -lstdc++ -lm

-include $(fuzz-objs:.o=.d) $(fuzz-net-objs:.o=.d)
