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

void *os_load(const char *path, u64 *size); /* NULL: cannot be read */
/* A new file of size bytes and its content in memory, each a view of the other. Ends the run
 * without. */
void *os_file_memory(const char *path, u64 size);
/* A program, found by PATH, with its output and errors: exit status, or -1. */
int os_run(const char *const argv[], char *output, u64 size);
void *os_alloc(u64 n); /* zeroed; ends the run when out */
void os_free(void *p);
void os_say(const char *format, ...) printf_like(1, 2); /* standard output, flushed */
int os_format(char *buf, u64 size, const char *format, ...) printf_like(3, 4);
u64 os_now_ms(void);
noreturn void os_quit(int status);
/* Ends the run with a message when step doesn't end within seconds (a hang). 0: off. */
void os_watchdog(u32 seconds);
u64 os_setting(const char *name, u64 otherwise); /* number from the environment */
const char *os_setting_text(const char *name, const char *otherwise);

/* ---- media.c: what a disk holds ---------------------------------------------------------------- */

#define MEDIA_CHUNK 4096u

/*
 * The content of a disk, most of which is that of an image. Copies, comparisons and a start from
 * the image cost as much as was written, not as much as there is.
 */
struct media {
	u8 *bytes;
	const u8 *image; /* of the same size; never changes */
	u64 size;        /* bytes */
	u64 *touched;    /* a bit for each chunk that may differ from the image */
	/* Sums over sectors of a hash of number and content, less the image's: equal contents have
	 * equal sums. `hash_fs` leaves the journal's log out, which nobody looks at when there is
	 * nothing to recover. */
	u64 hash, hash_fs;
	bool unhashed;        /* nobody asks for them: they stay 0 */
	u64 log_from, log_to; /* sectors of the log, its super block not among them */
	const char *path;     /* the same bytes for other programs; NULL: none */
};

/* At path, when that isn't NULL. The image is ext2/3/4 and stays. */
struct media *media_create(const u8 *image, u64 size, const char *path);
void media_reset(struct media *m);
void media_copy(struct media *to, const struct media *from); /* of one image */
void media_write(struct media *m, u64 sector, const void *data, u64 sectors);
void media_poke(struct media *m, u64 offset, const void *data, u32 n); /* any bytes */
/* Someone else may have written to the file. */
void media_rescan(struct media *m);

/* Numbers that were put in before. */
struct number_set {
	u64 *slots;
	u64 nr, size;
};
/* True when it is new. */
bool set_add(struct number_set *s, u64 number);
bool set_has(const struct number_set *s, u64 number);

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
	struct media *media;
	struct log_entry *log;
	u32 nr_log, max_log;
	bool logging;
	/* Fault plan: request number (from 1) from which, and how many, fail; 0: none. */
	u64 requests, fail_from, fail_count;
	bool fail_reads, failed; /* failed: one did */
	bool fail_memory;        /* it is an allocation that fails */
	struct completion released;
};

/* A disk with that content, which it changes: /dev/NAME appears. NULL: failed. */
struct crash_disk *crash_disk_create(const char *name, struct media *media);
void crash_disk_log(struct crash_disk *d); /* from now on */
/* Has a request, or the allocation, failed? */
bool crash_disk_failed(const struct crash_disk *d);
void crash_disk_destroy(struct crash_disk *d);

/* ---- observe.c: what a mounted file system shows ----------------------------------------------- */

#define MAX_NAMES 12
#define MAX_SIZE  20000
#define MAX_PATH  48

struct observation {
	int err; /* of listing or reading; the rest counts only without one */
	u32 n;
	struct observed {
		char path[MAX_PATH];
		bool dir;
		u32 nlink;
		u32 size; /* at most MAX_SIZE + 1 is looked at */
		u8 *data;
	} names[MAX_NAMES * 2];
};
/* All below /mnt. */
struct observation *observe(void);
void observation_free(struct observation *o);
/* Do they show the same, whatever the order? */
bool observation_same(const struct observation *a, const struct observation *b);

/* ---- workload.c: operations and what they promise
 * --------------------------------------------------- */

#define MAX_OPS 64

struct op; /* one call with its arguments */
u32 ops_count(void);
u32 ops_enumerated(void); /* those before the ones of random workloads only */
const char *op_name(u32 op);
/* Does it promise something (fsync, ...)? */
bool op_persists(u32 op);

struct workload {
	u32 n;
	u32 ops[MAX_OPS];
	u32 started[MAX_OPS], done[MAX_OPS]; /* log length before and after */
	bool failed[MAX_OPS];
};
enum stop { GO_ON, STOP_AT_ERROR, STOP_AT_FAULT };
/* Run it under /mnt, note log positions, and build the model of states. 0, or the first error. It
 * ends at the first error, or at the first one that a fault may have made, or not. */
int workload_run(struct workload *w, const struct crash_disk *d, enum stop stop);
/* Compare what a recovery from a cut has shown, when the log was at entries long, with the model.
 * Complaints go to text. True: nothing promised is missing. */
bool workload_check(const struct workload *w, u32 entries, const struct observation *seen,
	char *text, u64 size);
void workload_forget(void); /* the model's memory */

#endif
