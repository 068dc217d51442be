/* Contents of disks that are cheap to copy and to compare. */
#include "crash.h"
#include <lib/string.h>

#define CHUNK_SECTORS (MEDIA_CHUNK >> SECTOR_SHIFT)

static u64 sector_hash(u64 sector, const u8 *data)
{
	u64 a = sector * 0x9e3779b97f4a7c15ull + 1, b = ~a, w[4];

	for (u32 i = 0; i < SECTOR_SIZE; i += sizeof(w)) {
		memcpy(w, data + i, sizeof(w));
		a = (a ^ w[0]) * 0xbf58476d1ce4e5b9ull + w[1];
		b = (b ^ w[2]) * 0x94d049bb133111ebull + w[3];
		a ^= a >> 29;
		b ^= b >> 31;
	}
	a = (a ^ b >> 7) * 0xff51afd7ed558ccdull;
	return a ^ a >> 32 ^ b;
}

static u32 get32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The journal's place: its inode's extents have a copy in the super block. None: nothing is left
 * out. */
static void find_log(struct media *m)
{
	const u8 *super = m->image + 1024, *map = super + 0x10c;
	u64 block_sectors = 2ull << get32(super + 0x18), start;

	if ((get32(map) & 0xffff) != 0xf30a || get32(map) >> 16 != 1 || get32(map + 4) >> 16)
		return; /* not one extent in the root of the tree */
	start = get32(map + 20);
	m->log_from = (start + 1) * block_sectors;
	m->log_to = (start + (get32(map + 16) & 0xffff)) * block_sectors;
}

struct media *media_create(const u8 *image, u64 size, const char *path)
{
	struct media *m = os_alloc(sizeof(*m));

	m->image = image;
	m->size = size;
	m->path = path;
	m->bytes = path ? os_file_memory(path, size) : os_alloc(size);
	m->touched = os_alloc((size / MEDIA_CHUNK / 64 + 1) * sizeof(u64));
	memcpy(m->bytes, image, size);
	find_log(m);
	return m;
}

static bool is_touched(const struct media *m, u64 chunk)
{
	return m->touched[chunk / 64] >> (chunk % 64) & 1;
}

static void account(struct media *m, u64 sector, u64 sectors, bool add)
{
	if (m->unhashed)
		return;
	for (u64 s = sector; s < sector + sectors; s++) {
		u64 h = sector_hash(s, m->bytes + (s << SECTOR_SHIFT));

		h = add ? h : -h;
		m->hash += h;
		if (s < m->log_from || s >= m->log_to)
			m->hash_fs += h;
	}
}

void media_write(struct media *m, u64 sector, const void *data, u64 sectors)
{
	account(m, sector, sectors, false);
	memcpy(m->bytes + (sector << SECTOR_SHIFT), data, sectors << SECTOR_SHIFT);
	account(m, sector, sectors, true);
	for (u64 s = sector; s < sector + sectors; s++)
		m->touched[s / CHUNK_SECTORS / 64] |= 1ull << (s / CHUNK_SECTORS % 64);
}

void media_poke(struct media *m, u64 offset, const void *data, u32 n)
{
	while (n) {
		u64 sector = offset >> SECTOR_SHIFT;
		u32 at = (u32)(offset % SECTOR_SIZE), part = min(n, SECTOR_SIZE - at);
		u8 buf[SECTOR_SIZE];

		memcpy(buf, m->bytes + (sector << SECTOR_SHIFT), SECTOR_SIZE);
		memcpy(buf + at, data, part);
		media_write(m, sector, buf, 1);
		offset += part;
		data = (const u8 *)data + part;
		n -= part;
	}
}

void media_reset(struct media *m)
{
	for (u64 c = 0; c < m->size / MEDIA_CHUNK; c++)
		if (is_touched(m, c))
			memcpy(m->bytes + c * MEDIA_CHUNK, m->image + c * MEDIA_CHUNK, MEDIA_CHUNK);
	memset(m->touched, 0, (m->size / MEDIA_CHUNK / 64 + 1) * sizeof(u64));
	m->hash = m->hash_fs = 0;
}

void media_copy(struct media *to, const struct media *from)
{
	for (u64 c = 0; c < to->size / MEDIA_CHUNK; c++)
		if (is_touched(to, c) || is_touched(from, c))
			memcpy(to->bytes + c * MEDIA_CHUNK, from->bytes + c * MEDIA_CHUNK,
				MEDIA_CHUNK);
	memcpy(to->touched, from->touched, (to->size / MEDIA_CHUNK / 64 + 1) * sizeof(u64));
	to->hash = from->hash;
	to->hash_fs = from->hash_fs;
}

void media_rescan(struct media *m)
{
	memset(m->touched, 0, (m->size / MEDIA_CHUNK / 64 + 1) * sizeof(u64));
	m->hash = m->hash_fs = 0;
	for (u64 c = 0; c < m->size / MEDIA_CHUNK; c++) {
		u64 from = c * CHUNK_SECTORS;

		if (!memcmp(m->bytes + c * MEDIA_CHUNK, m->image + c * MEDIA_CHUNK, MEDIA_CHUNK))
			continue;
		m->touched[c / 64] |= 1ull << (c % 64);
		for (u64 s = from; s < from + CHUNK_SECTORS; s++) {
			u64 h = sector_hash(s, m->bytes + (s << SECTOR_SHIFT)) -
				sector_hash(s, m->image + (s << SECTOR_SHIFT));

			m->hash += h;
			if (s < m->log_from || s >= m->log_to)
				m->hash_fs += h;
		}
	}
}

/* ---- sets of numbers: open addressing, never full, 0 stands for itself as 1 -------------------- */

static u64 *slot_of(u64 *slots, u64 size, u64 number)
{
	u64 i = number * 0x9e3779b97f4a7c15ull >> 20;

	for (;; i++)
		if (!slots[i % size] || slots[i % size] == number)
			return &slots[i % size];
}

bool set_has(const struct number_set *s, u64 number)
{
	return s->size && *slot_of(s->slots, s->size, number ? number : 1);
}

bool set_add(struct number_set *s, u64 number)
{
	u64 *slot;

	if (s->nr * 2 >= s->size) {
		struct number_set bigger = {.size = s->size * 2 + 1024};

		bigger.slots = os_alloc(bigger.size * sizeof(u64));
		for (u64 i = 0; i < s->size; i++)
			if (s->slots[i])
				*slot_of(bigger.slots, bigger.size, s->slots[i]) = s->slots[i];
		bigger.nr = s->nr;
		os_free(s->slots);
		*s = bigger;
	}
	slot = slot_of(s->slots, s->size, number ? number : 1);
	if (*slot)
		return false;
	*slot = number ? number : 1;
	s->nr++;
	return true;
}
