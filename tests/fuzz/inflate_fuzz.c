/* Any bytes as a compressed initramfs: no crash, an end, and never more consumed than there is. */
#include "fuzz.h"
#include <lib/err.h>
#include <lib/inflate.h>
#include <lib/string.h>

static u64 g_written;

static int on_write(void *ctx, const u8 *data, size_t n)
{
	must_hold(n > 0 && n <= INFLATE_WINDOW);
	g_written += n + data[0] % 1 + data[n - 1] % 1; /* read both ends */
	return g_written > MiB(4) ? -EFBIG : 0;
}

/* The first byte decides whether a plain header is put in front, which mutation finds hard to keep.
 */
int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	static struct inflate s;
	static u8 buf[65536];
	static const u8 header[10] = {0x1f, 0x8b, 8};
	size_t used, len;
	int err;

	if (n == 0 || n > sizeof(buf) - sizeof(header))
		return 0;
	g_written = 0;
	s.write = on_write;
	if (data[0] & 1) {
		memcpy(buf, header, sizeof(header));
		memcpy(buf + sizeof(header), data + 1, n - 1);
		len = n - 1 + sizeof(header);
		err = inflate_gzip(&s, buf, len, &used);
	} else {
		len = n - 1;
		err = inflate_gzip(&s, data + 1, len, &used);
	}
	must_hold(err == 0 || err == -EINVAL || err == -EFBIG);
	must_hold(used <= len && (err || used >= 18));
	return 0;
}
