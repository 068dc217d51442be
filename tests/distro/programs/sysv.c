// SPDX-License-Identifier: MIT
/*
 * A library that stands in for System V shared memory and semaphores, which this kernel does not
 * have: fio and dbench want them among processes of one family. Loaded with LD_PRELOAD under every
 * kernel.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#define SEGMENTS   64
#define SEMAPHORES 64

static void *g_segment[SEGMENTS];
static int g_nr_segments, g_nr_semaphores;
static struct semaphore {
	int value, waiting_for_zero;
} * g_semaphores; /* shared by the children; atomic */

static void *shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int shmget(key_t key, size_t bytes, int flags)
{
	(void)flags;
	errno = ENOSPC;
	if (key != IPC_PRIVATE || g_nr_segments == SEGMENTS)
		return -1;
	g_segment[g_nr_segments] = shared(bytes);
	return g_segment[g_nr_segments] ? g_nr_segments++ : -1;
}

void *shmat(int id, const void *at, int flags)
{
	(void)at;
	(void)flags;
	return g_segment[id];
}

int shmdt(const void *at)
{
	(void)at;
	return 0;
}

int shmctl(int id, int cmd, struct shmid_ds *buf)
{
	(void)id;
	(void)cmd;
	if (buf)
		memset(buf, 0, sizeof(*buf));
	return 0;
}

int semget(key_t key, int nr, int flags)
{
	(void)flags;
	errno = ENOSPC;
	if (!g_semaphores)
		g_semaphores = shared(SEMAPHORES * sizeof(*g_semaphores));
	if (!g_semaphores || key != IPC_PRIVATE || nr > SEMAPHORES - g_nr_semaphores)
		return -1;
	g_nr_semaphores += nr;
	return g_nr_semaphores - nr;
}

int semctl(int id, int nr, int cmd, ...)
{
	struct semaphore *s = &g_semaphores[id + nr];
	va_list ap;

	va_start(ap, cmd);
	if (cmd == SETVAL)
		__atomic_store_n(&s->value, va_arg(ap, int), __ATOMIC_SEQ_CST);
	va_end(ap);
	if (cmd == GETVAL)
		return __atomic_load_n(&s->value, __ATOMIC_SEQ_CST);
	return cmd == GETZCNT ? __atomic_load_n(&s->waiting_for_zero, __ATOMIC_SEQ_CST) : 0;
}

static int try_operation(struct semaphore *s, int op)
{
	int old = __atomic_load_n(&s->value, __ATOMIC_SEQ_CST);

	if (op == 0)
		return old == 0;
	return old + op >= 0 &&
		__atomic_compare_exchange_n(
			&s->value, &old, old + op, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

int semop(int id, struct sembuf *op, size_t nr)
{
	for (; nr; nr--, op++) {
		struct semaphore *s = &g_semaphores[id + op->sem_num];

		if (op->sem_op == 0)
			__atomic_add_fetch(&s->waiting_for_zero, 1, __ATOMIC_SEQ_CST);
		while (!try_operation(s, op->sem_op))
			usleep(10000);
		if (op->sem_op == 0)
			__atomic_sub_fetch(&s->waiting_for_zero, 1, __ATOMIC_SEQ_CST);
	}
	return 0;
}
