/* What this CPU can do, from CPUID. */
#include "x86.h"
#include <arch/impl/port.h>
#include <arch/mmu.h>
#include <lib/atomic.h>
#include <lib/string.h>

#define PORT_NOTHING 0x80 /* where firmware shows how far it has come */

struct x86_features g_x86;

static bool has(u32 reg, int bit)
{
	return (reg >> bit) & 1;
}

static void put_chars(char *dst, u32 reg)
{
	for (int i = 0; i < 4; i++)
		dst[i] = (char)(reg >> (8 * i));
}

static void detect_hypervisor(struct x86_features *x)
{
	struct cpuid r;
	char sig[13] = "";

	if (!x->hypervisor)
		return;
	r = cpuid(0x40000000, 0);
	x->max_hv_leaf = r.a;
	put_chars(sig, r.b);
	put_chars(sig + 4, r.c);
	put_chars(sig + 8, r.d);
	x->tcg = !memcmp(sig, "TCGTCGTCGTCG", 12);
	x->kvm = !memcmp(sig, "KVMKVMKVM", 9);
}

void x86_features_detect(void)
{
	struct x86_features *x = &g_x86;
	struct cpuid r = cpuid(0, 0);

	x->max_leaf = r.a;
	put_chars(x->vendor, r.b);
	put_chars(x->vendor + 4, r.d);
	put_chars(x->vendor + 8, r.c);

	r = cpuid(1, 0);
	x->stepping = r.a & 15;
	x->model = (r.a >> 4 & 15) | (r.a >> 12 & 0xf0);
	x->family = r.a >> 8 & 15;
	if (x->family == 15)
		x->family += r.a >> 20 & 255;
	else if (x->family != 6)
		x->model &= 15;
	x->pcid = has(r.c, 17);
	x->x2apic = has(r.c, 21);
	x->sse42 = has(r.c, 20);
	x->tsc_deadline = has(r.c, 24);
	x->xsave = has(r.c, 26);
	x->rdrand = has(r.c, 30);
	x->hypervisor = has(r.c, 31);
	x->pge = has(r.d, 13);

	if (x->max_leaf >= 7) {
		r = cpuid(7, 0);
		x->fsgsbase = has(r.b, 0);
		x->smep = has(r.b, 7);
		x->erms = has(r.b, 9);
		x->invpcid = has(r.b, 10);
		x->rdseed = has(r.b, 18);
		x->smap = has(r.b, 20);
		x->umip = has(r.c, 2);
		x->rdpid = has(r.c, 22);
		x->fsrm = has(r.d, 4);
	}
	if (x->xsave && x->max_leaf >= 0xd)
		x->xsaveopt = has(cpuid(0xd, 1).a, 0);

	x->max_ext_leaf = cpuid(0x80000000, 0).a;
	r = cpuid(0x80000001, 0);
	x->nx = has(r.d, 20);
	x->gbpages = has(r.d, 26);
	x->rdtscp = has(r.d, 27);
	if (x->max_ext_leaf >= 0x80000004) {
		for (u32 i = 0; i < 3; i++) {
			r = cpuid(0x80000002 + i, 0);
			put_chars(x->brand + 16 * i, r.a);
			put_chars(x->brand + 16 * i + 4, r.b);
			put_chars(x->brand + 16 * i + 8, r.c);
			put_chars(x->brand + 16 * i + 12, r.d);
		}
	}
	detect_hypervisor(x);
	x86_pte_nx = x->nx ? PTE_NX : 0;
	x86_crc32c_init();
}

/*
 * QEMU before 8.1 emulates one CPU without its barriers, though devices run in threads of their
 * own: a store may pass a later load, and a notification is lost. An access to a port takes QEMU's
 * lock, which is a barrier.
 */
void io_mb(void)
{
	smp_mb();
	if (g_x86.tcg)
		outb(PORT_NOTHING, 0);
}

u64 arch_random_seed(u64 *ok)
{
	u64 v = 0;
	bool good = false;

	*ok = 0;
	if (!g_x86.rdseed && !g_x86.rdrand)
		return 0;
	for (int i = 0; i < 16 && !good; i++) {
		if (g_x86.rdseed)
			__asm__ volatile("rdseed %0" : "=r"(v), "=@ccc"(good));
		else
			__asm__ volatile("rdrand %0" : "=r"(v), "=@ccc"(good));
	}
	*ok = good;
	return good ? v : 0;
}

const char *arch_cpu_vendor(void)
{
	return g_x86.vendor;
}
