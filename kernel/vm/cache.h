/*
 * Inside the page cache: the tree of an object's pages and the tree of its mappings, in terms of
 * pages and regions.
 */
#ifndef VM_CACHE_H
#define VM_CACHE_H

#include <vm/mm.h>

#define OBJECT_LAST_INDEX (U64_MAX >> PAGE_SHIFT)

void cache_init(struct vm_object *o);
void cache_destroy(struct vm_object *o);                                     /* empty of pages */
struct page *cache_load(struct vm_object *o, u64 index);                     /* RCU held */
struct page *cache_next(struct vm_object *o, u64 *index, u64 last);          /* RCU held */
int cache_insert(struct vm_object *o, u64 index, struct page *p) must_check; /* -EEXIST -ENOMEM */
void cache_remove(struct vm_object *o, u64 index);
void cache_mark_dirty(struct vm_object *o, u64 index);
struct page *cache_next_marked(
	struct vm_object *o, u64 *index, u64 last, enum xa_mark mark); /* RCU held */

/* object.c */
struct page *object_find_next(struct vm_object *o, u64 *index, u64 last);
void object_drop_pages(struct vm_object *o, u64 first, u64 last);
int object_new_page(struct vm_object *o, u64 index, u32 gfp, struct page **out) must_check;
/* writeback.c */
void writeback_note_dirty(struct vm_object *o);
/* rmap.c: stores into the page's mappings fault from now on; it is locked. */
void object_write_protect(struct vm_object *o, u64 index);
/* False: mlocked, or somebody works on the mappings. */
bool object_try_unmap_page(struct vm_object *o, u64 index) must_check;

/* o->mappings; o->map_lock held, for writing to change it. */
void mapping_insert(struct vm_object *o, struct region *r);
void mapping_remove(struct vm_object *o, struct region *r);
struct region *mapping_first(struct vm_object *o, u64 first, u64 last);
struct region *mapping_next(struct region *r, u64 first, u64 last);
bool mapping_none(const struct vm_object *o);
void object_count_writable(struct region *r, int n); /* one more where there is one, or one less */
/* Before the first region with flags: -EPERM when writers are denied. Until _done they cannot be
 * denied; by then the region counts itself. o may be NULL. */
int object_admit_writer(struct vm_object *o, u32 flags) must_check;
void object_admit_done(struct vm_object *o, u32 flags);

#endif
