/* Making netlink messages. See <netlink/netlink.h>. */
#include <kmem/slab.h>
#include <lib/string.h>
#include <netlink/netlink.h>

struct nl_buf nl_alloc(u32 size, u32 gfp)
{
	return (struct nl_buf){.data = kmalloc(size, gfp), .size = size};
}

void nl_free(struct nl_buf *b)
{
	kfree(b->data);
	b->data = NULL;
}

/* n zeroed bytes at the end, aligned. */
static void *extend(struct nl_buf *b, u32 n)
{
	u32 aligned = NLMSG_ALIGN(n);
	void *at = b->data + b->len;

	if (!b->data || n > b->size || b->size - b->len < aligned)
		return NULL;
	memset(at, 0, aligned);
	b->len += aligned;
	return at;
}

struct nlmsghdr *nl_begin(struct nl_buf *b, u32 portid, u32 seq, u16 type, u16 flags, u32 payload)
{
	struct nlmsghdr *h = extend(b, NLMSG_HDRLEN + payload);

	if (!h)
		return NULL;
	h->nlmsg_type = type;
	h->nlmsg_flags = flags;
	h->nlmsg_seq = seq;
	h->nlmsg_pid = portid;
	h->nlmsg_len = NLMSG_HDRLEN + payload;
	return h;
}

void nl_end(struct nl_buf *b, struct nlmsghdr *h)
{
	u32 len = b->len - (u32)((u8 *)h - b->data);

	/* A payload without attributes may end unaligned: its length is exact. */
	if (len != NLMSG_ALIGN(h->nlmsg_len))
		h->nlmsg_len = len;
}

void nl_cancel(struct nl_buf *b, struct nlmsghdr *h)
{
	if (h)
		b->len = (u32)((u8 *)h - b->data);
}

bool nl_put(struct nl_buf *b, u16 type, const void *data, u32 len)
{
	struct nlattr *a = extend(b, NLA_HDRLEN + len);

	if (!a)
		return false;
	a->nla_type = type;
	a->nla_len = (u16)(NLA_HDRLEN + len);
	if (len)
		memcpy(a + 1, data, len);
	return true;
}

bool nl_put_string(struct nl_buf *b, u16 type, const char *s)
{
	return nl_put(b, type, s, (u32)strlen(s) + 1);
}

bool nl_put_aligned(struct nl_buf *b, u16 type, const void *data, u32 len, u16 pad)
{
	/* The value shall be aligned to 8; messages begin aligned to 4. x86 doesn't need it. */
	return nl_put(b, type, data, len);
}

u32 nl_nest_begin(struct nl_buf *b, u16 type)
{
	u32 at = b->len;

	return nl_put(b, type, NULL, 0) ? at + 1 : 0;
}

void nl_nest_end(struct nl_buf *b, u32 nest)
{
	struct nlattr *a = (struct nlattr *)(b->data + nest - 1);

	a->nla_len = (u16)(b->len - (nest - 1));
}

void nl_nest_cancel(struct nl_buf *b, u32 nest)
{
	b->len = nest - 1;
}
