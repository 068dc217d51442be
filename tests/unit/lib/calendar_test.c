#include "unit.h"
#include <lib/calendar.h>

/* Against day by day counting, from 0001-01-01. */
UNIT(calendar_counts_days_both_ways)
{
	static const u8 lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	s64 n = -719162, year;
	u32 month, day;

	for (s64 y = 1; y < 2500; y++) {
		bool leap = y % 4 == 0 && (y % 100 || y % 400 == 0);

		for (u32 m = 1; m <= 12; m++)
			for (u32 d = 1; d <= lengths[m - 1] + (u32)(leap && m == 2); d++, n++) {
				calendar_date(n, &year, &month, &day);
				if (!EXPECT(year == y && month == m && day == d) ||
					!EXPECT_EQ(calendar_days(y, m, d), n))
					return;
			}
	}
	EXPECT_EQ(calendar_days(1970, 1, 1), 0);
	EXPECT_EQ(calendar_days(2026, 12, 1), 20788);
}
