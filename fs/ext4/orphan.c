/*
 * Orphans: inodes that a crash must not leave behind: without links, or about to lose blocks. On
 * disk they stand in the orphan file, or chained through i_dtime from the super block.
 */
#include <core/log.h>
#include <lib/crc32.h>
#include <lib/string.h>
#include "ext4.h"

#define NO_SLOT U32_MAX

/* ---- the orphan file --------------------------------------------------------------------------- */

static u32 slots_per_block(const struct ext4 *fs)
{
	return (fs->block_size - (u32)sizeof(struct ext4_orphan_block_tail)) / sizeof(u32);
}

static struct ext4_orphan_block_tail *tail_of(const struct ext4 *fs, void *block)
{
	return (void *)((u8 *)block + fs->block_size - sizeof(struct ext4_orphan_block_tail));
}

static u32 block_csum(struct ext4 *fs, const struct block_ref *r)
{
	u64 b = r->block;
	u32 crc = ext4_csum(ext4_inode_seed(fs->orphan_file), &b, sizeof(b));

	return ext4_csum(crc, r->data, slots_per_block(fs) * sizeof(u32));
}

static u32 nr_blocks(const struct ext4 *fs)
{
	return (u32)min_t(u64, fs->orphan_file->object.size >> fs->block_bits, 512);
}

static int read_block(struct ext4 *fs, u32 nr, struct block_ref *ref)
{
	int err = ext4_read_file_block(fs->orphan_file, nr, ref);

	if (err)
		return err;
	if (!ref->page || tail_of(fs, ref->data)->ob_magic != EXT4_ORPHAN_BLOCK_MAGIC) {
		block_ref_put(ref);
		return ext4_corrupt(fs, fs->orphan_file->ino, nr, "orphan file");
	}
	return 0;
}

static int write_slot(struct handle *h, struct ext4 *fs, struct block_ref *ref, u32 at, u32 ino)
{
	int err = journal_get_write(h, ref);
	u32 diff;

	if (err)
		return err;
	diff = ((u32 *)ref->data)[at] ^ ino;
	((u32 *)ref->data)[at] = ino;
	if (fs->has_csum)
		tail_of(fs, ref->data)->ob_checksum ^= crc32c_shift(
			crc32c_update(0, &diff, sizeof(diff)),
			(slots_per_block(fs) - at - 1) * sizeof(u32));
	return journal_dirty(h, ref);
}

/* 1: no room. */
static int add_to_file(struct handle *h, struct ext4 *fs, struct inode *i)
{
	u32 per = slots_per_block(fs), blocks = nr_blocks(fs);

	for (u32 k = 0; k < blocks; k++) {
		u32 nr = (fs->orphan_hint + k) % blocks, at;
		struct block_ref ref;
		int err = read_block(fs, nr, &ref);

		if (err)
			return err;
		for (at = 0; at < per && ((u32 *)ref.data)[at]; at++)
			;
		if (at < per) {
			fs->orphan_hint = nr;
			err = write_slot(h, fs, &ref, at, (u32)i->ino);
			if (!err)
				ext4_info(i)->orphan_slot = nr * per + at;
			block_ref_put(&ref);
			return err;
		}
		block_ref_put(&ref);
	}
	return 1;
}

static int del_from_file(struct handle *h, struct ext4 *fs, u32 slot)
{
	u32 per = slots_per_block(fs);
	struct block_ref ref;
	int err = read_block(fs, slot / per, &ref);

	if (err)
		return err;
	err = write_slot(h, fs, &ref, slot % per, 0);
	fs->orphan_hint = slot / per;
	block_ref_put(&ref);
	return err;
}

/* ---- the chain --------------------------------------------------------------------------------- */

static int set_head(struct handle *h, struct ext4 *fs, u32 ino)
{
	int err = journal_get_write(h, &fs->sb_ref);

	if (err)
		return err;
	mutex_lock(&fs->error_lock);
	ext4_super_set_word(fs, &fs->es->s_last_orphan, ino);
	mutex_unlock(&fs->error_lock);
	return journal_dirty(h, &fs->sb_ref);
}

int ext4_orphan_add(struct handle *h, struct inode *i)
{
	struct ext4 *fs = ext4_of(i);
	struct ext4_inode_info *n = ext4_info(i);
	int err = 0;

	mutex_lock(&fs->orphan_lock);
	if (n->orphan)
		goto out;
	n->orphan_slot = NO_SLOT;
	err = fs->orphan_file ? add_to_file(h, fs, i) : 1;
	if (err == 1) {
		u32 next = fs->es->s_last_orphan;

		err = set_head(h, fs, (u32)i->ino);
		if (!err) {
			n->dtime = next;
			err = ext4_mark_inode_dirty(h, i);
		}
		if (!err)
			list_add(&n->orphan_link, &fs->orphans);
	}
	n->orphan = !err;
	fs->nr_orphans += !err;
out:
	mutex_unlock(&fs->orphan_lock);
	return err;
}

/* Whoever stands before i in the chain skips it. */
static int unchain(struct handle *h, struct ext4 *fs, struct ext4_inode_info *n)
{
	struct ext4_inode_info *before;
	u32 next = n->dtime;
	int err;

	if (n->orphan_link.prev == &fs->orphans) {
		err = set_head(h, fs, next);
	} else {
		before = list_prev_entry(n, orphan_link);
		before->dtime = next;
		err = ext4_mark_inode_dirty(h, before->vfs);
	}
	n->dtime = 0;
	return err;
}

int ext4_orphan_del(struct handle *h, struct inode *i)
{
	struct ext4 *fs = ext4_of(i);
	struct ext4_inode_info *n = ext4_info(i);
	int err = 0;

	if (!READ_ONCE(n->orphan))
		return 0;
	mutex_lock(&fs->orphan_lock);
	if (n->orphan) {
		if (h && n->orphan_slot != NO_SLOT)
			err = del_from_file(h, fs, n->orphan_slot);
		else if (h)
			err = unchain(h, fs, n);
		list_del(&n->orphan_link);
		n->orphan = false;
		fs->nr_orphans--;
	}
	mutex_unlock(&fs->orphan_lock);
	return err;
}

/* ---- after a crash ----------------------------------------------------------------------------- */

/* Takes over the reference. slot NO_SLOT: from the chain. */
static void recover_one(struct ext4 *fs, struct inode *i, u32 slot)
{
	struct ext4_inode_info *n = ext4_info(i);

	n->orphan = true;
	fs->nr_orphans++;
	n->orphan_slot = slot;
	if (slot == NO_SLOT)
		list_add(&n->orphan_link, &fs->orphans);
	if (i->nlink && S_ISREG(i->mode)) {
		rwsem_write_lock(&i->rwsem);
		if (ext4_zero_tail(i, i->object.size) || ext4_truncate(i, i->object.size))
			log_warn("ext4: %s: inode %llu isn't truncated", fs->super->id,
				(unsigned long long)i->ino);
		rwsem_write_unlock(&i->rwsem);
	} else if (i->nlink) {
		struct handle *h = ext4_begin(fs, 8);

		if (!is_err(h))
			(void)!ext4_end(h, ext4_orphan_del(h, i));
	}
	put_inode(i);
}

static u32 recover_chain(struct ext4 *fs)
{
	u32 done = 0;

	while (fs->es->s_last_orphan && done <= fs->inodes_count) {
		u32 ino = fs->es->s_last_orphan;
		struct inode *i = ext4_iget(fs->super, ino, EXT4_IGET_SPECIAL);
		struct handle *h;

		if (!is_err(i) && ino >= fs->first_ino && !ext4_info(i)->orphan) {
			recover_one(fs, i, NO_SLOT);
			done++;
		} else if (!is_err(i)) {
			put_inode(i);
		}
		if (fs->es->s_last_orphan != ino)
			continue;
		(void)ext4_corrupt(fs, ino, 0, "the list of orphans is broken");
		h = ext4_begin(fs, 1);
		if (is_err(h) || ext4_end(h, set_head(h, fs, 0)))
			break;
	}
	return done;
}

static u32 recover_file(struct ext4 *fs)
{
	u32 per = slots_per_block(fs), done = 0;

	for (u32 nr = 0; nr < nr_blocks(fs); nr++) {
		struct block_ref ref;

		if (read_block(fs, nr, &ref))
			return done;
		if (fs->has_csum && tail_of(fs, ref.data)->ob_checksum != block_csum(fs, &ref)) {
			(void)ext4_corrupt(fs, fs->orphan_file->ino, nr, "orphan file checksum");
			block_ref_put(&ref);
			return done;
		}
		for (u32 at = 0; at < per; at++) {
			u32 ino = ((u32 *)ref.data)[at];
			struct inode *i;

			if (!ino)
				continue;
			i = ino < fs->first_ino ? err_ptr(-EFSCORRUPTED)
						: ext4_iget(fs->super, ino, EXT4_IGET_SPECIAL);
			if (is_err(i) || ext4_info(i)->orphan) {
				if (!is_err(i))
					put_inode(i);
				(void)ext4_corrupt(fs, ino, 0, "orphan file has a bad entry");
				continue;
			}
			recover_one(fs, i, nr * per + at);
			done++;
		}
		block_ref_put(&ref);
	}
	return done;
}

void ext4_orphan_recover(struct ext4 *fs, bool file)
{
	u32 n = 0;

	fs->recovering = true;
	if (fs->es->s_last_orphan)
		n += recover_chain(fs);
	if (fs->orphan_file && file)
		n += recover_file(fs);
	fs->recovering = false;
	if (n)
		log_info("ext4: %s: %u orphans processed", fs->super->id, n);
}
