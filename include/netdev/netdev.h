/* What other modules add to the ioctls of interfaces: netdevice(7). */
#ifndef NETDEV_NETDEV_H
#define NETDEV_NETDEV_H

#include <net/netif.h>

/*
 * SIOCGIFCONF lists addresses, which the module of their family knows: fill writes struct ifreq
 * entries for n to buf (room bytes; only whole entries) and returns the bytes written; with buf
 * NULL the bytes that all would need. -EFAULT. Config lock held. Once, at start-up.
 */
void netdev_set_ifconf(int (*fill)(struct netif *n, char __user *buf, int room));

struct seq_buf;
int netdev_show(struct net *net, struct seq_buf *s);       /* /proc/net/dev */
int netdev_show_mcast(struct net *net, struct seq_buf *s); /* /proc/net/dev_mcast */
int softnet_show(struct seq_buf *s);                       /* /proc/net/softnet_stat */

#endif
