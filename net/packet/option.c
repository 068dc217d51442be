/* Options of SOL_PACKET: packet(7). */
#include "pkt.h"
#include <lib/err.h>
#include <lib/string.h>

static int membership(struct pkt_sock *s, int name, const void __user *val, u32 len)
{
	struct packet_mreq m = {0};
	int err;

	if (len < sizeof(m))
		return -EINVAL;
	err = copy_from_user(&m, val, sizeof(m));
	if (err)
		return err;
	return name == PACKET_ADD_MEMBERSHIP ? pkt_member_add(s, &m) : pkt_member_drop(s, &m);
}

/* Numbers; those of the ring only before there is one. */
static int set_number(struct pkt_sock *s, int name, int v)
{
	switch (name) {
	case PACKET_AUXDATA:
		s->auxdata = v;
		return 0;
	case PACKET_ORIGDEV:
		s->orig_dev = v;
		return 0;
	case PACKET_IGNORE_OUTGOING:
		if (v < 0 || v > 1)
			return -EINVAL;
		s->ignore_outgoing = v;
		return 0;
	case PACKET_COPY_THRESH:
		s->copy_whole = v;
		return 0;
	case PACKET_TIMESTAMP:
		s->timestamp = (u32)v;
		return 0;
	case PACKET_VERSION:
		if (v < TPACKET_V1 || v > TPACKET_V3)
			return -EINVAL;
		if (s->ring)
			return -EBUSY;
		s->version = (u32)v;
		return 0;
	case PACKET_RESERVE:
		if (s->ring)
			return -EBUSY;
		if (v < 0 || v > INT_MAX / 2)
			return -EINVAL;
		s->reserve = (u32)v;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int pkt_setsockopt(struct sock *sk, int level, int name, const void __user *val, u32 len)
{
	struct pkt_sock *s = pkt_of(sk);
	int v = 0, err = 0;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	mutex_lock(&s->call_lock);
	switch (name) {
	case PACKET_ADD_MEMBERSHIP:
	case PACKET_DROP_MEMBERSHIP:
		err = membership(s, name, val, len);
		break;
	case PACKET_RX_RING:
		err = pkt_ring_set(s, val, len);
		break;
	case PACKET_AUXDATA:
	case PACKET_ORIGDEV:
	case PACKET_IGNORE_OUTGOING:
	case PACKET_COPY_THRESH:
	case PACKET_TIMESTAMP:
	case PACKET_VERSION:
	case PACKET_RESERVE:
		err = sockopt_int(val, len, &v);
		if (!err)
			err = set_number(s, name, v);
		break;
	default:
		err = -ENOPROTOOPT;
	}
	mutex_unlock(&s->call_lock);
	return err;
}

static int statistics(struct pkt_sock *s, void __user *val, u32 *len)
{
	struct tpacket_stats_v3 st;

	spin_lock(&s->sk.lock);
	st = (struct tpacket_stats_v3){.tp_packets = (u32)(s->packets + s->drops),
		.tp_drops = (u32)s->drops,
		.tp_freeze_q_cnt = (u32)s->freezes};
	s->packets = s->drops = s->freezes = 0;
	spin_unlock(&s->sk.lock);
	return sockopt_put(val, len, &st,
		s->version == TPACKET_V3 ? sizeof(st) : sizeof(struct tpacket_stats));
}

static int header_length(void __user *val, u32 *len)
{
	int v, err;

	if (*len < sizeof(v))
		return -EINVAL;
	err = copy_from_user(&v, val, sizeof(v));
	if (err)
		return err;
	v = v < 0 ? 0 : (int)pkt_ring_header((u32)v);
	return v ? sockopt_put_int(val, len, v) : -EINVAL;
}

int pkt_getsockopt(struct sock *sk, int level, int name, void __user *val, u32 *len)
{
	struct pkt_sock *s = pkt_of(sk);

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	switch (name) {
	case PACKET_STATISTICS:
		return statistics(s, val, len);
	case PACKET_HDRLEN:
		return header_length(val, len);
	case PACKET_AUXDATA:
		return sockopt_put_int(val, len, s->auxdata);
	case PACKET_ORIGDEV:
		return sockopt_put_int(val, len, s->orig_dev);
	case PACKET_IGNORE_OUTGOING:
		return sockopt_put_int(val, len, s->ignore_outgoing);
	case PACKET_VERSION:
		return sockopt_put_int(val, len, (int)s->version);
	case PACKET_RESERVE:
		return sockopt_put_int(val, len, (int)s->reserve);
	case PACKET_TIMESTAMP:
		return sockopt_put_int(val, len, (int)s->timestamp);
	default:
		return -ENOPROTOOPT;
	}
}
