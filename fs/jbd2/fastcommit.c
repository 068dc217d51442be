/*
 * Fast commits: changes of files, logged by the file system itself behind the log proper since the
 * last full commit. We write none. Those that another kernel left are valid if they belong to the
 * transaction that would have come next and the checksums in their tails agree. What they say is
 * the file system's business.
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
	u32 pos = 0;

	while (pos + sizeof(struct jbd2_fc_tl) <= j->c.block_size) {
		const u8 *value = block + pos + sizeof(struct jbd2_fc_tl);
		u32 room = j->c.block_size - pos - (u32)sizeof(struct jbd2_fc_tl);
		struct jbd2_fc_tl tl;

		memcpy(&tl, block + pos, sizeof(tl));
		if (!tl.fc_tag || tl.fc_tag > JBD2_FC_TAG_LAST || tl.fc_len > room)
			return -EINVAL;
		if (tl.fc_tag == JBD2_FC_TAG_HEAD) {
			struct jbd2_fc_head head;

			if (tl.fc_len < sizeof(head))
				return -EINVAL;
			memcpy(&head, value, sizeof(head));
			if (head.fc_tid != next || head.fc_features)
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
		pos += (u32)sizeof(tl) + tl.fc_len;
	}
	/* Too little for a tag. */
	s->crc = crc32c_update(s->crc, block + pos, j->c.block_size - pos);
	return 0;
}

int fast_commit_load(struct journal *j, journal_tid next)
{
	u32 size = j->c.block_size, first = j->last + 1, end = be32(j->sb->s_maxlen);
	u32 nr = end > first ? end - first : 0, valid = 0;
	struct fc_state s = {};
	int err = 0, r = 0;
	u8 *area;

	if (!nr)
		return 0;
	area = kvmalloc((size_t)nr * size, GFP_KERNEL);
	if (!area)
		return -ENOMEM;
	for (u32 n = 0; n < nr && r >= 0; n++) {
		err = log_read_blocks(j, first + n, area + (size_t)n * size, 1);
		if (err)
			break;
		r = scan_block(j, area + (size_t)n * size, next, &s);
		if (r > 0) {
			valid = n + 1;
			s.crc = 0;
		}
	}
	if (err || !valid) {
		kvfree(area);
		return err;
	}
	j->fc = area;
	j->fc_bytes = (size_t)valid * size;
	return 0;
}

const u8 *journal_fast_commits(const struct journal *j, size_t *bytes)
{
	*bytes = j->fc_bytes;
	return j->fc;
}

void journal_fast_commits_done(struct journal *j)
{
	kvfree(j->fc);
	j->fc = NULL;
	j->fc_bytes = 0;
}
