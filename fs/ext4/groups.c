/*
 * Block groups: where their parts stand, their descriptors in memory, and which blocks belong to
 * the file system itself, so that nothing else ever claims them.
 */
#include <kmem/slab.h>
#include <lib/sort.h>
#include <lib/string.h>
#include "ext4.h"

struct zone {
	ext4_block start, end; /* [start, end) */
};
struct old_groups { /* an array of before a resize: readers may still look at it until unmount */
	struct old_groups *next;
	struct ext4_group **groups;
};
struct ext4_zones { /* sorted, disjoint, not adjacent */
	u32 nr;
	struct zone zones[];
};

/* ---- geometry ---------------------------------------------------------------------------------- */

ext4_block ext4_group_first(const struct ext4 *fs, u32 n)
{
	return (u64)n * fs->blocks_per_group + fs->es->s_first_data_block;
}

u32 ext4_group_blocks(const struct ext4 *fs, u32 n)
{
	u64 first = ext4_group_first(fs, n), count = READ_ONCE(fs->blocks_count);

	return first >= count ? 0 : (u32)min_t(u64, fs->blocks_per_group, count - first);
}

static bool is_power_of(u32 n, u32 base)
{
	u64 x = base;

	while (x < n)
		x *= base;
	return x == n;
}

bool ext4_group_has_super(const struct ext4 *fs, u32 n)
{
	if (n == 0)
		return true;
	if (ext4_has_compat(fs, SPARSE_SUPER2))
		return n == fs->es->s_backup_bgs[0] || n == fs->es->s_backup_bgs[1];
	if (n <= 1 || !ext4_has_ro_compat(fs, SPARSE_SUPER))
		return true;
	return (n & 1) && (is_power_of(n, 3) || is_power_of(n, 5) || is_power_of(n, 7));
}

static bool is_meta_bg(const struct ext4 *fs, u32 desc_block)
{
	return ext4_has_incompat(fs, META_BG) && desc_block >= fs->es->s_first_meta_bg;
}

ext4_block ext4_desc_block(const struct ext4 *fs, u32 nr)
{
	u32 group = nr * fs->descs_per_block;

	if (!is_meta_bg(fs, nr)) /* behind the block with the super block */
		return fs->es->s_first_data_block + 1 + nr;
	return ext4_group_first(fs, group) + ext4_group_has_super(fs, group);
}

u32 ext4_group_base(const struct ext4 *fs, u32 n)
{
	u32 nr_desc = div_round_up(fs->nr_groups, fs->descs_per_block);
	u32 mine = n / fs->descs_per_block, super = ext4_group_has_super(fs, n);

	if (!is_meta_bg(fs, mine)) {
		if (!super)
			return 0;
		if (ext4_has_incompat(fs, META_BG))
			return 1 + min(nr_desc, fs->es->s_first_meta_bg);
		return 1 + nr_desc + fs->es->s_reserved_gdt_blocks;
	}
	n %= fs->descs_per_block; /* first, second and last of a meta group have its block */
	return super + (n == 0 || n == 1 || n == fs->descs_per_block - 1);
}

u64 ext4_calc_overhead(struct ext4 *fs)
{
	u64 sum = fs->es->s_first_data_block;

	for (u32 n = 0; n < fs->nr_groups; n++)
		sum += ext4_group_base(fs, n) + 2 + fs->itable_blocks;
	return sum;
}

/* ---- descriptors ------------------------------------------------------------------------------- */

static bool wide(const struct ext4 *fs)
{
	return fs->desc_size >= sizeof(struct ext4_group_desc);
}

ext4_block ext4_desc_block_bitmap(const struct ext4 *fs, const struct ext4_group_desc *d)
{
	return d->bg_block_bitmap_lo | (wide(fs) ? (u64)d->bg_block_bitmap_hi << 32 : 0);
}

ext4_block ext4_desc_inode_bitmap(const struct ext4 *fs, const struct ext4_group_desc *d)
{
	return d->bg_inode_bitmap_lo | (wide(fs) ? (u64)d->bg_inode_bitmap_hi << 32 : 0);
}

ext4_block ext4_desc_inode_table(const struct ext4 *fs, const struct ext4_group_desc *d)
{
	return d->bg_inode_table_lo | (wide(fs) ? (u64)d->bg_inode_table_hi << 32 : 0);
}

u32 ext4_desc_itable_unused(const struct ext4 *fs, const struct ext4_group_desc *d)
{
	return d->bg_itable_unused_lo | (wide(fs) ? (u32)d->bg_itable_unused_hi << 16 : 0);
}

void ext4_desc_set_itable_unused(const struct ext4 *fs, struct ext4_group_desc *d, u32 n)
{
	d->bg_itable_unused_lo = (u16)n;
	if (wide(fs))
		d->bg_itable_unused_hi = (u16)(n >> 16);
}

void ext4_group_counts_set(struct ext4 *fs, u32 n, struct ext4_group *g)
{
	struct ext4_group_desc *d = g->desc;

	d->bg_free_blocks_count_lo = (u16)g->free_blocks;
	d->bg_free_inodes_count_lo = (u16)g->free_inodes;
	d->bg_used_dirs_count_lo = (u16)g->used_dirs;
	if (wide(fs)) {
		d->bg_free_blocks_count_hi = (u16)(g->free_blocks >> 16);
		d->bg_free_inodes_count_hi = (u16)(g->free_inodes >> 16);
		d->bg_used_dirs_count_hi = (u16)(g->used_dirs >> 16);
	}
	ext4_group_csum_set(fs, n);
}

static bool inside(const struct ext4 *fs, u32 group, ext4_block b, u64 n)
{
	u64 lo = fs->es->s_first_data_block, hi = fs->blocks_count;

	if (!ext4_has_incompat(fs, FLEX_BG)) {
		lo = ext4_group_first(fs, group);
		hi = lo + ext4_group_blocks(fs, group);
	}
	return b >= lo && b < hi && n <= hi - b;
}

struct ext4_group *ext4_group_read(struct ext4 *fs, u32 n)
{
	struct ext4_group *g = kzalloc(sizeof(*g), GFP_KERNEL);
	struct ext4_group_desc *d;
	int err;

	if (!g)
		return err_ptr(-ENOMEM);
	err = bdev_read_block(fs->dev, ext4_desc_block(fs, n / fs->descs_per_block), fs->block_size,
		&g->desc_ref);
	if (err) {
		kfree(g);
		return err_ptr(err);
	}
	mutex_init(&g->lock, RANK_FS_GROUP);
	d = g->desc = (void *)((u8 *)g->desc_ref.data + (n % fs->descs_per_block) * fs->desc_size);
	g->free_blocks = d->bg_free_blocks_count_lo |
		(wide(fs) ? (u32)d->bg_free_blocks_count_hi << 16 : 0);
	g->free_inodes = d->bg_free_inodes_count_lo |
		(wide(fs) ? (u32)d->bg_free_inodes_count_hi << 16 : 0);
	g->used_dirs = d->bg_used_dirs_count_lo |
		(wide(fs) ? (u32)d->bg_used_dirs_count_hi << 16 : 0);
	g->largest_free = ~0u;
	if (!inside(fs, n, ext4_desc_block_bitmap(fs, d), 1) ||
		!inside(fs, n, ext4_desc_inode_bitmap(fs, d), 1) ||
		!inside(fs, n, ext4_desc_inode_table(fs, d), fs->itable_blocks) ||
		g->free_blocks > fs->blocks_per_group || g->free_inodes > fs->inodes_per_group ||
		g->used_dirs > fs->inodes_per_group ||
		ext4_desc_itable_unused(fs, d) > fs->inodes_per_group) {
		block_ref_put(&g->desc_ref);
		kfree(g);
		return err_ptr(-EFSCORRUPTED);
	}
	return g;
}

static void group_free(struct ext4_group *g)
{
	block_ref_put(&g->desc_ref);
	kvfree(g->busy);
	kfree(g);
}

void ext4_groups_unload(struct ext4 *fs)
{
	if (fs->groups)
		for (u32 n = 0; n < fs->nr_groups && fs->groups[n]; n++)
			group_free(fs->groups[n]);
	kvfree(fs->groups);
	kvfree(fs->zones);
	for (struct old_groups *o = fs->resize, *next; o; o = next) {
		next = o->next;
		kvfree(o->groups);
		kfree(o);
	}
	fs->resize = NULL;
	fs->groups = NULL;
	fs->zones = NULL;
}

int ext4_groups_load(struct ext4 *fs, bool all)
{
	/* A resize may be among what has to be replayed: until then only the journal's own inode
	 * counts, which is in the first group. */
	u32 nr = all ? fs->nr_groups : 1;
	u64 free_blocks = 0, free_inodes = 0, dirs = 0;

	fs->groups_room = fs->nr_groups;
	fs->groups = kvmalloc(sizeof(*fs->groups) * fs->nr_groups, GFP_KERNEL | GFP_ZERO);
	if (!fs->groups)
		return -ENOMEM;
	for (u32 n = 0; n < nr; n++) {
		struct ext4_group *g;

		if (n % fs->descs_per_block == 0 && n / fs->descs_per_block % 32 == 0)
			bdev_readahead(fs->dev, ext4_desc_block(fs, n / fs->descs_per_block),
				fs->block_size, 32);
		g = ext4_group_read(fs, n);
		if (is_err(g))
			return ptr_err(g);
		fs->groups[n] = g;
		if (all && !ext4_group_csum_ok(fs, n))
			return -EFSBADCRC;
		free_blocks += g->free_blocks;
		free_inodes += g->free_inodes;
		dirs += g->used_dirs;
		cond_resched();
	}
	if (all && (free_blocks > fs->blocks_count || free_inodes > fs->inodes_count))
		return -EFSCORRUPTED;
	fs->free_blocks = (s64)free_blocks;
	fs->unpromised = fs->free_blocks - fs->pending_free;
	fs->free_inodes = (s64)free_inodes;
	fs->used_dirs = (s64)dirs;
	return ext4_zones_build(fs, nr);
}

int ext4_groups_room(struct ext4 *fs, u32 nr)
{
	u32 room = max(nr, fs->groups_room * 2);
	struct ext4_group **new;
	struct old_groups *old;

	if (nr <= fs->groups_room)
		return 0;
	new = kvmalloc(sizeof(*new) * room, GFP_KERNEL | GFP_ZERO);
	old = kmalloc(sizeof(*old), GFP_KERNEL);
	if (!new || !old) {
		kvfree(new);
		kfree(old);
		return -ENOMEM;
	}
	memcpy(new, fs->groups, sizeof(*new) * fs->nr_groups);
	*old = (struct old_groups){.next = fs->resize, .groups = fs->groups};
	fs->resize = old;
	fs->groups_room = room;
	rcu_publish(fs->groups, new);
	return 0;
}

/* ---- the file system's own blocks -------------------------------------------------------------- */

static int zone_cmp(const void *a, const void *b)
{
	const struct zone *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

int ext4_zones_build(struct ext4 *fs, u32 nr_groups)
{
	struct ext4_zones *z, *old = fs->zones;
	struct zone *v;
	u32 nr = 0, out = 0;

	z = kvmalloc(sizeof(*z) + (u64)nr_groups * 4 * sizeof(struct zone), GFP_KERNEL);
	if (!z)
		return -ENOMEM;
	v = z->zones;
	for (u32 n = 0; n < nr_groups; n++) {
		const struct ext4_group_desc *d = ext4_group(fs, n)->desc;
		ext4_block first = ext4_group_first(fs, n), at;
		u32 base = ext4_group_base(fs, n);

		if (base)
			v[nr++] = (struct zone){first, first + base};
		at = ext4_desc_block_bitmap(fs, d);
		v[nr++] = (struct zone){at, at + 1};
		at = ext4_desc_inode_bitmap(fs, d);
		v[nr++] = (struct zone){at, at + 1};
		at = ext4_desc_inode_table(fs, d);
		v[nr++] = (struct zone){at, at + fs->itable_blocks};
	}
	sort_array(v, nr, sizeof(*v), zone_cmp);
	for (u32 k = 0; k < nr; k++) {
		if (out && v[k].start < v[out - 1].end) {
			kvfree(z);
			return -EFSCORRUPTED; /* two things on one block */
		}
		if (out && v[k].start == v[out - 1].end)
			v[out - 1].end = v[k].end;
		else
			v[out++] = v[k];
	}
	z->nr = out;
	rcu_publish(fs->zones, z);
	if (old) {
		rcu_synchronize();
		kvfree(old);
	}
	return 0;
}

/* First zone that ends behind b, or nr. */
static u32 zone_behind(const struct ext4_zones *z, ext4_block b)
{
	u32 lo = 0, hi = z->nr;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (z->zones[mid].end <= b)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool ext4_blocks_valid(struct ext4 *fs, ext4_block b, u32 n)
{
	u64 count = READ_ONCE(fs->blocks_count);
	const struct ext4_zones *z;
	u32 at;
	bool r;

	if (b <= fs->es->s_first_data_block || b >= count || n > count - b)
		return false;
	rcu_read_lock();
	z = rcu_load(fs->zones);
	r = true;
	if (z) {
		at = zone_behind(z, b);
		r = at == z->nr || z->zones[at].start >= b + n;
	}
	rcu_read_unlock();
	return r;
}

void ext4_group_mark_own(struct ext4 *fs, u32 group, u64 *bitmap)
{
	ext4_block first = ext4_group_first(fs, group), end = first + ext4_group_blocks(fs, group);
	const struct ext4_zones *z;

	rcu_read_lock();
	z = rcu_load(fs->zones);
	for (u32 at = zone_behind(z, first); at < z->nr && z->zones[at].start < end; at++) {
		ext4_block lo = max(z->zones[at].start, first), hi = min(z->zones[at].end, end);

		bitmap_set_range(bitmap, lo - first, hi - lo);
	}
	rcu_read_unlock();
}

/* ---- blocks ------------------------------------------------------------------------------------ */

int ext4_read_block(struct ext4 *fs, ext4_block b, struct block_ref *out)
{
	out->page = NULL;
	if (b >= READ_ONCE(fs->blocks_count) || b < fs->es->s_first_data_block)
		return -EFSCORRUPTED;
	return bdev_read_block(fs->dev, b, fs->block_size, out);
}

int ext4_new_block_ref(struct ext4 *fs, ext4_block b, struct block_ref *out)
{
	out->page = NULL;
	if (b >= READ_ONCE(fs->blocks_count) || b < fs->es->s_first_data_block)
		return -EFSCORRUPTED;
	return bdev_new_block(fs->dev, b, fs->block_size, out);
}

/* Bits 16.. of the page's private word: eight per kind, one for each 512 bytes (the block layer has
 * 0..15). */
static u64 checked_bit(const struct block_ref *r, enum ext4_kind k)
{
	return 1ull << (16 + (u32)k * 8 + ((uintptr_t)r->data & ~PAGE_MASK) / SECTOR_SIZE);
}

bool ext4_checked(const struct block_ref *r, enum ext4_kind k)
{
	return __atomic_load_n(&r->page->private, __ATOMIC_RELAXED) & checked_bit(r, k);
}

void ext4_set_checked(const struct block_ref *r, enum ext4_kind k)
{
	__atomic_fetch_or(&r->page->private, checked_bit(r, k), __ATOMIC_RELAXED);
}
