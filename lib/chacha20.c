/* ChaCha20 block function, RFC 8439 sections 2.1 to 2.3. */
#include <lib/chacha20.h>
#include <lib/string.h>

static void quarter(u32 *x, int a, int b, int c, int d)
{
	static const int turns[4] = {16, 12, 8, 7};

	for (int i = 0; i < 4; i += 2) {
		x[a] += x[b];
		x[d] ^= x[a];
		x[d] = x[d] << turns[i] | x[d] >> (32 - turns[i]);
		x[c] += x[d];
		x[b] ^= x[c];
		x[b] = x[b] << turns[i + 1] | x[b] >> (32 - turns[i + 1]);
	}
}

void chacha20_block(const u32 state[16], u8 out[64])
{
	u32 x[16];

	memcpy(x, state, sizeof(x));
	for (int i = 0; i < 10; i++) {
		for (int k = 0; k < 4; k++)
			quarter(x, k, k + 4, k + 8, k + 12);
		for (int k = 0; k < 4; k++)
			quarter(x, k, 4 + (k + 1) % 4, 8 + (k + 2) % 4, 12 + (k + 3) % 4);
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
