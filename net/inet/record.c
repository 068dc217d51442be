/*
 * IPv4 options that hosts on the way write to: record route and timestamps. What a header has of
 * them has been checked: lengths fit. RFC 791 3.1, RFC 1122 3.2.1.8 and 3.2.2.6.
 */
#include "inet.h"
#include <linux/ip.h>

#define RR_FIRST 4u /* pointers count from 1 */
#define TS_FIRST 5u

/* The option at o, and its length; NULL at the end. */
static u8 *next_option(u8 *o, const u8 *end, u32 *n)
{
	while (o < end && *o == IPOPT_NOOP)
		o++;
	if (o >= end || *o == IPOPT_END)
		return NULL;
	*n = o[1];
	return o;
}

static void record_route(u8 *o, u32 n, u32 us)
{
	u32 at = n >= 3 ? o[2] : 0;

	if (at < RR_FIRST || at + 3 > n)
		return;
	memcpy(o + at - 1, &us, 4);
	o[2] = (u8)(at + 4);
}

static void record_time(u8 *o, u32 n, u32 us, bool received)
{
	u32 at = n >= 4 ? o[2] : 0, kind = o[3] & 0xf, need = kind == IPOPT_TS_TSONLY ? 4 : 8;
	u32 ms = (u32)(clock_real_ns() / NS_PER_MS % (24 * 3600 * 1000));

	if (at < TS_FIRST)
		return;
	if (at + need - 1 > n) { /* full: counted once by each host */
		if (received && o[3] >> 4 < 15)
			o[3] = (u8)(o[3] + 0x10);
		return;
	}
	if (kind == IPOPT_TS_PRESPEC && memcmp(o + at - 1, &us, 4) != 0)
		return;
	if (kind != IPOPT_TS_TSONLY)
		memcpy(o + at - 1, &us, 4);
	put_be32(o + at - 1 + need - 4, ms);
	o[2] = (u8)(at + need);
}

void ip_options_record(u8 *o, u32 len, u32 us, bool received)
{
	const u8 *end = o + len;
	u32 n;

	for (; (o = next_option(o, end, &n)); o += n) {
		if (*o == IPOPT_RR)
			record_route(o, n, us);
		else if (*o == IPOPT_TIMESTAMP)
			record_time(o, n, us, received);
	}
}

void ip_options_echo(struct ip_options *out, u8 *o, u32 len)
{
	const u8 *end = o + len;
	u32 n;

	out->len = 0;
	for (; (o = next_option(o, end, &n)); o += n)
		if (*o == IPOPT_RR || *o == IPOPT_TIMESTAMP) {
			memcpy(out->data + out->len, o, n);
			out->len = (u8)(out->len + n);
		}
	while (out->len % 4)
		out->data[out->len++] = IPOPT_END;
}
