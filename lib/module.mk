module := lib
level := 0
deps :=
srcs := string.c errno_name.c printf.c seq_buf.c rbtree.c itree.c xarray.c bitmap.c calendar.c idalloc.c hash.c chacha20.c \
	sort.c cpio.c crc32.c sha.c checksum.c ringbuf.c inflate.c $(if $(filter x86_64,$(ARCH)),cstring.c kasan.c)
