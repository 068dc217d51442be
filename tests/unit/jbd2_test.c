/*
 * The journal under random handles and power cuts. Each worker has blocks of its own and one that
 * counts its handles, changed in each of them; so after recovery that number says which handles
 * must be there wholly, and no others in part. Blocks that were freed get data that isn't
 * journaled, which recovery must not overwrite.
 */
#include <abi/jbd2.h>
#include <block/simdisk.h>
#include <core/log.h>
#include <jbd2/journal.h>
#include <kmem/slab.h>
#include <lib/crc32.h>
#include <lib/string.h>
#include <sched/timer.h>
#include "unit.h"

#define LOG_AT      64 /* first block of the log */
#define NR_BLOCKS   48 /* of a worker; the first one counts its handles */
#define MAX_EVENTS  20000
#define MAX_THREADS 4

enum kind { META, FREED, DATA };
struct event {
	enum kind kind;
	u32 block, value;
	u32 seq; /* META, FREED: handle; DATA: handle that freed the block */
	u32 end; /* entries of the log when it was durable; 0: not yet */
};

struct block_state {
	enum { S_FREE, S_META, S_PENDING, S_READY } state;
	u32 freed_seq;
};

struct pending { /* waits for the commit of a free */
	struct journal_callback cb;
	struct block_state *b;
	bool *late;
};

struct worker {
	struct world *w;
	u64 seed;
	u32 index, seq, handles;
	struct block_state blocks[NR_BLOCKS];
	struct event *events;
	u32 nr_events;
	struct {
		u32 seq, entries;
	} * durable; /* one for each handle at most */
	u32 nr_durable;
	struct completion done;
	int err;
};

struct setup {
	u32 size, log_blocks, threads, handles;
	u32 compat, incompat;
	bool async, no_cache, fua, checksum_v3, v1;
};

struct world {
	struct setup s;
	struct simdisk *disk;
	struct journal *j;
	struct worker workers[MAX_THREADS];
};

static u32 be(u32 v)
{
	return __builtin_bswap32(v);
}

static u64 next_random(u64 *s)
{
	*s = *s * 6364136223846793005ull + 1442695040888963407ull;
	return *s >> 33;
}

static u64 first_block(const struct world *w)
{
	return LOG_AT + w->s.log_blocks;
}

static u64 disk_blocks(const struct world *w)
{
	return first_block(w) + w->s.threads * NR_BLOCKS;
}

static u64 place(const struct worker *k, u32 block)
{
	return first_block(k->w) + k->index * NR_BLOCKS + block;
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

static int map_log(void *owner, u64 log_block, u64 *dev_block)
{
	*dev_block = LOG_AT + log_block;
	return 0;
}

static void format(struct world *w, void *memory)
{
	struct jbd2_super *s = (struct jbd2_super *)((char *)memory + LOG_AT * w->s.size);

	memset(s, 0, w->s.size);
	s->s_header.h_magic = be(JBD2_MAGIC);
	s->s_header.h_blocktype = be(w->s.v1 ? JBD2_SUPERBLOCK_V1 : JBD2_SUPERBLOCK_V2);
	s->s_blocksize = be(w->s.size);
	s->s_maxlen = be(w->s.log_blocks);
	s->s_first = be(1);
	s->s_sequence = be(0xfffffff0); /* numbers wrap soon */
	if (w->s.v1)
		return;
	s->s_feature_compat = be(w->s.compat);
	s->s_feature_incompat = be(w->s.incompat);
	memset(s->s_uuid, 0x5a, 16);
	s->s_nr_users = be(1);
	if (w->s.incompat & (JBD2_INCOMPAT_CSUM_V2 | JBD2_INCOMPAT_CSUM_V3)) {
		s->s_checksum_type = JBD2_CHKSUM_CRC32C;
		s->s_checksum = be(crc32c_update(~0u, s, sizeof(*s)));
	}
}

static struct simdisk *make_disk(struct world *w, void *memory, bool async)
{
	struct simdisk_config c = {.bytes = disk_blocks(w) * w->s.size,
		.memory = memory,
		.seed = unit_random(),
		.async = async,
		.no_cache = w->s.no_cache,
		.fua = w->s.fua,
		.alloc = unit_alloc,
		.free = unit_free};

	return simdisk_create(&c);
}

static struct journal *load(struct world *w, struct simdisk *d, bool *recovered)
{
	struct journal_config c = {.fs_dev = simdisk_bdev(d),
		.dev = simdisk_bdev(d),
		.block_size = w->s.size,
		.nr_blocks = w->s.log_blocks,
		.map = map_log,
		.barriers = true,
		.checksum_v3 = w->s.checksum_v3};

	return journal_load(&c, recovered);
}

/* ---- the work ---------------------------------------------------------------------------------- */

static struct event *note(struct worker *k, enum kind kind, u32 block, u32 value)
{
	struct event *e = &k->events[k->nr_events++];

	if (k->nr_events > MAX_EVENTS)
		panic("more events than expected");
	*e = (struct event){.kind = kind, .block = block, .value = value, .seq = k->seq};
	return e;
}

static void freed(struct journal_callback *cb, bool committed)
{
	struct pending *p = container_of(cb, struct pending, cb);

	p->b->state = committed ? S_READY : S_FREE;
	kfree(p);
}

static int change(struct worker *k, struct handle *h, u32 block, bool create)
{
	struct block_device *b = simdisk_bdev(k->w->disk);
	u32 size = k->w->s.size, value = (u32)next_random(&k->seed);
	struct block_ref r;
	int err = create ? bdev_new_block(b, place(k, block), size, &r)
			 : bdev_read_block(b, place(k, block), size, &r);

	if (!block)
		value = k->seq;
	if (!err)
		err = create ? journal_get_create(h, &r) : journal_get_write(h, &r);
	if (!err) {
		fill(r.data, size, value);
		err = journal_dirty(h, &r);
	}
	block_ref_put(&r);
	if (!err)
		note(k, META, block, value);
	return err;
}

static int free_block(struct worker *k, struct handle *h, u32 block)
{
	struct pending *p = kmalloc(sizeof(*p), GFP_NOFS);
	int err = journal_forget(h, place(k, block));

	if (err) {
		kfree(p);
		return err;
	}
	note(k, FREED, block, 0);
	k->blocks[block].state = S_PENDING;
	k->blocks[block].freed_seq = k->seq;
	*p = (struct pending){.cb.fn = freed, .b = &k->blocks[block]};
	list_init(&p->cb.link);
	journal_on_commit(h, &p->cb);
	return 0;
}

static int one_handle(struct worker *k)
{
	struct handle *h = journal_start(k->w->j, simdisk_bdev(k->w->disk), 10);
	u32 n = (u32)next_random(&k->seed) % 8;
	int err, err2;

	if (is_err(h))
		return ptr_err(h);
	k->seq++;
	err = change(k, h, 0, k->seq == 1);
	k->blocks[0].state = S_META;
	for (u32 i = 0; i < n && !err; i++) {
		u32 b = 1 + (u32)next_random(&k->seed) % (NR_BLOCKS - 1);
		struct block_state *s = &k->blocks[b];

		if (s->state == S_META && next_random(&k->seed) % 4 == 0) {
			err = free_block(k, h, b);
		} else if (s->state != S_PENDING) {
			err = change(k, h, b, s->state != S_META);
			s->state = S_META;
		}
		if (next_random(&k->seed) % 16 == 0)
			sched_yield_now();
	}
	h->sync = next_random(&k->seed) % 64 == 0;
	if (h->sync) {
		err2 = journal_stop(h);
		if (!err && !err2) {
			k->durable[k->nr_durable].seq = k->seq;
			k->durable[k->nr_durable++].entries = simdisk_log_count(k->w->disk);
		}
	} else {
		err2 = journal_stop(h);
	}
	return err ? err : err2;
}

/* A block whose freeing is durable is written past the journal. */
static int write_data(struct worker *k)
{
	u32 b = 1 + (u32)next_random(&k->seed) % (NR_BLOCKS - 1), size = k->w->s.size;
	struct event *e;
	void *buf;
	int err;

	if (k->blocks[b].state != S_READY)
		return 0;
	buf = kmalloc(size, GFP_NOFS);
	e = note(k, DATA, b, (u32)next_random(&k->seed));
	e->seq = k->blocks[b].freed_seq;
	k->blocks[b].state = S_PENDING; /* nobody touches it meanwhile */
	fill(buf, size, e->value);
	err = bdev_rw(simdisk_bdev(k->w->disk), BIO_WRITE, place(k, b) * (size >> SECTOR_SHIFT),
		buf, size, BIO_FUA);
	e->end = simdisk_log_count(k->w->disk);
	k->blocks[b].state = S_FREE;
	kfree(buf);
	return err;
}

static void work(void *arg)
{
	struct worker *k = arg;

	for (u32 i = 0; i < k->handles && !k->err; i++) {
		k->err = one_handle(k);
		if (!k->err)
			k->err = write_data(k);
		if (next_random(&k->seed) % 256 == 0)
			sleep_ns(NS_PER_SEC * (s64)(next_random(&k->seed) % 20));
	}
	complete(&k->done);
}

static void run_workers(struct world *w)
{
	for (u32 i = 0; i < w->s.threads; i++) {
		struct worker *k = &w->workers[i];

		k->w = w;
		k->index = i;
		k->seed = unit_random();
		k->handles = w->s.handles;
		k->events = unit_alloc(MAX_EVENTS * sizeof(*k->events));
		k->durable = unit_alloc((w->s.handles + 1) * sizeof(*k->durable));
		completion_init(&k->done);
		EXPECT(!is_err(kthread_run(work, k, "worker%u", i)));
	}
	for (u32 i = 0; i < w->s.threads; i++)
		wait_for_completion(&w->workers[i].done);
}

/* ---- checking ---------------------------------------------------------------------------------- */

struct expected {
	enum { ANY, VALUE } kind;
	u32 value;
};

static void check_worker(struct worker *k, const u8 *memory, u32 point)
{
	struct expected want[NR_BLOCKS] = {};
	u32 size = k->w->s.size, durable = 0;
	const u8 *mine = memory + place(k, 0) * size;
	u32 seq = ((const u32 *)mine)[1];

	for (u32 i = 0; i < k->nr_durable; i++)
		if (k->durable[i].entries <= point)
			durable = k->durable[i].seq;
	EXPECT(seq >= durable);
	EXPECT(seq <= k->seq);
	for (u32 i = 0; i < k->nr_events; i++) {
		struct event *e = &k->events[i];

		if (e->kind == DATA) {
			bool there = e->end && e->end <= point;

			EXPECT(!there || e->seq <= seq);
			if (e->seq <= seq)
				want[e->block] = (struct expected){there ? VALUE : ANY, e->value};
		} else if (e->seq <= seq) {
			want[e->block] = (struct expected){e->kind == META ? VALUE : ANY, e->value};
		}
	}
	for (u32 i = 0; i < NR_BLOCKS; i++)
		EXPECT(want[i].kind == ANY || holds(mine + i * size, size, want[i].value));
}

static void check_image(struct world *w, void *image, u32 point, int depth)
{
	struct simdisk *d = make_disk(w, image, false);
	void *again = NULL;
	bool recovered;
	struct journal *j;

	if (depth)
		EXPECT_EQ(simdisk_log_start(d), 0);
	j = load(w, d, &recovered);
	if (!EXPECT(!is_err(j))) {
		EXPECT_EQ(ptr_err(j), 0);
		simdisk_destroy(d);
		return;
	}
	EXPECT_EQ(journal_close(j), 0);
	for (u32 i = 0; i < w->s.threads; i++)
		check_worker(&w->workers[i], image, point);
	/* It is all at its place now, without a journal. */
	EXPECT_EQ(((struct jbd2_super *)((char *)image + LOG_AT * w->s.size))->s_start, 0);
	for (u32 n = 0; depth && n < 4; n++) {
		u32 at = (u32)unit_random_below(simdisk_log_count(d) + 1);

		again = again ? again : unit_alloc(disk_blocks(w) * w->s.size);
		simdisk_crash_image(d, at, &(struct simdisk_crash){.seed = unit_random()}, again);
		check_image(w, again, point, 0);
	}
	unit_free(again);
	simdisk_destroy(d);
}

static void cut_power(struct world *w, u32 cuts)
{
	u32 entries = simdisk_log_count(w->disk);
	void *image = unit_alloc(disk_blocks(w) * w->s.size);

	for (u32 i = 0; i < cuts; i++) {
		u32 point = i ? (u32)unit_random_below(entries + 1) : entries;
		struct simdisk_crash c = {
			.seed = unit_random(), .loss = (enum simdisk_loss)(i % 4)};

		simdisk_crash_image(w->disk, point, &c, image);
		check_image(w, image, point, i % 8 == 0);
	}
	unit_free(image);
}

static void try_setup(const struct setup *s, u32 cuts)
{
	struct world *w = unit_alloc(sizeof(*w));
	bool recovered;

	w->s = *s;
	w->disk = make_disk(w, NULL, s->async);
	format(w, simdisk_memory(w->disk));
	w->j = load(w, w->disk, &recovered);
	if (EXPECT(!is_err(w->j))) {
		EXPECT_EQ(recovered, false);
		EXPECT_EQ(simdisk_log_start(w->disk), 0);
		run_workers(w);
		for (u32 i = 0; i < s->threads; i++)
			EXPECT_EQ(w->workers[i].err, 0);
		cut_power(w, cuts);
		EXPECT_EQ(journal_close(w->j), 0);
		for (u32 i = 0; i < s->threads; i++) {
			struct worker *k = &w->workers[i];

			check_worker(k, simdisk_memory(w->disk), U32_MAX);
			unit_free(k->events);
			unit_free(k->durable);
		}
	}
	simdisk_destroy(w->disk);
	unit_free(w);
}

UNIT(handles_survive_power_cuts_wholly_or_not_at_all)
{
	try_setup(&(struct setup){.size = 1024, .log_blocks = 1024, .threads = 1, .handles = 1500},
		60);
}

UNIT(with_threads_and_a_disk_that_reorders)
{
	try_setup(&(struct setup){.size = 4096,
			  .log_blocks = 1024,
			  .threads = 4,
			  .handles = 600,
			  .async = true,
			  .checksum_v3 = true},
		60);
}

UNIT(with_each_format_of_the_log)
{
	static const u32 formats[] = {0, JBD2_INCOMPAT_REVOKE, JBD2_INCOMPAT_64BIT,
		JBD2_INCOMPAT_CSUM_V2, JBD2_INCOMPAT_CSUM_V2 | JBD2_INCOMPAT_64BIT,
		JBD2_INCOMPAT_CSUM_V3, JBD2_INCOMPAT_CSUM_V3 | JBD2_INCOMPAT_64BIT,
		JBD2_INCOMPAT_ASYNC_COMMIT | JBD2_INCOMPAT_CSUM_V3};

	for (u32 i = 0; i < ARRAY_SIZE(formats); i++)
		try_setup(&(struct setup){.size = 1024u << i % 3,
				  .log_blocks = 1024,
				  .threads = 1 + i % 2,
				  .handles = 300,
				  .incompat = formats[i],
				  .fua = i & 1,
				  .no_cache = i == 3},
			16);
	try_setup(&(struct setup){.size = 1024,
			  .log_blocks = 1024,
			  .threads = 1,
			  .handles = 300,
			  .compat = JBD2_COMPAT_CHECKSUM},
		16);
	try_setup(
		&(struct setup){
			.size = 1024, .log_blocks = 1024, .threads = 1, .handles = 300, .v1 = true},
		16);
}

UNIT(with_an_area_for_fast_commits)
{
	try_setup(&(struct setup){.size = 1024,
			  .log_blocks = 2048,
			  .threads = 2,
			  .handles = 400,
			  .incompat = JBD2_INCOMPAT_FAST_COMMIT | JBD2_INCOMPAT_CSUM_V3},
		16);
}

/* ---- errors ------------------------------------------------------------------------------------ */

static int g_aborted;

static void on_abort(void *owner, int err)
{
	g_aborted = err;
}

UNIT(a_failed_write_of_the_log_aborts_and_nothing_hangs)
{
	struct setup s = {.size = 1024, .log_blocks = 1024, .threads = 1, .handles = 50};
	struct world *w = unit_alloc(sizeof(*w));
	bool recovered;
	struct handle *h;
	int failed = 0;

	w->s = s;
	for (u32 nth = 1; nth < 40; nth++) {
		struct journal_config c;

		g_aborted = 0;
		w->disk = make_disk(w, NULL, nth & 1);
		format(w, simdisk_memory(w->disk));
		c = (struct journal_config){.fs_dev = simdisk_bdev(w->disk),
			.dev = simdisk_bdev(w->disk),
			.block_size = s.size,
			.nr_blocks = s.log_blocks,
			.map = map_log,
			.aborted = on_abort,
			.barriers = true};
		w->j = journal_load(&c, &recovered);
		simdisk_set_fault(w->disk,
			&(struct simdisk_fault){
				.ops = 1 << BIO_WRITE | 1 << BIO_FLUSH, .nth = nth});
		memset(w->workers, 0, sizeof(w->workers));
		run_workers(w);
		(void)!journal_commit_all(w->j, true);
		(void)!journal_flush(w->j);
		sleep_ns(NS_PER_SEC);
		if (journal_error(w->j)) {
			failed++;
			EXPECT(g_aborted < 0);
			h = journal_start(w->j, simdisk_bdev(w->disk), 1);
			EXPECT_EQ(ptr_err(h), -EROFS);
			EXPECT(journal_stored_error(w->j) < 0);
			EXPECT(journal_close(w->j) < 0);
		} else {
			int err = journal_close(w->j); /* the error may come only now */

			EXPECT(!err || err == -EIO || err == -EROFS);
		}
		unit_free(w->workers[0].events);
		unit_free(w->workers[0].durable);
		simdisk_destroy(w->disk);
	}
	EXPECT(failed > 5);
	unit_free(w);
}

/* ---- hostile logs -------------------------------------------------------------------------------
 */

/* Words of the superblock and of log blocks, mostly in their headers, become something else. */
static void damage(const struct world *w, u8 *image)
{
	u32 n = 1 + (u32)unit_random_below(6);

	while (n--) {
		u64 block = unit_random_below(4) ? unit_random_below(80)
						 : unit_random_below(w->s.log_blocks);
		u32 at = 4 * (u32)unit_random_below(unit_random_below(4) ? 20 : w->s.size / 4);
		u32 *word = (u32 *)(image + (LOG_AT + block) * w->s.size + at);

		switch (unit_random_below(5)) {
		case 0:
			*word = (u32)unit_random();
			break;
		case 1:
			*word = be((u32)unit_random_below(3000));
			break;
		case 2:
			*word ^= 1u << unit_random_below(32);
			break;
		case 3:
			*word = be((u32)unit_random_below(7));
			break;
		default:
			*word = be(be(*word) + 1 - 2 * (u32)unit_random_below(2));
		}
	}
}

static void hostile(const struct setup *s, u32 rounds)
{
	struct world *w = unit_alloc(sizeof(*w));
	u64 bytes;
	u8 *good, *bad;
	bool recovered;
	u32 loaded = 0;

	w->s = *s;
	bytes = disk_blocks(w) * s->size;
	good = unit_alloc(bytes);
	bad = unit_alloc(bytes);
	w->disk = make_disk(w, NULL, false);
	format(w, simdisk_memory(w->disk));
	w->j = load(w, w->disk, &recovered);
	EXPECT_EQ(simdisk_log_start(w->disk), 0);
	run_workers(w);
	simdisk_crash_image(w->disk, simdisk_log_count(w->disk),
		&(struct simdisk_crash){.loss = SIM_LOSE_NONE}, good);
	EXPECT_EQ(journal_close(w->j), 0);
	for (u32 i = 0; i < s->threads; i++) {
		unit_free(w->workers[i].events);
		unit_free(w->workers[i].durable);
	}
	simdisk_destroy(w->disk);
	for (u32 i = 0; i < rounds; i++) {
		struct simdisk *d;
		struct journal *j;

		memcpy(bad, good, bytes);
		damage(w, bad);
		d = make_disk(w, bad, false);
		j = load(w, d, &recovered);
		if (!is_err(j)) {
			loaded++;
			EXPECT_EQ(journal_close(j), 0);
		} else {
			EXPECT(ptr_err(j) == -EINVAL || ptr_err(j) == -EIO ||
				ptr_err(j) == -EOPNOTSUPP);
		}
		simdisk_destroy(d);
	}
	EXPECT(loaded < rounds);
	unit_free(good);
	unit_free(bad);
	unit_free(w);
}

UNIT(hostile_logs_are_refused_or_replayed_but_never_believed_blindly)
{
	hostile(&(struct setup){.size = 1024, .log_blocks = 1024, .threads = 1, .handles = 60},
		600);
	hostile(&(struct setup){.size = 1024,
			.log_blocks = 2048,
			.threads = 1,
			.handles = 60,
			.incompat = JBD2_INCOMPAT_FAST_COMMIT | JBD2_INCOMPAT_64BIT},
		600);
	hostile(&(struct setup){.size = 2048,
			.log_blocks = 1024,
			.threads = 2,
			.handles = 60,
			.incompat = JBD2_INCOMPAT_CSUM_V2},
		300);
}
