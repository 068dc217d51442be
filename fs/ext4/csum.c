/* Checksums of metadata: crc32c (METADATA_CSUM), crc16 of group descriptors (GDT_CSUM). */
#include <core/log.h>
#include <lib/crc32.h>
#include <lib/string.h>
#include "ext4.h"

u32 ext4_csum(u32 seed, const void *data, size_t n)
{
	return crc32c_update(seed, data, n);
}

/* CRC-16 with the reflected polynomial 0x8005. Descriptors are small and rare: bit by bit. */
static u16 crc16(u16 crc, const void *data, size_t n)
{
	const u8 *p = data;

	while (n--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1;
	}
	return crc;
}

/* ---- super block, groups ------------------------------------------------------------------- */

static u32 super_csum(const struct ext4_super_block *es)
{
	return ext4_csum(~0u, es, offsetof(struct ext4_super_block, s_checksum));
}

/*
 * The super block has two sectors, and a power cut may leave one of them old. What changes while
 * mounted stands in the first, but the checksum in the second: so the checksum stays, and a field
 * of the first that nobody uses (of snapshots, which never came) makes up for the change.
 */
void ext4_super_csum_set(struct ext4 *fs)
{
	struct ext4_super_block *es = fs->es;
	size_t rest = offsetof(struct ext4_super_block, s_checksum) -
		offsetof(struct ext4_super_block, s_snapshot_list);

	if (!fs->has_csum)
		return;
	es->s_snapshot_list ^= crc32c_unshift(super_csum(es) ^ es->s_checksum, rest);
	ASSERT(super_csum(es) == es->s_checksum);
}

void ext4_super_set_word(struct ext4 *fs, u32 *field, u32 value)
{
	struct ext4_super_block *es = fs->es;
	u32 diff = *field ^ value;
	size_t gap = (size_t)((u8 *)&es->s_snapshot_list - (u8 *)(field + 1));

	*field = value;
	if (fs->has_csum) /* the remainder up to s_snapshot_list changes by this */
		es->s_snapshot_list ^= crc32c_shift(crc32c_update(0, &diff, sizeof(diff)), gap);
	ASSERT(!fs->has_csum || super_csum(es) == es->s_checksum);
}

bool ext4_super_csum_ok(const struct ext4_super_block *es)
{
	return !(es->s_feature_ro_compat & EXT4_RO_COMPAT_METADATA_CSUM) ||
		es->s_checksum == super_csum(es);
}

static u16 group_csum(struct ext4 *fs, u32 n, const struct ext4_group_desc *d)
{
	static const u16 zero;
	size_t at = offsetof(struct ext4_group_desc, bg_checksum), behind = at + sizeof(u16);

	if (fs->has_csum) {
		u32 crc = ext4_csum(fs->csum_seed, &n, sizeof(n));

		crc = ext4_csum(crc, d, at);
		crc = ext4_csum(crc, &zero, sizeof(zero));
		return (u16)ext4_csum(crc, (const u8 *)d + behind, fs->desc_size - behind);
	} else {
		u16 crc = crc16(0xffff, fs->es->s_uuid, sizeof(fs->es->s_uuid));

		crc = crc16(crc, &n, sizeof(n));
		crc = crc16(crc, d, at);
		if (ext4_has_incompat(fs, 64BIT) && fs->desc_size > behind)
			crc = crc16(crc, (const u8 *)d + behind, fs->desc_size - behind);
		return crc;
	}
}

void ext4_group_csum_set(struct ext4 *fs, u32 n)
{
	struct ext4_group_desc *d = ext4_group(fs, n)->desc;

	if (fs->has_csum || fs->has_gdt_csum)
		d->bg_checksum = group_csum(fs, n, d);
}

bool ext4_group_csum_ok(struct ext4 *fs, u32 n)
{
	const struct ext4_group_desc *d = ext4_group(fs, n)->desc;

	return !(fs->has_csum || fs->has_gdt_csum) || d->bg_checksum == group_csum(fs, n, d);
}

static bool wide_desc(const struct ext4 *fs)
{
	return fs->desc_size >= sizeof(struct ext4_group_desc);
}

static u32 bitmap_csum(struct ext4 *fs, const void *bitmap, u32 bits)
{
	u32 crc = ext4_csum(fs->csum_seed, bitmap, bits / 8);

	return wide_desc(fs) ? crc : crc & 0xffff;
}

/* What inverting count bits of a bitmap of bits changes in its checksum. */
static u32 flip_csum(u32 bits, u32 bit, u32 count)
{
	u32 crc = 0, end = bit + count, at = bit / 8;

	while (at * 8 < end) {
		u8 byte = 0xff;

		if (at * 8 < bit)
			byte &= (u8)(0xff << (bit % 8));
		if (end - at * 8 < 8)
			byte &= (u8)(0xff >> (8 - (end - at * 8)));
		crc = crc32c_update(crc, &byte, 1);
		at++;
	}
	return crc32c_shift(crc, bits / 8 - at);
}

void ext4_block_bitmap_csum_flip(struct ext4 *fs, u32 n, u32 bit, u32 count)
{
	struct ext4_group_desc *d = ext4_group(fs, n)->desc;
	u32 crc;

	if (!fs->has_csum)
		return;
	crc = flip_csum(fs->blocks_per_group, bit, count);
	d->bg_block_bitmap_csum_lo ^= (u16)crc;
	if (wide_desc(fs))
		d->bg_block_bitmap_csum_hi ^= (u16)(crc >> 16);
}

void ext4_inode_bitmap_csum_flip(struct ext4 *fs, u32 n, u32 bit)
{
	struct ext4_group_desc *d = ext4_group(fs, n)->desc;
	u32 crc;

	if (!fs->has_csum)
		return;
	crc = flip_csum(fs->inodes_per_group, bit, 1);
	d->bg_inode_bitmap_csum_lo ^= (u16)crc;
	if (wide_desc(fs))
		d->bg_inode_bitmap_csum_hi ^= (u16)(crc >> 16);
}

void ext4_block_bitmap_csum_set(struct ext4 *fs, u32 n, const void *bitmap)
{
	struct ext4_group_desc *d = ext4_group(fs, n)->desc;
	u32 crc;

	if (!fs->has_csum)
		return;
	crc = bitmap_csum(fs, bitmap, fs->blocks_per_group);
	d->bg_block_bitmap_csum_lo = (u16)crc;
	if (wide_desc(fs))
		d->bg_block_bitmap_csum_hi = (u16)(crc >> 16);
}

bool ext4_block_bitmap_csum_ok(struct ext4 *fs, u32 n, const void *bitmap)
{
	const struct ext4_group_desc *d = ext4_group(fs, n)->desc;
	u32 want = d->bg_block_bitmap_csum_lo;

	if (wide_desc(fs))
		want |= (u32)d->bg_block_bitmap_csum_hi << 16;
	return !fs->has_csum || bitmap_csum(fs, bitmap, fs->blocks_per_group) == want;
}

void ext4_inode_bitmap_csum_set(struct ext4 *fs, u32 n, const void *bitmap)
{
	struct ext4_group_desc *d = ext4_group(fs, n)->desc;
	u32 crc;

	if (!fs->has_csum)
		return;
	crc = bitmap_csum(fs, bitmap, fs->inodes_per_group);
	d->bg_inode_bitmap_csum_lo = (u16)crc;
	if (wide_desc(fs))
		d->bg_inode_bitmap_csum_hi = (u16)(crc >> 16);
}

bool ext4_inode_bitmap_csum_ok(struct ext4 *fs, u32 n, const void *bitmap)
{
	const struct ext4_group_desc *d = ext4_group(fs, n)->desc;
	u32 want = d->bg_inode_bitmap_csum_lo;

	if (wide_desc(fs))
		want |= (u32)d->bg_inode_bitmap_csum_hi << 16;
	return !fs->has_csum || bitmap_csum(fs, bitmap, fs->inodes_per_group) == want;
}

/* ---- inodes ---------------------------------------------------------------------------------- */

static u32 inode_seed(const struct ext4 *fs, u64 ino, u32 generation)
{
	u32 nr = (u32)ino, crc = ext4_csum(fs->csum_seed, &nr, sizeof(nr));

	return ext4_csum(crc, &generation, sizeof(generation));
}

u32 ext4_inode_seed(const struct inode *i)
{
	return inode_seed(ext4_of(i), i->ino, ext4_info(i)->generation);
}

static bool has_hi_csum(const struct ext4 *fs, const struct ext4_inode *raw)
{
	return fs->inode_size > EXT4_GOOD_OLD_INODE_SIZE &&
		raw->i_extra_isize >=
		offsetof(struct ext4_inode, i_checksum_hi) + sizeof(u16) - EXT4_GOOD_OLD_INODE_SIZE;
}

static u32 inode_csum(const struct ext4 *fs, u64 ino, const struct ext4_inode *raw)
{
	static const u16 zero;
	const u8 *p = (const u8 *)raw;
	size_t lo = offsetof(struct ext4_inode, i_checksum_lo);
	size_t hi = offsetof(struct ext4_inode, i_checksum_hi), at = EXT4_GOOD_OLD_INODE_SIZE;
	u32 crc = inode_seed(fs, ino, raw->i_generation);

	crc = ext4_csum(crc, p, lo);
	crc = ext4_csum(crc, &zero, sizeof(zero));
	crc = ext4_csum(crc, p + lo + sizeof(zero), at - lo - sizeof(zero));
	if (fs->inode_size > at) {
		if (has_hi_csum(fs, raw)) {
			crc = ext4_csum(crc, p + at, hi - at);
			crc = ext4_csum(crc, &zero, sizeof(zero));
			at = hi + sizeof(zero);
		}
		crc = ext4_csum(crc, p + at, fs->inode_size - at);
	}
	return has_hi_csum(fs, raw) ? crc : crc & 0xffff;
}

void ext4_inode_csum_set(struct ext4 *fs, u64 ino, struct ext4_inode *raw)
{
	u32 crc;

	if (!fs->has_csum)
		return;
	crc = inode_csum(fs, ino, raw);
	raw->i_checksum_lo = (u16)crc;
	if (has_hi_csum(fs, raw))
		raw->i_checksum_hi = (u16)(crc >> 16);
}

bool ext4_inode_csum_ok(struct ext4 *fs, u64 ino, struct ext4_inode *raw)
{
	u32 want = raw->i_checksum_lo;

	if (has_hi_csum(fs, raw))
		want |= (u32)raw->i_checksum_hi << 16;
	return !fs->has_csum || inode_csum(fs, ino, raw) == want;
}

/* ---- blocks of inodes -------------------------------------------------------------------------- */

/* The tail stands behind the room for eh_max entries; eh_max has been checked. */
static struct ext4_extent_tail *extent_tail(struct ext4_extent_header *eh)
{
	return (void *)((u8 *)eh + sizeof(*eh) + eh->eh_max * sizeof(struct ext4_extent));
}

void ext4_extent_csum_set(const struct inode *i, struct ext4_extent_header *eh)
{
	struct ext4_extent_tail *t = extent_tail(eh);

	if (ext4_of(i)->has_csum)
		t->et_checksum = ext4_csum(ext4_inode_seed(i), eh, (size_t)((u8 *)t - (u8 *)eh));
}

bool ext4_extent_csum_ok(const struct inode *i, struct ext4_extent_header *eh)
{
	struct ext4_extent_tail *t = extent_tail(eh);

	return !ext4_of(i)->has_csum ||
		t->et_checksum == ext4_csum(ext4_inode_seed(i), eh, (size_t)((u8 *)t - (u8 *)eh));
}

static struct ext4_dir_entry_tail *dir_tail(const struct inode *dir, void *block)
{
	return (void *)((u8 *)block + ext4_of(dir)->block_size -
		sizeof(struct ext4_dir_entry_tail));
}

void ext4_dirblock_csum_set(const struct inode *dir, void *block)
{
	struct ext4_dir_entry_tail *t = dir_tail(dir, block);

	if (ext4_of(dir)->has_csum)
		t->det_checksum = ext4_csum(
			ext4_inode_seed(dir), block, (size_t)((u8 *)t - (u8 *)block));
}

void ext4_dirblock_patch_begin(struct ext4_patch *p, const void *block, u32 at, u32 n)
{
	p->at = at;
	p->n = n;
	memcpy(p->bytes, (const u8 *)block + at, n);
}

void ext4_dirblock_patch_end(struct ext4_patch *p, const struct inode *dir, void *block)
{
	struct ext4_dir_entry_tail *t = dir_tail(dir, block);
	const u8 *now = (const u8 *)block + p->at;
	size_t rest = (size_t)((u8 *)t - now) - p->n;

	if (!ext4_of(dir)->has_csum)
		return;
	for (u32 k = 0; k < p->n; k++)
		p->bytes[k] ^= now[k];
	t->det_checksum ^= crc32c_shift(crc32c_update(0, p->bytes, p->n), rest);
	ASSERT(ext4_dirblock_csum_ok(dir, block));
}

bool ext4_dirblock_csum_ok(const struct inode *dir, void *block)
{
	struct ext4_dir_entry_tail *t = dir_tail(dir, block);

	if (!ext4_of(dir)->has_csum)
		return true;
	return !t->det_reserved_zero1 && !t->det_reserved_zero2 && t->det_rec_len == sizeof(*t) &&
		t->det_reserved_ft == EXT4_FT_DIR_CSUM &&
		t->det_checksum ==
		ext4_csum(ext4_inode_seed(dir), block, (size_t)((u8 *)t - (u8 *)block));
}

/* Where count and limit stand: behind "." and ".." and the root's info, or behind one entry that
 * covers the block. 0: this is no index block. */
static u32 dx_offset(const struct ext4 *fs, const void *block)
{
	const struct ext4_dir_entry *de = block;
	const struct ext4_dx_root_info *info = (const void *)((const u8 *)block + 24);

	if (de->rec_len == fs->block_size || (fs->block_size == 65536 && !de->rec_len))
		return EXT4_DIR_ENTRY_HEAD;
	if (de->rec_len != 12)
		return 0;
	de = (const void *)((const u8 *)block + 12);
	if (de->rec_len != fs->block_size - 12)
		return 0;
	if (info->reserved_zero || info->info_length != 8)
		return 0;
	return 32;
}

/* The checksum covers the entries in use and the tail without itself. */
static struct ext4_dx_tail *dx_csum(const struct inode *dir, void *block, u32 *crc)
{
	static const u32 zero;
	const struct ext4 *fs = ext4_of(dir);
	u32 at = dx_offset(fs, block);
	struct ext4_dx_countlimit *c = (void *)((u8 *)block + at);
	struct ext4_dx_tail *t;

	if (!at || c->count > c->limit ||
		at + (u32)c->limit * sizeof(struct ext4_dx_entry) + sizeof(*t) > fs->block_size)
		return NULL;
	t = (void *)((u8 *)c + c->limit * sizeof(struct ext4_dx_entry));
	*crc = ext4_csum(ext4_inode_seed(dir), block, at + c->count * sizeof(struct ext4_dx_entry));
	*crc = ext4_csum(*crc, t, offsetof(struct ext4_dx_tail, dt_checksum));
	*crc = ext4_csum(*crc, &zero, sizeof(zero));
	return t;
}

void ext4_dx_csum_set(const struct inode *dir, void *block)
{
	struct ext4_dx_tail *t;
	u32 crc;

	if (!ext4_of(dir)->has_csum)
		return;
	t = dx_csum(dir, block, &crc);
	if (t)
		t->dt_checksum = crc;
}

bool ext4_dx_csum_ok(const struct inode *dir, void *block)
{
	struct ext4_dx_tail *t;
	u32 crc;

	if (!ext4_of(dir)->has_csum)
		return true;
	t = dx_csum(dir, block, &crc);
	return t && t->dt_checksum == crc;
}

/* Attribute blocks are shared between inodes: by block number, not by inode. */
static u32 xattr_csum(const struct ext4 *fs, ext4_block b, const struct ext4_xattr_header *h)
{
	static const u32 zero;
	size_t at = offsetof(struct ext4_xattr_header, h_checksum);
	u32 crc = ext4_csum(fs->csum_seed, &b, sizeof(b));

	crc = ext4_csum(crc, h, at);
	crc = ext4_csum(crc, &zero, sizeof(zero));
	at += sizeof(zero);
	return ext4_csum(crc, (const u8 *)h + at, fs->block_size - at);
}

void ext4_xattr_csum_set(const struct inode *i, ext4_block b, struct ext4_xattr_header *h)
{
	if (ext4_of(i)->has_csum)
		h->h_checksum = xattr_csum(ext4_of(i), b, h);
}

bool ext4_xattr_csum_ok(const struct inode *i, ext4_block b, struct ext4_xattr_header *h)
{
	return !ext4_of(i)->has_csum || h->h_checksum == xattr_csum(ext4_of(i), b, h);
}
