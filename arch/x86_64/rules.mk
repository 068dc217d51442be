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
