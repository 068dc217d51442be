# One object out of all, so that a program that uses anything of it gets the whole kernel with its
# tables of init hooks.
$(obj)/aramid.o: $(objs) $(libc-objs)
	$(call quiet,LINK,$@)ld -r -o $@ $^

$(hostlib): $(obj)/aramid.o
	@mkdir -p $(@D)
	$(call quiet,AR,$@)rm -f $@ && ar rcs $@ $<
