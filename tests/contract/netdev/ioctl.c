/* SPDX-License-Identifier: MIT */
/* The ioctls of interfaces, and what /proc and /sys say of lo. */
#include "contract.h"
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/socket.h>

static struct ifreq lo(void)
{
	struct ifreq r;

	memset(&r, 0, sizeof(r));
	strcpy(r.ifr_name, "lo");
	return r;
}

static int any_socket(void)
{
	return OK(socket(AF_UNIX, SOCK_DGRAM, 0));
}

TEST(any_socket_answers_for_interfaces)
{
	struct ifreq r = lo();
	int fd = any_socket();

	OK(ioctl(fd, SIOCGIFINDEX, &r));
	CHECK_EQ(r.ifr_ifindex, 1);
	memset(r.ifr_name, 'x', sizeof(r.ifr_name));
	OK(ioctl(fd, SIOCGIFNAME, &r));
	CHECK_STR(r.ifr_name, "lo");
	r.ifr_ifindex = 99999;
	CHECK_ERR(ioctl(fd, SIOCGIFNAME, &r), ENODEV);
	OK(ioctl(fd, SIOCGIFFLAGS, (r = lo(), &r)));
	CHECK(r.ifr_flags & IFF_LOOPBACK);
	CHECK(r.ifr_flags & IFF_UP);
	CHECK(r.ifr_flags & IFF_RUNNING);
	OK(ioctl(fd, SIOCGIFMTU, (r = lo(), &r)));
	CHECK_EQ(r.ifr_mtu, 65536);
	OK(ioctl(fd, SIOCGIFTXQLEN, (r = lo(), &r)));
	CHECK_EQ(r.ifr_qlen, 1000);
	OK(ioctl(fd, SIOCGIFHWADDR, (r = lo(), &r)));
	CHECK_EQ(r.ifr_hwaddr.sa_family, 772);
	OK(ioctl(fd, SIOCGIFMETRIC, (r = lo(), &r)));
	CHECK_EQ(r.ifr_metric, 0);
	strcpy(r.ifr_name, "nothing");
	CHECK_ERR(ioctl(fd, SIOCGIFINDEX, &r), ENODEV);
	CHECK_ERR(ioctl(fd, SIOCGIFINDEX, NULL), EFAULT);
	CHECK_ERR(ioctl(fd, 0x8900 + 0x7f, &r), ENOTTY);
}

TEST(only_the_privileged_change_interfaces)
{
	struct ifreq r = lo();
	int fd = any_socket();

	become_user(1000, 1000);
	r.ifr_mtu = 1500;
	CHECK_ERR(ioctl(fd, SIOCSIFMTU, &r), EPERM);
	r.ifr_flags = 0;
	CHECK_ERR(ioctl(fd, SIOCSIFFLAGS, &r), EPERM);
	OK(ioctl(fd, SIOCGIFMTU, &r));
	CHECK_EQ(r.ifr_mtu, 65536);
}

TEST(changes_are_applied)
{
	struct ifreq r = lo();
	int fd = any_socket();

	r.ifr_mtu = 2000;
	OK(ioctl(fd, SIOCSIFMTU, &r));
	OK(ioctl(fd, SIOCGIFMTU, &r));
	CHECK_EQ(r.ifr_mtu, 2000);
	r.ifr_mtu = 65536;
	OK(ioctl(fd, SIOCSIFMTU, &r));
	r.ifr_mtu = -1;
	CHECK_ERR(ioctl(fd, SIOCSIFMTU, &r), EINVAL);
	strcpy(r.ifr_newname, "other");
	CHECK_ERR(ioctl(fd, SIOCSIFNAME, &r), EBUSY); /* it is up */
	OK(ioctl(fd, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_PROMISC;
	OK(ioctl(fd, SIOCSIFFLAGS, &r));
	OK(ioctl(fd, SIOCGIFFLAGS, &r));
	CHECK(r.ifr_flags & IFF_PROMISC);
	r.ifr_flags &= ~IFF_PROMISC;
	OK(ioctl(fd, SIOCSIFFLAGS, &r));
}

TEST(the_link_is_up_says_ethtool)
{
	struct ethtool_value v = {.cmd = ETHTOOL_GLINK};
	struct ifreq r = lo();
	int fd = any_socket();

	r.ifr_data = (void *)&v;
	OK(ioctl(fd, SIOCETHTOOL, &r));
	CHECK_EQ(v.data, 1);
	r.ifr_data = NULL;
	CHECK_ERR(ioctl(fd, SIOCETHTOOL, &r), EFAULT);
}

static void text_of(const char *path, char *buf, size_t size)
{
	int fd = OK(open(path, O_RDONLY));
	ssize_t n = OK(read(fd, buf, size - 1));

	buf[n] = 0;
	close(fd);
}

TEST(sysfs_shows_the_interface)
{
	char buf[256], link[256] = "";

	text_of("/sys/class/net/lo/mtu", buf, sizeof(buf));
	CHECK_STR(buf, "65536\n");
	text_of("/sys/class/net/lo/address", buf, sizeof(buf));
	CHECK_STR(buf, "00:00:00:00:00:00\n");
	text_of("/sys/class/net/lo/ifindex", buf, sizeof(buf));
	CHECK_STR(buf, "1\n");
	text_of("/sys/class/net/lo/operstate", buf, sizeof(buf));
	CHECK_STR(buf, "unknown\n");
	text_of("/sys/class/net/lo/carrier", buf, sizeof(buf));
	CHECK_STR(buf, "1\n");
	text_of("/sys/class/net/lo/type", buf, sizeof(buf));
	CHECK_STR(buf, "772\n");
	text_of("/sys/class/net/lo/flags", buf, sizeof(buf));
	CHECK_STR(buf, "0x9\n");
	text_of("/sys/class/net/lo/uevent", buf, sizeof(buf));
	CHECK_STR(buf, "INTERFACE=lo\nIFINDEX=1\n");
	text_of("/sys/class/net/lo/statistics/rx_errors", buf, sizeof(buf));
	CHECK_STR(buf, "0\n");
	OK(readlink("/sys/class/net/lo", link, sizeof(link) - 1));
	CHECK_STR(link, "../../devices/virtual/net/lo");
	int fd = OK(open("/sys/class/net/lo/duplex", O_RDONLY));
	CHECK_ERR(read(fd, buf, sizeof(buf)), EINVAL);
}

TEST(proc_net_dev_has_a_line_for_it)
{
	char buf[4096];
	static const char head[] =
		"Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets "
		"errs drop fifo colls carrier compressed\n    lo:";

	text_of("/proc/net/dev", buf, sizeof(buf));
	CHECK_EQ(memcmp(buf, head, sizeof(head) - 1), 0);
}
