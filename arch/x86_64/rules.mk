# Link the kernel: once without symbols to learn the addresses, once with the symbol table that
# tools/gen/symtab.py makes of them (it follows all code, so code does not move), then strip.
# build/aramid.debug keeps the DWARF for gdb.
lds     := arch/x86_64/kernel.lds
ldflags := -m elf_x86_64 -nostdlib -static -z max-page-size=4096 -z noexecstack --build-id=none \
	--gc-sections --no-warn-rwx-segments -T $(lds)
link-dir := $(obj)/link

$(link-dir)/symtab0.S: tools/gen/symtab.py
	@mkdir -p $(@D)
	@$(PYTHON) tools/gen/symtab.py </dev/null >$@

$(link-dir)/symtab1.S: $(link-dir)/pass0 tools/gen/symtab.py
	@nm -n $< | $(PYTHON) tools/gen/symtab.py >$@

$(link-dir)/%.o: $(link-dir)/%.S
	@$(CC) -c -m64 -o $@ $<

$(link-dir)/pass0: $(objs) $(link-dir)/symtab0.o $(lds)
	$(call quiet,LINK,$@)ld $(ldflags) -o $@ $(objs) $(link-dir)/symtab0.o

$(kernel).debug: $(objs) $(link-dir)/symtab1.o $(lds)
	$(call quiet,LINK,$@)ld $(ldflags) -o $@ $(objs) $(link-dir)/symtab1.o

$(kernel): $(kernel).debug
	$(call quiet,STRIP,$@)strip -s -o $@ $<

# 32-bit code in an object of 64 bits: the compiler's text behind a .code32. clang's table of significant
# addresses (-fno-addrsig) is a directive that binutils' assembler doesn't know.
lowboot-flags := -std=gnu17 -m32 -march=i486 -Os -ffreestanding -fno-pic -fno-pie -fno-stack-protector \
	-mgeneral-regs-only -fcf-protection=none -fno-asynchronous-unwind-tables -fno-strict-aliasing \
	-include include/lib/types.h $(if $(findstring clang,$(CC)),-fno-addrsig)
$(obj)/arch/x86_64/lowboot.o: arch/x86_64/lowboot.c arch/x86_64/lowboot.h include/abi/pvh.h
	@mkdir -p $(@D)
	$(call quiet,CC32,$<)$(CC) $(lowboot-flags) $(warn) $(incs) -S -o $(@:.o=.s) $< && \
		{ echo .code32; cat $(@:.o=.s); } | as --64 -o $@ -

# The vDSO: user code, linked by itself, carried inside the kernel by kernel/vdso/image.S.
vdso-so := $(obj)/kernel/vdso/vdso.so
vdso-flags := -std=gnu17 -O2 -fPIC -ffreestanding -fno-stack-protector -fno-strict-aliasing -m64 \
	-fcf-protection=none -fasynchronous-unwind-tables -fvisibility=default -include include/lib/types.h

$(vdso-so): kernel/vdso/user/vdso.c kernel/vdso/user/vdso.lds kernel/vdso/data.h $(uapi)/.stamp
	@mkdir -p $(@D)
	$(call quiet,VDSO,$@)$(CC) $(vdso-flags) $(warn) $(incs) -nostdlib -shared \
		-Wl,-T,kernel/vdso/user/vdso.lds -Wl,-soname,linux-vdso.so.1 -Wl,--hash-style=both \
		-Wl,--eh-frame-hdr -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--build-id=none \
		-Wl,-Bsymbolic -Wl,--no-undefined -o $@.full $< && strip -S -x -o $@ $@.full

$(obj)/kernel/vdso/image.o: $(vdso-so)
$(obj)/kernel/vdso/image.o: aflags-arch += -DVDSO_FILE='"$(vdso-so)"'
