/* Heap sort. */
#include <lib/sort.h>

static void swap_bytes(u8 *a, u8 *b, size_t size)
{
	for (size_t i = 0; i < size; i++)
		swap(a[i], b[i]);
}

static void sift_down(
	u8 *base, size_t root, size_t n, size_t size, int (*cmp)(const void *, const void *))
{
	for (size_t child; (child = 2 * root + 1) < n; root = child) {
		if (child + 1 < n && cmp(base + child * size, base + (child + 1) * size) < 0)
			child++;
		if (cmp(base + root * size, base + child * size) >= 0)
			return;
		swap_bytes(base + root * size, base + child * size, size);
	}
}

void sort_array(void *base, size_t n, size_t size, int (*cmp)(const void *a, const void *b))
{
	for (size_t i = n / 2; i-- > 0;)
		sift_down(base, i, n, size, cmp);
	for (size_t end = n; end-- > 1;) {
		swap_bytes(base, (u8 *)base + end * size, size);
		sift_down(base, 0, end, size, cmp);
	}
}
