/* Inside kernel/process: what the parts of execve share. */
#ifndef KERNEL_PROCESS_EXEC_H
#define KERNEL_PROCESS_EXEC_H

#include "process.h"
#include <linux/elf.h>

#define EXEC_HEAD_SIZE  256              /* bytes read to tell the format: BINPRM_BUF_SIZE */
#define EXEC_MAX_DEPTH  5                /* nested #! */
#define EXEC_MAX_STRLEN (PAGE_SIZE * 32) /* one argument, with its NUL: MAX_ARG_STRLEN */
#define EXEC_MAX_ARGS   0x7fffffff

/*
 * The top of the new stack while it is being made: bytes are pushed downwards into kernel pages and
 * copied to the program's stack in one go at the end. Distances count from the top.
 */
struct arg_block {
	struct page **pages; /* [i] holds distances (i * PAGE_SIZE, (i + 1) * PAGE_SIZE] */
	u32 nr_pages, cap;
	size_t used;  /* bytes pushed */
	size_t limit; /* strings may not go beyond: -E2BIG */
	struct page *inline_pages[4];
};

struct elf_image { /* a parsed ELF file: the program or its interpreter */
	struct file *file;
	Elf64_Ehdr ehdr;
	Elf64_Phdr *phdrs; /* kmalloc */
	unsigned long min_vaddr, max_vaddr, max_align;
};

struct exec {
	struct file *file;      /* program being tried; its inode denies writers */
	const char *filename;   /* AT_EXECFN */
	char *fd_name;          /* "/dev/fd/N/..." when execveat made it up; kmalloc */
	char *interp;           /* what #! replaces argv[0] by; kmalloc or NULL: filename */
	bool path_inaccessible; /* the descriptor closes on exec: no #! through it */
	int argc, envc;
	struct arg_block args;
	size_t execfn_distance; /* where filename lies in args */
	struct cred *cred;      /* of the program to come */
	bool secure, setid, unreadable;
	bool committed; /* point of no return */
	struct mm *mm;
	bool mm_taken;               /* it is the task's */
	struct sighand *sighand;     /* in case that ours is shared; NULL: it isn't */
	bool locked;                 /* process->exec_lock */
	bool fs_held;                /* fs_exec_begin was called */
	struct elf_image prog, ldso; /* ldso.file NULL: none */
	bool exec_stack;
	u32 personality;
	bool randomize;
	u64 stack_limit; /* RLIMIT_STACK that applies to the new program */
	unsigned long entry, base, phdr_addr, load_bias;
	unsigned long start_ip; /* the interpreter's entry, or the program's */
	char head[EXEC_HEAD_SIZE];
};

/* exec_args.c */
void args_init(struct arg_block *b);
void args_free(struct arg_block *b);
int args_push(struct arg_block *b, const void *data, size_t n) must_check;
int args_push_string(struct arg_block *b, const char *s) must_check; /* -E2BIG */
int args_count_user(const char __user *const __user *v) must_check;
int args_push_user(struct arg_block *b, const char __user *const __user *v, int n) must_check;
void args_drop_first(struct arg_block *b); /* the string pushed last */
int args_reserve(struct arg_block *b, size_t n) must_check;
void args_put64(struct arg_block *b, size_t distance, u64 v);
size_t args_string_len(struct arg_block *b, size_t distance); /* with NUL */
int args_copy_out(struct arg_block *b, unsigned long top) must_check;

/* exec_file.c */
struct file *exec_open(const struct path *base, const char *name, u32 lookup_flags) must_check;
void exec_close(struct file *f);
ssize_t exec_read(struct file *f, void *buf, size_t n, off64_t *pos) must_check;
struct file *exec_share_exe(struct mm *mm); /* its program once more, for another mm; NULL */

/* exec_cred.c: the credentials that running x->file gives; sets x->secure, x->setid. */
int exec_prepare_cred(struct exec *x) must_check;
void fs_exec_end(struct fs_context *fs);

/* elf.c */
int elf_prepare(struct exec *x) must_check; /* everything that may fail with an errno */
int elf_load(struct exec *x) must_check;    /* into x->mm, which is current */
void elf_free(struct exec *x);
/* elf_stack.c: arguments and auxiliary vector onto the stack whose top is given; gives sp. */
int elf_build_stack(struct exec *x, unsigned long top, unsigned long *sp) must_check;
/* exec_layout.c: where things go, with or without randomisation */
void layout_choose(struct exec *x);
unsigned long layout_stack_top(const struct exec *x);
unsigned long layout_align_stack(const struct exec *x, unsigned long sp);
unsigned long layout_pie_base(const struct exec *x, unsigned long align);
unsigned long layout_brk(const struct exec *x, unsigned long brk);

/* dethread.c */
int exec_dethread(struct task *t) must_check; /* -EAGAIN: killed or somebody else does it */

#endif
