/* SHA-256 (FIPS 180-4), fed in pieces. */
#ifndef LIB_SHA256_H
#define LIB_SHA256_H

#define SHA256_SIZE 32

struct sha256 {
	u32 state[8];
	u64 total; /* bytes fed */
	u8 block[64];
};

void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *data, size_t n);
/* The digest; s is used up. */
void sha256_final(struct sha256 *s, u8 out[SHA256_SIZE]);

#endif
