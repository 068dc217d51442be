/* The battery-backed clock (MC146818), read once at boot for the wall time. */
#include "x86.h"

#define RTC_INDEX   0x70
#define RTC_DATA    0x71
#define RTC_NMI_OFF 0x80
#define STATUS_A    0x0a
#define STATUS_B    0x0b
#define A_UPDATING  0x80
#define B_24_HOURS  0x02
#define B_BINARY    0x04
#define TRIES       50000 /* an update takes 2 ms; a read about 1 us */

static u8 rtc_read(u8 reg)
{
	outb(RTC_INDEX, reg | RTC_NMI_OFF);
	return inb(RTC_DATA);
}

struct rtc_time {
	u8 sec, min, hour, day, month, year, century;
};

static struct rtc_time read_all(void)
{
	return (struct rtc_time){rtc_read(0), rtc_read(2), rtc_read(4), rtc_read(7), rtc_read(8),
		rtc_read(9), rtc_read(0x32)};
}

static bool same(const struct rtc_time *a, const struct rtc_time *b)
{
	return !__builtin_memcmp(a, b, sizeof(*a));
}

static u32 number(u8 v, bool binary)
{
	return binary ? v : (v >> 4) * 10u + (v & 15u);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar; March is the year's first month here,
 * so that the leap day is its last. */
static s64 days_since_1970(s64 year, u32 month, u32 day)
{
	s64 y = month <= 2 ? year - 1 : year;
	u32 m = month <= 2 ? month + 9 : month - 3;

	return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

s64 arch_rtc_seconds(void)
{
	struct rtc_time a, b;
	bool binary, pm, ok = false;
	u32 hour, year;
	u8 mode;

	for (int i = 0; i < TRIES && !ok; i++) {
		if (rtc_read(STATUS_A) & A_UPDATING)
			continue;
		a = read_all();
		b = read_all();
		ok = same(&a, &b);
	}
	if (!ok)
		return 0;
	mode = rtc_read(STATUS_B);
	binary = mode & B_BINARY;
	pm = !(mode & B_24_HOURS) && (a.hour & 0x80);
	hour = number(a.hour & 0x7f, binary);
	if (!(mode & B_24_HOURS))
		hour = hour % 12 + (pm ? 12 : 0);
	year = number(a.year, binary);
	year += a.century >= 0x19 && a.century <= 0x21 ? number(a.century, false) * 100
		: year < 70                            ? 2000
						       : 1900;
	if (number(a.month, binary) - 1 > 11 || number(a.day, binary) - 1 > 30)
		return 0;
	return ((days_since_1970(year, number(a.month, binary), number(a.day, binary)) * 24 +
			hour) * 60 +
		       number(a.min, binary)) *
		60 +
		number(a.sec, binary);
}
