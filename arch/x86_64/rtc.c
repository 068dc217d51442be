/* The battery-backed clock (MC146818): read at boot for the wall time, read and set by /dev/rtc0. */
#include <lib/calendar.h>
#include "x86.h"

#define RTC_INDEX   0x70
#define RTC_DATA    0x71
#define RTC_NMI_OFF 0x80
#define STATUS_A    0x0a
#define STATUS_B    0x0b
#define A_UPDATING  0x80
#define CENTURY     0x32
#define B_24_HOURS  0x02
#define B_BINARY    0x04
#define B_SET       0x80  /* no updates while it is being set */
#define TRIES       50000 /* an update takes 2 ms; a read about 1 us */

static u8 rtc_read(u8 reg)
{
	outb(RTC_INDEX, reg | RTC_NMI_OFF);
	return inb(RTC_DATA);
}

static void rtc_write(u8 reg, u8 v)
{
	outb(RTC_INDEX, reg | RTC_NMI_OFF);
	outb(RTC_DATA, v);
}

struct rtc_time {
	u8 sec, min, hour, day, month, year, century;
};

static struct rtc_time read_all(void)
{
	return (struct rtc_time){rtc_read(0), rtc_read(2), rtc_read(4), rtc_read(7), rtc_read(8),
		rtc_read(9), rtc_read(CENTURY)};
}

static bool same(const struct rtc_time *a, const struct rtc_time *b)
{
	return !__builtin_memcmp(a, b, sizeof(*a));
}

static u32 number(u8 v, bool binary)
{
	return binary ? v : (v >> 4) * 10u + (v & 15u);
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
	return ((calendar_days(year, number(a.month, binary), number(a.day, binary)) * 24 + hour) *
			       60 +
		       number(a.min, binary)) *
		60 +
		number(a.sec, binary);
}

static u8 digits(u32 v, bool binary)
{
	return (u8)(binary ? v : v / 10 << 4 | v % 10);
}

void arch_rtc_set(s64 seconds)
{
	u8 mode = rtc_read(STATUS_B);
	bool binary = mode & B_BINARY;
	u32 rest = (u32)(seconds % 86400), hour = rest / 3600, month, day;
	u8 pm = 0;
	s64 year;

	calendar_date(seconds / 86400, &year, &month, &day);
	if (!(mode & B_24_HOURS)) {
		pm = hour >= 12 ? 0x80 : 0;
		hour = hour % 12 ?: 12;
	}
	rtc_write(STATUS_B, mode | B_SET);
	rtc_write(0, digits(rest % 60, binary));
	rtc_write(2, digits(rest / 60 % 60, binary));
	rtc_write(4, digits(hour, binary) | pm);
	rtc_write(6, (u8)((seconds / 86400 + 4) % 7 + 1)); /* Sunday is 1 */
	rtc_write(7, digits(day, binary));
	rtc_write(8, digits(month, binary));
	rtc_write(9, digits((u32)(year % 100), binary));
	rtc_write(CENTURY, digits((u32)(year / 100), false));
	rtc_write(STATUS_B, mode);
}
