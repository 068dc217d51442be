/* SHA-1 (FIPS 180-4), fed in pieces. For formats that demand it; not against an attacker. */
#ifndef LIB_SHA1_H
#define LIB_SHA1_H

#define SHA1_SIZE 20

struct sha1 {
	u32 state[5];
	u64 total; /* bytes fed */
	u8 block[64];
};

void sha1_init(struct sha1 *s);
void sha1_update(struct sha1 *s, const void *data, size_t n);
/* The digest; s is used up. */
void sha1_final(struct sha1 *s, u8 out[SHA1_SIZE]);

#endif
