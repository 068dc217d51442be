/* Device nodes that exist: devtmpfs shows them. */
#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

#include <lib/list.h>

struct device_node {
	struct list_head link;
	const char *name;
	u32 mode; /* with type */
	u64 dev;
};
/* devtmpfs registers itself; called for each node that exists and for each that comes or goes.
 * Sleeps. */
void device_nodes_subscribe(
	int (*add)(const struct device_node *n), void (*remove)(const char *name));

#endif
