/* ChaCha20 block function, RFC 8439 sections 2.1 to 2.3. */
#include <lib/chacha20.h>
#include <lib/string.h>

static inline u32 turn(u32 v, int bits)
{
	return v << bits | v >> (32 - bits);
}

/* Indexes are constants: the words stay in registers. */
#define QUARTER(x, a, b, c, d)                \
	do {                                  \
		x[a] += x[b];                 \
		x[d] = turn(x[d] ^ x[a], 16); \
		x[c] += x[d];                 \
		x[b] = turn(x[b] ^ x[c], 12); \
		x[a] += x[b];                 \
		x[d] = turn(x[d] ^ x[a], 8);  \
		x[c] += x[d];                 \
		x[b] = turn(x[b] ^ x[c], 7);  \
	} while (0)

void chacha20_block(const u32 state[16], u8 out[64])
{
	u32 x[16];

	memcpy(x, state, sizeof(x));
	for (int i = 0; i < 10; i++) {
		QUARTER(x, 0, 4, 8, 12);
		QUARTER(x, 1, 5, 9, 13);
		QUARTER(x, 2, 6, 10, 14);
		QUARTER(x, 3, 7, 11, 15);
		QUARTER(x, 0, 5, 10, 15);
		QUARTER(x, 1, 6, 11, 12);
		QUARTER(x, 2, 7, 8, 13);
		QUARTER(x, 3, 4, 9, 14);
	}
	for (int i = 0; i < 16; i++)
		x[i] += state[i];
	memcpy(out, x, sizeof(x));
}

void chacha20_init(u32 state[16], const u8 key[32], u32 counter, const u8 nonce[12])
{
	state[0] = 0x61707865;
	state[1] = 0x3320646e;
	state[2] = 0x79622d32;
	state[3] = 0x6b206574;
	memcpy(&state[4], key, 32);
	state[12] = counter;
	memcpy(&state[13], nonce, 12);
}
