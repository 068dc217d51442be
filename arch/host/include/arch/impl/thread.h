/* host: contexts. There is no user mode; the register frame exists for the compiler. */
#ifndef ARCH_IMPL_THREAD_H
#define ARCH_IMPL_THREAD_H

#include <asm/ptrace.h>

struct arch_thread {
	u32 work; /* atomic */
	u64 sp;   /* saved while not running */
	void *stack_bottom;
	size_t stack_size;
	void *fake_stack; /* AddressSanitizer's, saved while not running */
};

static inline bool regs_user_mode(const struct pt_regs *r)
{
	return false;
}
static inline unsigned long regs_ip(const struct pt_regs *r)
{
	return r->rip;
}
static inline void regs_set_ip(struct pt_regs *r, unsigned long ip)
{
	r->rip = ip;
}
static inline unsigned long regs_sp(const struct pt_regs *r)
{
	return r->rsp;
}
static inline long regs_syscall_nr(const struct pt_regs *r)
{
	return (s32)r->orig_rax;
}
static inline unsigned long regs_arg(const struct pt_regs *r, int i)
{
	const unsigned long v[] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};

	return v[i];
}
static inline long regs_return(const struct pt_regs *r)
{
	return (long)r->rax;
}
static inline void regs_set_return(struct pt_regs *r, long v)
{
	r->rax = (unsigned long)v;
}
static inline void regs_restart_syscall(struct pt_regs *r, long nr)
{
	r->rax = (unsigned long)nr;
}
static inline void regs_forget_syscall(struct pt_regs *r)
{
	r->orig_rax = (unsigned long)-1;
}

#endif
