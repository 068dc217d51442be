/* ChaCha20's block function (RFC 8439, 2.3). */
#ifndef LIB_CHACHA20_H
#define LIB_CHACHA20_H

/* state: constants, key, counter, nonce as 16 words; out: 64 bytes. The counter is the caller's. */
void chacha20_block(const u32 state[16], u8 out[64]);
void chacha20_init(u32 state[16], const u8 key[32], u32 counter, const u8 nonce[12]);

#endif
