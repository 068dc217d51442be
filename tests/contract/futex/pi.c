/* SPDX-License-Identifier: MIT */
/* Futexes with priority inheritance. */
#include "contract.h"
#include <linux/futex.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static int g_word, g_word2, g_cond; /* zero at first: each test has a process of its own */

static long futex(int *word, int op, int val, void *timeout, int *word2, int val3)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, val, timeout, word2, val3);
}

static long lock(int *word)
{
	return futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
}

static long unlock(int *word)
{
	return futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
}

static void fifo(int priority)
{
	struct sched_param p = {.sched_priority = priority};

	OK(syscall(SYS_sched_setscheduler, 0, priority ? SCHED_FIFO : SCHED_OTHER, &p));
}

/* Field 18 of stat: 20 for nice 0, -1 - priority for real-time threads. */
static int priority_of(pid_t tid)
{
	char path[64], buf[512] = "", *at;
	long v[16];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	int fd = OK(open(path, O_RDONLY | O_CLOEXEC));
	OK(read(fd, buf, sizeof(buf) - 1));
	OK(close(fd));
	at = strrchr(buf, ')') + 3;
	for (int i = 0; i < 15; i++)
		v[i] = strtol(at, &at, 10);
	(void)v;
	return (int)v[14];
}

/* A thread that takes words one after the other and, told to, gives them up again. */
struct locker {
	pthread_t thread;
	int *first, *second; /* NULL: none */
	int priority;
	pid_t tid;   /* set when it has the first */
	int stage;   /* futex: 1: has the first, 2: has both; 3: shall unlock */
	long result; /* of the second lock */
	int err;
};

static void set_stage(struct locker *l, int stage)
{
	__atomic_store_n(&l->stage, stage, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &l->stage, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void await_stage(struct locker *l, int stage)
{
	for (int s; (s = __atomic_load_n(&l->stage, __ATOMIC_SEQ_CST)) < stage;)
		syscall(SYS_futex, &l->stage, FUTEX_WAIT, s, NULL, NULL, 0);
}

static void *locker_main(void *arg)
{
	struct locker *l = arg;

	l->tid = gettid_raw();
	if (l->priority)
		fifo(l->priority);
	if (l->first)
		OK(lock(l->first));
	set_stage(l, 1);
	if (l->second) {
		l->result = lock(l->second);
		l->err = errno;
		set_stage(l, 2);
	}
	await_stage(l, 3);
	if (l->second && !l->result)
		OK(unlock(l->second));
	if (l->first)
		OK(unlock(l->first));
	return NULL;
}

static void start(struct locker *l, int *first, int *second, int priority)
{
	*l = (struct locker){.first = first, .second = second, .priority = priority};
	CHECK_PT(pthread_create(&l->thread, NULL, locker_main, l));
	await_stage(l, 1);
}

static void finish(struct locker *l)
{
	await_stage(l, l->second ? 2 : 1);
	set_stage(l, 3);
	CHECK_PT(pthread_join(l->thread, NULL));
}

TEST(lock_pi_takes_a_free_word_and_unlock_pi_frees_it)
{
	OK(lock(&g_word));
	CHECK_EQ(g_word, gettid_raw());
	CHECK_ERR(lock(&g_word), EDEADLK);
	CHECK_ERR(futex(&g_word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	OK(unlock(&g_word));
	CHECK_EQ(g_word, 0);
	CHECK_ERR(unlock(&g_word), EPERM);
	OK(futex(&g_word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(g_word, gettid_raw());
	g_word |= FUTEX_WAITERS; /* nobody waits: the kernel knows */
	OK(unlock(&g_word));
	CHECK_EQ(g_word, 0);
}

TEST(lock_pi_errors)
{
	g_word = 0x3ffffff; /* no such thread */
	CHECK_ERR(lock(&g_word), ESRCH);
	CHECK_EQ((unsigned)g_word, 0x3ffffff | FUTEX_WAITERS);
	CHECK_ERR(unlock(&g_word), EPERM);
	CHECK_ERR(futex((int *)((char *)&g_word + 1), FUTEX_LOCK_PI, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex((int *)8192, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERR(futex((int *)8192, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERR(futex(&g_word, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
}

TEST(unlock_pi_hands_over_to_the_first_waiter)
{
	struct locker l;

	OK(lock(&g_word));
	start(&l, NULL, &g_word, 0);
	await_sleep(l.tid);
	CHECK_EQ((unsigned)g_word, gettid_raw() | FUTEX_WAITERS);
	OK(unlock(&g_word));
	CHECK_EQ(g_word & FUTEX_TID_MASK, l.tid);
	await_stage(&l, 2);
	CHECK_EQ(l.result, 0);
	CHECK_ERR(futex(&g_word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EAGAIN);
	CHECK_ERR(unlock(&g_word), EPERM);
	finish(&l);
	CHECK_EQ(g_word, 0);
}

TEST(lock_pi_times_out_on_the_named_clock)
{
	struct locker l;
	struct timespec t;

	start(&l, &g_word, NULL, 0);
	OK(clock_gettime(CLOCK_REALTIME, &t));
	t.tv_nsec = (t.tv_nsec + 20000000) % 1000000000;
	t.tv_sec += t.tv_nsec < 20000000;
	CHECK_ERR(futex(&g_word, FUTEX_LOCK_PI, 0, &t, NULL, 0), ETIMEDOUT);
	CHECK_ERR(futex(&g_word, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, &t, NULL, 0), ETIMEDOUT);
	OK(clock_gettime(CLOCK_MONOTONIC, &t));
	CHECK_ERR(futex(&g_word, FUTEX_LOCK_PI2, 0, &t, NULL, 0), ETIMEDOUT);
	t.tv_nsec = -1;
	CHECK_ERR(futex(&g_word, FUTEX_LOCK_PI2, 0, &t, NULL, 0), EINVAL);
	finish(&l);
	OK(lock(&g_word));
}

TEST(lock_pi_detects_a_deadlock_over_several_locks)
{
	struct locker a, b;

	OK(lock(&g_word2));
	start(&a, &g_word, &g_cond, 0); /* free: it has both */
	await_stage(&a, 2);
	start(&b, NULL, &g_word2, 0); /* waits for us, owns nothing */
	await_sleep(b.tid);
	finish(&a);
	start(&a, &g_word, &g_word2, 0); /* has word, waits for us */
	await_sleep(a.tid);
	CHECK_ERR(lock(&g_word), EDEADLK);
	OK(unlock(&g_word2));
	finish(&b);
	finish(&a);
	OK(lock(&g_word));
}

TEST(owners_inherit_the_priority_of_waiters_along_the_chain)
{
	struct locker a, b, c;

	start(&b, &g_word2, NULL, 0);
	start(&a, &g_word, &g_word2, 0); /* waits for b */
	await_sleep(a.tid);
	CHECK_EQ(priority_of(b.tid), 20);
	start(&c, NULL, &g_word, 30); /* waits for a */
	await_sleep(c.tid);
	CHECK_EQ(priority_of(a.tid), -31);
	CHECK_EQ(priority_of(b.tid), -31);
	struct sched_param p = {.sched_priority = 40};
	OK(syscall(SYS_sched_setscheduler, c.tid, SCHED_FIFO, &p)); /* what is inherited follows */
	CHECK_EQ(priority_of(a.tid), -41);
	CHECK_EQ(priority_of(b.tid), -41);
	CHECK_EQ(OK(syscall(SYS_sched_getscheduler, b.tid)), SCHED_OTHER); /* its own stays */
	set_stage(&b, 3);
	CHECK_PT(pthread_join(b.thread, NULL));
	await_stage(&a, 2);
	CHECK_EQ(priority_of(a.tid), -41);
	finish(&a);
	await_stage(&c, 2);
	finish(&c);
	CHECK_EQ(g_word, 0);
	CHECK_EQ(g_word2, 0);
}

TEST(what_was_inherited_ends_with_the_wait)
{
	struct locker a;
	struct timespec t;

	start(&a, &g_word, NULL, 0);
	fifo(20);
	OK(clock_gettime(CLOCK_MONOTONIC, &t));
	CHECK_ERR(futex(&g_word, FUTEX_LOCK_PI2, 0, &t, NULL, 0), ETIMEDOUT);
	CHECK_EQ(priority_of(a.tid), 20);
	finish(&a);
}

TEST(the_highest_priority_gets_the_lock_first)
{
	struct locker l[4];
	static const int priority[4] = {10, 30, 20, 30};
	static const int order[4] = {1, 3, 2, 0};

	OK(lock(&g_word));
	for (int i = 0; i < 4; i++) {
		start(&l[i], NULL, &g_word, priority[i]);
		await_sleep(l[i].tid);
	}
	CHECK_EQ(priority_of(gettid_raw()), -31);
	OK(unlock(&g_word));
	CHECK_EQ(priority_of(gettid_raw()), 20);
	for (int i = 0; i < 4; i++) {
		await_stage(&l[order[i]], 2);
		CHECK_EQ(g_word & FUTEX_TID_MASK, l[order[i]].tid);
		finish(&l[order[i]]);
	}
}

static void *die_with_lock(void *arg)
{
	OK(lock(&g_word));
	set_stage(arg, 1);
	await_stage(arg, 3);
	return NULL;
}

TEST(a_dead_owner_leaves_the_lock_to_its_first_waiter)
{
	struct locker owner = {.stage = 0}, l;

	CHECK_PT(pthread_create(&owner.thread, NULL, die_with_lock, &owner));
	await_stage(&owner, 1);
	start(&l, NULL, &g_word, 0);
	await_sleep(l.tid);
	finish(&owner);
	await_stage(&l, 2);
	CHECK_EQ(l.result, 0);
	CHECK_EQ((unsigned)g_word & (FUTEX_TID_MASK | FUTEX_OWNER_DIED), l.tid | FUTEX_OWNER_DIED);
	finish(&l);
	owner.stage = 0;
	CHECK_PT(pthread_create(&owner.thread, NULL, die_with_lock, &owner));
	finish(&owner);
	CHECK_ERR(lock(&g_word), ESRCH); /* nobody waited, no robust list: it's lost */
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(lock_pi_goes_on_after_a_signal)
{
	struct sigaction sa = {.sa_handler = nothing};
	struct locker l;

	OK(sigaction(SIGUSR1, &sa, NULL));
	OK(lock(&g_word));
	start(&l, NULL, &g_word, 0);
	await_sleep(l.tid);
	for (int i = 0; i < 20; i++) {
		CHECK_PT(pthread_kill(l.thread, SIGUSR1));
		await_sleep(l.tid);
	}
	OK(unlock(&g_word));
	await_stage(&l, 2);
	CHECK_EQ(l.result, 0);
	finish(&l);
}

/* ---- requeue ---- */

struct requeued {
	pthread_t thread;
	pid_t tid;
	long result;
	int err, stage;
	struct timespec *timeout;
};

static void *requeued_main(void *arg)
{
	struct requeued *r = arg;

	__atomic_store_n(&r->tid, gettid_raw(), __ATOMIC_SEQ_CST);
	r->result = futex(&g_cond, FUTEX_WAIT_REQUEUE_PI, 0, r->timeout, &g_word, 0);
	r->err = errno;
	if (!r->result) {
		CHECK_EQ(g_word & FUTEX_TID_MASK, r->tid);
		OK(unlock(&g_word));
	}
	return NULL;
}

static void start_requeued(struct requeued *r)
{
	CHECK_PT(pthread_create(&r->thread, NULL, requeued_main, r));
	while (!__atomic_load_n(&r->tid, __ATOMIC_SEQ_CST))
		sched_yield();
	await_sleep(r->tid);
}

static long requeue(int wake, int move, int val)
{
	return futex(&g_cond, FUTEX_CMP_REQUEUE_PI, wake, (void *)(long)move, &g_word, val);
}

TEST(cmp_requeue_pi_gives_a_free_lock_to_the_waiter)
{
	struct requeued r = {.tid = 0};

	start_requeued(&r);
	CHECK_ERR(requeue(1, 0, 7), EAGAIN);
	CHECK_ERR(requeue(0, 0, 0), EINVAL);
	CHECK_ERR(requeue(2, 0, 0), EINVAL);
	CHECK_ERR(futex(&g_cond, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECK_EQ(requeue(1, 0, 0), 1);
	CHECK_PT(pthread_join(r.thread, NULL));
	CHECK_EQ(r.result, 0);
	CHECK_EQ(g_word, 0);
	CHECK_EQ(requeue(1, 10, 0), 0);
}

TEST(cmp_requeue_pi_queues_waiters_behind_the_owner)
{
	struct requeued r[3] = {{.tid = 0}};

	for (int i = 0; i < 3; i++)
		start_requeued(&r[i]);
	OK(lock(&g_word));
	CHECK_EQ(requeue(1, 1, 0), 2);
	CHECK_EQ((unsigned)g_word, gettid_raw() | FUTEX_WAITERS);
	CHECK_EQ(requeue(1, 5, 0), 1);
	OK(unlock(&g_word));
	for (int i = 0; i < 3; i++) {
		CHECK_PT(pthread_join(r[i].thread, NULL));
		CHECK_EQ(r[i].result, 0);
	}
	CHECK_EQ(g_word, 0);
}

TEST(wait_requeue_pi_times_out_on_both_words)
{
	struct timespec now, t;
	struct requeued r = {.timeout = &t}, r2 = {.timeout = &t};

	OK(clock_gettime(CLOCK_MONOTONIC, &now));
	t = now;
	CHECK_ERR(futex(&g_cond, FUTEX_WAIT_REQUEUE_PI, 0, &t, &g_word, 0), ETIMEDOUT);
	CHECK_ERR(futex(&g_cond, FUTEX_WAIT_REQUEUE_PI, 1, &t, &g_word, 0), EAGAIN);
	CHECK_ERR(futex(&g_cond, FUTEX_WAIT_REQUEUE_PI, 0, &t, &g_cond, 0), EINVAL);
	OK(lock(&g_word));
	t.tv_sec += 1;
	start_requeued(&r);
	start_requeued(&r2);
	CHECK_EQ(requeue(1, 0, 0), 1);
	CHECK_PT(pthread_join(r.thread, NULL));
	CHECK_PT(pthread_join(r2.thread, NULL));
	CHECK_EQ(r.result, -1);
	CHECK_EQ(r.err, ETIMEDOUT);
	CHECK_EQ(r2.err, ETIMEDOUT);
	OK(unlock(&g_word));
}

/* ---- the library's mutexes ---- */

static pthread_mutex_t g_mutex;
static long g_count;

static void make_mutex(int robust, int shared, pthread_mutex_t *m)
{
	pthread_mutexattr_t a;

	CHECK_PT(pthread_mutexattr_init(&a));
	CHECK_PT(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT));
	if (robust)
		CHECK_PT(pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST));
	if (shared)
		CHECK_PT(pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED));
	CHECK_PT(pthread_mutex_init(m, &a));
}

static void *count_up(void *arg)
{
	for (int i = 0; i < 5000; i++) {
		CHECK_PT(pthread_mutex_lock(&g_mutex));
		g_count++;
		CHECK_PT(pthread_mutex_unlock(&g_mutex));
	}
	return arg;
}

TEST(inheriting_mutexes_exclude)
{
	pthread_t t[6];

	make_mutex(0, 0, &g_mutex);
	for (int i = 0; i < 6; i++)
		CHECK_PT(pthread_create(&t[i], NULL, count_up, NULL));
	for (int i = 0; i < 6; i++)
		CHECK_PT(pthread_join(t[i], NULL));
	CHECK_EQ(g_count, 30000);
}

static void *die_with_mutex(void *arg)
{
	CHECK_PT(pthread_mutex_lock(&g_mutex));
	return arg;
}

TEST(robust_inheriting_mutex_of_a_dead_thread_is_EOWNERDEAD)
{
	pthread_t t;

	make_mutex(1, 0, &g_mutex);
	CHECK_PT(pthread_create(&t, NULL, die_with_mutex, NULL));
	CHECK_PT(pthread_join(t, NULL));
	CHECK_EQ(pthread_mutex_lock(&g_mutex), EOWNERDEAD);
	CHECK_PT(pthread_mutex_consistent(&g_mutex));
	CHECK_PT(pthread_mutex_unlock(&g_mutex));
	CHECK_PT(pthread_mutex_lock(&g_mutex));
	CHECK_PT(pthread_mutex_unlock(&g_mutex));
}

TEST(robust_inheriting_mutex_of_a_killed_process_goes_to_its_waiter)
{
	struct {
		pthread_mutex_t mutex;
		int locked;
	} *s = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));

	make_mutex(1, 1, &s->mutex);
	for (int round = 0; round < 20; round++) {
		pid_t owner = FORK();
		if (!owner) {
			int err = pthread_mutex_lock(&s->mutex);

			CHECK(err == 0 || err == EOWNERDEAD);
			__atomic_store_n(&s->locked, 1, __ATOMIC_SEQ_CST);
			pause();
		}
		while (!__atomic_load_n(&s->locked, __ATOMIC_SEQ_CST))
			sched_yield();
		s->locked = 0;
		pid_t heir = FORK();
		if (!heir) {
			CHECK_EQ(pthread_mutex_lock(&s->mutex), EOWNERDEAD);
			CHECK_PT(pthread_mutex_consistent(&s->mutex));
			CHECK_PT(pthread_mutex_unlock(&s->mutex));
			_exit(0);
		}
		if (round % 2)
			await_sleep(heir);
		OK(kill(owner, SIGKILL));
		expect_signal(owner, SIGKILL);
		expect_exit(heir, 0);
	}
}
