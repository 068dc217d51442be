/*
 * Fast commits: changes of files, logged by the file system itself behind the log proper since the
 * last full commit. We write none. Those that another kernel left are valid if they belong to the
 * transaction that would have come next and their tail's checksum agrees; they would have to be
 * replayed as operations on files, which is not done here: such a file system is refused.
 */
#include <lib/crc32.h>
#include "internal.h"

struct fc_state {
	u32 crc;
	bool head;
};

/* One block of tags. 1: a valid fast commit ends here; 0: go on; -EINVAL: nothing valid. */
static int scan_block(
	const struct journal *j, const u8 *block, journal_tid next, struct fc_state *s)
{
	struct jbd2_fc_tl tl;

	for (u32 pos = 0; pos + sizeof(tl) <= j->c.block_size; pos += sizeof(tl) + tl.fc_len) {
		const u8 *value = block + pos + sizeof(tl);
		u32 room = j->c.block_size - pos - (u32)sizeof(tl);

		memcpy(&tl, block + pos, sizeof(tl));
		if (!tl.fc_tag || tl.fc_tag > JBD2_FC_TAG_LAST || tl.fc_len > room)
			return -EINVAL;
		if (tl.fc_tag == JBD2_FC_TAG_HEAD) {
			struct jbd2_fc_head head;

			if (tl.fc_len < sizeof(head))
				return -EINVAL;
			memcpy(&head, value, sizeof(head));
			if (head.fc_tid != next)
				return -EINVAL;
			s->head = true;
		} else if (!s->head) {
			return -EINVAL;
		}
		if (tl.fc_tag == JBD2_FC_TAG_TAIL) {
			struct jbd2_fc_tail tail;

			if (tl.fc_len < sizeof(tail))
				return -EINVAL;
			memcpy(&tail, value, sizeof(tail));
			s->crc = crc32c_update(s->crc, block + pos,
				sizeof(tl) + offsetof(struct jbd2_fc_tail, fc_crc));
			return tail.fc_tid == next && tail.fc_crc == s->crc ? 1 : -EINVAL;
		}
		s->crc = crc32c_update(s->crc, block + pos, sizeof(tl) + tl.fc_len);
	}
	return 0;
}

int fast_commit_check(struct journal *j, u8 *buf, journal_tid next)
{
	struct fc_state s = {};
	int err, r = 0;

	for (u32 b = j->last; b < be32(j->sb->s_maxlen) && !r; b++) {
		err = log_read_blocks(j, b, buf, 1);
		if (err)
			return err;
		r = scan_block(j, buf, next, &s);
	}
	if (r <= 0)
		return 0;
	log_err("jbd2: %s: fast commits after transaction %u need a replay by e2fsck",
		j->c.fs_dev->name, next - 1);
	return -EOPNOTSUPP;
}
