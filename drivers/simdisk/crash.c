/* What a power cut leaves of the simulated disk. */
#include <lib/string.h>
#include "simdisk.h"

static void apply(const struct simdisk_entry *e, u8 *image, u64 from, u64 n)
{
	u8 *at = image + ((e->sector + from) << SECTOR_SHIFT);

	if (e->data)
		memcpy(at, e->data + (from << SECTOR_SHIFT), n << SECTOR_SHIFT);
	else
		memset(at, 0, n << SECTOR_SHIFT);
}

static void apply_some(
	const struct simdisk_entry *e, u8 *image, const struct simdisk_crash *c, u64 *random)
{
	if (c->loss == SIM_LOSE_WHOLE) {
		if (sim_random(random) & 1)
			apply(e, image, 0, e->nr_sectors);
		return;
	}
	/* Half of the writes are not torn: losses of whole ones are what finds missing flushes. */
	switch (sim_random(random) & 3) {
	case 0:
		return;
	case 1:
		apply(e, image, 0, e->nr_sectors);
		return;
	default:
		for (u64 n = 0; n < e->nr_sectors; n++)
			if (sim_random(random) & 1)
				apply(e, image, n, 1);
	}
}

void simdisk_crash_image(
	const struct simdisk *s, u32 point, const struct simdisk_crash *c, void *out)
{
	u64 random = c->seed;
	u32 durable = 0; /* entries before it had reached the medium */

	point = min(point, s->nr_log);
	memcpy(out, s->base, s->config.bytes);
	for (u32 n = 0; n < point; n++)
		if (sim_entry(s, n)->kind == SIM_FLUSH)
			durable = max(durable, sim_entry(s, n)->covers);
	/* A cache writes back in any order, but what it keeps of a sector is the latest: a lost
	 * write that a later one of the same sector replaced cannot come back. */
	for (u32 n = 0; n < point; n++) {
		const struct simdisk_entry *e = sim_entry(s, n);

		if (e->kind != SIM_WRITE)
			continue;
		if (n < durable || e->durable || c->loss == SIM_LOSE_NONE)
			apply(e, out, 0, e->nr_sectors);
		else if (c->loss != SIM_LOSE_ALL)
			apply_some(e, out, c, &random);
	}
}
