/* Fast commits that Linux has left are replayed; see tests/unit/fast_commit. */
#include "ext4_fixture.h"

static u8 *stored_image(const char *name, size_t *bytes)
{
	char command[100];

	unit_snprintf(command, sizeof(command), "xz -dc tests/unit/fast_commit/%s.img.xz", name);
	return unit_filter(command, "", 0, bytes);
}

/* The tree in the image is the one in the list, and e2fsck has nothing to say. */
static void expect_tree(const u8 *image, size_t bytes, const char *name)
{
	char command[1000];
	size_t n;
	u8 *out;

	EXPECT_EQ(fsck(image, bytes), 0);
	unit_snprintf(command, sizeof(command),
		"{ export LC_ALL=C; d=$(mktemp -d); cat >$d/i; mkdir $d/t; debugfs -R \"rdump / $d/t\" $d/i "
		"2>$d/err; (cd $d/t; rmdir lost+found 2>/dev/null; find . -type f | sort | xargs md5sum; "
		"find . | sort | xargs stat -c '%%n %%a %%u %%g') | grep -v '^\\. ' >$d/list; "
		"grep -v '^\\. ' tests/unit/fast_commit/%s.list | diff - $d/list >&2; echo $?; rm -r $d; }",
		name);
	out = unit_filter(command, image, bytes, &n);
	EXPECT_EQ(n ? out[0] : 0, '0');
	unit_free(out);
}

static const char *const g_names[] = {"content", "names", "blocks", "quota"};

UNIT(fast_commits_of_linux_are_replayed)
{
	for (u32 k = 0; k < ARRAY_SIZE(g_names); k++) {
		struct fixture x;
		size_t bytes;
		u8 *image = stored_image(g_names[k], &bytes);

		if (!EXPECT_EQ(bytes, 12 * MIB) || !attach_image(&x, image, bytes, NULL))
			continue;
		put_mount(x.mnt);
		expect_tree(x.image, x.bytes, g_names[k]);
		/* Once is enough. */
		if (attach(&x, NULL))
			put_mount(x.mnt);
		expect_tree(x.image, x.bytes, g_names[k]);
		simdisk_destroy(x.disk);
		unit_free(x.image);
	}
}

/* A cut at any moment of the replay: the next mount finishes it. */
UNIT(a_replay_of_fast_commits_can_be_cut_short)
{
	for (u32 k = 0; k < ARRAY_SIZE(g_names); k++) {
		size_t bytes;
		u8 *image = stored_image(g_names[k], &bytes), *cut = unit_alloc(bytes);
		struct fixture x = {.image = image, .bytes = bytes};
		u32 points;

		x.disk = simdisk_create(&(struct simdisk_config){
			.bytes = bytes, .memory = image, .alloc = unit_alloc, .free = unit_free});
		EXPECT_EQ(simdisk_log_start(x.disk), 0);
		if (attach(&x, NULL))
			put_mount(x.mnt);
		points = simdisk_log_count(x.disk);
		for (u32 point = 0; point <= points; point += points / 12 + 1) {
			struct simdisk_crash c = {.loss = SIM_LOSE_WHOLE, .seed = point};
			struct fixture y = {.bytes = bytes};

			simdisk_crash_image(x.disk, point, &c, cut);
			y.image = unit_alloc(bytes);
			memcpy(y.image, cut, bytes);
			if (attach_image(&y, y.image, bytes, NULL))
				put_mount(y.mnt);
			expect_tree(y.image, bytes, g_names[k]);
			simdisk_destroy(y.disk);
			unit_free(y.image);
		}
		simdisk_destroy(x.disk);
		unit_free(x.image);
		unit_free(cut);
	}
}

/* The last of them is torn: those before it count. */
UNIT(a_torn_fast_commit_is_left_out)
{
	struct fixture x;
	size_t bytes;
	u8 *image = stored_image("names", &bytes);
	u64 last = 0;
	u32 tid = 0, v;

	/* Blocks of fast commits, the first with a head, all with a tail at the end: the last tail
	 * of the same transaction loses its checksum. */
	for (u64 at = 0; at + 1024 <= bytes; at += 1024) {
		u16 tag, len;

		for (u32 pos = 0; pos + 12 <= 1024; pos += 4u + len) {
			memcpy(&tag, image + at + pos, 2);
			memcpy(&len, image + at + pos + 2, 2);
			if (!tag || tag > 9 || pos + 4u + len > 1024)
				break;
			memcpy(&v, image + at + pos + (tag == 9 ? 8 : 4), 4);
			if (tag == 9 && len == 8 && !pos)
				tid = v;
			if (tag == 8 && pos + 4u + len == 1024 && v == tid)
				last = at + pos + 8;
		}
	}
	EXPECT(last != 0);
	image[last] ^= 1;
	if (attach_image(&x, image, bytes, NULL)) {
		struct vfs_env e = env_of();
		struct path base = root_of(&x), p;

		EXPECT_EQ(vfs_lookup(&e, &base, "m3", 0, &p), 0);
		put_path(&p);
		EXPECT_EQ(vfs_lookup(&e, &base, "p/q/r/s", 0, &p), -ENOENT);
		finish(&x);
	}
}
