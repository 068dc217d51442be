/* The Internet checksum. 32-bit words into a 64-bit sum: carries are folded at the end. */
#include <lib/checksum.h>
#include <lib/string.h>

u64 checksum_add(u64 sum, const void *data, size_t n)
{
	const u8 *p = data;
	u32 w;

	sum = (sum & 0xffffffff) + (sum >> 32); /* room for 2^31 words more */
	for (; n >= 16; n -= 16, p += 16) {
		u32 v[4];

		memcpy(v, p, 16);
		sum += (u64)v[0] + v[1] + v[2] + v[3];
	}
	for (; n >= 4; n -= 4, p += 4) {
		memcpy(&w, p, 4);
		sum += w;
	}
	w = 0;
	memcpy(&w, p, n);
	return sum + w;
}
