/*
 * Recovery, in three passes over the log. Scan: how far committed transactions reach, with every
 * checksum there is, so that a damaged log is refused before anything is written. Revoke: which
 * blocks must not be replayed by transactions up to which one. Replay: the rest goes home.
 */
#include "internal.h"

#define WINDOW 16 /* log blocks read at a time */

enum pass { PASS_SCAN, PASS_REVOKE, PASS_REPLAY };

struct recovery {
	struct journal *j;
	u8 *buf; /* WINDOW blocks */
	u64 buf_first;
	u32 buf_count;
	u64 at;               /* next log block */
	u64 steps;            /* blocks walked over in this pass */
	journal_tid tid, end; /* end: first transaction that is not committed; set by the scan */
	u64 fs_blocks;
	u32 crc;      /* of v1 */
	bool damaged; /* in the current transaction a block has a wrong checksum */
	struct revoke_table revokes;
	u32 replayed, revoked, dirty;
};

int log_read_blocks(struct journal *j, u32 log_block, void *buf, u32 n)
{
	u32 spb = j->c.block_size >> SECTOR_SHIFT;
	u64 first, last;
	int err = log_map(j, log_block, &first);

	if (!err)
		err = log_map(j, log_block + n - 1, &last);
	if (!err && last - first == (u64)(n - 1) * spb) /* as good as always */
		return bdev_rw(j->c.dev, BIO_READ, first, buf, n * j->c.block_size, BIO_META);
	for (u32 i = 0; i < n && !err; i++)
		err = log_rw(j, BIO_READ, log_block + i, (char *)buf + i * j->c.block_size, 0);
	return err;
}

static bool tail_ok(const struct journal *j, const u8 *block)
{
	u32 *tail = (u32 *)(block + j->c.block_size) - 1;

	return !j->has_csum || *tail == be32(block_csum(j, block, tail));
}

static bool commit_ok(const struct journal *j, const u8 *block)
{
	struct jbd2_commit *c = (struct jbd2_commit *)block;

	return !j->has_csum || c->h_chksum[0] == be32(block_csum(j, block, &c->h_chksum[0]));
}

/* The next block of the log; it stays there until the one after it is asked for. */
static int next_block(struct recovery *r, u8 **out)
{
	struct journal *j = r->j;
	int err;

	if (r->steps++ > j->last - j->first)
		return -EINVAL; /* goes round in circles */
	if (r->at < r->buf_first || r->at >= r->buf_first + r->buf_count) {
		r->buf_count = 0;
		r->buf_first = r->at;
		err = log_read_blocks(j, r->at, r->buf, (u32)min((u64)WINDOW, j->last - r->at));
		if (err)
			return err;
		r->buf_count = (u32)min((u64)WINDOW, j->last - r->at);
	}
	*out = r->buf + (r->at - r->buf_first) * j->c.block_size;
	r->at = r->at + 1 == j->last ? j->first : r->at + 1;
	return 0;
}

struct tag {
	u64 block;
	u32 flags, csum;
};

/* The tag at *pos of a descriptor; moves *pos. False: none left. */
static bool next_tag(const struct journal *j, const u8 *desc, u32 *pos, struct tag *tag)
{
	u32 end = j->c.block_size - (j->has_csum ? sizeof(struct jbd2_tail) : 0);
	const u8 *p = desc + *pos;

	if (*pos + j->tag_bytes > end)
		return false;
	tag->block = 0;
	if (journal_has(j, JBD2_INCOMPAT_CSUM_V3)) {
		struct jbd2_tag3 t;

		memcpy(&t, p, sizeof(t));
		if (journal_has(j, JBD2_INCOMPAT_64BIT))
			tag->block = (u64)be32(t.t_blocknr_high) << 32;
		tag->block |= be32(t.t_blocknr);
		tag->flags = be32(t.t_flags);
		tag->csum = be32(t.t_checksum);
	} else {
		struct jbd2_tag t = {};

		memcpy(&t, p, min(j->tag_bytes, (u32)sizeof(t)));
		if (journal_has(j, JBD2_INCOMPAT_64BIT))
			tag->block = (u64)be32(t.t_blocknr_high) << 32;
		tag->block |= be32(t.t_blocknr);
		tag->flags = be16(t.t_flags);
		tag->csum = be16(t.t_checksum);
	}
	*pos += j->tag_bytes + (tag->flags & JBD2_TAG_SAME_UUID ? 0 : 16);
	return true;
}

static bool data_ok(const struct journal *j, const struct tag *tag, journal_tid tid, const u8 *data)
{
	u32 csum;

	if (!j->has_csum)
		return true;
	csum = tag_csum(j, tid, data);
	return tag->csum == (journal_has(j, JBD2_INCOMPAT_CSUM_V3) ? csum : (u16)csum);
}

static int replay(struct recovery *r, const struct tag *tag, const u8 *data)
{
	struct journal *j = r->j;
	struct revoke_entry *e = revoke_find(&r->revokes, tag->block);
	struct block_ref ref;
	int err;

	if (e && !journal_tid_after(r->tid, e->tid)) {
		r->revoked++;
		return 0;
	}
	err = bdev_new_block(j->c.fs_dev, tag->block, j->c.block_size, &ref);
	if (err)
		return err;
	memcpy(ref.data, data, j->c.block_size);
	if (tag->flags & JBD2_TAG_ESCAPE)
		*(u32 *)ref.data = be32(JBD2_MAGIC);
	bdev_mark_block_dirty(j->c.fs_dev, &ref);
	block_ref_put(&ref);
	r->replayed++;
	if (++r->dirty >= 1024) { /* a log may be larger than memory */
		r->dirty = 0;
		err = bdev_sync(j->c.fs_dev);
	}
	return err;
}

/* A descriptor with the blocks behind it. */
static int read_descriptor(struct recovery *r, const u8 *block, enum pass pass, u8 *desc)
{
	struct journal *j = r->j;
	u32 pos = sizeof(struct jbd2_header);
	struct tag tag;
	u8 *data;
	int err;

	memcpy(desc, block, j->c.block_size);
	if (pass == PASS_SCAN && j->csum1)
		r->crc = crc32_be(r->crc, desc, j->c.block_size);
	while (next_tag(j, desc, &pos, &tag)) {
		err = next_block(r, &data);
		if (err)
			return err;
		if (pass == PASS_SCAN) {
			if (j->csum1)
				r->crc = crc32_be(r->crc, data, j->c.block_size);
			if (tag.block >= r->fs_blocks || !data_ok(j, &tag, r->tid, data))
				r->damaged = true;
		} else if (pass == PASS_REPLAY) {
			err = replay(r, &tag, data);
			if (err)
				return err;
		}
		if (tag.flags & JBD2_TAG_LAST)
			break;
	}
	return 0;
}

static int read_revokes(struct recovery *r, const u8 *block)
{
	struct journal *j = r->j;
	const struct jbd2_revoke *h = (const struct jbd2_revoke *)block;
	u32 size = journal_has(j, JBD2_INCOMPAT_64BIT) ? 8 : 4, used = be32(h->r_count);
	u32 end = j->c.block_size - (j->has_csum ? sizeof(struct jbd2_tail) : 0);
	bool added;
	int err = 0;

	if (used > end)
		return -EINVAL;
	for (u32 pos = sizeof(*h); pos + size <= used && !err; pos += size) {
		u64 b = journal_has(j, JBD2_INCOMPAT_64BIT) ? be64(*(const u64 *)(block + pos))
							    : be32(*(const u32 *)(block + pos));

		if (b < r->fs_blocks) /* others are never replayed */
			err = revoke_insert(&r->revokes, b, r->tid, &added);
	}
	return err;
}

/* In the scan: does this commit block make its transaction valid? */
static bool commit_valid(struct recovery *r, const u8 *block)
{
	const struct jbd2_commit *c = (const struct jbd2_commit *)block;
	struct journal *j = r->j;

	if (!commit_ok(j, block))
		return false;
	/* Version 1: the writer may not have known checksums; then all of it is zero. */
	if (j->csum1 && (c->h_chksum_type || c->h_chksum_size || c->h_chksum[0]) &&
		(c->h_chksum_type != JBD2_CHKSUM_CRC32 || c->h_chksum_size != 4 ||
			c->h_chksum[0] != be32(r->crc)))
		return false;
	return true;
}

/* One block; *end: the log ends before it. */
static int step(struct recovery *r, enum pass pass, u8 *desc, bool *end)
{
	struct journal *j = r->j;
	const struct jbd2_header *h;
	u8 *block;
	int err = next_block(r, &block);

	if (err)
		return err;
	h = (const struct jbd2_header *)block;
	*end = true;
	if (h->h_magic != be32(JBD2_MAGIC) || be32(h->h_sequence) != r->tid)
		return 0;
	switch (be32(h->h_blocktype)) {
	case JBD2_DESCRIPTOR_BLOCK:
		if (pass == PASS_SCAN && !tail_ok(j, block))
			return 0;
		*end = false;
		return read_descriptor(r, block, pass, desc);
	case JBD2_REVOKE_BLOCK:
		if (pass == PASS_SCAN && !tail_ok(j, block))
			return 0;
		*end = false;
		return pass == PASS_REVOKE ? read_revokes(r, block) : 0;
	case JBD2_COMMIT_BLOCK:
		if (pass == PASS_SCAN && !commit_valid(r, block))
			return 0;
		/* With asynchronous commits the commit block may be there before its blocks:
		 * then this was the last transaction and it was not complete. Otherwise what
		 * had been durable is damaged. */
		if (pass == PASS_SCAN && r->damaged) {
			if (journal_has(j, JBD2_INCOMPAT_ASYNC_COMMIT))
				return 0;
			log_err("jbd2: %s: transaction %u in the log is damaged", j->c.dev->name,
				r->tid);
			return -EIO;
		}
		r->tid++;
		r->crc = ~0u;
		*end = false;
		return 0;
	default:
		return 0;
	}
}

static int run_pass(struct recovery *r, enum pass pass, u8 *desc)
{
	const struct jbd2_super *sb = r->j->sb;
	bool end = false;
	int err = 0;

	r->at = be32(sb->s_start);
	r->tid = be32(sb->s_sequence);
	r->crc = ~0u;
	r->damaged = false;
	r->steps = 0;
	while (!end && !err) {
		if (pass != PASS_SCAN && r->tid == r->end)
			return 0;
		err = step(r, pass, desc, &end);
		cond_resched();
	}
	if (pass == PASS_SCAN) {
		/* A circle without commits, or an error behind the last commit, is its end. */
		if (err == -EINVAL)
			err = 0;
		r->end = r->tid;
	} else if (!err && r->tid != r->end) {
		err = -EIO; /* it was different a moment ago */
	}
	return err;
}

static int recover(struct recovery *r, u8 *desc)
{
	struct journal *j = r->j;
	int err = run_pass(r, PASS_SCAN, desc);

	if (!err && be32(j->sb->s_maxlen) > j->last)
		err = fast_commit_load(j, r->end);
	if (!err)
		err = run_pass(r, PASS_REVOKE, desc);
	if (!err)
		err = run_pass(r, PASS_REPLAY, desc);
	if (!err)
		err = bdev_sync(j->c.fs_dev);
	return err ? err : bdev_flush(j->c.fs_dev);
}

int journal_recover(struct journal *j, journal_tid *next)
{
	struct recovery r = {.j = j, .fs_blocks = bdev_bytes(j->c.fs_dev) / j->c.block_size};
	journal_tid first = be32(j->sb->s_sequence);
	u8 *desc = kmalloc(j->c.block_size, GFP_KERNEL);
	int err = -ENOMEM;

	r.buf = kmalloc((size_t)WINDOW * j->c.block_size, GFP_KERNEL);
	if (desc && r.buf) {
		/* What somebody wrote to the device itself counts, too. */
		err = bdev_sync(j->c.dev);
		if (!err)
			err = recover(&r, desc);
	}
	if (err)
		log_err("jbd2: %s: recovery failed, error %s", j->c.fs_dev->name, errno_name(err));
	else
		log_info("jbd2: %s: recovered transactions %u to %u: %u blocks, %u revoked",
			j->c.fs_dev->name, first, r.end, r.replayed, r.revoked);
	/* One more than the end: blocks of a transaction that did not commit carry its number. But
	 * what takes fast commits over must have their number. */
	*next = j->fc ? r.end : r.end + 1;
	revoke_free(&r.revokes);
	kfree(r.buf);
	kfree(desc);
	return err;
}
