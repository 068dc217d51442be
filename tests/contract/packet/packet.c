/* SPDX-License-Identifier: MIT */
/* AF_PACKET over lo. */
#include "contract.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#define TYPE 0x88b5 /* for experiments */
#ifndef SOL_PACKET
#define SOL_PACKET 263
#endif

static int packet_socket(int type, int proto)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET, .sll_protocol = htons(proto), .sll_ifindex = 1};
	int fd = OK(socket(AF_PACKET, type, 0));

	OK(bind(fd, (void *)&ll, sizeof(ll)));
	return fd;
}

static void send_frame(const char *text, size_t n)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET,
		.sll_protocol = htons(TYPE),
		.sll_ifindex = 1,
		.sll_halen = 6};
	int fd = OK(socket(AF_PACKET, SOCK_DGRAM, 0));

	CHECK_EQ(sendto(fd, text, n, 0, (void *)&ll, sizeof(ll)), n);
	close(fd);
}

TEST(packet_sockets_need_a_privilege)
{
	become_user(1000, 1000);
	CHECK_ERR(socket(AF_PACKET, SOCK_RAW, 0), EPERM);
}

TEST(raw_and_datagram_only)
{
	CHECK_ERR(socket(AF_PACKET, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
}

TEST(a_datagram_socket_gets_the_payload_and_a_raw_one_the_header_too)
{
	int dgram = packet_socket(SOCK_DGRAM, TYPE), raw = packet_socket(SOCK_RAW, TYPE);
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	char buf[64];

	send_frame("hello", 5);
	CHECK_EQ(recvfrom(dgram, buf, sizeof(buf), MSG_DONTWAIT, (void *)&from, &len), 5);
	CHECK_EQ(memcmp(buf, "hello", 5), 0);
	CHECK_EQ(len, sizeof(from));
	CHECK_EQ(from.sll_family, AF_PACKET);
	CHECK_EQ(from.sll_protocol, htons(TYPE));
	CHECK_EQ(from.sll_ifindex, 1);
	CHECK_EQ(from.sll_hatype, 772);
	CHECK_EQ(from.sll_pkttype, PACKET_HOST);
	CHECK_EQ(from.sll_halen, 6);
	CHECK_EQ(recv(raw, buf, sizeof(buf), MSG_DONTWAIT), 19);
	CHECK_EQ(memcmp(buf, "\0\0\0\0\0\0\0\0\0\0\0\0\x88\xb5hello", 19), 0);
	CHECK_ERR(recv(raw, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}

TEST(a_socket_for_all_sees_what_leaves_and_what_comes)
{
	int fd = packet_socket(SOCK_DGRAM, ETH_P_ALL), on = 1;
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	char buf[64];

	send_frame("abc", 3);
	CHECK_EQ(recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (void *)&from, &len), 3);
	CHECK_EQ(from.sll_pkttype, PACKET_OUTGOING);
	CHECK_EQ(recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (void *)&from, &len), 3);
	CHECK_EQ(from.sll_pkttype, PACKET_HOST);
	OK(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)));
	send_frame("abc", 3);
	CHECK_EQ(recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (void *)&from, &len), 3);
	CHECK_EQ(from.sll_pkttype, PACKET_HOST);
	CHECK_ERR(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}

TEST(a_short_buffer_cuts_and_trunc_tells)
{
	int fd = packet_socket(SOCK_DGRAM, TYPE);
	char buf[4];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	send_frame("0123456789", 10);
	send_frame("0123456789", 10);
	CHECK_EQ(recv(fd, buf, sizeof(buf), MSG_PEEK), 4);
	CHECK_EQ(recvmsg(fd, &m, 0), 4);
	CHECK_EQ(m.msg_flags, MSG_TRUNC);
	CHECK_EQ(recv(fd, buf, sizeof(buf), MSG_TRUNC), 10);
}

TEST(a_filter_decides_and_cuts)
{
	/* Frames whose first byte is 'y', ten bytes of them. */
	struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'y', 0, 1), BPF_STMT(BPF_RET | BPF_K, 10),
		BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog prog = {4, code};
	int fd = packet_socket(SOCK_DGRAM, TYPE);
	char buf[64];

	OK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	send_frame("no, never", 9);
	send_frame("yes, and much longer", 20);
	CHECK_EQ(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), 10);
	CHECK_EQ(buf[0], 'y');
	CHECK_ERR(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}

TEST(auxiliary_data_tells_the_length_before_the_cut)
{
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, 6)};
	struct sock_fprog prog = {1, code};
	int fd = packet_socket(SOCK_DGRAM, TYPE), on = 1;
	char buf[64], control[256];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};

	OK(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)));
	OK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	send_frame("0123456789", 10);
	CHECK_EQ(recvmsg(fd, &m, MSG_DONTWAIT), 6);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	CHECK(c);
	CHECK_EQ(c->cmsg_level, SOL_PACKET);
	CHECK_EQ(c->cmsg_type, PACKET_AUXDATA);
	struct tpacket_auxdata *aux = (void *)CMSG_DATA(c);
	CHECK_EQ(aux->tp_len, 10);
	CHECK_EQ(aux->tp_snaplen, 6);
	CHECK(aux->tp_status & TP_STATUS_USER);
}

TEST(statistics_count_and_start_anew)
{
	int fd = packet_socket(SOCK_DGRAM, TYPE);
	struct tpacket_stats st;
	socklen_t len = sizeof(st);

	for (int i = 0; i < 3; i++)
		send_frame("x", 1);
	OK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len));
	CHECK_EQ(st.tp_packets, 3);
	CHECK_EQ(st.tp_drops, 0);
	OK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len));
	CHECK_EQ(st.tp_packets, 0);
}

TEST(what_does_not_fit_the_buffer_is_dropped_and_counted)
{
	int fd = packet_socket(SOCK_DGRAM, TYPE), size = 4096;
	struct tpacket_stats st;
	socklen_t len = sizeof(st);

	OK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
	for (int i = 0; i < 200; i++)
		send_frame("x", 1);
	OK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len));
	CHECK_EQ(st.tp_packets, 200);
	CHECK(st.tp_drops > 100 && st.tp_drops < 200);
}

TEST(names_and_errors_of_addresses)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_ifindex = 1}, got;
	socklen_t len = sizeof(got);
	int fd = OK(socket(AF_PACKET, SOCK_RAW, htons(TYPE)));
	char frame[14] = "";

	OK(getsockname(fd, (void *)&got, &len));
	CHECK_EQ(got.sll_ifindex, 0);
	CHECK_EQ(got.sll_protocol, htons(TYPE));
	CHECK_EQ(len, offsetof(struct sockaddr_ll, sll_addr));
	CHECK_ERR(getpeername(fd, (void *)&got, &len), EOPNOTSUPP);
	CHECK_ERR(bind(fd, (void *)&ll, sizeof(ll) - 1), EINVAL);
	ll.sll_ifindex = 99999;
	CHECK_ERR(bind(fd, (void *)&ll, sizeof(ll)), ENODEV);
	CHECK_ERR(sendto(fd, frame, 14, 0, (void *)&ll, sizeof(ll)), ENXIO);
	CHECK_ERR(send(fd, frame, 14, 0), ENXIO);
	ll.sll_ifindex = 1;
	OK(bind(fd, (void *)&ll, sizeof(ll)));
	len = sizeof(got);
	OK(getsockname(fd, (void *)&got, &len));
	CHECK_EQ(got.sll_ifindex, 1);
	CHECK_EQ(got.sll_halen, 6);
	CHECK_EQ(got.sll_hatype, 772);
	CHECK_EQ(len, offsetof(struct sockaddr_ll, sll_addr) + 6);
	CHECK_ERR(send(fd, frame, 13, 0), EINVAL);
	OK(send(fd, frame, 14, 0));
}

TEST(memberships_count)
{
	struct packet_mreq m = {.mr_ifindex = 1, .mr_type = PACKET_MR_PROMISC};
	int fd = packet_socket(SOCK_RAW, TYPE);

	OK(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof(m)));
	for (int i = 0; i < 2; i++)
		OK(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)));
	for (int i = 0; i < 2; i++)
		OK(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof(m)));
	OK(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof(m)));
	m.mr_ifindex = 99999;
	CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)), ENODEV);
	CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, 4), EINVAL);
}

static char *ring_of(int fd, int version, unsigned int frame_size, struct tpacket_req3 *q)
{
	*q = (struct tpacket_req3){.tp_block_size = 4096,
		.tp_block_nr = 4,
		.tp_frame_size = frame_size,
		.tp_frame_nr = 4 * (4096 / frame_size),
		.tp_retire_blk_tov = 20};
	OK(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)));
	OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, q,
		version == TPACKET_V3 ? sizeof(*q) : sizeof(struct tpacket_req)));
	char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	return p;
}

TEST(frames_arrive_in_a_mapped_ring)
{
	int fd = packet_socket(SOCK_RAW, TYPE);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct tpacket_req3 q;
	char *ring = ring_of(fd, TPACKET_V2, 2048, &q);

	CHECK_EQ(poll(&p, 1, 0), 0);
	for (int i = 0; i < 10; i++)
		send_frame(i == 9 ? "late" : "data", 4);
	CHECK_EQ(poll(&p, 1, 0), 1);
	for (int i = 0; i < 8; i++) {
		struct tpacket2_hdr *h = (void *)(ring + 2048 * i);
		struct sockaddr_ll *ll =
			(void *)((char *)h + TPACKET_ALIGN(sizeof(struct tpacket2_hdr)));

		CHECK(h->tp_status & TP_STATUS_USER);
		CHECK_EQ(h->tp_len, 18);
		CHECK_EQ(h->tp_snaplen, 18);
		CHECK_EQ(h->tp_net - h->tp_mac, 14);
		CHECK_EQ(memcmp((char *)h + h->tp_net, "data", 4), 0);
		CHECK_EQ(ll->sll_ifindex, 1);
		CHECK(h->tp_sec > 1000000000 || h->tp_sec > 0);
		h->tp_status = TP_STATUS_KERNEL;
	}
	send_frame("more", 4);
	struct tpacket2_hdr *h = (void *)ring;
	CHECK(h->tp_status & TP_STATUS_USER);
	CHECK_EQ(memcmp((char *)h + h->tp_net, "more", 4), 0);
	struct tpacket_stats st;
	socklen_t len = sizeof(st);
	OK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len));
	CHECK_EQ(st.tp_packets, 11);
	CHECK_EQ(st.tp_drops, 2);
}

/* Checks the frames of a block that was handed over: how many. */
static unsigned int frames_of(struct tpacket_block_desc *b, unsigned int seq)
{
	struct tpacket3_hdr *h = (void *)((char *)b + b->hdr.bh1.offset_to_first_pkt);
	unsigned int n = b->hdr.bh1.num_pkts;

	CHECK_EQ(b->hdr.bh1.seq_num, seq);
	for (unsigned int i = 0; i < n; i++) {
		CHECK_EQ(h->tp_snaplen, 5);
		CHECK_EQ(memcmp((char *)h + h->tp_mac, "abcde", 5), 0);
		CHECK_EQ(h->tp_next_offset == 0, i + 1 == n);
		h = (void *)((char *)h + h->tp_next_offset);
	}
	b->hdr.bh1.block_status = TP_STATUS_KERNEL;
	return n;
}

TEST(blocks_of_version_three_are_handed_over_after_their_time)
{
	int fd = packet_socket(SOCK_DGRAM, TYPE);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct tpacket_req3 q;
	char *ring = ring_of(fd, TPACKET_V3, 2048, &q);
	unsigned int got = 0, block = 0;

	for (int i = 0; i < 3; i++)
		send_frame("abcde", 5);
	while (got < 3) { /* a slow machine may need more than one block's time to send them */
		struct tpacket_block_desc *b = (void *)(ring + 4096 * (block % 4));

		while (!(*(volatile unsigned int *)&b->hdr.bh1.block_status & TP_STATUS_USER))
			CHECK_EQ(poll(&p, 1, 5000), 1);
		got += frames_of(b, ++block);
	}
	CHECK_EQ(got, 3);
}

TEST(rings_are_checked)
{
	int fd = packet_socket(SOCK_RAW, TYPE), v = TPACKET_V2, len_of = TPACKET_V2;
	struct tpacket_req q = {
		.tp_block_size = 1000, .tp_block_nr = 2, .tp_frame_size = 2048, .tp_frame_nr = 4};
	socklen_t len = sizeof(len_of);

	OK(getsockopt(fd, SOL_PACKET, PACKET_HDRLEN, &len_of, &len));
	CHECK_EQ(len_of, sizeof(struct tpacket2_hdr));
	OK(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &v, sizeof(v)));
	CHECK_ERR(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0, EINVAL);
	CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)), EINVAL);
	q.tp_block_size = 4096;
	q.tp_frame_nr = 5;
	CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)), EINVAL);
	q.tp_frame_nr = 4;
	CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &q, 8), EINVAL);
	OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)));
	CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &v, sizeof(v)), EBUSY);
	CHECK_ERR(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0, EINVAL);
	char *p = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	memset(&q, 0, sizeof(q));
	CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)), EBUSY);
	OK(munmap(p, 8192));
	OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)));
}

TEST(proc_shows_packet_sockets)
{
	int fd = packet_socket(SOCK_DGRAM, TYPE), type, index, running, found = 0;
	unsigned long ino, proto;
	struct stat st;
	char *line;

	OK(fstat(fd, &st));
	line = strchr(read_text("/proc/net/packet"), '\n');
	for (; line; line = strchr(line + 1, '\n'))
		if (sscanf(line + 1, "%*x %*d %d %lx %d %d %*u %*u %lu", &type, &proto, &index,
			    &running, &ino) == 5 &&
			ino == st.st_ino) {
			found++;
			CHECK_EQ(type, SOCK_DGRAM);
			CHECK_EQ(proto, TYPE);
			CHECK_EQ(index, 1);
			CHECK_EQ(running, 1);
		}
	CHECK_EQ(found, 1);
}
