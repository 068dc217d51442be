/* Partition tables: reading them from anything that gives sectors. Hostile ones are bounded. */
#ifndef BLOCK_PARTITION_H
#define BLOCK_PARTITION_H

#define PARTS_MAX 255 /* numbers 1..PARTS_MAX */

struct part_entry {
	u32 number;
	u64 start, sectors; /* of 512 bytes */
	char uuid[37];
};
struct part_table {
	const char *kind; /* "gpt", "dos"; NULL: none */
	u32 count;
	struct part_entry parts[PARTS_MAX];
};
struct part_source {
	u32 block;  /* bytes of a logical block: 512..4096 */
	u64 blocks; /* of the disk */
	/* Content of a block, valid until the next call; NULL: error. */
	const u8 *(*read)(struct part_source *s, u64 block);
	void *priv;
};
/* 0, also when there is no table; -EIO: the first block can't be read. All parts lie on the disk. */
int partitions_parse(struct part_source *s, struct part_table *t) must_check;

#endif
