/* AF_PACKET, for who shows its sockets. */
#ifndef PACKET_AF_PACKET_H
#define PACKET_AF_PACKET_H

struct net;
struct seq_buf;

/* /proc/net/packet. Sleeps. */
void packet_show(struct net *net, struct seq_buf *s);

#endif
