/* What sched lends to the page allocator: threads and sleeping. */
#ifndef KMEM_RECLAIM_H
#define KMEM_RECLAIM_H

struct reclaim_ops {
	void (*wake)(void);  /* kswapd: call kmem_balance soon; any context, no lock of rank
				RANK_RUNQUEUE */
	bool (*enter)(void); /* this thread may reclaim and isn't at it already; then leave() */
	void (*leave)(void);
	void (*pause)(void);  /* sleep a few ms: others free memory meanwhile */
	u32 (*scope)(void);   /* GFP_* that this thread adds to all its allocations */
	bool (*doomed)(void); /* this thread has a fatal signal pending */
};
void reclaim_set_ops(const struct reclaim_ops *ops); /* once */
/* kswapd's round: reclaim until free memory is above the high watermark. Sleeps. False when nothing
 * could be freed. */
bool kmem_balance(void);
bool mem_below_low(void);

#endif
