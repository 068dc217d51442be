/*
 * Classic BPF as socket filters: checked once when attached (jumps forward and inside, memory
 * slots inside, every end a return), so that running needs no check but that of packet loads.
 * Sources: linux/filter.h, Documentation/networking/filter.rst.
 */
#include <kmem/slab.h>
#include <lib/string.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <socket/socket.h>

struct sock_filter_prog {
	struct rcu_head rcu; /* first: see sock_deinit */
	u32 len;
	struct sock_filter insn[];
};

static bool valid_code(u16 code)
{
	switch (BPF_CLASS(code)) {
	case BPF_LD:
		switch (BPF_MODE(code)) {
		case BPF_IMM:
		case BPF_MEM:
		case BPF_LEN:
			return BPF_SIZE(code) == BPF_W;
		case BPF_ABS:
		case BPF_IND:
			return BPF_SIZE(code) != 0x18;
		}
		return false;
	case BPF_LDX:
		if (BPF_MODE(code) == BPF_MSH)
			return BPF_SIZE(code) == BPF_B;
		return BPF_SIZE(code) == BPF_W &&
			(BPF_MODE(code) == BPF_IMM || BPF_MODE(code) == BPF_MEM ||
				BPF_MODE(code) == BPF_LEN);
	case BPF_ST:
	case BPF_STX:
		return code == BPF_ST || code == BPF_STX;
	case BPF_ALU:
		switch (BPF_OP(code)) {
		case BPF_ADD:
		case BPF_SUB:
		case BPF_MUL:
		case BPF_DIV:
		case BPF_MOD:
		case BPF_AND:
		case BPF_OR:
		case BPF_XOR:
		case BPF_LSH:
		case BPF_RSH:
			return true;
		case BPF_NEG:
			return BPF_SRC(code) == BPF_K;
		}
		return false;
	case BPF_JMP:
		switch (BPF_OP(code)) {
		case BPF_JA:
			return BPF_SRC(code) == BPF_K;
		case BPF_JEQ:
		case BPF_JGT:
		case BPF_JGE:
		case BPF_JSET:
			return true;
		}
		return false;
	case BPF_RET:
		return code == (BPF_RET | BPF_K) || code == (BPF_RET | BPF_A);
	case BPF_MISC:
		return code == (BPF_MISC | BPF_TAX) || code == (BPF_MISC | BPF_TXA);
	}
	return false;
}

static bool check_program(const struct sock_filter *f, u32 len)
{
	/* Which memory slots every path to an instruction has written. */
	u16 *known = kmalloc(len * sizeof(*known), GFP_KERNEL), now = 0;
	bool ok = false;

	if (!known)
		return false;
	memset(known, 0xff, len * sizeof(*known));
	for (u32 i = 0; i < len; i++) {
		u32 left = len - i - 1;
		u16 code = f[i].code;

		now &= known[i];
		if (!valid_code(code))
			goto out;
		switch (BPF_CLASS(code)) {
		case BPF_ALU:
			if (BPF_SRC(code) == BPF_K && f[i].k == 0 &&
				(BPF_OP(code) == BPF_DIV || BPF_OP(code) == BPF_MOD))
				goto out;
			if (BPF_SRC(code) == BPF_K && f[i].k > 31 &&
				(BPF_OP(code) == BPF_LSH || BPF_OP(code) == BPF_RSH))
				goto out;
			break;
		case BPF_LD:
		case BPF_LDX:
			if (BPF_MODE(code) == BPF_MEM &&
				(f[i].k >= BPF_MEMWORDS || !(now >> f[i].k & 1)))
				goto out;
			if (BPF_CLASS(code) == BPF_LD && BPF_MODE(code) == BPF_ABS &&
				f[i].k >= (u32)SKF_AD_OFF && f[i].k < (u32)SKF_AD_OFF + 0x100 &&
				f[i].k - (u32)SKF_AD_OFF >= SKF_AD_MAX)
				goto out;
			break;
		case BPF_ST:
		case BPF_STX:
			if (f[i].k >= BPF_MEMWORDS)
				goto out;
			now |= (u16)(1u << f[i].k);
			break;
		case BPF_JMP:
			if (BPF_OP(code) == BPF_JA) {
				if (f[i].k >= left)
					goto out;
				known[i + 1 + f[i].k] &= now;
				now = 0xffff;
			} else {
				if (f[i].jt >= left || f[i].jf >= left)
					goto out;
				known[i + 1 + f[i].jt] &= now;
				known[i + 1 + f[i].jf] &= now;
				now = 0xffff;
			}
			break;
		case BPF_RET:
			now = 0xffff;
			break;
		}
	}
	ok = BPF_CLASS(f[len - 1].code) == BPF_RET;
out:
	kfree(known);
	return ok;
}

static bool load_ancillary(const struct filter_input *in, u32 which, u32 *a)
{
	switch (which) {
	case SKF_AD_PROTOCOL:
		*a = in->protocol;
		return true;
	case SKF_AD_PKTTYPE:
		*a = in->pkt_type;
		return true;
	case SKF_AD_IFINDEX:
		*a = in->ifindex;
		return in->ifindex != 0;
	case SKF_AD_MARK:
		*a = in->mark;
		return true;
	case SKF_AD_QUEUE:
		*a = in->queue;
		return true;
	case SKF_AD_HATYPE:
		*a = in->hatype;
		return in->ifindex != 0;
	case SKF_AD_RXHASH:
		*a = in->hash;
		return true;
	case SKF_AD_CPU:
		*a = in->cpu;
		return true;
	case SKF_AD_VLAN_TAG:
	case SKF_AD_VLAN_TAG_PRESENT:
	case SKF_AD_VLAN_TPID:
		*a = 0; /* tags stay in the packet */
		return true;
	default:
		return false;
	}
}

static bool load(const struct filter_input *in, u32 off, u32 size, u32 *a)
{
	u8 b[4];

	if (off >= (u32)SKF_AD_OFF && off < (u32)SKF_AD_OFF + SKF_AD_MAX)
		return load_ancillary(in, off - (u32)SKF_AD_OFF, a);
	if (off >= (u32)SKF_LL_OFF && off < (u32)SKF_NET_OFF)
		off -= (u32)SKF_LL_OFF;
	else if (off >= (u32)SKF_NET_OFF && off < (u32)SKF_AD_OFF)
		off = off - (u32)SKF_NET_OFF + in->net_off;
	if (!in->load(in->pkt, off, b, size))
		return false;
	*a = size == 4      ? (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3]
		: size == 2 ? (u32)b[0] << 8 | b[1]
			    : b[0];
	return true;
}

static u32 size_of(u16 code)
{
	return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

static bool alu(u16 code, u32 *a, u32 v)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		*a += v;
		break;
	case BPF_SUB:
		*a -= v;
		break;
	case BPF_MUL:
		*a *= v;
		break;
	case BPF_DIV:
		if (!v)
			return false;
		*a /= v;
		break;
	case BPF_MOD:
		if (!v)
			return false;
		*a %= v;
		break;
	case BPF_AND:
		*a &= v;
		break;
	case BPF_OR:
		*a |= v;
		break;
	case BPF_XOR:
		*a ^= v;
		break;
	case BPF_LSH:
		*a <<= v & 31;
		break;
	case BPF_RSH:
		*a >>= v & 31;
		break;
	case BPF_NEG:
		*a = -*a;
		break;
	}
	return true;
}

static bool jump_taken(u16 code, u32 a, u32 v)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == v;
	case BPF_JGT:
		return a > v;
	case BPF_JGE:
		return a >= v;
	default:
		return (a & v) != 0;
	}
}

u32 filter_run(const struct sock_filter_prog *p, const struct filter_input *in)
{
	u32 a = 0, x = 0, mem[BPF_MEMWORDS];

	for (const struct sock_filter *f = p->insn;; f++) {
		u16 code = f->code;
		u32 k = f->k, v = BPF_SRC(code) == BPF_X ? x : k;

		switch (BPF_CLASS(code)) {
		case BPF_LD:
			switch (BPF_MODE(code)) {
			case BPF_IMM:
				a = k;
				break;
			case BPF_LEN:
				a = in->len;
				break;
			case BPF_MEM:
				a = mem[k];
				break;
			case BPF_IND:
				k += x;
				/* fall through */
			default:
				if (!load(in, k, size_of(code), &a))
					return 0;
			}
			break;
		case BPF_LDX:
			switch (BPF_MODE(code)) {
			case BPF_IMM:
				x = k;
				break;
			case BPF_LEN:
				x = in->len;
				break;
			case BPF_MEM:
				x = mem[k];
				break;
			default:
				if (!load(in, k, 1, &x))
					return 0;
				x = (x & 15) * 4;
			}
			break;
		case BPF_ST:
			mem[k] = a;
			break;
		case BPF_STX:
			mem[k] = x;
			break;
		case BPF_ALU:
			if (!alu(code, &a, v))
				return 0;
			break;
		case BPF_JMP:
			if (BPF_OP(code) == BPF_JA)
				f += k;
			else
				f += jump_taken(code, a, v) ? f->jt : f->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(code) == BPF_A ? a : k;
		default:
			if (BPF_MISCOP(code) == BPF_TAX)
				x = a;
			else
				a = x;
		}
	}
}

static void free_prog(struct rcu_head *head)
{
	kfree(head);
}

static void replace(struct sock *sk, struct sock_filter_prog *p)
{
	struct sock_filter_prog *old;

	spin_lock(&sk->lock);
	old = sk->filter;
	rcu_publish(sk->filter, p);
	spin_unlock(&sk->lock);
	if (old)
		rcu_call(&old->rcu, free_prog);
}

int sock_attach_filter(struct sock *sk, const void __user *val, u32 len)
{
	struct sock_fprog fp;
	struct sock_filter_prog *p;

	if (len != sizeof(fp))
		return -EINVAL;
	if (copy_from_user(&fp, val, sizeof(fp)))
		return -EFAULT;
	if (sock_opt(sk, SKO_LOCK_FILTER))
		return -EPERM;
	if (!fp.filter || fp.len == 0 || fp.len > BPF_MAXINSNS)
		return -EINVAL;
	if (fp.len * sizeof(struct sock_filter) + sizeof(*p) > (size_t)g_net_core.optmem_max)
		return -ENOMEM;
	p = kmalloc(sizeof(*p) + fp.len * sizeof(p->insn[0]), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	p->len = fp.len;
	if (copy_from_user(p->insn, (const void __user *)fp.filter, fp.len * sizeof(p->insn[0]))) {
		kfree(p);
		return -EFAULT;
	}
	if (!check_program(p->insn, p->len)) {
		kfree(p);
		return -EINVAL;
	}
	replace(sk, p);
	return 0;
}

bool sock_inherit_filter(struct sock *sk, const struct sock *from)
{
	const struct sock_filter_prog *p = from->filter;
	struct sock_filter_prog *copy;
	size_t n;

	spin_assert_held(&from->lock);
	if (likely(!p))
		return true;
	n = sizeof(*p) + p->len * sizeof(p->insn[0]);
	copy = kmalloc(n, GFP_ATOMIC);
	if (copy)
		memcpy(copy, p, n);
	sk->filter = copy;
	return copy;
}

int sock_detach_filter(struct sock *sk)
{
	if (sock_opt(sk, SKO_LOCK_FILTER))
		return -EPERM;
	if (!READ_ONCE(sk->filter))
		return -ENOENT;
	replace(sk, NULL);
	return 0;
}

int sock_get_filter(struct sock *sk, void __user *val, u32 *len)
{
	struct sock_filter *copy = NULL;
	struct sock_filter_prog *p;
	u32 n = 0;
	int err = 0;

	copy = kmalloc(BPF_MAXINSNS * sizeof(*copy), GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	rcu_read_lock();
	p = rcu_load(sk->filter);
	if (p) {
		n = p->len;
		memcpy(copy, p->insn, n * sizeof(*copy));
	}
	rcu_read_unlock();
	/* Lengths count instructions here; 0 asks for the number. */
	if (*len && n > *len)
		err = -EINVAL;
	else if (*len && n && copy_to_user(val, copy, n * sizeof(*copy)))
		err = -EFAULT;
	*len = n;
	kfree(copy);
	return err;
}
