/* TCP: what /proc shows and sets of it. */
#ifndef TCP_TCP_H
#define TCP_TCP_H

#include <net/net.h>

struct seq_buf;
void tcp_show_sockstat(struct net *net, struct seq_buf *s, bool v6); /* their line of sockstat */
void tcp_show(struct net *net, struct seq_buf *s, bool v6);          /* /proc/net/tcp, tcp6 */

/* net.ipv4.tcp_*; read and written atomically. */
enum tcp_variable {
	TCPV_ABORT_ON_OVERFLOW,
	TCPV_DSACK,
	TCPV_EARLY_RETRANS,
	TCPV_ECN,
	TCPV_FASTOPEN,
	TCPV_FIN_TIMEOUT,
	TCPV_FRTO,
	TCPV_KEEPALIVE_INTVL,
	TCPV_KEEPALIVE_PROBES,
	TCPV_KEEPALIVE_TIME,
	TCPV_MAX_ORPHANS,
	TCPV_MAX_SYN_BACKLOG,
	TCPV_MAX_TW_BUCKETS,
	TCPV_MODERATE_RCVBUF,
	TCPV_NOTSENT_LOWAT,
	TCPV_ORPHAN_RETRIES,
	TCPV_RETRIES1,
	TCPV_RETRIES2,
	TCPV_RFC1337,
	TCPV_RMEM,
	TCPV_RMEM_INITIAL,
	TCPV_RMEM_MOST,
	TCPV_SACK,
	TCPV_SLOW_START_AFTER_IDLE,
	TCPV_STDURG,
	TCPV_SYNCOOKIES,
	TCPV_SYN_RETRIES,
	TCPV_SYNACK_RETRIES,
	TCPV_TIMESTAMPS,
	TCPV_TW_REUSE,
	TCPV_WINDOW_SCALING,
	TCPV_WMEM,
	TCPV_WMEM_INITIAL,
	TCPV_WMEM_MOST,
};
s64 tcp_sysctl_get(struct net *net, enum tcp_variable v);
void tcp_sysctl_set(struct net *net, enum tcp_variable v, s64 value);

/* net.ipv4.tcp_fastopen_key: what cookies are made with, and what they may have been made with. */
#define TCP_FO_KEY_LEN 16
struct tcp_fo_keys {
	u8 nr; /* 1 or 2 */
	u8 key[2][TCP_FO_KEY_LEN];
};
void tcp_fo_net_keys(struct net *net, struct tcp_fo_keys *out);
void tcp_fo_set_net_keys(struct net *net, const struct tcp_fo_keys *keys);

#endif
