/*
 * Counters for leak tests (/proc/aramid/counters): lines "name value". Before they are read,
 * deferred work is brought to an end, so that equal states give equal numbers.
 */
#ifndef CORE_COUNTERS_H
#define CORE_COUNTERS_H

struct seq_buf;

/* show prints its lines; name orders nothing, it is for debugging. At init. -ENOSPC. */
int counters_register(const char *name, void (*show)(struct seq_buf *s)) must_check;
/* fn finishes work that was put off (RCU callbacks, work queues, per-CPU lists); sleeps. Run in the
 * order of order, twice. -ENOSPC. */
int counters_add_quiesce(int order, void (*fn)(void)) must_check;
#define QUIESCE_WORK  10
#define QUIESCE_RCU   20
#define QUIESCE_CACHE 30

/* Sleeps. */
void counters_show(struct seq_buf *s);
void counters_quiesce(void);

#endif
