/*
 * Address spaces. One ordered tree of regions holds every user address: ELF images, brk, stack,
 * vdso, mappings. A region has one protection, one backing (an object, or anonymous) and one set of
 * flags; neighbours that could be one are merged.
 *
 * Locks: mm->map_lock (RANK_MM, rwsem) for changes of the tree. Faults look up under RCU, take the
 * region's own lock shared, check that it is still attached, and work without map_lock; tree
 * changes take the lock of each affected region exclusively. Page-table leaves are installed by
 * compare-exchange; the order on change is: publish, flush, then free.
 */
#ifndef VM_MM_H
#define VM_MM_H

#include <lib/rbtree.h>
#include <vm/object.h>
#include <arch/mmu.h>
#include <linux/mman.h>
#include <asm/mman.h>

struct region;
struct vm_fault;

struct region_ops {
	/* Regions with pages of their own (vvar, device memory): give the pte for addr, or an
	 * error. NULL: the object's page cache, or anonymous memory. */
	int (*fault)(struct region *r, struct vm_fault *f);
	void (*open)(struct region *r);  /* the region was copied (fork, split): take references */
	void (*close)(struct region *r); /* it goes away: drop them. Sleeps. */
	const char *(*name)(struct region *r); /* "[vdso]" or NULL */
	bool (*may_mprotect)(struct region *r, u32 prot);
	/* msync(MS_SYNC): bring bytes [start, end] of the file to storage. Called without map_lock,
	 * between hold and unhold of the same file. NULL: nothing to do. Sleeps. */
	int (*sync)(void *file, u64 start, u64 end);
	/* madvise(MADV_REMOVE): free these bytes of the file. Called as sync. NULL: the pages of
	 * the object are all there is. */
	int (*punch)(void *file, u64 start, u64 len);
	void (*hold)(void *file), (*unhold)(void *file);
	/* mincore: may the caller learn which pages of the file are in memory? NULL: yes. Sleeps,
	 * with map_lock held. */
	bool (*may_see_cached)(struct region *r);
	/* A store into a page of the file is made possible between these. begin may wait for long,
	 * with the region's lock held. NULL (both): nothing to do. */
	void (*store_begin)(void *file), (*store_end)(void *file);
};

/* region->flags; the protection bits equal PROT_* */
#define REG_READ        0x01u
#define REG_WRITE       0x02u
#define REG_EXEC        0x04u
#define REG_MAYREAD     0x10u /* mprotect may go this far */
#define REG_MAYWRITE    0x20u
#define REG_MAYEXEC     0x40u
#define REG_SHARED      0x80u
#define REG_GROWSDOWN   0x100u
#define REG_LOCKED      0x200u
#define REG_DONTFORK    0x400u
#define REG_DONTEXPAND  0x800u
#define REG_WIPEFORK    0x1000u
#define REG_DONTDUMP    0x2000u
#define REG_SPECIAL     0x4000u /* vdso, vvar, device: no anonymous copies, no merge */
#define REG_NORESERVE   0x8000u
#define REG_HUGE        0x10000u /* MADV_HUGEPAGE */
#define REG_NOHUGE      0x20000u
#define REG_STACK       0x40000u
#define REG_SEQ_READ    0x80000u
#define REG_RAND_READ   0x100000u
#define REG_ACCOUNT     0x200000u /* counted in mm->committed */
#define REG_LOCKONFAULT 0x400000u

struct region {
	unsigned long start, end; /* bytes, page aligned; map_lock + region lock to change */
	u32 flags;                /* the same */
	struct mm *mm;            /* immutable */
	struct vm_object *object; /* NULL: anonymous (private) */
	u64 pgoff;  /* object page index of start; for anonymous start >> PAGE_SHIFT */
	void *file; /* struct file * of the mapping, referenced by ops->open/close */
	const struct region_ops *ops; /* NULL: none */
	void *priv;          /* ops' own; a region that has it is never joined with others */
	struct rb_node node; /* mm->regions */
	/* the subtree's lowest address, highest, and largest gap between two of its regions */
	unsigned long subtree_first, subtree_last, subtree_gap;
	struct itree_node map_link; /* object->mappings */
	struct rwsem lock;          /* RANK_REGION */
	bool detached;              /* lock: out of the tree */
	bool has_anon;              /* may have leaves of anonymous pages; set once, atomic */
	u64 frozen;                 /* == mm->map_gen: faults must wait for map_lock; lock */
	union {
		struct region *next_gone; /* detached: list of who unmaps it */
		struct rcu_head rcu;
	};
};

struct mm {
	struct arch_mm arch;   /* first: thread->mm points here */
	struct refcount users; /* tasks that run in it; at 0 all regions go */
	struct refcount refs;  /* the structure itself (procfs, lazy) */
	struct rwsem map_lock;
	struct rb_root regions;
	struct seqcount tree_seq; /* map_lock held for writing; RCU finders validate */
	u64 map_gen;              /* grows when map_lock is given up after writing: thaws regions */
	u32 nr_regions;           /* map_lock */
	unsigned long mmap_top;   /* top-down search starts here */
	/* layout, for /proc/PID/stat and prctl(PR_SET_MM); map_lock */
	unsigned long start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
	unsigned long arg_start, arg_end, env_start, env_end;
	unsigned long vdso;
	u64 auxv[2 * 24];
	void *exe_file; /* struct file *, referenced; map_lock */
	u64 total_pages, locked_pages, data_pages, exec_pages, stack_pages; /* map_lock, in pages */
	u64 peak_pages; /* the most that total_pages ever was; map_lock to change */
	atomic64_t anon_pages, file_pages, shmem_pages, table_pages; /* resident */
	u64 hiwater_rss;
	s64 committed_pages;
	u32 def_flags;        /* MCL_FUTURE: REG_LOCKED */
	u32 dumpable;         /* 0, 1, 2 */
	u32 dump_filter;      /* MM_DUMP_*: what of it core files hold; atomic */
	u64 membarrier_state; /* atomic; registrations */
	s16 oom_score_adj;
	bool oom_reaped;
	bool no_huge; /* PR_SET_THP_DISABLE; atomic */
};

/* mm->dump_filter, as core(5) numbers them */
#define MM_DUMP_ANON        0x01u /* private memory that was written */
#define MM_DUMP_SHARED      0x02u /* memory shared without a file */
#define MM_DUMP_FILE        0x04u /* private mappings of files */
#define MM_DUMP_SHARED_FILE 0x08u
#define MM_DUMP_HEADERS     0x10u /* the first page of ELF files */
#define MM_DUMP_ALL         0x1ffu /* those above, and of huge and DAX pages, which we have none of */
#define MM_DUMP_DEFAULT     0x33u

#define USER_START          0x10000ul /* vm.mmap_min_addr */

static inline u64 mm_rss_pages(const struct mm *mm)
{
	s64 n = atomic_read(&mm->anon_pages) + atomic_read(&mm->file_pages) +
		atomic_read(&mm->shmem_pages);

	return n > 0 ? (u64)n : 0;
}
/* What killing its processes would free, in pages: the OOM killer's measure. */
static inline u64 mm_badness_pages(const struct mm *mm)
{
	return mm_rss_pages(mm) + (u64)atomic_read(&mm->table_pages) +
		(READ_ONCE(mm->nr_regions) * sizeof(struct region) >> PAGE_SHIFT);
}
/* Peak of mm_rss_pages. */
u64 mm_hiwater_rss(struct mm *mm);

struct mm *mm_create(void) must_check; /* empty; users = refs = 1; error pointer -ENOMEM */
/* Copy for fork: regions, anonymous pages shared copy-on-write; flushes the parent before return. */
struct mm *mm_fork(struct mm *parent) must_check;
static inline void get_mm(struct mm *mm)
{
	ref_get(&mm->refs);
}
void put_mm(struct mm *mm); /* structure */
/* Set by process at start-up: the current process's RLIMIT_* (rlim_cur). */
void vm_set_limit_hook(u64 (*limit)(int resource));
void vm_set_exe_hook(void (*put)(void *exe_file)); /* how to release mm->exe_file; set by process */
void put_mm_users(struct mm *mm); /* a task leaves; the last one unmaps everything. Sleeps. */
static inline struct mm *mm_of(struct arch_mm *a)
{
	return a ? container_of(a, struct mm, arch) : NULL;
}
struct mm *current_mm(void); /* NULL for kernel threads */

struct map_request {
	unsigned long addr; /* hint, or exact with fixed */
	size_t len;         /* bytes; rounded up */
	u32 flags;          /* REG_* */
	bool fixed, noreplace, bit32, populate;
	struct vm_object *object; /* NULL: anonymous. Shared anonymous: vm_shared_anon() first */
	u64 offset;               /* bytes, page aligned */
	void *file;
	const struct region_ops
		*ops; /* its open is NOT called for the new region: refs are passed in */
	void *priv;
	unsigned long align; /* 0 or power of two for the chosen address */
};
/* Address, or -ENOMEM -EINVAL -EEXIST -EAGAIN(locked limit) -EPERM. On failure the caller keeps the
 * references. */
long mm_map(struct mm *mm, const struct map_request *rq) must_check;
/* Drop the references of a request that mm_map refused, as its region's end would. */
void mm_map_abort(const struct map_request *rq);
int mm_unmap(struct mm *mm, unsigned long addr, size_t len) must_check; /* -EINVAL -ENOMEM */
/* Unmap what is left of an object that was mapped as a whole at addr with these ops: all its
 * regions that still stand where they belong. -EINVAL: none does. */
int mm_unmap_attached(struct mm *mm, unsigned long addr, const struct region_ops *ops) must_check;
int mm_protect(struct mm *mm, unsigned long addr, size_t len, u32 prot, bool growsdown,
	bool growsup) must_check;
long mm_remap(struct mm *mm, unsigned long old, size_t old_len, size_t new_len, u32 flags,
	unsigned long new_addr) must_check;
unsigned long mm_brk(struct mm *mm, unsigned long brk); /* new or unchanged break, as brk(2) */
int mm_advise(struct mm *mm, unsigned long addr, size_t len, int advice) must_check;
int mm_sync(struct mm *mm, unsigned long addr, size_t len, int flags) must_check;
int mm_lock_range(
	struct mm *mm, unsigned long addr, size_t len, bool lock, bool onfault) must_check;
int mm_lock_all(struct mm *mm, int mcl_flags) must_check;
int mm_mincore(struct mm *mm, unsigned long addr, size_t len, unsigned char __user *vec) must_check;
int mm_populate(struct mm *mm, unsigned long addr, size_t len) must_check;

/*
 * Faults. access: MMU_READ/WRITE/EXEC | MMU_USER. 0: mapped, retry. Errors: -EFAULT with
 * *si_code SEGV_MAPERR or SEGV_ACCERR, -EIO (SIGBUS BUS_ADRERR), -ENOMEM (OOM), -EINTR (fatal
 * signal pending). Sleeps.
 */
int mm_fault(struct mm *mm, unsigned long addr, u32 access, int *si_code) must_check;

struct vm_fault {
	unsigned long addr; /* page aligned */
	u32 access;
	u64 index;    /* object page */
	pte_t *pte;   /* ops->fault: set *result */
	pte_t result; /* pte to install, MMU_SPECIAL or with a counted page */
};

/* The first address in [addr, end) behind which anonymous memory has a page, or where the region
 * ends; end: none. Bytes of files and of regions' own are taken to be there. Sleeps; end when a
 * fatal signal came. */
unsigned long mm_next_present(struct mm *mm, unsigned long addr, unsigned long end);

/* Copy to/from another address space (process_vm_*, /proc/PID/mem, ptrace). Bytes or -EIO/-EFAULT. */
#define MM_WRITE 1u
#define MM_FORCE \
	4u /* for debuggers: also what the process itself may not; private pages are copied */
#define MM_READABLE 2u /* only what was mapped with PROT_READ, not what can be read all the same */
ssize_t mm_access(struct mm *mm, unsigned long addr, void *buf, size_t len, u32 how) must_check;

/* Shared anonymous memory: a fresh object, size bytes, freed with the last mapping. Set by tmpfs:
 * shared anonymous memory is an unlinked file of an internal tmpfs mount. Fills object, file, ops.
 * All of it is promised now, or with REG_NORESERVE each page as it comes. -ENOMEM. */
void vm_set_shared_anon_hook(int (*fn)(size_t size, struct map_request *rq));
int vm_shared_anon(size_t size, struct map_request *rq) must_check;

/* Futex key of addr for shared futexes: object id and byte offset where a file's own pages are seen;
 * for private memory (mm, addr). -EFAULT: not mapped, unreadable, or anonymous and read-only. */
int mm_futex_key(struct mm *mm, unsigned long addr, bool shared, u64 *a, u64 *b) must_check;

/* Iterate regions in address order with map_lock held for reading. */
struct region *mm_first_region(struct mm *mm);
struct region *mm_last_region(struct mm *mm);
struct region *mm_next_region(struct region *r);
struct region *mm_find_region(
	struct mm *mm, unsigned long addr); /* map_lock held: first with end > addr */
struct region_stats {
	u64 rss, pss, shared_clean, shared_dirty, private_clean, private_dirty, referenced,
		anonymous, huge; /* bytes */
	u64 pss_dirty, pss_anon,
		pss_shmem;  /* parts of pss; what is neither anon nor shmem is files */
	bool huge_eligible; /* may have huge pages */
};
void region_get_stats(struct region *r, struct region_stats *s); /* map_lock held for reading */

/* exec: stack region below top with room to grow to RLIMIT_STACK. 0 or an error. */
long mm_setup_stack(
	struct mm *mm, unsigned long top, bool exec, unsigned long *stack_top) must_check;
extern int g_randomize_va_space; /* 0, 1, 2: kernel.randomize_va_space */
extern int g_overcommit_memory;  /* 0, 1, 2: vm.overcommit_memory */
extern int g_overcommit_ratio;
extern u64 g_overcommit_kbytes; /* 0: by ratio; KiB, as the next ones; all atomic */
/* In mode 2: what is left to administrators, and to others than the one who asks. */
extern u64 g_admin_reserve_kbytes, g_user_reserve_kbytes;
extern int g_huge_policy; /* transparent_hugepage: 0 never, 1 madvise, 2 always */
void lru_get_stats(u64 *active, u64 *inactive); /* pages of files that have storage behind them */
u64 vm_committed_pages(void);
u64 vm_commit_limit_pages(void);
/* Promise pages, as vm.overcommit_memory allows: -ENOMEM. */
int vm_commit_pages(s64 pages) must_check;
void vm_uncommit_pages(s64 pages);
extern int g_max_map_count; /* vm.max_map_count: regions of an address space; atomic */

#endif
