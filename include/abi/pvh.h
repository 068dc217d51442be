/*
 * The PVH boot protocol: what a loader leaves in memory for a kernel entered at its
 * XEN_ELFNOTE_PHYS32_ENTRY (Xen's public document "PVH guest ABI", misc/pvh).
 */
#ifndef ABI_PVH_H
#define ABI_PVH_H

#define PVH_MAGIC          0x336ec578u
#define PVH_MEMMAP_RAM     1u
#define PVH_MEMMAP_VERSION 1u /* first version of start_info that has a memory map */

struct pvh_start_info {
	u32 magic;
	u32 version;
	u32 flags;
	u32 nr_modules;
	u64 modlist_paddr; /* struct pvh_module[] */
	u64 cmdline_paddr; /* NUL-terminated */
	u64 rsdp_paddr;
	u64 memmap_paddr; /* struct pvh_memmap[], from version 1 */
	u32 memmap_entries;
	u32 reserved;
};
static_assert(sizeof(struct pvh_start_info) == 56, "PVH layout");

struct pvh_module {
	u64 paddr;
	u64 size;
	u64 cmdline_paddr;
	u64 reserved;
};
static_assert(sizeof(struct pvh_module) == 32, "PVH layout");

struct pvh_memmap {
	u64 addr;
	u64 size;
	u32 type;
	u32 reserved;
};
static_assert(sizeof(struct pvh_memmap) == 24, "PVH layout");

#endif
