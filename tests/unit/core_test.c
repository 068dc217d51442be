/* Log, command line, reference counts, random numbers, interrupts. */
#include <arch/host.h>
#include <arch/cpu.h>
#include <core/init.h>
#include <core/irq.h>
#include <core/log.h>
#include <core/refcount.h>
#include <core/trace.h>
#include <lib/err.h>
#include <lib/string.h>
#include "unit.h"

UNIT(log_records_come_back_in_order)
{
	struct log_record r;
	u64 seq = log_next_seq(), missed = 0;

	log_info("first %d", 1);
	log_err("second\n");
	EXPECT(log_read(&seq, &r, &missed));
	EXPECT_STR(r.text, "first 1");
	EXPECT_EQ(r.prio, LOG_INFO);
	EXPECT(log_read(&seq, &r, &missed));
	EXPECT_STR(r.text, "second");
	EXPECT_EQ(r.len, 6);
	EXPECT(!log_read(&seq, &r, &missed));
	EXPECT_EQ(missed, 0);
}

UNIT(overwritten_log_records_are_counted)
{
	struct log_record r;
	u64 seq = log_next_seq(), missed = 0, got = 0;

	for (int i = 0; i < 5000; i++)
		log_debug("%0*d", 1 + i % 300, i);
	while (log_read(&seq, &r, &missed))
		got++;
	EXPECT_EQ(got + missed, 5000);
	EXPECT(got > 50);
	EXPECT_EQ(seq, log_next_seq());
	EXPECT_EQ(log_next_seq() - log_first_seq(), got);
}

UNIT(command_line_words_split_at_blanks_outside_quotes)
{
	char line[] = "a=1  b=\"x y\" c";
	char *w = line, *next = init_split_word(w);

	EXPECT_STR(w, "a=1");
	w = next;
	next = init_split_word(w);
	EXPECT_STR(w, "b=x y");
	w = next;
	EXPECT_EQ((u64)init_split_word(w), 0);
	EXPECT_STR(w, "c");
	EXPECT(init_option_known("loglevel", 8));
	EXPECT(!init_option_known("loglevels", 9));
}

UNIT(references_end_at_zero)
{
	struct refcount r;

	ref_init(&r, 1);
	ref_get(&r);
	EXPECT(!ref_put(&r));
	EXPECT(ref_put(&r));
	EXPECT(!ref_get_unless_zero(&r));
}

UNIT(random_numbers_differ)
{
	u64 a[8], b[8];

	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	for (int i = 0; i < 8; i++)
		for (int j = 0; j < 8; j++)
			EXPECT(a[i] != b[j] && (i == j || a[i] != a[j]));
}

static int g_interrupts;

static bool count_irq(int irq, void *arg)
{
	g_interrupts++;
	return true;
}

UNIT(interrupts_reach_their_handler_when_enabled)
{
	unsigned long flags;

	EXPECT_EQ(irq_request(5, count_irq, &g_interrupts, "test", false, false), 0);
	EXPECT_EQ(irq_request(-1, count_irq, NULL, "test", false, false), -EINVAL);
	flags = irq_save();
	host_irq_raise(5);
	EXPECT_EQ(g_interrupts, 0);
	irq_restore(flags);
	EXPECT_EQ(g_interrupts, 1);
	irq_release(5, &g_interrupts);
}
