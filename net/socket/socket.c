/*
 * Sockets as files: a descriptor's read, write, poll and ioctl go to the family's operations. The
 * file owns one reference on the socket.
 */
#include <asm/ioctls.h>
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <linux/stat.h>
#include <net/context.h>
#include <net/net.h>
#include <socket/socket.h>

static const struct net_family *g_families[AF_MAX]; /* set at start-up */
static s64 g_in_use[AF_MAX];                        /* atomic: with a descriptor */
static long (*g_ioctl_hook)(struct sock *sk, u32 cmd, unsigned long arg);

struct net_core_limits g_net_core = {
	.rmem_default = 212992,
	.rmem_max = 212992,
	.wmem_default = 212992,
	.wmem_max = 212992,
	.somaxconn = SOMAXCONN_DEFAULT,
	.optmem_max = 20480,
};

void net_family_register(const struct net_family *f)
{
	g_families[f->family] = f;
}

void sock_set_ioctl_hook(long (*fn)(struct sock *sk, u32 cmd, unsigned long arg))
{
	g_ioctl_hook = fn;
}

s64 sockets_in_use(int family)
{
	return __atomic_load_n(&g_in_use[family], __ATOMIC_RELAXED);
}

void sock_init(struct sock *sk, const struct sock_ops *ops, int family, int type, int protocol)
{
	ref_init(&sk->refs, 1);
	sk->net = net_current();
	get_net(sk->net);
	spin_init(&sk->lock, RANK_SOCKET);
	sk->ops = ops;
	sk->family = (u16)family;
	sk->type = (u16)type;
	sk->protocol = (u16)protocol;
	sk->sndbuf = g_net_core.wmem_default;
	sk->rcvbuf = g_net_core.rmem_default;
	sk->rcvlowat = 1;
	sk->rcvtimeo_ns = sk->sndtimeo_ns = TIME_NEVER;
	sk->peek_off = -1;
	sk->incoming_cpu = -1;
	sk->max_pacing = U64_MAX;
	wait_queue_init(&sk->wait);
	fasync_list_init(&sk->async);
}

static void free_filter(struct rcu_head *head)
{
	kfree((char *)head);
}

void sock_deinit(struct sock *sk)
{
	if (sk->filter)
		rcu_call((struct rcu_head *)sk->filter, free_filter);
	sk->filter = NULL;
	if (sock_wants_stamps(sk))
		net_want_stamps(false);
	put_net(sk->net);
}

void sock_signal_urgent(struct sock *sk)
{
	struct file *f;

	spin_lock(&sk->lock);
	f = sk->file;
	if (f && !ref_get_unless_zero(&f->refs)) /* it is being closed */
		f = NULL;
	spin_unlock(&sk->lock);
	if (f) {
		file_notify_urgent(f);
		put_file(f);
	}
	sock_signal(sk, POLL_PRI);
}

void put_sock(struct sock *sk)
{
	if (ref_put(&sk->refs))
		sk->ops->destroy(sk);
}

struct sock *sock_create(int family, int type, int protocol)
{
	struct sock *sk;

	if (family < 0 || family >= AF_MAX)
		return err_ptr(-EAFNOSUPPORT);
	if (type < 0 || type >= SOCK_TYPES)
		return err_ptr(-EINVAL);
	if (!g_families[family])
		return err_ptr(-EAFNOSUPPORT);
	sk = g_families[family]->create(type, protocol);
	if (!is_err(sk))
		sk->uid = current_cred()->fsuid;
	return sk;
}

/* ---- the file ---------------------------------------------------------------------------------- */

ssize_t sock_sendmsg(struct sock *sk, struct sock_msg *m)
{
	ssize_t r = sk->ops->sendmsg ? sk->ops->sendmsg(sk, m) : -EOPNOTSUPP;

	net_run();
	return r;
}

ssize_t sock_recvmsg(struct sock *sk, struct sock_msg *m)
{
	ssize_t r = sk->ops->recvmsg ? sk->ops->recvmsg(sk, m) : -EOPNOTSUPP;

	net_run();
	return r;
}

int sock_shutdown(struct sock *sk, int how)
{
	int r;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	r = sk->ops->shutdown ? sk->ops->shutdown(sk, how) : -EOPNOTSUPP;
	net_run();
	return r;
}

static ssize_t file_read(struct file *f, struct iter *to, off64_t *pos)
{
	struct sock_msg m = {.iter = *to, .flags = f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0};
	ssize_t n;

	if (to->count == 0)
		return 0;
	n = sock_recvmsg(f->priv, &m);
	*to = m.iter;
	return n;
}

static ssize_t file_write(struct file *f, struct iter *from, off64_t *pos)
{
	struct sock *sk = f->priv;
	struct sock_msg m = {.iter = *from, .flags = f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0};
	ssize_t n;

	if (sk->type == SOCK_SEQPACKET)
		m.flags |= MSG_EOR;
	n = sock_sendmsg(sk, &m);
	*from = m.iter;
	return n;
}

static u32 file_poll(struct file *f, struct poll_table *pt)
{
	struct sock *sk = f->priv;

	poll_wait(f, &sk->wait, pt);
	return sk->ops->poll(sk);
}

long sock_ioctl(struct sock *sk, u32 cmd, unsigned long arg)
{
	long r = sk->ops->ioctl ? sk->ops->ioctl(sk, cmd, arg) : -ENOIOCTLCMD;

	if (r == -ENOIOCTLCMD && g_ioctl_hook)
		r = g_ioctl_hook(sk, cmd, arg);
	net_run();
	return r;
}

static long file_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	return sock_ioctl(f->priv, cmd, arg);
}

static void file_gone(struct file *f)
{
	struct sock *sk = f->priv;

	__atomic_fetch_sub(&g_in_use[sk->family], 1, __ATOMIC_RELAXED);
	spin_lock(&sk->lock);
	sk->file = NULL;
	sk->options |= 1u << SKO_DEAD;
	spin_unlock(&sk->lock);
	if (sk->ops->close)
		sk->ops->close(sk);
	put_sock(sk);
	net_run();
}

static int file_mmap(struct file *f, struct map_request *rq)
{
	struct sock *sk = f->priv;

	return sk->ops->mmap ? sk->ops->mmap(sk, rq) : -ENODEV;
}

static int file_fasync(struct file *f, struct fasync_list **l)
{
	*l = &((struct sock *)f->priv)->async;
	return 0;
}

static void file_fdinfo(struct file *f, struct seq_buf *s)
{
	struct sock *sk = f->priv;

	if (sk->ops->show_fdinfo)
		sk->ops->show_fdinfo(sk, s);
}

static const struct file_ops g_socket_fops = {
	.read = file_read,
	.write = file_write,
	.poll = file_poll,
	.ioctl = file_ioctl,
	.release = file_gone,
	.mmap = file_mmap,
	.fasync = file_fasync,
	.show_fdinfo = file_fdinfo,
};

struct sock *file_sock(struct file *f)
{
	return f->ops == &g_socket_fops ? f->priv : NULL;
}

struct file *sock_file(struct sock *sk, u32 o_flags)
{
	struct inode *inode = inode_alloc_anon(S_IFSOCK | 0777);
	struct file *f = NULL;

	if (inode) {
		f = file_from_inode(
			inode, "socket:", &g_socket_fops, O_RDWR | (o_flags & O_NONBLOCK));
		if (is_err(f)) {
			put_inode(inode);
			f = NULL;
		}
	}
	if (!f) { /* as if it had been there and was closed */
		if (sk->ops->close)
			sk->ops->close(sk);
		put_sock(sk);
		return err_ptr(-ENFILE);
	}
	__atomic_fetch_add(&g_in_use[sk->family], 1, __ATOMIC_RELAXED);
	f->priv = sk;
	f->mode |= FMODE_STREAM;
	sk->ino = inode->ino;
	spin_lock(&sk->lock);
	sk->file = f;
	spin_unlock(&sk->lock);
	return f;
}
