# make test     everything that fits in about 25 minutes on 2 cores
# make test-all the same with the hours-long cases
# make check    layering, formatting, sparse, and the unit tests on the host
# T="..."       passed on to pytest: make test T="-k vi --kernels linux,aramid"

T ?=
pytest := PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -c tests/pytest.ini --rootdir=tests \
	-p no:cacheprovider

test: check all clang contract bench-programs stress-programs
	@$(pytest) $(T) tests

test-all: check all clang contract bench-programs stress-programs
	@$(pytest) --long $(T) tests

# The other compiler, without a warning too.
.PHONY: clang
clang: all
	@$(MAKE) --no-print-directory CC=clang all

check:
	@tools/check
	@$(MAKE) --no-print-directory ARCH=host unit
