# Contract tests: one static binary per area and C library, build/contract/{glibc,musl}/AREA.
# An area is a folder of tests/contract with .c files; `make contract` builds them all.

contract-dir   := tests/contract
contract-areas := $(sort $(filter-out harness,$(notdir $(patsubst %/,%,$(dir \
	$(wildcard $(contract-dir)/*/*.c))))))
contract-bins  := $(foreach l,glibc musl,$(addprefix build/contract/$(l)/,$(contract-areas)))
contract-cc-glibc := gcc
contract-cc-musl  := musl-gcc -idirafter $(uapi)
contract-flags := -std=gnu17 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -fno-strict-aliasing \
	-fno-builtin-fork -Wno-nonnull -Wno-stringop-overflow -Wno-stringop-overread \
	-Wno-array-bounds -static -pthread -I$(contract-dir)/harness

.PHONY: contract
contract: $(contract-bins)

define contract_area
build/contract/$(1)/$(2): $(wildcard $(contract-dir)/$(2)/*.c $(contract-dir)/harness/*.[ch]) \
		$(contract-dir)/rules.mk | $(uapi)/.stamp
	@mkdir -p $$(@D)
	$$(call quiet,CC,$$@)$(contract-cc-$(1)) $(contract-flags) -DAREA='"$(2)"' -o $$@ \
		$$(filter %.c,$$^) $$(if $$(filter glibc,$(1)),-lrt)
endef
$(foreach l,glibc musl,$(foreach a,$(contract-areas),$(eval $(call contract_area,$(l),$(a)))))
