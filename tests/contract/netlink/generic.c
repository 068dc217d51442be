/* SPDX-License-Identifier: MIT */
/* Generic netlink's controller, and sock_diag's dispatcher. */
#include "contract.h"
#include "nl.h"
#include <linux/genetlink.h>
#include <linux/sock_diag.h>

struct genl_request {
	struct nlmsghdr h;
	struct genlmsghdr g;
	char attrs[64];
};

static void ctrl(struct genl_request *r, const char *name)
{
	struct rtattr *a = (void *)r->attrs;

	memset(r, 0, sizeof(*r));
	r->h.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	r->h.nlmsg_type = GENL_ID_CTRL;
	r->h.nlmsg_flags = NLM_F_REQUEST;
	r->g.cmd = CTRL_CMD_GETFAMILY;
	r->g.version = 1;
	if (name) {
		a->rta_type = CTRL_ATTR_FAMILY_NAME;
		a->rta_len = RTA_LENGTH(strlen(name) + 1);
		strcpy(RTA_DATA(a), name);
		r->h.nlmsg_len += RTA_ALIGN(a->rta_len);
	}
}

TEST(the_controller_knows_itself_by_name)
{
	int fd = nl_open(NETLINK_GENERIC);
	struct genl_request r;
	char buf[8192];
	struct nlmsghdr *h = (void *)buf;
	const struct rtattr *a;

	ctrl(&r, "nlctrl");
	OK(send(fd, &r, r.h.nlmsg_len, 0));
	OK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_EQ(h->nlmsg_type, GENL_ID_CTRL);
	a = nl_find(h, GENL_HDRLEN, CTRL_ATTR_FAMILY_ID);
	CHECK_EQ(*(uint16_t *)RTA_DATA(a), GENL_ID_CTRL);
	CHECK(nl_find(h, GENL_HDRLEN, CTRL_ATTR_MCAST_GROUPS));
	CHECK(nl_find(h, GENL_HDRLEN, CTRL_ATTR_OPS));
}

TEST(unknown_families_and_commands_have_their_errors)
{
	int fd = nl_open(NETLINK_GENERIC);
	struct genl_request r;
	char buf[8192];

	ctrl(&r, "no-such-family");
	OK(send(fd, &r, r.h.nlmsg_len, 0));
	OK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_EQ(nl_error(buf), -ENOENT);
	ctrl(&r, NULL);
	OK(send(fd, &r, r.h.nlmsg_len, 0));
	OK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_EQ(nl_error(buf), -EINVAL);
	ctrl(&r, NULL);
	r.g.cmd = 200;
	OK(send(fd, &r, r.h.nlmsg_len, 0));
	OK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_EQ(nl_error(buf), -EOPNOTSUPP);
	ctrl(&r, NULL);
	r.h.nlmsg_type = 1000;
	OK(send(fd, &r, r.h.nlmsg_len, 0));
	OK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_EQ(nl_error(buf), -ENOENT);
}

TEST(sock_diag_of_a_family_without_it_is_enoent)
{
	struct {
		struct nlmsghdr h;
		struct sock_diag_req d;
	} r = {{sizeof(r), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {AF_AX25, 0}};
	int fd = nl_open(NETLINK_SOCK_DIAG);
	char buf[8192];

	OK(send(fd, &r, sizeof(r), 0));
	OK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_EQ(nl_error(buf), -ENOENT);
	r.d.sdiag_family = 255;
	OK(send(fd, &r, sizeof(r), 0));
	OK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_EQ(nl_error(buf), -EINVAL);
}
