/*
 * What all sockets of a protocol may have in packets: net.ipv4.tcp_mem and udp_mem, in pages. Bytes
 * are counted on each CPU and brought together in steps, so no cache line is shared by every
 * packet; the sum is right to a step for each CPU.
 */
#ifndef INET_MEM_H
#define INET_MEM_H

enum inet_mem_kind { INET_MEM_TCP, INET_MEM_UDP, NR_INET_MEM };
enum inet_mem_level {
	INET_MEM_FREE,
	INET_MEM_PRESSURE, /* buffers grow no more; over limit[1], until below limit[0] */
	INET_MEM_OVER,     /* over limit[2]: nothing more but what keeps things moving */
};

struct inet_mem {
	s64 bytes;    /* atomic */
	s32 limit[3]; /* pages; atomic */
	u8 level;     /* enum inet_mem_level; atomic */
};
extern struct inet_mem g_inet_mem[NR_INET_MEM];

/* Packets have come (> 0) or gone. Thread or packet context. */
void inet_mem_add(enum inet_mem_kind kind, s64 bytes);
void inet_mem_limits_changed(enum inet_mem_kind kind);
u64 inet_mem_pages(enum inet_mem_kind kind); /* of all CPUs, for /proc */
static inline u8 inet_mem_level(enum inet_mem_kind kind)
{
	return READ_ONCE(g_inet_mem[kind].level);
}

#endif
