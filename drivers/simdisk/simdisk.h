#ifndef DRIVERS_SIMDISK_H
#define DRIVERS_SIMDISK_H

#include <block/simdisk.h>
#include <sched/work.h>

#define LOG_CHUNK  1024u /* entries */
#define LOG_CHUNKS 4096u

struct simdisk {
	struct simdisk_config config;
	struct disk disk;
	char name[32];
	u8 *memory; /* content: one host thread, no lock */
	bool own_memory;
	struct simdisk_fault fault;
	u64 counted;
	u64 random;
	bool logging;
	u8 *base; /* content when the log began */
	struct simdisk_entry *log[LOG_CHUNKS];
	u32 nr_log;
	/* async: */
	struct work work;
	struct request **waiting;
	u32 *flush_covers; /* by slot of waiting */
	u32 nr_waiting;
	struct completion released;
};

struct simdisk_entry *sim_entry(const struct simdisk *s, u32 n);
u64 sim_random(u64 *state);

#endif
