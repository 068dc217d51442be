/* Byte rings against two counters: byte number i has a value made from i. */
#include "unit.h"
#include <lib/ringbuf.h>

static u8 value(u32 i)
{
	return (u8)(i * 7 + (i >> 8));
}

UNIT(bytes_come_out_in_order_and_none_is_lost)
{
	u32 written = 0xffffff00, read = written; /* positions wrap soon */
	u8 *memory = unit_alloc(64), buf[80];
	struct ringbuf r;

	ringbuf_init(&r, memory, 64);
	r.head = r.tail = written;
	for (int step = 0; step < 5000; step++) {
		u32 n = (u32)unit_random_below(80), used = written - read, offset, got;

		EXPECT_EQ(ringbuf_used(&r), used);
		EXPECT_EQ(ringbuf_room(&r), 64 - used);
		switch (unit_random_below(4)) {
		case 0:
		case 1:
			for (u32 i = 0; i < n; i++)
				buf[i] = value(written + i);
			got = ringbuf_put(&r, buf, n);
			EXPECT_EQ(got, min(n, 64 - used));
			written += got;
			break;
		case 2:
			offset = (u32)unit_random_below(70);
			got = ringbuf_peek(&r, buf, n, offset);
			EXPECT_EQ(got, offset > used ? 0 : min(n, used - offset));
			for (u32 i = 0; i < got; i++)
				EXPECT_EQ(buf[i], value(read + offset + i));
			if (n % 5 == 0) {
				ringbuf_drop(&r, n);
				read += min(n, used);
			}
			break;
		default:
			got = ringbuf_get(&r, buf, n);
			EXPECT_EQ(got, min(n, used));
			for (u32 i = 0; i < got; i++)
				EXPECT_EQ(buf[i], value(read + i));
			read += got;
			break;
		}
	}
	unit_free(memory);
}
