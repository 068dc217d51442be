/*
 * vm_object: the one page cache. Everything that can be read, written or mapped by offset has one:
 * regular files, block devices, shared memory. Its pages are the only copy in memory; read, write,
 * mmap, exec, writeback and journals all see the same struct page.
 *
 * States of a page in an object: inserted locked and not uptodate -> filled -> uptodate, unlocked.
 * Only uptodate pages are handed to readers. dirty is set under the page lock or by a fault holding
 * a reference; writeback excludes changes where the owner's ops say so.
 *
 * Locking: object->lock (RANK_OBJECT, interrupts stay on) guards the page tree for writers; lookups
 * are lock-free under RCU: load, ref_get_unless_zero on the page, re-check. The page lock
 * (RANK_PAGE) guards content transitions and truncation: after locking, check page->object again.
 */
#ifndef VM_OBJECT_H
#define VM_OBJECT_H

#include <kmem/page.h>
#include <lib/errseq.h>
#include <lib/xarray.h>
#include <lib/itree.h>
#include <core/refcount.h>
#include <sched/mutex.h>
#include <vm/iter.h>

struct vm_object;
struct writeback;
struct wb_control;

struct vm_object_ops {
	/* Make the locked, not uptodate page's content valid (all PAGE_SIZE bytes). Sleeps. NULL:
	 * the page is cleared. -EIO -ENOMEM. */
	int (*fill)(struct vm_object *o, struct page *p);
	/* Start reading pages that are going to be wanted: locked, not uptodate, consecutive, one
	 * reference each, all of which become the operation's. Each ends, in any context, with
	 * page_end_read. Sleeps. NULL: no readahead. */
	void (*read_pages)(struct vm_object *o, struct page **pages, u32 n);
	/* Bytes [from, to) of the page are about to be written by write() or, all of them, by a
	 * shared mapping: reserve space for them where that isn't done. It is marked dirty
	 * afterwards, before it is unlocked, if its content is valid. page locked. NULL: nothing to
	 * do. -ENOSPC -EDQUOT -EIO. */
	int (*make_writable)(struct vm_object *o, struct page *p, u32 from, u32 to);
	/* A page leaves the object (truncate, evict); PG_DIRTY as it was. page locked. NULL:
	 * nothing. */
	void (*page_gone)(struct vm_object *o, struct page *p);
	/* Start writing dirty pages, see vm/writeback.h. 0 or the first error of starting (errors
	 * of the transfer go to object_set_wb_error). Sleeps. NULL: nothing behind it. */
	int (*writeback)(struct vm_object *o, struct wb_control *wbc);
	/* Keep the owner alive while a flusher works on the object. False: it is going away. Any
	 * context; NULL: it lives as long as its struct writeback. unhold may sleep. */
	bool (*hold)(struct vm_object *o);
	void (*unhold)(struct vm_object *o);
};

struct vm_object {
	const struct vm_object_ops *ops; /* immutable */
	u64 size; /* bytes; the file's size (i_size): read atomically, written
		   * under the owner's lock (inode i_rwsem) */
	struct spinlock lock;
	struct xarray pages;        /* index -> struct page; lock for writers, RCU for readers */
	u64 nr_pages;               /* lock */
	struct itree_root mappings; /* regions that map it, by page index; map_lock */
	struct rwsem map_lock;      /* RANK_OBJECT_RESIZE: mappings; write side for truncate */
	/* RANK_OBJECT_INVALIDATE: shared while a page is brought in from storage; exclusive while
	 * its owner drops pages and frees what they were read from (truncate, punch), so that no
	 * page with stale content comes in between. */
	struct rwsem invalidate_lock;
	struct writeback *wb;     /* who writes dirty pages; NULL: nobody; immutable after set-up */
	struct list_head wb_link; /* a list of wb's; wb->lock */
	bool wb_clean;            /* stands among those that only wait for transfers; wb->lock */
	s64 dirtied_ns;           /* when it became dirty; wb->lock */
	s32 nr_writeback;         /* pages under writeback; atomic */
	void *owner;              /* e.g. struct inode; immutable */
	u32 gfp;                  /* GFP_* added when its pages are allocated; immutable */
	bool unevictable;         /* tmpfs: pages are the only copy */
	u32 wb_err;               /* errseq: I/O errors, see object_wb_error */
	s32 writable_maps;        /* atomic: shared writable regions; < 0: there may be none */
	u64 id;                   /* unique, never reused: futex keys */
};

/* No shared writable mapping from now on, for good: mmap answers -EPERM. -EBUSY: there is one. */
int object_deny_writers(struct vm_object *o) must_check;
void object_init(struct vm_object *o, const struct vm_object_ops *ops, void *owner);
/* All regions gone and nobody uses it: drop all pages. Sleeps. */
void object_destroy(struct vm_object *o);

/* Lock-free lookup; page with a reference or NULL. Content may be not uptodate. */
struct page *object_find(struct vm_object *o, u64 index);
/* Uptodate page with a reference: found, or allocated and filled. Error pointer -ENOMEM -EIO
 * -EINTR (fatal signal). OBJ_LOCK: returned locked. OBJ_NOFILL: for a caller that overwrites all of
 * it: may be not uptodate; implies OBJ_LOCK. OBJ_EXISTING: NULL rather than allocate (holes). */
#define OBJ_LOCK     1u
#define OBJ_NOFILL   2u
#define OBJ_EXISTING 4u
/* Don't bring in a page that lies wholly beyond the size: -ENXIO. */
#define OBJ_WITHIN 8u
struct page *object_get_page(struct vm_object *o, u64 index, u32 flags) must_check;

void page_lock(struct page *p);
bool page_trylock(struct page *p) must_check;
void page_unlock(struct page *p);
void page_wait_unlocked(struct page *p);
void page_wait_writeback(struct page *p);
void page_end_writeback(struct page *p); /* of page_begin_writeback; any context */
/* A read of read_pages has ended: the page becomes uptodate or stays invalid; unlocks and puts it.
 * Any context. */
void page_end_read(struct page *p, bool ok);
void page_mark_dirty(struct page *p); /* page locked or pinned by a mapping; tags the tree */

/* Read [*pos, ...) up to object->size into the iterator; holes read as zero without allocating.
 * Bytes (0 at end), or -EFAULT -EIO -ENOMEM. Advances *pos. */
ssize_t object_read(struct vm_object *o, struct iter *to, off64_t *pos) must_check;
/* A reader's stream, to tell what it will want next. Unlocked: a lost update costs speed only. */
struct readahead {
	u64 start;         /* window that was read ahead last */
	u64 prev;          /* index read last */
	u64 stride, first; /* distance and start of the last two requests that weren't sequential */
	u32 size;          /* pages in the window */
	u32 max;           /* 0: the device's; 1: none (random) */
};
/* The same with reading ahead. */
ssize_t object_read_stream(
	struct vm_object *o, struct iter *to, off64_t *pos, struct readahead *ra) must_check;
/* Bring [index, index + n) in without waiting, as far as memory is free; limited to the size. */
void object_readahead(struct vm_object *o, u64 index, u64 n);
/* Write at *pos; extends o->size. Caller holds the owner's lock (inode i_rwsem). Bytes written, or
 * an error when nothing was. */
ssize_t object_write(struct vm_object *o, struct iter *from, off64_t *pos) must_check;
/* Set the size. Unless it grows, pages beyond are unmapped everywhere and dropped, and the tail of
 * the last page is cleared. Caller holds the owner's lock. Sleeps. */
void object_truncate(struct vm_object *o, u64 new_size);
/* Drop (and unmap) all pages fully inside [start, end) bytes, clear partial edges. */
int object_punch(struct vm_object *o, u64 start, u64 end) must_check;
/* Drop the page at index, which is kept nowhere else, unless it is in use, mapped or holds anything
 * but zeros. Sleeps. */
void object_drop_zero(struct vm_object *o, u64 index);
/* Drop what is clean, unmapped and unused of pages [first, last] (POSIX_FADV_DONTNEED). Sleeps. */
void object_drop_clean(struct vm_object *o, u64 first, u64 last);
/* Is any page of [first, last] there? A snapshot. */
bool object_has_pages(struct vm_object *o, u64 first, u64 last);
/* SEEK_DATA/SEEK_HOLE by pages present: offset or -ENXIO. */
off64_t object_seek(struct vm_object *o, off64_t from, bool data);
/* Remove all mappings of pages [first, last] (indexes). even_cows: private copies too (truncate). */
void object_unmap(struct vm_object *o, u64 first, u64 last, bool even_cows);
/* errseq: record an error; a file remembers *since at open; returns a not yet reported one. */
void object_set_wb_error(struct vm_object *o, int err);
u32 object_sample_wb_error(struct vm_object *o);
int object_check_wb_error(struct vm_object *o, u32 *since) must_check;

#endif
