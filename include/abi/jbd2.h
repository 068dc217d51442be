/*
 * The journal on disk, after the kernel documentation's filesystems/ext4/journal. All big-endian.
 */
#ifndef ABI_JBD2_H
#define ABI_JBD2_H

#define JBD2_MAGIC            0xc03b3998u
#define JBD2_DESCRIPTOR_BLOCK 1
#define JBD2_COMMIT_BLOCK     2
#define JBD2_SUPERBLOCK_V1    3
#define JBD2_SUPERBLOCK_V2    4
#define JBD2_REVOKE_BLOCK     5

struct jbd2_header {
	u32 h_magic, h_blocktype, h_sequence;
};

struct jbd2_super {
	struct jbd2_header s_header;
	u32 s_blocksize, s_maxlen, s_first;
	u32 s_sequence, s_start; /* 0x18: first transaction in the log and its block; 0: empty */
	u32 s_errno;             /* 0x20 */
	u32 s_feature_compat, s_feature_incompat, s_feature_ro_compat;
	u8 s_uuid[16]; /* 0x30 */
	u32 s_nr_users, s_dynsuper, s_max_transaction, s_max_trans_data;
	u8 s_checksum_type; /* 0x50 */
	u8 s_padding2[3];
	u32 s_num_fc_blks, s_head;
	u32 s_padding[40];
	u32 s_checksum;      /* 0xfc */
	u8 s_users[16 * 48]; /* 0x100 */
};
static_assert(sizeof(struct jbd2_super) == 1024, "jbd2 super block");
static_assert(offsetof(struct jbd2_super, s_checksum) == 0xfc, "s_checksum");

#define JBD2_COMPAT_CHECKSUM       0x01
#define JBD2_INCOMPAT_REVOKE       0x01
#define JBD2_INCOMPAT_64BIT        0x02
#define JBD2_INCOMPAT_ASYNC_COMMIT 0x04
#define JBD2_INCOMPAT_CSUM_V2      0x08
#define JBD2_INCOMPAT_CSUM_V3      0x10
#define JBD2_INCOMPAT_FAST_COMMIT  0x20

struct jbd2_tag3 { /* with CSUM_V3 */
	u32 t_blocknr, t_flags, t_blocknr_high, t_checksum;
};
struct jbd2_tag { /* otherwise; t_blocknr_high only with 64BIT */
	u32 t_blocknr;
	u16 t_checksum, t_flags;
	u32 t_blocknr_high;
};
#define JBD2_TAG_ESCAPE    1
#define JBD2_TAG_SAME_UUID 2
#define JBD2_TAG_DELETED   4
#define JBD2_TAG_LAST      8

struct jbd2_tail { /* of descriptor and revoke blocks with checksums */
	u32 t_checksum;
};

#define JBD2_CHKSUM_CRC32  1
#define JBD2_CHKSUM_CRC32C 4
struct jbd2_commit {
	struct jbd2_header h;
	u8 h_chksum_type, h_chksum_size, h_padding[2];
	u32 h_chksum[8];
	u64 h_commit_sec;
	u32 h_commit_nsec;
} __attribute__((packed, aligned(4)));
static_assert(sizeof(struct jbd2_commit) == 60, "jbd2 commit block");

struct jbd2_revoke {
	struct jbd2_header h;
	u32 r_count; /* bytes used, this header included */
};

/* The fast-commit area (filesystems/ext4/journal, "Fast commits"), little-endian: tag, length,
 * value. It begins one block behind the log proper. Each fast commit ends with a TAIL, the length
 * of which goes to the end of its block; the checksum (crc32c from 0) begins anew with each. */
#define JBD2_FC_DEFAULT_BLOCKS 256 /* where the superblock says 0 */
#define JBD2_FC_TAG_ADD_RANGE  1
#define JBD2_FC_TAG_DEL_RANGE  2
#define JBD2_FC_TAG_CREAT      3
#define JBD2_FC_TAG_LINK       4
#define JBD2_FC_TAG_UNLINK     5
#define JBD2_FC_TAG_INODE      6
#define JBD2_FC_TAG_PAD        7
#define JBD2_FC_TAG_TAIL       8
#define JBD2_FC_TAG_HEAD       9
#define JBD2_FC_TAG_LAST       9
struct jbd2_fc_tl {
	u16 fc_tag, fc_len;
};
struct jbd2_fc_head {
	u32 fc_features, fc_tid;
};
struct jbd2_fc_tail {
	u32 fc_tid, fc_crc;
};
struct jbd2_fc_add_range { /* fc_ex: a struct ext4_extent */
	u32 fc_ino;
	u8 fc_ex[12];
};
struct jbd2_fc_del_range {
	u32 fc_ino, fc_lblk, fc_len;
};
struct jbd2_fc_dentry { /* of CREAT, LINK, UNLINK; the name follows to the end of the value */
	u32 fc_parent_ino, fc_ino;
};
struct jbd2_fc_inode { /* the inode as in the table follows, as much as is in use */
	u32 fc_ino;
};

#endif
