/*
 * What a signal handler finds on its stack (x86-64 Linux ABI): the frame that rt_sigreturn takes
 * back. The extended state lies above it, 64-byte aligned, at uc.uc_mcontext.fpstate.
 */
#ifndef ABI_SIGFRAME_H
#define ABI_SIGFRAME_H

#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>

struct rt_sigframe {
	u64 restorer; /* return address of the handler */
	struct ucontext uc;
	siginfo_t info;
};
static_assert(sizeof(struct sigcontext) == 256, "sigcontext");
static_assert(sizeof(struct ucontext) == 304, "ucontext");
static_assert(offsetof(struct ucontext, uc_sigmask) == 296, "ucontext.uc_sigmask");
static_assert(offsetof(struct rt_sigframe, uc) == 8, "rt_sigframe.uc");
static_assert(offsetof(struct rt_sigframe, info) == 312, "rt_sigframe.info");
static_assert(sizeof(struct rt_sigframe) == 440, "rt_sigframe");

#define SIGFRAME_RED_ZONE 128 /* bytes below the stack pointer that belong to the program */

#endif
