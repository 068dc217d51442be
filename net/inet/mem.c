/* The memory that all sockets of a protocol have in packets. See <inet/mem.h>. */
#include "inet.h"
#include <inet/mem.h>
#include <kmem/page.h>

#define STEP KiB(64) /* bytes that a CPU keeps to itself */

struct inet_mem g_inet_mem[NR_INET_MEM];

struct local { /* own CPU, never in an interrupt */
	s64 bytes[NR_INET_MEM];
};
static DEFINE_PER_CPU(struct local, g_local);

static void set_level(struct inet_mem *m)
{
	s64 pages = READ_ONCE(m->bytes) >> PAGE_SHIFT;
	u8 was = READ_ONCE(m->level), now;

	if (pages > READ_ONCE(m->limit[2]))
		now = INET_MEM_OVER;
	else if (pages > READ_ONCE(m->limit[1]) || (was && pages > READ_ONCE(m->limit[0])))
		now = INET_MEM_PRESSURE;
	else
		now = INET_MEM_FREE;
	if (now == was)
		return;
	WRITE_ONCE(m->level, now);
	if (!was && m == &g_inet_mem[INET_MEM_TCP])
		inet_count_tcp(&g_init_net, TCPM_MEMORY_PRESSURES, 1);
}

void inet_mem_add(enum inet_mem_kind kind, s64 bytes)
{
	struct inet_mem *m = &g_inet_mem[kind];
	s64 *mine = &this_cpu_ptr(&g_local)->bytes[kind];

	*mine += bytes;
	if (likely(*mine<(s64)STEP && * mine> - (s64)STEP))
		return;
	__atomic_fetch_add(&m->bytes, *mine, __ATOMIC_RELAXED);
	*mine = 0;
	set_level(m);
}

void inet_mem_limits_changed(enum inet_mem_kind kind)
{
	set_level(&g_inet_mem[kind]);
}

u64 inet_mem_pages(enum inet_mem_kind kind)
{
	s64 sum = READ_ONCE(g_inet_mem[kind].bytes);

	for_each_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(&g_local, cpu)->bytes[kind]);
	return sum > 0 ? div_round_up((u64)sum, PAGE_SIZE) : 0;
}

/* A sixteenth of memory for TCP, an eighth for UDP; Linux's shares. */
static int mem_init(void)
{
	u64 pages[NR_INET_MEM] = {g_nr_frames / 16, g_nr_frames / 8};

	for (u32 i = 0; i < NR_INET_MEM; i++) {
		s32 most = (s32)clamp(pages[i], 128ull, (u64)INT_MAX / 2);

		g_inet_mem[i].limit[0] = most / 4 * 3;
		g_inet_mem[i].limit[1] = most;
		g_inet_mem[i].limit[2] = most / 4 * 3 * 2;
	}
	return 0;
}
INIT_HOOK(INIT_CORE, mem_init);
