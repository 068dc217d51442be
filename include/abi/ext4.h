/*
 * ext4 on disk, after the kernel documentation's filesystems/ext4. Little-endian, as every machine
 * that Aramid runs on.
 */
#ifndef ABI_EXT4_H
#define ABI_EXT4_H

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ext4 fields are used as they are");

#define EXT4_SUPER_MAGIC   0xef53
#define EXT4_SUPER_OFFSET  1024
#define EXT4_BAD_INO       1
#define EXT4_ROOT_INO      2
#define EXT4_USR_QUOTA_INO 3
#define EXT4_GRP_QUOTA_INO 4
#define EXT4_RESIZE_INO    7
#define EXT4_JOURNAL_INO   8
#define EXT4_FIRST_INO_OLD 11

struct ext4_super_block {
	u32 s_inodes_count;
	u32 s_blocks_count_lo;
	u32 s_r_blocks_count_lo;
	u32 s_free_blocks_count_lo;
	u32 s_free_inodes_count;
	u32 s_first_data_block;
	u32 s_log_block_size; /* 1024 << this */
	u32 s_log_cluster_size;
	u32 s_blocks_per_group; /* 0x20 */
	u32 s_clusters_per_group;
	u32 s_inodes_per_group;
	u32 s_mtime;
	u32 s_wtime; /* 0x30 */
	u16 s_mnt_count;
	u16 s_max_mnt_count;
	u16 s_magic;
	u16 s_state;
	u16 s_errors;
	u16 s_minor_rev_level;
	u32 s_lastcheck; /* 0x40 */
	u32 s_checkinterval;
	u32 s_creator_os;
	u32 s_rev_level;
	u16 s_def_resuid; /* 0x50 */
	u16 s_def_resgid;
	u32 s_first_ino;
	u16 s_inode_size;
	u16 s_block_group_nr;
	u32 s_feature_compat;
	u32 s_feature_incompat; /* 0x60 */
	u32 s_feature_ro_compat;
	u8 s_uuid[16];
	char s_volume_name[16];  /* 0x78 */
	char s_last_mounted[64]; /* 0x88 */
	u32 s_algorithm_usage_bitmap;
	u8 s_prealloc_blocks; /* 0xcc */
	u8 s_prealloc_dir_blocks;
	u16 s_reserved_gdt_blocks;
	u8 s_journal_uuid[16]; /* 0xd0 */
	u32 s_journal_inum;    /* 0xe0 */
	u32 s_journal_dev;
	u32 s_last_orphan;
	u32 s_hash_seed[4];
	u8 s_def_hash_version; /* 0xfc */
	u8 s_jnl_backup_type;
	u16 s_desc_size;
	u32 s_default_mount_opts; /* 0x100 */
	u32 s_first_meta_bg;
	u32 s_mkfs_time;
	u32 s_jnl_blocks[17];
	u32 s_blocks_count_hi; /* 0x150 */
	u32 s_r_blocks_count_hi;
	u32 s_free_blocks_count_hi;
	u16 s_min_extra_isize;
	u16 s_want_extra_isize;
	u32 s_flags; /* 0x160 */
	u16 s_raid_stride;
	u16 s_mmp_interval;
	u64 s_mmp_block;
	u32 s_raid_stripe_width; /* 0x170 */
	u8 s_log_groups_per_flex;
	u8 s_checksum_type;
	u8 s_encryption_level;
	u8 s_reserved_pad;
	u64 s_kbytes_written;
	u32 s_snapshot_inum; /* 0x180 */
	u32 s_snapshot_id;
	u64 s_snapshot_r_blocks_count;
	u32 s_snapshot_list; /* 0x190 */
	u32 s_error_count;
	u32 s_first_error_time;
	u32 s_first_error_ino;
	u64 s_first_error_block;   /* 0x1a0 */
	u8 s_first_error_func[32]; /* 0x1a8 */
	u32 s_first_error_line;    /* 0x1c8 */
	u32 s_last_error_time;
	u32 s_last_error_ino;
	u32 s_last_error_line;
	u64 s_last_error_block;   /* 0x1d8 */
	u8 s_last_error_func[32]; /* 0x1e0 */
	u8 s_mount_opts[64];      /* 0x200 */
	u32 s_usr_quota_inum;     /* 0x240 */
	u32 s_grp_quota_inum;
	u32 s_overhead_clusters;
	u32 s_backup_bgs[2];
	u8 s_encrypt_algos[4];
	u8 s_encrypt_pw_salt[16];
	u32 s_lpf_ino; /* 0x268 */
	u32 s_prj_quota_inum;
	u32 s_checksum_seed;
	u8 s_wtime_hi;
	u8 s_mtime_hi;
	u8 s_mkfs_time_hi;
	u8 s_lastcheck_hi;
	u8 s_first_error_time_hi;
	u8 s_last_error_time_hi;
	u8 s_first_error_errcode;
	u8 s_last_error_errcode;
	u16 s_encoding;
	u16 s_encoding_flags;
	u32 s_orphan_file_inum; /* 0x280 */
	u32 s_reserved[94];
	u32 s_checksum; /* 0x3fc: crc32c of all before */
};
static_assert(sizeof(struct ext4_super_block) == 1024, "ext4 super block");
static_assert(offsetof(struct ext4_super_block, s_hash_seed) == 0xec, "s_hash_seed");
static_assert(offsetof(struct ext4_super_block, s_jnl_blocks) == 0x10c, "s_jnl_blocks");
static_assert(offsetof(struct ext4_super_block, s_last_error_func) == 0x1e0, "s_last_error_func");
static_assert(offsetof(struct ext4_super_block, s_orphan_file_inum) == 0x280, "s_orphan_file_inum");

#define EXT4_VALID_FS                 1 /* s_state */
#define EXT4_ERROR_FS                 2
#define EXT4_ORPHAN_FS                4

#define EXT4_ERRORS_CONTINUE          1
#define EXT4_ERRORS_RO                2
#define EXT4_ERRORS_PANIC             3

#define EXT4_FLAGS_SIGNED_HASH        1 /* s_flags */
#define EXT4_FLAGS_UNSIGNED_HASH      2

#define EXT4_COMPAT_DIR_PREALLOC      0x0001
#define EXT4_COMPAT_HAS_JOURNAL       0x0004
#define EXT4_COMPAT_EXT_ATTR          0x0008
#define EXT4_COMPAT_RESIZE_INODE      0x0010
#define EXT4_COMPAT_DIR_INDEX         0x0020
#define EXT4_COMPAT_SPARSE_SUPER2     0x0200
#define EXT4_COMPAT_FAST_COMMIT       0x0400
#define EXT4_COMPAT_STABLE_INODES     0x0800
#define EXT4_COMPAT_ORPHAN_FILE       0x1000

#define EXT4_INCOMPAT_COMPRESSION     0x0001
#define EXT4_INCOMPAT_FILETYPE        0x0002
#define EXT4_INCOMPAT_RECOVER         0x0004
#define EXT4_INCOMPAT_JOURNAL_DEV     0x0008
#define EXT4_INCOMPAT_META_BG         0x0010
#define EXT4_INCOMPAT_EXTENTS         0x0040
#define EXT4_INCOMPAT_64BIT           0x0080
#define EXT4_INCOMPAT_MMP             0x0100
#define EXT4_INCOMPAT_FLEX_BG         0x0200
#define EXT4_INCOMPAT_EA_INODE        0x0400
#define EXT4_INCOMPAT_DIRDATA         0x1000
#define EXT4_INCOMPAT_CSUM_SEED       0x2000
#define EXT4_INCOMPAT_LARGEDIR        0x4000
#define EXT4_INCOMPAT_INLINE_DATA     0x8000
#define EXT4_INCOMPAT_ENCRYPT         0x10000
#define EXT4_INCOMPAT_CASEFOLD        0x20000

#define EXT4_RO_COMPAT_SPARSE_SUPER   0x0001
#define EXT4_RO_COMPAT_LARGE_FILE     0x0002
#define EXT4_RO_COMPAT_BTREE_DIR      0x0004
#define EXT4_RO_COMPAT_HUGE_FILE      0x0008
#define EXT4_RO_COMPAT_GDT_CSUM       0x0010
#define EXT4_RO_COMPAT_DIR_NLINK      0x0020
#define EXT4_RO_COMPAT_EXTRA_ISIZE    0x0040
#define EXT4_RO_COMPAT_QUOTA          0x0100
#define EXT4_RO_COMPAT_BIGALLOC       0x0200
#define EXT4_RO_COMPAT_METADATA_CSUM  0x0400
#define EXT4_RO_COMPAT_READONLY       0x1000
#define EXT4_RO_COMPAT_PROJECT        0x2000
#define EXT4_RO_COMPAT_VERITY         0x8000
#define EXT4_RO_COMPAT_ORPHAN_PRESENT 0x10000

/* s_default_mount_opts */
#define EXT4_DEFM_DEBUG          0x0001
#define EXT4_DEFM_BSDGROUPS      0x0002
#define EXT4_DEFM_XATTR_USER     0x0004
#define EXT4_DEFM_ACL            0x0008
#define EXT4_DEFM_UID16          0x0010
#define EXT4_DEFM_JMODE_DATA     0x0020
#define EXT4_DEFM_JMODE_ORDERED  0x0040
#define EXT4_DEFM_JMODE_WBACK    0x0060
#define EXT4_DEFM_NOBARRIER      0x0100
#define EXT4_DEFM_BLOCK_VALIDITY 0x0200
#define EXT4_DEFM_DISCARD        0x0400
#define EXT4_DEFM_NODELALLOC     0x0800

struct ext4_group_desc { /* 32 bytes, or s_desc_size with 64BIT */
	u32 bg_block_bitmap_lo;
	u32 bg_inode_bitmap_lo;
	u32 bg_inode_table_lo;
	u16 bg_free_blocks_count_lo;
	u16 bg_free_inodes_count_lo;
	u16 bg_used_dirs_count_lo; /* 0x10 */
	u16 bg_flags;
	u32 bg_exclude_bitmap_lo;
	u16 bg_block_bitmap_csum_lo;
	u16 bg_inode_bitmap_csum_lo;
	u16 bg_itable_unused_lo;
	u16 bg_checksum;
	u32 bg_block_bitmap_hi; /* 0x20 */
	u32 bg_inode_bitmap_hi;
	u32 bg_inode_table_hi;
	u16 bg_free_blocks_count_hi;
	u16 bg_free_inodes_count_hi;
	u16 bg_used_dirs_count_hi; /* 0x30 */
	u16 bg_itable_unused_hi;
	u32 bg_exclude_bitmap_hi;
	u16 bg_block_bitmap_csum_hi;
	u16 bg_inode_bitmap_csum_hi;
	u32 bg_reserved;
};
static_assert(sizeof(struct ext4_group_desc) == 64, "ext4 group descriptor");
#define EXT4_BG_INODE_UNINIT 1
#define EXT4_BG_BLOCK_UNINIT 2
#define EXT4_BG_INODE_ZEROED 4

struct ext4_inode {
	u16 i_mode;
	u16 i_uid;
	u32 i_size_lo;
	u32 i_atime;
	u32 i_ctime;
	u32 i_mtime; /* 0x10 */
	u32 i_dtime; /* or next orphan */
	u16 i_gid;
	u16 i_links_count;
	u32 i_blocks_lo;
	u32 i_flags; /* 0x20 */
	u32 i_version;
	u32 i_block[15];  /* 0x28 */
	u32 i_generation; /* 0x64 */
	u32 i_file_acl_lo;
	u32 i_size_high;
	u32 i_obso_faddr;
	u16 i_blocks_high; /* 0x74 */
	u16 i_file_acl_high;
	u16 i_uid_high;
	u16 i_gid_high;
	u16 i_checksum_lo;
	u16 i_reserved;
	u16 i_extra_isize; /* 0x80 */
	u16 i_checksum_hi;
	u32 i_ctime_extra;
	u32 i_mtime_extra;
	u32 i_atime_extra;
	u32 i_crtime; /* 0x90 */
	u32 i_crtime_extra;
	u32 i_version_hi;
	u32 i_projid;
};
static_assert(sizeof(struct ext4_inode) == 160, "ext4 inode");
static_assert(offsetof(struct ext4_inode, i_generation) == 0x64, "i_generation");
#define EXT4_GOOD_OLD_INODE_SIZE 128

#define EXT4_SECRM_FL            0x00000001
#define EXT4_UNRM_FL             0x00000002
#define EXT4_COMPR_FL            0x00000004
#define EXT4_SYNC_FL             0x00000008
#define EXT4_IMMUTABLE_FL        0x00000010
#define EXT4_APPEND_FL           0x00000020
#define EXT4_NODUMP_FL           0x00000040
#define EXT4_NOATIME_FL          0x00000080
#define EXT4_ENCRYPT_FL          0x00000800
#define EXT4_INDEX_FL            0x00001000
#define EXT4_IMAGIC_FL           0x00002000
#define EXT4_JOURNAL_DATA_FL     0x00004000
#define EXT4_NOTAIL_FL           0x00008000
#define EXT4_DIRSYNC_FL          0x00010000
#define EXT4_TOPDIR_FL           0x00020000
#define EXT4_HUGE_FILE_FL        0x00040000
#define EXT4_EXTENTS_FL          0x00080000
#define EXT4_VERITY_FL           0x00100000
#define EXT4_EA_INODE_FL         0x00200000
#define EXT4_INLINE_DATA_FL      0x10000000
#define EXT4_PROJINHERIT_FL      0x20000000
#define EXT4_CASEFOLD_FL         0x40000000

/* Extent tree: in i_block and in whole blocks. */
struct ext4_extent_header {
	u16 eh_magic;
	u16 eh_entries;
	u16 eh_max;
	u16 eh_depth; /* 0: leaf */
	u32 eh_generation;
};
#define EXT4_EXT_MAGIC 0xf30a
struct ext4_extent {
	u32 ee_block;
	u16 ee_len; /* above 32768: unwritten, of len - 32768 */
	u16 ee_start_hi;
	u32 ee_start_lo;
};
struct ext4_extent_idx {
	u32 ei_block;
	u32 ei_leaf_lo;
	u16 ei_leaf_hi;
	u16 ei_unused;
};
struct ext4_extent_tail {
	u32 et_checksum;
};
static_assert(sizeof(struct ext4_extent_header) == 12 && sizeof(struct ext4_extent) == 12 &&
		sizeof(struct ext4_extent_idx) == 12,
	"ext4 extents");
#define EXT4_EXT_INIT_MAX_LEN      32768u
#define EXT4_EXT_UNWRITTEN_MAX_LEN 32767u
#define EXT4_EXT_MAX_DEPTH         5

struct ext4_dir_entry { /* ext4_dir_entry_2 */
	u32 inode;
	u16 rec_len;
	u8 name_len;
	u8 file_type; /* with FILETYPE; else high byte of name_len */
	char name[];
};
#define EXT4_DIR_ENTRY_HEAD   8
#define EXT4_DIR_REC_LEN(len) (((len) + EXT4_DIR_ENTRY_HEAD + 3u) & ~3u)
#define EXT4_FT_UNKNOWN       0
#define EXT4_FT_REG_FILE      1
#define EXT4_FT_DIR           2
#define EXT4_FT_CHRDEV        3
#define EXT4_FT_BLKDEV        4
#define EXT4_FT_FIFO          5
#define EXT4_FT_SOCK          6
#define EXT4_FT_SYMLINK       7
#define EXT4_FT_DIR_CSUM      0xde
struct ext4_dir_entry_tail {
	u32 det_reserved_zero1;
	u16 det_rec_len; /* 12 */
	u8 det_reserved_zero2;
	u8 det_reserved_ft; /* 0xde */
	u32 det_checksum;
};

struct ext4_dx_entry {
	u32 hash; /* the first one of a block: count and limit instead */
	u32 block;
};
struct ext4_dx_countlimit {
	u16 limit, count;
};
struct ext4_dx_root_info { /* behind the entries "." and ".." */
	u32 reserved_zero;
	u8 hash_version;
	u8 info_length; /* 8 */
	u8 indirect_levels;
	u8 unused_flags;
};
struct ext4_dx_tail {
	u32 dt_reserved;
	u32 dt_checksum;
};
#define EXT4_HASH_LEGACY            0
#define EXT4_HASH_HALF_MD4          1
#define EXT4_HASH_TEA               2
#define EXT4_HASH_LEGACY_UNSIGNED   3
#define EXT4_HASH_HALF_MD4_UNSIGNED 4
#define EXT4_HASH_TEA_UNSIGNED      5
#define EXT4_HASH_SIPHASH           6

#define EXT4_XATTR_MAGIC            0xea020000
struct ext4_xattr_header { /* first of an attribute block */
	u32 h_magic;
	u32 h_refcount;
	u32 h_blocks; /* 1 */
	u32 h_hash;
	u32 h_checksum;
	u32 h_reserved[3];
};
struct ext4_xattr_entry {
	u8 e_name_len;
	u8 e_name_index;
	u16 e_value_offs;
	u32 e_value_inum;
	u32 e_value_size;
	u32 e_hash;
	char e_name[];
};
static_assert(sizeof(struct ext4_xattr_header) == 32 && sizeof(struct ext4_xattr_entry) == 16,
	"ext4 attributes");
#define EXT4_XATTR_INDEX_USER              1
#define EXT4_XATTR_INDEX_POSIX_ACL_ACCESS  2
#define EXT4_XATTR_INDEX_POSIX_ACL_DEFAULT 3
#define EXT4_XATTR_INDEX_TRUSTED           4
#define EXT4_XATTR_INDEX_SECURITY          6
#define EXT4_XATTR_INDEX_SYSTEM            7
#define EXT4_XATTR_INDEX_ENCRYPTION        9
#define EXT4_XATTR_REFCOUNT_MAX            1024

struct ext4_orphan_block_tail { /* of each block of the orphan file, whose rest is inode numbers */
	u32 ob_magic;           /* 0x0b10ca04 */
	u32 ob_checksum;
};
#define EXT4_ORPHAN_BLOCK_MAGIC 0x0b10ca04

struct ext4_mmp {
	u32 mmp_magic; /* 0x004d4d50 */
	u32 mmp_seq;
	u64 mmp_time;
	char mmp_nodename[64];
	char mmp_bdevname[32];
	u16 mmp_check_interval;
	u16 mmp_pad1;
	u32 mmp_pad2[226];
	u32 mmp_checksum;
};
static_assert(sizeof(struct ext4_mmp) == 1024, "ext4 mmp");

#endif
