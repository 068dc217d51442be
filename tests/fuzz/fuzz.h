/* What libFuzzer calls, and what the targets need of the C library (whose headers would clash). */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

int LLVMFuzzerTestOneInput(const u8 *data, size_t n);

int snprintf(char *buf, size_t size, const char *fmt, ...) printf_like(3, 4);
/* A property that must hold: a crash with the input kept when it does not. */
#define must_hold(condition)              \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

/* packet_stub.c: before the first packet; pages in use; packets and tables of fragments in use. */
void fuzz_memory_start(void);
u32 fuzz_frames_used(void);
extern u32 g_fuzz_objects;

#endif
