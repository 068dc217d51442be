/*
 * Recovery: three passes over the log. Scan finds the last transaction that is whole; revoke
 * collects which blocks were freed by which; replay writes the blocks that weren't freed afterwards
 * to their places.
 *
 * Nothing here trusts the log: every number is checked, and a pass sees each log block at most
 * once.
 */
#include "internal.h"

enum pass { SCAN, REVOKE, REPLAY };

struct recovery {
	struct journal *j;
	journal_tid first, end; /* transactions [first, end) are whole */
	struct xarray revoked;  /* block -> tid + 1 of the last that revoked it */
	u8 *block, *data;
	u32 budget; /* log blocks that may still be read in this pass */
	u32 replayed, revokes;
	u32 tail; /* log block behind the last whole transaction */
};

struct tag {
	u64 block;
	u32 flags, csum;
};

static u32 read_tag(const struct journal *j, const u8 *at, struct tag *t)
{
	if (journal_has(j, JBD2_INCOMPAT_CSUM_V3)) {
		struct jbd2_tag3 r;

		memcpy(&r, at, sizeof(r));
		t->block = be32(r.t_blocknr);
		if (journal_has(j, JBD2_INCOMPAT_64BIT))
			t->block |= (u64)be32(r.t_blocknr_high) << 32;
		t->flags = be32(r.t_flags);
		t->csum = be32(r.t_checksum);
	} else {
		struct jbd2_tag r = {};

		memcpy(&r, at, min(j->tag_bytes, (u32)sizeof(r)));
		t->block = be32(r.t_blocknr);
		if (journal_has(j, JBD2_INCOMPAT_64BIT))
			t->block |= (u64)be32(r.t_blocknr_high) << 32;
		t->flags = be16(r.t_flags);
		t->csum = be16(r.t_checksum);
	}
	return j->tag_bytes + (t->flags & JBD2_TAG_SAME_UUID ? 0 : 16);
}

static bool tail_ok(const struct journal *j, const u8 *block)
{
	u32 *tail = (u32 *)(block + j->c.block_size) - 1;

	return !j->has_csum || *tail == be32(block_csum(j, block, tail));
}

static bool commit_ok(const struct journal *j, u8 *block)
{
	struct jbd2_commit *c = (struct jbd2_commit *)block;

	return !j->has_csum || c->h_chksum[0] == be32(block_csum(j, block, &c->h_chksum[0]));
}

static int read_log(struct recovery *r, u32 at, void *buf)
{
	if (!r->budget)
		return -EINVAL;
	r->budget--;
	return log_rw(r->j, BIO_READ, at, buf, 0);
}

static bool data_ok(const struct recovery *r, journal_tid tid, const struct tag *t)
{
	const struct journal *j = r->j;
	u32 crc;

	if (!j->has_csum)
		return true;
	crc = tag_csum(j, tid, r->data);
	return t->csum == (journal_has(j, JBD2_INCOMPAT_CSUM_V3) ? crc : (u16)crc);
}

static int replay_block(struct recovery *r, journal_tid tid, const struct tag *t, u32 at)
{
	struct journal *j = r->j;
	struct block_ref ref;
	const void *revoked;
	int err;

	revoked = xa_load(&r->revoked, t->block);
	if (revoked && !journal_tid_after(tid, (u32)(xa_to_value(revoked) - 1)))
		return 0;
	err = read_log(r, at, r->data);
	if (err)
		return err;
	if (!data_ok(r, tid, t)) {
		log_err("jbd2: %s: block %llu in the log is damaged (transaction %u)",
			j->c.fs_dev->name, (unsigned long long)t->block, tid);
		return -EIO;
	}
	if (t->flags & JBD2_TAG_ESCAPE) {
		u32 magic = be32(JBD2_MAGIC);

		memcpy(r->data, &magic, 4);
	}
	err = bdev_new_block(j->c.fs_dev, t->block, j->c.block_size, &ref);
	if (err)
		return err;
	memcpy(ref.data, r->data, j->c.block_size);
	bdev_mark_block_dirty(j->c.fs_dev, &ref);
	block_ref_put(&ref);
	r->replayed++;
	return 0;
}

/* A descriptor's tags; *at moves behind its data blocks. 0, 1: the log ends here, or an error. */
static int descriptor(struct recovery *r, enum pass pass, journal_tid tid, u32 *at)
{
	struct journal *j = r->j;
	u32 limit = j->c.block_size - (j->has_csum ? (u32)sizeof(struct jbd2_tail) : 0);
	u32 offset = sizeof(struct jbd2_header);
	struct tag t = {};

	if (!tail_ok(j, r->block))
		return pass == SCAN ? 1 : -EIO;
	while (!(t.flags & JBD2_TAG_LAST) && offset + j->tag_bytes <= limit) {
		offset += read_tag(j, r->block + offset, &t);
		if (offset > limit)
			break;
		if (pass == REPLAY) {
			int err = replay_block(r, tid, &t, *at);

			if (err)
				return err;
		} else if (!r->budget--) {
			r->budget = 0;
			return pass == SCAN ? 1 : -EIO;
		}
		*at = log_next(j, *at, 1);
	}
	return 0;
}

static int revokes(struct recovery *r, journal_tid tid)
{
	struct journal *j = r->j;
	const struct jbd2_revoke *k = (const struct jbd2_revoke *)r->block;
	u32 width = journal_has(j, JBD2_INCOMPAT_64BIT) ? 8 : 4, bytes = be32(k->r_count);
	u32 limit = j->c.block_size - (j->has_csum ? (u32)sizeof(struct jbd2_tail) : 0);

	if (!tail_ok(j, r->block) || bytes > limit || bytes < sizeof(*k))
		return -EIO;
	for (u32 at = sizeof(*k); at + width <= bytes; at += width) {
		u64 block = 0;
		u32 low;
		int err;

		if (width == 8) {
			memcpy(&block, r->block + at, 8);
			block = be64(block);
		} else {
			memcpy(&low, r->block + at, 4);
			block = be32(low);
		}
		if (block >> 48)
			return -EIO;
		err = xa_store(&r->revoked, block, xa_value((u64)tid + 1), GFP_KERNEL);
		if (err)
			return err;
		r->revokes++;
	}
	return 0;
}

static int run_pass(struct recovery *r, enum pass pass)
{
	struct journal *j = r->j;
	u32 at = be32(j->sb->s_start), start = at;
	journal_tid tid = r->first;

	r->budget = 2 * (j->last - j->first); /* a descriptor pass reads data blocks, too */
	for (u32 seen = 0; pass == SCAN || tid != r->end;) {
		const struct jbd2_header *h = (const struct jbd2_header *)r->block;
		int err = read_log(r, at, r->block);

		if (err)
			return pass == SCAN && err == -EINVAL ? 0 : err;
		if (be32(h->h_magic) != JBD2_MAGIC || be32(h->h_sequence) != tid)
			break;
		at = log_next(j, at, 1);
		switch (be32(h->h_blocktype)) {
		case JBD2_DESCRIPTOR_BLOCK:
			err = descriptor(r, pass, tid, &at);
			break;
		case JBD2_COMMIT_BLOCK:
			if (pass == SCAN && !commit_ok(j, r->block)) {
				err = 1;
				break;
			}
			tid++;
			if (pass == SCAN) {
				r->end = tid;
				r->tail = at;
			}
			break;
		case JBD2_REVOKE_BLOCK:
			if (pass == REVOKE)
				err = revokes(r, tid);
			break;
		default:
			err = 1;
		}
		if (err == 1)
			break;
		if (err)
			return err;
		if (at == start && ++seen > 1)
			break;
		cond_resched();
	}
	return pass == SCAN || tid == r->end ? 0 : -EIO;
}

/* Fast commits after the last full one would have to be replayed by rules of their own. */
static int check_fast_commits(struct recovery *r)
{
	struct journal *j = r->j;
	struct jbd2_fc_head head;
	int err;

	if (!journal_has(j, JBD2_INCOMPAT_FAST_COMMIT) || j->last >= be32(j->sb->s_maxlen))
		return 0;
	err = log_rw(j, BIO_READ, j->last, r->data, 0);
	if (err)
		return err;
	memcpy(&head, r->data, sizeof(head));
	if (head.fc_tag != JBD2_FC_TAG_HEAD || head.fc_tid != r->end)
		return 0;
	log_err("jbd2: %s: the journal has fast commits, which aren't replayed here",
		j->c.fs_dev->name);
	return -EOPNOTSUPP;
}

int journal_recover(struct journal *j, journal_tid *next)
{
	struct recovery r = {.j = j};
	int err = -ENOMEM;

	r.first = r.end = be32(j->sb->s_sequence);
	xa_init(&r.revoked);
	r.block = kmalloc(j->c.block_size, GFP_KERNEL);
	r.data = kmalloc(j->c.block_size, GFP_KERNEL);
	if (r.block && r.data)
		err = run_pass(&r, SCAN);
	if (!err)
		err = check_fast_commits(&r);
	if (!err)
		err = run_pass(&r, REVOKE);
	if (!err)
		err = run_pass(&r, REPLAY);
	if (!err)
		err = bdev_sync(j->c.fs_dev);
	if (!err)
		err = bdev_flush(j->c.fs_dev);
	if (!err)
		log_info("jbd2: %s: recovered %u transactions, %u blocks, %u revokes",
			j->c.fs_dev->name, r.end - r.first, r.replayed, r.revokes);
	/* One more than the end: what is left of a torn transaction must not look like the next. */
	*next = r.end + 1;
	xa_destroy(&r.revoked);
	kfree(r.block);
	kfree(r.data);
	return err;
}
