/* What the files of net/dev share. */
#ifndef NET_DEV_PRIVATE_H
#define NET_DEV_PRIVATE_H

#include <netdev/netdev.h>

/* SIOCETHTOOL for n; data: ifr_data. Config lock held. */
int ethtool_call(struct netif *n, void __user *data) must_check;

#endif
