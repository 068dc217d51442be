/* /proc/net/dev, dev_mcast, softnet_stat: proc(5). */
#include "dev.h"
#include <lib/seq_buf.h>

int netdev_show(struct net *net, struct seq_buf *s)
{
	struct netif *n;

	seq_puts(s,
		"Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
		"packets errs drop fifo colls carrier compressed\n");
	mutex_lock(&net->config_lock);
	for (int i = 0; (n = netif_next(net, i)); i = n->ifindex) {
		struct rtnl_link_stats64 t;

		netif_get_stats(n, &t);
		seq_printf(s,
			"%6s: %7llu %7llu %4llu %4llu %4llu %5llu %10llu %9llu %8llu %7llu %4llu "
			"%4llu %4llu %5llu %7llu %10llu\n",
			n->name, t.rx_bytes, t.rx_packets, t.rx_errors,
			t.rx_dropped + t.rx_missed_errors, t.rx_fifo_errors,
			t.rx_length_errors + t.rx_over_errors + t.rx_crc_errors + t.rx_frame_errors,
			t.rx_compressed, t.multicast, t.tx_bytes, t.tx_packets, t.tx_errors,
			t.tx_dropped, t.tx_fifo_errors, t.collisions,
			t.tx_carrier_errors + t.tx_aborted_errors + t.tx_window_errors +
				t.tx_heartbeat_errors,
			t.tx_compressed);
	}
	mutex_unlock(&net->config_lock);
	return 0;
}

int netdev_show_mcast(struct net *net, struct seq_buf *s)
{
	struct netif *n;

	mutex_lock(&net->config_lock);
	for (int i = 0; (n = netif_next(net, i)); i = n->ifindex) {
		struct hw_addr *a;

		list_for_each_entry(a, &n->multicast, link) {
			seq_printf(s, "%-4d %-15s %-5u %-5d ", n->ifindex, n->name, a->users, 0);
			for (u32 k = 0; k < n->addr_len; k++)
				seq_printf(s, "%02x", a->addr[k]);
			seq_putc(s, '\n');
		}
	}
	mutex_unlock(&net->config_lock);
	return 0;
}

int softnet_show(struct seq_buf *s)
{
	for_each_online_cpu(cpu) {
		const struct net_cpu_stats *c = net_cpu_stats(cpu);

		seq_printf(s, "%08x %08x %08x %08x %08x %08x %08x %08x %08x %08x %08x %08x %08x\n",
			(u32)c->processed, (u32)c->dropped, (u32)c->squeezed, 0, 0, 0, 0, 0, 0, 0,
			0, 0, cpu);
	}
	return 0;
}
