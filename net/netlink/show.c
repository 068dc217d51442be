/* /proc/net/netlink: the sockets of programs. */
#include "nl.h"
#include <lib/seq_buf.h>

static void show_one(struct nl_sock *n, void *arg)
{
	struct seq_buf *s = arg;

	seq_printf(s, "%016lx %-3d %-10u %08x %-8u %-8d %-5d %-8d %-8u %-8llu\n", 0ul,
		n->sk.protocol, n->portid, (u32)n->groups[0], READ_ONCE(n->queued_bytes), 0,
		READ_ONCE(n->dump_handler) != NULL, ref_read(&n->sk.refs), READ_ONCE(n->drops),
		(unsigned long long)n->sk.ino);
}

void netlink_show(struct net *net, struct seq_buf *s)
{
	seq_puts(s,
		"sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    "
		"Drops    Inode\n");
	for (int protocol = 0; protocol < MAX_LINKS; protocol++)
		nl_each(net, protocol, show_one, s);
}
