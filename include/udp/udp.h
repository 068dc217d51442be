/* UDP: what /proc shows of it. */
#ifndef UDP_UDP_H
#define UDP_UDP_H

#include <net/net.h>

struct seq_buf;
void udp_show_sockstat(struct net *net, struct seq_buf *s, bool v6); /* their lines of sockstat */
void udp_show(struct net *net, struct seq_buf *s, bool v6);          /* /proc/net/udp, udp6 */
void udplite_show(struct net *net, struct seq_buf *s, bool v6);      /* udplite, udplite6 */

#endif
