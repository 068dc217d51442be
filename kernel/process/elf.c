/*
 * ELF programs. elf_prepare reads and checks everything while execve can still return an error;
 * elf_load maps the program and its interpreter into the new, empty address space, where a failure
 * ends the process.
 */
#include "exec.h"
#include <kmem/slab.h>
#include <lib/string.h>

#define MAX_PHDR_BYTES 65536

static int read_exact(struct file *f, void *buf, size_t n, u64 pos)
{
	off64_t at = (off64_t)pos;
	ssize_t got;

	if (at < 0)
		return -EINVAL;
	got = exec_read(f, buf, n, &at);
	if (got < 0)
		return (int)got;
	return (size_t)got == n ? 0 : -EIO;
}

static int check_header(const Elf64_Ehdr *e)
{
	if (memcmp(e->e_ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	if (e->e_type != ET_EXEC && e->e_type != ET_DYN)
		return -ENOEXEC;
	if (e->e_machine != ARCH_ELF_MACHINE) /* it says 64 bits; e_ident's class isn't looked at */
		return -ENOEXEC;
	return 0;
}

static int read_phdrs(struct elf_image *img)
{
	const Elf64_Ehdr *e = &img->ehdr;
	size_t bytes = (size_t)e->e_phnum * sizeof(Elf64_Phdr);
	int err;

	if (e->e_phentsize != sizeof(Elf64_Phdr) || bytes == 0 || bytes > MAX_PHDR_BYTES)
		return -ENOEXEC;
	img->phdrs = kmalloc(bytes, GFP_KERNEL);
	if (!img->phdrs)
		return -ENOMEM;
	err = read_exact(img->file, img->phdrs, bytes, e->e_phoff);
	return err == -EIO || err == -EINVAL ? -ENOEXEC : err;
}

/* Extent of all loadable segments; max_vaddr 0 when there is none. */
static void measure(struct elf_image *img)
{
	img->min_vaddr = ~0ul;
	img->max_align = PAGE_SIZE;
	for (int i = 0; i < img->ehdr.e_phnum; i++) {
		const Elf64_Phdr *ph = &img->phdrs[i];

		if (ph->p_type != PT_LOAD)
			continue;
		img->min_vaddr = min(img->min_vaddr, round_down(ph->p_vaddr, PAGE_SIZE));
		img->max_vaddr = max(img->max_vaddr, ph->p_vaddr + ph->p_memsz);
		if (is_power_of_2(ph->p_align))
			img->max_align = max(img->max_align, (unsigned long)ph->p_align);
	}
}

static int open_interpreter(struct exec *x, const Elf64_Phdr *ph)
{
	struct elf_image *l = &x->ldso;
	char *name;
	int err;

	if (ph->p_filesz > PATH_MAX || ph->p_filesz < 2)
		return -ENOEXEC;
	name = kmalloc(ph->p_filesz, GFP_KERNEL);
	if (!name)
		return -ENOMEM;
	err = read_exact(x->prog.file, name, ph->p_filesz, ph->p_offset);
	if (!err && name[ph->p_filesz - 1] != 0)
		err = -ENOEXEC;
	if (!err) {
		struct file *f = exec_open(NULL, name, LOOKUP_FOLLOW);

		if (is_err(f))
			err = ptr_err(f);
		else
			l->file = f;
	}
	kfree(name);
	if (err)
		return err;
	err = read_exact(l->file, &l->ehdr, sizeof(l->ehdr), 0);
	if (err)
		return err;
	if (check_header(&l->ehdr) || read_phdrs(l))
		return -ELIBBAD;
	measure(l);
	return 0;
}

int elf_prepare(struct exec *x)
{
	struct elf_image *img = &x->prog;
	int err;

	memcpy(&img->ehdr, x->head, sizeof(img->ehdr));
	img->file = x->file;
	err = check_header(&img->ehdr);
	if (!err)
		err = read_phdrs(img);
	if (err)
		return err;
	measure(img);
	for (int i = 0; i < img->ehdr.e_phnum; i++) {
		const Elf64_Phdr *ph = &img->phdrs[i];

		if (ph->p_type == PT_GNU_STACK)
			x->exec_stack = ph->p_flags & PF_X;
		if (ph->p_type == PT_INTERP && !x->ldso.file) {
			err = open_interpreter(x, ph);
			if (err)
				return err;
		}
	}
	return 0;
}

void elf_free(struct exec *x)
{
	kfree(x->prog.phdrs);
	kfree(x->ldso.phdrs);
	exec_close(x->ldso.file);
	memset(&x->prog, 0, sizeof(x->prog));
	memset(&x->ldso, 0, sizeof(x->ldso));
}

/* ---- mapping ---- */

static u32 prot_of(const Elf64_Phdr *ph)
{
	return (ph->p_flags & PF_R ? REG_READ : 0) | (ph->p_flags & PF_W ? REG_WRITE : 0) |
		(ph->p_flags & PF_X ? REG_EXEC : 0);
}

static int map_file(struct mm *mm, struct file *f, unsigned long addr, size_t len, u64 off,
	u32 prot, bool noreplace)
{
	struct map_request rq = {
		.addr = addr,
		.len = len,
		.flags = prot | REG_MAYREAD | REG_MAYWRITE | REG_MAYEXEC,
		.fixed = true,
		.noreplace = noreplace,
		.offset = off,
	};
	int err = f->ops->mmap ? f->ops->mmap(f, &rq) : -ENODEV;
	long at;

	if (err)
		return err;
	at = mm_map(mm, &rq);
	if (at < 0)
		mm_map_abort(&rq);
	return at < 0 ? (int)at : 0;
}

static int map_zero(struct mm *mm, unsigned long start, unsigned long end, u32 prot)
{
	struct map_request rq = {
		.addr = start,
		.len = end - start,
		.flags = prot | REG_MAYREAD | REG_MAYWRITE | REG_MAYEXEC | REG_ACCOUNT,
		.fixed = true,
	};
	long at = mm_map(mm, &rq);

	return at < 0 ? (int)at : 0;
}

/* The first segment must find its place free; later ones may share pages with those before them. */
static int load_segment(
	struct mm *mm, struct elf_image *img, const Elf64_Phdr *ph, unsigned long bias, bool first)
{
	unsigned long vaddr = bias + ph->p_vaddr, in_page = vaddr & ~PAGE_MASK;
	unsigned long start = vaddr - in_page;
	unsigned long file_end = vaddr + ph->p_filesz, mem_end = vaddr + ph->p_memsz;
	unsigned long zero_from = start;
	u32 prot = prot_of(ph);
	int err;

	if (ph->p_filesz) {
		if (ph->p_offset < in_page || ((ph->p_offset - in_page) & ~PAGE_MASK))
			return -EINVAL;
		err = map_file(mm, img->file, start, ph->p_filesz + in_page, ph->p_offset - in_page,
			prot, first);
		if (err)
			return err;
		zero_from = round_up(file_end, PAGE_SIZE);
		/* Up to the page's end: the rest belongs to brk's start and must read as zero, too.
		 * A page that is beyond the end of a truncated file is left alone: who touches it
		 * gets SIGBUS, the program may live without it. */
		if (mem_end > file_end && (prot & REG_WRITE) && (file_end & ~PAGE_MASK))
			(void)!clear_user((void __user *)file_end, zero_from - file_end);
	}
	if (round_up(mem_end, PAGE_SIZE) > zero_from)
		return map_zero(mm, zero_from, round_up(mem_end, PAGE_SIZE), prot);
	return 0;
}

static int check_segment(const Elf64_Phdr *ph, unsigned long bias)
{
	unsigned long k = bias + ph->p_vaddr;

	if (ph->p_filesz > ph->p_memsz || ph->p_memsz > USER_END || k >= USER_END ||
		USER_END - ph->p_memsz < k)
		return -EINVAL;
	return 0;
}

static int load_image(struct mm *mm, struct elf_image *img, unsigned long bias)
{
	bool first = true;

	for (int i = 0; i < img->ehdr.e_phnum; i++) {
		const Elf64_Phdr *ph = &img->phdrs[i];
		int err;

		if (ph->p_type != PT_LOAD || !ph->p_memsz)
			continue;
		err = check_segment(ph, bias);
		if (!err)
			err = load_segment(mm, img, ph, bias, first);
		if (err)
			return err;
		first = false;
	}
	return 0;
}

/* A free range for a whole image, as mmap would choose it: reserve it, look, give it back. */
static int find_place(struct mm *mm, const struct elf_image *img, unsigned long *bias)
{
	struct map_request rq = {
		.len = round_up(img->max_vaddr, PAGE_SIZE) - img->min_vaddr,
		.flags = REG_NORESERVE,
		.align = img->max_align > PAGE_SIZE ? img->max_align : 0,
	};
	long at;
	int err;

	if (!img->max_vaddr || rq.len > USER_END)
		return -EINVAL;
	at = mm_map(mm, &rq);
	if (at < 0)
		return (int)at;
	err = mm_unmap(mm, (unsigned long)at, rq.len);
	*bias = (unsigned long)at - img->min_vaddr;
	return err;
}

/* start_code and friends, as /proc/PID/stat shows them. */
static void note_ranges(struct exec *x)
{
	struct mm *mm = x->mm;
	struct elf_image *img = &x->prog;

	mm->start_code = ~0ul;
	for (int i = 0; i < img->ehdr.e_phnum; i++) {
		const Elf64_Phdr *ph = &img->phdrs[i];
		unsigned long start = x->load_bias + ph->p_vaddr, end = start + ph->p_filesz;

		if (ph->p_type != PT_LOAD)
			continue;
		if (img->ehdr.e_phoff >= ph->p_offset &&
			img->ehdr.e_phoff < ph->p_offset + ph->p_filesz)
			x->phdr_addr = start + (img->ehdr.e_phoff - ph->p_offset);
		if (ph->p_flags & PF_X) {
			mm->start_code = min(mm->start_code, start);
			mm->end_code = max(mm->end_code, end);
		}
		mm->start_data = max(mm->start_data, start);
		mm->end_data = max(mm->end_data, end);
	}
}

int elf_load(struct exec *x)
{
	struct elf_image *img = &x->prog;
	unsigned long brk, ldso_bias = 0;
	int err = 0;

	if (img->ehdr.e_type == ET_DYN) {
		if (x->ldso.file)
			x->load_bias = layout_pie_base(x, img->max_align) - img->min_vaddr;
		else
			err = find_place(x->mm, img, &x->load_bias);
	}
	if (!err)
		err = load_image(x->mm, img, x->load_bias);
	if (err)
		return err;
	note_ranges(x);
	x->entry = x->start_ip = x->load_bias + img->ehdr.e_entry;
	brk = round_up(x->load_bias + img->max_vaddr, PAGE_SIZE);
	if (img->ehdr.e_type == ET_DYN && !x->ldso.file && x->randomize)
		brk = layout_pie_base(x, PAGE_SIZE); /* away from the mappings around it */
	x->mm->start_brk = x->mm->brk = layout_brk(x, brk);
	if (!x->ldso.file)
		return x->entry < USER_END ? 0 : -EINVAL;
	if (x->ldso.ehdr.e_type == ET_DYN)
		err = find_place(x->mm, &x->ldso, &ldso_bias);
	if (!err)
		err = load_image(x->mm, &x->ldso, ldso_bias);
	x->base = ldso_bias;
	x->start_ip = ldso_bias + x->ldso.ehdr.e_entry;
	if (!err && x->start_ip >= USER_END)
		err = -EINVAL;
	return err;
}
