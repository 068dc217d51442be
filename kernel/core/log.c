/*
 * The log ring. Records lie in slots of 64 bytes, each in consecutive slots, written without locks:
 *
 *   reserve   one compare-exchange moves (sequence, slot) past the new record; a record that would
 *             straddle the end of the array starts at slot 0 instead
 *   announce  index[seq] = slot; header.stamp = "seq, being written"
 *   write     text
 *   commit    header.stamp = "seq, complete" (release)
 *
 * A reader copies and then checks that the stamp is still that of its sequence: a record that was
 * overwritten meanwhile counts as missed. A record in the making (its writer may have been
 * interrupted) ends the reading for now.
 */
#include "log.h"
#include <arch/platform.h>
#include <core/log.h>
#include <lib/atomic.h>
#include <lib/printf.h>
#include <lib/string.h>

#define SLOT_SIZE   64
#define NR_SLOTS    1024 /* 64 KiB of text and headers; a power of two */
#define NR_INDEX    512  /* records at most, a power of two */
#define STAMP_DONE  (1ull << 32)

#define LIMIT_NS    5000000000ull /* of log_allowed */
#define LIMIT_BURST 10

struct record_header {
	u64 stamp; /* atomic: seq | STAMP_DONE when complete */
	u64 time_ns;
	s32 prio;
	u16 len;
	u16 nr_slots;
};

union slot {
	struct record_header header;
	u8 bytes[SLOT_SIZE];
};

static union slot g_slots[NR_SLOTS] cacheline_aligned;
static u64 g_index[NR_INDEX];   /* atomic: seq << 32 | first slot */
static u64 g_head = 1ull << 32; /* atomic: next seq << 32 | next slot; seq 0 marks "none" */
static void (*g_notify)(void);

static u16 slots_for(size_t len)
{
	return (u16)div_round_up(sizeof(struct record_header) + len, (size_t)SLOT_SIZE);
}

static struct record_header *reserve(size_t len, u32 *seq)
{
	u64 head = __atomic_load_n(&g_head, __ATOMIC_RELAXED), next;
	u32 n = slots_for(len), slot;
	struct record_header *h;

	do {
		slot = (u32)head % NR_SLOTS;
		if (slot + n > NR_SLOTS)
			slot = 0;
		*seq = (u32)(head >> 32);
		next = (u64)(*seq + 1) << 32 | (slot + n);
	} while (!__atomic_compare_exchange_n(
		&g_head, &head, next, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	h = &g_slots[slot].header;
	__atomic_store_n(&h->stamp, *seq, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE); /* pairs with copy_record's fence */
	/* The other slots may begin older records: those are gone now. */
	for (u32 i = 1; i < n; i++)
		__atomic_store_n(&g_slots[slot + i].header.stamp, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&g_index[*seq % NR_INDEX], (u64)*seq << 32 | slot, __ATOMIC_RELEASE);
	return h;
}

static void commit(struct record_header *h, u32 seq)
{
	__atomic_store_n(&h->stamp, seq | STAMP_DONE, __ATOMIC_RELEASE);
	log_flush_consoles(false);
	if (g_notify)
		g_notify();
}

static void add(int prio, size_t len, const char *text, const char *fmt, va_list *ap)
{
	struct record_header *h;
	char *to;
	u32 seq;

	len = min_t(size_t, len, LOG_TEXT_MAX - 1);
	h = reserve(len + 1, &seq);
	to = (char *)(h + 1);
	if (fmt)
		len = min_t(size_t, len, (size_t)kvsnprintf(to, len + 1, fmt, *ap));
	else
		memcpy(to, text, len);
	while (len && to[len - 1] == '\n')
		len--;
	h->time_ns = arch_clock_ns();
	h->prio = prio;
	h->nr_slots = slots_for(len + 1);
	h->len = (u16)len;
	commit(h, seq);
}

void log_vprint(int level, const char *fmt, va_list ap)
{
	va_list again;
	int len;

	va_copy(again, ap);
	len = kvsnprintf(NULL, 0, fmt, again);
	va_end(again);
	va_copy(again, ap);
	add(level, (size_t)max(len, 0), NULL, fmt, &again);
	va_end(again);
}

void log_print(int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vprint(level, fmt, ap);
	va_end(ap);
}

void log_user(int prio, const char *text, size_t len)
{
	add(prio, len, text, NULL, NULL);
}

/* 1: copied; 0: it is being written; -1: it was overwritten. */
static int copy_record(u32 seq, struct log_record *rec)
{
	u64 index = __atomic_load_n(&g_index[seq % NR_INDEX], __ATOMIC_ACQUIRE);
	const struct record_header *h;
	u64 stamp;

	if ((u32)(index >> 32) != seq)
		return (s32)((u32)(index >> 32) - seq) > 0 ? -1 : 0;
	h = &g_slots[(u32)index].header;
	stamp = __atomic_load_n(&h->stamp, __ATOMIC_ACQUIRE);
	if (stamp == seq)
		return 0;
	if (stamp != (seq | STAMP_DONE))
		return -1;
	rec->seq = seq;
	rec->time_ns = h->time_ns;
	rec->prio = h->prio;
	rec->len = min_t(u16, h->len, LOG_TEXT_MAX - 1);
	memcpy(rec->text, h + 1, rec->len);
	rec->text[rec->len] = '\0';
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&h->stamp, __ATOMIC_RELAXED) == stamp ? 1 : -1;
}

u64 log_next_seq(void)
{
	return __atomic_load_n(&g_head, __ATOMIC_ACQUIRE) >> 32;
}

/* Is the record still there, whole or in the making? */
static bool present(u32 seq)
{
	u64 index = __atomic_load_n(&g_index[seq % NR_INDEX], __ATOMIC_ACQUIRE);
	u64 stamp;

	if ((u32)(index >> 32) != seq)
		return false;
	stamp = __atomic_load_n(&g_slots[(u32)index].header.stamp, __ATOMIC_ACQUIRE);
	return (u32)stamp == seq;
}

u64 log_first_seq(void)
{
	u64 next = log_next_seq(), seq = next; /* present(0) is never asked: the first is 1 */

	/* Overwriting goes from old to new: what is left is one run up to the newest. */
	while (seq > 1 && next - seq < NR_INDEX && present((u32)(seq - 1)))
		seq--;
	return seq;
}

bool log_read(u64 *seq, struct log_record *rec, u64 *missed)
{
	while (*seq < log_next_seq()) {
		int got = copy_record((u32)*seq, rec);

		if (got == 0)
			return false;
		if (got > 0) {
			++*seq;
			return true;
		}
		u64 first = max(log_first_seq(), *seq + 1);

		if (missed)
			*missed += first - *seq;
		*seq = first;
	}
	return false;
}

bool log_ready(u64 seq)
{
	u64 index = __atomic_load_n(&g_index[(u32)seq % NR_INDEX], __ATOMIC_ACQUIRE);

	if (seq >= log_next_seq())
		return false;
	if ((u32)(index >> 32) != (u32)seq)
		return (s32)((u32)(index >> 32) - (u32)seq) > 0;
	return __atomic_load_n(&g_slots[(u32)index].header.stamp, __ATOMIC_ACQUIRE) != (u32)seq;
}

void log_set_notify(void (*fn)(void))
{
	__atomic_store_n(&g_notify, fn, __ATOMIC_RELEASE);
}

bool log_allowed(struct log_limit *l, const char *place)
{
	u64 now = arch_clock_ns(), since = __atomic_load_n(&l->since_ns, __ATOMIC_RELAXED);
	u32 count;

	if ((!since || now - since >= LIMIT_NS) &&
		__atomic_compare_exchange_n(&l->since_ns, &since, max(now, 1ull), false,
			__ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		count = __atomic_exchange_n(&l->count, 1, __ATOMIC_RELAXED);
		if (count > LIMIT_BURST)
			log_warn("%s: %u messages left out", place, count - LIMIT_BURST);
		return true;
	}
	return __atomic_fetch_add(&l->count, 1, __ATOMIC_RELAXED) < LIMIT_BURST;
}
