/* SPDX-License-Identifier: MIT */
/* Semaphore sets. */
#include "sysv.h"

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif

static struct semid_ds stat_of(int id)
{
	struct semid_ds ds;

	OK(semctl_raw(id, 0, IPC_STAT, (long)&ds));
	return ds;
}

/* A child that does one operation: it exits with 0 or the errno. */
static pid_t doer(int id, int nr, int op, int flags)
{
	pid_t pid = FORK();

	if (!pid)
		_exit(sem_do(id, nr, op, flags) ? errno : 0);
	return pid;
}

static pid_t sleeping_doer(int id, int nr, int op, int flags)
{
	pid_t pid = doer(id, nr, op, flags);

	await_sleep(pid);
	return pid;
}

TEST(semget_finds_by_key)
{
	int id = OK(semget(KEY, 3, IPC_CREAT | IPC_EXCL | 0600));

	CHECK_EQ(semget(KEY, 0, 0), id);
	CHECK_EQ(semget(KEY, 3, IPC_CREAT | 0600), id);
	CHECK_ERR(semget(KEY, 4, 0), EINVAL);
	CHECK_ERR(semget(KEY, 3, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_ERR(semget(IPC_PRIVATE, 0, 0600), EINVAL);
	CHECK_ERR(semget(IPC_PRIVATE, -1, 0600), EINVAL);
	CHECK_ERR(semget(IPC_PRIVATE, 32001, 0600), EINVAL);
	remove_sem(id);
	CHECK_ERR(semget(KEY, 3, 0), ENOENT);
	CHECK_ERR(semctl_raw(id, 0, GETVAL, 0), EINVAL);
}

TEST(semop_takes_and_gives)
{
	int id = new_sem(2);

	CHECK_EQ(sem_value(id, 0), 0);
	OK(sem_do(id, 0, 5, 0));
	OK(sem_do(id, 0, -2, 0));
	CHECK_EQ(sem_value(id, 0), 3);
	CHECK_EQ(sem_value(id, 1), 0);
	CHECK_ERR(sem_do(id, 0, -4, IPC_NOWAIT), EAGAIN);
	CHECK_ERR(sem_do(id, 0, 0, IPC_NOWAIT), EAGAIN);
	OK(sem_do(id, 1, 0, 0));
	CHECK_ERR(sem_do(id, 0, 32765, 0), ERANGE);
	OK(sem_do(id, 0, 32764, 0));
	CHECK_EQ(sem_value(id, 0), 32767);
	CHECK_ERR(sem_do(id, 2, 1, 0), EFBIG);
	remove_sem(id);
}

TEST(semop_argument_errors)
{
	int id = new_sem(1);
	static struct sembuf many[501];
	struct timespec bad = {0, 1000000000};
	struct sembuf one = {0, 1, 0};

	CHECK_ERR(semop(id, many, 0), EINVAL);
	CHECK_ERR(semop(id, many, 501), E2BIG);
	CHECK_ERR(semop(-1, many, 501), E2BIG); /* the count comes first, the set last */
	CHECK_ERR(semop(-1, BAD_PTR, 1), EFAULT);
	CHECK_ERR(semop(-1, many, 1), EINVAL);
	OK(semop(id, many, 500));
	CHECK_ERR(semop(id, BAD_PTR, 1), EFAULT);
	CHECK_ERR(semop(-1, &one, 1), EINVAL);
	CHECK_ERR(semop(id + 1, &one, 1), EINVAL);
	CHECK_ERR(syscall(SYS_semtimedop, id, &one, 1, &bad), EINVAL);
	CHECK_ERR(syscall(SYS_semtimedop, id, &one, 1, BAD_PTR), EFAULT);
	remove_sem(id);
	CHECK_ERR(semop(id, &one, 1), EINVAL);
}

TEST(operations_happen_all_or_none)
{
	int id = new_sem(3);
	struct sembuf ops[] = {{0, 2, 0}, {1, 1, 0}, {2, -1, IPC_NOWAIT}};
	struct sembuf twice[] = {{0, 1, 0}, {0, -1, 0}, {0, 0, 0}, {0, 3, 0}};
	struct sembuf too_much[] = {{0, 5, 0}, {1, 32767, 0}, {1, 1, 0}};

	CHECK_ERR(semop(id, ops, 3), EAGAIN);
	CHECK_EQ(sem_value(id, 0), 0);
	CHECK_EQ(sem_value(id, 1), 0);
	OK(sem_do(id, 2, 1, 0));
	OK(semop(id, ops, 3));
	CHECK_EQ(sem_value(id, 0), 2);
	CHECK_EQ(sem_value(id, 1), 1);
	CHECK_EQ(sem_value(id, 2), 0);
	OK(semctl_raw(id, 0, SETVAL, 0));
	OK(semop(id, twice, 4)); /* in the order of the array */
	CHECK_EQ(sem_value(id, 0), 3);
	OK(semctl_raw(id, 1, SETVAL, 0));
	CHECK_ERR(semop(id, too_much, 3), ERANGE);
	CHECK_EQ(sem_value(id, 0), 3);
	CHECK_EQ(sem_value(id, 1), 0);
	remove_sem(id);
}

TEST(taker_waits_for_the_value)
{
	int id = new_sem(1);
	pid_t pid = sleeping_doer(id, 0, -3, 0);

	CHECK_EQ(semctl_raw(id, 0, GETNCNT, 0), 1);
	CHECK_EQ(semctl_raw(id, 0, GETZCNT, 0), 0);
	OK(sem_do(id, 0, 2, 0));
	CHECK_EQ(semctl_raw(id, 0, GETNCNT, 0), 1);
	OK(sem_do(id, 0, 2, 0));
	expect_exit(pid, 0);
	CHECK_EQ(sem_value(id, 0), 1);
	CHECK_EQ(semctl_raw(id, 0, GETNCNT, 0), 0);
	CHECK_EQ(semctl_raw(id, 0, GETPID, 0), pid);
	remove_sem(id);
}

TEST(waiter_for_zero)
{
	int id = new_sem(1);
	pid_t a, b;

	OK(sem_do(id, 0, 2, 0));
	a = sleeping_doer(id, 0, 0, 0);
	b = sleeping_doer(id, 0, 0, 0);
	CHECK_EQ(semctl_raw(id, 0, GETZCNT, 0), 2);
	CHECK_EQ(semctl_raw(id, 0, GETNCNT, 0), 0);
	OK(sem_do(id, 0, -1, 0));
	CHECK_EQ(semctl_raw(id, 0, GETZCNT, 0), 2);
	OK(sem_do(id, 0, -1, 0));
	expect_exit(a, 0);
	expect_exit(b, 0);
	CHECK_EQ(semctl_raw(id, 0, GETZCNT, 0), 0);
	remove_sem(id);
}

TEST(takers_are_served_in_order)
{
	int id = new_sem(1);
	pid_t a = sleeping_doer(id, 0, -1, 0);
	pid_t b = sleeping_doer(id, 0, -1, 0);
	pid_t c = sleeping_doer(id, 0, -1, 0);

	OK(sem_do(id, 0, 1, 0));
	expect_exit(a, 0);
	CHECK_EQ(semctl_raw(id, 0, GETNCNT, 0), 2);
	OK(sem_do(id, 0, 1, 0));
	expect_exit(b, 0);
	OK(sem_do(id, 0, 1, 0));
	expect_exit(c, 0);
	remove_sem(id);
}

TEST(small_taker_passes_one_that_wants_more)
{
	int id = new_sem(1);
	pid_t big = sleeping_doer(id, 0, -5, 0);
	pid_t small = sleeping_doer(id, 0, -1, 0);

	OK(sem_do(id, 0, 1, 0));
	expect_exit(small, 0);
	CHECK_EQ(semctl_raw(id, 0, GETNCNT, 0), 1);
	OK(sem_do(id, 0, 5, 0));
	expect_exit(big, 0);
	remove_sem(id);
}

/* A child that takes 1 from each of two semaphores at once. */
static pid_t taker_of_both(int id)
{
	struct sembuf both[] = {{0, -1, 0}, {1, -1, 0}};
	pid_t pid = FORK();

	if (!pid)
		_exit(semop(id, both, 2) ? errno : 0);
	await_sleep(pid);
	return pid;
}

TEST(taker_of_two_holds_neither_while_it_waits)
{
	int id = new_sem(2);
	pid_t both, one;

	OK(sem_do(id, 0, 1, 0));
	both = taker_of_both(id);
	CHECK_EQ(sem_value(id, 0), 1);
	CHECK_EQ(semctl_raw(id, 0, GETNCNT, 0), 0);
	CHECK_EQ(semctl_raw(id, 1, GETNCNT, 0), 1); /* counted where it is stuck */
	OK(sem_do(id, 0, -1, 0));
	OK(sem_do(id, 1, 1, 0));
	CHECK_EQ(semctl_raw(id, 0, GETNCNT, 0), 1);
	CHECK_EQ(semctl_raw(id, 1, GETNCNT, 0), 0);
	one = sleeping_doer(id, 0, -1, 0);
	OK(sem_do(id, 0, 1, 0)); /* the first one's turn */
	expect_exit(both, 0);
	CHECK_EQ(sem_value(id, 0), 0);
	CHECK_EQ(sem_value(id, 1), 0);
	OK(sem_do(id, 0, 1, 0));
	expect_exit(one, 0);
	remove_sem(id);
}

TEST(one_waiter_sets_another_free)
{
	int id = new_sem(3);
	struct sembuf pass[] = {{0, -1, 0}, {1, 1, 0}}, end[] = {{1, -1, 0}, {2, 1, 0}};
	pid_t zero, b, a;

	OK(sem_do(id, 2, 1, 0));
	zero = FORK();
	if (!zero)
		_exit(sem_do(id, 2, -2, 0) ? errno : 0);
	await_sleep(zero);
	b = FORK();
	if (!b)
		_exit(semop(id, end, 2) ? errno : 0);
	await_sleep(b);
	a = FORK();
	if (!a)
		_exit(semop(id, pass, 2) ? errno : 0);
	await_sleep(a);
	OK(sem_do(id, 0, 1, 0));
	expect_exit(a, 0);
	expect_exit(b, 0);
	expect_exit(zero, 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(sem_value(id, i), 0);
	remove_sem(id);
}

TEST(removal_wakes_with_EIDRM)
{
	int id = new_sem(2);
	pid_t a = sleeping_doer(id, 0, -1, 0), b = taker_of_both(id), c;

	OK(sem_do(id, 1, 1, 0));
	c = sleeping_doer(id, 1, 0, 0);
	remove_sem(id);
	expect_exit(a, EIDRM);
	expect_exit(b, EIDRM);
	expect_exit(c, EIDRM);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(signal_interrupts_semop_even_with_SA_RESTART)
{
	int id = new_sem(1);
	pid_t pid = FORK();

	if (!pid) {
		on_signal(SIGUSR1, nothing, SA_RESTART);
		_exit(sem_do(id, 0, -1, 0) ? errno : 0);
	}
	await_sleep(pid);
	OK(kill(pid, SIGUSR1));
	expect_exit(pid, EINTR);
	CHECK_EQ(semctl_raw(id, 0, GETNCNT, 0), 0);
	remove_sem(id);
}

TEST(stop_and_continue_interrupt_semop)
{
	int id = new_sem(1);
	pid_t pid = sleeping_doer(id, 0, -1, 0);

	OK(kill(pid, SIGSTOP));
	await_state(pid, 'T');
	OK(kill(pid, SIGCONT));
	expect_exit(pid, EINTR);
	remove_sem(id);
}

TEST(semtimedop_gives_up)
{
	int id = new_sem(1);
	struct sembuf take = {0, -1, 0};
	struct timespec t = ts_of(50 * MSEC), none = {0, 0};
	long long start = now_ns(CLOCK_MONOTONIC);

	CHECK_ERR(semtimedop(id, &take, 1, &t), EAGAIN);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 50 * MSEC);
	CHECK_ERR(semtimedop(id, &take, 1, &none), EAGAIN);
	OK(sem_do(id, 0, 1, 0));
	OK(semtimedop(id, &take, 1, &t));
	CHECK_EQ(semctl_raw(id, 0, GETNCNT, 0), 0);
	remove_sem(id);
}

TEST(undo_happens_at_exit)
{
	int id = new_sem(2);
	pid_t pid;

	OK(sem_do(id, 0, 5, 0));
	pid = FORK();
	if (!pid) {
		OK(sem_do(id, 0, -3, SEM_UNDO));
		OK(sem_do(id, 1, 7, SEM_UNDO));
		CHECK_EQ(sem_value(id, 1), 7);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(sem_value(id, 0), 5);
	CHECK_EQ(sem_value(id, 1), 0);
	CHECK_EQ(semctl_raw(id, 0, GETPID, 0), pid);
	remove_sem(id);
}

TEST(undo_wakes_waiters_when_the_holder_is_killed)
{
	int id = new_sem(1);
	struct gate held = gate_make();
	pid_t holder, waiter;

	OK(sem_do(id, 0, 1, 0));
	holder = FORK();
	if (!holder) {
		OK(sem_do(id, 0, -1, SEM_UNDO));
		gate_open(held);
		for (;;)
			pause();
	}
	gate_wait(held);
	waiter = sleeping_doer(id, 0, -1, SEM_UNDO);
	OK(kill(holder, SIGKILL));
	expect_signal(holder, SIGKILL);
	expect_exit(waiter, 0);
	CHECK_EQ(sem_value(id, 0), 1);
	remove_sem(id);
}

TEST(undo_is_kept_within_the_values)
{
	int id = new_sem(1);
	pid_t pid = FORK();

	if (!pid) {
		OK(sem_do(id, 0, 5, SEM_UNDO));
		OK(sem_do(id, 0, -3, 0));
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(sem_value(id, 0), 0);
	pid = FORK();
	if (!pid) {
		OK(sem_do(id, 0, 20000, SEM_UNDO));
		OK(sem_do(id, 0, -20000, 0));
		CHECK_ERR(sem_do(id, 0, 20000, SEM_UNDO), ERANGE);
		_exit(0);
	}
	expect_exit(pid, 0);
	remove_sem(id);
}

TEST(setting_values_forgets_undo)
{
	int id = new_sem(2);
	unsigned short all[2] = {4, 5};
	pid_t pid = FORK();

	if (!pid) {
		OK(sem_do(id, 0, 3, SEM_UNDO));
		OK(sem_do(id, 1, 3, SEM_UNDO));
		OK(semctl_raw(id, 0, SETVAL, 9));
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(sem_value(id, 0), 9);
	CHECK_EQ(sem_value(id, 1), 0);
	pid = FORK();
	if (!pid) {
		OK(sem_do(id, 0, 3, SEM_UNDO));
		OK(sem_do(id, 1, 3, SEM_UNDO));
		OK(semctl_raw(id, 0, SETALL, (long)all));
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(sem_value(id, 0), 4);
	CHECK_EQ(sem_value(id, 1), 5);
	remove_sem(id);
}

static void *take_with_undo(void *arg)
{
	OK(sem_do(*(int *)arg, 0, -1, SEM_UNDO));
	return NULL;
}

TEST(threads_share_undo_until_the_process_ends)
{
	int id = new_sem(1);
	pid_t pid;

	OK(sem_do(id, 0, 2, 0));
	pid = FORK();
	if (!pid) {
		pthread_t t;

		CHECK_PT(pthread_create(&t, NULL, take_with_undo, &id));
		CHECK_PT(pthread_join(t, NULL));
		CHECK_EQ(sem_value(id, 0), 1); /* the thread's end undoes nothing */
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(sem_value(id, 0), 2);
	remove_sem(id);
}

TEST(fork_does_not_inherit_undo)
{
	int id = new_sem(1);
	pid_t pid;

	OK(sem_do(id, 0, 2, 0));
	OK(sem_do(id, 0, -1, SEM_UNDO));
	pid = FORK();
	if (!pid)
		_exit(0);
	expect_exit(pid, 0);
	CHECK_EQ(sem_value(id, 0), 1);
	OK(unshare(CLONE_SYSVSEM));
	CHECK_EQ(sem_value(id, 0), 2); /* leaving the list undoes it */
	remove_sem(id);
}

HELPER(exec_keeps_undo)
{
	return sem_value(atoi(argv[0]), 0);
}

TEST(exec_keeps_undo_for_the_end)
{
	int id = new_sem(1);
	char arg[16];
	pid_t pid;

	OK(sem_do(id, 0, 5, 0));
	snprintf(arg, sizeof(arg), "%d", id);
	pid = FORK();
	if (!pid) {
		OK(sem_do(id, 0, -2, SEM_UNDO));
		exec_helper("exec_keeps_undo", arg, NULL);
		_exit(98);
	}
	expect_exit(pid, 3);
	CHECK_EQ(sem_value(id, 0), 5);
	remove_sem(id);
}

TEST(undo_of_a_removed_set_is_nothing)
{
	int id = new_sem(1);
	pid_t pid = FORK();

	if (!pid) {
		OK(sem_do(id, 0, 1, SEM_UNDO));
		remove_sem(id);
		for (int i = 0; i < 100; i++) { /* its index comes again */
			int other = new_sem(1);

			OK(sem_do(other, 0, 1, SEM_UNDO));
			remove_sem(other);
		}
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(getall_setall)
{
	int id = new_sem(3);
	unsigned short v[3] = {1, 32767, 0}, got[3] = {9, 9, 9}, high[3] = {0, 0, 32768};
	pid_t pid;

	OK(semctl_raw(id, 0, SETALL, (long)v));
	OK(semctl_raw(id, 0, GETALL, (long)got));
	CHECK(!memcmp(v, got, sizeof(v)));
	CHECK_ERR(semctl_raw(id, 0, SETALL, (long)high), ERANGE);
	CHECK_ERR(semctl_raw(id, 0, SETALL, (long)BAD_PTR), EFAULT);
	CHECK_ERR(semctl_raw(id, 0, GETALL, (long)BAD_PTR), EFAULT);
	CHECK_EQ(semctl_raw(id, 1, GETPID, 0), getpid());
	pid = sleeping_doer(id, 2, -4, 0);
	v[2] = 6;
	OK(semctl_raw(id, 0, SETALL, (long)v));
	expect_exit(pid, 0);
	CHECK_EQ(sem_value(id, 2), 2);
	remove_sem(id);
}

TEST(setval_wakes)
{
	int id = new_sem(1);
	pid_t pid = sleeping_doer(id, 0, -4, 0);

	CHECK_ERR(semctl_raw(id, 0, SETVAL, -1), ERANGE);
	CHECK_ERR(semctl_raw(id, 0, SETVAL, 32768), ERANGE);
	CHECK_ERR(semctl_raw(id, 1, SETVAL, 1), EINVAL);
	CHECK_ERR(semctl_raw(id, 1, GETVAL, 1), EINVAL);
	CHECK_ERR(semctl_raw(id, -1, GETPID, 1), EINVAL);
	OK(semctl_raw(id, 0, SETVAL, 4));
	expect_exit(pid, 0);
	CHECK_EQ(sem_value(id, 0), 0);
	OK(sem_do(id, 0, 1, 0));
	pid = sleeping_doer(id, 0, 0, 0);
	OK(semctl_raw(id, 0, SETVAL, 0));
	expect_exit(pid, 0);
	remove_sem(id);
}

TEST(sem_stat_and_times)
{
	time_t before = time(NULL);
	int id = OK(semget(IPC_PRIVATE, 2, 0644));
	struct semid_ds ds = stat_of(id);

	CHECK_EQ(ds.sem_nsems, 2);
	CHECK_EQ(ds.sem_otime, 0);
	CHECK(ds.sem_ctime >= before);
	CHECK_EQ(ds.sem_perm.mode, 0644);
	CHECK_EQ(semctl_raw(id, 0, GETPID, 0), 0);
	OK(sem_do(id, 0, 0, 0));
	ds = stat_of(id);
	CHECK(ds.sem_otime >= before);
	CHECK_EQ(semctl_raw(id, 0, GETPID, 0), getpid());
	CHECK_EQ(semctl_raw(id, 1, GETPID, 0), 0);
	ds.sem_perm.mode = 0600;
	ds.sem_perm.uid = 1000;
	OK(semctl_raw(id, 0, IPC_SET, (long)&ds));
	ds = stat_of(id);
	CHECK_EQ(ds.sem_perm.mode, 0600);
	CHECK_EQ(ds.sem_perm.uid, 1000);
	CHECK_EQ(semctl_raw(INDEX_OF(id), 0, SEM_STAT, (long)&ds), id);
	CHECK_ERR(semctl_raw(id, 0, 99, 0), EINVAL);
	CHECK_ERR(semctl_raw(-1, 0, IPC_STAT, (long)&ds), EINVAL);
	remove_sem(id);
}

TEST(sem_permissions)
{
	int id = OK(semget(KEY, 1, IPC_CREAT | 0604));
	pid_t pid = FORK();

	if (!pid) {
		become_user(1000, 1000);
		CHECK_EQ(sem_value(id, 0), 0);
		OK(sem_do(id, 0, 0, 0));
		CHECK_ERR(sem_do(id, 0, 1, 0), EACCES);
		CHECK_ERR(semctl_raw(id, 0, SETVAL, 1), EACCES);
		CHECK_ERR(semctl_raw(id, 0, IPC_RMID, 0), EPERM);
		CHECK_ERR(semget(KEY, 1, 0200), EACCES);
		_exit(0);
	}
	expect_exit(pid, 0);
	remove_sem(id);
}

TEST(sem_info)
{
	int id = new_sem(7), highest;
	struct seminfo limits, info;

	highest = OK(semctl_raw(0, 0, IPC_INFO, (long)&limits));
	CHECK(highest >= INDEX_OF(id));
	CHECK_EQ(limits.semmni, 32000);
	CHECK_EQ(limits.semmsl, 32000);
	CHECK_EQ(limits.semmns, 1024000000);
	CHECK_EQ(limits.semopm, 500);
	CHECK_EQ(limits.semvmx, 32767);
	CHECK_EQ(limits.semaem, 32767);
	CHECK_EQ(limits.semmap, 1024000000);
	CHECK_EQ(limits.semmnu, 1024000000);
	CHECK_EQ(limits.semume, 500);
	CHECK_EQ(limits.semusz, 20);
	OK(semctl_raw(0, 0, SEM_INFO, (long)&info));
	CHECK(info.semusz >= 1);
	CHECK(info.semaem >= 7);
	remove_sem(id);
}

TEST(proc_sysvipc_sem)
{
	int id = OK(semget(KEY, 5, IPC_CREAT | 0640));
	struct semid_ds ds = stat_of(id);
	char want[256], *text = read_text("/proc/sysvipc/sem");

	CHECK(starts_with(text,
		"       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n"));
	snprintf(want, sizeof(want), "%10d %10d  %4o %10u %5u %5u %5u %5u %10lu %10lu\n", KEY, id,
		0640, 5, 0, 0, 0, 0, 0ul, (unsigned long)ds.sem_ctime);
	CHECK(strstr(text, want));
	remove_sem(id);
}

TEST(sem_limits_are_kept)
{
	CHECK_STR(read_text("/proc/sys/kernel/sem"), "32000\t1024000000\t500\t32000\n");
	write_file("/proc/sys/kernel/sem", "4 8 2 1");
	CHECK_ERR(semget(IPC_PRIVATE, 5, 0600), EINVAL);
	int id = new_sem(4);
	struct sembuf three[3] = {{0, 1, 0}, {1, 1, 0}, {2, 1, 0}};
	CHECK_ERR(semop(id, three, 3), E2BIG);
	CHECK_ERR(semget(IPC_PRIVATE, 1, 0600), ENOSPC);
	write_file("/proc/sys/kernel/sem", "4 6 2 10");
	CHECK_ERR(semget(IPC_PRIVATE, 3, 0600), ENOSPC);
	int other = new_sem(2);
	remove_sem(other);
	remove_sem(id);
	write_file("/proc/sys/kernel/sem", "32000 1024000000 500 32000");
}

/* Processes pass a token around: no wake-up is lost. */
#define STATIONS 6
#define ROUNDS   300

TEST(token_goes_round)
{
	int id = new_sem(STATIONS);
	pid_t pid[STATIONS];

	for (int i = 0; i < STATIONS; i++) {
		pid[i] = FORK();
		if (pid[i])
			continue;
		for (int r = 0; r < ROUNDS; r++) {
			struct sembuf pass[] = {{i, -1, 0}, {(i + 1) % STATIONS, 1, 0}};

			if (i & 1) {
				OK(semop(id, pass, 2));
			} else {
				OK(semop(id, pass, 1));
				OK(semop(id, pass + 1, 1));
			}
		}
		_exit(0);
	}
	OK(sem_do(id, 0, 1, 0));
	for (int i = 0; i < STATIONS; i++)
		expect_exit(pid[i], 0);
	CHECK_EQ(sem_value(id, 0), 1);
	remove_sem(id);
}

TEST(mutex_by_semaphore_excludes)
{
	int id = new_sem(1);
	volatile long *shared = OK(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t pid[4];

	OK(sem_do(id, 0, 1, 0));
	for (int i = 0; i < 4; i++) {
		pid[i] = FORK();
		if (pid[i])
			continue;
		for (int r = 0; r < 500; r++) {
			OK(sem_do(id, 0, -1, SEM_UNDO));
			long v = *shared;
			if (r % 16 == 0)
				sched_yield();
			*shared = v + 1;
			OK(sem_do(id, 0, 1, SEM_UNDO));
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		expect_exit(pid[i], 0);
	CHECK_EQ(*shared, 2000);
	CHECK_EQ(sem_value(id, 0), 1);
	remove_sem(id);
}
