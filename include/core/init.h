/*
 * Start-up is a list of named levels; each module registers hooks at one. Within a level: link
 * order, so hooks of one level must not depend on each other. Return 0 or a negative errno, which
 * is logged (and panics at levels up to INIT_SCHED).
 */
#ifndef CORE_INIT_H
#define CORE_INIT_H

enum init_level {
	INIT_MEMORY, /* slab caches; single CPU, interrupts off */
	INIT_SCHED,  /* run queues, clocks; interrupts come on after this level */
	INIT_SMP,    /* APs start */
	INIT_CORE,   /* subsystems: vfs, page cache, pids, ... */
	INIT_FS,     /* file system types register; rootfs is mounted after this level */
	INIT_DEVICE, /* buses and drivers; devtmpfs nodes appear */
	INIT_LATE,   /* everything else before the first user program */
	NR_INIT_LEVELS,
};

struct init_hook {
	const char *name;
	int (*fn)(void);
	enum init_level level;
};
#define INIT_HOOK(level_, fn_)                                                       \
	static const struct init_hook init_hook_##fn_ __used __section("init_hooks") \
		__aligned(8) = {#fn_, fn_, level_}

/* Runs all hooks of one level in order. */
void init_run_level(enum init_level level);

/* Panics: start-up cannot go on, since `what` failed with err (negative). Names the machine's
 * memory where that is what lacked. */
noreturn void init_failed(const char *what, int err);

/* Kernel command line options "name=value" or "name"; fn gets the value ("" when none) and returns
 * 0 or -EINVAL (logged). Parsed before INIT_MEMORY. */
struct init_option {
	const char *name;
	int (*fn)(const char *value);
};
#define INIT_OPTION(name_, fn_)                                                            \
	static const struct init_option init_option_##fn_ __used __section("init_options") \
		__aligned(8) = {name_, fn_}
void init_parse_options(const char *cmdline);
/* Is there an option of this name? len: bytes of name. */
bool init_option_known(const char *name, size_t len) must_check;
/* Cut the first word of a command line (quotes "" may hold spaces and are removed): ends it with
 * NUL and returns where the next one starts, NULL at the end. */
char *init_split_word(char *word);

#endif
