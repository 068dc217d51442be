/* Interfaces between the files of fs/procfs. */
#ifndef PROCFS_PROCFS_H
#define PROCFS_PROCFS_H

#include <lib/seq_buf.h>
#include <process/task.h>
#include <vfs/file.h>

struct proc_entry;

/* What an inode of /proc stands for: inode->priv, freed with the inode. */
struct proc_node {
	const struct proc_entry *entry; /* immutable */
	struct pid *pid;                /* referenced; NULL: not of a process */
	bool thread;                    /* below task/TID: that thread's own figures */
	int fd;                         /* below fd and fdinfo */
	u64 key;                        /* whatever else the directory's finder needs */
	u32 inherited;                  /* PROC_INHERITED flags of this entry and those above */
};

/* Directories whose content is not a table. */
struct proc_dir_ops {
	/* The node for name: 0 and *out filled (references included), or -ENOENT. */
	int (*find)(struct proc_node *dir, const char *name, size_t len, struct proc_node *out);
	/* The next name with a cookie >= *cookie: its length, 0 at the end. *cookie becomes its
	 * own. */
	int (*next)(struct proc_node *dir, u64 *cookie, char *name, size_t size, u8 *type);
};

/* One name. Tables end with an entry without name. Slots that don't apply are NULL. */
struct proc_entry {
	const char *name;
	kmode_t mode;                      /* with type */
	u32 flags;                         /* PROC_* */
	const struct proc_entry *children; /* directory */
	const struct proc_dir_ops *dir;    /* directory: further, generated names */
	/* Text that users can make long comes in pieces (seq_pause). */
	int (*show)(struct seq_buf *s, struct proc_node *n);
	/* text ends with NUL. How many bytes it used, 0: all; what is left is a write of its own. */
	int (*store)(struct proc_node *n, char *text, size_t len);
	int (*jump)(struct proc_node *n, struct path *out);       /* magic link; path referenced */
	int (*text)(struct proc_node *n, char *buf, size_t size); /* ordinary link */
	/* Changes so far, and where to wait for the next: poll tells of those since open, or since
	 * it told last. */
	u64 (*changes)(struct wait_queue **wait);
	const struct file_ops *fops; /* instead of show and store */
	void *data;                  /* sysctl's variable */
	s64 min, max;
};
#define PROC_PTRACE   1u /* opening and reading need the right to look into the process */
#define PROC_MM       2u /* besides: about the address space that it has at open, no later one */
#define PROC_SNAPSHOT 4u /* besides: the text is made at open and stays */
/* No sequence of records: pwrite goes by the position, and there is an end to seek from. */
#define PROC_PLAIN        8u
#define PROC_REFUSE       16u /* who may write may still not open for it, where there is no store */
#define PROC_FOLLOW_ADMIN 32u /* a link that only administrators may follow */
#define PROC_FD_LINK      64u /* of an open file: 64 bytes long, says Linux */
#define PROC_INHERITED    (PROC_PLAIN | PROC_REFUSE)

/* tree.c */
extern const struct inode_ops g_proc_link_ops;
/* The task behind a node, referenced, or NULL when it is gone. */
struct task *node_task(const struct proc_node *n);
/* Owner and mode of a process's inode follow its credentials. */
void proc_inode_refresh(struct inode *i);

/* A super block whose root is the directory "top". Error pointer. */
struct super *proc_tree_mount(
	const struct fs_type *t, u32 flags, u64 magic, const struct proc_entry *top) must_check;

/* gen.c */
extern const struct file_ops g_gen_fops, g_gen_poll_fops;

/* the tables */
extern const struct proc_entry g_root_entries[];
extern const struct proc_entry g_sys_ipv4_entries[], g_sys_ipv6_entries[]; /* sysinet.c */
extern const struct proc_entry g_sys_entries[], g_sys_net_entries[], g_net_entries[];
extern const struct proc_dir_ops g_inet_devs_dir; /* sysinetdev.c; data: enum inet_dev_group */
/* number.c: numbers as /proc/sys takes them; end is that of the text. */
/* The next one: *at moves behind it and the white space that follows. -EINVAL */
int proc_take_s64(const char **at, const char *end, s64 *v) must_check;
/* The first of a text that is written, at least min and at most max: bytes used. -EINVAL. 0: empty,
 * *v isn't set; nothing is written then, and that is no error. */
int proc_one_within(const char *text, size_t len, s64 min, s64 max, s64 *v) must_check;
int proc_one_u64(const char *text, size_t len, u64 *v) must_check;

/* The text without white space at its ends; cut in place. */
char *proc_trim(char *text);

/* A variable of type int in entry->data, between min and max. */
int proc_show_int(struct seq_buf *s, struct proc_node *n);
int proc_store_int(struct proc_node *n, char *text, size_t len);
extern const struct proc_entry g_pid_entry, g_tid_entry;
extern const struct proc_dir_ops g_pids_dir, g_tasks_dir, g_fd_dir, g_fdinfo_dir, g_map_files_dir;
/* sysvipc.c */
extern const struct proc_entry g_sysvipc_entries[];
int proc_show_sem_limits(struct seq_buf *s, struct proc_node *n);
int proc_store_sem_limits(struct proc_node *n, char *text, size_t len);
int proc_store_shm_forced(struct proc_node *n, char *text, size_t len);

/* sysblock.c */
extern const struct proc_dir_ops g_block_links, g_class_block_links, g_dev_block_links, g_disks_dir;
extern const struct proc_dir_ops g_netifs_dir, g_class_net_links; /* sysnet.c */

/* pid_mem.c */
extern const struct file_ops g_pid_mem_fops, g_pid_pagemap_fops;
int pid_store_clear_refs(struct proc_node *n, char *text, size_t len);
int pid_show_dump_filter(struct seq_buf *s, struct proc_node *n);
int pid_store_dump_filter(struct proc_node *n, char *text, size_t len);
/* pid_sched.c */
int pid_show_sched(struct seq_buf *s, struct proc_node *n);
int pid_show_schedstat(struct seq_buf *s, struct proc_node *n);
int pid_show_slack(struct seq_buf *s, struct proc_node *n);
int pid_store_slack(struct proc_node *n, char *text, size_t len);
int pid_show_stack(struct seq_buf *s, struct proc_node *n);
int pid_show_syscall(struct seq_buf *s, struct proc_node *n);
int pid_show_wchan(struct seq_buf *s, struct proc_node *n);
/* pid_ns.c */
extern const struct proc_entry g_ns_entries[], g_attr_entries[];
int pid_show_id_map(struct seq_buf *s, struct proc_node *n);
int pid_show_timers(struct seq_buf *s, struct proc_node *n); /* pid_timers.c */
int pid_show_time_offsets(struct seq_buf *s, struct proc_node *n);
int pid_store_time_offsets(struct proc_node *n, char *text, size_t len);
int pid_show_setgroups(struct seq_buf *s, struct proc_node *n);
int pid_store_refused(struct proc_node *n, char *text, size_t len);
/* pid_stat.c, pid_maps.c */
int pid_show_stat(struct seq_buf *s, struct proc_node *n);
int pid_show_statm(struct seq_buf *s, struct proc_node *n);
int pid_show_status(struct seq_buf *s, struct proc_node *n);
int pid_show_maps(struct seq_buf *s, struct proc_node *n);
int pid_show_smaps(struct seq_buf *s, struct proc_node *n);
int pid_show_rollup(struct seq_buf *s, struct proc_node *n);
/* "0-3,5" */
void show_cpu_list(struct seq_buf *s, u64 mask);
u64 online_mask(void);
static inline u64 ns_to_ticks(u64 ns)
{
	return ns / (NS_PER_SEC / 100);
}

#endif
