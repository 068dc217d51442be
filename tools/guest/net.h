/* The guest's network, as the kernel parameter aramid_net= wants it. */
#ifndef GUEST_NET_H
#define GUEST_NET_H

/* lo goes up; with "user" the first Ethernet interface gets QEMU's addresses too, with "up" it only
 * goes up. NULL: as without. complain is called with what could not be done. */
void network_up(const char *how, void (*complain)(const char *fmt, ...));

#endif
