/* Counters that must not grow from run to run. */
#include <core/counters.h>
#include <lib/err.h>
#include <lib/seq_buf.h>

#define MAX_PROVIDERS 32
#define ROUNDS        2 /* work queues RCU callbacks, which queue work, ... */

static struct {
	const char *name;
	void (*show)(struct seq_buf *s);
} g_providers[MAX_PROVIDERS]; /* written at init only */
static int g_nr_providers;

static struct {
	int order;
	void (*fn)(void);
} g_quiesce[MAX_PROVIDERS]; /* by order; written at init only */
static int g_nr_quiesce;

int counters_register(const char *name, void (*show)(struct seq_buf *s))
{
	if (g_nr_providers == MAX_PROVIDERS)
		return -ENOSPC;
	g_providers[g_nr_providers].name = name;
	g_providers[g_nr_providers].show = show;
	g_nr_providers++;
	return 0;
}

int counters_add_quiesce(int order, void (*fn)(void))
{
	int i = g_nr_quiesce;

	if (i == MAX_PROVIDERS)
		return -ENOSPC;
	for (; i && g_quiesce[i - 1].order > order; i--)
		g_quiesce[i] = g_quiesce[i - 1];
	g_quiesce[i].order = order;
	g_quiesce[i].fn = fn;
	g_nr_quiesce++;
	return 0;
}

void counters_quiesce(void)
{
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < g_nr_quiesce; i++)
			g_quiesce[i].fn();
}

void counters_show(struct seq_buf *s)
{
	counters_quiesce();
	for (int i = 0; i < g_nr_providers; i++)
		g_providers[i].show(s);
}
