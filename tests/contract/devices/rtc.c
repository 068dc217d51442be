/* SPDX-License-Identifier: MIT */
/* The machine's clock, as hwclock reads and sets it. */
#include "contract.h"
#include <linux/rtc.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <time.h>

static int rtc_open(void)
{
	int fd = open("/dev/rtc0", O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		skip_test("this machine has no such clock");
	return OK(fd);
}

static time_t rtc_seconds(int fd)
{
	struct rtc_time t;
	struct tm tm = {};

	OK(ioctl(fd, RTC_RD_TIME, &t));
	tm.tm_sec = t.tm_sec;
	tm.tm_min = t.tm_min;
	tm.tm_hour = t.tm_hour;
	tm.tm_mday = t.tm_mday;
	tm.tm_mon = t.tm_mon;
	tm.tm_year = t.tm_year;
	return timegm(&tm);
}

static void rtc_set(int fd, time_t at)
{
	struct tm tm;

	CHECK(gmtime_r(&at, &tm));
	struct rtc_time t = {.tm_sec = tm.tm_sec,
		.tm_min = tm.tm_min,
		.tm_hour = tm.tm_hour,
		.tm_mday = tm.tm_mday,
		.tm_mon = tm.tm_mon,
		.tm_year = tm.tm_year};
	OK(ioctl(fd, RTC_SET_TIME, &t));
}

TEST(the_clock_is_read_and_set)
{
	/* The ends of leap years, centuries and the day. */
	static const time_t times[] = {
		951782399, 951868799, 1709164799, 4102444799 - 86400, 1735689599, 1750000000};
	int fd = rtc_open();
	time_t was = rtc_seconds(fd), began = time(NULL);

	CHECK(labs((long)(was - began)) < 30);
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		rtc_set(fd, times[i]);
		time_t now = rtc_seconds(fd);
		CHECK(now >= times[i] && now <= times[i] + 30);
	}
	rtc_set(fd, was + time(NULL) - began);
	CHECK(labs((long)(time(NULL) - rtc_seconds(fd))) < 30);
	close(fd);
}

TEST(the_clock_refuses_what_is_no_time)
{
	struct rtc_time good, t;
	int fd = rtc_open();

	OK(ioctl(fd, RTC_RD_TIME, &good));
	CHECK(good.tm_wday >= 0 && good.tm_wday < 7);
	t = good, t.tm_mon = 12;
	CHECK_ERR(ioctl(fd, RTC_SET_TIME, &t), EINVAL);
	t = good, t.tm_mon = 3, t.tm_mday = 31;
	CHECK_ERR(ioctl(fd, RTC_SET_TIME, &t), EINVAL);
	t = good, t.tm_mday = 0;
	CHECK_ERR(ioctl(fd, RTC_SET_TIME, &t), EINVAL);
	t = good, t.tm_hour = 24;
	CHECK_ERR(ioctl(fd, RTC_SET_TIME, &t), EINVAL);
	t = good, t.tm_sec = -1;
	CHECK_ERR(ioctl(fd, RTC_SET_TIME, &t), EINVAL);
	t = good, t.tm_year = 69;
	CHECK_ERR(ioctl(fd, RTC_SET_TIME, &t), EINVAL);
	CHECK_ERR(ioctl(fd, RTC_SET_TIME, (void *)8), EFAULT);
	CHECK_ERR(ioctl(fd, RTC_RD_TIME, (void *)8), EFAULT);
	CHECK_ERR(ioctl(fd, _IO('p', 0x7f), 0), ENOTTY);
	close(fd);
}

TEST(the_clock_has_one_user_at_a_time)
{
	char c[8];
	int fd = rtc_open();
	struct pollfd p = {.fd = fd, .events = POLLIN};

	CHECK_ERR(open("/dev/rtc0", O_RDONLY), EBUSY);
	OK(fcntl(fd, F_SETFL, O_NONBLOCK));
	CHECK_ERR(read(fd, c, 2), EINVAL);
	CHECK_ERR(read(fd, c, sizeof(c)), EAGAIN);
	CHECK_EQ(poll(&p, 1, 0), 0);
	close(fd);
	fd = OK(open("/dev/rtc0", O_RDONLY));
	close(fd);
}
