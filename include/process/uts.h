/* What uname(2) says, and the kernel log as syslog(2) gives it. */
#ifndef PROCESS_UTS_H
#define PROCESS_UTS_H

#include <lib/types.h>
#include <linux/utsname.h>

#define UTS_RELEASE "6.1.0-aramid"
#define UTS_VERSION "#1 SMP Aramid " ARAMID_VERSION

/* A consistent copy of the names. */
void uts_get(struct new_utsname *u);
/* Host and domain name; len without the NUL, at most __NEW_UTS_LEN. Copied before it is seen. */
void uts_set_nodename(const char *name, size_t len);
void uts_set_domainname(const char *name, size_t len);

/* syslog(2) after the permission check. -EINVAL -EFAULT -ERESTARTSYS. May sleep (type 2). */
long syslog_action(int type, char __user *buf, int len) must_check;
/* May the current task use this type? kernel.dmesg_restrict applies to reading everything. */
int syslog_may(int type) must_check;
int syslog_may_read(
	void) must_check; /* what is in the log already: -EPERM with kernel.dmesg_restrict */
#define SYSLOG_OPEN 1
/* Type 2 (READ) as /proc/kmsg has it: unread lines, or -EAGAIN. */
struct iter;
ssize_t syslog_read(struct iter *to, bool nonblock) must_check;
bool syslog_unread(void);
/* Woken when the log has grown; not from every context, so sleepers look again from time to time. */
struct wait_queue *log_wait_queue(void);
extern int g_dmesg_restrict; /* kernel.dmesg_restrict; atomic */

#endif
