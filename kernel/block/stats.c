/*
 * Statistics: figures per CPU, summed when somebody reads them. /proc/diskstats as
 * linux-doc: admin-guide/iostats.rst says.
 */
#include <kmem/slab.h>
#include <lib/seq_buf.h>
#include <sched/timer.h>
#include "blk.h"

struct bdev_stats *stats_create(void)
{
	struct bdev_stats *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (s)
		s->cpus = kcalloc((size_t)g_nr_cpus, sizeof(*s->cpus), GFP_KERNEL | GFP_ZERO);
	if (s && !s->cpus) {
		kfree(s);
		s = NULL;
	}
	return s;
}

void stats_destroy(struct bdev_stats *s)
{
	if (s)
		kfree(s->cpus);
	kfree(s);
}

static u32 group_of(const struct bio *b)
{
	switch (b->op) {
	case BIO_READ:
		return STAT_READ;
	case BIO_DISCARD:
		return STAT_DISCARD;
	case BIO_FLUSH:
		return STAT_FLUSH;
	default:
		return STAT_WRITE;
	}
}

/* The device was busy until now (or has just become so): time is counted in whole milliseconds, so
 * that most calls don't write. */
static void note_busy(struct bdev_stats *s, bool was_busy)
{
	u64 now = (u64)clock_mono_ns() / NS_PER_MS, stamp = READ_ONCE(s->busy_stamp_ms);

	if (stamp == now || !try_cmpxchg(&s->busy_stamp_ms, &stamp, now))
		return;
	if (was_busy && now > stamp)
		__atomic_fetch_add(&s->busy_ms, now - stamp, __ATOMIC_RELAXED);
}

static void start_on(struct block_device *d, const struct bio *b)
{
	struct bdev_stats *s = d->stats;

	note_busy(s, __atomic_fetch_add(&s->in_flight, 1, __ATOMIC_RELAXED) > 0);
	if (b->op != BIO_FLUSH)
		__atomic_fetch_add(
			&s->cpus[cpu_id()].in_flight[b->op != BIO_READ], 1, __ATOMIC_RELAXED);
}

void stats_start(struct bio *b)
{
	b->start_ns = (u64)clock_mono_ns();
	b->start_ns += !b->start_ns; /* 0 says: not counted */
	start_on(b->bdev, b);
	if (b->bdev->part)
		start_on(disk_impl(b->bdev->disk)->parts[0], b);
}

void stats_merge(struct bio *b)
{
	u32 g = group_of(b);

	__atomic_fetch_add(&b->bdev->stats->cpus[cpu_id()].merges[g], 1, __ATOMIC_RELAXED);
	if (b->bdev->part) {
		struct block_device *whole = disk_impl(b->bdev->disk)->parts[0];

		__atomic_fetch_add(&whole->stats->cpus[cpu_id()].merges[g], 1, __ATOMIC_RELAXED);
	}
}

static void end_on(struct block_device *d, const struct bio *b, u64 ns)
{
	struct bdev_figures *f = &d->stats->cpus[cpu_id()];
	u32 g = group_of(b);

	/* Atomic: interrupts count on the same CPU. */
	__atomic_fetch_add(&f->ios[g], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&f->sectors[g], b->nr_sectors, __ATOMIC_RELAXED);
	__atomic_fetch_add(&f->ns[g], ns, __ATOMIC_RELAXED);
	if (b->op != BIO_FLUSH)
		__atomic_fetch_sub(&f->in_flight[b->op != BIO_READ], 1, __ATOMIC_RELAXED);
	note_busy(d->stats, true);
	__atomic_fetch_sub(&d->stats->in_flight, 1, __ATOMIC_RELAXED);
}

static DEFINE_PER_CPU(u64, g_sectors[2]); /* read and written since start-up */

void block_sectors(u64 *read, u64 *written)
{
	*read = *written = 0;
	for_each_cpu(cpu) {
		*read += READ_ONCE((*per_cpu_ptr(&g_sectors, cpu))[0]);
		*written += READ_ONCE((*per_cpu_ptr(&g_sectors, cpu))[1]);
	}
}

void stats_end(struct bio *b)
{
	u32 g = group_of(b);

	if (g == STAT_READ || g == STAT_WRITE)
		this_cpu_add(g_sectors[g == STAT_WRITE], b->nr_sectors);
	u64 ns = (u64)clock_mono_ns() - b->start_ns;

	end_on(b->bdev, b, ns);
	if (b->bdev->part)
		end_on(disk_impl(b->bdev->disk)->parts[0], b, ns);
}

void stats_sum(const struct block_device *b, struct bdev_figures *sum)
{
	*sum = (struct bdev_figures){0};
	for_each_cpu(cpu) {
		const struct bdev_figures *f = &b->stats->cpus[cpu];

		for (u32 g = 0; g < NR_STATS; g++) {
			sum->ios[g] += READ_ONCE(f->ios[g]);
			sum->merges[g] += READ_ONCE(f->merges[g]);
			sum->sectors[g] += READ_ONCE(f->sectors[g]);
			sum->ns[g] += READ_ONCE(f->ns[g]);
		}
		sum->in_flight[0] += READ_ONCE(f->in_flight[0]);
		sum->in_flight[1] += READ_ONCE(f->in_flight[1]);
	}
}

u64 stats_busy_ms(const struct block_device *b)
{
	if (READ_ONCE(b->stats->in_flight) > 0)
		note_busy(b->stats, true);
	return READ_ONCE(b->stats->busy_ms);
}

static void show_figures(struct seq_buf *s, const struct block_device *b, const char *gap)
{
	struct bdev_figures f;
	u64 all_ns = 0;
	s64 now;

	stats_sum(b, &f);
	now = f.in_flight[0] + f.in_flight[1];
	for (u32 g = 0; g < NR_STATS; g++)
		all_ns += f.ns[g];
	for (u32 g = STAT_READ; g <= STAT_WRITE; g++)
		seq_printf(s, "%s%llu %llu %llu %llu", g == STAT_READ ? "" : " ",
			(unsigned long long)f.ios[g], (unsigned long long)f.merges[g],
			(unsigned long long)f.sectors[g],
			(unsigned long long)(f.ns[g] / NS_PER_MS));
	seq_printf(s, " %lld %llu %llu %llu %llu %llu %llu %llu %llu%s", (long long)max(now, 0ll),
		(unsigned long long)stats_busy_ms(b), (unsigned long long)(all_ns / NS_PER_MS),
		(unsigned long long)f.ios[STAT_DISCARD], (unsigned long long)f.merges[STAT_DISCARD],
		(unsigned long long)f.sectors[STAT_DISCARD],
		(unsigned long long)(f.ns[STAT_DISCARD] / NS_PER_MS),
		(unsigned long long)f.ios[STAT_FLUSH],
		(unsigned long long)(f.ns[STAT_FLUSH] / NS_PER_MS), gap);
}

void bdev_in_flight(const struct block_device *b, u64 out[2])
{
	struct bdev_figures f;

	stats_sum(b, &f);
	out[0] = (u64)max(f.in_flight[0], 0ll);
	out[1] = (u64)max(f.in_flight[1], 0ll);
}

void bdev_stat_show(const struct block_device *b, struct seq_buf *s)
{
	show_figures(s, b, "\n");
}

static void show_disk(struct block_device *b, void *arg)
{
	struct seq_buf *s = arg;

	if (b->part && !READ_ONCE(b->sectors))
		return;
	seq_printf(s, "%4u %7u %s ", dev_major(b->dev), dev_minor(b->dev), b->name);
	show_figures(s, b, "\n");
}

void diskstats_show(struct seq_buf *s)
{
	bdevs_for_each(show_disk, s);
}

static void show_partition(struct block_device *b, void *arg)
{
	if (READ_ONCE(b->sectors) && !b->disk->removable)
		seq_printf(arg, "%4u  %7u %10llu %s\n", dev_major(b->dev), dev_minor(b->dev),
			(unsigned long long)READ_ONCE(b->sectors) / 2, b->name);
}

void partitions_show(struct seq_buf *s)
{
	seq_puts(s, "major minor  #blocks  name\n\n");
	bdevs_for_each(show_partition, s);
}
