/*
 * Lock ranks: a lock may only be taken while every lock already held by this CPU (spinlocks) or
 * thread (sleeping locks) has a lower rank. Checked at each acquisition in DEBUG builds. Sleeping
 * locks all rank below spinlocks. Equal ranks may nest only through *_nested() calls, which name
 * their own order (address order, parent before child).
 */
#ifndef CORE_LOCKRANK_H
#define CORE_LOCKRANK_H

enum lock_rank {
	RANK_NONE = 0, /* not checked; only for tests */
	/* sleeping locks, outermost first */
	RANK_DRIVER_LIST, /* a bus's devices and drivers, while one is probed */
	RANK_LOOP,        /* set-up of a loop device */
	RANK_DISK,        /* a disk comes, goes or is partitioned anew */
	RANK_CGROUP,
	RANK_SESSION,
	RANK_EXEC,        /* process exec/cred change */
	RANK_FILE_POS,    /* file->pos_lock */
	RANK_PROC_FILE,   /* the text of an open /proc file while it is made */
	RANK_EPOLL,       /* epoll instance */
	RANK_EPOLL_LINKS, /* the lists of who watches a file */
	RANK_AIO,         /* who takes events of an io_submit context */
	RANK_SOCKET_CALL, /* a socket's calls, one at a time: sending, receiving */
	RANK_NET_CONFIG,  /* a network namespace's interfaces, addresses, routes */
	RANK_PIPE,        /* pipe buffer ring */
	RANK_TTY,         /* terminal: termios, open and close */
	RANK_TTY_READ,    /* one reader at a time */
	RANK_TTY_WRITE,   /* one write call at a time */
	RANK_TTY_INPUT,   /* line discipline, input side */
	RANK_TTY_OUTPUT,  /* line discipline, output side */
	RANK_SUPER,       /* mount/umount of a super block; rename across directories */
	RANK_NAMESPACE,   /* mount tree changes */
	RANK_WRITEBACK,   /* writeback: who writes dirty objects, one at a time */
	RANK_INODE_DIR,   /* directory inodes: i_rwsem (parent before child, _nested) */
	RANK_INODE,       /* other inodes: i_rwsem */
	RANK_MM,     /* mm->map_lock: taken by page faults, so no user access under ranks above */
	RANK_REGION, /* region->lock */
	RANK_OBJECT_INVALIDATE, /* vm_object: pages come in against truncation */
	RANK_OBJECT_RESIZE,     /* vm_object truncate against fill */
	RANK_PAGE,              /* page lock bit */
	RANK_DISK_OPEN,         /* openers and holders of a disk and its partitions */
	RANK_FS_JOURNAL,
	RANK_JOURNAL_CHECKPOINT,
	RANK_FS_SUPER,  /* a file system's own state, outer */
	RANK_FS_ORPHAN, /* list of inodes to delete or truncate after a crash */
	RANK_FS_MAP,    /* block map of an inode */
	RANK_FS_XATTR,
	RANK_FS_QUOTA,     /* quotas of ids are brought in */
	RANK_FS_QUOTA_MAP, /* block map of a quota file */
	RANK_FS_TRIM,      /* free blocks are held back */
	RANK_FS_GROUP,     /* a block group's bitmaps */
	RANK_FS_META,
	RANK_BDEV_INVALIDATE, /* a block device's object: metadata is read under all of the above */
	RANK_BDEV_RESIZE,
	RANK_MUTEX_LEAF, /* a mutex under which no other sleeping lock is taken, but the next */
	RANK_RCU_DRAIN,  /* one rcu_barrier at a time */
	/* spinlocks */
	RANK_SPIN_FIRST = 64,
	RANK_IPC,           /* an object of System V IPC, a message queue */
	RANK_IPC_UNDO,      /* a process's list of semaphores to undo; who made which segment */
	RANK_FASYNC,        /* list of the files that want signals */
	RANK_TASKLIST,      /* process tree, groups, sessions */
	RANK_SIGHAND,       /* process->siglock */
	RANK_FOREIGN_CLOCK, /* timers on other processes' CPU clocks */
	RANK_TASK,          /* task->lock: names, pointers to shared resources */
	RANK_PID,           /* allocation of process numbers */
	RANK_FDTABLE,
	RANK_FS, /* fs_struct: root, cwd */
	RANK_MOUNT,
	RANK_DCACHE, /* dentry->lock (parent before child) */
	RANK_INODE_SPIN,
	RANK_FLOCK, /* file locks of an inode */
	RANK_INOTIFY,
	RANK_PAGE_TABLE, /* page-table page lock */
	RANK_OBJECT,     /* vm_object->lock: page tree */
	RANK_LRU,
	RANK_SOCKET_GC,   /* AF_UNIX: descriptors in flight */
	RANK_SOCKET,      /* sock->lock; a listener before its connections, _nested */
	RANK_SOCKET_LEAF, /* tables and queues of protocols */
	RANK_NETIF_QUEUE, /* an interface's transmit queue: xmit is called under it */
	RANK_TTY_SPIN,
	RANK_FUTEX,    /* bucket */
	RANK_FUTEX_PI, /* priority inheritance */
	RANK_JOURNAL,  /* jbd2: transactions and their blocks */
	RANK_BLOCK,    /* block layer: queues, tags */
	RANK_VIRTQUEUE,
	RANK_DEVICE,
	RANK_WAITQUEUE, /* wait_queue->lock */
	RANK_POLL,      /* epoll ready list: taken in wake callbacks, under a queue's lock */
	RANK_NET_TIMER,
	RANK_TIMER,
	RANK_WORK,
	RANK_RUNQUEUE, /* per-CPU run queue */
	RANK_RCU,
	RANK_SLAB,
	RANK_VMALLOC,
	RANK_ZONE, /* page allocator */
	RANK_IRQ,
	RANK_CONSOLE,
	RANK_LOG,
	RANK_UART, /* a serial port: log lines are written under any lock */
	RANK_LAST,
};

#endif
