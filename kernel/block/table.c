/*
 * Partition tables: GPT (UEFI specification 2.10, chapter 5.3) and MBR with logical partitions.
 */
#include <block/partition.h>
#include <lib/crc32.h>
#include <lib/err.h>
#include <lib/printf.h>
#include <lib/string.h>

#define MBR_ENTRIES   446
#define MBR_DISK_ID   440
#define TYPE_GPT      0xee
#define EBR_MAX       200u       /* links of a chain of logical partitions that are followed */
#define GPT_BYTES_MAX (4u << 20) /* of a partition array */

static u32 le32(const u8 *p)
{
	return p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

static u64 le64(const u8 *p)
{
	return le32(p) | (u64)le32(p + 4) << 32;
}

static u64 disk_sectors(const struct part_source *s)
{
	return s->blocks * (s->block / 512);
}

/* start and count in logical blocks. False: not on the disk. */
static bool add(struct part_source *s, struct part_table *t, u32 number, u64 start, u64 count,
	const char *uuid)
{
	u32 unit = s->block / 512;
	struct part_entry *e = &t->parts[t->count];

	if (t->count == PARTS_MAX || number > PARTS_MAX || !count || start >= s->blocks ||
		count > s->blocks - start)
		return false;
	*e = (struct part_entry){.number = number, .start = start * unit, .sectors = count * unit};
	(void)!str_copy(e->uuid, uuid, sizeof(e->uuid));
	t->count++;
	return true;
}

/* ---- GPT ----------------------------------------------------------------------------------------
 */

struct gpt {
	u64 first_usable, last_usable, entries;
	u32 count, size, crc;
};

static bool gpt_header(struct part_source *s, u64 at, struct gpt *g)
{
	const u8 *h = s->read(s, at);
	u8 copy[512];
	u32 size;

	if (!h || memcmp(h, "EFI PART", 8) != 0)
		return false;
	size = le32(h + 12);
	if (size < 92 || size > sizeof(copy))
		return false;
	memcpy(copy, h, size);
	memset(copy + 16, 0, 4);
	if (crc32_update(0, copy, size) != le32(h + 16) || le64(h + 24) != at)
		return false;
	*g = (struct gpt){
		le64(h + 40), le64(h + 48), le64(h + 72), le32(h + 80), le32(h + 84), le32(h + 88)};
	if (g->last_usable >= s->blocks || g->first_usable > g->last_usable)
		return false;
	return g->size >= 128 && g->size <= 4096 && !(g->size & (g->size - 1)) && g->count &&
		g->count <= GPT_BYTES_MAX / g->size && g->entries < s->blocks;
}

static bool gpt_entries_ok(struct part_source *s, const struct gpt *g)
{
	u64 left = (u64)g->count * g->size;
	u32 crc = 0;

	for (u64 at = g->entries; left; at++) {
		u64 n = min(left, (u64)s->block);
		const u8 *p = at < s->blocks ? s->read(s, at) : NULL;

		if (!p)
			return false;
		crc = crc32_update(crc, p, n);
		left -= n;
	}
	return crc == g->crc;
}

static void format_guid(const u8 *p, char *out)
{
	ksnprintf(out, 37, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", le32(p),
		p[4] | p[5] << 8, p[6] | p[7] << 8, p[8], p[9], p[10], p[11], p[12], p[13], p[14],
		p[15]);
}

static bool gpt_parse(struct part_source *s, u64 at, struct part_table *t)
{
	struct gpt g;

	if (at >= s->blocks || !gpt_header(s, at, &g) || !gpt_entries_ok(s, &g))
		return false;
	for (u32 n = 0; n < g.count && n < PARTS_MAX; n++) {
		u64 byte = (u64)n * g.size;
		const u8 *p = s->read(s, g.entries + byte / s->block), *e;
		static const u8 none[16];
		u64 first, last;
		char uuid[37];

		if (!p)
			return false;
		e = p + byte % s->block;
		first = le64(e + 32);
		last = le64(e + 40);
		if (memcmp(e, none, 16) == 0 || first < g.first_usable || last > g.last_usable ||
			last < first)
			continue;
		format_guid(e + 16, uuid);
		add(s, t, n + 1, first, last - first + 1, uuid);
	}
	t->kind = "gpt";
	return true;
}

/* ---- MBR ----------------------------------------------------------------------------------------
 */

struct mbr_entry {
	u8 boot, type;
	u32 start, count; /* logical blocks */
};

/* False: no table. */
static bool mbr_read(struct part_source *s, u64 at, struct mbr_entry e[4], u32 *disk_id)
{
	const u8 *p = at < s->blocks ? s->read(s, at) : NULL;

	if (!p || p[510] != 0x55 || p[511] != 0xaa)
		return false;
	for (u32 n = 0; n < 4; n++) {
		const u8 *r = p + MBR_ENTRIES + n * 16;

		e[n] = (struct mbr_entry){r[0], r[4], le32(r + 8), le32(r + 12)};
	}
	if (disk_id)
		*disk_id = le32(p + MBR_DISK_ID);
	return true;
}

static bool is_extended(u8 type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

static void mbr_uuid(char *out, u32 disk_id, u32 number)
{
	out[0] = 0;
	if (disk_id)
		ksnprintf(out, 37, "%08x-%02x", disk_id, number);
}

/* The chain of logical partitions: each table has one and the way to the next. */
static void logical_parse(
	struct part_source *s, struct part_table *t, u64 extended, u64 length, u32 disk_id)
{
	u64 at = extended;
	u32 number = 5;

	for (u32 links = 0; links < EBR_MAX; links++) {
		struct mbr_entry e[4];
		u64 next = 0;
		char uuid[37];

		if (!mbr_read(s, at, e, NULL))
			return;
		for (u32 n = 0; n < 4; n++) {
			if (!e[n].count || !e[n].type)
				continue;
			if (is_extended(e[n].type)) {
				next = next ? next : extended + e[n].start;
				continue;
			}
			/* The third and fourth entry are used by nobody; some fill them with junk. */
			if (n >= 2 &&
				(at + e[n].start < extended ||
					at + e[n].start + e[n].count > extended + length))
				continue;
			mbr_uuid(uuid, disk_id, number);
			if (add(s, t, number, at + e[n].start, e[n].count, uuid))
				number++;
		}
		if (!next || next == extended || next - extended >= length)
			return;
		at = next;
	}
}

static void mbr_parse(struct part_source *s, struct part_table *t)
{
	struct mbr_entry e[4];
	u32 disk_id;
	char uuid[37];

	if (!mbr_read(s, 0, e, &disk_id))
		return;
	for (u32 n = 0; n < 4; n++)
		if (e[n].boot & 0x7f)
			return; /* a boot sector without a table */
	t->kind = "dos";
	for (u32 n = 0; n < 4; n++) {
		/* What is in the extended one is not for a file system: one or two sectors of it. */
		u64 shown = s->block == 512 ? 2 : 1;

		if (!e[n].count || !e[n].type)
			continue;
		mbr_uuid(uuid, disk_id, n + 1);
		add(s, t, n + 1, e[n].start,
			is_extended(e[n].type) ? min((u64)e[n].count, shown) : e[n].count, uuid);
	}
	for (u32 n = 0; n < 4; n++)
		if (e[n].count && is_extended(e[n].type))
			logical_parse(s, t, e[n].start, e[n].count, disk_id);
}

int partitions_parse(struct part_source *s, struct part_table *t)
{
	struct mbr_entry e[4];
	bool protective = false;

	t->kind = NULL;
	t->count = 0;
	if (!s->blocks || disk_sectors(s) < 2)
		return 0;
	if (!s->read(s, 0))
		return -EIO;
	if (mbr_read(s, 0, e, NULL))
		for (u32 n = 0; n < 4; n++)
			protective |= e[n].type == TYPE_GPT;
	if (protective) {
		if (gpt_parse(s, 1, t))
			return 0;
		t->count = 0;
		if (gpt_parse(s, s->blocks - 1, t)) /* the backup */
			return 0;
		t->count = 0;
	}
	mbr_parse(s, t);
	return 0;
}
