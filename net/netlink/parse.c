/* Reading netlink messages: all that comes from programs goes through here. */
#include <lib/err.h>
#include <lib/string.h>
#include <netlink/netlink.h>

static int bad(struct nl_ext_ack *ack, int err, const struct nlattr *a, const char *msg)
{
	return nl_error_attr(ack, err, a, msg);
}

static u32 number_size(u8 kind)
{
	switch (kind) {
	case NL_U8:
		return 1;
	case NL_U16:
		return 2;
	case NL_U32:
		return 4;
	default:
		return 8;
	}
}

static int check_string(const struct nlattr *a, u32 max, struct nl_ext_ack *ack)
{
	u32 len = nla_len(a);
	const char *s = nla_data(a);

	if (!len || (max && strnlen(s, len) > max))
		return bad(ack, -ERANGE, a, "Attribute failed policy validation");
	return 0;
}

static int check(
	const struct nlattr *a, const struct nl_policy *p, bool strict, struct nl_ext_ack *ack)
{
	u32 len = nla_len(a);
	bool ok = true;

	switch (p->kind) {
	case NL_ANY:
		ok = len >= p->len;
		break;
	case NL_EXACT:
		ok = len == p->len;
		break;
	case NL_FLAG:
		ok = !len;
		break;
	case NL_U8:
	case NL_U16:
	case NL_U32:
	case NL_U64:
		ok = strict ? len == number_size(p->kind) : len >= number_size(p->kind);
		break;
	case NL_STRING:
		return check_string(a, p->len, ack);
	case NL_NESTED:
		ok = !len || len >= NLA_HDRLEN;
		break;
	case NL_BINARY:
		ok = !p->len || len <= p->len;
		break;
	default:
		return bad(ack, -EINVAL, a, "Unsupported attribute");
	}
	return ok ? 0 : bad(ack, -ERANGE, a, "Attribute failed policy validation");
}

int nl_parse(const struct nlattr **tb, int max, const void *attrs, u32 len,
	const struct nl_policy *policy, bool strict, struct nl_ext_ack *ack)
{
	const u8 *at = attrs, *end = at + len;

	memset(tb, 0, (size_t)(max + 1) * sizeof(*tb));
	while (end - at >= NLA_HDRLEN) {
		const struct nlattr *a = (const struct nlattr *)at;
		u16 type = a->nla_type & NLA_TYPE_MASK;
		int err;

		if (a->nla_len < NLA_HDRLEN || a->nla_len > end - at)
			break;
		if (type > max || !type) {
			if (strict)
				return bad(ack, -EINVAL, a, "Unknown attribute type");
		} else {
			err = policy ? check(a, &policy[type], strict, ack) : 0;
			if (err)
				return err;
			tb[type] = a;
		}
		at += min_t(u32, NLA_ALIGN(a->nla_len), (u32)(end - at));
	}
	if (strict && at < end)
		return nl_error(ack, -EINVAL, "bytes leftover after parsing attributes");
	return 0;
}

int nl_parse_message(const struct nlattr **tb, int max, const struct nlmsghdr *h, u32 head,
	const struct nl_policy *policy, bool strict, struct nl_ext_ack *ack)
{
	u32 skip = NLMSG_HDRLEN + NLMSG_ALIGN(head);

	if (h->nlmsg_len < NLMSG_HDRLEN + head)
		return nl_error(ack, -EINVAL, "Invalid header length");
	skip = min(skip, h->nlmsg_len);
	return nl_parse(tb, max, (const u8 *)h + skip, h->nlmsg_len - skip, policy, strict, ack);
}

u64 nla_u64(const struct nlattr *a)
{
	u64 v;

	memcpy(&v, nla_data(a), sizeof(v)); /* attributes are aligned to 4 only */
	return v;
}

void nla_string(const struct nlattr *a, char *to, size_t size)
{
	size_t n = strnlen(nla_data(a), nla_len(a));

	n = min(n, size - 1);
	memcpy(to, nla_data(a), n);
	to[n] = 0;
}
