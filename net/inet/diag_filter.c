/*
 * The filter language of sock_diag. Operations of 4 bytes and more; each goes on by "yes" or by "no"
 * bytes, and a program that gets exactly to its end has chosen the socket. Jumps go forward only.
 */
#include "diag_filter.h"
#include <lib/err.h>
#include <lib/string.h>
#include <linux/inet_diag.h>

#define OP_SIZE sizeof(struct inet_diag_bc_op)

/* Bytes that an operation has with what belongs to it; 0: unknown, or it doesn't end within len. */
static u32 size_of(const struct inet_diag_bc_op *op, u32 len, bool admin, int *err)
{
	const struct inet_diag_hostcond *c = (const void *)(op + 1);
	u32 n = OP_SIZE;

	*err = -EINVAL;
	switch (op->code) {
	case INET_DIAG_BC_NOP:
	case INET_DIAG_BC_JMP:
	case INET_DIAG_BC_AUTO:
		break;
	case INET_DIAG_BC_S_GE:
	case INET_DIAG_BC_S_LE:
	case INET_DIAG_BC_S_EQ:
	case INET_DIAG_BC_D_GE:
	case INET_DIAG_BC_D_LE:
	case INET_DIAG_BC_D_EQ:
		n += OP_SIZE; /* the port stands in another operation's "no" */
		break;
	case INET_DIAG_BC_DEV_COND:
		n += sizeof(u32);
		break;
	case INET_DIAG_BC_MARK_COND:
		if (!admin) {
			*err = -EPERM;
			return 0;
		}
		n += sizeof(struct inet_diag_markcond);
		break;
	case INET_DIAG_BC_S_COND:
	case INET_DIAG_BC_D_COND:
		n += sizeof(*c);
		if (len < n)
			return 0;
		if (c->family == AF_INET)
			n += 4;
		else if (c->family == AF_INET6)
			n += 16;
		else if (c->family != AF_UNSPEC)
			return 0;
		if (c->prefix_len > 8 * (n - OP_SIZE - sizeof(*c)))
			return 0;
		break;
	default:
		return 0;
	}
	return n <= len ? n : 0;
}

/* "no" may go to the start of an operation, or over the end by 4: not chosen. */
static bool is_place(const u8 *code, u32 len, u32 at)
{
	u32 i = 0;

	while (i < at && i < len)
		i += ((const struct inet_diag_bc_op *)(code + i))->yes;
	return i == at;
}

int diag_filter_check(const void *code, u32 len, bool admin)
{
	const u8 *b = code;
	int err;

	for (u32 at = 0; at < len;) {
		const struct inet_diag_bc_op *op = (const void *)(b + at);
		u32 left = len - at, n;

		if (left < OP_SIZE)
			return -EINVAL;
		n = size_of(op, left, admin, &err);
		if (!n)
			return err;
		if (op->code != INET_DIAG_BC_NOP &&
			(op->no < OP_SIZE || op->no > left + OP_SIZE || op->no & 3))
			return -EINVAL;
		if (op->yes < n || op->yes > left || op->yes & 3)
			return -EINVAL;
		at += op->yes;
	}
	/* "no" is looked at when each "yes" is known to be good. */
	for (u32 at = 0; at < len; at += ((const struct inet_diag_bc_op *)(b + at))->yes) {
		const struct inet_diag_bc_op *op = (const void *)(b + at);

		if (op->code != INET_DIAG_BC_NOP && at + op->no < len &&
			!is_place(b, len, at + op->no))
			return -EINVAL;
	}
	return 0;
}

static bool prefix_matches(const void *a, const void *b, u32 bits)
{
	const u8 *x = a, *y = b;

	if (memcmp(x, y, bits / 8))
		return false;
	return !(bits % 8) || !((x[bits / 8] ^ y[bits / 8]) & (0xff00 >> bits % 8 & 0xff));
}

static bool host_matches(const struct inet_diag_hostcond *c, const struct inet_diag_entry *e,
	const struct inet_addr *a, u16 port)
{
	if (c->port != -1 && c->port != ntohs(port))
		return false;
	if (!c->prefix_len)
		return c->family == AF_UNSPEC || c->family == e->family ||
			(c->family == AF_INET && addr_is_v4(a));
	if (c->family == AF_INET)
		return addr_is_v4(a) && prefix_matches(c->addr, &a->w[3], c->prefix_len);
	return e->family == AF_INET6 && prefix_matches(c->addr, a, c->prefix_len);
}

static bool holds(const struct inet_diag_bc_op *op, const struct inet_diag_entry *e)
{
	const void *arg = op + 1;
	const struct inet_diag_markcond *m = arg;
	u16 limit = ((const struct inet_diag_bc_op *)arg)->no;

	switch (op->code) {
	case INET_DIAG_BC_S_GE:
		return ntohs(e->lport) >= limit;
	case INET_DIAG_BC_S_LE:
		return ntohs(e->lport) <= limit;
	case INET_DIAG_BC_S_EQ:
		return ntohs(e->lport) == limit;
	case INET_DIAG_BC_D_GE:
		return ntohs(e->rport) >= limit;
	case INET_DIAG_BC_D_LE:
		return ntohs(e->rport) <= limit;
	case INET_DIAG_BC_D_EQ:
		return ntohs(e->rport) == limit;
	case INET_DIAG_BC_AUTO:
		return !e->port_chosen;
	case INET_DIAG_BC_S_COND:
		return host_matches(arg, e, &e->local, e->lport);
	case INET_DIAG_BC_D_COND:
		return host_matches(arg, e, &e->remote, e->rport);
	case INET_DIAG_BC_DEV_COND:
		return *(const u32 *)arg == e->ifindex;
	case INET_DIAG_BC_MARK_COND:
		return (e->mark & m->mask) == m->mark;
	case INET_DIAG_BC_JMP:
		return false;
	default: /* NOP */
		return true;
	}
}

bool diag_filter_run(const void *code, u32 len, const struct inet_diag_entry *e)
{
	u32 at = 0;

	while (at < len) {
		const struct inet_diag_bc_op *op = (const void *)((const u8 *)code + at);

		/* A port's limit is read from the operation behind: the check has seen to it. */
		at += holds(op, e) ? op->yes : op->no;
	}
	return at == len;
}
