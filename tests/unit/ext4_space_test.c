/* Blocks of ext4 while others work on them: what there is room for gets it. */
#include "ext4_fixture.h"

static struct {
	struct ext4 *fs;
	struct completion done;
	bool stop;
	u32 rounds;
} g_trim;

static void trim_again_and_again(void *arg)
{
	u64 trimmed;

	for (; !READ_ONCE(g_trim.stop); g_trim.rounds++) {
		EXPECT_EQ(ext4_trim(g_trim.fs, 0, U64_MAX, 0, &trimmed), 0);
		EXPECT(trimmed > 0);
		sched_yield_now();
	}
	complete(&g_trim.done);
}

/* One run of free blocks is left, which the device is busy with. */
UNIT(data_gets_its_blocks_while_the_free_ones_are_discarded)
{
	static u8 chunk[1024];
	struct fixture x = {};
	struct file *f;
	u64 filled = 0;

	x.image = script_image(
		"truncate -s 8M i; mke2fs -q -F -t ext4 -b 1024 -O ^has_journal i", &x.bytes);
	if (!EXPECT_EQ(x.bytes, 8 * MIB))
		return;
	x.disk = simdisk_create(&(struct simdisk_config){
		.bytes = x.bytes, .memory = x.image, .discard = true, .async = true});
	if (!EXPECT(x.disk != NULL) || !attach(&x, NULL))
		return;
	f = open_at(&x, "filler", O_RDWR | O_CREAT);
	while (f && !vfs_fallocate(f, 0, filled, 65536))
		filled += 65536;
	if (!f || !EXPECT_EQ(vfs_ftruncate(f, filled - 200 * 1024), 0))
		return;
	put_file(f);
	g_trim.fs = x.mnt->super->priv;
	completion_init(&g_trim.done);
	EXPECT(!is_err(kthread_run(trim_again_and_again, NULL, "trim")));
	f = open_at(&x, "f", O_RDWR | O_CREAT);
	for (u64 i = 0; f && i < 100; i++) {
		EXPECT_EQ(put(f, i * sizeof(chunk), chunk, sizeof(chunk)), sizeof(chunk));
		for (u64 n = unit_random_below(6); n; n--) /* to where the device has the blocks */
			sched_yield_now();
		EXPECT_EQ(vfs_fsync(f, 0, S64_MAX, false), 0);
	}
	if (f)
		put_file(f);
	g_trim.stop = true;
	wait_for_completion(&g_trim.done);
	EXPECT(g_trim.rounds > 10);
	EXPECT_EQ(g_trim.fs->unpromised + g_trim.fs->pending_free, g_trim.fs->free_blocks);
	finish(&x);
}
