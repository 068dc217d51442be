/* Partition tables, good and hostile. */
#include <block/partition.h>
#include <block/simdisk.h>
#include <lib/crc32.h>
#include <lib/string.h>
#include "unit.h"

#define BLOCKS 4096u

static u8 g_disk[BLOCKS * 512];
static u32 g_reads;

static const u8 *read_block(struct part_source *s, u64 block)
{
	g_reads++;
	return block < s->blocks ? g_disk + block * s->block : NULL;
}

static struct part_table *parse(void)
{
	static struct part_table t;
	struct part_source s = {.block = 512, .blocks = BLOCKS, .read = read_block};

	g_reads = 0;
	EXPECT_EQ(partitions_parse(&s, &t), 0);
	return &t;
}

static void put32(u8 *p, u32 v)
{
	memcpy(p, &v, 4);
}

static void put64(u8 *p, u64 v)
{
	memcpy(p, &v, 8);
}

static void mbr_entry(u64 block, u32 n, u8 type, u32 start, u32 count)
{
	u8 *p = g_disk + block * 512;

	p[510] = 0x55;
	p[511] = 0xaa;
	p += 446 + n * 16;
	p[4] = type;
	put32(p + 8, start);
	put32(p + 12, count);
}

static void gpt_header(u64 at, u64 other, u64 entries)
{
	u8 *h = g_disk + at * 512;

	memcpy(h, "EFI PART", 8);
	put32(h + 8, 0x10000);
	put32(h + 12, 92);
	put32(h + 16, 0);
	put64(h + 24, at);
	put64(h + 32, other);
	put64(h + 40, 34);
	put64(h + 48, BLOCKS - 34);
	put64(h + 72, entries);
	put32(h + 80, 128);
	put32(h + 84, 128);
	put32(h + 88, crc32_update(0, g_disk + entries * 512, 128 * 128));
	put32(h + 16, crc32_update(0, h, 92));
}

static void gpt_make(void)
{
	u8 *e = g_disk + 2 * 512;

	memset(g_disk, 0, sizeof(g_disk));
	mbr_entry(0, 0, 0xee, 1, BLOCKS - 1);
	for (u32 n = 0; n < 2; n++, e += 128) {
		for (u32 i = 0; i < 16; i++) {
			e[i] = (u8)(i + 1);
			e[16 + i] = (u8)(i + 16 * n);
		}
		put64(e + 32, 100 + 1000 * n);
		put64(e + 40, 199 + 1000 * n);
	}
	memcpy(g_disk + (BLOCKS - 33) * 512, g_disk + 2 * 512, 128 * 128);
	gpt_header(1, BLOCKS - 1, 2);
	gpt_header(BLOCKS - 1, 1, BLOCKS - 33);
}

UNIT(an_empty_disk_has_no_partitions)
{
	memset(g_disk, 0, sizeof(g_disk));
	EXPECT_EQ(parse()->count, 0);
	EXPECT(!parse()->kind);
}

UNIT(primary_and_logical_partitions_are_found)
{
	struct part_table *t;

	memset(g_disk, 0, sizeof(g_disk));
	put32(g_disk + 440, 0xdeadbeef);
	mbr_entry(0, 0, 0x83, 10, 90);
	mbr_entry(0, 2, 0x05, 1000, 1000);
	mbr_entry(1000, 0, 0x83, 5, 95);
	mbr_entry(1000, 1, 0x05, 200, 100);
	mbr_entry(1200, 0, 0x82, 5, 95);
	t = parse();
	EXPECT_STR(t->kind, "dos");
	EXPECT_EQ(t->count, 4);
	EXPECT_EQ(t->parts[0].number, 1);
	EXPECT_EQ(t->parts[0].start, 10);
	EXPECT_EQ(t->parts[0].sectors, 90);
	EXPECT_STR(t->parts[0].uuid, "deadbeef-01");
	EXPECT_EQ(t->parts[1].number, 3);
	EXPECT_EQ(t->parts[1].sectors, 2);
	EXPECT_EQ(t->parts[2].number, 5);
	EXPECT_EQ(t->parts[2].start, 1005);
	EXPECT_EQ(t->parts[3].number, 6);
	EXPECT_EQ(t->parts[3].start, 1205);
	EXPECT_STR(t->parts[3].uuid, "deadbeef-06");
}

UNIT(a_chain_of_logical_partitions_that_loops_ends)
{
	memset(g_disk, 0, sizeof(g_disk));
	mbr_entry(0, 0, 0x05, 100, 1000);
	mbr_entry(100, 0, 0x83, 5, 5);
	mbr_entry(100, 1, 0x05, 50, 10);
	mbr_entry(150, 0, 0x83, 5, 5);
	mbr_entry(150, 1, 0x05, 50, 10);
	EXPECT(parse()->count <= PARTS_MAX);
	EXPECT(g_reads < 1000);
}

UNIT(partitions_beyond_the_end_are_left_out)
{
	memset(g_disk, 0, sizeof(g_disk));
	mbr_entry(0, 0, 0x83, 10, BLOCKS);
	mbr_entry(0, 1, 0x83, 0xffffffff, 0xffffffff);
	mbr_entry(0, 2, 0x83, 10, 10);
	EXPECT_EQ(parse()->count, 1);
}

UNIT(a_gpt_is_read_and_its_backup_stands_in)
{
	for (u32 broken = 0; broken < 3; broken++) {
		struct part_table *t;

		gpt_make();
		if (broken == 1)
			g_disk[512 + 40]++; /* the header's checksum is wrong */
		if (broken == 2)
			g_disk[2 * 512 + 200]++; /* that of the entries */
		t = parse();
		EXPECT_STR(t->kind, "gpt");
		EXPECT_EQ(t->count, 2);
		EXPECT_EQ(t->parts[1].number, 2);
		EXPECT_EQ(t->parts[1].start, 1100);
		EXPECT_EQ(t->parts[1].sectors, 100);
		EXPECT_STR(t->parts[0].uuid, "03020100-0504-0706-0809-0a0b0c0d0e0f");
	}
	g_disk[(BLOCKS - 1) * 512]++;
	EXPECT_STR(parse()->kind, "dos"); /* no copy is good: what the protective table says */
}

UNIT(a_disks_partitions_are_devices_of_their_own)
{
	struct block_device *whole, *b;
	struct simdisk *s;
	u8 *buf = unit_alloc(512);

	gpt_make();
	s = simdisk_create(&(struct simdisk_config){
		.name = "simp", .bytes = sizeof(g_disk), .memory = g_disk, .partitions = true});
	EXPECT(s != NULL);
	whole = simdisk_bdev(s);
	b = bdev_find_name("PARTUUID=13121110-1514-1716-1819-1A1B1C1D1E1F");
	EXPECT(b != NULL);
	EXPECT_STR(b->name, "simp2");
	EXPECT_EQ(b->sectors, 100);
	memset(buf, 'z', 512);
	EXPECT_EQ(bdev_rw(b, BIO_WRITE, 1, buf, 512, 0), 0);
	EXPECT_EQ(g_disk[1101 * 512], 'z');
	EXPECT_EQ(bdev_rw(b, BIO_WRITE, 100, buf, 512, 0), -EIO);
	EXPECT_EQ(bdev_open(b, true, buf), 0);
	EXPECT_EQ(bdev_open(whole, true, whole), -EBUSY);
	bdev_close(b, buf);
	EXPECT_EQ(bdev_open(whole, true, whole), 0);
	EXPECT_EQ(bdev_open(b, true, buf), -EBUSY);
	bdev_close(whole, whole);
	simdisk_disk(s);
	put_bdev(b);
	simdisk_destroy(s);
	unit_free(buf);
}
