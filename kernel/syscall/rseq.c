/* Restartable sequences. */
#include <process/rseq.h>
#include <syscall/syscall.h>

long sys_rseq(struct rseq __user *rseq, unsigned int len, int flags, unsigned int sig)
{
	return rseq_register(rseq, len, flags, sig);
}
