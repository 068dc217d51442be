/*
 * crash enumerate|random|faults|nomem: see README.md. Environment: CRASH_IMAGE, CRASH_SEED,
 * CRASH_FROM and CRASH_TO (numbers of workloads), CRASH_OPS (up to so many operations),
 * CRASH_STRIDE (every so many-th workload), CRASH_ONLY (one workload, as its number), CRASH_CUTS
 * (random states at each point), CRASH_OPTIONS (of mount), CRASH_SCRATCH (begin of the names of
 * scratch files), CRASH_FSCK=0.
 */
#include "crash.h"
#include <arch/host.h>
#include <lib/string.h>
#include <sched/timer.h>
#include <vfs/rootfs.h>

#define NOW_NS \
	1600000000000000000ll /* when everything happens: equal states have equal bytes then */

static const u8 *g_image;
static u64 g_size;
static const char *g_options;
static u64 g_seed, g_random;
static u64 g_workloads, g_states, g_same, g_checks, g_bad, g_points;
static u32 g_cuts;
static bool g_fsck;
static const char *g_mode;

/* The disk of the workload; at its beginning; what was flushed; after a cut; recovered from that by
 * us and by e2fsck. */
static struct media *g_work, *g_base, *g_durable, *g_state, *g_cut, *g_mend;
/* Contents that e2fsck -fn has found clean (hash_fs), that e2fsck -fy has recovered as we do
 * (hash). */
static struct number_set g_clean, g_mended;

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
	(void)!clock_set_real_ns(NOW_NS);
	return vfs_mount(&e, source, "/mnt", "ext4", 0, options);
}

static int umount_disk(void)
{
	struct vfs_env e = env();

	return vfs_umount(&e, "/mnt", 0);
}

/* ---- reporting ----------------------------------------------------------------------------------
 */

static u64 g_number;        /* of the workload: repeats it with CRASH_ONLY */
static u64 g_fault, g_kind; /* which request or allocation fails, and how */

static void describe(const struct workload *w)
{
	os_say("  workload %llu (CRASH_ONLY=%llu CRASH_OPS=%u CRASH_SEED=%llu, %s):",
		(unsigned long long)g_number, (unsigned long long)g_number, w->n,
		(unsigned long long)g_seed, g_mode);
	for (u32 i = 0; i < w->n; i++)
		os_say(" %s%s%s", op_name(w->ops[i]), w->failed[i] ? " (failed)" : "",
			i + 1 < w->n ? ";" : "");
	os_say(g_fault ? "; fault %llu, kind %llu\n" : "\n", (unsigned long long)g_fault,
		(unsigned long long)g_kind);
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

static bool fsck(const char *how, const struct media *m, int allowed, char *text, u64 room)
{
	const char *const argv[] = {"e2fsck", how, m->path, NULL};
	int status = os_run(argv, text, room);

	return status >= 0 && (status & ~allowed) == 0;
}

/* Mount what m holds and look. NULL: that has failed, and was told. */
static struct observation *mount_and_look(
	const struct workload *w, u32 entries, struct media *m, const char *which)
{
	struct crash_disk *d = crash_disk_create("cut", m);
	struct observation *o = NULL;
	char text[80];
	int err = d ? mount_disk("cut", g_options) : -ENOMEM;

	if (!err) {
		o = observe();
		err = umount_disk();
	}
	if (err) {
		os_format(text, sizeof(text), "it cannot be %smounted: %d", o ? "un" : "", err);
		complain(w, entries, which, text);
	}
	if (d)
		crash_disk_destroy(d);
	return o;
}

/*
 * Did e2fsck fix anything? The totals in the super block don't count: they are written at unmount
 * only, by Linux as well.
 */
static bool has_mended(const char *text)
{
	for (const char *at = text; (at = strstr(at, "Fix")); at++) {
		/* The question is on a line of its own, or behind the complaint. */
		const char *line = at > text && at[-1] == '\n' ? at - 1 : at;

		while (line > text && line[-1] != '\n')
			line--;
		if (strncmp(line, "Free blocks count wrong (", 25) &&
			strncmp(line, "Free inodes count wrong (", 25))
			return true;
	}
	return false;
}

/* g_state through our own recovery, whose result e2fsck must find clean. */
static struct observation *recover(const struct workload *w, u32 entries, const char *which)
{
	static char text[4000];
	struct observation *o;

	media_copy(g_cut, g_state);
	o = mount_and_look(w, entries, g_cut, which);
	if (!o || !g_fsck || set_has(&g_clean, g_cut->hash_fs))
		return o;
	if (fsck("-fn", g_cut, 0, text, sizeof(text)))
		(void)set_add(&g_clean, g_cut->hash_fs);
	else
		complain(w, entries, which, text);
	return o;
}

/* g_state through e2fsck's own recovery: nothing but the journal and orphans to mend, and the tree
 * is the one that we recover. */
static void recover_by_fsck(
	const struct workload *w, u32 entries, const char *which, const struct observation *ours)
{
	static char text[4000];
	struct observation *o;

	if (!g_fsck || set_has(&g_mended, g_state->hash))
		return;
	media_copy(g_mend, g_state);
	if (!fsck("-fy", g_mend, 1, text, sizeof(text)) || has_mended(text)) {
		media_rescan(g_mend);
		complain(w, entries, which, text);
		return;
	}
	media_rescan(g_mend);
	o = mount_and_look(w, entries, g_mend, "mended by e2fsck");
	if (!o)
		return;
	if (observation_same(o, ours))
		(void)set_add(&g_mended, g_state->hash);
	else
		complain(w, entries, which, "e2fsck recovers another tree than we do");
	observation_free(o);
}

/* What the states of one workload have shown. */
#define SEEN 4096
static struct {
	u64 hash;
	struct observation *seen;
} g_seen[SEEN];
static u32 g_nr_seen;

static void forget_seen(void)
{
	while (g_nr_seen)
		if (g_seen[--g_nr_seen].seen)
			observation_free(g_seen[g_nr_seen].seen);
}

/* g_state, recovered, shows what was promised. */
static void check_state(const struct workload *w, u32 entries, const char *which)
{
	static char text[1000];
	struct observation *o = NULL;
	u32 i = 0;

	while (i < g_nr_seen && g_seen[i].hash != g_state->hash)
		i++;
	if (i < g_nr_seen) {
		g_same++;
		o = g_seen[i].seen;
	} else {
		if (g_nr_seen == SEEN)
			forget_seen();
		g_states++;
		o = recover(w, entries, which);
		if (o)
			recover_by_fsck(w, entries, which, o);
		g_seen[g_nr_seen].hash = g_state->hash;
		g_seen[g_nr_seen++].seen = o;
	}
	g_checks++;
	if (o && !workload_check(w, entries, o, text, sizeof(text)))
		complain(w, entries, which, text);
}

/* Sectors go one by one, but for the super block's two: torn between them, its checksum is wrong
 * before any recovery can begin, for every driver of this format. */
static void apply(struct media *m, const struct log_entry *e, u64 sectors_mask, bool all)
{
	if (all) {
		media_write(m, e->sector, e->data, e->sectors);
		return;
	}
	for (u32 i = 0; i < e->sectors; i++)
		if (sectors_mask >> ((e->sector + i == 3 && i ? i - 1 : i) % 64) & 1)
			media_write(m, e->sector + i, e->data + ((u64)i << SECTOR_SHIFT), 1);
}

/*
 * All that the disk may hold when power fails after `cut` entries of the log: durable has what was
 * flushed; of the writes since, each is there, not there, or torn at sectors.
 */
static void check_cut(const struct workload *w, const struct crash_disk *d, u32 since, u32 cut)
{
	static const char *const which[] = {
		"all written", "nothing since the last flush", "some written, some torn"};

	g_points++;
	for (u32 kind = 0; kind < 2 + g_cuts; kind++) {
		media_copy(g_state, g_durable);
		for (u32 i = since; i < cut; i++) {
			const struct log_entry *e = &d->log[i];
			u64 dice = kind < 2 ? 0 : next_random();

			if (e->kind != LOG_WRITE)
				continue;
			if (e->fua || kind == 0)
				apply(g_state, e, 0, true);
			else if (kind >= 2 && (dice & 3) < 2)
				apply(g_state, e, 0, true);
			else if (kind >= 2 && (dice & 3) == 2)
				apply(g_state, e, next_random(), false);
		}
		check_state(w, cut, which[min(kind, 2u)]);
	}
}

/* Cuts after more than `from` entries of the log. */
static void check_cuts(const struct workload *w, const struct crash_disk *d, u32 from)
{
	u32 since = 0;

	media_copy(g_durable, g_base);
	for (u32 cut = 1; cut <= d->nr_log; cut++) {
		bool step = cut == d->nr_log || d->log[cut].kind == LOG_FLUSH || d->log[cut].fua ||
			d->log[cut - 1].kind == LOG_FLUSH || d->log[cut - 1].fua;

		/* A flush in the log has ended: who waited for it may have gone on. */
		if (d->log[cut - 1].kind == LOG_FLUSH) {
			for (u32 i = since; i < cut; i++)
				if (d->log[i].kind == LOG_WRITE)
					apply(g_durable, &d->log[i], 0, true);
			since = cut;
		}
		if (cut > from && (step || g_cuts > 2))
			check_cut(w, d, since, cut);
	}
	forget_seen();
}

/* ---- workloads
 * ------------------------------------------------------------------------------------ */

static void show_log(const struct crash_disk *d)
{
	for (u32 i = 0; i < d->nr_log; i++)
		os_say("  log %u: %s%s sector %llu, %u\n", i,
			d->log[i].kind == LOG_FLUSH ? "flush" : "write",
			d->log[i].fua ? " fua" : "", (unsigned long long)d->log[i].sector,
			d->log[i].sectors);
}

/*
 * Cut the power at each point of a workload; last_only: at those from its last operation on. The
 * earlier ones are those of the workload without that operation.
 */
static void run_workload(struct workload *w, bool failures_matter, bool last_only)
{
	struct crash_disk *d;
	int err;

	os_watchdog(120);
	media_reset(g_work);
	d = crash_disk_create("work", g_work);
	if (!d || mount_disk("work", g_options)) {
		os_say("the fresh image cannot be mounted\n");
		os_quit(1);
	}
	(void)!vfs_sync_all(true);
	media_copy(g_base, g_work);
	crash_disk_log(d);
	err = workload_run(w, d, failures_matter ? GO_ON : STOP_AT_ERROR);
	if (umount_disk())
		complain(w, d->nr_log, "at the end", "it cannot be unmounted");
	d->logging = false;
	if (os_setting("CRASH_SHOW", 0))
		show_log(d);
	if (!err || failures_matter) { /* else it asked for what cannot be: no workload */
		g_workloads++;
		check_cuts(w, d, last_only ? w->started[w->n - 1] : 0);
	}
	crash_disk_destroy(d);
}

static u64 g_from, g_to, g_only;

static bool mine(u64 number)
{
	return g_only == U64_MAX ? number >= g_from && number < g_to : number == g_only;
}

/* All sequences of up to CRASH_OPS operations; the random states depend on number and seed only. */
static void enumerate(void)
{
	u64 number = 0, base = ops_enumerated();
	u32 most = (u32)os_setting("CRASH_OPS", 2);
	u64 stride = os_setting("CRASH_STRIDE", 1);

	for (u32 n = 1; n <= most; n++) {
		u64 all = 1;

		for (u32 i = 0; i < n; i++)
			all *= base;
		for (u64 k = 0; k < all; k++, number++) {
			struct workload w = {.n = n};
			u64 rest = k;

			if (!mine(number) || number % stride)
				continue;
			for (u32 i = 0; i < n; i++, rest /= base)
				w.ops[i] = (u32)(rest % base);
			g_number = number;
			g_random = g_seed ^ (number << 20);
			run_workload(&w, false, stride == 1 && g_only == U64_MAX);
		}
	}
}

static struct workload random_workload(u64 number, u32 least, u32 most)
{
	struct workload w = {};

	g_number = number;
	g_random = g_seed ^ (number << 20);
	w.n = least + (u32)(next_random() % (most - least + 1));
	for (u32 i = 0; i < w.n; i++)
		w.ops[i] = (u32)(next_random() % ops_count());
	return w;
}

static void random_workloads(void)
{
	u32 most = min((u32)os_setting("CRASH_OPS", 20), (u32)MAX_OPS);

	for (u64 number = g_only == U64_MAX ? g_from : g_only; number < g_to && mine(number);
		number++) {
		struct workload w = random_workload(number, 3, most);

		run_workload(&w, true, false);
	}
}

/* ---- faults: requests or allocations fail ------------------------------------------------------ */

/*
 * The n-th request (or count from it on), or the n-th allocation, fails while a workload is
 * mounted, runs and is unmounted: no hang, no crash; what was promised before the first error is on
 * the disk, and what is there is recovered as after a power cut. False: there were fewer than n.
 */
static bool run_faulty(struct workload *w, u64 n, u64 count, bool reads, bool memory)
{
	static char text[4000];
	struct crash_disk *d;
	struct observation *o;
	int err;

	os_watchdog(120);
	media_reset(g_work);
	d = crash_disk_create("work", g_work);
	if (!d)
		os_quit(2);
	if (memory) {
		host_alloc_fail_at(n);
		d->fail_memory = true;
	} else {
		d->fail_from = n;
		d->fail_count = count;
		d->fail_reads = reads;
	}
	d->logging = os_setting("CRASH_SHOW", 0);
	err = mount_disk("work", g_options);
	if (err) {
		w->n = 0;
		workload_forget();
	} else {
		(void)!workload_run(w, d, STOP_AT_FAULT);
		if (umount_disk() && (d->failed || !crash_disk_failed(d) || umount_disk()))
			complain(w, 0, "at the end", "it cannot be unmounted");
	}
	g_workloads++;
	err = crash_disk_failed(d);
	g_points += err;
	host_alloc_fail_at(0);
	if (d->logging)
		show_log(d);
	crash_disk_destroy(d);
	media_copy(g_state, g_work);
	if (!fsck("-fy", g_work, 1, text, sizeof(text)) || has_mended(text))
		complain(w, 0, "after faults", text);
	media_rescan(g_work);
	o = recover(w, 0, "after faults");
	if (o && w->n && !workload_check(w, U32_MAX, o, text, sizeof(text)))
		complain(w, 0, "after faults", text);
	if (o)
		observation_free(o);
	g_states++;
	return err;
}

/* Each request in turn: it alone, three from it on, all from it on; with and without reads. */
static void faults(bool memory)
{
	u32 most = (u32)os_setting("CRASH_OPS", 10);
	u64 stride = os_setting("CRASH_STRIDE", 1), only = os_setting("CRASH_FAULT", 0);

	for (u64 number = g_only == U64_MAX ? g_from : g_only; number < g_to && mine(number);
		number++)
		for (u64 n = 1, any = 1; any; n += stride) {
			any = n < only;
			for (u32 kind = 0; kind < (memory ? 1 : 6); kind++) {
				if (only && n != only)
					continue;
				struct workload w = random_workload(number, 3, most);
				static const u64 count[] = {1, 3, U64_MAX};

				g_fault = n;
				g_kind = kind;
				any |= run_faulty(&w, n, count[kind % 3], kind >= 3, memory);
			}
		}
}

static struct media *scratch(const char *name)
{
	const char *begin = os_setting_text("CRASH_SCRATCH", "/dev/shm/aramid-crash");
	char *path = os_alloc(strlen(begin) + 8);

	os_format(path, strlen(begin) + 8, "%s-%s", begin, name);
	return media_create(g_image, g_size, path);
}

static bool set_up(void)
{
	struct vfs_env e = env();
	int err;

	g_image = os_load(os_setting_text("CRASH_IMAGE", "build/crash/small.img"), &g_size);
	if (!g_image) {
		os_say("CRASH_IMAGE cannot be read\n");
		return false;
	}
	g_seed = os_setting("CRASH_SEED", 1);
	g_from = os_setting("CRASH_FROM", 0);
	g_to = os_setting("CRASH_TO", U64_MAX);
	g_only = os_setting("CRASH_ONLY", U64_MAX);
	g_cuts = (u32)os_setting("CRASH_CUTS", 1);
	g_options = os_setting_text("CRASH_OPTIONS", "");
	g_fsck = os_setting("CRASH_FSCK", 1);
	g_work = scratch("work");
	g_cut = scratch("cut");
	g_mend = scratch("mend");
	g_base = media_create(g_image, g_size, NULL);
	g_durable = media_create(g_image, g_size, NULL);
	g_state = media_create(g_image, g_size, NULL);
	err = vfs_mkdir(&e, NULL, "/mnt", 0755)
		?: vfs_mount(&e, "none", "/dev", "devtmpfs", 0, NULL);
	if (err)
		os_say("no /mnt and /dev: error %d\n", -err);
	return err == 0;
}

static int run(void *arg)
{
	u64 start = os_now_ms();

	if (!set_up())
		return 2;
	if (!strcmp(g_mode, "enumerate"))
		enumerate();
	else if (!strcmp(g_mode, "random"))
		random_workloads();
	else
		faults(!strcmp(g_mode, "nomem"));
	os_say("%s %s: %llu workloads, %llu %s, %llu states recovered, %llu comparisons, %llu bad, seed %llu, %llu "
	       "s\n",
		g_bad ? "NOT OK" : "ok", g_mode, (unsigned long long)g_workloads,
		(unsigned long long)g_points,
		!strcmp(g_mode, "faults") || !strcmp(g_mode, "nomem") ? "with a fault" : "cuts",
		(unsigned long long)g_states, (unsigned long long)g_checks,
		(unsigned long long)g_bad, (unsigned long long)g_seed,
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
