/* Any bytes as a disk with a partition table: an end, and partitions that lie on the disk. */
#include "fuzz.h"
#include "../../kernel/block/table.c" /* not in lib: the one file that is tested */

struct disk {
	struct part_source s;
	const u8 *data;
	size_t size;
	u64 blocks_read;
	u8 block[4096];
};

/* The input's blocks stand at both ends of the disk, where tables are; the rest is zero. */
static const u8 *read_block(struct part_source *s, u64 block)
{
	struct disk *d = container_of(s, struct disk, s);
	u64 have = d->size / s->block, at = U64_MAX;

	must_hold(block < s->blocks);
	d->blocks_read++;
	if (block < have)
		at = block;
	else if (s->blocks - 1 - block < have)
		at = s->blocks - 1 - block;
	memset(d->block, 0, s->block);
	if (at != U64_MAX)
		memcpy(d->block, d->data + at * s->block, s->block);
	return d->block;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	static struct part_table t;
	static struct disk d;

	if (n < 2)
		return 0;
	d.s.block = data[n - 1] & 1 ? 4096 : 512;
	d.s.blocks = 1ull << (4 + data[n - 2] % 30);
	d.s.read = read_block;
	d.data = data;
	d.size = n;
	d.blocks_read = 0;
	must_hold(partitions_parse(&d.s, &t) == 0);
	must_hold(t.count <= PARTS_MAX);
	must_hold(d.blocks_read < 100000);
	for (u32 i = 0; i < t.count; i++) {
		const struct part_entry *e = &t.parts[i];

		must_hold(e->number >= 1 && e->number <= PARTS_MAX && e->sectors);
		must_hold(e->start < d.s.blocks * (d.s.block / 512));
		must_hold(e->sectors <= d.s.blocks * (d.s.block / 512) - e->start);
	}
	return 0;
}
