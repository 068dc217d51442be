/* Numbers in network byte order, and numbers at any address. All machines here are little endian. */
#ifndef LIB_BYTEORDER_H
#define LIB_BYTEORDER_H

#define htons(x) ((u16)__builtin_bswap16((u16)(x)))
#define ntohs(x) ((u16)__builtin_bswap16((u16)(x)))
#define htonl(x) ((u32)__builtin_bswap32((u32)(x)))
#define ntohl(x) ((u32)__builtin_bswap32((u32)(x)))

static inline u16 get_be16(const void *p)
{
	u16 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return ntohs(v);
}
static inline u32 get_be32(const void *p)
{
	u32 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return ntohl(v);
}
static inline void put_be16(void *p, u16 v)
{
	v = htons(v);
	__builtin_memcpy(p, &v, sizeof(v));
}
static inline void put_be32(void *p, u32 v)
{
	v = htonl(v);
	__builtin_memcpy(p, &v, sizeof(v));
}

#endif
