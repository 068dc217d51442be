/*
 * Core files: an ELF file of the registers of all threads and of memory, written to core_pattern's
 * name in the process's working directory when RLIMIT_CORE allows. The other threads are killed
 * first, and park on their way out while their address space and registers are still there
 * (core_park), so that memory holds still. Patterns that name a program ("|...") are not followed:
 * then nothing is written and wait's status says so.
 */
#include "core.h"
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/elf.h>

#define CORE_MODE 0600

char g_core_pattern[128] = "core";
int g_suid_dumpable, g_core_uses_pid;

/* ---- who may, and where ---- */

static bool format_name(char *out, size_t size, int sig)
{
	struct task *t = current_task();
	const struct cred *c = current_cred();
	bool with_pid = false;
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
			with_pid = true;
			fallthrough;
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
	if (!with_pid && READ_ONCE(g_core_uses_pid) && n < size)
		n += ksnprintf(out + n, size - n, ".%d", process_pid(t->process));
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

/*
 * The first thread with a deadly signal writes for all of them: from here on the others are killed
 * and park. False: the process is ending anyway, or another thread of it writes.
 */
static bool claim_dump(struct task *t, int sig)
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
	return mine;
}

/* Every other thread is parked or gone. False: killed while it waited. */
static bool others_are_parked(struct process *p)
{
	return wait_event_killable(&p->exec_wait, READ_ONCE(p->live_threads) == 1) == 0;
}

void core_park(struct task *t)
{
	struct process *p = t->process;

	wait_event(&p->exec_wait, !(READ_ONCE(p->flags) & PROC_DUMPING));
}

/* The parked ones go on. status: what wait is to say unless a SIGKILL ended the dump, 0: as it is. */
static void release_others(struct task *t, int status)
{
	struct process *p = t->process;

	spin_lock_irq(&p->siglock);
	p->flags &= ~PROC_DUMPING;
	if (status && p->exit_status != SIGKILL)
		p->exit_status = status;
	spin_unlock_irq(&p->siglock);
	wake_up_all(&p->exec_wait);
}

/* The writer and those that are parked, switched out so that what they had in registers is saved. */
static bool collect_tasks(struct core_writer *w, struct task *me)
{
	struct process *p = me->process;
	u32 room = READ_ONCE(p->nr_threads); /* it only shrinks */
	struct task *t;

	w->tasks = kvmalloc(room * sizeof(*w->tasks), GFP_KERNEL);
	if (!w->tasks)
		return false;
	w->tasks[w->nr_tasks++] = me;
	spin_lock_irq(&g_tasklist_lock);
	for_each_thread(t, p) if (t->core_parked && w->nr_tasks < room) w->tasks[w->nr_tasks++] = t;
	spin_unlock_irq(&g_tasklist_lock);
	for (u32 i = 1; i < w->nr_tasks; i++)
		while (load_acquire(&w->tasks[i]->thread.on_cpu))
			sched_yield_now();
	return true;
}

/* ---- content ---- */

bool core_put(struct core_writer *w, const void *data, size_t n)
{
	if ((u64)w->pos + n > w->limit || signal_fatal_pending(current_task()))
		return false;
	return kernel_write(w->file, data, n, &w->pos) == (ssize_t)n;
}

/* What mm->dump_filter says of r (core(5)); the vdso always is in. */
static struct core_segment choose(const struct region *r, u32 filter)
{
	struct core_segment s = {.start = r->start, .end = r->end, .flags = r->flags};
	const struct file *f = r->file;
	bool whole;

	if (r->start == r->mm->vdso) {
		whole = true;
	} else if (r->flags & (REG_DONTDUMP | REG_SPECIAL)) {
		return s;
	} else if (r->flags & REG_SHARED) {
		/* A file without a name is shared memory. */
		whole = filter &
			(f && READ_ONCE(f->inode->nlink) ? MM_DUMP_SHARED_FILE : MM_DUMP_SHARED);
	} else {
		whole = (r->has_anon && (filter & MM_DUMP_ANON)) || (f && (filter & MM_DUMP_FILE));
		s.if_elf = !whole && f && (filter & MM_DUMP_HEADERS) && r->pgoff == 0 &&
			(r->flags & REG_READ);
	}
	s.dumped = whole ? r->end - r->start : s.if_elf ? PAGE_SIZE : 0;
	return s;
}

static void drop_other_files(struct core_writer *w, struct mm *mm)
{
	for (u32 i = 0; i < w->nr_seg; i++) {
		struct core_segment *s = &w->seg[i];
		char magic[SELFMAG];

		if (s->if_elf &&
			(mm_access(mm, s->start, magic, SELFMAG, 0) != SELFMAG ||
				memcmp(magic, ELFMAG, SELFMAG) != 0))
			s->dumped = 0;
	}
}

static bool collect_segments(struct core_writer *w, struct mm *mm)
{
	u32 room = READ_ONCE(
		mm->nr_regions); /* at most VM_MAX_MAP_COUNT, so that e_phnum has room */
	struct region *r;

	w->seg = kvmalloc(room * sizeof(*w->seg), GFP_KERNEL);
	w->page = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!w->seg || !w->page)
		return false;
	rwsem_read_lock(&mm->map_lock);
	for (r = mm_first_region(mm); r && w->nr_seg < room; r = mm_next_region(r))
		w->seg[w->nr_seg++] = choose(r, READ_ONCE(mm->dump_filter));
	rwsem_read_unlock(&mm->map_lock);
	drop_other_files(w, mm);
	return true;
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

	if (!core_put(w, &e, sizeof(e)) || !core_put(w, &ph, sizeof(ph)))
		return false;
	off = round_up(headers + notes, PAGE_SIZE);
	for (u32 i = 0; i < w->nr_seg; i++) {
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
		if (!core_put(w, &ph, sizeof(ph)))
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

static bool put_hole(struct core_writer *w, size_t bytes)
{
	u64 room = w->limit - min((u64)w->pos, w->limit);

	if (bytes > room || signal_fatal_pending(current_task())) {
		w->pos += (off64_t)round_down(min(room, (u64)bytes), PAGE_SIZE);
		return false;
	}
	w->pos += (off64_t)bytes;
	return true;
}

/* One page of memory; what is all zero becomes a hole. */
static bool put_page_at(struct core_writer *w, struct mm *mm, unsigned long addr)
{
	if (mm_access(mm, addr, w->page, PAGE_SIZE, 0) == (ssize_t)PAGE_SIZE && !is_zero(w->page))
		return core_put(w, w->page, PAGE_SIZE);
	return put_hole(w, PAGE_SIZE);
}

/* What was never touched is not looked at page by page. */
static bool put_segment(struct core_writer *w, struct mm *mm, unsigned long at, unsigned long end)
{
	while (at < end) {
		unsigned long next = mm_next_present(mm, at, end);

		if (next > at && !put_hole(w, next - at))
			return false;
		if (next < end && !put_page_at(w, mm, next))
			return false;
		at = next < end ? next + PAGE_SIZE : end;
		cond_resched();
	}
	return true;
}

/* Ends early at the limit, as Linux's does. */
static void put_memory(struct core_writer *w, struct mm *mm)
{
	w->pos = (off64_t)round_up((u64)w->pos, PAGE_SIZE);
	for (u32 i = 0; i < w->nr_seg; i++)
		if (!put_segment(w, mm, w->seg[i].start, w->seg[i].start + w->seg[i].dumped))
			return;
	if (vfs_ftruncate(w->file, (u64)w->pos))
		log_limited(LOG_INFO, "core file: its last hole is missing");
}

static bool write_core(struct core_writer *w, struct task *t)
{
	if (!collect_tasks(w, t) || !collect_segments(w, t->mm) || !core_notes_prepare(w, t->mm))
		return false;
	if (put_headers(w, core_notes_size(w, t->mm)) && core_put_notes(w, t->mm))
		put_memory(w, t->mm);
	return true;
}

/* The dump is this thread's (claim_dump); ends that. True: a core file is there. */
static bool dump(int sig, const siginfo_t *info, struct pt_regs *regs)
{
	struct task *t = current_task();
	struct core_writer *w = kzalloc(sizeof(*w), GFP_KERNEL);
	bool done = false;

	if (!w)
		return false;
	w->limit = rlimit(RLIMIT_CORE);
	w->sig = sig;
	w->info = info;
	w->regs = regs;
	w->file = open_core(sig);
	if (w->file) {
		done = others_are_parked(t->process) && write_core(w, t);
		put_file(w->file);
	}
	core_notes_free(w);
	kvfree(w->tasks);
	kvfree(w->seg);
	kfree(w->page);
	kfree(w);
	return done;
}

/* True: a core file is there, and the status says so. */
bool coredump_write(int sig, const siginfo_t *info, struct pt_regs *regs)
{
	struct task *t = current_task();
	bool done;

	if (rlimit(RLIMIT_CORE) < PAGE_SIZE || !claim_dump(t, sig))
		return false;
	done = dump(sig, info, regs);
	release_others(t, done ? sig | 0x80 : 0);
	return done;
}
