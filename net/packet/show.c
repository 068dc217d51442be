/* /proc/net/packet. */
#include "pkt.h"
#include <lib/seq_buf.h>
#include <packet/af_packet.h>

static void show_one(struct pkt_sock *p, void *arg)
{
	struct seq_buf *s = arg;

	seq_printf(s, "%016lx %-6d %-4d %04x   %-5d %1d %-6u %-6u %-6llu\n", 0ul,
		ref_read(&p->sk.refs), p->sk.type, READ_ONCE(p->proto), READ_ONCE(p->ifindex),
		READ_ONCE(p->tapping), READ_ONCE(p->queued), p->sk.uid,
		(unsigned long long)p->sk.ino);
}

void packet_show(struct net *net, struct seq_buf *s)
{
	seq_puts(s, "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
	pkt_each(net, show_one, s);
}
