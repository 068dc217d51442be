/*
 * What a new program finds on its stack, from the stack pointer up: argc, argv pointers, NULL,
 * environment pointers, NULL, auxiliary vector, random bytes, platform name, strings, program name.
 */
#include "exec.h"
#include <core/trace.h>
#include <lib/string.h>
#include <linux/auxvec.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
#define USER_HZ 100 /* AT_CLKTCK */

struct aux {
	u64 *v;
	int n;
};

static void aux_add(struct aux *a, u64 type, u64 value)
{
	a->v[a->n++] = type;
	a->v[a->n++] = value;
}

static void fill_auxv(
	struct exec *x, unsigned long random, unsigned long platform, unsigned long execfn)
{
	const struct cred *c = current_cred();
	struct mm *mm = x->mm;
	struct aux a = {mm->auxv, 0};

	memset(mm->auxv, 0, sizeof(mm->auxv));
	if (mm->vdso)
		aux_add(&a, AT_SYSINFO_EHDR, mm->vdso);
	aux_add(&a, AT_MINSIGSTKSZ, arch_min_sigstack());
	aux_add(&a, AT_HWCAP, arch_elf_hwcap());
	aux_add(&a, AT_PAGESZ, PAGE_SIZE);
	aux_add(&a, AT_CLKTCK, USER_HZ);
	aux_add(&a, AT_PHDR, x->phdr_addr);
	aux_add(&a, AT_PHENT, sizeof(Elf64_Phdr));
	aux_add(&a, AT_PHNUM, x->prog.ehdr.e_phnum);
	aux_add(&a, AT_BASE, x->base);
	aux_add(&a, AT_FLAGS, 0);
	aux_add(&a, AT_ENTRY, x->entry);
	aux_add(&a, AT_UID, c->uid);
	aux_add(&a, AT_EUID, c->euid);
	aux_add(&a, AT_GID, c->gid);
	aux_add(&a, AT_EGID, c->egid);
	aux_add(&a, AT_SECURE, x->secure);
	aux_add(&a, AT_RANDOM, random);
	aux_add(&a, AT_HWCAP2, arch_elf_hwcap2());
	aux_add(&a, AT_EXECFN, execfn);
	aux_add(&a, AT_PLATFORM, platform);
	aux_add(&a, AT_NULL, 0);
}

static size_t auxv_len(const u64 *v)
{
	size_t n = 0;

	while (v[n])
		n += 2;
	return (n + 2) * sizeof(u64);
}

/* Pointers for n strings that start at distance *d; moves *d behind them and *slot up. */
static void put_pointers(struct arg_block *b, unsigned long top, int n, size_t *d, size_t *slot)
{
	while (n--) {
		args_put64(b, *slot, top - *d);
		*slot -= sizeof(u64);
		*d -= args_string_len(b, *d);
	}
	args_put64(b, *slot, 0);
	*slot -= sizeof(u64);
}

int elf_build_stack(struct exec *x, unsigned long stack_top, unsigned long *sp)
{
	unsigned long top = layout_align_stack(
		x, stack_top - 16); /* ends in a zero word, as Linux */
	struct arg_block *b = &x->args;
	size_t strings = b->used, d = strings, slot, words, platform, random, table;
	u8 bytes[16];
	int err;

	err = args_push(b, arch_elf_platform(), strlen(arch_elf_platform()) + 1);
	if (err)
		return err;
	platform = b->used;
	random_bytes(bytes, sizeof(bytes));
	err = args_push(b, bytes, sizeof(bytes));
	if (err)
		return err;
	random = b->used;
	fill_auxv(x, top - random, top - platform, top - x->execfn_distance);
	words = 1 + (size_t)x->argc + 1 + (size_t)x->envc + 1;
	table = round_up(b->used + words * sizeof(u64) + auxv_len(x->mm->auxv), 16);
	err = args_reserve(b, table - b->used);
	if (err)
		return err;
	slot = b->used;
	args_put64(b, slot, (u64)x->argc);
	slot -= sizeof(u64);
	x->mm->arg_start = top - d;
	put_pointers(b, top, x->argc, &d, &slot);
	x->mm->arg_end = x->mm->env_start = top - d;
	put_pointers(b, top, x->envc, &d, &slot);
	x->mm->env_end = top - d;
	for (size_t i = 0; i < auxv_len(x->mm->auxv) / sizeof(u64); i++, slot -= sizeof(u64))
		args_put64(b, slot, x->mm->auxv[i]);
	*sp = top - b->used;
	x->mm->start_stack = *sp;
	return args_copy_out(b, top);
}
