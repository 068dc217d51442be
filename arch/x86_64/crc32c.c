/* CRC-32C by the CPU's own instruction (SSE4.2): eight bytes at a time in general registers. */
#include <core/log.h>
#include <lib/crc32.h>
#include "x86.h"

struct __attribute__((packed)) word { /* at any address */
	u64 v;
};

static u64 step(u64 crc, u64 word)
{
	__asm__("crc32q %1, %0" : "+r"(crc) : "rm"(word));
	return crc;
}

static u32 update(u32 crc, const u8 *p, size_t n)
{
	const struct word *w = (const void *)p;
	u64 c = crc;

	for (; n >= 64; n -= 64, w += 8) {
		c = step(c, w[0].v);
		c = step(c, w[1].v);
		c = step(c, w[2].v);
		c = step(c, w[3].v);
		c = step(c, w[4].v);
		c = step(c, w[5].v);
		c = step(c, w[6].v);
		c = step(c, w[7].v);
	}
	for (; n >= 8; n -= 8, w++)
		c = step(c, w->v);
	crc = (u32)c;
	for (p = (const u8 *)w; n; n--, p++)
		__asm__("crc32b %1, %0" : "+r"(crc) : "rm"(*p));
	return crc;
}

void x86_crc32c_init(void)
{
	/* RFC 3720, B.4: 32 bytes of zeroes, with some more that leave the loops a rest. */
	static const u8 zeroes[107];
	u32 by_table = crc32c_update(~0u, zeroes, sizeof(zeroes));

	if (!g_x86.sse42)
		return;
	crc32c_use(update);
	BUG_ON(~crc32c_update(~0u, zeroes, 32) != 0x8a9136aa);
	BUG_ON(crc32c_update(~0u, zeroes, sizeof(zeroes)) != by_table);
}
