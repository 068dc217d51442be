/* Mount options: those of the kernel documentation's admin-guide/ext4 that this driver knows. */
#include <lib/seq_buf.h>
#include <lib/string.h>
#include "ext4.h"

/* Switches: name, where, value. */
#define AT(field) offsetof(struct ext4_options, field)
static const struct {
	const char *name;
	u32 at;
	bool value;
} switches[] = {
	{"acl", AT(acl), true},
	{"noacl", AT(acl), false},
	{"user_xattr", AT(user_xattr), true},
	{"nouser_xattr", AT(user_xattr), false},
	{"barrier", AT(barrier), true},
	{"nobarrier", AT(barrier), false},
	{"delalloc", AT(delalloc), true},
	{"discard", AT(discard), true},
	{"nodiscard", AT(discard), false},
	{"grpid", AT(grpid), true},
	{"bsdgroups", AT(grpid), true},
	{"nogrpid", AT(grpid), false},
	{"sysvgroups", AT(grpid), false},
	{"minixdf", AT(minixdf), true},
	{"bsddf", AT(minixdf), false},
	{"noload", AT(noload), true},
	{"norecovery", AT(noload), true},
	{"nombcache", AT(nombcache), true},
	{"no_mbcache", AT(nombcache), true},
	{"journal_checksum", AT(journal_checksum), true},
	{"nojournal_checksum", AT(journal_checksum), false},
	{"journal_async_commit", AT(journal_async_commit), true},
	{"auto_da_alloc", AT(auto_da_alloc), true},
	{"noauto_da_alloc", AT(auto_da_alloc), false},
	{"block_validity", AT(block_validity), true},
	{"noblock_validity", AT(block_validity), false},
	{"dioread_nolock", AT(dioread_nolock), true},
	{"dioread_lock", AT(dioread_nolock), false},
	{"nodioread_nolock", AT(dioread_nolock), false},
	{"init_itable", AT(init_itable), true},
	{"noinit_itable", AT(init_itable), false},
	{"nouid32", AT(nouid32), true},
	{"quota", AT(usrquota), true},
	{"usrquota", AT(usrquota), true},
	{"grpquota", AT(grpquota), true},
	{"prjquota", AT(prjquota), true},
};

/* Numbers: name, where, largest. */
static const struct {
	const char *name;
	u32 at, max;
} numbers[] = {
	{"commit", AT(commit_s), 86400 * 365},
	{"resuid", AT(resuid), U32_MAX},
	{"resgid", AT(resgid), U32_MAX},
	{"stripe", AT(stripe), U32_MAX},
	{"inode_readahead_blks", AT(inode_readahead_blks), 1u << 30},
	{"max_batch_time", AT(max_batch_time_us), U32_MAX},
	{"min_batch_time", AT(min_batch_time_us), U32_MAX},
	{"max_dir_size_kb", AT(max_dir_size_kb), U32_MAX},
};

static const char *const ignored[] = {"oldalloc", "orlov", "nocheck", "bh", "nobh", "i_version",
	"nolazytime", "lazytime", "no_prefetch_block_bitmaps", "prefetch_block_bitmaps", "debug",
	"mblk_io_submit", "nomblk_io_submit", "noreservation", "reservation"};

static int set_data_mode(struct ext4_options *o, const char *v)
{
	if (!strcmp(v, "ordered"))
		o->data = EXT4_DATA_ORDERED;
	else if (!strcmp(v, "writeback"))
		o->data = EXT4_DATA_WRITEBACK;
	else if (!strcmp(v, "journal"))
		o->data = EXT4_DATA_JOURNAL;
	else
		return -EINVAL;
	return 0;
}

static int set_errors(struct ext4_options *o, const char *v)
{
	if (!strcmp(v, "continue"))
		o->errors = EXT4_ERRORS_CONTINUE;
	else if (!strcmp(v, "remount-ro"))
		o->errors = EXT4_ERRORS_RO;
	else if (!strcmp(v, "panic"))
		o->errors = EXT4_ERRORS_PANIC;
	else
		return -EINVAL;
	return 0;
}

static int parse_value(struct ext4_options *o, const char *name, const char *v,
	bool *journal_dev_given, kdev_t *journal_dev)
{
	u64 n;

	if (!strcmp(name, "data"))
		return set_data_mode(o, v);
	if (!strcmp(name, "errors"))
		return set_errors(o, v);
	if (!strcmp(name, "data_err")) {
		o->data_err_abort = !strcmp(v, "abort");
		return o->data_err_abort || !strcmp(v, "ignore") ? 0 : -EINVAL;
	}
	if (parse_u64(v, 0, &n))
		return -EINVAL;
	if (!strcmp(name, "barrier") || !strcmp(name, "auto_da_alloc") ||
		!strcmp(name, "init_itable")) {
		bool *b = name[0] == 'b' ? &o->barrier
			: name[0] == 'a' ? &o->auto_da_alloc
					 : &o->init_itable;

		*b = n != 0;
		return 0;
	}
	if (!strcmp(name, "sb"))
		return n == 1 ? 0 : -EINVAL; /* backup super blocks are e2fsck's */
	if (!strcmp(name, "journal_dev")) {
		*journal_dev_given = true;
		*journal_dev = dev_make((u32)n >> 8 & 0xfff, (n & 0xff) | (n >> 12 & 0xfff00));
		return 0;
	}
	for (u32 k = 0; k < ARRAY_SIZE(numbers); k++)
		if (!strcmp(name, numbers[k].name)) {
			if (n > numbers[k].max)
				return -EINVAL;
			*(u32 *)((u8 *)o + numbers[k].at) = (u32)n;
			return 0;
		}
	return -EINVAL;
}

static int parse_word(struct ext4_options *o, const char *name)
{
	if (!strcmp(name, "noquota")) {
		o->usrquota = o->grpquota = o->prjquota = false;
		return 0;
	}
	for (u32 k = 0; k < ARRAY_SIZE(switches); k++)
		if (!strcmp(name, switches[k].name)) {
			*((bool *)o + switches[k].at) = switches[k].value;
			return 0;
		}
	for (u32 k = 0; k < ARRAY_SIZE(ignored); k++)
		if (!strcmp(name, ignored[k]))
			return 0;
	return -EINVAL;
}

int ext4_parse_options(
	struct ext4_options *o, char *data, bool *journal_dev_given, kdev_t *journal_dev)
{
	int err = 0;

	while (data && !err) {
		char *next = strchr(data, ','), *v;

		if (next)
			*next++ = 0;
		v = strchr(data, '=');
		if (v)
			*v++ = 0;
		if (*data)
			err = v ? parse_value(o, data, v, journal_dev_given, journal_dev)
				: parse_word(o, data);
		data = next;
	}
	return err;
}

static enum ext4_data_mode default_data_mode(u32 def)
{
	switch (def & EXT4_DEFM_JMODE_WBACK) { /* all of its bits */
	case EXT4_DEFM_JMODE_WBACK:
		return EXT4_DATA_WRITEBACK;
	case EXT4_DEFM_JMODE_DATA:
		return EXT4_DATA_JOURNAL;
	default:
		return EXT4_DATA_ORDERED;
	}
}

void ext4_default_options(struct ext4 *fs, struct ext4_options *o)
{
	u32 def = fs->es->s_default_mount_opts;

	*o = (struct ext4_options){
		.data = default_data_mode(def),
		.errors = fs->es->s_errors,
		.barrier = !(def & EXT4_DEFM_NOBARRIER),
		.delalloc = !(def & EXT4_DEFM_NODELALLOC),
		.discard = def & EXT4_DEFM_DISCARD,
		.acl = true,
		.user_xattr = true,
		.grpid = def & EXT4_DEFM_BSDGROUPS,
		.nouid32 = def & EXT4_DEFM_UID16,
		.auto_da_alloc = true,
		.block_validity = true,
		.dioread_nolock = true,
		.init_itable = true,
		.resuid = fs->es->s_def_resuid,
		.resgid = fs->es->s_def_resgid,
		.inode_readahead_blks = 32,
		.max_batch_time_us = 15000,
	};
	if (o->errors < EXT4_ERRORS_CONTINUE || o->errors > EXT4_ERRORS_PANIC)
		o->errors = EXT4_ERRORS_CONTINUE;
	if (is_power_of_2(fs->es->s_raid_stride) || fs->es->s_raid_stripe_width)
		o->stripe = fs->es->s_raid_stripe_width ? fs->es->s_raid_stripe_width
							: fs->es->s_raid_stride;
	if (o->stripe <= 1)
		o->stripe = 0;
}

/* What differs from what the super block says. */
void ext4_show_options(struct seq_buf *out, struct super *s)
{
	static const char *const errors[] = {"", "continue", "remount-ro", "panic"};
	static const char *const modes[] = {"ordered", "writeback", "journal"};
	struct ext4 *fs = s->priv;
	struct ext4_options def, o = fs->opt;

	ext4_default_options(fs, &def);
	if (def.nouid32 != o.nouid32)
		seq_puts(out, ",nouid32");
	if (o.resuid != def.resuid)
		seq_printf(out, ",resuid=%u", o.resuid);
	if (o.resgid != def.resgid)
		seq_printf(out, ",resgid=%u", o.resgid);
	if (o.errors != def.errors)
		seq_printf(out, ",errors=%s", errors[o.errors]);
	if (o.commit_s)
		seq_printf(out, ",commit=%u", o.commit_s);
	/* Quota tools look for these, each by its name. */
	if (o.usrquota || o.grpquota || o.prjquota)
		seq_puts(out, ",quota");
	if (o.usrquota)
		seq_puts(out, ",usrquota");
	if (o.grpquota)
		seq_puts(out, ",grpquota");
	if (o.prjquota)
		seq_puts(out, ",prjquota");
	o.usrquota = o.grpquota = o.prjquota = false;
	for (u32 k = 0; k < ARRAY_SIZE(switches); k++) {
		bool now = *((bool *)&o + switches[k].at);

		if (now != *((bool *)&def + switches[k].at) && now == switches[k].value &&
			(!k || switches[k - 1].at != switches[k].at ||
				switches[k - 1].value != switches[k].value))
			seq_printf(out, ",%s", switches[k].name);
	}
	if (o.stripe != def.stripe)
		seq_printf(out, ",stripe=%u", o.stripe);
	if (o.data != def.data)
		seq_printf(out, ",data=%s", modes[o.data]);
	if (o.data_err_abort)
		seq_puts(out, ",data_err=abort");
	if (o.inode_readahead_blks != def.inode_readahead_blks)
		seq_printf(out, ",inode_readahead_blks=%u", o.inode_readahead_blks);
	if (o.max_batch_time_us != def.max_batch_time_us)
		seq_printf(out, ",max_batch_time=%u", o.max_batch_time_us);
	if (o.min_batch_time_us)
		seq_printf(out, ",min_batch_time=%u", o.min_batch_time_us);
	if (o.max_dir_size_kb)
		seq_printf(out, ",max_dir_size_kb=%u", o.max_dir_size_kb);
}
