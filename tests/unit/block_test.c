/* The block layer over the simulated disk. */
#include <block/simdisk.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <sched/work.h>
#include <vm/writeback.h>
#include "unit.h"

#define MIB (1ul << 20)

static struct simdisk *make(const struct simdisk_config *c)
{
	struct simdisk_config config = *c;
	struct simdisk *s;

	config.bytes = config.bytes ? config.bytes : 4 * MIB;
	s = simdisk_create(&config);
	EXPECT(s != NULL);
	return s;
}

UNIT(kernel_memory_goes_to_the_disk_and_back)
{
	struct simdisk *s = make(&(struct simdisk_config){0});
	struct block_device *b = simdisk_bdev(s);
	u8 *data = unit_alloc(200 * 1024), *back = unit_alloc(200 * 1024);

	unit_random_bytes(data, 200 * 1024);
	EXPECT_EQ(bdev_rw(b, BIO_WRITE, 9, data, 200 * 1024, 0), 0);
	EXPECT_MEM((u8 *)simdisk_memory(s) + 9 * 512, data, 200 * 1024);
	EXPECT_EQ(bdev_rw(b, BIO_READ, 9, back, 200 * 1024, 0), 0);
	EXPECT_MEM(back, data, 200 * 1024);
	EXPECT_EQ(bdev_rw(b, BIO_READ, 4 * MIB / 512 - 1, back, 1024, 0), -EIO);
	simdisk_destroy(s);
	unit_free(data);
	unit_free(back);
}

UNIT(only_dirty_sectors_of_a_page_are_written)
{
	struct simdisk *s = make(&(struct simdisk_config){0});
	struct block_device *b = simdisk_bdev(s);
	u8 *disk = simdisk_memory(s);
	struct block_ref r, q;

	EXPECT_EQ(bdev_read_block(b, 5, 1024, &r), 0);
	EXPECT_EQ(bdev_read_block(b, 7, 1024, &q), 0);
	memset(r.data, 'r', 1024);
	memset(q.data, 'q', 1024);
	disk[4 * 1024] = 'd'; /* somebody else's block of the same page */
	disk[6 * 1024] = 'd';
	bdev_mark_block_dirty(b, &r);
	bdev_mark_block_dirty(b, &q);
	EXPECT_EQ(bdev_sync(b), 0);
	EXPECT_EQ(disk[4 * 1024], 'd');
	EXPECT_EQ(disk[6 * 1024], 'd');
	EXPECT_EQ(disk[5 * 1024], 'r');
	EXPECT_EQ(disk[6 * 1024 - 1], 'r');
	EXPECT_EQ(disk[7 * 1024], 'q');
	EXPECT(!object_is_dirty(b->object));
	block_ref_put(&r);
	block_ref_put(&q);
	simdisk_destroy(s);
}

UNIT(a_new_block_is_zero_without_being_read)
{
	struct simdisk *s = make(&(struct simdisk_config){0});
	struct block_device *b = simdisk_bdev(s);
	struct block_ref r;

	memset(simdisk_memory(s), 'x', 4 * MIB);
	simdisk_set_fault(s, &(struct simdisk_fault){.ops = 1 << BIO_READ, .nth = 1});
	EXPECT_EQ(bdev_new_block(b, 3, 4096, &r), 0);
	EXPECT_EQ(((u8 *)r.data)[0], 0);
	EXPECT_EQ(((u8 *)r.data)[4095], 0);
	EXPECT_EQ(bdev_write_block(b, &r, 0), 0);
	EXPECT_EQ(((u8 *)simdisk_memory(s))[3 * 4096], 0);
	EXPECT_EQ(((u8 *)simdisk_memory(s))[4 * 4096], 'x');
	block_ref_put(&r);
	EXPECT_EQ(bdev_read_block(b, 9, 4096, &r), -EIO);
	EXPECT_EQ(bdev_read_block(b, 9, 4096, &r), 0);
	block_ref_put(&r);
	simdisk_destroy(s);
}

UNIT(forgotten_blocks_are_not_written)
{
	struct simdisk *s = make(&(struct simdisk_config){0});
	struct block_device *b = simdisk_bdev(s);
	u8 *disk = simdisk_memory(s);
	struct block_ref r, q;

	EXPECT_EQ(bdev_read_block(b, 8, 1024, &r), 0);
	EXPECT_EQ(bdev_read_block(b, 9, 1024, &q), 0);
	memset(r.data, 'r', 1024);
	memset(q.data, 'q', 1024);
	bdev_mark_block_dirty(b, &r);
	bdev_mark_block_dirty(b, &q);
	bdev_forget_blocks(b, 8, 1, 1024);
	EXPECT_EQ(bdev_sync(b), 0);
	EXPECT_EQ(disk[8 * 1024], 0);
	EXPECT_EQ(disk[9 * 1024], 'q');
	bdev_mark_block_dirty(b, &r);
	bdev_forget_blocks(b, 0, 100, 1024);
	EXPECT(!object_is_dirty(b->object));
	block_ref_put(&r);
	block_ref_put(&q);
	simdisk_destroy(s);
}

UNIT(a_failed_write_is_reported_by_sync_once)
{
	struct simdisk *s = make(&(struct simdisk_config){0});
	struct block_device *b = simdisk_bdev(s);
	struct block_ref r;

	EXPECT_EQ(bdev_read_block(b, 8, 4096, &r), 0);
	bdev_mark_block_dirty(b, &r);
	simdisk_set_fault(s, &(struct simdisk_fault){.ops = 1 << BIO_WRITE, .nth = 1});
	EXPECT_EQ(bdev_sync(b), -EIO);
	EXPECT_EQ(bdev_sync(b), 0);
	EXPECT_EQ(bdev_write_block(b, &r, 0), 0);
	simdisk_set_fault(s, &(struct simdisk_fault){.ops = 1 << BIO_WRITE, .nth = 1});
	EXPECT_EQ(bdev_write_block(b, &r, 0), -EIO);
	simdisk_set_fault(s, &(struct simdisk_fault){.ops = 1 << BIO_FLUSH, .nth = 1});
	EXPECT_EQ(bdev_flush(b), -EIO);
	EXPECT_EQ(bdev_flush(b), 0);
	block_ref_put(&r);
	simdisk_destroy(s);
}

static u32 g_ended;

static void count_end(struct bio *b)
{
	g_ended++;
	bio_free(b);
}

UNIT(bios_of_a_plug_are_merged)
{
	struct simdisk *s = make(&(struct simdisk_config){.async = true});
	struct block_device *b = simdisk_bdev(s);
	struct page *p = page_alloc(GFP_KERNEL | GFP_ZERO);
	struct blk_plug plug;

	g_ended = 0;
	simdisk_set_fault(s, &(struct simdisk_fault){.ops = 1 << BIO_WRITE, .nth = 1000});
	blk_plug_start(&plug);
	for (u32 n = 0; n < 64; n++) {
		struct bio *bio = bio_alloc(b, 1, BIO_WRITE, n * 8, 0, GFP_KERNEL);

		EXPECT(bio_add_page(bio, p, 0, PAGE_SIZE));
		bio->end_io = count_end;
		bio_submit(bio);
	}
	EXPECT_EQ(g_ended, 0);
	blk_plug_finish(&plug);
	work_drain();
	EXPECT_EQ(g_ended, 64);
	EXPECT_EQ(simdisk_requests(s), 1);
	put_page(p);
	simdisk_destroy(s);
}

UNIT(a_sleeping_thread_lets_its_plug_go)
{
	struct simdisk *s = make(&(struct simdisk_config){.async = true});
	struct block_device *b = simdisk_bdev(s);
	struct blk_plug plug;
	u8 *buf = unit_alloc(4096);

	blk_plug_start(&plug);
	EXPECT_EQ(bdev_rw(b, BIO_WRITE, 0, buf, 4096, 0), 0);
	blk_plug_finish(&plug);
	unit_free(buf);
	simdisk_destroy(s);
}

UNIT(more_bios_than_tags_all_end)
{
	struct simdisk *s = make(&(struct simdisk_config){.async = true, .depth = 2});
	struct block_device *b = simdisk_bdev(s);
	struct page *p = page_alloc(GFP_KERNEL | GFP_ZERO);

	g_ended = 0;
	for (u32 n = 0; n < 500; n++) {
		struct bio *bio = bio_alloc(b, 1, n & 1 ? BIO_WRITE : BIO_READ,
			unit_random_below(1000) * 8, n % 7 ? 0 : BIO_FUA | BIO_PREFLUSH, GFP_NOFS);

		EXPECT(bio_add_page(bio, p, 0, PAGE_SIZE));
		bio->end_io = count_end;
		bio_submit(bio);
	}
	work_drain();
	for (int n = 0; n < 1000 && g_ended < 500; n++)
		sleep_ns(1000000);
	EXPECT_EQ(g_ended, 500);
	put_page(p);
	simdisk_destroy(s);
}

UNIT(fua_and_preflush_become_flushes_in_order)
{
	struct simdisk *s = make(&(struct simdisk_config){0});
	struct block_device *b = simdisk_bdev(s);
	u8 *buf = unit_alloc(4096);

	EXPECT_EQ(simdisk_log_start(s), 0);
	EXPECT_EQ(bdev_rw(b, BIO_WRITE, 0, buf, 4096, BIO_PREFLUSH | BIO_FUA), 0);
	EXPECT_EQ(simdisk_log_count(s), 3);
	EXPECT_EQ(simdisk_log_entry(s, 0)->kind, SIM_FLUSH);
	EXPECT_EQ(simdisk_log_entry(s, 1)->kind, SIM_WRITE);
	EXPECT_EQ(simdisk_log_entry(s, 2)->kind, SIM_FLUSH);
	simdisk_destroy(s);
	s = make(&(struct simdisk_config){.fua = true});
	b = simdisk_bdev(s);
	EXPECT_EQ(simdisk_log_start(s), 0);
	EXPECT_EQ(bdev_rw(b, BIO_WRITE, 0, buf, 4096, BIO_PREFLUSH | BIO_FUA), 0);
	EXPECT_EQ(simdisk_log_count(s), 2);
	EXPECT(simdisk_log_entry(s, 1)->durable);
	unit_free(buf);
	simdisk_destroy(s);
}

UNIT(a_power_cut_keeps_what_was_flushed)
{
	struct simdisk *s = make(&(struct simdisk_config){.bytes = 64 * 1024});
	struct block_device *b = simdisk_bdev(s);
	u8 *buf = unit_alloc(4096), *image = unit_alloc(64 * 1024);
	bool lost = false, kept = false, torn = false;

	EXPECT_EQ(simdisk_log_start(s), 0);
	memset(buf, 1, 4096);
	EXPECT_EQ(bdev_rw(b, BIO_WRITE, 0, buf, 4096, 0), 0);
	EXPECT_EQ(bdev_flush(b), 0);
	memset(buf, 2, 4096);
	EXPECT_EQ(bdev_rw(b, BIO_WRITE, 8, buf, 4096, 0), 0);
	simdisk_mark(s, 7);
	EXPECT_EQ(simdisk_log_count(s), 4);
	for (u64 seed = 0; seed < 100; seed++) {
		u32 n = 0;

		simdisk_crash_image(s, 4, &(struct simdisk_crash){.seed = seed}, image);
		EXPECT_EQ(image[0], 1);
		EXPECT_EQ(image[4095], 1);
		for (u32 i = 0; i < 8; i++)
			n += image[4096 + i * 512] == 2;
		lost |= n == 0;
		kept |= n == 8;
		torn |= n > 0 && n < 8;
	}
	EXPECT(lost && kept && torn);
	simdisk_crash_image(s, 0, &(struct simdisk_crash){.loss = SIM_LOSE_NONE}, image);
	EXPECT_EQ(image[0], 0);
	simdisk_crash_image(s, 4, &(struct simdisk_crash){.loss = SIM_LOSE_ALL}, image);
	EXPECT_EQ(image[4096], 0);
	simdisk_destroy(s);
	unit_free(buf);
	unit_free(image);
}

UNIT(a_read_only_disk_refuses_writes_and_a_claimed_one_others)
{
	struct simdisk *s = make(&(struct simdisk_config){.read_only = true});
	struct block_device *b = simdisk_bdev(s);
	u8 *buf = unit_alloc(512);
	int me, you;

	EXPECT_EQ(bdev_open(b, true, NULL), -EROFS);
	EXPECT_EQ(bdev_rw(b, BIO_WRITE, 0, buf, 512, 0), -EROFS);
	EXPECT_EQ(bdev_open(b, false, &me), 0);
	EXPECT_EQ(bdev_open(b, false, &you), -EBUSY);
	EXPECT_EQ(bdev_open(b, false, NULL), 0);
	bdev_close(b, NULL);
	bdev_close(b, &me);
	EXPECT_EQ(bdev_open(b, false, &you), 0);
	bdev_close(b, &you);
	unit_free(buf);
	simdisk_destroy(s);
}

UNIT(reads_and_writes_through_the_object_reach_the_disk)
{
	struct simdisk *s = make(&(struct simdisk_config){.async = true, .bytes = MIB + 512});
	struct block_device *b = simdisk_bdev(s);
	u8 *data = unit_alloc(MIB), *back = unit_alloc(MIB);
	struct readahead ra = {0};
	off64_t pos = 0;
	struct iter it = iter_kernel(data, MIB);

	unit_random_bytes(data, MIB);
	EXPECT_EQ(object_write(b->object, &it, &pos), MIB);
	EXPECT_EQ(bdev_sync(b), 0);
	EXPECT_MEM(simdisk_memory(s), data, MIB);
	object_drop_clean(b->object, 0, 1000);
	EXPECT_EQ(b->object->nr_pages, 0);
	pos = 0;
	it = iter_kernel(back, MIB);
	EXPECT_EQ(object_read_stream(b->object, &it, &pos, &ra), MIB);
	EXPECT_MEM(back, data, MIB);
	it = iter_kernel(back, MIB);
	EXPECT_EQ(object_read_stream(b->object, &it, &pos, &ra), 512);
	unit_free(data);
	unit_free(back);
	simdisk_destroy(s);
}

UNIT(zeroing_works_with_and_without_the_devices_help)
{
	for (int help = 0; help < 2; help++) {
		struct simdisk *s = make(&(struct simdisk_config){.discard = help});
		struct block_device *b = simdisk_bdev(s);
		u8 *disk = simdisk_memory(s);

		memset(disk, 'x', 4 * MIB);
		EXPECT_EQ(bdev_zeroout(b, 3, 1000), 0);
		EXPECT_EQ(disk[3 * 512 - 1], 'x');
		EXPECT_EQ(disk[3 * 512], 0);
		EXPECT_EQ(disk[1003 * 512 - 1], 0);
		EXPECT_EQ(disk[1003 * 512], 'x');
		EXPECT_EQ(bdev_discard(b, 0, 8), help ? 0 : -EOPNOTSUPP);
		simdisk_destroy(s);
	}
}

UNIT(a_request_that_hangs_ends_by_its_time_limit)
{
	for (int async = 0; async < 2; async++) {
		struct simdisk *s = make(&(struct simdisk_config){.async = async, .depth = 1});
		struct block_device *b = simdisk_bdev(s);
		u8 *buf = unit_alloc(4096);
		s64 start = clock_mono_ns();

		simdisk_set_fault(s,
			&(struct simdisk_fault){
				.ops = 1 << BIO_READ, .nth = 1, .status = -ETIMEDOUT});
		EXPECT_EQ(bdev_rw(b, BIO_READ, 0, buf, 4096, 0), -ETIMEDOUT);
		EXPECT(clock_mono_ns() - start >= 30 * NS_PER_SEC);
		EXPECT(clock_mono_ns() - start < 100 * NS_PER_SEC);
		EXPECT_EQ(bdev_rw(b, BIO_READ, 0, buf, 4096, 0), 0); /* its tag is free again */
		unit_free(buf);
		simdisk_destroy(s);
	}
}
