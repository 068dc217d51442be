/* SPDX-License-Identifier: MIT */
/* /proc/sys/net/ipv[46]/conf/DEV and neigh/DEV: linux-doc networking/ip-sysctl. */
#include "contract.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define LONGEST 200

static void path_of(char *path, const char *name)
{
	snprintf(path, LONGEST, "/proc/sys/net/%s", name);
}

static int get(const char *name)
{
	char path[LONGEST];

	path_of(path, name);
	return atoi(read_text(path));
}

/* 0, or the errno of writing it. */
static int set(const char *name, const char *text)
{
	char path[LONGEST];
	int fd, err = 0;

	path_of(path, name);
	fd = OK(open(path, O_WRONLY));
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err = errno;
	close(fd);
	return err;
}

static void put(const char *name, int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	CHECK_EQ(set(name, text), 0);
}

/* Can the machine still be reached by its own IPv6 address? */
static bool has_v6(void)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = OK(socket(AF_INET6, SOCK_DGRAM, 0));
	bool has = bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

	close(fd);
	return has;
}

static int entries(const char *name, const char *wanted)
{
	char path[LONGEST];
	struct dirent *e;
	int found = 0;
	DIR *d;

	path_of(path, name);
	d = opendir(path);
	CHECK(d != NULL);
	while ((e = readdir(d)))
		found += strcmp(e->d_name, wanted) == 0;
	closedir(d);
	return found;
}

TEST(each_interface_has_a_directory)
{
	struct stat st;

	CHECK_EQ(entries("ipv4/conf", "lo"), 1);
	CHECK_EQ(entries("ipv4/conf", "all"), 1);
	CHECK_EQ(entries("ipv4/conf", "default"), 1);
	CHECK_EQ(entries("ipv6/conf", "lo"), 1);
	CHECK_EQ(entries("ipv4/neigh", "lo"), 1);
	CHECK_EQ(entries("ipv4/neigh", "all"), 0);
	CHECK_EQ(entries("ipv6/neigh", "default"), 1);
	CHECK_EQ(entries("ipv4/conf/lo", "rp_filter"), 1);
	CHECK_EQ(entries("ipv4/neigh/lo", "gc_thresh1"), 0);
	CHECK_EQ(entries("ipv4/neigh/default", "gc_thresh1"), 1);
	OK(stat("/proc/sys/net/ipv4/conf/lo/rp_filter", &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0644);
	CHECK_ERR(stat("/proc/sys/net/ipv4/conf/nothing", &st), ENOENT);
	CHECK_ERR(stat("/proc/sys/net/ipv4/conf/lo/nothing", &st), ENOENT);
}

TEST(only_root_changes_them)
{
	become_user(1000, 1000);
	CHECK_ERR(open("/proc/sys/net/ipv4/conf/lo/rp_filter", O_WRONLY), EACCES);
	CHECK_EQ(get("ipv4/conf/lo/rp_filter") >= 0, 1);
}

TEST(an_interface_with_an_address_does_not_follow_the_default)
{
	int stale = get("ipv4/neigh/lo/gc_stale_time");

	put("ipv4/conf/default/arp_announce", 1);
	CHECK_EQ(get("ipv4/conf/lo/arp_announce"), 0);
	CHECK_EQ(get("ipv4/conf/default/arp_announce"), 1);
	put("ipv4/conf/default/arp_announce", 0);
	put("ipv4/conf/all/arp_announce", 1);
	CHECK_EQ(get("ipv4/conf/lo/arp_announce"), 0);
	put("ipv4/conf/all/arp_announce", 0);
	put("ipv4/neigh/default/gc_stale_time", stale + 17);
	CHECK_EQ(get("ipv4/neigh/lo/gc_stale_time"), stale);
	put("ipv4/neigh/default/gc_stale_time", stale);
}

TEST(the_default_of_ipv6_is_for_interfaces_to_come)
{
	int was = get("ipv6/conf/lo/hop_limit");

	put("ipv6/conf/default/hop_limit", 33);
	CHECK_EQ(get("ipv6/conf/lo/hop_limit"), was);
	put("ipv6/conf/default/hop_limit", 64);
}

TEST(forwarding_for_all_sets_each_interface)
{
	put("ipv4/conf/all/forwarding", 1);
	CHECK_EQ(get("ipv4/conf/lo/forwarding"), 1);
	CHECK_EQ(get("ipv4/conf/default/forwarding"), 1);
	CHECK_EQ(get("ipv4/ip_forward"), 1);
	put("ipv4/conf/lo/forwarding", 0);
	CHECK_EQ(get("ipv4/conf/all/forwarding"), 1);
	put("ipv4/ip_forward", 0);
	CHECK_EQ(get("ipv4/conf/all/forwarding"), 0);
	CHECK_EQ(get("ipv4/conf/default/forwarding"), 0);
	put("ipv6/conf/all/forwarding", 1);
	CHECK_EQ(get("ipv6/conf/lo/forwarding"), 1);
	put("ipv6/conf/default/forwarding", 0);
	CHECK_EQ(get("ipv6/conf/lo/forwarding"), 1);
	put("ipv6/conf/all/forwarding", 0);
	CHECK_EQ(get("ipv6/conf/lo/forwarding"), 0);
}

TEST(disable_ipv6_takes_the_addresses_away)
{
	CHECK(has_v6());
	put("ipv6/conf/lo/disable_ipv6", 1);
	CHECK(!has_v6());
	put("ipv6/conf/lo/disable_ipv6", 0);
	CHECK(has_v6());
	put("ipv6/conf/all/disable_ipv6", 1);
	CHECK_EQ(get("ipv6/conf/lo/disable_ipv6"), 1);
	CHECK_EQ(get("ipv6/conf/default/disable_ipv6"), 1);
	CHECK(!has_v6());
	put("ipv6/conf/all/disable_ipv6", 0);
	CHECK_EQ(get("ipv6/conf/lo/disable_ipv6"), 0);
	CHECK(has_v6());
}

TEST(values_out_of_range_are_refused)
{
	int hops = get("ipv6/conf/lo/hop_limit");

	CHECK_EQ(set("ipv6/conf/lo/hop_limit", "0"), EINVAL);
	CHECK_EQ(set("ipv6/conf/lo/hop_limit", "256"), EINVAL);
	CHECK_EQ(get("ipv6/conf/lo/hop_limit"), hops);
	CHECK_EQ(set("ipv6/conf/lo/mtu", "1279"), EINVAL);
	CHECK_EQ(set("ipv6/conf/lo/mtu", "65537"), EINVAL);
	CHECK_EQ(set("ipv6/conf/lo/mtu", "1280"), 0);
	CHECK_EQ(get("ipv6/conf/lo/mtu"), 1280);
	CHECK_EQ(set("ipv6/conf/lo/mtu", "65536"), 0);
	CHECK_EQ(set("ipv6/conf/lo/router_solicitations", "-2"), EINVAL);
	CHECK_EQ(set("ipv4/conf/lo/rp_filter", "x"), EINVAL);
	CHECK_EQ(set("ipv4/conf/lo/rp_filter", "4294967296"), EINVAL);
	CHECK_EQ(set("ipv4/neigh/lo/mcast_solicit", "-1"), EINVAL);
}

TEST(neighbour_times_have_two_units)
{
	put("ipv4/neigh/lo/base_reachable_time", 20);
	CHECK_EQ(get("ipv4/neigh/lo/base_reachable_time_ms"), 20000);
	put("ipv4/neigh/lo/base_reachable_time_ms", 40000);
	CHECK_EQ(get("ipv4/neigh/lo/base_reachable_time"), 40);
	put("ipv4/neigh/lo/base_reachable_time_ms", 30000);
}

TEST(hop_limit_is_what_packets_leave_with)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int in = OK(socket(AF_INET6, SOCK_DGRAM, 0)), out = OK(socket(AF_INET6, SOCK_DGRAM, 0));
	char control[64], byte;
	struct iovec v = {&byte, 1};
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 64};
	int one = 1, hops = -1;
	socklen_t len = sizeof(a);

	OK(bind(in, (struct sockaddr *)&a, sizeof(a)));
	OK(getsockname(in, (struct sockaddr *)&a, &len));
	OK(setsockopt(in, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof(one)));
	put("ipv6/conf/lo/hop_limit", 17);
	OK(sendto(out, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)));
	OK(recvmsg(in, &m, 0));
	put("ipv6/conf/lo/hop_limit", 64);
	CHECK(CMSG_FIRSTHDR(&m) != NULL);
	memcpy(&hops, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(hops));
	CHECK_EQ(hops, 17);
}
