/*
 * A small frame for unit tests on the host. A test file includes this and kernel headers only:
 *
 *	UNIT(a_list_keeps_its_order)
 *	{
 *		EXPECT_EQ(list_empty(&l), true);
 *	}
 *
 * The C library's headers would clash with the kernel's; what tests need of it stands here, done in
 * unit_os.c. A failed expectation is printed with what was expected and what was found, and the
 * test goes on; the program ends with 1.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

struct unit_test {
	const char *name;
	void (*run)(void);
	struct unit_test *next;
};

#define UNIT(test)                                                          \
	static void unit_##test(void);                                      \
	__attribute__((constructor)) static void unit_register_##test(void) \
	{                                                                   \
		static struct unit_test t = {#test, unit_##test, NULL};     \
		unit_register(&t);                                          \
	}                                                                   \
	static void unit_##test(void)

/* Both sides are compared as 64-bit integers (pointers as their addresses). */
#define EXPECT_EQ(got, want)     unit_expect_eq((u64)(got), (u64)(want), #got, __FILE__, __LINE__)
#define EXPECT(condition)        unit_expect((condition), #condition, __FILE__, __LINE__)
#define EXPECT_STR(got, want)    unit_expect_str((got), (want), #got, __FILE__, __LINE__)
#define EXPECT_MEM(got, want, n) unit_expect_mem((got), (want), (n), #got, __FILE__, __LINE__)

extern const u64 unit_ram __attribute__((weak)); /* bytes; a test file may define it */
void unit_register(struct unit_test *t);
bool unit_expect(bool ok, const char *what, const char *file, int line);
bool unit_expect_eq(u64 got, u64 want, const char *what, const char *file, int line);
bool unit_expect_str(
	const char *got, const char *want, const char *what, const char *file, int line);
bool unit_expect_mem(
	const void *got, const void *want, size_t n, const char *what, const char *file, int line);

/* Random numbers that are the same in each run; UNIT_SEED=N in the environment chooses others. */
u64 unit_random(void);
static inline u64 unit_random_below(u64 n)
{
	return unit_random() % n;
}
void unit_random_bytes(void *p, size_t n);

/* Memory from the C library, so that the sanitizers see its ends; zeroed; ends the run when out. */
void *unit_alloc(size_t n);
void unit_free(void *p);
/* The C library's formatting, to compare with. */
int unit_snprintf(char *buf, size_t size, const char *fmt, ...) printf_like(3, 4);
/* data through a shell command ("gzip -9"); the result is unit_alloc'ed; 0 bytes when it failed. */
u8 *unit_filter(const char *command, const void *data, size_t n, size_t *out_n);

#endif
