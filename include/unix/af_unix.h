/* AF_UNIX: what others show of it. */
#ifndef UNIX_AF_UNIX_H
#define UNIX_AF_UNIX_H

struct seq_buf;

int unix_show(struct seq_buf *s) must_check; /* /proc/net/unix; sleeps; -ENOMEM */
extern s32 g_unix_max_dgram_qlen;            /* net.unix.max_dgram_qlen, messages */

#endif
