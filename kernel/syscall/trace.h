/* Between the files of the tracer: how values, names and structures of user memory are printed. */
#ifndef SYSCALL_TRACE_H
#define SYSCALL_TRACE_H

#include <lib/seq_buf.h>
#include <syscall/syscall.h>

struct flag_name {
	u64 bit;
	const char *name;
};
#define F(x)          \
	{             \
		x, #x \
	}

/* A line is built between entry and exit of a call of one thread: kept in its task. */
#define TRACE_LINE_MAX   960  /* bytes; the log's records aren't longer */
#define TRACE_COPY_MAX   4096 /* bytes read of user memory for one call, whatever it is passed */
#define TRACE_ITEMS_MAX  16   /* of an array, as with strace -v not given */
#define TRACE_STRING_MAX 32   /* bytes of a string or buffer, as strace */

struct trace_line {
	struct seq_buf s;
	int next;   /* argument to go on with at exit */
	u32 copied; /* bytes of user memory so far */
	s32 len_in; /* what an ARG_OUTLEN pointed to at entry */
	char text[TRACE_LINE_MAX];
};

/* A member of a structure: its value is printed as an argument of that kind. */
struct trace_field {
	const char *name;
	u16 offset;
	u8 size; /* bytes; of a nested one: the structure's */
	u8 kind;
	const struct trace_layout *nested;
};
struct trace_layout {
	const struct trace_field *fields;
	u16 nr, size;
	bool more; /* members that aren't shown: "..." */
};

/* ---- trace_memory.c ---- */
/* False: a wrong pointer, or the call's share is used up; then the address is what is printed. */
bool trace_fetch(struct seq_buf *s, void *dst, unsigned long p, size_t n);
void trace_put_bytes(struct seq_buf *s, unsigned long p, size_t len);
void trace_put_strings(struct seq_buf *s, unsigned long p);   /* argv */
void trace_put_variables(struct seq_buf *s, unsigned long p); /* how many in envp */
void trace_put_fdset(struct seq_buf *s, unsigned long p, u32 n);
/* count numbers of size 4 or 8 bytes in brackets. */
void trace_put_numbers(struct seq_buf *s, unsigned long p, int count, size_t size);
void trace_put_status(struct seq_buf *s, unsigned long p); /* of wait4 */

/* ---- trace.c ---- */
void trace_put_scalar(struct seq_buf *s, u64 v, unsigned int kind);
void trace_put_address(struct seq_buf *s, unsigned long p); /* NULL or hexadecimal */
void trace_put_flags(
	struct seq_buf *s, u64 v, const struct flag_name *f, size_t n, const char *zero);
void trace_put_value(struct seq_buf *s, u64 v, const struct flag_name *f, size_t n);
void trace_put_text(struct seq_buf *s, const char *text, size_t n, bool cut);
void trace_put_string(struct seq_buf *s, unsigned long p, size_t max);
void trace_put_sigset(struct seq_buf *s, u64 set);

/* trace_calls.c */
void trace_put_cpu_set(struct seq_buf *s, unsigned long p, u64 len);
void trace_put_cap_header(struct seq_buf *s, unsigned long p);
void trace_put_cap_data(struct seq_buf *s, unsigned long p, unsigned long header);
void trace_put_dirents(struct seq_buf *s, unsigned long p, long len);
void trace_put_control(struct seq_buf *s, unsigned long p, u64 len);
/* Calls whose arguments are printed as a whole, when they have returned. */
bool trace_has_own_form(long nr);
void trace_put_own_form(struct seq_buf *s, const struct pt_regs *regs, long nr, long ret);
/* prctl(PR_GET_DUMPABLE): its result has a name. */
bool trace_is_dumpable(const struct pt_regs *regs, long nr, long ret);
void trace_put_dumpable(struct seq_buf *s, long v);

/* trace_struct.c: count structures at p, in brackets when array. left: bytes that buffers of an
 * iovec hold at most (-1: all). */
void trace_put_structs(
	struct seq_buf *s, unsigned long p, unsigned int kind, u64 count, bool array, long left);
void trace_put_layout(struct seq_buf *s, const struct trace_layout *l, const void *raw);
void trace_put_poll_results(struct seq_buf *s, unsigned long p, u64 count);
void trace_put_sockaddr(struct seq_buf *s, unsigned long p, long len);

/* trace_names.c */
bool trace_ioctl_is_out(u32 cmd);
void trace_put_ioctl(struct seq_buf *s, u32 cmd);
void trace_put_ioctl_arg(struct seq_buf *s, u32 cmd, unsigned long arg, long ret);
void trace_put_prctl(struct seq_buf *s, u32 option);
void trace_put_sockopt_level(struct seq_buf *s, u32 level);
void trace_put_sockopt(struct seq_buf *s, u32 level, u32 name);

#endif
