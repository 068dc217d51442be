/* Days of the Gregorian calendar, counted from 1970-01-01. No locks, any context. */
#pragma once
#include <lib/types.h>

/* month 1..12; day from 1, may be behind the month's end. */
s64 calendar_days(s64 year, u32 month, u32 day);
void calendar_date(s64 days, s64 *year, u32 *month, u32 *day);
