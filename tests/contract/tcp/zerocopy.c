/* SPDX-License-Identifier: MIT */
/* MSG_ZEROCOPY: linux-doc's networking/msg_zerocopy. */
#include "contract.h"
#include "tcp.h"
#include <linux/errqueue.h>

/* The next notice: its range; the program's memory is its own again. */
static void notice(int s, unsigned int from, unsigned int to)
{
	char control[128];
	struct msghdr m = {.msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	struct sock_extended_err *e;
	struct pollfd p = {.fd = s};

	CHECK_EQ(poll(&p, 1, 20000), 1);
	CHECK_EQ(p.revents & POLLERR, POLLERR);
	CHECK_EQ(recvmsg(s, &m, MSG_ERRQUEUE | MSG_DONTWAIT), 0);
	CHECK_EQ(m.msg_flags & MSG_ERRQUEUE, MSG_ERRQUEUE);
	c = CMSG_FIRSTHDR(&m);
	CHECK(c != NULL);
	CHECK_EQ(c->cmsg_level, SOL_IP);
	CHECK_EQ(c->cmsg_type, IP_RECVERR);
	e = (void *)CMSG_DATA(c);
	CHECK_EQ(e->ee_errno, 0);
	CHECK_EQ(e->ee_origin, SO_EE_ORIGIN_ZEROCOPY);
	CHECK_EQ(e->ee_info, from);
	CHECK_EQ(e->ee_data, to);
	/* On loopback the data is copied after all. */
	CHECK_EQ(e->ee_code, SO_EE_CODE_ZEROCOPY_COPIED);
}

TEST(each_send_is_told_when_its_memory_is_free)
{
	int end[2], on = 1;
	static char out[20000], in[20000];

	tcp_lo_up();
	tcp_pair(AF_INET, end);
	OK(setsockopt(end[0], SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)));
	memset(out, 'z', sizeof(out));
	for (unsigned int i = 0; i < 3; i++) {
		CHECK_EQ(send(end[0], out, sizeof(out), MSG_ZEROCOPY), sizeof(out));
		CHECK_EQ(recv(end[1], in, sizeof(in), MSG_WAITALL), sizeof(in));
		CHECK_EQ(memcmp(in, out, sizeof(in)), 0);
		notice(end[0], i, i);
	}
}

TEST(notices_that_follow_each_other_are_one)
{
	int end[2], on = 1;
	static char out[1000], in[4000];

	tcp_lo_up();
	tcp_pair(AF_INET, end);
	OK(setsockopt(end[0], SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)));
	for (int i = 0; i < 4; i++)
		CHECK_EQ(send(end[0], out, sizeof(out), MSG_ZEROCOPY), sizeof(out));
	CHECK_EQ(recv(end[1], in, sizeof(in), MSG_WAITALL), sizeof(in));
	sleep_ns(50 * MSEC); /* the ACKs */
	notice(end[0], 0, 3);
	CHECK_ERR(recv(end[0], in, 1, MSG_ERRQUEUE | MSG_DONTWAIT), EAGAIN);
}

TEST(without_the_option_the_flag_does_nothing)
{
	int end[2];
	char c;

	tcp_lo_up();
	tcp_pair(AF_INET, end);
	CHECK_EQ(send(end[0], "x", 1, MSG_ZEROCOPY), 1);
	CHECK_EQ(recv(end[1], &c, 1, 0), 1);
	CHECK_ERR(recv(end[0], &c, 1, MSG_ERRQUEUE | MSG_DONTWAIT), EAGAIN);
}
