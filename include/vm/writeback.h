/*
 * Writeback: dirty pages of objects on their way to storage.
 *
 * A struct writeback belongs to one device (or file system without one). Objects with dirty pages
 * stand on its list in the order in which they became dirty; its thread writes those that are old
 * (vm.dirty_expire_centisecs), or all when too much of memory is dirty (vm.dirty_background_ratio),
 * a chunk of each in turn. Writers wait in balance_dirty when they outrun it (vm.dirty_ratio).
 *
 * An object leaves the lists when it has neither dirty pages nor pages under writeback, and only
 * while its writer holds `turn`: a sync, which takes `turn`, finds everything that it must wait
 * for. What its owner writes because it goes away itself is counted as leaving, and a sync waits
 * for that, too.
 *
 * A page under writeback is stable: whoever wants to change it waits (page_wait_writeback under
 * the page lock), and its mappings are read-only, so that the next store faults and asks the owner.
 */
#ifndef VM_WRITEBACK_H
#define VM_WRITEBACK_H

#include <sched/mutex.h>
#include <vm/object.h>

struct wb_control {
	u64 start, end; /* page indexes, end inclusive */
	long nr;        /* pages still to write; the op counts down and stops at 0 */
	bool sync;      /* integrity: no dirty page is left out, earlier writes are waited for */
};

struct writeback {
	const char *name;     /* immutable: device name */
	u32 ra_pages;         /* default readahead window, pages; atomic */
	struct spinlock lock; /* RANK_OBJECT: lists */
	struct mutex turn; /* RANK_WRITEBACK: writing objects of the lists, settling where they go */
	struct list_head dirty;  /* objects, oldest first */
	struct list_head more;   /* old ones that have had a chunk written and have more */
	struct list_head clean;  /* no dirty pages, some under writeback */
	struct list_head unheld; /* whose owners go away and care for the pages themselves */
	u32 nr_leaving[2];       /* lock: owners at that, by the value of epoch when they began */
	u32 epoch;               /* lock: 0 or 1; changed under turn */
	struct wait_queue left;  /* of syncs for the above */
	bool more_next;          /* turn: `more` has its turn before `dirty` */
	struct thread *thread;   /* immutable */
	struct wait_queue wait;  /* of the thread */
	u32 work;                /* WB_*; atomic */
	u64 written;             /* pages, statistics; atomic */
	struct completion done;  /* thread has ended */
	struct list_head link;   /* all of them */
};

/* With its thread. NULL: no memory. Sleeps. */
struct writeback *writeback_create(const char *name) must_check;
void writeback_destroy(struct writeback *wb); /* all its objects are clean or gone; sleeps */
void writeback_start(struct writeback *wb);   /* write everything dirty soon; any context */
void writeback_start_all(void);
/* Write everything that is dirty now; wait: until it is on the device. Sleeps. First error of
 * starting. */
int writeback_sync(struct writeback *wb, bool wait);

/* The owner of o goes away: off the list. It has no users left, so nobody dirties it again; what
 * the owner still writes until the end, with what this returned, a sync waits for. Sleeps: waits
 * for its pages under writeback. */
#define NOT_LEAVING (-1)
int object_begin_leaving(
	struct vm_object *o) must_check; /* NOT_LEAVING: there is nothing to wait for */
void object_end_leaving(struct vm_object *o, int token);
/* Start (and wait for) writing of what is dirty in bytes [start, end]; end inclusive, U64_MAX: to
 * the end. The error of starting; errors of the transfer: object_check_wb_error. Sleeps. */
int object_write_range(struct vm_object *o, u64 start, u64 end, bool wait);
int object_wait_range(struct vm_object *o, u64 start, u64 end);
bool object_is_dirty(const struct vm_object *o);

/* For ops->writeback: the next dirty page of [*index, wbc->end], locked and referenced, not under
 * writeback; *index is its index. NULL: none left. Without sync, pages under writeback or locked
 * are passed over. */
struct page *object_next_dirty(struct vm_object *o, u64 *index, struct wb_control *wbc) must_check;
/* p is locked and dirty: now clean and under writeback; stores into its mappings fault. */
void page_begin_writeback(struct page *p);
/* p, locked, became clean by another way (its content went elsewhere). */
void page_clear_dirty(struct page *p);

/* The caller has dirtied pages, of objects of wb (NULL: of any): may sleep until the flusher has
 * caught up. No locks held. */
void balance_dirty(struct writeback *wb);
/* The same where locks may be held that a file system needs to write, as while the kernel stores
 * into a user's mapping: at most one pause for each piece dirtied. Sleeps. */
void balance_dirty_briefly(void);
u64 dirty_limit_pages(void); /* above it writers wait */
/* They wait now. A thread that cleans pages for others (thread->cleans_pages) doesn't, and writes
 * its own out instead. */
bool dirty_over_limit(void);

/* vm.* sysctls; atomic */
extern u32 g_dirty_ratio, g_dirty_background_ratio; /* percent */
extern u64 g_dirty_bytes, g_dirty_background_bytes; /* 0: by ratio */
extern u32 g_dirty_expire_centisecs, g_dirty_writeback_centisecs;

#endif
