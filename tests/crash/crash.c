/*
 * crash enumerate|random|faults: see README.md. Environment: CRASH_IMAGE, CRASH_SEED, CRASH_SHARD=i
 * CRASH_SHARDS=n, CRASH_OPS (up to so many operations), CRASH_LIMIT (workloads), CRASH_ONLY (one
 * workload, as its number), CRASH_CUTS (random states at each point), CRASH_OPTIONS (of mount),
 * CRASH_FSCK=0.
 */
#include "crash.h"
#include <arch/host.h>
#include <lib/string.h>
#include <vfs/rootfs.h>

static void *g_image;
static u64 g_size;
static const char *g_options, *g_scratch;
static u64 g_seed, g_random;
static u64 g_workloads, g_states, g_same, g_bad, g_points;
static u32 g_cuts;
static bool g_fsck;
static const char *g_mode;

static u64 next_random(void)
{
	u64 z = g_random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static struct vfs_env env(void)
{
	return (struct vfs_env){.cred = &g_init_cred, .fs = g_init_fs};
}

static int mount_disk(const char *name, const char *options)
{
	struct vfs_env e = env();
	char source[40];

	os_format(source, sizeof(source), "/dev/%s", name);
	return vfs_mount(&e, source, "/mnt", "ext4", 0, options);
}

static int umount_disk(void)
{
	struct vfs_env e = env();

	return vfs_umount(&e, "/mnt", 0);
}

/* ---- reporting ----------------------------------------------------------------------------------
 */

static u64 g_number; /* of the workload: repeats it with CRASH_ONLY */

static void describe(const struct workload *w)
{
	os_say("  workload %llu (CRASH_ONLY=%llu CRASH_OPS=%u CRASH_SEED=%llu, %s):",
		(unsigned long long)g_number, (unsigned long long)g_number, w->n,
		(unsigned long long)g_seed, g_mode);
	for (u32 i = 0; i < w->n; i++)
		os_say(" %s%s%s", op_name(w->ops[i]), w->failed[i] ? " (failed)" : "",
			i + 1 < w->n ? ";" : "\n");
}

static void complain(const struct workload *w, u32 entries, const char *which, const char *text)
{
	g_bad++;
	if (g_bad > 20)
		return;
	os_say("BAD: cut after %u log entries, %s: %s\n", entries, which, text);
	describe(w);
}

/* ---- one state of the disk after a cut
 * ------------------------------------------------------------- */

static bool fsck(const char *options, const u8 *content, int allowed, char *text, u64 room)
{
	char command[300];
	int status;

	if (os_store(g_scratch, content, g_size)) {
		os_format(text, room, "cannot write %s", g_scratch);
		return false;
	}
	os_format(command, sizeof(command), "e2fsck %s %s 2>&1", options, g_scratch);
	status = os_run(command, text, room);
	return status >= 0 && (status & ~allowed) == 0;
}

/* Mount what is left, compare, unmount, and let e2fsck look at it. */
static void check_state(const struct workload *w, u32 entries, const u8 *content, const char *which)
{
	static char text[4000];
	struct crash_disk *d;
	int err;

	g_states++;
	d = crash_disk_create("cut", content, g_size);
	if (!d) {
		complain(w, entries, which, "no disk");
		return;
	}
	err = mount_disk("cut", g_options);
	if (err) {
		os_format(text, sizeof(text), "it cannot be mounted: %d", err);
		complain(w, entries, which, text);
		crash_disk_destroy(d);
		return;
	}
	if (!workload_check(w, entries, text, sizeof(text)))
		complain(w, entries, which, text);
	err = umount_disk();
	if (err) {
		os_format(text, sizeof(text), "it cannot be unmounted: %d", err);
		complain(w, entries, which, text);
	} else if (g_fsck && !fsck("-fn", d->content, 0, text, sizeof(text))) {
		complain(w, entries, which, text);
	}
	crash_disk_destroy(d);
}

/*
 * Did e2fsck fix anything? The totals in the super block don't count: they are written at unmount
 * only, by Linux as well.
 */
static bool has_mended(const char *text)
{
	while ((text = strstr(text, "Fix"))) {
		const char *line = text;

		while (line[-1] != '\n' || line == text)
			line--;
		if (strncmp(line, "Free blocks count wrong (", 25) &&
			strncmp(line, "Free inodes count wrong (", 25))
			return true;
		text++;
	}
	return false;
}

/* The same state through e2fsck's own recovery: nothing but the journal and orphans to mend. */
static void check_by_fsck(
	const struct workload *w, u32 entries, const u8 *content, const char *which)
{
	static char text[4000];
	struct crash_disk *d;
	void *mended;
	u64 size;
	int err;

	if (!fsck("-fy", content, 1, text, sizeof(text)) || has_mended(text)) {
		complain(w, entries, which, text);
		return;
	}
	mended = os_load(g_scratch, &size);
	d = mended && size == g_size ? crash_disk_create("cut", mended, g_size) : NULL;
	os_free(mended);
	if (!d) {
		complain(w, entries, which, "no disk after e2fsck");
		return;
	}
	err = mount_disk("cut", g_options);
	if (err) {
		complain(w, entries, which, "what e2fsck mended cannot be mounted");
	} else {
		if (!workload_check(w, entries, text, sizeof(text)))
			complain(w, entries, "after e2fsck", text);
		(void)!umount_disk();
	}
	crash_disk_destroy(d);
}

/* States seen already in this workload. */
#define SEEN 4096
static u64 g_seen[SEEN];
static u32 g_nr_seen;

static bool seen_before(const u8 *content)
{
	const u64 *word = (const u64 *)content;
	u64 h = 0;

	for (u64 i = 0; i < g_size / 8; i++)
		h = (h ^ word[i]) * 0x9e3779b97f4a7c15ull + (h >> 29);

	for (u32 i = 0; i < g_nr_seen; i++)
		if (g_seen[i] == h)
			return true;
	if (g_nr_seen < SEEN)
		g_seen[g_nr_seen++] = h;
	return false;
}

/* Sectors go one by one, but for the super block's two: torn between them, its checksum is wrong
 * before any recovery can begin, for every driver of this format. */
static void apply(u8 *content, const struct log_entry *e, u64 sectors_mask, bool all)
{
	for (u32 i = 0; i < e->sectors; i++)
		if (all || (sectors_mask >> ((e->sector + i == 3 && i ? i - 1 : i) % 64) & 1))
			memcpy(content + ((e->sector + i) << SECTOR_SHIFT),
				e->data + ((u64)i << SECTOR_SHIFT), SECTOR_SIZE);
}

/*
 * All that the disk may hold when power fails after `cut` entries of the log: durable has what was
 * flushed; of the writes since, each is there, not there, or torn at sectors.
 */
static void check_cut(
	const struct workload *w, const struct crash_disk *d, const u8 *durable, u32 since, u32 cut)
{
	static u8 *state;
	char which[60];

	if (!state)
		state = os_alloc(g_size);
	g_points++;
	for (u32 kind = 0; kind < 2 + g_cuts; kind++) {
		memcpy(state, durable, g_size);
		for (u32 i = since; i < cut; i++) {
			const struct log_entry *e = &d->log[i];
			u64 dice = kind < 2 ? 0 : next_random();

			if (e->kind != LOG_WRITE)
				continue;
			if (e->fua || kind == 0)
				apply(state, e, 0, true);
			else if (kind >= 2 && (dice & 3) < 2)
				apply(state, e, 0, true);
			else if (kind >= 2 && (dice & 3) == 2)
				apply(state, e, next_random(), false);
		}
		os_format(which, sizeof(which), "%s",
			kind == 0           ? "all written"
				: kind == 1 ? "nothing since the last flush"
					    : "some written, some torn");
		if (seen_before(state)) {
			g_same++;
			continue;
		}
		check_state(w, cut, state, which);
		if (g_fsck && kind != 1)
			check_by_fsck(w, cut, state, which);
	}
}

static void check_cuts(const struct workload *w, const struct crash_disk *d)
{
	u8 *durable = os_alloc(g_size);
	u32 since = 0;

	memcpy(durable, d->base, g_size);
	g_nr_seen = 0;
	for (u32 cut = 1; cut <= d->nr_log; cut++) {
		bool step = cut == d->nr_log || d->log[cut].kind == LOG_FLUSH || d->log[cut].fua ||
			d->log[cut - 1].kind == LOG_FLUSH || d->log[cut - 1].fua;

		/* A flush in the log has ended: who waited for it may have gone on. */
		if (d->log[cut - 1].kind == LOG_FLUSH) {
			for (u32 i = since; i < cut; i++)
				if (d->log[i].kind == LOG_WRITE)
					apply(durable, &d->log[i], 0, true);
			since = cut;
		}
		if (step || g_cuts > 2)
			check_cut(w, d, durable, since, cut);
		/* What promises are due changes when an operation has ended. */
		for (u32 i = 0; i < w->n; i++)
			if (w->done[i] == cut)
				g_nr_seen = 0;
	}
	os_free(durable);
}

/* ---- workloads
 * ------------------------------------------------------------------------------------ */

static void run_workload(struct workload *w, bool failures_matter)
{
	struct crash_disk *d = crash_disk_create("work", g_image, g_size);
	int err;

	os_watchdog(120);
	if (!d || mount_disk("work", g_options)) {
		os_say("the fresh image cannot be mounted\n");
		os_quit(1);
	}
	(void)!vfs_sync_all(true);
	crash_disk_log(d);
	err = workload_run(w, d);
	g_workloads++;
	if (umount_disk())
		complain(w, d->nr_log, "at the end", "it cannot be unmounted");
	d->logging = false;
	for (u32 i = 0; i < d->nr_log && os_setting("CRASH_SHOW", 0); i++)
		os_say("  log %u: %s%s sector %llu, %u\n", i,
			d->log[i].kind == LOG_FLUSH ? "flush" : "write",
			d->log[i].fua ? " fua" : "", (unsigned long long)d->log[i].sector,
			d->log[i].sectors);
	if (!err || failures_matter)
		check_cuts(w, d);
	else
		g_workloads--; /* it asked for what cannot be: no workload */
	crash_disk_destroy(d);
}

static bool mine(u64 number)
{
	static u64 shards, shard, only;

	if (!shards) {
		shards = os_setting("CRASH_SHARDS", 1);
		shard = os_setting("CRASH_SHARD", 0);
		only = os_setting("CRASH_ONLY", U64_MAX);
	}
	return only == U64_MAX ? number % shards == shard : number == only;
}

/* All sequences of up to CRASH_OPS operations; the random states depend on number and seed only. */
static void enumerate(void)
{
	u64 limit = os_setting("CRASH_LIMIT", U64_MAX), number = 0, base = ops_count();
	u32 most = (u32)os_setting("CRASH_OPS", 2);
	u64 stride = os_setting("CRASH_STRIDE", 1);

	for (u32 n = 1; n <= most; n++) {
		u64 all = 1;

		for (u32 i = 0; i < n; i++)
			all *= base;
		for (u64 k = 0; k < all && g_workloads < limit; k++, number++) {
			struct workload w = {.n = n};
			u64 rest = k;

			if (!mine(number) || (number / stride) * stride != number)
				continue;
			for (u32 i = 0; i < n; i++, rest /= base)
				w.ops[i] = (u32)(rest % base);
			g_number = number;
			g_random = g_seed ^ (number << 20);
			run_workload(&w, false);
		}
	}
}

static void random_workloads(void)
{
	u64 limit = os_setting("CRASH_LIMIT", 200);
	u32 most = min((u32)os_setting("CRASH_OPS", 20), (u32)MAX_OPS);

	for (u64 number = 0; number < limit; number++) {
		struct workload w = {};

		if (!mine(number))
			continue;
		g_number = number;
		g_random = g_seed ^ (number << 20);
		w.n = 3 + (u32)(next_random() % (most - 2));
		for (u32 i = 0; i < w.n; i++)
			w.ops[i] = (u32)(next_random() % ops_count());
		run_workload(&w, true);
	}
}

/* ---- faults: requests fail
 * ------------------------------------------------------------------------ */

/* A request (or all from it on) fails while a workload runs: no hang, no crash, and what is on the
 * disk then is recovered as after a power cut, or was made read-only. */
static void faults(void)
{
	u64 limit = os_setting("CRASH_LIMIT", 300);
	u64 failed = 0, readonly = 0;

	for (u64 number = 0; number < limit; number++) {
		static char text[4000];
		struct workload w = {};
		struct crash_disk *d;
		int err;

		if (!mine(number))
			continue;
		g_number = number;
		g_random = g_seed ^ (number << 20);
		w.n = 10;
		for (u32 i = 0; i < w.n; i++)
			w.ops[i] = (u32)(next_random() % ops_count());
		os_watchdog(120);
		d = crash_disk_create("work", g_image, g_size);
		if (!d)
			os_quit(2);
		d->fail_from = 1 + number / 3;
		d->fail_count = number % 3 == 0 ? 1 : number % 3 == 1 ? 3 : U64_MAX;
		d->fail_reads = number & 1;
		g_workloads++;
		err = mount_disk("work", g_options);
		if (!err) {
			failed += workload_run(&w, d) != 0;
			(void)!umount_disk();
		} else {
			readonly++;
		}
		if (d->requests < d->fail_from)
			limit = 0; /* none failed: further numbers do no more */
		if (!fsck("-fy", d->content, 1, text, sizeof(text))) {
			complain(&w, 0, "after faults", text);
		} else if (!fsck("-fn", os_load(g_scratch, &g_size), 0, text, sizeof(text))) {
			complain(&w, 0, "after faults and e2fsck", text);
		}
		crash_disk_destroy(d);
	}
	os_say("faults: %llu workloads saw errors, %llu mounts failed\n",
		(unsigned long long)failed, (unsigned long long)readonly);
}

static int run(void *arg)
{
	struct vfs_env e = env();
	u64 start = os_now_ms();

	g_image = os_load(os_setting_text("CRASH_IMAGE", "build/crash/small.img"), &g_size);
	if (!g_image) {
		os_say("CRASH_IMAGE cannot be read\n");
		return 2;
	}
	g_seed = os_setting("CRASH_SEED", 1);
	g_cuts = (u32)os_setting("CRASH_CUTS", 1);
	g_options = os_setting_text("CRASH_OPTIONS", "");
	g_scratch = os_setting_text("CRASH_SCRATCH", "/dev/shm/aramid-crash.img");
	g_fsck = os_setting("CRASH_FSCK", 1);
	if (vfs_mkdir(&e, NULL, "/mnt", 0755))
		return 2;
	if (!strcmp(g_mode, "enumerate"))
		enumerate();
	else if (!strcmp(g_mode, "random"))
		random_workloads();
	else if (!strcmp(g_mode, "faults"))
		faults();
	os_say("%s %s: %llu workloads, %llu cuts, %llu states (%llu more the same), %llu bad, seed %llu, "
	       "%llu s\n",
		g_bad ? "NOT OK" : "ok", g_mode, (unsigned long long)g_workloads,
		(unsigned long long)g_points, (unsigned long long)g_states,
		(unsigned long long)g_same, (unsigned long long)g_bad, (unsigned long long)g_seed,
		(unsigned long long)(os_now_ms() - start) / 1000);
	return g_bad ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct host_config config = {.ram = MiB(256), .seed = 1};

	g_mode = argc > 1 ? argv[1] : "enumerate";
	config.verbose = os_setting("CRASH_VERBOSE", 0);
	return host_run(&config, run, NULL);
}
