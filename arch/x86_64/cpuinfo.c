/* /proc/cpuinfo */
#include "x86.h"
#include <lib/seq_buf.h>

struct flag_name {
	u32 leaf;
	char reg; /* a, b, c or d */
	u8 bit;
	const char *name;
};

/* In Linux's order: by word, then by bit. */
static const struct flag_name g_flags[] = {
	{1, 'd', 0, "fpu"},
	{1, 'd', 1, "vme"},
	{1, 'd', 2, "de"},
	{1, 'd', 3, "pse"},
	{1, 'd', 4, "tsc"},
	{1, 'd', 5, "msr"},
	{1, 'd', 6, "pae"},
	{1, 'd', 7, "mce"},
	{1, 'd', 8, "cx8"},
	{1, 'd', 9, "apic"},
	{1, 'd', 11, "sep"},
	{1, 'd', 12, "mtrr"},
	{1, 'd', 13, "pge"},
	{1, 'd', 14, "mca"},
	{1, 'd', 15, "cmov"},
	{1, 'd', 16, "pat"},
	{1, 'd', 17, "pse36"},
	{1, 'd', 19, "clflush"},
	{1, 'd', 23, "mmx"},
	{1, 'd', 24, "fxsr"},
	{1, 'd', 25, "sse"},
	{1, 'd', 26, "sse2"},
	{1, 'd', 27, "ss"},
	{1, 'd', 28, "ht"},
	{0x80000001, 'd', 11, "syscall"},
	{0x80000001, 'd', 20, "nx"},
	{0x80000001, 'd', 22, "mmxext"},
	{0x80000001, 'd', 25, "fxsr_opt"},
	{0x80000001, 'd', 26, "pdpe1gb"},
	{0x80000001, 'd', 27, "rdtscp"},
	{0x80000001, 'd', 29, "lm"},
	{1, 'c', 0, "pni"},
	{1, 'c', 1, "pclmulqdq"},
	{1, 'c', 9, "ssse3"},
	{1, 'c', 12, "fma"},
	{1, 'c', 13, "cx16"},
	{1, 'c', 17, "pcid"},
	{1, 'c', 19, "sse4_1"},
	{1, 'c', 20, "sse4_2"},
	{1, 'c', 21, "x2apic"},
	{1, 'c', 22, "movbe"},
	{1, 'c', 23, "popcnt"},
	{1, 'c', 24, "tsc_deadline_timer"},
	{1, 'c', 25, "aes"},
	{1, 'c', 26, "xsave"},
	{1, 'c', 28, "avx"},
	{1, 'c', 29, "f16c"},
	{1, 'c', 30, "rdrand"},
	{1, 'c', 31, "hypervisor"},
	{0x80000001, 'c', 0, "lahf_lm"},
	{0x80000001, 'c', 5, "abm"},
	{0x80000001, 'c', 6, "sse4a"},
	{0x80000001, 'c', 8, "3dnowprefetch"},
	{7, 'b', 0, "fsgsbase"},
	{7, 'b', 3, "bmi1"},
	{7, 'b', 5, "avx2"},
	{7, 'b', 7, "smep"},
	{7, 'b', 8, "bmi2"},
	{7, 'b', 9, "erms"},
	{7, 'b', 10, "invpcid"},
	{7, 'b', 16, "avx512f"},
	{7, 'b', 18, "rdseed"},
	{7, 'b', 19, "adx"},
	{7, 'b', 20, "smap"},
	{7, 'b', 23, "clflushopt"},
	{7, 'b', 24, "clwb"},
	{7, 'b', 29, "sha_ni"},
	{7, 'c', 2, "umip"},
	{7, 'c', 22, "rdpid"},
	{7, 'd', 4, "fsrm"},
};

/* A flag is listed when the kernel lets programs use it too. */
static bool usable(const struct flag_name *f)
{
	bool avx = f->name[0] == 'a' && f->name[1] == 'v' && f->name[2] == 'x';

	if (f->leaf > (f->leaf >> 31 ? g_x86.max_ext_leaf : g_x86.max_leaf))
		return false;
	if (avx && f->name[3] == '5')
		return (g_x86.xcr0 & 0xe6) == 0xe6;
	return !avx || (g_x86.xcr0 & 6) == 6;
}

static void show_flags(struct seq_buf *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(g_flags); i++) {
		const struct flag_name *f = &g_flags[i];
		struct cpuid r;
		u32 reg;

		if (!usable(f))
			continue;
		r = cpuid(f->leaf, 0);
		reg = f->reg == 'a' ? r.a : f->reg == 'b' ? r.b : f->reg == 'c' ? r.c : r.d;
		if (reg >> f->bit & 1)
			seq_printf(s, " %s", f->name);
	}
}

void arch_show_cpuinfo(struct seq_buf *s)
{
	const struct x86_features *x = &g_x86;
	u32 sizes = x->max_ext_leaf >= 0x80000008 ? cpuid(0x80000008, 0).a : 0x3028;
	u64 khz = x86_tsc_hz / 1000;
	int nr = 0;

	for_each_online_cpu(cpu)
		nr++;
	for_each_online_cpu(cpu) {
		seq_printf(s,
			"processor\t: %d\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n"
			"model name\t: %s\nstepping\t: %u\n",
			cpu, x->vendor, x->family, x->model, x->brand[0] ? x->brand : "unknown",
			x->stepping);
		seq_printf(s, "cpu MHz\t\t: %llu.%03llu\nphysical id\t: 0\nsiblings\t: %d\n",
			khz / 1000, khz % 1000, nr);
		seq_printf(s, "core id\t\t: %d\ncpu cores\t: %d\napicid\t\t: %u\n", cpu, nr,
			x86_apic_ids[cpu]);
		seq_printf(s,
			"initial apicid\t: %u\nfpu\t\t: yes\nfpu_exception\t: yes\n"
			"cpuid level\t: %u\nwp\t\t: yes\nflags\t\t:",
			x86_apic_ids[cpu], x->max_leaf);
		show_flags(s);
		seq_printf(s, "\nbogomips\t: %llu.%02llu\nclflush size\t: %u\n", khz * 2 / 1000,
			khz * 2 % 1000 / 10, (cpuid(1, 0).b >> 8 & 0xff) * 8);
		seq_printf(s,
			"cache_alignment\t: 64\n"
			"address sizes\t: %u bits physical, %u bits virtual\n"
			"power management:\n\n",
			sizes & 0xff, sizes >> 8 & 0xff);
	}
}
