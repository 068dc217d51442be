/* Heap sort: in place, O(n log n) always, no recursion. */
#ifndef LIB_SORT_H
#define LIB_SORT_H

/* cmp: <0, 0, >0. size: bytes of an element. */
void sort_array(void *base, size_t n, size_t size, int (*cmp)(const void *a, const void *b));

#endif
