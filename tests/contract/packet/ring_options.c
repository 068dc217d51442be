/* SPDX-License-Identifier: MIT */
/* Options of AF_PACKET that change what a ring's frames carry. */
#include "contract.h"
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <sys/socket.h>

#define TYPE       0x88b6 /* for experiments */
#define FRAME_SIZE 512u
#define FRAMES     8u
#ifndef SOL_PACKET
#define SOL_PACKET 263
#endif

static int packet_socket(int type)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET, .sll_protocol = htons(TYPE), .sll_ifindex = 1};
	int fd = OK(socket(AF_PACKET, type, 0));

	OK(bind(fd, (void *)&ll, sizeof(ll)));
	return fd;
}

static void send_frame(const void *data, size_t n)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET,
		.sll_protocol = htons(TYPE),
		.sll_ifindex = 1,
		.sll_halen = 6};
	int fd = OK(socket(AF_PACKET, SOCK_DGRAM, 0));

	CHECK_EQ(sendto(fd, data, n, 0, (void *)&ll, sizeof(ll)), n);
	close(fd);
}

static void set(int fd, int name, int v)
{
	OK(setsockopt(fd, SOL_PACKET, name, &v, sizeof(v)));
}

/* A ring of version 2: its frames are FRAME_SIZE apart. */
static char *ring_of(int fd)
{
	struct tpacket_req q = {.tp_block_size = 4096,
		.tp_block_nr = 1,
		.tp_frame_size = FRAME_SIZE,
		.tp_frame_nr = FRAMES};
	char *p;

	set(fd, PACKET_VERSION, TPACKET_V2);
	OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	return p;
}

static struct tpacket2_hdr *frame(char *ring, unsigned int i)
{
	return (void *)(ring + FRAME_SIZE * i);
}

TEST(what_a_ring_cuts_can_be_read_whole_with_a_copy_threshold)
{
	int fd = packet_socket(SOCK_RAW);
	char data[1000], buf[2000], *ring;
	struct tpacket2_hdr *h;

	memset(data, 'x', sizeof(data));
	data[999] = 'z';
	ring = ring_of(fd);
	send_frame(data, sizeof(data));
	h = frame(ring, 0);
	CHECK(h->tp_status & TP_STATUS_USER);
	CHECK_EQ(h->tp_status & TP_STATUS_COPY, 0);
	CHECK_EQ(h->tp_len, 1014);
	CHECK_EQ(h->tp_snaplen, FRAME_SIZE - h->tp_mac);
	CHECK_ERR(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);

	set(fd, PACKET_COPY_THRESH, 1);
	send_frame(data, sizeof(data));
	send_frame("short", 5);
	h = frame(ring, 1);
	CHECK_EQ(h->tp_status & (TP_STATUS_USER | TP_STATUS_COPY), TP_STATUS_USER | TP_STATUS_COPY);
	CHECK_EQ(h->tp_snaplen, FRAME_SIZE - h->tp_mac);
	CHECK_EQ(frame(ring, 2)->tp_status & (TP_STATUS_USER | TP_STATUS_COPY), TP_STATUS_USER);
	CHECK_EQ(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), 1014);
	CHECK_EQ(buf[1013], 'z');
	CHECK_ERR(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}

TEST(copies_beside_a_ring_are_bounded_by_the_receive_buffer)
{
	int fd = packet_socket(SOCK_RAW), size = 1, copies = 0, read = 0;
	char data[1000] = {0}, buf[2000], *ring;

	OK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
	set(fd, PACKET_COPY_THRESH, 1);
	ring = ring_of(fd);
	for (unsigned int i = 0; i < FRAMES; i++) {
		send_frame(data, sizeof(data));
		CHECK(frame(ring, i)->tp_status & TP_STATUS_USER);
		copies += (frame(ring, i)->tp_status & TP_STATUS_COPY) != 0;
	}
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		read++;
	CHECK_EQ(read, copies);
	CHECK(copies >= 1 && copies < (int)FRAMES);
}

/* Hardware has its say only where there is a clock in it; lo has none. */
TEST(a_ring_tells_whose_clock_a_frames_time_is_of)
{
	static const int asked[] = {
		0, SOF_TIMESTAMPING_SOFTWARE, SOF_TIMESTAMPING_RAW_HARDWARE, 1 << 30};
	int fd = packet_socket(SOCK_RAW), on = 1, ear = packet_socket(SOCK_RAW);
	char *ring = ring_of(fd);

	/* Somebody wants times, so each packet has one when it comes. */
	OK(setsockopt(ear, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)));
	for (unsigned int i = 0; i < 4; i++) {
		set(fd, PACKET_TIMESTAMP, asked[i]);
		send_frame("abc", 3);
		CHECK_EQ(frame(ring, i)->tp_status & TP_STATUS_USER, TP_STATUS_USER);
		CHECK_EQ(frame(ring, i)->tp_status & TP_STATUS_TS_RAW_HARDWARE, 0);
		CHECK_EQ(frame(ring, i)->tp_status & TP_STATUS_TS_SOFTWARE, TP_STATUS_TS_SOFTWARE);
	}
}

TEST(options_are_read_back_or_unknown)
{
	int fd = packet_socket(SOCK_RAW), v = 0;
	socklen_t len = sizeof(v);

	set(fd, PACKET_TIMESTAMP, SOF_TIMESTAMPING_SOFTWARE);
	OK(getsockopt(fd, SOL_PACKET, PACKET_TIMESTAMP, &v, &len));
	CHECK_EQ(v, SOF_TIMESTAMPING_SOFTWARE);
	set(fd, PACKET_ORIGDEV, 7);
	OK(getsockopt(fd, SOL_PACKET, PACKET_ORIGDEV, &v, &len));
	CHECK_EQ(v, 1);
	CHECK_ERR(getsockopt(fd, SOL_PACKET, PACKET_COPY_THRESH, &v, &len), ENOPROTOOPT);
}

/* Where interfaces don't stand on others, both are the same. */
TEST(the_original_device_of_a_plain_interface_is_itself)
{
	int fd = packet_socket(SOCK_RAW);
	struct sockaddr_ll from;
	char buf[64];

	for (int on = 0; on < 2; on++) {
		socklen_t len = sizeof(from);

		set(fd, PACKET_ORIGDEV, on);
		send_frame("abc", 3);
		CHECK_EQ(recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (void *)&from, &len), 17);
		CHECK_EQ(from.sll_ifindex, 1);
	}
}
