/* SPDX-License-Identifier: MIT */
/* io_setup(2), io_submit(2), io_getevents(2), io_pgetevents(2), io_cancel(2), io_destroy(2). */
#include "contract.h"
#include <linux/aio_abi.h>
#include <sys/eventfd.h>

#define RING_MAGIC 0xa10a10a1u

struct ring { /* what a context's id points to */
	uint32_t id, nr, head, tail, magic, compat, incompat, header_len;
	struct io_event events[];
};

static long setup(unsigned nr, aio_context_t *ctx)
{
	return syscall(SYS_io_setup, nr, ctx);
}
static long destroy(aio_context_t ctx)
{
	return syscall(SYS_io_destroy, ctx);
}
static long submit(aio_context_t ctx, long nr, struct iocb **list)
{
	return syscall(SYS_io_submit, ctx, nr, list);
}
static long take(aio_context_t ctx, long min, long nr, struct io_event *e, struct timespec *t)
{
	return syscall(SYS_io_getevents, ctx, min, nr, e, t);
}

static aio_context_t new_context(unsigned nr)
{
	aio_context_t ctx = 0;

	OK(setup(nr, &ctx));
	return ctx;
}

static struct iocb request(int op, int fd, const void *buf, size_t len, long long at)
{
	return (struct iocb){.aio_lio_opcode = op,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)buf,
		.aio_nbytes = len,
		.aio_offset = at,
		.aio_data = 0x1234567890ull + (unsigned)op};
}

static long submit_one(aio_context_t ctx, struct iocb *cb)
{
	return submit(ctx, 1, &cb);
}

/* The result of one request that is accepted. */
static long long result(aio_context_t ctx, struct iocb *cb)
{
	struct io_event e = {0};

	CHECK_EQ(submit_one(ctx, cb), 1);
	CHECK_EQ(take(ctx, 1, 1, &e, NULL), 1);
	CHECK_EQ(e.obj, (uintptr_t)cb);
	CHECK_EQ(e.data, cb->aio_data);
	CHECK_EQ(e.res2, 0);
	return e.res;
}

static long long aio_nr(void)
{
	return atoll(read_text("/proc/sys/fs/aio-nr"));
}

TEST(io_setup_refuses_what_is_no_request_for_a_context)
{
	aio_context_t ctx = 0;

	CHECK_ERR(setup(0, &ctx), EINVAL);
	CHECK_ERR(setup(1, BAD_PTR), EFAULT);
	CHECK_ERR(setup(0x10000000u, &ctx), EINVAL);
	CHECK_ERR(setup(0xffffffffu, &ctx), EINVAL);
	ctx = 1;
	CHECK_ERR(setup(1, &ctx), EINVAL);
	CHECK_EQ(ctx, 1);
}

TEST(contexts_are_counted_and_limited)
{
	long long max = atoll(read_text("/proc/sys/fs/aio-max-nr")), before = aio_nr();
	aio_context_t ctx = 0, second = 0;

	CHECK_EQ(max, 65536);
	ctx = new_context(1000);
	CHECK_EQ(aio_nr(), before + 1000);
	CHECK_ERR(setup((unsigned)max, &second), EAGAIN);
	CHECK_EQ(second, 0);
	OK(destroy(ctx));
	CHECK_EQ(aio_nr(), before);
}

TEST(a_context_is_the_address_of_its_ring)
{
	aio_context_t ctx = new_context(10);
	struct ring *r = (struct ring *)ctx;

	CHECK_EQ(r->magic, RING_MAGIC);
	CHECK_EQ(r->compat, 1);
	CHECK_EQ(r->incompat, 0);
	CHECK_EQ(r->header_len, sizeof(*r));
	CHECK_EQ(r->head, 0);
	CHECK_EQ(r->tail, 0);
	CHECK(r->nr > 10);
	OK(destroy(ctx));
	CHECK_ERR(msync((void *)ctx, page_size(), MS_ASYNC), ENOMEM); /* unmapped */
	CHECK_ERR(destroy(ctx), EINVAL);
}

TEST(what_is_written_is_read_at_its_place)
{
	aio_context_t ctx = new_context(4);
	int fd = new_file("f", O_RDWR, 0600);
	char buf[16] = {0};
	struct iocb w = request(IOCB_CMD_PWRITE, fd, "hello", 5, 4096);
	struct iocb r = request(IOCB_CMD_PREAD, fd, buf, sizeof(buf), 4095);
	struct iocb end = request(IOCB_CMD_PREAD, fd, buf, sizeof(buf), 5000);

	CHECK_EQ(result(ctx, &w), 5);
	CHECK_EQ(result(ctx, &r), 6);
	CHECK(!memcmp(buf, "\0hello", 6));
	CHECK_EQ(result(ctx, &end), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	OK(destroy(ctx));
}

TEST(vectors_are_transferred)
{
	aio_context_t ctx = new_context(4);
	int fd = new_file("f", O_RDWR, 0600);
	char a[3] = {0}, b[3] = {0};
	struct iovec out[2] = {{"abc", 3}, {"defg", 4}}, in[2] = {{a, 3}, {b, 3}};
	struct iocb w = request(IOCB_CMD_PWRITEV, fd, out, 2, 1);
	struct iocb r = request(IOCB_CMD_PREADV, fd, in, 2, 2);
	struct iocb bad = request(IOCB_CMD_PREADV, fd, BAD_PTR, 2, 2);
	struct iocb many = request(IOCB_CMD_PREADV, fd, in, 1025, 2);

	CHECK_EQ(result(ctx, &w), 7);
	CHECK_EQ(result(ctx, &r), 6);
	CHECK(!memcmp(a, "bcd", 3) && !memcmp(b, "efg", 3));
	CHECK_ERR(submit_one(ctx, &bad), EFAULT);
	CHECK_ERR(submit_one(ctx, &many), EINVAL);
	OK(destroy(ctx));
}

TEST(several_requests_complete_in_one_call)
{
	aio_context_t ctx = new_context(8);
	int fd = new_file("f", O_RDWR, 0600);
	struct iocb cb[8], *list[8];
	struct io_event e[8];
	char text[8] = "abcdefgh", got[9] = {0};

	for (int i = 0; i < 8; i++) {
		cb[i] = request(IOCB_CMD_PWRITE, fd, text + i, 1, 7 - i);
		cb[i].aio_data = 100 + i;
		list[i] = &cb[i];
	}
	CHECK_EQ(submit(ctx, 8, list), 8);
	CHECK_EQ(take(ctx, 3, 3, e, NULL), 3);
	CHECK_EQ(take(ctx, 5, 8, e + 3, NULL), 5);
	unsigned seen = 0;
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(e[i].res, 1);
		seen |= 1u << (e[i].data - 100);
	}
	CHECK_EQ(seen, 0xff);
	CHECK_EQ(pread(fd, got, 8, 0), 8);
	CHECK_STR(got, "hgfedcba");
	OK(destroy(ctx));
}

TEST(io_submit_refuses_requests_that_make_no_sense)
{
	aio_context_t ctx = new_context(4);
	int fd = new_file("f", O_RDWR, 0600), ro = OK(open("f", O_RDONLY));
	int dir = OK(open(".", O_RDONLY | O_DIRECTORY)), path = OK(open("f", O_PATH));
	char buf[8];
	struct iocb cb = request(IOCB_CMD_PREAD, -1, buf, 8, 0);

	CHECK_ERR(submit_one(ctx, &cb), EBADF);
	cb.aio_fildes = path;
	CHECK_ERR(submit_one(ctx, &cb), EBADF);
	cb.aio_fildes = dir;
	CHECK_ERR(submit_one(ctx, &cb), EINVAL);
	cb = request(IOCB_CMD_PWRITE, ro, buf, 8, 0);
	CHECK_ERR(submit_one(ctx, &cb), EBADF);
	cb = request(4, fd, buf, 8, 0);
	CHECK_ERR(submit_one(ctx, &cb), EINVAL);
	cb = request(77, fd, buf, 8, 0);
	CHECK_ERR(submit_one(ctx, &cb), EINVAL);
	cb = request(IOCB_CMD_PREAD, fd, buf, 8, -1);
	CHECK_ERR(submit_one(ctx, &cb), EINVAL);
	cb = request(IOCB_CMD_PREAD, fd, buf, 8, LLONG_MAX - 3);
	CHECK_ERR(submit_one(ctx, &cb), EINVAL);
	cb = request(IOCB_CMD_PREAD, fd, buf, (size_t)-8, 0);
	CHECK_ERR(submit_one(ctx, &cb), EINVAL);
	cb = request(IOCB_CMD_PREAD, fd, KERNEL_PTR, 8, 0);
	CHECK_ERR(submit_one(ctx, &cb), EFAULT);
	cb = request(IOCB_CMD_PREAD, fd, buf, 8, 0);
	cb.aio_reserved2 = 1;
	CHECK_ERR(submit_one(ctx, &cb), EINVAL);
	cb = request(IOCB_CMD_PREAD, fd, buf, 8, 0);
	cb.aio_rw_flags = 0x40000000;
	CHECK_ERR(submit_one(ctx, &cb), EOPNOTSUPP);
	cb = request(IOCB_CMD_PREAD, fd, buf, 8, 0);
	cb.aio_flags = IOCB_FLAG_IOPRIO;
	cb.aio_reqprio = 4 << 13;
	CHECK_ERR(submit_one(ctx, &cb), EINVAL);
	OK(destroy(ctx));
}

TEST(io_submit_says_how_many_were_accepted)
{
	aio_context_t ctx = new_context(4);
	int fd = new_file("f", O_RDWR, 0600);
	struct iocb good = request(IOCB_CMD_PWRITE, fd, "x", 1, 0);
	struct iocb bad = request(IOCB_CMD_PWRITE, -1, "x", 1, 0);
	struct iocb *list[3] = {&good, &bad, &good}, *wild[2] = {&good, BAD_PTR};
	struct io_event e[3];

	CHECK_EQ(submit(ctx, 3, list), 1);
	CHECK_EQ(submit(ctx, 2, wild), 1);
	CHECK_EQ(take(ctx, 0, 3, e, NULL), 2);
	CHECK_ERR(submit(ctx, 1, wild + 1), EFAULT);
	CHECK_ERR(submit(ctx, 1, BAD_PTR), EFAULT);
	CHECK_ERR(submit(ctx, -1, list), EINVAL);
	CHECK_EQ(submit(ctx, 0, list), 0);
	CHECK_ERR(submit(ctx + 1, 1, list), EINVAL);
	CHECK_ERR(submit(0, 1, list), EINVAL);
	OK(destroy(ctx));
	CHECK_ERR(submit(ctx, 1, list), EINVAL);
}

TEST(errors_of_the_transfer_stand_in_the_event)
{
	aio_context_t ctx = new_context(4);
	int fd = new_file("f", O_RDWR, 0600);
	struct rlimit limit = {100, RLIM_INFINITY};
	struct iocb w = request(IOCB_CMD_PWRITE, fd, "x", 1, 100);
	struct iocb r = request(IOCB_CMD_PREAD, fd, BAD_PTR, 1, 0);
	struct iocb sync = request(IOCB_CMD_FSYNC, fd, NULL, 0, 0);

	CHECK_EQ(pwrite(fd, "y", 1, 0), 1);
	on_signal(SIGXFSZ, SIG_IGN, 0);
	OK(setrlimit(RLIMIT_FSIZE, &limit));
	CHECK_EQ(result(ctx, &w), -EFBIG);
	CHECK_EQ(result(ctx, &r), -EFAULT);
	CHECK_EQ(result(ctx, &sync), 0);
	sync.aio_nbytes = 1;
	CHECK_ERR(submit_one(ctx, &sync), EINVAL);
	OK(destroy(ctx));
}

TEST(a_request_for_more_than_2_GiB_is_cut)
{
	aio_context_t ctx = new_context(1);
	int fd = OK(open("/dev/null", O_WRONLY));
	struct iocb w = request(IOCB_CMD_PWRITE, fd, (void *)(1ul << 40), 1ul << 62, 0);

	CHECK_EQ(result(ctx, &w), 0x7ffff000);
	w.aio_nbytes = 1ul << 63;
	CHECK_ERR(submit_one(ctx, &w), EINVAL);
	OK(destroy(ctx));
}

TEST(RWF_APPEND_writes_at_the_end)
{
	aio_context_t ctx = new_context(4);
	int fd = new_file("f", O_RDWR, 0600);
	struct iocb w = request(IOCB_CMD_PWRITE, fd, "bc", 2, 0);
	char got[4] = {0};

	CHECK_EQ(pwrite(fd, "a", 1, 0), 1);
	w.aio_rw_flags = RWF_APPEND | RWF_DSYNC;
	CHECK_EQ(result(ctx, &w), 2);
	CHECK_EQ(pread(fd, got, 4, 0), 3);
	CHECK_STR(got, "abc");
	OK(destroy(ctx));
}

TEST(io_getevents_checks_its_arguments)
{
	aio_context_t ctx = new_context(4);
	struct timespec zero = {0};
	struct io_event e;

	CHECK_ERR(take(ctx, 2, 1, &e, &zero), EINVAL);
	CHECK_ERR(take(ctx, -1, 1, &e, &zero), EINVAL);
	CHECK_ERR(take(ctx, 0, -1, &e, &zero), EINVAL);
	CHECK_ERR(take(ctx, 0, 1, &e, BAD_PTR), EFAULT);
	CHECK_ERR(take(ctx + 1, 0, 1, &e, &zero), EINVAL);
	CHECK_EQ(take(ctx, 0, 0, &e, NULL), 0);
	CHECK_EQ(take(ctx, 0, 1, &e, NULL), 0);
	CHECK_EQ(take(ctx, 1, 1, &e, &zero), 0);
	OK(destroy(ctx));
}

TEST(events_that_cannot_be_copied_stay)
{
	aio_context_t ctx = new_context(4);
	int fd = new_file("f", O_RDWR, 0600);
	struct iocb w = request(IOCB_CMD_PWRITE, fd, "x", 1, 0);
	struct io_event e;

	CHECK_EQ(submit_one(ctx, &w), 1);
	CHECK_ERR(take(ctx, 1, 1, BAD_PTR, NULL), EFAULT);
	CHECK_EQ(take(ctx, 1, 1, &e, NULL), 1);
	CHECK_EQ(e.res, 1);
	OK(destroy(ctx));
}

TEST(io_getevents_waits_for_its_time)
{
	aio_context_t ctx = new_context(4);
	struct timespec t = ts_of(50 * MSEC);
	struct io_event e;
	long long start = now_ns(CLOCK_MONOTONIC);

	CHECK_EQ(take(ctx, 1, 1, &e, &t), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 50 * MSEC);
	OK(destroy(ctx));
}

static aio_context_t g_ctx;
static pid_t g_waiter;
static struct gate g_started;

static void *wait_for_two(void *got)
{
	struct io_event e[2];

	g_waiter = gettid_raw();
	gate_open(g_started);
	*(long *)got = take(g_ctx, 2, 2, e, NULL);
	return (void *)(long)errno;
}

static pthread_t start_waiter(long *got)
{
	pthread_t t;

	g_ctx = new_context(4);
	g_started = gate_make();
	CHECK_PT(pthread_create(&t, NULL, wait_for_two, got));
	gate_wait(g_started);
	await_sleep(g_waiter);
	return t;
}

TEST(a_waiter_gets_what_another_thread_submits)
{
	int fd = new_file("f", O_RDWR, 0600);
	struct iocb w = request(IOCB_CMD_PWRITE, fd, "x", 1, 0);
	long got = 0;
	pthread_t t = start_waiter(&got);

	CHECK_EQ(submit_one(g_ctx, &w), 1);
	CHECK_EQ(submit_one(g_ctx, &w), 1);
	CHECK_PT(pthread_join(t, NULL));
	CHECK_EQ(got, 2);
	OK(destroy(g_ctx));
}

TEST(a_waiter_leaves_a_context_that_is_destroyed)
{
	long got = 0;
	void *err;
	pthread_t t = start_waiter(&got);

	OK(destroy(g_ctx));
	CHECK_PT(pthread_join(t, &err));
	CHECK_EQ(got, -1);
	CHECK_EQ((long)err, EINVAL);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(a_signal_ends_the_wait)
{
	aio_context_t ctx = new_context(4);
	struct itimerval soon = {.it_value.tv_usec = 50000};
	struct io_event e;

	on_signal(SIGALRM, nothing, SA_RESTART);
	OK(setitimer(ITIMER_REAL, &soon, NULL));
	CHECK_ERR(take(ctx, 1, 1, &e, NULL), EINTR);
	OK(destroy(ctx));
}

static volatile int g_alarms;
static void count_alarm(int sig)
{
	(void)sig;
	g_alarms++;
}

TEST(a_negative_time_is_no_limit)
{
	aio_context_t ctx = new_context(4);
	struct itimerval soon = {.it_value.tv_usec = 50000};
	struct timespec past = {-1, 0};
	struct io_event e;

	on_signal(SIGALRM, nothing, 0);
	OK(setitimer(ITIMER_REAL, &soon, NULL));
	CHECK_ERR(take(ctx, 1, 1, &e, &past), EINTR);
	OK(destroy(ctx));
}

TEST(io_pgetevents_waits_with_another_signal_mask)
{
	aio_context_t ctx = new_context(4);
	sigset_t blocked, empty;
	struct {
		const sigset_t *mask;
		size_t size;
	} usig = {&empty, 8};
	struct timespec zero = {0}, t = ts_of(20 * MSEC);
	struct io_event e;

	sigemptyset(&empty);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGALRM);
	OK(sigprocmask(SIG_BLOCK, &blocked, NULL));
	on_signal(SIGALRM, count_alarm, 0);
	OK(raise(SIGALRM));
	CHECK_EQ(g_alarms, 0);
	CHECK_ERR(syscall(SYS_io_pgetevents, ctx, 1, 1, &e, NULL, &usig), EINTR);
	CHECK_EQ(g_alarms, 1);
	OK(raise(SIGALRM));
	CHECK_EQ(syscall(SYS_io_pgetevents, ctx, 1, 1, &e, &t, NULL), 0);
	CHECK_EQ(g_alarms, 1); /* blocked again */
	CHECK_ERR(syscall(SYS_io_pgetevents, ctx, 1, 1, &e, &zero, BAD_PTR), EFAULT);
	usig.size = 4;
	CHECK_ERR(syscall(SYS_io_pgetevents, ctx, 1, 1, &e, &zero, &usig), EINVAL);
	OK(destroy(ctx));
}

TEST(an_eventfd_counts_completions)
{
	aio_context_t ctx = new_context(4);
	int fd = new_file("f", O_RDWR, 0600), efd = OK(eventfd(0, EFD_NONBLOCK));
	struct iocb w = request(IOCB_CMD_PWRITE, fd, "x", 1, 0);
	struct io_event e[2];
	uint64_t n = 0;

	w.aio_flags = IOCB_FLAG_RESFD;
	w.aio_resfd = (unsigned)efd;
	CHECK_EQ(submit_one(ctx, &w), 1);
	CHECK_EQ(submit_one(ctx, &w), 1);
	CHECK_EQ(take(ctx, 2, 2, e, NULL), 2);
	CHECK_EQ(read(efd, &n, sizeof(n)), 8);
	CHECK_EQ(n, 2);
	w.aio_resfd = (unsigned)fd;
	CHECK_ERR(submit_one(ctx, &w), EINVAL);
	w.aio_resfd = (unsigned)-1;
	CHECK_ERR(submit_one(ctx, &w), EBADF);
	OK(destroy(ctx));
}

TEST(a_stream_is_read_without_a_position)
{
	aio_context_t ctx = new_context(4);
	char buf[8] = {0};
	struct iocb r;
	int p[2];

	OK(pipe(p));
	CHECK_EQ(write(p[1], "abcdef", 6), 6);
	r = request(IOCB_CMD_PREAD, p[0], buf, 3, 0);
	CHECK_EQ(result(ctx, &r), 3);
	CHECK_EQ(result(ctx, &r), 3);
	CHECK_STR(buf, "def");
	OK(destroy(ctx));
}

TEST(a_full_ring_takes_no_more_until_events_are_taken)
{
	aio_context_t ctx = new_context(1);
	struct ring *r = (struct ring *)ctx;
	int fd = new_file("f", O_RDWR, 0600);
	struct iocb w = request(IOCB_CMD_PWRITE, fd, "x", 1, 0);
	struct io_event e[8];
	unsigned n = 0;

	while (submit_one(ctx, &w) == 1)
		CHECK(++n < r->nr);
	CHECK_ERR(submit_one(ctx, &w), EAGAIN);
	CHECK(n > 1);
	CHECK_EQ(take(ctx, 8, 8, e, NULL), 8);
	CHECK_EQ(submit_one(ctx, &w), 1);
	for (unsigned left = n - 8 + 1; left; left--)
		CHECK_EQ(take(ctx, 1, 1, e, NULL), 1);
	CHECK_EQ(r->head, r->tail);
	OK(destroy(ctx));
}

TEST(a_program_takes_events_out_of_the_ring_itself)
{
	aio_context_t ctx = new_context(4);
	struct ring *r = (struct ring *)ctx;
	int fd = new_file("f", O_RDWR, 0600);
	struct iocb w = request(IOCB_CMD_PWRITE, fd, "x", 1, 0);
	struct timespec zero = {0};
	struct io_event e;

	for (unsigned i = 0; i < r->nr + 5; i++) {
		unsigned head = r->head;

		w.aio_data = i;
		CHECK_EQ(submit_one(ctx, &w), 1);
		CHECK_EQ(__atomic_load_n(&r->tail, __ATOMIC_ACQUIRE), (head + 1) % r->nr);
		CHECK_EQ(r->events[head].data, i);
		CHECK_EQ(r->events[head].res, 1);
		__atomic_store_n(&r->head, (head + 1) % r->nr, __ATOMIC_RELEASE);
	}
	CHECK_EQ(take(ctx, 0, 1, &e, &zero), 0);
	OK(destroy(ctx));
}

TEST(a_head_that_points_nowhere_does_no_harm)
{
	aio_context_t ctx = new_context(4);
	struct ring *r = (struct ring *)ctx;
	int fd = new_file("f", O_RDWR, 0600);
	struct iocb w = request(IOCB_CMD_PWRITE, fd, "x", 1, 0);
	struct timespec zero = {0};
	static struct io_event e[1024];

	r->nr = 0;
	r->tail = 0x7fffffff;
	r->head = 0xffffffff;
	submit_one(ctx, &w);
	take(ctx, 0, 1024, e, &zero);
	r->nr = 0xffffffff;
	submit_one(ctx, &w);
	take(ctx, 1, 1024, e, &zero);
	OK(destroy(ctx));
}

TEST(a_context_belongs_to_one_address_space)
{
	aio_context_t ctx = new_context(4);
	int fd = new_file("f", O_RDWR, 0600);
	struct iocb w = request(IOCB_CMD_PWRITE, fd, "x", 1, 0);
	long long nr = aio_nr();
	pid_t pid = FORK();

	if (!pid) {
		struct io_event e;

		CHECK_EQ(((struct ring *)ctx)->magic, RING_MAGIC);
		CHECK_ERR(submit_one(ctx, &w), EINVAL);
		CHECK_ERR(take(ctx, 0, 1, &e, NULL), EINVAL);
		CHECK_ERR(destroy(ctx), EINVAL);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(aio_nr(), nr);
	CHECK_EQ(result(ctx, &w), 1);
	OK(destroy(ctx));
}

HELPER(print_aio_nr)
{
	return aio_nr() == atoll(argv[0]) ? 0 : 1;
}

TEST(contexts_go_with_exit_and_exec)
{
	long long before = aio_nr();
	char text[32];
	pid_t pid = FORK();

	if (!pid) {
		new_context(100);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(aio_nr(), before);
	snprintf(text, sizeof(text), "%lld", before);
	pid = FORK();
	if (!pid) {
		new_context(100);
		exec_helper("print_aio_nr", text, NULL);
		_exit(99);
	}
	expect_exit(pid, 0);
}

TEST(the_ring_may_move)
{
	aio_context_t ctx = new_context(4);
	int fd = new_file("f", O_RDWR, 0600);
	struct iocb w = request(IOCB_CMD_PWRITE, fd, "x", 1, 0);
	struct ring *r = (struct ring *)ctx;
	size_t len = sizeof(*r) + r->nr * sizeof(struct io_event);
	void *room = OK(mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	aio_context_t moved = (aio_context_t)OK(
		mremap(r, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, room));

	CHECK_ERR(submit_one(ctx, &w), EINVAL);
	CHECK_EQ(result(moved, &w), 1);
	OK(destroy(moved));
}

TEST(a_finished_request_cannot_be_cancelled)
{
	aio_context_t ctx = new_context(4);
	int fd = new_file("f", O_RDWR, 0600);
	struct iocb w = request(IOCB_CMD_PWRITE, fd, "x", 1, 0);
	struct io_event e;

	w.aio_key = 77;
	CHECK_ERR(syscall(SYS_io_cancel, ctx, &w, &e), EINVAL);
	CHECK_EQ(result(ctx, &w), 1);
	CHECK_EQ(w.aio_key, 0);
	CHECK_ERR(syscall(SYS_io_cancel, ctx, &w, &e), EINVAL);
	CHECK_ERR(syscall(SYS_io_cancel, ctx, BAD_PTR, &e), EFAULT);
	OK(destroy(ctx));
}

TEST(an_eventfd_that_overflows_is_full_and_in_error)
{
	aio_context_t ctx = new_context(4);
	int fd = new_file("f", O_RDWR, 0600);
	int efd = OK(eventfd(0, EFD_NONBLOCK));
	struct iocb w = request(IOCB_CMD_PWRITE, fd, "x", 1, 0);
	struct pollfd p = {.fd = efd, .events = POLLIN | POLLOUT};
	uint64_t count = UINT64_MAX - 1, one = 1;

	CHECK_EQ(write(efd, &count, sizeof(count)), sizeof(count));
	w.aio_flags = IOCB_FLAG_RESFD;
	w.aio_resfd = (unsigned)efd;
	CHECK_EQ(result(ctx, &w), 1);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN | POLLERR);
	CHECK_ERR(write(efd, &one, sizeof(one)), EAGAIN);
	CHECK_EQ(read(efd, &count, sizeof(count)), sizeof(count));
	CHECK_EQ(count, UINT64_MAX);
	OK(destroy(ctx));
	close(efd);
}
