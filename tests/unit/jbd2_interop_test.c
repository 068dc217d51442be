/* The journal and e2fsprogs: logs made by one are replayed by the other; external journals. */
#include <abi/jbd2.h>
#include <block/simdisk.h>
#include <jbd2/journal.h>
#include <lib/string.h>
#include "unit.h"

static u32 be(u32 v)
{
	return __builtin_bswap32(v);
}

/* Every fifth begins like a block of the log. */
static void fill(void *data, u32 size, u32 value)
{
	u32 *p = data;

	p[0] = value % 5 ? value : be(JBD2_MAGIC);
	p[1] = value;
	for (u32 i = 2; i < size / 4; i++)
		p[i] = value * 2654435761u + i;
}

static bool holds(const void *data, u32 size, u32 value)
{
	u32 want[1024];

	fill(want, size, value);
	return !memcmp(data, want, size);
}

/* ---- the same log as e2fsprogs ------------------------------------------------------------------
 */

#define IMAGE_BYTES (8ul << 20)
#define FREE_BLOCK  6000 /* of 1 KiB: beyond all metadata of the image, and nobody's */

static u32 g_log[2048]; /* log block to device block, as debugfs tells */

static int map_image(void *owner, u64 log_block, u64 *dev_block)
{
	*dev_block = g_log[log_block];
	return *dev_block ? 0 : -EIO;
}

static void *filter_image(const char *script, const void *image, size_t n)
{
	char command[1024];
	size_t out = 0;
	void *r;

	unit_snprintf(command, sizeof(command),
		"sh -c 'd=$(mktemp -d); cat > $d/i; cd $d; (%s) > log 2>&1 || cat log >&2; "
		"cat i; rm -rf $d'",
		script);
	r = unit_filter(command, image, n, &out);
	EXPECT_EQ(out, n);
	return r;
}

static void read_map(const void *image)
{
	size_t n = 0;
	char *text = (char *)unit_filter("sh -c 'd=$(mktemp); cat > $d; debugfs -R \"blocks <8>\" "
					 "$d 2>/dev/null; rm $d'",
		image, IMAGE_BYTES, &n);
	u32 at = 0, value = 0;
	bool digits = false;

	memset(g_log, 0, sizeof(g_log));
	for (size_t i = 0; i < n && at < ARRAY_SIZE(g_log); i++) {
		if (text[i] >= '0' && text[i] <= '9') {
			value = value * 10 + (u32)(text[i] - '0');
			digits = true;
		} else if (digits) {
			g_log[at++] = value;
			value = 0;
			digits = false;
		}
	}
	EXPECT(at >= 1024);
	unit_free(text);
}

static struct journal *load_image(struct simdisk *d, bool csum, bool *recovered)
{
	struct journal_config c = {.fs_dev = simdisk_bdev(d),
		.dev = simdisk_bdev(d),
		.block_size = 1024,
		.nr_blocks = 1024,
		.map = map_image,
		.barriers = true,
		.checksum_v3 = csum};

	return journal_load(&c, recovered);
}

static void *make_image(const char *features)
{
	char script[256];
	void *zero = unit_alloc(IMAGE_BYTES), *image;

	unit_snprintf(script, sizeof(script), "mke2fs -q -F -b 1024 -J size=1 -O %s i", features);
	image = filter_image(script, zero, IMAGE_BYTES);
	unit_free(zero);
	read_map(image);
	return image;
}

static void e2fsck_replays_ours(const char *features, bool csum)
{
	u8 *image = make_image(features), *back;
	struct simdisk *d = simdisk_create(
		&(struct simdisk_config){.bytes = IMAGE_BYTES, .memory = image});
	struct block_device *b = simdisk_bdev(d);
	u8 *snapshot = unit_alloc(IMAGE_BYTES);
	bool recovered;
	struct journal *j = load_image(d, csum, &recovered);
	struct handle *h;
	struct block_ref r;

	if (!EXPECT(!is_err(j)))
		return;
	for (u32 round = 0; round < 3; round++) {
		h = journal_start(j, b, 200);
		for (u32 i = 0; i < 150; i++) {
			EXPECT_EQ(bdev_new_block(b, FREE_BLOCK + i, 1024, &r), 0);
			EXPECT_EQ(journal_get_create(h, &r), 0);
			fill(r.data, 1024, round * 1000 + i);
			EXPECT_EQ(journal_dirty(h, &r), 0);
			block_ref_put(&r);
		}
		if (round == 1) /* freed after its last write in the log: must not be replayed */
			EXPECT_EQ(journal_forget(h, FREE_BLOCK + 149), 0);
		h->sync = true;
		EXPECT_EQ(journal_stop(h), 0);
		if (round == 1)
			break;
	}
	memcpy(snapshot, image, IMAGE_BYTES);
	EXPECT_EQ(journal_close(j), 0);
	back = filter_image(
		"debugfs -w -R \"feature needs_recovery\" i; e2fsck -fy i; test $? -le 1 "
		"&& e2fsck -fn i",
		snapshot, IMAGE_BYTES);
	for (u32 i = 0; i < 149; i++)
		EXPECT(holds(back + (FREE_BLOCK + i) * 1024, 1024, 1000 + i));
	EXPECT(!holds(back + (FREE_BLOCK + 149) * 1024, 1024, 149));
	EXPECT(!holds(back + (FREE_BLOCK + 149) * 1024, 1024, 1149));
	unit_free(back);
	simdisk_destroy(d);
	unit_free(image);
	unit_free(snapshot);
}

static void we_replay_theirs(const char *features, const char *open, bool revoke)
{
	char script[512];
	u8 *made = make_image(features), *image;
	struct simdisk *d;
	bool recovered;
	struct journal *j;
	u32 want[256];

	/* 300 blocks, two of them revoked by a later transaction, one escaped. */
	unit_snprintf(script, sizeof(script),
		"python3 -c \"import struct,sys; sys.stdout.buffer.write(bytes().join("
		"struct.pack(chr(62)+chr(73),0xc03b3998 if i == 7 else i)*256 for i in range(300)))\" "
		"> data; (echo %s; echo jw -b 6000-6299 data; %s echo jc) | debugfs -w i",
		open, revoke ? "echo jw -r 6010-6011;" : "");
	image = filter_image(script, made, IMAGE_BYTES);
	unit_free(made);
	d = simdisk_create(&(struct simdisk_config){.bytes = IMAGE_BYTES, .memory = image});
	j = load_image(d, false, &recovered);
	if (EXPECT(!is_err(j))) {
		EXPECT_EQ(recovered, true);
		EXPECT_EQ(journal_close(j), 0);
	}
	for (u32 i = 0; i < 300; i++) {
		bool gone = revoke && (i == 10 || i == 11);
		u32 value = i == 7 ? JBD2_MAGIC : gone ? 0 : i;

		for (u32 k = 0; k < 256; k++)
			want[k] = be(value);
		if (!gone)
			EXPECT_MEM(image + (6000 + i) * 1024, want, 1024);
		else
			EXPECT_EQ(((u32 *)(image + (6000 + i) * 1024))[0], 0);
	}
	simdisk_destroy(d);
	unit_free(image);
}

UNIT(e2fsck_replays_our_log)
{
	e2fsck_replays_ours("has_journal,extent", false);
	e2fsck_replays_ours("has_journal,extent,metadata_csum", true);
	e2fsck_replays_ours("has_journal,extent,metadata_csum,64bit", true);
}

/* debugfs counts revoke blocks in the old checksum, e2fsck and we do not: none there. With version
 * 2 and 32 bits it overwrites its own commit block: not here. */
UNIT(we_replay_the_log_of_debugfs)
{
	we_replay_theirs("has_journal,extent", "jo", true);
	we_replay_theirs("has_journal,extent", "jo -c", false);
	we_replay_theirs("has_journal,extent,64bit", "jo", true);
	we_replay_theirs("has_journal,extent,metadata_csum", "jo -c -v 3", true);
	we_replay_theirs("has_journal,extent,64bit,metadata_csum", "jo -c -v 2", true);
	we_replay_theirs("has_journal,extent,64bit,metadata_csum", "jo -c -v 3", true);
}

/* ---- external journal -------------------------------------------------------------------------- */

#define EXT_START 2 /* the journal superblock of a device made by mke2fs -O journal_dev -b 1024 */

static struct journal *load_external(
	struct simdisk *fs, struct simdisk *log, const u8 *uuid, bool *recovered)
{
	struct journal_config c = {.fs_dev = simdisk_bdev(fs),
		.dev = simdisk_bdev(log),
		.block_size = 1024,
		.nr_blocks = 2048,
		.dev_start = EXT_START,
		.fs_uuid = uuid,
		.barriers = true};

	return journal_load(&c, recovered);
}

UNIT(an_external_journal_serves_its_file_system)
{
	static const u8 uuid[16] = "0123456789abcde", other[16] = "x";
	size_t fs_bytes = 1 << 20, log_bytes = 2 << 20;
	void *zero = unit_alloc(log_bytes);
	u8 *log = filter_image("mke2fs -q -F -b 1024 -O journal_dev i", zero, log_bytes);
	u8 *fs = unit_alloc(fs_bytes), *fs2 = unit_alloc(fs_bytes), *log2 = unit_alloc(log_bytes);
	struct jbd2_super *sb = (struct jbd2_super *)(log + EXT_START * 1024);
	struct simdisk *d, *l;
	struct block_ref r;
	struct journal *j;
	struct handle *h;
	bool recovered;

	sb->s_nr_users = be(1);
	memcpy(sb->s_users, uuid, 16);
	d = simdisk_create(&(struct simdisk_config){.bytes = fs_bytes, .memory = fs});
	l = simdisk_create(&(struct simdisk_config){.bytes = log_bytes, .memory = log});
	j = load_external(d, l, other, &recovered);
	EXPECT_EQ(ptr_err(j), -EINVAL);
	j = load_external(d, l, uuid, &recovered);
	if (EXPECT(!is_err(j))) {
		for (u32 i = 0; i < 30; i++) {
			h = journal_start(j, simdisk_bdev(d), 3);
			EXPECT_EQ(bdev_read_block(simdisk_bdev(d), 10 + i, 1024, &r), 0);
			EXPECT_EQ(journal_get_write(h, &r), 0);
			fill(r.data, 1024, i);
			EXPECT_EQ(journal_dirty(h, &r), 0);
			block_ref_put(&r);
			h->sync = i % 4 == 3;
			EXPECT_EQ(journal_stop(h), 0);
		}
		memcpy(fs2, fs, fs_bytes);
		memcpy(log2, log, log_bytes);
		EXPECT_EQ(journal_close(j), 0);
		EXPECT(holds(fs + 39 * 1024, 1024, 29));
	}
	simdisk_destroy(d);
	simdisk_destroy(l);
	EXPECT(!holds(fs2 + 10 * 1024, 1024, 0));
	/* The first log block is the one behind the superblock. */
	EXPECT_EQ(*(u32 *)(log2 + (EXT_START + 1) * 1024), be(JBD2_MAGIC));
	d = simdisk_create(&(struct simdisk_config){.bytes = fs_bytes, .memory = fs2});
	l = simdisk_create(&(struct simdisk_config){.bytes = log_bytes, .memory = log2});
	j = load_external(d, l, uuid, &recovered);
	if (EXPECT(!is_err(j))) {
		EXPECT_EQ(recovered, true);
		EXPECT_EQ(journal_close(j), 0);
	}
	for (u32 i = 0; i < 28; i++)
		EXPECT(holds(fs2 + (10 + i) * 1024, 1024, i));
	simdisk_destroy(d);
	simdisk_destroy(l);
	unit_free(zero);
	unit_free(log);
	unit_free(log2);
	unit_free(fs);
	unit_free(fs2);
}
