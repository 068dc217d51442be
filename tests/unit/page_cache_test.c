/* Objects: reading, writing, resizing, holes, errors from below, eviction. */
#include <core/rcu.h>
#include <kmem/page.h>
#include <lib/string.h>
#include <vm/object.h>
#include "unit.h"

#define STORE_PAGES 8

static u8 g_store[STORE_PAGES * PAGE_SIZE]; /* what the backed object reads from */
static int g_fill_error;
static int g_fills, g_gone;

static int store_fill(struct vm_object *o, struct page *p)
{
	g_fills++;
	if (g_fill_error)
		return g_fill_error;
	memcpy(page_address(p), &g_store[p->index * PAGE_SIZE], PAGE_SIZE);
	return 0;
}

static void count_gone(struct vm_object *o, struct page *p)
{
	g_gone++;
}

static const struct vm_object_ops g_memory_ops = {.page_gone = count_gone};
static const struct vm_object_ops g_store_ops = {.fill = store_fill, .page_gone = count_gone};

static void start(struct vm_object *o, const struct vm_object_ops *ops, u64 size)
{
	object_init(o, ops, NULL);
	o->unevictable = !ops->fill;
	o->size = size;
	g_fills = g_gone = g_fill_error = 0;
}

static ssize_t put(struct vm_object *o, off64_t pos, const void *data, size_t n)
{
	struct iter it = iter_kernel((void *)data, n);

	return object_write(o, &it, &pos);
}

static ssize_t get(struct vm_object *o, off64_t pos, void *data, size_t n)
{
	struct iter it = iter_kernel(data, n);

	return object_read(o, &it, &pos);
}

UNIT(writes_extend_and_reads_stop_at_the_size)
{
	struct vm_object o;
	char buf[16];

	start(&o, &g_memory_ops, 0);
	EXPECT_EQ(put(&o, PAGE_SIZE - 3, "abcdef", 6), 6);
	EXPECT_EQ(o.size, PAGE_SIZE + 3);
	EXPECT_EQ(o.nr_pages, 2);
	EXPECT_EQ(get(&o, PAGE_SIZE - 4, buf, sizeof(buf)), 7);
	EXPECT_MEM(buf, "\0abcdef", 7);
	EXPECT_EQ(get(&o, o.size, buf, sizeof(buf)), 0);
	object_destroy(&o);
	EXPECT_EQ(g_gone, 2);
}

UNIT(holes_read_as_zero_and_stay_holes)
{
	struct vm_object o;
	char buf[8] = "xxxxxxxx";

	start(&o, &g_memory_ops, 10 * PAGE_SIZE);
	EXPECT_EQ(get(&o, 5 * PAGE_SIZE, buf, 8), 8);
	EXPECT_MEM(buf, "\0\0\0\0\0\0\0\0", 8);
	EXPECT_EQ(o.nr_pages, 0);
	object_destroy(&o);
}

UNIT(pages_come_from_the_store_once)
{
	struct vm_object o;
	char buf[4];

	unit_random_bytes(g_store, sizeof(g_store));
	start(&o, &g_store_ops, sizeof(g_store));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(get(&o, PAGE_SIZE - 2, buf, 4), 4);
		EXPECT_MEM(buf, &g_store[PAGE_SIZE - 2], 4);
	}
	EXPECT_EQ(g_fills, 2);
	object_destroy(&o);
}

UNIT(partial_writes_keep_the_rest_of_the_page_and_whole_ones_need_no_fill)
{
	struct vm_object o;
	static u8 page[PAGE_SIZE], buf[PAGE_SIZE];

	unit_random_bytes(g_store, sizeof(g_store));
	start(&o, &g_store_ops, sizeof(g_store));
	EXPECT_EQ(put(&o, 10, "new", 3), 3);
	EXPECT_EQ(get(&o, 0, buf, PAGE_SIZE), PAGE_SIZE);
	memcpy(page, g_store, PAGE_SIZE);
	memcpy(page + 10, "new", 3);
	EXPECT_MEM(buf, page, PAGE_SIZE);
	EXPECT_EQ(g_fills, 1);
	EXPECT_EQ(put(&o, PAGE_SIZE, page, PAGE_SIZE), PAGE_SIZE);
	EXPECT_EQ(g_fills, 1);
	object_destroy(&o);
}

UNIT(a_failed_fill_leaves_no_page_behind)
{
	struct vm_object o;
	char buf[4];

	start(&o, &g_store_ops, sizeof(g_store));
	g_fill_error = -EIO;
	EXPECT_EQ(get(&o, 0, buf, 4), -EIO);
	EXPECT_EQ(o.nr_pages, 0);
	g_fill_error = 0;
	EXPECT_EQ(get(&o, 0, buf, 4), 4);
	object_destroy(&o);
}

UNIT(truncation_drops_pages_and_clears_the_tail)
{
	struct vm_object o;
	static u8 page[PAGE_SIZE];

	start(&o, &g_memory_ops, 0);
	memset(page, 'x', sizeof(page));
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(put(&o, i * PAGE_SIZE, page, PAGE_SIZE), PAGE_SIZE);
	object_truncate(&o, PAGE_SIZE + 10);
	EXPECT_EQ(o.nr_pages, 2);
	object_truncate(&o, 3 * PAGE_SIZE);
	EXPECT_EQ(get(&o, PAGE_SIZE, page, PAGE_SIZE), PAGE_SIZE);
	EXPECT_EQ(page[9], 'x');
	EXPECT(!memchr(page + 10, 'x', PAGE_SIZE - 10));
	object_destroy(&o);
}

UNIT(punching_clears_edges_and_drops_whole_pages)
{
	struct vm_object o;
	static u8 data[4 * PAGE_SIZE];

	start(&o, &g_memory_ops, 0);
	memset(data, 'x', sizeof(data));
	EXPECT_EQ(put(&o, 0, data, sizeof(data)), sizeof(data));
	EXPECT_EQ(object_punch(&o, 100, 3 * PAGE_SIZE + 100), 0);
	EXPECT_EQ(o.nr_pages, 2);
	EXPECT_EQ(get(&o, 0, data, sizeof(data)), sizeof(data));
	EXPECT_EQ(data[99], 'x');
	EXPECT(!memchr(data + 100, 'x', 3 * PAGE_SIZE));
	EXPECT_EQ(data[3 * PAGE_SIZE + 100], 'x');
	EXPECT_EQ(object_punch(&o, 10, 20), 0);
	EXPECT_EQ(get(&o, 0, data, 30), 30);
	EXPECT_EQ(data[9], 'x');
	EXPECT_EQ(data[10], 0);
	EXPECT_EQ(data[19], 0);
	EXPECT_EQ(data[20], 'x');
	object_destroy(&o);
}

UNIT(seeking_finds_data_and_holes)
{
	struct vm_object o;

	start(&o, &g_memory_ops, 10 * PAGE_SIZE);
	EXPECT_EQ(put(&o, 3 * PAGE_SIZE, "a", 1), 1);
	EXPECT_EQ(put(&o, 4 * PAGE_SIZE, "b", 1), 1);
	EXPECT_EQ(object_seek(&o, 0, true), 3 * PAGE_SIZE);
	EXPECT_EQ(object_seek(&o, 3 * PAGE_SIZE + 7, true), 3 * PAGE_SIZE + 7);
	EXPECT_EQ(object_seek(&o, 5 * PAGE_SIZE, true), -ENXIO);
	EXPECT_EQ(object_seek(&o, 0, false), 0);
	EXPECT_EQ(object_seek(&o, 3 * PAGE_SIZE + 7, false), 5 * PAGE_SIZE);
	EXPECT_EQ(object_seek(&o, 10 * PAGE_SIZE, false), -ENXIO);
	object_destroy(&o);
}

UNIT(writeback_errors_are_reported_once_to_each_file)
{
	struct vm_object o;
	u32 a, b;

	start(&o, &g_memory_ops, 0);
	a = object_sample_wb_error(&o);
	EXPECT_EQ(object_check_wb_error(&o, &a), 0);
	object_set_wb_error(&o, -EIO);
	b = object_sample_wb_error(&o); /* nobody has seen it: a new file reports it too */
	EXPECT_EQ(object_check_wb_error(&o, &a), -EIO);
	EXPECT_EQ(object_check_wb_error(&o, &a), 0);
	EXPECT_EQ(object_check_wb_error(&o, &b), -EIO);
	b = object_sample_wb_error(&o);
	EXPECT_EQ(object_check_wb_error(&o, &b), 0);
	object_set_wb_error(&o, -ENOSPC);
	EXPECT_EQ(object_check_wb_error(&o, &a), -ENOSPC);
	object_destroy(&o);
}
