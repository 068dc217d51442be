/* The log's parts: ring (log.c) and consoles (console.c). */
#ifndef KERNEL_CORE_LOG_H
#define KERNEL_CORE_LOG_H

#define LOG_TEXT_MAX 976 /* struct log_record */

void log_vprint(int level, const char *fmt, va_list ap);
/* Would log_read deliver (or skip) something from seq on? */
bool log_ready(u64 seq);
/* Bring the consoles up to date unless somebody is at it; force: take them over (panic). */
void log_flush_consoles(bool force);

#endif
