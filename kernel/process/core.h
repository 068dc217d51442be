/* Core files, between coredump.c (who, where, memory) and core_notes.c (the notes). */
#ifndef PROCESS_CORE_H
#define PROCESS_CORE_H

#include "process.h"

struct core_segment {
	unsigned long start, end;
	u32 flags;
	size_t dumped; /* bytes of it that are in the file */
	bool if_elf;   /* only when it begins as an ELF file does */
};

struct core_writer {
	struct file *file;
	off64_t pos;
	u64 limit;
	struct core_segment *seg;
	u32 nr_seg;
	u8 *page;
	int sig;
	const siginfo_t *info;
	struct pt_regs *regs; /* of the thread that writes */
	struct task **tasks;  /* it and the others, which are parked and switched out */
	u32 nr_tasks;
	void *files; /* NT_FILE */
	size_t files_len;
	u8 *fpu; /* one thread's state */
};

/* Append; false at the limit, on errors, and when the writer is killed. */
bool core_put(struct core_writer *w, const void *data, size_t n) must_check;

/* Gather what the notes need beside the tasks. False: no memory. */
bool core_notes_prepare(struct core_writer *w, struct mm *mm) must_check;
void core_notes_free(struct core_writer *w);
size_t core_notes_size(const struct core_writer *w, const struct mm *mm);
bool core_put_notes(struct core_writer *w, struct mm *mm) must_check;

#endif
