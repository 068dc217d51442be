/* Looking at page tables from outside, for /proc/PID. */
#ifndef VM_PAGEMAP_H
#define VM_PAGEMAP_H

#include <vm/mm.h>

/* The entries of /proc/PID/pagemap for n pages from addr; frames: with their numbers. -EINTR. */
int mm_pagemap(struct mm *mm, unsigned long addr, size_t n, bool frames, u64 *out) must_check;
/* No page of the chosen regions counts as used any more, until it is used again. -EINTR. */
int mm_clear_references(struct mm *mm, bool anonymous, bool files) must_check;
/* The peak of resident pages begins anew. */
void mm_reset_hiwater(struct mm *mm);

#endif
