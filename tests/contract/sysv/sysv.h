/* SPDX-License-Identifier: MIT */
/* Shared by the tests of System V IPC. Tests remove what they make. */
#pragma once
#include "contract.h"
#include <stdatomic.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define INDEX_OF(id) ((id)&32767)
#define KEY          0x41524d31

union semun_arg {
	int val;
	void *buf;
	unsigned short *array;
};

static inline bool starts_with(const char *text, const char *what)
{
	return !strncmp(text, what, strlen(what));
}

static inline int semctl_raw(int id, int nr, int cmd, long arg)
{
	return syscall(SYS_semctl, id, nr, cmd, arg);
}

static inline int sem_value(int id, int nr)
{
	return OK(semctl_raw(id, nr, GETVAL, 0));
}

static inline int sem_do(int id, int nr, int op, int flags)
{
	struct sembuf b = {.sem_num = nr, .sem_op = op, .sem_flg = flags};

	return semop(id, &b, 1);
}

static inline int new_sem(int nr)
{
	return OK(semget(IPC_PRIVATE, nr, 0600));
}

static inline void remove_sem(int id)
{
	OK(semctl_raw(id, 0, IPC_RMID, 0));
}
