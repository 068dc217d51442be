/*
 * A simulated network for the host build: pairs of Ethernet interfaces joined by a bad line, in
 * virtual time and deterministic. Each direction has its own rules; the bottleneck comes first (a
 * queue and a rate), then loss and so on, then the way (delay). Frames are really copied as bytes:
 * sums are finished at the sender, nothing vouches for them at the receiver.
 */
#ifndef NET_SIMNET_H
#define NET_SIMNET_H

#include <net/netif.h>

struct simnet_rules {
	u64 seed;
	/* Parts per million of frames. */
	u32 loss_ppm, duplicate_ppm, corrupt_ppm, reorder_ppm;
	s64 delay_ns, jitter_ns; /* each frame: delay + [0, jitter), without overtaking */
	s64 reorder_ns;          /* a frame that is chosen for it comes that much later */
	u64 rate_bps;            /* bits per second; 0: no limit */
	u32 queue_bytes;         /* before the bottleneck, tail drop; 0: no limit */
	/* Called for each frame (link header at data); false: it is lost. NULL: none. */
	bool (*pass)(void *arg, struct packet *p);
	void *arg;
};
struct simnet_stats {
	u64 sent, lost, overflow, duplicated, corrupted, reordered, delivered, delivered_bytes;
};
struct simnet_end {
	struct netif *netif;
	struct simnet_rules rules; /* of what this end sends; may be changed at any time */
	struct simnet_stats stats; /* of what this end sent */
};
struct simnet_pair {
	struct simnet_end end[2];
};
/*
 * Make and register a pair, end[i] in net[i] (the same twice allowed) as "sim%d", down. features:
 * NETIF_F_* of both; with TSO, large packets cross as they are, as between two virtual machines.
 * Error pointer. Sleeps.
 */
struct simnet_pair *simnet_create(
	struct net *net[2], const struct simnet_rules *rules, u32 features) must_check;
void simnet_destroy(struct simnet_pair *s); /* unregisters both; sleeps */

#endif
