# The kernel as a library of the host: sanitizers on (HOST_SAN= turns them off), frames may be larger
# because of them.
HOST_SAN ?= address,undefined
host-san := $(if $(HOST_SAN),-fsanitize=$(HOST_SAN) -fno-sanitize-recover=all)
cflags-arch := -fno-builtin -fno-stack-protector $(host-san)
warn-arch := -Wno-frame-larger-than $(if $(findstring clang,$(CC)),,-Wno-stringop-overflow)
cflags-libc-arch := $(host-san)
