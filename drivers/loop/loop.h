#ifndef DRIVERS_LOOP_H
#define DRIVERS_LOOP_H

#include <block/block.h>
#include <linux/loop.h>
#include <sched/work.h>
#include <vfs/file.h>

struct loop {
	struct disk disk;
	u32 number;        /* immutable */
	struct mutex lock; /* RANK_LOOP: binding; all that follow but for those of the queue */
	struct loop_info64 info;    /* as set; offset, sizelimit, flags, file name */
	struct file *file;          /* referenced; NULL: free; changed under queue_lock, too */
	bool dying;                 /* LOOP_CTL_REMOVE */
	u32 openers;                /* atomic */
	struct work clear;          /* last close of an autoclear device */
	struct spinlock queue_lock; /* RANK_DEVICE, interrupts off */
	struct request **queue;     /* waiting, a ring; queue_lock */
	u32 head, count;            /* queue_lock */
	bool stop;                  /* queue_lock */
	struct thread *thread;
	struct wait_queue wait;
	struct completion stopped, released;
};

#define LOOP_MAJOR 7

/* loop.c */
struct loop *loop_create(u32 number) must_check; /* error pointer */
/* -EBUSY: bound or open. */
int loop_destroy(struct loop *l) must_check;
bool loop_is_free(struct loop *l);

/* io.c */
#define LOOP_DEPTH 128u
int loop_queue(struct disk *d, struct request *rq, bool last);
int loop_start_thread(struct loop *l) must_check;
void loop_stop_thread(struct loop *l);

#endif
