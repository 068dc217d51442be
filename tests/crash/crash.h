/*
 * Power cuts in a simulation: a workload runs on a file system whose disk remembers every write and
 * flush; then each state that the disk may be in after a cut is mounted and compared with what the
 * workload was promised.
 */
#ifndef TESTS_CRASH_H
#define TESTS_CRASH_H

#include <block/block.h>
#include <vfs/file.h>

/* ---- os.c: built with the C library ------------------------------------------------------------ */

void *os_load(const char *path, u64 *size);                 /* NULL: cannot be read */
int os_store(const char *path, const void *data, u64 size); /* 0 or -1 */
int os_run(const char *command, char *output, u64 size);    /* exit status, or -1 */
void *os_alloc(u64 n);                                      /* zeroed; ends the run when out */
void os_free(void *p);
void os_say(const char *format, ...) printf_like(1, 2); /* standard output, flushed */
int os_format(char *buf, u64 size, const char *format, ...) printf_like(3, 4);
u64 os_now_ms(void);
noreturn void os_quit(int status);
/* Ends the run with a message when step doesn't end within seconds (a hang). 0: off. */
void os_watchdog(u32 seconds);
u64 os_setting(const char *name, u64 otherwise); /* number from the environment */
const char *os_setting_text(const char *name, const char *otherwise);

/* ---- disk.c: a disk that remembers
 * ---------------------------------------------------------------- */

enum log_kind { LOG_WRITE, LOG_FLUSH };
struct log_entry {
	enum log_kind kind;
	bool fua;
	u64 sector;
	u32 sectors;
	u8 *data;
};

struct crash_disk {
	struct disk disk;
	u8 *content; /* what a read sees */
	u8 *base;    /* what it held, durably, when logging began */
	u64 size;    /* bytes */
	struct log_entry *log;
	u32 nr_log, max_log;
	bool logging;
	/* Fault plan: request number (from 1) from which, and how many, fail; 0: none. */
	u64 requests, fail_from, fail_count;
	bool fail_reads;
	struct completion released;
};

/* A disk with a copy of image: /dev/NAME appears. NULL: failed. */
struct crash_disk *crash_disk_create(const char *name, const void *image, u64 size);
void crash_disk_log(struct crash_disk *d); /* from now on */
void crash_disk_destroy(struct crash_disk *d);

/* ---- workload.c: operations and what they promise
 * --------------------------------------------------- */

#define MAX_OPS 64

struct op; /* one call with its arguments */
u32 ops_count(void);
const char *op_name(u32 op);
/* Does it promise something (fsync, ...)? */
bool op_persists(u32 op);

struct workload {
	u32 n;
	u32 ops[MAX_OPS];
	u32 started[MAX_OPS], done[MAX_OPS]; /* log length before and after */
	bool failed[MAX_OPS];
};
/* Run it under /mnt, note log positions, and build the model of states. 0, or the first error. */
int workload_run(struct workload *w, const struct crash_disk *d);
/* Compare the tree under /mnt, recovered from a cut when the log was at entries long, with the
 * model. Complaints go to text. True: nothing promised is missing. */
bool workload_check(const struct workload *w, u32 entries, char *text, u64 size);
void workload_forget(void); /* the model's memory */

#endif
