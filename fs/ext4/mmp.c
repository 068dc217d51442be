/* Multiple mount protection: a block that whoever has the file system mounted keeps changing. */
#include <core/log.h>
#include <core/trace.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <sched/thread.h>
#include <sched/timer.h>
#include "ext4.h"

#define MMP_MAGIC    0x004d4d50u
#define SEQ_CLEAN    0xff4d4d50u
#define SEQ_FSCK     0xe24d4d50u
#define SEQ_MAX      0xe24d4d4fu
#define MIN_INTERVAL 5u
#define MAX_INTERVAL 300u

struct ext4_mmp_state {
	u32 seq, interval; /* seconds */
	struct wait_queue wait;
	bool stop;
	struct completion done;
	struct ext4_mmp *block; /* a copy: it is read and written around the page cache */
};

static u32 csum(struct ext4 *fs, const struct ext4_mmp *m)
{
	return ext4_csum(fs->csum_seed, m, offsetof(struct ext4_mmp, mmp_checksum));
}

static int rw(struct ext4 *fs, struct ext4_mmp *m, bool write)
{
	u64 sector = fs->es->s_mmp_block * fs->sectors_per_block;
	int err;

	if (write) {
		m->mmp_time = (u64)(clock_real_ns() / NS_PER_SEC);
		if (fs->has_csum)
			m->mmp_checksum = csum(fs, m);
		return bdev_rw(fs->dev, BIO_WRITE, sector, m, sizeof(*m), BIO_SYNC | BIO_FUA);
	}
	err = bdev_rw(fs->dev, BIO_READ, sector, m, sizeof(*m), BIO_SYNC);
	if (err)
		return err;
	if (m->mmp_magic != MMP_MAGIC || (fs->has_csum && m->mmp_checksum != csum(fs, m)))
		return ext4_corrupt(fs, 0, fs->es->s_mmp_block, "MMP block");
	return 0;
}

static u32 new_seq(void)
{
	return (u32)(random_u64() % SEQ_MAX) + 1;
}

static void keep_alive(void *arg)
{
	struct ext4 *fs = arg;
	struct ext4_mmp_state *s = fs->mmp;

	while (!READ_ONCE(s->stop)) {
		(void)!wait_event_full(&s->wait, READ_ONCE(s->stop), THREAD_SLEEPING,
			deadline_after((s64)s->interval * NS_PER_SEC), wait_prepare);
		if (READ_ONCE(s->stop))
			break;
		if (super_is_frozen(fs->super))
			continue;
		s->seq = s->seq >= SEQ_MAX ? 1 : s->seq + 1;
		s->block->mmp_seq = s->seq;
		if (rw(fs, s->block, true))
			(void)ext4_fatal(fs, -EIO, "MMP block");
	}
	complete(&s->done);
}

/* Nobody else changes it for long enough. */
static int watch(struct ext4 *fs, struct ext4_mmp *m)
{
	u32 seq = m->mmp_seq, wait = max_t(u32, m->mmp_check_interval, MIN_INTERVAL);
	int err;

	if (seq == SEQ_FSCK) {
		log_err("ext4: %s: e2fsck is running on it", fs->super->id);
		return -EBUSY;
	}
	if (seq == SEQ_CLEAN)
		return 0;
	wait = min(wait, MAX_INTERVAL) * 2 + 1;
	log_warn("ext4: %s: MMP: waiting %u s", fs->super->id, wait);
	err = sleep_until(deadline_after((s64)wait * NS_PER_SEC));
	if (!err)
		err = rw(fs, m, false);
	if (!err && m->mmp_seq != seq) {
		log_err("ext4: %s: in use on %.64s", fs->super->id, m->mmp_nodename);
		err = -EBUSY;
	}
	return err;
}

int ext4_mmp_start(struct ext4 *fs)
{
	struct ext4_mmp_state *s;
	struct thread *t;
	u64 b = fs->es->s_mmp_block;
	u32 seq;
	int err;

	if (!ext4_has_incompat(fs, MMP) || (fs->super->flags & MS_RDONLY) || fs->mmp)
		return 0;
	if (b <= fs->es->s_first_data_block || b >= fs->blocks_count)
		return -EINVAL;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (s)
		s->block = kmalloc(sizeof(*s->block), GFP_KERNEL);
	err = s && s->block ? rw(fs, s->block, false) : -ENOMEM;
	if (!err)
		err = watch(fs, s->block);
	if (err)
		goto fail;
	seq = s->seq = s->block->mmp_seq = new_seq();
	s->interval = max_t(u32, fs->es->s_mmp_interval, 1);
	s->block->mmp_check_interval = (u16)clamp(s->interval * 2, MIN_INTERVAL, MAX_INTERVAL);
	memset(s->block->mmp_nodename, 0, sizeof(s->block->mmp_nodename));
	(void)str_copy(s->block->mmp_nodename, "aramid", sizeof(s->block->mmp_nodename));
	memset(s->block->mmp_bdevname, 0, sizeof(s->block->mmp_bdevname));
	(void)str_copy(s->block->mmp_bdevname, fs->dev->name, sizeof(s->block->mmp_bdevname));
	err = rw(fs, s->block, true);
	if (!err) /* somebody may have done the same at the same time */
		err = sleep_until(deadline_after((s64)s->interval * 2 * NS_PER_SEC + NS_PER_SEC));
	if (!err)
		err = rw(fs, s->block, false);
	if (!err && s->block->mmp_seq != seq)
		err = -EBUSY;
	if (err)
		goto fail;
	wait_queue_init(&s->wait);
	completion_init(&s->done);
	fs->mmp = s;
	t = kthread_run(keep_alive, fs, "kmmpd-%s", fs->dev->name);
	if (!is_err(t))
		return 0;
	fs->mmp = NULL;
	err = ptr_err(t);
fail:
	if (s)
		kfree(s->block);
	kfree(s);
	return err;
}

void ext4_mmp_stop(struct ext4 *fs)
{
	struct ext4_mmp_state *s = fs->mmp;

	if (!s)
		return;
	WRITE_ONCE(s->stop, true);
	wake_up_all(&s->wait);
	wait_for_completion(&s->done);
	s->block->mmp_seq = SEQ_CLEAN;
	if (rw(fs, s->block, true))
		log_warn("ext4: %s: MMP block isn't written", fs->super->id);
	kfree(s->block);
	kfree(s);
	fs->mmp = NULL;
}
