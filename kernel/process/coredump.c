/*
 * Core files: an ELF file of the process's registers and memory, written to core_pattern's name in
 * its working directory when RLIMIT_CORE allows. Of several threads the one that took the signal is
 * recorded; the others are ended first, so that memory holds still. Patterns that name a program
 * ("|...") are not followed: then nothing is written and wait's status says so.
 */
#include "process.h"
#include <abi/elfcore.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/elf.h>

#define CORE_MODE    0600
#define NOTE_NAME    "CORE"
#define MAX_SEGMENTS 4096

char g_core_pattern[128] = "core";
int g_suid_dumpable;

struct core_segment {
	unsigned long start, end;
	u32 flags;
	size_t dumped; /* bytes of it that are in the file */
};

struct core_writer {
	struct file *file;
	off64_t pos;
	u64 limit;
	struct core_segment *seg;
	int nr_seg;
	u8 *page;
	struct core_prstatus status;
	struct core_prpsinfo info;
	siginfo_t siginfo;
};

/* ---- who may, and where ---- */

static bool format_name(char *out, size_t size, int sig)
{
	struct task *t = current_task();
	const struct cred *c = current_cred();
	size_t n = 0;

	for (const char *p = g_core_pattern; *p && n + 1 < size; p++) {
		if (*p != '%' || !p[1]) {
			out[n++] = *p;
			continue;
		}
		switch (*++p) {
		case '%':
			out[n++] = '%';
			break;
		case 'p':
		case 'P':
			n += ksnprintf(out + n, size - n, "%d", process_pid(t->process));
			break;
		case 'i':
		case 'I':
			n += ksnprintf(out + n, size - n, "%d", task_tid(t));
			break;
		case 's':
			n += ksnprintf(out + n, size - n, "%d", sig);
			break;
		case 'u':
			n += ksnprintf(out + n, size - n, "%u", c->uid);
			break;
		case 'g':
			n += ksnprintf(out + n, size - n, "%u", c->gid);
			break;
		case 'e':
			n += ksnprintf(out + n, size - n, "%s", t->thread.name);
			break;
		case 't':
			n += ksnprintf(out + n, size - n, "%lld", clock_real_ns() / NS_PER_SEC);
			break;
		}
	}
	if (n >= size)
		return false;
	out[n] = 0;
	return n && out[0] != '|';
}

static struct file *open_core(int sig)
{
	struct vfs_env env = current_env();
	char name[160];
	struct file *f;

	if (READ_ONCE(current_task()->mm->dumpable) != 1 || !format_name(name, sizeof(name), sig))
		return NULL;
	f = vfs_open(&env, NULL, name, O_CREAT | O_RDWR | O_NOFOLLOW | O_LARGEFILE, CORE_MODE, 0);
	if (is_err(f))
		return NULL;
	if ((f->inode->mode & S_IFMT) != S_IFREG || f->inode->nlink != 1 ||
		f->inode->uid != env.cred->fsuid || vfs_ftruncate(f, 0)) {
		put_file(f);
		return NULL;
	}
	return f;
}

/* End the other threads. False: the process is ending anyway. */
static bool stop_others(struct task *t, int sig)
{
	struct process *p = t->process;
	bool mine;

	spin_lock_irq(&p->siglock);
	mine = !(p->flags & (PROC_GROUP_EXIT | PROC_EXECING));
	if (mine) {
		p->flags = (p->flags & ~PROC_STOPPED) | PROC_GROUP_EXIT | PROC_DUMPING;
		p->exit_status = sig;
		signal_kill_others_locked(p, t);
	}
	spin_unlock_irq(&p->siglock);
	return mine && wait_event_killable(&p->exec_wait, READ_ONCE(p->live_threads) == 1) == 0;
}

/* ---- content ---- */

static bool put(struct core_writer *w, const void *data, size_t n)
{
	if ((u64)w->pos + n > w->limit || signal_fatal_pending(current_task()))
		return false;
	return kernel_write(w->file, data, n, &w->pos) == (ssize_t)n;
}

static size_t dump_size(const struct region *r)
{
	bool private_writable = !(r->flags & REG_SHARED) && (r->flags & REG_WRITE);

	if (r->flags & (REG_DONTDUMP | REG_SPECIAL))
		return 0;
	if (!r->object || private_writable)
		return r->end - r->start;
	return r->pgoff == 0 && (r->flags & REG_READ) ? PAGE_SIZE : 0; /* ELF headers */
}

static bool collect_segments(struct core_writer *w, struct mm *mm)
{
	struct region *r;

	w->seg = kvmalloc(MAX_SEGMENTS * sizeof(*w->seg), GFP_KERNEL);
	w->page = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!w->seg || !w->page)
		return false;
	rwsem_read_lock(&mm->map_lock);
	for (r = mm_first_region(mm); r && w->nr_seg < MAX_SEGMENTS; r = mm_next_region(r))
		w->seg[w->nr_seg++] = (struct core_segment){
			r->start, r->end, r->flags, dump_size(r)};
	rwsem_read_unlock(&mm->map_lock);
	return true;
}

static void set_time(s64 to[2], u64 ns)
{
	to[0] = (s64)(ns / NS_PER_SEC);
	to[1] = (s64)(ns % NS_PER_SEC / NS_PER_US);
}

static void fill_notes(struct core_writer *w, int sig, const siginfo_t *si, struct pt_regs *regs)
{
	struct task *t = current_task();
	struct task_info info;

	task_get_info(t, true, &info);
	w->siginfo = *si;
	w->status = (struct core_prstatus){
		.signo = sig,
		.code = si->si_code,
		.err = si->si_errno,
		.cursig = (s16)sig,
		.sigpend = info.pending,
		.sighold = info.blocked,
		.pid = info.tid,
		.ppid = info.ppid,
		.pgrp = info.pgrp,
		.sid = info.sid,
	};
	set_time(w->status.utime, info.utime_ns);
	set_time(w->status.stime, info.stime_ns);
	set_time(w->status.cutime, info.cutime_ns);
	set_time(w->status.cstime, info.cstime_ns);
	arch_core_regs(&t->thread.arch, regs, w->status.regs);
	w->info = (struct core_prpsinfo){
		.sname = 'R',
		.nice = (char)info.nice,
		.uid = current_cred()->uid,
		.gid = current_cred()->gid,
		.pid = info.pid,
		.ppid = info.ppid,
		.pgrp = info.pgrp,
		.sid = info.sid,
	};
	memcpy(w->info.fname, info.name, sizeof(w->info.fname));
	str_copy(w->info.args, info.name, sizeof(w->info.args));
}

static size_t note_size(size_t len)
{
	return sizeof(Elf64_Nhdr) + round_up(sizeof(NOTE_NAME), 4ul) + round_up(len, 4ul);
}

static bool put_note(struct core_writer *w, u32 type, const void *data, size_t len)
{
	Elf64_Nhdr h = {sizeof(NOTE_NAME), (u32)len, type};
	char name[8] = NOTE_NAME;
	static const u8 zero[4];

	return put(w, &h, sizeof(h)) && put(w, name, sizeof(name)) && put(w, data, len) &&
		put(w, zero, round_up(len, 4ul) - len);
}

static bool put_headers(struct core_writer *w, size_t notes)
{
	u64 headers = sizeof(Elf64_Ehdr) + (u64)(w->nr_seg + 1) * sizeof(Elf64_Phdr), off;
	Elf64_Ehdr e = {
		.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_CORE,
		.e_machine = ARCH_ELF_MACHINE,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(e),
		.e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (u16)(w->nr_seg + 1),
	};
	Elf64_Phdr ph = {.p_type = PT_NOTE, .p_offset = headers, .p_filesz = notes};

	if (!put(w, &e, sizeof(e)) || !put(w, &ph, sizeof(ph)))
		return false;
	off = round_up(headers + notes, PAGE_SIZE);
	for (int i = 0; i < w->nr_seg; i++) {
		const struct core_segment *s = &w->seg[i];

		ph = (Elf64_Phdr){
			.p_type = PT_LOAD,
			.p_offset = off,
			.p_vaddr = s->start,
			.p_filesz = s->dumped,
			.p_memsz = s->end - s->start,
			.p_flags = (s->flags & REG_READ ? PF_R : 0) |
				(s->flags & REG_WRITE ? PF_W : 0) |
				(s->flags & REG_EXEC ? PF_X : 0),
			.p_align = PAGE_SIZE,
		};
		if (!put(w, &ph, sizeof(ph)))
			return false;
		off += s->dumped;
	}
	return true;
}

static bool is_zero(const u8 *page)
{
	const u64 *w = (const u64 *)page;

	for (size_t i = 0; i < PAGE_SIZE / sizeof(*w); i++)
		if (w[i])
			return false;
	return true;
}

/* One page of memory; what is all zero becomes a hole. */
static bool put_page_at(struct core_writer *w, struct mm *mm, unsigned long addr)
{
	if (mm_access(mm, addr, w->page, PAGE_SIZE, false) == (ssize_t)PAGE_SIZE &&
		!is_zero(w->page))
		return put(w, w->page, PAGE_SIZE);
	if ((u64)w->pos + PAGE_SIZE > w->limit || signal_fatal_pending(current_task()))
		return false;
	w->pos += (off64_t)PAGE_SIZE;
	return true;
}

/* Ends early at the limit, as Linux's does. */
static void put_memory(struct core_writer *w, struct mm *mm)
{
	w->pos = (off64_t)round_up((u64)w->pos, PAGE_SIZE);
	for (int i = 0; i < w->nr_seg; i++)
		for (size_t at = 0; at < w->seg[i].dumped; at += PAGE_SIZE) {
			if (!put_page_at(w, mm, w->seg[i].start + at))
				return;
			cond_resched();
		}
	if (vfs_ftruncate(w->file, (u64)w->pos))
		log_info("core file: its last hole is missing");
}

static void write_core(struct core_writer *w, struct mm *mm)
{
	size_t notes = note_size(sizeof(w->status)) + note_size(sizeof(w->info)) +
		note_size(sizeof(w->siginfo)) + note_size(sizeof(mm->auxv));

	if (put_headers(w, notes) && put_note(w, NT_PRSTATUS, &w->status, sizeof(w->status)) &&
		put_note(w, NT_PRPSINFO, &w->info, sizeof(w->info)) &&
		put_note(w, NT_SIGINFO, &w->siginfo, sizeof(w->siginfo)) &&
		put_note(w, NT_AUXV, mm->auxv, sizeof(mm->auxv)))
		put_memory(w, mm);
}

/* True: a core file is there, and the status is to say so. */
bool coredump_write(int sig, const siginfo_t *info, struct pt_regs *regs)
{
	struct task *t = current_task();
	struct core_writer *w;
	bool done = false;

	if (rlimit(RLIMIT_CORE) < PAGE_SIZE || !(w = kzalloc(sizeof(*w), GFP_KERNEL)))
		return false;
	w->limit = rlimit(RLIMIT_CORE);
	w->file = open_core(sig);
	if (w->file && stop_others(t, sig) && collect_segments(w, t->mm)) {
		fill_notes(w, sig, info, regs);
		write_core(w, t->mm);
		done = true;
		spin_lock_irq(&t->process->siglock);
		t->process->exit_status = sig | 0x80;
		spin_unlock_irq(&t->process->siglock);
	}
	if (w->file)
		put_file(w->file);
	kvfree(w->seg);
	kfree(w->page);
	kfree(w);
	return done;
}
