/*
 * The part of the socket ABI that the uapi headers leave to the C library: families, types, flags
 * of messages, msghdr and control messages. socket(2), recv(2), send(2), cmsg(3).
 */
#ifndef ABI_SOCKET_H
#define ABI_SOCKET_H

#include <asm/socket.h>
#include <linux/net.h>
#include <linux/socket.h>
#include <linux/time_types.h>
#include <linux/uio.h>

#define AF_UNSPEC         0
#define AF_UNIX           1
#define AF_INET           2
#define AF_INET6          10
#define AF_NETLINK        16
#define AF_PACKET         17
#define AF_MAX            46 /* one more than the last family */

#define SOCK_STREAM       1
#define SOCK_DGRAM        2
#define SOCK_RAW          3
#define SOCK_RDM          4
#define SOCK_SEQPACKET    5
#define SOCK_DCCP         6
#define SOCK_PACKET       10
#define SOCK_TYPES        11
#define SOCK_TYPE_MASK    0xf
#define SOCK_CLOEXEC      02000000
#define SOCK_NONBLOCK     04000

#define MSG_OOB           0x1u
#define MSG_PEEK          0x2u
#define MSG_DONTROUTE     0x4u
#define MSG_CTRUNC        0x8u
#define MSG_PROBE         0x10u
#define MSG_TRUNC         0x20u
#define MSG_DONTWAIT      0x40u
#define MSG_EOR           0x80u
#define MSG_WAITALL       0x100u
#define MSG_CONFIRM       0x800u
#define MSG_ERRQUEUE      0x2000u
#define MSG_NOSIGNAL      0x4000u
#define MSG_MORE          0x8000u
#define MSG_WAITFORONE    0x10000u
#define MSG_BATCH         0x40000u
#define MSG_ZEROCOPY      0x4000000u
#define MSG_FASTOPEN      0x20000000u
#define MSG_CMSG_CLOEXEC  0x40000000u

#define SHUT_RD           0
#define SHUT_WR           1
#define SHUT_RDWR         2

#define SOL_SOCKET_LEVEL  SOL_SOCKET
#define SOL_IP            0
#define SOL_TCP           6
#define SOL_UDP           17
#define SOL_IPV6          41
#define SOL_ICMPV6        58
#define SOL_RAW           255
#define SOL_PACKET        263
#define SOL_NETLINK       270

#define SCM_RIGHTS        1
#define SCM_CREDENTIALS   2
#define SCM_SECURITY      3
#define SCM_PIDFD         4

#define SOMAXCONN_DEFAULT 4096 /* net.core.somaxconn */

struct sockaddr {
	u16 sa_family;
	char sa_data[14];
};
typedef struct __kernel_sockaddr_storage sockaddr_storage_t;
#define SOCKADDR_MAX sizeof(struct __kernel_sockaddr_storage) /* 128 */

struct user_msghdr { /* struct msghdr, as programs pass it */
	void __user *msg_name;
	s32 msg_namelen;
	u32 pad0;
	struct iovec __user *msg_iov;
	u64 msg_iovlen;
	void __user *msg_control;
	u64 msg_controllen;
	u32 msg_flags;
	u32 pad1;
};
static_assert(sizeof(struct user_msghdr) == 56, "struct msghdr");

struct user_mmsghdr {
	struct user_msghdr msg_hdr;
	u32 msg_len;
	u32 pad;
};
static_assert(sizeof(struct user_mmsghdr) == 64, "struct mmsghdr");

struct cmsghdr {
	u64 cmsg_len;
	s32 cmsg_level;
	s32 cmsg_type;
};
#define CMSG_ALIGN(len) (((len) + 7) & ~7ul)
#define CMSG_LEN(len)   (sizeof(struct cmsghdr) + (len))
#define CMSG_SPACE(len) (sizeof(struct cmsghdr) + CMSG_ALIGN(len))

struct ucred {
	u32 pid, uid, gid;
};

struct linger {
	s32 l_onoff, l_linger; /* seconds */
};

#endif
