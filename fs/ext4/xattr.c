/*
 * Extended attributes: first in the room behind the inode's fields, then in one block of their own,
 * which several inodes may share as long as none changes it.
 *
 * A change unpacks the whole place (a list of attributes that point into a copy), alters the list
 * and packs it again; info->xattr_sem guards both places of an inode.
 */
#include <kmem/slab.h>
#include <lib/sort.h>
#include <lib/string.h>
#include <linux/limits.h>
#include <vfs/posix_acl.h>
#include "ext4.h"

#define MAX_ATTRS 256u /* entries of one place: at least 16 bytes each */

struct attr {
	u8 index, name_len;
	const char *name;
	const void *value; /* NULL with inum */
	u32 len;
	u32 inum, hash; /* the value's inode and its checksum; 0: the value is here */
};
/* One of the two places, unpacked. */
struct place {
	bool is_block, exists;
	struct block_ref ref; /* of the attribute block, or of the inode's block in the table */
	struct ext4_inode *raw;
	u32 start,
		room; /* inode: offset of the magic number, bytes behind it; block: 32, the rest */
	u8 *copy;     /* of the whole block or inode */
	u32 n;
	struct attr attrs[MAX_ATTRS];
};

/* The order in a block, which readers may rely on. */
static int by_name(const void *x, const void *y)
{
	const struct attr *a = x, *b = y;

	if (a->index != b->index)
		return (int)a->index - (int)b->index;
	if (a->name_len != b->name_len)
		return (int)a->name_len - (int)b->name_len;
	return memcmp(a->name, b->name, a->name_len);
}

static u32 entry_size(u32 name_len)
{
	return (u32)round_up(sizeof(struct ext4_xattr_entry) + name_len, 4);
}

/* guards h_refcount of every shared block; nothing else is taken under it */
static struct mutex g_refcount_lock = MUTEX_INIT(g_refcount_lock, RANK_FS_META);

/* ---- unpacking --------------------------------------------------------------------------------- */

static int corrupt(struct inode *i)
{
	return ext4_corrupt(ext4_of(i), i->ino, ext4_info(i)->file_acl, "extended attributes");
}

/* Entries from `at` up to end in the copy; values count from `origin`. */
static int unpack(struct inode *i, struct place *p, u32 at, u32 origin, u32 end)
{
	for (;;) {
		const struct ext4_xattr_entry *e = (const void *)(p->copy + at);
		u32 size;

		if (at + sizeof(u32) > end)
			return corrupt(i);
		if (*(const u32 *)e == 0)
			return 0;
		if (at + sizeof(*e) > end || p->n == MAX_ATTRS)
			return corrupt(i);
		size = entry_size(e->e_name_len);
		if (size > end - at ||
			(e->e_value_inum &&
				(!ext4_has_incompat(ext4_of(i), EA_INODE) ||
					e->e_value_inum == i->ino ||
					e->e_value_size > XATTR_SIZE_MAX)))
			return corrupt(i);
		if (e->e_value_inum) {
			p->attrs[p->n++] = (struct attr){.index = e->e_name_index,
				.name_len = e->e_name_len,
				.name = e->e_name,
				.len = e->e_value_size,
				.inum = e->e_value_inum,
				.hash = e->e_hash};
			at += size;
			continue;
		}
		if (e->e_value_size &&
			(e->e_value_size > end || e->e_value_offs > end - origin ||
				origin + e->e_value_offs + e->e_value_size > end))
			return corrupt(i);
		p->attrs[p->n++] = (struct attr){.index = e->e_name_index,
			.name_len = e->e_name_len,
			.name = e->e_name,
			.value = p->copy + origin + e->e_value_offs,
			.len = e->e_value_size};
		at += size;
	}
}

static int load_block(struct inode *i, struct place *p)
{
	struct ext4 *fs = ext4_of(i);
	const struct ext4_xattr_header *h;
	int err;

	p->is_block = true;
	p->start = sizeof(*h);
	p->room = fs->block_size - p->start;
	if (!ext4_info(i)->file_acl)
		return 0;
	err = ext4_read_block(fs, ext4_info(i)->file_acl, &p->ref);
	if (err)
		return err;
	h = p->ref.data;
	if (!ext4_checked(&p->ref, EXT4_KIND_XATTR)) {
		if (!ext4_xattr_csum_ok(i, p->ref.block, p->ref.data))
			return corrupt(i);
		ext4_set_checked(&p->ref, EXT4_KIND_XATTR);
	}
	if (h->h_magic != EXT4_XATTR_MAGIC || h->h_blocks != 1)
		return corrupt(i);
	p->exists = true;
	p->copy = kmalloc(fs->block_size, GFP_NOFS);
	if (!p->copy)
		return -ENOMEM;
	memcpy(p->copy, p->ref.data, fs->block_size);
	return unpack(i, p, p->start, 0, fs->block_size);
}

static int load_inode(struct inode *i, struct place *p)
{
	struct ext4 *fs = ext4_of(i);
	struct ext4_inode_info *n = ext4_info(i);
	int err;

	p->start = EXT4_GOOD_OLD_INODE_SIZE + n->extra_isize;
	if (fs->inode_size == EXT4_GOOD_OLD_INODE_SIZE || !n->extra_isize || n->new_inode ||
		p->start + 2 * sizeof(u32) > fs->inode_size)
		return 0; /* no room: room 0 */
	p->room = fs->inode_size - p->start - (u32)sizeof(u32);
	err = ext4_inode_ref(i, &p->ref, &p->raw);
	if (err)
		return err;
	if (*(u32 *)((u8 *)p->raw + p->start) != EXT4_XATTR_MAGIC)
		return 0;
	p->exists = true;
	p->copy = kmalloc(fs->inode_size, GFP_NOFS);
	if (!p->copy)
		return -ENOMEM;
	memcpy(p->copy, p->raw, fs->inode_size);
	return unpack(
		i, p, p->start + (u32)sizeof(u32), p->start + (u32)sizeof(u32), fs->inode_size);
}

static void unload(struct place *p)
{
	block_ref_put(&p->ref);
	kfree(p->copy);
	p->copy = NULL;
}

static struct attr *find(struct place *p, int index, const char *name, size_t len)
{
	for (u32 k = 0; k < p->n; k++)
		if (p->attrs[k].index == index && p->attrs[k].name_len == len &&
			memcmp(p->attrs[k].name, name, len) == 0)
			return &p->attrs[k];
	return NULL;
}

/* Both places of an inode: kmalloc'ed, since they are large. */
struct places {
	struct place p[2]; /* inode, block */
};

static struct places *load(struct inode *i, int *err)
{
	struct places *s = kmalloc(sizeof(*s), GFP_NOFS | GFP_ZERO);

	*err = s ? load_inode(i, &s->p[0]) : -ENOMEM;
	if (!*err)
		*err = load_block(i, &s->p[1]);
	if (*err && s) {
		unload(&s->p[0]);
		unload(&s->p[1]);
		kfree(s);
		s = NULL;
	}
	return s;
}

static void free_places(struct places *s)
{
	unload(&s->p[0]);
	unload(&s->p[1]);
	kfree(s);
}

/* ---- packing ----------------------------------------------------------------------------------- */

static u32 attr_size(const struct attr *a)
{
	return entry_size(a->name_len) + (a->inum ? 0 : (u32)round_up(a->len, 4));
}

static u32 packed_size(const struct place *p)
{
	u32 size = sizeof(u32); /* the end */

	for (u32 k = 0; k < p->n; k++)
		size += attr_size(&p->attrs[k]);
	return size;
}

static u32 entry_hash(const struct ext4_xattr_entry *e, const void *value, u32 len)
{
	u32 hash = 0;

	for (u32 k = 0; k < e->e_name_len; k++)
		hash = hash << 5 ^ hash >> 27 ^ (u8)e->e_name[k];
	for (u32 at = 0; at < len; at += 4) {
		u32 word; /* values are padded with zeroes */

		memcpy(&word, (const u8 *)value + at, sizeof(word));
		hash = hash << 16 ^ hash >> 16 ^ word;
	}
	return hash;
}

/* All attributes into area of size bytes, whose values count from base. Entries of a block carry a
 * hash; returns that of all of them. */
static u32 pack(const struct place *p, u8 *base, u8 *area, u32 size)
{
	u8 *end = area + size;
	u32 all = 0;
	bool no_hash = false;

	memset(area, 0, size);
	for (u32 k = 0; k < p->n; k++) {
		const struct attr *a = &p->attrs[k];
		struct ext4_xattr_entry *e = (void *)area;

		e->e_name_index = a->index;
		e->e_name_len = a->name_len;
		e->e_value_size = a->len;
		memcpy(e->e_name, a->name, a->name_len);
		if (a->inum) {
			e->e_value_inum = a->inum;
		} else if (a->len) {
			end -= round_up(a->len, 4);
			memcpy(end, a->value, a->len);
			e->e_value_offs = (u16)(end - base);
		}
		if (a->inum) /* also of the inode's own */
			e->e_hash = a->hash;
		else if (p->is_block)
			e->e_hash = entry_hash(e, end, a->len);
		no_hash |= !e->e_hash;
		all = all << 16 ^ all >> 16 ^ e->e_hash;
		area += entry_size(a->name_len);
	}
	return no_hash ? 0 : all;
}

static int store_inode(struct handle *h, struct inode *i, struct place *p)
{
	struct ext4 *fs = ext4_of(i);
	struct ext4_inode_info *n = ext4_info(i);
	u8 *area;
	int err = journal_get_write(h, &p->ref);

	if (err)
		return err;
	mutex_lock(&n->raw_lock);
	area = (u8 *)p->raw + p->start;
	*(u32 *)area = p->n ? EXT4_XATTR_MAGIC : 0;
	(void)pack(p, area + sizeof(u32), area + sizeof(u32), p->room);
	ext4_inode_csum_set(fs, i->ino, p->raw);
	mutex_unlock(&n->raw_lock);
	return journal_dirty(h, &p->ref);
}

/* The inode doesn't use its block any more: one user less, or free. */
static int drop_block(struct handle *h, struct inode *i, struct block_ref *ref)
{
	struct ext4_inode_info *n = ext4_info(i);
	struct ext4_xattr_header *head = ref->data;
	int err = journal_get_write(h, ref);
	bool last;

	if (err)
		return err;
	mutex_lock(&g_refcount_lock);
	last = head->h_refcount <= 1;
	if (!last) {
		head->h_refcount--;
		ext4_xattr_csum_set(i, ref->block, head);
	}
	mutex_unlock(&g_refcount_lock);
	n->file_acl = 0;
	if (last) {
		u64 b = ref->block;

		block_ref_put(ref);
		return ext4_free_blocks(h, i, b, 1, EXT4_FREE_META);
	}
	spin_lock(&i->spin);
	n->nr_blocks -= n->nr_blocks ? 1 : 0;
	i->blocks = n->nr_blocks * ext4_of(i)->sectors_per_block;
	spin_unlock(&i->spin);
	err = ext4_quota_blocks(i, -1);
	return err ? err : journal_dirty(h, ref);
}

static void fill_block(struct inode *i, struct place *p, struct block_ref *ref)
{
	struct ext4_xattr_header *head = ref->data;

	memset(head, 0, sizeof(*head));
	head->h_magic = EXT4_XATTR_MAGIC;
	head->h_refcount = 1;
	head->h_blocks = 1;
	sort_array(p->attrs, p->n, sizeof(p->attrs[0]), by_name);
	head->h_hash = pack(p, ref->data, (u8 *)ref->data + p->start, p->room);
	ext4_xattr_csum_set(i, ref->block, head);
	ext4_set_checked(ref, EXT4_KIND_XATTR);
}

static int new_block(struct handle *h, struct inode *i, struct place *p, ext4_block *out)
{
	struct ext4_alloc a = {.inode = i, .len = 1, .flags = EXT4_ALLOC_META};
	struct block_ref r;
	int err = ext4_alloc_blocks(h, &a, out);

	if (err)
		return err;
	err = ext4_new_block_ref(ext4_of(i), *out, &r);
	if (!err)
		err = journal_get_create(h, &r);
	if (!err) {
		fill_block(i, p, &r);
		err = journal_dirty(h, &r);
	}
	block_ref_put(&r);
	return err;
}

/* Other inodes have the same block, and whatever it refers to. */
static bool is_shared(const struct place *p)
{
	return p->is_block && p->exists &&
		((const struct ext4_xattr_header *)p->ref.data)->h_refcount > 1;
}

/* The block becomes i's own: its references to inodes of values, but new's, count once more. */
static int get_values(struct handle *h, struct inode *i, const struct place *p, u32 new)
{
	int err = 0;

	for (u32 k = 0; k < p->n && !err; k++)
		if (p->attrs[k].inum && p->attrs[k].inum != new)
			err = ext4_ea_get(h, i, p->attrs[k].inum);
	return err;
}

static int store_block(struct handle *h, struct inode *i, struct place *p, u32 new)
{
	struct ext4_inode_info *n = ext4_info(i);
	ext4_block b = 0;
	int err = is_shared(p) ? get_values(h, i, p, new) : 0;

	if (err)
		return err;
	if (p->exists && p->n && !is_shared(p)) {
		err = journal_get_write(h, &p->ref);
		if (err)
			return err;
		fill_block(i, p, &p->ref);
		return journal_dirty(h, &p->ref);
	}
	if (p->n)
		err = new_block(h, i, p, &b);
	if (!err && p->exists)
		err = drop_block(h, i, &p->ref);
	if (!err)
		n->file_acl = b;
	return err;
}

/* new: inode of a value that has just been made for an attribute in it, or 0. */
static int store(struct handle *h, struct inode *i, struct place *p, u32 new)
{
	return p->is_block ? store_block(h, i, p, new) : store_inode(h, i, p);
}

/* ---- by index ---------------------------------------------------------------------------------- */

ssize_t ext4_xattr_get(struct inode *i, int index, const char *name, void *buf, size_t size)
{
	struct ext4_inode_info *n = ext4_info(i);
	struct places *s;
	ssize_t r;
	int err;

	for (int tries = 0;; tries++) {
		struct attr *a = NULL;

		rwsem_read_lock(&n->xattr_sem);
		s = load(i, &err);
		rwsem_read_unlock(&n->xattr_sem);
		if (!s)
			return err;
		for (u32 k = 0; k < 2 && !a; k++)
			a = find(&s->p[k], index, name, strlen(name));
		r = a ? (ssize_t)a->len : -ENODATA;
		if (a && size && size < a->len)
			r = -ERANGE;
		else if (a && size && a->inum)
			err = ext4_ea_read(i, a->inum, a->len, buf);
		else if (a && size)
			memcpy(buf, a->value, a->len);
		free_places(s);
		/* It may have been replaced meanwhile. */
		if (err != -ESTALE || tries == 3)
			break;
	}
	if (err == -ESTALE)
		err = corrupt(i);
	return err ? err : r;
}

static void remove_at(struct place *p, struct attr *a)
{
	u32 k = (u32)(a - p->attrs);

	memmove(a, a + 1, (p->n - k - 1) * sizeof(*a));
	p->n--;
}

/* Where the attribute goes: into the inode if it fits, else the block. -ENOSPC. */
static int choose(struct places *s, const struct attr *new, struct place **out)
{
	for (u32 k = 0; k < 2; k++) {
		struct place *p = &s->p[k];
		u32 need = attr_size(new);

		if (p->n < MAX_ATTRS && need <= p->room && packed_size(p) + need <= p->room) {
			*out = p;
			return 0;
		}
	}
	return -ENOSPC;
}

/* *gone: what is referred to no more. */
static int set_locked(struct handle *h, struct inode *i, struct places *s, const struct attr *new,
	int flags, struct attr *gone)
{
	struct place *from = NULL, *to = NULL;
	struct attr *old = NULL;
	int err = 0;

	for (u32 k = 0; k < 2 && !old; k++) {
		from = &s->p[k];
		old = find(from, new->index, new->name, new->name_len);
	}
	if (old && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!old && ((flags & XATTR_REPLACE) || !new->value))
		return -ENODATA;
	if (new->value && !new->inum &&new->len > ext4_of(i)->block_size)
		return -ENOSPC;
	if (old) {
		if (!is_shared(from))
			*gone = *old;
		remove_at(from, old);
	}
	if (new->value) {
		err = choose(s, new, &to);
		if (err)
			return err;
		to->attrs[to->n++] = *new;
		err = store(h, i, to, new->inum);
	}
	if (!err && old && from != to)
		err = store(h, i, from, 0);
	return err;
}

/* The value in an inode of its own. */
static int make_value(struct handle *h, struct inode *i, struct attr *a)
{
	union {
		struct ext4_xattr_entry e;
		u8 room[sizeof(struct ext4_xattr_entry) + 256];
	} entry = {.e.e_name_len = a->name_len};
	struct inode *ea;
	int err = ext4_ea_charge(i, a->len, 1);
	u32 csum;

	if (err)
		return err;
	ea = ext4_ea_create(h, i, a->value, a->len);
	if (is_err(ea)) {
		err = ext4_ea_charge(i, a->len, -1);
		return err ? err : ptr_err(ea);
	}
	csum = ext4_ea_hash(ea);
	memcpy(entry.e.e_name, a->name, a->name_len);
	a->inum = (u32)ea->ino;
	a->hash = entry_hash(&entry.e, &csum, sizeof(csum));
	put_inode(ea);
	return 0;
}

static int forget_value(struct handle *h, struct inode *i, const struct attr *a)
{
	int err = ext4_ea_put(h, i, a->inum), e = ext4_ea_charge(i, a->len, -1);

	return err ? err : e;
}

static int set(struct handle *h, struct inode *i, struct attr *new, int flags)
{
	struct ext4_inode_info *n = ext4_info(i);
	struct attr gone = {};
	struct places *s;
	int err;

	rwsem_write_lock(&n->xattr_sem);
	s = load(i, &err);
	if (s) {
		err = set_locked(h, i, s, new, flags, &gone);
		free_places(s);
	}
	rwsem_write_unlock(&n->xattr_sem);
	if (!err && gone.inum)
		err = forget_value(h, i, &gone);
	return err;
}

static bool may_have_inode(const struct ext4 *fs, const struct attr *a)
{
	return ext4_has_incompat(fs, EA_INODE) && a->value && a->len &&
		a->index != EXT4_XATTR_INDEX_POSIX_ACL_ACCESS &&
		a->index != EXT4_XATTR_INDEX_POSIX_ACL_DEFAULT;
}

/* Where there is no room for the value, it gets an inode, if the feature is on. */
static int set_anywhere(struct handle *h, struct inode *i, struct attr *new, int flags)
{
	struct ext4 *fs = ext4_of(i);
	int err = -ENOSPC, e;
	u32 need;

	if (!may_have_inode(fs, new) || new->len <= fs->block_size)
		err = set(h, i, new, flags);
	if (err != -ENOSPC || !may_have_inode(fs, new))
		return err;
	need = ext4_ea_credits(fs, new->len) + EXT4_XATTR_CREDITS;
	err = h->credits < need ? journal_extend(h, need - h->credits) : 0;
	if (!err)
		err = make_value(h, i, new);
	if (err)
		return err > 0 ? -ENOSPC : err;
	err = set(h, i, new, flags);
	e = err ? forget_value(h, i, new) : 0;
	return e ? e : err;
}

/* The first attribute of the file system: e2fsck wants to know. */
static int want_feature(struct handle *h, struct ext4 *fs)
{
	int err;

	if (ext4_has_compat(fs, EXT_ATTR))
		return 0;
	err = journal_get_write(h, &fs->sb_ref);
	if (err)
		return err;
	mutex_lock(&fs->error_lock);
	fs->feature_compat |= EXT4_COMPAT_EXT_ATTR;
	fs->es->s_feature_compat |= EXT4_COMPAT_EXT_ATTR;
	ext4_super_csum_set(fs);
	mutex_unlock(&fs->error_lock);
	return journal_dirty(h, &fs->sb_ref);
}

int ext4_xattr_set(struct handle *h, struct inode *i, int index, const char *name, const void *val,
	size_t len, int flags)
{
	struct ext4_inode_info *n = ext4_info(i);
	struct attr new = {.index = (u8)index,
		.name_len = (u8)strlen(name),
		.name = name,
		.value = val,
		.len = (u32)len};
	int err = want_feature(h, ext4_of(i));

	if (strlen(name) > 255)
		return -ERANGE;
	if (!err && n->new_inode) /* the inode's room is cleared by this */
		err = ext4_mark_inode_dirty(h, i);
	if (err)
		return err;
	if (index == EXT4_XATTR_INDEX_POSIX_ACL_ACCESS ||
		index == EXT4_XATTR_INDEX_POSIX_ACL_DEFAULT)
		__atomic_fetch_and(&i->flags, ~INODE_NO_ACL, __ATOMIC_RELAXED);
	err = set_anywhere(h, i, &new, flags);
	if (!err) {
		inode_touch(i, ATTR_CTIME);
		err = ext4_mark_inode_dirty(h, i);
	}
	return err;
}

/* Has the inode neither ACL? Then remember that. */
void ext4_note_acl(struct inode *i)
{
	struct ext4_inode_info *n = ext4_info(i);
	struct places *s;
	int err;

	rwsem_read_lock(&n->xattr_sem);
	s = load(i, &err);
	if (s) {
		bool none = true;

		for (u32 k = 0; k < 2; k++)
			if (find(&s->p[k], EXT4_XATTR_INDEX_POSIX_ACL_ACCESS, "", 0) ||
				find(&s->p[k], EXT4_XATTR_INDEX_POSIX_ACL_DEFAULT, "", 0))
				none = false;
		if (none)
			__atomic_fetch_or(&i->flags, INODE_NO_ACL, __ATOMIC_RELAXED);
		free_places(s);
	}
	rwsem_read_unlock(&n->xattr_sem);
}

int ext4_xattr_values(struct inode *i, u32 *nr)
{
	struct places *s;
	int err = 0;

	*nr = 0;
	if (!ext4_has_incompat(ext4_of(i), EA_INODE))
		return 0;
	rwsem_read_lock(&ext4_info(i)->xattr_sem);
	s = load(i, &err);
	for (u32 k = 0; s && k < 2; k++)
		for (u32 at = 0; at < s->p[k].n; at++)
			*nr += s->p[k].attrs[at].inum != 0;
	if (s)
		free_places(s);
	rwsem_read_unlock(&ext4_info(i)->xattr_sem);
	return err;
}

/* One value in an inode goes, with the attribute. 1: there may be more; 0; error. */
static int delete_value(struct handle *h, struct inode *i)
{
	struct ext4_inode_info *n = ext4_info(i);
	struct attr gone = {};
	struct places *s;
	int err;

	rwsem_write_lock(&n->xattr_sem);
	s = load(i, &err);
	for (u32 k = 0; s && k < 2 && !gone.inum; k++) {
		struct place *p = &s->p[k];

		for (u32 at = 0; at < p->n && !is_shared(p); at++)
			if (p->attrs[at].inum) {
				gone = p->attrs[at];
				remove_at(p, &p->attrs[at]);
				err = store(h, i, p, 0);
				break;
			}
	}
	if (s)
		free_places(s);
	rwsem_write_unlock(&n->xattr_sem);
	if (!err && gone.inum)
		err = forget_value(h, i, &gone);
	return err ? err : gone.inum != 0;
}

void ext4_xattr_delete(struct handle *h, struct inode *i)
{
	struct ext4_inode_info *n = ext4_info(i);
	struct block_ref r;
	int more = ext4_has_incompat(ext4_of(i), EA_INODE) && !(n->flags & EXT4_EA_INODE_FL);

	/* One by one: each is whole in its transaction, and i an orphan. */
	while (more > 0) {
		more = delete_value(h, i);
		if (more > 0)
			more = journal_ensure(h, EXT4_XATTR_CREDITS + 8) < 0 ? -EIO : 1;
	}
	if (more < 0) {
		(void)ext4_fatal(ext4_of(i), more, "freeing values of attributes");
		return;
	}
	if (!n->file_acl)
		return;
	rwsem_write_lock(&n->xattr_sem);
	if (ext4_read_block(ext4_of(i), n->file_acl, &r) == 0) {
		int err = ((struct ext4_xattr_header *)r.data)->h_magic == EXT4_XATTR_MAGIC
			? drop_block(h, i, &r)
			: corrupt(i);

		if (err && err != -EFSCORRUPTED)
			(void)ext4_fatal(ext4_of(i), err, "freeing attributes");
		block_ref_put(&r);
	}
	n->file_acl = 0;
	rwsem_write_unlock(&n->xattr_sem);
}

/* ---- by name ----------------------------------------------------------------------------------- */

static const struct {
	const char *prefix;
	u8 index;
	bool whole; /* the prefix is the name */
} kinds[] = {
	{XATTR_USER_PREFIX, EXT4_XATTR_INDEX_USER, false},
	{XATTR_TRUSTED_PREFIX, EXT4_XATTR_INDEX_TRUSTED, false},
	{XATTR_SECURITY_PREFIX, EXT4_XATTR_INDEX_SECURITY, false},
	{XATTR_NAME_POSIX_ACL_ACCESS, EXT4_XATTR_INDEX_POSIX_ACL_ACCESS, true},
	{XATTR_NAME_POSIX_ACL_DEFAULT, EXT4_XATTR_INDEX_POSIX_ACL_DEFAULT, true},
};

static bool is_acl(int index)
{
	return index == EXT4_XATTR_INDEX_POSIX_ACL_ACCESS ||
		index == EXT4_XATTR_INDEX_POSIX_ACL_DEFAULT;
}

static bool enabled(const struct ext4 *fs, int index)
{
	if (index == EXT4_XATTR_INDEX_USER)
		return fs->opt.user_xattr;
	return !is_acl(index) || fs->opt.acl;
}

/* The index, and where the bare name begins; -EOPNOTSUPP. */
static int index_of(struct ext4 *fs, const char *name, const char **bare)
{
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++) {
		if (!str_has_prefix(name, kinds[k].prefix))
			continue;
		*bare = name + strlen(kinds[k].prefix);
		if (kinds[k].whole ? **bare != 0 : **bare == 0)
			continue;
		return enabled(fs, kinds[k].index) ? kinds[k].index : -EOPNOTSUPP;
	}
	return -EOPNOTSUPP;
}

ssize_t ext4_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	const char *bare;
	int index = index_of(ext4_of(i), name, &bare);

	if (index < 0)
		return index;
	return is_acl(index) ? ext4_get_acl(i, index, buf, size)
			     : ext4_xattr_get(i, index, bare, buf, size);
}

static int change(struct inode *i, const char *name, const void *val, size_t len, int flags)
{
	struct ext4 *fs = ext4_of(i);
	const char *bare;
	int index = index_of(fs, name, &bare), err, tries = 0;

	if (index < 0)
		return index;
	do {
		u32 value = ext4_has_incompat(fs, EA_INODE) ? 4 + ext4_ea_credits(fs, (u32)len) : 0;
		struct handle *h = ext4_begin(fs, EXT4_XATTR_CREDITS + 4 + value);

		if (is_err(h))
			return ptr_err(h);
		err = is_acl(index) ? ext4_set_acl(h, i, name, index, val, len, flags)
				    : ext4_xattr_set(h, i, index, bare, val, len, flags);
		err = ext4_end(h, err);
		ext4_ea_reap(fs);
	} while (err == -ENOSPC && len < fs->block_size && ext4_retry_nospace(fs, &tries));
	return err;
}

int ext4_setxattr(struct inode *i, const char *name, const void *val, size_t len, int flags)
{
	return change(i, name, len ? val : "", len, flags);
}

int ext4_removexattr(struct inode *i, const char *name)
{
	return change(i, name, NULL, 0, 0);
}

static const char *prefix_of(struct ext4 *fs, int index)
{
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++)
		if (kinds[k].index == index)
			return enabled(fs, index) ? kinds[k].prefix : NULL;
	return NULL;
}

ssize_t ext4_listxattr(struct inode *i, char *buf, size_t size)
{
	struct ext4_inode_info *n = ext4_info(i);
	struct places *s;
	ssize_t total = 0;
	int err;

	rwsem_read_lock(&n->xattr_sem);
	s = load(i, &err);
	rwsem_read_unlock(&n->xattr_sem);
	if (!s)
		return err;
	for (u32 k = 0; k < 2; k++) {
		for (const struct attr *a = s->p[k].attrs; a < s->p[k].attrs + s->p[k].n; a++) {
			const char *prefix = prefix_of(ext4_of(i), a->index);
			size_t len = prefix ? strlen(prefix) : 0, all = len + a->name_len + 1;

			if (!prefix)
				continue;
			if (size && (size_t)total + all > size) {
				free_places(s);
				return -ERANGE;
			}
			if (size) {
				memcpy(buf + total, prefix, len);
				memcpy(buf + total + len, a->name, a->name_len);
				buf[(size_t)total + all - 1] = 0;
			}
			total += (ssize_t)all;
		}
	}
	free_places(s);
	return total;
}
