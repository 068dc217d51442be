/* March is the year's first month here, so that the leap day is its last. */
#include <lib/calendar.h>

#define DAYS_400_YEARS 146097
#define DAYS_TO_1970   719468 /* from 0000-03-01 */

static s64 floor_div(s64 a, s64 b)
{
	return a / b - (a % b < 0);
}

s64 calendar_days(s64 year, u32 month, u32 day)
{
	s64 y = month <= 2 ? year - 1 : year;
	u32 m = month <= 2 ? month + 9 : month - 3;

	return y * 365 + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) +
		(153 * m + 2) / 5 + day - 1 - DAYS_TO_1970;
}

void calendar_date(s64 days, s64 *year, u32 *month, u32 *day)
{
	s64 era = floor_div(days + DAYS_TO_1970, DAYS_400_YEARS);
	u32 in_era = (u32)(days + DAYS_TO_1970 - era * DAYS_400_YEARS);
	u32 y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	u32 in_year = in_era - (365 * y + y / 4 - y / 100);
	u32 m = (5 * in_year + 2) / 153;

	*day = in_year - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = era * 400 + y + (*month <= 2);
}
