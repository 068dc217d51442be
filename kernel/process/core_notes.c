/*
 * Notes of core files: registers of every thread, what the process was, the signal, the files that
 * were mapped. The thread that took the signal comes first; debuggers show it first.
 */
#include "core.h"
#include <abi/elfcore.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/elf.h>

#define NAME_CORE     "CORE"
#define NAME_LINUX    "LINUX" /* of notes that System V didn't know */
#define FPREGSET_SIZE 512     /* user_fpregs_struct: FXSAVE's image */
#define FILES_FIRST   (64ul << 10)
#define FILES_MAX     (4ul << 20) /* as Linux: beyond it there is no NT_FILE */

/* ---- files ---- */

/* count, page size; start, end, first page of each; names. False: it needs more than size. */
static bool format_files(struct mm *mm, u8 *buf, size_t size, char *path, size_t *len)
{
	u64 *head = (u64 *)buf, *entry = head + 2, count = 0;
	struct region *r;
	size_t at;

	for (r = mm_first_region(mm); r; r = mm_next_region(r))
		count += r->file != NULL;
	at = (2 + 3 * count) * sizeof(u64);
	if (at > size)
		return false;
	head[0] = count;
	head[1] = PAGE_SIZE;
	for (r = mm_first_region(mm); r; r = mm_next_region(r)) {
		const char *name;
		size_t n;

		if (!r->file)
			continue;
		name = path_format(&((struct file *)r->file)->path, NULL, path, PATH_MAX);
		if (is_err(name))
			name = "";
		n = strlen(name) + 1;
		if (n > size - at)
			return false;
		memcpy(buf + at, name, n);
		at += n;
		*entry++ = r->start;
		*entry++ = r->end;
		*entry++ = r->pgoff;
	}
	*len = at;
	return true;
}

static void gather_files(struct core_writer *w, struct mm *mm)
{
	char *path = kmalloc(PATH_MAX, GFP_KERNEL);

	for (size_t size = FILES_FIRST; path && size <= FILES_MAX; size *= 4) {
		u8 *buf = kvmalloc(size, GFP_KERNEL);
		bool fits;

		if (!buf)
			break;
		rwsem_read_lock(&mm->map_lock);
		fits = format_files(mm, buf, size, path, &w->files_len);
		rwsem_read_unlock(&mm->map_lock);
		if (fits) {
			w->files = buf;
			break;
		}
		kvfree(buf);
	}
	kfree(path);
}

bool core_notes_prepare(struct core_writer *w, struct mm *mm)
{
	w->fpu = kmalloc(max(arch_core_fpu_size(), (size_t)FPREGSET_SIZE), GFP_KERNEL);
	if (!w->fpu)
		return false;
	gather_files(w, mm);
	return true;
}

void core_notes_free(struct core_writer *w)
{
	kvfree(w->files);
	kfree(w->fpu);
}

/* ---- one note ---- */

static size_t note_size(const char *name, size_t len)
{
	return sizeof(Elf64_Nhdr) + round_up(strlen(name) + 1, 4ul) + round_up(len, 4ul);
}

static bool put_note(
	struct core_writer *w, const char *name, u32 type, const void *data, size_t len)
{
	size_t name_len = strlen(name) + 1;
	Elf64_Nhdr h = {(u32)name_len, (u32)len, type};
	static const u8 zero[4];

	return core_put(w, &h, sizeof(h)) && core_put(w, name, name_len) &&
		core_put(w, zero, round_up(name_len, 4ul) - name_len) && core_put(w, data, len) &&
		core_put(w, zero, round_up(len, 4ul) - len);
}

/* ---- the process ---- */

/* The arguments as they are now, with blanks between them. */
static void fill_args(struct mm *mm, char *args, size_t size)
{
	size_t len = min(mm->arg_end - mm->arg_start, size - 1);
	ssize_t n = mm_access(mm, mm->arg_start, args, len, 0);

	for (ssize_t i = 0; i < n; i++)
		if (!args[i])
			args[i] = ' ';
}

static bool put_prpsinfo(struct core_writer *w, struct mm *mm)
{
	struct core_prpsinfo p = {.sname = 'R'};
	struct task_info info;

	task_get_info(current_task(), true, &info);
	p.nice = (char)info.nice;
	p.uid = current_cred()->uid;
	p.gid = current_cred()->gid;
	p.pid = info.pid;
	p.ppid = info.ppid;
	p.pgrp = info.pgrp;
	p.sid = info.sid;
	memcpy(p.fname, info.name, sizeof(p.fname));
	fill_args(mm, p.args, sizeof(p.args));
	return put_note(w, NAME_CORE, NT_PRPSINFO, &p, sizeof(p));
}

/* ---- threads ---- */

static void set_time(s64 to[2], u64 ns)
{
	to[0] = (s64)(ns / NS_PER_SEC);
	to[1] = (s64)(ns % NS_PER_SEC / NS_PER_US);
}

static bool put_prstatus(struct core_writer *w, struct task *t, struct pt_regs *regs)
{
	bool first = t == current_task();
	struct core_prstatus s = {.signo = w->sig, .cursig = (s16)w->sig, .fpvalid = 1};
	struct task_info info;

	task_get_info(t, first, &info);
	if (first) {
		s.code = w->info->si_code;
		s.err = w->info->si_errno;
	}
	s.sigpend = info.pending;
	s.sighold = info.blocked;
	s.pid = info.tid;
	s.ppid = info.ppid;
	s.pgrp = info.pgrp;
	s.sid = info.sid;
	set_time(s.utime, info.utime_ns);
	set_time(s.stime, info.stime_ns);
	set_time(s.cutime, info.cutime_ns);
	set_time(s.cstime, info.cstime_ns);
	arch_core_regs(&t->thread.arch, regs, s.regs);
	return put_note(w, NAME_CORE, NT_PRSTATUS, &s, sizeof(s));
}

static bool put_fpu(struct core_writer *w, struct task *t)
{
	arch_core_fpu(&t->thread.arch, w->fpu);
	return put_note(w, NAME_CORE, NT_PRFPREG, w->fpu, FPREGSET_SIZE) &&
		(!arch_core_has_xstate() ||
			put_note(w, NAME_LINUX, NT_X86_XSTATE, w->fpu, arch_core_fpu_size()));
}

static struct pt_regs *regs_of(const struct core_writer *w, u32 i)
{
	return i ? arch_user_regs(w->tasks[i]->thread.stack) : w->regs;
}

/* ---- all of them ---- */

size_t core_notes_size(const struct core_writer *w, const struct mm *mm)
{
	size_t thread = note_size(NAME_CORE, sizeof(struct core_prstatus)) +
		note_size(NAME_CORE, FPREGSET_SIZE);
	size_t all = note_size(NAME_CORE, sizeof(struct core_prpsinfo)) +
		note_size(NAME_CORE, sizeof(siginfo_t)) + note_size(NAME_CORE, sizeof(mm->auxv));

	if (arch_core_has_xstate())
		thread += note_size(NAME_LINUX, arch_core_fpu_size());
	if (w->files)
		all += note_size(NAME_CORE, w->files_len);
	return all + w->nr_tasks * thread;
}

bool core_put_notes(struct core_writer *w, struct mm *mm)
{
	if (!put_prstatus(w, w->tasks[0], w->regs) || !put_prpsinfo(w, mm) ||
		!put_note(w, NAME_CORE, NT_SIGINFO, w->info, sizeof(*w->info)) ||
		!put_note(w, NAME_CORE, NT_AUXV, mm->auxv, sizeof(mm->auxv)))
		return false;
	if (w->files && !put_note(w, NAME_CORE, NT_FILE, w->files, w->files_len))
		return false;
	if (!put_fpu(w, w->tasks[0]))
		return false;
	for (u32 i = 1; i < w->nr_tasks; i++)
		if (!put_prstatus(w, w->tasks[i], regs_of(w, i)) || !put_fpu(w, w->tasks[i]))
			return false;
	return true;
}
