/* Raw and ping sockets: what /proc shows of them. */
#ifndef RAW_RAW_H
#define RAW_RAW_H

#include <net/net.h>

struct seq_buf;
void raw_show_sockstat(struct net *net, struct seq_buf *s, bool v6); /* their line of sockstat */
void raw_show(struct net *net, struct seq_buf *s, bool v6);          /* /proc/net/raw, raw6 */
void ping_show(struct net *net, struct seq_buf *s, bool v6);         /* /proc/net/icmp, icmp6 */

#endif
