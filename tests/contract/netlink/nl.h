/* SPDX-License-Identifier: MIT */
/* Netlink messages for the tests of this folder. */
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

struct nl_link_request {
	struct nlmsghdr h;
	struct ifinfomsg ifi;
	char attrs[256];
};

static inline int nl_open(int protocol)
{
	return OK(socket(AF_NETLINK, SOCK_RAW, protocol));
}

static inline void nl_link(
	struct nl_link_request *r, int type, int flags, unsigned int seq, int index)
{
	memset(r, 0, sizeof(*r));
	r->h.nlmsg_len = NLMSG_LENGTH(sizeof(r->ifi));
	r->h.nlmsg_type = type;
	r->h.nlmsg_flags = NLM_F_REQUEST | flags;
	r->h.nlmsg_seq = seq;
	r->ifi.ifi_index = index;
}

static inline void nl_attr(struct nl_link_request *r, int type, const void *data, size_t len)
{
	struct rtattr *a = (void *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + RTA_LENGTH(len);
}

/* Send r, take one answer: its length. */
static inline ssize_t nl_ask(int fd, struct nl_link_request *r, void *buf, size_t size)
{
	CHECK_EQ(send(fd, r, r->h.nlmsg_len, 0), r->h.nlmsg_len);
	return OK(recv(fd, buf, size, MSG_DONTWAIT));
}

/* The answer must be an acknowledgement: its error. */
static inline int nl_error(const void *buf)
{
	const struct nlmsghdr *h = buf;

	CHECK_EQ(h->nlmsg_type, NLMSG_ERROR);
	return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
}

static inline const struct rtattr *nl_find(const struct nlmsghdr *h, size_t head, int type)
{
	const struct rtattr *a = (void *)((char *)NLMSG_DATA(h) + NLMSG_ALIGN(head));
	int left = (int)(h->nlmsg_len - NLMSG_LENGTH(head));

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
	return NULL;
}
